"""Spans: what they say of every kind of request, whose trace they belong to,
and which traces are told of."""

import gzip
import json
import queue
import random
import re
import threading

import pytest

import fake_otlp
import fake_upstream as fu
import gw
from conftest import Site

T1, T2 = "0af7651916cd43dd8448eb211c80319c", "1" * 31 + "f"
S1, S2 = "b7ad6b7169203331", "00f067aa0ba902b7"


def parent(trace, span, flags="01"):
    return "00-%s-%s-%s" % (trace, span, flags)


@pytest.fixture(scope="module")
def site():
    with fake_otlp.Receiver() as rx, fake_otlp.quick():
        s = Site({"telemetry": {"customer": {
            "enabled": True, "endpoint": rx.endpoint,
            "service_name": "the gate",
            "resource_attrs": {"deployment.environment.name": "test"}}}})
        s.rx = rx
        try:
            s.start()
            yield s
        finally:
            s.stop()


@pytest.fixture(autouse=True)
def fresh(request):
    if "site" in request.fixturenames:
        up = request.getfixturevalue("site").up
        up.scripted = []
        up.forget()


def ask(site, message=None, headers=(), token=True, path="/mcp", method=None,
        **kw):
    """The answer, the audit line, the server's span and the clients'."""
    mark = site.gw.audit_mark()
    if token is True:
        token = site.auth.mint()
    if method is None:
        r = site.gw.post(message, token=token, headers=list(headers),
                         path=path, **kw)
    else:
        r = site.gw.client().request(
            method, path, site.gw.headers(token, list(headers)), **kw)
    line = site.gw.audit(lambda e: True, 1, mark)[-1]
    return (r, line) + spans_of(site, line)


def spans_of(site, line, n=None):
    server, = site.rx.spans(lambda s: s.kind == "server" and
                            s.attrs["mcp.request.id"] == line["request_id"])
    clients = [s for s in site.rx.all_spans() if s.parent == server.id and
               s.trace == server.trace and s.kind == "client"]
    assert server.trace == line["trace_id"]
    for c in clients:
        assert server.begin <= c.begin <= c.end <= server.end
    return server, sorted(clients, key=lambda c: c.begin)


def test_tool_call(site):
    """All that is said of a call that went well, on both sides."""
    r, line, server, (client,) = ask(site, gw.call("secret-argument", id=7))
    assert r.status == 200
    up = site.up.requests[-1]
    common = {
        "mcp.method.name": "tools/call", "gen_ai.tool.name": "echo",
        "gen_ai.operation.name": "execute_tool", "jsonrpc.request.id": "7",
        "mcp.protocol.version": "2025-03-26", "network.transport": "tcp",
        "network.protocol.name": "http", "network.protocol.version": "1.1",
        "mcp.upstream": "up", "http.response.status_code": 200}
    assert server.attrs == {
        **common, "client.address": "127.0.0.1", "mcp.method": "tools/call",
        "mcp.tool.name": "echo", "mcp.transport": "json",
        "mcp.policy.decision": "allow", "mcp.auth.result": "ok",
        "mcp.auth.oauth_client_id": line["oauth_client_id"],
        "mcp.auth.scopes": "mcp:read",
        "mcp.payload.bytes_in": line["bytes_in"],
        "mcp.payload.bytes_out": line["bytes_out"],
        "mcp.request.id": line["request_id"]}
    assert client.attrs == {**common, "server.address": "127.0.0.1",
                            "server.port": site.up.port}
    for s in server, client:
        assert s.name == "tools/call echo" and s.status == {}
        assert s.links == [] and s.state is None
        assert s.resource == {
            "service.name": "the gate", "service.version":
            s.resource["service.version"], "service.instance.id":
            s.resource["service.instance.id"],
            "deployment.environment.name": "test"}
    assert re.match(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}"
                    r"-[0-9a-f]{12}\Z", server.resource["service.instance.id"])
    assert server.parent is None and server.raw["flags"] == 0x101
    assert up.header("traceparent") == parent(server.trace, client.id)
    sent = b"".join(gzip.decompress(b) for _, _, b in site.rx.requests)
    assert b"secret-argument" not in sent and b"eyJ" not in sent


@pytest.mark.parametrize("message, name, attrs, absent", [
    (gw.rpc("prompts/get", "a\"b", {"name": "p"}), "prompts/get p",
     {"gen_ai.prompt.name": "p", "jsonrpc.request.id": "a\"b",
      "mcp.tool.name": ""}, ["gen_ai.tool.name", "gen_ai.operation.name"]),
    (gw.rpc("resources/read", 1, {"uri": "file:///hidden"}), "resources/read",
     {"mcp.tool.name": ""}, ["mcp.resource.uri", "gen_ai.tool.name"]),
    (gw.rpc("notifications/initialized", None), "notifications/initialized",
     {}, ["jsonrpc.request.id"]),
    (gw.rpc("tools/list", "x" * 20), "tools/list",
     {"jsonrpc.request.id": "x" * 20}, ["gen_ai.tool.name"]),
])
def test_methods(site, message, name, attrs, absent):
    """Names and attributes by what is asked for; a URI is nowhere."""
    _, line, server, (client,) = ask(site, message)
    assert server.name == client.name == name
    for k, v in attrs.items():
        assert server.attrs[k] == v
    for k in absent:
        assert k not in server.attrs and k not in client.attrs
    assert not any("hidden" in str(v) for v in server.attrs.values())


RESULT = {"content": [], "isError": True}
ERROR = {"code": -32602, "message": "no /etc/passwd", "data": {}}


def rpc_error(conn, req):
    conn.send(fu.response(json.dumps(
        {"jsonrpc": "2.0", "id": req.id, "error": ERROR}).encode()))


def sse_error(conn, req):
    fu.sse([{"jsonrpc": "2.0", "method": "notifications/message"},
            {"jsonrpc": "2.0", "id": req.id, "error": ERROR}],
           final=False)(conn, req)


@pytest.mark.parametrize("answer, error, code", [
    (fu.json_result(RESULT), "tool_error", None),
    (fu.chunked_json(RESULT, 3), "tool_error", None),
    (rpc_error, "-32602", "-32602"), (sse_error, "-32602", "-32602"),
    (fu.status(500, b'{"oops":1}'), "500", None),
    (fu.sse([{"jsonrpc": "2.0", "method": "notifications/message",
              "params": {"error": {"code": 1}}}]), None, None)])
def test_failed_there(site, answer, error, code):
    """error.type says how a call failed at the upstream, on both sides."""
    site.up.script(answer)
    _, line, server, (client,) = ask(site, gw.call())
    for s in server, client:
        assert s.attrs.get("error.type") == error
        assert s.attrs.get("rpc.response.status_code") == code
        assert s.status == ({"code": 2} if error else {})
    # what the upstream writes is its client's
    assert not any("passwd" in str(v) for v in
                   [*server.attrs.values(), *server.status.values()])


def test_stream(site):
    """A stream that a client listens to; the span is as long as it."""
    opened, feed = threading.Event(), queue.Queue()
    site.up.script(fu.sse_open(opened, feed))
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(c.build("GET", "/mcp", [
            ("Accept", "text/event-stream"),
            ("Authorization", "Bearer " + site.auth.mint())]))
        assert opened.wait(10)
        feed.put(fu.event({"jsonrpc": "2.0", "method": "n"}))
        feed.put(None)
        assert c.read_response("GET").status == 200
    line, = site.gw.audit(lambda e: True, 1, mark)
    server, (client,) = spans_of(site, line)
    assert server.name == client.name == "GET"
    assert server.attrs["mcp.transport"] == "stream"
    assert server.status == {} and "error.type" not in client.attrs


def test_events(site):
    site.up.script(fu.sse([{"jsonrpc": "2.0", "method": "n"}]))
    _, line, server, (client,) = ask(site, gw.call())
    assert server.attrs["mcp.transport"] == "sse" and server.status == {}


def test_session(site):
    """The upstream's session is named; the last revision has none."""
    site.up.script(fu.json_result({"protocolVersion": "2025-06-18"},
                                  [("Mcp-Session-Id", "up-session")]))
    r, line, server, (client,) = ask(site, gw.rpc("initialize", 1, {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"}}))
    assert server.attrs["mcp.session.id"] == "up-session"
    assert client.attrs["mcp.session.id"] == "up-session"
    assert server.attrs["mcp.protocol.version"] == "2025-06-18"
    sid = r.header("Mcp-Session-Id")
    r, line, server, (client,) = ask(
        site, method="DELETE", headers=[("Mcp-Session-Id", sid)])
    assert r.status == 200 and server.name == "DELETE"
    assert server.attrs["mcp.session.id"] == "up-session"
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "t",
                                                   "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {}}
    site.up.script(fu.json_result({}, [("Mcp-Session-Id", "up-session")]))
    r, line, server, (client,) = ask(
        site, gw.rpc("tools/list", 1, {"_meta": meta}),
        headers=[("MCP-Protocol-Version", "2026-07-28"),
                 ("Mcp-Method", "tools/list")])
    assert r.status == 200, r
    assert server.attrs["mcp.protocol.version"] == "2026-07-28"
    assert "mcp.session.id" not in server.attrs
    assert "mcp.session.id" not in client.attrs


@pytest.mark.parametrize("kw, status, code, kind, stage", [
    ({"token": None}, 401, "-31401", "unauthorized", "credential"),
    ({"token": "junk"}, 401, "-31401", "unauthorized", "credential"),
    ({"path": "/mcp/none"}, 404, "-32600", "no_route", "upstream"),
    ({"message": b"{"}, 400, "-32700", "parse_error", "envelope"),
    ({"headers": [("Origin", "https://evil.test")]}, 403, "-31403",
     "forbidden", "origin")])
def test_refused(site, kw, status, code, kind, stage):
    """No exchange; the gateway's own code, reason and words."""
    r, line, server, clients = ask(site, **kw)
    assert r.status == status and clients == []
    assert server.attrs["error.type"] == code
    assert server.attrs["rpc.response.status_code"] == code
    assert server.attrs["mcp.error.kind"] == kind
    assert server.attrs["mcp.stage"] == stage
    assert server.attrs["http.response.status_code"] == status
    assert server.attrs["mcp.policy.decision"] == line["action"]
    assert server.status == {"code": 2,
                             "message": r.json()["error"]["message"]}
    assert server.attrs["mcp.method.name"] == (line["method"] or "_OTHER")


def test_malformed(site):
    """What is no HTTP has a span, too."""
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(b"nonsense\r\n\r\n")
        assert c.read_response().status == 400
    line = site.gw.audit_one(mark)
    server, clients = spans_of(site, line)
    assert clients == [] and server.name == "_OTHER"
    assert server.attrs["error.type"] == "-32600"


@pytest.mark.parametrize("answer, status, there, kind", [
    (fu.drop(), 502, "unreachable", "upstream_unreachable"),
    (fu.raw(b"HTTP/1.1 abc\r\n\r\n"), 502, "malformed", "upstream_error"),
    (fu.status(401), 502, "401", "upstream_error")])
def test_upstream_down(site, answer, status, there, kind):
    site.up.script(answer)
    r, line, server, (client,) = ask(site, gw.call())
    assert r.status == status
    assert client.attrs["error.type"] == there
    assert client.status == {"code": 2}
    assert server.attrs["error.type"] == "-31502"
    assert server.attrs["mcp.error.kind"] == kind


def test_client_gone(site):
    hung = threading.Event()

    def answer(conn, req):
        hung.set()
        fu.hang()(conn, req)

    site.up.script(answer)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        body = json.dumps(gw.call()).encode()
        c.send(c.build("POST", "/mcp", site.gw.headers(site.auth.mint()),
                       body))
        assert hung.wait(10)
    line, = site.gw.audit(lambda e: True, 1, mark)
    server, (client,) = spans_of(site, line)
    assert line["action"] == server.attrs["mcp.policy.decision"] == "aborted"
    assert server.attrs["error.type"] == client.attrs["error.type"] == \
        "cancelled"


def test_redirected(site):
    """One client span for each exchange."""
    site.up.script(fu.raw(fu.response(b"", 307, fields=[
        ("Location", "/mcp/")])))
    r, line, server, (first, second) = ask(site, gw.call())
    assert r.status == 200
    a, b = site.up.requests[-2:]
    assert a.header("traceparent") == parent(server.trace, first.id)
    assert b.header("traceparent") == parent(server.trace, second.id)
    assert first.attrs["http.response.status_code"] == 307
    assert second.attrs["http.response.status_code"] == 200


def test_other_server(gateway, auth_server, upstream):
    """One that cannot be reached, and one in its place: a span each."""
    with fake_otlp.Receiver() as rx, fake_otlp.quick():
        dead = gw.free_port()
        g = gateway({"workers": 1, "upstreams": [{"name": "up", "urls": [
            "http://127.0.0.1:%d/mcp" % dead, upstream.url]}],
            "telemetry": {"customer": {"enabled": True,
                                       "endpoint": rx.endpoint}}})
        token = auth_server.mint()
        meta = {"traceparent": parent(T1, S1)}
        assert g.post(call(meta), token=token).status == 200
        server, = rx.spans(lambda s: s.kind == "server")
        ports = {s.attrs["server.port"]: s for s in rx.all_spans()
                 if s.kind == "client"}
        assert set(ports) == {dead, upstream.port}
        assert {s.parent for s in ports.values()} == {server.id}
        assert ports[dead].attrs["error.type"] == "unreachable"
        assert server.status == {} == ports[upstream.port].status
        req, = upstream.requests
        assert req.header("traceparent") == \
            req.json()["params"]["_meta"]["traceparent"] == \
            parent(T1, ports[upstream.port].id)


def test_asked(site):
    """The gateway's own question is an exchange, too."""
    r, line, server, clients = ask(
        site, gw.rpc("tools/list"),
        headers=[("MCP-Protocol-Version", "2099-01-01")])
    assert r.status == 400
    client, = clients
    assert client.name == "server/discover"
    assert client.attrs["mcp.method.name"] == "server/discover"
    assert site.up.asked[-1].header("traceparent") == parent(
        server.trace, client.id)


# -- whose trace it is -------------------------------------------------------

def call(meta):
    return gw.rpc("tools/call", 1, {"name": "echo", "arguments": {},
                                    "_meta": meta})


def test_parent_of_head(site):
    _, line, server, (client,) = ask(site, headers=[
        ("traceparent", parent(T1, S1)), ("tracestate", "a=1")])
    assert server.trace == T1 and server.parent == S1
    assert server.state == client.state == "a=1" and server.links == []
    assert server.raw["flags"] == 0x301 and client.raw["flags"] == 0x101


def test_parent_of_message(site):
    """The message's is the parent, that of the head a link."""
    _, line, server, (client,) = ask(
        site, call({"traceparent": parent(T1, S1), "tracestate": "m=1"}),
        headers=[("traceparent", parent(T2, S2)), ("tracestate", "h=1")])
    assert server.trace == T1 and server.parent == S1
    assert server.state == "m=1"
    assert server.links == [{"traceId": T2, "spanId": S2, "flags": 0x301}]
    assert client.links == []
    up = site.up.requests[-1]
    assert up.header("traceparent") == parent(T1, client.id)
    assert up.json()["params"]["_meta"]["traceparent"] == \
        up.header("traceparent")


def test_same_parent(site):
    """The same in both places is no link."""
    _, line, server, _ = ask(
        site, call({"traceparent": parent(T1, S1)}),
        headers=[("traceparent", parent(T1, S1)), ("tracestate", "h=1")])
    assert server.parent == S1 and server.links == []
    assert server.state == "h=1"


def test_not_sampled(site):
    """Whoever began the trace says that nobody is to tell of it; the message
    says so before the head."""
    mark = site.gw.audit_mark()
    for meta, head, told in (
            (None, parent(T1, S1, "00"), 0),
            (parent(T1, S1, "00"), parent(T2, S2, "01"), 0),
            (parent(T1, S1, "01"), parent(T2, S2, "00"), 1)):
        _, line = None, None
        site.gw.post(call({"traceparent": meta} if meta else {}),
                     token=site.auth.mint(),
                     headers=[("traceparent", head)])
        up = site.up.requests[-1]
        assert up.header("traceparent")[-2:] == (meta or head)[-2:]
    lines = [e["request_id"] for e in site.gw.audit(lambda e: True, 3, mark)]
    site.rx.spans(lambda s: s.attrs.get("mcp.request.id") == lines[2])
    # one that comes behind them shows that no others were on the way
    _, line, _, _ = ask(site)
    assert [s.attrs["mcp.request.id"] for s in site.rx.all_spans()
            if s.attrs.get("mcp.request.id") in lines] == lines[2:]


@pytest.mark.parametrize("sampler, ratio, begun, given", [
    (None, 0.25, 0.25, 1), ("traceidratio", 0.25, 0.25, 0.25),
    ("parentbased_always_off", None, 0, 1), ("always_on", None, 1, 1)])
def test_ratio(gateway, auth_server, upstream, sampler, ratio, begun, given):
    """By the lowest 56 bits of the trace id: the traces with R >= 2^56 * (1 -
    ratio), whoever looks at them."""
    config = {"enabled": True}
    env = {}
    if sampler is None:
        config["sample_ratio"] = ratio
    else:
        env["OTEL_TRACES_SAMPLER"] = sampler
        if ratio is not None:
            env["OTEL_TRACES_SAMPLER_ARG"] = str(ratio)

    def wanted(trace, ratio):
        return int(trace[-14:], 16) >= (1 << 56) * (1 - ratio)

    rng = random.Random(7)
    with fake_otlp.Receiver() as rx, fake_otlp.quick(**env):
        g = gateway({"workers": 1, "telemetry": {"customer": {
            **config, "endpoint": rx.endpoint}}})
        token = auth_server.mint()
        with g.client() as c:
            for i in range(60):
                head = []
                if i % 2:
                    head = [("traceparent", parent(
                        "%032x" % rng.getrandbits(128), S1))]
                r = g.post(token=token, headers=head, client=c)
                assert r.status == 200
        lines = g.audit(lambda e: True, 60)
        expect = [e["trace_id"] for i, e in enumerate(lines) if wanted(
            e["trace_id"], given if i % 2 else begun)]
        g.stop()
        got = [s.trace for s in rx.all_spans() if s.kind == "server"]
        assert sorted(got) == sorted(expect)
        sampled = {r.header("traceparent")[3:35] for r in upstream.requests
                   if r.header("traceparent").endswith("1")}
        # what goes on says the same; a parent's flag was set already
        assert set(expect) <= sampled
