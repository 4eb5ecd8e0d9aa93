"""TLS sessions are resumed: on the listener within one configuration, by any
worker, never where client certificates are asked for; and towards upstreams."""

import os
import signal
import socket
import ssl

import pytest

from test_tls import Cert, Files
from test_upstreams import TlsFront, server_context, upstream_config

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def files(tmp):
    return Files(tmp)


def visit(g, context, session=None):
    """GET /healthz on a connection of its own: (resumed, session)."""
    with socket.create_connection(("127.0.0.1", g.port), 10) as s, \
            context.wrap_socket(s, server_hostname="localhost",
                                session=session) as t:
        t.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
                  b"Connection: close\r\n\r\n")
        answer = b""
        while not answer.endswith(b"ok\n"):
            data = t.recv(4096)
            assert data, answer
            answer += data
        return t.session_reused, t.session


@pytest.mark.parametrize("version", VERSIONS)
def test_until_the_reload(make_gateway, files, version):
    cert = Cert()
    g = make_gateway({**files.config(cert), "workers": 2})
    g.tls = files.context(cert)
    g.start()
    context = files.context(cert, maximum=version)
    resumed, session = visit(g, context)
    assert not resumed
    # many, so that both workers open tickets of each other
    for _ in range(20):
        resumed, session = visit(g, context, session)
        assert resumed
    g.reload()
    resumed, _ = visit(g, context, session)
    assert not resumed, "a session outlived its configuration"


@pytest.mark.parametrize("version", VERSIONS)
def test_after_the_death_of_the_workers(make_gateway, files, version):
    """The same configuration, so the same keys."""
    cert = Cert()
    g = make_gateway({**files.config(cert), "workers": 1})
    g.tls = files.context(cert)
    g.start()
    context = files.context(cert, maximum=version)
    _, session = visit(g, context)
    g.expect_death("worker 0")
    old, = g.workers()
    os.kill(old, signal.SIGKILL)
    g.wait_children(lambda c: c.get("worker", [old]) not in ([], [old]))
    g.wait_ready()
    assert visit(g, context, session)[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_not_with_client_certificates(make_gateway, files, version):
    cert, ca = Cert(), Cert("clients", ca=True)
    mine = Cert("agent", issuer=ca, client=True)
    g = make_gateway(files.config(cert, client_ca=ca))
    g.tls = files.context(cert, mine)
    g.start()
    context = files.context(cert, mine, maximum=version)
    resumed, session = visit(g, context)
    assert not resumed
    assert session is None or not visit(g, context, session)[0]


def test_a_ticket_of_another_gateway(make_gateway, files):
    """A whole handshake, and nothing worse."""
    cert, other = Cert(), Cert()
    g = make_gateway({**files.config(cert), "workers": 1})
    g.tls = files.context(cert)
    g.start()
    strange = make_gateway({**Files(g.dir).config(cert), "workers": 1})
    strange.tls = files.context(cert)
    strange.start()
    context = files.context(cert)
    _, session = visit(strange, context)
    resumed, _ = visit(g, context, session)
    assert not resumed


@pytest.mark.parametrize("version", VERSIONS)
def test_upstream(gateway, auth_server, upstream, files, version):
    """Each request on a connection of its own: whole once, then resumed."""
    cert = Cert()
    context = server_context(files, cert, maximum=version)
    with ResumedFront(context, upstream) as front:
        g = gateway({**upstream_config(front.url("localhost"), tls={
            "ca_file": files.put("ca.pem", cert.pem)}), "workers": 1})
        token = auth_server.mint()
        for _ in range(4):
            upstream.script(closing)
            assert g.post(token=token).status == 200
        assert front.reused == [False, True, True, True]


def closing(conn, request):
    """Answer, and end the connection."""
    body = b'{"jsonrpc":"2.0","id":1,"result":{}}'
    conn.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                      b"Connection: close\r\nContent-Length: %d\r\n\r\n"
                      % len(body) + body)
    conn.close()


class ResumedFront(TlsFront):
    def __init__(self, *args):
        self.reused = []
        super().__init__(*args)

    def serve(self, conn):
        self.reused.append(conn.sock.session_reused)
        super().serve(conn)
