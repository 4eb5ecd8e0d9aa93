"""A gateway in front of two upstreams, for the tests of what passes through.

ProxySite(config) starts AS, upstreams "up" (the default) and "two", and a
gateway of one worker, so that connections to upstreams are shared and counted.
site.token is good for an hour.  site.fresh() forgets scripts and requests of
the test before.

    from proxy_site import fresh, site  # noqa: F401
    SITE = {"workers": 2}       # of the module's site, unless it is plain

    r = site.ask(method, path, headers, body)   # with the token
    site.refused(r, mark, 400, -32700)          # status, error body, audit line
"""

import json
import shutil

import pytest

import gw
from conftest import new_dir, stop_all
from fake_as import FakeAS
from fake_upstream import Upstream, default_answer, json_result
from judge import check_audit_form, check_error_body

ORIGIN = "https://app.example.test"


class ProxySite:
    def __init__(self, config=None):
        self.dir = new_dir()
        self.auth = FakeAS()
        self.up = Upstream()
        self.two = Upstream(path="/other/path")
        self.gw = gw.Gateway(self.dir, gw.merge({
            "workers": 1,
            "allowed_origins": [ORIGIN],
            "upstreams": [{"name": "up", "url": self.up.url},
                          {"name": "two", "url": self.two.url}],
        }, config), self.auth, self.up)
        self.token = None

    def start(self):
        self.gw.start()
        self.token = self.auth.mint()
        return self

    def stop(self):
        try:
            stop_all([self.gw])
        finally:
            self.up.stop()
            self.two.stop()
            self.auth.stop()
            shutil.rmtree(self.dir)
        assert not self.up.errors, self.up.errors
        assert not self.two.errors, self.two.errors

    def fresh(self):
        for u in (self.up, self.two):
            u.answer = default_answer
            u.scripted = []
            u.forget()

    # -- requests ----------------------------------------------------------

    def headers(self, extra=()):
        return self.gw.headers(self.token, extra)

    def ask(self, method="POST", path="/mcp", headers=(), body=None,
            client=None):
        """One request with the token; a POST without body is tools/list."""
        if method == "POST":
            if body is None:
                body = gw.rpc()
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
        h = self.headers(headers)
        if client is not None:
            return client.request(method, path, h, body)
        with self.gw.client() as c:
            return c.request(method, path, h, body)

    def session(self, id):
        """A session that the upstream calls so: what its client calls it."""
        self.up.script(json_result({}, [("Mcp-Session-Id", id)]))
        sealed = self.ask(body=gw.rpc("initialize")).header("Mcp-Session-Id")
        assert sealed.endswith("." + id), sealed
        self.up.forget()
        return sealed

    def lines(self, fields=(), line="POST /mcp HTTP/1.1", host="gw.test"):
        """The bytes of a head, with exactly these lines (bytes or str)."""
        out = [line]
        if host is not None:
            out.append("Host: " + host)
        out += ["Authorization: Bearer " + self.token,
                "Content-Type: application/json"]
        out += fields
        return b"".join((x if isinstance(x, bytes) else x.encode("latin-1")) +
                        b"\r\n" for x in out) + b"\r\n"

    # -- what must be true -------------------------------------------------

    def refused(self, r, mark, status, code=-32600, ids=(None,),
                action="error"):
        """A refusal by the gateway, and its single line since the mark."""
        assert r.status == status, r
        check_error_body(r, code, ids)
        assert r.headers("WWW-Authenticate") == [] or status == 401, r
        line = self.gw.audit_one(mark, r)
        check_audit_form(line)
        assert line["status"] == status, (line, r)
        assert line["action"] == action, (line, r)
        assert self.token not in json.dumps(line), line
        return line


SERVING = []


def serve(config=None):
    """For a fixture: yield from serve(config)."""
    s = ProxySite(config)
    SERVING.append(s)
    try:
        s.start()
        yield s
    finally:
        SERVING.remove(s)
        s.stop()


@pytest.fixture(scope="module")
def site(request):
    """The module's."""
    yield from serve(getattr(request.module, "SITE", None))


@pytest.fixture(autouse=True)
def fresh():
    """Each test begins with sites that know nothing of the one before."""
    for s in SERVING:
        s.fresh()
