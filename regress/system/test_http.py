"""HTTP/1.1 as it passes through, by raw sockets on both sides: when
connections live on, what is said before the answer, what goes through as it
is, and what a message may do to others."""

import calendar
import gzip
import json
import re
import socket
import threading
import time

import pytest

import fake_upstream as fu
import gw
from proxy_site import fresh, site  # noqa: F401

BODY = json.dumps(gw.rpc(id="first")).encode()
CL = "Content-Length: %d" % len(BODY)
TE = "Transfer-Encoding: chunked"
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} "
                  r"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT\Z")


def interim(c):
    """The head of an interim answer, alone."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = c.sock.recv(1)
        assert more, "closed after %r" % head
        head += more
    return head


# -- how long connections live -----------------------------------------------

@pytest.mark.parametrize("version,fields,lives", [
    ("1.1", [], True),
    ("1.1", ["Connection: keep-alive"], True),
    ("1.1", ["Connection: close"], False),
    ("1.1", ["Connection: CLOSE"], False),
    ("1.1", ["Connection: x, close"], False),
    ("1.1", ["Connection: keep-alive, close"], False),
    ("1.1", ["Connection: keep-alive", "Connection: close"], False),
    ("1.1", ["Connection: closed"], True),
    ("1.1", ["Connection: x-close, keep-alive"], True),
    ("1.1", ["Proxy-Connection: close"], True),
    ("1.1", ["Connection:"], True),
    ("1.0", [], False),
    ("1.0", ["Connection: keep-alive"], True),
    ("1.0", ["Connection: Keep-Alive"], True),
    ("1.0", ["Connection: keep-alive, close"], False),
    ("1.0", ["Keep-Alive: timeout=9"], False),
    ("1.0", ["Proxy-Connection: keep-alive"], False),
])
@pytest.mark.parametrize("path", ["/mcp", "/nope", "/healthz"])
def test_keep_alive(site, version, fields, lives, path):
    """The same rules whoever answers."""
    line = "POST %s HTTP/%s" % (path, version)
    with site.gw.client() as c:
        c.send(site.lines(fields + [CL], line) + BODY)
        r = c.read_response()
        assert r.status == {"/mcp": 200, "/nope": 404,
                            "/healthz": 405}[path], r
        if not lives:
            assert r.header("Connection") == "close", r
            c.wait_close()
            return
        wanted = [] if version == "1.1" else ["keep-alive"]
        assert r.headers("Connection") == wanted, r
        assert site.ask(client=c).status == 200


def test_bytes_behind_a_last_request(site):
    """Connection: close says that nothing follows: what does is no request,
    and does not turn the answer into a reset."""
    with site.gw.client() as c:
        c.send(site.lines([CL, "Connection: close"]) + BODY +
               site.lines([CL]) + BODY.replace(b"first", b"later"))
        r = c.read_response()
        assert r.status == 200 and r.json()["id"] == "first", r
        c.wait_close()
    assert [q.id for q in site.up.requests] == ["first"]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("path,status", [
    ("/healthz", 200), ("/nope", 404),
    ("/.well-known/oauth-protected-resource", 200)])
def test_head(site, method, path, status):
    """The same head, and no body even of one byte."""
    with site.gw.client() as c:
        r = c.request(method, path)
        assert r.status == status, r
        assert int(r.header("Content-Length")) > 0, r
        assert (r.body == b"") == (method == "HEAD"), r
        # were there a body, this answer would begin with it
        assert site.ask(client=c).status == 200


def test_options_of_the_server(site):
    """OPTIONS * names no MCP route: nothing passes."""
    with site.gw.client() as c:
        c.send(site.lines([], "OPTIONS * HTTP/1.1"))
        assert c.read_response().status == 404
        assert site.ask(client=c).status == 200
    assert len(site.up.requests) == 1


@pytest.mark.parametrize("target,host,status", [
    ("gw.test:80", "gw.test:80", 501), ("gw.test:80", "gw.test", 501),
    ("gw.test", "gw.test", 400), ("/mcp", "gw.test", 400),
    ("*", "gw.test", 400), ("http://gw.test:80/mcp", "gw.test:80", 400),
    ("gw.test:99999", "gw.test", 400), ("u@gw.test:1", "gw.test", 400)])
def test_connect(site, target, host, status):
    """No tunnel anywhere, and what is sent into one is no request."""
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines([], "CONNECT %s HTTP/1.1" % target, host) +
               site.lines([CL]) + BODY)
        r = c.read_response()
        assert r.header("Connection") == "close", r
        site.refused(r, mark, status)
        c.wait_close()
    assert site.up.heads == []


@pytest.mark.parametrize("host", [
    "gw.test:65535", "gw.test:0", "gw.test:", "[::1]:80", "127.0.0.1",
    "[::ffff:1.2.3.4]", "a_b.test", "%41.test", "GW.test"])
def test_good_hosts(site, host):
    with site.gw.client() as c:
        c.send(site.lines([CL], host=host) + BODY)
        assert c.read_response().status == 200
    req, = site.up.requests
    assert req.header("X-Forwarded-Host") == host, req


@pytest.mark.parametrize("host", [
    "gw.test:65536", "gw.test:99999", "gw.test:4294967376", "%4.test",
    "%zz.test", "[1]", "[:::]", "[::1%25lo]", "[::1]80", "gw.test:+80",
    "gw.test: 80", "\"gw.test\""])
def test_bad_hosts(site, host):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines([CL], host=host) + BODY)
        r = c.read_response()
        site.refused(r, mark, 400)
        c.wait_close()
    assert site.up.heads == []


# -- expectations ------------------------------------------------------------

def test_expect_of_an_old_client(site):
    """HTTP/1.0 has no interim answers: none is sent, none waited for."""
    with site.gw.client() as c:
        c.send(site.lines([CL, "Expect: 100-continue"],
                          "POST /mcp HTTP/1.0") + BODY)
        r = c.read_response()
        assert r.status == 200 and r.interim == [], r


def test_expect_without_a_body(site):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines(["Expect: 100-continue"], "GET /mcp HTTP/1.1"))
        r = c.read_head("GET")
        assert r.status == 200 and r.interim == [], r
    req, = site.up.requests
    assert req.headers("Expect") == [], req
    site.gw.audit(since=mark)       # of the stream that was left


@pytest.mark.parametrize("fields", [
    ["Expect: 100-continue", "Expect: 100-continue"],
    ["Expect: 100-continue, x"], ["Expect: 100-continue;a=b"], ["Expect:"],
    ["Expect: 100-continu"]])
def test_expect_what_nobody_knows(site, fields):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines(fields + [CL]) + BODY)
        r = c.read_response()
        site.refused(r, mark, 417)
        assert r.interim == [], r
        c.wait_close()
    assert site.up.heads == []


@pytest.mark.parametrize("why,change,status", [
    ("type", (b"application/json", b"text/plain"), 415),
    ("token", (b"Bearer ey", b"Bearer Ey"), 401),
    ("size", (b"Content-Length: ", b"Content-Length: 99999"), 413),
    ("method", (b"POST", b"PUT"), 405),
    ("path", (b"/mcp ", b"/nope "), 404)])
def test_expect_refused_at_once(site, why, change, status):
    """The answer instead of 100, before any body; then, since the body may
    come or not, the end."""
    with site.gw.client() as c:
        head = site.lines([CL, "Expect: 100-continue"])
        assert change[0] in head
        c.send(head.replace(*change))
        r = c.read_response()
        assert r.status == status and r.interim == [], r
        assert r.header("Connection") == "close", r
        c.send(BODY + site.lines([CL]) + BODY)
        c.wait_close()
    assert site.up.heads == []


def test_expect_pipelined(site):
    """Once the one before is answered, it is its turn."""
    with site.gw.client() as c:
        c.send(site.lines([CL]) + BODY +
               site.lines([CL, "Expect: 100-continue"]))
        r = c.read_response()
        assert r.status == 200 and r.interim == [], r
        assert (c.buf or interim(c)).startswith(b"HTTP/1.1 100 ")
        c.buf = b""
        c.send(BODY)
        assert c.read_response().status == 200
    assert [q.body for q in site.up.requests] == [BODY] * 2


# -- through as it is --------------------------------------------------------

@pytest.mark.parametrize("fields", [
    [("X-Accel-Buffering", "no")], [("X-Accel-Buffering", "yes")],
    [("Cache-Control", "no-cache"), ("Cache-Control", "no-transform")],
    [("X-Twice", "a=b; Path=/"), ("X-Twice", "c=d")],
    [("ETag", '"x"'), ("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT")],
    [("Content-Language", "de"), ("Server", "x/1.0")],
    [("Retry-After", "7")], [("X-Empty", "")], [("X-Latin", "\xe9\xff")]])
@pytest.mark.parametrize("kind", ["json", "sse"])
def test_answer_fields(site, fields, kind):
    """In order, with their spelling, each once."""
    if kind == "json":
        site.up.script(fu.json_result({}, fields))
    else:
        head = fu.SSE_HEAD[:-2] + b"".join(
            ("%s: %s\r\n" % f).encode("latin-1") for f in fields) + b"\r\n"
        site.up.script(fu.sse([], head=head))
    r = site.ask()
    assert r.status == 200, r
    names = {n for n, _ in fields}
    # SSE_HEAD may bring some of these itself
    got = [f for f in r.fields if f[0] in names]
    assert got[-len(fields):] == fields, r


@pytest.mark.parametrize("name", [
    "X-Accel-Redirect", "x-accel-redirect", "X-Sendfile",
    "X-LIGHTTPD-send-file"])
def test_orders_to_the_proxy_before(site, name):
    """An upstream must not send files of the machine that ends TLS."""
    site.up.script(fu.json_result({}, [(name, "/etc/passwd")]))
    r = site.ask()
    assert r.status == 200 and r.headers(name) == [], r


@pytest.mark.parametrize("name", [
    "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
    "X-Original-URL", "X-Rewrite-URL", "Proxy", "X-Forwarded-Server",
    "X-Forwarded-Prefix", "x-forwarded-user", "x-http-method-override"])
def test_requests_in_a_request(site, name):
    """By these a server would read another request than the one judged."""
    r = site.ask(headers={name: "DELETE"})
    assert r.status == 200, r
    req, = site.up.requests
    assert req.headers(name) == [], req
    assert b"DELETE" not in req.raw_head, req


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "x-unknown"])
@pytest.mark.parametrize("framing", ["length", "chunked", "sse"])
def test_content_codings(site, coding, framing):
    """What is coded is passed on as it is, and labelled."""
    data = gzip.compress(b'{"jsonrpc":"2.0","id":1,"result":{}}' * 50)
    fields = [("Content-Encoding", coding), ("Vary", "Accept-Encoding")]
    if framing == "length":
        site.up.script(fu.raw(fu.response(data, fields=fields)))
    else:
        ctype = b"text/event-stream" if framing == "sse" else \
            b"application/json"
        site.up.script(fu.raw(
            b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: %s\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" % (ctype, coding.encode()) +
            b"".join(fu.chunk(data[i:i + 11])
                     for i in range(0, len(data), 11)) + b"0\r\n\r\n"))
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        r = site.ask(headers={"Accept-Encoding": "gzip;q=1.0, br"}, client=c)
        assert r.status == 200 and r.body == data, r
        assert r.header("Content-Encoding") == coding, r
        assert site.gw.audit_one(mark)["action"] == "allow"
        assert site.ask(client=c).status == 200
    assert site.up.requests[0].header("Accept-Encoding") == \
        "gzip;q=1.0, br", site.up.requests[0]


def test_date(site):
    """Ours, or the upstream's, but always one."""
    site.up.script(fu.json_result({}), fu.json_result(
        {}, [("Date", "Mon, 01 Jan 2001 00:00:00 GMT")]))
    for r in (site.ask(), site.gw.post(gw.rpc()), site.ask(path="/nope")):
        assert DATE.match(r.header("Date")), r
        assert abs(calendar.timegm(time.strptime(
            r.header("Date"), "%a, %d %b %Y %H:%M:%S GMT")) -
            time.time()) < 10, r
    r = site.ask()
    assert r.header("Date") == "Mon, 01 Jan 2001 00:00:00 GMT", r


# -- before the answer -------------------------------------------------------

def test_interim_answers_of_an_upstream(site):
    """They end at the gateway: 100 answers an expectation that it did not
    have, 103 is for who waits long."""
    def answer(conn, req):
        for line in (b"100 Continue", b"102 Processing", b"103 Early Hints",
                     b"199 x"):
            conn.send(b"HTTP/1.1 " + line + b"\r\nLink: </x>\r\n\r\n")
        fu.json_result({"a": 1})(conn, req)
    site.up.script(answer)
    with site.gw.client() as c:
        c.send(site.lines([CL, "Expect: 100-continue"]))
        assert interim(c) == b"HTTP/1.1 100 Continue\r\n\r\n"
        c.send(BODY)
        r = c.read_response()
        assert r.status == 200 and r.interim == [], r
        assert r.headers("Link") == [], r


def test_answer_before_the_end_of_the_request(site):
    """The upstream answers having read the head alone, and would keep the
    connection: its answer arrives, and nothing else goes that way.  The body
    is larger than what the kernel takes off our hands."""
    class Early(fu.Upstream):
        def serve(self, conn):
            conn._need(lambda: b"\r\n\r\n" in conn._buf, "a head")
            conn.hold()
            conn.send(fu.response(b'{"early":true}', 400))
            conn.wait_peer_close()

    def upstreams(url, max_body):
        site.gw.reload({"limits": {"max_body": max_body}, "upstreams": [
            {"name": "up", "url": url},
            {"name": "two", "url": site.two.url}]})
    with Early(rcvbuf=4096) as early:
        upstreams(early.url, "32MiB")
        try:
            with site.gw.client() as c:
                for n in (1, 2):
                    r = site.ask(body=gw.call("x" * (20 << 20)),
                                 client=c)
                    assert r.status == 400 and r.body == b'{"early":true}', r
                    assert early.connections == n
        finally:
            upstreams(site.up.url, "4MiB")


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Connection: Content-Type\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Content-Encoding: gzip\r\nConnection: close, content-encoding\r\n"
    b"Content-Length: 2\r\n\r\n{}",
    b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 304 N\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n{}",
    b"HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"http/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b" HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nX\xff: y\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nX: \x7f\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\n X: y\r\nContent-Length: 2\r\n\r\n{}",
    b"ICY 200 OK\r\nContent-Length: 2\r\n\r\n{}"])
def test_answers_that_are_none(site, answer):
    site.up.script(fu.raw(answer))
    mark = site.gw.audit_mark()
    r = site.ask()
    site.refused(r, mark, 502, -31502, (1,))
    assert site.up.requests[0].conn.peer_closed.wait(5)


# -- leaving -----------------------------------------------------------------

def test_half_close_behind_a_refusal(site):
    """Who needs no upstream is answered, whatever it shut down."""
    with site.gw.client() as c:
        c.send(site.lines([], "GET /healthz HTTP/1.1"))
        c.shutdown_write()
        r = c.read_response()
        assert r.status == 200 and r.body == b"ok\n", r
        c.wait_close()


def test_half_close_cancels(site):
    """The end of a client's sending side is its leaving, as closing looks the
    same: the upstream's request is cancelled at once."""
    site.up.script(fu.hang())
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines([CL]) + BODY)
        conn = site.up.wait_request().conn
        c.shutdown_write()
        assert conn.peer_closed.wait(5), "the upstream does not notice"
        c.wait_close()
    line, = site.gw.audit(since=mark)
    assert line["action"] == "aborted", line


def test_half_close_of_a_pipeline(site):
    """The answers that are owed and there are still sent."""
    with site.gw.client() as c:
        c.send(site.lines([], "GET /healthz HTTP/1.1") * 5)
        c.shutdown_write()
        for _ in range(5):
            assert c.read_response().body == b"ok\n"
        c.wait_close()


# -- what others feel --------------------------------------------------------

def test_slow_ones_cost_others_nothing(site):
    """A hundred heads, bodies and chunks that drip: others are served as
    fast as without them."""
    def fastest():
        best = 9.0
        for _ in range(20):
            began = time.monotonic()
            assert site.ask().status == 200
            best = min(best, time.monotonic() - began)
        return best
    alone = fastest()
    slow = []
    stop = threading.Event()
    head = site.lines([CL])
    try:
        for i in range(99):
            c = site.gw.client()
            slow.append(c)
            c.send((head[:50], head + BODY[:3],
                    site.lines([TE]) + b"1\r\n{\r\n")[i % 3])

        def drip():
            while not stop.wait(0.01):
                for i, c in enumerate(slow):
                    c.send((b"x", b" ", b"1\r\n \r\n")[i % 3])
        t = threading.Thread(target=drip, daemon=True)
        t.start()
        crowded = fastest()
        stop.set()
        t.join()
    finally:
        stop.set()
        for c in slow:
            c.close()
    assert crowded < alone + 0.25, (alone, crowded)


def test_every_split(site):
    """A request cut in two at every byte, as two segments."""
    raw = site.lines([TE, "X-A: b"]) + \
        b"5;x=y\r\n%s\r\n%x\r\n%s\r\n0\r\nX-T: z\r\n\r\n" % (
            BODY[:5], len(BODY) - 5, BODY[5:])
    with site.gw.client() as c:
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in range(1, len(raw)):
            if cut % 50 == 0:       # inside the token nothing changes
                site.up.forget()
            c.send(raw[:cut])
            c.send(raw[cut:])
            r = c.read_response()
            assert r.status == 200 and r.json()["id"] == "first", (cut, r)
            assert site.up.requests[-1].body == BODY, cut


def test_byte_by_byte(site):
    """And in as many segments as there are bytes."""
    raw = site.lines([TE]) + CHUNKED
    with site.gw.client() as c:
        for i in range(len(raw)):
            c.send(raw[i:i + 1])
        r = c.read_response()
        assert r.status == 200 and r.json()["id"] == "first", r
    req, = site.up.requests
    assert req.body == BODY, req


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 16])
def test_answer_in_pieces(site, cut):
    """An upstream's answer in pieces of any size is the same answer."""
    doc = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {}}).encode()
    raw = (b"HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
           b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
           b"\r\n" + b"4;a=b\r\n" + doc[:4] + b"\r\n" + fu.chunk(doc[4:]) +
           b"0\r\nX-T: y\r\n\r\n")

    def answer(conn, req):
        for i in range(0, len(raw), cut):
            conn.send(raw[i:i + cut])
    site.up.script(answer, answer)
    for _ in range(2):
        r = site.ask()
        assert r.status == 200 and r.body == doc, r
        assert r.headers("X-T") == [], r
    assert len({q.conn_number for q in site.up.requests}) == 1
