#!/usr/bin/python3
"""A flood of wrong API keys: what it does to everybody else.

One client sends 200 keys a second, each another, none of them right; beside
it, requests with a token and with a known key are timed, in turns with quiet
spells of the same length.  Prints medians and ratios, the keeper's memory,
and whether each refused request has its line.  Goals: medians within 1.5
times of quiet; memory below threads * 64 MiB + 16 MiB; one line each.

usage: regress/bench/flood.py [seconds per spell] [pairs of spells]
"""

import multiprocessing
import pathlib
import secrets
import shutil
import statistics
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "regress" / "system"))

import gw                                           # noqa: E402
from fake_as import FakeAS                          # noqa: E402
from fake_upstream import Upstream                  # noqa: E402
from test_keys import Key                           # noqa: E402

RATE = 200
GUIDES = ("-t", "3", "-k", "65536", "-p", "2")
LIMIT = (64 + 16) * 1024


def flood(g, until, counts):
    """RATE wrong keys a second, by as many connections as it takes."""
    import threading
    lock = threading.Lock()
    slot = [time.monotonic()]

    def one():
        with g.client(timeout=30) as c:
            while True:
                with lock:
                    at = slot[0]
                    slot[0] += 1 / RATE
                if at > until:
                    return
                time.sleep(max(0, at - time.monotonic()))
                r = g.post(client=c, token=secrets.token_urlsafe(20))
                with lock:
                    counts[r.status] = counts.get(r.status, 0) + 1

    threads = [threading.Thread(target=one) for _ in range(80)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def flood_process(g, seconds, queue):
    counts = {}
    flood(g, time.monotonic() + seconds, counts)
    queue.put(counts)


def timed(g, credentials, until, samples, peak, keeper):
    """About 100 requests a second, turn and turn about."""
    clients = {name: g.client(timeout=30) for name in credentials}
    while time.monotonic() < until:
        for name, credential in credentials.items():
            began = time.monotonic()
            r = g.post(client=clients[name], token=credential)
            samples[name].append(time.monotonic() - began)
            assert r.status == 200, (name, r.status)
            time.sleep(0.005)
        peak[0] = max(peak[0], g.rss(keeper))
    for c in clients.values():
        c.close()


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
    k = Key("known", cost=GUIDES)
    with FakeAS() as auth, Upstream() as up:
        g = gw.Gateway(tmp, {"auth": {"keys": [k.entry],
                                      "argon2": {"threads": 1}}}, auth, up)
        g.start()
        try:
            return run(g, {"token": auth.mint(), "known key": k.key}, seconds,
                       pairs)
        finally:
            g.stop()
            shutil.rmtree(tmp)


def run(g, credentials, seconds, pairs):
    keeper = g.children()["keeper"][0]
    quiet, loud = ({n: [] for n in credentials} for _ in range(2))
    peak, answers = [0], {}
    for c in credentials.values():
        assert g.post(token=c).status == 200
    mark = g.audit_mark()
    for _ in range(pairs):
        timed(g, credentials, time.monotonic() + seconds, quiet, peak, keeper)
        queue = multiprocessing.Queue()
        p = multiprocessing.Process(target=flood_process,
                                    args=(g, seconds + 1, queue))
        p.start()
        time.sleep(0.5)
        timed(g, credentials, time.monotonic() + seconds, loud, peak, keeper)
        for status, n in queue.get().items():
            answers[status] = answers.get(status, 0) + n
        p.join()
    ok = True
    print("%-10s %9s %9s %6s %9s" % ("", "quiet", "flood", "ratio", "p99"))
    for name in credentials:
        q, f = statistics.median(quiet[name]), statistics.median(loud[name])
        p99 = statistics.quantiles(loud[name], n=100)[98]
        ok = ok and f / q <= 1.5
        print("%-10s %6.0f us %6.0f us %6.2f %6.0f us%s" % (
            name, q * 1e6, f * 1e6, f / q, p99 * 1e6,
            "" if f / q <= 1.5 else "   more than 1.5"))
    print("keeper: at most %d MiB%s" % (
        peak[0] // 1024, "" if peak[0] < LIMIT else "   more than 80"))
    refused = [x for x in g.audit_lines(mark) if x["status"] != 200]
    print("wrong keys: %s; %d answers, %d lines" % (
        ", ".join("%d x %d" % (n, s) for s, n in sorted(answers.items())),
        sum(answers.values()), len(refused)))
    return 0 if ok and peak[0] < LIMIT and \
        len(refused) == sum(answers.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
