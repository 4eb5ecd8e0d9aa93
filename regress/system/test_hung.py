"""A child that is there and does nothing holds up neither a reload nor a
stop, and the log says so."""

import os
import signal
import time


def stop_one(g, role="worker"):
    pid = g.children()[role][0]
    g.expect_death(r"\(pid %d\) has not answered for \d+ s: killed" % pid)
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_old_worker_at_a_reload(gateway, auth_server):
    g = gateway({"drain_timeout": "60s"})
    token = auth_server.mint()
    pid = stop_one(g)
    pos = g.log_mark()
    began = time.monotonic()
    g.reload({"auth": {"oauth": {"audience": "another"}}}, expect=None)
    # during the first one, or when its workers serve already
    g.wait_log("reloading", pos)
    g.signal(signal.SIGHUP)
    g.wait_log(r"worker \d \(g1\) \(pid %d\) has not answered for 3 s" % pid,
               pos)
    g.wait_log(r"worker \d \(g1\) \(pid %d\) has not answered for \d+ s: "
               "killed" % pid, pos)
    g.wait_log("configuration reloaded: generation 3", pos)
    log = g.log()[pos:]
    assert log.index("configuration reloaded") > log.index("killed")
    assert time.monotonic() - began < 10
    assert g.post(token=token).status == 401
    # killed is not yet gone
    g.wait_children(lambda c: pid not in c["worker"] and
                    len(c["worker"]) == 2)


def test_worker_at_a_stop(gateway):
    g = gateway({"drain_timeout": "60s"})
    pid = stop_one(g)
    pos = g.log_mark()
    began = time.monotonic()
    g.signal(signal.SIGUSR1)
    g.wait_log("audit: log reopened", pos)
    g.signal(signal.SIGTERM)
    g.wait_log(r"\(pid %d\) has not answered for \d+ s: killed" % pid, pos)
    assert g.proc.wait(5) == 0
    assert time.monotonic() - began < 10
    g.stop()


def test_each_kind_while_serving(gateway, auth_server):
    """A reload that needs them, too, waits no longer than until they are
    replaced."""
    g = gateway({"drain_timeout": "60s", "workers": 1})
    old = {role: stop_one(g, role)
           for role in ("fetcher", "keeper", "monitor", "worker")}
    pos = g.log_mark()
    for role, pid in old.items():
        g.wait_log(r"%s.* \(pid %d\) has not answered for 10 s: killed" %
                   (role, pid), pos)
    g.wait_children(lambda c: set(c) == set(old) and
                    not set(old.values()) & {p for v in c.values() for p in v})
    assert g.post(token=auth_server.mint()).status == 200
    g.reload({"auth": {"oauth": {"audience": "another"}}})
    assert g.post(token=auth_server.mint()).status == 401


def test_it_was_slow_only(gateway, auth_server):
    g = gateway()
    pid = stop_one(g, "fetcher")
    pos = g.log_mark()
    try:
        g.wait_log(r"fetcher \(pid %d\) has not answered for 3 s" % pid, pos)
    finally:
        os.kill(pid, signal.SIGCONT)
    g.wait_log("fetcher answers again", pos)
    assert g.fetchers() == [pid]
    g.reload({"auth": {"oauth": {"audience": "another"}}})
    assert g.post(token=auth_server.mint()).status == 401
