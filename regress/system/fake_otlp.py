"""A receiver of OTLP/HTTP for tests, which can misbehave.

    with Receiver() as rx:
        rx.endpoint                     # for telemetry.customer.endpoint
        rx.answers = [(503, {"Retry-After": "1"}, b"")]   # then 200s
        rx.behave = hang                # f(handler), instead of an answer
        spans = rx.spans(pred, n)       # waits; each a Span
        rx.requests                     # (time, headers, body as it came)

The environment of a gateway that sends at once: quick().
"""

import contextlib
import gzip
import http.server
import json
import os
import threading
import time


class Span:
    """A span of a payload, with its attributes as a dict."""

    def __init__(self, raw, resource):
        self.raw = raw
        self.resource = resource
        self.name = raw["name"]
        self.kind = {2: "server", 3: "client"}[raw["kind"]]
        self.trace, self.id = raw["traceId"], raw["spanId"]
        self.parent = raw.get("parentSpanId")
        self.state = raw.get("traceState")
        self.links = raw.get("links", [])
        self.status = raw["status"]
        self.begin = int(raw["startTimeUnixNano"])
        self.end = int(raw["endTimeUnixNano"])
        self.attrs = attributes(raw["attributes"])

    def __repr__(self):
        return "<%s %s %r %r>" % (self.kind, self.name, self.attrs,
                                  self.status)


def attributes(listed):
    out = {}
    for a in listed:
        assert a["key"] not in out, "twice: %r" % a
        (kind, v), = a["value"].items()
        assert kind in ("stringValue", "intValue") and isinstance(v, str), a
        out[a["key"]] = int(v) if kind == "intValue" else v
    return out


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.rx.got(self, body)

    def reply(self, status=200, fields=(), body=b"{}"):
        self.send_response(status)
        for name, value in dict(fields).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Receiver:
    def __init__(self):
        self.requests = []
        self.answers = []
        self.behave = None
        self.lock = threading.Condition()
        self.stopping = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        self.server.rx = self
        self.port = self.server.server_address[1]
        self.endpoint = "http://127.0.0.1:%d" % self.port
        threading.Thread(target=self.server.serve_forever, args=(0.02,),
                         daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()

    def got(self, handler, body):
        with self.lock:
            self.requests.append((time.monotonic(), handler, body))
            answer = self.answers.pop(0) if self.answers else None
            self.lock.notify_all()
        if answer is not None:
            handler.reply(*answer)
        elif self.behave is not None:
            self.behave(handler)
        else:
            handler.reply()

    def wait_requests(self, n, timeout=10):
        with self.lock:
            assert self.lock.wait_for(lambda: len(self.requests) >= n,
                                      timeout), self.requests
            return list(self.requests)

    def payloads(self):
        return [json.loads(gzip.decompress(b)) for _, _, b in
                list(self.requests)]

    def all_spans(self):
        out = []
        for p in self.payloads():
            assert list(p) == ["resourceSpans"], p
            for rs in p["resourceSpans"]:
                resource = attributes(rs["resource"]["attributes"])
                for ss in rs["scopeSpans"]:
                    assert ss["scope"]["name"] == "mcpgw", ss
                    assert ss["schemaUrl"] == rs["schemaUrl"]
                    out += [Span(s, resource) for s in ss["spans"]]
        return out

    def spans(self, pred=lambda s: True, n=1, timeout=10):
        """Waits until n spans satisfy pred; returns exactly them."""
        deadline = time.monotonic() + timeout
        while True:
            seen = len(self.requests)
            found = [s for s in self.all_spans() if pred(s)]
            if len(found) >= n:
                assert len(found) == n, found[:5]
                return found
            with self.lock:
                if not self.lock.wait_for(
                        lambda: len(self.requests) > seen,
                        deadline - time.monotonic()):
                    raise AssertionError("%d of %d spans; the last: %r" % (
                        len(found), n, self.all_spans()[-5:]))


def hang(handler):
    """No answer, until the test ends."""
    handler.server.rx.stopping.wait(60)
    handler.close_connection = True


@contextlib.contextmanager
def quick(ms=20, **more):
    """Gateways that start meanwhile do not let spans wait."""
    old = dict(os.environ)
    os.environ.update({"OTEL_BSP_SCHEDULE_DELAY": str(ms), **more})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(old)
