"""The monitor's two doors, as tests come to them.

    Door.at(g)              the control socket of a gateway
    Door(port=n)            admin.listen
    d.get("/v1/status")     the JSON; d.ask("POST", path) the whole answer
"""

import http.client
import json
import socket

import gw


class Unix(http.client.HTTPConnection):
    def __init__(self, path, timeout=15):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, r):
        self.status = r.status
        self.fields = r.headers
        self.body = r.read()

    def json(self):
        return json.loads(self.body)


class Door:
    def __init__(self, port=None, path=None, timeout=15):
        self.port, self.path, self.timeout = port, path, timeout

    @classmethod
    def at(cls, g):
        return cls(path=g.dir / "mcpgw.sock")

    def ask(self, method, target, headers=None):
        """One request on a connection of its own."""
        c = Unix(self.path, self.timeout) if self.path else \
            http.client.HTTPConnection("127.0.0.1", self.port,
                                       timeout=self.timeout)
        try:
            c.request(method, target, headers={"Connection": "close",
                                               **(headers or {})})
            return Answer(c.getresponse())
        finally:
            c.close()

    def get(self, target):
        a = self.ask("GET", target)
        assert a.status == 200, (a.status, a.body)
        return a.json()

    def metrics(self, open_metrics=False):
        """{series: value} as the text has it."""
        a = self.ask("GET", "/metrics", {"Accept": "application/"
                     "openmetrics-text" if open_metrics else "text/plain"})
        assert a.status == 200, (a.status, a.body)
        lines = [l for l in a.body.decode().split("\n")[:-1]
                 if not l.startswith("#")]
        out = {l.rpartition(" ")[0]: float(l.rpartition(" ")[2])
               for l in lines}
        assert len(out) == len(lines)
        return out


def with_admin(config=None):
    """(configuration with admin.listen, its port)."""
    port = gw.free_port()
    return gw.merge({"admin": {"listen": port}}, config), port
