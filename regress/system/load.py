"""Clients that keep a gateway busy and remember what came back.

    with Load(g, 8, auth.mint) as load:     # token: a function, per request
        load.wait(100)                      # results so far
        ...
    load.failures()                         # what was not a 200

Each thread posts one request after the other on one kept-alive connection and
never retries.  A connection is replaced only after an answer that says
Connection: close (or after a failure, which is recorded).  message(n) gives the
body of the thread's nth request.
"""

import threading
import time

import gw as gwmod


class Result:
    def __init__(self, n, status, seconds, what, at, fresh):
        self.n = n                  # which request of its thread, its id
        self.status = status        # 0: no whole answer
        self.seconds = seconds
        self.what = what            # the response, or the error's text
        self.at = at                # time.monotonic() when it was sent
        self.fresh = fresh          # the connection's first request

    def __repr__(self):
        return "<%d after %.3f s%s: %r>" % (
            self.status, self.seconds, ", first" if self.fresh else "",
            self.what)


class Load:
    def __init__(self, g, n, token=lambda: None, pause=0.01, message=None,
                 keep=False):
        self.g = g
        self.token = token
        self.pause = pause
        self.message = message or (lambda n: gwmod.rpc(id=n))
        self.keep = keep            # keep the answers that are 200, too
        self.stop = threading.Event()
        self.results = []
        self.threads = [threading.Thread(target=self._run, daemon=True)
                        for _ in range(n)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        for t in self.threads:
            t.join(30)
            assert not t.is_alive(), "a client does not end"

    def wait(self, n, timeout=30):
        """Wait until there are n results in all."""
        deadline = time.monotonic() + timeout
        while len(self.results) < n:
            assert time.monotonic() < deadline, \
                "%d results, wanted %d; the last: %r" % (
                    len(self.results), n, self.results[-3:])
            time.sleep(0.01)

    def wait_more(self, n, timeout=30):
        self.wait(len(self.results) + n, timeout)

    def failures(self):
        return [r for r in self.results if r.status != 200]

    def _run(self):
        client = None
        n = 0
        while not self.stop.is_set():
            n += 1
            at = time.monotonic()
            fresh = client is None
            try:
                if fresh:
                    client = self.g.client()
                r = self.g.post(self.message(n), self.token(), client=client)
                status = r.status
                if status == 200:
                    assert r.json()["id"] == n, r
                what = r if status != 200 or self.keep else None
                close = r.header("Connection", "").lower() == "close"
            except (AssertionError, OSError) as e:
                status, what, close = 0, "%s: %s" % (type(e).__name__, e), True
            self.results.append(Result(n, status, time.monotonic() - at,
                                       what, at, fresh))
            if close and client is not None:
                client.close()
                client = None
            self.stop.wait(self.pause)
        if client is not None:
            client.close()
