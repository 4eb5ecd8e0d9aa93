"""API keys: dispatch by shape, scopes, expiry, reload, the keeper's death,
floods, and that no key is found where it must not be."""

import base64
import datetime
import os
import pathlib
import re
import secrets
import signal
import string
import subprocess
import threading
import time
import zlib

import pytest

from gw import rpc

CHEAP = ("-t", "1", "-k", "64", "-p", "1")
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase


def argon2(key, *args, salt=None):
    """A hash by Debian's argon2(1)."""
    return subprocess.run(
        ["argon2", salt or secrets.token_hex(8), "-id", "-e",
         *(args or CHEAP)], input=key.encode(), stdout=subprocess.PIPE,
        check=True, timeout=60).stdout.decode().strip()


def checksum(text):
    n, out = zlib.crc32(text.encode()), ""
    for _ in range(6):
        n, d = divmod(n, 62)
        out = DIGITS[d] + out
    return out


def own_key():
    """A key of the gateway's own form: (key, prefix)."""
    prefix = "".join(secrets.choice(DIGITS) for _ in range(8))
    body = "mcpgw_live_%s_%s" % (prefix, "".join(
        secrets.choice(DIGITS) for _ in range(43)))
    return body + "_" + checksum(body), prefix


def stamp(seconds):
    t = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(seconds=seconds)
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def jwt_shaped_key():
    return ".".join(secrets.token_urlsafe(26) for _ in range(3))


class Key:
    def __init__(self, id, scopes=("mcp:read",), key=None, cost=CHEAP, **more):
        self.id = id
        self.key = key or secrets.token_urlsafe(24)
        self.entry = {"id": id, "hash": argon2(self.key, *cost),
                      "scopes": list(scopes), **more}


def own(id, cost=CHEAP, **more):
    key, prefix = own_key()
    return Key(id, key=key, cost=cost, prefix=prefix, **more)


def auth(*keys, oauth=True, **more):
    a = {"keys": [k.entry for k in keys], **more}
    if not oauth:
        a["oauth"] = {"enabled": False}
    return {"auth": a}


def ask(g, key=None, headers=(), msg=None, **kw):
    """One request and its one line."""
    mark = g.audit_mark()
    r = g.post(msg or rpc("tools/list"), token=key, headers=headers, **kw)
    return r, g.audit_one(mark)


def keepers(g):
    return g.children().get("keeper", [])


# -- dispatch -----------------------------------------------------------------

def test_key_beside_token(gateway, auth_server, upstream):
    k = Key("ci-pipeline")
    g = gateway(auth(k))
    r, line = ask(g, k.key)
    assert r.status == 200
    assert line["auth_result"] == "ok" and line["action"] == "allow"
    assert line["auth_key_id"] == "ci-pipeline"
    assert line["scopes"] == "mcp:read"
    assert line["oauth_client_id"] is None
    r, line = ask(g, auth_server.mint())
    assert r.status == 200 and "auth_key_id" not in line
    assert line["oauth_client_id"] is not None
    for req in upstream.requests:
        assert k.key.encode() not in req.raw
        assert req.header("authorization") is None


def test_guides_example(gateway):
    """The hash of the guide: its cost, no leading $, scopes ["*"]."""
    key = secrets.token_urlsafe(24)
    k = Key("ci-pipeline", scopes=["*"], key=key,
            cost=("-t", "3", "-k", "65536", "-p", "2"))
    assert k.entry["hash"].startswith("$argon2id$v=19$m=65536,t=3,p=2$")
    k.entry["hash"] = k.entry["hash"][1:]
    g = gateway(auth(k))
    r, line = ask(g, key)
    assert r.status == 200 and line["auth_key_id"] == "ci-pipeline"
    assert line["scopes"] == "*"


def test_jwt_shape_goes_to_the_verifier(gateway):
    """The collision that the guide warns of."""
    k = Key("shaped", key=jwt_shaped_key())
    g = gateway(auth(k))
    r, line = ask(g, k.key)
    assert r.status == 401
    assert 'error="invalid_token"' in r.header("www-authenticate")
    assert "auth_key_id" not in line
    # switched off, everything is for the key store
    g.reload({"auth": {"oauth": {"enabled": False}}})
    r, line = ask(g, k.key)
    assert r.status == 200 and line["auth_key_id"] == "shaped"


@pytest.mark.parametrize("short", [99, 100])
def test_shape_begins_at_100(gateway, short):
    key = "a" * 40 + "." + "b" * 40 + "." + "c" * (short - 82)
    assert len(key) == short
    k = Key("edge", key=key)
    g = gateway(auth(k))
    r, line = ask(g, key)
    if short == 99:
        assert r.status == 200 and line["auth_key_id"] == "edge"
    else:
        assert r.status == 401 and line["auth_result"] == "invalid"


def test_opaque_without_keys(gateway):
    g = gateway()
    r, line = ask(g, "opaque-key")
    assert r.status == 401 and line["auth_result"] == "invalid"
    assert line["action"] == "deny"


def test_keys_only(gateway, auth_server):
    k = Key("only")
    g = gateway(auth(k, oauth=False))
    assert "authentication is off" not in g.log()
    r, line = ask(g, k.key)
    assert r.status == 200 and line["auth_key_id"] == "only"
    r, line = ask(g)
    assert r.status == 401 and line["auth_result"] == "missing"
    # no document to point to
    assert r.header("www-authenticate") == 'Bearer realm="mcpgw"'
    assert g.get("/.well-known/oauth-protected-resource").status == 404
    r, line = ask(g, auth_server.mint())
    assert r.status == 401 and line["auth_result"] == "invalid"
    r, line = ask(g, "wrong")
    assert r.header("www-authenticate") == \
        'Bearer realm="mcpgw", error="invalid_token"'


@pytest.mark.parametrize("over", [
    {"enabled": False, "oauth": {"enabled": False}},
    {"enabled": True, "oauth": {"enabled": False}, "keys": []}])
def test_open(gateway, over):
    k = Key("unused")
    g = gateway({"auth": {"keys": [k.entry], **over}})
    assert "authentication is off" in g.log()
    r, line = ask(g)
    assert r.status == 200 and line["auth_result"] is None


def test_oauth_off_and_on_again(gateway, auth_server):
    k = Key("both")
    g = gateway(auth(k))
    token = auth_server.mint()
    assert ask(g, token)[0].status == 200
    g.reload({"auth": {"oauth": {"enabled": False}}})
    assert ask(g, token)[0].status == 401
    assert ask(g, k.key)[0].status == 200
    g.reload({"auth": {"oauth": {"enabled": True}}})
    assert ask(g, token)[0].status == 200
    assert ask(g, k.key)[0].status == 200


# -- where it may stand -------------------------------------------------------

def test_header(gateway, auth_server, upstream):
    k = Key("h")
    g = gateway(auth(k, header="X-API-Key"))
    r, line = ask(g, headers={"x-api-KEY": k.key})
    assert r.status == 200 and line["auth_key_id"] == "h"
    assert upstream.requests[-1].header("x-api-key") is None
    assert k.key.encode() not in upstream.requests[-1].raw
    assert ask(g, k.key)[0].status == 200
    # by its shape, here too
    r, line = ask(g, headers={"X-API-Key": auth_server.mint()})
    assert r.status == 200 and "auth_key_id" not in line
    r, line = ask(g, headers={"X-API-Key": "nobody's"})
    assert r.status == 401 and line["auth_result"] == "invalid"


def test_header_and_scheme(gateway):
    k = Key("h")
    g = gateway(auth(k, header="X-Auth", scheme="ApiKey"))
    assert ask(g, headers={"X-Auth": "apikey  " + k.key})[0].status == 200
    r, line = ask(g, headers={"X-Auth": k.key})
    assert r.status == 401 and line["auth_result"] == "missing"
    r, line = ask(g, headers={"X-Auth": "ApiKeyX " + k.key})
    assert r.status == 401


def test_scheme_in_authorization(gateway, upstream):
    k = Key("h")
    g = gateway(auth(k, scheme="ApiKey"))
    assert ask(g, headers={"Authorization": "ApiKey " + k.key})[0].status == 200
    assert upstream.requests[-1].header("authorization") is None
    assert ask(g, k.key)[0].status == 200
    assert ask(g, headers={"Authorization": "Basic " + k.key})[0].status == 401


def test_bare_key_in_authorization(gateway, auth_server, upstream):
    """auth.scheme: "" is no scheme; Bearer stays, other schemes are none."""
    k = Key("h")
    for more in ({"header": "Authorization", "scheme": ""}, {"scheme": ""},
                 {"header": "Authorization"}):
        g = gateway(auth(k, **more))
        for value in (k.key, "Bearer " + k.key, auth_server.mint()):
            r, _ = ask(g, headers={"Authorization": value})
            assert r.status == 200, (value, r)
            assert upstream.requests[-1].header("authorization") is None
        for value, result in (("nobody's", "invalid"), ("", "missing"),
                              ("Basic " + k.key, "missing")):
            r, line = ask(g, headers={"Authorization": value})
            assert r.status == 401 and line["auth_result"] == result, value
        r, _ = ask(g, headers={"Authorization": "Bearer"})
        assert r.status == 400
        g.stop()


def test_bare_key_only_where_said(gateway):
    k = Key("h")
    g = gateway(auth(k))
    for more in ({}, {"header": "Authorization", "scheme": "ApiKey"}):
        if more:
            g.reload({"auth": more})
        r, line = ask(g, headers={"Authorization": k.key})
        assert r.status == 401 and line["auth_result"] == "missing"
    g.reload({"auth": {"scheme": "", "header": "X-API-Key"}})
    assert ask(g, headers={"X-API-Key": k.key})[0].status == 200
    assert ask(g, headers={"X-API-Key": ""})[0].status == 400
    r, line = ask(g, headers={"Authorization": k.key})
    assert r.status == 401 and line["auth_result"] == "missing"


def test_field_of_the_original(gateway, upstream):
    k = Key("h")
    g = gateway(auth(k, header="X-MCPGW-Key"))
    assert ask(g, headers={"x-mcpgw-key": k.key})[0].status == 200
    assert k.key.encode() not in upstream.requests[-1].raw


def test_two_credentials(gateway, auth_server, upstream):
    k = Key("h")
    g = gateway(auth(k, header="X-API-Key"))
    for headers in ([("X-API-Key", k.key), ("X-API-Key", k.key)],
                    [("X-API-Key", k.key),
                     ("Authorization", "Bearer " + auth_server.mint())],
                    [("X-API-Key", k.key), ("Authorization", "Basic eDp5")]):
        r, line = ask(g, headers=headers)
        assert r.status == 400 and line["auth_result"] == "invalid"
    assert not upstream.requests


# -- judging ------------------------------------------------------------------

@pytest.mark.parametrize("scopes,ok", [
    (["mcp:read"], True), (["mcp:read", "x"], True), (["*"], True),
    ([], False), (["mcp:reader"], False), (["mcp:rea"], False),
    (["x", "*"], True)])
def test_scopes(gateway, scopes, ok):
    k = Key("s", scopes=scopes)
    g = gateway(auth(k))
    r, line = ask(g, k.key)
    assert line["auth_key_id"] == "s"
    assert line["scopes"] == " ".join(scopes)
    if ok:
        assert r.status == 200
        return
    assert r.status == 401 and line["auth_result"] == "insufficient_scope"
    challenge = r.header("www-authenticate")
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="mcp:read"' in challenge


def test_expiry(gateway):
    old = Key("old", expires_at=stamp(-1), created_at=stamp(-100))
    soon = Key("soon", expires_at=stamp(7))
    g = gateway(auth(old, soon))
    r, line = ask(g, old.key)
    assert r.status == 401 and line["auth_result"] == "expired"
    assert line["auth_key_id"] == "old"
    r, line = ask(g, soon.key)
    assert r.status == 200
    deadline = time.monotonic() + 20
    while r.status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        r, line = ask(g, soon.key)
    assert r.status == 401 and line["auth_result"] == "expired"


def test_own_form(gateway):
    a, b = own("a"), own("b")
    g = gateway(auth(a, b))
    assert ask(g, a.key)[1]["auth_key_id"] == "a"
    assert ask(g, b.key)[1]["auth_key_id"] == "b"
    # a's prefix with b's secret
    text = a.key[:20] + b.key[20:-6]
    for bad in (text + checksum(text), a.key[:-1] + "_", a.key + "x",
                a.key[:-1], own_key()[0], a.key.upper(), a.key.lower()):
        r, line = ask(g, bad)
        assert r.status == 401 and line["auth_result"] == "invalid", bad


def test_own_form_without_prefix(gateway):
    """The prefix saves work; a key whose entry lacks it is a key."""
    a = own("a")
    del a.entry["prefix"]
    g = gateway(auth(a, own("b")))
    assert ask(g, a.key)[1]["auth_key_id"] == "a"


def test_many_keys(gateway):
    keys = [own("k%d" % i) for i in range(60)] + \
        [Key("o%d" % i) for i in range(8)]
    g = gateway(auth(*keys))
    for k in keys:
        assert ask(g, k.key)[1]["auth_key_id"] == k.id


def test_odd_keys(gateway):
    # as long as argon2(1) takes
    g = gateway(auth(Key("long", key="k" * 120), Key("utf8", key="clé-ü")))
    assert ask(g, "k" * 120)[1]["auth_key_id"] == "long"
    assert ask(g, "clé-ü".encode().decode("latin-1"))[
        1]["auth_key_id"] == "utf8"
    for n in (121, 1024, 1025, 9000):
        assert ask(g, "k" * n)[1]["auth_result"] == "invalid"
    assert ask(g, "")[1]["auth_result"] == "invalid"
    assert ask(g, headers=[("Authorization", "Bearer")])[0].status == 400


def test_bad_checksum_costs_nothing(gateway):
    """No hash is computed: the keeper's CPU time stands still."""
    a = own("a", cost=("-t", "3", "-k", "65536", "-p", "2"))
    g = gateway(auth(a))
    before = cpu(keepers(g)[0])
    for i in range(50):
        key = own_key()[0]
        assert ask(g, key[:-1] + ("0" if key[-1] != "0" else "1"))[
            1]["auth_result"] == "invalid"
        # a right checksum, a prefix that nobody has
        assert ask(g, own_key()[0])[1]["auth_result"] == "invalid"
    assert cpu(keepers(g)[0]) - before < 0.15


def cpu(pid):
    """Seconds of CPU time of a process."""
    stat = pathlib.Path("/proc/%d/stat" % pid).read_text()
    f = stat[stat.rindex(")") + 2:].split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


def test_remembered(gateway):
    """One hash for many requests, by many workers, over a reload."""
    k = Key("k", cost=("-t", "3", "-k", "65536", "-p", "2"))
    g = gateway(auth(k))
    assert ask(g, k.key)[0].status == 200
    keeper = keepers(g)[0]
    spent = cpu(keeper)
    for _ in range(40):
        assert ask(g, k.key)[0].status == 200
    g.reload({"drain_timeout": "9s"})
    for _ in range(10):
        assert ask(g, k.key)[0].status == 200
    assert cpu(keeper) - spent < 0.05


def test_ttl_0_remembers_nothing(gateway):
    k = Key("k")
    g = gateway(auth(k, key_cache_ttl="0s"))
    for _ in range(3):
        assert ask(g, k.key)[0].status == 200
        assert ask(g, "wrong")[0].status == 401


# -- configuration ------------------------------------------------------------

H = "argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQxMjM0$" + "A" * 43
BAD = {
    "repeated-id": ([{"id": "a", "hash": H},
                     {"id": "a", "hash": H.replace("1234", "1235")}],
                    r"mcpgw\.yaml:\d+:\d+: auth\.keys\[1\]\.id: expected "
                    r"another value.*line \d+"),
    "repeated-hash": ([{"id": "a", "hash": H}, {"id": "b", "hash": "$" + H}],
                      r"auth\.keys\[1\]\.hash: expected another"),
    "repeated-prefix": ([{"id": "a", "hash": H, "prefix": "abcdefgh"},
                         {"id": "b", "hash": H[:-1] + "E",
                          "prefix": "abcdefgh"}],
                        r"auth\.keys\[1\]\.prefix: expected another"),
    "no-id": ([{"hash": H}], r"auth\.keys\[0\]\.id: required"),
    "no-hash": ([{"id": "a"}], r"auth\.keys\[0\]\.hash: required"),
    "argon2i": ([{"id": "a", "hash": H.replace("argon2id", "argon2i")}],
                r"auth\.keys\[0\]\.hash: expected argon2id"),
    "memory": ([{"id": "a", "hash": H.replace("m=64", "m=65537")}],
               r"auth\.keys\[0\]\.hash: expected m=65536 at most"),
    "passes": ([{"id": "a", "hash": H.replace("t=1", "t=17")}],
               r"expected t=16 at most"),
    "lanes": ([{"id": "a", "hash": H.replace("m=64,t=1,p=1",
                                             "m=640,t=1,p=17")}],
              r"expected p=16 at most"),
    "overflow": ([{"id": "a", "hash": H.replace("t=1", "t=4294967297")}],
                 r"expected costs as"),
    "trailing": ([{"id": "a", "hash": H + "$"}], r"nothing behind it"),
    "expiry": ([{"id": "a", "hash": H, "expires_at": "2027-02-29T00:00:00Z"}],
               r"auth\.keys\[0\]\.expires_at: expected a time"),
    "order": ([{"id": "a", "hash": H, "created_at": "2026-01-02T00:00:00Z",
                "expires_at": "2026-01-01T23:59:59Z"}],
              r"expected a time after created_at"),
    "unprefixed": ([{"id": "k%d" % i, "hash": H.replace("1234", "1%03d" % i)}
                    for i in range(9)],
                   r"at most 8 keys without a prefix"),
    "unknown": ([{"id": "a", "hash": H, "scope": []}], r'unknown key "scope"'),
    "plain": (["a"], r"expected a mapping with id and hash"),
}


@pytest.mark.parametrize("name", BAD)
def test_config_errors(make_gateway, name):
    keys, want = BAD[name]
    g = make_gateway({"auth": {"keys": keys}})
    rc, out = g.check()
    assert rc == 78 and re.search(want, out), out
    assert "c29tZXNhbHQ" not in out, "a hash in an error"


def test_ceilings_are_configured(make_gateway):
    keys = [{"id": "a", "hash": H.replace("m=64", "m=131072")}]
    g = make_gateway({"auth": {"keys": keys,
                               "argon2": {"max_memory": "128MiB"}}})
    assert g.check()[0] == 0
    g = make_gateway({"auth": {"keys": [{"id": "a", "hash": H}],
                               "argon2": {"max_memory": "32KiB"}}})
    rc, out = g.check()
    assert rc == 78 and "m=32 at most" in out


@pytest.mark.parametrize("header", ["Host", "mcp-session-id", "X-Forwarded-For",
                                    "X_Key", "", "Content-Length",
                                    "X-MCPGW-Key-Id", "X-Mcpgw-Scopes"])
def test_header_names(make_gateway, header):
    rc, out = make_gateway({"auth": {"header": header}}).check()
    assert rc == 78 and "auth.header: expected" in out


# -- reload -------------------------------------------------------------------

def test_reload_adds_and_removes(gateway):
    a, b = Key("a"), own("b")
    g = gateway(auth(a))
    assert ask(g, a.key)[0].status == 200
    assert ask(g, b.key)[0].status == 401
    g.reload(auth(a, b))
    assert ask(g, b.key)[0].status == 200
    assert ask(g, a.key)[0].status == 200
    g.reload(auth(b))
    r, line = ask(g, a.key)
    assert r.status == 401 and line["auth_result"] == "invalid"
    assert ask(g, b.key)[0].status == 200
    # b moves to another place in the list
    g.reload(auth(Key("c"), b))
    assert ask(g, b.key)[1]["auth_key_id"] == "b"


def test_reload_changes_scopes_and_expiry(gateway):
    a = Key("a")
    g = gateway(auth(a))
    assert ask(g, a.key)[0].status == 200
    a.entry["scopes"] = []
    g.reload(auth(a))
    assert ask(g, a.key)[1]["auth_result"] == "insufficient_scope"
    a.entry["scopes"] = ["*"]
    a.entry["expires_at"] = stamp(-5)
    g.reload(auth(a))
    assert ask(g, a.key)[1]["auth_result"] == "expired"


class Pounding(threading.Thread):
    """Requests one after the other until told to end."""

    def __init__(self, g, key):
        super().__init__(daemon=True)
        self.g, self.key, self.over = g, key, threading.Event()
        self.seen, self.failed = [], None
        self.start()

    def run(self):
        try:
            while not self.over.is_set():
                r = self.g.post(rpc("tools/list"), token=self.key, timeout=30)
                self.seen.append((time.monotonic(), r.status,
                                  r.header("retry-after")))
        except Exception as e:
            self.failed = e

    def end(self):
        self.over.set()
        self.join(60)
        assert not self.is_alive()
        if self.failed is not None:
            raise self.failed
        return self.seen


def test_reload_under_load(gateway):
    stays, goes, comes = own("stays"), Key("goes"), own("comes")
    g = gateway(auth(stays, goes))
    p = [Pounding(g, stays.key) for _ in range(2)] + [Pounding(g, goes.key)]
    for i in range(3):
        g.reload(auth(stays, comes))
        assert ask_quietly(g, comes.key) == 200
        assert ask_quietly(g, goes.key) == 401
        g.reload(auth(stays, goes))
        assert ask_quietly(g, goes.key) == 200
        assert ask_quietly(g, comes.key) == 401
    for t in p[:2]:
        assert {s for _, s, _ in t.end()} == {200}
    assert {s for _, s, _ in p[2].end()} == {200, 401}
    # what others write while a worker leaves is no torn line
    assert "requests are refused" not in g.log()


def ask_quietly(g, key):
    return g.post(rpc("tools/list"), token=key, timeout=30).status


# -- the keeper ---------------------------------------------------------------

def test_keeper_killed(gateway, auth_server):
    slow = own("slow", cost=("-t", "3", "-k", "65536", "-p", "1"))
    known = own("known")
    g = gateway(auth(slow, known))
    g.expect_death(r"keeper.*terminated by signal 9")
    token = auth_server.mint()
    assert ask_quietly(g, known.key) == 200
    first = keepers(g)[0]
    p = [Pounding(g, token), Pounding(g, known.key)]
    os.kill(first, signal.SIGKILL)
    # asked while there is none, or a new one that remembers nothing
    r = g.post(rpc("tools/list"), token=slow.key, timeout=30)
    assert r.status == 200 or (r.status == 503 and r.header("retry-after"))
    g.wait_children(lambda c: c.get("keeper", [first]) != [first])
    assert ask_quietly(g, slow.key) == 200
    assert {s for _, s, _ in p[0].end()} == {200}, "tokens need no keeper"
    assert {s for _, s, _ in p[1].end()} == {200}, "a known key needs none"


def test_keeper_stopped(gateway, auth_server):
    """One that hangs: requests wait a bounded time, others go on."""
    k = Key("k")
    g = gateway(auth(k))
    g.expect_death(r"keeper.*terminated by signal 9")
    keeper = keepers(g)[0]
    os.kill(keeper, signal.SIGSTOP)
    try:
        began = time.monotonic()
        done = []
        t = threading.Thread(target=lambda: done.append(
            g.post(token=k.key, timeout=40)))
        t.start()
        assert ask_quietly(g, auth_server.mint()) == 200
        t.join(40)
        assert done, "no answer"
        r = done[0]
        assert r.status == 503 and r.header("retry-after")
        assert 5 < time.monotonic() - began < 30
        line = [x for x in g.audit_lines() if x.get("status") == 503][0]
        assert line["auth_result"] == "unavailable"
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert ask_quietly(g, k.key) == 200


def test_keeper_has_nothing(gateway):
    key = Key("k")
    g = gateway(auth(key))
    # it answers from within its sandbox alone
    assert ask(g, key.key)[0].status == 200
    pid = keepers(g)[0]
    status = pathlib.Path("/proc/%d/status" % pid).read_text()
    assert re.search(r"^Seccomp:\s*2$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.M)
    if os.getuid() == 0:
        assert re.search(r"^Uid:\s*(\d+)", status, re.M)[1] != "0"
        assert os.readlink("/proc/%d/root" % pid) != "/"
    for tid in os.listdir("/proc/%d/task" % pid):
        s = pathlib.Path("/proc/%d/task/%s/status" % (pid, tid)).read_text()
        assert re.search(r"^Seccomp:\s*2$", s, re.M), "a thread outside"
    links = [os.readlink(p) for p in
             pathlib.Path("/proc/%d/fd" % pid).iterdir()]
    for link in links:
        assert re.match(r"(socket:|anon_inode:\[event|/dev/null|pipe:)", link) \
            or link == str(g.stderr_path), link
    assert not any("memfd" in x for x in links), "a configuration left open"


# Memory cannot be searched by anybody but root, and a sanitizer keeps what was
# freed.
SANITIZED = "asan" in os.environ.get("O", "")


def memory_has(pid, what):
    """Is the text anywhere in the writable memory of a process?"""
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for m in pathlib.Path("/proc/%d/maps" % pid).read_text().splitlines():
            f = m.split()
            lo, hi = (int(x, 16) for x in f[0].split("-"))
            if "w" not in f[1] or hi - lo > 1 << 30 or "[v" in m:
                continue
            try:
                mem.seek(lo)
                if what in mem.read(hi - lo):
                    return True
            except OSError:
                continue
    return False


def test_no_key_in_memory_or_files(gateway):
    look = os.getuid() == 0 and not SANITIZED
    k = own("k")
    g = gateway(auth(k, header="X-API-Key"))
    wrong = own_key()[0]
    for key in (k.key, wrong):
        ask(g, key)
        ask(g, headers={"X-API-Key": key})
    for secret in (k.key, wrong):
        secret = secret[20:-7].encode()
        for f in g.dir.iterdir():
            if f.is_file():
                assert secret not in f.read_bytes(), f
        if look:
            for name, pids in g.children().items():
                assert not any(memory_has(p, secret) for p in pids), name
            assert not memory_has(g.pid, secret)
    if not look:
        return
    # the hash is the keeper's (and the master's), not a worker's
    digest = k.entry["hash"].split("$")[-1]
    raw = base64.b64decode(digest + "=")
    assert memory_has(keepers(g)[0], raw)
    for pid in g.workers() + g.fetchers():
        assert not memory_has(pid, raw)
        assert not memory_has(pid, digest.encode())


# -- floods -------------------------------------------------------------------

def test_flood(gateway, auth_server):
    """Wrong keys, each another, as fast as they go: all refused, every one
    recorded, memory bounded, others served."""
    guides = ("-t", "3", "-k", "65536", "-p", "2")
    known, fresh = Key("known", cost=guides), own("fresh", cost=guides)
    g = gateway({**auth(known, fresh, argon2={"threads": 1}),
                 "audit": {"refusals_per_second": 5}})
    assert ask_quietly(g, known.key) == 200
    keeper = keepers(g)[0]
    mark = g.audit_mark()
    over = threading.Event()
    statuses, failed = [], []

    def flood():
        try:
            with g.client(timeout=30) as c:
                while not over.is_set():
                    r = g.post(rpc("tools/list"), client=c,
                               token=secrets.token_urlsafe(20))
                    statuses.append((r.status, r.header("retry-after")))
        except Exception as e:
            failed.append(e)

    threads = [threading.Thread(target=flood) for _ in range(40)]
    for t in threads:
        t.start()
    peak = 0
    deadline = time.monotonic() + 60
    while sum(1 for s, _ in list(statuses) if s == 429) < 100:
        assert time.monotonic() < deadline and not failed, (statuses, failed)
        peak = max(peak, g.rss(keeper))
        assert ask_quietly(g, known.key) == 200
        assert ask_quietly(g, auth_server.mint()) == 200
    # an issued key that nobody has seen goes before the flood
    assert ask_quietly(g, fresh.key) == 200
    over.set()
    for t in threads:
        t.join(60)
        assert not t.is_alive()
    assert not failed, failed
    assert {s for s, _ in statuses} <= {401, 429, 503}
    assert all(retry for s, retry in statuses if s != 401)
    if not SANITIZED:
        assert peak < (64 + 16) * 1024
    # what was only counted is told by then
    g.stop()
    lines = g.audit_lines(mark)
    refused = [x for x in lines if x.get("status") != 200]
    assert sum(x.get("suppressed", 1) for x in refused) == len(statuses)
    refused = [x for x in refused if "suppressed" not in x]
    assert len(refused) < len(statuses)
    assert {x["auth_result"] for x in refused} <= {"invalid", "unavailable"}


def test_same_key_from_many_at_once(gateway):
    """Computed once."""
    k = Key("k", cost=("-t", "3", "-k", "65536", "-p", "2"))
    g = gateway(auth(k))
    keeper = keepers(g)[0]
    before = cpu(keeper)
    results = []
    threads = [threading.Thread(target=lambda: results.append(
        ask_quietly(g, k.key))) for _ in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert results == [200] * 30
    first = cpu(keeper) - before
    g.reload(auth(k, Key("other", cost=("-t", "3", "-k", "65536", "-p", "2"))))
    before = cpu(keeper)
    assert ask_quietly(g, "wrong") == 401
    assert first < cpu(keeper) - before + 0.1, "two hashes cost less"


def test_client_leaves_while_it_waits(gateway):
    k = Key("k", cost=("-t", "6", "-k", "65536", "-p", "1"))
    g = gateway(auth(k))
    mark = g.audit_mark()
    c = g.client()
    c.send(c.build("POST", "/mcp", g.headers(k.key),
                   b'{"jsonrpc":"2.0","id":1,"method":"ping"}'))
    c.close()
    g.audit(lambda x: x["action"] == "aborted", since=mark)
    assert ask_quietly(g, k.key) == 200


def test_hashing_has_its_part_of_a_busy_machine(gateway):
    """A right key is not to wait for as long as somebody is busy: the threads
    that hash are nice, but no idle work."""
    g = gateway(auth(Key("k", cost=("-t", "1", "-k", "64", "-p", "1"))))
    keeper = keepers(g)[0]
    seen = []
    for t in os.listdir("/proc/%d/task" % keeper):
        with open("/proc/%d/task/%s/stat" % (keeper, t)) as f:
            rest = f.read().rsplit(")", 1)[1].split()
        if int(t) != keeper:
            seen.append((int(rest[16]), int(rest[38])))
    assert seen and set(seen) == {(10, os.SCHED_BATCH)}, seen
