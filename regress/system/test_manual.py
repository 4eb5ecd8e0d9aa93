"""What the manuals say that the code could quietly stop to do."""

import os
import re
import signal
import subprocess

import gw
from admin import Door, with_admin

TOP = gw.TOP


def literals(page):
    """The literal displays of a manual page, as they are read."""
    text = (TOP / "man" / page).read_text()
    return [re.sub(r"\\e", r"\\", d)
            for d in re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", text,
                                re.M | re.S)]


def test_several_instances(make_gateway):
    """mcpgw(8): a signal goes to the process in the pid file, to no other."""
    a, b = make_gateway(), make_gateway()
    a.start()
    b.start()
    marks = a.log_mark(), b.log_mark()
    kill = subprocess.run(
        ["sh", "-c", 'kill -HUP "$(cat %s)"' % a.pid_path])
    assert kill.returncode == 0
    a.wait_log("configuration reloaded", marks[0])
    # what it would have been told by then lies before the answer to this
    os.kill(int(b.pid_path.read_text()), signal.SIGUSR1)
    b.wait_log("audit", marks[1])
    assert "reload" not in b.log()[marks[1]:]


def test_example_is_valid(make_gateway):
    """mcpgw.yaml(5)."""
    example, = [d for d in literals("mcpgw.yaml.5") if "upstreams:" in d and
                "listen:" in d]
    rc, out = make_gateway().check(example)
    assert rc == 0, out


def test_every_key_is_described():
    page = (TOP / "man" / "mcpgw.yaml.5").read_text()
    said = set(re.findall(r"[A-Za-z0-9_]+", " ".join(
        re.findall(r"^\.It Ic (.*)$", page, re.M))))
    text = "".join(p.read_text() for p in [
        TOP / "common" / "conf.c", *(TOP / "config").glob("*.c")])
    keys = set(re.findall(r'ROW_\w+\([^")]*"([a-z0-9_.]+)"|'
                          r'^\t\{ "([a-z0-9_.]+)", \w', text, re.M))
    names = {n for pair in keys for n in "".join(pair).split(".")}
    assert {"listen", "leeway", "max_lanes", "expires_at"} <= names
    assert names - said == set()


def test_fixed_keys_are_named():
    """mcpgw(8), Reload: the keys whose change needs a restart."""
    page = (TOP / "man" / "mcpgw.8").read_text()
    part = page[page.index(".Ss Reload"):page.index(".Sh SIGNALS")]
    fixed = re.findall(r'(?:changed\(arg, |^\t\{ )"([a-z0-9_.]+)"',
                       (TOP / "config" / "config.c").read_text(), re.M)
    assert len(fixed) > 5
    for key in fixed:
        assert re.search(r"^\.Ic %s\b" % re.escape(key), part, re.M), key


def test_every_metric_is_described(make_gateway):
    """mcpgw-metrics(5): all that there are, with their type, and no other."""
    config, port = with_admin()
    make_gateway(config).start()
    text = Door(port=port).ask("GET", "/metrics").body.decode()
    served = set(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    page = (TOP / "man" / "mcpgw-metrics.5").read_text()
    said = set(re.findall(r"^\.It Cm (\S+) Pq (\S+)$", page, re.M))
    # what is there only once a key set was fetched
    said -= {s for s in said if s[0].startswith("mcpgw_jwks_") and
             s[1] == "gauge"} - served
    assert served == said
