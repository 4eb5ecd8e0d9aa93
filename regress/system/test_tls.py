"""TLS on the listener: handshakes signed by the keeper, client certificates,
reload of certificates, and that the key is where it may be and nowhere else."""

import base64
import datetime
import ipaddress
import os
import re
import signal
import ssl
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import rawhttp
from gw import rpc
from test_keys import SANITIZED, memory_has

PEM = serialization.Encoding.PEM
KINDS = {
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa4096": lambda: rsa.generate_private_key(65537, 4096),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


class Cert:
    """A certificate and its key, signed by a Cert or by itself."""

    def __init__(self, name="localhost", issuer=None, kind="p256", days=30,
                 ca=False, client=False, names=("localhost",)):
        self.key = KINDS[kind]()
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        now = datetime.datetime.utcnow()
        end = now + datetime.timedelta(days=days)
        b = x509.CertificateBuilder().subject_name(self.name).issuer_name(
            signer.name).public_key(self.key.public_key()).serial_number(
            x509.random_serial_number()).not_valid_before(
            min(now, end) - datetime.timedelta(days=2)).not_valid_after(end)
        b = b.add_extension(x509.BasicConstraints(ca, None), True)
        if client:
            b = b.add_extension(x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        elif not ca:
            san = [x509.DNSName(n) for n in names]
            if "localhost" in names:
                san.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
            b = b.add_extension(x509.SubjectAlternativeName(san), False)
        algorithm = None if isinstance(
            signer.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        self.cert = b.sign(signer.key, algorithm)

    @property
    def pem(self):
        return self.cert.public_bytes(PEM)

    @property
    def key_pem(self):
        return self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption())


class Files:
    """The files of one gateway's listener."""

    def __init__(self, tmp):
        self.dir = tmp / "tls"
        self.dir.mkdir()

    def put(self, name, data):
        p = self.dir / name
        p.write_bytes(data)
        return str(p)

    def config(self, cert, chain=b"", client_ca=None):
        c = {"cert_file": self.put("cert.pem", cert.pem + chain),
             "key_file": self.put("key.pem", cert.key_pem)}
        if client_ca is not None:
            c["client_ca"] = self.put("ca.pem", client_ca.pem)
        return {"tls": c}

    def context(self, trust, client=None, maximum=None):
        ctx = ssl.create_default_context(cadata=trust.pem.decode())
        if client is not None:
            ctx.load_cert_chain(self.put("client.pem", client.pem),
                                self.put("client.key", client.key_pem))
        if maximum is not None:
            ctx.minimum_version = ctx.maximum_version = maximum
        return ctx


@pytest.fixture
def files(tmp):
    return Files(tmp)


@pytest.fixture
def tls_gateway(make_gateway, files):
    def start(cert, over=None, client=None, trust=None, **kw):
        g = make_gateway({**files.config(cert, **kw), **(over or {})})
        g.tls = files.context(trust or cert, client)
        return g.start()
    return start


# -- handshakes ---------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
def test_keys_and_versions(tls_gateway, files, auth_server, upstream, kind):
    cert = Cert(kind=kind)
    g = tls_gateway(cert)
    token = auth_server.mint()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with g.client(tls=files.context(cert, maximum=version)) as c:
            assert c.sock.version() == version.name.replace("v1_", "v1.")
            for _ in range(3):
                assert g.post(token=token, client=c).status == 200
    assert upstream.requests[-1].header("x-forwarded-proto") == "https"


def test_openssl_and_curl(tls_gateway, files):
    cert = Cert()
    g = tls_gateway(cert)
    ca = files.put("trust.pem", cert.pem)
    p = subprocess.run(
        ["curl", "-sS", "--cacert", ca, "https://localhost:%d/readyz" %
         g.port], stdout=subprocess.PIPE, timeout=30, check=True)
    assert p.stdout == b"ok\n"
    p = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % g.port,
         "-CAfile", ca, "-verify_return_error", "-alpn", "h2,http/1.1"],
        input=b"", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=30)
    assert b"ALPN protocol: http/1.1" in p.stdout
    assert b"Verify return code: 0 (ok)" in p.stdout, p.stdout


@pytest.mark.parametrize("args,want", [
    (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], b"alert|no protocols"),
    (["-alpn", "h2"], b"no application protocol"),
    (["-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384"],
     b"handshake failure"),
    (["-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"],
     b"handshake failure"),
], ids=["tls1.1", "h2-alone", "no-forward-secrecy", "dhe"])
def test_refused_handshakes(tls_gateway, args, want):
    g = tls_gateway(Cert(kind="rsa2048"))
    p = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % g.port, *args],
        input=b"", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=30)
    assert re.search(want, p.stdout), p.stdout
    assert p.returncode != 0
    assert g.get("/healthz").status == 200


def test_chain(tls_gateway, files):
    root = Cert("root", ca=True)
    middle = Cert("middle", issuer=root, ca=True)
    leaf = Cert(issuer=middle)
    g = tls_gateway(leaf, chain=middle.pem, trust=root)
    assert g.get("/readyz").status == 200


def test_plain_http_to_tls(tls_gateway):
    """Told so in plain text, and ended; nothing hangs, nothing is logged as
    a request."""
    g = tls_gateway(Cert())
    mark = g.audit_mark()
    with g.client(tls=None) as c:
        c.send(b"POST /mcp HTTP/1.1\r\nHost: x\r\n\r\n")
        r = c.read_response(timeout=10)
        assert r.status == 400 and b"https" in r.body, r
        assert r.header("Content-Type") == "text/plain"
        c.wait_close(timeout=10)
    assert g.audit_lines(mark) == []


def test_silence_and_junk(tls_gateway):
    """Who connects and says nothing, or half of something, is let go after
    timeouts.header; others are not held up."""
    g = tls_gateway(Cert(), {"timeouts": {"header": "700ms"}})
    silent = [rawhttp.Client(g.port) for _ in range(20)]
    for i, c in enumerate(silent):
        c.send(b"\x16\x03\x01\x02\x00\x01"[:i % 7])
    assert g.get("/healthz").status == 200
    for c in silent:
        c.wait_close(timeout=15)
        c.close()


def test_reset_during_handshakes(tls_gateway, files):
    """Clients that leave at every point of a handshake leave nothing."""
    cert = Cert()
    g = tls_gateway(cert, {"workers": 1})
    hello = client_hello(files.context(cert))
    worker = g.workers()[0]
    g.get("/healthz")
    before = g.descriptors(worker)
    for cut in list(range(0, len(hello), 37)) + [len(hello)] * 200:
        c = rawhttp.Client(g.port)
        c.send(hello[:cut])
        c.reset()
    assert g.get("/healthz").status == 200
    deadline = time.monotonic() + 20
    while g.descriptors(worker) > before:
        assert time.monotonic() < deadline, "descriptors left"
        time.sleep(0.05)


def client_hello(ctx):
    out = ssl.MemoryBIO()
    obj = ctx.wrap_bio(ssl.MemoryBIO(), out, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        obj.do_handshake()
    return out.read()


# -- data ---------------------------------------------------------------------

def test_large_bodies_and_streams(tls_gateway, auth_server, upstream):
    g = tls_gateway(Cert())
    token = auth_server.mint()
    text = "x" * (3 << 20)
    r = g.post(rpc("tools/call", 1, {"name": "echo",
                                     "arguments": {"text": text}}),
               token=token, timeout=60)
    assert r.status == 200
    assert upstream.requests[-1].json()["params"]["arguments"][
        "text"] == text
    go = threading.Event()

    def slow(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        for part in (b"data: {\"a\":1}\n\n", b"data: " + b"y" * 300000 +
                     b"\n\n"):
            conn.send(b"%x\r\n%s\r\n" % (len(part), part))
            conn.wait(go)
        conn.send(b"0\r\n\r\n")

    upstream.script(slow)
    with g.client() as c:
        c.send(c.build("GET", "/mcp", g.headers(token)))
        c.read_head("GET")
        events = c.events()
        assert next(events).data == '{"a":1}'
        go.set()
        assert len(next(events).data) == 300000
        with pytest.raises(StopIteration):
            next(events)


def test_pipelined_and_split(tls_gateway, auth_server):
    """Two requests in one record, and one in a record for each byte."""
    g = tls_gateway(Cert())
    token = auth_server.mint()
    with g.client() as c:
        body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
        one = c.build("POST", "/mcp", g.headers(token), body)
        c.send(one + one)
        assert c.read_response().status == 200
        assert c.read_response().status == 200
        for i in range(len(one)):
            c.send(one[i:i + 1])
        assert c.read_response().status == 200


def test_close_is_announced(tls_gateway, auth_server):
    """close_notify before the end: a truncated answer can be told."""
    g = tls_gateway(Cert())
    with g.client() as c:
        c.sock.suppress_ragged_eofs = False
        r = g.post(token=auth_server.mint(), client=c,
                   headers=[("Connection", "close")])
        assert r.status == 200
        c.wait_close()


# -- client certificates ------------------------------------------------------

def attempt(g, ctx):
    """The status, or the name of what went wrong.  In TLS 1.3 a client learns
    of its refusal when it reads."""
    try:
        with g.client(tls=ctx) as c:
            return c.request("GET", "/healthz").status
    except (ssl.SSLError, OSError, rawhttp.Truncated) as e:
        return str(e)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_client_certificates(tls_gateway, files, version):
    cert, ca, other = Cert(), Cert("clients", ca=True), Cert("else", ca=True)
    good = Cert("agent", issuer=ca, client=True)
    g = tls_gateway(cert, client=good, client_ca=ca)

    def ask(client):
        return attempt(g, files.context(cert, client, version))

    assert ask(good) == 200
    for bad, why in ((None, "peer did not return a certificate"),
                     (Cert("agent", issuer=other, client=True),
                      "unable to get local issuer certificate|unknown|self"),
                     (Cert("agent", issuer=ca, client=True, days=-1),
                      "certificate has expired"),
                     (Cert("agent", client=True), "self-signed certificate"),
                     (Cert("server", issuer=ca),
                      "unsupported certificate purpose|^$")):
        pos = g.log_mark()
        assert ask(bad) != 200 or why.endswith("^$"), why
        if not why.endswith("^$"):
            g.wait_log(why, pos)
    assert ask(good) == 200


# -- reload -------------------------------------------------------------------

def test_reload_certificate(tls_gateway, files, auth_server):
    old, new = Cert(), Cert(kind="rsa2048")
    g = tls_gateway(old, {"drain_timeout": "5s"})
    token = auth_server.mint()
    idle = g.client()
    assert g.post(token=token, client=idle).status == 200
    trust_old, trust_new = g.tls, files.context(new)
    files.config(new)
    g.reload()
    g.tls = trust_new
    assert g.post(token=token).status == 200
    assert "certificate verify failed" in str(attempt(g, trust_old))
    # a late request of the old generation's connection: told to come again
    mark = g.audit_mark()
    r = g.post(token=token, client=idle)
    assert r.status == 503 and r.header("retry-after") == "0"
    assert r.header("connection") == "close"
    assert g.audit_one(mark)["status"] == 503
    idle.close()


def test_reload_refuses_what_does_not_fit(tls_gateway, files, auth_server):
    cert = Cert()
    g = tls_gateway(cert)
    files.put("key.pem", Cert().key_pem)
    log = g.reload(expect="rejected")
    assert re.search(r"tls\.key_file: expected the private key of "
                     r"the certificate.*not the key of the first", log)
    assert g.post(token=auth_server.mint()).status == 200
    files.put("key.pem", cert.key_pem)
    g.reload()
    assert g.post(token=auth_server.mint()).status == 200


def test_keeper_killed_during_handshakes(tls_gateway, files):
    """Handshakes wait for the next keeper; none is lost."""
    cert = Cert()
    g = tls_gateway(cert)
    g.expect_death(r"keeper.*terminated by signal 9")
    ctx = files.context(cert)
    results, over = [], threading.Event()

    def pound():
        while not over.is_set():
            results.append(attempt(g, ctx))

    threads = [threading.Thread(target=pound) for _ in range(4)]
    for t in threads:
        t.start()
    for _ in range(3):
        keeper = g.wait_children(lambda c: c.get("keeper"))["keeper"][0]
        os.kill(keeper, signal.SIGKILL)
        g.wait_children(lambda c: c.get("keeper", [keeper]) != [keeper])
        n = len(results)
        deadline = time.monotonic() + 20
        while len(results) < n + 8:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    over.set()
    for t in threads:
        t.join(30)
    assert set(results) == {200}, set(results)


def test_keeper_stopped(tls_gateway, files, auth_server):
    """Established connections need no keeper; a handshake without it ends
    after timeouts.header."""
    cert = Cert()
    g = tls_gateway(cert, {"timeouts": {"header": "1s"}})
    token = auth_server.mint()
    with g.client() as c:
        assert g.post(token=token, client=c).status == 200
        keeper = g.children()["keeper"][0]
        os.kill(keeper, signal.SIGSTOP)
        try:
            waits = threading.Thread(target=attempt, args=(
                g, files.context(cert)))
            waits.start()
            for _ in range(20):
                assert g.post(token=token, client=c).status == 200
            waits.join(20)
            assert not waits.is_alive()
        finally:
            os.kill(keeper, signal.SIGCONT)
    assert g.get("/healthz").status == 200


# -- the key ------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
def test_key_is_the_keepers(tls_gateway, kind):
    cert = Cert(kind=kind)
    g = tls_gateway(cert)
    for _ in range(5):
        assert g.get("/healthz").status == 200
    if os.getuid() != 0 or SANITIZED:
        return
    n = cert.key.private_numbers()
    secrets_ = []
    values = [n.p, n.q, n.d] if kind == "rsa2048" else [n.private_value]
    for v in values:
        raw = v.to_bytes((v.bit_length() + 7) // 8, "big")
        # as OpenSSL has numbers, too: words, the lowest first
        secrets_ += [raw, raw[::-1], raw[:24], raw[::-1][:24]]
    if kind == "rsa2048":
        secrets_.append(cert.key_pem.split(b"\n")[9][:48])
    found = {name: any(memory_has(pid, s) for pid in pids for s in secrets_)
             for name, pids in g.children().items()}
    assert found == {"keeper": True, "worker": False, "fetcher": False,
                     "monitor": False}


BAD_FILES = {
    "missing": (None, None, r"tls\.cert_file: expected a file of PEM.*No such"),
    "no-cert": (b"hello\n", None, r"tls\.cert_file.*holds no certificate"),
    "key-in-cert": ("both", None, r"tls\.cert_file.*holds a private key"),
    "no-key": ("good", b"hello\n", r"tls\.key_file.*no private key"),
    "other-key": ("good", "other", r"tls\.key_file.*not the key of the first"),
    "encrypted": ("good", "encrypted", r"tls\.key_file.*needs a passphrase"),
    "small": ("small", "good", r"tls\.cert_file.*less than 2048 bits"),
    "curve": ("curve", "good", r"tls\.cert_file.*not on P-256"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(make_gateway, files, name):
    cert_data, key_data, want = BAD_FILES[name]
    cert = Cert()
    KINDS["small"] = lambda: rsa.generate_private_key(65537, 1024)
    KINDS["curve"] = lambda: ec.generate_private_key(ec.SECP256K1())
    c = files.config(cert)
    if cert_data is None:
        os.unlink(c["tls"]["cert_file"])
    elif cert_data == "both":
        files.put("cert.pem", cert.pem + cert.key_pem)
    elif cert_data in ("small", "curve"):
        weak = Cert(kind=cert_data)
        files.put("cert.pem", weak.pem)
        files.put("key.pem", weak.key_pem)
    elif isinstance(cert_data, bytes):
        files.put("cert.pem", cert_data)
    if key_data == "other":
        files.put("key.pem", Cert().key_pem)
    elif key_data == "encrypted":
        files.put("key.pem", cert.key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret")))
    elif isinstance(key_data, bytes):
        files.put("key.pem", key_data)
    rc, out = make_gateway(c).check()
    assert rc == 78 and re.search(want, out), out
    body = base64.b64encode(cert.key.private_numbers().private_value.to_bytes(
        32, "big"))[:20].decode()
    assert body not in out and "BEGIN" not in out


def test_both_files_are_needed(make_gateway, files):
    c = files.config(Cert())
    del c["tls"]["key_file"]
    rc, out = make_gateway(c).check()
    assert rc == 78 and "tls.key_file: required" in out


def test_handshakes_do_not_block_others(tls_gateway, files, auth_server):
    """A crowd of handshakes with the slowest key beside requests on an open
    connection."""
    cert = Cert(kind="rsa4096")
    g = tls_gateway(cert, {"workers": 1})
    token = auth_server.mint()
    ctx = files.context(cert)
    over = threading.Event()
    results = []

    def pound():
        while not over.is_set():
            results.append(attempt(g, ctx))

    with g.client() as c:
        threads = [threading.Thread(target=pound) for _ in range(8)]
        for t in threads:
            t.start()
        deadline = time.monotonic() + 30
        while len(results) < 50:
            assert time.monotonic() < deadline
            assert g.post(token=token, client=c).status == 200
        over.set()
        for t in threads:
            t.join(30)
    assert set(results) == {200}, set(results)
