"""A reload, and connections in every state that they can be in: what arrives
after it is judged by the new configuration, or by none (503)."""

import json
import os
import signal
import threading

import pytest

import fake_upstream as fu
from gw import call, rpc
from test_keys import Key

JSON = ("Content-Type", "application/json")
ANOTHER = {"auth": {"oauth": {"audience": "another"}}}


def bearer(token):
    return ("Authorization", "Bearer " + token)


def post(c, token, msg=None, fields=()):
    """The bytes of a POST."""
    return c.build("POST", "/mcp", [bearer(token), JSON, *fields],
                   json.dumps(msg or call()).encode())


def halves(go):
    """An answer whose second half comes when go is set."""
    def answer(conn, req):
        doc = fu.response(json.dumps(fu.result(req, {})).encode())
        conn.send(doc[:-5])
        conn.wait(go)
        conn.send(doc[-5:])
    return answer


def calls(upstream):
    return [r for r in upstream.requests if r.rpc_method == "tools/call"]


def assert_late(c, r):
    assert r.status == 503 and r.header("Retry-After") == "0", r
    assert r.header("Connection") == "close", r
    c.wait_close()


def test_pipelined_behind_an_answer_under_way(gateway, auth_server, upstream):
    g = gateway()
    token, go = auth_server.mint(), threading.Event()
    upstream.script(halves(go))
    with g.client() as c:
        c.send(post(c, token, rpc()) + post(c, token))
        assert c.read_head().status == 200
        g.reload(ANOTHER)
        mark = g.audit_mark()
        go.set()
        c.read_body()
        assert c.read_response().status == 401
        assert c.is_open()
    lines = [x["auth_result"] for x in g.audit(n=2, since=mark)]
    assert lines == ["ok", "bad_audience"]
    assert calls(upstream) == []


def test_too_much_behind_an_answer_under_way(gateway, auth_server, upstream):
    """More than can be handed over: 503, never the old configuration."""
    g = gateway({"workers": 1})
    token, go = auth_server.mint(), threading.Event()
    upstream.script(halves(go))
    first = json.dumps(rpc()).encode()
    with g.client() as c:
        c.send(c.build("POST", "/mcp", [bearer(token), JSON,
                                        ("Transfer-Encoding", "chunked")],
                       b"%x\r\n%s" % (len(first), first)))
        assert g.get("/healthz").status == 200
        # a body is read in larger pieces than a head
        c.send(b"\r\n0\r\n\r\n" + post(c, token, call("x" * 40000)))
        assert c.read_head().status == 200
        g.reload(ANOTHER)
        go.set()
        c.read_body()
        assert_late(c, c.read_response())
    assert calls(upstream) == []


@pytest.mark.parametrize("more", [0, 1])
def test_behind_a_refused_body(gateway, auth_server, upstream, more):
    """The refused body is skipped; what follows it in the same packet, or
    after it, is a new request."""
    g = gateway()
    token = auth_server.mint()
    with g.client() as c:
        r = c.request("POST", "/mcp", [JSON, ("Content-Length", "100000")])
        assert r.status == 401 and r.header("Connection") is None
        g.reload(ANOTHER)
        c.send(b"x" * (99000 + (1000 if more == 0 else 0)))
        c.send(b"x" * (1000 * more) + post(c, token))
        assert c.read_response().status == 401
    assert calls(upstream) == []


@pytest.mark.parametrize("size", [15000, 20000, 40000])
def test_part_of_a_large_head(gateway, auth_server, upstream, size):
    g = gateway({"limits": {"max_header": "64KiB"}})
    token = auth_server.mint()
    with g.client() as c:
        data = post(c, token, fields=[("X", "y" * 8000)] * 6)
        c.send(data[:size])
        # those bytes are read, too, when all of these answers are there
        for _ in range(10):
            assert g.get("/healthz").status == 200
        g.reload(ANOTHER)
        c.send(data[size:])
        r = c.read_response()
        if size < 16384:
            assert r.status == 401, r
        else:
            assert_late(c, r)
    assert calls(upstream) == []


@pytest.mark.parametrize("chunked", [False, True])
def test_body_that_is_not_whole(gateway, auth_server, upstream, chunked):
    """Its head was judged by the old configuration: it may not wait with the
    rest until a key is gone."""
    g = gateway({"workers": 1})
    token = auth_server.mint()
    with g.client() as c:
        data = post(c, token)
        if chunked:
            body = json.dumps(call()).encode()
            data = c.build("POST", "/mcp", [
                bearer(token), JSON, ("Transfer-Encoding", "chunked")],
                b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        c.send(data[:-30])
        assert g.get("/healthz").status == 200
        mark = g.audit_mark()
        g.reload(ANOTHER)
        c.send(data[-30:])
        r = c.read_response()
        assert_late(c, r)
        line = g.audit_one(mark, r)
        assert line["status"] == 503 and line["action"] == "error", line
    assert calls(upstream) == []


def test_body_that_comes_at_once(gateway, auth_server, upstream):
    """What is on its way meanwhile is not refused: the switch waits for it, a
    moment.  (On a machine that is slower than the moment it is.)"""
    g = gateway({"workers": 1})
    for i in range(5):
        token = auth_server.mint({"aud": ["mcpgw-prod", "another"]})
        with g.client() as c:
            data = post(c, token)
            c.send(data[:-30])
            assert g.get("/healthz").status == 200
            pos = g.log_mark()
            g.reload({"auth": {"oauth": {"leeway": "%ds" % (i + 1)}}}, None)
            g.wait_log("reloading", pos)
            c.send(data[-30:])
            status = c.read_response().status
            g.wait_log("configuration reloaded", pos)
            if status == 200:
                return
    pytest.fail("refused each time: %d" % status)


def test_waiting_for_a_key_set(gateway, auth_server, upstream):
    g = gateway()
    go = threading.Event()
    auth_server.rotate()
    token = auth_server.mint()
    normal = auth_server._normal

    def behave(c):
        go.wait(20)
        normal(c)
    auth_server._behave = behave
    fetches = auth_server.fetches
    with g.client() as c:
        c.send(post(c, token))
        auth_server.wait_fetches(fetches + 1)
        g.reload(ANOTHER)
        mark = g.audit_mark()
        go.set()
        r = c.read_response()
        assert r.status == 401, r
        assert g.audit_one(mark, r)["auth_result"] == "bad_audience"
    assert calls(upstream) == []


def test_waiting_for_the_keeper(gateway, auth_server, upstream):
    k = Key("revoked")
    g = gateway({"workers": 1, "auth": {"keys": [k.entry]}})
    keeper = g.children()["keeper"][0]
    os.kill(keeper, signal.SIGSTOP)
    try:
        with g.client() as c:
            c.send(post(c, k.key))
            # the one worker has read that, too
            assert g.get("/healthz").status == 200
            g.reload({"auth": {"keys": []}})
            os.kill(keeper, signal.SIGCONT)
            r = c.read_response()
            assert r.status == 401, r
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert calls(upstream) == []
