"""Redirections of upstreams: followed by the gateway where they stay at the
server, never by clients, who would learn where it is."""

import json
import threading

import pytest

import fake_upstream as fu
import gw
from proxy_site import fresh, site  # noqa: F401

OK = {"ok": 1}
SITE = {"workers": 1, "limits": {"max_body": "8MiB"}}


def leads(location, code=307, body=b"", then=None):
    fields = [("Location", loc) for loc in (
        [location] if isinstance(location, str) else location)]
    return fu.raw(fu.response(body, code, fields=fields), then)


@pytest.mark.parametrize("code", [307, 308])
@pytest.mark.parametrize("size", [10, 100000, 5 << 20])
def test_followed(site, code, size):
    """Method, body and fields are the same; the target is the server's."""
    site.up.script(leads("/mcp/", code, b"<a href>moved</a>"),
                   fu.json_result(OK))
    body = json.dumps(gw.call("x" * size)).encode()
    mark = site.gw.audit_mark()
    r = site.ask(body=body, headers=[("X-Mine", "1")], path="/mcp?a=b")
    assert r.status == 200 and r.json()["result"] == OK, r
    assert r.headers("Location") == [], r
    first, second = site.up.requests
    assert first.target == "/mcp?a=b" and second.target == "/mcp/", second
    assert first.body == second.body == body
    # each is a span of its own
    assert [f for f in first.fields if f[0] != "traceparent"] == \
        [f for f in second.fields if f[0] != "traceparent"]
    assert first.header("traceparent")[:36] == \
        second.header("traceparent")[:36]
    assert first.method == second.method == "POST"
    line = site.gw.audit_one(mark)
    assert line["action"] == "allow" and line["bytes_in"] == len(body), line


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_other_methods(site, method):
    site.up.script(leads("other?x=y"), fu.status(405, b"no"))
    assert site.ask(method).status == 405
    second = site.up.requests[1]
    assert second.method == method and second.target == "/other?x=y", second


def test_three_and_no_more(site):
    for n, want in ((3, 200), (4, 502)):
        site.up.forget()
        site.up.script(*[leads("/mcp/%d" % i) for i in range(n)])
        assert site.ask().status == want
        assert len(site.up.requests) == 4
        site.fresh()


def test_to_a_stream(site):
    """Its line comes with the response, as ever."""
    site.up.script(leads("/s", 308), fu.sse([]))
    mark = site.gw.audit_mark()
    assert site.ask().status == 200
    assert site.gw.audit_one(mark)["transport"] == "sse"


def test_before_the_whole_request(site):
    """A server that redirects on the head alone gets the body where it sent
    it, and whole."""
    class Early(fu.Upstream):
        def serve(self, conn):
            if self.connections > 1:
                super().serve(conn)
                return
            conn._need(lambda: b"\r\n\r\n" in conn._buf, "a head")
            conn.hold()
            conn.send(fu.response(b"", 307, fields=[("Location", "/mcp/")]))
            conn.wait_peer_close(5)
    body = json.dumps(gw.call("y" * (6 << 20))).encode()
    with Early(rcvbuf=4096) as early:
        config = [{"name": "up", "url": early.url},
                  {"name": "two", "url": site.two.url}]
        site.gw.reload({"upstreams": config})
        try:
            assert site.ask(body=body).status == 200
            assert early.requests[-1].body == body
        finally:
            config[0]["url"] = site.up.url
            site.gw.reload({"upstreams": config})


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308, 300, 305])
@pytest.mark.parametrize("location", [
    "http://evil.test/mcp", "//evil.test/mcp", "https://127.0.0.1:%d/mcp",
    "http://127.0.0.1:1/mcp", "http://localhost:%d/mcp", "javascript:x",
    "http://u@127.0.0.1:%d/mcp", "", ["/a", "/a"]])
def test_not_followed(site, code, location):
    """Nor told to the client."""
    if isinstance(location, str) and "%d" in location:
        location %= site.up.port
    site.up.script(leads(location, code))
    mark = site.gw.audit_mark()
    r = site.ask()
    site.refused(r, mark, 502, -31502, (1,))
    assert b"127.0.0.1" not in r.raw_head + r.body, r
    assert b"evil" not in r.raw_head + r.body, r
    assert len(site.up.requests) == 1


@pytest.mark.parametrize("code", [301, 302, 303])
def test_those_that_change_the_method(site, code):
    """A client may make a GET of them: what it was sent is not asked."""
    site.up.script(leads("/mcp/", code))
    mark = site.gw.audit_mark()
    site.refused(site.ask(), mark, 502, -31502, (1,))


def test_server_gone_meanwhile(site):
    """The other path's connection fails: 502, once."""
    gone = threading.Event()

    def answer(conn, req):
        site.up.refuse()
        gone.set()
        leads("/mcp/")(conn, req)
    site.up.script(answer)
    mark = site.gw.audit_mark()
    try:
        site.refused(site.ask(), mark, 502, -31502, (1,))
        assert gone.is_set()
    finally:
        site.up.listen()
    assert site.ask().status == 200


def test_own_query_and_neighbours(gateway, auth_server, upstream):
    """The URL's query goes along; the server of another upstream does not."""
    with fu.Upstream() as two:
        g = gateway({"workers": 1, "default_upstream": "up", "upstreams": [
            {"name": "up", "url": upstream.url + "?k=1"},
            {"name": "two", "url": two.url}]})
        token = auth_server.mint()
        upstream.script(leads("/mcp/"), fu.json_result(OK),
                        leads("/x?k=2"), fu.json_result(OK), leads(two.url))
        assert g.post(token=token).status == 200
        assert g.post(token=token).status == 200
        assert g.post(token=token).status == 502
        assert [q.target for q in upstream.requests] == [
            "/mcp?k=1", "/mcp/?k=1", "/mcp?k=1", "/x?k=2", "/mcp?k=1"]
        assert two.requests == []
