"""A monitor that is dead, stands still, does nothing that it is told or
everything that it must not: no request notices, no number goes back, and
another one takes its place."""

import os
import random
import re
import signal
import socket
import struct
import time

import pytest

import gw
from admin import Door, with_admin
from test_taken_over import CHANNEL_FD, take


def message_types():
    """Names and numbers of enum proto_type."""
    text = (gw.TOP / "common/proto.h").read_text()
    body = re.search(r"enum proto_type \{(.*?)MSG_MAX", text, re.S)[1]
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    names = re.findall(r"\bMSG_\w+", body)
    return {name: n for n, name in enumerate(names, 1)}


TYPES = message_types()
RELOAD, DRAIN, LOG = range(3)       # enum control_verb


def message(name, body=b""):
    return struct.pack("=IIII", TYPES[name], len(body), 0, 0) + body


def control(id, verb, arg=0):
    return message("MSG_CONTROL", struct.pack("=QBB", id, verb, arg))


def monitor(g):
    return g.wait_children(lambda c: len(c.get("monitor", [])) == 1)["monitor"][0]


def another(g, pid):
    """The one that took its place, once it answers."""
    g.wait_children(lambda c: pid not in c.get("monitor", [pid]))
    deadline = time.monotonic() + 15
    while True:
        try:
            if Door.at(g).ask("GET", "/v1/status").status == 200:
                return monitor(g)
        except OSError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.02)


def serves(g, token, n=20):
    """What a client gets and what is recorded are those of any day."""
    mark = g.audit_mark()
    for _ in range(n):
        r = g.post(token=token)
        assert r.status == 200 and r.json()["result"]
    lines = g.audit(lambda l: True, n, mark)
    assert [l["action"] for l in lines] == ["allow"] * n


def test_killed(gateway, auth_server):
    config, port = with_admin()
    g = gateway(config)
    token = auth_server.mint()
    serves(g, token)
    before = Door(port=port).metrics()
    pid = monitor(g)
    g.expect_death(r"monitor .*\(pid %d\) terminated by signal 9" % pid)
    os.kill(pid, signal.SIGKILL)
    serves(g, token)
    another(g, pid)
    after = Door(port=port).metrics()
    no_less(before, after)
    assert after["mcpgw_respawns_total"] == 1


def test_stopped(gateway, auth_server):
    """Who asks it waits; nobody else does.  (That it is replaced when it does
    not come back: test_hung.py.)"""
    g = gateway()
    token = auth_server.mint()
    serves(g, token)
    pid = monitor(g)
    os.kill(pid, signal.SIGSTOP)
    pos = g.log_mark()
    try:
        serves(g, token)
        # a reload is not for it to hold up, either
        g.reload({"workers": 1})
        serves(g, token)
        with pytest.raises(OSError):
            Door(path=g.dir / "mcpgw.sock", timeout=0.2).get("/v1/status")
        g.wait_log(r"monitor .*has not answered for 3 s", pos)
        serves(g, token)
    finally:
        os.kill(pid, signal.SIGCONT)
    status = Door.at(g).get("/v1/status")
    assert (status["generation"], status["respawns"]) == (2, 0)
    assert monitor(g) == pid


def test_full(gateway, auth_server):
    """What it does not read is not kept for it without end."""
    g = gateway()
    token = auth_server.mint()
    pid = monitor(g)
    # soon by what waits for it; where reloads are slow, by its silence
    killed = r"monitor .*: killed"
    g.expect_death(killed)
    os.kill(pid, signal.SIGSTOP)
    pos = g.log_mark()
    for i in range(60):
        g.reload({"workers": 8 + i % 2})
        if re.search(killed, g.log()[pos:]):
            break
    else:
        raise AssertionError("it was not noticed:\n" + g.log()[pos:])
    serves(g, token)
    another(g, pid)
    assert Door.at(g).get("/v1/status")["generation"] == i + 2


@pytest.mark.parametrize("sent,why", [
    (control(1, 9), "MSG_CONTROL"),
    (control(1, LOG, 99), "MSG_CONTROL"),
    (control(1, DRAIN, 7), "MSG_CONTROL"),
    (message("MSG_CONTROL", b"short"), "MSG_CONTROL"),
    (message("MSG_DRAINING"), "MSG_DRAINING"),
    (message("MSG_KEYS", struct.pack("=I", 1)), "MSG_KEYS"),
    (message("MSG_AUDIT_FAILED", struct.pack("=I", 28)),
     "MSG_AUDIT_FAILED"),
    (message("MSG_PRIMED", struct.pack("=IBI", 1, 1, 0)), "MSG_PRIMED"),
    (message("MSG_CONN", b"x" * 40), "MSG_CONN"),
    (message("MSG_AGAIN", struct.pack("=II", 1, 1)), "MSG_AGAIN"),
    ([message("MSG_PONG")] * 2, "MSG_PONG"),
    (message("MSG_BOARD"), "MSG_BOARD"),
    (struct.pack("=IIII", 9999, 0, 0, 0), "unknown|broke"),
    ([control(i, LOG, 6) for i in range(80)], "MSG_CONTROL"),
    ([control(i, RELOAD) for i in range(80)], "MSG_CONTROL"),
], ids=range(15))
def test_taken_over(gateway, auth_server, sent, why):
    """It may ask for what any operator may, as often as any; what else it
    sends is its end."""
    g = gateway()
    token = auth_server.mint()
    Door.at(g).get("/v1/status")        # it has said hello
    pid = monitor(g)
    g.expect_death(r"monitor .*broke the protocol: ")
    g.expect_death(r"monitor .*\(pid %d\) terminated by signal 9" % pid)
    pos = g.log_mark()
    with take(pid, CHANNEL_FD) as s:
        s.settimeout(15)
        try:
            for m in sent if isinstance(sent, list) else [sent]:
                s.send(m)
        except (BrokenPipeError, ConnectionResetError):
            pass                # that was soon
        g.wait_log(r"monitor .*broke the protocol: .*(%s)" % why, pos)
    another(g, pid)
    serves(g, token, 3)
    status = Door.at(g).get("/v1/status")
    assert status["draining"] is False and status["respawns"] == 1


def test_doors_outlive_it(gateway):
    """What one that was taken over does to their sockets ends with it."""
    config, port = with_admin()
    g = gateway(config)
    Door.at(g).get("/v1/status")        # it has its doors
    pid = monitor(g)
    for fd in os.listdir("/proc/%d/fd" % pid):
        if not os.readlink("/proc/%d/fd/%s" % (pid, fd)).startswith("socket"):
            continue
        s = take(pid, int(fd))
        if s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            s.shutdown(socket.SHUT_WR)
            s.setblocking(True)
        s.close()
    g.expect_death(r"monitor .*\(pid %d\) terminated by signal 9" % pid)
    os.kill(pid, signal.SIGKILL)
    another(g, pid)
    for _ in range(3):
        assert Door.at(g).get("/v1/status")["pid"] == g.pid
        assert Door(port=port).get("/v1/status")["pid"] == g.pid


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_worker_that_lies(gateway, auth_server):
    """Whatever a worker writes in its slot, the monitor tells of it in lines
    that can be read, each once, and of all else as before; the master adds it
    to the past and lives."""
    config, port = with_admin({"workers": 1})
    g = gateway(config)
    token = auth_server.mint()
    serves(g, token)
    pid, told = g.workers()[0], monitor(g)
    with open("/proc/%d/maps" % pid) as f:
        (begin, end), = [
            [int(a, 16) for a in line.split()[0].split("-")]
            for line in f if "memfd:slot" in line]
    os.kill(pid, signal.SIGSTOP)
    chance = random.Random(4)
    for _ in range(2):
        with open("/proc/%d/mem" % pid, "r+b", buffering=0) as f:
            f.seek(begin)
            f.write(chance.randbytes(end - begin))
        for open_metrics in (False, True):
            assert len(Door(port=port).metrics(open_metrics)) > 1000
        for part in ("all", "sessions"):
            Door(port=port).get("/v1/" + part)
    g.expect_death(r"\(pid %d\) terminated by signal 9" % pid)
    os.kill(pid, signal.SIGKILL)
    g.wait_children(lambda c: pid not in c.get("worker", [pid]))
    assert len(Door(port=port).metrics()) > 1000
    assert Door.at(g).get("/v1/status")["pid"] == g.pid
    serves(g, token)
    assert monitor(g) == told


# -- what it asks for an operator --------------------------------------------

def test_reload_waits_for_the_verdict(gateway):
    g = gateway()
    d = Door.at(g)
    g.config["workers"] = 1
    g.write_config()
    a = d.ask("POST", "/v1/reload")
    assert a.status == 200
    assert a.json() == {"ok": True, "generation": 2, "errors": []}
    assert d.get("/v1/status")["workers"] == 1
    good = g.path.read_text()
    g.path.write_text(good + "lisen: 1\nnonsense: [1\"\n")
    a = d.ask("POST", "/v1/reload")
    assert a.status == 409
    v = a.json()
    assert v["ok"] is False and v["generation"] == 2
    assert v["errors"] and all(e.startswith(str(g.path) + ":")
                               for e in v["errors"])
    s = d.get("/v1/status")
    assert (s["reloads"]["accepted"], s["reloads"]["rejected"]) == (1, 1)
    assert s["reloads"]["last_error"] == v["errors"][0]
    m = d.metrics()
    assert m["mcpgw_reload_last_successful"] == 0
    assert m["mcpgw_reloads_rejected_total"] == 1
    g.path.write_text(good)
    assert d.ask("POST", "/v1/reload").status == 200
    assert d.get("/v1/status")["reloads"]["last_error"] == ""
    assert d.metrics()["mcpgw_reload_last_successful"] == 1


def test_who_does_not_wait(gateway):
    """An operator that leaves leaves nothing behind, and its reload is done."""
    g = gateway()
    d = Door.at(g)
    pid = monitor(g)
    d.get("/v1/status")
    before = g.descriptors(pid)
    for i in range(10):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(d.path))
            s.sendall(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\n"
                      b"Content-Length: 0\r\n\r\n" * (1 + i % 2))
    a = d.ask("POST", "/v1/reload")
    assert a.status == 200
    assert d.get("/v1/status")["generation"] == a.json()["generation"] > 2
    assert g.descriptors(pid) <= before + 2
    assert monitor(g) == pid


def test_drain_and_log(gateway, auth_server):
    g = gateway()
    d = Door.at(g)
    token = auth_server.mint()
    assert d.ask("POST", "/v1/drain").json()["ok"] is True
    assert g.get("/readyz").status == 503
    assert g.post(token=token).status == 200
    assert d.get("/v1/status")["draining"] is True
    assert d.metrics()["mcpgw_draining"] == 1
    assert d.ask("POST", "/v1/drain?off").status == 200
    assert g.get("/readyz").status == 200
    for level in ("debug", "error", "warning", "info"):
        assert d.ask("POST", "/v1/log?level=" + level).status == 200
        assert d.get("/v1/status")["log_level"] == level


def test_orders_are_limited(gateway):
    """Too many are turned away by the monitor, which lives."""
    g = gateway()
    d = Door.at(g)
    pid = monitor(g)
    status = [d.ask("POST", "/v1/drain?off").status for _ in range(80)]
    assert set(status) == {200, 503} and status[0] == 200
    assert monitor(g) == pid


# -- nothing counts backwards ------------------------------------------------

def no_less(before, after):
    """Counters and buckets; others may."""
    counts = {k: v for k, v in before.items() if re.match(
        r"\w+(_total|_bucket|_count|_sum)(\{|\Z)", k)}
    assert len(counts) > 40
    lost = {k: (v, after.get(k)) for k, v in counts.items()
            if after.get(k, -1) < v}
    assert not lost, lost
