"""mcpgwctl explain: a request of the audit log stage by stage, or one that
could be, as the configuration decides."""

import gzip
import json
import re

import pytest

import gw
from test_ctl import run
from test_keys import auth, own, stamp

STAGES = ["head", "route", "late", "document", "recordable", "loop", "origin",
          "method", "size", "credential", "upstream", "type", "revision",
          "session", "body", "envelope", "withdrawn", "rules", "policy",
          "choose", "send"]


def by_id(g, id, *args):
    code, out, err = run("explain", "-f", g.path, "--json", "--request-id",
                         id, *args)
    assert err == "", err
    return code, json.loads(out)


def refused_at(site, stage, **kw):
    """One request, and what is said of it."""
    g = site.gw
    mark = g.audit_mark()
    g.post(**kw)
    line = g.audit_one(mark)
    code, doc = by_id(g, line["request_id"])
    assert code == 1 and doc["allowed"] is False, doc
    assert doc["failed"] == stage and doc["line"] == line
    assert doc["file"] == str(g.audit_path)
    at = STAGES.index(stage)
    assert [c["check"] for c in doc["checks"]] == STAGES
    assert [c["outcome"] for c in doc["checks"]] == \
        ["ok"] * at + ["failed"] + ["not_reached"] * (len(STAGES) - at - 1)
    return doc["checks"][at], line


def test_refused_tokens(site):
    a = site.auth
    for claims, seen, wanted, words in (
            ({"aud": "x, wanted \"y\", wanted z"},
             'aud: "x, wanted \\"y\\", wanted z"', '"mcpgw-prod"',
             "auth.oauth.audience"),
            ({"iss": "https://i/"}, 'iss: "https://i/"',
             '"https://idp.acme.test/"', "auth.oauth.issuer"),
            ({"scope": "b"}, 'scopes: "b"', 'also "mcp:read"',
             "auth.oauth.required_scopes"),
            ({"sub": 7}, "sub is not a string but a number", "", "type")):
        c, line = refused_at(site, "credential", token=a.mint(claims))
        assert (c["seen"], c["wanted"]) == (seen, wanted)
        assert words in c["advice"]
    c, line = refused_at(site, "credential", token="opaque")
    assert "mcpgwctl key verify" in c["advice"]
    c, line = refused_at(site, "credential")
    assert c["seen"] == "authentication required" and c["advice"]


def test_refused_elsewhere(site):
    t = site.auth.mint()
    for stage, kw in (
            ("origin", {"headers": {"Origin": "https://evil.test"}}),
            ("upstream", {"path": "/mcp/none"}),
            ("envelope", {"msg": b"{"}),
            ("rules", {"headers": {"MCP-Protocol-Version": "2026-07-28"}})):
        c, line = refused_at(site, stage, token=t, **kw)
        assert c["seen"] == line["error"] and c["advice"]


def test_allowed(site):
    g = site.gw
    r = g.post(token=site.auth.mint())
    id = r.header("X-Request-Id")
    code, doc = by_id(g, id)
    assert code == 0 and doc["allowed"] is True and doc["failed"] is None
    assert {c["outcome"] for c in doc["checks"]} == {"ok"}
    code, out, err = run("explain", "-f", g.path, "-i", id)
    assert code == 0 and out.endswith("\nallowed\n"), out
    assert re.search(r"^client +agent-7$", out, re.M)


def test_for_people(site):
    g = site.gw
    t = site.auth.mint({"aud": "\x1b[2J\u202e"})
    mark = g.audit_mark()
    g.post(token=t)
    id = g.audit_one(mark)["request_id"]
    code, out, err = run("explain", "-f", g.path, "-i", id)
    assert code == 1 and "\nrefused: credential\n" in out
    assert "FAILED  credential  got aud: " in out and "change: " in out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out), out


def test_rotated_and_compressed(make_gateway):
    """Found wherever rotation has put it; a torn or strange line is passed
    by."""
    g = make_gateway()
    g.write_config()
    line = {"ts": "2026-05-09T14:23:01.123Z", "session_id": None,
            "method": "tools/list", "action": "deny",
            "auth_result": "bad_audience", "oauth_client_id": None,
            "scopes": None, "latency_ms": 4, "client_ip": "192.0.2.7",
            "status": 401, "error": "its audience is not this gateway"}

    def text(id):
        return (json.dumps({**line, "request_id": id}) + "\n").encode()

    g.audit_path.write_bytes(
        text("now") + b'{"request_id":"torn"\n\xff\n[]\n' +
        text("after") + b'{"ts":"20')
    (g.dir / "audit.jsonl.1").write_bytes(text("before"))
    with gzip.open(g.dir / "audit.jsonl.2.gz", "wb") as f:
        f.write(text("long-ago"))
    for id, name in (("now", "audit.jsonl"), ("after", "audit.jsonl"),
                     ("before", "audit.jsonl.1"),
                     ("long-ago", "audit.jsonl.2.gz")):
        code, doc = by_id(g, id)
        # of a gateway that did not name the stage yet
        assert code == 1 and doc["failed"] == "credential", doc
        assert doc["file"] == str(g.dir / name)
        assert doc["line"]["request_id"] == id
    for id in ("torn", "no", "befor", "x" * 5000):
        code, out, err = run("explain", "-f", g.path, "-i", id)
        assert code == 1 and out == "" and "no line of" in err
    g.audit_path.write_bytes(json.dumps({
        **line, "request_id": "odd", "auth_result": None, "action": "error",
        "stage": "\x1b[2J"}).encode() + b"\n")
    code, doc = by_id(g, "odd")
    assert code == 1 and doc["failed"] == "unknown"


def test_no_log(make_gateway):
    g = make_gateway()
    g.write_config()
    code, out, err = run("explain", "-f", g.path, "-i", "x")
    assert code == 74 and out == "" and str(g.audit_path) in err


# -- by the configuration ----------------------------------------------------------

def ask(g, *args):
    code, out, err = run("explain", "-f", g.path, "--json", *args)
    assert err == "", err
    doc = json.loads(out)
    return code, doc, {c["check"]: c for c in doc["checks"]}


@pytest.fixture
def conf(make_gateway):
    def write(config=None):
        g = make_gateway(config)
        g.write_config()
        return g
    return write


def test_a_request(conf, upstream):
    g = conf({"upstreams": [{"name": n, "url": upstream.url}
                            for n in ("up", "b")],
              "auth": {"oauth": {"accept_resource_audience": True}}})
    code, doc, c = ask(g, "--tool", "echo")
    assert code == 0 and doc["allowed"] is None and doc["failed"] is None
    assert doc["method"] == "tools/call" and doc["upstream"] == "up"
    assert list(c) == ["route", "credential", "aud", "scopes", "upstream",
                       "envelope", "policy", "choose"]
    assert {n for n in c if c[n]["outcome"] == "unknown"} == {
        "credential", "aud", "scopes"}
    code, doc, c = ask(g, "--upstream", "b", "--client", "me", "--scopes",
                       "x mcp:read", "--arguments", ' {"a": [1]} ',
                       "--tool", "echo")
    assert code == 0 and doc["upstream"] == "b"
    assert c["scopes"]["outcome"] == c["credential"]["outcome"] == "ok"
    assert gw.PUBLIC_URL + '/b"' in c["aud"]["wanted"]
    code, doc, c = ask(g, "--scopes", "x", "--tool", "echo")
    assert code == 1 and doc["failed"] == "scopes"
    assert c["scopes"]["wanted"] == '"mcp:read"'
    code, doc, c = ask(g, "--upstream", "none", "--scopes", "mcp:read")
    assert code == 1 and doc["failed"] == "upstream"
    assert c["upstream"]["wanted"] == '"up", "b"' and c["upstream"]["advice"]
    for bad in ("[1]", "{", '{"a":1,"a":2}', "7", '{"a":"\\ud800"}',
                "{}x", "[" * 5000, '{"a":"\udcff"}'):
        code, doc, c = ask(g, "--tool", "t", "--arguments", bad)
        assert code == 1 and doc["failed"] == "envelope", bad


def test_by_an_api_key(conf):
    good, few, old = own("good", scopes=["*"]), own("few", scopes=["x"]), own(
        "old", expires_at=stamp(-60))
    g = conf(auth(good, few, old))
    code, doc, c = ask(g, "--tool", "t", "--client", "good")
    assert code == 0 and doc["allowed"] is True and "aud" not in c
    code, doc, c = ask(g, "--tool", "t", "--client", "few")
    assert code == 1 and doc["failed"] == "scopes"
    assert c["scopes"]["seen"] == '"x"'
    code, doc, c = ask(g, "--tool", "t", "--client", "old")
    assert code == 1 and doc["failed"] == "credential"
    assert "expired" in c["credential"]["seen"]
    g = conf(auth(good, oauth=False))
    code, doc, c = ask(g, "--tool", "t", "--client", "nobody")
    assert code == 1 and doc["failed"] == "credential"


def test_open_to_all(conf):
    g = conf({"auth": {"enabled": False, "oauth": {"enabled": False}}})
    code, doc, c = ask(g, "--method", "tools/list")
    assert code == 0 and doc["allowed"] is True
    assert "scopes" not in c and "auth.enabled" in c["credential"]["seen"]


def test_usage(conf, tmp):
    g = conf()
    for args in ((), ("--request-id", "x", "--tool", "t"), ("--tool",),
                 ("t",), ("--tool", ""), ("--request-id", "")):
        code, out, err = run("explain", "-f", g.path, *args)
        assert code == 64 and out == "" and "usage: mcpgwctl explain" in err \
            or "requires an argument" in err, (args, err)
    bad = tmp / "bad.yaml"
    bad.write_text("listen: 7\n")
    assert run("explain", "-f", bad, "--tool", "t")[0] == 78
