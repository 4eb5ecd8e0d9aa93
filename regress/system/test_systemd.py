"""What the service manager is told, and the unit that is made for it.

The manager is a socket here: sd_notify(3) is one datagram for each word."""

import array
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time
import uuid

import pytest

import gw as gwmod
from gw import DROP

SYSTEMD = gwmod.TOP / "etc" / "systemd"


class Manager:
    """$NOTIFY_SOCKET, and what comes to it."""

    def __init__(self, tmp, abstract=False):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        name = "mcpgw-test-" + uuid.uuid4().hex
        self.env = "@" + name if abstract else str(tmp / "notify")
        self.sock.bind("\0" + name if abstract else self.env)

    def raw(self, timeout=15):
        """(pid of the sender, {NAME: value}, [descriptors]) of the next
        datagram."""
        assert select.select([self.sock], [], [], timeout)[0], "silence"
        data, anc, flags, _ = self.sock.recvmsg(4096, 256)
        assert flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) == 0
        got = {kind: value for _, kind, value in anc}
        pid = int.from_bytes(got[socket.SCM_CREDENTIALS][:4], "little")
        fds = array.array("i", got.get(socket.SCM_RIGHTS, b""))
        lines = data.decode().splitlines()
        assert all("=" in line for line in lines), data
        return pid, dict(line.split("=", 1) for line in lines), list(fds)

    def word(self, timeout=15):
        """The next that is not of the store: (pid, {NAME: value})."""
        while True:
            pid, w, fds = self.raw(timeout)
            for fd in fds:
                os.close(fd)
            if "FDNAME" not in w:
                return pid, w

    def wait(self, name):
        while True:
            _, w = self.word()
            if name in w:
                return w

    def silent(self):
        return not select.select([self.sock], [], [], 0)[0]


@pytest.fixture(params=["path", "abstract"])
def managed(request, make_gateway, tmp, monkeypatch):
    m = Manager(tmp, request.param == "abstract")
    monkeypatch.setenv("NOTIFY_SOCKET", m.env)
    g = make_gateway({"auth": {"enabled": False, "oauth": DROP}})
    yield g, m
    m.sock.close()


def test_a_life(managed):
    g, m = managed
    g.start()
    pid, w = m.word()
    assert pid == g.pid
    assert w == {"READY": "1", "STATUS": "Generation 1 serves with 2 workers"}

    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    g.reload()
    _, w = m.word()
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert w["RELOADING"] == "1"
    assert before <= int(w["MONOTONIC_USEC"]) <= now
    assert m.word()[1] == {"READY": "1", "STATUS":
                           "Generation 2 serves with 2 workers"}

    g.write_config("listen: [\n")
    g.signal(signal.SIGHUP)
    assert m.word()[1]["RELOADING"] == "1"
    w = m.word()[1]
    assert w["READY"] == "1"
    assert re.match(r"Generation 2 serves with 2 workers; the newer "
                    r"configuration is refused: \S+:\d+:\d+: ", w["STATUS"])

    g.signal(signal.SIGTERM)
    w = m.word()[1]
    assert w["STOPPING"] == "1"
    # drain_timeout is 10 s: the manager's own limit must not be shorter
    assert int(w["EXTEND_TIMEOUT_USEC"]) > 10_000_000
    g.stop()
    assert m.silent()


def test_a_start_that_fails_is_never_ready(make_gateway, tmp, monkeypatch):
    m = Manager(tmp)
    monkeypatch.setenv("NOTIFY_SOCKET", m.env)
    g = make_gateway()
    g.config["auth"]["oauth"]["jwks_url"] = "http://127.0.0.1:9/jwks.json"
    rc, log = g.run_to_exit()
    assert rc == gwmod.EX_CONFIG and "oauth: prime jwks" in log
    words = []
    while not m.silent():
        words.append(m.word()[1])
    assert words and not any("READY" in w for w in words), words
    # what tells it from a bad file, of which the unit asks first
    assert g.check()[0] == 0


@pytest.mark.parametrize("for_us", [True, False])
def test_watchdog(make_gateway, tmp, monkeypatch, for_us):
    m = Manager(tmp)
    monkeypatch.setenv("NOTIFY_SOCKET", m.env)
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    # setpriv(1) of the harness becomes mcpgw: its pid is known to nobody yet
    if not for_us:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    g = make_gateway({"auth": {"enabled": False, "oauth": DROP}}).start()
    if for_us:
        m.wait("WATCHDOG")
        start = time.monotonic()
        for _ in range(5):
            m.wait("WATCHDOG")
        assert time.monotonic() - start > 0.3       # one each 0.1 s
        os.kill(g.pid, signal.SIGSTOP)
        while not m.silent():
            m.word()
        with pytest.raises(AssertionError, match="silence"):
            m.word(0.5)
        os.kill(g.pid, signal.SIGCONT)
        m.wait("WATCHDOG")
        return
    assert "READY" in m.word()[1]
    g.reload()
    assert "RELOADING" in m.word()[1] and "READY" in m.word()[1]
    assert m.silent()


@pytest.mark.parametrize("name", ["relative", "@", "/" + 200 * "x",
                                  "/nonexistent/notify"])
def test_a_manager_that_is_not_there(make_gateway, monkeypatch, name):
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    g = make_gateway({"auth": {"enabled": False, "oauth": DROP}}).start()
    assert "event=daemon.notify_failed" in g.log()


def test_a_manager_that_does_not_read(make_gateway, tmp, monkeypatch):
    """It is told later, in the same order, and nobody waits for it."""
    m = Manager(tmp)
    monkeypatch.setenv("NOTIFY_SOCKET", m.env)
    full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    full.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            full.sendto(b"X=1", m.env)
    make_gateway({"auth": {"enabled": False, "oauth": DROP}}).start()
    assert "Generation 1" in m.wait("READY")["STATUS"]


# -- the unit --------------------------------------------------------------

def unit(tmp, *drop_ins):
    """The unit as it is installed, and what is put behind it."""
    text = (SYSTEMD / "mcpgw.service.in").read_text()
    text = text.replace("@sbindir@", "/usr/bin").replace("@sysconfdir@",
                                                         "/etc")
    text = text.replace("/usr/bin/mcpgwctl", "/bin/true").replace(
        "/usr/bin/mcpgw", "/bin/true")
    head, install = text.split("[Install]")
    for d in drop_ins:
        head += (SYSTEMD / d).read_text()
    path = pathlib.Path(tmp) / "mcpgw.service"
    path.write_text(head + "[Install]" + install)
    return path


def analyze(*args):
    p = subprocess.run(["systemd-analyze", *args], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=60)
    return p.returncode, p.stdout


@pytest.mark.parametrize("drop_ins", [(), ("rootless.conf",)])
def test_the_unit_is_right(tmp, drop_ins):
    code, out = analyze("verify", "--man=no", str(unit(tmp, *drop_ins)))
    assert code == 0 and "mcpgw.service" not in out, out


@pytest.mark.parametrize("drop_ins, limit", [((), 3.2),
                                             (("rootless.conf",), 1.9)])
def test_exposure(tmp, drop_ins, limit):
    """A master that is root to make its children others costs the first one
    what its capabilities are worth."""
    code, out = analyze("security", "--offline=true",
                        "--threshold=%d" % (limit * 10),
                        str(unit(tmp, *drop_ins)))
    assert code == 0, out


def test_what_is_tried_again():
    """Status 78 of a start is tried again, that of `mcpgw -n` before it is
    not: RestartForceExitStatus is for the main process alone."""
    text = (SYSTEMD / "mcpgw.service.in").read_text()
    one = dict(line.split("=", 1) for line in text.splitlines()
               if "=" in line and line[0] not in "#\t")
    assert one["ExecStartPre"].split()[1] == "-n"
    assert one["Restart"] == "on-abnormal"
    assert one["RestartForceExitStatus"].split() == ["1", "78"]
    assert one["RestartSec"] == "10" and one["StartLimitIntervalSec"] == "0"
