"""The harness's own parts, without a gateway: a test that cannot fail because
its tools are blunt is worse than none."""

import json
import queue
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request

import pytest
from jwcrypto import jwk, jws

import fake_upstream as fu
import gw
import rawhttp
import tokens
from fake_as import FakeAS
from load import Load


def jwks_of(a, context=None):
    with urllib.request.urlopen(a.jwks_url, timeout=5, context=context) as r:
        return json.loads(r.read())


@pytest.mark.parametrize("alg", tokens.ALGS)
def test_tokens_verify(auth_server, alg):
    """Another implementation finds our signatures good, ours alone."""
    t = auth_server.mint(alg=alg)
    key = [k for k in jwks_of(auth_server)["keys"]
           if k["kid"] == json.loads(
               tokens.b64u_decode(t.split(".")[0]))["kid"]][0]
    j = jws.JWS()
    j.deserialize(t)
    j.verify(jwk.JWK.from_json(json.dumps(key)), alg.split("-")[0])
    assert json.loads(j.payload)["client_id"] == "agent-7"
    j = jws.JWS()
    j.deserialize(tokens.forge_signature(t))
    with pytest.raises(jws.InvalidJWSSignature):
        j.verify(jwk.JWK.from_json(json.dumps(key)), alg.split("-")[0])


def test_rotate(auth_server):
    old = auth_server.keys[0].kid
    auth_server.rotate()
    kids = [k["kid"] for k in jwks_of(auth_server)["keys"]]
    assert len(kids) == 1 and kids != [old]
    assert auth_server.fetches == 1


def test_mint_overrides(auth_server):
    t = auth_server.mint(claims={"aud": None, "x": 1}, header={"kid": None})
    head, payload, _ = [tokens.b64u_decode(s) for s in t.split(".")]
    assert "kid" not in json.loads(head)
    assert "aud" not in json.loads(payload) and json.loads(payload)["x"] == 1
    assert len(t) >= 100


def test_as_behaviours(auth_server):
    a = auth_server

    def status():
        try:
            with urllib.request.urlopen(a.jwks_url, timeout=2) as r:
                return r.status, r.headers["Content-Type"], r.read()
        except urllib.error.HTTPError as e:
            return e.code, e.headers["Content-Type"], e.read()

    a.status(503)
    assert status()[0] == 503
    a.content_type("text/html")
    assert status()[1] == "text/html"
    a.content_type(None)
    assert status()[1] is None
    a.body(b"{")
    assert status()[2] == b"{"
    a.huge()
    assert len(status()[2]) > 3 << 20
    a.huge(chunked=True)
    assert len(status()[2]) > 3 << 20
    a.truncated()
    with pytest.raises(Exception):
        status()
    a.hang()
    with pytest.raises(Exception):
        status()
    a.refuse()
    with pytest.raises(urllib.error.URLError):
        status()
    with socket.socket() as s, pytest.raises(OSError):
        s.bind(("127.0.0.1", a.port))       # the port is still ours
    a.listen()
    a.normal()
    assert status()[0] == 200


def test_as_tls():
    with FakeAS(tls=True) as a:
        ctx = ssl.create_default_context(cadata=a.ca_pem.decode())
        assert jwks_of(a, ctx)["keys"]
        with pytest.raises(urllib.error.URLError):
            jwks_of(a)


def test_junk_is_junk():
    for what, entry in tokens.junk_jwks():
        json.dumps(entry)
        assert what


def test_client_is_strict(upstream):
    def get(data, then=None):
        upstream.script(fu.raw(data, then))
        return rawhttp.fetch(upstream.port, "GET", "/", timeout=1)

    assert get(fu.response(b"abc")).body == b"abc"
    assert get(b"HTTP/1.1 100 Continue\r\n\r\n" +
               fu.response(b"x")).interim[0].status == 100
    assert get(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\nabc",
               "close").body == b"abc"
    assert get(fu.SSE_HEAD + fu.chunk("ab") + fu.chunk("c") +
               b"0\r\n\r\n").body == b"abc"
    for bad in (b"HTTP/1.1 200 X\nContent-Length: 0\r\n\r\n",
                b"HTTP/1.1 200 X\r\nContent-Length: 1\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n",
                b"HTTP/1.1 200 X\r\nContent-Length: 1\r\n"
                b"Content-Length: 1\r\n\r\nx",
                b"HTTP/1.1 200 X\r\nContent-Length : 0\r\n\r\n",
                b"HTTP/1.1 200 X\r\nX: a\r\n b\r\n\r\n",
                fu.SSE_HEAD + b"zz\r\n"):
        with pytest.raises(rawhttp.Malformed):
            get(bad)
    with pytest.raises(rawhttp.Truncated):
        get(b"HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\nabc", "close")
    with pytest.raises(rawhttp.Truncated):
        get(fu.SSE_HEAD + fu.chunk("abc"), "close")
    with pytest.raises(rawhttp.Truncated):
        get(b"HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\nabc", "reset")
    with pytest.raises(rawhttp.Truncated):
        get(b"HTTP/1.1 200", "close")
    with pytest.raises(rawhttp.Timeout):
        get(b"HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\nabc")


def test_upstream_records(upstream):
    body = json.dumps(gw.call("hi", 9)).encode()
    with rawhttp.Client(upstream.port) as c:
        data = c.build("POST", "/mcp", {"X-A": "b"}, body)
        c.send(data[:20])
        c.send(data[20:])
        r = c.read_response()
        assert r.json()["id"] == 9
        assert '"hi"' in r.json()["result"]["content"][0]["text"].replace(
            "\\", "")
        req = upstream.wait_request()
        assert req.raw == data and req.json()["id"] == 9
        c.send(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
               b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        c.read_response()
        req = upstream.wait_request()
        assert req.body == b"abc" and req.raw_body.startswith(b"3\r\nabc")
        assert upstream.connections == 1 and len(upstream.conns) == 1
    assert req.conn.peer_closed.wait(5)
    upstream.wait_connections(0)


def test_upstream_sees_the_close(upstream):
    upstream.script(fu.hang())
    c = rawhttp.Client(upstream.port)
    c.send(c.build("POST", "/mcp", {}, b"{}"))
    req = upstream.wait_request()
    assert not req.conn.peer_closed.is_set()
    c.close()
    assert req.conn.peer_closed.wait(5)


def test_upstream_reset(upstream):
    upstream.script(fu.reset())
    with rawhttp.Client(upstream.port) as c:
        with pytest.raises(rawhttp.Truncated, match="reset"):
            c.request("POST", "/mcp", {}, b"{}")


def test_upstream_holds(upstream):
    """A held connection stops taking bytes; released it goes on."""
    gone = threading.Event()
    upstream.script(lambda conn, req: (conn.hold(), gone.set(),
                                       conn.send(fu.response(b"1"))))
    with rawhttp.Client(upstream.port, timeout=1) as c:
        c.request("POST", "/mcp", {}, b"{}")
        gone.wait(5)
        conn = upstream.all_conns[0]
        big = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n"
        with pytest.raises(rawhttp.Timeout):
            c.send(big + b"x" * 60000000)
        assert conn.received < 1000000
        conn.release()
    deadline = time.monotonic() + 10
    while not upstream.errors:      # of the body that did not come whole
        assert time.monotonic() < deadline
        time.sleep(0.01)
    upstream.errors.clear()


def test_sse(upstream):
    feed = queue.Queue()
    opened = threading.Event()
    upstream.script(fu.sse_open(opened, feed), fu.sse(["one", {"a": 1}]))
    with rawhttp.Client(upstream.port, timeout=5) as c:
        c.send(c.build("GET", "/mcp", {}))
        r = c.read_head("GET")
        assert r.header("Content-Type") == "text/event-stream"
        assert opened.wait(5)
        events = c.events()
        feed.put(fu.event("x\ny", id="7", name="note"))
        e = next(events)
        assert (e.data, e.id, e.event) == ("x\ny", "7", "note")
        feed.put(fu.event({"k": 2}))
        assert next(events).json() == {"k": 2}
        feed.put(None)
        assert list(events) == []
        c.send(c.build("POST", "/mcp", {}, json.dumps(gw.rpc(id=4)).encode()))
        c.read_head()
        got = list(c.events())
        assert [e.data for e in got[:2]] == ["one", '{"a": 1}']
        assert got[2].json()["id"] == 4


def test_upstream_complains_of_garbage():
    with fu.Upstream() as u:
        with rawhttp.Client(u.port) as c:
            c.send(b"POST / HTTP/1.1\nHost: a\r\n\r\n")
            c.wait_close(5)
        assert len(u.errors) == 1


def test_merge():
    base = {"a": {"b": 1, "c": [1]}, "d": 2}
    assert gw.merge(base, {"a": {"b": gw.DROP, "c": [2]}}) == {
        "a": {"c": [2]}, "d": 2}
    assert base == {"a": {"b": 1, "c": [1]}, "d": 2}


def test_audit_reader(tmp):
    g = gw.Gateway(tmp)
    assert g.audit_mark() == 0 and g.audit_lines() == []
    g.audit_path.write_bytes(b'{"a":1}\n')
    mark = g.audit_mark()
    assert g.audit_one(0) == {"a": 1}
    with pytest.raises(AssertionError):
        g.audit_one(mark)
    with open(g.audit_path, "ab") as f:
        f.write(b'{"a":2}\n{"a":3}\n')
    assert [x["a"] for x in g.audit(n=2, since=mark)] == [2, 3]
    for bad in (b'{"a":1,"a":1}\n', b"[1]\n", b'{"a":', b"x\n", b'"\xff"\n'):
        g.audit_path.write_bytes(bad)
        with pytest.raises(AssertionError):
            g.audit_lines()


def stand_in(tmp, monkeypatch, script):
    """A Gateway whose program is a shell script."""
    p = tmp / "program"
    p.write_text("#!/bin/sh\n" + script)
    p.chmod(0o755)
    monkeypatch.setattr(gw, "MCPGW", p)
    return gw.Gateway(tmp / "g")


def test_stop_demands_exit_0(tmp, monkeypatch):
    g = stand_in(tmp, monkeypatch, "trap 'exit 3' TERM\necho up >&2\n"
                 "while :; do read x </dev/null; sleep 0.05; done\n")
    g.spawn()
    g.wait_log("up")
    with pytest.raises(gw.Failed, match="exit status 3"):
        g.stop()


def test_stop_finds_who_stays(tmp, monkeypatch):
    g = stand_in(tmp, monkeypatch, "sleep 60 &\necho up >&2\n"
                 "trap 'exit 0' TERM\nwhile :; do sleep 0.05; done\n")
    monkeypatch.setattr(g, "assert_nobody_left",
                        lambda: gw.Gateway.assert_nobody_left(g, 0.5))
    g.spawn()
    g.wait_log("up")
    g.wait_children(lambda c: "sleep" in c)
    with pytest.raises(gw.Failed, match="left behind.*sleep"):
        g.stop()
    assert [p for p in gw.session_members(g.pid) if p[3] != "Z"] == []


def test_stop_reads_the_log(tmp, monkeypatch):
    g = stand_in(tmp, monkeypatch,
                 "echo 'worker 0 (g1) terminated by signal 31' >&2\n"
                 "trap 'exit 0' TERM\nwhile :; do sleep 0.05; done\n")
    g.spawn()
    g.wait_log("terminated")
    with pytest.raises(gw.Failed, match="signal 31"):
        g.stop()


def test_start_reports_an_early_exit(tmp, monkeypatch):
    g = stand_in(tmp, monkeypatch, "echo oh dear >&2; exit 78\n")
    t = time.monotonic()
    with pytest.raises(gw.Failed, match="oh dear"):
        g.start()
    assert time.monotonic() - t < 5
    assert g.run_to_exit() == (78, "oh dear\n")


def test_load(tmp, upstream):
    """Load tells failures from successes, one connection per thread."""
    g = gw.Gateway(tmp)
    g.port = upstream.port
    upstream.script(fu.status(503, b"{}"), fu.reset())
    with Load(g, 3) as load:
        load.wait(30)
    assert sorted(r.status for r in load.failures()) == [0, 503]
    assert upstream.connections == 4
    assert sum(r.fresh for r in load.results) == 4
