"""Processes of the bench: started on one CPU, looked at through /proc."""

import os
import pathlib
import signal
import subprocess

TICK = 1.0 / os.sysconf("SC_CLK_TCK")


def cpus():
    """(gateway's, load's and backend's)"""
    have = sorted(os.sched_getaffinity(0))
    return have[-1], have[0]


def start(argv, cpu, log, **kw):
    """A process that the kernel ends when we end."""
    return subprocess.Popen(
        ["taskset", "-c", str(cpu), "setpriv", "--pdeathsig", "TERM", "--",
         *map(str, argv)], stderr=log, start_new_session=True,
        **{"stdin": subprocess.DEVNULL, "stdout": log, **kw})


def stop(proc):
    if proc is not None and proc.poll() is None:
        proc.send_signal(signal.SIGTERM)
        try:
            proc.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(proc.pid, signal.SIGKILL)
            proc.wait()


def _stat(pid):
    text = pathlib.Path("/proc", str(pid), "stat").read_text()
    return text[text.rindex(")") + 2:].split()


def tree(root):
    """The pids of a process and all that descends from it."""
    children = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                children.setdefault(int(_stat(d)[1]), []).append(int(d))
            except OSError:
                pass
    out = [root]
    for pid in out:
        out += children.get(pid, [])
    return out


def cpu_seconds(root):
    """(user, system) time of a tree, with what it waited for."""
    user = system = 0
    for pid in tree(root):
        try:
            utime, stime, cutime, cstime = map(int, _stat(pid)[11:15])
        except OSError:
            continue
        user += utime + cutime
        system += stime + cstime
    return user * TICK, system * TICK


def pss_bytes(root):
    total = 0
    for pid in tree(root):
        for line in open("/proc/%d/smaps_rollup" % pid):
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def sandboxed(pid):
    """Is a seccomp filter on the process?"""
    return "Seccomp:\t2" in pathlib.Path("/proc", str(pid),
                                         "status").read_text()


def name_of(pid):
    return pathlib.Path("/proc", str(pid), "comm").read_text().strip()
