"""Whose trace a request belongs to: params._meta before the head, what goes on
to the upstream in both places, and trace_id in the audit log."""

import json
import re

import pytest

import fake_upstream as up
from gw import rpc

T1, T2 = "0af7651916cd43dd8448eb211c80319c", "1" * 31 + "f"
S1, S2 = "b7ad6b7169203331", "00f067aa0ba902b7"
PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")


def parent(trace, span, flags="01"):
    return "00-%s-%s-%s" % (trace, span, flags)


def call(meta, **more):
    return rpc("tools/call", 1, {"name": "echo", "arguments": {"text": "x"},
                                 "_meta": meta, **more})


def send(site, message, fields=(), status=200):
    """The line, the request as the upstream got it, and its traceparent."""
    mark, n = site.gw.audit_mark(), len(site.up.requests)
    body = message if isinstance(message, bytes) else \
        json.dumps(message).encode()
    r = site.gw.post(body, token=site.auth.mint(), headers=list(fields))
    assert r.status == status, r
    req = site.up.requests[n]
    return site.gw.audit_one(mark), req, PARENT.match(
        req.header("traceparent"))


def test_meta_before_head(site):
    """The message's trace wins; the head's is not passed on for it."""
    meta = {"traceparent": parent(T1, S1), "tracestate": "m=1",
            "baggage": "user=a"}
    line, req, got = send(site, call(meta), [
        ("traceparent", parent(T2, S2, "00")), ("tracestate", "h=1"),
        ("baggage", "k=v")])
    assert got[1] == T1 and got[2] not in (S1, S2) and got[3] == "01"
    assert req.header("tracestate") == "m=1"
    assert req.header("baggage") == "k=v"
    assert req.json()["params"]["_meta"] == {
        **meta, "traceparent": req.header("traceparent")}
    assert line["trace_id"] == T1


def test_only_55_bytes_change(site):
    """Whatever else stands in the body, and however it is written."""
    raw = ('{ "jsonrpc":"2.0",\t"id" : 1, "method":"tools\\/call",\n'
           '"params":{"name":"echo","arguments":{"text":"\\u00e4 %s"},'
           '"_meta":{"x":[1e5, 1.0] ,"traceparent" : "%s"},"z":{}}}')
    text = (raw % (parent(T1, S1), parent(T1, S1))).encode()
    _, req, got = send(site, text)
    assert got[1] == T1
    assert req.body == (raw % (parent(T1, S1), req.header("traceparent"))
                        ).encode()


@pytest.mark.parametrize("bad", [
    "", "junk", "00-%s-%s-01-more" % (T1, S1), "ff-%s-%s-01" % (T1, S1),
    "00-%s-%s-01" % (T1.upper(), S1), "00-%s-%s-01" % ("0" * 32, S1),
    7, None, [parent(T1, S1)], {"traceparent": parent(T1, S1)}])
def test_left_alone(site, bad):
    """What is none goes on as it came; the head's counts then."""
    line, req, got = send(site, call({"traceparent": bad}),
                          [("traceparent", parent(T2, S2)),
                           ("tracestate", "h=1")])
    assert got[1] == T2 and line["trace_id"] == T2
    assert req.header("tracestate") == "h=1"
    assert req.json()["params"]["_meta"] == {"traceparent": bad}


def test_escaped(site):
    """A value with escapes is not as long as what would replace it."""
    text = json.dumps(call({"traceparent": parent(T1, S1)})).replace(
        "00-" + T1, "\\u0030" + "0-" + T1).encode()
    line, req, got = send(site, text)
    assert got[1] != T1 and req.body == text
    assert line["trace_id"] == got[1]


@pytest.mark.parametrize("where", [
    {"traceparent": parent(T1, S1)},
    {"arguments": {"_meta": {"traceparent": parent(T1, S1)}}}])
def test_other_places(site, where):
    """Only directly in params._meta it means something."""
    m = rpc("tools/call", 1, {"name": "echo", **where})
    line, req, got = send(site, m)
    assert got[1] != T1 and req.json() == m
    assert line["trace_id"] == got[1]


def test_bad_state(site):
    """A tracestate that is no field's value is not made one."""
    _, req, got = send(site, call({"traceparent": parent(T1, S1),
                                   "tracestate": "a=1\r\nX-Evil: 1"}),
                       [("tracestate", "h=1")])
    assert got[1] == T1
    assert req.headers("tracestate") == [] and req.headers("X-Evil") == []


def test_same_trace(site):
    """In both places the same trace: its state stays that of the head."""
    _, req, got = send(site, call({"traceparent": parent(T1, S1)}),
                       [("traceparent", parent(T1, S2)),
                        ("tracestate", "h=1")])
    assert got[1] == T1 and req.header("tracestate") == "h=1"


def test_initialize(site):
    """The place is found again when another revision is proposed."""
    m = rpc("initialize", 1, {
        "_meta": {"a": "b"}, "protocolVersion": "draft",
        "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})
    m["params"]["_meta2"] = 1
    text = json.dumps(m).replace(
        '"_meta": {"a": "b"}, ', "").replace(
        '"_meta2": 1', '"_meta": {"traceparent": "%s"}' % parent(T1, S1))
    _, req, got = send(site, text.encode())
    assert req.json()["params"]["protocolVersion"] != "draft"
    assert got[1] == T1 and req.json()["params"]["_meta"] == {
        "traceparent": req.header("traceparent")}


def test_redirected(site):
    """Each exchange is a span of its own, in both places."""
    site.up.script(up.raw(
        b"HTTP/1.1 308 Permanent Redirect\r\nLocation: /mcp/\r\n"
        b"Content-Length: 0\r\n\r\n"))
    n = len(site.up.requests)
    _, _, first = send(site, call({"traceparent": parent(T1, S1)}))
    again = site.up.requests[n + 1]
    second = PARENT.match(again.header("traceparent"))
    assert first[1] == second[1] == T1 and first[2] != second[2]
    assert again.json()["params"]["_meta"]["traceparent"] == second[0]


@pytest.mark.parametrize("kw, status", [
    ({"token": "junk"}, 401), ({"path": "/mcp/none"}, 404)])
def test_refused(site, kw, status):
    """Refusals have a trace, too: that of the message, if it was read."""
    mark = site.gw.audit_mark()
    kw.setdefault("token", site.auth.mint())
    r = site.gw.post(call({"traceparent": parent(T1, S1)}),
                     headers=[("traceparent", parent(T2, S2))], **kw)
    assert r.status == status
    assert site.gw.audit_one(mark)["trace_id"] == T1


def test_always(site):
    """Every line has one, and no two the same, unless a client says so."""
    mark = site.gw.audit_mark()
    for _ in range(3):
        site.gw.post(rpc(), token=site.auth.mint())
        site.gw.post(b"{", token=site.auth.mint())
    ids = [e["trace_id"] for e in site.gw.audit(lambda e: True, 6, mark)]
    assert len(set(ids)) == 6
    assert all(re.match("[0-9a-f]{32}\\Z", i) for i in ids), ids
