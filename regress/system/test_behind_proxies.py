"""What proxies before the gateway say, what upstreams are told of it, and by
which names the gateway answers."""

import json

import pytest

import proxy_site
from gw import rpc

REBOUND = "attacker.example"
JSON = [("Content-Type", "application/json")]


# -- X-Forwarded-*, Forwarded --------------------------------------------------

@pytest.fixture(scope="module")
def trusting():
    yield from proxy_site.serve({"trusted_proxies": ["127.0.0.1",
                                                     "10.0.0.0/8"]})


@pytest.fixture(scope="module")
def trustless():
    yield from proxy_site.serve({})


SAID = [("X-Forwarded-For", "192.0.2.7, 10.0.0.2"),
        ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "8443"),
        ("X-Forwarded-Host", "mcp.example"),
        ("Forwarded", 'for=6.6.6.6, for=192.0.2.7;host="mcp.example", '
         'for="10.0.0.2:17"')]


def told(site, headers):
    site.fresh()
    assert site.ask(headers=headers).status == 200
    req, = site.up.requests
    return {n: req.headers(n) for n in (
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port",
        "X-Forwarded-Host", "Forwarded")}


def test_a_trusted_proxy_is_believed(trusting):
    mark = trusting.gw.audit_mark()
    t = told(trusting, SAID)
    assert t == {
        "X-Forwarded-For": ["192.0.2.7"], "X-Forwarded-Proto": ["https"],
        "X-Forwarded-Port": ["8443"], "X-Forwarded-Host": ["mcp.example"],
        "Forwarded": ['for=192.0.2.7;host="mcp.example", '
                      'for="10.0.0.2:17"']}, t
    assert trusting.gw.audit_one(mark)["client_ip"] == "192.0.2.7"


def test_forwarded_alone(trusting):
    mark = trusting.gw.audit_mark()
    t = told(trusting, SAID[-1:])
    assert t["X-Forwarded-For"] == ["192.0.2.7"]
    assert t["X-Forwarded-Proto"] == ["http"]
    assert trusting.gw.audit_one(mark)["client_ip"] == "192.0.2.7"
    # one that the client made up, past a proxy that writes the other
    t = told(trusting, [("X-Forwarded-For", "192.0.2.8"), SAID[-1]])
    assert t["X-Forwarded-For"] == ["192.0.2.8"] and not t["Forwarded"], t
    # twice: nobody knows which is the proxy's
    t = told(trusting, SAID[1:2] * 2)
    assert t["X-Forwarded-Proto"] == ["http"], t


def test_others_are_not(trustless):
    mark = trustless.gw.audit_mark()
    t = told(trustless, SAID)
    assert t == {"X-Forwarded-For": ["127.0.0.1"],
                 "X-Forwarded-Proto": ["http"], "X-Forwarded-Port": [],
                 "X-Forwarded-Host": t["X-Forwarded-Host"],
                 "Forwarded": []}, t
    assert "mcp.example" not in t["X-Forwarded-Host"]
    assert trustless.gw.audit_one(mark)["client_ip"] == "127.0.0.1"


# -- upstreams[].headers and host ---------------------------------------------

def test_an_upstream_gets_what_it_wants(gateway, auth_server, upstream):
    g = gateway({"upstreams": [{
        "name": "up", "url": upstream.url, "host": "mcp.internal:8080",
        "headers": {"Origin": "https://gw.example",
                    "X-Forwarded-Proto": "https", "x-forwarded-host": "a.b",
                    "X-Forwarded-For": "0.0.0.0", "Forwarded": "for=_gw"},
        "health": {"path": "/health", "interval": "1s"}}],
        "allowed_origins": ["https://page.example"]})
    r = g.post(rpc(), auth_server.mint(),
               [("Origin", "https://page.example")])
    assert r.status == 200, r
    req = [r for r in upstream.requests if r.method == "POST"][-1]
    for name, value in (("Host", "mcp.internal:8080"),
                        ("Origin", "https://gw.example"),
                        ("X-Forwarded-Proto", "https"),
                        ("X-Forwarded-Host", "a.b"),
                        ("X-Forwarded-For", "0.0.0.0"),
                        ("Forwarded", "for=_gw")):
        assert req.headers(name) == [value], req
    probe = upstream.wait_request(lambda r: r.target == "/health")
    assert probe.headers("Host") == ["mcp.internal:8080"]


@pytest.mark.parametrize("up,error", [
    ({"host": "a/b"}, r"upstreams[0].host: expected HOST or HOST:PORT"),
    ({"host": "a b"}, r"upstreams[0].host: expected HOST or HOST:PORT"),
    ({"headers": {"Host": "a"}}, "a header field that the gateway does not "
     "set itself"),
    ({"headers": {"X-Mcpgw-Subject": "a"}}, "a header field that the gateway "
     "does not set itself")])
def test_what_it_cannot_have(make_gateway, up, error):
    rc, out = make_gateway({"upstreams": [
        {"name": "up", "url": "http://127.0.0.1:9/mcp", **up}]}).check()
    assert rc == 78 and error in out, out


# -- Host ---------------------------------------------------------------------

def ask(g, method, path, host, origin=None):
    headers = [("Host", host), *JSON] + \
        ([("Origin", origin)] if origin else [])
    body = json.dumps(rpc()).encode() if method == "POST" else None
    with g.client() as c:
        r = c.request(method, path, headers, body)
    return r.status


def test_rebinding(gateway, upstream):
    """A page whose name was bent to the loopback shows no Origin on GET."""
    g = gateway({"auth": {"enabled": False, "oauth": {"enabled": False}}})
    mark = g.audit_mark()
    for method, path in (("GET", "/mcp"), ("POST", "/mcp"),
                         ("POST", "/mcp/up"), ("GET", "/mcp/none"),
                         ("DELETE", "/mcp"), ("OPTIONS", "/mcp"),
                         ("GET", "/readyz")):
        assert ask(g, method, path, REBOUND) == 421, (method, path)
        assert ask(g, method, path, "127.0.0.1.nip.example") == 421
    lines = g.audit_lines(mark)
    assert len(lines) == 12 and {x["action"] for x in lines} == {"deny"}
    assert {x["error"] for x in lines} == {"host not allowed"}
    assert not upstream.requests
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:%d" % g.port,
                 "127.9.9.9", "[::1]:80", "app.localhost.",
                 "gw.example.test:443"):
        assert ask(g, "POST", "/mcp", host) == 200, host
    assert ask(g, "GET", "/healthz", REBOUND) == 200
    # what is allowed by its own list
    g.reload({"allowed_hosts": ["mcp.internal"]})
    assert ask(g, "POST", "/mcp", "mcp.internal:99") == 200
    assert ask(g, "POST", "/mcp", REBOUND) == 421
    g.reload({"allowed_hosts": ["*"]})
    assert ask(g, "POST", "/mcp", REBOUND) == 200


def test_a_credential_is_enough(gateway):
    """No page has one; but a list of names holds for all."""
    g = gateway()
    assert ask(g, "POST", "/mcp", REBOUND) == 401
    g.reload({"allowed_hosts": ["mcp.internal"]})
    assert ask(g, "POST", "/mcp", REBOUND) == 421


def test_host_configuration(make_gateway):
    for value, where in (("mcp.internal:80", 0), ("a/b", 0), ("", 0)):
        rc, out = make_gateway({"allowed_hosts": [value]}).check()
        assert rc == 78 and 'allowed_hosts[%d]: expected HOST or "*"' % \
            where in out, out
    assert make_gateway({"allowed_hosts": ["[::1]", "Mcp.Internal"]}
                        ).check()[0] == 0


def test_empty_elements_are_no_work(gateway):
    """A few are ignored (RFC 9110, section 5.6.1); 16 KiB of them are not
    looked at for anybody."""
    g = gateway()
    for commas, status in ((50, 401), (16000, 400)):
        assert g.post(rpc(), headers=[("Connection", "," * commas)]
                      ).status == status
