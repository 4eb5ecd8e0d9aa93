"""What is the protocol's own among the rules: how a revision is agreed upon,
what a refusal says, and what the log keeps of what was asked for."""

import json

import pytest

import fake_upstream as fu
import gw
from gw import rpc
from proxy_site import fresh, site  # noqa: F401

FIRST = "2024-11-05"
NEW = "2026-07-28"
META = "io.modelcontextprotocol/protocolVersion"
OPEN = {"auth": {"enabled": False, "oauth": {"enabled": False}}}


def new(method, name=None, **more):
    h = {"MCP-Protocol-Version": NEW, "Mcp-Method": method}
    if name is not None:
        h["Mcp-Name"] = name
    return {**h, **{k.replace("_", "-"): v for k, v in more.items()}}


# -- revisions ---------------------------------------------------------------

def test_session_of_the_first_revision(site):
    """With the field or, as its clients do, without."""
    site.up.script(fu.json_result({"protocolVersion": FIRST},
                                  [("Mcp-Session-Id", "s1")]))
    r = site.ask(body=rpc("initialize", 1, {"protocolVersion": FIRST}))
    assert r.json()["result"]["protocolVersion"] == FIRST, r
    s = r.header("Mcp-Session-Id")
    for h in ([], [("MCP-Protocol-Version", FIRST)]):
        assert site.ask(headers=[("Mcp-Session-Id", s), *h]).status == 200
        req = site.up.requests[-1]
        assert req.header("Mcp-Session-Id") == "s1"
        assert req.header("MCP-Protocol-Version") == (FIRST if h else None)


def test_no_id_is_null_in_the_first_alone(site):
    for version in (None, FIRST, "2025-03-26", "2025-11-25", NEW):
        h = [] if version is None else [("MCP-Protocol-Version", version)]
        doc = site.ask(body=b"{", headers=h).json()
        assert doc["error"]["code"] == -32700
        assert doc.get("id", "none") == (
            None if version == FIRST else "none"), (version, doc)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
def test_no_streams(gateway, upstream, method):
    g = gateway({**OPEN, "mcp": {"revisions": [NEW]}})
    for h in ({}, {"MCP-Protocol-Version": NEW, "Mcp-Session-Id": "s"},
              {"MCP-Protocol-Version": "2025-06-18"}):
        with g.client() as c:
            r = c.request(method, "/mcp", g.headers(None, h))
        assert r.status == 405 and r.header("Allow") == "POST", r
    assert upstream.requests == []


@pytest.mark.parametrize("value", ["s1", "no session \u00e9"])
def test_sessions_are_not_minted(site, value):
    """2026-07-28 has none, whatever the upstream says."""
    site.up.answer = fu.json_result({}, [("Mcp-Session-Id", value)])
    mark = site.gw.audit_mark()
    r = site.ask(body=rpc("tools/list"), headers=new("tools/list"))
    assert r.status == 200 and r.headers("Mcp-Session-Id") == [], r
    r = site.ask(body=rpc("tools/list", 1, {"_meta": {META: NEW}}),
                 headers=new("tools/list", Mcp_Session_Id="x"))
    assert r.status == 200 and r.headers("Mcp-Session-Id") == [], r
    assert site.up.requests[-1].headers("Mcp-Session-Id") == []
    site.up.answer = fu.status(405, fields=[("Mcp-Session-Id", value)])
    r = site.ask("GET", headers={"MCP-Protocol-Version": NEW})
    assert r.status == 405, r
    assert r.headers("Mcp-Session-Id") == [], r
    assert [x["session_id"] for x in site.gw.audit_lines(mark)] == [None] * 3


# -- what is agreed upon -----------------------------------------------------

ALL = [FIRST, "2025-03-26", "2025-06-18", "2025-11-25", NEW]
LATER = "2027-01-01"


def limited(gateway, *revisions):
    return gateway({**OPEN, "workers": 1, "mcp": {
        "revisions": list(revisions)}})


def opening(version, id=7):
    return rpc("initialize", id, {"protocolVersion": version, "x": "\u00fc",
                                  "capabilities": {}})


def agrees(conn, req):
    """An SDK: what is proposed if it is known, else the latest."""
    v = req.json()["params"]["protocolVersion"]
    fu.json_result({"protocolVersion": v if v in ALL else ALL[3]},
                   [("Mcp-Session-Id", "s")])(conn, req)


@pytest.mark.parametrize("proposed,offered", [
    ("2025-06-18", "2025-06-18"), ("2025-03-26", "2025-03-26"),
    ("2025-11-25", "2025-06-18"), (LATER, "2025-06-18"), (NEW, "2025-06-18"),
    ("2025-05-01", "2025-03-26"), (FIRST, "2025-06-18"), ("", "2025-06-18"),
    ("1.0", "2025-06-18"), ("zzz\"}", "2025-06-18")])
def test_initialize_offers_what_is_allowed(gateway, upstream, proposed,
                                           offered):
    """So that both ends agree upon what they can use; what a field says of it
    is no reason to refuse it, and is not passed on unless it can be."""
    g = limited(gateway, *ALL[1:3])
    upstream.answer = agrees
    for field in (None, proposed, LATER, NEW, "2025-06-18"):
        if field is not None and '"' in field:
            continue
        h = [] if field is None else [("MCP-Protocol-Version", field)]
        r = g.post(opening(proposed), headers=h)
        assert r.status == 200, r
        assert r.json()["result"]["protocolVersion"] == offered, r
        assert r.header("Mcp-Session-Id").endswith(".s")
        req = upstream.requests[-1]
        want = opening(proposed)
        want["params"]["protocolVersion"] = offered
        assert req.json() == want
        assert req.headers("MCP-Protocol-Version") == (
            [field] if field in ALL[1:3] else [])
        assert req.header("Accept-Encoding") == "identity"


def test_initialize_in_another_case(site):
    """Servers exist to which it is the same member, and the last counts."""
    m = rpc("initialize", 5, {"protocolVersion": ALL[1]})
    m["params"]["ProtocolVersion"] = ALL[2]
    r = site.ask(body=m)
    assert r.status == 400 and r.json()["error"]["code"] == -32600, r


def messages(body):
    """Of an event stream, with the ids and names of their events."""
    out = []
    for e in body.decode().split("\n\n"):
        lines = [x.partition(": ") for x in e.split("\n")]
        data = "\n".join(v for n, _, v in lines if n == "data")
        if data:
            out.append((json.loads(data), [(n, v) for n, _, v in lines
                                           if n in ("id", "event")]))
    return out


def left_open(doc):
    """A stream that does not end with the response."""
    def answer(conn, req):
        conn.send(fu.SSE_HEAD + fu.chunk(fu.event(doc)))
        conn.wait_peer_close()
    return answer


def by_events(pieces, doc, data="data: "):
    """An answer by events, cut into so many pieces."""
    def answer(conn, req):
        text = json.dumps(doc(req), indent=1).replace("\n", "\n" + data)
        out = ("id: 1\ndata:\n\n: x\n\nid: 2\nevent: message\n" + data +
               text + "\n\n").encode()
        conn.send(fu.SSE_HEAD)
        n = min(pieces, len(out))
        for i in range(n):
            conn.send(fu.chunk(out[len(out) * i // n:
                                   len(out) * (i + 1) // n]))
        conn.send(fu.chunk(b"data: {}\n\n") + b"0\r\n\r\n")
    return answer


def says(result):
    return lambda req: {"jsonrpc": "2.0", "id": req.id, "result": result}


@pytest.mark.parametrize("how,later", [(0, LATER), (1, "\u00fc\"\\"), (2, ""),
                                       (30, LATER), (200, LATER)])
def test_what_is_not_allowed_is_not_agreed_upon(gateway, upstream, how, later):
    """The client would be refused in its next request, and could not know
    why."""
    g = limited(gateway, *ALL[1:3])
    result = {"protocolVersion": ALL[3], "capabilities": {}}
    upstream.answer = by_events(how, says(result)) if how else \
        fu.json_result(result)
    mark = g.audit_mark()
    r = g.post(opening(later))
    assert r.status == 200, r
    if how:
        (doc, of), (other, _) = messages(r.body)
        assert of == [("id", "2"), ("event", "message")] and other == {}
    else:
        doc = r.json()
    assert doc == {"jsonrpc": "2.0", "id": 7, "error": {
        "code": -32602, "message": "Unsupported protocol version",
        "data": {"supported": ALL[1:3], "requested": later}}}
    line = g.audit_one(mark)
    assert line["action"] == "error" and \
        line["error"] == "the upstream's revision is not allowed", line


@pytest.mark.parametrize("how", [0, 1, 2, 30])
def test_discover_is_cut(gateway, upstream, how):
    """Of supportedVersions, those that are allowed: and the rest stays."""
    g = limited(gateway, ALL[2], NEW)
    result = {"resultType": "complete", "capabilities": {
        "supportedVersions": [LATER]}, "supportedVersions": [
            LATER, NEW, ALL[3], ALL[2], "\u00fc"], "instructions": "[]\n"}
    upstream.answer = by_events(how, says(result)) if how else \
        fu.json_result(result)
    r = g.post(rpc("server/discover", 7, {"_meta": {META: NEW}}),
               headers=new("server/discover"))
    doc = messages(r.body)[0][0] if how else r.json()
    assert doc == says({**result, "supportedVersions": [NEW, ALL[2]]})(
        upstream.requests[-1])
    # and it was learned
    r = g.post(rpc("x", 9), headers={"MCP-Protocol-Version": ALL[3]})
    assert r.json()["error"]["data"]["supported"] == [ALL[2], NEW]
    assert upstream.asked == []


@pytest.mark.parametrize("pieces", [1, 7])
def test_what_says_nothing_new_passes_as_it_is(site, pieces):
    body = (b'{ "jsonrpc":"2.0","id":1,\n"result":{"supportedVersions":'
            b'[ "2026-07-28","2024-11-05" ] } }')

    def answer(conn, req):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body))
        for i in range(pieces):
            conn.send(body[len(body) * i // pieces:
                           len(body) * (i + 1) // pieces])
    site.up.answer = answer
    r = site.ask(body=rpc("server/discover"), headers=new("server/discover"))
    assert r.body == body, r


def test_errors_are_cut(gateway, upstream):
    g = limited(gateway, ALL[2], NEW)

    def error(code, **more):
        doc = {"jsonrpc": "2.0", "id": 7, "error": {
            "code": code, "message": "m", "data": {
                "supported": [ALL[3], ALL[2]], "requested": NEW}}, **more}
        return doc, fu.status(400, json.dumps(doc).encode())
    for code in (-32022, -32020):
        doc, upstream.answer = error(code)
        r = g.post(rpc("tools/list", 7), headers=new("tools/list"))
        if code == -32022:
            doc["error"]["data"]["supported"] = [ALL[2]]
        assert r.status == 400 and r.json() == doc, r


@pytest.mark.parametrize("answer,known", [
    (fu.discovered(ALL[3], NEW, LATER), ALL[3:]),
    (fu.sse([{"jsonrpc": "2.0", "id": "mcpgw", "result": {
        "supportedVersions": [NEW]}}], final=False), [NEW]),
    (left_open({"jsonrpc": "2.0", "id": "mcpgw", "result": {
        "supportedVersions": [NEW]}}), [NEW]),
    (fu.status(400, json.dumps({"jsonrpc": "2.0", "id": "mcpgw", "error": {
        "code": -32022, "message": "", "data": {
            "supported": [ALL[2]]}}}).encode()), [ALL[2]]),
    # older ones, each in its way
    (fu.status(400, b"Bad Request"), ALL[1:4]),
    (fu.status(404), ALL[1:4]),
    (fu.status(200, json.dumps({"jsonrpc": "2.0", "id": "mcpgw", "error": {
        "code": -32601, "message": ""}}).encode()), ALL[1:4]),
    # these do not say
    (fu.status(503), ALL[1:]), (fu.status(401), ALL[1:]),
    (fu.drop(), ALL[1:]), (fu.json_result({}), ALL[1:]),
    (fu.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: 70000\r\n\r\n" + b" " * 70000), ALL[1:])])
def test_the_list_is_what_the_upstream_knows(gateway, upstream, answer, known):
    """It is asked once, without anything of the client's."""
    g = limited(gateway, *ALL[1:])
    upstream.spoken = answer
    for how in ("POST", "GET", "POST", "DELETE"):
        with g.client() as c:
            h = g.headers(None, [("MCP-Protocol-Version", FIRST),
                                 ("Cookie", "a"), ("X-Own", "b")])
            r = c.request(how, "/mcp", h, json.dumps(rpc("x", 9)).encode()
                          if how == "POST" else None)
            assert r.status == 400, r
            doc = r.json()
            assert doc["error"]["code"] == -32022
            assert doc["error"]["data"] == {
                "supported": known, "requested": FIRST}, (how, doc)
            assert doc.get("id") == (9 if how == "POST" else None)
            # nothing of it is left on the connection
            assert g.post(client=c).status == 200
    asked, = upstream.asked
    assert asked.method == "POST" and asked.header("Mcp-Method") == \
        asked.json()["method"] == "server/discover"
    assert asked.header("MCP-Protocol-Version") == NEW == \
        asked.json()["params"]["_meta"][META]
    for name in ("Authorization", "Cookie", "X-Own"):
        assert asked.headers(name) == []


def test_a_silent_upstream_is_not_waited_for(gateway, upstream):
    """A client that leaves ends the question, and the next one asks again."""
    g = limited(gateway, NEW)
    upstream.spoken = lambda conn, req: conn.wait_peer_close()
    with g.client() as c:
        c.send(c.build("POST", "/mcp", g.headers(None, [
            ("MCP-Protocol-Version", FIRST)]), json.dumps(rpc("x")).encode()))
        deadline = 100
        while not upstream.asked and deadline:
            deadline -= 1
            assert g.post(rpc("tools/list"),
                          headers=new("tools/list")).status == 200
        # others are told at once meanwhile
        r = g.post(rpc("x"), headers={"MCP-Protocol-Version": FIRST})
        assert r.json()["error"]["data"]["supported"] == [NEW]
        assert len(upstream.asked) == 1
    assert upstream.asked[0].conn.peer_closed.wait(5)
    r = g.post(rpc("x"), headers={"MCP-Protocol-Version": FIRST})
    assert r.status == 400, r
    assert len(upstream.asked) == 2


# -- fields ------------------------------------------------------------------

def test_parameters_of_tools(site):
    """Whatever they are called."""
    body = rpc("tools/call", 1, {"name": "run", "arguments": {}})
    r = site.ask(body=body, headers=new("tools/call", "run") | {
        "Mcp-Param-tenant_id": "7", "mcp-param-_": "=?base64?w7w=?=",
        "Mcp_Param-x": "1", "Mcp-Param_x": "1", "X_Param": "1"})
    assert r.status == 200, r
    req = site.up.requests[-1]
    assert req.header("Mcp-Param-tenant_id") == "7"
    assert req.header("mcp-param-_") == "=?base64?w7w=?="
    assert [n for n, _ in req.fields if "_" in n] == [
        "Mcp-Param-tenant_id", "mcp-param-_"]


BOTH = "application/json, text/event-stream"


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("accept,want", [
    ([], BOTH), (["*/*"], BOTH), (["*/*;q=0.1"], BOTH),
    (["application/json, */*;q=0.5"], BOTH),
    (["text/html", "image/png, */* ; q=0.8"], BOTH),
    (["application/*, text/*"], BOTH), (["APPLICATION/*", "Text/*"], BOTH),
    (["text/event-stream, application/*;q=0.001"], BOTH),
    (["application/*"], "application/json"), (["text/*"], "text/event-stream"),
    (["*/*, text/event-stream;q=0"], "application/json"),
    (["*/*;q=1, application/*;q=0.000"], "text/event-stream"),
    # these stay as they are: no range, or of nothing that we have
    (["application/json"], None), (["text/event-stream;q=0.5"], None),
    (["application/json;q=0.9", "text/event-stream"], None),
    (["*/*;q=0"], None), (["image/*"], None), (["text/html"], None),
    (["*"], None), (["a*/*b"], None), ([""], None)])
def test_accept(site, accept, want, method):
    h = [("Authorization", "Bearer " + site.token),
         ("Content-Type", "application/json")]
    body = json.dumps(rpc()).encode() if method == "POST" else None
    site.up.answer = fu.status(405)
    with site.gw.client() as c:
        r = c.request(method, "/mcp", h + [("Accept", a) for a in accept],
                      body)
    assert r.status == 405, r
    assert site.up.requests[-1].headers("Accept") == (
        accept if want is None else [want])


# -- the log -----------------------------------------------------------------

@pytest.mark.parametrize("method,params,want", [
    ("tools/call", {"name": "run", "arguments": {}}, "run"),
    ("prompts/get", {"name": "greet", "uri": "x:"}, "greet"),
    ("resources/read", {"uri": "file:///a", "name": "x"}, "file:///a"),
    ("resources/subscribe", {"uri": "file:///b"}, "file:///b"),
    ("resources/unsubscribe", {"uri": "u\u00fc\n"}, "u\u00fc\n"),
    ("resources/read", {"uri": "f" * 4000}, "f" * 256),
    ("prompts/list", {"name": "greet"}, None),
    ("completion/complete", {"ref": {"name": "x"}}, None),
    ("tools/list", None, None)])
def test_what_was_asked_for(site, method, params, want):
    mark = site.gw.audit_mark()
    assert site.ask(body=rpc(method, 1, params)).status == 200
    assert site.gw.audit_one(mark).get("tool") == want


def test_surrogates_have_a_word_of_their_own(site):
    raw = b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"%s"}}'
    for text, say in ((b"\\ud800", "lone surrogate escape in JSON"),
                      (b"\xed\xa0\x80", "invalid UTF-8 in JSON")):
        r = site.ask(body=raw % text)
        assert r.status == 400 and r.json()["error"] == {
            "code": -32700, "message": say}, r


def test_null_is_no_parameters(site):
    raw = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}'
    assert site.ask(body=raw).status == 200
    assert site.up.requests[-1].body == raw
    # and where there must be a name it is none
    r = site.ask(body=rpc("tools/call", 3) | {"params": None},
                 headers=new("tools/call", "run"))
    assert r.status == 400 and r.json()["error"]["code"] == -32020, r


# -- whose refusal it is -----------------------------------------------------

ASK = rpc("tools/call", "the-id", {"name": "run"})
SMALL = json.dumps(ASK).encode()
CHUNKED = b"5\r\n" + SMALL[:5] + b"\r\n%x\r\n" % (len(SMALL) - 5) + \
    SMALL[5:] + b"\r\n0\r\n\r\n"
REFUSED = {
    "path": (404, -32600, {}, "/mcp/none"),
    "session": (404, -32600, {"Mcp-Session-Id": "x"}, "/mcp"),
    "type": (415, -32600, {"Content-Type": "text/plain"}, "/mcp"),
    "coding": (415, -32600, {"Content-Encoding": "identity"}, "/mcp"),
    "origin": (403, -31403, {"Origin": "https://evil.test"}, "/mcp"),
    "field": (400, -32600, {"Connection": "mcp-name", "Mcp-Name": "x"},
              "/mcp"),
    "fields": (400, -32020, [("Mcp-Method", "tools/call")] * 2, "/mcp"),
    "sessions": (400, -32600, [("Mcp-Session-Id", "x")] * 2, "/mcp"),
    "token": (401, -31401, {"Authorization": "Bearer nobody"}, "/mcp"),
    "mismatch": (400, -32020, {"Mcp-Method": "x"}, "/mcp"),
}


@pytest.mark.parametrize("how", ["length", "chunked"])
@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_has_the_id(site, case, how):
    """What was refused before its body was looked at, too."""
    status, code, extra, path = REFUSED[case]
    extra = list(extra.items()) if isinstance(extra, dict) else extra
    names = [n for n, _ in extra]
    h = [(n, v) for n, v in site.headers()
         if n not in names] + extra
    body = SMALL
    if how == "chunked":
        h.append(("Transfer-Encoding", "chunked"))
        body = None
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        if body is None:
            c.send(c.build("POST", path, h, None) + CHUNKED)
            r = c.read_response()
        else:
            r = c.request("POST", path, h, body)
        line = site.refused(r, mark, status, code, ("the-id",),
                            action="deny" if code in (-31403, -31401)
                            else "error")
        assert line["method"] == "tools/call" and line["tool"] == "run", line
        assert line["bytes_in"] == len(SMALL), line
        # the connection is good for more
        assert site.ask(client=c).status == 200
    assert [q.id for q in site.up.requests] == [1]


@pytest.mark.parametrize("body", [
    b" " * 20000 + SMALL, SMALL[:-1], b"[%s]" % SMALL, b"\xff"])
def test_a_refusal_without_an_id(site, body):
    """Large, not whole, not a message: the refusal stays the same."""
    r = site.ask(body=body, headers={"Mcp-Session-Id": "x"})
    assert r.status == 404 and "id" not in r.json(), r
    assert r.json()["error"]["message"] == "unknown session"


def test_a_refusal_of_too_many_chunks(site):
    """What is too much is not read, and nothing but the first reason told."""
    h = site.headers([("Mcp-Session-Id", "x"),
                      ("Transfer-Encoding", "chunked")])
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", h, None) +
               b"3000\r\n" + b" " * 0x3000 + b"\r\n" +
               b"3000\r\n" + b" " * 0x3000 + b"\r\n")
        r = c.read_response()
        assert r.status == 404 and "id" not in r.json(), r
        assert r.header("Connection") == "close", r


def test_a_refusal_of_broken_chunks(site):
    h = site.headers([("Mcp-Session-Id", "x"),
                      ("Transfer-Encoding", "chunked")])
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", h, None) + b"x\r\n")
        r = c.read_response()
        assert r.status == 404 and "id" not in r.json(), r
        assert r.header("Connection") == "close", r


def test_a_refusal_does_not_wait_for_who_waits(site):
    """A client that asked whether to send its body gets no 100 first."""
    h = site.headers([("Mcp-Session-Id", "x"), ("Expect", "100-continue"),
                      ("Content-Length", str(len(SMALL)))])
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", h, None))
        r = c.read_response()
        assert r.status == 404 and "id" not in r.json(), r
