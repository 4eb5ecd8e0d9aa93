"""Resources of their own: each upstream's metadata document and challenge,
what is said to those who have no credential, and what is in every answer."""

import json
import re

import pytest

import fake_upstream as fu
import gw
import proxy_site
import rawhttp
from judge import challenge, check_error_body
from proxy_site import fresh, site  # noqa: F401

PATH = gw.METADATA_PATH
HOST = "https://gw.example.test"
PAGES = {
    "resource_name": "Outils d'équipe \"A\"",
    "resource_documentation": "https://docs.example.test/mcp?a=b#start",
    "resource_policy_uri": "https://example.test/policy",
    "resource_tos_uri": "http://example.test/tos",
}


def bare(g, path, method="POST", headers=()):
    """A request without a credential."""
    body = json.dumps(gw.rpc()).encode() if method == "POST" else None
    return rawhttp.fetch(g.port, method, path, g.headers(None, headers), body)


def metadata_of(r):
    return re.search(r'resource_metadata="([^"]*)"',
                     r.header("WWW-Authenticate"))[1]


# -- a document for each -------------------------------------------------------

@pytest.mark.parametrize("url, prefix", [
    (HOST + "/mcp", "/mcp"), (HOST + "/x/mcp", "/x/mcp"),
    (HOST + "/mcp/", "/mcp"), (HOST, ""), (HOST + "/", ""),
    (HOST + "/mcp?v=1", "/mcp")])
def test_document_of_each_upstream(gateway, url, prefix):
    """Where the challenge of /mcp/up leads there is the document of exactly
    that resource, and the gateway's own stays what it is."""
    g = gateway({"auth": {"oauth": {"public_url": url}}})
    query = "?v=1" if "?" in url else ""
    for path in ("/mcp/up", "/mcp/up/"):
        r = bare(g, path)
        where = HOST + PATH + prefix + "/up"
        assert r.status == 401 and r.header("WWW-Authenticate") == challenge(
            scope="mcp:read", metadata=where), r
    doc = g.get(where[len(HOST):]).json()
    own = g.get(PATH).json()
    assert own["resource"] == url
    assert doc == {**own, "resource": HOST + prefix + "/up" + query}
    for path in ("/mcp", "/mcp/"):
        assert metadata_of(bare(g, path)) == HOST + PATH


def test_rejected_token_at_an_upstream(site):
    """As the guide has it, but for whose document it is."""
    r = site.gw.post(token="nonsense", path="/mcp/two")
    assert r.status == 401 and r.header("WWW-Authenticate") == challenge(
        "invalid_token", metadata=HOST + PATH + "/mcp/two"), r


def test_custom_path(gateway):
    g = gateway({"auth": {"oauth": {"metadata_path": "/meta/data"}}})
    where = metadata_of(bare(g, "/mcp/up"))
    assert where == HOST + "/meta/data/mcp/up"
    assert g.get("/meta/data/mcp/up").json()["resource"] == \
        gw.PUBLIC_URL + "/up"


def test_pages_for_people(gateway):
    g = gateway({"auth": {"oauth": PAGES}})
    for path in (PATH, PATH + "/mcp/up"):
        doc = g.get(path).json()
        assert {k: doc.get(k) for k in PAGES} == PAGES, doc
    # they need no restart
    g.reload({"auth": {"oauth": {**dict.fromkeys(PAGES, gw.DROP)}}})
    assert not set(PAGES) & set(g.get(PATH).json())


@pytest.mark.parametrize("key, value, error", [
    ("resource_documentation", "docs.example.test", "the URL of a page"),
    ("resource_policy_uri", "ftp://example.test/", "an https:// or http://"),
    ("resource_tos_uri", "https://u:p@example.test/", "the URL of a page"),
    ("resource_name", "", "a string that is not empty"),
    ("resource_name", "x" * 257, "at most 256 bytes")])
def test_bad_pages(make_gateway, key, value, error):
    g = make_gateway({"auth": {"oauth": {key: value}}})
    rc, out = g.check()
    assert rc == gw.EX_CONFIG, out
    assert re.search(r":\d+:\d+: auth\.oauth\.%s: expected %s" % (
        key, error), out), out


def test_reserved_name(make_gateway, upstream):
    g = make_gateway({"upstreams": [{"name": "server-card",
                                     "url": upstream.url}],
                      "default_upstream": "server-card"})
    rc, out = g.check()
    assert rc == gw.EX_CONFIG and re.search(
        r":\d+:\d+: upstreams\[0\]\.name: expected another name than "
        r"server-card", out), out


# -- kept by others --------------------------------------------------------------

def test_kept_for_five_minutes(site):
    r = site.gw.get(PATH)
    assert r.header("Cache-Control") == "public, max-age=300", r
    tag = r.header("ETag")
    assert re.match(r'"[0-9a-f]{32}"\Z', tag), r
    assert site.gw.get(PATH + "/mcp/up").header("ETag") != tag
    with site.gw.client() as c:
        for seen in (tag, "W/" + tag, '"x", %s, "y"' % tag, "*",
                     ',"a,*,b" ,,W/%s' % tag):
            for method in ("GET", "HEAD"):
                n = c.request(method, PATH, {"If-None-Match": seen})
                assert n.status == 304 and n.body == b"", n
                assert n.header("ETag") == tag, n
                assert n.header("Cache-Control") == "public, max-age=300"
        for seen in ('"x"', tag.strip('"'), tag[:-2] + '"', '"a,*,b"', "W/*",
                     '*, "x"', '"x", *', '"a, %s"' % tag.strip('"'),
                     '"x" ' + tag, tag + ' "x"', "w/" + tag, '"' + tag, "",
                     '"'):
            n = c.request("GET", PATH, {"If-None-Match": seen})
            assert n.status == 200 and n.body == r.body, (seen, n)
        for seen, status in ((tag, 200), ("*", 200), ('"x",' + tag, 200),
                             ("W/" + tag, 412), ('"x"', 412), ("", 412)):
            n = c.request("GET", PATH, {"If-Match": seen})
            assert n.status == status and n.header("ETag") == tag, (seen, n)
            assert n.header("Cache-Control") == (
                "public, max-age=300" if status == 200 else "no-store"), n
        n = c.request("GET", PATH, {"If-Match": '"x"', "If-None-Match": tag})
        assert n.status == 412, n
    for other in (site.gw.get("/nope"), site.gw.get("/healthz"),
                  rawhttp.fetch(site.gw.port, "PUT", PATH)):
        assert other.header("Cache-Control") == "no-store", other


# -- nothing for those without a credential ----------------------------------------

def plain(r, name):
    """An answer without what differs between any two."""
    return (r.status, [(k, v.replace(name, "NAME")) for k, v in r.fields
                       if k not in ("X-Request-Id", "Date", "Content-Length",
                                    "ETag")],
            r.body.replace(name.encode(), b"NAME"))


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE", "PUT", "OPTIONS",
                                    "HEAD", "BREW"])
@pytest.mark.parametrize("headers", [
    (), [("Origin", proxy_site.ORIGIN)], [("Origin", "https://evil.test")],
    [("Mcp-Session-Id", "x")], [("Content-Type", "text/plain")],
    [("MCP-Protocol-Version", "1999-01-01")], [("Connection", "mcp-name")],
    [("Authorization", "Bearer")], [("Authorization", "Bearer nonsense")]])
def test_names_cannot_be_probed(site, method, headers):
    """Whether there is an upstream is not told by anything."""
    seen = [plain(bare(site.gw, "/mcp/" + n, method, headers), n)
            for n in ("two", "nosuch")]
    assert seen[0] == seen[1]
    if method == "POST" and not headers:
        assert seen[0][0] == 401


def test_documents_tell_no_names(site):
    seen = [plain(site.gw.get(PATH + "/mcp/" + n), n)
            for n in ("two", "nosuch")]
    assert seen[0] == seen[1] and seen[0][0] == 200


@pytest.mark.parametrize("auth", [True, False])
def test_readiness_tells_names_at_home(gateway, auth_server, auth):
    """Which upstreams are down: to this host, and where anybody may ask the
    upstreams themselves."""
    g = gateway({
        "upstreams": [{"name": "gone", "url":
                       "http://127.0.0.1:%d/mcp" % gw.free_port()}],
        "default_upstream": "gone", "workers": 1,
        "auth": {"enabled": auth, "oauth": {"enabled": auth}}})
    for _ in range(3):
        assert g.post(token=auth_server.mint() if auth else None).status == 502
    assert g.get("/readyz").body == b"not ready\nupstream gone: down\n"
    for field in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        r = g.get("/readyz", {field: "192.0.2.1"})
        assert r.status == 503 and (b"gone" in r.body) == (not auth), r


def test_unknown_name_with_a_credential(site):
    mark = site.gw.audit_mark()
    line = site.refused(site.ask(path="/mcp/nosuch"), mark, 404, ids=(1,))
    assert line["auth_result"] == "ok" and "upstream" not in line, line
    mark = site.gw.audit_mark()
    r = bare(site.gw, "/mcp/nosuch")
    line = site.refused(r, mark, 401, -31401, ids=(1,), action="deny")
    assert line["auth_result"] == "missing", line


def test_token_of_one_upstream_learns_no_names(gateway, auth_server):
    """What it cannot open is the same to it, whether it is there or not."""
    g = gateway({
        "upstreams": [{"name": n, "url": "http://127.0.0.1:9/mcp"}
                      for n in ("one", "two")], "default_upstream": "one",
        "auth": {"oauth": {"accept_resource_audience": True}}})
    t = auth_server.mint({"aud": gw.PUBLIC_URL + "/one"})
    assert g.post(token=t, path="/mcp/one").status == 502
    seen = [plain(g.post(token=t, path="/mcp/" + n), n)
            for n in ("two", "nosuch")]
    assert seen[0] == seen[1] and seen[0][0] == 401


@pytest.mark.parametrize("name", ['x"y', "a.b", "%75p", "x" * 65, "up/x"])
def test_what_could_be_no_name(site, name):
    """It is not put into a challenge."""
    r = bare(site.gw, "/mcp/" + name)
    assert r.status == 401 and metadata_of(r) == HOST + PATH, r


# -- malformed credentials (RFC 6750, section 3.1) -----------------------------------

@pytest.mark.parametrize("fields", [
    ["Bearer"], ["bearer   "], ["Bearer x", "Bearer y"],
    ["Bearer x", "Basic dTpw"], ["Bearer x, Bearer y"],
    ["Bearer x,y ,\tBasic dTpw"]])
def test_invalid_request(site, fields):
    mark = site.gw.audit_mark()
    r = bare(site.gw, "/mcp", headers=[("Authorization", v) for v in fields])
    assert r.status == 400, r
    assert r.header("WWW-Authenticate") == challenge("invalid_request"), r
    check_error_body(r, -32600)
    line = site.gw.audit_one(mark, r)
    assert line["auth_result"] == "invalid" and line["action"] == "deny", line
    assert site.up.heads == []


@pytest.mark.parametrize("query, refused", [
    ("access_token=x", True), ("a=b&access_token=x", True),
    ("%61ccess_token=x", True), ("a;%61%63%63ess%5Ftoken=x", True),
    ("access%5ftoken", True), ("&&access_token=", True),
    ("my_access_token=x", False), ("access_tokens=x", False),
    ("a=access_token=x", False), ("access_token%00=x", False),
    ("%2561ccess_token=x", False), ("access_toke%6", False),
    ("%access_token=x", False), ("Access_token=x", False), ("", False)])
def test_token_in_the_query(site, query, refused):
    r = site.ask(path="/mcp?" + query)
    assert r.status == (400 if refused else 200), r
    assert len(site.up.heads) == (0 if refused else 1)


@pytest.mark.parametrize("value", ["Bearer x, y", "Bearer x,", "Bearer x, ,y"])
def test_commas_of_one_credential(site, value):
    r = bare(site.gw, "/mcp", headers=[("Authorization", value)])
    assert r.status == 401 and r.header("WWW-Authenticate") == challenge(
        "invalid_token"), r


# -- empty bodies ------------------------------------------------------------------

@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("framing, body", [
    ("Content-Length: 0", b""), ("Transfer-Encoding: chunked", b"0\r\n\r\n"),
    ("Transfer-Encoding: chunked", b"000;a=b\r\nX-T: y\r\n\r\n")])
def test_empty_body(site, method, framing, body):
    """It is none for the upstream, and what follows is the next request."""
    site.up.script(fu.json_result({}))
    with site.gw.client() as c:
        c.send(site.lines([framing], method + " /mcp HTTP/1.1") + body +
               site.lines(["Content-Length: 0"], "DELETE /mcp HTTP/1.1"))
        assert c.read_response(method).status == 200
        assert c.read_response("DELETE").status == 200
        assert c.is_open()
    assert [(q.method, q.framing) for q in site.up.requests] == [
        (method, (None, None)), ("DELETE", (None, None))]


def test_body_that_is_not_empty_in_the_end(site):
    """Whatever comes first, a byte of data is one too many."""
    with site.gw.client() as c:
        c.send(site.lines(["Transfer-Encoding: chunked"],
                          "GET /mcp HTTP/1.1"))
        c.send(b"1\r\nx\r\n")
        r = c.read_response()
        assert r.status == 400 and r.header("Connection") == "close", r
        c.wait_close()
    assert site.up.heads == []


# -- the id of a request ---------------------------------------------------------------

def test_request_id_everywhere(site):
    """One id, in the answer, in the log and at the upstream."""
    mark = site.gw.audit_mark()
    site.up.script(fu.json_result({}, [("X-Request-Id", "theirs")]),
                   fu.sse([{"jsonrpc": "2.0", "id": 1, "result": {}}]))
    answers = [site.ask(), site.ask(), bare(site.gw, "/mcp"),
               site.ask(path="/mcp/nosuch"), site.ask("PUT")]
    assert [r.status for r in answers] == [200, 200, 401, 404, 405]
    ids = [r.header("X-Request-Id") for r in answers]
    assert ids == [x["request_id"] for x in site.gw.audit_lines(mark)]
    assert ids[:2] == [q.header("X-Request-Id") for q in site.up.requests]
    for r in (site.gw.get(PATH), site.gw.get("/healthz"),
              site.gw.get("/readyz"), site.gw.get("/nope")):
        ids.append(r.header("X-Request-Id"))
    with site.gw.client() as c:
        c.send(b"nonsense\r\n\r\n")
        ids.append(c.read_response().header("X-Request-Id"))
    assert len(set(ids)) == 10 and all(
        re.match(r"[0-9a-f]{32}\Z", i) for i in ids), ids


# -- traces of later versions --------------------------------------------------------

@pytest.mark.parametrize("sent, flags", [
    ("01-%s-%s-01", "01"), ("01-%s-%s-01-extra-fields", "01"),
    ("cc-%s-%s-fe-", "00"), ("fe-%s-%s-0b-x", "01")])
def test_later_traceparent(site, sent, flags):
    trace = "0af7651916cd43dd8448eb211c80319c"
    r = site.ask(headers=[("traceparent", sent % (trace, "b" * 16)),
                          ("tracestate", "v=1")])
    assert r.status == 200, r
    req, = site.up.requests
    assert re.match("00-%s-[0-9a-f]{16}-%s\\Z" % (trace, flags),
                    req.header("traceparent")), req
    assert req.header("tracestate") == "v=1", req


@pytest.mark.parametrize("bad", [
    "ff-%s-%s-01", "ff-%s-%s-01-x", "00-%s-%s-01-x", "01-%s-%s-01x",
    "0A-%s-%s-01", "01-%s-%s-0", "01_%s-%s-01"])
def test_no_traceparent(site, bad):
    trace = "0af7651916cd43dd8448eb211c80319c"
    site.ask(headers=[("traceparent", bad % (trace, "b" * 16)),
                      ("tracestate", "v=1")])
    req, = site.up.requests
    assert trace not in req.header("traceparent"), req
    assert req.headers("tracestate") == [], req
