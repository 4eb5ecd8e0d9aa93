"""RLIMIT_FSIZE ends nobody: the log is one that cannot be written, and what it
says later of answers that were cut off is so."""

import json
import os
import pathlib
import resource
import signal
import time

LIMIT = 400 * 1024


def until(cond, what, timeout=10):
    end = time.monotonic() + timeout
    while not cond():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def test_file_size_limit(make_gateway, auth_server, upstream):
    g = make_gateway({"workers": 1})
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, old[1]))
    try:
        g.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    token = auth_server.mint()
    assert g.post(token=token).status == 200
    with open(g.audit_path, "ab") as f:
        f.write(b"{}\n".rjust(LIMIT - 40 - g.audit_path.stat().st_size))
    try:
        r = g.post(token=token)
        raise RuntimeError("not recorded, but answered: %r" % r)
    except (OSError, AssertionError):
        pass
    cut = upstream.requests[-1].header("X-Request-Id")
    until(lambda: g.get("/readyz").status == 503, "not refused")
    assert g.post(token=token).status == 503
    moved = g.audit_path.with_suffix(".old")
    os.rename(g.audit_path, moved)
    g.signal(signal.SIGUSR1)
    until(lambda: g.get("/readyz").status == 200, "it does not come back")
    assert g.post(token=token).status == 200
    lines = [json.loads(line) for line in
             (moved.read_text() + g.audit_path.read_text()).splitlines()]
    line, = [l for l in lines if l.get("request_id") == cut]
    assert line["action"] == "aborted", line
    assert line["error"] == "the audit log could not be written", line
    refused, = [l for l in lines if l.get("status") == 503]
    assert refused["action"] == "error", refused


def test_no_core_of_any_process(gateway):
    g = gateway({"workers": 1})
    for pid in [g.pid] + [p for v in g.children().values() for p in v]:
        limits = pathlib.Path("/proc/%d/limits" % pid).read_text()
        line, = [l for l in limits.splitlines() if "core file" in l]
        assert line.split()[4:6] == ["0", "0"], line
