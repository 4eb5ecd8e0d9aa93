"""What tokens of real authorization servers look like, which of them are no
access tokens, whose audience is whose, and how long a stream may live by
one."""

import json
import queue
import time
import types

import pytest

import fake_upstream as fu
import gw
import rawhttp
import tokens
from fake_upstream import Upstream
from judge import judge
from test_keys import argon2

RESOURCE = gw.PUBLIC_URL


def now():
    return int(time.time())


def refused(site, claims, result="invalid", why=None, header=None, **kw):
    v = judge(site, site.auth.mint(claims, header=header)).refused(
        result, **kw)
    assert v.line["error"] and (why is None or why in v.line["error"]), v.line
    return v


# -- tokens that are no access tokens ------------------------------------------

@pytest.mark.parametrize("claims", [
    {"at_hash": "x"}, {"c_hash": "x"}, {"s_hash": "x"}, {"at_hash": 1},
    {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
    {"typ": "ID"}, {"typ": "Refresh"}, {"typ": "Offline"}, {"typ": "Logout"},
    {"typ": "id"}, {"typ": ""}, {"token_use": "id"}, {"token_use": "refresh"}])
def test_other_kinds_of_tokens(site, claims):
    refused(site, claims, why=list(claims)[0])


@pytest.mark.parametrize("claims", [
    {"typ": "Bearer"}, {"typ": "bearer"}, {"typ": "at+jwt"},
    {"token_use": "access"}, {"nonce": "n-0S6"}, {"auth_time": 1, "acr": "1"}])
def test_signs_of_access_tokens(site, claims):
    judge(site, site.auth.mint(claims, header={"typ": "JWT"})).admitted()


@pytest.mark.parametrize("typ", ["logout+jwt", "id+jwt", "dpop+jwt",
                                 "secevent+jwt", "JOSE", "", 7])
def test_typ_of_the_header(site, typ):
    refused(site, {}, why="typ", header={"typ": typ})


@pytest.mark.parametrize("claims", [
    {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    {"cnf": {"x5t#S256": "x"}}, {"cnf": {}}, {"typ": "DPoP"}])
def test_bound_tokens(site, claims):
    v = refused(site, claims, "unbound", client_id="agent-7")
    assert "cnf" in v.line["error"]


# -- null is absent ------------------------------------------------------------

def raw(site, over, header=None):
    """A token whose members may be null."""
    key = site.auth.keys[-1]
    h = json.dumps(dict({"alg": key.default_alg, "kid": key.kid},
                        **(header or {})))
    return tokens.mint(key, claims=json.dumps(site.auth.claims(**over)),
                       header=h)


def test_null_members_are_absent(site):
    judge(site, raw(site, {"azp": None, "nbf": None, "scp": None, "cnf": None,
                           "at_hash": None, "typ": None, "sub": None},
                    {"typ": None, "crit": None})).admitted()
    judge(site, raw(site, {}, {"kid": None})).admitted()
    judge(site, raw(site, {"client_id": None, "azp": "c2"})).admitted("c2")
    for claim, result in (("exp", "invalid"), ("aud", "bad_audience"),
                          ("iss", "bad_issuer"),
                          ("scope", "insufficient_scope")):
        judge(site, raw(site, {claim: None})).refused(result)
    judge(site, raw(site, {}, {"alg": None})).refused("invalid")


def test_nul_does_not_make_two_one(site):
    for claim in ("sub", "client_id"):
        judge(site, raw(site, {claim: "a\0b"})).refused("invalid")


# -- numbers -------------------------------------------------------------------

@pytest.mark.parametrize("exp", ["1e15", "1e16", "9007199254740993",
                                 "9223372036854775808", "1e300", "1e999",
                                 "1" + "0" * 80, "99999999999.5"])
def test_far_exp(site, exp):
    """Far in the future, however it is written, and in the cache too."""
    key = site.auth.keys[-1]
    t = tokens.mint(key, claims=json.dumps(site.auth.claims(
        exp=0)).replace('"exp": 0', '"exp": ' + exp))
    judge(site, t).admitted()
    judge(site, t).admitted()


@pytest.mark.parametrize("claim, value, result", [
    ("nbf", "1e16", "not_yet_valid"), ("iat", "1e999", "not_yet_valid"),
    ("exp", "-1e999", "expired"), ("exp", "-1" + "0" * 80, "expired"),
    ("exp", "0", "expired"), ("exp", "1e-999", "expired")])
def test_far_times(site, claim, value, result):
    key = site.auth.keys[-1]
    judge(site, tokens.mint(key, claims=json.dumps(site.auth.claims(
        **{claim: -77})).replace("-77", value))).refused(result)


# -- limits, by name -----------------------------------------------------------

def test_limits_are_named(make_gateway, auth_server, upstream):
    for _ in range(9):
        auth_server.add_key()
    g = make_gateway({"limits": {"max_header": "64KiB"}}).start()
    s = types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)
    t = auth_server.mint({"pad": "x" * 13000})
    v = judge(s, t).refused("invalid")
    assert "16384 bytes" in v.line["error"]
    v = judge(s, auth_server.mint(key=tokens.Key.make("ec256"),
                                  header={"kid": None}))
    v.refused("bad_signature")
    assert "8 keys" in v.line["error"]
    long = b"HTTP/1.1 200 OK\r\nMcp-Session-Id: %s\r\nContent-Type: " \
        b"application/json\r\nContent-Length: 2\r\n\r\n{}" % (b"s" * 1025)
    upstream.script(lambda c, r: c.send(long))
    mark = g.audit_mark()
    assert g.post(token=auth_server.mint()).status == 502
    assert "1024 bytes" in g.audit_one(mark)["error"]


def test_reason_is_in_the_debug_log(make_gateway, auth_server, upstream):
    g = make_gateway().start("-v")
    s = types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)
    pos = g.log_mark()
    v = judge(s, auth_server.mint({"sub": 7})).refused("invalid")
    g.wait_log(r"request %s: credential refused, invalid: sub is not a string" %
               v.line["request_id"], pos)
    v = judge(s, "opaque").refused("invalid")
    assert "nor shaped like a JWT" in v.line["error"], v.line


# -- configured claims ---------------------------------------------------------

def own(gateway, auth_server, upstream, oauth, **kw):
    g = gateway({"auth": {"oauth": oauth}, **kw})
    return types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)


def test_shapes_of_vendors(site):
    """Claims as these servers make them, with the defaults."""
    a = site.auth
    gone = {"client_id": None, "scope": None, "jti": None}
    judge(site, a.mint({    # Okta, custom authorization server
        **gone, "ver": 1, "cid": "0oa1", "uid": "00u1",
        "scp": ["mcp:read", "openid"], "auth_time": now(), "sub": "a@b"},
        header={"typ": None})).admitted("0oa1", "mcp:read openid")
    judge(site, a.mint({    # Entra v2, delegated
        **gone, "azp": "6731", "azpacr": "0", "scp": "mcp:read",
        "ver": "2.0", "oid": "x", "tid": "y", "uti": "z", "rh": "1."},
        header={"typ": "JWT"})).admitted("6731")
    judge(site, a.mint({    # Entra v1
        **gone, "appid": "6731", "appidacr": "0", "scp": "mcp:read",
        "ver": "1.0"}, header={"typ": "JWT"})).admitted("6731")
    judge(site, a.mint({    # Auth0
        **gone, "azp": "cl1", "gty": "client-credentials",
        "aud": ["mcpgw-prod", "https://t.auth0.com/userinfo"],
        "scope": "openid mcp:read", "permissions": ["x:y"]},
        header={"typ": "JWT"})).admitted("cl1", "openid mcp:read")
    judge(site, a.mint({    # Keycloak
        **gone, "typ": "Bearer", "azp": "agent", "nonce": "n",
        "aud": ["mcpgw-prod", "account"], "scope": "mcp:read profile",
        "realm_access": {"roles": ["a"]}, "resource_access": {}},
        header={"typ": "JWT"})).admitted("agent", "mcp:read profile")
    judge(site, a.mint({"scope": "mcp:read a", "scp": ["a", "b"]})).admitted(
        scopes="mcp:read a b")


def test_client_claims(gateway, auth_server, upstream):
    s = own(gateway, auth_server, upstream, {
        "client_claims": ["azp", "https://acme.test/c.id", "act.client"]})
    a = auth_server
    judge(s, a.mint({"azp": "z"})).admitted("z")
    judge(s, a.mint({"https://acme.test/c.id": "u",
                     "act": {"client": "t"}})).admitted("u")
    judge(s, a.mint({"act": {"client": "\u0061\"b"}})).admitted("a\"b")
    v = judge(s, a.mint({"act": {}}))
    assert v.r.status == 200 and not v.line["oauth_client_id"]
    for act in (7, {"client": 7}, "x"):
        refused(s, {"act": act}, why="client_claims")


def test_scope_claims(gateway, auth_server, upstream):
    s = own(gateway, auth_server, upstream, {
        "scope_claims": ["scope", "roles", "permissions",
                         "realm_access.roles"]})
    a = auth_server
    no = {"scope": None}
    judge(s, a.mint({**no, "roles": ["mcp:read"]})).admitted()
    judge(s, a.mint({**no, "roles": "mcp:read"})).admitted()
    judge(s, a.mint({"scope": "openid", "permissions": ["mcp:read"]})
          ).admitted(scopes="openid mcp:read")
    judge(s, a.mint({"scope": "openid", "realm_access": {
        "roles": ["mcp:read", "openid", "Site Admin"]}})).admitted(
        scopes="openid mcp:read")
    # a role with a space in it is not two, and scp is not asked here
    for claims in ({"roles": ["x mcp:read"]}, {"scp": "mcp:read"},
                   {"realm_access": {}}):
        judge(s, a.mint({**no, **claims})).refused("insufficient_scope")
    for claims in ({"roles": 7}, {"permissions": [7]},
                   {"realm_access": "mcp:read"},
                   {"realm_access": {"roles": {}}}):
        refused(s, claims, why="scope_claims")


def test_require_typ(gateway, auth_server, upstream):
    s = own(gateway, auth_server, upstream, {"require_typ": ["at+jwt"]})
    for typ in ("at+jwt", "AT+JWT", "application/at+jwt"):
        judge(s, auth_server.mint(header={"typ": typ})).admitted()
    for typ in ("JWT", None):
        refused(s, {}, why="typ", header={"typ": typ})


# -- audiences -----------------------------------------------------------------

def test_several_audiences(gateway, auth_server, upstream):
    s = own(gateway, auth_server, upstream, {"audience": ["one", "two"]})
    for aud in ("one", "two", ["x", "two"], ["one", RESOURCE]):
        judge(s, auth_server.mint({"aud": aud})).admitted()
    for aud in ("mcpgw-prod", "one two", RESOURCE, RESOURCE + "/up"):
        refused(s, {"aud": aud}, "bad_audience")


def test_cognito(gateway, auth_server, upstream):
    """No aud in the access token; the client's id as aud in the ID token."""
    a = auth_server
    s = own(gateway, a, upstream, {
        "audience": ["1example23"], "accept_resource_audience": True,
        "audience_claims": ["aud", "client_id"]})
    cognito = {"aud": None, "client_id": "1example23", "version": 2,
               "token_use": "access", "username": "u"}
    judge(s, a.mint(cognito)).admitted("1example23")
    refused(s, {**cognito, "client_id": "other"}, "bad_audience")
    # a client may be called by any URL, a token with aud is for that alone
    refused(s, {**cognito, "client_id": RESOURCE}, "bad_audience")
    refused(s, {**cognito, "aud": "other"}, "bad_audience")
    refused(s, {**cognito, "aud": "1example23", "token_use": "id"})


def test_client_id_is_no_audience(site):
    refused(site, {"aud": None, "client_id": "mcpgw-prod"}, "bad_audience")


def two_upstreams(gateway, auth_server, upstream, oauth):
    other = Upstream()
    s = own(gateway, auth_server, upstream, oauth, upstreams=[
        {"name": "up", "url": upstream.url},
        {"name": "other", "url": other.url}], default_upstream="up")
    return s, other


def opens(s, token):
    return [s.gw.post(token=token, path=p).status
            for p in ("/mcp", "/mcp/up", "/mcp/other")]


def test_resource_is_an_audience(gateway, auth_server, upstream):
    """RFC 8707: what the metadata call the resource opens everything; the
    resource that one upstream is opens that one."""
    s, other = two_upstreams(gateway, auth_server, upstream,
                             {"audience": gw.DROP})
    a = auth_server
    with other:
        assert opens(s, a.mint({"aud": RESOURCE})) == [200, 200, 200]
        t = a.mint({"aud": RESOURCE + "/other"})
        for _ in range(2):      # judged, and out of the cache
            assert opens(s, t) == [401, 401, 200]
        assert opens(s, a.mint({"aud": [RESOURCE + "/up"]})) == [200, 200, 401]
        # as clients find it
        doc = s.gw.get(gw.METADATA_PATH + "/mcp/other").json()
        assert opens(s, a.mint({"aud": doc["resource"]})) == [401, 401, 200]
        assert opens(s, a.mint({"aud": [RESOURCE + "/up", "x",
                                        RESOURCE + "/other"]})) == [
            200, 200, 200]
        mark = s.gw.audit_mark()
        r = s.gw.post(token=t, path="/mcp/up")
        line = s.gw.audit_one(mark)
        assert r.status == 401 and line["auth_result"] == "bad_audience"
        assert "another upstream" in line["error"]
        assert line["oauth_client_id"] == "agent-7"
        for aud in (RESOURCE + "/", RESOURCE + "/none", RESOURCE + "/othe",
                    "https://gw.example.test/", "mcpgw-prod",
                    RESOURCE.upper()):
            refused(s, {"aud": aud}, "bad_audience")


def test_resource_beside_an_audience(gateway, auth_server, upstream):
    s, other = two_upstreams(gateway, auth_server, upstream,
                             {"accept_resource_audience": True})
    with other:
        for aud in ("mcpgw-prod", RESOURCE, ["mcpgw-prod",
                                             RESOURCE + "/other"]):
            assert opens(s, auth_server.mint({"aud": aud})) == [200] * 3


# -- streams and their credential ----------------------------------------------

LISTEN = ("POST", [("MCP-Protocol-Version", "2026-07-28"),
                   ("Mcp-Method", "subscriptions/listen")],
          json.dumps(gw.rpc("subscriptions/listen", 4)).encode())
GET = ("GET", [], None)
POST = ("POST", [], json.dumps(gw.call()).encode())


def opened(g, upstream, token, how, feed=None):
    """A client with an event stream open."""
    method, headers, body = how
    upstream.script(fu.sse_open(feed=feed))
    c = g.client()
    h = g.headers(token, headers)
    if body is None:
        h = [f for f in h if f[0] != "Content-Type"]
    c.send(c.build(method, "/mcp", h, body))
    assert c.read_head(method).status == 200
    return c


def ends(c, since, how=GET):
    """Cleanly, whatever comes before: when, by the clock."""
    data = c.read_body(10).replace(b":\n\n", b"")
    if how is LISTEN:           # has a result
        data, _, result = data.rpartition(b"event: message\n")
        assert b'"id":4,"result":' in result, result
    assert data == since, data
    return time.time()


def test_streams_end_with_their_token(gateway, auth_server, upstream):
    g = gateway({"auth": {"oauth": {"leeway": "1s"}}})
    exp = now() + 2
    t = auth_server.mint({"exp": exp})
    g.post(token=t)
    mark = g.audit_mark()
    feed = queue.Queue()
    cs = [opened(g, upstream, t, GET), opened(g, upstream, t, LISTEN),
          opened(g, upstream, t, POST, feed)]
    try:
        for c, how in zip(cs, (GET, LISTEN)):
            at = ends(c, b"", how)
            assert exp + 0.9 < at < exp + 3, at - exp
        # what was asked in time is answered
        answer = fu.event({"jsonrpc": "2.0", "id": 1, "result": {}})
        feed.put(answer)
        feed.put(None)
        ends(cs[2], answer)
        # the connections are as good as before
        r = g.post(token=auth_server.mint(), client=cs[0])
        assert r.status == 200
    finally:
        for c in cs:
            c.close()
    lines = {l["method"]: l for l in g.audit(n=4, since=mark)}
    for m in ("GET", "subscriptions/listen"):
        assert lines[m]["action"] == "allow", lines
        assert "expired" in lines[m]["error"], lines
    assert "error" not in lines["tools/call"], lines


def test_streams_end_with_their_key(gateway, auth_server, upstream):
    key = "k" * 40
    end = now() + 3
    g = gateway({"auth": {"keys": [{
        "id": "soon", "scopes": ["*"], "hash": argon2(key),
        "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                    time.gmtime(end))}]}})
    with opened(g, upstream, key, GET) as c:
        at = ends(c, b"")
    assert end - 0.1 < at < end + 2, at - end


@pytest.mark.parametrize("how", [GET, LISTEN, POST])
def test_stream_total(gateway, auth_server, upstream, how):
    g = gateway({"timeouts": {"stream_total": "700ms"}})
    mark = g.audit_mark()
    began = time.monotonic()
    event = fu.event({"jsonrpc": "2.0", "method": "notifications/x"})
    feed = queue.Queue()
    feed.put(event)
    with opened(g, upstream, auth_server.mint(), how, feed) as c:
        up = upstream.wait_request().conn
        ends(c, event, how)
        assert 0.6 < time.monotonic() - began < 5
        assert up.peer_closed.wait(5)
        # cleanly: the connection serves on
        assert g.post(token=auth_server.mint(), client=c).status == 200
    line = g.audit(lambda l: l["method"] != "tools/list", since=mark)[0]
    assert line["action"] == ("aborted" if how is POST else "allow"), line
    assert line["error"] == "timeouts.stream_total"


@pytest.mark.parametrize("rest", [True, False])
def test_stream_ends_behind_an_event(gateway, auth_server, upstream, rest):
    """What has begun to come is not cut, unless it takes for ever."""
    g = gateway({"timeouts": {"stream_total": "200ms"}})
    event = fu.event({"jsonrpc": "2.0", "method": "notifications/x"})

    def answer(conn, req):
        conn.send(fu.SSE_HEAD + fu.chunk(event[:9]))
        if rest:
            conn.pause(0.5)
            conn.send(fu.chunk(event[9:]))
        conn.wait_peer_close()
        conn.close()
    upstream.script(answer)
    with g.client() as c:
        c.send(c.build("GET", "/mcp", [
            ("Accept", "text/event-stream"),
            ("Authorization", "Bearer " + auth_server.mint())]))
        assert c.read_head("GET").status == 200
        ends(c, event if rest else event[:9])


def test_end_of_a_counted_stream(gateway, auth_server, upstream):
    """Where the length was promised, the connection must not go on."""
    g = gateway({"timeouts": {"stream_total": "300ms"}})
    upstream.script(lambda conn, req: (conn.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Content-Length: 1000\r\n\r\n:\n\n"), conn.wait_peer_close(),
        conn.close()))
    with g.client() as c:
        c.send(c.build("GET", "/mcp", [
            ("Accept", "text/event-stream"),
            ("Authorization", "Bearer " + auth_server.mint())]))
        assert c.read_head("GET").header("Content-Length") == "1000"
        with pytest.raises((rawhttp.Truncated, ConnectionError)):
            c.read_body(10)


def test_half_an_hour_is_no_end(gateway, auth_server, upstream):
    """A stream of a good token stays: others end before it."""
    g = gateway()
    feed = queue.Queue()
    long = opened(g, upstream, auth_server.mint({"exp": now() + 1800}), GET,
                  feed)
    with long as c, opened(g, upstream, auth_server.mint(
            {"exp": now() - 28}), GET) as short:
        ends(short, b"")
        event = fu.event({"jsonrpc": "2.0", "method": "notifications/x"})
        feed.put(event)
        feed.put(None)
        ends(c, event)
