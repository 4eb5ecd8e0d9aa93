"""regress/run, what it says and when it stops, on a tree that is not ours."""

import os
import shutil
import subprocess

import pytest

import gw


@pytest.fixture
def tree(tmp):
    """A tree whose manual is clean; its etc/deps.sh is the test's."""
    for d in ("etc", "regress/interop", "man"):
        (tmp / d).mkdir(parents=True)
    for f in ("regress/run", "regress/interop/run"):
        shutil.copy(gw.TOP / f, tmp / f)
    shutil.copy(gw.TOP / "man/mcpgw.8", tmp / "man/a.8")
    return tmp


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def run(tree, *suites, **env):
    p = subprocess.run(["sh", "regress/run", *suites], cwd=tree,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=60, text=True,
                       env={**os.environ, "CI": "", "O": str(tree / "build"),
                            "MAKE": "true", **env})
    return p.returncode, p.stdout.splitlines()


def test_missing_packages_end_it(tree):
    script(tree / "etc/deps.sh", "echo 'deps: missing: all'; exit 1\n")
    code, out = run(tree, "deps", "man")
    assert code == 1
    assert out == ["==> deps", "deps: missing: all", "0 passed, 1 failed"]


def test_no_npm_costs_interop_alone(tree):
    script(tree / "etc/deps.sh", "exit 3\n")
    bin = tree / "bin"
    bin.mkdir()
    script(bin / "node", "exit 0\n")
    script(bin / "npm", "echo npm error code ENOTFOUND >&2; exit 1\n")
    for name in ("package.json", "package-lock.json"):
        (tree / "regress/interop" / name).write_text("{}")
    code, out = run(tree, "deps", "interop", "man",
                    PATH="%s:%s" % (bin, os.environ["PATH"]))
    assert code == 1
    assert "npm error code ENOTFOUND" in out
    assert out[-1] == "1 passed, 1 failed"
    assert any(line.startswith("==> man: 1 passed, 0 failed") for line in out)


def test_skipped_is_counted_apart(tree):
    unit = tree / "build/regress/unit"
    unit.mkdir(parents=True)
    (tree / "regress/unit").mkdir()
    (tree / "regress/unit/test_a.c").touch()
    script(unit / "test_a", """
        echo '[  SKIPPED ] needs_root'
        echo '[  PASSED  ] 2 test(s).'
        echo '[  SKIPPED ] 1 test(s), listed below:'
        echo '[  SKIPPED ] needs_root'\n""")
    code, out = run(tree, "unit")
    assert code == 0, out
    assert out[-1] == "2 passed, 0 failed, 1 skipped"
    assert out.count("  skipped: needs_root") == 1
    code, out = run(tree, "unit", CI="true")
    assert code == 1 and out[-1] == "2 passed, 1 failed", out


def test_packages_that_are_missing_are_one_message(tmp):
    """etc/deps.sh as an ordinary user: what to type, and nothing else."""
    bin = tmp / "bin"
    bin.mkdir()
    script(bin / "id", "echo 1000\n")
    script(bin / "dpkg-query", "exit 1\n")
    script(bin / "apt-get", "echo must not run; exit 1\n")
    p = subprocess.run(["sh", "etc/deps.sh"], cwd=gw.TOP,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=60, text=True,
                       env={**os.environ,
                            "PATH": "%s:%s" % (bin, os.environ["PATH"])})
    assert p.returncode == 1
    line, = p.stdout.splitlines()
    assert "as root: apt-get install" in line and " libcmocka-dev " in line
