"""mcp.revisions: which revisions of MCP clients may use; and what 2026-07-28
has that the older ones have not."""

import base64
import json
import queue
import re
import signal

import pytest

import fake_upstream as fu
import rawhttp
from conftest import Site
from gw import rpc

FIRST = "2024-11-05"
ALL = [FIRST, "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]
NEW = ALL[4]
OPEN = {"auth": {"enabled": False, "oauth": {"enabled": False}}}
META = "io.modelcontextprotocol/protocolVersion"


def ask(g, version=None, method="tools/list", how="POST"):
    h = [] if version is None else [("MCP-Protocol-Version", version)]
    if version == "2026-07-28":
        h.append(("Mcp-Method", method))
    if how == "POST":
        return g.post(rpc(method, 9), headers=h)
    with g.client() as c:
        return c.request(how, "/mcp", g.headers(None, h))


def refused(r, supported, requested, id=9):
    assert r.status == 400, r
    error = r.json()["error"]
    assert error["code"] == -32022
    assert error["data"] == {"supported": supported, "requested": requested}
    assert r.json().get("id") == id, r
    assert id is not None or ("id" in r.json()) == (requested == FIRST), r


def new(method, name=None, **more):
    """The fields of a message of 2026-07-28."""
    h = {"MCP-Protocol-Version": NEW, "Mcp-Method": method}
    if name is not None:
        h["Mcp-Name"] = name
    return {**h, **{k.replace("_", "-"): v for k, v in more.items()}}


def test_all_by_default(gateway):
    g = gateway(OPEN)
    for v in [None, *ALL]:
        assert ask(g, v).status == 200, v
    for v in ("2024-11-06", "2025-03-27", "draft", "2026-07-28 ", "x" * 300,
              "2025-03-26,2025-06-18"):
        if v.strip() in ALL:
            continue
        refused(ask(g, v), ALL, v[:32])


@pytest.mark.parametrize("allowed", [ALL[2:4], ALL[4:], ALL[:1], ALL[1:2],
                                     ALL[2:]])
def test_some(gateway, allowed):
    g = gateway({**OPEN, "mcp": {"revisions": allowed}})
    for v in ALL:
        r = ask(g, v)
        if v in allowed:
            assert r.status == 200, (v, r)
        else:
            refused(r, allowed, v)
    # a request without one is of one that did not have it; one asks for a
    # revision so
    if ALL[0] in allowed or ALL[1] in allowed:
        assert ask(g).status == 200
    else:
        refused(ask(g), allowed, ALL[1])
        if allowed != [NEW]:
            refused(ask(g, how="DELETE"), allowed, ALL[1], None)
    # only those that have sessions have a beginning of one
    if allowed == [NEW]:
        refused(ask(g, method="initialize"), allowed, ALL[1])
    else:
        assert ask(g, method="initialize").status == 200


def test_in_the_body(gateway):
    g = gateway({**OPEN, "mcp": {"revisions": ALL[4:]}})
    r = g.post(rpc("tools/list", 9, {"_meta": {META: "2025-06-18"}}))
    refused(r, ALL[4:], "2025-06-18")
    # field and body together
    r = g.post(rpc("tools/list", 9, {"_meta": {META: "v9"}}),
               headers={**new("tools/list"), "MCP-Protocol-Version": "v9"})
    refused(r, ALL[4:], "v9")
    # that they differ is said first, whatever they are
    for field, body in ((NEW, "v9"), ("v9", NEW), ("v8", "v9")):
        r = g.post(rpc("tools/list", 9, {"_meta": {META: body}}),
                   headers={**new("tools/list"),
                            "MCP-Protocol-Version": field})
        assert r.status == 400 and r.json()["error"]["code"] == -32020, r
        assert r.json()["id"] == 9, r


def test_before_the_session(gateway, auth_server, upstream):
    """A client that is told 404 would begin a new session, and again."""
    g = gateway({"mcp": {"revisions": ALL[2:4]}})
    token = auth_server.mint()
    for version in (ALL[1], None):
        h = {"Mcp-Session-Id": "unknown"}
        if version is not None:
            h["MCP-Protocol-Version"] = version
        refused(g.post(rpc("tools/list", 9), token=token, headers=h),
                ALL[2:4], ALL[1])
    h["MCP-Protocol-Version"] = ALL[2]
    assert g.post(token=token, headers=h).status == 404
    assert upstream.requests == []


def test_batches(gateway, upstream):
    """Also of the one revision that had them."""
    g = gateway(OPEN)
    for version in ALL:
        r = g.post([rpc(id=1), rpc(id=2)],
                   headers={"MCP-Protocol-Version": version})
        assert r.status == 400, r
        assert r.json().get("id", 0) == (None if version == FIRST else 0), r
        assert r.json()["error"] == {
            "code": -32600, "message": "batches are not supported"}, r
    assert upstream.requests == []


def test_no_sessions(gateway, auth_server, upstream):
    """What a client of 2026-07-28 sends of them by GET or DELETE is dropped,
    and no reason for 404."""
    g = gateway()
    token = auth_server.mint()
    for method in ("GET", "DELETE"):
        upstream.script(fu.status(405))
        with g.client() as c:
            r = c.request(method, "/mcp", g.headers(token, {
                "MCP-Protocol-Version": NEW, "Mcp-Session-Id": "any",
                "Last-Event-ID": "7"}))
        assert r.status == 405, r
        req = upstream.requests[-1]
        assert req.method == method
        assert req.headers("Mcp-Session-Id") == []
        assert req.headers("Last-Event-ID") == []


def test_not_ascii(gateway, upstream):
    """As UTF-8 it would be right, as Latin-1 it is another name."""
    g = gateway(OPEN)
    name = "r\u00fcn"
    raw = name.encode().decode("latin-1")
    coded = "=?base64?%s?=" % base64.b64encode(name.encode()).decode()
    msg = rpc("tools/call", 9, {"name": name, "arguments": {}})
    for h in (new("tools/call", raw), {"Mcp-Name": raw},
              new("tools/call", "run\x80")):
        r = g.post(msg, headers=h)
        assert r.status == 400 and r.json()["error"]["code"] == -32020, r
    assert upstream.requests == []
    assert g.post(msg, headers=new("tools/call", coded)).status == 200


# -- tasks (an extension): Mcp-Name is params.taskId ---------------------------

def task(method="tasks/get", id="t-1", **params):
    return rpc(method, 9, {"taskId": id, **params})


@pytest.mark.parametrize("msg,name,ok", [
    (task(), "t-1", True),
    (task("tasks/update"), "t-1", True),
    (task("tasks/cancel"), "t-1", True),
    (task(id="\u00fc"), "=?base64?w7w=?=", True),
    (task(), None, False),
    (task("tasks/result"), None, True), # of 2025-11-25, which has no field
    (task("tasks/result"), "t-1", True),
    (task("tasks/result"), "t-2", False),
    (task(name="t-2", uri="t-3"), "t-1", True),
    (task(), "t-2", False),
    (task(name="t-2"), "t-2", False),
    (task(uri="t-2"), "t-2", False),
    (task(id=1), "1", False),
    (task(id=None), "", False),
    (rpc("tasks/get", 9, {}), "t-1", False),
    (rpc("tasks/get", 9, {"task": {"taskId": "t-1"}}), "t-1", False),
    # of others it is not the name
    (rpc("tools/call", 9, {"name": "a", "taskId": "t-1"}), "t-1", False),
    (rpc("tasks/list", 9, {"taskId": "t-1"}), "t-1", False),
    # of what we do not know the server knows it
    (rpc("x", 9, {"taskId": "t-1"}), "t-1", True),
    (rpc("tools/x", 9, {"name": "a"}), "b", True),
    (rpc("x", 9, None), "any", True)])
def test_tasks(shared, msg, name, ok):
    g, upstream = shared
    upstream.forget()
    r = g.post(msg, headers=new(msg["method"], name))
    if ok:
        assert r.status == 200, r
        assert upstream.requests[-1].headers("Mcp-Name") == \
            ([] if name is None else [name])
    else:
        assert r.status == 400 and r.json()["error"]["code"] == -32020, r
        assert upstream.requests == []


@pytest.mark.parametrize("member", ["taskid", "TASKID", "ta\u017fkId"])
def test_tasks_in_another_case(shared, member):
    """Servers exist that take it for taskId."""
    g, upstream = shared
    upstream.forget()
    r = g.post(rpc("tasks/get", 9, {"taskId": "a", member: "b"}),
               headers=new("tasks/get", "a"))
    assert r.status == 400 and r.json()["error"]["code"] == -32600, r
    assert upstream.requests == []
    # where it means nothing it may stand
    assert g.post(rpc("tools/call", 9, {"name": "a", member: "b"}),
                  headers=new("tools/call", "a")).status == 200


@pytest.fixture(scope="module")
def shared():
    """A gateway without authentication, and its upstream."""
    s = Site(OPEN)
    try:
        s.start()
        yield s.gw, s.up
    finally:
        s.stop()


# -- subscriptions/listen ------------------------------------------------------

LISTEN = "subscriptions/listen"


def note(n):
    return fu.event(rpc("notifications/tools/list_changed", None, {
        "_meta": {"io.modelcontextprotocol/subscriptionId": n}}))


def listen(g, client, upstream, feed):
    """Open a stream; the upstream's Request."""
    body = rpc(LISTEN, 9, {"notifications": {"toolsListChanged": True},
                           "_meta": {META: NEW}})
    upstream.script(fu.sse_open(feed=feed))
    client.send(client.build("POST", "/mcp", g.headers(None, new(LISTEN)),
                             json.dumps(body).encode()))
    head = client.read_head()
    assert head.status == 200, head
    assert head.header("Content-Type") == "text/event-stream"
    req, = [r for r in upstream.requests if r.rpc_method == LISTEN]
    assert req.json() == body and req.header("Mcp-Method") == LISTEN
    return req


def expect(client, feed, data):
    """What the upstream sends is here before it sends more."""
    feed.put(data)
    got = b""
    while len(got) < len(data):
        got += client.read_some()
    assert got == data


def test_listen(gateway, upstream):
    """Each event comes as it is made; closing the stream cancels."""
    g = gateway(OPEN)
    feed = queue.Queue()
    mark = g.audit_mark()
    with g.client() as c:
        req = listen(g, c, upstream, feed)
        for n in range(3):
            expect(c, feed, note(n))
        assert not req.conn.peer_closed.is_set()
        assert g.audit_lines(mark) == []
    assert req.conn.peer_closed.wait(5), "the upstream goes on"
    line, = g.audit(since=mark)
    assert line["method"] == LISTEN and line["transport"] == "sse", line
    assert line["action"] == "aborted", line


def test_listen_ended_by_the_server(gateway, upstream):
    g = gateway(OPEN)
    feed = queue.Queue()
    mark = g.audit_mark()
    with g.client() as c:
        listen(g, c, upstream, feed)
        expect(c, feed, note(9))
        expect(c, feed, fu.event({"jsonrpc": "2.0", "id": 9, "result": {
            "resultType": "complete"}}))
        feed.put(None)
        assert c.read_body(5) == b""
        assert g.post(client=c).status == 200
    line = g.audit(since=mark)[0]
    assert line["method"] == LISTEN and line["action"] == "allow", line


def closure(data):
    """The id of the one event by which a subscription ends gracefully."""
    m = re.match(rb"event: message\ndata: (.*)\n\n\Z", data)
    doc = json.loads(m[1])
    key = "io.modelcontextprotocol/subscriptionId"
    assert doc == {"jsonrpc": "2.0", "id": doc["id"], "result": {
        "resultType": "complete", "_meta": {key: doc["id"]}}}, doc
    return doc["id"]


@pytest.mark.parametrize("how", ["whole", "within", "coded", "length"])
def test_listen_ended_by_a_reload(gateway, upstream, how):
    """At drain_timeout of the old generation: with a response between two
    events, and without one where none can be put."""
    g = gateway({**OPEN, "drain_timeout": "300ms"})
    event = b"data: {}\n\n"
    sent = event + b"data: {" if how == "within" else event
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + {
        "coded": b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "length": b"Content-Length: 10000\r\n"}.get(
            how, b"Transfer-Encoding: chunked\r\n") + b"\r\n"

    def answer(conn, req):
        conn.send(head + (sent if how == "length" else fu.chunk(sent)))
        conn.wait_peer_close()
    upstream.script(answer)
    id = 'a"\u00fc\\'
    with g.client() as c:
        c.send(c.build("POST", "/mcp", g.headers(None, new(LISTEN)),
                       json.dumps(rpc(LISTEN, id)).encode()))
        assert c.read_head().status == 200
        got = b""
        while len(got) < len(sent):
            got += c.read_some()
        assert got == sent
        g.reload()
        if how == "length":
            with pytest.raises(rawhttp.Truncated):
                c.read_body(10)
        elif how == "whole":
            assert closure(c.read_body(10)) == id
        else:
            assert c.read_body(10) == b""


def test_listen_of_an_older_generation(gateway, upstream):
    """A reload does not end it, the end of the gateway does: whole, and not at
    drain_timeout (5m)."""
    g = gateway(OPEN)
    mark = g.audit_mark()
    with g.client() as c:
        feed = queue.Queue()
        req = listen(g, c, upstream, feed)
        g.reload()
        expect(c, feed, note(9))
        g.signal(signal.SIGTERM)
        got = c.read_body(10)           # whole, not cut off
        c.wait_close()
    assert closure(got) == 9, got
    assert req.conn.peer_closed.wait(5)
    g.proc.wait(10)
    line, = g.audit(since=mark)
    assert line["action"] == "allow" and line["method"] == LISTEN, line


def test_parameters_are_carried(gateway, upstream):
    """Mcp-Param-* are the server's to judge."""
    g = gateway(OPEN)
    h = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call"),
         ("Mcp-Name", "echo"), ("Mcp-Param-Region", "eu west"),
         ("mcp-param-x", "=?base64?w7w=?=")]
    assert g.post(rpc("tools/call", 1, {"name": "echo", "arguments": {}}),
                  headers=h).status == 200
    req = upstream.requests[-1]
    assert req.header("Mcp-Param-Region") == "eu west"
    assert req.header("Mcp-Param-X") == "=?base64?w7w=?="
    assert req.header("Mcp-Method") == "tools/call"
    assert req.header("Mcp-Name") == "echo"


@pytest.mark.parametrize("value,want", [
    ([], "at least one revision"), (["2024-10-07"], r"revisions\[0\]"),
    ("2025-06-18", "a list of revisions"), ([["2025-06-18"]], "got a list")])
def test_bad_lists(make_gateway, value, want):
    rc, out = make_gateway({"mcp": {"revisions": value}}).check()
    assert rc == 78 and re.search(want, out) and "mcp.revisions" in out, out
