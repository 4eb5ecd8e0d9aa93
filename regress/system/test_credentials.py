"""Whom a credential stands for when it says little, and what ends with it."""

import json
import queue
import threading
import time
import types

import pytest

import fake_upstream as fu
import gw
import rawhttp
import tokens
from judge import judge
from test_keys import Key
from test_sessions import initialize, refused, use
from test_tokens import GET, LISTEN, POST, ends, now, opened

NOBODY = {"client_id": None, "azp": None, "sub": None, "jti": None}


def test_media_type_in_the_header(site):
    """RFC 7515 section 4.1.9: typ is a media type, with or without
    application/."""
    for typ in ("application/jwt", "Application/JWT"):
        judge(site, site.auth.mint(header={"typ": typ})).admitted()
    judge(site, site.auth.mint(header={"typ": "text/jwt"})).refused("invalid")


def test_scope_with_a_space_in_an_array(site):
    """One there, two to whoever reads the list that the log has."""
    for claims in ({"scope": ["mcp:read x"]}, {"scp": ["a", "mcp:read x"]}):
        judge(site, site.auth.mint(claims)).refused("invalid")


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


# -- what is taken back ----------------------------------------------------------

EVENT = fu.event({"jsonrpc": "2.0", "method": "notifications/x"})


class Stream:
    """An open event stream, to be told that it lives or must end."""

    def __init__(self, g, upstream, credential, how=GET):
        self.how = how
        self.feed = queue.Queue()
        self.c = opened(g, upstream, credential, how, self.feed)

    def lives(self):
        self.feed.put(EVENT)
        got = b""
        while len(got) < len(EVENT):
            some = self.c.read_some()
            assert some, "it has ended"
            got += some
        assert got == EVENT, got

    def ended(self):
        ends(self.c, b"", self.how)
        self.c.close()

    def finish(self):
        answer = fu.event({"jsonrpc": "2.0", "id": 1, "result": {}})
        self.feed.put(answer)
        self.feed.put(None)
        ends(self.c, answer)
        self.c.close()


def test_streams_of_a_removed_key(gateway, auth_server, upstream):
    """At the reload, not at drain_timeout, and in whichever generation it was
    opened; others stay, and what was asked is answered."""
    a, b, c = Key("a"), Key("b"), Key("c")
    g = gateway({"drain_timeout": "60s",
                 "auth": {"keys": [a.entry, b.entry, c.entry]}})
    mark = g.audit_mark()
    gone = [Stream(g, upstream, a.key, how) for how in (GET, LISTEN)]
    asked = Stream(g, upstream, a.key, POST)
    late, other = (Stream(g, upstream, k.key) for k in (b, c))
    token = Stream(g, upstream, auth_server.mint())
    # one whose answer has not begun
    go = threading.Event()
    upstream.script(fu.after(go, fu.sse_open()))
    pending = g.client()
    pending.send(pending.build("GET", "/mcp", [
        ("Accept", "text/event-stream"), ("Authorization", "Bearer " + a.key)]))
    upstream.wait_requests(7)
    g.reload({"auth": {"keys": [c.entry, b.entry]}})
    for s in gone:
        s.ended()
    go.set()
    assert pending.read_head("GET").status == 200
    ends(pending, b"")
    pending.close()
    asked.finish()
    for s in (late, other, token):
        s.lives()
    lines = g.audit(lambda l: l["auth_key_id"] == "a", n=4, since=mark)
    assert sorted((l["method"], l.get("error")) for l in lines) == [
        ("GET", "the credential was withdrawn"),
        ("GET", "the credential was withdrawn"),
        ("subscriptions/listen", "the credential was withdrawn"),
        ("tools/call", None)], lines
    # another hash, by the same name; two generations later
    g.reload({"auth": {"keys": [c.entry, Key("b").entry]}})
    late.ended()
    g.reload({"auth": {"keys": [dict(c.entry, scopes=["*"])]}})
    other.ended()
    token.lives()


def test_streams_of_tokens_that_are_good_no_more(gateway, auth_server,
                                                 upstream):
    """Which tokens are: not what else auth.oauth says."""
    k = Key("k")
    g = gateway({"drain_timeout": "60s", "auth": {"keys": [k.entry]}})
    gone = [Stream(g, upstream, auth_server.mint(), how)
            for how in (GET, LISTEN)]
    key = Stream(g, upstream, k.key)
    g.reload({"auth": {"oauth": {"leeway": "7s", "resource_name": "x"}}})
    for s in gone:
        s.lives()
    g.reload({"auth": {"oauth": {"audience": "another"}}})
    for s in gone:
        s.ended()
    key.lives()
    key.finish()


@pytest.mark.parametrize("reload", [False, True])
def test_streams_of_a_withdrawn_signing_key(gateway, auth_server, upstream,
                                            reload):
    a = auth_server
    g = gateway({"drain_timeout": "60s"})
    old = Stream(g, upstream, a.mint())
    a.add_key()
    new = Stream(g, upstream, a.mint())
    old.lives()
    if reload:
        g.reload({"timeouts": {"header": "9s"}})
    a.keys.pop(0)
    unknown = a.mint(key=tokens.Key.make("ec256"))
    assert g.post(token=unknown).status == 401
    old.ended()
    new.lives()


# -- what is no event stream ------------------------------------------------------

@pytest.mark.parametrize("how", [GET, LISTEN])
def test_other_endless_answers_end(gateway, auth_server, upstream, how):
    """Whatever its type is; but no part passes for the whole."""
    g = gateway({"auth": {"oauth": {"leeway": "0s"}}})

    def answer(conn, req):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n" + fu.chunk(b"{}\n"))
        conn.wait_peer_close()
        conn.close()
    upstream.script(answer)
    method, headers, body = how
    exp = now() + 3
    mark = g.audit_mark()
    with g.client() as c:
        c.send(c.build(method, "/mcp", g.headers(auth_server.mint(
            {"exp": exp}), headers), body))
        assert c.read_head(method).status == 200
        with pytest.raises((rawhttp.Truncated, ConnectionError)):
            c.read_body(10)
    assert exp - 0.1 < time.time() < exp + 3
    line = g.audit_one(mark)
    if how is GET:              # of the other it was written before
        assert line["action"] == "aborted", line
        assert line["error"] == "the credential has expired"


@pytest.mark.parametrize("exp", ["9300000000000000", "1e999"])
def test_stream_of_a_far_exp(gateway, auth_server, upstream, exp):
    """However far it is, in milliseconds as well."""
    g = gateway({"auth": {"oauth": {"leeway": "0s"}}})
    far = tokens.mint(auth_server.keys[-1], claims=json.dumps(
        auth_server.claims(exp=-77)).replace("-77", exp))
    s = Stream(g, upstream, far)
    with opened(g, upstream, auth_server.mint({"exp": now() + 2}),
                GET) as short:
        ends(short, b"")
    s.lives()


# -- a name that is to come ------------------------------------------------------

def test_public_url_that_needs_a_restart(gateway, auth_server, upstream):
    """Until then the listen address stands in for it, which is no audience:
    who listens there elsewhere has the same."""
    g = gateway({"auth": {"oauth": {"public_url": gw.DROP}}})
    doc = g.get(gw.METADATA_PATH).json()
    auds = [doc["resource"], gw.PUBLIC_URL, "mcpgw-prod"]

    def seen():
        return [g.post(token=auth_server.mint({"aud": a})).status
                for a in auds]
    assert seen() == [401, 401, 200]
    log = g.reload({"auth": {"oauth": {
        "audience": gw.DROP, "public_url": gw.PUBLIC_URL}}}, "rejected")
    assert "auth.oauth.audience: required until auth.oauth.public_url" in log
    assert seen() == [401, 401, 200]
    g.reload({"auth": {"oauth": {"public_url": gw.PUBLIC_URL,
                                 "accept_resource_audience": True}}})
    assert seen() == [401, 401, 200]
