"""Key sets as real servers make them, and as hostile ones do: what is wrong
with one key costs that key, and no set stops a worker."""

import gzip
import json
import os
import time

import pytest

import gw
import rawhttp
import tokens

SHORT = {"auth": {"oauth": {"jwks_cache_ttl": "1s"}}}


def coded(a, data, coding="gzip"):
    """Send this as it is, coded."""
    a._behave = lambda c: a._reply(c, data, extra="Content-Encoding: %s\r\n" %
                                   coding)


def large_rsa(i, bits=8192):
    """An RSA key that nobody has: an odd number is all that can be seen of
    it."""
    n = int.from_bytes(os.urandom(bits // 8)) | 1 << (bits - 1) | 1
    return {"kty": "RSA", "kid": "large-%d" % i, "alg": "RS256", "e": "AQAB",
            "n": tokens.b64u(n.to_bytes(bits // 8))}


def test_large_keys_stop_nobody(gateway, auth_server):
    """128 of the largest keys, again and again: requests go on."""
    g = gateway(dict(SHORT, workers=1))
    auth_server.extra = [large_rsa(i) for i in range(127)]
    n = auth_server.fetches
    worst = 0
    while auth_server.fetches < n + 3:
        t = time.monotonic()
        assert g.get("/healthz").status == 200
        worst = max(worst, time.monotonic() - t)
    assert worst < 1, worst
    g.wait_log("128 keys from")
    assert g.post(token=auth_server.mint()).status == 200


def test_one_kid_many_times(gateway, auth_server):
    """A token tries eight keys of its kid at most, as without a kid."""
    many = [tokens.Key.make("ec256", "many") for _ in range(9)]
    auth_server.extra = [k.jwk() for k in many]
    g = gateway()
    got = [g.post(token=auth_server.mint(key=k)).status for k in many]
    assert got == [200] * 8 + [401]
    assert g.post(token=auth_server.mint()).status == 200


@pytest.mark.parametrize("raw, reason", [
    ('{"kid": "odd", "a": 1, "a": 2, %s}', "duplicate member name"),
    ('{"a": "\\ud800", "kid": "odd", %s}', "surrogate"),
    ('{"kid": "odd", "key_ops": ["sign"], %s}', "no verify"),
], ids=["twice", "surrogate", "key_ops"])
def test_a_flaw_costs_its_key(gateway, auth_server, raw, reason):
    """And is said, with kid and reason, once."""
    key = auth_server.keys[0].jwk()
    odd = raw % json.dumps(tokens.Key.make("ec256").jwk())[1:-1].replace(
        '"kid"', '"kid-was"')
    auth_server.body(b'{"keys": [%s, %s]}' % (odd.encode(),
                                              json.dumps(key).encode()))
    g = gateway(SHORT)
    assert g.post(token=auth_server.mint()).status == 200
    assert g.post(token=auth_server.mint(
        header={"kid": None})).status == 200
    auth_server.wait_fetches(3)
    lines = [x for x in g.log().splitlines() if "skipped" in x]
    assert len(lines) == 1 and '"odd"' in lines[0] and reason in lines[0], \
        lines


@pytest.mark.parametrize("over", [
    {"d": None}, {"key_ops": []}, {"key_ops": None, "use": None},
    {"alg": None, "x5c": None, "k": None}, {"x5c": ["!"], "later": {"a": []}},
], ids=str)
def test_taken(gateway, auth_server, over):
    key = dict(auth_server.keys[0].jwk(), **over)
    auth_server.body(json.dumps({"keys": [key]}).encode())
    assert gateway().post(token=auth_server.mint()).status == 200


def test_private_keys_are_warned_of(gateway, auth_server):
    k = tokens.Key.make("ec256", "leaked")
    auth_server.extra = [k.private_jwk()]
    g = gateway()
    assert g.post(token=auth_server.mint()).status == 200
    assert g.post(token=auth_server.mint(key=k)).status == 401
    assert "leaked" in g.log() and "it is a private key" in g.log()


def test_no_usable_key_says_which(make_gateway, auth_server):
    weak = tokens.Key.make("rsa", "weak-one", 1024).jwk()
    auth_server.body(json.dumps({"keys": [weak, {"kid": "k2"}]}).encode())
    rc, log = make_gateway().run_to_exit()
    assert rc == gw.EX_CONFIG
    line = [x for x in log.splitlines() if "oauth: prime jwks" in x][0]
    assert 'no usable key: key 0 (kid "weak-one"): RSA modulus is not 2048' \
        in line and '(kid "k2"): kty is missing' in line, line


@pytest.mark.parametrize("coding", ["gzip", "X-GZip ", ""])
def test_bom_and_gzip(gateway, auth_server, coding):
    """Neither is asked for; both are taken."""
    doc = b"\xef\xbb\xbf" + json.dumps(auth_server.jwks()).encode()
    coded(auth_server, gzip.compress(doc) if coding else doc, coding)
    g = gateway()
    assert g.post(token=auth_server.mint()).status == 200
    _, fields = rawhttp.parse_head(auth_server.requests[0])
    asked = [v for n, v in fields if n.lower() == "accept-encoding"]
    assert asked == ["identity"], asked


@pytest.mark.parametrize("data, coding, reason", [
    (gzip.compress(b'{"keys": []' + b" " * (64 << 20) + b"}", 9), "gzip",
     "larger than"),
    (gzip.compress(b'{"keys": []}')[:20], "gzip", "."),
    (b'{"keys": []}', "gzip", "."),
    (b'{"keys": []}', "rot13", "other than gzip"),
    (b'{"keys": []}', "zstd", "other than gzip"),
    (gzip.compress(gzip.compress(b'{"keys": []}')), "gzip, gzip",
     "other than gzip"),
], ids=["bomb", "cut", "no gzip", "unknown", "zstd", "twice"])
def test_codings_that_fail(make_gateway, auth_server, data, coding, reason):
    """A bomb ends at 1 MiB of what comes out of it."""
    coded(auth_server, data, coding)
    rc, log = make_gateway().run_to_exit()
    assert rc == gw.EX_CONFIG
    assert [x for x in log.splitlines() if "oauth: prime jwks" in x and
            reason in x], log


@pytest.mark.parametrize("coding", ["zstd", "br, chunked", "gzip, chunked"])
def test_coded_on_the_way(make_gateway, auth_server, coding):
    """libcurl would decode that, too."""
    doc = gzip.compress(json.dumps(auth_server.jwks()).encode())
    auth_server._behave = lambda c: c.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: %s\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
            coding.encode(), len(doc), doc))
    rc, log = make_gateway().run_to_exit()
    assert rc == gw.EX_CONFIG
    assert [x for x in log.splitlines() if "oauth: prime jwks" in x and
            "other than gzip" in x], log


@pytest.mark.parametrize("kind, named, alg, status", [
    ("ed25519", "Ed25519", "Ed25519", 200),
    ("ed25519", "EdDSA", "Ed25519", 200),
    ("ed25519", "Ed25519", "EdDSA", 200),
    ("ed25519", "Ed25519", "Ed448", 401),
    ("ed448", "Ed448", "Ed448", 200),
    ("ed448", None, "Ed448", 200),
    ("ed448", "EdDSA", "Ed25519", 401),
    ("ec521", "ES512", "ES512", 200),
])
def test_names_of_algorithms(gateway, auth_server, kind, named, alg, status):
    """RFC 9864: EdDSA by the names of its curves; the key's curve decides."""
    k = tokens.Key.make(kind)
    auth_server.extra = [k.jwk(alg=named)]
    g = gateway()
    real = "ES512" if kind == "ec521" else "EdDSA"
    t = auth_server.mint(key=k, header={"alg": alg},
                         sign=lambda data: k.sign(real, data))
    assert g.post(token=t).status == status


def until(what, seconds=8):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.05)


def same_kid(a):
    """A new key under the kid of the old one."""
    k = tokens.Key.make("ec256", a.keys[0].kid)
    a.keys = [k]
    return k


def test_new_key_under_the_same_kid(gateway, auth_server):
    """Fetched when a signature is not the old key's, and waited for."""
    g = gateway()
    assert g.post(token=auth_server.mint()).status == 200
    same_kid(auth_server)
    assert g.post(token=auth_server.mint()).status == 200
    assert auth_server.fetches == 2


def test_forged_signatures_cost_few_fetches(gateway, auth_server):
    g = gateway({"workers": 1})
    got = {g.post(token=tokens.forge_signature(auth_server.mint())).status
           for _ in range(30)}
    assert got == {401} and auth_server.fetches <= 2
    assert g.post(token=auth_server.mint()).status == 200


def test_forged_signature_while_the_as_is_down(gateway, auth_server):
    """It is bad by all that is known: 401, not 503."""
    g = gateway()
    auth_server.refuse()
    r = g.post(token=tokens.forge_signature(auth_server.mint()))
    assert r.status == 401
    assert g.audit(lambda x: x["auth_result"] == "bad_signature")


def test_reload_fetches(gateway, auth_server):
    """In the background: a server that is down holds nothing up, and the old
    set stays."""
    g = gateway()
    old = auth_server.mint()
    same_kid(auth_server)
    assert g.post(token=old).status == 200
    g.reload()
    auth_server.wait_fetches(2)
    until(lambda: g.post(token=old).status == 401)
    assert g.post(token=auth_server.mint()).status == 200
    auth_server.hang()
    t = time.monotonic()
    g.reload({"auth": {"oauth": {"required_scopes": ["mcp:read", "more"]}}})
    assert time.monotonic() - t < 4
    assert g.post(token=auth_server.mint()).status == 401
    g.reload({"auth": {"oauth": {"required_scopes": ["mcp:read"]}}})
    assert g.post(token=auth_server.mint()).status == 200


def test_one_source_has_a_budget(gateway, auth_server):
    """Unknown kids of one address have keys fetched a number of times, not for
    ever; a rotation that others see goes on at the pace."""
    g = gateway({"workers": 1, "trusted_proxies": ["127.0.0.1/32"]})

    def ask(source, token):
        return g.post(token=token, headers={"X-Forwarded-For": source}).status

    def bogus():
        return auth_server.mint(header={"kid": tokens.new_kid()})

    deadline = time.monotonic() + 60
    n = -1
    while n != auth_server.fetches:         # one that costs none
        assert time.monotonic() < deadline
        n = auth_server.fetches
        assert ask("192.0.2.1", bogus()) == 401
    assert 5 < n < 9
    auth_server.rotate()
    assert ask("192.0.2.1", auth_server.mint()) == 401
    assert auth_server.fetches == n
    assert ask("192.0.2.2", auth_server.mint()) == 200
    assert ask("192.0.2.1", auth_server.mint()) == 200


def test_a_set_becomes_too_old(gateway, auth_server):
    """First a warning, then 503, for tokens alone; and back again."""
    g = gateway({"auth": {"oauth": {"jwks_cache_ttl": "1s",
                                    "jwks_max_stale": "2s"}}})
    token = auth_server.mint()
    auth_server.refuse()
    g.wait_log("the key set of .* is stale; in 1 s")
    assert g.post(token=token).status == 200
    until(lambda: g.post(token=token).status == 503)
    assert "jwks_max_stale" in g.log()
    assert g.get("/readyz").status == 503
    assert g.get("/healthz").status == 200
    # a new worker gets no better answer, and a reload is not held up
    g.reload({"allowed_origins": ["https://x.test"]})
    assert g.post(token=token).status == 503
    auth_server.listen()
    until(lambda: g.post(token=token).status == 200, 15)
    assert g.get("/readyz").status == 200


def test_off_is_never(gateway, auth_server):
    g = gateway({"auth": {"oauth": {"jwks_cache_ttl": "1s",
                                    "jwks_max_stale": "off"}}})
    auth_server.refuse()
    g.wait_log("keeping the last good")
    assert g.post(token=auth_server.mint()).status == 200
    assert "is stale" not in g.log()


@pytest.mark.parametrize("value", ["0s", "999ms", "721h", "never", ""])
def test_max_stale_that_is_none(make_gateway, value):
    rc, log = make_gateway({"auth": {"oauth": {
        "jwks_max_stale": value}}}).run_to_exit()
    assert rc == gw.EX_CONFIG and "auth.oauth.jwks_max_stale: expected" in log
