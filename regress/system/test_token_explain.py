"""mcpgwctl token explain: says of a token what the gateway says of it, check by
check, and repeats nothing of it."""

import json
import re
import socket
import threading

import pytest

import gw
import tokens
from judge import judge
from test_ctl import run
from test_keys import auth, own


@pytest.fixture(scope="module")
def keys(site):
    path = site.dir / "jwks.json"
    path.write_text(json.dumps(site.auth.jwks()))
    return path


def explain(g, token, *args, input=None):
    code, out, err = run("token", "explain", "-f", g.path, *args,
                         input=token if input is None else input)
    for part in token.split("."):
        for i in range(0, max(len(part) - 24, 1), 24):
            assert len(part) < 24 or part[i:i + 24] not in out + err, part
    return code, out, err


def told(g, token, keys, *args, **kw):
    code, out, err = explain(g, token, "--keys", keys, "--json", *args, **kw)
    assert err == "", err
    assert out.count("\n") == 1
    return code, json.loads(out)


GOOD = {"sub": "alice", "act": {"sub": "agent"}, "jti": "j-1"}

FORGED = {
    "claims": lambda a: a.mint({"sub": 7}),
    "use": lambda a: a.mint({"token_use": "id"}),
    "iss": lambda a: a.mint({"iss": "https://idp.acme.test"}),
    "aud": lambda a: a.mint({"aud": ["x", "y"], "exp": 5}),
    "exp": lambda a: a.mint({"exp": 5}),
    "nbf": lambda a: a.mint({"nbf": 1 << 40}),
    "iat": lambda a: a.mint({"iat": 1 << 40}),
    "cnf": lambda a: a.mint({"cnf": {}}),
    "scopes": lambda a: a.mint({"scope": "b"}),
    "signature": lambda a: tokens.forge_signature(a.mint()),
    "kid": lambda a: a.mint(header={"kid": "other"}),
    "key": lambda a: a.mint(alg="ES256", header={"alg": "RS256"}),
    "alg": lambda a: tokens.forge_none(a.mint(), signature=b"x"),
    "typ": lambda a: a.mint(header={"typ": "dpop+jwt"}),
    "crit": lambda a: a.mint(header={"crit": ["b64"]}),
    "payload": lambda a: tokens.mint(a.keys[-1],
                                     claims='{"sub":"a","sub":"b"}'),
    "header": lambda a: tokens.mint(a.keys[-1], "ES256", a.claims(),
                                    header='{"alg":"ES256","alg":"ES256"}'),
}


def test_accepted(site, keys):
    t = site.auth.mint(GOOD)
    code, doc = told(site.gw, t, keys)
    assert code == 0 and doc["accepted"] is True and doc["result"] == "ok"
    assert doc["failed"] is None and doc["keys"] == "file"
    assert (doc["client_id"], doc["scopes"], doc["subject"], doc["actor"],
            doc["jti"]) == ("agent-7", "mcp:read", "alice", "agent", "j-1")
    assert doc["upstreams"] == ["up"]
    assert [c["check"] for c in doc["checks"]] == [
        "oauth", "shape", "form", "header", "crit", "typ", "alg", "kid", "key",
        "signature", "payload", "claims", "use", "iss", "aud", "exp", "nbf",
        "iat", "cnf", "scopes", "client"]
    assert {c["outcome"] for c in doc["checks"]} == {"ok"}
    assert {c["advice"] for c in doc["checks"]} == {None}
    code, out, err = explain(site.gw, t, "--keys", keys)
    assert code == 0 and err == "" and out.endswith("\naccepted\n"), out
    # with what is copied along
    for before in ("Bearer ", "Authorization: Bearer ", "  bearer  "):
        assert told(site.gw, t, keys, input=before + t + "\r\n")[0] == 0


@pytest.mark.parametrize("check", FORGED)
def test_it_says_what_the_gateway_says(site, keys, check):
    t = FORGED[check](site.auth)
    line = judge(site, t).line
    code, doc = told(site.gw, t, keys)
    assert code == 1 and doc["accepted"] is False
    assert doc["failed"] == check and doc["result"] == line["auth_result"]
    c, = [c for c in doc["checks"] if c["check"] == check]
    assert c["outcome"] == "failed" and c["advice"]
    if check != "claims":
        m = re.fullmatch(r"%s: got (.*), wanted (.*)" % check, line["error"])
        seen = re.sub(r"\d+ s ago|in \d+ s", "S", c["seen"])
        assert re.sub(r"\d+ s ago|in \d+ s", "S", m[1]) == seen, line
        assert m[2] == c["wanted"], line
    else:
        assert line["error"] == c["seen"]
    code, out, err = explain(site.gw, t, "--keys", keys)
    assert code == 1 and "FAILED  %s " % check in out
    assert "refused: %s (auth_result: %s); the client gets 401" % (
        check, line["auth_result"]) in out


def test_what_comes_behind_the_first(site, keys):
    code, doc = told(site.gw, FORGED["aud"](site.auth), keys)
    failed = [c["check"] for c in doc["checks"] if c["outcome"] == "failed"]
    assert failed == ["aud", "exp"]
    # nothing of it counts as known when its signature is not good
    code, doc = told(site.gw, tokens.forge_signature(site.auth.mint(GOOD)),
                     keys)
    assert "subject" not in doc and "client_id" not in doc


@pytest.mark.parametrize("text", [
    "", "x", "a.b", "a.b.c", "x" * 200, "." * 200, "a" * 60000,
    "\x00" * 50, ("A" * 50 + ".") * 3, "eyJhbGciOiJub25lIn0." + "A" * 90 + ".",
    "\xff\xfe", "Bearer "])
def test_what_is_no_token(site, keys, text):
    code, doc = told(site.gw, text, keys)
    assert code == 1 and doc["failed"] == "shape"
    assert doc["result"] == "invalid"


def test_hostile_claims_are_fit_for_a_terminal(site, keys):
    t = site.auth.mint({"aud": ["\x1b[2J\x07\u202e\n" + "x" * 300] * 5,
                        "iss": "\x9b31m"})
    code, out, err = explain(site.gw, t, "--keys", keys)
    assert code == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out), out
    big = site.auth.mint({"aud": [str(i) for i in range(1000)],
                          "pad": "x" * 4000})
    assert told(site.gw, big, keys)[1]["failed"] == "aud"
    long = site.auth.mint({"pad": "x" * 20000})
    assert told(site.gw, long, keys)[1]["failed"] == "form"


def test_without_oauth(make_gateway, keys):
    t = "x"
    g = make_gateway(auth(own("k"), oauth=False))
    g.write_config()
    code, doc = told(g, t, keys)
    assert code == 1 and doc["failed"] == "oauth"
    g = make_gateway({"auth": {"enabled": False, "oauth": {
        "enabled": False}}})
    g.write_config()
    code, doc = told(g, t, keys)
    assert code == 0 and doc["accepted"] is True


def test_hashed_names(make_gateway, site, keys):
    g = make_gateway({"audit": {"identity": "hashed"}},
                     auth_server=site.auth)
    g.write_config()
    doc = told(g, site.auth.mint(GOOD), keys)[1]
    assert doc["subject"].startswith("sha256:"), doc


def test_failures(site, keys, tmp):
    t = site.auth.mint()
    g = site.gw
    # a token among the arguments is not repeated, and not used
    code, out, err = run("token", "explain", "-f", g.path, t)
    assert code == 64 and t not in out + err and "standard input" in err
    assert run("token", "explain", "--nonsense", input=t)[0] == 64
    bad = tmp / "bad.yaml"
    bad.write_text("listen: 7\n")
    assert run("token", "explain", "-f", bad, input=t)[0] == 78
    for text in ("", "{}", '{"keys":[]}', "[1]", "x" * (1024 * 1024 + 1)):
        bad.write_text(text)
        code, out, err = explain(g, t, "--keys", bad)
        assert code == 74 and str(bad) in err and "?       kid " in out
    assert explain(g, t, "--keys", tmp / "none")[0] == 74
    # what is wrong without any key is wrong
    code, out, err = explain(g, site.auth.mint({"aud": "x"}), "--keys", bad)
    assert code == 1 and "(auth_result: not known)" in out


# -- the keys of the gateway -------------------------------------------------------

class Control:
    """Answers one request on a unix socket."""

    def __init__(self, path, body, status="200 OK"):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(path))
        self.sock.listen(1)
        self.answer = (b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
                       b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (
                           status.encode(), len(body), body))
        self.asked = b""
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        c, _ = self.sock.accept()
        c.settimeout(20)
        while b"\r\n\r\n" not in self.asked:
            self.asked += c.recv(65536)
        c.sendall(self.answer)
        c.close()

    def stop(self):
        self.thread.join(20)
        self.sock.close()


@pytest.mark.parametrize("good", [True, False])
def test_keys_of_the_gateway(site, tmp, good):
    body = json.dumps({"generation": 7, "keys": site.auth.jwks()["keys"]
                       if good else []}).encode()
    c = Control(tmp / "s", body)
    try:
        t = site.auth.mint(GOOD)
        code, out, err = explain(site.gw, t, "--json", "-s", tmp / "s")
    finally:
        c.stop()
    # the token goes nowhere
    assert c.asked.startswith(b"GET /v1/keys HTTP/1.1\r\n"), c.asked
    assert t.encode()[-40:] not in c.asked
    doc = json.loads(out)
    if good:
        assert code == 0 and doc["accepted"] is True, err
        assert doc["keys"] == "gateway" and doc["generation"] == 7
    else:
        assert code == 74 and doc["accepted"] is None
        assert "the keys of the gateway" in err


def test_keys_of_a_real_gateway(site):
    """The keys that it has now, and after a reload, which fetches none."""
    t = site.auth.mint(GOOD)
    code, out, err = explain(site.gw, t, "--json")
    assert code == 0, err
    doc = json.loads(out)
    assert doc["keys"] == "gateway" and doc["generation"] == 1, doc
    code, out, err = explain(site.gw, tokens.forge_signature(t), "--json")
    assert code == 1 and json.loads(out)["failed"] == "signature"
    site.gw.reload()
    code, out, err = explain(site.gw, t, "--json")
    assert code == 0, err
    assert json.loads(out)["generation"] == 2
