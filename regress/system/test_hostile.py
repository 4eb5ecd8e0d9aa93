"""What one hostile peer may do to everybody else: nothing that lasts."""

import json
import os
import random
import signal
import socket
import threading
import time

import pytest

import fake_upstream as fu
import gw
import proxy_site
from proxy_site import fresh, site  # noqa: F401

PATIENCE = 2        # what a bystander may have to wait on a busy machine
# one worker, so that whoever holds it up holds up all
SITE = {"workers": 1, "limits": {"max_body": "32MiB"}}


def bystander(site, until):
    """The longest wait of one who asks again and again until the Event, and
    how many answers there were."""
    worst = n = 0
    with site.gw.client() as c:
        while not until.is_set():
            t = time.monotonic()
            assert c.request("GET", "/healthz").status == 200
            worst = max(worst, time.monotonic() - t)
            n += 1
            until.wait(0.005)
    return worst, n


@pytest.mark.parametrize("line", [
    b"HTTP/1.1 100 \r\n\r\n",
    b"HTTP/1.1 103 \r\nLink: " + b"x" * 8000 + b"\r\n\r\n"],
    ids=["small", "large"])
def test_interim_flood(site, line):
    """An upstream that sends interim answers as fast as it can."""
    over = threading.Event()

    def answer(conn, req):
        end = time.monotonic() + 3 * PATIENCE
        try:
            while time.monotonic() < end:
                conn.send(line * (65536 // len(line)))
        finally:
            over.set()
        conn.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
    site.up.script(answer)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(c.build("POST", "/mcp", site.headers(),
                       json.dumps(gw.rpc()).encode()))
        assert bystander(site, over)[0] < PATIENCE
        r = c.read_response()
    site.refused(r, mark, 502, -31502, (1,))


def test_a_few_interim_answers(site):
    """They are no crime: a server may say that it is still working."""
    site.up.script(fu.raw(
        b"HTTP/1.1 102 Processing\r\n\r\n" * 200 +
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"))
    assert site.ask().status == 202


def test_body_in_chunks_of_one_byte(site):
    """A client that sends a body as dearly, and as fast, as it can."""
    over = threading.Event()
    head, tail = json.dumps(gw.call("")).encode().split(b'""')
    wide = b"0000000000001\r\nx\r\n" * (1 << 20)
    seen = []
    t = threading.Thread(target=lambda: seen.append(bystander(site, over)))
    with site.gw.client() as c:
        t.start()
        try:
            c.send(site.lines(["Transfer-Encoding: chunked"]) +
                   fu.chunk(head + b'"'))
            for _ in range(16):
                c.sock.sendall(wide)
            c.send(fu.chunk(b'"' + tail) + b"0\r\n\r\n")
            assert c.read_response().status == 200
        finally:
            over.set()
            t.join()
    (worst, answers), = seen
    # they go on while the body comes, however long that takes here
    assert worst < PATIENCE and answers >= 32


@pytest.fixture
def tight():
    yield from proxy_site.serve({"limits": {"max_body": "1MiB",
                                            "buffered": "1MiB"}})


def test_many_who_do_not_read(tight):
    """What they hold does not keep others out."""
    go = threading.Event()
    large = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {
        "text": "x" * (12 << 20)}}).encode()

    def answer(conn, req):
        conn.wait(go)
        raw = fu.response(large)
        for i in range(0, len(raw), 65536):
            conn.send(raw[i:i + 65536])
            sent[req.conn_number] = i
    sent = {}
    tight.up.answer = answer
    clients = [tight.gw.client(rcvbuf=4096) for _ in range(40)]
    try:
        for n, c in enumerate(clients, 1):
            c.send(c.build("POST", "/mcp", tight.headers(),
                           json.dumps(gw.rpc()).encode()))
            tight.up.wait_requests(n)
        go.set()
        for c in clients:
            assert c.read_head().status == 200
        # and until the sockets, which hold megabytes, have had enough
        used, before = -1, None
        while used != before:
            before = used
            time.sleep(0.5)
            used = sum(sent.values())
        tight.up.answer = fu.default_answer
        assert tight.ask().status == 200
        # nothing is lost by it
        assert len(clients[0].read_body()) == len(large)
    finally:
        for c in clients:
            c.close()


def test_nobody_else_stops_the_audit_log(gateway):
    """The word that stops everybody's writing is the master's alone: not even
    root can write to that memory from outside."""
    g = gateway({"auth": {"enabled": False, "oauth": gw.DROP}})
    fds = "/proc/%d/fd/" % g.pid
    shared, = [f for f in os.listdir(fds)
               if "memfd:state" in os.readlink(fds + f)]
    with pytest.raises(PermissionError):
        with open(fds + shared, "r+b", buffering=0) as f:
            f.write(b"\1\0\0\0")
    assert g.post(gw.rpc()).status == 200
    g.expect_death("terminated by signal 9")
    os.kill(g.workers()[0], signal.SIGKILL)
    g.wait_children(lambda c: len(c.get("worker", [])) == 2)
    assert g.post(gw.rpc()).status == 200


def test_line_torn_by_a_dead_worker(gateway):
    """It is cut off, and nobody's line is joined to it."""
    g = gateway({"auth": {"enabled": False, "oauth": gw.DROP}})
    assert g.post(gw.rpc()).status == 200
    whole = g.audit_path.read_bytes()
    with open(g.audit_path, "ab", buffering=0) as f:
        f.write(b'{"ts":"2026-')
    g.expect_death("terminated by signal 9")
    pos = g.log_mark()
    os.kill(g.workers()[0], signal.SIGKILL)
    g.wait_log("a worker died; requests are refused", pos)
    g.wait_log("audit: the log can be written again", pos)
    g.wait_children(lambda c: len(c.get("worker", [])) == 2)
    assert g.post(gw.rpc()).status == 200
    text = g.audit_path.read_bytes()
    assert text.startswith(whole + b"{") and text.count(b"\n") == 2
    assert json.loads(text.splitlines()[1])["status"] == 200


class Elsewhere(gw.Gateway):
    """In a mount namespace with another /etc/resolv.conf."""

    def argv(self, *args):
        return ["unshare", "--mount", "sh", "-c",
                'mount --bind "$0" /etc/resolv.conf && exec "$@"',
                str(self.dir / "resolv.conf"), *super().argv(*args)]


@pytest.mark.skipif(os.getuid() != 0, reason="needs a mount namespace")
def test_dns_that_never_answers(tmp):
    """The time limit of a fetch is kept, and its error is told."""
    g = Elsewhere(tmp, {"auth": {"oauth": {
        "jwks_url": "https://idp.acme.test/jwks.json"}}})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        address = "127.%d.%d.53" % (random.randrange(1, 255),
                                    random.randrange(1, 255))
        s.bind((address, 53))
        (tmp / "resolv.conf").write_text(
            "nameserver %s\noptions timeout:30 attempts:3\n" % address)
        (tmp / "resolv.conf").chmod(0o644)
        rc, log = g.run_to_exit()
        s.settimeout(1)
        assert b"idp" in s.recv(512), "nobody asked"
    assert rc == gw.EX_CONFIG, log
    assert "oauth: prime jwks: https://idp.acme.test/jwks.json: " in log, log
