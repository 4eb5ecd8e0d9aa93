"""The gateway under test: its configuration, its processes, its records.

    g = Gateway(tmp, {"auth": {"oauth": {...}}})    # merged over defaults()
    g.start()                   # $O/daemon/mcpgw -d -f mcpgw.yaml; ready
    g.post({"jsonrpc": ...}, token=t)   # one POST to /mcp: a rawhttp.Response
    mark = g.audit_mark(); ...; g.audit_one(mark)   # the one new line
    g.audit(pred, n, mark)      # waits until n lines satisfy pred
    pos = g.log_mark(); ...; g.wait_log(r"regex", pos)
    g.reload({...})             # merge, rewrite, SIGHUP, wait for the outcome
    g.workers(), g.fetchers()   # pids; g.rss(pid), g.descriptors(pid)
    g.stop()                    # SIGTERM; asserts exit 0, nobody left behind,
                                # nobody killed by a signal

A deep merge replaces lists and scalars and merges maps; the value DROP removes
a key.  The test may say g.expect_death(r"regex") for log lines about a child's
death that it causes itself.  Environment: O is the build directory (default
build, relative to the top of the tree).

The files of one gateway lie in its tmp directory: mcpgw.yaml, stderr,
audit.jsonl, mcpgw.pid.
"""

import copy
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

import yaml

import rawhttp

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = (TOP / os.environ.get("O", "build")).resolve()
MCPGW = BUILD / "daemon" / "mcpgw"
PUBLIC_URL = "https://gw.example.test/mcp"
METADATA_PATH = "/.well-known/oauth-protected-resource"
RESOURCE_METADATA = "https://gw.example.test" + METADATA_PATH
READY_TIMEOUT = 20
EX_CONFIG = 78


class Drop:
    def __repr__(self):
        return "DROP"

    def __deepcopy__(self, memo):
        return self


DROP = Drop()


class Failed(AssertionError):
    """The gateway did not do what the harness asked for."""


def merge(base, over):
    """base with over merged in; neither is changed."""
    out = copy.deepcopy(base)
    for k, v in (over or {}).items():
        if v is DROP:
            out.pop(k, None)
        elif isinstance(v, dict) and isinstance(out.get(k), dict):
            out[k] = merge(out[k], v)
        else:
            out[k] = copy.deepcopy(v)
    return out


def free_port():
    """A loopback port that nobody uses now, outside the range that the system
    gives to outgoing connections; start() tries another when somebody was
    faster."""
    while True:
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def rpc(method="tools/list", id=1, params=None):
    m = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        m["id"] = id
    if params is not None:
        m["params"] = params
    return m


def call(text="hello", id=1, name="echo"):
    return rpc("tools/call", id, {"name": name, "arguments": {"text": text}})


def session_members(sid):
    """[(pid, comm, ppid, state)] of the processes in a session."""
    out = []
    for d in os.listdir("/proc"):
        if not d.isdigit():
            continue
        try:
            stat = pathlib.Path("/proc", d, "stat").read_text()
        except OSError:
            continue
        comm = stat[stat.index("(") + 1:stat.rindex(")")]
        f = stat[stat.rindex(")") + 2:].split()
        if int(f[3]) == sid:
            out.append((int(d), comm, int(f[1]), f[0]))
    return out


def copy_programs(directory):
    """The programs again, where every user may start them: the copy's mcpgw,
    which finds its children beside it as in the build tree."""
    for made in BUILD.glob("*/*"):
        if made.is_file() and os.access(made, os.X_OK):
            to = pathlib.Path(directory) / "programs" / made.parent.name
            to.mkdir(parents=True, exist_ok=True)
            to.parent.chmod(0o755)
            to.chmod(0o755)
            shutil.copy(made, to)
    return to.parent / "daemon" / "mcpgw"


class Gateway:
    def __init__(self, tmp, config=None, auth_server=None, upstream=None,
                 path=None):
        self.dir = pathlib.Path(tmp)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.path = pathlib.Path(path) if path else self.dir / "mcpgw.yaml"
        self.stderr_path = self.dir / "stderr"
        self.audit_path = self.dir / "audit.jsonl"
        self.pid_path = self.dir / "mcpgw.pid"
        self.port = free_port()
        self.proc = None
        self.expected_deaths = []
        self.tls = None             # an ssl.SSLContext, if it speaks TLS
        self.config = merge(self.defaults(auth_server, upstream), config)

    # -- configuration -----------------------------------------------------

    def defaults(self, auth_server=None, upstream=None):
        c = {
            "listen": "127.0.0.1:%d" % self.port,
            "pid_file": str(self.pid_path),
            "workers": 2,
            "drain_timeout": "10s",
            # Tests refuse much in no time, and count lines.
            "audit": {"path": str(self.audit_path),
                      "refusals_per_second": "off"},
            "upstreams": [{"name": "up", "url": upstream.url if upstream
                           else "http://127.0.0.1:9/mcp"}],
            "default_upstream": "up",
            "auth": {"enabled": True, "oauth": {
                "enabled": True,
                "issuer": "https://idp.acme.test/",
                "audience": "mcpgw-prod",
                "jwks_url": "http://127.0.0.1:9/jwks.json",
                "required_scopes": ["mcp:read"],
                "jwks_cache_ttl": "5m",
                "leeway": "30s",
                "public_url": PUBLIC_URL,
            }},
        }
        if os.getuid() == 0:
            c["user"] = "nobody"
        elif resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 65536:
            # An ordinary user cannot raise it for the default's sake.
            c["limits"] = {"max_connections": 128}
        if auth_server is not None:
            o = c["auth"]["oauth"]
            o["issuer"] = auth_server.issuer
            o["audience"] = auth_server.audience
            o["jwks_url"] = auth_server.jwks_url
            if auth_server.ca is not None:
                ca = self.dir / "ca.pem"
                ca.write_bytes(auth_server.ca_pem)
                o["ca_file"] = str(ca)
        return c

    def write_config(self, text=None):
        self.path.write_text(text if text is not None else
                             yaml.safe_dump(self.config, sort_keys=False))

    # -- running -----------------------------------------------------------

    @staticmethod
    def environment():
        # A build with sanitizers: the leak checker wants ptrace(2) and
        # clone(2) at exit, for which the sandbox kills a child.
        return {"ASAN_OPTIONS": "detect_leaks=0", **os.environ}

    def argv(self, *args):
        return [str(MCPGW), *args, "-f", str(self.path)]

    def check(self, text=None):
        """mcpgw -n: (exit code, output)."""
        self.write_config(text)
        p = subprocess.run(self.argv("-n"), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=30, cwd=TOP)
        return p.returncode, p.stdout.decode(errors="replace")

    def spawn(self, *args):
        """Start it, do not wait."""
        assert self.proc is None or self.proc.poll() is not None
        self.write_config()
        out = open(self.stderr_path, "wb")
        # With setpriv it ends, too, when the tests are killed.
        self.proc = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--",
             *self.argv("-d", *args)], stdin=subprocess.DEVNULL, stdout=out,
            stderr=out, start_new_session=True, cwd=TOP,
            env=self.environment())
        out.close()
        return self

    def start(self, *args):
        """Start it and wait until it serves."""
        for attempt in range(5):
            self.spawn(*args)
            try:
                self.wait_ready()
                return self
            except Failed:
                if attempt == 4 or \
                        "ddress already in use" not in self.log():
                    raise
            self.port = free_port()
            self.config["listen"] = re.sub(
                r":[0-9]+\Z", ":%d" % self.port, self.config["listen"])

    def run_to_exit(self, *args, timeout=40):
        """Start it, expecting that it gives up: (exit code, log)."""
        self.spawn(*args)
        try:
            rc = self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed("mcpgw did not exit within %g s; log:\n%s" %
                         (timeout, self.log())) from None
        self.assert_nobody_left()
        self.assert_log_clean()
        self.proc = None
        return rc, self.log()

    def wait_ready(self, timeout=READY_TIMEOUT):
        deadline = time.monotonic() + timeout
        last = None
        while time.monotonic() < deadline:
            rc = self.proc.poll()
            if rc is not None:
                raise Failed("mcpgw exited with %d; log:\n%s" %
                             (rc, self.log()))
            try:
                last = rawhttp.fetch(self.port, path="/readyz", timeout=5,
                                     tls=self.tls)
                if last.status == 200:
                    return
            except (OSError, AssertionError) as e:
                last = e
            time.sleep(0.02)
        log = self.log()
        self.kill()
        raise Failed("mcpgw not ready after %g s (%r); log:\n%s" %
                     (timeout, last, log))

    @property
    def pid(self):
        return self.proc.pid

    def stop(self, timeout=20, expect=0):
        """SIGTERM, and everything that must then be true."""
        if self.proc is None:
            return
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(timeout)
            except subprocess.TimeoutExpired:
                who = session_members(self.pid)
                self.kill()
                raise Failed("mcpgw does not end after SIGTERM; still there: "
                             "%r; log:\n%s" % (who, self.log())) from None
        rc = self.proc.returncode
        self.assert_nobody_left()
        self.assert_log_clean()
        self.proc = None
        if expect is not None and rc != expect:
            raise Failed("exit status %d after SIGTERM, wanted %d; log:\n%s" %
                         (rc, expect, self.log()))

    def kill(self):
        """The hard way; only processes of our own session."""
        if self.proc is None:
            return
        for pid, _, _, _ in session_members(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.proc.wait(10)
        deadline = time.monotonic() + 10
        while any(p[3] != "Z" for p in session_members(self.pid)):
            assert time.monotonic() < deadline, "SIGKILL does not help"
            time.sleep(0.01)

    def assert_nobody_left(self, timeout=5):
        """Children end before or right after their master."""
        deadline = time.monotonic() + timeout
        while True:
            left = [p for p in session_members(self.pid) if p[3] != "Z"]
            if not left:
                return
            if time.monotonic() > deadline:
                self.kill()
                raise Failed("left behind: %r; log:\n%s" % (left, self.log()))
            time.sleep(0.02)

    def expect_death(self, regex):
        """Log lines about a child's death that match are the test's doing."""
        self.expected_deaths.append(re.compile(regex))

    def assert_log_clean(self):
        bad = []
        for line in self.log().splitlines():
            if re.search(r"terminated by signal|exited with status [1-9]|"
                         r"broke the protocol|did not leave in time|: killed|"
                         r"SIGSYS|core dumped|AddressSanitizer|"
                         r"LeakSanitizer|runtime error:", line) and \
                    not any(r.search(line) for r in self.expected_deaths):
                bad.append(line)
        if bad:
            raise Failed("in the log:\n%s\nthe whole log:\n%s" %
                         ("\n".join(bad), self.log()))

    # -- processes ---------------------------------------------------------

    def children(self):
        """{comm: [pids]} of the living children."""
        out = {}
        for pid, comm, ppid, state in session_members(self.pid):
            if ppid == self.pid and state != "Z":
                out.setdefault(comm, []).append(pid)
        return out

    def workers(self):
        return self.children().get("worker", [])

    def newest_worker(self):
        """The pid of one of the newest generation, by its title."""
        def generation(pid):
            title = pathlib.Path("/proc/%d/cmdline" % pid).read_text()
            m = re.search(r"\(g(\d+)\)", title)
            return int(m[1]) if m else 0    # not yet named, or dying
        return max(self.workers(), key=generation)

    def fetchers(self):
        return self.children().get("fetcher", [])

    def wait_children(self, pred, timeout=15):
        """Wait until pred(children()) is true; returns children()."""
        deadline = time.monotonic() + timeout
        while True:
            c = self.children()
            if pred(c):
                return c
            if time.monotonic() > deadline:
                raise Failed("children are %r; log:\n%s" % (c, self.log()))
            time.sleep(0.02)

    @staticmethod
    def rss(pid):
        """Resident memory of a process, in KiB."""
        return int(re.search(r"VmRSS:\s*(\d+) kB", pathlib.Path(
            "/proc/%d/status" % pid).read_text())[1])

    @staticmethod
    def descriptors(pid):
        """How many descriptors a process has open."""
        return len(os.listdir("/proc/%d/fd" % pid))

    # -- the log -----------------------------------------------------------

    def log(self):
        try:
            return self.stderr_path.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def log_mark(self):
        """A position for wait_log(since)."""
        return len(self.log())

    def wait_log(self, regex, since=0, timeout=15):
        """Wait for a match in the log; returns the match."""
        deadline = time.monotonic() + timeout
        while True:
            log = self.log()[since:]
            m = re.search(regex, log)
            if m:
                return m
            if time.monotonic() > deadline:
                raise Failed("no %r in the log:\n%s" % (regex, log))
            if self.proc is not None and self.proc.poll() is not None:
                m = re.search(regex, self.log()[since:])
                if m:
                    return m
                raise Failed("mcpgw is gone and no %r in the log:\n%s" %
                             (regex, log))
            time.sleep(0.02)

    def signal(self, signum):
        self.proc.send_signal(signum)

    def reload(self, over=None, expect="reloaded", text=None, timeout=20):
        """Merge over into the configuration (or write text), SIGHUP, wait for
        "configuration reloaded" or "configuration rejected".  expect=None
        does not wait.  A rejected change is taken back here, too.  Returns
        the log since the signal."""
        before = self.config
        self.config = merge(self.config, over)
        self.write_config(text)
        mark = self.log_mark()
        self.signal(signal.SIGHUP)
        if expect is None:
            return None
        m = self.wait_log(r"configuration (reloaded|rejected)", mark, timeout)
        if m[1] != "reloaded":
            self.config = before
        if m[1] != expect:
            raise Failed("configuration %s, wanted %s; log:\n%s" %
                         (m[1], expect, self.log()[mark:]))
        return self.log()[mark:]

    # -- requests ----------------------------------------------------------

    def client(self, **kw):
        kw.setdefault("tls", self.tls)
        return rawhttp.Client(self.port, **kw)

    @staticmethod
    def headers(token=None, extra=()):
        h = [("Content-Type", "application/json"),
             ("Accept", "application/json, text/event-stream")]
        if token is not None:
            h.append(("Authorization", "Bearer " + token))
        return h + list(extra.items() if isinstance(extra, dict) else extra)

    def post(self, msg=None, token=None, headers=(), path="/mcp", client=None,
             **kw):
        """One POST; msg: JSON to be, or bytes."""
        body = msg if isinstance(msg, bytes) else \
            json.dumps(rpc() if msg is None else msg).encode()
        h = self.headers(token, headers)
        if client is not None:
            return client.request("POST", path, h, body, **kw)
        kw.setdefault("tls", self.tls)
        return rawhttp.fetch(self.port, "POST", path, h, body, **kw)

    def get(self, path, headers=(), **kw):
        kw.setdefault("tls", self.tls)
        return rawhttp.fetch(self.port, "GET", path, headers, **kw)

    # -- the audit log -----------------------------------------------------

    def audit_mark(self):
        """A position in the audit log: its size now."""
        try:
            return self.audit_path.stat().st_size
        except FileNotFoundError:
            return 0

    def audit_lines(self, since=0):
        """Every line from that position; each must be a JSON object with
        distinct members, and the last one whole."""
        try:
            data = self.audit_path.read_bytes()[since:]
        except FileNotFoundError:
            return []
        assert not data or data.endswith(b"\n"), \
            "the audit log ends inside a line: %r" % data[-300:]
        out = []
        for raw in data.split(b"\n")[:-1]:
            def pairs(p, raw=raw):
                keys = [k for k, _ in p]
                assert len(keys) == len(set(keys)), "repeated member: %r" % raw
                return dict(p)
            try:
                line = json.loads(raw.decode("utf-8"), object_pairs_hook=pairs)
            except ValueError as e:
                raise AssertionError("audit line is not JSON (%s): %r" %
                                     (e, raw)) from None
            assert isinstance(line, dict), raw
            out.append(line)
        return out

    def audit(self, pred=lambda l: True, n=1, since=0, timeout=10):
        """Wait until n lines satisfy pred; returns them."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                lines = [x for x in self.audit_lines(since) if pred(x)]
            except AssertionError:      # a write may be under way
                if time.monotonic() > deadline:
                    raise
                lines = []
            if len(lines) >= n:
                return lines
            if time.monotonic() > deadline:
                raise Failed("%d of %d audit lines; all since the mark: %r" % (
                    len(lines), n, self.audit_lines(since)))
            time.sleep(0.02)

    def audit_one(self, since, response=None):
        """The single line written since the mark (of this response, if it is
        the gateway's own).  Does not wait: a line is written before its answer
        is complete at the client."""
        lines = self.audit_lines(since)
        if response is not None:
            # a client that left in the test before may get its line late
            id = response.header("X-Request-Id")
            lines = [x for x in lines if x.get("request_id") == id]
        assert len(lines) == 1, "wanted one audit line, have %r" % lines
        return lines[0]
