"""subject, actor and jti of the audit line: as the token has them, hashed so
that lines can be joined, or not at all; only of tokens with a good signature."""

import hashlib
import hmac
import json
import types

import pytest

import gw
import tokens
from judge import judge
from test_keys import auth, own

FIELDS = ("subject", "actor", "jti")
SECRET = "f2c7" * 16
WHO = {"sub": "alice@acme.test", "act": {"sub": "agent/9", "act": {
    "sub": "older"}}, "jti": "0b1c-77"}
PLAIN = ("alice@acme.test", "agent/9", "0b1c-77")


def names(line):
    return tuple(line.get(f) for f in FIELDS)


def site_of(gateway, auth_server, upstream, config):
    return types.SimpleNamespace(gw=gateway(config), auth=auth_server,
                                 up=upstream)


def plain_hash(s):
    return "sha256:" + hashlib.sha256(s.encode()).hexdigest()[:32]


def keyed_hash(s, secret=SECRET):
    key = hmac.new(hashlib.sha256(secret.encode()).digest(),
                   b"mcpgw audit.identity", "sha256").digest()
    return "hmac-sha256:" + hmac.new(key, s.encode(),
                                     "sha256").hexdigest()[:32]


def test_full(site):
    t = site.auth.mint(WHO)
    # judged, and out of the cache
    for _ in range(2):
        assert names(judge(site, t).admitted().line) == PLAIN
    line = judge(site, site.auth.mint({"sub": None, "jti": None})
                 ).admitted().line
    assert not set(FIELDS) & set(line), line


@pytest.mark.parametrize("claims, result", [
    ({"exp": 1}, "expired"), ({"aud": "x"}, "bad_audience"),
    ({"iss": "x"}, "bad_issuer"), ({"scope": ""}, "insufficient_scope"),
    ({"cnf": {}}, "unbound")])
def test_refused_ones_are_named_too(site, claims, result):
    v = judge(site, site.auth.mint({**WHO, **claims})).refused(result)
    assert names(v.line) == PLAIN


def test_nobody_is_named_on_a_strangers_word(site):
    good = site.auth.mint(WHO)
    for t in (tokens.forge_signature(good), tokens.forge_payload(good, n=1),
              site.auth.mint(WHO, header={"kid": "nobodys"}),
              site.auth.mint({**WHO, "client_id": 7})):
        line = judge(site, t).refused(("bad_signature", "unknown_key",
                                       "invalid")).line
        assert not set(FIELDS) & set(line), line


@pytest.mark.parametrize("act", [
    None, 7, "agent", [], {}, {"sub": 7}, {"sub": None}, {"sub": ""},
    {"act": {"sub": "x"}}, [{"sub": "x"}]])
def test_an_actor_that_cannot_be_read_is_none(site, act):
    key = site.auth.keys[-1]
    t = tokens.mint(key, claims=json.dumps(site.auth.claims(act=act)))
    assert "actor" not in judge(site, t).admitted().line


def test_hostile_names(site):
    for v in ("\n\"}{", "\x1b[2J", "\u2028\x9b", "é" * 400, "x" * 4000):
        line = judge(site, site.auth.mint({
            "sub": v[:500], "act": {"sub": v}, "jti": v})).admitted().line
        for f in FIELDS:
            assert v.startswith(line[f]) and line[f], line
            assert len(line[f].encode()) <= 256, line
    # a stranger's are cut as all of his values are
    line = judge(site, site.auth.mint({"sub": "s" * 500, "exp": 1})).line
    assert line["subject"] == "s" * 64


def test_hashed(gateway, auth_server, upstream):
    s = site_of(gateway, auth_server, upstream,
                {"audit": {"identity": "hashed"}})
    for _ in range(2):
        line = judge(s, auth_server.mint(WHO)).admitted().line
        assert names(line) == tuple(map(plain_hash, PLAIN))
        assert "alice" not in json.dumps(line)
    # names with the same beginning are told apart
    a, b = (judge(s, auth_server.mint({"jti": "x" * 4000 + c})).line["jti"]
            for c in "ab")
    assert a != b and a == plain_hash("x" * 4000 + "a")
    g = s.gw
    g.reload({"session": {"secret": SECRET}})
    line = judge(s, auth_server.mint({**WHO, "exp": 1})).line
    assert names(line) == tuple(map(keyed_hash, PLAIN))
    # lines before and after a restart can be joined
    g.stop()
    g.start()
    line = judge(s, auth_server.mint(WHO)).admitted().line
    assert names(line) == tuple(map(keyed_hash, PLAIN))


def test_none(gateway, auth_server, upstream):
    s = site_of(gateway, auth_server, upstream,
                {"audit": {"identity": "none"},
                 "upstreams": [{"name": "up", "url": upstream.url,
                                "identity_headers": True}]})
    for claims in ({}, {"exp": 1}):
        v = judge(s, auth_server.mint({**WHO, **claims}))
        assert not set(FIELDS) & set(v.line), v.line
        assert "alice" not in json.dumps(v.line)
        assert v.line["oauth_client_id"] == "agent-7"
    # the upstream that is to know still does
    v = judge(s, auth_server.mint(WHO)).admitted()
    assert any("alice%40acme.test" in str(h) or "alice@acme.test" in str(h)
               for h in v.passed), v.passed


def test_an_api_key_has_no_subject(gateway, auth_server, upstream):
    k = own("ci")
    s = site_of(gateway, auth_server, upstream, auth(k))
    line = judge(s, k.key).line
    assert line["auth_key_id"] == "ci" and line["action"] == "allow"
    assert not set(FIELDS) & set(line), line
