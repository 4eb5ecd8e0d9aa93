"""A restart with somebody who keeps the listen socket: what systemd does, by
socket units and by its store of descriptors."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading

import pytest

import fake_upstream as fu
import gw as gwmod
from gw import DROP, rpc
from test_systemd import Manager

NO_AUTH = {"auth": {"enabled": False, "oauth": DROP}, "workers": 1,
           "drain_timeout": "20s"}
# What a service manager does between fork and exec.
HAND_DOWN = """
import os, sys
fd, names, pid = sys.argv[1:4]
os.dup2(int(fd), 3, True)
os.environ.update(LISTEN_PID=str(os.getpid()) if pid == "own" else pid,
                  LISTEN_FDS="1", LISTEN_FDNAMES=names)
os.execvp(sys.argv[4], sys.argv[4:])
"""


def listener(port=0):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(64)
    return s


class Handed(gwmod.Gateway):
    """A gateway that is given a socket."""

    def hand(self, sock, name="mcpgw.socket", pid="own"):
        self.handed = (sock, name, pid)
        self.port = sock.getsockname()[1]
        self.config["listen"] = "127.0.0.1:%d" % self.port
        return self

    def spawn(self, *args):
        sock, name, pid = self.handed
        self.write_config()
        with open(self.stderr_path, "wb") as out:
            self.proc = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", sys.executable,
                 "-c", HAND_DOWN, str(sock.fileno()), name, pid,
                 *self.argv("-d", *args)], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
                cwd=gwmod.TOP, env=self.environment(),
                pass_fds=(sock.fileno(),))
        return self


@pytest.fixture
def handed(tmp, upstream):
    g = Handed(tmp / "handed", NO_AUTH, upstream=upstream)
    yield g
    try:
        g.stop()
    finally:
        g.kill()


def queued(port):
    """A client that has sent its request, whoever takes it."""
    c = socket.create_connection(("127.0.0.1", port), timeout=20)
    body = json.dumps(rpc()).encode()
    c.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
              b"application/json\r\nAccept: application/json, "
              b"text/event-stream\r\nConnection: close\r\n"
              b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    return c


def status(c):
    with c:
        head = b""
        while True:
            more = c.recv(65536)
            if not more:
                return int(head.split()[1])
            head += more


@pytest.mark.parametrize("name", ["mcpgw.socket", "mcpgw-listen", "a:b:c"])
def test_a_restart_loses_nobody(handed, name):
    """One restart, with clients before, during and after it."""
    with listener() as sock:
        early = queued(sock.getsockname()[1])
        g = handed.hand(sock, name).start()
        assert "event=listen.inherited" in g.log()
        assert status(early) == 200
        for pid in (g.pid, *g.workers()):
            env = open("/proc/%d/environ" % pid, "rb").read()
            assert pid == g.pid or b"LISTEN" not in env
        g.stop()
        waiting = [queued(g.port) for _ in range(10)]
        g.hand(sock, name).start()
        assert [status(c) for c in waiting] == 10 * [200]


def test_the_queue_waits_for_a_quick_restart(handed, upstream):
    """Who comes while the last request is answered is not refused: the next
    one takes him."""
    with listener() as sock:
        g = handed.hand(sock).start()
        go = threading.Event()
        upstream.script(fu.after(go, fu.json_result({"tools": []})))
        slow = queued(g.port)
        upstream.wait_request()
        g.signal(signal.SIGTERM)
        g.wait_log("event=daemon.stopping")
        g.wait_children(lambda c: c)
        come = queued(g.port)
        assert not select.select([come], [], [], 0.3)[0]
        go.set()
        assert status(slow) == 200
        g.stop()
        g.hand(sock).start()
        assert status(come) == 200


def test_who_waits_long_is_told(handed, upstream):
    with listener() as sock:
        g = handed.hand(sock).start()
        go = threading.Event()
        upstream.script(fu.after(go, fu.json_result({"tools": []})))
        slow = queued(g.port)
        upstream.wait_request()
        g.signal(signal.SIGTERM)
        g.wait_log("event=daemon.stopping")
        assert status(queued(g.port)) == 503
        go.set()
        assert status(slow) == 200
        g.stop()


def test_the_store(make_gateway, tmp, monkeypatch):
    """It is given to the manager before anything can fail, and alone."""
    m = Manager(tmp)
    monkeypatch.setenv("NOTIFY_SOCKET", m.env)
    monkeypatch.setenv("FDSTORE", "4")
    g = make_gateway(NO_AUTH).start()
    assert m.raw()[1:] == ({"FDSTOREREMOVE": "1", "FDNAME": "mcpgw-listen"},
                           [])
    _, word, fds = m.raw()
    assert word == {"FDSTORE": "1", "FDNAME": "mcpgw-listen"}
    with socket.socket(fileno=fds[0]) as kept:
        assert len(fds) == 1 and kept.getsockname()[1] == g.port
        g.stop()
        waiting = queued(g.port)
        again = Handed(tmp / "again", NO_AUTH)
        again.config["upstreams"] = g.config["upstreams"]
        try:
            again.hand(kept, "mcpgw-listen").start()
            assert status(waiting) == 200
            again.stop()
        finally:
            again.kill()


def test_a_socket_of_another_address(handed):
    """Of a socket unit it is an error, which names both; what was in the store
    is of an older configuration, and let go."""
    with listener() as sock:
        g = handed.hand(sock)
        g.config["listen"] = "127.0.0.1:%d" % gwmod.free_port()
        rc, log = g.run_to_exit()
        assert rc == 1
        assert "the socket unit listens on 127.0.0.1:%d" % g.port in log
        g.handed = (sock, "mcpgw-listen", "own")
        g.port = int(g.config["listen"].split(":")[1])
        g.start()
        assert "listen.inherited" not in g.log()


def test_sockets_for_somebody_else(handed):
    with listener() as sock:
        g = handed.hand(sock, pid=str(os.getpid()))
        rc, log = g.run_to_exit()
        assert rc == 1 and "ddress already in use" in log
