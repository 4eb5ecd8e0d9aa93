"""A worker that was taken over does to what it shares with others whatever it
can; the others serve on, and what it did ends with it."""

import ctypes
import errno
import os
import re
import signal
import socket
import struct

import pytest

import gw
from admin import Door

CHANNEL_FD, LISTEN_FD = 3, 4
PIDFD_OPEN, PIDFD_GETFD = 434, 438


def message_number(name):
    """Of enum proto_type."""
    text = (gw.TOP / "common" / "proto.h").read_text()
    enum = re.search(r"enum proto_type \{(.*?)\n\};", text, re.S)[1]
    names = re.findall(r"^\t(MSG_\w+)", enum, re.M)
    return names.index(name) + 1


def control_verb(name):
    """Of enum control_verb."""
    text = (gw.TOP / "common" / "proto.h").read_text()
    enum = re.search(r"enum control_verb \{(.*?)\n\}", text, re.S)[1]
    return re.findall(r"^\t(CONTROL_\w+)", enum, re.M).index(name)


AUDIT_FAILED = message_number("MSG_AUDIT_FAILED")


def take(pid, fd):
    """The socket that is pid's fd, as a second descriptor of ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    p = libc.syscall(PIDFD_OPEN, pid, 0)
    try:
        ours = libc.syscall(PIDFD_GETFD, p, fd, 0)
        if ours == -1:
            pytest.skip("pidfd_getfd: " + os.strerror(ctypes.get_errno()))
    finally:
        os.close(p)
    return socket.socket(fileno=ours)


def claims(s, n):
    """The audit log could not be written, n times."""
    for _ in range(n):
        s.send(struct.pack("=IIIII", AUDIT_FAILED, 4, 0, 0, errno.ENOSPC))


def die(g, pid):
    g.expect_death(r"\(pid %d\) terminated by signal 9" % pid)
    os.kill(pid, signal.SIGKILL)
    g.wait_children(lambda c: pid not in c["worker"] and
                    len(c["worker"]) == 2)


def test_listen_socket_is_healed(gateway, auth_server):
    """What seccomp keeps a worker from doing is done for it."""
    g = gateway()
    pid = g.workers()[0]
    pos = g.log_mark()
    with take(pid, LISTEN_FD) as s:
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 60))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1)
        s.shutdown(socket.SHUT_RD)
        with pytest.raises(ConnectionRefusedError):
            g.post(token=auth_server.mint())
        die(g, pid)
        g.wait_log("a worker ended the listen socket", pos)
        assert g.post(token=auth_server.mint()).status == 200
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER) == 0
        assert s.getsockopt(socket.IPPROTO_TCP,
                            socket.TCP_USER_TIMEOUT) == 0


def test_nobody_else_stops_for_a_lie(gateway, auth_server):
    """The master looks at the log itself, and has enough of a liar."""
    g = gateway()
    pid = g.workers()[0]
    g.expect_death(r"worker \d \(g1\) broke the protocol: MSG_AUDIT_FAILED")
    g.expect_death(r"\(pid %d\) terminated by signal 9" % pid)
    pos = g.log_mark()
    token = auth_server.mint()
    with take(pid, CHANNEL_FD) as s:
        claims(s, 2)
        for _ in range(10):
            assert g.post(token=token).status == 200
        assert pid in g.workers()
        claims(s, 1)
    g.wait_log("broke the protocol: MSG_AUDIT_FAILED: the log can be written",
               pos)
    g.wait_children(lambda c: pid not in c["worker"] and
                    len(c["worker"]) == 2)
    assert g.post(token=token).status == 200
    assert "requests are refused" not in g.log()[pos:]


def test_lies_to_the_fetcher(gateway, auth_server):
    """What is no span ends the worker's channel, and nothing else."""
    g = gateway({"workers": 1})
    g.expect_death("broke the protocol: MSG_SPAN")
    pid, = g.workers()
    pos = g.log_mark()
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            link = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except FileNotFoundError:   # closed meanwhile: no channel
            continue
        if not link.startswith("socket"):
            continue
        with take(pid, int(fd)) as s:
            # the channels of fetcher and keeper
            if int(fd) > LISTEN_FD and s.type == socket.SOCK_SEQPACKET:
                s.send(struct.pack("=IIII", message_number("MSG_SPAN"), 100,
                                   0, 0) + bytes(100))
    g.wait_log("broke the protocol: MSG_SPAN: malformed", pos)
    auth_server.rotate()
    assert g.post(token=auth_server.mint()).status == 200
    assert g.workers() == [pid]


def test_reloads_of_a_monitor(gateway):
    """A few at once; then the next one waits, but not for a SIGHUP, which
    answers it, too."""
    g = gateway({"workers": 1})
    Door.at(g).get("/v1/status")        # it has said hello
    pid, = g.children()["monitor"]
    pos = g.log_mark()

    def order(s, verb, arg=0):
        s.send(struct.pack("=IIIIQBB", message_number("MSG_CONTROL"), 10, 0,
                           0, 1, verb, arg))

    with take(pid, CHANNEL_FD) as s:
        for n in range(4):
            order(s, control_verb("CONTROL_RELOAD"))
            g.wait_log("generation %d serves" % (2 + n), pos)
        for _ in range(10):
            order(s, control_verb("CONTROL_RELOAD"))
        # it does what it is told in turn
        order(s, control_verb("CONTROL_LOG"), 7)
        g.wait_log("the log's level is debug", pos)
        assert g.log()[pos:].count("event=config.reloading") == 4
        g.signal(signal.SIGHUP)
        g.wait_log("generation 6 serves", pos, timeout=5)
        assert g.log()[pos:].count("event=config.reloading") == 5


def test_log_is_the_masters(gateway):
    """No child holds a descriptor of the file that has the log."""
    g = gateway()
    if "asan" in os.environ.get("O", "build"):
        return                  # sanitizers report there
    log = os.stat("/proc/%d/fd/2" % g.pid)
    for pid in [p for v in g.children().values() for p in v]:
        for fd in os.listdir("/proc/%d/fd" % pid):
            st = os.stat("/proc/%d/fd/%s" % (pid, fd))
            assert (st.st_dev, st.st_ino) != (log.st_dev, log.st_ino), fd
