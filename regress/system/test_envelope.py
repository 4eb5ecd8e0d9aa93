"""What a request must be before any upstream sees it: JSON-RPC that can be read
in one way only, a known revision, fields that say what the body says, an
origin that may ask.  Each refusal leaves one audit line and a connection that
can be used on."""

import base64
import json

import pytest

import gw
import proxy_site
import rawhttp
from proxy_site import fresh, site  # noqa: F401

STATELESS = "2026-07-28"
REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25",
             STATELESS]
META = "io.modelcontextprotocol/protocolVersion"


def refuse(site, body, code=-32600, ids=(None,), status=400, headers=(),
           **kw):
    """Refused, recorded, nothing passed, and the connection goes on."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        r = site.ask(body=body, headers=headers, client=c)
        line = site.refused(r, mark, status, code, ids, **kw)
        assert r.headers("Connection") == [], r
        assert site.up.heads == []
        assert site.ask(client=c, body=gw.rpc(id="good")).status == 200
    assert [q.id for q in site.up.requests] == ["good"]
    site.up.forget()
    return r, line


def admit(site, body, headers=()):
    """Passed on, byte for byte."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    mark = site.gw.audit_mark()
    r = site.ask(body=body, headers=headers)
    assert r.status in (200, 202), r
    req, = site.up.requests
    assert req.body == body, req
    line = site.gw.audit_one(mark)
    site.up.forget()
    return req, line


# -- JSON --------------------------------------------------------------------

def deep(n, open=b"[", close=b"]"):
    return (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":' +
            open * n + close * n + b"}}")


P = b'{"jsonrpc":"2.0","id":1,"method":"x"'
BROKEN = {
    "empty": b"",
    "space": b" \r\n",
    "bom": b"\xef\xbb\xbf" + P + b"}",
    "utf16": (P + b"}").decode().encode("utf-16"),
    "utf16-be": (P + b"}").decode().encode("utf-16-be"),
    "cut": P,
    "cut-string": P + b',"a":"b',
    "trailing-brace": P + b"}}",
    "trailing-text": P + b"} x",
    "trailing-nul": P + b"}\0",
    "two-texts": P + b"}" + P + b"}",
    "two-lines": P + b"}\n" + P + b"}\n",
    "comma": P + b",}",
    "single-quotes": P.replace(b'"', b"'") + b"}",
    "comment": P + b"/**/}",
    "comment-line": P + b"}//",
    "nan": P + b',"a":NaN}',
    "infinity": P + b',"a":Infinity}',
    "plus": P + b',"a":+1}',
    "zeros": P + b',"a":01}',
    "point": P + b',"a":1.}',
    "hex": P + b',"a":0x1}',
    "true": P + b',"a":True}',
    "vt": P + b"\x0b}",
    "ff": P + b"\x0c}",
    "nbsp": P + b"\xc2\xa0}",
    "control": P + b',"a":"\x01"}',
    "tab-in-string": P + b',"a":"\t"}',
    "nul-in-string": P + b',"a":"\0"}',
    "escape": P + b',"a":"\\x41"}',
    "escape-short": P + b',"a":"\\u12"}',
    "utf8-lone": P + b',"a":"\x80"}',
    "utf8-cut": P + b',"a":"\xc3"}',
    "utf8-overlong": P + b',"a":"\xc0\xaf"}',
    "utf8-overlong-3": P + b',"a":"\xe0\x80\xaf"}',
    "utf8-surrogate": P + b',"a":"\xed\xa0\x80"}',
    "utf8-high": P + b',"a":"\xf4\x90\x80\x80"}',
    "latin-1": P + b',"a":"\xe9"}',
    "utf8-in-name": P + b',"\xff":1}',
    "surrogate-high": P + b',"a":"\\ud800"}',
    "surrogate-low": P + b',"a":"\\udc00"}',
    "surrogate-twice": P + b',"a":"\\ud800\\ud800"}',
    "surrogate-swapped": P + b',"a":"\\udc00\\ud800"}',
    "surrogate-name": P + b',"\\ud800":1}',
    "deep-arrays": deep(100),
    "deep-maps": deep(100, b'{"a":', b"}").replace(b":}", b":1}"),
    "very-deep": deep(100000),
    "deeper-cut": b"[" * 100000,
    "member-twice": P + b',"method":"y"}',
    "id-twice": P + b',"id":2}',
    "jsonrpc-twice": P + b',"jsonrpc":"2.0"}',
    "params-twice": P + b',"params":{},"params":{"a":1}}',
    "member-twice-escaped": P + b',"meth\\u006fd":"y"}',
    "member-twice-deep": P + b',"params":{"a":[{"b":1,"c":2,"b":3}]}}',
    "name-twice": P + b',"params":{"name":"a","n\\u0061me":"b"}}',
    "member-twice-empty": P + b',"":1,"":2}',
}


@pytest.mark.parametrize("case", BROKEN)
def test_not_json(site, case):
    refuse(site, BROKEN[case], -32700, (None, 1))


V = {"jsonrpc": "2.0", "id": 5, "method": "ping"}
NOT_RPC = {
    # name: (body, ids that may be echoed)
    "batch": ([V], (None,)),
    "batch-empty": ([], (None,)),
    "batch-two": ([V, dict(V, id=6)], (None,)),
    "string": ("x", (None,)),
    "number": (1, (None,)),
    "null": (None, (None,)),
    "object": ({}, (None,)),
    "no-version": ({"id": 5, "method": "ping"}, (5,)),
    "version-1.0": (dict(V, jsonrpc="1.0"), (5,)),
    "version-number": (dict(V, jsonrpc=2.0), (5,)),
    "version-null": (dict(V, jsonrpc=None), (5,)),
    "version-long": (dict(V, jsonrpc="2.0 "), (5,)),
    "no-method": ({"jsonrpc": "2.0", "id": 5}, (5,)),
    "method-empty": (dict(V, method=""), (5,)),
    "method-number": (dict(V, method=1), (5,)),
    "method-null": (dict(V, method=None), (5,)),
    "method-array": (dict(V, method=["ping"]), (5,)),
    "method-long": (dict(V, method="m" * 257), (5,)),
    "id-null": (dict(V, id=None), (None,)),
    "id-true": (dict(V, id=True), (None,)),
    "id-fraction": (dict(V, id=1.5), (None,)),
    "id-array": (dict(V, id=[1]), (None,)),
    "id-object": (dict(V, id={"a": 1}), (None,)),
    "id-long": (dict(V, id="i" * 300), (None,)),
    "params-string": (dict(V, params="x"), (5,)),
    "params-number": (dict(V, params=1), (5,)),
    "method-and-result": (dict(V, result={}), (5,)),
    "method-and-error": (dict(V, error={"code": 1}), (5,)),
    "result-and-error": ({"jsonrpc": "2.0", "id": 5, "result": 1,
                          "error": {"code": 1, "message": ""}}, (5,)),
    # servers exist that read these as the members of which they remind
    "case-method": (dict(V, Method="tools/call"), (5,)),
    "case-method-alone": ({"jsonrpc": "2.0", "id": 5, "METHOD": "x"}, (5,)),
    "case-id": (dict(V, Id=6), (5,)),
    "case-params": (dict(V, paramS={"name": "x"}), (5,)),
    "case-params-long-s": (dict(V, **{"param\u017f": {}}), (5,)),
    "case-jsonrpc": (dict(V, JsonRpc="2.0"), (5,)),
    "case-result": ({"jsonrpc": "2.0", "id": 5, "Result": 1}, (5,)),
    "case-meta": (dict(V, params={"_Meta": {META: "x"}}), (5,)),
    "case-name": (gw.rpc("tools/call", 5, {"name": "a", "Name": "b"}), (5,)),
    "case-arguments": (gw.rpc("tools/call", 5, {
        "name": "a", "arguments": {}, "ARGUMENTS": {"x": 1}}), (5,)),
    "case-uri": (gw.rpc("resources/read", 5, {"uri": "a", "Uri": "b"}), (5,)),
    "name-number": (gw.rpc("tools/call", 5, {"name": 1, "uri": "x"}), (5,)),
    "name-null": (gw.rpc("prompts/get", 5, {"name": None}), (5,)),
    "name-array": (gw.rpc("tools/call", 5, {"name": ["x"]}), (5,)),
    "uri-object": (gw.rpc("resources/read", 5, {
        "uri": {"x": 1}, "name": "x"}), (5,)),
    "result-no-id": ({"jsonrpc": "2.0", "result": 1}, (None,)),
}


@pytest.mark.parametrize("case", NOT_RPC)
def test_not_a_request(site, case):
    body, ids = NOT_RPC[case]
    refuse(site, body, -32600, ids)


@pytest.mark.parametrize("raw", [
    b"0", b"-1", b"9007199254740993", b"-0", b'""', b'"a"', b'"\\u0061\\n"',
    b'"\\ud83d\\ude00"', b'"\\""', b'"\\\\"', '"\u00e4"'.encode(),
    b'"' + b"i" * 250 + b'"'])
def test_id_is_echoed(site, raw):
    """As it was written, in a refusal that knows it."""
    body = b'{"id":%s,"jsonrpc":"1.0","method":"x"}' % raw
    r, _ = refuse(site, body, -32600, (json.loads(raw),))
    assert r.body.startswith(b'{"jsonrpc":"2.0","id":%s,' % raw), r


SOUND = {
    "spaces": b' \r\n\t{ "jsonrpc" : "2.0" ,"id":1,"method":"x" } \n',
    "params-array": P + b',"params":[1,2]}',
    "params-empty": P + b',"params":{}}',
    "params-null": P + b',"params":null}',
    "unknown-member": P + b',"extra":[{}]}',
    "case-elsewhere": P + b',"params":{"a":{"Method":1,"ID":2}},"Extra":1}',
    "same-name-elsewhere": P + b',"params":{"id":1,"method":2,"a":{"id":3}}}',
    "numbers": P + b',"params":{"a":[-0.1e+5,1E400,123456789012345678901]}}',
    "surrogates": P + b',"params":{"a":"\\ud83d\\ude00"}}',
    "nul-escaped": P + b',"params":{"a":"\\u0000"}}',
    "utf8": P + b',"params":{"a":"\xf4\x8f\xbf\xbf\xe2\x80\xa8"}}',
    "deep": deep(50),
    "notification": b'{"jsonrpc":"2.0","method":"x"}',
    "response": b'{"jsonrpc":"2.0","id":1,"result":{}}',
    "response-null": b'{"jsonrpc":"2.0","id":"a","result":null}',
    "error": b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}',
    "error-null-id":
        b'{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}',
}


@pytest.mark.parametrize("case", SOUND)
def test_sound(site, case):
    admit(site, SOUND[case])


def test_method_in_the_log(site):
    _, line = admit(site, gw.call())
    assert line["method"] == "tools/call" and line["tool"] == "echo", line
    _, line = admit(site, b'{"jsonrpc":"2.0","id":1,"method":"\\u0070ing"}')
    assert line["method"] == "ping", line
    _, line = refuse(site, dict(V, params=1), -32600, (5,))
    assert line["method"] in ("ping", None), line


# -- Content-Type ------------------------------------------------------------

@pytest.mark.parametrize("value", [
    None, "", "text/plain", "application/jsonx", "application/json-rpc",
    "text/json", "application/x-www-form-urlencoded", "multipart/form-data",
    "json", "application/json, text/plain", ["application/json"] * 2,
    # the same bytes are another message to who obeys
    "application/json; charset=utf-7", "application/json; charset=utf-16",
    "application/json;charset=iso-8859-1", "application/json; charset=",
    "application/json; charset=utf-8; charset=utf-7",
    "application/json; charset=utf-8; charset=utf-8",
    "application/json; charset='utf-8'", "application/json; x=\";charset=utf-8",
    'application/json; x=";charset=utf-7;"', 'application/json; x="\\""',
    "application/json; charset*=utf-8''utf-7", "application/json; x",
    "application/json; x=", "application/json; =x", "application/json; x =y",
    "application/json x=y", 'application/json; x="y"z', "application/json; x=y,",
    'application/json; charset="utf\\-8"', "application/json/x; x=y",
    ["application/json", "text/plain"]])
def test_content_type(site, value):
    body = json.dumps(V).encode()
    values = value if isinstance(value, list) else [value]
    h = [("Authorization", "Bearer " + site.token)] + \
        [("Content-Type", v) for v in values if v is not None]
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        r = c.request("POST", "/mcp", h, body)
        site.refused(r, mark, 415, ids=(5,))
        assert site.ask(client=c).status == 200
    assert [q.id for q in site.up.requests] == [1]


@pytest.mark.parametrize("value", [
    "application/json", "Application/JSON", "application/json;charset=utf-8",
    "application/json ; charset=UTF-8", 'application/json;charset="utf-8"',
    "application/json;", "application/json ; ;;", "application/json; boundary=x",
    "application/json;x=y;charset=utf-8", 'application/json; x="a=b c" ; y=1;',
    "application/json; charsets=x"])
def test_content_type_good(site, value):
    h = [("Authorization", "Bearer " + site.token), ("Content-Type", value)]
    r = rawhttp.fetch(site.gw.port, "POST", "/mcp", h, json.dumps(V).encode())
    assert r.status == 200, r


@pytest.mark.parametrize("coding", ["gzip", "br", "identity", "x"])
def test_content_encoding(site, coding):
    """What cannot be read cannot be judged."""
    refuse(site, V, ids=(5,), status=415, headers={"Content-Encoding": coding})


# -- Origin ------------------------------------------------------------------

@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize("origin", [
    "https://evil.test", "null", "", "http://app.example.test",
    "https://app.example.test:8443", "https://app.example.test.evil.test",
    "https://app.example.test/", "https://evil.test https://app.example.test",
    "*", "http://127.0.0.1", "http://localhost:3000"])
def test_origin_refused(site, origin, method):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        r = site.ask(method, headers={"Origin": origin}, client=c)
        site.refused(r, mark, 403, -31403, action="deny",
                     ids=(1 if method == "POST" else None,))
        assert r.headers("Access-Control-Allow-Origin") == [], r
        assert site.up.heads == []
        assert site.ask(client=c).status == 200


def test_origin_twice(site):
    mark = site.gw.audit_mark()
    r = site.ask(headers=[("Origin", proxy_site.ORIGIN)] * 2)
    site.refused(r, mark, 403, -31403, (1,), action="deny")


def test_origin_before_the_credential(site):
    mark = site.gw.audit_mark()
    r = site.gw.post(V, headers={"Origin": "https://evil.test"})
    site.refused(r, mark, 403, -31403, (5,), action="deny")


@pytest.mark.parametrize("origin", [
    proxy_site.ORIGIN, proxy_site.ORIGIN.upper(), "https://gw.example.test"])
def test_origin_allowed(site, origin):
    """Those that are configured, and our own (public_url's)."""
    admit(site, V, {"Origin": origin})


# -- revisions ---------------------------------------------------------------

@pytest.mark.parametrize("version", [
    "", "2024-11-06", "2025-06-19", "2099-01-01", "1.0", "2025-06-18 ,x",
    "2025-06-18,2025-06-18", "DRAFT", "2025-03-26\",\"x", "\",\"2025-03-"])
def test_revision_unknown(site, version):
    r, _ = refuse(site, V, -32022, (None, 5),
                  headers={"MCP-Protocol-Version": version})
    assert r.json()["error"]["data"]["supported"] == REVISIONS, r


def test_revision_unknown_of_a_stream(site):
    for method in ("GET", "DELETE"):
        mark = site.gw.audit_mark()
        r = site.ask(method, headers={"MCP-Protocol-Version": "1999-01-01"})
        site.refused(r, mark, 400, -32022)
    assert site.up.heads == []


def test_revision_unknown_in_meta(site):
    r, _ = refuse(site, dict(V, params={"_meta": {META: "2099-01-01"}}),
                  -32022, (5,))
    assert r.json()["error"]["data"]["supported"] == REVISIONS, r


@pytest.mark.parametrize("version", REVISIONS[:4])
def test_revision_known(site, version):
    req, _ = admit(site, V, {"MCP-Protocol-Version": version})
    assert req.header("MCP-Protocol-Version") == version


def test_revision_absent(site):
    req, _ = admit(site, V)
    assert req.headers("MCP-Protocol-Version") == []


@pytest.mark.parametrize("name", ["MCP-Protocol-Version", "Mcp-Session-Id"])
def test_repeated(site, name):
    refuse(site, V, ids=(None, 5), headers=[(name, REVISIONS[0])] * 2)


# -- fields that repeat the body ---------------------------------------------

CALL = gw.call("x", 5, "run")
READ = gw.rpc("resources/read", 5, {"uri": "file:///a"})


def b64(text):
    return "=?base64?%s?=" % base64.b64encode(text.encode()).decode()


def stateless(**kw):
    h = {"MCP-Protocol-Version": STATELESS}
    h.update({k.replace("_", "-"): v for k, v in kw.items()
              if v is not None})
    return h


@pytest.mark.parametrize("body,headers", [
    (CALL, stateless(Mcp_Name="run")),                          # no method
    (CALL, stateless(Mcp_Method="tools/call")),                 # no name
    (CALL, stateless(Mcp_Method="tools/list", Mcp_Name="run")),
    (CALL, stateless(Mcp_Method="Tools/Call", Mcp_Name="run")),
    (CALL, stateless(Mcp_Method="tools/call", Mcp_Name="other")),
    (CALL, stateless(Mcp_Method="tools/call", Mcp_Name="")),
    (CALL, stateless(Mcp_Method="tools/call", Mcp_Name=b64("other"))),
    (CALL, stateless(Mcp_Method="tools/call", Mcp_Name="=?base64?cnVu")),
    (CALL, stateless(Mcp_Method="tools/call", Mcp_Name="=?base64?c?=")),
    (READ, stateless(Mcp_Method="resources/read")),
    (READ, stateless(Mcp_Method="resources/read", Mcp_Name="file:///b")),
    (V, stateless(Mcp_Method="ping", Mcp_Name="x")),            # has none
    # the one that counts is the one that the server reads
    (gw.rpc("resources/read", 5, {"uri": "file:///a", "name": "b"}),
     stateless(Mcp_Method="resources/read", Mcp_Name="b")),
    (gw.rpc("tools/call", 5, {"uri": "b", "name": "a"}),
     stateless(Mcp_Method="tools/call", Mcp_Name="b")),
    (gw.rpc("tools/call", 5, {"uri": "b"}),
     stateless(Mcp_Method="tools/call", Mcp_Name="b")),
    (V, stateless()),
    # the body says it is of this revision, the field does not
    (dict(V, params={"_meta": {META: STATELESS}}), {}),
    (dict(V, params={"_meta": {META: STATELESS}}),
     {"MCP-Protocol-Version": "2025-11-25", "Mcp-Method": "ping"}),
    (dict(V, params={"_meta": {META: "2025-11-25"}}),
     stateless(Mcp_Method="ping")),
    # of an older revision, but what is said must be true
    (CALL, {"Mcp-Method": "tools/list"}),
    (CALL, {"Mcp-Name": "other"}),
])
def test_mismatch(site, body, headers):
    refuse(site, body, -32020, (5,), headers=headers)


@pytest.mark.parametrize("name", ["Mcp-Method", "Mcp-Name"])
def test_mismatch_repeated(site, name):
    value = {"Mcp-Method": "tools/call", "Mcp-Name": "run"}
    h = list(stateless().items()) + list(value.items()) + [(name,
                                                            value[name])]
    refuse(site, CALL, -32020, (None, 5), headers=h)


@pytest.mark.parametrize("name", [
    "mcp-protocol-version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id",
    "Content-Type"])
def test_judged_but_not_passed(site, name):
    """Connection would take away, on the way to the upstream, what the
    request was judged by."""
    refuse(site, CALL, ids=(None, 5), headers=dict(stateless(
        Mcp_Method="tools/call", Mcp_Name="run", Mcp_Session_Id="s"),
        Connection="x, %s" % name))


@pytest.mark.parametrize("body,headers", [
    (CALL, stateless(Mcp_Method="tools/call", Mcp_Name="run")),
    (CALL, stateless(Mcp_Method="tools/call", Mcp_Name=b64("run"))),
    (gw.call("x", 5, "r\u00fcn \U0001f600"),
     stateless(Mcp_Method="tools/call", Mcp_Name=b64("r\u00fcn \U0001f600"))),
    (READ, stateless(Mcp_Method="resources/read", Mcp_Name="file:///a")),
    (gw.rpc("resources/read", 5, {"name": "b", "uri": "file:///a"}),
     stateless(Mcp_Method="resources/read", Mcp_Name="file:///a")),
    (V, stateless(Mcp_Method="ping")),
    (dict(V, params={"_meta": {META: STATELESS}}),
     stateless(Mcp_Method="ping")),
    (gw.rpc("notifications/cancelled", None),
     stateless(Mcp_Method="notifications/cancelled")),
    (CALL, {"Mcp-Method": "tools/call", "Mcp-Name": "run"}),
    (CALL, {}),
])
def test_match(site, body, headers):
    req, _ = admit(site, body, headers)
    for name, value in headers.items():
        assert req.header(name) == value, req


# -- every refusal is on record ----------------------------------------------

def test_each_has_its_line(site):
    """One of each kind in a row: as many lines, in this order."""
    mark = site.gw.audit_mark()
    wanted = []
    with site.gw.client() as c:
        for status, ask in [
            (400, lambda: site.ask(body=b"{", client=c)),
            (400, lambda: site.ask(body=[], client=c)),
            (401, lambda: site.gw.post(V, "x" * 30, client=c)),
            (403, lambda: site.ask(headers={"Origin": "null"}, client=c)),
            (404, lambda: site.ask(path="/mcp/none", client=c)),
            (405, lambda: site.ask("PATCH", client=c)),
            (413, lambda: site.ask(body=b"x" * (4 << 20) + b"x")),
            (415, lambda: site.ask(headers={"Content-Encoding": "x"},
                                   client=c)),
            (200, lambda: site.ask(client=c)),
        ]:
            assert ask().status == status
            wanted.append(status)
    assert [x["status"] for x in site.gw.audit_lines(mark)] == wanted
    ids = [x["request_id"] for x in site.gw.audit_lines(mark)]
    assert len(set(ids)) == len(ids)
