"""What an upstream may do to clients, to its neighbours and to the record:
nothing that the gateway was not told to let it."""

import json
import re
import threading

import pytest

import fake_upstream as fu
import gw
import proxy_site
from proxy_site import fresh, site  # noqa: F401

RESULT = {"jsonrpc": "2.0", "id": 1, "result": {}}


# -- what it is --------------------------------------------------------------

@pytest.mark.parametrize("ctype", [
    "application/x; text/event-stream", "text/event-stream, x",
    "application/json; text/event-stream",
    "application/json, text/event-stream",
    "text/event-stream; application/json", "text/event-stream x",
    "text/event-streams", "x-text/event-stream", '"text/event-stream"',
    "text/event-stream\xa0", "application/event-stream",
    "text/event-stream; charset=utf-16", "text/event-stream;charset=utf-7",
    'text/event-stream; x=y; charset="utf-16le"',
    "text/event-stream; charset =utf-16"])
@pytest.mark.parametrize("code", [200, 400])
def test_nearly_an_event_stream(site, ctype, code):
    """What some clients read as one, and others do not: to nobody."""
    site.up.script(fu.raw(
        b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nTransfer-Encoding: chunked"
        b"\r\n\r\n" % (code, ctype.encode("latin-1")) +
        fu.chunk(fu.event(RESULT))))
    mark = site.gw.audit_mark()
    r = site.ask()
    site.refused(r, mark, 502, -31502, (1,))


@pytest.mark.parametrize("ctype", [
    "text/event-stream", "TEXT/Event-Stream;charset=UTF-8",
    'text/event-stream; charset="utf-8"; x=y', "text/event-stream ;"])
def test_an_event_stream(site, ctype):
    site.up.script(fu.sse([], head=fu.SSE_HEAD.replace(
        b"text/event-stream", ctype.encode())))
    mark = site.gw.audit_mark()
    assert site.ask().status == 200
    assert site.gw.audit_one(mark)["transport"] == "sse"


def recorded_first(site, head, data):
    """What begins so and does not end goes on as it is, and its line comes
    before it."""
    done = threading.Event()

    def answer(conn, req):
        conn.send(head + fu.chunk(data))
        conn.wait(done)
        conn.send(b"0\r\n\r\n")
    site.up.script(answer)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", site.headers(),
                       json.dumps(gw.rpc()).encode()))
        assert c.read_head().status == 200
        assert c.read_some() == data
        assert len(site.gw.audit_lines(mark)) == 1
        done.set()
        c.read_body()
    return site.gw.audit_one(mark)


@pytest.mark.parametrize("ctype", ["application/octet-stream", None])
def test_type_that_nobody_knows(site, ctype):
    """It may be an answer to some clients."""
    head = b"HTTP/1.1 200 OK\r\n" + (
        b"Content-Type: %s\r\n" % ctype.encode() if ctype else b"") + \
        b"Transfer-Encoding: chunked\r\n\r\n"
    line = recorded_first(site, head, fu.event(RESULT))
    assert line["action"] == "allow"


@pytest.mark.parametrize("event", [
    b"data: [%s]\n\n", b"data: %s\n", b": x\v%s", b"event: x\x0cdata: %s\x0c\x0c",
    b"data: {\"a\":1,\xc2\x85data: %s",
    b": \xe2\x80\xa8data: %s\xe2\x80\xa8",
    b'data: "\xe2\x80\xa9data: %s\xe2\x80\xa9\xe2\x80\xa9"\n\n',
    # a mark that was coded twice (eventsource-parser skips it)
    b"\xc3\xaf\xc2\xbb\xc2\xbfdata: %s\n\n",
    # one that is none to those who decode as plain UTF-8 (httpx)
    b'\xef\xbb\xbfdata: {"a":"\ndata: %s\n\n',
    b'\xef\xbb\xbfdata: {"a":{\ndata: %s\n\n',
    # CR ends no line in Go; a line at a time, and what comes behind it
    b'data: [{"a"\r:1},%s]\n\n', b"data: %s\ndata: {\n",
    b"Data: %s\n\n"])
def test_answer_that_some_see(site, event):
    """In an array, behind what ends a line in another language, or in a line
    that is not what it is to us: the record precedes it, though no event ends
    for us."""
    data = event % json.dumps(RESULT).encode()
    line = recorded_first(site, fu.SSE_HEAD, data)
    assert line["action"] == "allow" and line["transport"] == "sse", line


# -- where it leads ----------------------------------------------------------

@pytest.mark.parametrize("ctype", [
    "text/html", "text/html; charset=utf-8", "TEXT/HTML", "text/html, x",
    "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml",
    "multipart/x-mixed-replace;boundary=b", "application/rss+xml"])
def test_page(site, ctype):
    """Not on the gateway's origin: an error's status is kept, no more."""
    page = b"<script>alert(1)</script>"
    site.up.script(fu.status(200, page, ctype=ctype),
                   fu.status(503, page, ctype=ctype,
                             fields=[("Retry-After", "9")]),
                   fu.status(404, page, ctype=ctype))
    mark = site.gw.audit_mark()
    site.refused(site.ask(), mark, 502, -31502, (1,))
    for code in (503, 404):
        mark = site.gw.audit_mark()
        r = site.ask()
        site.refused(r, mark, code, -31502, (1,))
        assert r.header("Retry-After") == ("9" if code == 503 else None), r


@pytest.mark.parametrize("head", [
    b"304 X\r\n", b"204 X\r\n", b"202 X\r\nContent-Length: 0\r\n",
    b"200 X\r\nContent-Length: 0\r\n"])
def test_page_of_nothing(site, head):
    """The type that some frameworks give to what has no content: it passes as
    it is, and the next answer is the next."""
    site.up.script(fu.raw(b"HTTP/1.1 " + head +
                          b"Content-Type: text/html\r\n\r\n"))
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        r = site.ask(client=c)
        assert r.status == int(head[:3]) and r.body == b"", r
        assert r.header("X-Content-Type-Options") == "nosniff"
        assert site.gw.audit_one(mark)["action"] == "allow"
        r = site.ask(client=c)
        assert r.status == 200 and r.json()["id"] == 1, r


@pytest.mark.parametrize("kind", ["json", "sse", "error", "get"])
def test_harmless_in_a_browser(site, kind):
    """Whatever passes is not run there, whatever it says itself."""
    own = [("Content-Security-Policy", "default-src *"),
           ("X-Content-Type-Options", "x")]
    site.up.script({
        "json": fu.json_result({}, own), "sse": fu.sse([]),
        "error": fu.status(500, b"x", own, "text/plain"),
        "get": fu.status(200, b"<p>", own, "text/html")}[kind])
    r = site.ask("GET" if kind == "get" else "POST")
    assert r.header("X-Content-Type-Options") == "nosniff", r
    assert r.header("Content-Security-Policy") == "sandbox", r


def test_fields_that_lead_away(site):
    gone = ["Location", "Content-Location", "Refresh", "Alt-Svc",
            "Set-Cookie", "Strict-Transport-Security", "Clear-Site-Data",
            "Public-Key-Pins", "Report-To", "Reporting-Endpoints", "NEL",
            "Service-Worker-Allowed", "X-Accel-Redirect", "X-Sendfile",
            "Content-Security-Policy-Report-Only"]
    site.up.script(fu.json_result({}, [(n, "x") for n in gone]))
    r = site.ask()
    assert r.status == 200, r
    assert [n for n in gone if r.headers(n)] == [], r


@pytest.mark.parametrize("fields", [
    [], [("X-Accel-Buffering", "yes")],
    [("cache-control", "no-store"), ("x-accel-buffering", "no")]])
def test_streams_are_not_held_back(site, fields):
    """By proxies between us and the client."""
    head = b"".join(b"%s: %s\r\n" % (n.encode(), v.encode())
                    for n, v in fields)
    site.up.script(fu.sse([], head=fu.SSE_HEAD.replace(
        b"Cache-Control: no-store\r\n", head)))
    r = site.ask()
    lower = {n.lower(): v for n, v in fields}
    assert r.header("X-Accel-Buffering") == \
        lower.get("x-accel-buffering", "no"), r
    assert r.header("Cache-Control") == \
        lower.get("cache-control", "no-cache, no-transform"), r


# -- cookies -----------------------------------------------------------------

@pytest.fixture(scope="module")
def jar():
    """Upstreams whose names are each other's beginnings may have cookies."""
    s = proxy_site.ProxySite()
    urls = [("up", s.up.url), ("up-a", s.two.url), ("none", s.two.url)]
    try:
        s.gw.config["upstreams"] = [
            {"name": n, "url": u, "cookies": n != "none"} for n, u in urls]
        s.gw.config["default_upstream"] = "up"
        s.gw.config["auth"]["oauth"]["public_url"] = "https://gw.test/x/mcp"
        yield s.start()
    finally:
        s.stop()


@pytest.mark.parametrize("sent,got", [
    ("a=b", "mcpgw.up.a=b; Path=/x/mcp"),
    ('a="b c"; Domain=gw.test; PATH=/; Secure;HttpOnly ; samesite=None',
     'mcpgw.up.a="b c"; Secure; HttpOnly; samesite=None; Path=/x/mcp'),
    ("__Host-s=1; Max-Age=9; Path=/; Expires=Wed, 25 Nov 2026 00:00:00 GMT",
     "mcpgw.up.__Host-s=1; Max-Age=9; "
     "Expires=Wed, 25 Nov 2026 00:00:00 GMT; Path=/x/mcp"),
    ("a=; Unknown=x; domain", "mcpgw.up.a=; Path=/x/mcp"),
    ("a", None), ("=b", None), ("", None), ("a b=c", None), ("; a=b", None)])
def test_cookies_that_are_set(jar, sent, got):
    jar.up.script(fu.json_result({}, [("Set-Cookie", sent)]))
    r = jar.ask()
    assert r.headers("Set-Cookie") == ([] if got is None else [got]), r


def test_cookies_that_are_sent(jar):
    """To whom they belong, and to nobody else."""
    jar.up.forget(), jar.two.forget()
    fields = [("Cookie", "sid=host; mcpgw.up.sid=1; mcpgw.up-a.sid=2;"
               "mcpgw.up.x=y=z"),
              ("cookie", "mcpgw.none.sid=3; mcpgw.up.=4; mcpgw.up.q; "
               'MCPGW.up.r=5; mcpgw.up.a.b="6"; mcpgw.up.mcpgw.up-a.sid=7')]
    for path in ("/mcp", "/mcp/up", "/mcp/up-a", "/mcp/none"):
        assert jar.ask(path=path, headers=fields).status == 200
    want = 'sid=1; x=y=z; a.b="6"; mcpgw.up-a.sid=7'
    assert [q.headers("Cookie") for q in jar.up.requests] == [[want]] * 2
    assert [q.headers("Cookie") for q in jar.two.requests] == [["sid=2"], []]


def test_cookies_of_the_configuration(gateway, auth_server, upstream):
    g = gateway({"upstreams": [
        {"name": "up", "url": upstream.url, "cookies": True,
         "headers": {"Cookie": "k=v"}}]})
    assert g.post(token=auth_server.mint(),
                  headers=[("Cookie", "mcpgw.up.a=b")]).status == 200
    assert upstream.requests[0].header("Cookie") == "k=v"


def test_bad_cookies_key(make_gateway, upstream):
    rc, out = make_gateway({"upstreams": [
        {"name": "up", "url": upstream.url, "cookies": "maybe"}]}).check()
    assert rc == 78 and "upstreams[0].cookies: expected true or false" in out


# -- what goes there ---------------------------------------------------------

def test_fields_of_the_client_that_are_not_its_own(site):
    gone = ["Client-Cert", "Client-Cert-Chain", "X-SSL-Client-S-DN",
            "True-Client-IP", "CF-Connecting-IP", "X-Client-IP",
            "Remote-User", "X-Remote-User", "X-Auth-Request-Email", "DPoP",
            "Cookie", "X-Forwarded-Email", "X-Mcpgw-Subject", "Remote-Groups",
            "x-ssl-client-verify", "SSL-Client-Cert", "X-Original-URL",
            "X-HTTP-Method-Override", "X-Envoy-Original-Dst-Host",
            "X-Middleware-Subrequest", "X-Original-URI", "X-Sendfile-Type",
            "X-Consumer-Username", "Impersonate-User"]
    gone += [n.replace("-", "_") for n in gone if "-" in n]
    kept = ["X-Client-Version", "Client", "X-Host-Name", "X-Original", "Accept-Language",
            "X-Authority", "Mcp-Param-user_id", "mcp-param-a_b_"]
    assert site.ask(headers=[(n, "v") for n in gone + kept]).status == 200
    req, = site.up.requests
    assert [n for n in gone if req.headers(n)] == [], req
    assert [n for n in kept if req.headers(n) != ["v"]] == [], req


@pytest.mark.parametrize("method,passes", [
    ("acme/thing", True), ("x", True), ("tools/call", False),
    ("initialize", False), ("ping", False)])
def test_names_of_unknown_methods(site, method, passes):
    """What an extension's Mcp-Name stands for, its server knows."""
    r = site.ask(body=gw.rpc(method, 1, {"name": "a"}),
                 headers=[("Mcp-Name", "b")])
    if passes:
        assert r.status == 200, r
        assert site.up.requests[0].header("Mcp-Name") == "b"
    else:
        assert r.status == 400 and r.json()["error"]["code"] == -32020, r
        assert site.up.requests == []


def test_via(site):
    """RFC 9110, 7.6.3: appended, the same each time, and no loop."""
    assert site.ask().status == 200
    own = site.up.requests[0].header("Via")
    assert re.match(r"1\.1 mcpgw-[0-9a-f]{16}\Z", own), own
    assert site.ask(headers=[("Via", "1.1 a (x, y)"), ("Via", ""),
                             ("Via", "1.0 b")]).status == 200
    assert site.up.requests[1].header("Via") == \
        "1.1 a (x, y), 1.0 b, " + own
    mark = site.gw.audit_mark()
    r = site.ask(headers=[("Via", "1.1 x"), ("Via", own + ", 1.1 y")])
    site.refused(r, mark, 508, -31502, (None, 1))
    assert len(site.up.requests) == 2


def test_loop(gateway):
    """An upstream that is the gateway itself: one round, a clear error."""
    g = gateway({"workers": 1, "auth": {"enabled": False,
                                        "oauth": {"enabled": False}}})
    g.reload({"upstreams": [{"name": "up", "url":
                             "http://127.0.0.1:%d/mcp" % g.port}]})
    mark = g.audit_mark()
    r = g.post(gw.rpc())
    assert r.status == 508, r
    assert "leads back to this gateway" in r.json()["error"]["message"], r
    assert len(g.audit(since=mark)) == 2


def test_url_with_a_query(gateway, auth_server, upstream):
    """Sent with every request, to every server its own; shown nowhere."""
    port = gw.free_port()
    dead = "http://127.0.0.1:%d/a?key=s3cr3t-1" % port
    g = gateway({"workers": 1, "upstreams": [
        {"name": "up", "urls": [dead, upstream.url + "?key=s3cr3t-2&x=%20"]},
        {"name": "one", "url": dead}],
        "default_upstream": "up"})
    token = auth_server.mint()
    for query in ("", "?", "?key=mine"):
        for _ in range(2):      # one of them was meant for the dead server
            assert g.post(token=token, path="/mcp" + query).status == 200
    assert {q.target for q in upstream.requests} == \
        {upstream.path + "?key=s3cr3t-2&x=%20"}
    for _ in range(4):
        r = g.post(token=token, path="/mcp/one")
        assert r.status == 502 and b"s3cr3t" not in r.raw_head + r.body, r
    assert g.get("/readyz").body.find(b"s3cr3t") == -1
    g.wait_log(r"upstream one: .* is down: Connection refused")
    assert "s3cr3t" not in g.log()
    assert "s3cr3t" not in json.dumps(g.audit())
