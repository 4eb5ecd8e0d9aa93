"""bash and zsh know every command of mcpgwctl, and every option of each."""

import re
import subprocess

import pytest

import gw
from test_ctl_usage import COMMANDS, run

DIR = gw.TOP / "etc" / "completion"
BASH = DIR / "mcpgwctl.bash"
ZSH = (DIR / "_mcpgwctl").read_text()


def complete(*words):
    """What bash offers for the last of these words."""
    out = subprocess.run(
        ["bash", "--norc", "-c", """
            . "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _mcpgwctl; printf '%s\\n' "${COMPREPLY[@]}" """,
         str(BASH), "mcpgwctl", *words],
        check=True, stdout=subprocess.PIPE, text=True, timeout=20).stdout
    return set(out.split())


def options(command):
    """The long options that --help tells of."""
    return set(re.findall(r"--[a-z][a-z-]+", run(*command, "--help")[1]))


def test_bash_knows_the_groups():
    groups = {c[0] for c in COMMANDS}
    assert groups | {"help"} <= complete("")
    assert not complete("") - groups - {"help"} - {
        o for o in complete("") if o.startswith("-")}
    assert groups == complete("help", "") - {"help"}
    assert complete("-f", "x", "ke") == {"key"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_bash(command):
    if len(command) == 2:
        assert command[1] in complete(command[0], command[1][:2])
        assert command[1] in complete("--json", command[0], "")
    offered = complete(*command, "--")
    assert options(command) <= offered, command
    # and nothing that it would not take
    for o in offered - {"--help", "--json"}:
        code, out, err = run(*command, o + "=x", "--help")
        assert o in run("help", *command)[1] + run("help")[1], o


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_zsh(command):
    assert re.search(r"'%s:" % command[0], ZSH)
    if len(command) == 2:
        assert re.search(r"'%s:" % command[1], ZSH)
    for o in options(command):
        assert re.search(r"%s\b" % re.escape(o), ZSH), o


def test_values():
    assert complete("audit", "tail", "--action", "d") == {"deny"}
    assert "bad_audience" in complete("audit", "stats", "--auth-result", "")
    assert complete("log", "w") == {"warning"}
    assert str(BASH) in complete("key", "list", "-f", str(BASH)[:-2])
    assert str(BASH) in complete("audit", "tail", str(BASH)[:-2])
    assert complete("audit", "tail", "--tool", "") == set()
