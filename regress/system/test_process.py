"""The processes: who they are, what they may, and what happens when one dies."""

import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

import fake_upstream as fu
import gw as gwmod
import load

BODY = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'


def start_post(g, token):
    c = g.client()
    c.send(("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            "Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
            % (token, len(BODY))).encode() + BODY)
    return c


def start_get(g, token):
    c = g.client()
    c.send(("GET /mcp HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n"
            "Authorization: Bearer %s\r\n\r\n" % token).encode())
    assert c.read_head("GET").status == 200
    return c


def status_of(pid):
    text = pathlib.Path("/proc/%d/status" % pid).read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines()
                if ":\t" in line)


def test_killed_worker(gateway, auth_server):
    """Service goes on; only what was inside the killed worker may fail."""
    g = gateway({"workers": 2})
    g.expect_death(r"worker .*terminated by signal 9")
    token = auth_server.mint()
    with load.Load(g, 6, lambda: token, pause=0) as busy:
        busy.wait_more(50)
        victim = g.workers()[0]
        os.kill(victim, signal.SIGKILL)
        g.wait_children(lambda ch: victim not in ch.get("worker", []) and
                        len(ch.get("worker", [])) == 2)
        busy.wait_more(100)
    # each client had at most one request in there
    failed = busy.failures()
    assert len(failed) <= 6 and all(r.status == 0 for r in failed), failed


def test_worker_dies_again_and_again(gateway, auth_server):
    g = gateway({"workers": 1})
    g.expect_death(r"worker .*terminated by signal 9")
    pos = g.log_mark()
    for _ in range(4):
        w = g.wait_children(lambda ch: len(ch.get("worker", [])) == 1)
        victim = w["worker"][0]
        os.kill(victim, signal.SIGKILL)
        g.wait_children(lambda ch: ch.get("worker") not in (None, [victim]))
    pauses = [int(m) for m in re.findall(
        r"worker 0 \(g1\) starts again in (\d+) ms", g.log()[pos:])]
    assert len(pauses) == 4 and pauses == sorted(set(pauses)), pauses
    g.wait_ready()
    assert g.post(token=auth_server.mint()).status == 200


def test_killed_fetcher(gateway, auth_server):
    g = gateway()
    g.expect_death(r"fetcher .*terminated by signal 9")
    token = auth_server.mint()
    with load.Load(g, 4, lambda: token, pause=0) as busy:
        busy.wait_more(20)
        victim = g.fetchers()[0]
        os.kill(victim, signal.SIGKILL)
        g.wait_children(lambda ch: ch.get("fetcher") not in (None, [victim]))
        busy.wait_more(50)
    assert busy.failures() == []
    # the new one does its work
    auth_server.rotate()
    assert g.post(token=auth_server.mint()).status == 200


@pytest.mark.parametrize("reloads", [0, 1])
def test_keys_outlive_fetcher_and_as(gateway, auth_server, reloads):
    """The AS is down and the fetcher dies: new workers have keys all the same,
    those of a generation that found its key set fetched, too."""
    g = gateway({"workers": 1})
    for _ in range(reloads):
        g.reload()
        g.wait_children(lambda ch: len(ch["worker"]) == 1)
    g.expect_death(r"(fetcher|worker) .*terminated by signal 9")
    token = auth_server.mint()
    auth_server.refuse()
    old = g.fetchers()[0]
    os.kill(old, signal.SIGKILL)
    g.wait_children(lambda ch: ch.get("fetcher") not in (None, [old]))
    old = g.workers()[0]
    os.kill(old, signal.SIGKILL)
    g.wait_children(lambda ch: ch.get("worker") not in (None, [old]))
    assert g.post(token=token).status == 200


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_stop_drains(gateway, auth_server, upstream, signum):
    # one worker: the end of the stream says that it knows
    g = gateway({"workers": 1})
    token = auth_server.mint()
    go = threading.Event()
    upstream.script(fu.sse_open(), fu.after(go, fu.json_result({"tools": []})))
    stream = start_get(g, token)
    c = start_post(g, token)
    upstream.wait_requests(2)
    g.signal(signum)
    stream.read_body(timeout=10)        # ended cleanly, at once
    g.wait_log("stopping")
    assert g.proc.poll() is None
    go.set()
    r = c.read_response()
    assert r.status == 200 and r.header("Connection") == "close"
    assert g.proc.wait(15) == 0
    assert not g.pid_path.exists()
    g.stop()
    assert len([a for a in g.audit_lines() if a["action"] == "allow"]) == 2


def test_second_stop_does_not_wait(gateway, auth_server, upstream):
    g = gateway({"drain_timeout": "60s"})
    upstream.script(fu.hang())
    c = start_post(g, auth_server.mint())
    upstream.wait_request()
    g.signal(signal.SIGTERM)
    g.wait_log("stopping")
    g.signal(signal.SIGTERM)
    assert g.proc.wait(10) == 0
    assert c.read_response().status == 503
    g.stop()


def test_children_leave_signals_to_the_master(gateway, auth_server):
    g = gateway()
    for pid in g.workers() + g.fetchers():
        for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM,
                  signal.SIGUSR1):
            os.kill(pid, s)
    before = sorted(g.workers() + g.fetchers())
    assert g.post(token=auth_server.mint()).status == 200
    assert sorted(g.workers() + g.fetchers()) == before


def test_master_alone_is_called_mcpgw(gateway):
    """pgrep mcpgw finds one process, also while children are started."""
    g = gateway({"workers": 2})
    seen, stop = set(), threading.Event()

    def watch():
        while not stop.is_set():
            names = [comm for _, comm, _, _ in gwmod.session_members(g.pid)]
            seen.add(sum("mcpgw" in n for n in names))

    t = threading.Thread(target=watch)
    t.start()
    try:
        for i in range(5):
            g.reload({"auth": {"oauth": {"leeway": "%ds" % (10 + i)}}})
    finally:
        stop.set()
        t.join()
    assert seen == {1}, seen


def test_titles(gateway):
    g = gateway({"workers": 2})
    titles = {pathlib.Path("/proc/%d/cmdline" % p).read_bytes()
              .split(b"\0")[0].strip() for p in g.workers() + g.fetchers()}
    assert titles == {b"worker 0 (g1)", b"worker 1 (g1)", b"fetcher"}, titles


def test_what_children_may(gateway):
    g = gateway()
    for pid in g.workers() + g.fetchers():
        s = status_of(pid)
        assert s["Seccomp"] == "2" and s["NoNewPrivs"] == "1", s
        assert int(s["CapEff"], 16) == 0 and int(s["CapPrm"], 16) == 0, s
        limits = pathlib.Path("/proc/%d/limits" % pid).read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), limits
        env = pathlib.Path("/proc/%d/environ" % pid)
        if os.getuid() == 0:
            assert "0" not in s["Uid"].split() + s["Gid"].split(), s
            assert s.get("Groups", "").strip() == "", s
            assert b"PATH=" not in env.read_bytes()
    if os.getuid() == 0:
        for pid in g.workers():
            assert os.listdir("/proc/%d/root" % pid) == []


def test_sigusr1_reopens_the_audit_log(gateway, auth_server):
    g = gateway()
    token = auth_server.mint()
    assert g.post(token=token).status == 200
    moved = g.audit_path.with_suffix(".1")
    g.audit_path.rename(moved)
    pos = g.log_mark()
    g.signal(signal.SIGUSR1)
    g.wait_log("audit: log reopened", pos)
    deadline = time.monotonic() + 10
    while not g.audit_path.exists() or not g.audit_path.read_bytes():
        assert time.monotonic() < deadline, "nothing in the new file"
        assert g.post(token=token).status == 200
    before = len(moved.read_bytes())
    for _ in range(20):
        assert g.post(token=token).status == 200
    assert len(moved.read_bytes()) == before


def test_master_killed(gateway, auth_server, upstream):
    """Workers finish what they have and go; nobody is left."""
    g = gateway({"drain_timeout": "10s"})
    go = threading.Event()
    upstream.script(fu.after(go, fu.json_result({"tools": []})))
    c = start_post(g, auth_server.mint())
    upstream.wait_request()
    os.kill(g.pid, signal.SIGKILL)
    g.proc.wait(10)
    go.set()
    assert c.read_response().status == 200
    g.assert_nobody_left(timeout=15)
    g.proc = None


def run(g, *args, **kw):
    return subprocess.run(g.argv(*args), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=40, env=g.environment(), **kw)


def test_daemon(make_gateway, auth_server):
    """Without -d: back when it serves; a second one refuses; TERM ends it."""
    g = make_gateway()
    g.write_config()
    p = subprocess.run(["mcpgw", "-f", g.path.name],
                       executable=str(gwmod.MCPGW), cwd=str(g.dir),
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=40,
                       env=g.environment())
    assert p.returncode == 0, p.stdout
    pid = int(g.pid_path.read_text())
    try:
        assert g.get("/readyz").status == 200
        assert g.post(token=auth_server.mint()).status == 200
        assert os.getsid(pid) == pid and os.readlink(
            "/proc/%d/cwd" % pid) == "/"
        second = run(g)
        assert second.returncode == 1, second.stdout
        # a relative -f is still found, from another directory
        g.config["auth"]["oauth"]["audience"] = "another"
        g.write_config()
        os.kill(pid, signal.SIGHUP)
        deadline = time.monotonic() + 15
        while g.post(token=auth_server.mint()).status != 401:
            assert time.monotonic() < deadline, "the reload did not come"
            time.sleep(0.05)
    finally:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 15
        while gwmod.session_members(pid):
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.02)


def test_daemon_that_cannot_prime(make_gateway, auth_server):
    g = make_gateway()
    auth_server.refuse()
    g.write_config()
    p = run(g)
    assert p.returncode == gwmod.EX_CONFIG, p.stdout
    assert re.search(rb"oauth: prime jwks: .*refused", p.stdout), p.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_pid_1(make_gateway, auth_server):
    """PID 1 of a container: in the foreground, and it reaps what it inherits."""
    g = make_gateway()
    g.write_config()
    p = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--",
         "sh", "-c", "(sleep 0.3 & ) ; exec %s -f %s" %
         (gwmod.MCPGW, g.path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=g.environment(),
        start_new_session=True)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                if g.get("/readyz").status == 200:
                    break
            except (OSError, AssertionError):
                pass
            assert p.poll() is None, p.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert g.post(token=auth_server.mint()).status == 200
        master = [pid for pid, comm, _, _ in gwmod.session_members(p.pid)
                  if comm == "mcpgw"]
        assert len(master) == 1, master
        assert "\t1" in status_of(master[0])["NSpid"] or \
            status_of(master[0])["NSpid"].split()[-1] == "1"
        deadline = time.monotonic() + 10
        while [m for m in gwmod.session_members(p.pid) if m[3] == "Z" or
               m[1] == "sleep"]:
            assert time.monotonic() < deadline, "an orphan is not reaped"
            time.sleep(0.05)
        os.kill(master[0], signal.SIGTERM)
        assert p.wait(15) == 0
    finally:
        if p.poll() is None:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait(10)
        p.stdout.close()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another")
def test_ordinary_user(make_gateway, auth_server, tmp):
    g = make_gateway()
    g.config.pop("user", None)
    g.write_config()
    for path in (tmp, g.dir):
        os.chown(path, 65534, 65534)
        os.chmod(path, 0o755)
    os.chown(g.path, 65534, 65534)
    # The build tree may lie where nobody else may look, as in root's home.
    p = subprocess.Popen(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
         "--pdeathsig", "TERM", "--", str(gwmod.copy_programs(tmp)), "-d",
         "-f", str(g.path)],
        stdin=subprocess.DEVNULL, stdout=open(g.stderr_path, "wb"),
        stderr=subprocess.STDOUT, start_new_session=True,
        env=g.environment(), cwd="/")
    g.proc = p
    g.wait_ready()
    assert g.post(token=auth_server.mint()).status == 200
    assert len(re.findall("not started as root", g.log())) == 1
    for pid in g.workers():
        assert status_of(pid)["Seccomp"] == "2"
    g.stop()


def test_too_few_descriptors(make_gateway):
    g = make_gateway({"limits": {"max_connections": 100000}})
    g.write_config()
    p = subprocess.run(["sh", "-c", "ulimit -n 1000 && exec setpriv "
                        "--bounding-set -sys_resource --inh-caps "
                        "-sys_resource -- %s -d -f %s" %
                        (gwmod.MCPGW, g.path)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=40,
                       env=g.environment())
    assert p.returncode != 0
    assert b"RLIMIT_NOFILE" in p.stdout, p.stdout


def test_options(make_gateway):
    g = make_gateway()
    g.write_config()
    p = run(g, "-n")
    assert p.returncode == 0, p.stdout
    p = subprocess.run([str(gwmod.MCPGW), "-V"], stdout=subprocess.PIPE,
                       timeout=10)
    assert p.returncode == 0 and re.match(rb"mcpgw \S+\n\Z", p.stdout)
    p = subprocess.run([str(gwmod.MCPGW), "-x"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=10)
    assert p.returncode == 1 and b"usage: mcpgw" in p.stdout
    p = subprocess.run([str(gwmod.MCPGW), "-n", "-f", "/nonexistent"],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=10)
    assert p.returncode == gwmod.EX_CONFIG
    assert b"/nonexistent" in p.stdout, p.stdout
