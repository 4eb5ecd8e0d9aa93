"""SIGHUP: the new configuration serves, the old one finishes what it began,
and nothing is lost on the way."""

import asyncio
import os
import re
import resource
import signal
import threading
import time

import pytest

import fake_upstream as fu
import gw as gwmod
import load
import rawhttp
from fake_as import FakeAS
from fake_upstream import Upstream


def headers(token, *more):
    return [("Authorization", "Bearer " + token),
            ("Content-Type", "application/json"), *more]


BODY = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'


def said(n, what):
    return gwmod.rpc(id=n, params={"cursor": what})


def raw_post(g, token, body=BODY):
    return ("POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer "
            "%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (g.port, token, len(body))).encode() + body


def test_none_fails_around_ten_reloads(gateway, auth_server, upstream):
    """A thousand requests and more, by clients that never retry."""
    g = gateway({"drain_timeout": "30s"})
    token = auth_server.mint()
    mark = g.audit_mark()
    with load.Load(g, 12, lambda: token, pause=0) as busy:
        for i in range(10):
            busy.wait_more(100)
            g.reload({"auth": {"oauth": {"leeway": "%ds" % (20 + i)}}})
        busy.wait(1000)
    assert busy.failures() == []
    assert len(busy.results) >= 1000
    # each has its one line, and each line its request
    lines = g.audit(n=len(busy.results), since=mark)
    assert len(g.audit_lines(mark)) == len(busy.results), len(lines)
    assert len(upstream.requests) == len(busy.results)


def test_each_is_judged_by_one_whole_configuration(gateway, auth_server,
                                                   upstream):
    """Two configurations differ in audience and upstream together: a request
    that one of them lets in goes to that one's upstream."""
    with Upstream() as other:
        one = {"auth": {"oauth": {"audience": "one"}},
               "upstreams": [{"name": "up", "url": upstream.url}]}
        two = {"auth": {"oauth": {"audience": "two"}},
               "upstreams": [{"name": "up", "url": other.url}]}
        g = gateway(one)
        tokens = [auth_server.mint({"aud": a}) for a in ("one", "two")]
        with load.Load(g, 4, lambda: tokens[0], pause=0,
                       message=lambda n: said(n, "one")) as a, \
                load.Load(g, 4, lambda: tokens[1], pause=0,
                          message=lambda n: said(n, "two")) as b:
            for i in range(6):
                a.wait_more(20)
                b.wait_more(20)
                g.reload((two, one)[i % 2])
        for r in a.results + b.results:
            assert r.status in (200, 401), r
        assert {r.json()["params"]["cursor"] for r in upstream.requests} == {
            "one"}
        assert {r.json()["params"]["cursor"] for r in other.requests} == {
            "two"}


def test_idle_connection_lives_on_under_the_new_one(gateway, auth_server):
    g = gateway()
    token = auth_server.mint()
    with g.client() as c:
        r = c.request("POST", "/mcp", headers(token), BODY)
        assert r.status == 200 and c.is_open()
        g.reload({"auth": {"oauth": {"audience": "another"}}})
        mark = g.audit_mark()
        r = c.request("POST", "/mcp", headers(token), BODY)
        assert r.status == 401, r
        assert g.audit_one(mark)["auth_result"] == "bad_audience"
        g.reload({"auth": {"oauth": {"audience": auth_server.audience}}})
        assert c.request("POST", "/mcp", headers(token), BODY).status == 200
        assert c.is_open()


def test_half_a_head_is_judged_by_the_new_one(gateway, auth_server):
    g = gateway()
    token = auth_server.mint()
    text = raw_post(g, token)
    with g.client() as c:
        assert c.request("POST", "/mcp", headers(token), BODY).status == 200
        c.send(text[:40])
        g.reload({"auth": {"oauth": {"audience": "another"}}})
        c.send(text[40:])
        assert c.read_response().status == 401


def test_what_is_in_flight_finishes_under_the_old_one(gateway, auth_server,
                                                      upstream):
    g = gateway()
    go = threading.Event()
    upstream.script(fu.after(go, fu.json_result({"tools": []})))
    with g.client() as c:
        c.send(raw_post(g, auth_server.mint()))
        upstream.wait_request()
        g.reload({"auth": {"oauth": {"audience": "another"}}})
        go.set()
        r = c.read_response()
        assert r.status == 200 and r.header("Connection") == "close", r
        c.wait_close()


def test_stream_ends_cleanly_at_drain_timeout(gateway, auth_server, upstream):
    g = gateway({"drain_timeout": "2s"})
    upstream.script(fu.sse_open())
    mark = g.audit_mark()
    with g.client() as c:
        c.send(("GET /mcp HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n"
                "Authorization: Bearer %s\r\n\r\n" % auth_server.mint())
               .encode())
        assert c.read_head("GET").status == 200
        began = time.monotonic()
        g.reload({"auth": {"oauth": {"leeway": "20s"}}})
        assert c.is_open(), "the stream ended with the reload"
        c.read_body(timeout=15)         # fails when it is cut off
        assert time.monotonic() - began > 1.5
    line = g.audit_one(mark)
    assert line["method"] == "GET" and line["transport"] == "stream", line


def test_a_call_that_is_not_answered_in_time_is_aborted(gateway, auth_server,
                                                        upstream):
    """Its stream ends cleanly, but the log does not say that it was done."""
    g = gateway({"drain_timeout": "1s"})
    upstream.script(fu.sse_open())
    mark = g.audit_mark()
    with g.client() as c:
        c.send(raw_post(g, auth_server.mint()))
        assert c.read_head().status == 200
        g.reload({"auth": {"oauth": {"leeway": "20s"}}})
        c.read_body(timeout=15)
    line = g.audit_one(mark)
    assert line["action"] == "aborted" and line["transport"] == "sse", line


def test_bad_configuration_is_told_and_the_old_serves(gateway, auth_server):
    g = gateway()
    token = auth_server.mint()
    pos = g.log_mark()
    g.reload(text="listen: [nonsense\n", expect="rejected")
    assert g.post(token=token).status == 200
    log = g.reload({"auth": {"oauth": {"isuer": "x"}}}, expect="rejected")
    assert re.search(r"auth\.oauth\.isuer.*issuer", g.log()[pos:], re.S), log
    assert g.post(token=token).status == 200


@pytest.mark.parametrize("key,value", [
    ("listen", {"listen": "127.0.0.1:9"}),
    ("public_url", {"auth": {"oauth": {"public_url":
                                       "https://other.example.test/mcp"}}}),
    ("metadata_path", {"auth": {"oauth": {"metadata_path": "/other"}}})])
def test_what_needs_a_restart(gateway, auth_server, key, value):
    g = gateway()
    pos = g.log_mark()
    g.reload(value)
    g.wait_log(r"%s changed, which needs a restart" % key, pos)
    r = g.get(gwmod.METADATA_PATH)
    assert r.status == 200 and r.json()["resource"] == gwmod.PUBLIC_URL
    assert g.post(token=auth_server.mint()).status == 200


def test_oauth_off_and_on_again(gateway, auth_server):
    """The guide's "Disabling OAuth later"."""
    g = gateway()
    g.reload({"auth": {"oauth": {"enabled": False}}})
    assert g.get(gwmod.METADATA_PATH).status == 404
    mark = g.audit_mark()
    assert g.post().status == 200
    assert g.audit_one(mark)["auth_result"] is None
    g.reload({"auth": {"oauth": {"enabled": True}}})
    assert g.post().status == 401
    assert g.post(token=auth_server.mint()).status == 200
    assert g.get(gwmod.METADATA_PATH).status == 200
    g.reload({"auth": {"enabled": False, "oauth": {"enabled": False}}})
    assert g.post().status == 200


def test_as_down_does_not_block_a_reload(gateway, auth_server, upstream):
    g = gateway()
    token = auth_server.mint()
    auth_server.refuse()
    g.reload({"auth": {"oauth": {"audience": "another"}}})
    assert g.post(token=token).status == 401
    g.reload({"auth": {"oauth": {"audience": auth_server.audience}}})
    assert g.post(token=token).status == 200


def test_hups_coalesce(gateway, auth_server):
    g = gateway()
    pos = g.log_mark()
    for _ in range(50):
        g.signal(signal.SIGHUP)
    g.wait_log("configuration reloaded", pos)
    # whatever was asked for meanwhile is one more reload, not fifty
    end = time.monotonic() + 2
    while time.monotonic() < end and \
            len(re.findall("configuration reloaded", g.log()[pos:])) < 2:
        time.sleep(0.02)
    assert len(re.findall("configuration reloaded", g.log()[pos:])) <= 5
    assert g.post(token=auth_server.mint()).status == 200


def test_many_generations(gateway, auth_server, upstream):
    """Streams hold old generations; the oldest ends first, cleanly."""
    g = gateway({"workers": 1, "drain_timeout": "60s"})
    token = auth_server.mint()
    clients = []
    try:
        for i in range(10):
            upstream.script(fu.sse_open())
            c = g.client()
            clients.append(c)
            c.send(("GET /mcp HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream"
                    "\r\nAuthorization: Bearer %s\r\n\r\n" % token).encode())
            assert c.read_head("GET").status == 200
            g.reload({"auth": {"oauth": {"leeway": "%ds" % (10 + i)}}})
        clients[0].read_body(timeout=10)
        assert clients[-1].is_open()
        g.wait_children(lambda ch: len(ch.get("worker", [])) <= 8)
        assert g.post(token=token).status == 200
    finally:
        for c in clients:
            c.close()


def test_first_enabled_by_hup_needs_its_keys(gateway):
    with FakeAS() as late:
        g = gateway({"auth": {"enabled": False, "oauth": {"enabled": False}}})
        assert g.post().status == 200
        late.refuse()
        on = {"auth": {"enabled": True, "oauth": {
            "enabled": True, "issuer": late.issuer,
            "audience": late.audience, "jwks_url": late.jwks_url}}}
        pos = g.log_mark()
        g.reload(on, expect="rejected")
        assert re.search("oauth: prime jwks: .*refused", g.log()[pos:])
        assert g.post().status == 200
        late.listen()
        late.normal()
        g.reload(on)
        assert g.post().status == 401
        assert g.post(token=late.mint()).status == 200


class Crowd:
    """A thousand clients at once, each with one request in flight all the
    time, on a kept-alive connection; none retries.  And the upstream of all,
    which takes its time."""

    CLIENTS = 1000
    DELAY = 0.8

    def __init__(self, token):
        self.token = token
        self.done = 0
        self.failures = []
        self.served = 0
        self.stopping = False

    async def upstream(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                n = int(re.search(rb"Content-Length: (\d+)", head)[1])
                await reader.readexactly(n)
                self.served += 1
                await asyncio.sleep(self.DELAY)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/"
                             b"json\r\nContent-Length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def client(self, port):
        text = (b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Type: application/"
                b"json\r\nAuthorization: Bearer " + self.token.encode() +
                b"\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
        writer = None
        try:
            while not self.stopping:
                if writer is None:
                    reader, writer = await asyncio.open_connection(
                        "127.0.0.1", port)
                writer.write(text)
                head = await asyncio.wait_for(
                    reader.readuntil(b"\r\n\r\n"), 30)
                n = int(re.search(rb"Content-Length: (\d+)", head)[1])
                await reader.readexactly(n)
                self.done += 1
                if not head.startswith(b"HTTP/1.1 200 "):
                    self.failures.append(head)
                if b"Connection: close" in head:
                    writer.close()
                    writer = None
        except (OSError, asyncio.IncompleteReadError,
                asyncio.TimeoutError) as e:
            self.failures.append(e)
        finally:
            if writer is not None:
                writer.close()

    async def run(self, g, reloads):
        server = await asyncio.start_server(self.upstream, "127.0.0.1", 0,
                                            backlog=2048)
        g.config["upstreams"] = [{
            "name": "up", "url": "http://127.0.0.1:%d/mcp" %
            server.sockets[0].getsockname()[1]}]
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, g.start)
        crowd = [asyncio.create_task(self.client(g.port))
                 for _ in range(self.CLIENTS)]
        try:
            while self.served < self.CLIENTS and not self.failures:
                await asyncio.sleep(0.01)
            for i in range(reloads):
                before = self.done
                await loop.run_in_executor(None, lambda i=i: g.reload(
                    {"auth": {"oauth": {"leeway": "%ds" % (20 + i)}}}))
                while self.done < before + 100 and not self.failures:
                    await asyncio.sleep(0.01)
        finally:
            self.stopping = True
            await asyncio.gather(*crowd)
            server.close()


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096 and
                    os.getuid() != 0, reason="needs 4,096 descriptors")
def test_a_thousand_in_flight_around_ten_reloads(make_gateway, auth_server):
    g = make_gateway({"drain_timeout": "30s"})
    crowd = Crowd(auth_server.mint())
    mark = g.audit_mark()
    asyncio.run(crowd.run(g, 10))
    assert crowd.failures == [], crowd.failures[:5]
    assert crowd.done >= 2000 and crowd.served == crowd.done
    g.audit(n=crowd.done, since=mark)
    ids = [line["request_id"] for line in g.audit_lines(mark)]
    assert len(ids) == len(set(ids)) == crowd.done
