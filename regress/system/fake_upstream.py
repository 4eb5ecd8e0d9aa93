"""A recording MCP server on raw sockets, whose answers the test scripts.

    with Upstream() as up:
        up.url                          # for upstreams: [{name, url}]
        up.answer = json_result({"tools": []})      # for every request
        up.script(sse(...), drop())     # one each for the next requests
        r = up.wait_request()           # the oldest one not yet taken
        r.raw, r.raw_head, r.raw_body   # exact bytes
        r.method, r.target, r.fields, r.header(n), r.body (decoded), r.json()
        r.conn                          # its UpConn; r.conn.peer_closed (Event)

An answer is a function of (conn, request), run in the connection's thread: it
writes with conn.send(bytes) and may wait with conn.pause(seconds),
conn.wait_peer_close(timeout) or an Event of the test with conn.wait(event).
After it returns, the connection is kept alive and the next request is read,
unless it called conn.close() or conn.reset().  Ready-made answers are the
functions at the end of this file.

A thread of its own reads each connection, so peer_closed is set as soon as the
gateway closes, whatever the answer is doing (unless conn.hold() stopped the
reading, to make back-pressure; conn.release() goes on).  Without a script the
server plays a small MCP server (default_answer).  connections counts accepted
connections; requests lists everything received; errors lists what was not
HTTP (the fixture asserts that it is empty, unless the test clears it).
"""

import json
import os
import queue
import re
import select
import threading
import time

import rawhttp
from rawserver import Conn, PeerClosed, RawServer


class Request:
    def __init__(self, conn, raw_head):
        self.conn = conn
        self.conn_number = conn.number
        self.raw_head = raw_head
        self.raw_body = b""
        self.body = b""
        first, self.fields = rawhttp.parse_head(raw_head)
        m = re.match(r"([!-~]+) ([!-~]+) (HTTP/1\.[01])\Z", first)
        if not m:
            raise rawhttp.Malformed("request line %r" % first)
        self.method, self.target, self.version = m.groups()
        self.framing = rawhttp.body_framing(self.fields)
        self.at = time.monotonic()
        self.taken = False

    @property
    def raw(self):
        return self.raw_head + self.raw_body

    def header(self, name, default=None):
        v = rawhttp.get_all(self.fields, name)
        assert len(v) <= 1, "repeated %s: %r" % (name, v)
        return v[0] if v else default

    def headers(self, name):
        return rawhttp.get_all(self.fields, name)

    def json(self):
        return json.loads(self.body)

    @property
    def id(self):
        try:
            return self.json().get("id")
        except (ValueError, AttributeError):
            return None

    @property
    def rpc_method(self):
        try:
            return self.json().get("method")
        except (ValueError, AttributeError):
            return None

    def __repr__(self):
        return "<%s %s on %d: %r>" % (self.method, self.target,
                                      self.conn_number, self.raw[:500])


class UpConn(Conn):
    def __init__(self, server, sock, number):
        super().__init__(server, sock, number)
        self.peer_closed = threading.Event()
        self.open = True
        self.received = 0           # bytes, ever
        self.requests = []
        self._buf = bytearray()
        self._cond = threading.Condition()
        self._holding = False
        self._ending = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        # Blocks in poll(2) alone, never in recv(2), so that close() and
        # reset() take effect at once.
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        while not self._ending:
            if self._holding:
                poll.register(self.sock, 0)
            else:
                poll.register(self.sock, select.POLLIN)
            ready = dict(poll.poll())
            if self._wake in ready:
                os.eventfd_read(self._wake)
                continue
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            with self._cond:
                if not data:
                    self.peer_closed.set()
                    self._cond.notify_all()
                    break
                self.received += len(data)
                self._buf += data
                self._cond.notify_all()

    def _end_reader(self):
        self._ending = True
        os.eventfd_write(self._wake, 1)
        self._reader.join(10)
        assert not self._reader.is_alive()

    def hold(self):
        """Read no more (one read that has begun may still end)."""
        self._holding = True
        os.eventfd_write(self._wake, 1)

    def release(self):
        self._holding = False
        os.eventfd_write(self._wake, 1)

    def wait(self, event, timeout=60):
        """Wait for an event of the test; PeerClosed when it does not come
        because the test ends."""
        deadline = time.monotonic() + timeout
        while not event.wait(0.05):
            if self.server.stopping.is_set():
                raise PeerClosed("the test is over")
            assert time.monotonic() < deadline, "the event never came"

    def wait_peer_close(self, timeout=60):
        deadline = time.monotonic() + timeout
        while not self.peer_closed.wait(0.05):
            if self.server.stopping.is_set():
                raise PeerClosed("the test is over")
            if time.monotonic() > deadline:
                raise PeerClosed("the peer does not close")

    def close(self):
        if self.open:
            self.open = False
            self._end_reader()
            os.close(self._wake)
        super().close()

    def reset(self):
        if self.open:
            self.open = False
            self._end_reader()
            os.close(self._wake)
        super().reset()

    def _need(self, cond, what):
        with self._cond:
            while not cond():
                if self.peer_closed.is_set():
                    if self._buf:
                        raise rawhttp.Truncated(
                            "the connection ended in %s: %r" %
                            (what, bytes(self._buf[:300])))
                    raise PeerClosed()
                self._cond.wait(0.5)
                if self.server.stopping.is_set():
                    raise PeerClosed()

    def _take(self, n):
        with self._cond:
            data = bytes(self._buf[:n])
            del self._buf[:n]
        return data

    def _take_line(self):
        self._need(lambda: b"\n" in self._buf, "a line")
        line = self._take(self._buf.index(b"\n") + 1)
        if not line.endswith(b"\r\n"):
            raise rawhttp.Malformed("bare LF in %r" % line)
        return line

    def read_request(self, on_head):
        self._need(lambda: b"\r\n\r\n" in self._buf, "a request head")
        req = Request(self, self._take(self._buf.index(b"\r\n\r\n") + 4))
        on_head(req)
        kind, length = req.framing
        if kind == "length":
            self._need(lambda: len(self._buf) >= length, "a request body")
            req.raw_body = req.body = self._take(length)
        elif kind == "chunked":
            parts = []
            while True:
                line = self._take_line()
                req.raw_body += line
                n = int(line.split(b";")[0], 16)
                if n == 0:
                    break
                self._need(lambda: len(self._buf) >= n + 2, "a chunk")
                chunk = self._take(n + 2)
                req.raw_body += chunk
                parts.append(chunk[:-2])
            while True:
                line = self._take_line()
                req.raw_body += line
                if line == b"\r\n":
                    break
            req.body = b"".join(parts)
        return req


class Upstream(RawServer):
    def __init__(self, answer=None, path="/mcp", **kw):
        self.answer = answer or default_answer
        self.path = path
        self.scripted = []
        self.requests = []
        self.heads = []             # Requests whose body may not be there yet
        # what the gateway itself asks, apart from all that
        self.asked = []
        self.spoken = discovered("2024-11-05", "2025-03-26", "2025-06-18",
                                 "2025-11-25", "2026-07-28")
        self.errors = []
        self.all_conns = []
        self._changed = threading.Condition()
        super().__init__(**kw)

    @property
    def url(self):
        return "http://127.0.0.1:%d%s" % (self.port, self.path)

    def script(self, *answers):
        """One answer each for the next requests, in the order they come."""
        with self._changed:
            self.scripted += answers

    def wait_requests(self, n, timeout=15):
        """Wait until n requests came in all; returns the list."""
        with self._changed:
            ok = self._changed.wait_for(
                lambda: len(self.requests) >= n, timeout)
            got = list(self.requests)
        assert ok, "%d requests at the upstream after %g s, wanted %d: %r" % (
            len(got), timeout, n, got)
        return got

    def wait_request(self, pred=lambda r: True, timeout=15):
        """The oldest request not yet taken that satisfies pred."""
        def find():
            for r in self.requests:
                if not r.taken and pred(r):
                    return r
            return None
        with self._changed:
            ok = self._changed.wait_for(lambda: find() is not None, timeout)
            assert ok, "no such request at the upstream; had %r" % \
                self.requests
            r = find()
            r.taken = True
        return r

    def wait_connections(self, n, timeout=15):
        """Wait until n connections are open."""
        deadline = time.monotonic() + timeout
        while len(self.conns) != n:
            assert time.monotonic() < deadline, \
                "%d connections open, wanted %d" % (len(self.conns), n)
            time.sleep(0.01)

    def forget(self):
        """Forget what came so far."""
        with self._changed:
            self.requests = []
            self.heads = []

    def make_conn(self, sock, number):
        c = UpConn(self, sock, number)
        self.all_conns.append(c)
        return c

    def _head(self, req):
        if req.headers("User-Agent") == ["mcpgw"]:
            return
        with self._changed:
            self.heads.append(req)
            self._changed.notify_all()

    def serve(self, conn):
        while conn.open:
            try:
                req = conn.read_request(self._head)
            except (rawhttp.Malformed, rawhttp.Truncated) as e:
                self.errors.append(str(e))
                return
            if req.headers("User-Agent") == ["mcpgw"]:
                self.asked.append(req)
                self.spoken(conn, req)
                continue
            with self._changed:
                answer = self.scripted.pop(0) if self.scripted \
                    else self.answer
                conn.requests.append(req)
                self.requests.append(req)
                self._changed.notify_all()
            answer(conn, req)


# -- building responses ------------------------------------------------------

def response(body=b"", status=200, ctype="application/json", fields=(),
             length=True):
    """The bytes of a response."""
    h = "HTTP/1.1 %d X\r\n" % status
    if ctype:
        h += "Content-Type: %s\r\n" % ctype
    for name, value in fields:
        h += "%s: %s\r\n" % (name, value)
    if length:
        h += "Content-Length: %d\r\n" % len(body)
    return (h + "\r\n").encode("latin-1") + body


def chunk(data):
    if isinstance(data, str):
        data = data.encode()
    return b"%x\r\n" % len(data) + data + b"\r\n"


def event(data, id=None, name=None):
    """The bytes of one server-sent event; data: str, or JSON to be."""
    if not isinstance(data, str):
        data = json.dumps(data)
    out = ""
    if id is not None:
        out += "id: %s\n" % id
    if name is not None:
        out += "event: %s\n" % name
    for line in data.split("\n"):
        out += "data: %s\n" % line
    return (out + "\n").encode()


def result(req, value):
    return {"jsonrpc": "2.0", "id": req.id, "result": value}


SSE_HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n")


# -- answers -----------------------------------------------------------------

def json_result(value, fields=(), status=200):
    """A JSON-RPC result with the request's id."""
    def answer(conn, req):
        conn.send(response(json.dumps(result(req, value)).encode(), status,
                           fields=fields))
    return answer


def discovered(*versions):
    """What server/discover says."""
    return json_result({"resultType": "complete", "capabilities": {},
                        "supportedVersions": list(versions)})


def raw(data, then=None):
    """Exactly these bytes; then: None, "close" or "reset"."""
    def answer(conn, req):
        conn.send(data)
        if then == "close":
            conn.close()
        elif then == "reset":
            conn.reset()
    return answer


def status(code, body=b"", fields=(), ctype="application/json"):
    return raw(response(body, code, ctype, fields))


def chunked_json(value, size=7):
    """A result in chunks of size bytes."""
    def answer(conn, req):
        doc = json.dumps(result(req, value)).encode()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n" +
                  b"".join(chunk(doc[i:i + size])
                           for i in range(0, len(doc), size)) +
                  b"0\r\n\r\n")
    return answer


def close_delimited(value):
    """A result whose end is the connection's."""
    def answer(conn, req):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  b"Connection: close\r\n\r\n" +
                  json.dumps(result(req, value)).encode())
        conn.close()
    return answer


def sse(events, pace=0, final=True, head=SSE_HEAD):
    """A chunked SSE stream: each of events (bytes, or JSON for event()), pace
    seconds apart, then (final) the result of the request, then the end."""
    def answer(conn, req):
        conn.send(head)
        for e in events:
            if pace:
                conn.pause(pace)
            conn.send(chunk(e if isinstance(e, bytes) else event(e)))
        if final:
            conn.send(chunk(event(result(req, {}))))
        conn.send(b"0\r\n\r\n")
    return answer


def sse_open(opened=None, feed=None):
    """An SSE stream that the test feeds: opened (Event) is set after the
    head; feed is a queue.Queue of bytes (None ends it).  Without feed it stays
    open until the peer closes."""
    def answer(conn, req):
        conn.send(SSE_HEAD)
        if opened is not None:
            opened.set()
        if feed is None:
            conn.wait_peer_close()
            conn.close()
            return
        while True:
            try:
                data = feed.get(timeout=0.05)
            except queue.Empty:
                if conn.peer_closed.is_set() or \
                        conn.server.stopping.is_set():
                    conn.close()
                    return
                continue
            if data is None:
                conn.send(b"0\r\n\r\n")
                return
            conn.send(chunk(data))
    return answer


def hang():
    """Nothing, until the peer closes."""
    def answer(conn, req):
        conn.wait_peer_close()
        conn.close()
    return answer


def drop():
    """Close without an answer."""
    def answer(conn, req):
        conn.close()
    return answer


def reset():
    """Reset without an answer."""
    def answer(conn, req):
        conn.reset()
    return answer


def slow(seconds, then=None):
    """Another answer after a while."""
    def answer(conn, req):
        conn.pause(seconds)
        (then or default_answer)(conn, req)
    return answer


def after(event, then=None):
    """Another answer once the test has set event."""
    def answer(conn, req):
        conn.wait(event)
        (then or default_answer)(conn, req)
    return answer


def default_answer(conn, req):
    """A small, stateless MCP server."""
    if req.method == "GET":
        sse_open()(conn, req)
        return
    if req.method == "DELETE":
        conn.send(response(b"", 200, ctype=None))
        return
    method = req.rpc_method
    if req.id is None:
        conn.send(response(b"", 202, ctype=None))
        return
    if method == "initialize":
        value = {"protocolVersion": "2025-06-18", "capabilities": {},
                 "serverInfo": {"name": "fake", "version": "1"}}
    elif method == "tools/list":
        value = {"tools": [{"name": "echo",
                            "inputSchema": {"type": "object"}}]}
    elif method == "tools/call":
        value = {"content": [{"type": "text", "text": json.dumps(
            req.json().get("params", {}).get("arguments"))}]}
    else:
        value = {}
    json_result(value)(conn, req)
