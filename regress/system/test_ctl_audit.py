"""mcpgwctl audit: real logs and hostile ones are shown, followed and counted;
nothing in a line reaches the terminal as it is, and memory stays bounded."""

import collections
import gzip
import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import time

import pytest

import gw as gwmod

CTL = gwmod.BUILD / "ctl" / "mcpgwctl"
ESCAPES = re.compile(r"[^\n -~]")


def run(*args, check=0, env=(), **kw):
    e = dict(gwmod.Gateway.environment(), LC_ALL="C.UTF-8")
    e.update(env)
    p = subprocess.run([str(CTL), "audit", *map(str, args)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60, env=e, **kw)
    assert p.returncode == check, (p.returncode, p.stderr)
    return p.stdout.decode(), p.stderr.decode()


def entry(n=0, **over):
    d = {"ts": "2026-05-09T14:%02d:%02d.%03dZ" % (n // 60 % 60, n % 60, n % 7),
         "session_id": None, "method": "tools/call", "action": "allow",
         "auth_result": "ok", "oauth_client_id": "ci@acme.com",
         "scopes": "mcp:read", "latency_ms": n, "request_id": "%032x" % n,
         "client_ip": "192.0.2.7", "tool": "search", "upstream": "tools",
         "status": 200}
    d.update(over)
    return {k: v for k, v in d.items() if v != "absent"}


def write(path, entries, end="\n", opener=open):
    with opener(path, "wt") as f:
        f.write("\n".join(json.dumps(e, separators=(",", ":"))
                          for e in entries) + end)
    return path


def ids(text):
    return [int(json.loads(line)["request_id"], 16)
            for line in text.splitlines()]


# -- a real gateway's ---------------------------------------------------------

@pytest.fixture(scope="module")
def real(site):
    """The path of its configuration and the lines of its log."""
    g = site.gw
    mark = g.audit_mark()
    g.post(gwmod.call(), token=site.auth.mint({"client_id": "agent-7"}))
    g.post(gwmod.rpc("tools/list"), token=site.auth.mint({"client_id": "b"}))
    g.post(gwmod.rpc("tools/list"), token=site.auth.mint({"aud": "other"}))
    g.post(gwmod.rpc("tools/list"))
    g.post(gwmod.rpc("tools/call", params={"name": "x\x1b[31m\u202ey\u009b"}),
           token=site.auth.mint())
    return g, g.audit(n=5, since=mark)


def test_tail_of_a_real_log(real):
    g, lines = real
    out, err = run("tail", "-n", "5", "-f", g.path)
    rows = out.splitlines()
    assert len(rows) == 5 and err == "" and not ESCAPES.search(out)
    for row, line in zip(rows, lines):
        assert row.startswith(line["ts"])
        assert row.split()[1] == line["action"]
        assert row.split()[2] == str(line["status"])
    assert rows[0] == rows[0].rstrip()
    assert "agent-7" in rows[0] and "echo@" in rows[0]
    assert "bad_audience" in rows[2] and "missing" in rows[3]
    assert "x?[31m?y?@" in rows[4]


def test_json_is_the_lines_as_they_are(real):
    g, lines = real
    out, _ = run("tail", "-n", "all", "--json", "-f", g.path)
    assert out == g.audit_path.read_text()


def test_json_for_a_terminal(tmp):
    """A worker that was taken over writes what it likes to the log."""
    f = tmp / "x.jsonl"
    line = '{"ts":"2026-01-01T00:00:00.000Z",\r\t"action" :"allow",' \
        '"method":"a\u009b31m\x7f\u202eb\u00e4\U0001f600"}'
    f.write_text(line + "\n", newline="")
    for cmd in (["tail", "--json"], ["tail", "--json", "-n", "all"]):
        out, err = run(*cmd, f)
        assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]", out), out
        assert json.loads(out) == json.loads(line) and err == ""
        assert "\u00e4\U0001f600" in out


def test_stats_of_a_real_log(real):
    g, _ = real
    lines = g.audit_lines()
    out, err = run("stats", "--json", "-f", g.path)
    s = json.loads(out)
    assert err == "" and s["requests"] == len(lines) and s["bad_lines"] == 0
    for kind in ("action", "auth_result", "method", "status", "upstream"):
        want = collections.Counter(str(line[kind]) for line in lines
                                   if line.get(kind) is not None)
        assert {r["name"]: r["requests"] for r in s[kind]} == want, kind
    assert s["first"] == lines[0]["ts"] and s["last"] == lines[-1]["ts"]
    assert s["latency_ms"]["max"] == max(x["latency_ms"] for x in lines)
    out, _ = run("stats", "-f", g.path)
    assert "%d requests in" % len(lines) in out and "WHY NOT" in out
    assert not ESCAPES.search(out)


def test_follow_through_rotation(gateway, auth_server):
    """The gateway's own log, renamed and opened anew: no line is lost."""
    g = gateway()
    with Follow("-n", "all", "--json", "-f", g.path) as f:
        g.post(token=auth_server.mint({"client_id": "one"}))
        f.wait_for("one")
        g.audit_path.rename(g.audit_path.with_name("audit.jsonl.1"))
        g.post(token=auth_server.mint({"client_id": "two"}))
        f.wait_for("two")
        mark = g.log_mark()
        g.signal(signal.SIGUSR1)
        g.wait_log("audit", mark)
        # lines of either file come
        while not g.audit_path.exists() or not g.audit_path.read_text():
            g.post(token=auth_server.mint({"client_id": "three"}))
        f.wait_for("three")
        f.stop()
    both = (g.audit_path.with_name("audit.jsonl.1").read_text() +
            g.audit_path.read_text())
    assert sorted(f.out.splitlines()) == sorted(both.splitlines())
    out, _ = run("tail", "--all", "-n", "all", "--json", "-f", g.path)
    assert out == both


# -- tail ---------------------------------------------------------------------

def test_tail_numbers(tmp):
    path = write(tmp / "a", [entry(i) for i in range(3000)])
    for n in (0, 1, 10, 2999, 3000, 4000):
        out, _ = run("tail", "-n", n, "--json", path)
        assert ids(out) == list(range(3000))[max(0, 3000 - n):]
    assert ids(run("tail", "--json", path)[0]) == list(range(2990, 3000))
    # lines of all lengths, so that blocks end everywhere in them
    path = write(tmp / "b", [entry(i, tool="t" * (i * 37 % 4000))
                             for i in range(300)])
    for n in range(1, 300, 7):
        assert ids(run("tail", "-n", n, "--json", path)[0]) == \
            list(range(300 - n, 300))


def test_tail_leaves_out_what_is_not_whole(tmp):
    path = write(tmp / "a", [entry(i) for i in range(3)], end='\n{"ts":"20')
    assert ids(run("tail", "-n", "2", "--json", path)[0]) == [1, 2]
    assert ids(run("tail", "-n", "all", "--json", path)[0]) == [0, 1, 2]
    (tmp / "b").write_text('{"ts":')
    assert run("tail", tmp / "b") == ("", "")
    (tmp / "c").write_text("")
    assert run("tail", tmp / "c") == ("", "")


def test_rotated_files_oldest_first(tmp):
    conf = tmp / "conf"
    conf.write_text("audit: {path: '%s'}\n" % (tmp / "audit.jsonl"))
    write(tmp / "audit.jsonl-20260101.gz", [entry(i) for i in range(4)],
          opener=gzip.open)
    write(tmp / "audit.jsonl.1", [entry(i) for i in range(4, 8)])
    # is being made of the one before
    write(tmp / "audit.jsonl.1.gz", [entry(99)], opener=gzip.open)
    write(tmp / "audit.jsonl", [entry(i) for i in range(8, 10)])
    (tmp / "audit.jsonlx").write_text("no")
    (tmp / "audit.jsonl.d").mkdir()
    for i, name in enumerate(["audit.jsonl-20260101.gz", "audit.jsonl.1",
                              "audit.jsonl"]):
        os.utime(tmp / name, (1000 + i, 1000 + i))
    for n in range(1, 11):
        out, err = run("tail", "--all", "-n", n, "--json", "-f", conf)
        assert ids(out) == list(range(10 - n, 10)) and err == ""
    assert ids(run("tail", "--json", "-f", conf)[0]) == [8, 9]
    out, _ = run("stats", "--all", "--json", "-f", conf)
    assert json.loads(out)["lines"] == 10


def test_the_rest_of_the_configuration_may_be_wrong(tmp):
    path = write(tmp / "log", [entry(5)])
    conf = tmp / "conf"
    conf.write_text("nonsense: 1\naudit: {path: '%s'}\nlisten: x\n" % path)
    assert ids(run("tail", "--json", "-f", conf)[0]) == [5]
    conf.write_text("audit: {path\n")
    _, err = run("tail", "-f", conf, check=78)
    assert "%s:2:1: YAML" % conf in err
    run("tail", "-f", tmp / "none", check=78)
    run("tail", tmp / "none", check=74)
    run("stats", tmp / "none", check=74)
    run("tail", tmp, check=74)


# -- filters ------------------------------------------------------------------

FILTERS = [
    (["--action", "deny"], [1]),
    (["--action", "deny", "--action", "error"], [1, 2]),
    (["--action", "deny", "--status", "200"], []),
    (["--status", "4xx"], [1]), (["--status", "5xx"], [2]),
    (["--status", "401"], [1]), (["--status", "40?"], [1]),
    (["--auth-result", "bad_*"], [1]),
    (["--client", "agent-*"], [2]), (["--client", "192.0.2.9"], [3]),
    (["--client", "key-1"], [4]), (["--client", "-"], [3, 4]),
    (["--tool", "-"], [3]), (["--tool", "é\nx"], [4]),
    (["--trace-id", "ab*"], [4]), (["--subject", "bob"], [4]),
    (["--upstream", "fs"], [2]), (["--method", "tools/list"], [3]),
    (["--session", "s-1"], [4]), (["--request-id", "0" * 31 + "2"], [2]),
    (["--since", "2026-05-09T14:00:03Z"], [3, 4]),
    (["--until", "2026-05-09T14:00:01.000Z"], [0]),
    (["--since", "2026-05-09T16:00:03+02:00", "--until", "2027-01-01"],
     [3, 4]),
    (["--since", "2026-05-10"], []), (["--until", "2026-05-09"], []),
    (["--since", "1d"], []), (["--until", "90s"], [0, 1, 2, 3, 4]),
]


@pytest.mark.parametrize("args, want", FILTERS,
                         ids=[" ".join(a).replace("\n", " ")
                              for a, _ in FILTERS])
def test_filters(tmp, args, want):
    path = write(tmp / "a", [
        entry(0),
        entry(1, action="deny", status=401, auth_result="bad_audience"),
        entry(2, action="error", status=502, oauth_client_id="agent-7",
              upstream="fs"),
        entry(3, oauth_client_id=None, client_ip="192.0.2.9", tool="absent",
              method="tools/list"),
        entry(4, oauth_client_id=None, auth_key_id="key-1", tool="é\nx",
              session_id="s-1", subject="bob", trace_id="abc")])
    assert ids(run("tail", "--json", path, *args)[0]) == want
    assert ids(run("tail", "-n", "1", "--json", path, *args)[0]) == want[-1:]
    out, _ = run("stats", "--json", path, *args)
    assert json.loads(out)["lines"] == len(want)


@pytest.mark.parametrize("args", [
    ["--since", "yesterday"], ["--since", "5"], ["--until", "2026-5-9"],
    ["--since", ""], ["-n", "-1"], ["-n", "x"], ["-n", ""], ["--nothing"],
])
def test_wrong_filters(tmp, args):
    path = write(tmp / "a", [entry(0)])
    out, err = run("tail", path, *args, check=64)
    assert out == "" and "usage:" in err


# -- hostile lines ------------------------------------------------------------

BAD = [
    "", "x", "[]", "null", "{}", '{"ts":"2026-05-09T14:00:00Z"}',
    '{"ts":1,"action":"allow"}', '{"ts":"x","action":"allow"}',
    '{"ts":"2026-05-09T14:00:00Z","action":"allow"',
    '{"ts":"2026-05-09T14:00:00Z","action":"allow"} x',
    '{"ts":"2026-05-09T14:00:00Z","action":"allow","action":"deny"}',
    '{"ts":"2026-05-09T14:00:00Z","action":"a\x1b[31m"}',
    '{"ts":"2026-05-09T14:00:00Z","action":"\\ud800"}',
    "[" * 100000, '{"a":' * 100000,
]


def test_lines_that_are_none(tmp):
    path = tmp / "a"
    good = json.dumps(entry(1)).encode()
    text = b"\n".join([good, *(b.encode() for b in BAD), b"\xff\xfe\0", good,
                       b"x" * (1024 * 1024 + 1), good]) + b"\n" + good[:30]
    path.write_bytes(text)
    out, err = run("stats", "--json", path)
    s = json.loads(out)
    assert s["lines"] == 3 and s["bad_lines"] == len(BAD) + 2
    said = [int(n) for n in re.findall(r"^mcpgwctl: %s:(\d+): " % path, err,
                                       re.M)]
    n = len(BAD)
    assert said == [*range(2, n + 3), n + 4, n + 6]
    assert "longer than" in err and "not whole" in err
    assert not ESCAPES.search(err)
    out, err = run("tail", "-n", "all", "--json", path)
    assert ids(out) == [1, 1, 1] and "%d lines" % (n + 2) in err
    assert ids(run("tail", "-n", "3", "--json", path)[0]) == [1, 1, 1]


def test_many_bad_lines_are_told_once(tmp):
    (tmp / "a").write_text("x\n" * 5000)
    out, err = run("stats", tmp / "a")
    assert len(err.splitlines()) == 21 and "4980 more lines" in err
    assert "5000 lines are none" in out


NAMES = ["\x1b]0;x\x07", "a\u202eb\u2066c", "\x00z", "\u009b31m", "日本語",
         "x" * 5000, "\\u001b" * 2000, "é" * 3000, "\U0001f600" * 1500,
         "-", "'; rm", "\ufeff", "\u200b\u200b"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_are_fit_for_a_terminal(tmp, name):
    e = entry(1, tool=name, oauth_client_id=name, method=name, upstream=name,
              action=name, auth_result=name, error=name, session_id=name)
    path = write(tmp / "a", [e, dict(entry(2), event=name)])
    for verb in ("tail", "stats"):
        out, err = run(verb, path)
        assert err == ""
        assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f"
                             "\u2028-\u202e\u2066-\u2069\ufeff]", out), verb
    out, _ = run("tail", path)
    assert len(out.splitlines()) == 2
    out, _ = run("tail", path, env={"LC_ALL": "C"})
    assert not ESCAPES.search(out)


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (96 << 20, 96 << 20))


ASAN = "asan" in str(gwmod.BUILD)


def test_memory_is_bounded(tmp):
    """A million names, a line for each; and lines of a megabyte."""
    with open(tmp / "a", "w") as f:
        for i in range(100000):
            f.write('{"ts":"2026-05-09T14:00:00Z","action":"allow","tool":'
                    '"t%d%s","oauth_client_id":"c%d"}\n' % (i, "x" * 200, i))
        for i in range(20):
            f.write('{"ts":"2026-05-09T14:00:00Z","action":"allow","tool":'
                    '"%s"}\n' % ("y" * 1000000))
    kw = {} if ASAN else {"preexec_fn": limited}
    out, err = run("stats", "--json", tmp / "a", **kw)
    s = json.loads(out)
    assert s["requests"] == 100020 and len(s["tool"]) == 4096
    assert s["tool_others"] + sum(r["requests"] for r in s["tool"]) == 100020
    out, _ = run("tail", "-n", "20", tmp / "a", **kw)
    assert len(out.splitlines()) == 20


def test_compressed_bombs(tmp):
    """One that expands to nothing but blanks, and one of good lines."""
    with gzip.open(tmp / "a.gz", "wb") as f:
        for _ in range(300):
            f.write(b" " * (1 << 20))
    kw = {} if ASAN else {"preexec_fn": limited}
    out, err = run("stats", tmp / "a.gz", check=74, **kw)
    assert "no log" in err
    run("tail", tmp / "a.gz", check=74, **kw)
    whole = gzip.compress(json.dumps(entry(3)).encode() + b"\n")
    (tmp / "b.gz").write_bytes(whole * 3 + whole[:-10])
    out, err = run("stats", "--json", tmp / "b.gz", check=74)
    assert json.loads(out)["lines"] >= 3 and "b.gz" in err
    (tmp / "c.gz").write_bytes(b"\x1f\x8b\x08\x00garbage" * 50)
    run("stats", tmp / "c.gz", check=74)


def test_suppressed_lines_count_for_many(tmp):
    path = write(tmp / "a", [
        entry(1), entry(2, action="deny", suppressed=41, method=None,
                        error="41 requests refused", latency_ms=0)])
    s = json.loads(run("stats", "--json", path)[0])
    assert s["lines"] == 2 and s["requests"] == 42
    assert {r["name"]: r["requests"] for r in s["action"]} == {
        "allow": 1, "deny": 41}
    assert "41 requests:" in run("tail", path)[0]


def test_percentiles(tmp):
    path = write(tmp / "a", [entry(0, latency_ms=i) for i in range(1, 1001)])
    p = json.loads(run("stats", "--json", path)[0])["latency_ms"]
    for name, want in (("p50", 500), ("p95", 950), ("p99", 990)):
        assert want <= p[name] <= want * 1.04, p
    assert p["max"] == 1000


def test_reasons_are_told_apart_without_particulars(tmp):
    path = write(tmp / "a", [
        entry(i, action="deny", error="the audience is not ours: aud %d" % i)
        for i in range(5)])
    s = json.loads(run("stats", "--json", path)[0])
    assert s["reason"] == [{"name": "the audience is not ours",
                            "requests": 5, "not_allowed": 5}]
    path = write(tmp / "a", [
        entry(1, action="deny", auth_result="bad_audience",
              error='aud: got "x", wanted "y"'),
        entry(2, action="deny", auth_result="missing", error="absent")])
    s = json.loads(run("stats", "--json", path)[0])
    assert [r["name"] for r in s["reason"]] == ["bad_audience: aud",
                                                "missing"]


# -- colours ------------------------------------------------------------------

def on_terminal(*args, env=()):
    """What a terminal gets."""
    e = dict(gwmod.Gateway.environment(), TERM="xterm")
    e.update(env)
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(str(CTL), [str(CTL), "audit", *map(str, args)], e)
    shown = b""
    try:
        while chunk := os.read(fd, 65536):
            shown += chunk
    except OSError:
        pass
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return shown.decode()


def test_colours_only_where_they_are_welcome(tmp):
    path = write(tmp / "a", [entry(1)])
    assert "\033[32mallow" in on_terminal("tail", path)
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\033" not in on_terminal("tail", path, env=env)
    assert "\033" not in run("tail", path, env={"TERM": "xterm"})[0]


# -- follow -------------------------------------------------------------------

class Follow:
    def __init__(self, *args):
        self.p = subprocess.Popen(
            [str(CTL), "audit", "follow", *map(str, args)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=gwmod.Gateway.environment())
        self.out = ""
        self.ready = False

    def __enter__(self):
        return self

    def read(self, timeout):
        if select.select([self.p.stdout], [], [], timeout)[0]:
            chunk = os.read(self.p.stdout.fileno(), 65536).decode()
            self.out += chunk
            return chunk
        return ""

    def wait_for(self, text, n=1, timeout=15):
        end = time.monotonic() + timeout
        while self.out.count(text) < n:
            assert time.monotonic() < end, (text, self.out)
            self.read(0.1)

    def stop(self):
        self.p.send_signal(signal.SIGINT)
        rest, self.err = self.p.communicate(timeout=20)
        self.out += rest.decode()
        return self.p.returncode

    def __exit__(self, *exc):
        if self.p.poll() is None:
            self.p.kill()
            self.p.communicate()


def line(i, **over):
    return json.dumps(entry(i, **over), separators=(",", ":")) + "\n"


def test_follow_whole_lines_only(tmp):
    path = tmp / "a"
    path.write_text(line(0) + line(1) + line(2))
    with Follow("-n", "2", "--json", path) as f:
        f.wait_for(line(2))
        assert ids(f.out) == [1, 2]
        with open(path, "a") as log:
            half = line(3)
            log.write(half[:20])
            log.flush()
            log.write(half[20:] + line(4)[:50])
            log.flush()
            f.wait_for(half)
            assert f.out.endswith(half)
            log.write(line(4)[50:])
        f.wait_for(line(4))
        assert ids(f.out) == [1, 2, 3, 4]


def test_follow_a_torn_tail_that_is_cut_off(tmp):
    """As the master does when the disk was full."""
    path = tmp / "a"
    path.write_text(line(0) + line(1)[:40])
    with Follow("--json", path) as f:
        f.wait_for(line(0))
        os.truncate(path, len(line(0)))
        with open(path, "a") as log:
            log.write(line(2))
        f.wait_for(line(2))
        f.stop()
        assert ids(f.out) == [0, 2] and f.err == b""


def test_follow_truncation(tmp):
    """Copied and emptied."""
    path = tmp / "a"
    path.write_text(line(0) + line(1))
    with Follow("--json", path) as f:
        f.wait_for(line(1))
        os.truncate(path, 0)
        assert b"truncated" in f.p.stderr.readline()
        with open(path, "a") as log:
            log.write(line(2))
        f.wait_for(line(2))
        assert ids(f.out) == [0, 1, 2]


def test_follow_a_file_that_is_not_there_yet(tmp):
    with Follow("--json", tmp / "a") as f:
        assert b"not there yet" in f.p.stderr.readline()
        (tmp / "b").write_text(line(1))
        (tmp / "b").rename(tmp / "a")
        f.wait_for(line(1))


def test_follow_filters_and_passes_by(tmp):
    path = tmp / "a"
    path.write_text("")
    with Follow("--json", "--action", "deny", path) as f:
        with open(path, "a") as log:
            log.write(line(1) + "x" * (1 << 20) + "x" * 70000)
            log.flush()
            log.write("y\n" + "bad\n" + line(2, action="deny"))
        f.wait_for(line(2, action="deny"))
        f.stop()
        assert ids(f.out) == [2] and f.err.count(b"at byte") == 1


def test_follow_ends_when_nobody_reads(tmp):
    path = tmp / "a"
    path.write_text(line(0))
    with Follow("--json", path) as f:
        f.wait_for(line(0))
        f.p.stdout.close()
        assert f.p.wait(20) in (0, 74)
