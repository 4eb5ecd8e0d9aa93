"""What strangers cause costs little disk: few lines of each source in a second,
short ones, and a count to the last refusal of what has none.  Who has a
credential has a line for each request."""

import json
import time

import gw as gwmod
from test_stop import SLOW, Stopping

PER_SECOND, MANY = 3, 12
BODY = json.dumps(gwmod.rpc()).encode()
ORIGIN = "https://page.example.test"


def config(**more):
    return gwmod.merge({
        "workers": 1, "audit": {"refusals_per_second": PER_SECOND},
        "allowed_hosts": ["127.0.0.1"], "allowed_origins": [ORIGIN],
        "limits": {"max_header": "2KiB", "max_body": "64KiB"}}, more)


def raw(*lines, body=b""):
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def request(*fields, method="POST", path="/mcp", body=BODY,
            host="127.0.0.1"):
    return raw("%s %s HTTP/1.1" % (method, path), "Host: " + host,
               *(["Content-Type: application/json",
                  "Content-Length: %d" % len(body)] if body else []),
               *fields, body=body)


def bearer(token):
    return "Authorization: Bearer " + token


# what anybody can send -> the status of its answer
STRANGERS = {
    "no credential": (request(), 401),
    "a wrong one": (request(bearer("x" * 40)), 401),
    "two": (request(bearer("a"), bearer("b")), 400),
    "no HTTP": (b"\x00\x01\x02\r\n\r\n", 400),
    "a bad field": (raw("GET /mcp HTTP/1.1", "Host: 127.0.0.1", "a b: c"),
                    400),
    "too long a line": (raw("GET /" + "a" * 4096 + " HTTP/1.1"), 414),
    "too long a head": (request("X: " + "a" * 4096), 431),
    "another host": (request(host="evil.example.test"), 421),
    "another origin": (request("Origin: https://evil.example.test"), 403),
    "a preflight": (request("Origin: " + ORIGIN,
                            "Access-Control-Request-Method: POST",
                            method="OPTIONS", body=None), 204),
    "no such method": (request(method="BREW"), 501),
    "a method not served": (request(method="PUT"), 405),
    "too large a body": (request("Content-Length: 70000", body=None), 413),
    "a body with GET": (request(method="GET"), 400),
    "two sessions": (request("Mcp-Session-Id: a", "Mcp-Session-Id: b"), 400),
    "no such upstream": (request(path="/mcp/nobody"), 401),
    "none, and goes": (request("Content-Length: 100", body=None), None),
}


def send(g, data, source, status):
    with g.client(source=source) as c:
        c.send(data)
        if status is not None:
            assert c.read_response(data.split(b" ")[0].decode(
                "latin-1")).status == status


def until_counted(g, source, n, timeout=10):
    """Its lines and those that count, once they speak of n requests."""
    end = time.monotonic() + timeout
    while True:
        lines = [x for x in g.audit_lines() if x.get("client_ip") == source]
        own = [x for x in lines if "suppressed" not in x]
        counts = [x for x in lines if "suppressed" in x]
        if len(own) + sum(x["suppressed"] for x in counts) >= n:
            return own, counts
        assert time.monotonic() < end, (source, n, lines)
        time.sleep(0.02)


def test_what_strangers_can_cause(gateway, auth_server):
    g = gateway(config())
    expired = auth_server.mint({"exp": int(time.time()) - 3600})
    kinds = {**STRANGERS, "a token of the past":
             (request(bearer(expired)), 401)}
    sources = {kind: "127.0.1.%d" % i for i, kind in enumerate(kinds, 1)}
    for kind, (data, status) in kinds.items():
        for _ in range(MANY):
            send(g, data, sources[kind], status)
    for kind, source in sources.items():
        own, counts = until_counted(g, source, MANY)
        assert len(own) + sum(x["suppressed"] for x in counts) == MANY, kind
        # were it in several seconds, each would have its count but the last
        assert PER_SECOND <= len(own) <= PER_SECOND * (len(counts) + 1), kind
        assert counts, kind
        for x in counts:
            assert list(x)[:8] == ["ts", "session_id", "method", "action",
                                   "auth_result", "oauth_client_id",
                                   "scopes", "latency_ms"], x
            assert x["action"] == "deny" and x["error"] == \
                "%d more refusals like this" % x["suppressed"], x


def test_who_has_a_credential_has_lines(gateway, auth_server):
    """And so has who is let in where none is asked for."""
    token = auth_server.mint()
    poor = auth_server.mint({"scope": "other"})
    kinds = [
        (request(bearer(token)), 200),
        (request(bearer(token), body=b"{"), 400),
        (request(bearer(token), path="/mcp/nobody"), 404),
        (request(bearer(token), "Mcp-Session-Id: x"), 404),
        (request(bearer(poor)), 401)]
    g = gateway(config())
    for data, status in kinds:
        mark = g.audit_mark()
        for _ in range(MANY):
            send(g, data, "127.0.0.1", status)
        lines = g.audit(n=MANY, since=mark)
        assert [x["status"] for x in lines] == [status] * MANY, lines
        assert {x["oauth_client_id"] for x in lines} == {
            auth_server.claims()["client_id"]}


def test_without_auth(gateway):
    g = gateway(config(auth={"enabled": False,
                             "oauth": {"enabled": False}}))
    for data, status in [(request(), 200), (request(body=b"{"), 400),
                         (request(path="/mcp/nobody"), 404)]:
        mark = g.audit_mark()
        for _ in range(MANY):
            send(g, data, "127.0.0.1", status)
        assert [x["status"] for x in g.audit(n=MANY, since=mark)] == \
            [status] * MANY
    for _ in range(MANY):
        send(g, b"\x00\r\n\r\n", "127.0.0.2", 400)
    own, counts = until_counted(g, "127.0.0.2", MANY)
    assert counts and len(own) < MANY


def test_a_pipeline(gateway, auth_server):
    """One connection, as fast as it goes: values are short, and nothing is
    forgotten by a gateway that stops at once."""
    g = gateway(config())
    body = json.dumps(gwmod.call(name="n" * 300)).encode()
    n = 2000
    with g.client() as c:
        for _ in range(n // 100):
            c.send(request(body=body) * 100)
            for _ in range(100):
                assert c.read_response().status == 401
        # with a credential it is whole
        c.send(request(bearer(auth_server.mint()), body=body))
        assert c.read_response().status == 200
    g.stop()
    known, = g.audit(lambda x: x["action"] == "allow")
    assert known["tool"] == "n" * 256, known
    own, counts = until_counted(g, "127.0.0.1", n + 1, timeout=0)
    own.remove(known)
    assert len(own) + sum(x["suppressed"] for x in counts) == n
    assert counts and len(own) <= PER_SECOND * (len(counts) + 1)
    for x in own:
        assert x["tool"] == "n" * 64, x


def test_while_it_stops(gateway, auth_server, upstream):
    """Told before it is gone: that may take long."""
    g = gateway(gwmod.merge(config(), SLOW))
    stopping = Stopping(g, auth_server.mint(), upstream)
    for _ in range(MANY):
        assert stopping.ask("POST", "/mcp", BODY).status == 503
    own, counts = until_counted(g, "127.0.0.1", MANY)
    assert len(own) + sum(x["suppressed"] for x in counts) == MANY
    assert counts and {x["status"] for x in own} == {503}
    stopping.end()


def test_at_a_reload(gateway):
    """The old worker tells what it counted; the new one counts anew, by its
    own number."""
    g = gateway(config())
    for _ in range(MANY):
        send(g, request(), "127.0.0.1", 401)
    g.reload({"audit": {"refusals_per_second": 1}})
    for _ in range(MANY):
        send(g, request(), "127.0.0.2", 401)
    own, counts = until_counted(g, "127.0.0.1", MANY)
    assert len(own) + sum(x["suppressed"] for x in counts) == MANY
    own, counts = until_counted(g, "127.0.0.2", MANY)
    assert len(own) + sum(x["suppressed"] for x in counts) == MANY
    assert 1 <= len(own) <= len(counts) + 1
