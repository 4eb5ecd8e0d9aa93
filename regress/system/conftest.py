"""Fixtures of the system tests.

tmp                 a directory, gone afterwards
auth_server         a FakeAS of this test
upstream            an Upstream of this test; whatever reached it was HTTP
gateway(config)     starts a Gateway with both; stopped and checked at the end
make_gateway(cfg)   the same without starting it
site                AS, upstream and gateway shared by the tests of one module,
                    for tests that change nothing (site.gw, site.auth, site.up)

The tests need nothing but Debian's python3-pytest, python3-pytest-xdist,
python3-jwcrypto and python3-yaml.  pytest -n 4 regress/system runs them all.
"""

import os
import pathlib
import resource
import shutil
import tempfile

import pytest

import gw as gwmod
from fake_as import FakeAS
from fake_upstream import Upstream


def pytest_configure(config):
    """As many descriptors as may be had; and what tests write is for nobody
    else, as secrets have to be."""
    os.umask(0o027)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def skip_where_root_alone_looks(report, item, e):
    """Processes that are not to be dumped show their insides to root alone:
    tests that look there are skipped for others."""
    if os.getuid() != 0 and isinstance(e, PermissionError) and \
            str(e.filename).startswith("/proc/"):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.reportinfo()[1] + 1,
                           "Skipped: needs root to look at " +
                           os.path.basename(e.filename))


def new_dir():
    return pathlib.Path(tempfile.mkdtemp(prefix="gwtest-"))


def stop_all(gateways):
    """Stop each, then raise the first complaint."""
    first = None
    for g in gateways:
        try:
            g.stop()
        except AssertionError as e:
            first = first or e
        finally:
            g.kill()
    if first is not None:
        raise first


@pytest.fixture
def tmp():
    d = new_dir()
    yield d
    shutil.rmtree(d)


@pytest.fixture
def auth_server():
    with FakeAS() as a:
        yield a


@pytest.fixture
def upstream():
    with Upstream() as u:
        yield u
    assert not u.errors, "the gateway sent what is not HTTP: %r" % u.errors


@pytest.fixture
def make_gateway(tmp, auth_server, upstream):
    made = []

    def make(config=None, **kw):
        kw.setdefault("auth_server", auth_server)
        kw.setdefault("upstream", upstream)
        g = gwmod.Gateway(tmp / ("gw%d" % len(made)), config, **kw)
        made.append(g)
        return g

    yield make
    stop_all(made)


@pytest.fixture
def gateway(make_gateway):
    def start(config=None, **kw):
        return make_gateway(config, **kw).start()
    return start


class Site:
    """One AS, one upstream, one gateway."""

    def __init__(self, config=None, **as_args):
        self.dir = new_dir()
        self.auth = FakeAS(**as_args)
        self.up = Upstream()
        self.gw = gwmod.Gateway(self.dir, config, self.auth, self.up)

    def start(self):
        self.gw.start()
        return self

    def stop(self):
        try:
            stop_all([self.gw])
        finally:
            self.up.stop()
            self.auth.stop()
            shutil.rmtree(self.dir)
        assert not self.up.errors, self.up.errors


@pytest.fixture(scope="module")
def site():
    s = Site()
    try:
        s.start()
        yield s
    finally:
        s.stop()


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Show the gateway's log when a test fails."""
    outcome = yield
    rep = outcome.get_result()
    skip_where_root_alone_looks(rep, item, call.excinfo and call.excinfo.value)
    if rep.when != "call" or not rep.failed:
        return
    for name, value in getattr(item, "funcargs", {}).items():
        if isinstance(value, Site):
            rep.sections.append(("log of the gateway", value.gw.log()[-6000:]))
    tmpdir = item.funcargs.get("tmp")
    if tmpdir is not None:
        for p in sorted(tmpdir.glob("*/stderr")):
            rep.sections.append((
                "log of %s" % p.parent.name,
                p.read_bytes().decode(errors="replace")[-6000:]))
