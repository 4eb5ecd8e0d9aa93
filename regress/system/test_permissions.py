"""Files that everybody may read or write, and should not."""

import pytest

from gw import DROP, EX_CONFIG
from test_tls import Cert

NO_AUTH = {"auth": {"enabled": False, "oauth": DROP}}
SECRET = "0123456789abcdefghijklmnopqrstuvwxyz-of-tests"


def cert(g):
    own = Cert()
    (g.dir / "cert").write_bytes(own.pem)
    (g.dir / "file").write_bytes(own.key_pem)
    return {"tls": {"cert_file": str(g.dir / "cert"),
                    "key_file": str(g.dir / "file")}}


def plain(text, **config):
    def write(g):
        (g.dir / "file").write_text(text)
        path = str(g.dir / "file")
        return {k: {**v, next(n for n in v if v[n] is None): path}
                for k, v in config.items()}
    return write


KINDS = {
    "tls.key_file": cert,
    "session.secret_file": plain(SECRET, session={"secret_file": None}),
    "admin.token_file": plain(SECRET, admin={
        "listen": "127.0.0.1:9464", "token_file": None}),
    "telemetry.customer.headers_file": lambda g: {"telemetry": {
        "customer": {"enabled": True, "endpoint": "http://127.0.0.1:4318",
                     **plain("Api-Key: x\n", c={"headers_file": None})(g)[
                         "c"]}}},
}


@pytest.fixture
def g(make_gateway):
    return make_gateway(NO_AUTH)


@pytest.mark.parametrize("secret", [
    {"session": {"secret": SECRET}},
    {"upstreams": [{"name": "up", "url": "http://127.0.0.1:9/mcp",
                    "headers": {"Authorization": "Bearer x"}}]},
])
def test_a_configuration_with_secrets(g, secret):
    g.config.update(secret)
    assert g.check()[0] == 0
    g.path.chmod(0o644)
    code, out = g.check()
    assert code == EX_CONFIG
    assert "%s: is not safe: everybody may read it, and it holds a secret; " \
        'run: chmod o= "%s"' % (g.path, g.path) in out
    g.path.chmod(0o640)
    assert g.check()[0] == 0


def test_a_configuration_without_secrets(g):
    """All may read it; nobody else may decide what is in it."""
    g.write_config()
    g.path.chmod(0o644)
    assert g.check()[0] == 0
    g.path.chmod(0o646)
    code, out = g.check()
    assert code == EX_CONFIG
    assert 'everybody may write to it; run: chmod o-w "%s"' % g.path in out


def test_a_reload_looks_again(g):
    g.config["session"] = {"secret": SECRET}
    g.start()
    g.path.chmod(0o644)
    mark = g.log_mark()
    g.proc.send_signal(1)
    g.wait_log("configuration rejected", mark)
    assert "chmod o= " in g.log()


@pytest.mark.parametrize("key", KINDS)
def test_files_with_secrets(g, key):
    g.config.update(KINDS[key](g))
    path = g.dir / "file"
    path.chmod(0o640)
    code, out = g.check()
    assert code == 0, out
    for mode in 0o644, 0o642:
        path.chmod(mode)
        code, out = g.check()
        assert code == EX_CONFIG
        assert key in out and 'run: chmod o= "%s"' % path in out


def test_a_certificate_is_no_secret(g):
    g.config.update(cert(g))
    (g.dir / "cert").chmod(0o644)
    assert g.check()[0] == 0
    (g.dir / "cert").chmod(0o646)
    code, out = g.check()
    assert code == EX_CONFIG and "tls.cert_file" in out
    assert 'everybody may write to it; run: chmod o-w' in out
