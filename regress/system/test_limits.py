"""Limits and timeouts: what is too large, too many, too slow, and that the
client gets to read why.  Every limit is tried on both sides of its edge."""

import contextlib
import json
import select
import socket
import threading
import time

import pytest

import fake_upstream as fu
import gw
import proxy_site
import rawhttp
from proxy_site import fresh, site  # noqa: F401

KIB = 1 << 10
MIB = 1 << 20
MAX_BODY = 512 * KIB
MAX_HEADER = 4 * KIB
CONNECTIONS = 4
T = 0.3
# small limits
SITE = {"limits": {
    "max_body": "512KiB", "max_header": "4KiB", "buffered": "1MiB"}}


@pytest.fixture(scope="module")
def hasty():
    """Short timeouts, each different."""
    yield from proxy_site.serve({"timeouts": {
        "header": "300ms", "body": "300ms", "keepalive": "300ms",
        "upstream_connect": "300ms", "upstream_response": "300ms"}})


def message(size):
    """A request of exactly this many bytes."""
    m = json.dumps(gw.call("")).encode()
    return m.replace(b'""', b'"%s"' % (b"x" * (size - len(m))))


def chunks(data, size=9999):
    return b"".join(fu.chunk(data[i:i + size])
                    for i in range(0, len(data), size)) + b"0\r\n\r\n"


def interim(c):
    """The head of an interim answer, alone."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += c.sock.recv(1)
    return head


# -- max_body ----------------------------------------------------------------

def test_max_body(site):
    """Exactly the limit passes, one byte more does not."""
    with site.gw.client() as c:
        assert site.ask(body=message(MAX_BODY), client=c).status == 200
        r = c.request("POST", "/mcp", site.headers(
            {"Transfer-Encoding": "chunked"}), chunks(message(MAX_BODY)))
        assert r.status == 200, r
    assert [len(q.body) for q in site.up.requests] == [MAX_BODY] * 2


def test_max_body_declared(site):
    """Refused by its length, before the body: it is not asked for."""
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines(["Content-Length: %d" % (MAX_BODY + 1),
                           "Expect: 100-continue"]))
        r = c.read_response()
        assert r.interim == [] and r.header("Connection") == "close", r
        c.wait_close()
    site.refused(r, mark, 413)
    assert site.up.heads == []


@pytest.mark.parametrize("size", [MAX_BODY + 1, 8 * MIB, 2 ** 40])
def test_max_body_sent(site, size):
    """The client that first sends, then reads, gets to read it."""
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        sent = min(size, 8 * MIB)
        c.send(site.lines(["Content-Length: %d" % size]))
        c.send(message(sent))
        r = c.read_response()
        site.refused(r, mark, 413)
        assert r.header("Connection") == "close", r
        c.shutdown_write()
        c.wait_close()
    assert site.up.heads == []


@pytest.mark.parametrize("size", [MAX_BODY + 1, 8 * MIB])
def test_max_body_chunked(site, size):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines(["Transfer-Encoding: chunked"]))
        c.send(chunks(message(size)))
        r = c.read_response()
        site.refused(r, mark, 413)
        assert r.header("Connection") == "close", r
        c.shutdown_write()
        c.wait_close()
    assert site.up.heads == []


# -- max_header --------------------------------------------------------------

def padded(site, size, field=b"X-Pad"):
    """A head of exactly this many bytes, for an empty DELETE."""
    head = site.lines([field + b": "], "DELETE /mcp HTTP/1.1")
    return head[:-4] + b"p" * (size - len(head)) + b"\r\n\r\n"


def test_max_header(site):
    with site.gw.client() as c:
        c.send(padded(site, MAX_HEADER))
        assert c.read_response().status == 200
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(padded(site, MAX_HEADER + 1))
        r = c.read_response()
        site.refused(r, mark, 431)
        assert r.header("Connection") == "close", r
        c.wait_close()
    assert len(site.up.requests) == 1


def test_max_header_in_pieces(site):
    """The same when it comes piece by piece, and when it never ends."""
    for size, status in ((MAX_HEADER, 200), (MAX_HEADER + 1, 431),
                         (MAX_HEADER * 4, 431)):
        raw = padded(site, size)
        with site.gw.client() as c:
            for i in range(0, len(raw), 500):
                with contextlib.suppress(OSError):
                    c.send(raw[i:i + 500])
            assert c.read_response().status == status, size


def test_max_header_large_then_read(site):
    """Far too large, read only when all is sent."""
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(padded(site, 300 * KIB))
        site.refused(c.read_response(), mark, 431)


def test_long_target(site):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(b"GET /" + b"a" * MAX_HEADER * 2)
        r = c.read_response()
        assert r.status == 414, r
        c.wait_close()
    assert site.gw.audit_one(mark)["status"] == 414


def test_fields(site):
    """100 pass, 101 do not."""
    n = 100 - 3                 # lines() has Host and two more
    for more, status in ((0, 200), (1, 431)):
        mark = site.gw.audit_mark()
        with site.gw.client() as c:
            c.send(site.lines(["X-%d: y" % i for i in range(n + more)],
                              "DELETE /mcp HTTP/1.1"))
            r = c.read_response()
            assert r.status == status, r
            assert site.gw.audit_one(mark)["status"] == status
            if more:
                c.wait_close()
    req, = site.up.requests
    assert len([f for f, _ in req.fields if f.startswith("X-")
                and f[2:].isdigit()]) == n


# -- limits.buffered ---------------------------------------------------------

def test_buffered(site):
    """Bodies on their way in are counted as they come, not as promised: who
    would go beyond gets 503; the others go on; then there is room again."""
    body = message(MAX_BODY)
    clients = [site.gw.client() for _ in range(6)]
    mark = site.gw.audit_mark()
    try:
        for c in clients:
            c.send(site.lines(["Content-Length: %d" % len(body),
                               "Expect: 100-continue"]))
        asked = [c for c in clients if b"100 Continue" in interim(c)]
        assert asked == clients         # nothing is buffered yet
        for c in clients:
            c.send(body[:-1])
        refused = site.gw.audit(lambda l: l["status"] == 503, 3, mark)
        assert len(refused) < 6, "nobody was let in"
        left = []
        for c in clients:
            if c.is_open():
                left.append(c)
                continue
            r = c.read_response()
            assert r.status == 503 and r.header("Retry-After"), r
            assert r.json()["error"]["code"] == -31503, r
            assert r.header("Connection") == "close", r
        assert len(left) == 6 - len(refused) >= 1
        assert site.up.heads == []
        for c in left:
            c.send(body[-1:])
            assert c.read_response().status == 200
    finally:
        for c in clients:
            c.close()
    assert site.ask(body=body).status == 200
    assert {len(q.body) for q in site.up.requests} == {len(body)}


def test_buffered_chunked(site):
    """The same without lengths."""
    body = message(MAX_BODY)
    clients = [site.gw.client() for _ in range(6)]
    mark = site.gw.audit_mark()
    try:
        for c in clients:
            c.send(site.lines(["Transfer-Encoding: chunked"]) +
                   fu.chunk(body[:-1]))
        refused = site.gw.audit(lambda l: l["status"] == 503, 3, mark)
        assert len(refused) < 6, "nobody was let in"
        statuses = []
        for c in clients:
            try:
                c.send(fu.chunk(body[-1:]) + b"0\r\n\r\n")
            except OSError:         # refused, and closed behind that
                pass
            r = c.read_response()
            assert r.status == 200 or r.header("Retry-After"), r
            statuses.append(r.status)
        # one more may have been on its way to be refused
        assert set(statuses) == {200, 503}, statuses
    finally:
        for c in clients:
            c.close()
    assert site.ask(body=body).status == 200


@pytest.mark.parametrize("fields", [["Content-Length: %d" % MIB],
                                    ["Transfer-Encoding: chunked"]])
def test_buffered_equals_max_body(fields):
    """One alone always has room."""
    for s in proxy_site.serve({"limits": {"max_body": "1MiB",
                                          "buffered": "1MiB"}}):
        for _ in range(2):
            with s.gw.client() as c:
                body = message(MIB)
                c.send(s.lines(fields))
                c.send(body if "Length" in fields[0] else chunks(body))
                assert c.read_response().status == 200


def test_buffered_at_the_upstream(site):
    """A body counts until the upstream has taken it."""
    go = threading.Event()
    site.up.answer = fu.after(go)
    body = message(MAX_BODY)
    clients = [site.gw.client() for _ in range(3)]
    try:
        for n, c in enumerate(clients, 1):
            c.send(c.build("POST", "/mcp", site.headers(), body))
            site.up.wait_requests(n)    # taken: there is room for more
        go.set()
        for c in clients:
            assert c.read_response().status == 200
    finally:
        for c in clients:
            c.close()


# -- max_connections ---------------------------------------------------------

@pytest.fixture
def few():
    yield from proxy_site.serve(
        {"limits": {"max_connections": CONNECTIONS}})


def test_max_connections(few):
    """One more than may be is served soon: who was idle longest gives way."""
    clients = [few.gw.client() for _ in range(CONNECTIONS)]
    for c in clients[1:] + clients[:1]:
        assert few.ask(client=c).status == 200
    with few.gw.client() as late:
        assert few.ask(client=late, body=gw.rpc(id="late")).status == 200
        clients.pop(1).wait_close()
        for c in clients:
            assert few.ask(client=c).status == 200
            c.close()
    assert few.gw.get("/readyz").status == 200


def test_max_connections_many_wait(few):
    """All who wait are served in the end, each once."""
    go = threading.Event()
    few.up.answer = fu.after(go)
    clients = [few.gw.client() for _ in range(CONNECTIONS * 5)]
    for i, c in enumerate(clients):
        c.send(c.build("POST", "/mcp", few.headers(
            {"Connection": "close"}), json.dumps(gw.rpc(id=i)).encode()))
    few.up.wait_requests(CONNECTIONS)
    go.set()
    for i, c in enumerate(clients):
        r = c.read_response()
        assert r.status == 200 and r.json()["id"] == i, r
        c.close()
    assert sorted(q.id for q in few.up.requests) == list(range(len(clients)))


# -- slow clients ------------------------------------------------------------

def answered(c, wait=0.02):
    """Is there something to read, now or in a moment?"""
    return bool(select.select([c.sock], [], [], wait)[0])


@contextlib.contextmanager
def within(least, most=5):
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert least <= took <= most, "took %.3f s" % took


@pytest.mark.parametrize("sent", [
    b"P", b"POST /mcp HTTP/1.1\r\n", b"POST /mcp HTTP/1.1\r\nHost: x\r\n\r"])
def test_header_timeout(hasty, sent):
    mark = hasty.gw.audit_mark()
    with hasty.gw.client() as c, within(T * 0.9):
        c.send(sent)
        r = c.read_response()
        assert r.header("Connection") == "close", r
        c.wait_close()
    hasty.refused(r, mark, 408)


def test_header_timeout_is_for_the_whole(hasty):
    """A byte now and then does not extend it."""
    with hasty.gw.client() as c, within(T * 0.9, 3):
        with contextlib.suppress(OSError, rawhttp.Timeout):
            c.send(b"POST /mcp HTTP/1.1\r\nX: ")
            while not answered(c):
                c.send(b"x")
        assert c.read_response().status == 408


def test_silent_connection(hasty):
    """Nothing asked, nothing answered, nothing recorded."""
    mark = hasty.gw.audit_mark()
    with hasty.gw.client() as c, within(T * 0.9):
        c.wait_close()
    assert hasty.gw.audit_lines(mark) == []


@pytest.mark.parametrize("tail", [b"\r", b"\r\n"])
def test_empty_line_and_silence(hasty, tail):
    """Some send an empty line behind a request: that begins no other."""
    with hasty.gw.client() as c:
        assert hasty.ask(client=c).status == 200
        mark = hasty.gw.audit_mark()
        with within(T * 0.9):
            c.send(tail)
            c.wait_close()
    assert hasty.gw.audit_lines(mark) == []


@pytest.mark.parametrize("fields,sent", [
    (["Content-Length: 100"], b""), (["Content-Length: 100"], b'{"js'),
    (["Transfer-Encoding: chunked"], b""),
    (["Transfer-Encoding: chunked"], b"50\r\n{"),
    (["Content-Length: 100", "Expect: 100-continue"], b"")])
def test_body_timeout(hasty, fields, sent):
    mark = hasty.gw.audit_mark()
    with hasty.gw.client() as c, within(T * 0.9):
        c.send(hasty.lines(fields) + sent)
        r = c.read_response()
        assert r.header("Connection") == "close", r
        c.wait_close()
    hasty.refused(r, mark, 408)
    assert hasty.up.heads == []


def test_body_timeout_is_for_the_whole(hasty):
    with hasty.gw.client() as c, within(T * 0.9, 3):
        with contextlib.suppress(OSError, rawhttp.Timeout):
            c.send(hasty.lines(["Content-Length: 10000"]))
            while not answered(c):
                c.send(b"x")
        assert c.read_response().status == 408


def test_keepalive_timeout(hasty):
    with hasty.gw.client() as c:
        for _ in range(3):
            assert hasty.ask(client=c).status == 200
        with within(T * 0.9):
            c.wait_close()


def test_keepalive_timeout_after_a_refusal(hasty):
    """Also when the rest of a refused body had to be read first."""
    with hasty.gw.client() as c:
        raw = hasty.lines(["Content-Length: 1000"], "PUT /mcp HTTP/1.1")
        c.send(raw)
        assert c.read_response().status == 405
        c.send(b"x" * 1000)
        with within(T * 0.8):
            c.wait_close()


def test_refused_body_that_never_comes(hasty):
    """The connection is not kept for it."""
    with hasty.gw.client() as c, within(T * 0.9):
        c.send(hasty.lines(["Content-Length: 1000"], "PUT /mcp HTTP/1.1"))
        assert c.read_response().status == 405
        c.wait_close()


def test_client_takes_nothing(hasty):
    """An answer that nobody reads is given up."""
    over = threading.Event()

    def answer(conn, req):
        try:
            conn.send(fu.SSE_HEAD)
            while True:
                conn.send(fu.chunk(b"data: %s\n\n" % (b"x" * 65000)))
        finally:
            over.set()
    hasty.up.script(answer)
    mark = hasty.gw.audit_mark()
    with hasty.gw.client(rcvbuf=4096) as c:
        c.send(c.build("POST", "/mcp", hasty.headers(),
                       json.dumps(gw.rpc()).encode()))
        assert over.wait(10), "kept for ever"
    line, = hasty.gw.audit(since=mark)
    assert line["action"] == "aborted", line


# -- slow upstreams ----------------------------------------------------------

def test_upstream_response(hasty):
    hasty.up.script(fu.hang())
    mark = hasty.gw.audit_mark()
    with hasty.gw.client() as c:
        with within(T * 0.9):
            r = hasty.ask(client=c)
        line = hasty.refused(r, mark, 504, -31504, (1,))
        assert line["latency_ms"] >= T * 900, line
        assert hasty.up.requests[0].conn.peer_closed.wait(5)
        assert hasty.ask(client=c).status == 200
    assert len(hasty.up.requests) == 2, "the request was sent twice"


@pytest.mark.parametrize("sent", [
    b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_upstream_response_half_a_head(hasty, sent):
    def answer(conn, req):
        conn.send(sent)
        conn.wait_peer_close()
        conn.close()
    hasty.up.script(answer)
    mark = hasty.gw.audit_mark()
    with within(T * 0.9):
        r = hasty.ask()
    hasty.refused(r, mark, 504, -31504, (1,))


def test_upstream_response_interim_for_ever(hasty):
    """1xx do not extend it."""
    def answer(conn, req):
        while not conn.peer_closed.is_set():
            conn.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            conn.pause(0.02)
        conn.close()
    hasty.up.script(answer)
    mark = hasty.gw.audit_mark()
    with within(T * 0.9):
        r = hasty.ask()
    hasty.refused(r, mark, 504, -31504, (1,))


def test_upstream_response_drips(hasty):
    """Nor does a byte of the head now and then."""
    def answer(conn, req):
        conn.send(b"HTTP/1.1 200 OK\r\nX: ")
        while not conn.peer_closed.is_set():
            conn.send(b"x")
            conn.pause(0.02)
        conn.close()
    hasty.up.script(answer)
    mark = hasty.gw.audit_mark()
    with within(T * 0.9):
        r = hasty.ask()
    hasty.refused(r, mark, 504, -31504, (1,))


def test_upstream_stalls_in_its_answer(hasty):
    """The client sees that it is not whole."""
    def answer(conn, req):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 100\r\n\r\n{")
        conn.wait_peer_close()
        conn.close()
    hasty.up.script(answer)
    mark = hasty.gw.audit_mark()
    with within(T * 0.9), pytest.raises(rawhttp.Truncated):
        hasty.ask()
    line, = hasty.gw.audit(since=mark)
    assert line["action"] == "error" and line["status"] == 200, line
    assert line["error"], line


def test_upstream_slow_but_steady(hasty):
    """The limit is on silence, not on the whole."""
    def answer(conn, req):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            conn.pause(T / 10)
            conn.send(b"x")
    hasty.up.script(answer)
    with within(T * 1.5):
        assert hasty.ask().body == b"x" * 20


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_silent_stream(hasty, method):
    """Once its head is there a stream may be silent; no timeout of ours ends
    it, on either side."""
    go = threading.Event()

    def answer(conn, req):
        conn.send(fu.SSE_HEAD)
        conn.wait(go)
        conn.send(fu.chunk(fu.event({"n": 1})) + b"0\r\n\r\n")
    hasty.up.script(answer)
    with hasty.gw.client() as c:
        c.send(c.build(method, "/mcp", hasty.headers(), json.dumps(
            gw.rpc()).encode() if method == "POST" else None))
        assert c.read_head(method).status == 200
        # three requests that time out, one after the other
        hasty.up.answer = fu.hang()
        for _ in range(3):
            assert hasty.ask().status == 504
        go.set()
        assert [e.json() for e in c.events()] == [{"n": 1}]


def test_stream_idle():
    """Where it is set, silence ends a stream; events keep it."""
    s = proxy_site.ProxySite({"timeouts": {"stream_idle": "300ms"}})

    def answer(conn, req):
        conn.send(fu.SSE_HEAD)
        for n in range(10):
            conn.pause(T / 5)
            conn.send(fu.chunk(fu.event({"n": n})))
        conn.wait_peer_close()
        conn.close()
    try:
        s.start()
        s.up.script(answer)
        mark = s.gw.audit_mark()
        with s.gw.client() as c, within(T * 2.5):
            c.send(c.build("GET", "/mcp", s.headers()))
            assert c.read_head("GET").status == 200
            got = []
            with contextlib.suppress(rawhttp.Truncated):
                for e in c.events():
                    got.append(e.json()["n"])
            assert got == list(range(10))
        assert s.up.requests[0].conn.peer_closed.wait(5)
        line, = s.gw.audit(since=mark)
        assert line["transport"] == "stream", line
    finally:
        s.stop()


def test_upstream_connect():
    """An upstream that does not accept: its queue is full."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    port = full.getsockname()[1]
    waiting = []
    try:
        for _ in range(4):
            w = socket.socket()
            w.setblocking(False)
            w.connect_ex(("127.0.0.1", port))
            waiting.append(w)
        gen = proxy_site.serve({
            "upstreams": [{"name": "up",
                           "url": "http://127.0.0.1:%d/mcp" % port}],
            "timeouts": {"upstream_connect": "300ms"}})
        s = next(gen)
        try:
            mark = s.gw.audit_mark()
            with within(T * 0.9, 3):
                r = s.ask()
            s.refused(r, mark, 504, -31504, (1,))
        finally:
            gen.close()
    finally:
        for w in waiting:
            w.close()
        full.close()


def test_upstream_takes_nothing(hasty):
    """It accepts, but does not read: not for ever."""
    class Deaf(fu.Upstream):
        def serve(self, conn):
            conn.hold()
            conn.wait_peer_close()

    with Deaf(rcvbuf=4096) as deaf:
        s = proxy_site.ProxySite({
            "upstreams": [{"name": "up", "url": deaf.url}],
            "timeouts": {"upstream_response": "300ms"}})
        try:
            s.start()
            mark = s.gw.audit_mark()
            with within(T * 0.9):
                r = s.ask(body=message(4 * MIB - 1))
            s.refused(r, mark, 504, -31504, (1,))
        finally:
            s.stop()
