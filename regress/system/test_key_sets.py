"""Key sets as real servers make them, and as hostile ones do: what is wrong
with one key costs that key, and no set stops a worker."""

import gzip
import json
import os
import time

import pytest

import gw
import rawhttp
import tokens

SHORT = {"auth": {"oauth": {"jwks_cache_ttl": "1s"}}}


def coded(a, data, coding="gzip"):
    """Send this as it is, coded."""
    a._behave = lambda c: a._reply(c, data, extra="Content-Encoding: %s\r\n" %
                                   coding)


def large_rsa(i, bits=8192):
    """An RSA key that nobody has: an odd number is all that can be seen of
    it."""
    n = int.from_bytes(os.urandom(bits // 8)) | 1 << (bits - 1) | 1
    return {"kty": "RSA", "kid": "large-%d" % i, "alg": "RS256", "e": "AQAB",
            "n": tokens.b64u(n.to_bytes(bits // 8))}


def test_large_keys_stop_nobody(gateway, auth_server):
    """128 of the largest keys, again and again: requests go on."""
    g = gateway(dict(SHORT, workers=1))
    auth_server.extra = [large_rsa(i) for i in range(127)]
    n = auth_server.fetches
    worst = 0
    while auth_server.fetches < n + 3:
        t = time.monotonic()
        assert g.get("/healthz").status == 200
        worst = max(worst, time.monotonic() - t)
    assert worst < 1, worst
    g.wait_log("128 keys from")
    assert g.post(token=auth_server.mint()).status == 200


def test_one_kid_many_times(gateway, auth_server):
    """A token tries eight keys of its kid at most, as without a kid."""
    many = [tokens.Key.make("ec256", "many") for _ in range(9)]
    auth_server.extra = [k.jwk() for k in many]
    g = gateway()
    got = [g.post(token=auth_server.mint(key=k)).status for k in many]
    assert got == [200] * 8 + [401]
    assert g.post(token=auth_server.mint()).status == 200


@pytest.mark.parametrize("raw, reason", [
    ('{"kid": "odd", "a": 1, "a": 2, %s}', "duplicate member name"),
    ('{"a": "\\ud800", "kid": "odd", %s}', "surrogate"),
    ('{"kid": "odd", "key_ops": ["sign"], %s}', "no verify"),
], ids=["twice", "surrogate", "key_ops"])
def test_a_flaw_costs_its_key(gateway, auth_server, raw, reason):
    """And is said, with kid and reason, once."""
    key = auth_server.keys[0].jwk()
    odd = raw % json.dumps(tokens.Key.make("ec256").jwk())[1:-1].replace(
        '"kid"', '"kid-was"')
    auth_server.body(b'{"keys": [%s, %s]}' % (odd.encode(),
                                              json.dumps(key).encode()))
    g = gateway(SHORT)
    assert g.post(token=auth_server.mint()).status == 200
    assert g.post(token=auth_server.mint(
        header={"kid": None})).status == 200
    auth_server.wait_fetches(3)
    lines = [x for x in g.log().splitlines() if "skipped" in x]
    assert len(lines) == 1 and '"odd"' in lines[0] and reason in lines[0], \
        lines


@pytest.mark.parametrize("over", [
    {"d": None}, {"key_ops": []}, {"key_ops": None, "use": None},
    {"alg": None, "x5c": None, "k": None}, {"x5c": ["!"], "later": {"a": []}},
], ids=str)
def test_taken(gateway, auth_server, over):
    key = dict(auth_server.keys[0].jwk(), **over)
    auth_server.body(json.dumps({"keys": [key]}).encode())
    assert gateway().post(token=auth_server.mint()).status == 200


def test_private_keys_are_warned_of(gateway, auth_server):
    k = tokens.Key.make("ec256", "leaked")
    auth_server.extra = [k.private_jwk()]
    g = gateway()
    assert g.post(token=auth_server.mint()).status == 200
    assert g.post(token=auth_server.mint(key=k)).status == 401
    assert "leaked" in g.log() and "it is a private key" in g.log()


def test_no_usable_key_says_which(make_gateway, auth_server):
    weak = tokens.Key.make("rsa", "weak-one", 1024).jwk()
    auth_server.body(json.dumps({"keys": [weak, {"kid": "k2"}]}).encode())
    rc, log = make_gateway().run_to_exit()
    assert rc == gw.EX_CONFIG
    line = [x for x in log.splitlines() if "oauth: prime jwks" in x][0]
    assert 'no usable key: key 0 (kid "weak-one"): RSA modulus is not 2048' \
        in line and '(kid "k2"): kty is missing' in line, line


def test_bom_and_gzip(gateway, auth_server):
    """Neither is asked for; both are taken."""
    doc = b"\xef\xbb\xbf" + json.dumps(auth_server.jwks()).encode()
    coded(auth_server, gzip.compress(doc))
    g = gateway()
    assert g.post(token=auth_server.mint()).status == 200
    _, fields = rawhttp.parse_head(auth_server.requests[0])
    asked = [v for n, v in fields if n.lower() == "accept-encoding"]
    assert asked == ["identity"], asked


@pytest.mark.parametrize("data, coding, reason", [
    (gzip.compress(b'{"keys": []' + b" " * (64 << 20) + b"}", 9), "gzip",
     "larger than"),
    (gzip.compress(b'{"keys": []}')[:20], "gzip", "."),
    (b'{"keys": []}', "gzip", "."),
    (b'{"keys": []}', "rot13", "."),
], ids=["bomb", "cut", "no gzip", "unknown"])
def test_codings_that_fail(make_gateway, auth_server, data, coding, reason):
    """A bomb ends at 1 MiB of what comes out of it."""
    coded(auth_server, data, coding)
    rc, log = make_gateway().run_to_exit()
    assert rc == gw.EX_CONFIG
    assert [x for x in log.splitlines() if "oauth: prime jwks" in x and
            reason in x], log


@pytest.mark.parametrize("kind, named, alg, status", [
    ("ed25519", "Ed25519", "Ed25519", 200),
    ("ed25519", "EdDSA", "Ed25519", 200),
    ("ed25519", "Ed25519", "EdDSA", 200),
    ("ed25519", "Ed25519", "Ed448", 401),
    ("ed448", "Ed448", "Ed448", 200),
    ("ed448", None, "Ed448", 200),
    ("ed448", "EdDSA", "Ed25519", 401),
    ("ec521", "ES512", "ES512", 200),
])
def test_names_of_algorithms(gateway, auth_server, kind, named, alg, status):
    """RFC 9864: EdDSA by the names of its curves; the key's curve decides."""
    k = tokens.Key.make(kind)
    auth_server.extra = [k.jwk(alg=named)]
    g = gateway()
    real = "ES512" if kind == "ec521" else "EdDSA"
    t = auth_server.mint(key=k, header={"alg": alg},
                         sign=lambda data: k.sign(real, data))
    assert g.post(token=t).status == status
