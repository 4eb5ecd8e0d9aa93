"""What make install puts in place, and that it works there."""

import os
import pathlib
import re
import subprocess

import gw as gwmod
from gw import DROP, rpc

NO_AUTH = {"auth": {"enabled": False, "oauth": DROP}}


def make(*args):
    p = subprocess.run(
        ["make", "-s", "O=" + str(gwmod.BUILD.relative_to(gwmod.TOP)),
         *args], cwd=gwmod.TOP, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=120)
    assert p.returncode == 0, p.stdout


def files(top):
    return sorted(str(p.relative_to(top)) for p in top.rglob("*")
                  if not p.is_dir())


def installed(tmp, *more):
    # Just the installing: what it would build again is what is tested.
    top = pathlib.Path(tmp) / "root"
    make("-o", "programs", "install", "DESTDIR=%s" % top, *more)
    return top


def test_install_and_uninstall(tmp):
    paths = ["prefix=/opt/gw", "localstatedir=/opt/var"]
    top = installed(tmp, *paths)
    have = files(top)
    for name in ("sbin/mcpgw", "sbin/mcpgwctl", "libexec/mcpgw/worker",
                 "lib/systemd/system/mcpgw.service", "share/man/man8/mcpgw.8",
                 "lib/sysusers.d/mcpgw.conf", "lib/tmpfiles.d/mcpgw.conf",
                 "share/bash-completion/completions/mcpgwctl",
                 "share/doc/mcpgw/examples/mcpgw.rc"):
        assert "opt/gw/" + name in have, have
    assert {"etc/mcpgw/mcpgw.yaml", "etc/logrotate.d/mcpgw"} < set(have)
    # every path in them is this installation's
    for name in have:
        if re.search(r"\.(service|conf|rc)\Z|logrotate", name):
            text = (top / name).read_text()
            assert not re.search(r"@\w+@|/usr/local|[^t]/var/", text), name
    rotate = top / "etc/logrotate.d/mcpgw"
    config = top / "etc/mcpgw/mcpgw.yaml"
    config.write_text("mine\n")
    make("-o", "programs", "install", "DESTDIR=%s" % top, *paths)
    assert config.read_text() == "mine\n"
    make("uninstall", "DESTDIR=%s" % top, *paths)
    assert files(top) == ["etc/mcpgw/mcpgw.yaml"]
    rotate.write_text("changed\n")
    make("uninstall", "DESTDIR=%s" % top, *paths)
    assert rotate.exists()


def rotate(g, tmp):
    """Run logrotate(8) as for this gateway."""
    conf, state = tmp / "rotate.conf", tmp / "rotate.state"
    text = (gwmod.TOP / "etc/logrotate.d/mcpgw").read_text()
    conf.write_text(text.replace("/var/log/mcpgw/audit.jsonl",
                                 str(g.audit_path))
                    .replace("/run/mcpgw.pid", str(g.pid_path)))
    conf.chmod(0o644)
    p = subprocess.run(["/usr/sbin/logrotate", "-f", "-s", state, conf],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, timeout=30)
    assert p.returncode == 0 and p.stdout == "", p.stdout


def ids(path):
    import json
    return [json.loads(line)["request_id"]
            for line in pathlib.Path(path).read_text().splitlines()]


def test_rotation(make_gateway, tmp):
    """No line is lost, and nobody else is signalled."""
    g = make_gateway(NO_AUTH).start()
    other = make_gateway(NO_AUTH).start()
    sent = [g.post(rpc()).header("X-Request-Id") for _ in range(4)]
    mark = g.log_mark()
    rotate(g, tmp)
    sent += [g.post(rpc()).header("X-Request-Id") for _ in range(4)]
    g.wait_log("audit: log reopened", mark)
    sent += [g.post(rpc()).header("X-Request-Id") for _ in range(4)]
    old = pathlib.Path(str(g.audit_path) + ".1")
    g.stop()
    assert sorted(ids(old) + ids(g.audit_path)) == sorted(sent)
    assert set(sent[-4:]) <= set(ids(g.audit_path))
    other.stop()
    assert "reopened" not in other.log()


def test_rotation_without_the_gateway(make_gateway, tmp):
    """What is left of its pid file names nobody."""
    g = make_gateway(NO_AUTH).start()
    g.post(rpc())
    g.stop()
    victim = subprocess.Popen(["sleep", "60"])
    try:
        g.pid_path.write_text(str(victim.pid))
        rotate(g, tmp)
        assert victim.poll() is None
        assert os.path.exists(str(g.audit_path) + ".1")
        g.pid_path.unlink()
        g.audit_path.write_text("{}\n")
        rotate(g, tmp)
        assert not g.pid_path.exists()
    finally:
        victim.kill()
        victim.wait()
