"""What upstreams write that is not quite HTTP: what real servers send passes,
what could be read in two ways does not, and neither makes a server sick."""

import json
import os

import pytest

import fake_upstream as fu
import gw
import rawhttp
from proxy_site import fresh, site  # noqa: F401

OK = b'{"jsonrpc":"2.0","id":1,"result":{}}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SITE = {"workers": 1}


# -- health ------------------------------------------------------------------

@pytest.mark.parametrize("how", [
    fu.drop(), fu.reset(), fu.raw(b"HTTP/1.1 200", "close"),
    fu.raw(b"hello\r\n\r\n"), fu.raw(HEAD + b"Content-Length: x\r\n\r\n"),
    fu.raw(HEAD + b"Content-Length: 9\r\n\r\n{", "close"),
    fu.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")])
def test_no_answer_is_no_sickness(site, how):
    """Whoever may send requests cannot have all others refused."""
    for n in range(4):
        site.up.script(how)
        with site.gw.client() as c:
            c.send(c.build("POST", "/mcp", site.headers(),
                           json.dumps(gw.rpc()).encode()))
            try:
                assert c.read_head().status in (502, 200)
            except rawhttp.Truncated:
                pass            # in the middle of what it had begun
        # each on a connection of its own
        site.up.drop_connections()
        site.up.wait_connections(0)
    r = site.gw.get("/readyz")
    assert r.status == 200 and r.body == b"ok\n", r
    assert site.ask().status == 200


def test_health_checks_still_tell(gateway, auth_server, upstream):
    """A check that gets no answer is no client's doing."""
    upstream.answer = fu.drop()
    g = gateway({"workers": 1, "upstreams": [
        {"name": "up", "url": upstream.url,
         "health": {"path": "/h", "interval": "1s", "timeout": "200ms"}}]})
    g.wait_log(r"upstream up: .* is down: closed without a whole answer")
    assert g.get("/readyz").status == 503


# -- heads -------------------------------------------------------------------

def worker_cpu(g):
    """Seconds that the only worker has used."""
    pid, = g.workers()
    with open("/proc/%d/stat" % pid) as f:
        v = f.read().rsplit(")", 1)[1].split()
    return (int(v[11]) + int(v[12])) / os.sysconf("SC_CLK_TCK")


def test_interim_heads_are_cheap(site):
    """250 of them, each as dear as it can be: they count together."""
    names = b"".join(b"X%03d: y\r\n" % i for i in range(90))
    head = (b"HTTP/1.1 103 \r\nConnection: " + b"Z000," * 10000 + b"\r\n" +
            names + b"\r\n")
    site.up.script(fu.raw(head * 250))
    before = worker_cpu(site.gw)
    assert site.ask().status == 502
    assert worker_cpu(site.gw) - before < 0.3
    # large ones end it soon, small ones do not
    site.up.script(
        fu.raw(b"HTTP/1.1 103 \r\nLink: " + b"x" * 8000 + b"\r\n\r\n" * 9),
        fu.raw(b"HTTP/1.1 103 \r\nLink: </x>\r\n\r\n" * 200 +
               fu.response(OK)))
    assert site.ask().status == 502
    assert site.ask().status == 200


def test_connection_names_too_many(site):
    """From a client as well; as many as there are fields are fine."""
    for n, want in ((100, 200), (101, 400)):
        r = site.ask(headers=[("Connection", ", ".join(["x"] * n))])
        assert r.status == want, r


@pytest.mark.parametrize("code", [204, 304])
@pytest.mark.parametrize("framing", [
    b"Content-Length: 36\r\n", b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n", b""])
@pytest.mark.parametrize("rest", [b"", b"0\r\n\r\n"])
def test_framing_of_what_has_no_body(site, code, framing, rest):
    """It passes without; where a body was announced the connection ends."""
    site.up.script(fu.raw(b"HTTP/1.1 %d N\r\nX-A: b\r\n%s\r\n%s" %
                          (code, framing, rest)))
    with site.gw.client() as c:
        r = site.ask(client=c)
        assert r.status == code and r.body == b"", r
        assert r.header("X-A") == "b", r
        assert r.headers("Content-Length") == [], r
        assert r.headers("Transfer-Encoding") == [], r
        assert site.ask(client=c).status == 200
    first, second = site.up.requests
    kept = framing in (b"", b"Content-Length: 0\r\n") and rest == b""
    assert (first.conn_number == second.conn_number) == kept
    if not kept:
        assert first.conn.peer_closed.wait(5)


# -- chunks ------------------------------------------------------------------

@pytest.mark.parametrize("size", [
    b"%x  ", b"%04x", b"%032x", b"%x\t", b"%08x  ;name=value", b"%x ;a"])
def test_padded_chunk_sizes(site, size):
    """As some servers write them; a client may not."""
    body = b"".join(size % len(d) + b"\r\n" + d + b"\r\n"
                    for d in (OK[:9], OK[9:])) + size % 0 + b"\r\n\r\n"
    site.up.script(fu.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" +
                          body))
    with site.gw.client() as c:
        r = site.ask(client=c)
        assert r.status == 200 and r.body == OK, r
        assert site.ask(client=c).status == 200
    assert len({q.conn_number for q in site.up.requests}) == 1
    if size != b"%04x":
        with site.gw.client() as c:
            c.send(site.lines(["Transfer-Encoding: chunked"]) + body)
            assert c.read_response().status == 400
