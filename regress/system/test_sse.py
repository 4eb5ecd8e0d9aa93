"""Event streams: as they come, byte for byte, for long, to slow readers.

What a stream carries is compared as bytes: the gateway looks into events but
changes none.  Memory is that of the worker, from /proc/<pid>/smaps_rollup."""

import ctypes
import hashlib
import json
import os
import pathlib
import queue
import random
import re
import signal
import socket
import struct
import threading
import time

import pytest

import fake_upstream as fu
import gw
import proxy_site
import rawhttp
from proxy_site import fresh, site  # noqa: F401

MIB = 1 << 20
# what is freed must count as free in a build with AddressSanitizer, too
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0:quarantine_size_mb=1")


def start(site, c, method="POST", body=None, headers=()):
    """Send a request, read the head of its stream."""
    if method == "POST":
        body = json.dumps(body or gw.call("x", 7)).encode()
    c.send(c.build(method, "/mcp", site.headers(headers), body))
    r = c.read_head(method)
    assert r.status == 200, r
    assert r.header("Content-Type") == "text/event-stream", r
    assert r.framing == "chunked", r
    return r


def progress(n):
    return {"jsonrpc": "2.0", "method": "notifications/progress",
            "params": {"progressToken": 1, "progress": n}}


ANSWER = {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}


# -- as they come ------------------------------------------------------------

@pytest.mark.parametrize("method", ["POST", "GET"])
def test_as_they_come(site, method):
    """Each event is at the client before the upstream sends the next."""
    feed = queue.Queue()
    site.up.script(fu.sse_open(feed=feed))
    with site.gw.client() as c:
        start(site, c, method)
        events = c.events(10)
        for n in range(50):
            feed.put(fu.event(progress(n), id=n))
            e = next(events)
            assert e.json() == progress(n) and e.id == str(n), e
        feed.put(None)
        assert list(events) == []
        assert site.ask(client=c).status == 200


def test_part_of_an_event(site):
    """Nothing waits for an event to be whole."""
    feed = queue.Queue()
    site.up.script(fu.sse_open(feed=feed))
    with site.gw.client() as c:
        start(site, c)
        for part in (b": ", b"hello\n", b"\n", b"da", b"ta: {", b"}\n\n"):
            feed.put(part)
            got = b""
            while len(got) < len(part):
                got += c.read_some(10)
            assert got == part
        feed.put(None)
        assert c.read_body() == b""


def test_two_streams_and_requests_between(site):
    feeds = [queue.Queue(), queue.Queue()]
    site.up.script(*[fu.sse_open(feed=f) for f in feeds])
    with site.gw.client() as a, site.gw.client() as b:
        start(site, a, "GET")
        start(site, b)
        ea, eb = a.events(10), b.events(10)
        for n in range(10):
            feeds[0].put(fu.event({"a": n}))
            assert next(ea).json() == {"a": n}
            assert site.ask().status == 200
            feeds[1].put(fu.event({"b": n}))
            assert next(eb).json() == {"b": n}
        for f in feeds:
            f.put(None)
        assert list(ea) == list(eb) == []


# -- the audit line ----------------------------------------------------------

def test_line_before_the_answer(site):
    """It is there when the event with the response comes, not when others
    do, though the stream goes on."""
    feed = queue.Queue()
    site.up.script(fu.sse_open(feed=feed))
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        start(site, c)
        events = c.events(10)
        sly = [progress(1), {"jsonrpc": "2.0", "id": 7, "method": "roots/list",
                             "params": {"result": {}, "error": {}}},
               {"jsonrpc": "2.0", "method": "n", "params": {"result": 1}}]
        for doc in sly:
            feed.put(fu.event(doc))
            assert next(events).json() == doc
            assert site.gw.audit_lines(mark) == []
        feed.put(fu.event(ANSWER))
        assert next(events).json() == ANSWER
        line = site.gw.audit_one(mark)
        assert line["action"] == "allow" and line["transport"] == "sse", line
        assert line["tool"] == "echo" and line["status"] == 200, line
        feed.put(fu.event(progress(2)))
        assert next(events).json() == progress(2)
        feed.put(None)
        assert list(events) == []
    assert len(site.gw.audit_lines(mark)) == 1


def test_line_of_a_get_stream(site):
    feed = queue.Queue()
    site.up.script(fu.sse_open(feed=feed))
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        start(site, c, "GET")
        feed.put(fu.event(progress(1)))
        next(c.events(10))
        assert site.gw.audit_lines(mark) == []
        feed.put(None)
        assert c.read_body() == b""
        line = site.gw.audit_one(mark)
    assert line["transport"] == "stream" and line["action"] == "allow", line
    assert line["bytes_out"] == len(fu.event(progress(1))), line


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("answered", [False, True])
def test_upstream_dies(site, answered, end):
    """The client sees that the end is missing."""
    read = threading.Event()

    def answer(conn, req):
        conn.send(fu.SSE_HEAD + fu.chunk(fu.event(
            ANSWER if answered else progress(1))))
        conn.wait(read)
        conn.close() if end == "close" else conn.reset()
    site.up.script(answer)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        start(site, c)
        assert c.read_some(10)
        read.set()
        with pytest.raises(rawhttp.Truncated):
            c.read_body()
    line, = site.gw.audit(since=mark)
    assert line["action"] == ("allow" if answered else "error"), line


# -- byte for byte -----------------------------------------------------------

def ten_minutes(n=6000, seed=1):
    """n events as a server would send in ten minutes, of every form."""
    rnd = random.Random(seed)
    out = []
    for i in range(n):
        kind = rnd.randrange(8)
        nl = rnd.choice(["\n", "\n", "\n", "\r\n", "\r"])
        if kind == 0:
            text = ": keep-alive %d" % i + nl
        elif kind == 1:
            text = "retry: %d%sdata:%s" % (i, nl, nl)
        elif kind == 2:
            text = "event: x%sdata: one%sdata:two%sid%s" % (nl, nl, nl, nl)
        elif kind == 3:
            text = "id: %d%sdata: \u00e4\u4e2d\U0001f600%s" % (i, nl, nl)
        else:
            text = "id: %d%sdata: %s%s" % (i, nl, json.dumps(dict(
                progress(i), pad="p" * rnd.randrange(300))), nl)
        out.append((text + nl).encode())
    return out


@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("method,pieces", [
    ("POST", "event"), ("POST", "odd"), ("POST", "bytes"), ("GET", "odd")])
def test_ten_minutes(site, method, pieces, framing):
    """6000 events, cut anywhere into chunks: order and bytes the same."""
    events = ten_minutes(600 if pieces == "bytes" else 6000)
    sent = b"".join(events)
    rnd = random.Random(2)

    def cut():
        if pieces == "event":
            yield from events
            return
        at = 0
        while at < len(sent):
            n = 1 if pieces == "bytes" else rnd.randrange(1, 3000)
            yield sent[at:at + n]
            at += n

    def answer(conn, req):
        if framing == "chunked":
            conn.send(fu.SSE_HEAD)
        else:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream"
                      b"\r\n\r\n")
        for p in cut():
            conn.send(fu.chunk(p) if framing == "chunked" else p)
        if framing == "chunked":
            conn.send(b"0\r\n\r\n")
        else:
            conn.close()
    site.up.script(answer)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        start(site, c, method)
        got = c.read_body(30)
        assert len(got) == len(sent) and got == sent
        assert site.gw.audit_one(mark)["bytes_out"] == len(sent)
        assert site.ask(client=c).status == 200


def test_content_type_with_parameters(site):
    """An event stream by any spelling: its line comes with the response."""
    def answer(conn, req):
        conn.send(fu.SSE_HEAD.replace(
            b"text/event-stream", b"Text/Event-Stream ; charset=utf-8"))
        conn.send(fu.chunk(fu.event(ANSWER)))
        conn.wait_peer_close()
        conn.close()
    site.up.script(answer)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", site.headers(),
                       json.dumps(gw.call("x", 7)).encode()))
        assert c.read_head().status == 200
        assert next(c.events(10)).json() == ANSWER
        assert site.gw.audit_one(mark)["transport"] == "sse"


def test_large_event(site):
    """One event of 20 MiB: neither refused nor held back."""
    doc = dict(ANSWER, result={"text": "t" * (20 * MIB)})
    site.up.script(fu.sse([doc], final=False))
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        start(site, c)
        data = hashlib.sha256(c.read_body(30)).digest()
    assert data == hashlib.sha256(fu.event(doc)).digest()
    assert site.gw.audit_one(mark)["action"] == "allow"


# -- comments in silence -----------------------------------------------------

BEAT = b":\n\n"


@pytest.fixture(scope="module")
def beating():
    yield from proxy_site.serve({"timeouts": {"sse_keepalive": "100ms"}})


@pytest.fixture
def beat(beating):
    beating.fresh()
    mark = beating.gw.audit_mark()
    yield beating
    # streams that the test left get their lines before the next test begins
    beating.gw.audit(n=len(beating.up.requests), since=mark)


def read_n(c, n, timeout=10):
    got = b""
    while len(got) < n:
        more = c.read_some(timeout)
        assert more, "the stream ends after %r" % got
        got += more
    return got


def begin(s, c, method="POST", line="%s /mcp HTTP/1.1"):
    body = json.dumps(gw.call("x", 7)).encode() if method == "POST" else b""
    fields = ["Content-Length: %d" % len(body)] if body else []
    c.send(s.lines(fields, line % method) + body)
    r = c.read_head(method)
    assert r.status == 200, r
    return r


def fed(feed, head=fu.SSE_HEAD, chunked=True):
    """An event stream of these bytes; None ends it."""
    def answer(conn, req):
        conn.send(head)
        while True:
            try:
                data = feed.get(timeout=0.05)
            except queue.Empty:
                if conn.peer_closed.is_set():
                    conn.close()
                    return
                continue
            if data is None:
                break
            conn.send(fu.chunk(data) if chunked else data)
        if chunked:
            conn.send(b"0\r\n\r\n")
        elif b"Content-Length" not in head:
            conn.close()
    return answer


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_comments_in_silence(beat, method):
    """Before the first event, between events, after the response."""
    feed = queue.Queue()
    beat.up.script(fed(feed))
    mark = beat.gw.audit_mark()
    with beat.gw.client() as c:
        start(beat, c, method)
        for doc in (progress(1), ANSWER, progress(2)):
            assert read_n(c, 6) == BEAT * 2
            feed.put(fu.event(doc))
            got = b""
            while not got.endswith(fu.event(doc)):
                got += read_n(c, 1)
            assert got.replace(BEAT, b"") == fu.event(doc), got
        feed.put(None)
        assert c.read_body().replace(BEAT, b"") == b""
        line = beat.gw.audit_one(mark)
        assert beat.ask(client=c).status == 200
    wanted = [fu.event(d) for d in (progress(1), ANSWER, progress(2))]
    if method == "POST":
        wanted = wanted[:2]     # the line comes with the response
    assert line["bytes_out"] == len(b"".join(wanted)), line
    assert line["action"] == "allow", line


# (what the upstream has sent, whether a comment may stand behind it)
PENDING = {
    "field": (b"d", False), "data": (b"data: 1", False),
    "line": (b"data: 1\n", False), "line-crlf": (b"data: 1\r\n", False),
    "half-crlf": (b"data: 1\r\n\r", False), "id": (b"id: 1\n", False),
    "event": (b"event: x\n", False), "retry": (b"retry: 1\n", False),
    "second": (b"data: 1\n\ndata: 2\n", False),
    "comment-open": (b": x", False),
    "comment-in-event": (b"data: 1\n: x\n", False),
    "mark-half": (b"\xef\xbb", False),
    "comment-line": (b": x\n", True), "empty": (b"\n", True),
    "whole": (b"data: 1\n\n", True), "whole-crlf": (b"id\r\n\r\n", True),
    "whole-cr": (b"data: 1\r\r", True), "mark": (b"\xef\xbb\xbf", True),
}


@pytest.mark.parametrize("case", PENDING)
def test_comments_between_events_only(beat, case):
    """However long the upstream is silent inside an event, nothing is put
    there.  Another stream, that began with it, tells when time is up."""
    text, allowed = PENDING[case]
    feed, other = queue.Queue(), queue.Queue()
    beat.up.script(fed(feed), fed(other))
    with beat.gw.client() as c, beat.gw.client() as clock:
        start(beat, c)
        feed.put(text)
        got = read_n(c, len(text))
        while got.startswith(BEAT):     # from before the first byte
            got = got[len(BEAT):] + read_n(c, len(BEAT))
        assert got == text
        start(beat, clock)
        assert read_n(clock, 9) == BEAT * 3
        feed.put(b"data: z\n\n")
        got = b""
        while b"data: z\n\n" not in got:
            got += read_n(c, 1)
        assert got.replace(BEAT, b"") == b"data: z\n\n", got
        assert got.startswith(BEAT) == allowed, got
        feed.put(None)
        other.put(None)


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_comment_before_a_byte_order_mark(beat, cut):
    """The mark is one at the start of a stream alone: behind a comment it
    would be a part of the first line."""
    feed = queue.Queue()
    sent = b"\xef\xbb\xbf" + fu.event(ANSWER)
    beat.up.script(fed(feed))
    mark = beat.gw.audit_mark()
    with beat.gw.client() as c:
        start(beat, c)
        assert read_n(c, 3) == BEAT
        for part in (sent[:cut], sent[cut:]):
            if part:
                feed.put(part)
        feed.put(None)
        assert c.read_body().replace(BEAT, b"") == sent[3:]
    assert beat.gw.audit_one(mark)["action"] == "allow"


@pytest.mark.parametrize("how", ["http-1.0", "close"])
def test_comments_without_chunks(beat, how):
    """Framed by the end of the connection, on either side."""
    feed = queue.Queue()
    head = fu.SSE_HEAD if how == "http-1.0" else \
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    beat.up.script(fed(feed, head, how == "http-1.0"))
    with beat.gw.client() as c:
        r = begin(beat, c, "POST", "%s /mcp HTTP/1.0"
                    if how == "http-1.0" else "%s /mcp HTTP/1.1")
        assert r.framing == ("close" if how == "http-1.0" else "chunked"), r
        assert read_n(c, 6) == BEAT * 2
        feed.put(fu.event(ANSWER))
        feed.put(None)
        assert c.read_body().replace(BEAT, b"") == fu.event(ANSWER)


@pytest.mark.parametrize("kind", ["length", "gzip", "json"])
def test_no_comments(beat, kind):
    """Not where they would be counted, decoded, or no comments."""
    body = b"data: 12345678\n\n"
    head = {"length": b"Content-Type: text/event-stream\r\n"
                      b"Content-Length: %d\r\n\r\n" % (len(body) * 2),
            "gzip": b"Content-Type: text/event-stream\r\nContent-Encoding: "
                    b"gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
            "json": b"Content-Type: application/json\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n"}[kind]
    feed, other = queue.Queue(), queue.Queue()
    beat.up.script(fed(feed, b"HTTP/1.1 200 OK\r\n" + head,
                       kind != "length"), fed(other))
    with beat.gw.client() as c, beat.gw.client() as clock:
        begin(beat, c)
        feed.put(body)
        got = read_n(c, len(body))
        start(beat, clock)
        assert read_n(clock, 9) == BEAT * 3
        feed.put(body)
        if kind != "length":
            feed.put(None)
        assert got + c.read_body() == body * 2
        feed.put(None)
        other.put(None)


def test_line_of_a_coded_stream(beat):
    """Nobody sees which event is the response: the line precedes them all."""
    feed = queue.Queue()
    beat.up.script(fed(feed, fu.SSE_HEAD.replace(
        b"\r\n\r\n", b"\r\nContent-Encoding: br\r\n\r\n")))
    mark = beat.gw.audit_mark()
    with beat.gw.client() as c:
        r = start(beat, c)
        assert r.header("Content-Encoding") == "br", r
        line = beat.gw.audit_one(mark)
        assert line["action"] == "allow" and line["transport"] == "sse", line
        feed.put(b"\x0b\x02\x80")
        feed.put(None)
        assert c.read_body() == b"\x0b\x02\x80"
    assert len(beat.gw.audit_lines(mark)) == 1


def test_comments_switched_off():
    s = proxy_site.ProxySite({"timeouts": {
        "sse_keepalive": "off", "stream_idle": "600ms"}})
    try:
        s.start()
        s.up.script(fu.sse_open())
        with s.gw.client() as c:
            start(s, c)
            # silent until stream_idle ends it
            with pytest.raises(rawhttp.Truncated):
                assert c.read_some(10) == b"", "bytes out of nowhere"
        assert s.up.requests[0].conn.peer_closed.wait(5)
    finally:
        s.stop()


def vanish(c):
    """From now on the client's host drops what comes: no ACK, no RST."""
    code = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    try:
        c.sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack(
            "HL", 1, ctypes.addressof(code)))   # SO_ATTACH_FILTER: ret #0
    except PermissionError:
        if os.getuid() == 0:
            raise
        pytest.skip("needs root to filter packets")
    c.filter = code


@pytest.mark.parametrize("keepalive", ["100ms", "off"])
def test_client_that_vanished(keepalive):
    """Only who is spoken to can be missed."""
    s = proxy_site.ProxySite({"timeouts": {
        "sse_keepalive": keepalive, "keepalive": "1s"}})
    try:
        s.start()
        s.up.script(fu.sse_open())
        mark = s.gw.audit_mark()
        with s.gw.client() as c:
            start(s, c)
            conn = s.up.wait_request().conn
            vanish(c)
            if keepalive == "off":
                assert not conn.peer_closed.wait(3)
                return
            assert conn.peer_closed.wait(10), "nobody noticed"
            line, = s.gw.audit(since=mark)
            assert line["action"] == "aborted", line
    finally:
        s.stop()


# -- slow readers ------------------------------------------------------------

def rss(pid):
    """Bytes of resident memory."""
    text = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
    return int(re.search(r"^Rss:\s+(\d+) kB", text, re.M)[1]) << 10


class Flood:
    """An upstream's answer of size bytes, as fast as it is taken."""

    def __init__(self, size, head=fu.SSE_HEAD):
        self.size = size
        self.head = head
        self.sent = 0
        self.sum = hashlib.sha256()
        self.over = threading.Event()

    def __call__(self, conn, req):
        block = b"data: %s\n\n" % (b"x" * 65500)
        n = 0
        conn.send(self.head)
        try:
            while self.sent < self.size:
                event = b"id: %d\n" % n + block
                n += 1
                self.sum.update(event)
                conn.send(fu.chunk(event))
                self.sent += len(event)
            conn.send(b"0\r\n\r\n")
        finally:
            self.over.set()

    def wait_stall(self, quiet=0.3, timeout=20):
        """Wait until nothing more is taken for a while."""
        deadline = time.monotonic() + timeout
        last, since = -1, time.monotonic()
        while time.monotonic() - since < quiet:
            assert time.monotonic() < deadline, "it never stalls"
            assert not self.over.is_set(), "all of it was taken"
            if self.sent != last:
                last, since = self.sent, time.monotonic()
            time.sleep(0.01)
        return self.sent


def test_slow_reader(site):
    """200 MiB to a client that does not read: the upstream has to wait, the
    worker keeps little; then all of it arrives."""
    pid, = site.gw.workers()
    flood = Flood(200 * MIB)
    assert site.ask().status == 200
    before = rss(pid)
    site.up.script(flood)
    with site.gw.client(rcvbuf=65536) as c:
        start(site, c)
        stalled = flood.wait_stall()
        assert stalled < 60 * MIB, "taken without a reader: %d" % stalled
        grown = rss(pid) - before
        assert grown < 4 * MIB, "the worker grew by %d KiB" % (grown >> 10)
        assert site.ask().status == 200     # others are served
        got, digest, peak = 0, hashlib.sha256(), 0
        while True:
            data = c.read_some(20)
            if not data:
                break
            digest.update(data)
            if got >> 24 != (got + len(data)) >> 24:
                peak = max(peak, rss(pid))
            got += len(data)
    assert flood.over.wait(10)
    assert got == flood.sent and digest.digest() == flood.sum.digest()
    assert peak - before < 4 * MIB, "grew by %d KiB" % ((peak - before) >> 10)


def test_many_slow_readers(site):
    """Each costs its share, not more."""
    pid, = site.gw.workers()
    assert site.ask().status == 200
    before = rss(pid)
    floods = [Flood(100 * MIB) for _ in range(10)]
    site.up.script(*floods)
    clients = [site.gw.client(rcvbuf=4096) for _ in floods]
    for c in clients:
        start(site, c)
    floods[0].wait_stall()
    for f in floods:
        f.wait_stall(0.1)
    grown = rss(pid) - before
    assert grown < 10 * MIB, "the worker grew by %d KiB" % (grown >> 10)
    for c in clients:
        c.close()
    for f in floods:
        assert f.over.wait(10), "the upstream does not see the close"
    assert site.ask().status == 200


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"])
def test_slow_reader_of_json(site, head):
    """Back-pressure is not for event streams alone."""
    pid, = site.gw.workers()
    assert site.ask().status == 200
    before = rss(pid)
    flood = Flood(100 * MIB, head)
    site.up.script(flood)
    with site.gw.client(rcvbuf=65536) as c:
        c.send(c.build("POST", "/mcp", site.headers(),
                       json.dumps(gw.rpc()).encode()))
        assert c.read_head().status == 200
        flood.wait_stall()
        grown = rss(pid) - before
        assert grown < 4 * MIB, "the worker grew by %d KiB" % (grown >> 10)
    assert flood.over.wait(10), "the upstream does not see the close"


def test_reader_in_steps(site):
    """Stops and goes many times without losing a byte or the stream."""
    flood = Flood(24 * MIB)
    site.up.script(flood)
    got, digest, steps = 0, hashlib.sha256(), 0
    with site.gw.client(rcvbuf=16384) as c:
        start(site, c)
        while not flood.over.is_set() and steps < 5:
            if flood.size - flood.sent > 12 * MIB:
                flood.wait_stall()
                steps += 1
            for _ in range(100):
                data = c.read_some(20)
                digest.update(data)
                got += len(data)
        rest = c.read_body(30)
        digest.update(rest)
        got += len(rest)
    assert steps >= 1
    assert got == flood.sent and digest.digest() == flood.sum.digest()


# -- the end -----------------------------------------------------------------

def ask_slowly(s, c, id):
    """A request that the upstream holds; the Request."""
    c.send(c.build("POST", "/mcp", s.headers(),
                   json.dumps(gw.rpc(id=id)).encode()))
    return s.up.wait_request(lambda r: r.id == id)


@pytest.mark.parametrize("reloaded", [False, True])
def test_end_of_the_gateway(reloaded):
    """SIGTERM ends standalone streams cleanly and lets a call finish; also
    those that an older generation still has."""
    s = proxy_site.ProxySite()
    go = threading.Event()
    try:
        s.start()
        s.up.script(fu.sse_open(), fu.after(go))
        with s.gw.client() as stream, s.gw.client() as call:
            start(s, stream, "GET")
            ask_slowly(s, call, 3)
            if reloaded:
                s.gw.reload()
            s.gw.signal(signal.SIGTERM)
            assert stream.read_body(10) == b""      # whole, not cut off
            go.set()
            r = call.read_response()
            assert r.status == 200 and r.json()["id"] == 3, r
            assert r.header("Connection") == "close", r
        s.gw.proc.wait(10)
    finally:
        go.set()
        s.stop()


def test_end_of_a_subscription():
    """subscriptions/listen (2026-07-28) ends like a standalone stream, and
    with a response."""
    s = proxy_site.ProxySite({"drain_timeout": "60s"})
    try:
        s.start()
        s.up.script(fu.sse_open())
        mark = s.gw.audit_mark()
        with s.gw.client() as c:
            c.send(c.build("POST", "/mcp", s.headers([
                ("MCP-Protocol-Version", "2026-07-28"),
                ("Mcp-Method", "subscriptions/listen")]), json.dumps(
                    gw.rpc("subscriptions/listen", 4)).encode()))
            assert c.read_head().status == 200
            s.gw.signal(signal.SIGTERM)
            event = json.loads(c.read_body(10).split(b"data: ")[1])
            assert event["id"] == 4, event
            assert event["result"]["resultType"] == "complete", event
        s.gw.proc.wait(10)
        line = s.gw.audit_one(mark)
        assert line["action"] == "allow", line
        assert line["method"] == "subscriptions/listen", line
    finally:
        s.stop()


def test_listening_is_cancelled(site):
    """A client that closes the stream ends the subscription."""
    site.up.script(fu.sse_open())
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", site.headers([
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", "subscriptions/listen")]), json.dumps(
                gw.rpc("subscriptions/listen", 4)).encode()))
        assert c.read_head().status == 200
        up = site.up.wait_request().conn
    assert up.peer_closed.wait(10)


def test_stream_of_an_old_generation():
    """A reload leaves it as it is, comments and all, until drain_timeout; then
    it ends at a place where nothing is cut."""
    s = proxy_site.ProxySite({"drain_timeout": "2s", "timeouts": {
        "sse_keepalive": "100ms"}})
    feeds = [queue.Queue(), queue.Queue()]
    try:
        s.start()
        s.up.script(fed(feeds[0]), fed(feeds[1]))
        mark = s.gw.audit_mark()
        with s.gw.client() as get, s.gw.client() as post:
            start(s, get, "GET")
            start(s, post)
            s.gw.reload({"timeouts": {"sse_keepalive": "off"}})
            began = time.monotonic()
            for c, feed in ((get, feeds[0]), (post, feeds[1])):
                feed.put(fu.event(progress(1)))
                got = b""
                while not got.endswith(fu.event(progress(1)) + BEAT * 3):
                    got += read_n(c, 1)
                assert got.replace(BEAT, b"") == fu.event(progress(1)), got
            for c in (get, post):
                # Truncated, if it were cut off
                assert c.read_body(10).replace(BEAT, b"") == b""
                c.wait_close()
            assert time.monotonic() - began > 1
        lines = {x["transport"]: x for x in s.gw.audit(since=mark)}
        assert lines["stream"]["action"] == "allow", lines
        assert lines["sse"]["action"] == "aborted", lines
        assert lines["sse"]["error"] == "drain_timeout", lines
    finally:
        s.stop()


def test_second_sigterm():
    """Not to wait any longer: what has no answer yet gets 503."""
    s = proxy_site.ProxySite()
    try:
        s.start()
        s.up.script(fu.hang())
        with s.gw.client() as c:
            req = ask_slowly(s, c, 4)
            mark = s.gw.audit_mark()
            s.gw.signal(signal.SIGTERM)
            s.gw.wait_log("stopping")
            s.gw.signal(signal.SIGTERM)
            r = c.read_response()
            assert r.header("Connection") == "close", r
            s.refused(r, mark, 503, -31503, (4,))
            assert req.conn.peer_closed.wait(5)
    finally:
        s.stop()


def test_sigterm_with_a_refused_body():
    """Its rest is still read, and then the connection is closed."""
    s = proxy_site.ProxySite()
    try:
        s.start()
        with s.gw.client() as c:
            c.send(s.lines(["Content-Length: 1000"], "PUT /mcp HTTP/1.1"))
            assert c.read_response().status == 405
            s.gw.signal(signal.SIGTERM)
            s.gw.wait_log("stopping")
            c.send(b"x" * 1000)
            c.wait_close(5)
        s.gw.proc.wait(5)
    finally:
        s.stop()


def test_sigterm_with_slow_readers():
    """Who does not read holds up nobody."""
    s = proxy_site.ProxySite()
    floods = [Flood(100 * MIB) for _ in range(5)]
    clients = []
    try:
        s.start()
        s.up.script(*floods)
        for _ in floods:
            clients.append(s.gw.client(rcvbuf=2304))
            start(s, clients[-1])
        floods[0].wait_stall()
        s.gw.signal(signal.SIGTERM)
        s.gw.wait_log("stopping")
        s.gw.signal(signal.SIGTERM)
        s.gw.proc.wait(10)
        for f in floods:
            assert f.over.wait(5)
    finally:
        for c in clients:
            c.close()
        s.stop()
