"""mcpgw.yaml: what is accepted, and what each error says: file, line, column,
the key's path and what was expected, all of them in one run.

A case replaces lines of BASE; the places where errors are expected are marked
with a « in the text, in their order.  The mark is taken out before mcpgw sees
it, and gives line and column."""

import os
import re
import subprocess

import pytest

import gw

BASE = """\
listen: 127.0.0.1:7332
user: nobody
upstreams:
  - name: up
    url: http://127.0.0.1:9000/mcp
default_upstream: up
audit:
  path: /tmp/audit.jsonl
auth:
  enabled: true
  oauth:
    enabled: true
    issuer: "https://idp.acme.test/"
    audience: "mcpgw-prod"
    jwks_url: "https://idp.acme.test/jwks.json"
    required_scopes:
      - mcp:read
    jwks_cache_ttl: 5m
    leeway: 30s
    public_url: "https://gw.example.test/mcp"
  keys: []
"""

ANY = r"."


def with_line(old, new):
    """BASE with the one line that holds old replaced (None: dropped)."""
    lines = BASE.splitlines()
    hits = [i for i, l in enumerate(lines) if old in l]
    assert len(hits) == 1, (old, hits)
    if new is None:
        del lines[hits[0]]
    else:
        lines[hits[0]] = new
    return "\n".join(lines) + "\n"


def value(key, new):
    """BASE with another value (marked) for the first key of that name."""
    lines = BASE.splitlines()
    for i, line in enumerate(lines):
        if line.strip().startswith(("%s:" % key, "- %s:" % key)):
            lines[i] = line.split(":")[0] + ": «" + new
            return "\n".join(lines) + "\n"
    raise KeyError(key)


def oauth(text):
    """BASE with lines added to auth.oauth."""
    return BASE.replace("    leeway: 30s\n",
                        "    leeway: 30s\n    %s\n" % text)


def top(text):
    return BASE + text + "\n"


# name: (text, [(key path or None, what the message must say)])
CASES = {
    # unknown keys and what they were meant to be
    "unknown key at the top": (
        top("«listne: 127.0.0.1:1"), [("listne", r"unknown.*listen")]),
    "unknown key in oauth": (
        oauth("«audiense: x"), [("auth.oauth.audiense",
                                 r"unknown.*audience")]),
    "dash for underscore": (
        oauth("«required-scopes: []"),
        [("auth.oauth.required-scopes", r"unknown.*required_scopes")]),
    "unknown key like nothing": (
        top("«zebra: 1"), [("zebra", r"unknown")]),
    "unknown key in an upstream": (
        BASE.replace("    url: http", "    «ulr: http").replace(
            "  - name", "  - «name"),
        [("upstreams[0].url", ANY),
         ("upstreams[0].ulr", r"unknown.*url")]),
    "unknown key in timeouts": (
        top("timeouts:\n  «heder: 5s"),
        [("timeouts.heder", r"unknown.*header")]),
    "unknown key in limits": (
        top("limits:\n  «max_bodi: 5MiB"),
        [("limits.max_bodi", r"unknown.*max_body")]),
    # duplicates
    "duplicate key": (
        top("«listen: 127.0.0.1:2"), [("listen", r"(?i)twice|dup|repeat|again|"
                                       r"first|already")]),
    "duplicate key deep": (
        oauth("«leeway: 40s"),
        [("auth.oauth.leeway", r"(?i)twice|dup|repeat|again|first|already")]),
    "duplicate mapping": (
        top("«auth:\n  enabled: false"),
        [("auth", r"(?i)twice|dup|repeat|again|first|already")]),
    "duplicate upstream": (
        BASE.replace("default_upstream: up\n",
                     "  - name: «up\n    url: http://127.0.0.1:1/\n"
                     "default_upstream: up\n"),
        [("upstreams[1].name", ANY)]),
    # listen
    "listen without port": (value("listen", "127.0.0.1"),
                            [("listen", r"expected .*PORT|port")]),
    "listen port 0": (value("listen", "127.0.0.1:0"), [("listen", ANY)]),
    "listen port 65536": (value("listen", "127.0.0.1:65536"),
                          [("listen", ANY)]),
    "listen port -1": (value("listen", "127.0.0.1:-1"), [("listen", ANY)]),
    "listen port name": (value("listen", "127.0.0.1:http"),
                         [("listen", ANY)]),
    "listen v6 without brackets": (value("listen", '"::1:80"'),
                                   [("listen", ANY)]),
    "listen octets": (value("listen", "127.0.0.256:80"), [("listen", ANY)]),
    "listen number": (value("listen", "80"), [("listen", ANY)]),
    "listen list": (value("listen", "[a]"), [("listen", r"a list")]),
    # durations, sizes, numbers
    "duration without unit": (value("leeway", "30"),
                              [("auth.oauth.leeway", r"expected.*unit")]),
    "duration of another unit": (value("leeway", "30sec"),
                                 [("auth.oauth.leeway", r"expected.*30s")]),
    "duration negative": (value("leeway", "-30s"),
                          [("auth.oauth.leeway", r"expected")]),
    "duration with fraction": (value("leeway", "1.5s"),
                               [("auth.oauth.leeway", r"expected")]),
    "duration with space": (value("leeway", "30 s"),
                            [("auth.oauth.leeway", r"expected")]),
    "duration empty": (value("leeway", '""'),
                       [("auth.oauth.leeway", r"expected")]),
    "duration overflow": (value("leeway", "99999999999999999999h"),
                          [("auth.oauth.leeway", r"expected")]),
    "duration wraps": (value("leeway", "5124095576030432h"),
                       [("auth.oauth.leeway", r"expected")]),
    "duration null": ("\n".join(BASE.replace(
        "leeway: 30s", "leeway:").splitlines()) + "\n",
        [("auth.oauth.leeway", r"expected")]),
    "ttl of nothing": (value("jwks_cache_ttl", "0s"),
                       [("auth.oauth.jwks_cache_ttl", r"expected")]),
    "timeout of a year": (top("timeouts:\n  header: «8760h"),
                          [("timeouts.header", r"expected")]),
    "timeout off where it may not be": (
        top("timeouts:\n  header: «off"), [("timeouts.header",
                                            r"expected")]),
    "size of another unit": (top("limits:\n  max_body: «4MB"),
                             [("limits.max_body", r"expected.*MiB")]),
    "size of nothing": (top("limits:\n  max_body: «0"),
                        [("limits.max_body", r"expected")]),
    "size overflow": (top("limits:\n  max_body: «99999999999999999GiB"),
                      [("limits.max_body", r"expected")]),
    "size negative": (top("limits:\n  max_body: «-1"),
                      [("limits.max_body", r"expected")]),
    "workers none": (top("workers: «0"), [("workers", r"expected.* 1 ")]),
    "workers word": (top("workers: «many"), [("workers", r"expected")]),
    "workers quoted": (top('workers: «"2"'), [("workers", r"expected")]),
    "workers too many": (top("workers: «100000"),
                         [("workers", r"expected")]),
    # booleans
    "boolean yes": (value("enabled", "yes"),
                    [("auth.enabled", r"expected true or false")]),
    "boolean quoted": (value("enabled", '"true"'),
                       [("auth.enabled", r"expected true or false")]),
    "boolean number": (value("enabled", "1"),
                       [("auth.enabled", r"expected true or false")]),
    # strings of the wrong shape
    "issuer no URL": (value("issuer", "idp"),
                      [("auth.oauth.issuer", r"expected")]),
    "issuer with query": (value("issuer", "https://idp.acme.test/?a"),
                          [("auth.oauth.issuer", r"expected")]),
    "audience empty": (value("audience", '""'),
                       [("auth.oauth.audience", r"expected")]),
    "audience list": (value("audience", "[]"),
                      [("auth.oauth.audience", r"expected.*a list")]),
    "audience mapping": (value("audience", "{a: b}"),
                         [("auth.oauth.audience", r"expected.*a mapping")]),
    "jwks_url http": (value("jwks_url", "http://idp.acme.test/jwks"),
                      [("auth.oauth.jwks_url", r"expected.*https")]),
    "jwks_url http and loopback's likeness": (
        value("jwks_url", "http://127.0.0.1.evil.test/jwks"),
        [("auth.oauth.jwks_url", r"expected.*https")]),
    "jwks_url file": (value("jwks_url", "file:///etc/passwd"),
                      [("auth.oauth.jwks_url", r"expected")]),
    "jwks_url with user": (value("jwks_url", "https://u:secret@a.test/j"),
                           [("auth.oauth.jwks_url", r"expected")]),
    "public_url path": (value("public_url", "/mcp"),
                        [("auth.oauth.public_url", r"expected")]),
    "public_url fragment": (value("public_url", "https://a.test/mcp#x"),
                            [("auth.oauth.public_url", r"expected")]),
    "public_url quote": (value("public_url", "'https://a.test/\"x'"),
                         [("auth.oauth.public_url", r"expected")]),
    "public_url line break": (value("public_url", r'"https://a.test/\r\nX: y"'),
                              [("auth.oauth.public_url", r"expected")]),
    "metadata_path relative": (oauth("metadata_path: «meta"),
                               [("auth.oauth.metadata_path", r"expected")]),
    "metadata_path of another": (oauth("metadata_path: «/mcp"),
                                 [("auth.oauth.metadata_path",
                                   r"expected")]),
    "metadata_path query": (oauth("metadata_path: «/a?b"),
                            [("auth.oauth.metadata_path", r"expected")]),
    "scopes a string": (BASE.replace(
        "required_scopes:\n      - mcp:read", "required_scopes: «mcp:read"),
        [("auth.oauth.required_scopes", r"expected a list")]),
    "scope with a space": (BASE.replace("- mcp:read", "- «mcp read"),
                           [("auth.oauth.required_scopes[0]", r"expected")]),
    "scope with a quote": (BASE.replace("- mcp:read", "- «'a\"b'"),
                           [("auth.oauth.required_scopes[0]", r"expected")]),
    "scope empty": (BASE.replace("- mcp:read", '- «""'),
                    [("auth.oauth.required_scopes[0]", r"expected")]),
    "scope nested": (BASE.replace("- mcp:read", "- «[a]"),
                     [("auth.oauth.required_scopes[0]", r"expected")]),
    "ca_file missing": (oauth("ca_file: «/nonexistent/ca.pem"),
                        [("auth.oauth.ca_file", r"expected|such file")]),
    "ca_file no PEM": (oauth("ca_file: «/etc/hostname"),
                       [("auth.oauth.ca_file", r"(?i)expected|PEM|cert")]),
    "user empty": (value("user", '""'), [("user", r"expected")]),
    "user root": (value("user", "root"), [("user", ANY)]),
    "audit path relative": (BASE.replace("path: /tmp/audit.jsonl",
                                         "path: «audit.jsonl"),
                            [("audit.path", r"expected.*absolute")]),
    "audit on_failure": (BASE.replace(
        "audit:\n", "audit:\n  on_failure: «ignore\n"),
        [("audit.on_failure", r"expected.*allow")]),
    # what several keys must agree on
    "oauth without auth": (value("enabled", "false").replace("«", "").replace(
        "  oauth:\n    enabled: true", "  oauth:\n    enabled: «true"),
        [("auth.oauth.enabled", r"requires.*auth\.enabled|auth\.enabled")]),
    "oauth with auth unset": (BASE.replace("  enabled: true\n  oauth:\n"
                                           "    enabled: true",
                                           "  oauth:\n    enabled: «true"),
                              [("auth.oauth.enabled", r"auth\.enabled")]),
    "API keys": (BASE.replace("keys: []",
                              "keys: [{id: ci, hash: «argon2id, "
                              "scopes: ['*']}]"),
                 [("auth.keys[0].hash", r"expected argon2id\$v=19")]),
    "no issuer": (with_line("issuer:", None),
                  [("auth.oauth.issuer", r"required|expected")]),
    "no audience": (with_line("audience:",
                              "    accept_resource_audience: false"),
                    [("auth.oauth.audience", r"required|expected")]),
    "no jwks_url": (with_line("jwks_url:", None),
                    [("auth.oauth.jwks_url", r"required|expected")]),
    "no upstreams": (re.sub(r"upstreams:\n.*\n.*\ndefault.*\n", "", BASE),
                     [("upstreams", r"required|expected")]),
    "upstreams empty": (re.sub(r"upstreams:\n.*\n.*\ndefault.*\n",
                               "upstreams: «[]\n", BASE),
                        [("upstreams", r"at least|required|expected")]),
    "upstream without url": (with_line("url: http:", None),
                             [("upstreams[0].url", r"required|expected")]),
    "upstream url scheme": (value("url", "ftp://a.test/mcp"),
                            [("upstreams[0].url", r"http\[s\]://")]),
    "upstream url no URL": (value("url", "127.0.0.1:9000"),
                            [("upstreams[0].url", r"expected")]),
    "upstream url with user": (value("url", "http://u:secret@127.0.0.1/"),
                               [("upstreams[0].url", r"expected")]),
    "upstream name": (BASE.replace("- name: up", "- name: «a/b").replace(
        "default_upstream: up\n", ""),
        [("upstreams[0].name", r"expected")]),
    "default_upstream": (value("default_upstream", "other"),
                         [("default_upstream", r"expected|upstream")]),
    "default_upstream needed": (
        BASE.replace("default_upstream: up\n",
                     "  - name: b\n    url: http://127.0.0.1:1/\n"),
        [("default_upstream", r"required|expected")]),
    # YAML itself
    "tab": ("listen: 127.0.0.1:1\n\tuser: x\n", [(None, ANY)]),
    "unclosed": ("listen: [a\nuser: x\n", [(None, ANY)]),
    "unclosed quote": ("listen: \"a\nuser: x\n", [(None, ANY)]),
    "a list at the top": ("«- a\n- b\n", [(None, r"mapping")]),
    "a word": ("«hello\n", [(None, r"mapping")]),
    "nothing": ("", [(None, ANY)]),
    "a comment": ("# nothing\n", [(None, ANY)]),
    "two documents": (BASE + "---\nlisten: 127.0.0.1:1\n", [(None, ANY)]),
    "alias": (BASE.replace("user: nobody", "user: &a nobody"),
              [(None, r"(?i)anchor|alias")]),
    "tag": (BASE.replace("user: nobody", "user: !!str nobody"),
            [(None, r"(?i)tag")]),
    "not UTF-8": (BASE.encode().replace(b"nobody", b"nob\xffdy"),
                  [(None, ANY)]),
    "a section that is a list": (
        re.sub(r"audit:\n.*\n", "audit:\n  «- path: /tmp/x\n", BASE),
        [("audit", r"expected.*mapping")]),
    "deep": ("listen: " + "[" * 500 + "]" * 500 + "\n", [(None, ANY)]),
}


def unmark(text):
    """(text without marks, [(line, column)])."""
    if isinstance(text, bytes):
        return text, []
    places = []
    out = []
    for number, line in enumerate(text.split("\n"), 1):
        while "«" in line:
            at = line.index("«")
            places.append((number, at + 1))
            line = line[:at] + line[at + 1:]
        out.append(line)
    return "\n".join(out), places


def check(tmp, text):
    """Run mcpgw -n over text: (exit code, lines of output, file)."""
    path = tmp / "mcpgw.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    p = subprocess.run([str(gw.MCPGW), "-n", "-f", str(path)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=30)
    return p.returncode, p.stdout.decode(), str(path)


def find(out, file, place, key, says):
    """The line of output that tells this error."""
    where = r"%d:%d" % place if place else r"[0-9]+:[0-9]+"
    begin = re.compile(r"%s:%s: %s(.*)" % (
        re.escape(file), where, re.escape(key) + ": " if key else ""))
    told = [m[1] for m in map(begin.search, out.splitlines()) if m]
    assert any(re.search(says, t) for t in told), \
        "no %r with %r in:\n%s" % (begin.pattern, says, out)


@pytest.mark.parametrize("name", CASES)
def test_error(tmp, name):
    text, errors = CASES[name]
    text, places = unmark(text)
    rc, out, file = check(tmp, text)
    assert rc == gw.EX_CONFIG, out
    places += [None] * (len(errors) - len(places))
    for place, (key, says) in zip(places, errors):
        find(out, file, place, key, says)
    # One mistake is one message, not an avalanche.
    told = [l for l in out.splitlines() if file + ":" in l]
    assert len(told) <= len(errors) + (0 if errors[0][0] else 2), out
    assert "secret" not in out


def test_all_errors_at_once(tmp):
    """In the order of the file, each once."""
    text, places = unmark("""\
listen: «nonsense
«usr: nobody
workers: «0
upstreams:
  - name: up
    url: «ftp://x/
audit:
  path: «x
auth:
  enabled: «maybe
  oauth:
    enabled: true
    issuer: «""
    audience: a
    jwks_url: «nope
    leeway: «forever
    «frobnicate: 1
    required_scopes: [ok, «"b c", ok2, «""]
""")
    paths = ["listen", "usr", "workers", "upstreams[0].url", "audit.path",
             "auth.enabled", "auth.oauth.issuer", "auth.oauth.jwks_url",
             "auth.oauth.leeway", "auth.oauth.frobnicate",
             "auth.oauth.required_scopes[1]",
             "auth.oauth.required_scopes[3]"]
    assert len(paths) == len(places)
    rc, out, file = check(tmp, text)
    assert rc == gw.EX_CONFIG
    for place, key in zip(places, paths):
        find(out, file, place, key, ANY)
    told = re.findall(re.escape(file) + r":(\d+):(\d+): ", out)
    assert [(int(a), int(b)) for a, b in told] == sorted(places), out


GOOD = {
    "base": BASE,
    "without OAuth": ("user: nobody\nupstreams:\n  - name: a\n"
                      "    url: http://localhost:1/mcp\n"),
    "JSON is YAML": ('{"user": "nobody", "upstreams": [{"name": "a", '
                     '"url": "http://127.0.0.1:1/mcp"}]}'),
    "every key": """\
listen: "[::1]:7332"
workers: 3
user: nobody
pid_file: /run/x.pid
drain_timeout: 5m
timeouts:
  header: 10s
  body: 30s
  keepalive: 75s
  upstream_connect: 300ms
  upstream_response: 2h
  stream_idle: off
  sse_keepalive: 1h
limits:
  max_body: 4MiB
  max_header: 16KiB
  max_connections: 8192
  buffered: 256MiB
upstreams:
  - {name: a, url: "http://127.0.0.1:1/mcp"}
  - {name: b, url: "http://[::1]:2/x"}
default_upstream: b
audit:
  path: /var/log/mcpgw/audit.jsonl
  on_failure: deny
auth:
  enabled: true
  keys: []
  oauth:
    enabled: true
    issuer: https://idp.acme.test
    audience: mcpgw-prod
    jwks_url: http://127.0.0.1:8000/jwks.json
    required_scopes: []
    jwks_cache_ttl: 300s
    leeway: 0s
    public_url: https://gw.acme.test/mcp
    metadata_path: /.well-known/oauth-protected-resource
""",
    "listen on every address": BASE.replace("127.0.0.1:7332", '":7332"'),
    "disabled and half empty": BASE.replace(
        "  enabled: true\n  oauth:\n    enabled: true",
        "  enabled: false\n  oauth:\n    enabled: false").replace(
        '    audience: "mcpgw-prod"\n', ""),
    "keys of nothing": BASE.replace("keys: []", "keys:"),
    "comments": BASE.replace("\n", "   # why\n"),
    "CRLF": BASE.replace("\n", "\r\n"),
    "document start": "---\n" + BASE,
}


@pytest.mark.parametrize("name", GOOD)
def test_good(tmp, name):
    rc, out, _ = check(tmp, GOOD[name])
    assert rc == 0, out


def test_guide(tmp):
    """The guide's own file, with its comments, and an upstream."""
    rc, out, _ = check(tmp, """\
user: nobody
upstreams: [{name: up, url: "http://127.0.0.1:9000/mcp"}]
auth:
  enabled: true                        # must be true when auth.oauth.enabled is true
  oauth:
    enabled: true
    # Issuer URL of your Authorization Server.
    issuer: "https://idp.acme.com/"
    audience: "mcpgw-prod"
    jwks_url: "https://idp.acme.com/.well-known/jwks.json"
    required_scopes:
      - mcp:read
    jwks_cache_ttl: 5m
    leeway: 30s
    public_url: "https://gw.acme.com/mcp"
    # metadata_path: /.well-known/oauth-protected-resource
  # API keys are optional alongside OAuth.
  keys: []
""")
    assert rc == 0, out


def test_check_asks_nobody(make_gateway, auth_server):
    """-n reads the file, and needs neither the AS nor the port."""
    auth_server.refuse()
    g = make_gateway()
    rc, out = g.check()
    assert rc == 0, out
    assert auth_server.connections == 0
    assert not g.pid_path.exists() and not g.audit_path.exists()


def test_check_leaves_a_running_gateway_alone(gateway):
    g = gateway()
    rc, out = g.check()
    assert rc == 0, out
    assert int(g.pid_path.read_text()) == g.pid
    assert g.get("/readyz").status == 200


def test_invalid_at_start(make_gateway, auth_server):
    g = make_gateway({"auth": {"oauth": {"leeway": "soon"}}})
    rc, log = g.run_to_exit(timeout=10)
    assert rc == gw.EX_CONFIG
    assert re.search(re.escape(str(g.path)) +
                     r":\d+:\d+: auth\.oauth\.leeway: expected", log), log
    assert auth_server.connections == 0 and not g.pid_path.exists()


def test_user_must_exist(make_gateway):
    """Looked up where it is needed: on the machine that starts it."""
    g = make_gateway({"user": "no_such_user_here"})
    if os.getuid() != 0:
        g.start()           # it is not changed to, so it does not matter
        return
    rc, log = g.run_to_exit(timeout=10)
    assert rc == gw.EX_CONFIG
    assert re.search(r"user: .*no_such_user_here", log), log


def test_no_file(tmp):
    for path in (tmp / "absent.yaml", tmp):
        for args in (["-n"], ["-d"]):
            p = subprocess.run([str(gw.MCPGW), *args, "-f", str(path)],
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=30)
            assert p.returncode == gw.EX_CONFIG, p
            assert str(path).encode() in p.stdout, p


def test_not_a_file(tmp):
    """A FIFO does not hold the master up."""
    path = tmp / "fifo"
    os.mkfifo(path)
    p = subprocess.run([str(gw.MCPGW), "-n", "-f", str(path)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=10)
    assert p.returncode == gw.EX_CONFIG, p


def test_usage():
    p = subprocess.run([str(gw.MCPGW), "-Z"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=10)
    assert p.returncode not in (0, gw.EX_CONFIG) and b"usage" in p.stdout


def test_port_in_use(make_gateway, upstream):
    """Not the configuration's fault, but it must say so and not linger."""
    g = make_gateway()
    g.port = upstream.port
    g.config["listen"] = "127.0.0.1:%d" % upstream.port
    rc, log = g.run_to_exit(timeout=15)
    assert rc not in (0, None) and rc > 0, rc
    assert re.search(r"(?i)address already in use", log), log


def test_bad_config_on_sighup(gateway, auth_server):
    """Logged with its place; the old configuration serves on."""
    g = gateway()
    t = auth_server.mint()
    before = g.workers()
    for text in ("listen: [\n", "", "auth: {enabled: maybe}\n"):
        log = g.reload(text=text, expect="rejected")
        assert re.search(re.escape(str(g.path)) + r":\d+:\d+: ", log), log
        assert g.post(token=t).status == 200
        assert g.post().status == 401
    assert sorted(g.workers()) == sorted(before)
    g.reload({"auth": {"oauth": {"required_scopes": ["other"]}}})
    assert g.post(token=t).json()["error"]["code"] == -31401
