"""What a refusal and an admission look like, to the client, to the upstream and
in the audit log (the guide; RFC 6750 section 3, RFC 9728 section 5.1).

    v = judge(site, token)          # one POST: v.r (response), v.line (audit)
    v.refused("expired")            # 401, challenge, JSON-RPC error, audit
    v.admitted()
"""

import json
import re

import gw
import rawhttp

GUIDE_FIELDS = ["ts", "session_id", "method", "action", "auth_result",
                "oauth_client_id", "scopes", "latency_ms"]
ERROR_OF = {"missing": None, "insufficient_scope": "insufficient_scope"}
SCOPES_TOLD = ("missing", "insufficient_scope")


def challenge(error=None, scope=None, metadata=gw.RESOURCE_METADATA):
    s = 'Bearer realm="mcpgw", resource_metadata="%s"' % metadata
    if error:
        s += ', error="%s"' % error
    if scope:
        s += ', scope="%s"' % scope
    return s


def check_error_body(r, code, ids=(None, 1)):
    assert r.header("Content-Type", "").startswith("application/json"), r
    doc = r.json()
    assert doc["jsonrpc"] == "2.0", doc
    assert doc["error"]["code"] == code, doc
    assert isinstance(doc["error"]["message"], str), doc
    assert "result" not in doc and doc.get("id") in ids, doc
    # one that is not known is left out, it is not null
    assert ("id" in doc) == (doc.get("id") is not None), doc


def check_audit_form(line):
    assert list(line)[:8] == GUIDE_FIELDS, line
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ\Z",
                    line["ts"]), line
    assert isinstance(line["latency_ms"], int) and line["latency_ms"] >= 0
    assert isinstance(line["request_id"], str) and line["request_id"], line
    assert line["client_ip"] == "127.0.0.1", line


class Verdict:
    def __init__(self, site, r, line, passed):
        self.site = site
        self.r = r
        self.line = line
        self.passed = passed        # what reached the upstream meanwhile

    def refused(self, auth_result, status=401, code=-31401, scope="mcp:read",
                client_id=None, metadata=gw.RESOURCE_METADATA):
        """auth_result: a name, or several when the design leaves it open."""
        names = (auth_result if isinstance(auth_result, (tuple, set, list))
                 else (auth_result,))
        r, line = self.r, self.line
        assert line["auth_result"] in names, (line, r)
        assert r.status == status, r
        check_error_body(r, code)
        if status == 401:
            error = ERROR_OF.get(line["auth_result"], "invalid_token")
            assert r.header("WWW-Authenticate") == challenge(
                error, scope if line["auth_result"] in SCOPES_TOLD else None,
                metadata), r
        check_audit_form(line)
        assert line["action"] == "deny" or status == 503, line
        assert line["status"] == status, line
        if client_id is not None:
            assert line["oauth_client_id"] == client_id, line
        elif line["auth_result"] in ("missing", "invalid", "bad_signature",
                                     "unknown_key", "unavailable"):
            # Nobody vouches for what such a token says.
            assert not line["oauth_client_id"] and not line["scopes"], line
        assert self.passed == [], "it reached the upstream: %r" % self.passed
        return self

    def admitted(self, client_id="agent-7", scopes="mcp:read"):
        r, line = self.r, self.line
        assert r.status == 200, (r, line)
        assert r.json()["id"] == 1 and "result" in r.json(), r
        assert r.headers("WWW-Authenticate") == [], r
        check_audit_form(line)
        assert line["action"] == "allow" and line["auth_result"] == "ok", line
        assert line["oauth_client_id"] == client_id, line
        assert line["scopes"] == scopes, line
        assert line["status"] == 200 and line["method"] == "tools/list", line
        assert line["upstream"] == "up", line
        assert len(self.passed) == 1, self.passed
        return self


def judge(site, token=None, headers=(), raw=None, path="/mcp"):
    """POST a tools/list; raw: exact bytes instead.  No other request may be
    under way at that gateway."""
    g, up = site.gw, site.up
    before = len(up.heads)
    mark = g.audit_mark()
    if raw is None:
        r = g.post(gw.rpc(), token, headers, path)
    else:
        with rawhttp.Client(g.port) as c:
            c.send(raw)
            r = c.read_response()
    line = g.audit_one(mark)
    if token:
        assert token not in json.dumps(line)
        assert token not in g.log()
    return Verdict(site, r, line, up.heads[before:])
