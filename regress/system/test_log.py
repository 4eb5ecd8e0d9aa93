"""The log as a program reads it: mcpgw-log(5)."""

import json
import os
import re
import select
import signal
import struct

import pytest

import gw
from test_taken_over import CHANNEL_FD, take

LOG, LOG_WARNING = 3, 4         # of enum proto_type; of syslog(3)
BAD_TOKEN = "a" * 40 + "." + "b" * 40 + "." + "c" * 40
JSON = {"log": {"format": "json"}}


def events(text):
    """The lines, parsed; each is an object with what every line has."""
    out = []
    for line in text.splitlines():
        e = json.loads(line)
        assert list(e)[:5] == ["ts", "level", "process", "event", "msg"], line
        assert re.fullmatch(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}\.\d{3}Z",
                            e["ts"]), line
        assert e["level"] in ("error", "warning", "info", "debug"), line
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", e["event"]), line
        out.append(e)
    return out


def one(text, event):
    found = [e for e in events(text) if e["event"] == event]
    assert len(found) == 1, (event, text)
    return found[0]


def string(s):
    return struct.pack("=I", len(s)) + s


def say(s, event, text, pairs=()):
    """MSG_LOG, as a worker sends it.  pairs: (key, is it a number, value)."""
    body = struct.pack("=BB", LOG_WARNING, 0) + string(event) + \
        string(text) + struct.pack("=B", len(pairs))
    for key, number, value in pairs:
        body += string(key) + struct.pack("=B", number) + string(value)
    select.select([], [s], [], 10)
    s.send(struct.pack("=IIII", LOG, len(body), 0, 0) + body)


def test_a_whole_life_in_json(gateway):
    """Start, reload, refused reload, a worker that dies, stop: each line is an
    object, and the facts are in it, not in its words alone."""
    g = gateway({**JSON, "workers": 1})
    g.reload({"drain_timeout": "9s"})
    g.reload({"drain_timeout": "never"}, expect="rejected")
    g.write_config()
    pid = g.newest_worker()
    g.expect_death(r"\(pid %d\) terminated by signal 9" % pid)
    os.kill(pid, signal.SIGKILL)
    g.wait_log("starts again")
    g.wait_children(lambda c: c.get("worker", [pid])[0] != pid)
    g.stop()
    log = g.log()
    assert one(log, "daemon.serving")["workers"] == 1
    assert one(log, "config.reloaded")["generation"] == 2
    e = one(log, "config.error")
    assert (e["level"], e["file"]) == ("error", str(g.path))
    line = g.path.read_text().splitlines().index("drain_timeout: 9s") + 1
    assert (e["line"], e["column"]) == (line, len("drain_timeout: ") + 1)
    assert one(log, "config.rejected")["level"] == "error"
    e = one(log, "child.exited")
    assert {k: e[k] for k in list(e)[2:] if k != "msg"} == {
        "process": "master", "event": "child.exited", "child": "worker",
        "worker": 0, "generation": 2, "pid": pid, "signal": 9}
    assert one(log, "child.restarting")["ms"] == 100
    assert one(log, "jwks.fetched")["process"] == "fetcher"
    assert events(log)[-1]["event"] == "daemon.exit"
    assert events(log)[-1]["status"] == 0


@pytest.mark.parametrize("over, event", [
    ({"auth": {"oauth": {"jwks_url": "http://127.0.0.1:9/none"}}},
     "jwks.prime_failed"),
    ({"audit": {"path": "/dev/null/audit"}}, "audit.open_failed"),
    ({"listen": "192.0.2.1:7332"}, "listen.failed"),
    ({"pid_file": "/dev/null/pid"}, "daemon.bad_pid_file"),
])
def test_what_ends_the_daemon_is_an_error(make_gateway, auth_server, over,
                                          event):
    """Also for who reads no more than errors."""
    g = make_gateway(gw.merge(over, {"log": {"format": "json",
                                             "level": "error"}}))
    code, log = g.run_to_exit()
    assert code != 0
    said = events(log)
    assert event in [e["event"] for e in said], log
    assert {e["level"] for e in said} == {"error"}


def test_level_of_the_file(gateway, auth_server):
    """A reload changes what the children say; -v is above the file."""
    g = gateway({**JSON, "workers": 1})

    def refused():
        pos = g.log_mark()
        assert g.post(token=BAD_TOKEN).status == 401
        # its last words come before its death is told
        pid = g.newest_worker()
        g.expect_death(r"\(pid %d\) terminated by signal 9" % pid)
        os.kill(pid, signal.SIGKILL)
        g.wait_log("child.exited", pos)
        g.wait_ready()
        return [e["level"] for e in events(g.log()[pos:])
                if e["event"] == "request.refused"]
    assert refused() == []
    g.reload({"log": {"level": "debug"}})
    assert refused() == ["debug"]
    g.reload({"log": {"level": "info"}})
    assert refused() == []
    g.stop()
    g.config["log"]["level"] = "error"
    g.start()
    g.stop()
    assert g.log() == ""
    g.start("-v")
    assert refused() == ["debug"]


def test_format_of_the_file(gateway):
    g = gateway()
    g.wait_log("event=daemon.serving")      # it is ready before it says so
    assert re.search(r"Z info master: serving on .* event=daemon\.serving "
                     r"listen=127.0.0.1:%d workers=2 generation=1$" % g.port,
                     g.log(), re.M)
    text = g.reload(JSON)
    assert one(text[text.index("{"):], "config.reloaded")["generation"] == 2
    mark = g.log_mark()
    g.reload({"log": {"format": "text"}})
    assert g.log()[mark:].rstrip().endswith(
        "event=config.reloaded generation=3")


def test_journal(make_gateway):
    """Where stderr is the journal's lines have its priorities and no time."""
    g = make_gateway({"workers": 1})
    g.stderr_path.write_bytes(b"")
    st = g.stderr_path.stat()
    os_env = g.environment()
    g.environment = lambda: {**os_env, "JOURNAL_STREAM":
                             "%d:%d" % (st.st_dev, st.st_ino)}
    g.start()
    die_once(g)
    g.stop()
    assert re.search(r"^<6>master: serving on ", g.log(), re.M)
    assert re.search(r"^<4>master: worker 0 .*event=child.exited", g.log(),
                     re.M)
    assert all(re.match(r"<[2-7]>[a-z]", x) for x in g.log().splitlines())
    # somebody else's stderr
    g.environment = lambda: {**os_env, "JOURNAL_STREAM":
                             "%d:%d" % (st.st_dev, st.st_ino + 1)}
    g.start()
    g.stop()
    assert all(re.match(r"\d{4}-", x) for x in g.log().splitlines())


def die_once(g):
    pid = g.newest_worker()
    g.expect_death(r"\(pid %d\) terminated by signal 9" % pid)
    os.kill(pid, signal.SIGKILL)
    g.wait_children(lambda c: c.get("worker", [pid])[0] != pid)


def test_repeats_are_folded(gateway):
    """Whatever else is said meanwhile, and nothing is lost at the end; and of
    what is too much it is said how much."""
    g = gateway(JSON)
    with take(g.workers()[0], CHANNEL_FD) as s:
        for i in range(20):
            say(s, b"test.again", b"the same")
            say(s, b"other.again", b"x")
        for i in range(1180):       # in two seconds at most
            say(s, b"test.again", b"the same")
    g.wait_log("lines of its log were dropped")
    g.stop()
    dropped = sum(e["lines"] for e in events(g.log())
                  if e["event"] == "child.log_dropped")
    assert 0 < dropped <= 720
    said = [e for e in events(g.log()) if e["event"] == "test.again"]
    assert [e["msg"] for e in said] == [
        "the same", "the same (repeated %d times)" % (1199 - dropped)]
    assert "count" not in said[0] and said[1]["count"] == 1199 - dropped
    assert [e.get("count") for e in events(g.log())
            if e["event"] == "other.again"] == [None, 19]


HOSTILE = b'x"}\n{"ts":1} event=daemon.exit \xff\x00'[:-1]


def test_a_child_cannot_forge_lines(gateway):
    """One that was taken over says what it likes, in its own name."""
    g = gateway(JSON)
    pid = g.workers()[0]
    with take(pid, CHANNEL_FD) as s:
        say(s, b"test.own", HOSTILE, [(b"value", 0, HOSTILE),
                                      (b"n", 1, b"7")])
        g.wait_log("test.own")
        e = one(g.log(), "test.own")
        name = r"worker \d \(g1\)"
        assert re.fullmatch(name, e["process"])
        assert e["msg"] == e["value"] == \
            'x"}\\x0a{"ts":1} event=daemon.exit \\xff'
        assert e["n"] == 7
        g.reload({"log": {"format": "text"}})
    with take(g.newest_worker(), CHANNEL_FD) as s:
        say(s, b"test.text", HOSTILE, [(b"value", 0, HOSTILE)])
        line = g.wait_log("Z warn .*test.text.*\n")[0]
    assert len(re.findall(r"[ =\"]event=", line)) == 1, line


@pytest.mark.parametrize("event, pairs", [
    (b"daemon.exit", []),
    (b"child.exited", []),
    (b"config.reloaded", []),
    (b"nodot", []),
    (b"a.b", [(b"ts", 0, b"x")]),
    (b"a.b", [(b"x", 0, b"1"), (b"x", 0, b"2")]),
    (b"a.b", [(b"x", 1, b'1,"event":"daemon.exit"')]),
])
def test_a_child_that_tries(gateway, event, pairs):
    """What is the master's to say, or is not an event, costs it its life."""
    g = gateway(JSON)
    pid = g.workers()[0]
    g.expect_death(r"broke the protocol: MSG_LOG")
    g.expect_death(r"\(pid %d\) terminated by signal 9" % pid)
    with take(pid, CHANNEL_FD) as s:
        say(s, event, b"", pairs)
    g.wait_children(lambda c: pid not in c["worker"] and
                    len(c["worker"]) == 2)
    e = one(g.log(), "child.broke_protocol")
    assert (e["pid"], e["message"]) == (pid, "MSG_LOG")
    assert event.decode() not in [x["event"] for x in events(g.log())
                                  if x["process"] != "master"]
