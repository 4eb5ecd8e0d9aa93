"""Keys, access tokens of about 800 bytes, an API key.

They are kept in the bench's directory, since 20,480 signatures by an RSA key
take a while, and made anew when they are about to expire.
"""

import base64
import json
import multiprocessing
import os
import random
import string
import subprocess
import time

import tokens

ALGS = ["RS256", "ES256", "EdDSA"]
ISSUER = "https://idp.acme.test/"
AUDIENCE = "mcpgw-prod"
COUNT = 20480           # more than a worker's cache holds
SIZE = 800
LIFE = 7 * 86400
SIGNATURE = {"RS256": 342, "ES256": 86, "EdDSA": 86}

_key = None


def claims(n, pad):
    now = int(time.time())
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1",
            "client_id": "agent-7", "scope": "mcp:read", "iat": now,
            "nbf": now, "exp": now + LIFE, "jti": "token-%06d" % n,
            "name": pad}


def _mint(n):
    alg = next(a for a in ALGS if tokens.KIND_OF_ALG[a] == _key.kind)
    bare = len(tokens.mint(_key, alg, claims(n, ""), sign=lambda d: b""))
    room = SIZE - bare - SIGNATURE[alg]
    # random, because LuaJIT (in wrk) hashes only a few places of a string
    return tokens.mint(_key, alg, claims(
        n, os.urandom(room).hex()[:room * 3 // 4]))


def _make_tokens(path, key):
    global _key
    _key = key
    with multiprocessing.get_context("fork").Pool(2) as pool:
        made = pool.map(_mint, range(COUNT), 256)
    path.write_text("\n".join(made) + "\n")


class Credentials:
    """Files: tokens(alg), one each line; key(alg), the public key in PEM;
    one(alg), a token that is not among them; jwks."""

    def __init__(self, directory):
        self.dir = directory / "tokens"
        self.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.jwks = self.dir / "jwks.json"
        self.made = self.dir / "made"
        if not self._fresh():
            self._make()

    def tokens(self, alg):
        return self.dir / alg

    def key(self, alg):
        return self.dir / (alg + ".pem")

    def one(self, alg):
        return self.dir / (alg + ".one")

    def _fresh(self):
        try:
            return time.time() - self.made.stat().st_mtime < LIFE / 2
        except OSError:
            return False

    def _make(self):
        global _key
        jwks = []
        for alg in ALGS:
            key = tokens.Key.make(tokens.KIND_OF_ALG[alg], "bench-" + alg)
            jwks.append(key.jwk())
            self.key(alg).write_bytes(key.public_pem())
            _make_tokens(self.tokens(alg), key)
            self.one(alg).write_text(_mint(COUNT) + "\n")
        self.jwks.write_text(json.dumps({"keys": jwks}))
        self.made.write_text("")


def _b64(data):
    return base64.b64encode(data).decode().rstrip("=")


def api_keys(path, n):
    """auth.keys with n entries: the key written to path, among others whose
    keys nobody knows."""
    chars = string.ascii_letters + string.digits
    key = "".join(random.choices(chars, k=48))
    path.write_text(key + "\n")
    hashed = subprocess.run(
        ["argon2", "bench-salt-16-by", "-id", "-m", "16", "-t", "3", "-p",
         "2", "-e"], input=key.encode(), stdout=subprocess.PIPE, check=True)
    out = [{"id": "key-0", "hash": hashed.stdout.decode().strip(),
            "scopes": ["*"]}]
    for i in range(1, n):
        out.append({
            "id": "key-%d" % i, "scopes": ["*"],
            "prefix": "".join(random.choices(chars, k=8)),
            "hash": "$argon2id$v=19$m=65536,t=3,p=2$%s$%s" % (
                _b64(os.urandom(16)), _b64(os.urandom(32)))})
    return out
