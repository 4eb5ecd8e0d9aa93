"""Refusing is cheap: it must not fill the disk of the audit log."""

import json

from gw import call, rpc


def refused(g, n, fields=(), body=None):
    """n of them, pipelined on one connection; returns the ids answered."""
    with g.client() as c:
        data = c.build("POST", "/mcp", [
            ("Content-Type", "application/json"), *fields],
            body or json.dumps(call()).encode())
        ids = []
        for i in range(0, n, 50):
            c.send(data * min(50, n - i))
            for _ in range(min(50, n - i)):
                r = c.read_response()
                assert r.status == 401, r
                ids.append(r.header("X-Request-Id"))
    return ids


def test_one_line_for_many(gateway, auth_server):
    g = gateway({"workers": 1, "trusted_proxies": ["127.0.0.1"],
                 "audit": {"refusals_per_second": 10}})
    mark, token = g.audit_mark(), auth_server.mint()
    ids = refused(g, 1000, [("X-Forwarded-For", "192.0.2.7")])
    # what others do meanwhile, and what an upstream sees, is there
    other = refused(g, 1, [("X-Forwarded-For", "192.0.2.8")])
    for _ in range(20):
        assert g.post(token=token).status == 200
    # it does not wait for the next refusal
    g.audit(lambda l: l["action"] == "omitted", since=mark)
    g.stop()
    lines = g.audit_lines(mark)
    mine = [l for l in lines if l["client_ip"] == "192.0.2.7"]
    more = [l for l in mine if l["action"] == "omitted"]
    single = [l for l in mine if l["action"] == "deny"]
    assert sum(l["omitted"] for l in more) + len(single) == 1000
    # in each second that this took, at most so many
    assert len(more) >= 1 and len(single) <= 10 * (len(more) + 1)
    assert {l["request_id"] for l in single} <= set(ids)
    assert all(l["method"] is None and "status" not in l for l in more)
    assert [l["request_id"] for l in lines
            if l["client_ip"] == "192.0.2.8"] == other
    assert len([l for l in lines if l["action"] == "allow"]) == 20


def test_counted_ones_are_told_at_the_end(gateway, auth_server):
    g = gateway({"workers": 1, "audit": {"refusals_per_second": 1}})
    mark = g.audit_mark()
    refused(g, 50)
    g.stop()
    assert sum(l.get("omitted", 1) for l in g.audit_lines(mark)) == 50


def test_values_are_short(gateway, auth_server, upstream):
    """As long as an upstream saw them they are whole."""
    g = gateway({"workers": 1})
    body = json.dumps(rpc("tools/call", params={"name": "x" * 300})).encode()
    mark = g.audit_mark()
    refused(g, 1, body=body)
    assert g.post(json.loads(body), token=auth_server.mint()).status == 200
    tools = [l["tool"] for l in g.audit(n=2, since=mark)]
    assert tools == ["x" * 64, "x" * 256]
