"""mcpgw -n finds what a start would; and gateways without a pid file."""

import os
import re
import socket

import pytest

import gw as gwmod
from gw import DROP, EX_CONFIG, rpc

NO_AUTH = {"auth": {"enabled": False, "oauth": DROP}}
root = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


@pytest.fixture
def g(make_gateway):
    return make_gateway(NO_AUTH)


WRONG = {
    "audit-folder": ({"audit": {"path": "/nonexistent/audit.jsonl"}},
                     r"audit\.path: /nonexistent: No such file"),
    "audit-is-one": ({"audit": {"path": "/usr"}},
                     r"audit\.path: /usr: Is a directory"),
    "pid-file": ({"pid_file": "/nonexistent/gw.pid"},
                 r"pid_file: /nonexistent: No such file"),
    "socket": ({"control": {"socket": "/nonexistent/gw.sock"}},
               r"control\.socket: /nonexistent: No such file"),
}


@root
@pytest.mark.parametrize("name", WRONG)
def test_found_before_and_at_the_start(g, name):
    over, complaint = WRONG[name]
    g.config = gwmod.merge(g.config, over)
    code, out = g.check()
    assert code == EX_CONFIG and "configuration OK" not in out
    assert re.search(complaint, out), out
    code, _ = g.run_to_exit()
    assert code != 0


@root
def test_all_of_it_at_once(g):
    for name in "audit-folder", "pid-file", "socket":
        g.config = gwmod.merge(g.config, WRONG[name][0])
    _, out = g.check()
    for name in "audit-folder", "pid-file", "socket":
        assert re.search(WRONG[name][1], out), out


def test_nothing_is_made(g):
    before = sorted(p.name for p in g.dir.iterdir())
    code, out = g.check()
    assert code == 0 and "daemon.start_would_fail" not in out
    # what the start would warn of
    assert "event=config.no_auth" in out
    assert sorted(p.name for p in g.dir.iterdir()) == sorted(
        {*before, "mcpgw.yaml"})


def test_a_port_that_another_has(g):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        g.config["listen"] = "127.0.0.1:%d" % s.getsockname()[1]
        code, out = g.check()
    assert code == 0 and "configuration OK" in out
    assert re.search(r"warn.* listen: 127\.0\.0\.1:\d+ cannot be had now: "
                     r"Address already in use", out), out


def test_a_port_that_the_gateway_has(g):
    g.start()
    code, out = g.check()
    assert code == 0 and "start_would_fail" not in out


def test_no_pid_file(make_gateway):
    g = make_gateway({**NO_AUTH, "pid_file": "off", "control": {
        "socket": DROP}})
    g.config["control"] = {"socket": str(g.dir / "gw.sock")}
    g.start()
    assert g.post(rpc()).status == 200
    assert not g.pid_path.exists()
    # no lock keeps a second one away from the first one's control socket
    other = make_gateway(NO_AUTH)
    other.config.update(listen="127.0.0.1:%d" % gwmod.free_port(),
                        pid_file="off", control=g.config["control"])
    code, log = other.run_to_exit()
    assert code == 1 and "another gateway has it" in log
    g.kill()                # what it leaves is no obstacle
    g.proc = None
    g.start()
    g.reload()
