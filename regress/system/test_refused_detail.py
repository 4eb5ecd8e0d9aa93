"""Why a token was refused: the audit line says what came against what is
wanted, cut and escaped; the client hears no more than before, and the token is
nowhere."""

import json
import re
import time
import types

import pytest

import gw
import tokens
from fake_as import AUDIENCE, ISSUER
from judge import judge
from test_keys import auth, own, stamp

ERROR_MAX = 256
# A client is told one of these, whatever was wrong.
TOLD = ("invalid token", "insufficient scope")


def now():
    return int(time.time())


def why(site, token, result):
    """The error of the line, after everything that must hold of any."""
    v = judge(site, token).refused(result)
    error = v.line["error"]
    assert v.r.json()["error"]["message"] in TOLD, v.r
    assert len(error.encode()) <= ERROR_MAX, error
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", error), repr(error)
    for part in token.split("."):
        for i in range(0, max(len(part) - 24, 1), 24):
            assert part[i:i + 24] not in json.dumps(v.line), part
    return error


@pytest.mark.parametrize("claims, result, error", [
    ({"iss": "https://other.test/"}, "bad_issuer",
     'iss: got "https://other.test/", wanted "%s"' % ISSUER),
    ({"iss": None}, "bad_issuer", 'iss: got none, wanted "%s"' % ISSUER),
    ({"aud": "x"}, "bad_audience", 'aud: got "x", wanted "%s"' % AUDIENCE),
    ({"aud": ["x", "y z"]}, "bad_audience",
     'aud: got "x", "y z", wanted "%s"' % AUDIENCE),
    ({"aud": []}, "bad_audience",
     'aud: got an empty array, wanted "%s"' % AUDIENCE),
    ({"aud": None}, "bad_audience",
     'aud: got none, wanted "%s"' % AUDIENCE),
    ({"scope": "a b"}, "insufficient_scope",
     'scopes: got "a b", wanted also "mcp:read"'),
    ({"scope": None}, "insufficient_scope",
     'scopes: got none, wanted also "mcp:read"'),
    ({"exp": None}, "invalid", "exp: got none, wanted at most 30 s ago"),
    ({"exp": -1}, "expired", None),
    ({"sub": 7}, "invalid", "sub is not a string but a number"),
    ({"sub": "s" * 1025}, "invalid", "sub is not of at most 1024 bytes but a "
     "string of 1025 bytes"),
    ({"at_hash": "x"}, "invalid",
     "at_hash is there, which no access token has"),
    ({"token_use": "id"}, "invalid", 'use: got token_use "id", wanted '
     'token_use "access" or none, typ "Bearer", another of access tokens, or '
     'none'),
    ({"cnf": {"jkt": "x"}}, "unbound", "cnf: got an object, wanted none, for "
     "the proof of a key is not checked here"),
    ({"client_id": 7}, "invalid", "client_id is not a string but a number"),
    ({"scope": {}}, "invalid", "scope is not a string or an array of strings "
     "but an object")])
def test_what_came_and_what_is_wanted(site, claims, result, error):
    got = why(site, site.auth.mint(claims), result)
    assert error is None or got == error


@pytest.mark.parametrize("claim, ahead, result, wanted", [
    ("exp", -3600, "expired", "at most 30 s ago"),
    ("nbf", 3600, "not_yet_valid", "at most in 30 s"),
    ("iat", 3600, "not_yet_valid", "at most in 30 s")])
def test_times_have_a_distance(site, claim, ahead, result, wanted):
    at = now() + ahead
    got = why(site, site.auth.mint({claim: at}), result)
    m = re.fullmatch(r"%s: got (\S+), (?:in )?(\d+) s(?: ago)?, wanted %s" % (
        claim, wanted), got)
    assert m, got
    assert m[1] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)), got
    assert abs(int(m[2]) - 3600) <= 5, got
    assert ("ago, wanted" in got) == (ahead < 0), got


def test_far_times_fit(site):
    key = site.auth.keys[-1]
    for n in ("-1e999", "1e-999"):
        t = tokens.mint(key, claims=json.dumps(site.auth.claims(
            exp=-77)).replace("-77", n))
        assert why(site, t, "expired").startswith("exp: got ")


def test_header(site):
    a = site.auth
    kid = a.keys[-1].kid
    assert why(site, a.mint(header={"typ": "dpop+jwt"}), "invalid") == \
        'typ: got "dpop+jwt", wanted "at+jwt", "JWT" or none'
    assert why(site, a.mint(header={"typ": 7}), "invalid") == \
        'typ: got a number, wanted "at+jwt", "JWT" or none'
    assert why(site, tokens.forge_none(a.mint(), signature=b"x"), "invalid").startswith(
        'alg: got "none", wanted RS256, ')
    assert why(site, a.mint(header={"crit": ["x"]}), "invalid").startswith(
        "crit: got crit, ")
    assert why(site, a.mint(header={"kid": "k" * 257}), "invalid").endswith(
        " (alg ES256), wanted a string of at most 256 bytes")
    assert why(site, a.mint(header={"kid": "other"}), "unknown_key") == \
        'kid: got "other" (alg ES256), wanted one of the key set: "%s"' % kid
    rsa = tokens.Key.make("rsa", kid)
    assert why(site, a.mint(key=rsa), "invalid") == \
        "key: got alg RS256, wanted ES256"
    rsa.give_back()
    assert why(site, tokens.forge_signature(a.mint()), "bad_signature") == \
        'signature: got one that the key "%s" did not make, wanted one made ' \
        'by its key, with ES256' % kid
    assert why(site, a.mint(header={"kid": None},
                            key=tokens.Key.make("ec256")),
               "bad_signature").startswith(
        "signature: got no kid, and one that none of 1 keys for its alg made")


# -- hostile values --------------------------------------------------------------

HOSTILE = ["\n{\"x\":1}\n", "\x1b[2J\x07\x7f", "\x9b31m", "\u2028\u2029",
           "\"', wanted \"", "\\u0000\\", "\U0001f600" * 50, "\u00e9" * 200,
           "\x01" * 300, "x" * 2000]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_are_cut_and_escaped(site, value):
    a = site.auth
    for claims, result in (({"iss": value}, "bad_issuer"),
                           ({"aud": [value] * 3}, "bad_audience"),
                           ({"scope": [value.replace(" ", "")]},
                            "insufficient_scope"),
                           ({"token_use": value}, "invalid")):
        error = why(site, a.mint(claims), result)
        # what is wanted is never pushed out by what came, nor forged
        assert ", wanted " in error, error
        assert error.count('"') - error.count('\\"') >= 2, error
    assert ", wanted one of the key set: " in why(
        site, a.mint(header={"kid": value[:60]}), "unknown_key")


def test_a_value_is_cut_at_64_bytes(site):
    for value, shown in (("x" * 64, "x" * 64 + '"'),
                         ("x" * 65, "x" * 64 + '"...'),
                         # a character stays whole
                         ("x" * 63 + "\u00e9", "x" * 63 + '"...')):
        assert why(site, site.auth.mint({"iss": value}), "bad_issuer") == \
            'iss: got "%s, wanted "%s"' % (shown, ISSUER)


def test_many_audiences(site):
    auds = ["https://aud.test/%d" % i for i in range(1000)]
    key = site.auth.keys[-1]
    claims = site.auth.claims(aud=auds[:400])
    error = why(site, tokens.mint(key, claims=claims), "bad_audience")
    assert error.startswith('aud: got "https://aud.test/0", "https://aud.'
                            'test/1", ')
    assert error.endswith(', ..., wanted "%s"' % AUDIENCE), error
    claims["aud"] = [str(i) for i in range(1000)]
    error = why(site, tokens.mint(key, claims=claims), "bad_audience")
    assert '"0", "1", "2", ' in error and ", ..., wanted " in error


@pytest.mark.parametrize("payload", [
    b'{"iss":"a","iss":"b"}', b'{"iss":"\xff"}', b'{"iss":"\\ud800"}',
    b'{"iss":"a\\u0000b"}', b"[" * 3000, b"7", b'{"a":' * 2000, b"{}x"])
def test_no_object(site, payload):
    t = tokens.mint(site.auth.keys[-1], claims=payload)
    if len(t) >= 100:
        assert why(site, t, "invalid").startswith(
            "payload: got none, wanted a JSON object")


def test_the_longest_token(gateway, auth_server, upstream):
    """Refused for its size with the size; just below it, for what it says."""
    g = gateway({"limits": {"max_header": "64KiB"}})
    s = types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)
    pad = 16384 - len(auth_server.mint({"pad": ""}))
    t = auth_server.mint({"pad": "x" * (pad * 3 // 4 - 4), "aud": "no"})
    assert 16300 < len(t) <= 16384
    assert why(s, t, "bad_audience") == \
        'aud: got "no", wanted "%s"' % AUDIENCE
    t += "A" * (16385 - len(t))
    assert why(s, t, "invalid") == "form: got 16385 bytes, wanted at most " \
        "16384 bytes, three segments of base64url"


# -- others ------------------------------------------------------------------------

def test_another_upstreams(gateway, auth_server, upstream):
    g = gateway({
        "upstreams": [{"name": n, "url": upstream.url} for n in ("up", "b")],
        "auth": {"oauth": {"accept_resource_audience": True}}})
    s = types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)
    t = auth_server.mint({"aud": [gw.PUBLIC_URL + "/b", "else"]})
    # the first time, and out of the cache
    for _ in range(2):
        assert judge(s, t, path="/mcp/b").r.status == 200
        assert judge(s, t).line["error"] == \
            'aud: got that of another upstream, "%s/b", wanted "%s/up"' % (
                gw.PUBLIC_URL, gw.PUBLIC_URL)
    t = auth_server.mint({"aud": "else"})
    error = judge(s, t).line["error"]
    assert error.startswith('aud: got "else", wanted "%s", "%s", ' % (
        AUDIENCE, gw.PUBLIC_URL)), error


def test_a_verdict_that_waits_for_a_key_says_the_same(gateway, auth_server,
                                                      upstream):
    """The token waits for a fetch; its words do not go with what it held."""
    a = auth_server
    site = types.SimpleNamespace(gw=gateway(), auth=a, up=upstream)
    key = tokens.Key.make("ec256", "late-kid")
    before = a.fetches
    error = why(site, a.mint(key=key), "unknown_key")
    assert a.fetches > before
    assert error.startswith('kid: got "late-kid" (alg ES256), wanted one of '
                            'the key set: "'), error


def test_api_keys(gateway, auth_server, upstream):
    old = own("old", expires_at=stamp(-3600))
    few = own("few", scopes=["a", "b"])
    g = gateway(auth(old, few))
    s = types.SimpleNamespace(gw=g, auth=auth_server, up=upstream)
    error = judge(s, old.key).refused("expired").line["error"]
    m = re.fullmatch(r"the key's expires_at has passed: (\S+Z), (\d+) s ago",
                     error)
    assert m and abs(int(m[2]) - 3600) <= 10, error
    assert judge(s, few.key).refused("insufficient_scope").line["error"] == \
        'scopes: got "a b", wanted also "mcp:read"'


# -- how far it came ---------------------------------------------------------------

def test_stage_of_the_line(site):
    """A refused request's line names the check; an allowed one's does not."""
    g, t = site.gw, site.auth.mint()
    for stage, ask in (
            ("head", lambda c: (c.send(b"GET\r\n\r\n"),
                                c.read_response())),
            ("method", lambda c: c.request(
                "PUT", "/mcp", g.headers(t))),
            ("credential", lambda c: c.request(
                "POST", "/mcp", g.headers("x"), b"{}")),
            ("upstream", lambda c: c.request(
                "POST", "/mcp/none", g.headers(t), b"{}")),
            ("type", lambda c: c.request(
                "POST", "/mcp", [("Authorization", "Bearer " + t)], b"{}")),
            ("envelope", lambda c: c.request(
                "POST", "/mcp", g.headers(t), b"{")),
            ("rules", lambda c: c.request(
                "POST", "/mcp", g.headers(t, {
                    "MCP-Protocol-Version": "2026-07-28"}),
                json.dumps(gw.rpc()).encode()))):
        mark = g.audit_mark()
        with g.client() as c:
            ask(c)
        assert g.audit_one(mark)["stage"] == stage
    assert "stage" not in judge(site, t).admitted().line
