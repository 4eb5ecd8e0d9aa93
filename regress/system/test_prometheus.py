"""A real Prometheus reads what the monitor serves, and its own linter has
nothing to say."""

import json
import os
import signal
import subprocess
import time
import urllib.parse
import urllib.request

import yaml

import gw
from admin import Door, with_admin

SERVES = ('sum(mcpgw_requests_total{upstream="up",action="allow",'
          'auth_result="ok"})')


class Prometheus:
    def __init__(self, directory, port):
        self.dir, self.target = directory, port
        self.port = gw.free_port()

    def __enter__(self):
        config = {
            "global": {"scrape_interval": "100ms", "scrape_timeout": "100ms"},
            "scrape_configs": [{"job_name": "mcpgw", "static_configs": [
                {"targets": ["127.0.0.1:%d" % self.target]}]}]}
        (self.dir / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.log = open(self.dir / "prometheus.log", "wb")
        self.proc = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "prometheus",
             "--config.file=%s" % (self.dir / "prometheus.yml"),
             "--storage.tsdb.path=%s" % (self.dir / "tsdb"),
             "--web.listen-address=127.0.0.1:%d" % self.port,
             "--log.level=warn"], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        return self

    def __exit__(self, *exc):
        self.proc.kill()
        self.proc.wait()
        self.log.close()

    def query(self, text):
        """[(labels, value)] of an instant vector."""
        url = "http://127.0.0.1:%d/api/v1/query?%s" % (
            self.port, urllib.parse.urlencode({"query": text}))
        with urllib.request.urlopen(url, timeout=10) as r:
            answer = json.load(r)
        assert answer["status"] == "success"
        return [(v["metric"], float(v["value"][1]))
                for v in answer["data"]["result"]]

    def value(self, text):
        got = self.query(text)
        return got[0][1] if len(got) == 1 else None

    def wait(self, text, want, timeout=15):
        deadline = time.monotonic() + timeout
        got = None
        while time.monotonic() < deadline:
            try:
                got = self.value(text)
                if got == want:
                    return
            except OSError:
                pass                # not up yet
            time.sleep(0.05)
        raise AssertionError("%s is %s, not %s; log:\n%s" % (
            text, got, want, (self.dir / "prometheus.log").read_text()))


def test_scraped(gateway, auth_server, tmp):
    config, port = with_admin()
    g = gateway(config)
    token = auth_server.mint()
    with Prometheus(tmp, port) as p:
        for i in range(10):
            assert g.post(gw.call(), token=token).status == 200
        assert g.post(token="nonsense").status == 401
        p.wait(SERVES, 10)
        p.wait('sum(mcpgw_requests_total{action="deny"})', 1)
        p.wait('sum(mcpgw_refusals_total{reason="token_invalid"})', 1)
        p.wait('sum(mcp_server_operation_duration_seconds_count{'
               'mcp_method_name="tools/call",error_type=""})', 10)
        p.wait('sum(mcp_client_operation_duration_seconds_count{'
               'upstream="up"})', 10)
        p.wait('sum(mcpgw_tool_calls_total{gen_ai_tool_name="echo"})', 10)
        # a worker that dies, and another configuration, take nothing away
        pid = g.workers()[0]
        g.expect_death(r"\(pid %d\) terminated by signal 9" % pid)
        os.kill(pid, signal.SIGKILL)
        g.wait_children(lambda c: pid not in c["worker"] and
                        len(c["worker"]) == 2)
        g.reload({"workers": 1})
        for i in range(5):
            assert g.post(gw.call(), token=token).status == 200
        p.wait(SERVES, 15)
        p.wait("mcpgw_respawns_total", 1)
        p.wait("mcpgw_reloads_total", 1)
        p.wait('mcpgw_processes{role="worker",state="ready"}', 1)
        p.wait("sum(mcpgw_own_duration_seconds_count)", 16)
        counters = {m["__name__"] for m, _ in p.query(
            'count by (__name__) '
            '({__name__=~"mcp.+_(total|bucket|count|sum)"})')}
        assert len(counters) > 50
        for name in counters:
            assert p.value("max(resets(%s[5m]))" % name) == 0, name
        # no scrape failed, and no sample was dropped
        assert p.value("min(min_over_time(up[5m]))") == 1
        digest = Door.at(g).get("/v1/status")["config"]["digest"]
        assert [m["digest"] for m, v in p.query("mcpgw_config_info") if v] \
            == [digest]
        assert p.value("histogram_quantile(0.99, sum by (le) (rate("
                       "mcp_server_operation_duration_seconds_bucket[1m])))"
                       ) > 0
    log = (tmp / "prometheus.log").read_text()
    assert "Error on ingesting" not in log and "Append failed" not in log


def test_linted(gateway, auth_server):
    config, port = with_admin()
    g = gateway(config)
    assert g.post(gw.call(), token=auth_server.mint()).status == 200
    text = Door(port=port).ask("GET", "/metrics").body
    p = subprocess.run(["promtool", "check", "metrics"], input=text,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (p.returncode, p.stdout) == (0, b"")
