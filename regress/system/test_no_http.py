"""Clients that speak something else, or end in the middle of a head: they are
told, or forgotten, at once and not when a timeout ends."""

import json
import signal
import socket
import ssl
import struct
import time

import pytest

import rawhttp
from gw import rpc
from test_handover import JSON, bearer, post
from test_proxy_protocol import V1, protocol, serve
from test_tls import Cert, files, tls_gateway  # noqa: F401

QUIET = {"timeouts": {"header": "60s", "body": "60s", "keepalive": "60s"}}


@pytest.fixture
def patient(gateway):
    return gateway({**QUIET, "workers": 1})


@pytest.mark.parametrize("text", [
    b"HELP\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"EHLO me\r\n", b"SSH-2.0-OpenSSH_9.2p1\r\n", b"\0", b"GET /\r\n",
    b"*1\r\n$4\r\nPING\r\n", b"x" * 40, b"\rGET", b"\r\r",
    b"GET \x01", b"\r\nGET /\x80", b"GET / HT\rx"])
def test_other_protocols(patient, text):
    mark = patient.audit_mark()
    with patient.client() as c:
        c.send(text)
        r = c.read_response(timeout=5)
        assert r.status == 400 and r.header("Connection") == "close", r
        c.wait_close(timeout=5)
    assert patient.audit_one(mark, r)["action"] == "error"


def test_tls_client(patient):
    """It must not wait, and finds out what is wrong."""
    ctx = ssl.create_default_context()
    with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
        rawhttp.Client(patient.port, timeout=5, tls=ctx)


def test_in_pieces(patient, auth_server):
    """A slow client is not mistaken for one of these."""
    with patient.client() as c:
        for b in b"\r\n" + post(c, auth_server.mint(), rpc())[:60]:
            c.send(bytes([b]))
        assert patient.get("/healthz").status == 200
        assert c.is_open()


def part(kind, auth_server):
    """(what is sent, what follows together with the end)"""
    if kind == "head":
        return b"POST /mcp HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n"
    if kind == "refused body":
        return (b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n"
                b"\r\n", b"x" * 100)
    body = json.dumps(rpc()).encode()
    return (b"POST /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" %
            (auth_server.mint().encode(), len(body)), body[:9])


@pytest.mark.parametrize("kind", ["head", "body", "refused body"])
@pytest.mark.parametrize("end", ["reset", "close"])
def test_end_together_with_a_part(patient, auth_server, kind, end):
    forgotten(patient, end, b"", *part(kind, auth_server))


@pytest.mark.parametrize("end", ["reset", "close"])
def test_end_together_with_a_proxy_header(make_gateway, end):
    g = serve(make_gateway({**QUIET, **protocol("127.0.0.0/8"),
                            "workers": 1}))
    forgotten(g, end, V1, V1[:10], V1[10:20])


def healthy(g, header):
    with g.client() as c:
        c.send(header)
        assert c.request("GET", "/healthz").status == 200


def forgotten(g, end, header, first, last):
    """Who sends both and ends is gone at once."""
    pid = g.workers()[0]
    healthy(g, header)
    before = g.descriptors(pid)
    clients = [g.client() for _ in range(100)]
    for c in clients:
        c.send(first)
    # they have been read when this has an answer
    healthy(g, header)
    for c in clients:
        if end == "reset":
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
        c.send(last)
        c.close()
    deadline = time.monotonic() + 5
    while g.descriptors(pid) > before:
        assert time.monotonic() < deadline, "%d descriptors, had %d" % (
            g.descriptors(pid), before)


# -- a port that speaks TLS ---------------------------------------------------

@pytest.mark.parametrize("text", [
    b"GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n", b"DELETE / HTTP/1.1\r\n",
    b"P"])
def test_plain_http_to_a_tls_port(tls_gateway, text):  # noqa: F811
    g = tls_gateway(Cert(), QUIET)
    mark = g.audit_mark()
    with rawhttp.Client(g.port) as c:
        c.send(text)
        r = c.read_response(timeout=5)
        assert r.status == 400 and r.header("Connection") == "close", r
        assert r.header("Content-Type") == "text/plain"
        assert b"https" in r.body
        c.wait_close(timeout=5)
    assert g.audit_lines(mark) == []
    assert g.get("/healthz").status == 200


def test_stop_after_a_reload(tls_gateway, auth_server):  # noqa: F811
    """An old worker that is then told to stop is an old one still."""
    g = tls_gateway(Cert(), {"workers": 1})
    with g.client() as c:
        data = post(c, auth_server.mint(), rpc())
        c.send(data[:40])
        assert g.get("/healthz").status == 200
        g.reload({"auth": {"oauth": {"audience": "another"}}})
        pos = g.log_mark()
        g.signal(signal.SIGTERM)
        g.wait_log("stopping", pos)
        c.send(data[40:])
        assert c.read_response().status == 503


def test_reload_before_a_handshake(tls_gateway, files,  # noqa: F811
                                   auth_server):
    """Nobody has read of it: it is the new generation's."""
    old, new = Cert(), Cert(kind="rsa2048")
    g = tls_gateway(old)
    with rawhttp.Client(g.port) as c:
        files.config(new)
        g.reload()
        g.tls = files.context(new)
        c.sock = g.tls.wrap_socket(c.sock, server_hostname="127.0.0.1")
        assert g.post(token=auth_server.mint(), client=c).status == 200
        assert c.is_open()


def test_reload_inside_a_handshake(tls_gateway, files,  # noqa: F811
                                   auth_server):
    g = tls_gateway(Cert())
    token = auth_server.mint()
    ins, outs = ssl.MemoryBIO(), ssl.MemoryBIO()
    obj = g.tls.wrap_bio(ins, outs, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        obj.do_handshake()
    hello = outs.read()
    with rawhttp.Client(g.port) as c:
        c.send(hello[:50])
        for _ in range(10):
            assert g.get("/healthz").status == 200
        g.reload({"auth": {"oauth": {"audience": "another"}}})
        c.send(hello[50:])
        while True:
            try:
                obj.do_handshake()
                break
            except ssl.SSLWantReadError:
                c.send(outs.read())
                ins.write(c.sock.recv(65536))
        obj.write(c.build("POST", "/mcp", [bearer(token), JSON],
                          json.dumps(rpc()).encode()))
        c.send(outs.read())
        while not c.eof:
            try:
                c.buf += obj.read(65536)
            except ssl.SSLWantReadError:
                ins.write(c.sock.recv(65536))
            except ssl.SSLZeroReturnError:
                c.eof = True
            if b"again" in c.buf and b"}}" in c.buf:
                break
        r = c.read_response()
        assert r.status == 503 and r.header("Retry-After") == "0", r
        assert r.header("Connection") == "close", r


@pytest.mark.parametrize("sent", [b"", b"POST /mcp HTTP/1.1\r\n"])
def test_tls_comes_with_a_reload(gateway, files, sent):  # noqa: F811
    """Who began without is told."""
    g = gateway()
    with g.client() as c:
        assert g.post(client=c).status == 401
        c.send(sent)
        for _ in range(10):
            assert g.get("/healthz").status == 200
        g.reload(files.config(Cert()))
        c.send(b"POST /mcp HTTP/1.1\r\n\r\n"[len(sent):])
        r = c.read_response()
        assert r.status == 400 and b"https" in r.body, r
        c.wait_close()


def test_tls_goes_with_a_reload(tls_gateway):  # noqa: F811
    g = tls_gateway(Cert())
    with rawhttp.Client(g.port) as c:
        g.config.pop("tls")
        g.reload()
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
            g.tls.wrap_socket(c.sock, server_hostname="127.0.0.1")
