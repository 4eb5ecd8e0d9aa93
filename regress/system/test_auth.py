"""Who gets in: every auth_result by a real token, every algorithm, and what a
forger would try.  See judge.py for what is asserted of each verdict."""

import json
import time
import types

import pytest

import fake_upstream
import gw
import rawhttp
import tokens
from conftest import Site
from fake_as import FakeAS
from judge import check_error_body, judge

LEEWAY = 30


class AuthSite(Site):
    """A set with a key of every kind, keys bound to one algorithm, and every
    kind of junk around them."""

    def __init__(self):
        super().__init__()
        a = self.auth
        for kind in tokens.KINDS:
            if kind != "ec256":
                a.add_key(kind)
        self.rs256 = tokens.Key.make("rsa", "rs256-only")
        self.ps = tokens.Key.make("rsa", "ps384-only")
        self.pair = [tokens.Key.make("ec256", "same"),
                     tokens.Key.make("ec384", "same")]
        self.nameless = tokens.Key.make("ec256")
        self.ops = tokens.Key.make("ec256", "with-ops")
        junk = [e for _, e in tokens.junk_jwks()]
        a.extra = junk[:9] + [
            self.rs256.jwk(alg="RS256"),
            self.ps.jwk(alg="PS384", use=None),
            self.pair[0].jwk(), self.pair[1].jwk(),
            self.nameless.jwk(kid=None),
            self.ops.jwk(use=None, key_ops=["verify"], x5t="AAAA",
                         unknown={"a": [1]}),
        ] + junk[9:]


@pytest.fixture(scope="module")
def site():
    s = AuthSite()
    try:
        s.start()
        yield s
    finally:
        s.stop()


def now():
    return int(time.time())


# -- the good ----------------------------------------------------------------

@pytest.mark.parametrize("alg", tokens.ALGS)
def test_algorithm(site, alg):
    judge(site, site.auth.mint(alg=alg)).admitted()


@pytest.mark.parametrize("alg", tokens.ALGS)
def test_algorithm_bad_signature(site, alg):
    t = site.auth.mint(alg=alg)
    judge(site, tokens.forge_signature(t, -1)).refused("bad_signature")
    judge(site, tokens.forge_payload(t, scope="mcp:read admin")).refused(
        "bad_signature")


@pytest.mark.parametrize("alg", tokens.ALGS)
def test_no_kid(site, alg):
    judge(site, site.auth.mint(alg=alg, header={"kid": None})).admitted()


def test_key_without_kid_in_the_set(site):
    t = site.auth.mint(key=site.nameless, header={"kid": None})
    judge(site, t).admitted()


def test_one_kid_for_two_types(site):
    for key in site.pair:
        judge(site, site.auth.mint(key=key)).admitted()


def test_unknown_jwk_members_are_no_obstacle(site):
    judge(site, site.auth.mint(key=site.ops)).admitted()


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "JWT", None])
def test_typ(site, typ):
    judge(site, site.auth.mint(header={"typ": typ})).admitted()


@pytest.mark.parametrize("aud", [
    "mcpgw-prod", ["mcpgw-prod"], ["other", "mcpgw-prod", "https://x/"]])
def test_audience(site, aud):
    judge(site, site.auth.mint({"aud": aud})).admitted()


@pytest.mark.parametrize("claims, scopes", [
    ({"scope": "mcp:read"}, "mcp:read"),
    ({"scope": "a mcp:read b"}, "a mcp:read b"),
    ({"scope": None, "scp": "mcp:read"}, "mcp:read"),
    ({"scope": None, "scp": "x mcp:read"}, "x mcp:read"),
    ({"scope": None, "scp": ["mcp:read"]}, "mcp:read"),
    ({"scope": None, "scp": ["x", "mcp:read"]}, "x mcp:read"),
    ({"scope": ["x", "mcp:read"]}, "x mcp:read"),
])
def test_scope_forms(site, claims, scopes):
    judge(site, site.auth.mint(claims)).admitted(scopes=scopes)


@pytest.mark.parametrize("claims, who", [
    ({"client_id": "c1"}, "c1"),
    ({"client_id": "c1", "azp": "c2"}, "c1"),
    ({"client_id": None, "azp": "c2"}, "c2"),
    ({"client_id": "n\u00e4me \u4e16"}, "n\u00e4me \u4e16"),
    ({"client_id": "a\"\\b\n{}"}, "a\"\\b\n{}"),
])
def test_client_id(site, claims, who):
    judge(site, site.auth.mint(claims)).admitted(client_id=who)


def test_no_client_id(site):
    v = judge(site, site.auth.mint({"client_id": None}))
    assert v.r.status == 200 and v.line["auth_result"] == "ok"
    assert not v.line["oauth_client_id"]


def test_times_within_leeway(site):
    t = now()
    # 5 s of room: the request is not made in the second that t names.
    for claims in ({"exp": t - LEEWAY + 5}, {"nbf": t + LEEWAY - 1},
                   {"iat": t + LEEWAY - 1}, {"nbf": None}, {"iat": None},
                   {"exp": t + 600.5}, {"nbf": t - 10 ** 6}):
        judge(site, site.auth.mint(claims)).admitted()


def test_a_token_is_good_more_than_once(site):
    t = site.auth.mint()
    fetches = site.auth.fetches
    for _ in range(3):
        judge(site, t).admitted()
    assert site.auth.fetches == fetches


def test_scheme_in_any_case(site):
    for scheme in ("bearer", "BEARER"):
        judge(site, headers=[("Authorization", "%s %s" % (
            scheme, site.auth.mint()))]).admitted()


def test_large_token(site):
    judge(site, site.auth.mint({"groups": ["g%05d" % i
                                           for i in range(800)]})).admitted()


def test_token_stays_here(site):
    """Whatever the method and the answer, the upstream never sees a
    credential."""
    t = site.auth.mint()
    g = site.gw
    site.up.forget()
    g.post(gw.call(), t)
    g.post(gw.rpc("notifications/initialized", None), t,
           {"Connection": "authorization"})
    g.post(gw.call(), t, {"Proxy-Authorization": "Bearer " + t})
    rawhttp.fetch(g.port, "DELETE", "/mcp", g.headers(t))
    for req in site.up.wait_requests(4):
        assert t.encode() not in req.raw
        assert t.split(".")[2].encode() not in req.raw
        assert not req.headers("Authorization")
        assert not req.headers("Proxy-Authorization")


# -- every refusal -------------------------------------------------------------

def test_missing(site):
    judge(site).refused("missing")


def test_query_carries_no_token(site):
    """RFC 6750 section 2.3 is not for us; with or without the field, such a
    token neither counts nor travels on."""
    t = site.auth.mint()
    for token in (None, site.auth.mint()):
        v = judge(site, token, path="/mcp?access_token=" + t)
        assert v.r.status in (400, 401) and v.passed == [], v.r
        assert v.line["status"] == v.r.status
        assert t not in json.dumps(v.line) and t not in site.gw.log()


def test_every_method_needs_a_token(site):
    for method in ("GET", "DELETE"):
        mark = site.gw.audit_mark()
        r = rawhttp.fetch(site.gw.port, method, "/mcp",
                          {"Accept": "text/event-stream"})
        assert r.status == 401 and r.headers("WWW-Authenticate")
        assert site.gw.audit_one(mark)["auth_result"] == "missing"


@pytest.mark.parametrize("token", [
    "opaque", "x" * 200, "a.b.c", "a" * 120 + ".b", "." * 120, "=" * 20,
    "mcpgw_" + "k" * 40, "a" * 40 + "." + "b" * 40 + "." + "c" * 40 + ".d",
    "A" * 60 + "." + "B" * 60 + "." + "C" * 60])
def test_opaque_or_garbage(site, token):
    judge(site, token).refused("invalid")


@pytest.mark.parametrize("value", ["Basic dTpw", "Token abc", ""])
def test_other_credentials(site, value):
    judge(site, headers=[("Authorization", value)]).refused(
        ("missing", "invalid"))


def test_expired(site):
    judge(site, site.auth.mint({"exp": now() - LEEWAY - 2})).refused(
        "expired")
    judge(site, site.auth.mint({"exp": 1})).refused("expired")


def test_not_yet_valid(site):
    for claim in ("nbf", "iat"):
        judge(site, site.auth.mint({claim: now() + LEEWAY + 10})).refused(
            "not_yet_valid")


def test_bad_signature(site):
    judge(site, tokens.forge_signature(site.auth.mint())).refused(
        "bad_signature")
    judge(site, site.auth.mint(sign=lambda d: b"")).refused(
        ("bad_signature", "invalid"))
    judge(site, site.auth.mint(sign=lambda d: b"\0" * 64)).refused(
        "bad_signature")


def test_der_signature(site):
    key = site.auth.key_for("ES256")
    judge(site, site.auth.mint(
        key=key, sign=lambda d: key.sign_der("ES256", d))).refused(
        "bad_signature")


def test_unknown_key(site):
    judge(site, site.auth.mint(key=tokens.Key.make("ec256"))).refused(
        "unknown_key")


def test_no_kid_and_no_key_fits(site):
    judge(site, site.auth.mint(key=tokens.Key.make("ec256"),
                               header={"kid": None})).refused("bad_signature")


@pytest.mark.parametrize("iss", [
    "https://idp.acme.test", "https://idp.acme.test//", "HTTPS://idp.acme.test/",
    "https://evil.test/", "", None, 7, ["https://idp.acme.test/"],
    "https://idp.acme.test/\0"])
def test_bad_issuer(site, iss):
    judge(site, site.auth.mint({"iss": iss})).refused(
        "bad_issuer" if iss is None or isinstance(iss, str) and
        "\0" not in iss else ("bad_issuer", "invalid"))


@pytest.mark.parametrize("aud", [
    "other", "mcpgw-pro", "mcpgw-prod2", "MCPGW-PROD", "", None, [],
    ["a", "b"], 7, {"mcpgw-prod": 1}, [["mcpgw-prod"]], "a mcpgw-prod",
    "mcpgw-prod\0x"])
def test_bad_audience(site, aud):
    judge(site, site.auth.mint({"aud": aud})).refused(
        "bad_audience" if aud is None or aud == ["a", "b"] or
        isinstance(aud, str) and "\0" not in aud else ("bad_audience", "invalid"))


@pytest.mark.parametrize("claims", [
    {"scope": None}, {"scope": ""}, {"scope": "mcp:write"},
    {"scope": "mcp:readx"}, {"scope": "xmcp:read"}, {"scope": "MCP:READ"},
    {"scope": None, "scp": []}, {"scope": None, "scp": ["mcp:write"]},
    {"scope": "mcp"}, {"scope": "a,mcp:read"}])
def test_insufficient_scope(site, claims):
    judge(site, site.auth.mint(claims)).refused(
        "insufficient_scope", client_id="agent-7")


def test_array_scope_of_spaces(site):
    """One element with a space in it is not two scopes."""
    judge(site, site.auth.mint({"scope": None,
                                "scp": ["x mcp:read"]})).refused(
        ("insufficient_scope", "invalid"))


@pytest.mark.parametrize("exp", [None, "soon", "9999999999", True, [],
                                 {"a": 1}])
def test_exp_is_required(site, exp):
    judge(site, site.auth.mint({"exp": exp})).refused(("invalid", "expired"))


@pytest.mark.parametrize("text", ["1e400", "-1e400", "99999999999999999999999",
                                  "1e19", "NaN", "Infinity", "-5", "1e-400"])
def test_exp_beyond_numbers(site, text):
    """Whatever it means, it does not crash or wrap around."""
    key = site.auth.key_for("ES256")
    c = json.dumps(site.auth.claims(exp=0)).replace('"exp": 0',
                                                    '"exp": ' + text)
    v = judge(site, tokens.mint(key, claims=c))
    if v.r.status == 200:
        assert text[0] not in "-NI" and text != "1e-400"
    else:
        v.refused(("invalid", "expired"))


@pytest.mark.parametrize("claim, value", [
    ("nbf", "1"), ("iat", "1"), ("nbf", []), ("iat", True), ("scope", 1),
    ("scope", [["mcp:read"]]), ("client_id", 7), ("scp", 1), ("sub", 7),
    ("sub", ["user-1"]), ("azp", {}), ("jti", 1), ("iss", 1), ("aud", 7),
    ("aud", ["mcpgw-prod", 7]), ("exp", "9999999999"), ("cid", []),
    ("appid", False), ("cnf", "x"), ("typ", 7), ("token_use", [])])
def test_claims_of_a_wrong_type(site, claim, value):
    """Refused, never as if absent: two such users would be one."""
    v = judge(site, site.auth.mint({claim: value})).refused("invalid")
    assert claim in v.line["error"] or claim in ("cid", "appid"), v.line
    assert v.r.json()["error"]["message"] == "invalid token"


# -- the order of checks: the first failure names the result ------------------------

def test_order(site):
    a = site.auth
    over = {}
    for claims, name in (({"scope": "x"}, "insufficient_scope"),
                         ({"iat": now() + 999}, "not_yet_valid"),
                         ({"exp": 5}, "expired"),
                         ({"aud": "x"}, "bad_audience"),
                         ({"iss": "x"}, "bad_issuer")):
        over.update(claims)
        judge(site, a.mint(over)).refused(name)
    t = a.mint(over)
    judge(site, tokens.forge_signature(t)).refused("bad_signature")
    judge(site, a.mint(over, key=tokens.Key.make("ec256"))).refused(
        "unknown_key")
    judge(site, a.mint(over, header={"crit": ["x"]})).refused("invalid")


# -- forgeries --------------------------------------------------------------------

@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_alg_none(site, alg):
    t = site.auth.mint(alg="RS256")
    judge(site, tokens.forge_none(t, alg)).refused("invalid")
    judge(site, tokens.forge_none(t, alg, b"x" * 256)).refused("invalid")


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_hmac_with_a_public_key(site, alg):
    key = site.auth.key_for("RS256")
    t = site.auth.mint(key=key)
    for secret in (key.public_pem(), key.public_pem().rstrip(),
                   key.public_der(), tokens.b64u_decode(key.jwk()["n"]),
                   b"k" * 32, b""):
        judge(site, tokens.forge_hmac(t, secret, alg)).refused("invalid")


def test_hmac_with_the_symmetric_key_of_the_set(site):
    t = site.auth.mint(header={"kid": "junk-oct"})
    judge(site, tokens.forge_hmac(t, b"k" * 32)).refused(
        ("invalid", "unknown_key"))


@pytest.mark.parametrize("alg", [
    "RS256 ", "rs256", "ES256K", "RSA1_5", "RS1", "PS1", "XX", "Ed25519x",
    7, None, ["RS256"], "RS256\0"])
def test_other_algorithms(site, alg):
    judge(site, site.auth.mint(alg="RS256", header={"alg": alg})).refused(
        "invalid")


@pytest.mark.parametrize("claimed, kind", [
    ("RS256", "ec256"), ("ES256", "rsa"), ("ES384", "ec256"),
    ("ES256", "ec384"), ("EdDSA", "ec256"), ("ES256", "ed25519"),
    ("PS256", "ed448"), ("ES512", "ec384")])
def test_the_key_decides(site, claimed, kind):
    """The header names an algorithm that its key is not for."""
    key = [k for k in site.auth.keys if k.kind == kind][0]
    judge(site, site.auth.mint(key=key, header={"alg": claimed})).refused(
        ("invalid", "bad_signature", "unknown_key"))


def test_a_key_bound_to_one_algorithm(site):
    a = site.auth
    judge(site, a.mint(key=site.rs256, alg="RS256")).admitted()
    judge(site, a.mint(key=site.ps, alg="PS384")).admitted()
    for key, alg in ((site.rs256, "RS512"), (site.rs256, "PS256"),
                     (site.ps, "PS256"), (site.ps, "RS384")):
        judge(site, a.mint(key=key, alg=alg)).refused(
            ("invalid", "bad_signature", "unknown_key"))


def test_pss_is_not_pkcs1(site):
    """A signature of the one scheme under the name of the other."""
    key = site.auth.key_for("RS256")
    for alg, other in (("RS256", "PS256"), ("PS256", "RS256"),
                       ("RS256", "RS512")):
        judge(site, site.auth.mint(
            key=key, alg=alg,
            sign=lambda d, other=other: key.sign(other, d))).refused(
            "bad_signature")


@pytest.mark.parametrize("header", [
    {"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False},
    {"b64": False}, {"crit": "x"}])
def test_crit_and_b64(site, header):
    judge(site, site.auth.mint(header=header)).refused("invalid")


@pytest.mark.parametrize("typ", ["dpop+jwt", "logout+jwt", "at+jwt ", "", 7,
                                 "secevent+jwt", "JWE", ["at+jwt"]])
def test_wrong_typ(site, typ):
    judge(site, site.auth.mint(header={"typ": typ})).refused("invalid")


def test_keys_in_headers_are_ignored(site):
    """A token that brings its own key, and one that names where to get it."""
    mine = tokens.Key.make("rsa")
    with FakeAS() as evil:
        evil.keys = [mine]
        brought = {"jwk": mine.jwk(), "jku": evil.jwks_url,
                   "x5u": evil.origin + "/x5u.pem",
                   "x5c": [tokens.b64u(mine.public_der())]}
        good = site.auth.mint(header=brought)
        judge(site, good).admitted()
        judge(site, site.auth.mint(key=mine, header=brought)).refused(
            "unknown_key")
        judge(site, site.auth.mint(
            key=mine, header=dict(brought, kid=None))).refused(
            ("bad_signature", "unknown_key"))
        assert evil.connections == 0


def test_kid_of_another_key(site):
    a = site.auth
    kids = [k.kid for k in a.keys]
    mine = tokens.Key.make("ec256", kids[0])
    judge(site, a.mint(key=mine)).refused("bad_signature")


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "",
                                 "a\n{\"x\":1}", "\u0000", "k" * 300, 7, []])
def test_hostile_kid(site, kid):
    v = judge(site, site.auth.mint(header={"kid": kid}))
    v.refused(("unknown_key", "invalid"))


def strange(site, claims=None, header=None):
    key = site.auth.key_for("ES256")
    return tokens.mint(key, "ES256",
                       claims if claims is not None else site.auth.claims(),
                       header)


@pytest.mark.parametrize("edit", [
    lambda c: c[:-1] + ', "iss": "https://idp.acme.test/"}',
    lambda c: c[:-1] + ', "x": {"a": 1, "a": 2}}',
    lambda c: c[:-1] + ', "exp": 99999999999}',
    lambda c: c[:-1] + ', "e\\u0078p": 99999999999}',
    lambda c: c + "x", lambda c: c + c, lambda c: c[:-1], lambda c: "[%s]" % c,
    lambda c: "", lambda c: "null", lambda c: '"x"', lambda c: c[:-1] + ",}",
    lambda c: c[:-1] + ', "sub2": "\\ud800"}',
    lambda c: c[:-1].encode() + b', "y": "\xff\xfe"}',
    lambda c: c[:-1].encode() + b', "y": "\xc0\xaf"}',
    lambda c: b"\xef\xbb\xbf" + c.encode(),
    lambda c: c + "\0", lambda c: c.replace(" ", "\v", 1),
    lambda c: c[:-1] + ', "d": %s1%s}' % ("[" * 2000, "]" * 2000),
    lambda c: c[:-1] + ', "y": 01}', lambda c: c.replace('"', "'"),
    lambda c: "/**/" + c])
def test_claims_that_two_parsers_read_differently(site, edit):
    c = json.dumps(site.auth.claims())
    judge(site, strange(site, claims=edit(c))).refused("invalid")


@pytest.mark.parametrize("edit", [
    lambda h: h[:-1] + ', "alg": "ES256"}',
    lambda h: h[:-1] + ', "al\\u0067": "none"}',
    lambda h: "[%s]" % h, lambda h: h + "{}", lambda h: "", lambda h: h[1:],
    lambda h: h[:-1].encode() + b', "y": "\xff"}',
    lambda h: h[:-1] + ', "kid": "%s"}' % "other"])
def test_headers_that_two_parsers_read_differently(site, edit):
    key = site.auth.key_for("ES256")
    h = json.dumps({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"})
    judge(site, strange(site, header=edit(h))).refused("invalid")


def test_segments(site):
    """Padding, the other alphabet, white space and a fourth segment make it
    another string, not the same token."""
    t = site.auth.mint(alg="RS256")
    head, payload, sig = t.split(".")
    for bad in (t + "=", t + ".", "." + t, t + ".x", head + "." + payload,
                head + ".." + sig, "." + payload + "." + sig,
                head + "." + payload + ".", t + "A", t[:-4],
                head + "." + payload + "==." + sig):
        judge(site, bad).refused(("invalid", "bad_signature"))


def test_signature_bits_beyond_the_end(site):
    """The unused bits of the last character must be zero: one signature is
    one string."""
    t = site.auth.mint(alg="ES256")     # 64 bytes: the last has 4 spare bits
    digits = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
              "0123456789-_")
    other = t[:-1] + digits[digits.index(t[-1]) + 1]
    judge(site, other).refused(("invalid", "bad_signature"))


# -- more than one credential ----------------------------------------------------

def test_two_authorization_fields(site):
    t = site.auth.mint()
    for second in ("Bearer " + t, "Bearer x", "Basic dTpw"):
        body = json.dumps(gw.rpc()).encode()
        v = judge(site, raw=(
            "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Type: application/json"
            "\r\nAuthorization: Bearer %s\r\nAuthorization: %s\r\n"
            "Content-Length: %d\r\n\r\n" % (t, second, len(body))).encode() +
            body)
        assert v.r.status == 400, v.r
        assert v.line["status"] == 400
        assert v.line["action"] in ("error", "deny")
        assert v.passed == []


def test_two_credentials_in_one_field(site):
    t = site.auth.mint()
    for value in ("Bearer %s, Bearer %s" % (t, t), "Bearer %s %s" % (t, t)):
        v = judge(site, headers=[("Authorization", value)])
        assert v.r.status in (400, 401) and v.passed == []


# -- settings --------------------------------------------------------------------

def own(gateway, auth_server, upstream, oauth, **kw):
    """A gateway of this test with other auth.oauth settings."""
    g = gateway({"auth": {"oauth": oauth}, **kw})
    return types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)


def test_several_required_scopes(gateway, auth_server, upstream):
    s = own(gateway, auth_server, upstream,
            {"required_scopes": ["mcp:read", "mcp:write"]})
    a = auth_server
    judge(s, a.mint({"scope": "mcp:write x mcp:read"})).admitted(
        scopes="mcp:write x mcp:read")
    for scope in ("mcp:read", "mcp:write", "x"):
        judge(s, a.mint({"scope": scope})).refused(
            "insufficient_scope", scope="mcp:read mcp:write")


def test_no_required_scopes(gateway, auth_server, upstream):
    s = own(gateway, auth_server, upstream, {"required_scopes": []})
    judge(s, auth_server.mint()).admitted()
    v = judge(s, auth_server.mint({"scope": None}))
    assert v.r.status == 200 and v.line["auth_result"] == "ok", v.line


def test_leeway_zero_and_expiry_of_a_cached_token(gateway, auth_server,
                                                  upstream):
    s = own(gateway, auth_server, upstream, {"leeway": "0s"})
    exp = now() + 3
    t = auth_server.mint({"exp": exp})
    judge(s, t).admitted()
    judge(s, t).admitted()
    deadline = time.monotonic() + 10
    while True:
        sent = time.time()
        v = judge(s, t)
        done = time.time()
        if v.r.status != 200:
            break
        assert sent < exp + 1, "admitted after exp"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert done >= exp, "refused %g s before exp" % (exp - done)
    v.refused("expired")


def test_default_leeway(gateway, auth_server, upstream):
    s = own(gateway, auth_server, upstream, {"leeway": gw.DROP})
    judge(s, auth_server.mint({"exp": now() - 25})).admitted()
    judge(s, auth_server.mint({"exp": now() - 32})).refused("expired")


def test_auth_off(gateway, auth_server, upstream):
    """Neither OAuth nor keys: everything passes, credentials still do not."""
    g = gateway({"auth": {"enabled": False, "oauth": {"enabled": False}}})
    for token in (None, "opaque", auth_server.mint()):
        mark = g.audit_mark()
        upstream.forget()
        assert g.post(token=token).status == 200
        line = g.audit_one(mark)
        assert line["action"] == "allow" and not line["oauth_client_id"]
        req = upstream.wait_requests(1)[0]
        assert not req.headers("Authorization")
    assert auth_server.fetches == 0


def test_refusals_keep_the_connection_usable(site):
    """A refused request leaves the next one on its connection whole, if the
    gateway keeps it."""
    t = site.auth.mint()
    with site.gw.client() as c:
        r = site.gw.post(gw.call("x" * 5000), client=c)
        assert r.status == 401
        check_error_body(r, -31401)
        if r.header("Connection", "").lower() == "close":
            c.wait_close()
            return
        r = site.gw.post(token=t, client=c)
        assert r.status == 200


def test_upstream_challenge_is_not_passed_on(site):
    """An upstream's 401 must not send clients to another's login."""
    site.up.script(fake_upstream.status(
        401, b"{}", [("WWW-Authenticate", 'Bearer realm="theirs"')]))
    r = site.gw.post(token=site.auth.mint())
    assert r.status == 502 and not r.headers("WWW-Authenticate"), r
    check_error_body(r, -31502)
