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


def check(tmp, files, rooms=ROOMS):
    """(exit status, lines) of the check on a tree of these files."""
    (tmp / "regress/tree").mkdir(parents=True)
    (tmp / "regress/tree/rooms").write_text(rooms)
    for name, text in files.items():
        path = tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in (name for name in files if name.endswith(".c")):
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
    assert code == 0 and out[-1] == "4 passed, 0 failed", out


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
