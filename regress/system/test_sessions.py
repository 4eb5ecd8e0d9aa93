"""Sessions belong to who opened them: to an identity, an upstream and a
server, wherever the request arrives and whatever token it brings."""

import base64
import os
import re
import signal

import pytest

import fake_upstream as fu
import gw as gwmod
from fake_upstream import Upstream
from gw import rpc
from test_keys import Key

SECRET = "0123456789abcdef0123456789ABCDEF"
OPEN = "abc-DEF_123"


def initialize(g, up, token=None, id=OPEN, path="/mcp", **kw):
    """The client's name for a session that the upstream calls id."""
    up.script(fu.json_result({}, [("Mcp-Session-Id", id)]))
    mark = g.audit_mark()
    r = g.post(rpc("initialize"), token=token, path=path, **kw)
    assert r.status == 200, r
    assert g.audit_one(mark)["session_id"] == id
    return r.header("Mcp-Session-Id")


def use(g, token, session, path="/mcp", method="POST", headers=()):
    """(status, what the upstream saw or None)."""
    h = [("Mcp-Session-Id", session), *headers]
    if method == "POST":
        r = g.post(token=token, headers=h, path=path)
    else:
        with g.client() as c:
            r = c.request(method, path, g.headers(token, h))
    return r


def refused(g, token, session, path="/mcp", **kw):
    mark = g.audit_mark()
    r = use(g, token, session, path, **kw)
    assert r.status == 404, r
    line = g.audit_one(mark)
    assert line["error"] == "unknown session" and line["session_id"] is None


def test_round_trip(gateway, auth_server, upstream):
    g = gateway()
    token = auth_server.mint()
    s = initialize(g, upstream, token)
    assert s != OPEN and s.endswith("." + OPEN)
    mark = g.audit_mark()
    assert use(g, token, s).status == 200
    assert upstream.requests[-1].header("Mcp-Session-Id") == OPEN
    assert g.audit_one(mark)["session_id"] == OPEN
    # another token of the same client, as after a refresh
    assert use(g, auth_server.mint({"jti": "2"}), s).status == 200
    assert use(g, token, s, method="DELETE").status == 200
    assert upstream.requests[-1].method == "DELETE"
    assert upstream.requests[-1].header("Mcp-Session-Id") == OPEN


@pytest.mark.parametrize("over", [
    {"client_id": "another"}, {"sub": "another"},
    {"client_id": None, "azp": "another"}])
def test_another_identity(gateway, auth_server, upstream, over):
    g = gateway()
    s = initialize(g, upstream, auth_server.mint())
    seen = len(upstream.requests)
    other = auth_server.mint(over)
    refused(g, other, s)
    refused(g, other, s, method="DELETE")
    refused(g, other, s, method="GET")
    assert len(upstream.requests) == seen


def test_lengths_count(gateway, auth_server, upstream):
    """client_id "ab" with sub "c" is not "a" with "bc"."""
    g = gateway()
    s = initialize(g, upstream, auth_server.mint(
        {"client_id": "ab", "sub": "c"}))
    refused(g, auth_server.mint({"client_id": "a", "sub": "bc"}), s)


def test_keys_and_tokens(gateway, auth_server, upstream):
    a, b = Key("agent-7"), Key("b")
    g = gateway({"auth": {"keys": [a.entry, b.entry]}})
    token = auth_server.mint()
    by_key = initialize(g, upstream, a.key)
    by_token = initialize(g, upstream, token)
    assert use(g, a.key, by_key).status == 200
    for credential, session in ((b.key, by_key), (token, by_key),
                                (a.key, by_token)):
        refused(g, credential, session)


def test_another_key_of_the_same_name(gateway, auth_server, upstream):
    """Who gets an id that was another's does not get the sessions with it; the
    same hash is the same key, in another order and spelling, too."""
    a, b, new = Key("agent-7"), Key("b"), Key("agent-7")
    g = gateway({"auth": {"keys": [a.entry, b.entry]}})
    s = initialize(g, upstream, a.key)
    h = a.entry["hash"]
    again = {**a.entry, "hash": h[1:] if h.startswith("$") else "$" + h}
    g.reload({"auth": {"keys": [b.entry, again]}})
    assert use(g, a.key, s).status == 200
    g.reload({"auth": {"keys": [new.entry, b.entry]}})
    refused(g, new.key, s)
    refused(g, new.key, s, method="DELETE")
    g.reload({"auth": {"keys": [a.entry, b.entry]}})
    assert use(g, a.key, s).status == 200


def test_without_authentication(gateway, upstream):
    g = gateway({"auth": {"enabled": False, "oauth": {"enabled": False}}})
    s = initialize(g, upstream)
    assert use(g, None, s).status == 200
    refused(g, None, OPEN)


def test_forged(gateway, auth_server, upstream):
    g = gateway()
    token = auth_server.mint()
    s = initialize(g, upstream, token)
    head, _ = s.split(".", 1)
    raw = bytearray(base64.urlsafe_b64decode(head + "=="))
    bad = [OPEN, "." + OPEN, head, head + ".", head + "." + OPEN + "x",
           head + "." + OPEN[:-1], s[1:], "A" + s, s.replace(".", ""),
           "x" * 5000, head + "." + "y" * 4000, head + "=" + "." + OPEN]
    for i in range(len(raw)):
        flipped = bytes(raw[:i]) + bytes([raw[i] ^ 1]) + bytes(raw[i + 1:])
        bad.append(base64.urlsafe_b64encode(flipped).decode().rstrip("=") +
                   "." + OPEN)
    seen = len(upstream.requests)
    for b in bad:
        refused(g, token, b)
    assert len(upstream.requests) == seen
    assert use(g, token, s).status == 200


def test_another_upstream(gateway, auth_server, upstream):
    with Upstream() as two:
        g = gateway({"upstreams": [
            {"name": "up", "url": upstream.url},
            {"name": "two", "url": two.url}]})
        token = auth_server.mint()
        s = initialize(g, upstream, token)
        refused(g, token, s, path="/mcp/two")
        assert use(g, token, s, path="/mcp/up").status == 200
        assert not two.requests


def test_kept_over_reload_and_crash(gateway, auth_server, upstream):
    g = gateway()
    token = auth_server.mint()
    s = initialize(g, upstream, token)
    g.reload({"drain_timeout": "9s"})
    assert use(g, token, s).status == 200
    g.expect_death(r"worker.*terminated by signal 9")
    old = g.workers()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    g.wait_children(lambda c: len(c.get("worker", [])) == len(old) and
                    not set(c["worker"]) & set(old))
    g.wait_ready()
    assert use(g, token, s).status == 200


def test_made_secret_differs(make_gateway, auth_server, upstream):
    a, b = make_gateway().start(), make_gateway().start()
    token = auth_server.mint()
    refused(b, token, initialize(a, upstream, token))


@pytest.mark.parametrize("form", ["secret", "secret_file"])
def test_shared_secret(make_gateway, auth_server, upstream, tmp, form):
    value = SECRET
    if form == "secret_file":
        (tmp / "secret").write_text(SECRET + "\n")
        value = str(tmp / "secret")
    a = make_gateway({"session": {form: value}}).start()
    b = make_gateway({"session": {"secret": SECRET}}).start()
    token = auth_server.mint()
    s = initialize(a, upstream, token)
    assert use(b, token, s).status == 200
    b.reload({"session": {"secret": SECRET[::-1]}})
    refused(b, token, s)
    for g in (a, b):
        assert SECRET not in g.log()


BAD_SECRETS = {
    "short": ({"secret": "x" * 8 + SECRET[:20]}, r"it is too short"),
    "same": ({"secret": "x" * 40}, r"one character over and over"),
    "both": ({"secret": SECRET, "secret_file": "/x"}, r"not both"),
    "missing": ({"secret_file": "/nonexistent"}, r"No such file"),
    "directory": ({"secret_file": "/tmp"}, r"is a directory"),
    "list": ({"secret": [SECRET]}, r"expected a secret, got a list"),
}


@pytest.mark.parametrize("name", BAD_SECRETS)
def test_bad_secrets(make_gateway, name):
    over, want = BAD_SECRETS[name]
    rc, out = make_gateway({"session": over}).check()
    assert rc == 78 and re.search(want, out), out
    assert SECRET not in out and SECRET[:20] not in out


@pytest.mark.parametrize("value", [b"", b"a b", b"a\x7fb", b"\xc3\xa9",
                                   b"x" * 1025])
def test_what_is_no_session(gateway, auth_server, upstream, value):
    g = gateway()
    upstream.script(fu.raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Mcp-Session-Id: " + value + b"\r\nContent-Length: 2\r\n\r\n{}"))
    r = g.post(token=auth_server.mint())
    assert r.status == 502, r
    assert r.headers("Mcp-Session-Id") == []


def test_two_from_the_upstream(gateway, auth_server, upstream):
    g = gateway()
    upstream.script(fu.json_result({}, [("Mcp-Session-Id", "a"),
                                        ("Mcp-Session-Id", "b")]))
    assert g.post(token=auth_server.mint()).status == 502


def test_stateless_has_none(gateway, auth_server, upstream):
    """2026-07-28: what is sent is dropped, never a reason for 404."""
    g = gateway()
    r = g.post(rpc("tools/list", 5), token=auth_server.mint(), headers=[
        ("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/list"),
        ("Mcp-Session-Id", "whatever"), ("Last-Event-ID", "7")])
    assert r.status == 200, r
    assert upstream.requests[-1].headers("Mcp-Session-Id") == []
    assert upstream.requests[-1].headers("Last-Event-ID") == []


# -- several servers ----------------------------------------------------------

@pytest.fixture
def three():
    ups = [Upstream() for _ in range(3)]
    yield ups
    for u in ups:
        u.stop()


def servers(three, **more):
    return {"upstreams": [{"name": "up", "urls": [u.url for u in three],
                           **more}]}


def test_round_robin(gateway, auth_server, three):
    g = gateway({**servers(three), "workers": 1})
    token = auth_server.mint()
    for _ in range(9):
        assert g.post(token=token).status == 200
    assert [len(u.requests) for u in three] == [3, 3, 3]


def test_a_session_stays(gateway, auth_server, three):
    g = gateway(servers(three))
    token = auth_server.mint()
    for u in three:
        u.answer = lambda conn, req, u=u: fu.json_result(
            {}, [("Mcp-Session-Id", "at-%d" % u.port)]
            if req.rpc_method == "initialize" else ())(conn, req)
    made = {}
    for _ in range(12):
        s = g.post(rpc("initialize"), token=token).header("Mcp-Session-Id")
        made[s] = int(s.rsplit("-", 1)[1])
    assert len(set(made.values())) == 3
    g.reload({"upstreams": [{"name": "up", "urls": [
        u.url for u in reversed(three)]}]})
    for s, port in made.items():
        home = [u for u in three if u.port == port][0]
        seen = len(home.requests)
        for _ in range(3):
            assert use(g, token, s).status == 200
        assert len(home.requests) == seen + 3
    # a server that is gone takes its sessions with it
    g.reload({"upstreams": [{"name": "up", "urls": [
        u.url for u in three[:2]]}]})
    for s, port in made.items():
        assert use(g, token, s).status == (
            404 if port == three[2].port else 200)


def test_another_server_when_one_refuses(gateway, auth_server, three):
    g = gateway({**servers(three), "workers": 1})
    token = auth_server.mint()
    s = None
    for _ in range(3):
        got = initialize_any(g, three, token)
        if got[1] is three[1]:
            s = got[0]
    three[1].stop()
    for _ in range(12):
        assert g.post(token=token).status == 200
    assert s is not None and use(g, token, s).status == 502, \
        "a session goes nowhere else"
    g.wait_log(r"upstream up: .* is down: Connection refused")


def initialize_any(g, three, token):
    before = [len(u.requests) for u in three]
    for u in three:
        u.script(fu.json_result({}, [("Mcp-Session-Id", "s")]))
    s = g.post(rpc("initialize"), token=token).header("Mcp-Session-Id")
    at = [u for u, n in zip(three, before) if len(u.requests) > n]
    for u in three:
        u.scripted = []
    return s, at[0]


def test_different_paths(gateway, auth_server, upstream):
    """Each URL its own path and Host; the query stays through a failover."""
    with Upstream(path="/other/path") as two:
        g = gateway({"workers": 1, "upstreams": [{"name": "up", "urls": [
            "http://127.0.0.1:%d/dead" % gwmod.free_port(), upstream.url,
            two.url]}]})
        token = auth_server.mint()
        for _ in range(6):
            assert g.post(token=token, path="/mcp?a=b%20c").status == 200
        for u, path in ((upstream, "/mcp"), (two, "/other/path")):
            assert u.requests
            for req in u.requests:
                assert req.target == path + "?a=b%20c"
                assert req.header("Host") == "127.0.0.1:%d" % u.port


# -- fields for upstreams -----------------------------------------------------

def test_static_headers(gateway, auth_server, upstream):
    g = gateway({"upstreams": [{"name": "up", "url": upstream.url, "headers": {
        "Authorization": "Bearer upstream-secret-1", "X-Team": "blue sky"}}]})
    r = g.post(token=auth_server.mint(), headers=[("X-Team", "red"),
                                                  ("x-team", "green")])
    assert r.status == 200
    req = upstream.requests[-1]
    assert req.headers("Authorization") == ["Bearer upstream-secret-1"]
    assert req.headers("X-Team") == ["blue sky"]
    assert "upstream-secret" not in g.log() + g.audit_path.read_text()


BAD_HEADERS = {
    "host": {"Host": "x"}, "framing": {"transfer-encoding": "chunked"},
    "session": {"Mcp-Session-Id": "x"}, "ours": {"X-Mcpgw-Scopes": "x"},
    "request id": {"X-Request-Id": "1"}, "space": {"X A": "y"},
    "break": {"X-A": "secret-b\r\nX: c"}, "empty": {"X-A": ""},
    "twice": {"X-A": "b", "x-a": "c"}, "list": {"X-A": ["secret-b"]},
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_bad_headers(make_gateway, name):
    rc, out = make_gateway({"upstreams": [{
        "name": "up", "url": "http://127.0.0.1:9/",
        "headers": BAD_HEADERS[name]}]}).check()
    assert rc == 78 and "upstreams[0].headers" in out, out
    assert "secret-b" not in out


def test_identity_headers(gateway, auth_server, upstream):
    k = Key("ci", scopes=["mcp:read", "b"])
    g = gateway({"auth": {"keys": [k.entry]}, "upstreams": [{
        "name": "up", "url": upstream.url, "identity_headers": True}]})
    spoof = [("X-Mcpgw-Client-Id", "root"), ("x-mcpgw-key-id", "root"),
             ("X-Mcpgw-Anything", "1"), ("X-Mcpgw_Client_Id", "root")]
    token = auth_server.mint({"client_id": "caf\u00e9%\r\nX: y", "sub": "u-1"})
    assert g.post(token=token, headers=spoof).status == 200
    req = upstream.requests[-1]
    assert req.headers("X-Mcpgw-Client-Id") == ["caf%C3%A9%25%0D%0AX: y"]
    assert req.headers("X-Mcpgw-Subject") == ["u-1"]
    assert req.headers("X-Mcpgw-Scopes") == ["mcp:read"]
    assert req.headers("X-Mcpgw-Key-Id") == []
    assert req.headers("X") == [] and b"root" not in req.raw
    assert g.post(token=k.key, headers=spoof).status == 200
    req = upstream.requests[-1]
    assert req.headers("X-Mcpgw-Key-Id") == ["ci"]
    assert req.headers("X-Mcpgw-Scopes") == ["mcp:read b"]
    assert req.headers("X-Mcpgw-Client-Id") == []


def test_identity_headers_off(gateway, auth_server, upstream):
    g = gateway()
    assert g.post(token=auth_server.mint(), headers=[
        ("X-Mcpgw-Client-Id", "root")]).status == 200
    assert b"Mcpgw" not in upstream.requests[-1].raw_head.replace(
        b"X-Mcpgw", b"Mcpgw") or b"root" not in upstream.requests[-1].raw
