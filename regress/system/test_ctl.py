"""mcpgwctl: keys are issued, listed, verified and revoked; nothing is lost on a
full disk, no secret is where it must not be, and a configuration is changed in
one place or not at all."""

import base64
import datetime
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import stat
import subprocess
import time

import pytest
import yaml

import gw
from test_keys import (Key, ask, auth, checksum, jwt_shaped_key, own, own_key,
                       stamp)

CTL = gw.BUILD / "ctl" / "mcpgwctl"
FORM = re.compile(r"mcpgw_live_([0-9A-Za-z]{8})_[0-9A-Za-z]{43}_"
                  r"[0-9A-Za-z]{6}\Z")
ROOT = os.getuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="needs root")

HEAD = """\
# top
user: nobody
pid_file: %s
upstreams: [{name: a, url: 'http://127.0.0.1:1/mcp'}]
auth:   # who may
  enabled: true

  # all keys
  keys:
"""


def run(*args, input=b"", before=(), **kw):
    """(exit code, standard output, standard error)"""
    kw.setdefault("stdout", subprocess.PIPE)
    if isinstance(input, str):
        input = input.encode()
    p = subprocess.run([*before, str(CTL), *map(str, args)], input=input,
                       stderr=subprocess.PIPE, timeout=60,
                       env=gw.Gateway.environment(), **kw)
    return (p.returncode, (p.stdout or b"").decode(),
            p.stderr.decode(errors="replace"))


def generate(label="ci", *args):
    code, out, err = run("key", "generate", "--label", label, *args)
    assert code == 0, err
    key, empty, entry = out.split("\n", 2)
    assert empty == ""
    return key, entry


def entry_of(k):
    """A cheap key's entry, as it stands in a file."""
    return "".join("    %s %s: %s\n" % ("-" if i == 0 else " ", name,
                                        json.dumps(value))
                   for i, (name, value) in enumerate(k.entry.items()))


@pytest.fixture
def conf(tmp):
    """Writes a configuration with those entries and returns its path."""
    def write(*entries, head=HEAD, tail=""):
        path = tmp / "mcpgw.yaml"
        path.write_text(head % (tmp / "pid") + "".join(entries) + tail)
        path.chmod(0o640)
        return path
    return write


# -- generate -----------------------------------------------------------------

def test_generate():
    before = datetime.datetime.now(datetime.timezone.utc)
    key, text = generate("ci-pipeline", "--expires", "2160h", "--scopes",
                         "mcp:read,mcp:write *")
    m = FORM.match(key)
    assert m, key
    body, _, crc = key.rpartition("_")
    assert checksum(body) == crc
    entry, = yaml.safe_load("keys:\n" + text)["keys"]
    assert list(entry) == ["id", "prefix", "hash", "scopes", "created_at",
                           "expires_at"]
    assert entry["id"] == "ci-pipeline" and entry["prefix"] == m[1]
    assert entry["scopes"] == ["mcp:read", "mcp:write", "*"]
    assert entry["expires_at"] - entry["created_at"] == \
        datetime.timedelta(days=90)
    assert abs(entry["created_at"] - before) < datetime.timedelta(seconds=60)
    h = re.fullmatch(r"argon2id\$v=19\$m=65536,t=3,p=2\$([^$]{22})\$([^$]{43})",
                     entry["hash"])
    assert h, entry["hash"]
    assert len(base64.b64decode(h[1] + "==")) == 16
    assert len(base64.b64decode(h[2] + "=")) == 32
    assert re.search(r"created_at: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", text)


def test_generate_says_the_rest_on_standard_error():
    code, out, err = run("key", "generate", "-l", "a")
    assert code == 0
    key = out.split("\n")[0]
    assert "shown once" in err and "no scopes" in err
    assert "required_scopes" in err and "does not expire" in err
    assert key not in err and key.split("_")[3] not in err
    assert "scopes: []" in out and "expires_at" not in out
    code, out, err = run("key", "generate", "-l", "a", "-s", "x", "-e", "1s")
    assert code == 0 and "no scopes" not in err and "expires at" in err


def test_generate_json():
    code, out, err = run("key", "generate", "--label", "ci", "--scopes",
                         "a b", "--expires", "1h", "--json")
    d = json.loads(out)
    m = FORM.match(d["key"])
    assert code == 0 and m and d["key"] not in err
    e = d["entry"]
    assert list(e) == ["id", "prefix", "hash", "scopes", "created_at",
                       "expires_at"]
    assert e["id"] == "ci" and e["prefix"] == m[1] and e["expires_at"]
    assert e["scopes"] == ["a", "b"] and e["hash"].startswith("argon2id$")
    code, out, err = run("--json", "key", "generate", "-l", "a")
    assert json.loads(out)["entry"]["scopes"] == []
    assert json.loads(out)["entry"]["expires_at"] is None


def test_revoke_json(conf):
    b = own("b")
    path = conf(entry_of(own("a")), entry_of(b))
    before = path.read_text()
    code, out, err = run("key", "revoke", "--json", "-n", "-f", path, "a")
    d = json.loads(out)
    assert code == 0 and path.read_text() == before
    assert d == {"file": str(path), "id": "a", "removed": False, "line": 10}
    code, out, err = run("key", "revoke", "--json", "-f", path, "a")
    assert code == 0 and json.loads(out) == {
        "file": str(path), "id": "a", "removed": True,
        "reload": "not running", "pid": None}
    assert "id: \"a\"" not in path.read_text()
    code, out, err = run("key", "verify", "--json", "-f", path,
                         input=b.key)
    assert code == 0 and json.loads(out)["id"] == "b"


def test_generate_never_twice_the_same():
    assert len({generate()[0] for _ in range(3)}) == 3


@pytest.mark.parametrize("args", [
    [], ["--label"], ["--label", ""], ["--label", "-a"], ["--label", ".a"],
    ["--label", "a b"], ["--label", "a\n"], ["--label", "a" * 65],
    ["--label", "ä"], ["--label", "a", "b"],
    ["--label", "a", "--expires", "90d"], ["--label", "a", "--expires", "90"],
    ["--label", "a", "--expires", "0s"], ["--label", "a", "--expires", "999ms"],
    ["--label", "a", "--expires", "-1h"], ["--label", "a", "--expires", ""],
    ["--label", "a", "--expires", "99999999h"],
    ["--label", "a", "--scopes", 'a"b'], ["--label", "a", "--scopes", "a\\b"],
    ["--label", "a", "--scopes", "ä"], ["--label", "a", "--scopes", "a,a"],
    ["--label", "a", "--scopes", "a" * 257],
    ["--label", "a", "--unknown"],
])
def test_generate_usage(args):
    code, out, err = run("key", "generate", *args)
    assert code == 64 and out == "" and err != ""
    assert "mcpgw_live_" not in err


@pytest.mark.parametrize("args", [
    [], ["key"], ["key", "frobnicate"], ["keys", "list"], ["-x"],
    ["key", "list", "x"], ["key", "list", "-x"], ["key", "revoke"],
    ["key", "revoke", "a", "b"], ["key", "verify", "-x"],
])
def test_usage(args):
    code, out, err = run(*args)
    assert code == 64 and out == "" and "usage: mcpgwctl key" in err


def test_version():
    code, out, err = run("-V")
    assert code == 0 and re.fullmatch(r"mcpgwctl \d+\.\d+\.\d+\n", out)


# -- where output goes wrong --------------------------------------------------

def test_generate_to_a_full_device():
    with open("/dev/full", "wb") as full:
        code, _, err = run("key", "generate", "--label", "a", stdout=full)
    assert code == 1 and "No space left" in err and "throw away" in err
    assert "shown once" not in err


def test_generate_to_a_closed_pipe():
    r, w = os.pipe()
    os.close(r)
    code, _, err = run("key", "generate", "--label", "a", stdout=w)
    os.close(w)
    assert code == 1 and "Broken pipe" in err


def test_generate_to_a_closed_descriptor():
    code, _, err = run(before=["sh", "-c", 'exec "$0" key generate --label a '
                               ">&-"], stdout=None)
    assert code == 1 and "standard output" in err


def test_generate_beyond_the_limit_of_a_file(tmp):
    """A short write, then the error."""
    out = tmp / "out"
    code, _, err = run("key", "generate", "--label", "a",
                       before=["prlimit", "--fsize=100", "--", "env",
                               "--ignore-signal=XFSZ"],
                       stdout=open(out, "wb"))
    assert code == 1 and "File too large" in err
    assert out.stat().st_size == 100


def full_disk(tmp, script):
    """Run it in a namespace where tmp/disk has one page left."""
    disk = tmp / "disk"
    disk.mkdir()
    p = subprocess.run(
        ["unshare", "-m", "--", "sh", "-ec",
         'mount -t tmpfs -o size=%s none "$1"; cd "$1"; %s' % script,
         "sh", str(disk), str(CTL)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=60, env=gw.Gateway.environment())
    return p.returncode, p.stdout.decode(), p.stderr.decode()


@needs_root
def test_generate_to_a_full_disk(tmp):
    code, out, err = full_disk(tmp, ("4k", """
        head -c 4000 /dev/zero >file
        "$2" key generate --label a >>file || echo "exit $?"
        stat -c %s file"""))
    assert code == 0, err
    assert out == "exit 1\n4096\n" and "No space left" in err


@pytest.mark.parametrize("args", [["key", "list", "-f"],
                                  ["key", "list", "-j", "-f"]])
def test_list_to_a_full_device(conf, args):
    path = conf(entry_of(own("a")))
    with open("/dev/full", "wb") as full:
        code, _, err = run(*args, path, stdout=full)
    assert code == 1 and "No space left" in err


# -- what others can see ------------------------------------------------------

def waiting(*args, before=()):
    """A verify that waits for its standard input."""
    p = subprocess.Popen([*before, str(CTL), "key", "verify", *args],
                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL,
                         env=gw.Gateway.environment())
    deadline = time.monotonic() + 10
    while True:
        comm = pathlib.Path("/proc/%d/comm" % p.pid).read_text().strip()
        call = pathlib.Path("/proc/%d/wchan" % p.pid).read_text()
        # Where it waits is shown to root alone.
        if comm == "gwctl" and ("pipe" in call or not ROOT):
            return p
        if time.monotonic() > deadline:
            p.kill()
            p.wait()
            raise AssertionError("%s waits in %s" % (comm, call))
        time.sleep(0.01)


def end(p):
    p.stdin.close()
    assert p.wait(10) == 1


def test_pgrep_does_not_find_it():
    p = waiting()
    try:
        found = subprocess.run(["pgrep", "mcpgw"], stdout=subprocess.PIPE)
        assert str(p.pid) not in found.stdout.decode().split()
    finally:
        end(p)


@needs_root
def test_no_core_and_no_look_inside():
    p = waiting(before=["setpriv", "--reuid", "65534", "--regid", "65534",
                        "--clear-groups", "--"])
    try:
        proc = pathlib.Path("/proc/%d" % p.pid)
        assert re.search(r"^Uid:\t65534\t", (proc / "status").read_text(),
                         re.M)
        assert re.search(r"^Max core file size\s+0\s+0\s", (
            proc / "limits").read_text(), re.M)
        # what belongs to root there is that of a process not to be dumped
        assert (proc / "mem").stat().st_uid == 0
    finally:
        end(p)


@needs_root
def test_generate_leaves_nothing_in_memory():
    """It stands still where it explains itself: all secrets are gone."""
    r, w = os.pipe()
    os.set_blocking(w, False)
    try:
        while True:
            os.write(w, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(w, True)
    p = subprocess.Popen([str(CTL), "key", "generate", "--label", "a"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=w, env=gw.Gateway.environment())
    try:
        out = b""
        while b"created_at" not in out:
            assert select.select([p.stdout], [], [], 20)[0], out
            out += os.read(p.stdout.fileno(), 4096)
        wchan = pathlib.Path("/proc/%d/wchan" % p.pid)
        deadline = time.monotonic() + 10
        while "pipe" not in wchan.read_text():
            assert time.monotonic() < deadline, wchan.read_text()
            time.sleep(0.01)
        secret = out.split(b"_")[3]
        assert len(secret) == 43
        memory = memory_of(p.pid)
        # what must be there shows that the search works
        assert b"It is shown once" in memory
        found = [i for i in range(43 - 11) if secret[i:i + 12] in memory]
        assert not found
    finally:
        os.close(r)
        os.close(w)
        p.kill()
        p.wait()
        p.stdout.close()


def memory_of(pid):
    parts = []
    with open("/proc/%d/maps" % pid) as maps, \
            open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+\s*(.*)",
                         line)
            if not m or m[3] in ("[vvar]", "[vsyscall]", "[vdso]"):
                continue
            start, stop = int(m[1], 16), int(m[2], 16)
            if stop - start > 1 << 30:      # a sanitizer's shadow
                continue
            try:
                mem.seek(start)
                parts.append(mem.read(stop - start))
            except OSError:
                pass
    return b"".join(parts)


# -- verify -------------------------------------------------------------------

def verify(path, key, **kw):
    return run("key", "verify", "-f", path, input=key, **kw)


def test_verify_what_was_generated(conf):
    key, entry = generate("ci", "--scopes", "mcp:read *", "--expires", "240h")
    path = conf(entry_of(own("other")), entry)
    for text in (key, key + "\n", key + "\r\n"):
        code, out, err = verify(path, text)
        assert code == 0 and err == "", err
        assert "id: ci\nscopes: mcp:read *\nexpires: 2" in out
        assert re.search(r"\(in (9|10) days\)\nstate: valid\n\Z", out)
        assert key not in out


def test_verify_keys_of_others(conf):
    """Hashes of Debian's argon2, and keys that have no form."""
    keys = [Key("plain"), Key("spaced", scopes=()), own("ours"),
            Key("moved", key=own_key()[0])]
    path = conf(*map(entry_of, keys))
    for k in keys:
        code, out, err = verify(path, k.key)
        assert code == 0, err
        assert out.startswith("id: %s\n" % k.id)
    assert "scopes: none\nexpires: never\n" in verify(path, keys[1].key)[1]


def test_verify_wrong(conf):
    good = own("ours")
    path = conf(entry_of(good), entry_of(Key("plain")))
    prefix = good.entry["prefix"]
    body = "mcpgw_live_%s_%s" % (prefix, "0" * 43)
    for key in ("hello", own_key()[0], body + "_" + checksum(body)):
        code, out, err = verify(path, key)
        assert code == 1 and out == "" and "wrong" in err
        assert key not in err


def test_verify_bad_checksum(conf):
    good = own("ours")
    path = conf(entry_of(good))
    for key in (good.key[:-1], good.key + "x", "mcpgw_live_",
                good.key[:-1] + ("0" if good.key[-1] != "0" else "1")):
        code, out, err = verify(path, key)
        assert code == 1 and out == "" and "bad checksum" in err
        assert key not in err


def test_verify_expired(conf):
    k = own("old", expires_at=stamp(-1))
    code, out, err = verify(conf(entry_of(k)), k.key)
    assert code == 1 and "id: old" in out and "state: expired" in out
    assert "expired" in err


@pytest.mark.parametrize("text, words", [
    (b"", "no key"), (b"\n", "no key"), (b"a b", "one key on one line"),
    (b"a\nb\n", "one key on one line"), (b"a\0b", "one key on one line"),
    (b"\xc3\xa4", "one key on one line"), (b"a" * 1025, "longer than"),
    (b"a" * 100000, "longer than"), (b"a" * 1024, "wrong"),
])
def test_verify_what_is_no_key(conf, text, words):
    code, out, err = verify(conf(entry_of(own("a"))), text)
    assert code == 1 and out == "" and words in err


def test_verify_notes_a_missing_scope(conf):
    some, all_ = own("some", scopes=["a", "c"]), own("all", scopes=["*"])
    path = conf(entry_of(some), entry_of(all_),
                tail="  oauth:\n    required_scopes: [a, b]\n")
    code, out, err = verify(path, some.key)
    assert code == 0 and "required scope b" in err
    assert "required scope a" not in err
    assert verify(path, all_.key)[2] == ""


def test_verify_notes_the_shape_of_a_jwt(conf):
    k = Key("a", key=jwt_shaped_key())
    oauth = """\
  oauth:
    enabled: %s
    issuer: https://i/
    audience: x
    jwks_url: https://i/k
"""
    code, out, err = verify(conf(entry_of(k), tail=oauth % "true"), k.key)
    assert code == 0 and "shape of a JWT" in err
    code, out, err = verify(conf(entry_of(k), tail=oauth % "false"), k.key)
    assert code == 0 and err == ""


def test_verify_takes_no_argument(conf):
    k = own("a")
    code, out, err = run("key", "verify", "-f", conf(entry_of(k)), k.key)
    assert code == 64 and "standard input" in err
    assert k.key not in out + err


def test_verify_at_a_terminal(conf):
    """Nothing that was typed is shown."""
    k = own("a")
    path = str(conf(entry_of(k)))
    pid, tty = pty.fork()
    if pid == 0:
        os.execve(CTL, ["mcpgwctl", "key", "verify", "-f", path],
                  gw.Gateway.environment())
    shown = b""
    try:
        while not shown.endswith(b"Key: "):
            assert select.select([tty], [], [], 20)[0], shown
            shown += os.read(tty, 4096)
        os.write(tty, k.key.encode() + b"\n")
        try:
            while True:
                assert select.select([tty], [], [], 20)[0], shown
                got = os.read(tty, 4096)
                if not got:
                    break
                shown += got
        except OSError:     # EIO: nobody has it open any more
            pass
    finally:
        os.close(tty)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert b"id: a\r\n" in shown and b"state: valid" in shown
    assert k.key.encode() not in shown and b"mcpgw_live" not in shown


# -- list ---------------------------------------------------------------------

def test_list(conf):
    keys = [own("ours", created_at="2026-05-09T14:23:01+02:00",
                expires_at="2099-01-01T00:00:00Z"),
            Key("plain", scopes=["a", "b"]), own("soon", scopes=(),
                                                 expires_at=stamp(90000)),
            own("old", expires_at=stamp(-5))]
    path = conf(*map(entry_of, keys))
    code, out, err = run("key", "list", "-f", path)
    assert code == 0 and err == ""
    rows = [re.split(r"  +", line) for line in out.splitlines()]
    assert rows[0] == ["ID", "PREFIX", "SCOPES", "CREATED", "EXPIRES",
                       "STATE"]
    assert rows[1] == ["ours", keys[0].entry["prefix"], "mcp:read",
                       "2026-05-09T12:23:01Z", "2099-01-01T00:00:00Z",
                       "valid"]
    assert rows[2] == ["plain", "-", "a,b", "-", "-", "valid"]
    assert rows[3][2] == "-" and rows[3][5] == "in 1 day"
    assert rows[4][5] == "expired" and len(rows) == 5
    code, js, err = run("key", "list", "-j", "-f", path)
    assert code == 0 and err == ""
    objects = [json.loads(line) for line in js.splitlines()]
    assert objects[0] == {
        "id": "ours", "prefix": keys[0].entry["prefix"],
        "scopes": ["mcp:read"], "created_at": "2026-05-09T12:23:01Z",
        "expires_at": "2099-01-01T00:00:00Z", "state": "valid"}
    assert objects[1] == {
        "id": "plain", "prefix": None, "scopes": ["a", "b"],
        "created_at": None, "expires_at": None, "state": "valid"}
    assert objects[2]["scopes"] == []
    assert [o["state"] for o in objects[2:]] == ["valid", "expired"]
    for k in keys:
        for secret in k.entry["hash"].split("$")[-2:]:
            assert secret not in out + js


def test_list_nothing_and_errors(conf, tmp):
    code, out, err = run("key", "list", "-f", conf(head=HEAD[:-1] + " []\n"))
    assert code == 0 and out == "" and "no keys" in err
    assert run("key", "list", "-j", "-f", tmp / "mcpgw.yaml")[:2] == (0, "")
    code, out, err = run("key", "list", "-f", conf("    - id: a\n"))
    assert code == 1 and out == "" and "mcpgw.yaml:10:7: auth.keys[0].hash" \
        in err
    code, out, err = run("key", "list", "-f", tmp / "none")
    assert code == 1 and "No such file" in err


# -- revoke -------------------------------------------------------------------

def revoke(path, *args, **kw):
    return run("key", "revoke", "-f", path, *args, **kw)


def nothing_else(path):
    """No other file was left in the directory."""
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_revoke(conf):
    a, b, c = map(entry_of, (own("a"), own("b"), own("c")))
    path = conf("    # of a\n", a, "\n    # of b\n", b, "    # of c\n", c,
                tail="# end")
    path.chmod(0o604)
    if ROOT:
        os.chown(path, 65534, 65533)
    before = path.stat()
    code, out, err = revoke(path, "b")
    assert code == 0 and err == "", err
    assert "entry of b is removed" in out and "not running" in out
    assert path.read_text() == HEAD % (path.parent / "pid") + \
        "    # of a\n" + a + "\n    # of b\n    # of c\n" + c + "# end"
    after = path.stat()
    assert stat.S_IMODE(after.st_mode) == 0o604
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    nothing_else(path)
    code, out, err = revoke(path, "b")
    assert code == 1 and "no key has the id b" in err


def test_revoke_shows_first(conf):
    a = own("a")
    path = conf(entry_of(a), tail="  oauth:\n    enabled: false\n")
    text = path.read_text()
    code, out, err = revoke(path, "-n", "--force", "a")
    assert code == 0 and "UNAUTHENTICATED" in err
    assert out.splitlines()[0].endswith("mcpgw.yaml:10")
    assert "-  keys:\n+  keys: []\n-    - id: \"a\"\n" in out
    assert a.entry["hash"].split("$")[-1] not in out
    assert path.read_text() == text
    nothing_else(path)


def test_revoke_does_not_open_the_gateway(conf):
    path = conf(entry_of(own("a")))
    text = path.read_text()
    for args in (["a"], ["-n", "a"]):
        code, out, err = revoke(path, *args)
        assert code == 1 and "UNAUTHENTICATED" in err and "--force" in err
        assert path.read_text() == text
    nothing_else(path)
    code, out, err = revoke(path, "--force", "a")
    assert code == 0 and "UNAUTHENTICATED" in err
    assert path.read_text() == HEAD[:-1] % (path.parent / "pid") + " []\n"


def test_revoke_the_last_key_beside_oauth(conf):
    path = conf(entry_of(own("a")), tail="""\
  oauth:
    enabled: true
    issuer: https://i/
    audience: x
    jwks_url: https://i/k
""")
    code, out, err = revoke(path, "a")
    assert code == 0 and err == "", err
    assert yaml.safe_load(path.read_text())["auth"]["keys"] == []


def test_revoke_through_a_link(conf, tmp):
    path = conf(entry_of(own("a")), entry_of(own("b")))
    other = tmp / "etc"
    other.mkdir()
    (other / "link").symlink_to("../mcpgw.yaml")
    (other / "again").symlink_to("link")
    assert revoke(other / "again", "a")[0] == 0
    assert (other / "link").is_symlink() and not path.is_symlink()
    assert [k["id"] for k in yaml.safe_load(path.read_text())["auth"]["keys"]
            ] == ["b"]
    assert sorted(p.name for p in other.iterdir()) == ["again", "link"]


def test_revoke_relative_path(conf):
    path = conf(entry_of(own("a")), entry_of(own("b")))
    assert revoke("mcpgw.yaml", "a", cwd=path.parent)[0] == 0
    nothing_else(path)


def test_revoke_by_hand(conf):
    one = json.dumps(own("a").entry)
    path = conf(head=HEAD[:-1] + " [%s]\n" % one.replace("%", "%%"),
                tail="  oauth:\n    enabled: false\n")
    text = path.read_text()
    code, out, err = revoke(path, "--force", "a")
    assert code == 1 and out == ""
    assert "mcpgw.yaml:9: the entry cannot" in err and "by hand" in err
    assert path.read_text() == text
    nothing_else(path)


def test_revoke_in_a_broken_file(conf):
    path = conf(entry_of(own("a")), entry_of(own("b")), tail="limits: 3\n")
    text = path.read_text()
    code, out, err = revoke(path, "a")
    assert code == 1 and "limits: expected" in err
    assert path.read_text() == text


def test_revoke_checks_with_the_files(conf, tmp):
    """As the gateway would: with what the configuration names, beside the
    name that it is called by."""
    path = conf(entry_of(own("a")), tail="""\
  oauth:
    enabled: true
    issuer: https://i/
    audience: x
    jwks_url: https://i/k
    ca_file: none.pem
""")
    text = path.read_text()
    code, out, err = revoke(path, "a")
    assert code == 1 and "none.pem" in err and "nothing was changed" in err
    assert path.read_text() == text
    nothing_else(path)
    etc = tmp / "etc"
    etc.mkdir()
    (etc / "mcpgw.yaml").symlink_to("../mcpgw.yaml")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes",
                    "-subj", "/CN=t", "-keyout", "/dev/null", "-out",
                    etc / "none.pem"], check=True, stderr=subprocess.DEVNULL)
    code, out, err = revoke(etc / "mcpgw.yaml", "a")
    assert code == 0 and err == "", err
    assert path.read_text() != text


@pytest.mark.parametrize("id", ["", ".a", "a b", "none", "A", "a" * 65])
def test_revoke_no_such_id(conf, id):
    path = conf(entry_of(own("a")), entry_of(own("b")))
    code, out, err = revoke(path, "--", id)
    assert code == 1 and out == "" and "id" in err
    nothing_else(path)


def test_revoke_while_another_does(conf):
    path = conf(entry_of(own("a")), entry_of(own("b")))
    with open(path) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        code, out, err = revoke(path, "a")
        assert code == 1 and "somebody else" in err
    assert revoke(path, "a")[0] == 0


def test_revoke_not_a_file(tmp):
    os.mkfifo(tmp / "fifo")
    assert revoke(tmp / "fifo", "a")[0] == 1
    assert revoke(tmp, "a")[0] == 1
    assert revoke(tmp / "none", "a")[0] == 1


@needs_root
def test_revoke_keeps_attributes(conf):
    path = conf(entry_of(own("a")), entry_of(own("b")))
    try:
        os.setxattr(path, "trusted.note", b"x")
    except OSError:
        return                      # this file system has none
    assert revoke(path, "a")[0] == 0
    assert os.getxattr(path, "trusted.note") == b"x"


@needs_root
def test_revoke_by_somebody_who_may_not(conf):
    """Who cannot keep the owner of the file must not replace it."""
    path = conf(entry_of(own("a")), entry_of(own("b")))
    path.chmod(0o644)
    path.parent.chmod(0o777)
    text = path.read_text()
    code, out, err = revoke(path, "a", before=[
        "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
        "--"])
    assert code == 1 and "not permitted" in err
    assert path.read_text() == text and path.stat().st_uid == 0
    nothing_else(path)


@needs_root
def test_revoke_on_a_full_disk(conf, tmp):
    path = conf(entry_of(own("a")), entry_of(own("b")))
    code, out, err = full_disk(tmp, ("12k", """
        cp %s mcpgw.yaml
        head -c 100000 /dev/zero >rest 2>/dev/null || :
        "$2" key revoke -f mcpgw.yaml a || echo "exit $?"
        cmp %s mcpgw.yaml && ls -A""" % (path, path)))
    assert out == "exit 1\nmcpgw.yaml\nrest\n", (out, err)
    assert "No space left" in err


# -- the reload ---------------------------------------------------------------

def test_a_key_comes_and_goes(gateway):
    """Generated, pasted, used, verified, listed, revoked while it serves."""
    stays = own("stays")
    key, entry = generate("ci", "--scopes", "mcp:read", "--expires", "1h")
    g = gateway(auth(stays, oauth=False))
    assert ask(g, key)[0].status == 401
    text = g.path.read_text()
    assert text.count("  keys:\n") == 1
    # that file's lists are not indented
    g.reload(text=text.replace("  keys:\n", "  keys:\n" + re.sub(
        r"(?m)^  ", "", entry)))
    r, line = ask(g, key)
    assert r.status == 200 and line["auth_key_id"] == "ci"
    assert verify(g.path, key)[0] == 0
    assert '"id":"ci"' in run("key", "list", "-j", "-f", g.path)[1]
    mark = g.log_mark()
    code, out, err = revoke(g.path, "ci")
    assert code == 0 and "process %d" % g.pid in out, (out, err)
    g.wait_log("configuration reloaded", mark)
    r, line = ask(g, key)
    assert r.status == 401 and line["auth_result"] == "invalid"
    assert ask(g, stays.key)[0].status == 200
    assert verify(g.path, key)[0] == 1
    assert key not in g.log()
    assert yaml.safe_load(g.path.read_text()) == yaml.safe_load(text)


@pytest.fixture
def victim():
    """Somebody whom a SIGHUP would kill."""
    p = subprocess.Popen(["sleep", "600"])
    yield p
    dead = p.poll()
    p.kill()
    p.wait()
    assert dead is None, "was signalled: %d" % dead


def test_an_old_pid_file_is_nobody(conf, victim):
    path = conf(entry_of(own("a")), entry_of(own("b")))
    (path.parent / "pid").write_text("%d" % victim.pid)
    code, out, err = revoke(path, "a")
    assert code == 0 and "not running" in out


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "99999999", "1 1",
                                  "18446744073709551617"])
def test_a_pid_file_with_something_else(conf, text):
    path = conf(entry_of(own("a")), entry_of(own("b")))
    with open(path.parent / "pid", "w") as f:
        f.write(text)
        f.flush()
        fcntl.flock(f, fcntl.LOCK_EX)
        code, out, err = revoke(path, "a")
    assert code == 1 and "STILL IN FORCE" in err
    assert "entry of a is removed" in out


@needs_root
def test_a_pid_file_of_somebody_else(conf, victim):
    """Who can write to it cannot have others signalled."""
    path = conf(entry_of(own("a")), entry_of(own("b")))
    pid_file = path.parent / "pid"
    pid_file.write_text("%d" % victim.pid)
    os.chown(pid_file, 65534, 65534)
    with open(pid_file) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        code, out, err = revoke(path, "a")
    assert code == 1 and "process of its owner" in err


def test_a_locked_pid_file_is_signalled(conf):
    """The other way round: the process that it names gets SIGHUP."""
    path = conf(entry_of(own("a")), entry_of(own("b")))
    p = subprocess.Popen(["sleep", "600"])
    try:
        with open(path.parent / "pid", "w") as f:
            f.write("%d\n" % p.pid)
            f.flush()
            fcntl.flock(f, fcntl.LOCK_EX)
            assert revoke(path, "-n", "a")[0] == 0
            assert p.poll() is None
            assert revoke(path, "a")[0] == 0
        assert p.wait(10) == -signal.SIGHUP
    finally:
        p.kill()
        p.wait()
