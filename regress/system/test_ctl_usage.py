"""mcpgwctl says how it is used: on each command, on standard output when asked
and on standard error with exit code 64 when told wrongly."""

import re
import subprocess

import pytest

import gw

CTL = gw.BUILD / "ctl" / "mcpgwctl"


def run(*args):
    p = subprocess.run([str(CTL), *args], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=60,
                       env=gw.Gateway.environment())
    return p.returncode, p.stdout, p.stderr


def commands():
    """Those that the program tells, each as a list of words."""
    code, out, err = run("help")
    assert code == 0 and err == ""
    table = out.split("\n\n")[1]
    found = [re.match(r"  ((?:\S+ )?\S+) ", line)[1].split()
             for line in table.splitlines()]
    assert ["key", "list"] in found and ["help"] in found
    return [c for c in found if c != ["help"]]


COMMANDS = commands()


@pytest.mark.parametrize("ask", [["--help"], ["-h"], ["help"]])
def test_help_is_on_standard_output(ask):
    assert run(*ask)[1] == run("help")[1]
    for c in COMMANDS:
        words = ask + c if ask == ["help"] else c + ask
        code, out, err = run(*words)
        assert code == 0 and err == "", words
        assert out.startswith("usage: mcpgwctl %s" % " ".join(c)), words


def test_help_of_a_group():
    code, out, err = run("key", "--help")
    assert code == 0 and "key revoke" in out and err == ""
    assert run("help", "key")[1] == run("--help", "key")[1] == out


def test_help_wins_over_bad_arguments_and_does_nothing():
    code, out, err = run("key", "revoke", "--nonsense", "-f", "/none", "-h")
    assert code == 0 and out.startswith("usage: mcpgwctl key revoke")


def test_every_command_refuses_unknown_options():
    for c in COMMANDS:
        code, out, err = run(*c, "--no-such-option")
        assert code == 64 and out == "" and "usage: mcpgwctl " in err, c


@pytest.mark.parametrize("words, meant", [
    (["kye", "list"], "key"), (["key", "lsit"], "list"),
    (["KEY", "list"], "key"), (["key", "genrate"], "generate"),
    (["help", "kex"], "key"),
])
def test_typos(words, meant):
    code, out, err = run(*words)
    assert code == 64 and out == ""
    assert 'did you mean "%s"?' % meant in err


def test_what_is_like_nothing_gets_no_suggestion():
    code, out, err = run("\x1b[31mfoo\u202e", "x" * 100)
    assert code == 64 and "did you mean" not in err
    assert "\x1b" not in err and "\u202e" not in err


def test_common_options_stand_before_and_after(tmp):
    path = tmp / "a"
    path.write_text("upstreams: [{name: a, url: 'http://127.0.0.1:1/mcp'}]\n")
    for args in (["-f", str(path), "key", "list"],
                 ["key", "list", "-f", str(path)],
                 ["--json", "key", "list", "--file", str(path)],
                 ["--file=%s" % path, "key", "list", "--json"]):
        code, out, err = run(*args)
        assert code == 0 and out == "", (args, err)


def test_json_everywhere():
    for c in COMMANDS:
        assert "--json" in run(*c, "--help")[1], c
