"""regress/tree/check: each of its rules can fail, on a small tree."""

import subprocess
import sys

import pytest

import gw

ROOMS = """
low:            # below all
high: low
high/main.c: *
"""
GOOD = {
    "low/a.h": "int low_a(void);\n",
    "low/a.c": '#include "low/a.h"\nint\nlow_a(void)\n{\n\treturn 1;\n}\n',
    "high/b.h": "int high_b(void);\n",
    "high/b.c": '#include "low/a.h"\n#include "high/b.h"\n'
                "int\nhigh_b(void)\n{\n\treturn low_a();\n}\n",
    "high/main.c": '#include "high/b.h"\nint\nmain(void)\n{\n'
                   "\treturn high_b();\n}\n",
}
CIRCLE = {
    "high/c.c": "int high_c(void);\nint high_d(void);\n"
                "int\nhigh_c(void)\n{\n\treturn high_d();\n}\n",
    "high/d.c": "int high_c(void);\nint high_d(void);\n"
                "int\nhigh_d(void)\n{\n\treturn high_c();\n}\n",
}


def check(tmp, files, rooms=ROOMS, for_tests=""):
    """(exit status, lines) of the check on a tree of these files."""
    (tmp / "regress/tree").mkdir(parents=True)
    (tmp / "regress/tree/rooms").write_text(rooms)
    (tmp / "regress/tree/for_tests").write_text(for_tests)
    for name, text in files.items():
        path = tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in (name for name in files if name.endswith(".c") and
                 not name.startswith("regress/")):
        o = tmp / "build" / (name[:-2] + ".o")
        o.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-I", tmp, "-c", "-o", o, tmp / name],
                       check=True)
    p = subprocess.run([sys.executable, gw.TOP / "regress/tree/check",
                        "-C", tmp], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=60)
    return p.returncode, p.stdout.splitlines()


def test_a_good_tree(tmp):
    code, out = check(tmp, GOOD)
    assert code == 0 and out[-1] == "5 passed, 0 failed", out


@pytest.mark.parametrize("files, complaint", [
    ({"low/a.h": '#include "high/b.h"\nint low_a(void);\n'},
     "low/a.h:1: includes high/b.h: low may not enter high"),
    ({"low/e.c": "int high_b(void);\nint low_e(void);\n"
                 "int\nlow_e(void)\n{\n\treturn high_b();\n}\n"},
     "low/e.c:1: uses high_b of high/b.c: low may not enter high"),
    (CIRCLE, "high/c.c:2: uses high_d of high/d.c: a circle of 2 in high"),
    ({"low/f.c": "int low_f(void);\nint\nlow_f(void)\n{\n\treturn 1;\n}\n"},
     "low/f.c:1: low_f is exported and no other file uses it"),
    ({"high/b.c.orig": "x"}, "high/b.c.orig:1: is left over"),
    ({"high/b.h": "int high_b(void);\t\t\t\t\t/* a long comment 1234567 */\n"},
     "high/b.h:1: 84 columns, 80 are allowed"),
])
def test_what_it_finds(tmp, files, complaint):
    code, out = check(tmp, {**GOOD, **files})
    assert code == 1
    assert complaint in out, out


# high/g.c exports what main.c does not use
EXTRA = {"high/g.c": "int high_g(void);\n"
                     "int\nhigh_g(void)\n{\n\treturn 1;\n}\n"}
NOBODY = "high/g.c:1: high_g is exported and no other file uses it"
ALONE = "regress/tree/for_tests:1: high_%s is not exported for tests alone"


@pytest.mark.parametrize("used_by, allowed, complaint", [
    (None, "", NOBODY),
    ("regress/unit/test_g.c", "", NOBODY + " but tests"),
    ("regress/fuzz/fuzz_g.c", "", NOBODY + " but tests"),
    ("regress/demo/demo-g.c", "", None),
    ("regress/unit/test_g.c", "high_g: to see it\n", None),
    # a leave that nobody needs, or not any more
    (None, "high_g: to see it\n", ALONE % "g"),
    ("regress/demo/demo-g.c", "high_g: to see it\n", ALONE % "g"),
    ("regress/unit/test_g.c", "high_b: to see it\n", ALONE % "b"),
    ("regress/unit/test_g.c", "high_x: to see it\n", ALONE % "x"),
    ("regress/unit/test_g.c", "high_g:\n",
     'regress/tree/for_tests:1: expected "symbol: why"'),
])
def test_exports_for_tests(tmp, used_by, allowed, complaint):
    files = {**GOOD, **EXTRA}
    if used_by:
        files[used_by] = "int main(void) { return high_g(); }\n"
    code, out = check(tmp, files, for_tests=allowed)
    assert code == (1 if complaint else 0), out
    assert complaint is None or any(complaint in line for line in out), out


LOGS = {
    "common/log.h": "#define LOG_KV(...) __VA_ARGS__\n#define KV(k, v) k\n"
                    "#define B_KV(x) \\\n\tKV(\"b\", x)\n"
                    "void log_warn(const char *, ...);\n",
    "common/log.c": '#include "common/log.h"\nvoid\n'
                    "log_warn(const char *s, ...)\n{\n\t(void)s;\n}\n",
    "high/e.c": '#include "common/log.h"\n#include "high/b.h"\n'
                "int high_e(void);\nint\nhigh_e(void)\n{\n"
                "\tlog_warn(\"a.b\", LOG_KV(B_KV(1),\n"
                "\t    KV(\"n\", high_b())), \"x)\");\n\treturn high_b();\n}\n",
    "high/main.c": "int high_e(void);\nint\nmain(void)\n{\n"
                   "\treturn high_e();\n}\n",
    "man/mcpgw-log.5": ".Bl\n.It Cm a.b Pq warning\n.Va b , n , error .\n"
                       "It is not.\n",
}


@pytest.mark.parametrize("where, old, new, complaint", [
    ("man/mcpgw-log.5", "", "", None),
    ("man/mcpgw-log.5", "a.b", "a.c",
     "high/e.c:7: a.b is not in man/mcpgw-log.5"),
    ("man/mcpgw-log.5", "a.b", "a.c",
     "man/mcpgw-log.5:2: a.c is an event that nobody logs"),
    ("man/mcpgw-log.5", "Pq warning", "Pq info",
     "man/mcpgw-log.5:2: a.b has the levels warning: here info"),
    ("man/mcpgw-log.5", "b , n", "b , m",
     "man/mcpgw-log.5:2: a.b has the keys b, error, n: here b, error, m"),
    ("high/e.c", '"a.b", ', "",
     "high/e.c:7: an event without a name is not in man/mcpgw-log.5"),
])
def test_events_of_the_log(tmp, where, old, new, complaint):
    files = {**GOOD, **LOGS}
    files[where] = files[where].replace(old, new, 1)
    code, out = check(tmp, files, ROOMS + "common:\nhigh: low common\n")
    assert code == (1 if complaint else 0), out
    assert complaint is None or complaint in out, out


def test_a_circle_that_is_known(tmp):
    code, out = check(tmp, {**GOOD, **CIRCLE}, ROOMS + "circle(high): 2\n")
    assert code == 0, out


def test_a_file_in_no_room(tmp):
    code, out = check(tmp, GOOD, "low:\nhigh/b.c: low\nhigh/main.c: *\n")
    assert code == 1 and "high/b.h:1: is in no room" in out, out


def test_an_object_that_is_missing(tmp):
    """What is not looked at must not pass."""
    (tmp / "low").mkdir()
    (tmp / "low/g.c").write_text("int x;\n")
    code, out = check(tmp, GOOD)
    assert code == 1 and "low/g.c is not built" in out[0], out
