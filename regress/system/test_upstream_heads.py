"""The head that a server gets is written for that server, once there is a
connection to it and the body is known to be good."""

import fake_upstream as fu
from fake_upstream import Upstream
from gw import free_port, rpc

OK = fu.json_result({"ok": 1})
BAD = b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "method": "ping"}'


def test_a_bad_body_is_no_server_s_turn(gateway, auth_server, upstream):
    """What is refused by its body was never meant for a server: those that
    are good take turns as if it had not come."""
    with Upstream() as two:
        g = gateway({"workers": 1, "upstreams": [
            {"name": "up", "urls": [upstream.url, two.url]}]})
        token = auth_server.mint()
        for _ in range(4):
            assert g.post(rpc(), token).status == 200
            assert g.post(BAD, token).status == 400
        assert [len(upstream.requests), len(two.requests)] == [2, 2]


def test_for_the_server_that_is_there(gateway, auth_server, upstream):
    """Path, query and Host are of the one that got it, the rest is the
    client's."""
    dead = free_port()
    g = gateway({"workers": 1, "upstreams": [{"name": "up", "urls": [
        "http://127.0.0.1:%d/dead?key=dead" % dead,
        "http://127.0.0.1:%d/live?key=live" % upstream.port]}]})
    token = auth_server.mint()
    for _ in range(2):
        r = g.post(rpc(), token, [("X-Mine", "1")], path="/mcp?mine=1")
        assert r.status == 200, r
    for req in upstream.requests:
        assert req.target == "/live?key=live", req
        assert req.headers("Host") == ["127.0.0.1:%d" % upstream.port], req
        assert req.headers("X-Mine") == ["1"], req
        assert req.headers("Authorization") == [], req


def test_a_redirection_under_the_same_host(gateway, auth_server, upstream):
    """As upstreams[].host says, like the request before it."""
    upstream.script(fu.raw(fu.response(b"", 307, fields=[
        ("Location", "/there/")])), OK)
    g = gateway({"upstreams": [{"name": "up", "url": upstream.url,
                                "host": "mcp.internal:8080"}]})
    r = g.post(rpc(), auth_server.mint(),
               [("traceparent", "junk"), ("X-Mine", "1")])
    assert r.status == 200, r
    first, second = upstream.requests
    assert second.target == "/there/", second
    assert first.headers("Host") == ["mcp.internal:8080"], first
    # each exchange is a span of its own, of one trace
    (old,), (new,) = first.headers("traceparent"), second.headers("traceparent")
    assert old[:36] == new[:36] and old[36:52] != new[36:52], (old, new)
    assert [f for f in first.fields if f[0] != "traceparent"] == \
        [f for f in second.fields if f[0] != "traceparent"]
