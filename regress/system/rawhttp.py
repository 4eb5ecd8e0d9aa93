"""HTTP/1.1 by hand, strictly: the tests' client and its parsers.

Client is one TCP connection: send() exact bytes, read_response() one response
by its framing, request() for the usual case.  Everything has a deadline and
fails loudly (Timeout, Truncated, Malformed): a test never hangs and never
takes a cut answer for a whole one.  A response that two readers could
understand in two ways is Malformed.

    c = Client(port)
    r = c.request("POST", "/mcp", {"Authorization": ...}, b"{...}")
    r.status, r.header("Content-Type"), r.body, r.json()

Streams: start = c.read_head(); then c.read_some() (decoded body bytes as they
come, b"" at the end) or c.events() (server-sent events).
(Not called http.py: that would hide the standard library's package.)
"""

import json
import re
import select
import socket
import struct
import time

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
TIMEOUT = 15


class Malformed(AssertionError):
    """What the other side sent is not HTTP/1.1, or is ambiguous."""


class Truncated(AssertionError):
    """The connection ended before the message did."""


class Timeout(AssertionError):
    """Nothing (or not enough) came in time."""


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name):
            raise Malformed("bad field line %r" % line)
        value = value.strip(b" \t")
        if not VALUE.match(value):
            raise Malformed("bad field value %r" % line)
        fields.append((name.decode("ascii"), value.decode("latin-1")))
    return fields


def parse_head(raw):
    """(first line, fields) of a head with its empty line."""
    if not raw.endswith(b"\r\n\r\n"):
        raise Malformed("no empty line at the end of %r" % raw)
    lines = raw[:-4].split(b"\r\n")
    for line in lines:
        if b"\n" in line or b"\r" in line or b"\0" in line:
            raise Malformed("bare CR, LF or NUL in %r" % line)
    return lines[0].decode("latin-1"), parse_fields(lines[1:])


def get_all(fields, name):
    return [v for n, v in fields if n.lower() == name.lower()]


def body_framing(fields):
    """("length", n), ("chunked", None) or (None, None); strict."""
    te = get_all(fields, "Transfer-Encoding")
    cl = get_all(fields, "Content-Length")
    if te and cl:
        raise Malformed("both Transfer-Encoding and Content-Length")
    if len(te) > 1 or len(cl) > 1:
        raise Malformed("repeated framing fields")
    if te:
        if te[0].lower() != "chunked":
            raise Malformed("Transfer-Encoding: %s" % te[0])
        return "chunked", None
    if cl:
        if not re.match(r"[0-9]+\Z", cl[0]):
            raise Malformed("Content-Length: %s" % cl[0])
        return "length", int(cl[0])
    return None, None


class Response:
    """status, reason, version, fields [(name, value)], body, raw_head,
    framing ("length", "chunked", "close", "none"), interim (1xx before it)."""

    def __init__(self):
        self.status = None
        self.reason = self.version = ""
        self.fields = []
        self.body = b""
        self.raw_head = b""
        self.framing = None
        self.length = None
        self.interim = []

    def header(self, name, default=None):
        """The one value; it is an error if there are several."""
        v = get_all(self.fields, name)
        assert len(v) <= 1, "repeated %s: %r" % (name, v)
        return v[0] if v else default

    def headers(self, name):
        return get_all(self.fields, name)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "<%s %s %r %r>" % (self.status, self.reason, self.fields,
                                  self.body[:500])


class Event:
    """One server-sent event."""

    def __init__(self, event, data, id):
        self.event = event
        self.data = data
        self.id = id

    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return "<event %r id %r %r>" % (self.event, self.id, self.data[:200])


class Client:
    def __init__(self, port, host="127.0.0.1", timeout=TIMEOUT, rcvbuf=None,
                 tls=None, source=None):
        self.host = host
        self.port = port
        self.timeout = timeout
        self.buf = b""
        self.eof = False
        self.current = None     # the response whose body is being read
        self.chunk_left = None  # of the current chunk
        self.body_left = None
        self.body_done = True
        self.sock = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        if source is not None:      # an address to come from
            self.sock.bind((source, 0))
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:         # an ssl.SSLContext
            try:
                self.sock = tls.wrap_socket(self.sock, server_hostname=host)
            except BaseException:
                self.sock.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Leave with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def shutdown_write(self):
        self.sock.shutdown(socket.SHUT_WR)

    # -- sending -----------------------------------------------------------

    def send(self, data):
        """All of these bytes, whatever they are."""
        self.sock.settimeout(self.timeout)
        try:
            self.sock.sendall(data)
        except socket.timeout:
            raise Timeout("could not send %d bytes" % len(data)) from None

    def build(self, method, path, headers=(), body=None):
        """The bytes of a request.  headers: dict or list of pairs; Host and
        Content-Length are added unless given (a value of None leaves a field
        out)."""
        pairs = list(headers.items() if isinstance(headers, dict)
                     else headers)
        names = {n.lower() for n, _ in pairs}
        if "host" not in names:
            pairs.insert(0, ("Host", "%s:%d" % (self.host, self.port)))
        if body is not None and not names & {"content-length",
                                             "transfer-encoding"}:
            pairs.append(("Content-Length", str(len(body))))
        lines = ["%s %s HTTP/1.1" % (method, path)]
        lines += ["%s: %s" % p for p in pairs if p[1] is not None]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + \
            (body or b"")

    def request(self, method, path, headers=(), body=None, timeout=None):
        """Send a request, read its whole response."""
        self.send(self.build(method, path, headers, body))
        return self.read_response(method, timeout=timeout)

    # -- receiving ---------------------------------------------------------

    def _fill(self, deadline, what):
        """Append what comes to self.buf; False at the end."""
        if self.eof:
            return False
        left = deadline - time.monotonic()
        if left <= 0:
            raise Timeout("timed out waiting for %s; had %r" %
                          (what, self.buf[:300]))
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(262144)
        except socket.timeout:
            raise Timeout("timed out waiting for %s; had %r" %
                          (what, self.buf[:300])) from None
        except ConnectionResetError:
            raise Truncated("connection reset waiting for %s; had %r" %
                            (what, self.buf[:300])) from None
        if not data:
            self.eof = True
            return False
        self.buf += data
        return True

    def _line(self, deadline, what):
        while b"\n" not in self.buf:
            if not self._fill(deadline, what):
                raise Truncated("end of file in %s" % what)
        line, self.buf = self.buf.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise Malformed("bare LF in %s: %r" % (what, line))
        return line[:-1]

    def _raw_head(self, deadline):
        while b"\r\n\r\n" not in self.buf:
            if not self._fill(deadline, "a response head"):
                raise Truncated("end of file in a response head; had %r" %
                                self.buf[:300])
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        return head + b"\r\n\r\n"

    def read_head(self, method="POST", timeout=None):
        """The head of the next final response; its body is to be read with
        read_some(), read_body() or events()."""
        assert self.body_done, "the last response's body was not read"
        deadline = time.monotonic() + (timeout or self.timeout)
        interim = []
        while True:
            r = Response()
            r.raw_head = self._raw_head(deadline)
            first, r.fields = parse_head(r.raw_head)
            m = re.match(r"(HTTP/1\.1) ([1-5][0-9][0-9]) ([\t -~]*)\Z", first)
            if not m:
                raise Malformed("status line %r" % first)
            r.version, r.status, r.reason = m[1], int(m[2]), m[3]
            if r.status < 200 and r.status != 101:
                interim.append(r)
                continue
            break
        r.interim = interim
        framing, length = body_framing(r.fields)
        if method == "HEAD" or r.status in (204, 304):
            framing, length = "none", 0
        elif framing is None:
            framing = "close"
        r.framing, r.length = framing, length
        self.current = r
        self.body_done = framing == "none" or length == 0
        self.body_left = length
        self.chunk_left = None
        return r

    def read_some(self, timeout=None):
        """Decoded bytes of the current body as they come; b"" at its end."""
        deadline = time.monotonic() + (timeout or self.timeout)
        if self.body_done:
            return b""
        if self.current.framing == "chunked":
            return self._chunk_some(deadline)
        if not self.buf and not self._fill(deadline, "a body"):
            if self.current.framing == "length":
                raise Truncated("end of file, %d bytes of the body missing" %
                                self.body_left)
            self.body_done = True
            return b""
        n = len(self.buf)
        if self.current.framing == "length":
            n = min(n, self.body_left)
            self.body_left -= n
            self.body_done = self.body_left == 0
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def _chunk_some(self, deadline):
        if self.chunk_left is None:
            line = self._line(deadline, "a chunk size")
            if not re.match(rb"[0-9A-Fa-f]+(;.*)?\Z", line):
                raise Malformed("chunk size %r" % line)
            self.chunk_left = int(line.split(b";")[0], 16)
            if self.chunk_left == 0:
                while self._line(deadline, "trailers"):
                    pass
                self.body_done = True
                return b""
        if not self.buf and not self._fill(deadline, "a chunk"):
            raise Truncated("end of file inside a chunk")
        data, self.buf = (self.buf[:self.chunk_left],
                          self.buf[self.chunk_left:])
        self.chunk_left -= len(data)
        if self.chunk_left == 0:
            if self._line(deadline, "the end of a chunk"):
                raise Malformed("no CRLF after a chunk")
            self.chunk_left = None
        return data

    def read_body(self, timeout=None):
        """The rest of the current body."""
        deadline = time.monotonic() + (timeout or self.timeout)
        parts = []
        while not self.body_done:
            parts.append(self.read_some(
                max(0.001, deadline - time.monotonic())))
        return b"".join(parts)

    def read_response(self, method="POST", timeout=None):
        r = self.read_head(method, timeout)
        r.body = self.read_body(timeout)
        return r

    def events(self, timeout=None):
        """Generator of the current body's server-sent events, each within
        timeout; ends with the body (an event cut short is Truncated).
        Comment lines are skipped."""
        pending = b""
        event, data, id = "message", [], None
        while True:
            deadline = time.monotonic() + (timeout or self.timeout)
            while b"\n" not in pending:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Timeout("no event in time; had %r" % pending[:300])
                more = self.read_some(left)
                if not more:
                    if pending or data:
                        raise Truncated("the stream ends inside an event")
                    return
                pending += more
            line, pending = pending.split(b"\n", 1)
            line = line.rstrip(b"\r").decode()
            if line == "":
                if data or event != "message" or id is not None:
                    yield Event(event, "\n".join(data), id)
                event, data, id = "message", [], None
                continue
            name, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if name == "data":
                data.append(value)
            elif name == "event":
                event = value
            elif name == "id":
                id = value

    def wait_close(self, timeout=None):
        """Assert that the other side closes, sending nothing more."""
        deadline = time.monotonic() + (timeout or self.timeout)
        try:
            while self._fill(deadline, "the end of the connection"):
                pass
        except Truncated:       # a reset is an end, too
            pass
        assert not self.buf, "unexpected bytes before the end: %r" % \
            self.buf[:300]

    def is_open(self):
        """Still open, and nothing unread?  Does not wait."""
        if self.eof or self.buf:
            return False
        return not select.select([self.sock], [], [], 0)[0]


def fetch(port, method="GET", path="/", headers=(), body=None, **kw):
    """One request on a connection of its own."""
    with Client(port, **kw) as c:
        return c.request(method, path, headers, body)
