"""mcp.revisions: which revisions of MCP clients may use."""

import re

import pytest

from gw import rpc

ALL = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]
OPEN = {"auth": {"enabled": False, "oauth": {"enabled": False}}}


def ask(g, version=None, method="tools/list", how="POST"):
    h = [] if version is None else [("MCP-Protocol-Version", version)]
    if version == "2026-07-28":
        h.append(("Mcp-Method", method))
    if how == "POST":
        return g.post(rpc(method, 9), headers=h)
    with g.client() as c:
        return c.request(how, "/mcp", g.headers(None, h))


def refused(r, supported, requested):
    assert r.status == 400, r
    error = r.json()["error"]
    assert error["code"] == -32022
    assert error["data"] == {"supported": supported, "requested": requested}


def test_all_by_default(gateway):
    g = gateway(OPEN)
    for v in [None, *ALL]:
        assert ask(g, v).status == 200, v
    for v in ("2024-11-05", "2025-03-27", "draft", "2026-07-28 ", "x" * 300,
              "2025-03-26,2025-06-18"):
        if v.strip() in ALL:
            continue
        refused(ask(g, v), ALL, v[:32])


@pytest.mark.parametrize("allowed", [ALL[1:3], ALL[3:], ALL[:1], ALL[1:]])
def test_some(gateway, allowed):
    g = gateway({**OPEN, "mcp": {"revisions": allowed}})
    for v in ALL:
        r = ask(g, v)
        if v in allowed:
            assert r.status == 200, (v, r)
        else:
            refused(r, allowed, v)
    # a request without one is of the oldest; one asks for a revision so
    if ALL[0] in allowed:
        assert ask(g).status == 200
    else:
        refused(ask(g), allowed, ALL[0])
        refused(ask(g, how="DELETE"), allowed, ALL[0])
    assert ask(g, method="initialize").status == 200


def test_in_the_body(gateway):
    g = gateway({**OPEN, "mcp": {"revisions": ALL[3:]}})
    meta = "io.modelcontextprotocol/protocolVersion"
    r = g.post(rpc("tools/list", 9, {"_meta": {meta: "2025-06-18"}}))
    refused(r, ALL[3:], "2025-06-18")


def test_parameters_are_carried(gateway, upstream):
    """Mcp-Param-* are the server's to judge."""
    g = gateway(OPEN)
    h = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call"),
         ("Mcp-Name", "echo"), ("Mcp-Param-Region", "eu west"),
         ("mcp-param-x", "=?base64?w7w=?=")]
    assert g.post(rpc("tools/call", 1, {"name": "echo", "arguments": {}}),
                  headers=h).status == 200
    req = upstream.requests[-1]
    assert req.header("Mcp-Param-Region") == "eu west"
    assert req.header("Mcp-Param-X") == "=?base64?w7w=?="
    assert req.header("Mcp-Method") == "tools/call"
    assert req.header("Mcp-Name") == "echo"


@pytest.mark.parametrize("value,want", [
    ([], "at least one revision"), (["2024-11-05"], r"revisions\[0\]"),
    ("2025-06-18", "a list of revisions"), ([["2025-06-18"]], "got a list")])
def test_bad_lists(make_gateway, value, want):
    rc, out = make_gateway({"mcp": {"revisions": value}}).check()
    assert rc == 78 and re.search(want, out) and "mcp.revisions" in out, out
