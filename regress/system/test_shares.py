"""Nobody has all of anything: connections, streams, memory, and upstreams are
shared by address."""

import json
import select
import socket
import threading
import time

import pytest

import fake_upstream as fu
from gw import rpc

HERE, THERE = "127.0.0.1", "127.0.0.2"
A, B = "192.0.2.1", "192.0.2.2"
MIB = 1024 * 1024


def by(ip):
    return [("X-Forwarded-For", ip)]


def limits(**more):
    return {"workers": 1, "limits": more}


def behind_a_proxy(**more):
    return {"trusted_proxies": [HERE], **limits(**more)}


def stream(g, token, source=HERE, fields=()):
    """A client with an open stream."""
    c = g.client(source=source)
    c.send(c.build("GET", "/mcp", g.headers(token, fields)))
    return c, c.read_head("GET")


def ended(c):
    """The stream ended as streams do."""
    while c.read_some():
        pass


def close_all(clients):
    for c in clients:
        c.close()


# -- connections ---------------------------------------------------------------

def test_connections_of_an_address(gateway, auth_server, upstream):
    g = gateway(limits(per_address={"connections": 2}))
    token = auth_server.mint()
    kept = g.client()
    assert g.post(token=token, client=kept).status == 200
    old = g.client()
    for c in (old, kept):
        assert g.post(token=token, client=c).status == 200
    with g.client() as c:
        assert g.post(token=token, client=c).status == 200
        old.wait_close()
        assert g.post(token=token, client=kept).status == 200
    kept.close()
    # who is busy does not give way
    upstream.answer = fu.sse_open()
    streams = [stream(g, token)[0] for _ in range(2)]
    with g.client() as c:
        c.wait_close()
    g.wait_log(r"the last from 127\.0\.0\.1: limits\.per_address\."
               r"connections reached")
    with g.client(source=THERE) as c:
        assert c.request("GET", "/healthz").status == 200
    close_all(streams)


def test_connections_of_proxies(gateway, auth_server):
    """What a trusted proxy connects for is not its own."""
    g = gateway(behind_a_proxy(per_address={"connections": 1}))
    clients = [g.client() for _ in range(4)]
    for c in clients * 2:
        assert g.post(token=auth_server.mint(), client=c).status == 200
    close_all(clients)


def test_one_address_has_all_connections(gateway, auth_server, upstream):
    """It loses one, its idle ones first, when somebody else comes."""
    g = gateway(limits(max_connections=4))
    token = auth_server.mint()
    other = g.client(source=THERE)
    assert g.post(token=token, client=other).status == 200
    idle = [g.client() for _ in range(3)]
    for c in idle:
        assert g.post(token=token, client=c).status == 200
    # the other was idle for longer, but has no more than its share
    late = g.client(source=THERE)
    assert g.post(token=token, client=late).status == 200
    idle.pop(0).wait_close()
    assert g.post(token=token, client=other).status == 200
    close_all(idle + [other, late])


def test_one_address_has_all_streams(gateway, auth_server, upstream):
    g = gateway(limits(max_connections=3))
    token = auth_server.mint()
    upstream.script(*[fu.sse_open() for _ in range(3)])
    streams = [stream(g, token) for _ in range(3)]
    assert [r.status for _, r in streams] == [200] * 3
    with g.client(source=THERE) as c:
        assert g.post(token=token, client=c).status == 200
    ended(streams[0][0])
    assert streams[1][0].is_open() and streams[2][0].is_open()
    close_all(c for c, _ in streams)


def hold_body(g, token):
    """A body that does not come to its end; nobody asks who sends it."""
    c = g.client()
    c.send(c.build("POST", "/mcp", [("Content-Type", "application/json")],
                   body_of(2000))[:-1000])
    return c


def hold_answer(g, token):
    """An answer that is taken a byte now and then."""
    c = g.client()
    c.send(c.build("POST", "/mcp", g.headers(token),
                   json.dumps(rpc()).encode()))
    assert c.read_head("POST").status == 200
    return c


def poke_body(c):
    c.send(b"x")


def poke_answer(c):
    c.sock.recv(1 << 16)    # or it would end for making no headway


LARGE = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {
    "text": "x" * (16 * MIB)}}).encode()


@pytest.mark.parametrize("hold, poke, answer, times", [
    (hold_body, poke_body, None, {"body": "2s"}),
    (hold_answer, poke_answer, fu.raw(fu.response(LARGE)),
     {"keepalive": "2s"}),
    (hold_answer, None, fu.sse_open(), {"upstream_response": "500ms"})],
    ids=["bodies", "answers", "streams"])
def test_one_address_keeps_all_busy(gateway, auth_server, upstream, hold,
                                    poke, answer, times):
    """What only its client keeps busy gives way to another address, and not
    to its own."""
    g = gateway({**limits(max_connections=3), "timeouts": times})
    token = auth_server.mint()
    if answer:
        upstream.answer = answer
    held = [hold(g, token) for _ in range(3)]
    same, other = g.client(), g.client(source=THERE)
    for c in (same, other):
        c.send(c.build("GET", "/healthz"))
    deadline = time.monotonic() + 10
    while not select.select([other.sock], [], [], 0.05)[0]:
        assert time.monotonic() < deadline, "it is kept out"
        for c in held:
            try:
                if poke:
                    poke(c)
            except OSError:
                pass
    # by then it has no answer; behind the other's it may have a place
    try:
        if select.select([same.sock], [], [], 0)[0]:
            assert same.sock.recv(1, socket.MSG_PEEK) == b""
    except ConnectionResetError:
        pass
    assert other.read_response().status == 200
    close_all(held + [same, other])


# -- streams -------------------------------------------------------------------

def test_streams_of_an_address(gateway, auth_server, upstream):
    g = gateway(behind_a_proxy(per_address={"streams": 1}))
    token = auth_server.mint()
    upstream.script(fu.sse_open())
    first, r = stream(g, token, fields=by(A))
    assert r.status == 200
    mark = g.audit_mark()
    second, r = stream(g, token, fields=by(A))
    assert r.status == 429 and r.header("Retry-After"), r
    line, = g.audit(lambda x: x["status"] == 429, since=mark)
    assert line["client_ip"] == A
    assert line["error"] == "limits.per_address.streams reached"
    assert g.post(rpc(), token, by(A)).status == 200
    upstream.script(fu.sse_open())
    third, r = stream(g, token, fields=by(B))
    assert r.status == 200
    first.close()
    g.audit(lambda x: x["client_ip"] == A and x.get("transport") == "stream",
            since=mark)
    upstream.script(fu.sse_open())
    fourth, r = stream(g, token, fields=by(A))
    assert r.status == 200
    close_all((second, third, fourth))


# -- memory --------------------------------------------------------------------

def body_of(n):
    head = json.dumps(rpc("ping"))[:-1] + ', "params": {"x": "'
    return (head + "x" * (n - len(head) - 3) + '"}}').encode()


def begin(g, token, ip, body):
    """A client whose body lacks one byte."""
    c = g.client()
    c.send(c.build("POST", "/mcp", g.headers(token, by(ip)), body)[:-1])
    return c


def test_memory_of_an_address(gateway, auth_server):
    g = gateway(behind_a_proxy(max_body="1MiB",
                               per_address={"buffered": "1MiB"}))
    token, body = auth_server.mint(), body_of(MIB * 3 // 4)
    mark = g.audit_mark()
    clients = [begin(g, token, A, body) for _ in range(2)]
    line, = g.audit(lambda x: x["status"] == 503, since=mark)
    assert line["client_ip"] == A
    assert g.post(body, token, by(B)).status == 200
    statuses = []
    for c in clients:
        try:
            c.send(body[-1:])
        except OSError:
            pass
        statuses.append(c.read_response().status)
    assert sorted(statuses) == [200, 503]
    close_all(clients)


def test_a_slow_body_gives_way(gateway, auth_server):
    g = gateway(behind_a_proxy(max_body="1MiB", buffered="1MiB") |
                {"timeouts": {"body": "4s"}})
    token, body = auth_server.mint(), body_of(MIB // 5)
    slow = [begin(g, token, "198.51.100.%d" % i, body) for i in range(4)]
    whole = body_of(MIB * 9 // 10)
    deadline = time.monotonic() + 3
    began = time.monotonic()
    while g.post(whole, token, by(A)).status != 200:
        assert time.monotonic() < deadline
    assert time.monotonic() - began > 0.5, "nobody was slow yet"
    for c in slow:
        if not c.is_open():
            r = c.read_response()
            assert r.status == 503 and r.header("Retry-After"), r
    close_all(slow)


def test_a_body_has_its_time_when_memory_is_short(gateway, auth_server):
    """64 KiB now and then is enough, unless it fills the memory."""
    body, statuses = body_of(MIB * 15 // 16), []
    for buffered in ("1MiB", "8MiB"):
        g = gateway(limits(max_body="1MiB", buffered=buffered) |
                    {"timeouts": {"body": "1s"}})
        with g.client() as c:
            raw = c.build("POST", "/mcp", g.headers(auth_server.mint()), body)
            at = len(raw) - 4 * 66000
            c.send(raw[:at])
            while at < len(raw) and \
                    not select.select([c.sock], [], [], 0.35)[0]:
                c.send(raw[at:at + 66000])
                at += 66000
            statuses.append(c.read_response().status)
    assert statuses == [408, 200]


# -- upstreams -----------------------------------------------------------------

def narrow(upstream, n, **more):
    return {**behind_a_proxy(), "upstreams": [
        {"name": "up", "url": upstream.url, "max_connections": n, **more}]}


def test_turns_at_an_upstream(gateway, auth_server, upstream):
    """Who has one request waiting is not behind who has many."""
    g = gateway(narrow(upstream, 1))
    token, go = auth_server.mint(), threading.Event()
    upstream.answer = fu.after(go)
    clients = []
    for i, ip in enumerate([A, A, A, A, B]):
        c = g.client()
        clients.append(c)
        c.send(c.build("POST", "/mcp", g.headers(token, by(ip)),
                       json.dumps(rpc(id=i)).encode()))
        if i == 0:
            upstream.wait_requests(1)
        # read when a later request of another connection is answered
        assert g.get("/healthz").status == 200
    go.set()
    for i, c in enumerate(clients):
        assert c.read_response().json()["id"] == i
    order = [r.id for r in upstream.requests]
    assert order.index(4) == 1, order
    close_all(clients)


def test_answers_that_stream_at_an_upstream(gateway, auth_server, upstream):
    """Nor do those of POST, when they take longer than any other answer."""
    g = gateway(narrow(upstream, 2, timeouts={"response": "500ms",
                                              "connect": "1s"}))
    token, held = auth_server.mint(), []
    upstream.script(fu.sse_open(), fu.sse_open())
    for _ in range(2):
        c = g.client()
        c.send(c.build("POST", "/mcp", g.headers(token, by(A)),
                       json.dumps(rpc()).encode()))
        assert c.read_head("POST").status == 200
        held.append(c)
    deadline = time.monotonic() + 10
    while g.post(rpc(), token, by(B)).status != 200:
        assert time.monotonic() < deadline, "it is kept out"
    ended(held[0])
    assert held[1].is_open()
    close_all(held)


def test_streams_at_an_upstream(gateway, auth_server, upstream):
    """Streams of one address do not keep others out for ever."""
    g = gateway(narrow(upstream, 2))
    token = auth_server.mint()
    upstream.script(fu.sse_open(), fu.sse_open())
    streams = [stream(g, token, fields=by(A)) for _ in range(2)]
    assert [r.status for _, r in streams] == [200, 200]
    assert g.post(rpc(), token, by(B)).status == 200
    ended(streams[0][0])
    assert streams[1][0].is_open()
    # but it does not end its own
    upstream.script(fu.sse_open())
    again = stream(g, token, fields=by(A))
    assert again[1].status == 200 and streams[1][0].is_open()
    close_all(c for c, _ in streams + [again])
