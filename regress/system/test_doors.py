"""The doors of the monitor: who may ask there, what for, and what becomes of
those who only come to be in the way."""

import grp
import json
import os
import pwd
import re
import socket
import stat
import subprocess
import sys
import urllib.request

import pytest

import gw
from admin import Door, with_admin

PARTS = ("all", "status", "workers", "upstreams", "jwks", "sessions", "top",
         "refusals")
ORDERS = ("/v1/reload", "/v1/drain", "/v1/drain?off", "/v1/log?level=debug")

root = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


@pytest.fixture(scope="module")
def doors(request):
    from conftest import Site
    config, port = with_admin()
    s = Site(config)
    try:
        s.start()
        yield s.gw, Door(port=port), Door.at(s.gw)
    finally:
        s.stop()


# -- what can be asked for ---------------------------------------------------

def test_parts(doors):
    """All of them at both doors, and /v1/all has each."""
    g, admin, control = doors
    for d in (admin, control):
        whole = d.get("/v1/all")
        for part in PARTS[1:]:
            alone = d.ask("GET", "/v1/" + part)
            assert alone.fields["Content-Type"] == "application/json"
            assert alone.fields["Cache-Control"] == "no-store"
            assert "Access-Control-Allow-Origin" not in alone.fields
            assert part in whole
    s = control.get("/v1/status")
    assert s["pid"] == g.pid and s["generation"] == 1
    assert s["config"]["path"] == str(g.path)
    assert {w["pid"] for w in control.get("/v1/workers")} == \
        {p for v in g.children().values() for p in v}


def test_keys_are_those_of_the_issuer(doors):
    g, admin, control = doors
    answer = control.get("/v1/keys")
    assert answer["generation"] == 1
    with urllib.request.urlopen(g.config["auth"]["oauth"]["jwks_url"]) as r:
        published = json.load(r)
    members = ("kty", "kid", "crv", "x", "y", "n", "e")
    assert [{m: k.get(m) for m in members} for k in answer["keys"]] == \
        [{m: k.get(m) for m in members} for k in published["keys"]]
    assert all("d" not in k for k in answer["keys"])


def test_key_sets(doors):
    g, admin, control = doors
    s, = control.get("/v1/jwks")
    o = g.config["auth"]["oauth"]
    assert (s["generation"], s["issuer"], s["url"]) == \
        (1, o["issuer"], o["jwks_url"])
    assert [(k["kid"], k["kty"], k["source"]) for k in s["keys"]] == \
        [(k["kid"], k["kty"], "jwks")
         for k in control.get("/v1/keys")["keys"]]
    assert s["last_success"] < s["next_refresh"] and s["age_s"] < 60
    assert (s["refreshes"], s["failures"], s["last_error"]) == (1, 0, "")
    m = control.metrics()
    series = "mcpgw_jwks_%%s{issuer=\"%s\"}" % o["issuer"]
    assert m[series % "keys"] == len(s["keys"])
    assert m[series % "keys_skipped"] == m[series % "failing"] == 0
    assert 0 <= m[series % "age_seconds"] < 60


def test_page(doors):
    g, admin, control = doors
    a = admin.ask("GET", "/")
    assert a.status == 200
    assert a.fields["Content-Type"] == "text/html; charset=utf-8"
    policy = a.fields["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert a.fields["X-Content-Type-Options"] == "nosniff"
    assert a.body == (gw.TOP / "monitor/page.html").read_bytes()


def test_admin_gives_no_orders(doors):
    """Whoever comes by TCP can look, and no more: not by any method, and no
    browser's page can, which sends what it likes."""
    g, admin, control = doors
    before = control.get("/v1/status")
    for target in ORDERS + ("/v1/keys",):
        for method in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"):
            a = admin.ask(method, target, {
                "Origin": "https://evil.example",
                "Content-Type": "text/plain", "Content-Length": "0"})
            assert a.status in (404, 405, 501), (method, target)
            assert "Access-Control-Allow-Origin" not in a.fields
    after = control.get("/v1/status")
    for key in ("generation", "reloads", "draining", "log_level"):
        assert before[key] == after[key]


def test_methods(doors):
    g, admin, control = doors
    for d in (admin, control):
        head = d.ask("HEAD", "/v1/status")
        assert head.status == 200 and head.body == b""
        assert d.ask("POST", "/metrics").status == 405
        assert d.ask("GET", "/nothing").status == 404
        assert d.ask("GET", "/v1/../metrics").status == 404
    assert control.ask("GET", "/v1/reload").status == 405
    assert control.ask("POST", "/v1/log?level=loud").status == 400
    assert control.ask("POST", "/v1/log").status == 400


@pytest.mark.parametrize("raw", [
    b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20000 +
    b"\r\n\r\n",
    b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
    b"POST /v1/drain HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Length: 99999999999\r\n\r\n",
    b"POST /v1/drain HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
    b"\0\1\2\3\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
    b"GET http://[::1/ HTTP/1.1\r\n\r\n", b"\r\n" * 30000,
], ids=range(9))
def test_no_http(doors, raw):
    """It ends, and the monitor is the one it was."""
    g, admin, control = doors
    monitor = g.children()["monitor"]
    for d in (admin, control):
        s = socket.socket(socket.AF_UNIX if d.path else socket.AF_INET)
        with s:
            s.settimeout(15)
            s.connect(str(d.path) if d.path else ("127.0.0.1", d.port))
            got = b""
            try:
                s.sendall(raw)
                s.shutdown(socket.SHUT_WR)
                while True:
                    b = s.recv(65536)
                    if not b:
                        break
                    got += b
            except TimeoutError:
                raise
            except OSError:
                pass
            assert b" 200 " not in got
        assert d.get("/v1/status")["draining"] is False
    assert g.children()["monitor"] == monitor


# -- who may ask -------------------------------------------------------------

def test_hosts(doors):
    """No name that somebody's DNS can lead here (DNS rebinding)."""
    g, admin, control = doors
    for host, status in (("evil.example", 421), ("evil.example:9464", 421),
                         ("localhost.evil.example", 421), ("", 421),
                         ("127.0.0.1.evil.example", 421), ("[::1", 200),
                         ("localhost", 200), ("LOCALHOST:1", 200),
                         ("127.0.0.1:9", 200), ("10.1.2.3", 200),
                         ("[::1]:9464", 200)):
        for target in ("/metrics", "/", "/v1/all"):
            a = admin.ask("GET", target, {"Host": host})
            assert a.status == status, host
    # files are not found by DNS
    assert control.ask("GET", "/metrics",
                       {"Host": "evil.example"}).status == 200


def test_token(make_gateway, tmp):
    token = "a-long-token-of-many-characters-0123456789"
    (tmp / "token").write_text(token + "\n")
    (tmp / "token").chmod(0o600)
    config, port = with_admin({"admin": {
        "token_file": str(tmp / "token")}})
    g = make_gateway(config).start()
    d = Door(port=port)
    for value in (None, "Bearer", "Bearer ", "Bearer " + token[:-1],
                  "Bearer " + token + "x", "Basic " + token, token):
        a = d.ask("GET", "/v1/all",
                  {"Authorization": value} if value else {})
        assert a.status == 401, value
        assert a.fields["WWW-Authenticate"].startswith("Bearer ")
        assert token.encode() not in a.body
    for value in ("Bearer " + token, "bearer  " + token):
        for target in ("/metrics", "/v1/all"):
            a = d.ask("GET", target, {"Authorization": value,
                                      "Host": "metrics.example"})
            assert a.status == 200
    # the page has no numbers, and it is what asks for the token
    assert d.ask("GET", "/").status == 200
    # a new one takes effect with a reload
    (tmp / "token").write_text("another-token-of-many-characters-0123456\n")
    g.reload()
    assert d.ask("GET", "/metrics", {"Authorization": "Bearer " + token}
                 ).status == 401
    # nothing of it is on the control socket, and no token is needed there
    s = Door.at(g).ask("GET", "/v1/all")
    assert s.status == 200 and b"another-token" not in s.body


def test_other_addresses_need_a_token(make_gateway):
    for listen in ("0.0.0.0:9464", '[::]:9464', "10.1.2.3:9464"):
        g = make_gateway({"admin": {"listen": listen}})
        code, out = g.check()
        assert code == gw.EX_CONFIG
        assert "admin.listen: expected an address of this host alone" in out
    for listen in ("127.8.9.1:9464", "[::1]:9464", "localhost:9464"):
        assert make_gateway({"admin": {"listen": listen}}).check()[0] == 0


@pytest.mark.parametrize("config,said", [
    ({"admin": {"listen": "0"}}, "admin.listen: expected PORT of this host"),
    ({"admin": {"listen": "localhost"}}, "admin.listen: expected PORT"),
    ({"admin": {"listen": 65536}}, "admin.listen: expected PORT"),
    ({"admin": {"listen": 9464, "token_file": "/nonexistent"}},
     "admin.token_file: expected a file with a secret of 32 to 4096 bytes"),
    ({"admin": {"port": 9464}}, "admin.port: "),
    ({"control": {"socket": "relative.sock"}}, "control.socket: expected "),
    ({"control": {"socket": "/" + "x" * 107}},
     "control.socket: expected a path of at most 107 bytes"),
    ({"control": {"group": "no-such-group"}},
     "control.group: expected a group of this system"),
])
def test_configuration(make_gateway, config, said):
    g = make_gateway(config)
    code, out = g.check()
    assert code == gw.EX_CONFIG
    assert re.search(r"%s:\d+:\d+: %s" % (re.escape(str(g.path)),
                                         re.escape(said)), out), out


def as_user(uid, gid, groups, path):
    """Status of GET /v1/status there, or the errno.  Nothing of the tree is
    read, which may be in a home that others cannot enter."""
    code = ("import socket\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            "s.settimeout(15)\n"
            "try:\n"
            "    s.connect(%r)\n"
            "    s.sendall(b'GET /v1/status HTTP/1.1\\r\\nHost: localhost\\r\\n'\n"
            "              b'Connection: close\\r\\n\\r\\n')\n"
            "    print(s.recv(64).split()[1].decode())\n"
            "except OSError as e:\n"
            "    print(e.errno)\n" % str(path))
    p = subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(gid),
                        *(["--groups", groups] if groups else
                          ["--clear-groups"]), sys.executable, "-c", code],
                       stdout=subprocess.PIPE, check=True, timeout=20)
    return int(p.stdout)


@root
def test_socket_is_roots(gateway, tmp):
    tmp.chmod(0o755)
    g = gateway()
    g.dir.chmod(0o755)
    path = g.dir / "mcpgw.sock"
    st = path.stat()
    assert stat.S_IMODE(st.st_mode) == 0o600 and st.st_uid == 0
    daemon = pwd.getpwnam("daemon")
    nobody = pwd.getpwnam("nobody")
    assert as_user(0, 0, None, path) == 200
    for who in (daemon, nobody):
        assert as_user(who.pw_uid, who.pw_gid, None, path) == 13
    # what a careless chmod lets in is known by its credentials
    path.chmod(0o666)
    for who in (daemon, nobody):
        assert as_user(who.pw_uid, who.pw_gid, None, path) == 403


@root
def test_socket_of_a_group(gateway, tmp):
    tmp.chmod(0o755)
    g = gateway({"control": {"group": "adm"}})
    g.dir.chmod(0o755)
    path = g.dir / "mcpgw.sock"
    adm = grp.getgrnam("adm").gr_gid
    st = path.stat()
    assert stat.S_IMODE(st.st_mode) == 0o660
    assert (st.st_uid, st.st_gid) == (0, adm)
    daemon = pwd.getpwnam("daemon")
    assert as_user(daemon.pw_uid, adm, None, path) == 200
    assert as_user(daemon.pw_uid, daemon.pw_gid, str(adm), path) == 200
    assert as_user(daemon.pw_uid, daemon.pw_gid, None, path) == 13
    path.chmod(0o666)
    assert as_user(daemon.pw_uid, daemon.pw_gid, None, path) == 403


# -- the socket's path -------------------------------------------------------

def test_what_is_no_socket_stays(make_gateway):
    g = make_gateway()
    path = g.dir / "mcpgw.sock"
    path.write_text("precious")
    code, log = g.run_to_exit()
    assert code != 0
    assert "expected nothing or a socket at this path" in log
    assert path.read_text() == "precious"
    path.unlink()
    (g.dir / "target").write_text("precious")
    path.symlink_to(g.dir / "target")
    code, log = g.run_to_exit()
    assert code != 0
    assert path.is_symlink()
    path.unlink()


def test_stale_socket_is_replaced(make_gateway):
    g = make_gateway()
    path = g.dir / "mcpgw.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
    g.start()
    assert Door.at(g).get("/v1/status")["pid"] == g.pid
    g.stop()
    assert not path.exists()


def test_without_doors(gateway):
    g = gateway({"control": {"socket": "off"}})
    assert not (g.dir / "mcpgw.sock").exists()
    assert len(g.children()["monitor"]) == 1


def test_admin_port_in_use(make_gateway):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        g = make_gateway({"admin": {"listen": s.getsockname()[1]}})
        code, log = g.run_to_exit()
        assert code != 0 and "admin.listen" in log
        assert not (g.dir / "mcpgw.sock").exists()


# -- who is in the way -------------------------------------------------------

def test_crowd(gateway, auth_server):
    """A thousand connections that say nothing, or half of a head, are in
    nobody's way, and cost the monitor a bounded number of descriptors."""
    config, port = with_admin()
    g = gateway(config)
    token = auth_server.mint()
    pid = g.children()["monitor"][0]
    crowd = []
    try:
        for i in range(1000):
            s = socket.create_connection(("127.0.0.1", port), timeout=15)
            if i % 2:
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127")
            crowd.append(s)
            if i % 100 == 99:
                assert Door.at(g).get("/v1/status")["pid"] == g.pid
        assert g.post(token=token).status == 200
        assert Door(port=port).get("/v1/status")["pid"] == g.pid
        assert g.descriptors(pid) < 200
    finally:
        for s in crowd:
            s.close()
    assert Door(port=port).get("/v1/status")["pid"] == g.pid
    assert g.children()["monitor"] == [pid]


def test_connections_end(gateway):
    """Whatever is held of a connection ends with it."""
    config, port = with_admin()
    g = gateway(config)
    pid = g.children()["monitor"][0]
    d = Door(port=port)
    d.get("/v1/status")
    before = g.descriptors(pid)
    for _ in range(150):
        d.get("/v1/status")
        Door.at(g).get("/v1/status")
    assert g.descriptors(pid) <= before + 2
