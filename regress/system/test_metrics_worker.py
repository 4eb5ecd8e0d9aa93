"""What processes count, as /metrics tells it: values of a known traffic are
exact, gauges return to nothing, and no number goes backwards, whoever dies and
however often the configuration changes."""

import json
import os
import re
import resource
import signal
import socket
import threading
import time

import pytest

import gw as gwmod
import rawhttp
import tokens
from fake_upstream import default_answer, json_result, sse, status
from load import Load
from test_keys import auth, own
from test_tls import Cert, files, tls_gateway  # noqa: F401

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)\Z")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
GAUGES = ("connections_open", "streams_open", "requests_in_flight",
          "audit_pending_lines", "keeper_queue")


def admin():
    return {"admin": {"listen": "127.0.0.1:%d" % gwmod.free_port()}}


class Numbers(dict):
    """{(name, ((label, value), ...)): number} of one scrape."""

    def __init__(self, text):
        types = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                types[name] = kind
            if line.startswith("#") or not line:
                continue
            name, labels, value = SAMPLE.match(line).groups()
            key = name, tuple(sorted(LABEL.findall(labels or "")))
            assert key not in self, "twice: %r" % line
            self[key] = float(value)
        self.counters = {k for k in self if re.sub(
            r"_(bucket|count|sum)\Z", "", k[0]) in types and types[re.sub(
                r"_(bucket|count|sum)\Z", "", k[0])] == "histogram" or
            types.get(k[0]) == "counter"}

    def sum(self, name, **labels):
        want = set(labels.items())
        return sum(v for (n, have), v in self.items()
                   if n == name and want <= set(have))


def scrape(g):
    r = rawhttp.fetch(int(g.config["admin"]["listen"].split(":")[1]),
                      path="/metrics", timeout=10)
    assert r.status == 200, r
    return Numbers(r.body.decode())


def until(g, cond, what, timeout=10):
    end = time.monotonic() + timeout
    while True:
        n = scrape(g)
        if cond(n):
            return n
        if time.monotonic() > end:
            raise gwmod.Failed("%s: %r" % (what, [
                x for x in sorted(n.items()) if x[0] not in n.counters]))
        time.sleep(0.02)


def test_known_traffic(gateway, auth_server, upstream):
    g = gateway(admin())
    first, other = auth_server.mint(), auth_server.mint()
    before = scrape(g)
    for i in range(5):
        assert g.post(gwmod.call(id=i), first).status == 200
    assert g.post(gwmod.rpc(), other).status == 200
    assert g.post(gwmod.call(name="secret-of-strangers")).status == 401
    assert g.post(gwmod.call(), "x" * 40).status == 401
    assert g.post(b"{", first).status == 400
    assert g.post(gwmod.call(), first,
                  {"Mcp-Session-Id": "none"}).status == 404
    assert g.post(gwmod.rpc(), first, path="/mcp/none").status == 404
    n = scrape(g)

    def requests(**labels):
        return n.sum("mcpgw_requests_total", **labels)

    assert requests() == 11
    assert requests(upstream="up", method="tools/call", action="allow",
                    auth_result="ok") == 5
    assert requests(method="tools/call", action="deny",
                    auth_result="missing") == 1
    assert requests(action="deny", auth_result="invalid") == 1
    assert requests(action="error", auth_result="ok") == 3
    server = "mcp_server_operation_duration_seconds_count"
    assert n.sum(server) == 11
    assert n.sum(server, mcp_method_name="tools/call",
                 error_type="-31401") == 2
    assert n.sum(server, error_type="-32700") == 1
    client = "mcp_client_operation_duration_seconds_count"
    assert n.sum(client) == 6
    assert n.sum(client, upstream="up", mcp_method_name="tools/call") == 5
    assert n.sum("mcpgw_own_duration_seconds_count") == 11
    # what is the gateway's own is no more than the whole
    assert n.sum("mcpgw_own_duration_seconds_sum") <= n.sum(
        "mcp_server_operation_duration_seconds_sum")
    # two of them were refused, one of these for who asked
    assert n.sum("mcpgw_tool_calls_total", gen_ai_tool_name="echo") == 7
    assert n.sum("mcpgw_tool_errors_total", gen_ai_tool_name="echo") == 1
    assert n.sum("mcpgw_tool_denied_total", gen_ai_tool_name="echo") == 1
    assert not [k for k in n if "secret-of-strangers" in str(k)]
    assert n.sum("mcpgw_client_requests_total", client="agent-7") == 9
    assert n.sum("mcpgw_client_errors_total", client="agent-7") == 3
    assert n.sum("mcpgw_upstream_requests_total", upstream="up") == 6
    assert n.sum("mcpgw_upstream_failures_total") == 0
    # each worker judges a token once
    judged = n.sum("mcpgw_tokens_judged_total")
    assert 2 <= judged <= 4
    assert judged + n.sum("mcpgw_token_cache_hits_total") == 9
    assert n.sum("mcpgw_sessions_refused_total") == 1
    assert n.sum("mcpgw_audit_lines_total") == len(g.audit_lines()) == 11
    assert n.sum("mcpgw_audit_bytes_total") == g.audit_path.stat().st_size
    assert n.sum("mcpgw_connections_total") - \
        before.sum("mcpgw_connections_total") == 11
    assert n.sum("mcpgw_jwks_refreshes_total") == 1


def test_sessions_and_errors(gateway, auth_server, upstream):
    """What the upstream says of a failure counts as one."""
    g = gateway(admin())
    token = auth_server.mint()
    upstream.script(json_result({"protocolVersion": "2025-11-25"},
                                [("Mcp-Session-Id", "s-1")]))
    opened = g.post(gwmod.rpc("initialize", params={
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"}}), token)
    assert opened.status == 200
    session = opened.header("Mcp-Session-Id")
    said = {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": session}
    assert g.post(gwmod.rpc(), token, said).status == 200
    upstream.script(json_result({}, status=500))
    assert g.post(gwmod.rpc(), token).status == 500
    upstream.script(
        json_result({"content": [], "isError": True}),
        sse([{"jsonrpc": "2.0", "method": "notifications/progress",
              "params": {"progressToken": 1, "progress": 1}},
             {"jsonrpc": "2.0", "id": 1, "result": {
                 "content": [], "isError": True}}], final=False),
        status(200, json.dumps({"jsonrpc": "2.0", "id": 1, "error": {
            "code": -32602, "message": "unknown tool"}}).encode()))
    for _ in range(3):
        assert g.post(gwmod.call(), token).status == 200
    n = scrape(g)
    for side in "server", "client":
        for error, count in ("tool_error", 2), ("-32602", 1):
            assert n.sum("mcp_%s_operation_duration_seconds_count" % side,
                         mcp_method_name="tools/call",
                         error_type=error) == count, (side, error)
    assert n.sum("mcpgw_tool_errors_total", gen_ai_tool_name="echo") == 3
    # it went through
    assert n.sum("mcpgw_requests_total", method="tools/call",
                 action="allow") == 3
    assert n.sum("mcpgw_sessions_opened_total") == 1
    assert n.sum("mcpgw_requests_total", revision="2025-11-25") == 2
    for side in "server", "client":
        assert n.sum("mcp_%s_operation_duration_seconds_count" % side,
                     error_type="500") == 1, side


def test_refused_by_an_upstream(gateway, auth_server):
    g = gateway({**admin(), "upstreams": [
        {"name": "up", "url": "http://127.0.0.1:9/mcp"}]})
    token = auth_server.mint()
    for _ in range(3):
        assert g.post(gwmod.call(), token).status == 502
    n = scrape(g)
    assert n.sum("mcp_client_operation_duration_seconds_count",
                 error_type="unreachable") == 3
    assert n.sum("mcpgw_upstream_failures_total", upstream="up") == 3
    assert n.sum("mcpgw_upstream_connections_failed_total") == 3
    # it is the answer of no tool
    assert n.sum("mcpgw_tool_calls_total", gen_ai_tool_name="echo") == 0


def test_gauges_return(gateway, auth_server, upstream):
    """Streams that are open, a client that leaves, another that breaks off in
    its body: afterwards there is nothing."""
    g = gateway(admin())
    token = auth_server.mint()
    gone = threading.Event()

    def stream(conn, req):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
                  b"data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n")
        conn.wait_peer_close(20)
        gone.set()
    upstream.script(stream)
    c = g.client()
    c.send(c.build("POST", "/mcp", g.headers(token),
                   b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'))
    n = until(g, lambda n: n.sum("mcpgw_streams_open") == 1, "no stream")
    assert n.sum("mcpgw_requests_in_flight") == 1
    assert n.sum("mcpgw_connections_open") == 1
    assert n.sum("mcpgw_upstream_server_in_flight") == 1
    assert n.sum("mcpgw_upstream_server_connections") == 1
    d = g.client()
    d.send(b"POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
           token.encode() + b"\r\nContent-Type: application/json\r\n"
           b"Content-Length: 2000000\r\n\r\n" + b" " * 1000000)
    until(g, lambda n: n.sum("mcpgw_buffered_bytes") >= 1000000 and
          n.sum("mcpgw_requests_in_flight") == 2, "no body")
    c.close()
    d.close()
    n = until(g, lambda n: all(n.sum("mcpgw_" + x) == 0 for x in GAUGES) and
              n.sum("mcpgw_upstream_server_in_flight") == 0 and
              n.sum("mcpgw_upstream_server_connections") == 0 and
              n.sum("mcpgw_upstream_connections_open") == 0 and
              # room for a turn's lines of the audit log stays
              n.sum("mcpgw_buffered_bytes") < 200000,
              "something is left")
    assert gone.wait(5)
    assert n.sum("mcpgw_streams_opened_total") == 1
    assert n.sum("mcpgw_requests_total", action="aborted") == 2
    assert n.sum("mcp_server_operation_duration_seconds_count",
                 error_type="cancelled") == 2


def key_sets(g, cond):
    """What is told of key sets, once that is so."""
    end = time.monotonic() + 10
    while True:
        r = rawhttp.fetch(int(g.config["admin"]["listen"].split(":")[1]),
                          path="/v1/jwks")
        assert r.status == 200, r
        sets = r.json()
        if cond(sets):
            return sets
        if time.monotonic() > end:
            raise gwmod.Failed("%r" % sets)
        time.sleep(0.02)


def test_key_sets(gateway, auth_server, upstream):
    """Which keys there are, what was skipped and why, and what went wrong; no
    key itself."""
    auth_server.extra = [x for what, x in tokens.junk_jwks()
                         if what in ("symmetric", "use enc")]
    g = gateway({**admin(), "auth": {"oauth": {"jwks_cache_ttl": "1s"}}})
    one, = key_sets(g, lambda s: len(s) == 1 and s[0]["last_success"])
    key = auth_server.keys[0].jwk()
    assert one["keys"] == [{
        "kid": key["kid"], "alg": key.get("alg", ""), "kty": "EC",
        "use": "sig", "source": "jwks"}]
    assert {x["kid"]: x["why"] for x in one["skipped"]} == {
        "junk-oct": "alg is none that we verify",
        "junk-enc": "use is not sig"}
    assert one["url"] == auth_server.jwks_url
    assert one["last_success"] <= one["next_refresh"]  # whole seconds
    assert one["last_error"] == ""
    assert key["x"] not in repr(one)
    auth_server.status(500)
    one, = key_sets(g, lambda s: s[0]["failing"] >= 1)
    assert "500" in one["last_error"]
    assert one["nkeys"] == 1            # the last good one is in force
    auth_server.extra = []
    auth_server.normal()
    g.reload({"limits": {"max_body": 100000}})
    one, = key_sets(g, lambda s: len(s) == 1 and s[0]["generation"] == 2 and
                    not s[0]["skipped"])
    assert one["failing"] == 0 and one["last_error"] == ""
    g.expect_death(r"fetcher.*signal 9")
    os.kill(g.fetchers()[0], signal.SIGKILL)
    key_sets(g, lambda s: len(s) == 1 and s[0]["generation"] == 2 and
             s[0]["last_success"] and s[0]["last_success"] >
             one["last_success"])


def test_keys(gateway, upstream):
    """What was hashed, what was known, and how long the hashing took."""
    good = own("ci")
    g = gateway({**admin(), "workers": 1,
                 **auth(good, oauth=False)})
    for _ in range(3):
        assert g.post(gwmod.rpc(), good.key).status == 200
    for _ in range(2):
        assert g.post(gwmod.rpc(), "x" * 40).status == 401
    n = scrape(g)
    # keys of no prefix that is configured are not hashed
    asked = n.sum("mcpgw_api_keys_asked_total")
    assert asked + n.sum("mcpgw_api_key_cache_hits_total") == 5
    assert asked == 2
    assert n.sum("mcpgw_keeper_checks_total") == 1
    assert n.sum("mcpgw_keeper_duration_seconds_count") == 1
    assert n.sum("mcpgw_keeper_duration_seconds_sum") > 0
    assert n.sum("mcpgw_keeper_queue") == 0
    assert n.sum("mcpgw_client_requests_total", client="ci") == 3


def test_handshakes(tls_gateway, upstream):
    cert = Cert()
    g = tls_gateway(cert, admin())
    one = g.client()
    assert one.request("GET", "/healthz").status == 200
    with socket.create_connection(("127.0.0.1", g.port)) as s:
        s.sendall(b"\x16\x03\x01\x00\x05nope!")
        s.settimeout(5)
        while s.recv(1000):
            pass
    n = scrape(g)
    # the harness asked whether it is ready
    assert n.sum("mcpgw_tls_handshakes_total") >= 2
    assert n.sum("mcpgw_keeper_signatures_total") == \
        n.sum("mcpgw_tls_handshakes_total") - \
        n.sum("mcpgw_tls_handshakes_resumed_total")
    assert n.sum("mcpgw_tls_handshakes_failed_total") == 1
    assert n.sum("mcpgw_connections_open") >= 1
    one.close()
    until(g, lambda n: n.sum("mcpgw_connections_open") == 0, "it stays open")


def test_servers_that_are_down(gateway, auth_server, upstream):
    """One that cannot be reached is tried, and then left alone."""
    g = gateway({**admin(), "workers": 1, "upstreams": [
        {"name": "up", "urls": ["http://127.0.0.1:9/mcp", upstream.url]}]})
    token = auth_server.mint()
    for _ in range(8):
        assert g.post(gwmod.rpc(), token).status == 200
    n = scrape(g)
    dead, alive = "http://127.0.0.1:9", upstream.url[:-len("/mcp")]
    assert n.sum("mcpgw_upstream_server_up", server=dead) == 0
    assert n.sum("mcpgw_upstream_server_up", server=alive) == 1
    assert n.sum("mcpgw_upstream_failures_total", server=dead) == 3
    assert n.sum("mcpgw_upstream_retries_total") == 3
    assert n.sum("mcpgw_upstream_requests_total", server=alive) == 8
    assert n.sum("mcpgw_upstream_failures_total", server=alive) == 0
    # to the client it is nothing
    assert n.sum("mcp_client_operation_duration_seconds_count") == 8


def test_log_that_is_full(make_gateway, auth_server, upstream):
    limit = 400 * 1024
    g = make_gateway({**admin(), "workers": 1})
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        g.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    token = auth_server.mint()
    assert g.post(token=token).status == 200
    written = g.audit_path.stat().st_size
    with open(g.audit_path, "ab") as f:
        f.write(b"{}\n".rjust(limit - 40 - written))
    with pytest.raises((OSError, AssertionError)):
        g.post(token=token)
    n = until(g, lambda n: n.sum("mcpgw_audit_broken") == 1, "not broken")
    assert n.sum("mcpgw_audit_failures_total") == 1
    assert n.sum("mcpgw_audit_pending_lines") == 1
    assert n.sum("mcpgw_audit_lines_total") == 1
    assert n.sum("mcpgw_audit_bytes_total") == written
    assert n.sum("mcpgw_audit_lag_seconds") < 10
    until(g, lambda m: m.sum("mcpgw_audit_lag_seconds") >
          n.sum("mcpgw_audit_lag_seconds"), "it does not wait")
    os.rename(g.audit_path, g.audit_path.with_suffix(".old"))
    g.signal(signal.SIGUSR1)
    n = until(g, lambda n: n.sum("mcpgw_audit_broken") == 0 and
              n.sum("mcpgw_audit_pending_lines") == 0 and
              n.sum("mcpgw_audit_lag_seconds") == 0, "still broken")
    assert n.sum("mcpgw_audit_lines_total") == 2
    assert n.sum("mcpgw_audit_lost_total") == 0


class Watch(threading.Thread):
    """Scrapes all the time, and compares each number with the last."""

    def __init__(self, g):
        super().__init__(daemon=True)
        self.g = g
        self.ended = threading.Event()
        self.scrapes = 0
        self.bad = []

    def run(self):
        last = {}
        while not self.ended.is_set():
            n = scrape(self.g)
            self.scrapes += 1
            for k, v in last.items():
                if k not in n or n[k] < v:
                    self.bad.append((k, v, n.get(k)))
            last = {k: n[k] for k in n.counters}


def hold_calls(conn, req):
    """Calls are answered by a stream that stays open."""
    if req.rpc_method != "tools/call":
        return default_answer(conn, req)
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
              b": begun\n\n")
    return conn.wait_peer_close(30)


def test_nothing_counts_backwards(gateway, auth_server, upstream):
    """Eight generations live at a time, workers are killed in three."""
    upstream.answer = hold_calls
    g = gateway({**admin(), "workers": 2, "drain_timeout": "30s"})
    g.expect_death(r"worker 0 \(g\d+\) .*signal 9")
    token = auth_server.mint()
    w = Watch(g)
    w.start()
    held = []
    with Load(g, 3, auth_server.mint, pause=0.005) as load:
        load.wait(50)
        for i in range(8):
            # two streams: one of them is not the dead worker's, often
            for _ in range(2):
                held.append(g.client())
                held[-1].send(held[-1].build(
                    "POST", "/mcp", g.headers(token),
                    json.dumps(gwmod.call()).encode()))
                held[-1].read_head()
            if i % 3 == 0:
                mark = g.log_mark()
                os.kill(g.newest_worker(), signal.SIGKILL)
                g.wait_log(r"terminated by signal 9", mark)
            g.reload({"limits": {"max_body": 100000 + i}})
            load.wait_more(20)
        n = scrape(g)
        assert n.sum("mcpgw_generations", state="draining") >= 5
        assert n.sum("mcpgw_streams_open") >= 5
        for c in held:
            c.close()
    answered = len(load.results) - len(load.failures())
    until(g, lambda n: n.sum("mcpgw_generations", state="draining") == 0 and
          n.sum("mcpgw_streams_open") == 0 and
          n.sum("mcpgw_requests_in_flight") == 0, "generations stay")
    scrapes = w.scrapes
    until(g, lambda n: w.scrapes > scrapes, "no scrape")
    w.ended.set()
    w.join(10)
    assert not w.bad, w.bad[:10]
    n = scrape(g)
    assert n.sum("mcpgw_requests_total", action="allow") >= answered
    # a line was counted when it was written; one that died between the two
    # had written it
    lines = len(g.audit_lines())
    assert lines - 3 <= n.sum("mcpgw_audit_lines_total") <= lines
    assert n.sum("mcpgw_reloads_total") == 8


def test_reasons_are_documented():
    """Each name by which refusals are counted, with its status."""
    code = (gwmod.TOP / "common" / "refusal_id.c").read_text()
    manual = (gwmod.TOP / "man" / "mcpgw-audit.5").read_text()
    manual = manual[manual.index(".Ss Reasons of refusals"):]
    names = re.findall(r'"(\w+)", (\d+) }', code)
    assert len(names) > 60
    for name, status in names:
        said = re.search(r"^\.It Li %s\n(\d+)?" % name, manual, re.M)
        assert said, name
        assert (said[1] or "0") == status, name
