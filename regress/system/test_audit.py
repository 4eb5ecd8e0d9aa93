"""The audit log: one line for each request, before its answer is whole, and
nothing lost when the disk is full."""

import json
import os
import subprocess
import threading
import time

import pytest

import fake_upstream as fu
import gw as gwmod

GUIDE = ["ts", "session_id", "method", "action", "auth_result",
         "oauth_client_id", "scopes", "latency_ms"]
NASTY = ["\"", "\\", "a\nb", "\x01", "\x7f", "\u2028", "\u2029", "</script>",
         "\",\"action\":\"allow", "é" * 300, "x" * 10000, "\U0001f600" * 100]


def test_fields_of_the_guide_come_first(gateway, auth_server):
    g = gateway()
    mark = g.audit_mark()
    g.post(gwmod.rpc("tools/list"), token=auth_server.mint(
        {"client_id": "agent-7", "scope": "mcp:read mcp:write"}))
    line = g.audit_one(mark)
    assert list(line)[:8] == GUIDE, line
    assert line["method"] == "tools/list" and line["action"] == "allow"
    assert line["auth_result"] == "ok" and line["oauth_client_id"] == "agent-7"
    assert line["scopes"] == "mcp:read mcp:write", line
    assert isinstance(line["latency_ms"], int), line
    assert line["client_ip"] == "127.0.0.1", line


@pytest.mark.parametrize("value", NASTY, ids=range(len(NASTY)))
def test_injection(site, value):
    """One request is one line, always JSON, whatever is in it; no value is
    longer than 256 bytes."""
    g = site.gw
    token = site.auth.mint({"client_id": value[:1000], "scope":
                            "mcp:read " + value[:1000].replace(" ", "")})
    mark = g.audit_mark()
    g.post(gwmod.rpc("tools/call", params={"name": value[:4000]}), token=token)
    g.post(gwmod.rpc(value[:200]), token=token)
    lines = g.audit(n=2, since=mark)
    assert len(g.audit_lines(mark)) == 2
    for line in lines:
        for k, v in line.items():
            if isinstance(v, str):
                assert len(v.encode()) <= 256, (k, v)
        assert value.startswith(line["oauth_client_id"]), line
    assert value.startswith(lines[0]["tool"]) and lines[0]["tool"], lines[0]


def test_session_id_of_a_hostile_client(site):
    """It is refused, and what a client holds is not in the log."""
    g = site.gw
    mark = g.audit_mark()
    r = g.post(token=site.auth.mint(), headers=[
        ("Mcp-Session-Id", "\"},{\"x\":\"\xff" + "y" * 2000)])
    line = g.audit_one(mark)
    assert r.status == 404 and line["error"] == "unknown session"
    assert line["session_id"] is None


def test_session_id_of_a_hostile_upstream(site):
    """Visible ASCII, escaped and cut."""
    g = site.gw
    mark = g.audit_mark()
    name = "\"},{\"x\":\"" + "y" * 900
    site.up.script(fu.json_result({}, [("Mcp-Session-Id", name)]))
    r = g.post(token=site.auth.mint())
    assert r.status == 200 and r.header("Mcp-Session-Id").endswith(name)
    line = g.audit_one(mark)
    assert line["session_id"].startswith("\"},{\"x\":\""), line
    assert len(line["session_id"].encode()) <= 256 + 2


def test_no_secret_is_written(site):
    g = site.gw
    good, bad = site.auth.mint(), site.auth.mint({"aud": "another"})
    for t in (good, bad, "opaque-credential-of-somebody"):
        g.post(gwmod.call("argument-of-a-tool"), token=t)
    written = g.audit_path.read_text() + g.log()
    for secret in (good, bad, good.split(".")[2], "opaque-credential",
                   "argument-of-a-tool"):
        assert secret not in written, secret


def test_discovery_and_health_have_no_line(site):
    g = site.gw
    mark = g.audit_mark()
    for path in (gwmod.METADATA_PATH, "/healthz", "/readyz", "/nothing"):
        g.get(path)
    g.post(token=site.auth.mint())
    g.audit(since=mark)
    assert len(g.audit_lines(mark)) == 1


def test_line_is_there_before_the_answer_ends(gateway, auth_server, upstream):
    g = gateway({"workers": 1})
    token = auth_server.mint()
    with g.client() as c:
        for i in range(50):
            mark = g.audit_mark()
            r = c.request("POST", "/mcp", g.headers(token),
                          json.dumps(gwmod.rpc(id=i)).encode())
            assert r.status == 200
            assert len(g.audit_lines(mark)) == 1, "answered before recorded"


def test_line_precedes_the_response_event(gateway, auth_server, upstream):
    g = gateway({"workers": 1})
    hold = threading.Event()

    def answer(conn, req):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        conn.send(fu.chunk(b"data: {\"jsonrpc\":\"2.0\",\"method\":"
                           b"\"notifications/x\"}\n\n"))
        hold.wait(20)
        conn.send(fu.chunk(b"data: {\"jsonrpc\":\"2.0\",\"id\":1,"
                           b"\"result\":{}}\n\n"))
        conn.wait_peer_close(20)

    upstream.script(answer)
    mark = g.audit_mark()
    with g.client() as c:
        body = json.dumps(gwmod.rpc()).encode()
        c.send(c.build("POST", "/mcp", g.headers(auth_server.mint()), body))
        assert c.read_head().status == 200
        events = c.events()
        assert "method" in next(events).json()
        assert g.audit_lines(mark) == []
        hold.set()
        assert "result" in next(events).json()
        line, = g.audit_lines(mark)
        assert line["transport"] == "sse" and line["action"] == "allow", line


class SmallDisk:
    """A tmpfs of some KiB for the log, in the tests' own directory."""

    def __init__(self, path, kib):
        self.path = path
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk,mode=755" % kib,
                        "audit", str(path)], check=True)

    def fill(self):
        """Until nothing fits any more."""
        with open(self.path / "ballast", "ab", buffering=0) as f:
            try:
                while f.write(b"x" * 4096):
                    pass
            except OSError:
                pass

    def free(self):
        os.unlink(self.path / "ballast")

    def umount(self):
        subprocess.run(["umount", "-l", str(self.path)], check=True)


@pytest.fixture
def disk(tmp):
    d = SmallDisk(tmp / "disk", 1024)
    yield d
    d.umount()


def whole_lines(path):
    text = path.read_bytes()
    assert text == b"" or text.endswith(b"\n"), text[-200:]
    return [json.loads(line) for line in text.decode().splitlines()]


def until(cond, what, timeout=15):
    end = time.monotonic() + timeout
    while not cond():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount")
def test_full_disk(make_gateway, auth_server, upstream, disk):
    g = make_gateway({"audit": {"path": str(disk.path / "audit.jsonl")}})
    g.audit_path = disk.path / "audit.jsonl"
    g.start()
    token = auth_server.mint()
    for _ in range(5):
        assert g.post(token=token).status == 200
    disk.fill()
    # what the last block of the file still takes goes in; then no more
    cut = 0

    def refused():
        nonlocal cut
        try:
            r = g.post(token=token)
        except (AssertionError, OSError):
            cut += 1        # it reached the upstream and cannot be recorded
            return False
        if r.status == 200:
            return False
        assert r.status == 503 and r.header("Retry-After"), r
        assert r.json()["error"]["code"] == -31503
        return True

    until(refused, "requests go on without a record")
    assert g.get("/readyz").status == 503
    assert cut >= 1, "a request was answered that could not be recorded"
    before = len(upstream.requests)
    for _ in range(10):
        assert g.post(token=token).status == 503
    assert len(upstream.requests) == before, "refused, but sent on"
    disk.free()
    until(lambda: g.get("/readyz").status == 200, "it does not come back")
    until(lambda: g.post(token=token).status == 200, "it does not serve")
    g.stop()
    lines = whole_lines(g.audit_path)
    ids = [line["request_id"] for line in lines]
    assert len(ids) == len(set(ids)), "a line was written twice"
    sent = [r.header("X-Request-Id") for r in upstream.requests]
    assert all(ids.count(i) == 1 for i in sent), "a request without its line"
    del g


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount")
def test_full_disk_may_be_ignored(make_gateway, auth_server, disk):
    g = make_gateway({"audit": {"path": str(disk.path / "audit.jsonl"),
                                "on_failure": "allow"}})
    g.audit_path = disk.path / "audit.jsonl"
    g.start()
    token = auth_server.mint()
    disk.fill()
    for _ in range(40):
        assert g.post(token=token).status == 200
    disk.free()
    g.wait_log("audit: the log can be written again")
    g.stop()
    assert len(whole_lines(g.audit_path)) == 40


def test_torn_line_of_a_crash(make_gateway, auth_server):
    g = make_gateway()
    g.audit_path.write_text('{"ts":"2026-01-01T00:00:00.000Z","torn":')
    g.start()
    g.wait_log("the last line of .* is torn")
    assert g.post(token=auth_server.mint()).status == 200
    lines = g.audit_path.read_text().splitlines()
    assert len(lines) == 2 and json.loads(lines[1])["action"] == "allow"


def test_log_that_cannot_be_opened(make_gateway):
    g = make_gateway({"audit": {"path": "/nonexistent/audit.jsonl"}})
    rc, log = g.run_to_exit()
    assert rc == gwmod.EX_CONFIG and "/nonexistent/audit.jsonl" in log
