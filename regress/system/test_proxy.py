"""What passes through: requests to the right upstream, fields that are carried,
replaced and removed, connections kept and reused, answers as they come, and
what a client is told when there is none."""

import contextlib
import json
import os
import re
import signal
import socket
import threading
import time

import pytest

import fake_upstream as fu
import gw
import proxy_site
import rawhttp
from proxy_site import fresh, site  # noqa: F401

HEX32 = re.compile(r"[0-9a-f]{32}\Z")
TRACE = "0af7651916cd43dd8448eb211c80319c"
RPC = json.dumps(gw.rpc()).encode()
PARENT = "00-%s-b7ad6b7169203331-01" % TRACE


# -- where to ----------------------------------------------------------------

@pytest.mark.parametrize("path,name,target", [
    ("/mcp", "up", "/mcp"), ("/mcp/up", "up", "/mcp"),
    ("/mcp/two", "two", "/other/path"),
    ("/mcp?a=b&c=%2F", "up", "/mcp?a=b&c=%2F"),
    ("/mcp/two?", "two", "/other/path?"), ("/mcp/", "up", "/mcp"),
    ("/mcp/up/", "up", "/mcp"), ("/mcp/two/?a=b", "two", "/other/path?a=b"),
])
def test_route(site, path, name, target):
    mark = site.gw.audit_mark()
    r = site.ask(path=path)
    assert r.status == 200 and r.json()["result"]["tools"], r
    up, other = (site.up, site.two) if name == "up" else (site.two, site.up)
    req, = up.requests
    assert req.target == target and other.requests == [], req
    assert req.header("Host") == "127.0.0.1:%d" % up.port, req
    line = site.gw.audit_one(mark)
    assert line["upstream"] == name and line["action"] == "allow", line
    assert line["transport"] == "json" and line["status"] == 200, line
    assert line["request_id"] == req.header("X-Request-Id"), line
    assert line["bytes_in"] == len(req.body), line
    assert line["bytes_out"] == len(r.body), line


@pytest.mark.parametrize("path", ["/mcp/nope", "/mcp/UP", "/mcp/up//",
                                  "/mcp//", "/mcp/nope/", "/mcp/up/x", "/mcp/../up", "/mcp/%75p",
                                  "/mcp/" + "a" * 300])
def test_no_such_upstream(site, path):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        site.refused(site.ask(path=path, client=c), mark, 404, ids=(1,))
        assert site.ask(client=c).status == 200
    assert len(site.up.requests) == 1


@pytest.mark.parametrize("path", ["/", "/mcpx", "/MCP", "/mcp%2F",
                                  "//mcp", "/x/../mcp", "/./mcp", "/%6dcp"])
def test_not_found(site, path):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        assert site.ask(path=path, client=c).status == 404
        assert site.gw.audit_lines(mark) == []
        assert site.ask(client=c).status == 200
    assert len(site.up.requests) == 1


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH",
                                    "TRACE"])
def test_other_methods(site, method):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        body = b"{}" if method == "PUT" else None
        r = site.ask(method, body=body, client=c)
        assert r.status == 405 and r.header("Allow") == "GET, POST, DELETE", r
        if method == "HEAD":
            assert r.body == b"", r
            assert site.gw.audit_one(mark)["status"] == 405
        else:
            site.refused(r, mark, 405)
        assert site.ask(client=c).status == 200
    assert [q.method for q in site.up.requests] == ["POST"]


@pytest.mark.parametrize("method", ["post", "POSTX", "PROPFIND"])
def test_unknown_methods(site, method):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        r = site.ask(method, client=c)
        assert r.headers("Allow") == [], r
        site.refused(r, mark, 501)
        for path in ("/healthz", gw.METADATA_PATH, "/nope"):
            assert site.ask(method, path, client=c).status == 501, path
        assert site.ask(client=c).status == 200
    assert [q.method for q in site.up.requests] == ["POST"]


def test_get(site):
    """The standalone stream: no body, no length, its own fields."""
    sealed = site.session("s-1")
    with site.gw.client() as c:
        site.up.script(fu.sse([{"n": 1}], final=False))
        c.send(c.build("GET", "/mcp", [
            ("Authorization", "Bearer " + site.token),
            ("Accept", "text/event-stream"), ("Last-Event-ID", "ev-7"),
            ("Mcp-Session-Id", sealed),
            ("MCP-Protocol-Version", "2025-06-18")]))
        r = c.read_head("GET")
        assert r.status == 200, r
        assert r.header("Content-Type") == "text/event-stream", r
        assert [e.json() for e in c.events()] == [{"n": 1}]
    req, = site.up.requests
    assert req.method == "GET" and req.framing == (None, None), req
    assert req.header("Last-Event-ID") == "ev-7", req
    assert req.header("Accept") == "text/event-stream", req
    assert req.header("Mcp-Session-Id") == "s-1", req
    assert req.header("MCP-Protocol-Version") == "2025-06-18", req
    assert req.headers("Content-Length") == [], req


def test_delete(site):
    sealed = site.session("s-2")
    mark = site.gw.audit_mark()
    r = site.ask("DELETE", headers={"Mcp-Session-Id": sealed})
    assert r.status == 200 and r.body == b"", r
    req, = site.up.requests
    assert req.method == "DELETE" and req.framing == (None, None), req
    assert req.header("Mcp-Session-Id") == "s-2", req
    line = site.gw.audit_one(mark)
    assert line["method"] == "DELETE" and line["session_id"] == "s-2", line


@pytest.mark.parametrize("status,body", [
    (202, b""), (204, None), (400, b'{"jsonrpc":"2.0","id":1}'),
    (404, b"session gone"), (405, b""), (403, b"no"), (429, b"slow down"),
    (500, b"oops"), (503, b"later"), (299, b"odd"), (302, b"")])
def test_status_passes(site, status, body):
    if body is None:
        site.up.script(fu.raw(b"HTTP/1.1 204 N\r\nX-A: b\r\n\r\n"))
    else:
        site.up.script(fu.status(status, body, [("X-A", "b"),
                                                ("Retry-After", "7")]))
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        r = site.ask(client=c)
        assert r.status == status and r.body == (body or b""), r
        assert r.header("X-A") == "b", r
        line = site.gw.audit_one(mark)
        assert line["status"] == status and line["action"] == "allow", line
        assert site.ask(client=c).status == 200
    assert len({q.conn_number for q in site.up.requests}) == 1


def test_notification(site):
    mark = site.gw.audit_mark()
    r = site.ask(body=gw.rpc("notifications/initialized", None))
    assert r.status == 202 and r.body == b"", r
    line = site.gw.audit_one(mark)
    assert line["method"] == "notifications/initialized", line


# -- fields ------------------------------------------------------------------

def test_carried(site):
    sealed = site.session("s-3")
    carried = [("MCP-Protocol-Version", "2025-11-25"),
               ("Last-Event-ID", "9"), ("User-Agent", "ua/1"),
               ("X-Custom", "a  b"), ("X-Custom", "again"),
               ("Accept-Language", "de"), ("X-Empty", "")]
    site.up.script(fu.json_result({"ok": 1}, [
        ("Mcp-Session-Id", "s-4"), ("X-Reply", "1"), ("X-Reply", "2"),
        ("Cache-Control", "no-cache")]))
    mark = site.gw.audit_mark()
    r = site.ask(headers=carried + [("Mcp-Session-Id", sealed)])
    req, = site.up.requests
    for name, value in carried:
        assert value in req.headers(name), (name, req)
    assert req.headers("X-Custom") == ["a  b", "again"], req
    assert req.header("Content-Type") == "application/json", req
    assert req.header("Accept") == "application/json, text/event-stream"
    assert req.header("Mcp-Session-Id") == "s-3", req
    assert r.header("Mcp-Session-Id").endswith(".s-4"), r
    assert r.headers("X-Reply") == ["1", "2"], r
    assert r.header("Cache-Control") == "no-cache", r
    assert r.header("Content-Type") == "application/json", r
    assert site.gw.audit_one(mark)["session_id"] == "s-4"


@pytest.mark.parametrize("accept", [None, "*/*"])
def test_accept_default(site, accept):
    body = RPC
    h = [("Authorization", "Bearer " + site.token),
         ("Content-Type", "application/json")]
    if accept:
        h.append(("Accept", accept))
    r = rawhttp.fetch(site.gw.port, "POST", "/mcp", h, body)
    assert r.status == 200, r
    req, = site.up.requests
    assert req.header("Accept") == "application/json, text/event-stream"


def test_removed(site):
    gone = [("Connection", "keep-alive, X-Mine, x-other"), ("X-Mine", "1"),
            ("X-OTHER", "2"), ("Keep-Alive", "timeout=5"), ("TE", "trailers"),
            ("Trailer", "X-T"), ("Upgrade", "h2c"), ("Proxy-Connection", "x"),
            ("Proxy-Authorization", "Basic eDp5"), ("Forwarded", "for=1.2.3.4"),
            ("X-Real-IP", "1.2.3.4"), ("X-Forwarded-Port", "1"),
            ("Connection", "X-Third"), ("X-Third", "3")]
    assert site.ask(headers=gone).status == 200
    req, = site.up.requests
    for name in {n for n, _ in gone} | {"Authorization"}:
        assert req.headers(name) == [], (name, req)
    assert site.token.encode() not in req.raw
    assert b"Bearer" not in req.raw


def test_replaced(site):
    sent = [("X-Request-Id", "mine"), ("X-Request-Id", "again"),
            ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "5.6.7.8"),
            ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"),
            ("Host", "gw.example.test:80"), ("traceparent", "junk"),
            ("tracestate", "a=b")]
    mark = site.gw.audit_mark()
    assert site.ask(headers=sent).status == 200
    req, = site.up.requests
    line = site.gw.audit_one(mark)
    assert HEX32.match(req.header("X-Request-Id")), req
    assert line["request_id"] == req.header("X-Request-Id")
    assert line["client_ip"] == "127.0.0.1", line
    assert req.header("X-Forwarded-For") == "127.0.0.1", req
    assert req.header("X-Forwarded-Proto") == "http", req
    assert req.header("X-Forwarded-Host") == "gw.example.test:80", req
    assert re.match(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]\Z",
                    req.header("traceparent")), req
    assert req.headers("tracestate") == [], req


def test_every_request_has_its_id(site):
    for _ in range(20):
        assert site.ask().status == 200
    ids = {q.header("X-Request-Id") for q in site.up.requests}
    spans = {q.header("traceparent") for q in site.up.requests}
    assert len(ids) == len(spans) == 20


def test_trace_goes_on(site):
    """The client's trace, a span of our own."""
    assert site.ask(headers=[("traceparent", PARENT),
                             ("tracestate", "v=1")]).status == 200
    req, = site.up.requests
    m = re.match(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01\Z",
                 req.header("traceparent"))
    assert m and m[1] == TRACE and m[2] != "b7ad6b7169203331", req
    assert req.header("tracestate") == "v=1", req


@pytest.mark.parametrize("bad", [
    [PARENT.upper()], [PARENT[:-1]], [PARENT + "-x"],
    ["00-" + "0" * 32 + PARENT[35:]], ["ff" + PARENT[2:]], [PARENT, PARENT],
    ["00-%s-%s-01" % (TRACE, "0" * 16)]])
def test_bad_trace(site, bad):
    """A trace of our own, and nothing of theirs."""
    assert site.ask(headers=[("traceparent", b) for b in bad] +
                    [("tracestate", "v=1")]).status == 200
    req, = site.up.requests
    assert re.match(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]\Z",
                    req.header("traceparent")), req
    assert TRACE not in req.header("traceparent").lower()
    assert req.headers("tracestate") == [], req


def test_answer_fields_removed(site):
    site.up.script(fu.json_result({}, [
        ("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=9"),
        ("Proxy-Authenticate", "Basic"), ("WWW-Authenticate", "Bearer x"),
        ("Upgrade", "h2c"), ("Trailer", "X-T")]))
    with site.gw.client() as c:
        r = site.ask(client=c)
        assert r.status == 200, r
        for name in ("Connection", "X-Hop", "Keep-Alive", "Upgrade",
                     "Proxy-Authenticate", "WWW-Authenticate", "Trailer"):
            assert r.headers(name) == [], (name, r)
        assert c.is_open()


# -- bodies ------------------------------------------------------------------

def big(n):
    """A message of at least n bytes, in which no block repeats."""
    text = "".join("%08x" % (i * 2654435761 % 2 ** 32)
                   for i in range(n // 8 + 1))
    return json.dumps(gw.call(text, "big")).encode()


@pytest.mark.parametrize("size", [1, 4000, 65536, 300000, 3 << 20])
def test_sizes(site, size):
    """There and back, byte for byte, both framings both ways."""
    body = big(size)
    doc = b'{"jsonrpc":"2.0","id":"big","result":"%s"}' % (b"z" * size)
    site.up.script(fu.raw(fu.response(doc)), fu.raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" +
        b"".join(fu.chunk(doc[i:i + 9999])
                 for i in range(0, len(doc), 9999)) + b"0\r\n\r\n"))
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 7777]),
                                          body[i:i + 7777])
                       for i in range(0, len(body), 7777)) + b"0\r\n\r\n"
    with site.gw.client() as c:
        r = site.ask(body=body, client=c)
        assert r.status == 200 and r.framing == "length" and r.body == doc
        r = c.request("POST", "/mcp", site.headers(
            {"Transfer-Encoding": "chunked"}), chunked)
        assert r.status == 200 and r.framing == "chunked" and r.body == doc
    for req in site.up.requests:
        assert req.body == body and req.framing == ("length", len(body))


def test_json_as_it_comes(site):
    """The first half is there before the upstream sends the second."""
    go = threading.Event()

    def answer(conn, req):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  b'Content-Length: 37\r\n\r\n{"jsonrpc":"2.0",')
        conn.wait(go)
        conn.send(b'"id":1,"result":{}}\n')
    site.up.script(answer)
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", site.headers(), RPC))
        c.read_head()
        assert c.read_some() == b'{"jsonrpc":"2.0",'
        go.set()
        assert c.read_body() == b'"id":1,"result":{}}\n'


def test_close_delimited(site):
    """An answer without length: whole when its connection ends cleanly, cut
    off when it is reset."""
    site.up.script(fu.close_delimited({"a": 1}))
    r = site.ask()
    assert r.status == 200 and r.framing == "chunked", r
    assert r.json()["result"] == {"a": 1}
    site.up.script(fu.raw(b"HTTP/1.0 200 OK\r\nContent-Type: "
                          b"application/json\r\n\r\n{\"id\":1}", "close"))
    assert site.ask().body == b'{"id":1}'
    assert site.ask().status == 200
    assert len({q.conn_number for q in site.up.requests}) == 3

    read = threading.Event()

    def answer(conn, req):
        conn.send(b'HTTP/1.1 200 OK\r\n\r\n{"id"')
        conn.wait(read)
        conn.reset()
    site.up.script(answer)
    with site.gw.client() as c, pytest.raises(rawhttp.Truncated):
        c.send(c.build("POST", "/mcp", site.headers(), RPC))
        c.read_head()
        assert c.read_some() == b'{"id"'
        read.set()
        c.read_body()


def test_old_clients(site):
    """HTTP/1.0: no chunks, and the end of the connection for an end."""
    site.up.answer = fu.chunked_json({"a": 1})
    body = RPC
    head = site.lines(["Content-Length: %d" % len(body)],
                      "POST /mcp HTTP/1.0")
    with site.gw.client() as c:
        c.send(head + body)
        r = c.read_response()
        assert r.status == 200 and r.framing == "close", r
        assert r.json()["result"] == {"a": 1}
    site.up.answer = fu.default_answer
    head = site.lines(["Content-Length: %d" % len(body),
                       "Connection: keep-alive"], "POST /mcp HTTP/1.0")
    with site.gw.client() as c:
        for _ in range(2):
            c.send(head + body)
            r = c.read_response()
            assert r.framing == "length", r
            assert r.header("Connection") == "keep-alive", r


def test_expect_continue(site):
    body = big(100)
    with site.gw.client() as c:
        for fields in (["Content-Length: %d" % len(body)],
                       ["Transfer-Encoding: chunked"]):
            c.send(site.lines(fields + ["Expect: 100-Continue"]))
            assert interim(c) == b"HTTP/1.1 100 Continue\r\n\r\n"
            c.send(body if "Length" in fields[0] else fu.chunk(body) +
                   b"0\r\n\r\n")
            assert c.read_response().status == 200
    assert [q.body for q in site.up.requests] == [body] * 2
    assert all(q.headers("Expect") == [] for q in site.up.requests)


def interim(c):
    """The head of an interim answer, alone."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += c.sock.recv(1)
    return head


def test_expect_with_body_at_once(site):
    body = big(100)
    with site.gw.client() as c:
        c.send(site.lines(["Content-Length: %d" % len(body),
                           "Expect: 100-continue"]) + body)
        r = c.read_response()
        assert r.status == 200 and r.interim == [], r


def test_expect_refused(site):
    """No 100 to who may not come in; the body is not waited for."""
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines(["Content-Length: 1000", "Expect: 100-continue"])
               .replace(site.token.encode(), b"x.y.z"))
        r = c.read_response()
        assert r.status == 401 and r.interim == [], r
        assert r.header("Connection") == "close", r
        c.wait_close()
    assert site.gw.audit_one(mark)["status"] == 401


# -- clients' connections ----------------------------------------------------

def test_pipelining(site):
    """Answers in the order of requests, whatever each of them is."""
    bodies = [json.dumps(gw.rpc(id=i)).encode() for i in range(30)]
    raw = b""
    for i, b in enumerate(bodies):
        path = "/nope" if i % 7 == 3 else "/healthz" if i % 7 == 5 else "/mcp"
        method = "GET" if path == "/healthz" else "POST"
        raw += site.lines(["Content-Length: %d" % (
            0 if method == "GET" else len(b))], "%s %s HTTP/1.1" % (
                method, path)) + (b"" if method == "GET" else b)
    with site.gw.client() as c:
        c.send(raw)
        for i in range(30):
            r = c.read_response()
            if i % 7 == 3:
                assert r.status == 404, (i, r)
            elif i % 7 == 5:
                assert r.body == b"ok\n", (i, r)
            else:
                assert r.status == 200 and r.json()["id"] == i, (i, r)
        assert c.is_open()


def test_refusals_leave_the_connection(site):
    """Every refusal of a small request is followed by a good one."""
    with site.gw.client() as c:
        for r, status in [
            (lambda: site.ask(body=b"{", client=c), 400),
            (lambda: site.ask(headers={"Origin": "https://evil.test"},
                              client=c), 403),
            (lambda: site.ask("PUT", body=b"x" * 20000, client=c), 405),
            (lambda: site.ask(path="/mcp/nope", client=c), 404),
            (lambda: site.gw.post(gw.call("x" * 60000), client=c), 401),
        ]:
            assert r().status == status
            assert site.ask(client=c).status == 200


def test_connection_close(site):
    with site.gw.client() as c:
        r = site.ask(headers={"Connection": "close"}, client=c)
        assert r.status == 200 and r.header("Connection") == "close", r
        c.wait_close()


# -- upstreams' connections --------------------------------------------------

def test_reuse(site):
    with site.gw.client() as c:
        for i in range(5):
            assert site.ask(client=c).status == 200
    for _ in range(5):
        assert site.ask().status == 200
    site.up.script(fu.chunked_json({}), fu.sse([{"n": 1}]),
                   fu.status(404, b"x"))
    for _ in range(3):
        site.ask()
    assert site.ask("DELETE").status == 200
    assert len({q.conn_number for q in site.up.requests}) == 1
    assert len(site.up.requests) == 14


def test_one_connection_per_request_at_a_time(site):
    go = threading.Event()
    site.up.answer = fu.after(go)
    clients = [site.gw.client() for _ in range(5)]
    for c in clients:
        c.send(c.build("POST", "/mcp", site.headers(), RPC))
    site.up.wait_requests(5)
    go.set()
    for c in clients:
        assert c.read_response().status == 200
        c.close()
    assert len({q.conn_number for q in site.up.requests}) == 5


@pytest.mark.parametrize("fields", [
    [("Connection", "close")], [("Keep-Alive", "timeout=1")],
    [("Keep-Alive", "max=100, timeout=0")]])
def test_upstream_closes(site, fields):
    """Not kept when the upstream will close at once."""
    site.up.script(fu.json_result({}, fields))
    assert site.ask().status == 200
    req, = site.up.requests
    assert req.conn.peer_closed.wait(5)
    assert site.ask().status == 200
    assert site.up.requests[1].conn_number != req.conn_number


def test_keep_alive_timeout(site):
    """Closed before the two seconds of the upstream are over."""
    site.up.script(fu.json_result({}, [("Keep-Alive", "timeout=2")]))
    assert site.ask().status == 200
    assert site.up.requests[0].conn.peer_closed.wait(1.9), \
        "kept longer than the upstream keeps it"


def test_stale_connection(site):
    """The upstream has closed the idle connection: nobody notices."""
    def answer(conn, req):
        fu.json_result({})(conn, req)
        conn.close()
    site.up.answer = answer
    with site.gw.client() as c:
        for i in range(20):
            r = site.ask(body=gw.rpc(id=i), client=c)
            assert r.status == 200 and r.json()["id"] == i, r
            site.up.wait_connections(0)
    assert len(site.up.requests) == 20


def test_stale_connections_all_at_once(site):
    """Several idle ones, all closed by a restart of the upstream."""
    go = threading.Event()
    site.up.answer = fu.after(go)
    clients = [site.gw.client() for _ in range(6)]

    def post_all():
        for c in clients:
            c.send(c.build("POST", "/mcp", site.headers(), RPC))
    post_all()
    site.up.wait_requests(6)
    go.set()
    for c in clients:
        assert c.read_response().status == 200
    site.up.drop_connections()
    site.up.wait_connections(0)
    post_all()
    for c in clients:
        assert c.read_response().status == 200
        c.close()
    assert len(site.up.requests) == 12


def state_of(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def elsewhere(site):
    """The workers see all at once what happens meanwhile."""
    pids = site.gw.workers()
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        deadline = time.monotonic() + 10
        while any(state_of(pid) != "T" for pid in pids):
            assert time.monotonic() < deadline, "a worker does not stop"
            time.sleep(0.001)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


STRAY_BODY = b'{"jsonrpc":"2.0","id":2,"result":{"stray":1}}'
STRAY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" \
    b"Content-Length: %d\r\n\r\n" % len(STRAY_BODY) + STRAY_BODY


@pytest.mark.parametrize("how", ["end", "stray"])
def test_more_comes_with_the_answer(site, how):
    """The answer, and the end of the connection or another answer, at once."""
    go = threading.Event()

    def answer(conn, req):
        conn.wait(go)
        fu.json_result({"n": 1})(conn, req)
        conn.close() if how == "end" else conn.send(STRAY)
        written.set()
    with site.gw.client() as c:
        for i in range(5):
            go.clear()
            written = threading.Event()
            site.up.script(answer)
            c.send(c.build("POST", "/mcp", site.headers(), RPC))
            site.up.wait_request()
            with elsewhere(site):
                go.set()
                assert written.wait(10)
            assert c.read_response().json()["result"] == {"n": 1}
            r = site.ask(body=gw.rpc(id=2), client=c)
            assert r.status == 200 and "tools" in r.json()["result"], r
            site.up.wait_request()
            site.up.drop_connections()
            site.up.wait_connections(0)


@pytest.mark.parametrize("first", ["client", "upstream"])
@pytest.mark.parametrize("what", ["end", "stray"])
def test_speaks_before_it_is_asked(site, first, what):
    """A kept connection on which something comes before the next request does,
    or with it: whichever the worker hears of first, it is no answer."""
    with site.gw.client() as c:
        for i in range(5):
            assert site.ask(client=c).status == 200
            kept = site.up.wait_request()
            request = c.build("POST", "/mcp", site.headers(),
                              json.dumps(gw.rpc(id=2)).encode())
            with elsewhere(site):
                if first == "client":
                    c.send(request)
                if what == "end":
                    site.up.drop_connections()
                    site.up.wait_connections(0)
                else:
                    kept.conn.send(STRAY)
                if first == "upstream":
                    c.send(request)
            r = c.read_response()
            assert r.status == 200 and "tools" in r.json()["result"], r
            again = site.up.wait_request()
            assert again.conn_number != kept.conn_number
            site.up.drop_connections()
            site.up.wait_connections(0)


# -- upstreams that fail -----------------------------------------------------

def test_refused_and_back(site):
    site.up.refuse()
    site.up.drop_connections()
    try:
        with site.gw.client() as c:
            for i in range(3):
                mark = site.gw.audit_mark()
                r = site.ask(body=gw.rpc(id=i), client=c)
                line = site.refused(r, mark, 502, -31502, (i,))
                assert line["upstream"] == "up", line
                assert site.ask(path="/mcp/two", client=c).status == 200
    finally:
        site.up.listen()
    assert site.ask().status == 200


@pytest.mark.parametrize("how", [
    fu.drop(), fu.reset(), fu.raw(b"HTTP/1.1 200", "close"),
    fu.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "reset"),
    fu.raw(b"HTTP/1.1 100 Continue\r\n\r\n", "close")])
def test_no_answer(site, how):
    site.up.script(how)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        r = site.ask(client=c)
        site.refused(r, mark, 502, -31502, (1,))
        assert site.ask(client=c).status == 200
    assert len(site.up.requests) == 2, "a request was sent twice"


HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("start", [
    HALF + b'Content-Length: 100\r\n\r\n{"jsonrpc"',
    HALF + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"jso\r\n',
    HALF + b'Transfer-Encoding: chunked\r\n\r\n50\r\n{"jso',
    HALF + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"jso\r\n0\r\n'])
def test_truncated_answer(site, start, end):
    """The client must not take the part for the whole."""
    read = threading.Event()

    def answer(conn, req):
        conn.send(start)
        conn.wait(read)
        conn.close() if end == "close" else conn.reset()
    site.up.script(answer)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", site.headers(), RPC))
        c.read_head()
        assert c.read_some().startswith(b'{"jso')
        read.set()
        with pytest.raises(rawhttp.Truncated):
            c.read_body()
    line = site.gw.audit(since=mark)[0]
    assert line["action"] == "error" and line["error"], line
    assert len(site.gw.audit_lines(mark)) == 1


def test_interim_answers(site):
    """1xx are the upstream's affair."""
    def answer(conn, req):
        for n in (100, 102, 103, 103):
            conn.send(b"HTTP/1.1 %d X\r\nLink: </x>\r\n\r\n" % n)
        fu.json_result({"a": 1})(conn, req)
    site.up.script(answer, answer)
    for _ in range(2):
        r = site.ask()
        assert r.status == 200 and r.interim == [], r
        assert r.json()["result"] == {"a": 1} and r.headers("Link") == []
    assert len({q.conn_number for q in site.up.requests}) == 1


@pytest.mark.parametrize("status", [401, 407])
def test_upstream_challenge(site, status):
    """It must not send our clients to another's login."""
    site.up.script(fu.status(status, b"who?", [
        ("WWW-Authenticate", 'Bearer resource_metadata="https://evil/"'),
        ("Proxy-Authenticate", "Basic"), ("X-Evil", "1")]))
    mark = site.gw.audit_mark()
    r = site.ask()
    site.refused(r, mark, 502, -31502, (1,))
    assert r.headers("X-Evil") == r.headers("Proxy-Authenticate") == [], r


def test_answer_before_the_body(site):
    """An upstream that refuses while the body is still on its way."""
    def answer(conn, req):
        conn.send(fu.response(b"too much", 413, fields=[
            ("Connection", "close")]))
        conn.wait_peer_close()
        conn.close()

    class Early(fu.Upstream):
        def serve(self, conn):
            conn._need(lambda: b"\r\n\r\n" in conn._buf, "a head")
            conn.hold()
            answer(conn, None)
    with Early(rcvbuf=4096) as early:
        site.gw.reload({"upstreams": [{"name": "up", "url": early.url},
                                      {"name": "two",
                                       "url": site.two.url}]})
        try:
            mark = site.gw.audit_mark()
            r = site.ask(body=big(3 << 20))
            assert r.status == 413 and r.body == b"too much", r
            assert site.gw.audit_one(mark)["status"] == 413
        finally:
            site.gw.reload({"upstreams": [
                {"name": "up", "url": site.up.url},
                {"name": "two", "url": site.two.url}]})


# -- clients that leave ------------------------------------------------------

def leave(c, how):
    if how == "reset":
        c.reset()
    elif how == "half":
        c.shutdown_write()
    else:
        c.close()


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_client_leaves_before_the_head(site, how):
    """Its request is cancelled: the upstream sees the end."""
    site.up.script(fu.hang())
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", site.headers(), RPC))
        req = site.up.wait_request()
        leave(c, how)
        assert req.conn.peer_closed.wait(5), "the upstream does not notice"
    line, = site.gw.audit(since=mark)
    assert line["action"] == "aborted" and line["method"] == "tools/list"
    assert not line.get("status"), line


@pytest.mark.parametrize("how", ["close", "reset", "half"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_client_leaves_a_stream(site, how, method):
    site.up.script(fu.sse_open())
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(c.build(method, "/mcp", site.headers(), json.dumps(
            gw.rpc()).encode() if method == "POST" else None))
        assert c.read_head(method).status == 200
        req = site.up.wait_request()
        leave(c, how)
        assert req.conn.peer_closed.wait(5), "the upstream does not notice"
    line, = site.gw.audit(since=mark)
    assert line["action"] == "aborted" and line["status"] == 200, line


@pytest.mark.parametrize("how", ["close", "reset", "half"])
@pytest.mark.parametrize("cut", [1, -1])
def test_client_leaves_with_the_last_byte(site, how, cut):
    """Sent in two pieces, gone with the second: the end is in already when
    the request would go on."""
    site.up.answer = fu.hang()
    body = RPC
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines(["Content-Length: %d" % len(body),
                           "Expect: 100-continue"]))
        interim(c)
        c.send(body[:cut])
        # the rest in one segment with the FIN
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        c.send(body[cut:])
        leave(c, how)
        line, = site.gw.audit(since=mark)
    assert line["action"] == "aborted", line
    site.up.wait_connections(0)


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_client_leaves_with_bytes_unread(site, how):
    """What it still sent must not hide that it is gone."""
    site.up.script(fu.sse_open())
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", site.headers(), RPC))
        assert c.read_head().status == 200
        req = site.up.wait_request()
        c.send(b"x" * 5000)
        leave(c, how)
        assert req.conn.peer_closed.wait(5), "the upstream does not notice"
    line, = site.gw.audit(since=mark)
    assert line["action"] == "aborted", line
    assert len(site.up.requests) == 1


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_client_leaves_inside_its_body(site, how):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines(["Content-Length: 100"]) + b'{"jsonrpc"')
        leave(c, how)
        line, = site.gw.audit(since=mark)
    assert line["action"] == "aborted", line
    assert site.up.requests == []


def test_cancelled_connection_is_not_reused(site):
    """The answer to a request that was given up never meets the next."""
    go = threading.Event()
    site.up.script(fu.after(go, fu.json_result({"evil": 1})))
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", site.headers(),
                       json.dumps(gw.rpc(id=1)).encode()))
        first = site.up.wait_request()
    assert first.conn.peer_closed.wait(5)
    r = site.ask(body=gw.rpc(id=1))
    assert r.json()["result"]["tools"], r
    go.set()
    assert site.up.requests[1].conn_number != first.conn_number


# -- trusted proxies ---------------------------------------------------------

@pytest.mark.parametrize("sent,ip", [
    (["192.0.2.7"], "192.0.2.7"), (["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
    (["192.0.2.7, 10.1.2.3, 127.0.0.1"], "192.0.2.7"),
    (["2001:db8::1"], "2001:db8::1"), (["junk"], "127.0.0.1"),
    (["192.0.2.7, junk"], "127.0.0.1"), ([], "127.0.0.1"),
    (["192.0.2.7", "192.0.2.8"], "127.0.0.1")])
def test_trusted_proxies(trusting, sent, ip):
    trusting.fresh()
    mark = trusting.gw.audit_mark()
    r = trusting.ask(headers=[("X-Forwarded-For", s) for s in sent])
    assert r.status == 200, r
    req, = trusting.up.requests
    assert req.header("X-Forwarded-For") == ip, req
    assert trusting.gw.audit_one(mark)["client_ip"] == ip


@pytest.fixture(scope="module")
def trusting():
    yield from proxy_site.serve(
        {"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]})
