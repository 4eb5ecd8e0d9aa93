"""The protected-resource metadata document (RFC 9728): what it says, where it
is, and where it is not."""

import pytest

import gw
import rawhttp
from judge import challenge

PATH = gw.METADATA_PATH
INSERTED = PATH + "/mcp"        # RFC 9728 section 3.1, for .../mcp


def document(r):
    assert r.status == 200, r
    assert r.header("Content-Type", "").split(";")[0] == "application/json"
    assert r.header("Access-Control-Allow-Origin") == "*", r
    return r.json()


def test_document(site):
    want = {
        "resource": gw.PUBLIC_URL,
        "authorization_servers": [site.auth.issuer],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp:read"],
    }
    assert document(site.gw.get(PATH)) == want
    assert document(site.gw.get(INSERTED)) == want


def test_needs_no_token_and_leaves_no_audit_line(site):
    mark = site.gw.audit_mark()
    for headers in ({}, {"Authorization": "Bearer nonsense"},
                    {"Origin": "https://inspector.example.test"}):
        document(site.gw.get(PATH, headers))
    # A line that did not belong there would stand before this one.
    site.gw.post()
    assert site.gw.audit_one(mark)["auth_result"] == "missing"


def test_where_the_challenge_points(site):
    """The URL of the challenge, at this gateway, is the document."""
    value = site.gw.post().header("WWW-Authenticate")
    assert value == challenge(scope="mcp:read")
    url = value.split('resource_metadata="')[1].split('"')[0]
    assert url.startswith("https://gw.example.test/")
    doc = document(site.gw.get(url[len("https://gw.example.test"):]))
    assert doc["resource"] == gw.PUBLIC_URL


def test_query_is_no_matter(site):
    document(site.gw.get(PATH + "?x=1"))


def test_head(site):
    r = rawhttp.fetch(site.gw.port, "HEAD", PATH)
    assert r.status in (200, 405), r
    if r.status == 200:
        assert r.header("Content-Length") == str(
            len(site.gw.get(PATH).body))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods(site, method):
    r = rawhttp.fetch(site.gw.port, method, PATH, {}, b"{}")
    assert r.status == 405 and "GET" in r.header("Allow", ""), r


def test_preflight(site):
    """A browser client that adds MCP-Protocol-Version asks first."""
    r = rawhttp.fetch(site.gw.port, "OPTIONS", PATH, {
        "Origin": "https://inspector.example.test",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "mcp-protocol-version"})
    assert r.status in (200, 204), r
    assert r.header("Access-Control-Allow-Origin") == "*", r


@pytest.mark.parametrize("path", [
    "/", "/.well-known", "/.well-known/", PATH + "/", PATH + "/other",
    PATH + "x", PATH.upper(), "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration", INSERTED + "/", INSERTED + "/x/y",
    INSERTED + "/x/", INSERTED + "//x", INSERTED + "/%78", INSERTED + "x",
    INSERTED + "/" + "x" * 65, PATH + "/x",
    "//.well-known/oauth-protected-resource", "/x/.." + PATH, "/mcpx",
    "/metrics"])
def test_elsewhere_404(site, path):
    assert site.gw.get(path).status == 404


def test_custom_path(gateway, auth_server, upstream):
    g = gateway({"auth": {"oauth": {"metadata_path": "/meta/data"}}})
    assert document(g.get("/meta/data"))["resource"] == gw.PUBLIC_URL
    assert g.get(PATH).status == 404
    assert g.post().header("WWW-Authenticate") == challenge(
        scope="mcp:read", metadata="https://gw.example.test/meta/data")


def test_no_required_scopes(gateway):
    for scopes in ([], gw.DROP):
        g = gateway({"auth": {"oauth": {"required_scopes": scopes}}})
        assert set(document(g.get(PATH))) == {
            "resource", "authorization_servers", "bearer_methods_supported"}
        g.stop()


def test_many_scopes_in_order(gateway):
    scopes = ["mcp:write", "a:b", "mcp:read"]
    g = gateway({"auth": {"oauth": {"required_scopes": scopes}}})
    assert document(g.get(PATH))["scopes_supported"] == scopes


@pytest.mark.parametrize("url, metadata, inserted", [
    ("https://gw.example.test", "https://gw.example.test" + PATH, PATH),
    ("https://gw.example.test/", "https://gw.example.test" + PATH, PATH),
    ("https://gw.example.test:8443/a/mcp",
     "https://gw.example.test:8443" + PATH, PATH + "/a/mcp"),
    ("https://[2001:db8::1]/mcp", "https://[2001:db8::1]" + PATH, INSERTED),
])
def test_public_url(gateway, url, metadata, inserted):
    g = gateway({"auth": {"oauth": {"public_url": url}}})
    assert document(g.get(PATH))["resource"] == url
    assert document(g.get(inserted))["resource"] == url
    assert g.post().header("WWW-Authenticate") == challenge(
        scope="mcp:read", metadata=metadata)


@pytest.mark.parametrize("auth", [True, False])
def test_oauth_disabled(gateway, auth):
    g = gateway({"auth": {"enabled": auth, "oauth": {"enabled": False}}})
    assert g.get(PATH).status == 404
    assert g.get(INSERTED).status == 404


WARNING = "oauth metadata advertises listen address"


@pytest.mark.parametrize("listen", ["0.0.0.0:%d", ":%d", "[::]:%d"])
def test_listen_address_warning(make_gateway, listen):
    g = make_gateway({"auth": {"oauth": {"public_url": gw.DROP}}})
    g.config["listen"] = listen % g.port
    g.start()
    assert WARNING in g.log()
    resource = document(g.get(PATH))["resource"]
    assert resource.startswith("http://") and \
        resource.endswith(":%d/mcp" % g.port), resource
    assert g.post().header("WWW-Authenticate") == challenge(
        scope="mcp:read", metadata=resource[:-len("/mcp")] + PATH)


def test_no_listen_address_warning(make_gateway):
    """Not when public_url is set, nor when the address is a real one, nor
    without OAuth."""
    for listen, auth in (
            (":%d", {}),
            ("127.0.0.1:%d", {"oauth": {"public_url": gw.DROP}}),
            (":%d", {"oauth": {"public_url": gw.DROP, "enabled": False}})):
        g = make_gateway({"auth": auth})
        g.config["listen"] = listen % g.port
        g.start()
        assert WARNING not in g.log()
        if auth and "enabled" not in auth["oauth"]:
            assert document(g.get(PATH))["resource"] == \
                "http://127.0.0.1:%d/mcp" % g.port
        g.stop()


def test_health(site):
    for path in ("/healthz", "/readyz"):
        assert site.gw.get(path).status == 200
