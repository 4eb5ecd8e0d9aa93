"""A reload, and connections in every state that they can be in: what arrives
after it is judged by the new configuration, or by none (503)."""

import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import threading
import time

import pytest

import fake_upstream as fu
import gw as gwmod
import rawhttp
from conftest import stop_all
from gw import call, rpc
from test_keys import Key

JSON = ("Content-Type", "application/json")
ANOTHER = {"auth": {"oauth": {"audience": "another"}}}


def bearer(token):
    return ("Authorization", "Bearer " + token)


def post(c, token, msg=None, fields=()):
    """The bytes of a POST."""
    return c.build("POST", "/mcp", [bearer(token), JSON, *fields],
                   json.dumps(msg or call()).encode())


def halves(go):
    """An answer whose second half comes when go is set."""
    def answer(conn, req):
        doc = fu.response(json.dumps(fu.result(req, {})).encode())
        conn.send(doc[:-5])
        conn.wait(go)
        conn.send(doc[-5:])
    return answer


def calls(upstream):
    return [r for r in upstream.requests if r.rpc_method == "tools/call"]


def assert_late(c, r):
    assert r.status == 503 and r.header("Retry-After") == "0", r
    assert r.header("Connection") == "close", r
    c.wait_close()


def test_pipelined_behind_an_answer_under_way(gateway, auth_server, upstream):
    g = gateway()
    token, go = auth_server.mint(), threading.Event()
    upstream.script(halves(go))
    with g.client() as c:
        c.send(post(c, token, rpc()) + post(c, token))
        assert c.read_head().status == 200
        g.reload(ANOTHER)
        mark = g.audit_mark()
        go.set()
        c.read_body()
        assert c.read_response().status == 401
        assert c.is_open()
    lines = [x["auth_result"] for x in g.audit(n=2, since=mark)]
    assert lines == ["ok", "bad_audience"]
    assert calls(upstream) == []


def test_too_much_behind_an_answer_under_way(gateway, auth_server, upstream):
    """More than can be handed over: 503, never the old configuration."""
    g = gateway({"workers": 1})
    token, go = auth_server.mint(), threading.Event()
    upstream.script(halves(go))
    first = json.dumps(rpc()).encode()
    with g.client() as c:
        c.send(c.build("POST", "/mcp", [bearer(token), JSON,
                                        ("Transfer-Encoding", "chunked")],
                       b"%x\r\n%s" % (len(first), first)))
        assert g.get("/healthz").status == 200
        # a body is read in larger pieces than a head
        c.send(b"\r\n0\r\n\r\n" + post(c, token, call("x" * 40000)))
        assert c.read_head().status == 200
        g.reload(ANOTHER)
        go.set()
        c.read_body()
        assert_late(c, c.read_response())
    assert calls(upstream) == []


@pytest.mark.parametrize("more", [0, 1])
def test_behind_a_refused_body(gateway, auth_server, upstream, more):
    """The refused body is skipped; what follows it in the same packet, or
    after it, is a new request."""
    g = gateway()
    token = auth_server.mint()
    with g.client() as c:
        r = c.request("POST", "/mcp", [JSON, ("Content-Length", "100000")])
        assert r.status == 401 and r.header("Connection") is None
        g.reload(ANOTHER)
        c.send(b"x" * (99000 + (1000 if more == 0 else 0)))
        c.send(b"x" * (1000 * more) + post(c, token))
        assert c.read_response().status == 401
    assert calls(upstream) == []


@pytest.mark.parametrize("size", [15000, 20000, 40000])
def test_part_of_a_large_head(gateway, auth_server, upstream, size):
    g = gateway({"limits": {"max_header": "64KiB"}})
    token = auth_server.mint()
    with g.client() as c:
        data = post(c, token, fields=[("X", "y" * 8000)] * 6)
        c.send(data[:size])
        # those bytes are read, too, when all of these answers are there
        for _ in range(10):
            assert g.get("/healthz").status == 200
        g.reload(ANOTHER)
        c.send(data[size:])
        r = c.read_response()
        if size < 16384:
            assert r.status == 401, r
        else:
            assert_late(c, r)
    assert calls(upstream) == []


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("lost", ["token", "key"])
def test_body_that_is_not_whole(gateway, auth_server, upstream, lost, chunked):
    """Its head was judged by the old configuration: it may not wait with the
    rest until its credential is gone."""
    k = Key("k")
    g = gateway({"workers": 1, "auth": {"keys": [k.entry]}})
    token = k.key if lost == "key" else auth_server.mint()
    # known by now: its head is judged as soon as it is read
    assert g.post(token=token).status == 200
    upstream.forget()
    with g.client() as c:
        data = post(c, token)
        if chunked:
            body = json.dumps(call()).encode()
            data = c.build("POST", "/mcp", [
                bearer(token), JSON, ("Transfer-Encoding", "chunked")],
                b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        c.send(data[:-30])
        assert g.get("/healthz").status == 200
        mark = g.audit_mark()
        g.reload({"auth": {"keys": []}} if lost == "key" else ANOTHER)
        c.send(data[-30:])
        r = c.read_response()
        assert_late(c, r)
        line = g.audit_one(mark, r)
        assert line["status"] == 503 and line["action"] == "error", line
    assert calls(upstream) == []


def test_body_that_is_slow(gateway, auth_server, upstream):
    """One whose credential is as good as before was let in: it goes on after
    the switch, which does not wait for it."""
    k = Key("k")
    g = gateway({"workers": 1, "auth": {"keys": [k.entry]}})
    with g.client() as a, g.client() as b:
        for c, token in (a, auth_server.mint()), (b, k.key):
            data = post(c, token)
            c.send(data[:-30])
        assert g.get("/healthz").status == 200
        g.reload({"auth": {"oauth": {"leeway": "7s"}},
                  "limits": {"max_body": "1KiB"}})
        for c in a, b:
            c.send(data[-30:-20])
        for c in a, b:
            c.send(data[-20:])
            assert c.read_response().status == 200
    assert len(calls(upstream)) == 2


def test_waiting_for_a_key_set(gateway, auth_server, upstream):
    g = gateway()
    go = threading.Event()
    auth_server.rotate()
    token = auth_server.mint()
    normal = auth_server._normal

    def behave(c):
        go.wait(20)
        normal(c)
    auth_server._behave = behave
    fetches = auth_server.fetches
    with g.client() as c:
        c.send(post(c, token))
        auth_server.wait_fetches(fetches + 1)
        g.reload(ANOTHER)
        mark = g.audit_mark()
        go.set()
        r = c.read_response()
        assert r.status == 401, r
        assert g.audit_one(mark, r)["auth_result"] == "bad_audience"
    assert calls(upstream) == []


def test_waiting_for_the_keeper(gateway, auth_server, upstream):
    k = Key("revoked")
    g = gateway({"workers": 1, "auth": {"keys": [k.entry]}})
    keeper = g.children()["keeper"][0]
    os.kill(keeper, signal.SIGSTOP)
    try:
        with g.client() as c:
            c.send(post(c, k.key))
            # the one worker has read that, too
            assert g.get("/healthz").status == 200
            g.reload({"auth": {"keys": []}})
            os.kill(keeper, signal.SIGCONT)
            r = c.read_response()
            assert r.status == 401, r
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert calls(upstream) == []


# -- how many -----------------------------------------------------------------

LIMIT, OLD = 20, 5


def under_way(g, upstream, token, n, go):
    """n connections whose answers have begun."""
    clients = []
    for _ in range(n):
        upstream.script(halves(go))
        c = g.client()
        clients.append(c)
        c.send(post(c, token, rpc()))
        assert c.read_head().status == 200
    return clients


def test_handed_over_connections_count(gateway, auth_server, upstream):
    """The requests of five old generations end together."""
    g = gateway({"workers": 1, "drain_timeout": "60s",
                 "limits": {"max_connections": LIMIT}})
    token, go = auth_server.mint(), threading.Event()
    clients = []
    for i in range(OLD):
        clients += under_way(g, upstream, token, LIMIT, go)
        g.reload({"auth": {"oauth": {"leeway": "%ds" % (10 + i)}}})
    newest = g.newest_worker()
    pos = g.log_mark()
    go.set()
    for c in clients:
        c.read_body()
    # all are passed when their old workers have left
    g.wait_children(lambda ch: ch["worker"] == [newest])
    g.wait_log("limits.max_connections reached: [0-9]+ connections that older",
               pos)
    kept = [c for c in clients if c.is_open()]
    # what was sent to the others is here once these have an answer
    for c in kept:
        c.send(post(c, token, rpc()))
    alive = 0
    for c in clients:
        try:
            r = c.read_response()
            alive += r.status == 200
            assert r.header("X-Request-Id"), r
        except rawhttp.Truncated:
            pass
    assert alive == LIMIT
    assert g.workers() == [newest]
    assert g.descriptors(newest) < 2 * LIMIT + 64 + 32
    for c in clients:
        c.close()
    assert g.post(token=token).status == 200


# -- a process that has no descriptor left ------------------------------------

class Full:
    """A process that can open nothing more."""

    def __init__(self, pid):
        self.pid = pid
        limits = pathlib.Path("/proc/%d/limits" % pid).read_text()
        self.before = re.search(r"Max open files +([0-9]+)", limits)[1]

    def limit(self, n):
        # as its user: root may be without CAP_SYS_RESOURCE
        status = pathlib.Path("/proc/%d/status" % self.pid).read_text()
        who = {k.lower(): int(v) for k, v in re.findall(
            r"^([UG]id):\t([0-9]+)", status, re.M)}
        as_root = {} if os.getuid() != 0 else {
            "user": who["uid"], "group": who["gid"], "extra_groups": []}
        subprocess.run(["prlimit", "--pid", str(self.pid),
                        "--nofile=%s:" % n], check=True, **as_root)

    def __enter__(self):
        self.limit(0)

    def __exit__(self, *exc):
        self.limit(self.before)


@pytest.mark.parametrize("who", ["worker", "master"])
def test_no_descriptor_for_a_connection(gateway, auth_server, upstream, who):
    """That one is lost, nobody else."""
    g = gateway({"workers": 1, "drain_timeout": "60s"})
    token, go = auth_server.mint(), threading.Event()
    c, = under_way(g, upstream, token, 1, go)
    g.reload({"auth": {"oauth": {"leeway": "10s"}}})
    newest = g.newest_worker()
    with Full(newest if who == "worker" else g.pid):
        go.set()
        c.read_body()
        g.wait_log(r"MSG_CONN: no descriptor was free, it is lost")
        c.wait_close()
    c.close()
    g.wait_children(lambda ch: ch["worker"] == [newest])
    assert g.post(token=token).status == 200


def test_no_descriptor_for_the_audit_log(gateway, auth_server):
    g = gateway({"workers": 1})
    token, pid = auth_server.mint(), g.workers()[0]
    with Full(pid):
        g.audit_path.rename(g.dir / "audit.1")
        pos = g.log_mark()
        g.signal(signal.SIGUSR1)
        g.wait_log(r"MSG_AUDIT_FD: no descriptor was free", pos)
    deadline = time.monotonic() + 10
    while g.audit_mark() == 0:
        assert time.monotonic() < deadline, g.log()
        assert g.post(token=token).status == 200
    assert g.workers() == [pid]


def test_no_descriptor_for_a_keeper(gateway, auth_server):
    """Nor for a fetcher: both are connected to when there is one again."""
    k = Key("k")
    g = gateway({"workers": 1, "auth": {"keys": [k.entry]}})
    g.expect_death(r"(keeper|fetcher) .*terminated by signal 9")
    pid = g.workers()[0]
    old = [g.children()[r][0] for r in ("keeper", "fetcher")]
    with Full(pid):
        for p in old:
            os.kill(p, signal.SIGKILL)
        g.wait_log(r"(MSG_PEER: no descriptor(.|\n)*){2}")
    auth_server.rotate()
    assert g.post(token=k.key).status == 200
    deadline = time.monotonic() + 10
    while g.post(token=auth_server.mint()).status != 200:
        assert time.monotonic() < deadline, g.log()
    assert g.workers() == [pid]


def nofile(pid):
    limits = pathlib.Path("/proc/%d/limits" % pid).read_text()
    return int(re.search(r"Max open files +([0-9]+)", limits)[1])


few_descriptors = pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096,
    reason="needs 4,096 descriptors")


@few_descriptors
def test_reload_raises_the_limit(gateway):
    """As a start does, for workers of each generation."""
    g = gateway({"workers": 1, "limits": {"max_connections": 8}})
    subprocess.run(["prlimit", "--pid", str(g.pid), "--nofile=1000:"],
                   check=True)
    g.reload({"limits": {"max_connections": 900}})
    assert nofile(g.newest_worker()) >= 2 * 900 + 64
    # many workers need as many channels in the master
    subprocess.run(["prlimit", "--pid", str(g.pid), "--nofile=1000:"],
                   check=True)
    g.reload({"limits": {"max_connections": 8}, "workers": 40})
    assert nofile(g.pid) >= 16 * 40


class Limited(gwmod.Gateway):
    """One that may not raise its limits, whoever starts it."""

    def argv(self, *args):
        drop = ["setpriv", "--bounding-set", "-sys_resource", "--inh-caps",
                "-sys_resource", "--"]
        return (drop if os.getuid() == 0 else []) + super().argv(*args)


@few_descriptors
def test_reload_that_needs_too_many(tmp, auth_server, upstream):
    g = Limited(tmp / "gw", {"workers": 1, "limits": {"max_connections": 8}},
                auth_server, upstream).start()
    try:
        needs_too_many(g)
    finally:
        stop_all([g])


def needs_too_many(g):
    subprocess.run(["prlimit", "--pid", str(g.pid), "--nofile=1100:1100"],
                   check=True)
    log = g.reload({"limits": {"max_connections": 9000}}, expect="rejected")
    assert "RLIMIT_NOFILE" in log
    assert g.get("/readyz").status == 200
