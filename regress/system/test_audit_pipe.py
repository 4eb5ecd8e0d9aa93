"""An audit log that is a pipe, as /dev/stdout may be, whose reader does not
keep up: as a full disk, and nobody waits for it."""

import fcntl
import os

from gw import DROP, rpc

F_SETPIPE_SZ = 1031


def test_reader_that_does_not_read(make_gateway, tmp, upstream):
    fifo = tmp / "fifo"
    os.mkfifo(fifo)
    r = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.fcntl(r, F_SETPIPE_SZ, 4096)
        g = make_gateway({"workers": 1, "audit": {"path": str(fifo)},
                          "auth": {"enabled": False, "oauth": DROP}}).start()
        pid, = g.workers()
        passed = cut = 0
        with g.client() as c:
            try:
                while passed < 100:
                    assert g.post(rpc(), client=c).status == 200
                    passed += 1
            except (OSError, EOFError, AssertionError):
                cut = 1
        assert cut and passed > 2
        g.wait_log("audit: write: ")
        assert g.get("/healthz").status == 200
        assert g.post(rpc()).status == 503
        data = os.read(r, 65536)
        assert data.count(b"\n") >= passed
        g.wait_log("audit: the log can be written again")
        assert g.post(rpc()).status == 200
        assert g.workers() == [pid]
    finally:
        os.close(r)
