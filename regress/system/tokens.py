"""Keys, JSON Web Keys and access tokens, honest and forged.

Key.make("rsa" | "ec256" | "ec384" | "ec521" | "ed25519" | "ed448") makes a key;
key.jwk() is its public JWK, key.sign(alg, bytes) a JWS signature.  RSA keys
take long to make, so they come from a pool of the test process; a key object is
never given out twice.

mint(key, alg, claims, header) builds a token of any shape: claims and header are
used as they are (bytes or str for raw text, a value of None in a dict leaves a
member out), nothing is checked.  forge_*() make what must be refused.
"""

import base64
import hashlib
import hmac
import json
import threading

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec, ed448, ed25519, padding, rsa, utils)
from jwcrypto import jwk as jwcrypto_jwk

KIND_OF_ALG = {
    "RS256": "rsa", "RS384": "rsa", "RS512": "rsa",
    "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
    "ES256": "ec256", "ES384": "ec384", "ES512": "ec521",
    "EdDSA": "ed25519", "EdDSA-Ed448": "ed448",
}
ALGS = list(KIND_OF_ALG)        # "EdDSA-Ed448" is EdDSA with an Ed448 key
KINDS = ["rsa", "ec256", "ec384", "ec521", "ed25519", "ed448"]

_CURVES = {"ec256": (ec.SECP256R1, 32), "ec384": (ec.SECP384R1, 48),
           "ec521": (ec.SECP521R1, 66)}
_HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
_DEFAULT_ALG = {"rsa": "RS256", "ec256": "ES256", "ec384": "ES384",
                "ec521": "ES512", "ed25519": "EdDSA", "ed448": "EdDSA"}

_lock = threading.Lock()
_serial = 0
_rsa_reserve = []


def b64u(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64u_decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_kid():
    global _serial
    with _lock:
        _serial += 1
        return "key-%d" % _serial


def _private(kind, bits):
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=bits)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ed448":
        return ed448.Ed448PrivateKey.generate()
    return ec.generate_private_key(_CURVES[kind][0]())


class Key:
    def __init__(self, kind, private, kid):
        self.kind = kind
        self.private = private
        self.kid = kid

    @classmethod
    def make(cls, kind="ec256", kid=None, bits=2048):
        private = None
        if kind == "rsa" and bits == 2048:
            with _lock:
                if _rsa_reserve:
                    private = _rsa_reserve.pop()
        if private is None:
            private = _private(kind, bits)
        return cls(kind, private, new_kid() if kid is None else kid)

    def give_back(self):
        """For RSA: a later test may have it, under another kid."""
        if self.kind == "rsa":
            with _lock:
                if self.private.key_size == 2048 and len(_rsa_reserve) < 8:
                    _rsa_reserve.append(self.private)

    @property
    def default_alg(self):
        return _DEFAULT_ALG[self.kind]

    def public_pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo)

    def public_der(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)

    def jwk(self, **members):
        """The public JWK with kid and use; members override (None: leave
        out)."""
        j = json.loads(jwcrypto_jwk.JWK.from_pyca(
            self.private.public_key()).export_public())
        j.update({"kid": self.kid, "use": "sig"})
        j.update(members)
        return {k: v for k, v in j.items() if v is not None}

    def private_jwk(self):
        j = json.loads(jwcrypto_jwk.JWK.from_pyca(
            self.private).export_private())
        j["kid"] = self.kid
        return j

    def sign(self, alg, data):
        if self.kind in ("ed25519", "ed448"):
            return self.private.sign(data)
        h = _HASHES[alg[2:]]()
        if self.kind == "rsa":
            if alg.startswith("PS"):
                pad = padding.PSS(padding.MGF1(h), h.digest_size)
            else:
                pad = padding.PKCS1v15()
            return self.private.sign(data, pad, h)
        der = self.private.sign(data, ec.ECDSA(h))
        r, s = utils.decode_dss_signature(der)
        n = _CURVES[self.kind][1]
        return r.to_bytes(n, "big") + s.to_bytes(n, "big")

    def sign_der(self, alg, data):
        """ECDSA in ASN.1, which JWS does not allow."""
        return self.private.sign(data, ec.ECDSA(_HASHES[alg[2:]]()))


def _segment(value):
    if isinstance(value, dict):
        value = json.dumps({k: v for k, v in value.items() if v is not None})
    return b64u(value)


def mint(key, alg=None, claims=None, header=None, sign=None):
    """A token signed by key.  header is merged over {alg, kid, typ} if it is
    a dict, else used as raw text; sign(bytes) replaces the signature."""
    alg = alg or key.default_alg
    if alg.startswith("EdDSA"):
        alg = "EdDSA"
    if header is None or isinstance(header, dict):
        h = {"alg": alg, "kid": key.kid, "typ": "at+jwt"}
        h.update(header or {})
        header = h
    signing_input = _segment(header) + "." + _segment(claims)
    sig = (sign or (lambda d: key.sign(alg, d)))(signing_input.encode())
    return signing_input + "." + b64u(sig)


# -- what must be refused ---------------------------------------------------

def forge_none(token, alg="none", signature=b""):
    """The claims of a good token under alg none."""
    head, payload, _ = token.split(".")
    h = json.loads(b64u_decode(head))
    h["alg"] = alg
    return _segment(h) + "." + payload + "." + b64u(signature)


def forge_hmac(token, secret, alg="HS256"):
    """HMAC with something public as the key (algorithm confusion)."""
    head, payload, _ = token.split(".")
    h = json.loads(b64u_decode(head))
    h["alg"] = alg
    data = _segment(h) + "." + payload
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384,
              "HS512": hashlib.sha512}[alg]
    return data + "." + b64u(hmac.new(secret, data.encode(), digest).digest())


def forge_signature(token, at=0):
    """One bit of the signature turned."""
    head, payload, sig = token.split(".")
    raw = bytearray(b64u_decode(sig))
    raw[at] ^= 1
    return head + "." + payload + "." + b64u(bytes(raw))


def forge_payload(token, **claims):
    """Other claims under the old signature."""
    head, payload, sig = token.split(".")
    c = json.loads(b64u_decode(payload))
    c.update(claims)
    return head + "." + _segment(c) + "." + sig


# -- entries that a JWKS may hold and that must not spoil it ------------------

def junk_jwks():
    """[(what it is, entry)]; none can verify a token."""
    ok = Key.make("ec256")
    good = ok.jwk()
    y = bytearray(b64u_decode(good["y"]))
    y[-1] ^= 1
    return [
        ("symmetric", {"kty": "oct", "kid": "junk-oct", "use": "sig",
                       "alg": "HS256", "k": b64u(b"k" * 32)}),
        ("use enc", Key.make("ec256", "junk-enc").jwk(use="enc")),
        ("RSA 1024", Key.make("rsa", "junk-rsa1024", 1024).jwk()),
        ("RSA e 1", Key.make("rsa", "junk-e1", 1024).jwk(
            e="AQ", n=b64u(b"\xc5" + b"\x11" * 255))),
        ("unknown kty", {"kty": "PQC", "kid": "junk-kty", "x": "AAAA"}),
        ("kty not a string", {"kty": 7, "kid": "junk-kty7"}),
        ("off-curve point", dict(good, kid="junk-offcurve",
                                 y=b64u(bytes(y)))),
        ("short coordinate", dict(good, kid="junk-short", y=good["y"][:20])),
        ("unknown curve", dict(good, kid="junk-crv", crv="P-1")),
        ("secp256k1", dict(good, kid="junk-k1", crv="secp256k1")),
        ("no crv", {k: v for k, v in good.items() if k != "crv"}),
        ("bad base64", {"kty": "RSA", "kid": "junk-b64", "e": "AQAB",
                        "n": "!!!"}),
        ("huge n", {"kty": "RSA", "kid": "junk-n", "e": "AQAB",
                    "n": b64u(b"\xc5" * 4096)}),
        ("X25519", {"kty": "OKP", "kid": "junk-x25519", "crv": "X25519",
                    "x": b64u(b"\x09" + b"\0" * 31)}),
        ("no kty", {"kid": "junk-nokty"}),
        ("not an object", "junk"),
        ("null", None),
        ("empty", {}),
    ]
