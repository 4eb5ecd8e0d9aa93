"""Whom a credential stands for when it says little, and what ends with it."""

import json
import types

import pytest

from judge import judge
from test_sessions import initialize, refused, use

NOBODY = {"client_id": None, "azp": None, "sub": None, "jti": None}


def test_media_type_in_the_header(site):
    """RFC 7515 section 4.1.9: typ is a media type, with or without
    application/."""
    for typ in ("application/jwt", "Application/JWT"):
        judge(site, site.auth.mint(header={"typ": typ})).admitted()
    judge(site, site.auth.mint(header={"typ": "text/jwt"})).refused("invalid")


@pytest.mark.parametrize("member", ["kid", "alg", "use", "key_ops", "d"])
def test_null_in_a_key(make_gateway, auth_server, upstream, member):
    j = dict(auth_server.keys[-1].jwk(), **{member: None})
    auth_server.body(json.dumps({"keys": [j]}).encode())
    s = types.SimpleNamespace(gw=make_gateway().start(), auth=auth_server,
                              up=upstream)
    judge(s, auth_server.mint(header={"kid": None} if member == "kid"
                              else None)).admitted()


def test_token_that_names_nobody(gateway, auth_server, upstream):
    """Its session is its own: of two such, who knows whether they are one?"""
    g = gateway()
    for empty in (None, ""):
        over = dict(NOBODY, client_id=empty, sub=empty)
        a, b = (auth_server.mint(dict(over, jti=j)) for j in "ab")
        s = initialize(g, upstream, a)
        for _ in range(2):      # judged, and out of the cache
            assert use(g, a, s).status == 200
            refused(g, b, s)
    # by either name it is the same at the next refresh
    for over in ({"client_id": "c"}, {"sub": "u"}):
        a, b = (auth_server.mint(dict(NOBODY, jti=j, **over)) for j in "ab")
        assert use(g, b, initialize(g, upstream, a)).status == 200
