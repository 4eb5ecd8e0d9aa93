"""mcpgwctl and the control socket: what the gateway says is shown, and a peer
that was taken over can lie, but neither hang nor crash nor draw."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import gw
from fake_control import FakeControl, answer

CTL = gw.BUILD / "ctl" / "mcpgwctl"
ASKING = ["status", "workers", "upstreams", "jwks", "sessions", "reload",
          "drain", "log info", "top --once"]


def run(*args, check=0, timeout=60):
    p = subprocess.run([str(CTL), *map(str, args)], stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=timeout,
                       env=dict(gw.Gateway.environment(), LC_ALL="C.UTF-8"))
    assert p.returncode == check, (p.returncode, p.stdout, p.stderr)
    return p.stdout.decode(), p.stderr.decode()


@pytest.fixture
def control(tmp):
    made = []

    def make(script):
        made.append(FakeControl(tmp / "control.sock", script))
        return made[-1].path
    yield make
    for c in made:
        c.close()


def say(body, status=200):
    return lambda line, n: answer(body, status)


# -- a real gateway -----------------------------------------------------------

def ask(g, *args, check=0):
    return run("-f", g.path, *args, check=check)


def ask_json(g, *args, check=0):
    return json.loads(ask(g, *args, "--json", check=check)[0])


def test_status(gateway, auth_server):
    g = gateway({"workers": 2})
    for _ in range(3):
        g.post(token=auth_server.mint())
    g.audit(n=3)
    s = ask_json(g, "status")
    assert s["pid"] == g.pid and s["requests"] == 3
    assert s["config"]["path"] == str(g.path) and s["workers"] == 2
    assert s["audit"]["path"] == str(g.audit_path)
    assert s["audit"]["lines"] == 3
    out, err = ask(g, "status")
    assert err == "" and "process %d, up " % g.pid in out
    assert re.search(r"^ +1  serving +2 +2 +0  20", out, re.M), out
    assert re.search(r"^since start +3 requests", out, re.M)
    pids = [int(x.split()[3]) for x in ask(g, "workers")[0].splitlines()
            if x.startswith("worker ")]
    assert sorted(pids) == sorted(g.workers())
    out, _ = ask(g, "upstreams")
    assert re.search(r"^up +http://127.0.0.1:\d+ +up ", out, re.M)
    assert "opened" in ask(g, "sessions")[0]


def test_jwks(gateway, auth_server):
    """Its keys, and what of the issuer's was skipped and why."""
    key = auth_server.add_key(kid="k\x1b[31m2")
    auth_server.extra = [{"kty": "oct", "kid": "shared", "k": "AAAA"}]
    g = gateway()
    s, = ask_json(g, "jwks")
    assert s["issuer"] == auth_server.issuer and s["generation"] == 1
    assert s["url"] == auth_server.jwks_url and s["refreshes"] == 1
    assert key.kid in [k["kid"] for k in s["keys"]]
    skipped, = s["skipped"]
    assert skipped["kid"] == "shared" and skipped["why"]
    out, err = ask(g, "jwks")
    assert err == "" and "k?[31m2" in out and "\x1b" not in out
    assert re.search(r"SKIPPED KID +WHY\n +shared +%s" %
                     re.escape(skipped["why"]), out), out
    assert auth_server.issuer in out and "next refresh 20" in out


def test_reload(gateway, auth_server):
    g = gateway()
    assert ask(g, "reload") == ("reloaded: generation 2\n", "")
    # whose workers serve from then on
    assert g.newest_worker() in g.workers()
    before = g.path.read_text()
    g.path.write_text("nonsense: 1\n" + before)
    out, err = ask(g, "reload", check=78)
    assert out == "" and "%s:1:1: nonsense: unknown key" % g.path in err
    assert "goes on with what it had" in err
    s = ask_json(g, "status")
    assert s["reloads"]["rejected"] == 1 and s["generation"] == 2
    assert ask_json(g, "reload", check=78)["ok"] is False
    assert g.post(token=auth_server.mint()).status == 200
    g.path.write_text(before)
    out, err = ask(g, "reload", "--json")
    assert json.loads(out)["generation"] == 3 and out.count("\n") == 1


def test_reload_without_control_socket(gateway):
    """As the systemd unit does it: the file is checked, a signal is sent."""
    g = gateway({"control": {"socket": "off"}})
    mark = g.log_mark()
    out, err = ask(g, "reload")
    assert "process %d was sent a SIGHUP" % g.pid in out
    g.wait_log("generation 2 serves", mark)
    before = g.path.read_text()
    g.path.write_text("nonsense: 1\n" + before)
    mark = g.log_mark()
    out, err = ask(g, "reload", check=78)
    assert out == "" and "%s:1:1: nonsense: unknown key" % g.path in err
    g.path.write_text(before)
    # what it would have been told by then lies before the answer to this
    g.signal(signal.SIGUSR1)
    g.wait_log("audit", mark)
    assert "reload" not in g.log()[mark:]


def test_reload_past_a_monitor_that_hangs(gateway):
    g = gateway()
    monitor, = [w["pid"] for w in ask_json(g, "workers")
                if w["role"] == "monitor"]
    os.kill(monitor, signal.SIGSTOP)
    try:
        mark = g.log_mark()
        out, err = ask(g, "reload")
        assert "no answer" in err and "was sent a SIGHUP" in out
        g.wait_log("reload", mark)
    finally:
        os.kill(monitor, signal.SIGCONT)


def test_stopped_gateway(gateway):
    g = gateway()
    g.stop()
    for cmd in ASKING:
        out, err = ask(g, *cmd.split(), check=74)
        assert out == "" and "not running" in err, cmd


def test_drain_and_log(gateway, auth_server):
    g = gateway()
    assert g.get("/readyz").status == 200
    ask(g, "drain")
    end = time.monotonic() + 15
    while g.get("/readyz").status != 503:
        assert time.monotonic() < end
    assert ask_json(g, "status")["draining"] is True
    assert "DRAINING" in ask(g, "status")[0]
    assert g.post(token=auth_server.mint()).status == 200
    ask(g, "drain", "--off")
    while g.get("/readyz").status != 200:
        assert time.monotonic() < end
    for level in ("debug", "error", "info"):
        ask(g, "log", level)
        assert ask_json(g, "status")["log_level"] == level


def test_top_of_a_real_gateway(gateway, auth_server):
    g = gateway()
    token = auth_server.mint({"client_id": "agent-7"})
    g.post(gw.call(), token=token)
    p = subprocess.Popen([str(CTL), "-f", str(g.path), "top", "--json"],
                         stdout=subprocess.PIPE, text=True,
                         env=gw.Gateway.environment())
    n = 1
    while p.poll() is None:
        assert g.post(gw.call(), token=token).status == 200
        n += 1
    d = json.loads(p.stdout.read())
    for kind, name in (("client", "agent-7"), ("tool", "echo"),
                       ("upstream", "up"), ("method", "tools/call")):
        row, = [r for r in d[kind] if r["name"] == name]
        assert 0 < row["requests"] <= n and row["denied_per_s"] == 0
        # not before both looks, not after
        assert 0 < row["requests_per_s"] * d["interval_s"] <= n
        assert 0 < row["p50_s"] <= row["p95_s"] <= row["p99_s"]
        assert row["bytes_in_per_s"] > 0


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_not_for_everybody(gateway, tmp):
    g = gateway()
    sock = g.pid_path.with_suffix(".sock")
    tmp.chmod(0o755)
    g.dir.chmod(0o755)
    # the tree may be in a home that others cannot enter
    ctl = pathlib.Path(shutil.copy(CTL, tmp / "mcpgwctl"))
    ctl.chmod(0o755)
    p = subprocess.run([str(ctl), "-s", str(sock), "status"],
                       capture_output=True, text=True, timeout=60,
                       user=12345, group=12345, extra_groups=[],
                       env=gw.Gateway.environment())
    assert p.returncode == 74 and p.stdout == ""
    assert "control.group" in p.stderr


# -- where the socket is ------------------------------------------------------

def test_the_way_to_the_socket(tmp, control):
    """By the configuration, whatever else is wrong with it."""
    control(say([]))
    conf = tmp / "conf"
    for text in ("control: {socket: '%s/control.sock'}\n" % tmp,
                 "pid_file: '%s/control.pid'\n" % tmp,
                 "pid_file: '%s/control'\n" % tmp,
                 "nonsense: [1, 2]\nlisten: x\npid_file: '%s/control.pid'\n"
                 % tmp):
        conf.write_text(text)
        assert run("workers", "--json", "-f", conf)[0] == "[]\n"
    conf.write_text("control: {socket: 'off'}\n")
    assert "control.socket is off" in run("workers", "-f", conf, check=78)[1]
    conf.write_text("pid_file: '/%s.pid'\n" % ("x" * 200))
    assert "too long" in run("workers", "-f", conf, check=78)[1]
    conf.write_text("a: [\n")
    _, err = run("workers", "-f", conf, check=78)
    assert "%s:2:1: YAML" % conf in err and "-s says" in err
    assert "too long" in run("workers", "-s", "x" * 200, check=78)[1]


def test_nobody_there(tmp, control):
    path = control(say([]))
    for name in ("none", "none/x"):
        _, err = run("status", "-s", tmp / name, check=74)
        assert "not running" in err
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(tmp / "left"))
    s.close()
    assert "not running" in run("status", "-s", tmp / "left", check=74)[1]
    assert run("workers", "-s", path, "--json")[0] == "[]\n"


# -- answers ------------------------------------------------------------------

def test_json_comes_as_it_is(control):
    text = b'{"a" : [1, 2.50, "\\u00e9"],  "b":{}}'
    path = control(say(text))
    for cmd in ("status", "workers", "upstreams", "jwks", "sessions", "drain"):
        assert run("-s", path, cmd, "--json")[0].encode() == text + b"\n"


def test_what_is_asked(tmp, control):
    c = FakeControl(tmp / "c", say({"ok": True, "generation": 4}))
    try:
        for cmd in ("status", "workers", "upstreams", "jwks", "sessions",
                    "drain", "drain --off", "log warning", "reload"):
            run("-s", c.path, *cmd.split())
        assert [r.rsplit(" ", 1)[0] for r in c.requests] == [
            "GET /v1/status", "GET /v1/workers", "GET /v1/upstreams",
            "GET /v1/jwks", "GET /v1/sessions", "POST /v1/drain",
            "POST /v1/drain?off", "POST /v1/log?level=warning",
            "GET /v1/status", "POST /v1/reload"]
    finally:
        c.close()


@pytest.mark.parametrize("level", ["", "loud", "INFO", "info&x", "debug "])
def test_log_levels(tmp, level):
    _, err = run("log", level, "-s", tmp / "none", check=64)
    assert "expected debug, info, warning or error" in err


def test_reload_says_what_is_wrong(control):
    def script(line, n):
        return answer({"ok": False, "errors": [
            "/etc/mcpgw/mcpgw.yaml:3:4: listen: expected x\x1b[2J", 5]},
            409) if line.startswith("POST") else answer({})
    path = control(script)
    out, err = run("-s", path, "reload", check=78)
    assert out == "" and "mcpgw.yaml:3:4: listen: expected x?[2J" in err
    assert "reload refused" in err
    out, err = run("-s", path, "reload", "--json", check=78)
    assert json.loads(out)["ok"] is False


BAD = {
    "nothing": b"",
    "no HTTP": b"hello",
    "no JSON": answer(b"hello"),
    "two values": answer(b"{} {}"),
    "repeated member": answer(b'{"a":1,"a":2}'),
    "not UTF-8": answer(b'{"a":"\xff"}'),
    "deep": answer(b"[" * 100000 + b"]" * 100000),
    "cut off": answer({"a": 1})[:-2],
    "too long": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
    "both lengths": answer({}, head=b"Transfer-Encoding: chunked\r\n"),
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10000,
    "another version": answer({"error": "no"}, 404),
    "not for you": answer({"error": "no"}, 403),
    "refused": answer({"error": "no\x1b[31m"}, 503),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_answers(control, what):
    path = control(lambda line, n: BAD[what])
    for cmd in ASKING[:5]:
        p = subprocess.run([str(CTL), "-s", path, cmd], capture_output=True,
                           timeout=60, env=gw.Gateway.environment())
        assert p.returncode in (1, 70, 74), (cmd, p)
        assert p.stdout == b"" and p.stderr.startswith(b"mcpgwctl: ")
        assert b"\x1b" not in p.stderr


def test_json_for_a_terminal(control):
    """A monitor that was taken over answers what it likes."""
    said = {"ok": True, "x": "\u009b31m\x7f\u202e\u00e4"}
    path = control(lambda line, n: answer(json.dumps(
        said, ensure_ascii=False, indent="\r\t").encode()))
    for cmd in ("status", "workers", "reload"):
        p = subprocess.run([str(CTL), "-s", path, cmd, "--json"],
                           capture_output=True, timeout=60, encoding="utf-8",
                           env=gw.Gateway.environment())
        assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]", p.stdout)
        assert json.loads(p.stdout) == said


ODD = [None, True, 0, -1, 1e300, 10**30, "", "x\x1b[31m\u202e", [], {},
       [None, 1, "x", [], {}], {"a": 1}]


@pytest.mark.parametrize("odd", range(len(ODD)))
def test_odd_values_anywhere(control, odd):
    """Members of every type but the right one."""
    v = ODD[odd]
    names = ["version", "pid", "uptime_s", "config", "reloads", "audit",
             "limits", "generations", "keeper", "telemetry", "name", "servers",
             "latency", "keys", "skipped", "by_upstream", "status", "top",
             "upstreams", "refusals", "total", "tool", "buckets", "url"]
    thing = {n: v for n in names}
    deep = {n: [dict(thing)] for n in names}
    more = {n: dict(deep) for n in names}
    body = None
    path = control(lambda line, n: answer(body))
    for body in (v, thing, deep, more, [thing], [deep]):
        for cmd in ("status", "workers", "upstreams", "jwks", "sessions",
                    "top --once --interval 0.1"):
            p = subprocess.run([str(CTL), "-s", path, *cmd.split()],
                               capture_output=True, timeout=60,
                               env=gw.Gateway.environment())
            assert p.returncode in (0, 70), (cmd, body, p)
            assert not re.search(rb"[^\n -~]", p.stdout + p.stderr)


def test_a_gateway_that_hangs(tmp):
    """top waits for 2 seconds, and so in all may nothing longer."""
    c = FakeControl(tmp / "c", lambda line, n: None)
    try:
        began = time.monotonic()
        _, err = run("-s", c.path, "top", "--once", check=74)
        assert "no answer" in err and 1.5 < time.monotonic() - began < 10
    finally:
        c.close()
