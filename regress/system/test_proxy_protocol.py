"""PROXY protocol on the listener: whose connection it is comes before it."""

import json
import socket
import struct
import time

import pytest

from gw import free_port, rpc
from test_tls import Cert, Files

SIG = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 4000 443\r\n"


def v2(cmd, family, body):
    return SIG + bytes([0x20 | cmd, family]) + \
        struct.pack(">H", len(body)) + body


def inet(ip, tlv=b""):
    return v2(1, 0x11, socket.inet_aton(ip) + socket.inet_aton("10.0.0.1") +
              struct.pack(">HH", 4000, 443) + tlv)


INET6 = v2(1, 0x21, socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 +
           struct.pack(">HH", 4000, 443))


def protocol(*cidrs, **more):
    return {"proxy_protocol": {"enabled": True,
                               "trusted_cidrs": list(cidrs)}, **more}


def serve(g):
    """Start it: what asks whether it is ready speaks no PROXY protocol."""
    g.spawn()
    g.wait_log(r"serving on ")
    return g


@pytest.fixture
def proxied(make_gateway):
    def start(config):
        return serve(make_gateway(config))
    return start


def post(g, token, header, client=None, fields=()):
    """One POST behind a header: its answer's status and its audit line."""
    mark = g.audit_mark()
    with client or g.client() as c:
        c.send(header)
        r = g.post(rpc(), token, fields, client=c)
    return r.status, g.audit_one(mark)["client_ip"]


def refused(g, data, **kw):
    with g.client(**kw) as c:
        c.send(data)
        c.wait_close()


def test_addresses(proxied, auth_server, upstream):
    g = proxied(protocol("127.0.0.0/8", trusted_proxies=["10.0.0.0/8"]))
    token = auth_server.mint()
    for header, ip in ((V1, "192.0.2.7"), (inet("192.0.2.8"), "192.0.2.8"),
                       (inet("192.0.2.9", b"\4\0\3abc"), "192.0.2.9"),
                       (INET6, "2001:db8::7"),
                       (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
                       (v2(0, 0, b""), "127.0.0.1"),
                       (v2(1, 0x31, b"/run/x".ljust(216, b"\0")),
                        "127.0.0.1")):
        assert post(g, token, header) == (200, ip), header
        assert upstream.requests[-1].header("X-Forwarded-For") == ip
    # a proxy behind the one that speaks the protocol
    xff = [("X-Forwarded-For", "6.6.6.6, 198.51.100.1, 10.9.9.9")]
    assert post(g, token, inet("10.0.0.2"), fields=xff) == \
        (200, "198.51.100.1")
    assert post(g, token, V1, fields=xff) == (200, "192.0.2.7")


def test_cut_at_each_byte(proxied, auth_server):
    g = proxied(protocol("127.0.0.1"))
    token = auth_server.mint()
    for header in (V1, inet("192.0.2.7", b"\4\0\3abc")):
        with g.client() as c:
            for i in range(len(header)):
                c.send(header[i:i + 1])
            assert g.post(rpc(), token, client=c).status == 200
    g.audit(lambda e: e["client_ip"] == "192.0.2.7", 2)


def test_nothing_else_gets_in(proxied, auth_server):
    g = proxied(protocol("127.0.0.1", timeouts={"header": "300ms"}))
    mark = g.audit_mark()
    http = b"POST /mcp HTTP/1.1\r\nHost: x\r\n\r\n"
    refused(g, http)
    refused(g, V1.replace(b"443", b"65536") + http)
    refused(g, inet("192.0.2.7")[:14] + b"\xff\xff")
    g.wait_log(r"1 connections refused, the last from 127.0.0.1: "
               r"no PROXY protocol header")
    # half a header, and nothing at all
    began = time.monotonic()
    refused(g, V1[:20])
    refused(g, b"")
    assert time.monotonic() - began < 5
    with g.client() as c:
        c.send(V1[:20])
        c.shutdown_write()
        c.wait_close()
    assert not g.audit_lines(mark)


def test_others_are_refused(proxied):
    g = proxied(protocol("127.0.0.2", "::1"))
    refused(g, V1)
    g.wait_log(r"the last from 127.0.0.1: not in "
               r"proxy_protocol\.trusted_cidrs")


def test_before_tls(make_gateway, tmp, auth_server):
    cert, files = Cert(), Files(tmp)
    g = serve(make_gateway({**files.config(cert), **protocol("127.0.0.1")}))
    ctx = files.context(cert)
    for i in (0, 5, len(V1)):
        mark = g.audit_mark()
        with g.client() as c:
            c.send(V1[:i])
            c.send(V1[i:])
            c.sock = ctx.wrap_socket(c.sock, server_hostname="127.0.0.1")
            assert g.post(rpc(), auth_server.mint(), client=c).status == 200
        assert g.audit_one(mark)["client_ip"] == "192.0.2.7"


@pytest.mark.parametrize("tls", [False, True])
def test_a_reload_keeps_the_address(make_gateway, tmp, auth_server, tls):
    cert, files = Cert(), Files(tmp)
    g = serve(make_gateway({**(files.config(cert) if tls else {}),
                            **protocol("127.0.0.1")}))
    token = auth_server.mint()
    said, begun, silent = g.client(), g.client(), g.client()
    with said, begun, silent:
        said.send(V1)
        begun.send(V1[:9])
        if not tls:
            assert g.post(rpc(), token, client=said).status == 200
        mark = g.audit_mark()
        g.reload({"timeouts": {"keepalive": "60s"}})
        begun.send(V1[9:])
        silent.send(V1)
        for c in (said, begun, silent):
            if tls:
                c.sock = files.context(cert).wrap_socket(
                    c.sock, server_hostname="127.0.0.1")
            assert g.post(rpc(), token, client=c).status == 200
        g.audit(lambda e: e["client_ip"] == "192.0.2.7", 3, mark)


def test_configuration(make_gateway):
    g = make_gateway({"proxy_protocol": {"enabled": True}})
    rc, out = g.check()
    assert rc == 78 and "proxy_protocol.trusted_cidrs: required when " \
        "proxy_protocol.enabled is true" in out, out
    g = make_gateway(protocol())
    rc, out = g.check()
    assert rc == 78 and "proxy_protocol.trusted_cidrs: expected at least " \
        "one address" in out, out
    g = make_gateway(protocol("10.0.0.1/8"))
    rc, out = g.check()
    assert rc == 78 and "proxy_protocol.trusted_cidrs[0]: expected a " \
        "network without bits beyond its prefix, such as 10.0.0.0/8" in out
    assert make_gateway(protocol("10.0.0.0/8", "::1")).check()[0] == 0


def test_readiness_tells_no_names_to_those_behind(proxied, auth_server):
    """The proxy may be on this host: who asks is the client."""
    g = proxied(protocol(
        "127.0.0.1/32", workers=1, default_upstream="gone",
        upstreams=[{"name": "gone", "url":
                    "http://127.0.0.1:%d/mcp" % free_port()}]))
    token = auth_server.mint()
    for _ in range(3):
        assert post(g, token, V1)[0] == 502
    for header, told in ((V1, False), (INET6, False),
                         (inet("127.0.0.1"), True), (v2(0, 0, b""), True)):
        with g.client() as c:
            c.send(header)
            r = c.request("GET", "/readyz")
        assert r.status == 503 and (b"gone" in r.body) == told, r
