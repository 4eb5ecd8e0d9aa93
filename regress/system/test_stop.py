"""A stop, as those see it who come while others are still served."""

import json
import signal
import socket
import threading
import time

import pytest

import fake_upstream as fu
from gw import rpc
from judge import check_error_body
from test_handover import post
from test_proxy_protocol import V1, protocol, serve
from test_tls import Cert, files, tls_gateway  # noqa: F401

ORIGIN = "https://app.example.test"
SLOW = {"workers": 1, "drain_timeout": "60s", "allowed_origins": [ORIGIN],
        "timeouts": {"header": "60s", "keepalive": "60s"}}


class Stopping:
    """A gateway that has been told to stop, and a request that holds it."""

    def __init__(self, g, token, upstream, first=b""):
        self.g = g
        self.first = first
        self.go = threading.Event()
        upstream.script(fu.after(self.go, fu.json_result({"tools": []})))
        self.client = self.come()
        self.client.send(post(self.client, token, rpc()))
        upstream.wait_request()
        g.signal(signal.SIGTERM)
        deadline = time.monotonic() + 10
        while self.ask("GET", "/readyz").status != 503:
            assert time.monotonic() < deadline

    def come(self):
        c = self.g.client(tls=self.g.tls)
        c.send(self.first)
        return c

    def ask(self, method, path, body=None, headers=()):
        with self.come() as c:
            return c.request(method, path, headers, body)

    def end(self):
        """The one request ends, and with it all."""
        self.go.set()
        r = self.client.read_response()
        assert r.status == 200 and r.header("Connection") == "close", r
        self.client.close()
        assert self.g.proc.wait(10) == 0
        self.g.stop()


@pytest.fixture(params=["plain", "tls", "proxied"])
def stopping(request, auth_server, upstream):
    first = b""
    if request.param == "tls":
        g = request.getfixturevalue("tls_gateway")(Cert(), SLOW)
    elif request.param == "proxied":
        first = V1
        g = serve(request.getfixturevalue("make_gateway")(
            {**SLOW, **protocol("127.0.0.0/8")}))
    else:
        g = request.getfixturevalue("gateway")(SLOW)
    return Stopping(g, auth_server.mint(), upstream, first)


def test_newcomers_are_told(stopping):
    """At once, and they are in the log; who does not ask is let go in the
    end, and keeps nobody waiting."""
    silent, begun, slow = (stopping.come() for _ in range(3))
    begun.send(b"POST /mcp HT")
    raw = socket.create_connection(("127.0.0.1", stopping.g.port))
    mark = stopping.g.audit_mark()
    r = stopping.ask("POST", "/mcp", json.dumps(rpc()).encode())
    assert r.status == 503 and r.header("Retry-After") == "1", r
    assert r.header("Connection") == "close", r
    check_error_body(r, -31503)
    assert r.json()["error"]["message"] == "the gateway is stopping"
    assert stopping.g.audit_one(mark, r)["action"] == "error"
    assert stopping.ask("GET", "/healthz").status == 200
    for origin, seen in ((ORIGIN, ORIGIN), ("https://evil.test", None)):
        r = stopping.ask("DELETE", "/mcp", headers={"Origin": origin})
        assert r.status == 503, r
        assert r.header("Access-Control-Allow-Origin") == seen, r
    assert slow.request("GET", "/mcp").status == 503
    slow.close()
    stopping.end()
    with raw:
        assert raw.recv(1) == b""
    for c in (silent, begun):
        with c:
            assert c.wait_close() is None


def test_end_in_spite_of_newcomers(gateway, auth_server, upstream):
    """A second signal ends it with those who come, too."""
    s = Stopping(gateway(SLOW), auth_server.mint(), upstream)
    silent = s.come()
    assert s.ask("GET", "/readyz").status == 503
    s.g.signal(signal.SIGTERM)
    assert s.client.read_response().status == 503
    s.client.close()
    assert s.g.proc.wait(10) == 0
    silent.close()
    s.g.stop()


def test_newcomers_do_not_delay_the_end(gateway, auth_server, upstream):
    """However many of them come, and stay."""
    s = Stopping(gateway(SLOW), auth_server.mint(), upstream)
    crowd, deadline = [s.come().sock], time.monotonic() + 10
    s.go.set()
    assert s.client.read_response().status == 200
    s.client.close()
    while s.g.proc.poll() is None:
        assert time.monotonic() < deadline
        try:
            crowd.append(s.come().sock)
        except ConnectionError:
            continue
        if len(crowd) > 200:
            crowd.pop(0).close()
        time.sleep(0.005)       # a pace, nothing is waited for
    for c in crowd:
        c.close()
    s.g.stop()


def test_orphans_free_the_port(gateway, auth_server, upstream):
    """Without a master they take nobody: another gateway may want to."""
    g = gateway(SLOW)
    go = threading.Event()
    upstream.script(fu.after(go, fu.json_result({"tools": []})))
    with g.client() as c:
        c.send(post(c, auth_server.mint(), rpc()))
        upstream.wait_request()
        g.expect_death(r"")
        g.proc.kill()
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", g.port)).close()
            except ConnectionRefusedError:
                break
            except ConnectionResetError:    # the queue's end
                pass
            assert time.monotonic() < deadline
        go.set()
        assert c.read_response().status == 200
    g.stop(expect=None)


def test_who_had_just_come(gateway, auth_server, upstream):
    """A first request on its way is answered, and not cut off."""
    g = gateway(SLOW)
    with g.client() as c:
        # it is accepted: the worker reads it together with this
        assert g.get("/healthz").status == 200
        s = Stopping(g, auth_server.mint(), upstream)
        assert c.request("GET", "/mcp").status == 503
    s.end()
