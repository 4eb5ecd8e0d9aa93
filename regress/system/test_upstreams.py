"""Upstreams: TLS to them, their health, their limits and timeouts."""


import re
import socket
import ssl
import threading
import time

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import fake_upstream as fu
import rawhttp
from fake_upstream import Upstream
from gw import free_port, rpc
from rawserver import RawServer
from test_tls import Cert, Files


@pytest.fixture
def files(tmp):
    return Files(tmp)


def server_context(files, cert, client_ca=None, maximum=None):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(files.put("up-cert.pem", cert.pem),
                        files.put("up-key.pem", cert.key_pem))
    if client_ca is not None:
        ctx.load_verify_locations(cadata=client_ca.pem.decode())
        ctx.verify_mode = ssl.CERT_REQUIRED
    if maximum is not None:
        ctx.minimum_version = ssl.TLSVersion.TLSv1
        ctx.set_ciphers("DEFAULT@SECLEVEL=0")
        ctx.maximum_version = maximum
    return ctx


class TlsFront(RawServer):
    """Ends TLS in front of an Upstream; says what it saw of the client."""

    def __init__(self, ctx, up):
        self.up = up
        self.clients = []       # certificates, names in SNI
        ctx.sni_callback = lambda sock, name, c: self.clients.append(name)
        super().__init__(ssl_context=ctx)

    def serve(self, conn):
        back = socket.create_connection(("127.0.0.1", self.up.port))
        cert = conn.sock.getpeercert(True)
        if cert:
            self.clients.append(cert)

        def pump():
            try:
                while True:
                    data = back.recv(65536)
                    if not data:
                        break
                    conn.sock.sendall(data)
                conn.sock.unwrap()
            except (OSError, ValueError):
                pass
            try:
                conn.sock.close()
            except OSError:
                pass

        t = threading.Thread(target=pump, daemon=True)
        t.start()
        try:
            while True:
                data = conn.sock.recv(65536)
                if not data:
                    break
                back.sendall(data)
        except (OSError, ValueError):
            pass
        back.close()

    def url(self, host="127.0.0.1"):
        return "https://%s:%d/mcp" % (host, self.port)


def upstream_config(url, **more):
    return {"upstreams": [{"name": "up", "url": url, **more}]}


# -- TLS ----------------------------------------------------------------------

@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls(gateway, auth_server, upstream, files, host):
    cert = Cert()
    with TlsFront(server_context(files, cert), upstream) as front:
        g = gateway({**upstream_config(front.url(host), tls={
            "ca_file": files.put("ca.pem", cert.pem)}), "workers": 1})
        token = auth_server.mint()
        for _ in range(5):
            assert g.post(token=token).status == 200
        assert upstream.connections == 1, "not kept alive"
        assert upstream.requests[-1].header("Host") == "%s:%d" % (
            host, front.port)
        assert front.clients[0] == (host if host == "localhost" else None)


def test_tls_large_and_streams(gateway, auth_server, upstream, files):
    cert = Cert()
    with TlsFront(server_context(files, cert), upstream) as front:
        g = gateway(upstream_config(front.url(), tls={
            "ca_file": files.put("ca.pem", cert.pem)}))
        token = auth_server.mint()
        text = "z" * (3 << 20)
        r = g.post(rpc("tools/call", 1, {"name": "echo", "arguments": {
            "text": text}}), token=token, timeout=60)
        assert r.status == 200 and len(r.body) > len(text)
        upstream.script(fu.sse([{"n": 1}, {"n": 2}], final=False))
        with g.client() as c:
            c.send(c.build("GET", "/mcp", g.headers(token)))
            assert c.read_head("GET").status == 200
            assert [e.json() for e in c.events()] == [{"n": 1}, {"n": 2}]


CASES = {
    "another CA": (lambda: (Cert(), Cert()), "self-signed|unable to get"),
    "wrong name": (lambda: 2 * (Cert(names=("other.example",)),),
                   "IP address mismatch|mismatch"),
    "expired": (lambda: 2 * (Cert(days=-1),), "certificate has expired"),
}


@pytest.mark.parametrize("name", CASES)
def test_tls_not_trusted(gateway, auth_server, upstream, files, name):
    make, why = CASES[name]
    cert, trusted = make()
    with TlsFront(server_context(files, cert), upstream) as front:
        g = gateway(upstream_config(front.url(), tls={
            "ca_file": files.put("ca.pem", trusted.pem)}))
        mark = g.audit_mark()
        r = g.post(token=auth_server.mint())
        assert r.status == 502
        assert g.audit_one(mark)["status"] == 502
        g.wait_log(r"upstream up: .*TLS: .*(%s)" % why)
        assert not upstream.requests


def test_tls_system_roots(gateway, auth_server, upstream, files):
    """Without ca_file the system's certificates count, and ours is none."""
    cert = Cert()
    with TlsFront(server_context(files, cert), upstream) as front:
        g = gateway(upstream_config(front.url()))
        assert g.post(token=auth_server.mint()).status == 502
        g.wait_log(r"TLS: certificate verify failed: self-signed")


def test_tls_server_name(gateway, auth_server, upstream, files):
    cert = Cert()
    with TlsFront(server_context(files, cert), upstream) as front:
        g = gateway(upstream_config(front.url(), tls={
            "ca_file": files.put("ca.pem", cert.pem),
            "server_name": "localhost"}))
        assert g.post(token=auth_server.mint()).status == 200
        assert front.clients[0] == "localhost"
        g.reload(upstream_config(front.url(), tls={
            "ca_file": files.put("ca.pem", cert.pem),
            "server_name": "other.example"}))
        assert g.post(token=auth_server.mint()).status == 502


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_too_old(gateway, auth_server, upstream, files):
    cert = Cert(kind="rsa2048")
    with TlsFront(server_context(files, cert, maximum=ssl.TLSVersion.TLSv1_1),
                  upstream) as front:
        g = gateway(upstream_config(front.url(), tls={
            "ca_file": files.put("ca.pem", cert.pem)}))
        assert g.post(token=auth_server.mint()).status == 502


def test_tls_to_plain(gateway, auth_server, upstream, files):
    g = gateway(upstream_config(
        upstream.url.replace("http:", "https:"),
        tls={"ca_file": files.put("ca.pem", Cert().pem)},
        timeouts={"connect": "500ms"}))
    assert g.post(token=auth_server.mint()).status in (502, 504)
    deadline = time.monotonic() + 10
    while not upstream.errors:      # what it makes of a TLS hello
        assert time.monotonic() < deadline
        time.sleep(0.01)
    upstream.errors.clear()


def test_tls_stalled(gateway, auth_server, files):
    """A server that never says hello: timeouts.connect."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(8)
        g = gateway(upstream_config(
            "https://127.0.0.1:%d/" % s.getsockname()[1],
            tls={"ca_file": files.put("ca.pem", Cert().pem)},
            timeouts={"connect": "300ms"}))
        r = g.post(token=auth_server.mint(), timeout=20)
        assert r.status == 504


def test_tls_truncated(gateway, auth_server, files):
    """An answer that ends with the connection must end with close_notify."""
    cert = Cert()

    class Cut(RawServer):
        def serve(self, conn):
            conn.sock.recv(65536)
            conn.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: "
                              b"application/json\r\n\r\n{\"a\":1")
            conn.sock.shutdown(socket.SHUT_RDWR)
            conn.sock.close()

    with Cut(ssl_context=server_context(files, cert)) as front:
        g = gateway(upstream_config("https://127.0.0.1:%d/" % front.port,
                                    tls={"ca_file": files.put("ca.pem",
                                                              cert.pem)}))
        mark = g.audit_mark()
        with pytest.raises(rawhttp.Truncated):
            g.post(token=auth_server.mint())
        assert g.audit(since=mark)[0]["action"] == "error"


@pytest.mark.parametrize("kind", ["p256", "rsa2048", "ed25519"])
def test_client_certificate(gateway, auth_server, upstream, files, kind):
    """Signed by the keeper, for several workers and after a reload."""
    cert, ca = Cert(), Cert("clients", ca=True)
    mine = Cert("gateway", issuer=ca, client=True, kind=kind)
    with TlsFront(server_context(files, cert, client_ca=ca),
                  upstream) as front:
        over = upstream_config(front.url(), tls={
            "ca_file": files.put("ca.pem", cert.pem),
            "cert_file": files.put("mine.pem", mine.pem),
            "key_file": files.put("mine.key", mine.key_pem)})
        g = gateway(over)
        token = auth_server.mint()
        assert g.post(token=token).status == 200
        assert mine.cert.public_bytes(Encoding.DER) in front.clients
        g.reload({"drain_timeout": "9s"})
        assert g.post(token=token).status == 200
        # without it the server lets nobody in
        g.reload(upstream_config(front.url(), tls={
            "ca_file": files.put("ca.pem", cert.pem)}))
        assert g.post(token=token).status == 502


def test_client_certificate_files(make_gateway, files):
    c = Cert("c", client=True)
    tls = {"cert_file": files.put("mine.pem", c.pem),
           "key_file": files.put("mine.key", Cert().key_pem)}
    rc, out = make_gateway(upstream_config("https://127.0.0.1:1/",
                                           tls=tls)).check()
    assert rc == 78 and re.search(
        r"upstreams\[0\]\.tls\.key_file: .*not the key of the first", out)
    del tls["key_file"]
    rc, out = make_gateway(upstream_config("https://127.0.0.1:1/",
                                           tls=tls)).check()
    assert rc == 78 and "both cert_file and key_file" in out
    rc, out = make_gateway(upstream_config("https://127.0.0.1:1/", tls={
        "ca_file": "/nonexistent"})).check()
    assert rc == 78 and "upstreams[0].tls.ca_file" in out


# -- limits and timeouts ------------------------------------------------------

def test_max_connections(gateway, auth_server, upstream):
    """Requests wait for a connection, in order, and all are served."""
    g = gateway({**upstream_config(upstream.url, max_connections=2),
                 "workers": 1})
    token = auth_server.mint()
    go = threading.Event()
    busy, most = [0], [0]
    lock = threading.Lock()

    def slow(conn, req):
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        conn.wait(go)
        with lock:
            busy[0] -= 1
        fu.json_result({"ok": 1})(conn, req)

    upstream.answer = slow
    results = []
    threads = [threading.Thread(target=lambda: results.append(
        g.post(token=token, timeout=30).status)) for _ in range(12)]
    for t in threads:
        t.start()
    deadline = time.monotonic() + 10
    while busy[0] < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    go.set()
    for t in threads:
        t.join(30)
    assert results == [200] * 12
    assert most[0] == 2


def test_max_connections_for_too_long(gateway, auth_server, upstream):
    g = gateway({**upstream_config(upstream.url, max_connections=1,
                                   timeouts={"connect": "300ms"}),
                 "workers": 1})
    token = auth_server.mint()
    upstream.script(fu.sse_open())
    with g.client() as c:
        c.send(c.build("GET", "/mcp", g.headers(token)))
        assert c.read_head("GET").status == 200
        mark = g.audit_mark()
        r = g.post(token=token)
        assert r.status == 503 and r.header("retry-after")
        assert "max_connections" in g.audit_one(mark)["error"]
    deadline = time.monotonic() + 10
    while g.post(token=token).status != 200:
        assert time.monotonic() < deadline


def test_a_client_that_stops_waiting(gateway, auth_server, upstream):
    g = gateway({**upstream_config(upstream.url, max_connections=1),
                 "workers": 1})
    token = auth_server.mint()
    upstream.script(fu.sse_open())
    with g.client() as c:
        c.send(c.build("GET", "/mcp", g.headers(token)))
        assert c.read_head("GET").status == 200
        mark = g.audit_mark()
        waits = g.client()
        waits.send(waits.build("POST", "/mcp", g.headers(token),
                               b'{"jsonrpc":"2.0","id":1,"method":"ping"}'))
        # it is read when a later request on another connection is answered
        assert g.get("/healthz").status == 200
        waits.reset()
        g.audit(lambda x: x["action"] == "aborted", since=mark)
    deadline = time.monotonic() + 10
    while g.post(token=token).status != 200:
        assert time.monotonic() < deadline
    assert [q.rpc_method for q in upstream.requests].count("ping") == 0


def test_own_timeouts(gateway, auth_server, upstream):
    with Upstream() as two:
        g = gateway({"timeouts": {"upstream_response": "30s"}, "upstreams": [
            {"name": "up", "url": upstream.url,
             "timeouts": {"response": "300ms"}},
            {"name": "two", "url": two.url}]})
        token = auth_server.mint()
        upstream.answer = lambda conn, req: conn.wait_peer_close(20)
        began = time.monotonic()
        assert g.post(token=token).status == 504
        assert time.monotonic() - began < 10
        two.answer = lambda conn, req: (
            conn.pause(1), fu.json_result({})(conn, req))
        assert g.post(token=token, path="/mcp/two").status == 200


# -- health -------------------------------------------------------------------

def test_down_and_back(gateway, auth_server):
    """Told in the log and by /readyz; back when it answers again."""
    port = free_port()
    g = gateway({**upstream_config("http://127.0.0.1:%d/mcp" % port),
                 "workers": 1})
    token = auth_server.mint()
    assert g.get("/readyz").status == 200
    for _ in range(3):
        assert g.post(token=token).status == 502
    g.wait_log(r"upstream up: .* is down: Connection refused")
    r = g.get("/readyz")
    assert r.status == 503 and r.body == b"not ready\nupstream up: down\n"
    assert g.get("/healthz").status == 200
    with Upstream(port=port):
        # it is tried all the same: there is no other
        assert g.post(token=token).status == 200
        g.wait_log(r"upstream up: .* is back")
        assert g.get("/readyz").status == 200


def test_one_of_two_is_down(gateway, auth_server, upstream):
    """After three failures it is left alone; nobody notices."""
    port = free_port()
    g = gateway({"workers": 1, "upstreams": [{"name": "up", "urls": [
        "http://127.0.0.1:%d/mcp" % port, upstream.url]}]})
    token = auth_server.mint()
    for _ in range(20):
        assert g.post(token=token).status == 200
    g.wait_log(r"127.0.0.1:%d/mcp is down" % port)
    assert g.get("/readyz").body == b"ok\n"
    with Upstream(port=port) as back:
        deadline = time.monotonic() + 20
        while not back.requests:
            assert time.monotonic() < deadline
            assert g.post(token=token).status == 200
            time.sleep(0.02)
    g.wait_log(r"127.0.0.1:%d/mcp is back" % port)


def test_other_upstreams_do_not_count(gateway, auth_server, upstream):
    g = gateway({"workers": 1, "default_upstream": "up", "upstreams": [
        {"name": "up", "url": upstream.url},
        {"name": "two", "url": "http://127.0.0.1:%d/" % free_port()}]})
    token = auth_server.mint()
    for _ in range(3):
        assert g.post(token=token, path="/mcp/two").status == 502
    r = g.get("/readyz")
    assert r.status == 200 and r.body == b"ok\nupstream two: down\n"


def test_errors_of_an_application_do_not_count(gateway, auth_server, upstream):
    g = gateway({"workers": 1})
    token = auth_server.mint()
    for code in (500, 503, 404, 400) * 2:
        upstream.script(fu.status(code, b"x"))
        assert g.post(token=token).status == code
    assert g.get("/readyz").status == 200


def test_active(gateway, auth_server, upstream):
    """Known to be down before anybody asks, and back without a request."""
    with Upstream() as two:
        sick = [False]

        def answer(conn, req):
            if req.target == "/healthz?deep=1":
                fu.status(503 if sick[0] else 200)(conn, req)
            else:
                fu.default_answer(conn, req)

        two.answer = answer
        g = gateway({"workers": 1, "default_upstream": "two", "upstreams": [
            {"name": "up", "url": upstream.url},
            {"name": "two", "url": two.url,
             "headers": {"X-Probe-Key": "k-1"},
             "health": {"path": "/healthz?deep=1", "interval": "1s",
                        "timeout": "500ms"}}]})
        probe = two.wait_request()
        assert probe.method == "GET" and probe.target == "/healthz?deep=1"
        assert probe.header("X-Probe-Key") == "k-1"
        assert probe.header("User-Agent") == "mcpgw-health"
        assert g.get("/readyz").status == 200
        sick[0] = True
        g.wait_log(r"upstream two: .* is down: its health check says 5xx")
        assert g.get("/readyz").status == 503
        sick[0] = False
        g.wait_log(r"upstream two: .* is back")
        assert g.get("/readyz").status == 200
        two.answer = lambda conn, req: conn.wait_peer_close(20)
        g.wait_log(r"is down: no answer to its health check in time")
        two.answer = answer
    assert g.audit_lines() == [], "probes are nobody's requests"


@pytest.mark.parametrize("health", [
    {"path": "x"}, {"path": "/a b"}, {"interval": "10ms"}, {"paht": "/"}])
def test_bad_health(make_gateway, health):
    rc, out = make_gateway(upstream_config("http://127.0.0.1:1/",
                                           health=health)).check()
    assert rc == 78 and "upstreams[0].health" in out
