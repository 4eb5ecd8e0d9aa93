"""What is measured: functions that fill a Table with rows and goals."""

import re
import statistics
import subprocess
import time

import creds
import procs
import servers

MIB = 1024 * 1024
ALG_OF_LINE = {"+F2": "RS256", "+F4": "ES256", "+F6": "EdDSA"}


class Table:
    """Rows as they are measured, and goals with what was reached."""

    def __init__(self):
        self.rows = []
        self.goals = []

    def row(self, what, who, value, unit, spread=None, ratio=None):
        self.rows.append({"what": what, "who": who, "value": value,
                          "unit": unit, "spread": spread,
                          "ratio": ratio or {}})

    def goal(self, what, value, limit, unit, at_least=False):
        reached = value >= limit if at_least else value <= limit
        self.goals.append({"what": what, "value": value, "limit": limit,
                           "unit": unit, "at_least": at_least,
                           "reached": reached})

    def skip(self, what, why):
        self.rows.append({"what": what, "who": why, "value": None})


def median(values):
    return statistics.median(values)


def spread(values):
    """Half the range, as a part of the median."""
    return (max(values) - min(values)) / 2 / median(values)


def verify_floor(seconds):
    """Microseconds of one verification by openssl speed."""
    out = subprocess.run(
        ["taskset", "-c", str(servers.GATEWAY_CPU), "openssl", "speed",
         "-seconds", str(seconds), "-mr", "rsa2048", "ecdsap256", "ed25519"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        check=True).stdout.decode()
    # +Fn:which:bits:[name:]signatures a second:verifications a second
    us = {}
    for line in out.splitlines():
        f = line.split(":")
        if f[0] in ALG_OF_LINE:
            us[ALG_OF_LINE[f[0]]] = 1e6 / float(f[-1])
    return us


class Load:
    """One kind of request on one server: CPU per request."""

    def __init__(self, clients, server, *args, kind="mcp", connections=64):
        self.clients = clients
        self.server = server
        self.args = list(args)
        self.kind = kind
        self.connections = connections
        self.at = 0

    def _args(self):
        if self.args[0] == "new":
            return [*self.args, self.at]
        return self.args

    def run(self, seconds):
        """(microseconds of CPU for each request, bytes for each second of
        CPU, requests a second, microseconds of them in the kernel)"""
        before = self.server.cpu_seconds()
        r = self.clients.wrk(self.server, seconds, *self._args(),
                             kind=self.kind, connections=self.connections)
        user, system = (now - then for now, then in zip(
            self.server.cpu_seconds(), before))
        used = max(user + system, procs.TICK)
        # what was under way at the end has used a token, too
        self.at = (self.at + r["requests"] + 2 * self.connections) % \
            creds.COUNT
        return (used / r["requests"] * 1e6, r["bytes"] / used,
                r["requests"] / r["us"] * 1e6,
                system / r["requests"] * 1e6)


def interleave(loads, rounds, seconds):
    """{name: [result, ...]}; what disturbs a round disturbs all of it."""
    out = {name: [] for name in loads}
    for _ in range(rounds):
        for name, load in loads.items():
            out[name].append(load.run(seconds))
    return out


def ratios(mine, other):
    """Of the same round."""
    return median([a / b for a, b in zip(mine, other)])


def check_counts(clients, backend, gw, credential, n):
    """Exactly n requests: n answers, n lines, n at the backend."""
    request = clients.request(gw.path("mcp"), credential)
    lines, seen = gw.lines(), backend.requests()
    r = clients.load("count", gw, request, 64, n)
    lines, seen = gw.lines() - lines, backend.requests() - seen
    if not r["good"] == lines == seen == n:
        raise servers.Failed(
            "%d requests: %d answers, %d audit lines, %d seen by the "
            "backend" % (n, r["good"], lines, seen))


def wait_settled(backend, gw):
    """Requests that wrk gave up at its end are still under way."""
    last = None
    while last != (now := (gw.lines(), backend.requests())):
        last = now
        time.sleep(0.05)
    return last


def cpu_per_request(t, loads, rounds, seconds, speed):
    """The figure that counts.  loads has "plain", "jwt" and the rest.  What a
    verification takes is measured for speed seconds before and after, since
    it changes with the machine's pace as all the rest does."""
    floors = [verify_floor(speed)]
    got = interleave(loads, rounds, seconds)
    floors.append(verify_floor(speed))
    floor = {alg: statistics.mean(f[alg] for f in floors)
             for alg in floors[0]}
    for alg in floor:
        t.row("one verify by openssl speed", alg, floor[alg], "us",
              spread([f[alg] for f in floors]))
    us = {k: [r[0] for r in v] for k, v in got.items()}
    for name in loads:
        t.row(name if loads[name].server.name == "mcpgw" else "",
              loads[name].server.name, median(us[name]), "us/request",
              spread(us[name]),
              {"plain": ratios(us[name], us["plain"]),
               "jwt": ratios(us[name], us["jwt"]),
               "tcp": ratios(us[name], us["tcp"]),
               "kernel": median([r[3] for r in got[name]]),
               "rate": median([r[2] for r in got[name]])})
    for name in ("token repeated", "API key repeated"):
        if name in us:
            t.goal(name + ", to HAProxy plain",
                   ratios(us[name], us["plain"]), 1.0, "x")
            t.goal(name + ", to HAProxy jwt_verify RS256",
                   ratios(us[name], us["jwt"]), 0.30, "x")
    t.goal("token repeated, to HAProxy tcp",
           ratios(us["token repeated"], us["tcp"]), 1.20, "x")
    for alg in creds.ALGS:
        name = "new tokens " + alg
        if name in us:
            t.goal(name + ", with one verify and 5 us",
                   median(us[name]),
                   median(us["plain"]) + floor[alg] + 5, "us")


TLS = (("whole handshake, TLS 1.3", ["-new", "-tls1_3"], 1.05),
       ("resumed handshake, TLS 1.2", ["-reuse", "-tls1_2"], 1.10))


def tls(t, clients, haproxy, mcpgw, rounds, seconds):
    """A connection, its handshake, a request and its answer: CPU for each, at
    the rate of clients that come one after the other."""
    for what, how, limit in TLS:
        us, rate = {}, {}
        for _ in range(rounds):
            for s in (haproxy, mcpgw):
                before = sum(s.cpu_seconds())
                n = clients.handshakes(s, seconds, *how)
                us.setdefault(s.name, []).append(
                    (sum(s.cpu_seconds()) - before) / n * 1e6)
                rate.setdefault(s.name, []).append(n / seconds)
        for s in (haproxy, mcpgw):
            t.row(what, s.name, median(us[s.name]), "us", spread(us[s.name]))
        t.goal(what + ", to HAProxy",
               ratios(us[mcpgw.name], us[haproxy.name]), limit, "x")
        t.goal(what + ", rate to HAProxy's",
               ratios(rate[mcpgw.name], rate[haproxy.name]), 1.0, "x", True)


def latency(t, clients, targets, rounds, seconds, rate):
    """Percentiles at a fixed rate; targets are (server, credential), the
    first one direct."""
    got = {s.name: [] for s, _ in targets}
    for _ in range(rounds):
        for s, credential in targets:
            request = clients.request(s.path("mcp"), credential)
            got[s.name].append(clients.load("rate", s, request, 64, rate,
                                            seconds))
    p = {n: [median([r["p%d_us" % q] for r in v]) for q in (50, 99)]
         for n, v in got.items()}
    direct = p["direct"]
    for n, (p50, p99) in p.items():
        for q, value, base in (("p50", p50, direct[0]),
                               ("p99", p99, direct[1])):
            t.row("latency %s at %d/s" % (q, rate), n, value, "us",
                  spread([r[q + "_us"] for r in got[n]]),
                  {"direct": value - base})
    t.goal("latency p50 over direct", p["mcpgw"][0] - direct[0], 150, "us")
    t.goal("latency p99, to HAProxy plain", p["mcpgw"][1],
           p["HAProxy plain"][1], "us")


HOLDS = (("idle connections", "mcp", "POST", 1.2),
         ("open event streams", "hold", "GET", 4))


def memory(t, clients, start, credential, n):
    """Bytes for each connection that is idle, and for each open stream.
    start makes a new server, because what one has used once it may keep."""
    for what, kind, method, limit in HOLDS:
        server = start()
        idle = server.pss()
        held = clients.hold(server, clients.request(
            server.path(kind), credential, method), n)
        time.sleep(0.2)
        each = (server.pss() - idle) / n / 1024
        held.communicate()
        server.stop()
        t.row("PSS, each of %d %s" % (n, what), server.name, each, "KiB")
        if server.name == "mcpgw":
            t.goal("each of %d %s" % (n, what), each, limit, "KiB")
    t.row("PSS, nothing going on", server.name, idle / MIB, "MiB")


def bulk(t, clients, plain, gw, credential, rounds, seconds):
    for what, kind in (("4 MiB answers", "big"),
                       ("16 MiB event streams", "sse")):
        loads = {s.name: Load(clients, s, "one", credential, kind=kind,
                              connections=8) for s in (plain, gw)}
        got = {k: [r[1] / MIB for r in v]
               for k, v in interleave(loads, rounds, seconds).items()}
        ratio = ratios(got["mcpgw"], got["HAProxy plain"])
        for name, values in got.items():
            t.row(what, name, median(values), "MiB/CPU s", spread(values))
        t.goal(what + ", to HAProxy plain", ratio, 0.9, "x", True)


def connections(t, clients, plain, gw, credential, rounds, seconds, counts):
    growth = {}
    for s in (plain, gw):
        loads = {n: Load(clients, s, "one", credential, connections=n)
                 for n in counts}
        us = {n: [r[0] for r in v]
              for n, v in interleave(loads, rounds, seconds).items()}
        for n in counts:
            t.row("%d active connections" % n, s.name, median(us[n]),
                  "us/request", spread(us[n]))
        growth[s.name] = ratios(us[counts[-1]], us[counts[0]])
    t.goal("growth from %d to %d connections" % (counts[0], counts[-1]),
           growth["mcpgw"], growth["HAProxy plain"], "x")


def growth(t, what, few, many, rounds, seconds, limit=1.2):
    """CPU of many over that of few; both are (name, load)."""
    loads = dict([few, many])
    us = {k: [r[0] for r in v]
          for k, v in interleave(loads, rounds, seconds).items()}
    for name, values in us.items():
        t.row(name, "mcpgw", median(values), "us/request", spread(values))
    t.goal(what, ratios(us[many[0]], us[few[0]]), limit, "x")


def long_config(gw, n):
    """The configuration of gw as n lines: upstreams and origins as many as
    there may be, then comments."""
    text = re.sub(r"(?m)^default_upstream", "".join(
        "- name: long-%d\n  url: http://127.0.0.1:9/%d\n" % (i, i)
        for i in range(1000)) + "default_upstream", yaml_of(gw))
    for key, form in (("allowed_origins", "https://h%d.example.test"),
                      ("trusted_proxies", "10.%d.0.0/16")):
        count = 1000 if key == "allowed_origins" else 250
        text += key + ":\n" + "".join(
            "- \"%s\"\n" % (form % i) for i in range(count))
    have = text.count("\n")
    return text + "".join("# line %d of a long configuration\n" % i
                          for i in range(have, n))


def yaml_of(gw):
    gw.write()
    return gw.conf.read_text()


def start_time(t, gw, rounds, lines):
    text = long_config(gw, lines)
    ms = []
    for _ in range(rounds):
        began = time.monotonic()
        gw.start(text)
        ms.append((time.monotonic() - began) * 1000)
        gw.stop()
    what = "start to ready, %d lines" % text.count("\n")
    t.row(what, "mcpgw", median(ms), "ms", spread(ms))
    t.goal(what, median(ms), 300, "ms")
