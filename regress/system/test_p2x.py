import json, os, random, re, socket, threading, time
import pytest, gw
from admin import Door, with_admin
from conftest import Site

RAW = [
 b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
 b"POST /v1/log?level=debug HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
 b"POST /v1/log?level=info HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
 b"POST /v1/drain?off HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
 b"POST /v1/drain?off HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
 b"GET /metrics HTTP/1.0\r\n\r\n",
 b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
 b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
 b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
 b"GET /v1/all HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
 b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
 b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4000000\r\n\r\n",
 b"GET http://a/v1/all HTTP/1.1\r\n\r\n", b"GET //v1/all HTTP/1.1\r\n\r\n",
 b"GET /v1/all#x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
 b"GET /%00 HTTP/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n",
 b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n", b"GET /", b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
 b"GET /v1/all HTTP/1.1\r\nConnection: close, keep-alive, upgrade\r\nUpgrade: h2c\r\n\r\n",
 b"POST /v1/reload HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
 b"POST /v1/reload HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
 b"POST /v1/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
 b"POST /v1/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
 b"POST /v1/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n" + b"a"*0x401,
]

def test_x():
    config, port = with_admin()
    s = Site(config); s.start()
    try:
        g = s.gw
        mon = g.children()["monitor"]
        rnd = random.Random(int(os.environ.get("SEED", "1")))
        end = time.time() + 5
        n = 0
        while time.time() < end:
            if rnd.random() < .6:
                c = socket.socket(socket.AF_UNIX); c.connect(str(g.dir / "mcpgw.sock"))
            else:
                c = socket.create_connection(("127.0.0.1", port))
            c.settimeout(0.05)
            data = b"".join(rnd.choice(RAW) for _ in range(rnd.randint(1, 4)))
            if rnd.random() < .3: data = data[:rnd.randint(1, len(data))]
            if rnd.random() < .2:
                b = bytearray(data); b[rnd.randrange(len(b))] = rnd.randrange(256); data = bytes(b)
            try:
                c.sendall(data)
                k = rnd.random()
                if k < .3: c.shutdown(socket.SHUT_WR)
                if k < .7: c.recv(65536)
            except OSError: pass
            c.close(); n += 1
        print("n", n, mon, g.children()["monitor"], g.rss(mon[0]) if mon == g.children()["monitor"] else "")
        assert g.children()["monitor"] == mon
        d = Door.at(g)
        d.get("/v1/all")
        t = time.time()
        a = g.rss(mon[0])
        for i in range(12000): d.ask("GET", "/metrics")
        print("rss", a, g.rss(mon[0]), time.time() - t)
    finally:
        s.stop()
