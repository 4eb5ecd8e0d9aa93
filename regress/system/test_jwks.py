"""The key set: priming, refreshing, rotating, and an authorization server that
is down, slow, lying or flooding with work."""

import json
import re
import statistics
import time
import types

import pytest

import gw
import rawhttp
import tokens
from fake_as import CA, FakeAS
from judge import check_error_body, judge
from load import Load

PACE = 1.5              # seconds between the starts of two wanted fetches
HOLD = 2.0              # seconds that a request waits for one
PRIME = r"oauth: prime jwks: (.*)"


def only(*keys):
    """A behaviour: a set of exactly these entries."""
    return lambda a: a.body(json.dumps({"keys": list(keys)}).encode())


def bodies(data):
    return lambda a: a.body(data)


# -- at start: exit 78 and the reason -----------------------------------------------

PRIME_FAILURES = {
    "refused": (lambda a: a.refuse(), r"refused"),
    "status 500": (lambda a: a.status(500), r"500"),
    "status 404": (lambda a: a.status(404), r"404"),
    "status 204": (lambda a: a.status(204), r"204"),
    "status 203": (lambda a: a.status(203), r"203"),
    "content type": (lambda a: a.content_type("text/html"),
                     r"(?i)content.type.*text/html|text/html.*content.type"),
    "no content type": (lambda a: a.content_type(None), r"(?i)content.type"),
    "content type like": (lambda a: a.content_type("application/jsonx"),
                          r"(?i)content.type"),
    "not JSON": (bodies(b"<html>"), r"JSON"),
    "empty": (bodies(b""), r"JSON|empty"),
    "half JSON": (bodies(b'{"keys": ['), r"JSON"),
    "bytes after": (bodies(b'{"keys": []} x'), r"JSON"),
    "duplicate member": (bodies(b'{"keys": [], "keys": []}'), r"JSON"),
    "bad UTF-8": (bodies(b'{"keys": [], "a": "\xff"}'), r"JSON"),
    "deep": (bodies(b'{"keys": [], "a": ' + b"[" * 50000 + b"]" * 50000 +
                    b"}"), r"JSON"),
    "array": (bodies(b"[]"), r"keys"),
    "no keys": (bodies(b"{}"), r"keys"),
    "keys no array": (bodies(b'{"keys": {}}'), r"keys"),
    "no usable key": (bodies(b'{"keys": []}'), r"no usable key"),
    "only junk": (only(*[e for _, e in tokens.junk_jwks()]),
                  r"no usable key"),
    "private": (lambda a: only(a.keys[0].private_jwk())(a),
                r"no usable key"),
    "too many": (lambda a: only(*([a.keys[0].jwk()] * 129))(a),
                 r"128|many"),
    "truncated": (lambda a: a.truncated(), r"."),
    "huge": (lambda a: a.huge(), r"(?i)large|big|limit|size|exceed|MiB|long"),
    "huge, chunked": (lambda a: a.huge(chunked=True),
                      r"(?i)large|big|limit|size|exceed|MiB|long"),
    "redirect away": (lambda a: a.redirect("http://localhost:%d/jwks.json" %
                                           a.port), r"(?i)redirect|30[0-9]"),
    "redirect to a file": (lambda a: a.redirect("file:///etc/passwd"),
                           r"(?i)redirect|30[0-9]|protocol|scheme"),
    "redirect loop": (lambda a: a.redirect(a.jwks_url),
                      r"(?i)redirect|30[0-9]"),
    "hang": (lambda a: a.hang(), r"(?i)time|slow|too long"),
    "drip": (lambda a: a.drip(), r"(?i)time|slow|too long"),
}


@pytest.mark.parametrize("name", PRIME_FAILURES)
def test_prime_fails(make_gateway, auth_server, name):
    behave, reason = PRIME_FAILURES[name]
    behave(auth_server)
    g = make_gateway()
    rc, log = g.run_to_exit()
    assert rc == gw.EX_CONFIG, log
    m = re.search(PRIME, log)
    assert m, log
    assert re.search(reason, m[1]), m[0]


def test_prime_fails_without_such_a_host(make_gateway):
    g = make_gateway({"auth": {"oauth": {
        "jwks_url": "https://no-such-host.invalid/jwks.json"}}})
    rc, log = g.run_to_exit()
    assert rc == gw.EX_CONFIG and re.search(PRIME, log), log
    assert re.search(r"(?i)resol|host", re.search(PRIME, log)[1]), log


def tls_gateway(make_gateway, tmp, context, ca_pem):
    a = FakeAS(ssl_context=context)
    over = {}
    if ca_pem is not None:
        (tmp / "ca.pem").write_bytes(ca_pem)
        over = {"ca_file": str(tmp / "ca.pem")}
    return a, make_gateway({"auth": {"oauth": over}}, auth_server=a)


@pytest.mark.parametrize("case", ["system's CAs", "another CA", "wrong host",
                                  "expired"])
def test_prime_fails_for_tls(make_gateway, tmp, case):
    ca = CA()
    context, pem = {
        "system's CAs": lambda: (ca.server_context(), None),
        "another CA": lambda: (ca.server_context(), CA().pem),
        "wrong host": lambda: (ca.server_context("other.test"), ca.pem),
        "expired": lambda: (ca.server_context(days=(-9, -2)), ca.pem),
    }[case]()
    a, g = tls_gateway(make_gateway, tmp, context, pem)
    with a:
        rc, log = g.run_to_exit()
        assert rc == gw.EX_CONFIG, log
        assert re.search(PRIME + r"(?i:certificate|tls|ssl|subject|peer)",
                         log), log
        assert a.fetches == 0


def test_prime_fails_where_there_is_no_tls(make_gateway, auth_server):
    g = make_gateway({"auth": {"oauth": {
        "jwks_url": auth_server.jwks_url.replace("http:", "https:")}}})
    rc, log = g.run_to_exit()
    assert rc == gw.EX_CONFIG and re.search(PRIME, log), log


def test_ca_file(gateway, upstream):
    with FakeAS(tls=True) as a:
        g = gateway(auth_server=a)
        assert g.post(token=a.mint()).status == 200
        a.rotate()
        assert g.post(token=a.mint()).status == 200
        g.stop()


@pytest.mark.parametrize("ctype", [
    "application/json", "application/jwk-set+json", "APPLICATION/JSON",
    "application/json; charset=utf-8", "application/json;charset=UTF-8"])
def test_content_types(gateway, auth_server, ctype):
    auth_server.content_type(ctype)
    assert gateway().post(token=auth_server.mint()).status == 200


def test_128_keys(gateway, auth_server):
    for _ in range(127):
        auth_server.add_key()
    g = gateway()
    for key in (auth_server.keys[0], auth_server.keys[127]):
        assert g.post(token=auth_server.mint(key=key)).status == 200


@pytest.mark.parametrize("junk", tokens.junk_jwks(), ids=lambda j: j[0])
def test_junk_spoils_nothing(gateway, auth_server, upstream, junk):
    """An entry that we cannot use, before the good one and after it, is
    skipped; and it verifies nothing."""
    good = auth_server.keys[0].jwk()
    auth_server.body(json.dumps({"keys": [junk[1], good, junk[1]]}).encode())
    g = gateway()
    s = types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)
    judge(s, auth_server.mint()).admitted()
    judge(s, auth_server.mint(header={"kid": None})).admitted()
    judge(s, auth_server.mint(header={"kid": "junk-not-there"})).refused(
        "unknown_key")


def test_skipped_entries_are_named(gateway, auth_server):
    auth_server.extra = [tokens.Key.make("rsa", "weak-one", 1024).jwk()]
    gateway().wait_log("weak-one.*RSA modulus is not 2048")


def test_duplicate_kid(gateway, auth_server):
    """Two keys of one kind under one kid: neither crash nor loss of the
    others."""
    twin = [tokens.Key.make("ec256", "twin") for _ in range(2)]
    auth_server.extra = [k.jwk() for k in twin]
    g = gateway()
    assert g.post(token=auth_server.mint()).status == 200
    got = [g.post(token=auth_server.mint(key=k)).status for k in twin]
    assert 200 in got and set(got) <= {200, 401}, got


def test_start_waits_for_a_slow_answer(gateway, auth_server):
    auth_server.slow(1)
    assert gateway().post(token=auth_server.mint()).status == 200


def test_the_fetch_itself(gateway, auth_server):
    """One fetch at start; nothing of ours is told to the AS."""
    g = gateway()
    for _ in range(20):
        assert g.post(token=auth_server.mint()).status == 200
    assert auth_server.fetches == 1
    _, fields = rawhttp.parse_head(auth_server.requests[0])
    names = {n.lower() for n, _ in fields}
    assert not names & {"authorization", "cookie", "referer", "from"}


# -- refresh ----------------------------------------------------------------------

SHORT = {"auth": {"oauth": {"jwks_cache_ttl": "1s"}}}


def test_refresh(gateway, auth_server):
    g = gateway(SHORT)
    auth_server.wait_fetches(3)
    # A minute's worth of haste would be a busy loop.
    assert auth_server.fetches < 8
    assert g.post(token=auth_server.mint()).status == 200


def test_a_key_that_left_verifies_no_more(gateway, auth_server, upstream):
    """Not even a token that was seen while it was there."""
    g = gateway(SHORT)
    s = types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)
    old = auth_server.mint()
    judge(s, old).admitted()
    auth_server.rotate()
    deadline = time.monotonic() + 10
    while g.post(token=old).status == 200:
        assert time.monotonic() < deadline, "still admitted after 10 s"
        time.sleep(0.05)
    judge(s, old).refused("unknown_key")
    judge(s, auth_server.mint()).admitted()


REFRESH_FAILURES = ["refused", "status 500", "content type", "not JSON",
                    "no usable key", "only junk", "huge", "truncated",
                    "redirect away", "hang"]


@pytest.mark.parametrize("name", REFRESH_FAILURES)
def test_refresh_fails(gateway, auth_server, name):
    """The last good set stays, with a warning; and the AS comes back."""
    g = gateway(SHORT)
    key = auth_server.keys[0]
    t = auth_server.mint()
    assert g.post(token=t).status == 200
    mark = g.log_mark()
    n = auth_server.fetches
    PRIME_FAILURES[name][0](auth_server)
    g.wait_log(r"(?i)jwks|key set", mark, 30)
    if name not in ("refused", "hang"):
        auth_server.wait_fetches(n + 2)
    assert g.post(token=t).status == 200
    assert g.post(token=auth_server.mint(key=key)).status == 200
    assert g.get("/readyz").status == 200
    auth_server.drop_connections()
    auth_server.normal()
    auth_server.listen()
    auth_server.rotate()
    deadline = time.monotonic() + 30
    while g.post(token=auth_server.mint()).status != 200:
        assert time.monotonic() < deadline, \
            "the new key is not taken after the AS came back"
        time.sleep(0.2)
    assert g.post(token=auth_server.mint()).status == 200


# -- rotation and unknown kids --------------------------------------------------------

def test_rotation_fails_no_request(gateway, auth_server):
    g = gateway()
    with Load(g, 6, auth_server.mint) as load:
        load.wait(60)
        for _ in range(3):
            n = auth_server.fetches
            auth_server.rotate(keep=True)
            auth_server.wait_fetches(n + 1)
            load.wait_more(60)
    bad = load.failures()
    assert not bad, "%d of %d failed: %r" % (len(bad), len(load.results),
                                             bad[:3])
    assert max(r.seconds for r in load.results) < HOLD + 1


def settle(a):
    """Until the pace allows another fetch at once: the gateway has been at
    rest for a while."""
    time.sleep(max(0, a.fetch_times[-1] + PACE - time.monotonic()))


def test_rotation_with_a_slow_as(gateway, auth_server):
    """A request is held while the answer is on its way."""
    g = gateway()
    settle(auth_server)
    auth_server.rotate()
    auth_server.slow(1)
    t = time.monotonic()
    assert g.post(token=auth_server.mint()).status == 200
    assert time.monotonic() - t >= 0.9
    assert auth_server.fetches == 2


def test_many_wait_for_one_fetch(gateway, auth_server):
    g = gateway({"workers": 2})
    settle(auth_server)
    auth_server.rotate()
    auth_server.slow(0.5)
    clients = [g.client() for _ in range(40)]
    for c in clients:
        body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
        c.send(c.build("POST", "/mcp", g.headers(auth_server.mint()), body))
    assert [c.read_response().status for c in clients] == [200] * 40
    for c in clients:
        c.close()
    # Two workers may ask one after the other, no more.
    assert auth_server.fetches <= 3


def bogus(a):
    """A token whose kid nobody knows, another one each time."""
    return a.mint(header={"kid": "bogus-" + tokens.new_kid()})


def check_pace(a, first, before):
    """Fetches since then, by count and by distance."""
    times = a.fetch_times[before:]
    most = (time.monotonic() - first) / PACE + 2
    assert len(times) <= most, "%d fetches, at most %g expected" % (
        len(times), most)
    # of three: one may have been noticed late
    gaps = [y - x for x, y in zip(times, times[2:])]
    assert all(gap > PACE for gap in gaps), gaps


def median(load):
    return statistics.median(r.seconds for r in load.results)


def test_flood_of_bogus_kids(gateway, auth_server):
    """Few fetches however many kids; tokens of known keys are served at once;
    and a rotation one second later is noticed at once."""
    g = gateway()
    before, first = auth_server.fetches, time.monotonic()
    with Load(g, 16, lambda: bogus(auth_server), 0) as flood, \
            Load(g, 2, auth_server.mint) as good:
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            flood.wait_more(1)
            time.sleep(0.05)
    check_pace(auth_server, first, before)
    assert auth_server.fetches > before
    for r in flood.results:
        assert r.status in (401, 503), r
        check_error_body(r.what, -31401 if r.status == 401 else -31503,
                         ids=(None, r.n))
    bad = [r for r in good.results if r.status != 200]
    assert not bad, (len(bad), len(good.results), bad[:3])
    # who waits for a fetch does so for a part of the pace, whatever the load
    held, served = median(flood), median(good)
    assert served < held / 2, (served, held)

    time.sleep(1)               # the second of the scenario
    auth_server.rotate()
    # at the first attempt: the gateway holds nobody for longer than HOLD
    r = g.post(token=auth_server.mint())
    assert r.status == 200, r


def test_one_bogus_kid_again_and_again(gateway, auth_server, upstream):
    """A kid that a fetch lacked costs no more fetches, and comes to life when
    it is published."""
    g = gateway()
    s = types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)
    early = tokens.Key.make("ec256")
    before, first = auth_server.fetches, time.monotonic()
    for _ in range(6):
        judge(s, auth_server.mint(key=early)).refused("unknown_key")
    check_pace(auth_server, first, before)
    auth_server.keys = auth_server.keys + [early]
    deadline = time.monotonic() + 15
    while g.post(token=auth_server.mint(key=early)).status != 200:
        assert time.monotonic() < deadline, "never noticed"
        time.sleep(0.2)


@pytest.mark.parametrize("down", ["refused", "status 500", "hang"])
def test_unknown_kid_while_the_as_is_down(gateway, auth_server, upstream,
                                          down):
    """Nobody can say whether the key is good: 503, soon; known keys go on."""
    g = gateway()
    s = types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)
    known = auth_server.keys[0]
    judge(s, auth_server.mint()).admitted()
    PRIME_FAILURES[down][0](auth_server)
    auth_server.rotate()
    t = time.monotonic()
    v = judge(s, auth_server.mint())
    assert time.monotonic() - t < HOLD + 1
    v.refused("unavailable", 503, -31503)
    assert int(v.r.header("Retry-After")) >= 1, v.r
    assert not v.r.headers("WWW-Authenticate")
    judge(s, auth_server.mint(key=known)).admitted()
    auth_server.drop_connections()
    auth_server.normal()
    auth_server.listen()
    deadline = time.monotonic() + 30
    while g.post(token=auth_server.mint()).status != 200:
        assert time.monotonic() < deadline, "no recovery"
        time.sleep(0.2)


def test_held_clients_may_leave(gateway, auth_server):
    """Clients that give up while they are held take nothing with them."""
    g = gateway()
    auth_server.hang()
    for _ in range(30):
        with g.client() as c:
            c.send(c.build("POST", "/mcp", g.headers(bogus(auth_server)),
                           b'{"jsonrpc":"2.0","id":1,"method":"x"}'))
    auth_server.wait_fetches(2)
    auth_server.normal()
    auth_server.drop_connections()
    assert g.post(token=auth_server.mint()).status == 200


# -- SIGHUP ---------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["refused", "status 500", "not JSON",
                                  "no usable key", "hang"])
def test_reload_does_not_prime(gateway, auth_server, name):
    """A key set that cannot be had rejects the new configuration, with the
    reason; the old one serves on."""
    g = gateway()
    with FakeAS() as other:
        PRIME_FAILURES[name][0](other)
        log = g.reload({"auth": {"oauth": {"jwks_url": other.jwks_url}}},
                       expect="rejected", timeout=40)
        m = re.search(PRIME, log)
        assert m and re.search(PRIME_FAILURES[name][1], m[1]), log
        assert g.post(token=auth_server.mint()).status == 200
        assert g.post(token=other.mint()).status in (401, 503)
        other.normal()
        other.listen()
        g.reload({"auth": {"oauth": {"jwks_url": other.jwks_url}}})
        assert g.post(token=other.mint()).status == 200
        assert g.post(token=auth_server.mint()).status == 401
        g.stop()


def test_reload_while_the_as_is_down(gateway, auth_server):
    """What does not concern the key set needs no AS: it must not block the
    taking away of a right."""
    g = gateway()
    t = auth_server.mint()
    assert g.post(token=t).status == 200
    auth_server.refuse()
    g.reload({"auth": {"oauth": {"required_scopes": ["mcp:read", "more"]}}})
    r = g.post(token=t)
    assert r.status == 401 and "insufficient_scope" in r.header(
        "WWW-Authenticate"), r
    g.reload({"auth": {"oauth": {"required_scopes": ["mcp:read"]}}})
    assert g.post(token=t).status == 200
    assert g.post(token=auth_server.mint()).status == 200


def test_oauth_enabled_by_reload(gateway, auth_server):
    g = gateway({"auth": {"oauth": {"enabled": False}}})
    assert g.post().status == 200 and auth_server.fetches == 0
    g.reload({"auth": {"oauth": {"enabled": True}}})
    assert g.post().status == 401
    assert g.post(token=auth_server.mint()).status == 200
    g.reload({"auth": {"oauth": {"enabled": False}}})
    assert g.post().status == 200
    assert g.get(gw.METADATA_PATH).status == 404


def test_ca_file_changed_by_reload(make_gateway, tmp):
    """The same file with another CA in it is another CA."""
    with FakeAS(tls=True) as a:
        g = make_gateway(auth_server=a).start()
        ca = g.dir / "ca.pem"
        good = ca.read_bytes()
        ca.write_bytes(CA().pem)
        g.reload(expect="rejected")
        assert g.post(token=a.mint()).status == 200
        ca.write_bytes(good)
        g.reload()
        assert g.post(token=a.mint()).status == 200
        g.stop()
