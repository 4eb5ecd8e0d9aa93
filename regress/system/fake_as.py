"""An authorization server for tests: a JWKS endpoint that can misbehave, and
tokens.

    with FakeAS() as a:
        a.jwks_url, a.issuer, a.audience
        token = a.mint(claims={...})        # overrides; None drops a claim
        a.rotate()                          # a new key, the old one gone

The set holds one key of the default kind unless told otherwise; add_key(kind)
adds one, keys[-1] of the right kind signs.  extra is a list of further JWKS
entries (tokens.junk_jwks()).  Behaviour of the endpoint, until changed:
normal(), status(n), content_type(t), body(bytes), truncated(), huge(n),
drip(seconds), hang(), redirect(url), refuse() (stops listening), listen().
fetches counts requests for the JWKS, fetch_times holds time.monotonic() of
each, wait_fetches(n) waits.

tls=True serves https with a certificate of a CA of its own; ca_pem is what to
put in auth.oauth.ca_file.
"""

import datetime
import ipaddress
import json
import os
import ssl
import tempfile
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import rawhttp
import tokens
from rawserver import RawServer

ISSUER = "https://idp.acme.test/"
AUDIENCE = "mcpgw-prod"
SCOPE = "mcp:read"


class CA:
    """A certificate authority of its own, and certificates for loopback."""

    def __init__(self, name="test CA"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.cert = self._build(self.name, self.key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), True).sign(
            self.key, hashes.SHA256())

    def _build(self, subject, public, days=(-1, 30)):
        now = datetime.datetime.utcnow()
        return x509.CertificateBuilder().subject_name(subject).issuer_name(
            self.name).public_key(public).serial_number(
            x509.random_serial_number()).not_valid_before(
            now + datetime.timedelta(days=min(days[0], days[1] - 1))
        ).not_valid_after(now + datetime.timedelta(days=days[1]))

    @property
    def pem(self):
        return self.cert.public_bytes(serialization.Encoding.PEM)

    def server_context(self, host="127.0.0.1", days=(-1, 30)):
        """An SSLContext for a server known as host."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            san = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            san = x509.DNSName(host)
        cert = self._build(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]),
            key.public_key(), days).add_extension(
            x509.SubjectAlternativeName([san]), False).sign(
            self.key, hashes.SHA256())
        pem = cert.public_bytes(serialization.Encoding.PEM) + \
            key.private_bytes(serialization.Encoding.PEM,
                              serialization.PrivateFormat.PKCS8,
                              serialization.NoEncryption())
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        fd, path = tempfile.mkstemp()
        try:
            os.write(fd, pem)
            os.close(fd)
            ctx.load_cert_chain(path)
        finally:
            os.unlink(path)
        return ctx


class FakeAS(RawServer):
    def __init__(self, kind="ec256", tls=False, ssl_context=None,
                 issuer=ISSUER, audience=AUDIENCE):
        self.ca = None
        if tls and ssl_context is None:
            self.ca = CA()
            ssl_context = self.ca.server_context()
        self.issuer = issuer
        self.audience = audience
        self.kind = kind
        self.keys = [tokens.Key.make(kind)]
        self.extra = []
        self.fetches = 0
        self.fetch_times = []
        self.requests = []          # raw heads, any path
        self._changed = threading.Condition()
        self._behave = self._normal
        super().__init__(ssl_context=ssl_context)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        super().stop()
        for k in self.keys:
            k.give_back()

    @property
    def origin(self):
        return "%s://127.0.0.1:%d" % (
            "https" if self.ssl_context else "http", self.port)

    @property
    def jwks_url(self):
        return self.origin + "/jwks.json"

    @property
    def ca_pem(self):
        return self.ca.pem

    # -- keys and tokens ---------------------------------------------------

    def add_key(self, kind=None, kid=None):
        k = tokens.Key.make(kind or self.kind, kid)
        self.keys = self.keys + [k]
        return k

    def rotate(self, keep=False, kind=None):
        """A new key signs from now on; the old ones leave the set unless
        keep."""
        k = tokens.Key.make(kind or self.kind)
        self.keys = self.keys + [k] if keep else [k]
        return k

    def key_for(self, alg):
        kind = tokens.KIND_OF_ALG[alg]
        for k in reversed(self.keys):
            if k.kind == kind:
                return k
        return self.add_key(kind)

    def claims(self, **over):
        now = int(time.time())
        c = {"iss": self.issuer, "aud": self.audience, "sub": "user-1",
             "client_id": "agent-7", "scope": SCOPE, "iat": now,
             "nbf": now, "exp": now + 600, "jti": tokens.new_kid()}
        c.update(over)
        return c

    def mint(self, claims=None, alg=None, header=None, key=None, sign=None):
        """A good token, with overrides (None drops a claim or a header
        member)."""
        if key is None:
            key = self.key_for(alg) if alg else self.keys[-1]
        return tokens.mint(key, alg, self.claims(**(claims or {})), header,
                           sign)

    def jwks(self):
        return {"keys": [k.jwk() for k in self.keys] + list(self.extra)}

    # -- behaviour ---------------------------------------------------------

    def normal(self):
        self._behave = self._normal

    def status(self, code):
        self._behave = lambda c: self._reply(c, self._doc(), status=code)

    def content_type(self, value):
        """None: no Content-Type at all."""
        self._behave = lambda c: self._reply(c, self._doc(), ctype=value)

    def body(self, data):
        self._behave = lambda c: self._reply(c, data)

    def truncated(self):
        """Half of the promised body, then the end."""
        def behave(c):
            doc = self._doc()
            c.send(self._head(len(doc)) + doc[:len(doc) // 2])
        self._behave = behave

    def huge(self, size=3 * 1024 * 1024, chunked=False):
        """A good set with a member that makes it this large."""
        def behave(c):
            doc = json.dumps(dict(self.jwks(), pad="x" * size)).encode()
            if chunked:
                c.send(self._head(None) + b"%x\r\n" % len(doc) + doc +
                       b"\r\n0\r\n\r\n")
            else:
                self._reply(c, doc)
        self._behave = behave

    def drip(self, seconds=0.5):
        """A good answer, one byte at a time."""
        def behave(c):
            doc = self._doc()
            for b in self._head(len(doc)) + doc:
                c.send(bytes([b]))
                c.pause(seconds)
        self._behave = behave

    def slow(self, seconds):
        """A good answer after a while."""
        def behave(c):
            c.pause(seconds)
            self._normal(c)
        self._behave = behave

    def hang(self):
        def behave(c):
            while True:
                c.pause(60)
        self._behave = behave

    def redirect(self, url, status=302):
        self._behave = lambda c: self._reply(
            c, b"", status=status, extra="Location: %s\r\n" % url)

    def wait_fetches(self, n, timeout=15):
        """Wait until there were n fetches in all."""
        with self._changed:
            ok = self._changed.wait_for(lambda: self.fetches >= n, timeout)
        assert ok, "%d fetches of the JWKS after %g s, wanted %d" % (
            self.fetches, timeout, n)

    # -- serving -----------------------------------------------------------

    def _doc(self):
        return json.dumps(self.jwks()).encode()

    def _head(self, length, status=200, ctype="application/json", extra=""):
        h = "HTTP/1.1 %d X\r\n" % status
        if ctype is not None:
            h += "Content-Type: %s\r\n" % ctype
        if length is None:
            h += "Transfer-Encoding: chunked\r\n"
        else:
            h += "Content-Length: %d\r\n" % length
        return (h + extra + "Connection: close\r\n\r\n").encode()

    def _reply(self, c, doc, **kw):
        c.send(self._head(len(doc), **kw) + doc)

    def _normal(self, c):
        self._reply(c, self._doc())

    def serve(self, conn):
        buf = b""
        while b"\r\n\r\n" not in buf:
            more = conn.recv()
            if not more:
                return
            buf += more
        self.requests.append(buf)
        first, _ = rawhttp.parse_head(buf.split(b"\r\n\r\n")[0] +
                                      b"\r\n\r\n")
        if first.split(" ")[1] != "/jwks.json":
            self._reply(conn, b"{}", status=404)
            return
        behave = self._behave
        with self._changed:
            self.fetches += 1
            self.fetch_times.append(time.monotonic())
            self._changed.notify_all()
        behave(conn)
