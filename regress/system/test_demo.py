"""The demo: it ends well, shows what it should, and leaves nothing behind."""

import os
import re
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(TOP, os.environ.get("O", "build"))

TITLES = ("allowed", "takes its time", "No token", "another audience",
          "without mcp:read", "RFC 9728")


def members(session):
    """The pids of a session's processes."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(name))
    return found


def test_demo_ends_well():
    env = dict(os.environ, DEMO_ONCE="1", O=OUT)
    p = subprocess.Popen([os.path.join(TOP, "regress/demo/run")], env=env,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, start_new_session=True)
    out, _ = p.communicate(timeout=90)
    text = out.decode()
    assert p.returncode == 0, text
    for title in TITLES:
        assert re.search(title, text, re.I), (title, text)
    end = time.monotonic() + 10
    while members(p.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert members(p.pid) == []
