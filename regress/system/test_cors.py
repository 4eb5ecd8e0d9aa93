"""Web pages of other origins: preflights answered by the gateway alone, real
answers readable by pages of allowed origins, and nothing of what an upstream
says of origins."""

import json

import pytest

import fake_upstream as fu
import gw
import proxy_site
from proxy_site import fresh, site  # noqa: F401

ORIGIN = proxy_site.ORIGIN
ASKS = "Access-Control-Request-Headers"
MCP_FIELDS = ["Authorization", "Content-Type", "Mcp-Session-Id",
              "MCP-Protocol-Version", "Last-Event-ID", "Mcp-Method",
              "Mcp-Name"]


@pytest.fixture(scope="module")
def open_site():
    yield from proxy_site.serve({"allowed_origins": ["*"]})


def preflight(site, fields, path="/mcp", client=None, origin=ORIGIN):
    """OPTIONS as a browser sends it: without any credential."""
    pairs = [("Access-Control-Request-Method", "POST")] + list(fields)
    if origin is not None:
        pairs.insert(0, ("Origin", origin))
    if client is not None:
        return client.request("OPTIONS", path, pairs)
    with site.gw.client() as c:
        return c.request("OPTIONS", path, pairs)


def tokens(r, name):
    return [t.strip().lower() for t in r.header(name, "").split(",")]


def readable(r, origin=ORIGIN):
    """A page of this origin, and it only, may read the answer."""
    assert r.header("Access-Control-Allow-Origin") == origin, r
    assert [v.lower() for v in r.headers("Vary")].count("origin") == 1, r
    exposed = tokens(r, "Access-Control-Expose-Headers")
    for name in ("mcp-session-id", "www-authenticate"):
        assert exposed.count(name) == 1, r
    assert r.headers("Access-Control-Allow-Credentials") == [], r


def closed(r):
    assert not [n for n, _ in r.fields
                if n.lower().startswith("access-control-")], r


# -- preflights --------------------------------------------------------------

@pytest.mark.parametrize("origin", [
    ORIGIN, ORIGIN.upper(), "https://gw.example.test"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/two", "/mcp?x=y"])
def test_preflight(site, path, origin):
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        r = preflight(site, [(ASKS, "authorization,content-type")], path, c,
                      origin)
        assert r.status == 204 and r.framing == "none", r
        assert r.headers("Content-Length") == [], r
        readable(r, origin)
        assert tokens(r, "Access-Control-Allow-Methods") == [
            "get", "post", "delete"], r
        allowed = tokens(r, "Access-Control-Allow-Headers")
        for name in MCP_FIELDS:
            assert name.lower() in allowed, r
        assert int(r.header("Access-Control-Max-Age")) > 0, r
        assert r.headers("WWW-Authenticate") == [], r
        line = site.gw.audit_one(mark)
        assert (line["action"], line["method"], line["status"]) == (
            "allow", "OPTIONS", 204), line
        assert line["auth_result"] is None, line
        # the connection goes on with what it was for
        r = site.ask(client=c, headers={"Origin": origin})
        assert r.status == 200, r
        readable(r, origin)
    assert [q.method for q in site.up.requests + site.two.requests] == [
        "POST"]


def test_preflight_with_a_token(site):
    """It is neither looked at nor passed on."""
    for token in (site.token, "x.y.z"):
        r = preflight(site, [("Authorization", "Bearer " + token)])
        assert r.status == 204, r
    assert site.up.heads == []


@pytest.mark.parametrize("asked", [
    ["mcp-param-region"], ["x-a, x-b,x-c"], ["x-a", "x-b"],
    ["x-a,,x-b"], [" \t x-a"], ["x!#$%&'*+-.^_`|~9"]])
def test_preflight_asks(site, asked):
    r = preflight(site, [(ASKS, a) for a in asked])
    assert r.status == 204, r
    allowed = tokens(r, "Access-Control-Allow-Headers")
    for name in ",".join(asked).split(","):
        if name.strip():
            assert name.strip() in allowed, r
    assert "" not in allowed, r


@pytest.mark.parametrize("asked", [
    "x-a;q=1", "x a", "x-a: b", "<script>", "\"x-a\"", "x-\xe9", "x-a,b/c",
    "(x-a)"])
def test_preflight_asks_what_is_no_list(site, asked):
    """Nothing of it comes back."""
    r = preflight(site, [(ASKS, asked)])
    assert r.status == 204, r
    name = "Access-Control-Allow-Headers"
    assert r.header(name) == preflight(site, []).header(name), r


@pytest.mark.parametrize("origin", [
    "https://evil.test", "null", "", "http://app.example.test",
    ORIGIN + "/", ORIGIN + ":8443", ORIGIN + ".evil.test",
    ORIGIN + ", https://evil.test"])
def test_preflight_of_a_foreign_origin(site, origin):
    mark = site.gw.audit_mark()
    r = preflight(site, [], origin=origin)
    site.refused(r, mark, 403, -31403, action="deny")
    closed(r)
    assert site.up.heads == []


def test_preflight_of_two_origins(site):
    mark = site.gw.audit_mark()
    r = preflight(site, [("Origin", ORIGIN)])
    site.refused(r, mark, 403, -31403, action="deny")
    closed(r)


def test_options_without_origin(site):
    mark = site.gw.audit_mark()
    r = preflight(site, [], origin=None)
    site.refused(r, mark, 405)
    assert r.header("Allow") == "GET, POST, DELETE", r
    closed(r)


def test_preflight_of_what_is_not_there(site):
    """A preflight has no credential: it learns no names."""
    r = preflight(site, [], "/mcp/nope")
    assert r.status == 204, r
    r = preflight(site, [], "/nope")
    assert r.status == 404, r
    closed(r)
    assert site.up.heads == []


def test_preflight_with_a_body(site):
    """What follows is no body of the upstream's and no request."""
    inner = site.lines(["Content-Length: 0"])
    with site.gw.client() as c:
        c.send(c.build("OPTIONS", "/mcp", [("Origin", ORIGIN)], inner))
        r = c.read_response("OPTIONS")
        assert r.status in (204, 400), r
        assert site.ask(client=c).status == 200
    assert [q.id for q in site.up.requests] == [1]


# -- answers -----------------------------------------------------------------

def test_answers_of_the_upstream(site):
    """One origin, whatever the upstream says of origins."""
    site.up.answer = fu.json_result({}, [
        ("Access-Control-Allow-Origin", "*"),
        ("access-control-allow-origin", "https://evil.test"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", "X-Quota, x-more"),
        ("Access-Control-Expose-Headers", "X-<b>"),
        ("Access-Control-Max-Age", "1"), ("X-Quota", "7"),
        ("Vary", "Accept")])
    r = site.ask(headers={"Origin": ORIGIN})
    assert r.status == 200, r
    readable(r)
    exposed = tokens(r, "Access-Control-Expose-Headers")
    assert "x-quota" in exposed and "x-more" in exposed, r
    assert "<" not in r.header("Access-Control-Expose-Headers"), r
    assert r.headers("Access-Control-Max-Age") == [], r
    assert "Accept" in r.headers("Vary") and r.header("X-Quota") == "7", r
    # no page asked: none is told anything
    r = site.ask()
    assert r.status == 200, r
    closed(r)


@pytest.mark.parametrize("vary", ["Origin", "accept, ORIGIN", "*"])
def test_vary_once(site, vary):
    site.up.script(fu.json_result({}, [("Vary", vary)]))
    r = site.ask(headers={"Origin": ORIGIN})
    assert r.headers("Vary") == [vary], r


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_answers_of_every_method(site, method):
    with site.gw.client() as c:
        body = json.dumps(gw.rpc()).encode() if method == "POST" else None
        c.send(c.build(method, "/mcp", site.headers({"Origin": ORIGIN}),
                       body))
        readable(c.read_head(method))


def test_stream(site):
    site.up.script(fu.sse([{"n": 1}]))
    r = site.ask(headers={"Origin": ORIGIN})
    assert r.header("Content-Type") == "text/event-stream", r
    readable(r)


def test_refusals(site):
    """A page must see why: most of all the challenge."""
    o = {"Origin": ORIGIN}
    cases = [
        (site.gw.post(gw.rpc(), headers=o), 401),
        (site.ask(body=b"{", headers=o), 400),
        (site.ask("PUT", headers=o), 405),
        (site.ask(path="/mcp/nope", headers=o), 404),
        (site.ask(headers=dict(o, **{"MCP-Protocol-Version": "1"})), 400),
        (site.ask("GET", body=b"x", headers=o), 400),
    ]
    site.up.script(fu.status(401))
    cases.append((site.ask(headers=o), 502))
    for r, status in cases:
        assert r.status == status, r
        readable(r)
    assert cases[0][0].header("WWW-Authenticate"), cases[0][0]


def test_refusals_of_foreign_origins(site):
    closed(site.ask(headers={"Origin": "https://evil.test"}))
    closed(site.gw.post(gw.rpc(), headers={"Origin": "https://evil.test"}))


# -- any origin --------------------------------------------------------------

@pytest.mark.parametrize("origin", [
    "https://anything.test:99", "null", "vscode-webview://0abc",
    "http://[::1]:3000"])
def test_any_origin(open_site, origin):
    """Named itself, never by a star."""
    r = preflight(open_site, [(ASKS, "x-a")], origin=origin)
    assert r.status == 204, r
    readable(r, origin)
    r = open_site.ask(headers={"Origin": origin})
    assert r.status == 200, r
    readable(r, origin)


@pytest.mark.parametrize("origin", [
    "", "https://a.test https://b.test", "https://a.test, https://b.test",
    "https://a\tb.test", "https://\xe9.test"])
def test_any_origin_but_no_nonsense(open_site, origin):
    mark = open_site.gw.audit_mark()
    r = open_site.ask(headers={"Origin": origin})
    open_site.refused(r, mark, 403, -31403, (1,), action="deny")
    closed(r)


def test_pipelined_preflight(site):
    """A preflight and what it is for, at once."""
    body = json.dumps(gw.rpc(id=3)).encode()
    with site.gw.client() as c:
        c.send(c.build("OPTIONS", "/mcp", [("Origin", ORIGIN)]) +
               site.lines(["Content-Length: %d" % len(body),
                           "Origin: " + ORIGIN]) + body)
        assert c.read_response("OPTIONS").status == 204
        r = c.read_response()
        assert r.status == 200 and r.json()["id"] == 3, r
        assert c.is_open()


def test_old_client(site):
    """HTTP/1.0: the same answer, and its end is the connection's."""
    with site.gw.client() as c:
        c.send(b"OPTIONS /mcp HTTP/1.0\r\nOrigin: %s\r\n\r\n" %
               ORIGIN.encode())
        r = c.read_response("OPTIONS")
        assert r.status == 204 and r.header("Connection") == "close", r
        readable(r)
        c.wait_close()


@pytest.mark.parametrize("host,origin,ok", [
    ("localhost:%d", "http://localhost:%d", True),
    ("127.0.0.1:%d", "http://127.0.0.1:%d", True),
    ("[::1]:%d", "http://[::1]:%d", True),
    # a rebound name, another port, another name, another scheme
    ("evil.test:%d", "http://evil.test:%d", False),
    ("localhost:%d", "http://localhost:1%d", False),
    ("localhost:%d", "http://127.0.0.1:%d", False),
    ("localhost:%d", "https://localhost:%d", False),
    ("localhost.evil:%d", "http://localhost.evil:%d", False)])
def test_own_loopback_origin(gateway, host, origin, ok):
    """A page that this gateway's own address names, without configuration."""
    g = gateway({"auth": {"enabled": False, "oauth": {"enabled": False}}})
    r = g.post(headers=[("Host", host % g.port),
                        ("Origin", origin % g.port)])
    assert r.status == (200 if ok else 403), r
