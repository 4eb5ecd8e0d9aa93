"""mcpgwctl top: rates and percentiles are those of the interval, keys choose
and sort and filter, and the terminal is left as it was whatever happens."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import gw
from fake_control import FakeControl, answer, everything, row

CTL = gw.BUILD / "ctl" / "mcpgwctl"
LEAVE = b"\x1b[?25h\x1b[?1049l"


@pytest.fixture
def control(tmp):
    made = []

    def make(script):
        made.append(FakeControl(tmp / "control.sock", script))
        return made[-1]
    yield make
    for c in made:
        c.close()


def environment():
    return dict(gw.Gateway.environment(), LC_ALL="C.UTF-8", TERM="xterm")


def run(c, *args, check=0):
    p = subprocess.run([str(CTL), "-s", str(c.path), "top", *args],
                       stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=60, env=environment())
    assert p.returncode == check, p.stderr
    return p.stdout.decode(), p.stderr.decode()


def states(*list_):
    """A script that gives one after the other, the last one on and on."""
    def script(line, n):
        assert line == "GET /v1/all HTTP/1.1"
        return answer(list_[min(n, len(list_) - 1)])
    return script


# -- for scripts --------------------------------------------------------------

def test_rates_are_of_the_interval(control):
    c = control(states(
        everything(1000, tool=[row("a", 500, upstream="x"),
                               row("b", 500, errors=9)]),
        everything(1100, tool=[
            row("b", 500, errors=9),
            row("a", 600, 50, errors=20, denied=10, bytes_in=1000,
                bytes_out=5000, upstream="x")])))
    out, err = run(c, "--json", "--interval", "0.5")
    d = json.loads(out)
    took = d["interval_s"]
    assert err == "" and 0.5 <= took < 5 and len(c.requests) == 2
    tools = {r["name"]: r for r in d["tool"]}
    a = tools["a"]
    for name, n in (("requests", 100), ("errors", 20), ("denied", 10),
                    ("bytes_in", 1000), ("bytes_out", 5000)):
        assert abs(a[name + "_per_s"] - n / took) < 1, name
    # half of the 100 took 0.5 to 1 s
    assert a["p50_s"] == pytest.approx(0.01)
    assert a["p95_s"] == pytest.approx(0.95)
    assert a["requests"] == 600 and a["upstream"] == "x"
    assert tools["b"]["errors_per_s"] == 0 and tools["b"]["p50_s"] is None
    assert d["total"]["requests_per_s"] == pytest.approx(100 / took, abs=1)


def test_a_gateway_that_was_restarted_counts_anew(control):
    c = control(states(everything(5000), everything(
        10, status={"pid": 8})))
    d = json.loads(run(c, "--json", "--interval", "0.1")[0])
    assert d["total"]["requests_per_s"] == 0
    assert d["total"]["requests"] == 10 and d["total"]["p50_s"] is None


def test_once_shows_everything(control):
    c = control(states(everything(
        100, status={"audit": {"broken": True}, "draining": True},
        upstreams=[{"name": "fs", "servers": [
            {"url": "http://10.0.0.1", "up": False},
            {"url": "http://10.0.0.2", "up": True}]}],
        refusals=[{"reason": "bad_audience", "count": 12}],
        upstream=[row("fs", 7)], tool=[row("t\x1b[2J\u202e", 7, upstream="fs")],
        client=[row("日本語", 8)], method=[row("tools/call", 9)])))
    for args in (["--once"], []):
        out, _ = run(c, "--interval", "0.1", *args)
        assert "mcpgw 9.8.7, up 23m 1s; generation 3" in out
        assert "AUDIT LOG CANNOT BE WRITTEN" in out and "DRAINING" in out
        assert "DOWN: fs, http://10.0.0.1" in out and "10.0.0.2" not in out
        assert "bad_audience 12" in out and "t?[2J?@fs" in out
        assert all(t in out for t in ("UPSTREAM", "TOOL", "CLIENT", "METHOD"))
        assert "日本語" in out and "\x1b" not in out
        assert max(map(len, out.splitlines())) <= 132


@pytest.mark.parametrize("args", [
    ["--interval", "0"], ["--interval", "x"], ["--interval", "nan"],
    ["--interval", "inf"], ["--interval", "3601"], ["--interval", "-1"],
    ["now"],
])
def test_usage(control, args):
    c = control(states(everything()))
    run(c, *args, check=64)
    assert c.requests == []


# -- on a terminal ------------------------------------------------------------

class Terminal:
    """top on a pty, and what is on the screen."""

    def __init__(self, c, *args, columns=100, lines=20):
        self.columns, self.lines = columns, lines
        master, slave = pty.openpty()
        self.fd = master
        self.slave = slave
        self.resize(columns, lines, tell=False)
        self.before = termios.tcgetattr(slave)
        self.p = subprocess.Popen(
            [str(CTL), "-s", str(c.path), "top", *args], stdin=slave,
            stdout=slave, stderr=slave, env=environment(),
            start_new_session=True)
        self.raw = b""

    def resize(self, columns, lines, tell=True):
        self.columns, self.lines = columns, lines
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))
        if tell:
            self.p.send_signal(signal.SIGWINCH)

    def read(self, timeout=0.1):
        if select.select([self.fd], [], [], timeout)[0]:
            self.raw += os.read(self.fd, 65536)

    def frame(self):
        """The last whole frame, as lines without attributes."""
        frames = self.raw.split(b"\x1b[H")
        frames = [f for f in frames[1:] if b"\x1b[J" in f]
        if not frames:
            return []
        text = frames[-1].split(b"\x1b[J")[0].decode()
        return [re.sub(r"\x1b\[[0-9;]*[mK]|\r", "", x)
                for x in text.split("\n")]

    def wait(self, pred, timeout=15):
        end = time.monotonic() + timeout
        while True:
            if (f := self.frame()) and pred(f):
                return f
            assert time.monotonic() < end, self.raw[-3000:]
            self.read()

    def key(self, k, pred):
        """Press it, and wait for a frame that came after."""
        self.raw = b""
        os.write(self.fd, k if isinstance(k, bytes) else k.encode())
        return self.wait(pred)

    def names(self):
        f = self.frame()
        at = next(i for i, x in enumerate(f) if "REQ/S" in x)
        return [x.split()[0] for x in f[at + 1:-1]]

    def end(self):
        """The exit code, after everything was read."""
        end = time.monotonic() + 15
        while self.p.poll() is None:
            assert time.monotonic() < end
            self.read()
        while select.select([self.fd], [], [], 0.1)[0]:
            self.read()
        return self.p.returncode

    def assert_restored(self):
        assert self.raw.endswith(LEAVE), self.raw[-100:]
        assert termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()
        os.close(self.fd)
        os.close(self.slave)


@pytest.fixture
def terminal(control):
    open_ = []

    def make(script=None, *args, **kw):
        open_.append(Terminal(control(script or busy), *args, **kw))
        open_[-1].wait(lambda f: "REQ/S" in "".join(f))
        return open_[-1]
    yield make
    for t in open_:
        t.close()


def busy(line, n):
    n += 10
    return answer(everything(
        100 * n,
        tool=[row("alpha", 10 * n, denied=3 * n), row("beta", 30 * n),
              row("gamma", 20 * n, errors=n)] +
             [row("idle%02d" % i, i) for i in range(30)],
        client=[row("agent", 100 * n)], upstream=[row("up", 100 * n)],
        method=[row("tools/list", n)]))


def title(word):
    return lambda f: any(x.startswith(word) and "REQ/S" in x for x in f)


def foot(text):
    return lambda f: text in f[-1]


def test_views_and_sorting(terminal):
    t = terminal(None, "--interval", "0.2")
    t.wait(lambda f: f[1][0] != "0" and
           t.names()[:3] == ["beta", "gamma", "alpha"])
    assert t.p.poll() is None
    for k, word in (("c", "CLIENT"), ("u", "UPSTREAM"), ("m", "METHOD"),
                    ("t", "TOOL"), ("\x1b[C", "CLIENT"), ("\x1b[D", "TOOL"),
                    ("\x1bOD", "UPSTREAM"), ("\x1b[D", "METHOD"),
                    ("\x1b[C", "UPSTREAM"), ("t", "TOOL")):
        t.key(k, title(word))
    t.key("s", foot("by errors"))
    assert t.names()[0] == "gamma", t.frame()
    t.key("s", foot("by denied"))
    assert t.names()[0] == "alpha"
    for _ in range(3):
        t.key("s", foot("rows by"))
    t.key("s", foot("by name"))
    assert t.names()[:4] == ["alpha", "beta", "gamma", "idle00"]
    t.key("S", foot("by total"))
    os.write(t.fd, b"q")
    assert t.end() == 0
    t.assert_restored()


def test_filter(terminal):
    t = terminal()
    t.key("/", foot("filter: _"))
    t.key("G", foot("filter: G_"))
    f = t.key("aMx\x7f", foot("filter: GaM_"))
    assert t.names() == ["gamma"]
    # in here keys are text
    t.key("q", foot("filter: GaMq_"))
    assert t.names() == [] and t.p.poll() is None
    t.key("\x7f", foot("GaM_"))
    f = t.key("\r", foot("1 rows by requests, with GaM"))
    t.key("\x1b", foot("33 rows by requests;"))
    t.key("/\u202e", lambda f: "filter: ?" in f[-1])
    t.key("\x15", foot("filter: _"))
    t.key("x" * 200, lambda f: f[-1].count("x") == 63)


def test_scrolling(terminal):
    t = terminal(lines=12)
    t.key("sssss", foot("by total"))
    t.key("s", foot("by name"))
    assert t.names()[0] == "alpha"
    t.key("\x1b[B", lambda f: t.names()[0] == "beta")
    t.key("\x1b[A", lambda f: t.names()[0] == "alpha")
    t.key("\x1b[A", lambda f: t.names()[0] == "alpha")
    rows = len(t.names())
    t.key("\x1b[6~", lambda f: t.names()[0] == "idle%02d" % (rows - 3))
    for _ in range(5):
        t.key("\x1b[6~", lambda f: True)
    t.wait(lambda f: t.names() == ["idle29"])
    t.key("\x1b[F", lambda f: t.names()[-1] == "idle29" and
          len(t.names()) == rows)
    t.key("\x1b[H", lambda f: t.names()[0] == "alpha")


def test_resizing(terminal):
    """Every line fits, whatever the size; names get what is left."""
    t = terminal(None, "--interval", "0.2")
    for columns, lines in ((40, 10), (200, 50), (20, 6), (8, 3), (2, 1),
                           (80, 24)):
        t.raw = b""
        t.resize(columns, lines)
        f = t.wait(lambda f: True)
        t.raw = b""
        f = t.wait(lambda f: True)
        assert len(f) <= lines
        assert all(len(x) < max(columns, 2) for x in f), (columns, f)
    assert any("OUT/S" not in x and "P95" in x for x in f if "REQ/S" in x)


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                                 signal.SIGQUIT, signal.SIGSEGV])
def test_signals_restore_the_terminal(terminal, sig):
    t = terminal()
    t.p.send_signal(sig)
    assert t.end() in (-sig, 1)
    t.assert_restored()


def test_stop_and_go_on(terminal):
    """Ctrl-Z gives the terminal back meanwhile."""
    t = terminal()
    t.p.send_signal(signal.SIGTSTP)
    pid, status = os.waitpid(t.p.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    while not t.raw.endswith(LEAVE):
        t.read(5)
    t.assert_restored()
    t.raw = b""
    t.p.send_signal(signal.SIGCONT)
    t.wait(lambda f: True)
    assert b"\x1b[?1049h" in t.raw
    os.write(t.fd, b"q")
    assert t.end() == 0
    t.assert_restored()


def test_bad_news(terminal):
    """The gateway goes and comes: what was last seen stays, with a word."""
    def script(line, n):
        if 3 <= n < 6:
            return answer({"error": "busy\x1b[2J"}, 503)
        return busy(line, n)
    t = terminal(script, "--interval", "0.1")
    f = t.wait(foot("no news: the gateway refuses (HTTP status 503): busy?"))
    assert "beta" in t.names()
    t.wait(foot("rows by"))


def test_no_gateway(tmp):
    p = subprocess.run([str(CTL), "-s", str(tmp / "none"), "top"],
                       stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, timeout=60, env=environment())
    assert p.returncode == 74 and "not running" in p.stderr
