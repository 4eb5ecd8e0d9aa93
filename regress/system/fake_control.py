"""A control socket whose answers a test decides: what mcpgwctl makes of
numbers that a real gateway gives rarely, and of a peer that was taken over."""

import json
import os
import socket
import threading

BOUNDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]


def answer(body, status=200, head=b""):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return (b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n" %
            (status, len(body), head)) + body


def row(name, requests=0, slow=0, **over):
    """slow: of the requests, those that took between 0.5 and 1 s; the others
    took less than 10 ms."""
    buckets = [requests - slow if b < 1 else requests for b in BOUNDS]
    return dict({"name": name, "requests": requests, "errors": 0, "denied": 0,
                 "bytes_in": 0, "bytes_out": 0, "seconds": 0.0,
                 "buckets": buckets + [requests]}, **over)


def everything(total=0, status=(), upstreams=(), refusals=(), **kinds):
    return {"status": dict({
        "version": "9.8.7", "pid": 7, "started": "2026-05-09T14:00:00Z",
        "now": "2026-05-09T14:23:01Z", "uptime_s": 1381.5, "generation": 3,
        "workers": 2, "connections": 12, "streams": 4, "draining": False,
        "audit": {"broken": False}}, **dict(status)),
        "upstreams": list(upstreams), "refusals": list(refusals),
        "top": dict({"total": row("total", total), "upstream": [], "tool": [],
                     "client": [], "method": []}, **kinds)}


class FakeControl:
    """script(request, n) gives the bytes of the answer to the n-th request
    (its first line), or None for none at all."""

    def __init__(self, path, script):
        self.path = path
        self.script = script
        self.requests = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(16)
        self.kept = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            self.serve(conn)

    def serve(self, conn):
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                chunk = conn.recv(4096)
                if not chunk:
                    return
                head += chunk
            line = head.split(b"\r\n")[0].decode()
            self.requests.append(line)
            out = self.script(line, len(self.requests) - 1)
            if out is None:
                self.kept.append(conn)
                return
            conn.sendall(out)
            conn.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        finally:
            if conn not in self.kept:
                conn.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)
        for c in self.kept:
            c.close()
        os.unlink(self.path)
