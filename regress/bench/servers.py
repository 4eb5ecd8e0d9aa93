"""The backend and the gateways: started, stopped, asked."""

import http.client
import os
import pathlib
import random
import re
import socket
import ssl
import subprocess
import time

import yaml

import creds
import procs

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
BUILD = (TOP / os.environ.get("O", "build")).resolve()
DIR = BUILD / "bench"
LOAD = BUILD / "regress" / "bench" / "bench-load"
MANY = 100              # upstreams of the many
GATEWAY_CPU, LOAD_CPU = procs.cpus()


class Failed(Exception):
    pass


def free_port():
    """Outside the range of outgoing connections, of which there are many."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def get(port, path, timeout=2, tls=False):
    if tls:
        c = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=timeout,
            context=ssl._create_unverified_context())
    else:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        c.request("GET", path)
        r = c.getresponse()
        return r.status, r.read()
    finally:
        c.close()


class Server:
    """Something that listens; name is for people, label for files."""
    cpu = GATEWAY_CPU
    tls = False

    def __init__(self, name, label):
        self.name = name
        self.dir = DIR / label
        self.dir.mkdir(parents=True, exist_ok=True)
        self.log = self.dir / "log"
        self.port = free_port()
        self.proc = None

    def spawn(self, *argv, path="/healthz"):
        with open(self.log, "wb") as log:
            self.proc = procs.start(argv, self.cpu, log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.proc.poll() is not None:
                break
            try:
                if get(self.port, path, tls=self.tls)[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.001)
        procs.stop(self.proc)
        raise Failed("%s does not serve:\n%s" % (
            self.name, self.log.read_text(errors="replace")[-2000:]))

    def stop(self):
        procs.stop(self.proc)

    def cpu_seconds(self):
        return procs.cpu_seconds(self.proc.pid)

    def pss(self):
        return procs.pss_bytes(self.proc.pid)

    def path(self, kind):
        return "/" + kind


class Backend(Server):
    cpu = LOAD_CPU

    def __init__(self, jwks):
        super().__init__("direct", "backend")
        self.spawn(BUILD / "regress" / "bench" / "bench-backend", self.port,
                   jwks, path="/stats")

    def requests(self):
        return int(get(self.port, "/stats")[1])


HAPROXY = """\
global
    nbthread 1
    maxconn 8192
defaults
    mode %(mode)s
    timeout connect 5s
    timeout client 75s
    timeout server 75s
%(options)s
frontend in
    bind 127.0.0.1:%(port)d
%(rules)s
    default_backend out
backend out
    server up 127.0.0.1:%(backend)d
"""

RULES = """\
    http-request set-var(txn.token) http_auth_bearer
    http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
    http-request set-var(txn.iss) var(txn.token),jwt_payload_query('$.iss')
    http-request set-var(txn.aud) var(txn.token),jwt_payload_query('$.aud')
    http-request set-var(txn.exp) \
var(txn.token),jwt_payload_query('$.exp','int')
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 unless { var(txn.alg) -m str %(alg)s }
    http-request deny deny_status 401 unless { var(txn.iss) -m str %(iss)s }
    http-request deny deny_status 401 unless { var(txn.aud) -m str %(aud)s }
    http-request deny deny_status 401 if \
{ var(txn.exp),sub(txn.now) -m int lt 0 }
    http-request deny deny_status 401 unless \
{ var(txn.token),jwt_verify(txn.alg,"%(key)s") 1 }"""


class HAProxy(Server):
    """alg None: a plain proxy.  prompt: it does not hold back the beginning
    of a stream for 200 ms, at the price of more packets.  tcp: it carries
    bytes and reads nothing."""

    def __init__(self, backend, alg=None, key=None, prompt=False, tcp=False):
        super().__init__("HAProxy " + (
            "tcp" if tcp else "plain" if alg is None else
            "jwt_verify " + alg), "haproxy-%s" % ("tcp" if tcp else alg))
        rules = "" if alg is None else RULES % {
            "alg": alg, "key": key, "iss": creds.ISSUER,
            "aud": creds.AUDIENCE}
        conf = self.dir / "haproxy.cfg"
        conf.write_text(HAPROXY % {
            "port": self.port, "rules": rules, "backend": backend.port,
            "mode": "tcp" if tcp else "http",
            "options": "" if tcp else
            "    option http-keep-alive\n    http-reuse always" +
            ("\n    option http-no-delay" if prompt else "")})
        with open(self.log, "wb") as log:
            self.proc = procs.start(
                ["haproxy", "-db", "-f", conf], self.cpu, log)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.proc.poll() is None:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise Failed("haproxy does not start:\n" + self.log.read_text())


HAPROXY_TLS = """\
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 75s
    timeout server 75s
frontend in
    bind 127.0.0.1:%(port)d ssl crt %(pem)s
    http-request return status 200 content-type text/plain string ok
"""


def certificate(directory):
    """(certificate, key, both): files, of a P-256 key."""
    cert, key, both = (directory / n for n in ("c.pem", "k.pem", "ck.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=localhost", "-keyout", key, "-out", cert],
                   check=True, stderr=subprocess.DEVNULL)
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    return cert, key, both


class HAProxyTls(Server):
    """Ends TLS and answers by itself."""
    tls = True

    def __init__(self, pem):
        super().__init__("HAProxy TLS", "haproxy-tls")
        conf = self.dir / "haproxy.cfg"
        conf.write_text(HAPROXY_TLS % {"port": self.port, "pem": pem})
        self.spawn("haproxy", "-db", "-f", conf)


class Mcpgw(Server):
    """The gateway with OAuth, one worker, the audit log on the disk that
    holds the build, the sandbox on.  keys: entries of auth.keys; telemetry: of
    telemetry.customer."""

    def __init__(self, backend, label="mcpgw", keys=None, upstreams=None,
                 tls=None, telemetry=None):
        super().__init__("mcpgw", label)
        self.tls = tls is not None
        self.backend = backend
        self.audit = self.dir / "audit.jsonl"
        self.conf = self.dir / "mcpgw.yaml"
        self.audit.unlink(missing_ok=True)
        self.config = self._config(keys, upstreams)
        if tls is not None:
            self.config["tls"] = {"cert_file": str(tls[0]),
                                  "key_file": str(tls[1])}
        if telemetry is not None:
            self.config["telemetry"] = {"customer": telemetry}

    def _config(self, keys, upstreams):
        url = "http://127.0.0.1:%d/" % self.backend.port
        names = ["mcp", "big", "sse", "hold"]
        ups = [{"name": n, "url": url + n} for n in names]
        ups += [{"name": "u%d" % i, "url": url + "u%d" % i}
                for i in range(upstreams or 0)]
        c = {"listen": "127.0.0.1:%d" % self.port, "workers": 1,
             "pid_file": str(self.dir / "mcpgw.pid"),
             "drain_timeout": "1s", "audit": {"path": str(self.audit)},
             "upstreams": ups, "default_upstream": "mcp",
             "auth": {"enabled": True, "oauth": {
                 "enabled": True, "issuer": creds.ISSUER,
                 "audience": creds.AUDIENCE, "jwks_url": url + "jwks",
                 "required_scopes": ["mcp:read"],
                 "public_url": "https://gw.example.test/mcp"}}}
        if keys is not None:
            c["auth"]["keys"] = keys
        if os.getuid() == 0:
            c["user"] = "nobody"
        return c

    def argv(self, *args):
        return [BUILD / "daemon" / "mcpgw", *args, "-f", self.conf]

    def write(self, text=None):
        self.conf.write_text(text or yaml.safe_dump(
            self.config, sort_keys=False))

    def refused(self):
        """Why mcpgw does not take the configuration, or None."""
        self.write()
        p = subprocess.run(self.argv("-n"), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        return None if p.returncode == 0 else p.stdout.decode()

    def start(self, text=None):
        self.write(text)
        self.spawn(*self.argv("-d"), path="/readyz")
        bad = [p for p in procs.tree(self.proc.pid)[1:]
               if not procs.sandboxed(p)]
        if bad:
            raise Failed("no sandbox on: %s" % [procs.name_of(p)
                                                for p in bad])
        return self

    def lines(self):
        with open(self.audit, "rb") as f:
            return sum(block.count(b"\n")
                       for block in iter(lambda: f.read(1 << 20), b""))

    def path(self, kind):
        return "/mcp" if kind == "mcp" else "/mcp/" + kind


class Clients:
    """What puts a load on a server."""

    def __init__(self, directory):
        self.dir = directory

    def wrk(self, server, seconds, *args, connections=64, kind="mcp"):
        p = subprocess.run(
            ["taskset", "-c", str(LOAD_CPU), "wrk", "-t1",
             "-c%d" % connections, "-d%gs" % seconds, "--timeout", "20s",
             "-s", str(HERE / "post.lua"), "http://127.0.0.1:%d%s" % (
                 server.port, server.path(kind)), "--", *map(str, args)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = p.stdout.decode(errors="replace")
        if p.returncode != 0 or "\n{" not in out:
            raise Failed("wrk: " + out)
        r = yaml.safe_load(out[out.rindex("\n{"):])
        if r["bad"] + r["broken"] > 0 or r["requests"] == 0:
            raise Failed("%s: %r" % (server.name, r))
        return r

    def handshakes(self, server, seconds, *how, clients=4):
        """How many connections of one request each there were."""
        argv = ["taskset", "-c", str(LOAD_CPU), "openssl", "s_time",
                "-connect", "127.0.0.1:%d" % server.port, "-www", "/healthz",
                "-time", str(seconds), *how]
        ps = [subprocess.Popen(argv, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
              for _ in range(clients)]
        done = 0
        for p in ps:
            out = p.communicate()[0].decode(errors="replace")
            m = re.search(r"(\d+) connections in [\d.]+ real seconds", out)
            if m is None:
                raise Failed("openssl s_time: " + out[-500:])
            done += int(m[1])
        return done

    def request(self, path, credential, method="POST"):
        """A file with a whole request."""
        body = b""
        head = "%s %s HTTP/1.1\r\nHost: bench\r\n" % (method, path)
        if credential is not None:
            head += "Authorization: Bearer %s\r\n" % \
                credential.read_text().split()[0]
        if method == "POST":
            body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call",' \
                b'"params":{"name":"echo","arguments":{"text":"hello"}}}'
            head += "Content-Type: application/json\r\n" \
                "Content-Length: %d\r\n" % len(body)
        head += "Accept: application/json, text/event-stream\r\n\r\n"
        f = self.dir / "request"
        f.write_bytes(head.encode() + body)
        return f

    def load(self, what, server, request, *args):
        p = subprocess.run(
            ["taskset", "-c", str(LOAD_CPU), str(LOAD), what,
             str(server.port), str(request), *map(str, args)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if p.returncode != 0:
            raise Failed("%s: %s" % (server.name, p.stderr.decode()))
        r = yaml.safe_load(p.stdout)
        if r["good"] != r["answers"]:
            raise Failed("%s: %r" % (server.name, r))
        return r

    def hold(self, server, request, connections):
        """Connections that stay until the caller ends the process."""
        p = subprocess.Popen(
            ["taskset", "-c", str(LOAD_CPU), str(LOAD), "hold",
             str(server.port), str(request), str(connections)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if p.stdout.readline() != b"held\n":
            p.kill()
            raise Failed("%s does not hold connections" % server.name)
        return p
