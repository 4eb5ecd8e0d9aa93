"""How spans get to their receiver: headers, batches, again when it says so,
and that nothing of a receiver, whatever it does, is felt by a request."""

import gzip
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import threading
import time

import pytest

import fake_otlp
import gw
import rawhttp
from admin import Door
from fake_as import CA
from fake_otlp import Receiver, hang, quick


@pytest.fixture
def start(gateway):
    """A gateway that sends spans at once."""
    def start(endpoint, over=None, env=None, **customer):
        with quick(**(env or {})):
            return gateway(gw.merge({"workers": 1, "telemetry": {"customer": {
                "enabled": True, "endpoint": endpoint, **customer}}}, over))
    return start


@pytest.fixture
def rx():
    with Receiver() as r:
        yield r


def serve(g, auth_server, n=1, client=None):
    token = auth_server.mint()
    out = []
    with g.client() as c:
        for _ in range(n):
            began = time.monotonic()
            assert g.post(token=token, client=c).status == 200
            out.append(time.monotonic() - began)
    return out


def servers(spans):
    return [s for s in spans if s.kind == "server"]


# -- what is sent ------------------------------------------------------------

def test_request(rx, start, auth_server, tmp):
    """One POST to /v1/traces with the secret fields, in gzip, of one line of
    strict JSON; what is secret is seen nowhere else."""
    fields = tmp / "fields"
    fields.write_text("# of the collector\nApi-Key: hidden-1\r\n"
                      "Authorization: Bearer hidden-2\n")
    g = start(rx.endpoint, {"log": {"level": "debug"}},
              headers_file=str(fields))
    serve(g, auth_server)
    rx.spans(lambda s: s.kind == "server")
    _, h, body = rx.requests[0]
    assert h.path == "/v1/traces" and h.command == "POST"
    assert h.headers["Api-Key"] == "hidden-1"
    assert h.headers["Authorization"] == "Bearer hidden-2"
    assert h.headers["Content-Type"] == "application/json"
    assert h.headers["Content-Encoding"] == "gzip"
    assert h.headers["User-Agent"].startswith("mcpgw/")
    assert h.headers["Expect"] is None
    json.loads(gzip.decompress(body))
    seen = [g.log()]
    for pids in g.children().values():
        for pid in pids:
            for f in "cmdline", "environ":
                seen.append(pathlib.Path("/proc/%d" % pid, f).read_bytes()
                            .decode("latin-1"))
    assert not any("hidden" in s for s in seen)


def test_tls(start, auth_server, tmp, rx):
    """https, trusted by ca_file alone."""
    ca = CA()
    rx.server.socket = ca.server_context().wrap_socket(
        rx.server.socket, server_side=True)
    pem = tmp / "rx-ca.pem"
    pem.write_bytes(ca.pem)
    g = start("https://127.0.0.1:%d/own/path" % rx.port, ca_file=str(pem))
    serve(g, auth_server)
    rx.spans(lambda s: s.kind == "server")
    assert rx.requests[0][1].path == "/own/path"
    g.reload({"telemetry": {"customer": {"ca_file": gw.DROP}}})
    mark = g.log_mark()
    n = len(rx.requests)
    serve(g, auth_server)
    g.wait_log("telemetry: https://127.0.0.1.*certificate", mark)
    assert len(rx.requests) == n


def test_tls_by_environment(start, auth_server, tmp, rx):
    ca = CA()
    rx.server.socket = ca.server_context().wrap_socket(
        rx.server.socket, server_side=True)
    pem = tmp / "rx-ca.pem"
    pem.write_bytes(ca.pem)
    g = start("https://127.0.0.1:%d" % rx.port, env={
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": str(pem),
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nonexistent"})
    serve(g, auth_server)
    rx.spans(lambda s: s.kind == "server")


def test_environment(rx, start, auth_server):
    """What the file leaves out; also at a reload."""
    g = start(None, env={
        "OTEL_EXPORTER_OTLP_ENDPOINT": rx.endpoint + "/base",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-a=1%202",
        "OTEL_SERVICE_NAME": "by env",
        "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=i1,k=v"},
        over={"telemetry": {"customer": {"endpoint": gw.DROP}}})
    serve(g, auth_server)
    g.reload()
    serve(g, auth_server)
    for s in rx.spans(lambda s: s.kind == "server", 2):
        assert s.resource["service.name"] == "by env"
        assert s.resource["service.instance.id"] == "i1"
        assert s.resource["k"] == "v"
    assert rx.requests[-1][1].path == "/base/v1/traces"
    assert rx.requests[-1][1].headers["x-a"] == "1 2"


def test_batches(rx, start, auth_server):
    """Many spans in few requests, each once."""
    gate = threading.Event()
    rx.behave = lambda h: (gate.wait(10), h.reply())
    g = start(rx.endpoint)
    serve(g, auth_server, 300)
    rx.wait_requests(1)
    gate.set()
    got = rx.spans(lambda s: s.kind == "server", 300)
    assert len({s.id for s in rx.all_spans()}) == 600
    assert len(rx.requests) <= 6
    assert {s.trace for s in got} == \
        {e["trace_id"] for e in g.audit(lambda e: True, 300)}


def test_reload(rx, start, auth_server, tmp):
    """Another receiver, other fields, and none at all."""
    fields = tmp / "fields"
    fields.write_text("X-Key: one\n")
    g = start(rx.endpoint, headers_file=str(fields))
    serve(g, auth_server)
    rx.spans(lambda s: s.kind == "server")
    with Receiver() as other:
        fields.write_text("X-Key: two\n")
        g.reload({"telemetry": {"customer": {"endpoint": other.endpoint}}})
        serve(g, auth_server)
        other.spans(lambda s: s.kind == "server")
        assert other.requests[-1][1].headers["X-Key"] == "two"
        g.reload({"telemetry": {"customer": {"enabled": False}}})
        serve(g, auth_server)
        g.reload({"telemetry": {"customer": {"enabled": True}}})
        serve(g, auth_server)
        other.spans(lambda s: s.kind == "server", 2)
    assert len(servers(rx.all_spans())) == 1
    fields.write_text("X-Key\n")
    assert "line 1: it is no header field" in g.reload(expect="rejected")


def test_last_words(rx, start, auth_server):
    """What waits when the gateway stops is sent before it ends."""
    g = start(rx.endpoint, env={"OTEL_BSP_SCHEDULE_DELAY": "3600000"})
    serve(g, auth_server, 3)
    assert rx.requests == []
    g.stop()
    assert len(servers(rx.all_spans())) == 3


def test_last_words_unheard(rx, start, auth_server):
    """But nobody waits long for a receiver that does not answer."""
    rx.behave = hang
    g = start(rx.endpoint)
    serve(g, auth_server)
    rx.wait_requests(1)
    began = time.monotonic()
    g.stop()
    assert time.monotonic() - began < 4


# -- a receiver that fails ---------------------------------------------------

@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_again(rx, start, auth_server, status):
    """The same batch again, later each time, then no more complaints."""
    rx.answers = [(status,), (status,)]
    g = start(rx.endpoint)
    serve(g, auth_server)
    a, b, c = rx.wait_requests(3)
    assert a[2] == b[2] == c[2]
    assert 0.45 < b[0] - a[0] < 1.9 and 0.95 < c[0] - b[0] < 2.9
    g.wait_log("takes spans again")
    assert len(re.findall("telemetry: .*: HTTP status %d" % status,
                          g.log())) == 1


def test_retry_after(rx, start, auth_server):
    rx.answers = [(503, {"Retry-After": "2"})]
    g = start(rx.endpoint)
    serve(g, auth_server)
    a, b = rx.wait_requests(2)
    assert a[2] == b[2] and 1.9 < b[0] - a[0] < 3.5


def test_elsewhere(rx, start, auth_server):
    """What waits for one receiver goes to another at once."""
    rx.answers = [(503, {"Retry-After": "300"})]
    g = start(rx.endpoint)
    serve(g, auth_server)
    a, = rx.wait_requests(1)
    g.wait_log("HTTP status 503")
    with Receiver() as other:
        g.reload({"telemetry": {"customer": {"endpoint": other.endpoint}}})
        b, = other.wait_requests(1)
        assert a[2] == b[2]


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 301])
def test_not_again(rx, start, auth_server, status):
    """What will never be taken is dropped, and the next one sent."""
    rx.answers = [(status, {"Location": rx.endpoint + "/elsewhere"})]
    g = start(rx.endpoint)
    serve(g, auth_server)
    g.wait_log("HTTP status %d" % status)
    serve(g, auth_server)
    a, b = rx.wait_requests(2)
    assert a[2] != b[2]
    assert {r[1].path for r in rx.requests} == {"/v1/traces"}
    g.wait_log(r"takes spans again; 2 were lost")


def test_unreachable(start, auth_server, rx):
    """Spans of when it was away come when it is there."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    g = start("127.0.0.1:%d" % port)
    serve(g, auth_server)
    g.wait_log("telemetry: .*connect: Connection refused")
    told = Door.at(g).get("/v1/status")["telemetry"]
    assert told["enabled"] is True
    assert "Connection refused" in told["last_error"]
    g.reload({"telemetry": {"customer": {"endpoint": rx.endpoint}}})
    serve(g, auth_server)
    rx.wait_requests(1)
    deadline = time.monotonic() + 10
    while Door.at(g).get("/v1/status")["telemetry"]["last_error"] != "":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_partial(rx, start, auth_server):
    """What it does not take is told, and not sent again."""
    rx.answers = [(200, {}, json.dumps({"partialSuccess": {
        "rejectedSpans": "2", "errorMessage": "too old"}}).encode())]
    g = start(rx.endpoint)
    serve(g, auth_server)
    g.wait_log(r"telemetry: .* rejected 2 spans: too old")
    serve(g, auth_server)
    a, b = rx.wait_requests(2)
    assert a[2] != b[2]


@pytest.mark.parametrize("body", [
    b"", b"garbage", b"[" * 100000, b'{"partialSuccess":7}', b"{}" * 40000,
    b'{"partialSuccess":{"rejectedSpans":"-1","errorMessage":1}}'])
def test_odd_answers(rx, start, auth_server, body):
    """200 is 200, whatever is in it."""
    rx.answers = [(200, {}, body)]
    g = start(rx.endpoint)
    serve(g, auth_server)
    rx.wait_requests(1)
    serve(g, auth_server)
    a, b = rx.wait_requests(2)
    assert a[2] != b[2] and "telemetry" not in g.log()


def test_counted(rx, start, auth_server):
    """Each span that was made is exported, rejected, lost or dropped, and the
    metrics say so."""
    rx.answers = [(200, {}, b'{"partialSuccess":{"rejectedSpans":"2"}}'),
                  (400,), (200,)]
    port = gw.free_port()
    g = start(rx.endpoint, {"admin": {"listen": "127.0.0.1:%d" % port}})
    for n in 1, 2, 3:
        serve(g, auth_server)
        rx.wait_requests(n)
    deadline = time.monotonic() + 10
    while True:
        text = rawhttp.fetch(port, path="/metrics").body.decode()
        got = {k: int(v) for k, v in re.findall(
            r"^mcpgw_((?:spans|exports)\w*) (\d+)$", text, re.M)}
        if got["spans_exported_total"] == 2:
            break
        assert time.monotonic() < deadline, got
        time.sleep(0.05)
    assert got == {"spans_total": 6, "spans_exported_total": 2,
                   "spans_rejected_total": 2, "spans_lost_total": 2,
                   "spans_dropped_total": 0, "exports_total": 3,
                   "exports_failed_total": 1, "spans_queued": 0}


def garbage(h):
    h.wfile.write(b"\0\1\2 no HTTP\r\n\r\n" * 100)
    h.close_connection = True


def drip(h):
    h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not h.server.rx.stopping.wait(0.05):
        h.wfile.write(b"x")


def closing(h):
    h.close_connection = True


@pytest.mark.parametrize("behave", [hang, garbage, drip, closing, None])
def test_not_felt(rx, start, auth_server, upstream, behave):
    """Requests, keys and probes go on as ever; a key that is new is fetched
    while the receiver hangs."""
    rx.behave = behave
    endpoint = rx.endpoint
    if behave is None:
        endpoint = "192.0.2.1:4318"     # nobody answers
    g = start(endpoint)
    serve(g, auth_server)
    if behave is not None:
        rx.wait_requests(1)
    slow = statistics.median(serve(g, auth_server, 60))
    assert slow < 0.1
    auth_server.rotate()
    assert serve(g, auth_server)[0] < 2
    g.reload({"workers": 2})
    serve(g, auth_server)


def test_frozen_fetcher(rx, start, auth_server):
    """A fetcher that takes nothing: spans are dropped, requests are not."""
    g = start(rx.endpoint)
    serve(g, auth_server)
    fetcher, = g.fetchers()
    os.kill(fetcher, signal.SIGSTOP)
    try:
        assert statistics.median(serve(g, auth_server, 1500)) < 0.1
        worker, = g.workers()
        assert g.rss(worker) < 200 * 1024
    finally:
        os.kill(fetcher, signal.SIGCONT)
    # it takes them up again, and what was dropped stays so
    mark = g.audit_mark()
    deadline = time.monotonic() + 10
    while True:
        serve(g, auth_server)
        after = {e["trace_id"] for e in g.audit_lines(mark)}
        if any(s.trace in after for s in rx.all_spans()):
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert 500 < len(servers(rx.all_spans())) < 1500


def test_dead_fetcher(rx, start, auth_server):
    """Another one sends on."""
    g = start(rx.endpoint)
    serve(g, auth_server)
    rx.spans(lambda s: s.kind == "server")
    g.expect_death("fetcher")
    fetcher, = g.fetchers()
    os.kill(fetcher, signal.SIGKILL)
    g.wait_children(lambda c: c.get("fetcher", [fetcher]) != [fetcher])
    deadline = time.monotonic() + 10
    while len(servers(rx.all_spans())) < 2:
        assert time.monotonic() < deadline
        serve(g, auth_server)
        time.sleep(0.02)


def test_clear_warning(start, make_gateway, tmp):
    """Secrets in clear on a network are warned of, and on this host not."""
    fields = tmp / "fields"
    fields.write_text("X-Key: one\n")
    on = {"enabled": True, "headers_file": str(fields)}
    g = make_gateway({"telemetry": {"customer": {
        **on, "endpoint": "http://192.0.2.1:4318"}}}).start()
    assert "headers_file: what it says goes over the network" in g.log()
    g.reload({"telemetry": {"customer": {"endpoint": "127.0.0.1:1"}}})
    assert g.log().count("goes over the network") == 1
