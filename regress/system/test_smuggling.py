"""Requests that two readers could understand in two ways.

Behind every such request stands another, good one (id "smuggled").  When the
first is refused, the connection is closed and the upstream sees neither; when
it is sound, the upstream sees exactly one request with exactly this body, and
what follows is a request of its own.  The same from the other side: answers of
an upstream that could be read in two ways never reach a client."""

import json

import pytest

import fake_upstream as fu
import gw
import rawhttp
from proxy_site import site  # noqa: F401

BODY = json.dumps(gw.rpc(id="first")).encode()
N = len(BODY)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (N, BODY)
CL = "Content-Length: %d" % N
TE = "Transfer-Encoding: chunked"


@pytest.fixture(autouse=True)
def fresh(site):
    """What reached the upstream stays remembered: one smuggled late would
    fail the next test."""
    site.up.answer = fu.default_answer
    site.up.scripted = []


def smuggled(site):
    body = json.dumps(gw.rpc(id="smuggled")).encode()
    return site.lines(["Content-Length: %d" % len(body)]) + body


serial = iter(range(1, 1000000))


def seen(site, before, wanted):
    """The upstream saw exactly the wanted ids, then ours."""
    ours = "last-%d" % next(serial)
    r = site.ask(body=gw.rpc(id=ours))
    assert r.status == 200 and r.json()["id"] == ours, r
    got = [q.id for q in site.up.requests[before:]]
    assert got == wanted + [ours], got
    late = [q for q in site.up.requests if q.id == "smuggled" and not q.taken]
    for q in late:
        q.taken = True          # reported once
    assert not late


def refuse(site, raw, status=400, code=-32600):
    """Refused, recorded, closed, and nothing passed."""
    before = len(site.up.requests)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(raw + smuggled(site))
        r = c.read_response()
        assert r.header("Connection") == "close", r
        c.wait_close()
    site.refused(r, mark, status, code)
    seen(site, before, [])


# -- framing -----------------------------------------------------------------

FRAMING = {
    # (lines, body, status)
    "cl-te": ([CL, TE], CHUNKED, 400),
    "te-cl": ([TE, CL], CHUNKED, 400),
    "te-cl-zero": ([TE, "Content-Length: 0"], CHUNKED, 400),
    "cl-zero-te": (["Content-Length: 0", TE], CHUNKED, 400),
    "cl-te-unknown": ([CL, "Transfer-Encoding: identity"], BODY, 400),
    "cl-twice": ([CL, CL], BODY, 400),
    "cl-two-values": ([CL, "Content-Length: 0"], BODY, 400),
    "cl-two-cases": ([CL, "CONTENT-LENGTH: 5"], BODY, 400),
    "cl-list": (["Content-Length: %d, %d" % (N, N)], BODY, 400),
    "cl-list-two": (["Content-Length: 0,%d" % N], BODY, 400),
    "cl-comma": (["Content-Length: %d," % N], BODY, 400),
    "cl-plus": (["Content-Length: +%d" % N], BODY, 400),
    "cl-minus": (["Content-Length: -%d" % N], BODY, 400),
    "cl-minus-zero": (["Content-Length: -0"], b"", 400),
    "cl-hex": (["Content-Length: 0x%x" % N], BODY, 400),
    "cl-letters": (["Content-Length: %da" % N], BODY, 400),
    "cl-inner-space": (["Content-Length: %s %s" % (N // 10, N % 10)],
                       BODY, 400),
    "cl-point": (["Content-Length: %d.0" % N], BODY, 400),
    "cl-exponent": (["Content-Length: 1e1"], BODY, 400),
    "cl-underscore": (["Content-Length: 1_0"], BODY, 400),
    "cl-quoted": (['Content-Length: "%d"' % N], BODY, 400),
    "cl-parameter": (["Content-Length: %d;a=b" % N], BODY, 400),
    "cl-empty": (["Content-Length:"], BODY, 400),
    "cl-blank": (["Content-Length: \t "], BODY, 400),
    "cl-2-to-64": (["Content-Length: %d" % (2 ** 64 + N)], BODY, 400),
    "cl-2-to-63": (["Content-Length: %d" % 2 ** 63], BODY, 400),
    "cl-long": (["Content-Length: " + "0" * 200 + str(N)], BODY, 400),
    "cl-vt": (["Content-Length:\x0b%d" % N], BODY, 400),
    "cl-nbsp": (["Content-Length: \xa0%d" % N], BODY, 400),
    "cl-nul": (["Content-Length: %d\0" % N], BODY, 400),
    "cl-space-colon": (["Content-Length : %d" % N], BODY, 400),
    "cl-tab-colon": (["Content-Length\t: %d" % N], BODY, 400),
    "cl-folded": (["Content-Length:", " %d" % N], BODY, 400),
    "cl-nul-name": (["Content-Length\0: %d" % N], BODY, 400),
    "te-twice": ([TE, TE], CHUNKED, 400),
    "te-list-twice": (["Transfer-Encoding: chunked, chunked"], CHUNKED, 400),
    "te-two-lines": (["Transfer-Encoding: gzip", TE], CHUNKED, 400),
    "te-gzip-chunked": (["Transfer-Encoding: gzip, chunked"], CHUNKED, 400),
    "te-chunked-gzip": (["Transfer-Encoding: chunked, gzip"], CHUNKED, 400),
    "te-chunked-identity": (["Transfer-Encoding: chunked, identity"],
                            CHUNKED, 400),
    "te-trailing-comma": (["Transfer-Encoding: chunked,"], CHUNKED, 400),
    "te-leading-comma": (["Transfer-Encoding: ,chunked"], CHUNKED, 400),
    "te-empty": (["Transfer-Encoding:"], CHUNKED, 400),
    "te-identity": (["Transfer-Encoding: identity"], BODY, 501),
    "te-gzip": (["Transfer-Encoding: gzip"], BODY, 501),
    "te-xchunked": (["Transfer-Encoding: xchunked"], CHUNKED, 501),
    "te-chunkedx": (["Transfer-Encoding: chunkedx"], CHUNKED, 501),
    "te-parameter": (["Transfer-Encoding: chunked;q=1"], CHUNKED, 501),
    "te-quoted": (['Transfer-Encoding: "chunked"'], CHUNKED, 501),
    "te-vt": (["Transfer-Encoding: \x0bchunked"], CHUNKED, 400),
    "te-nul": (["Transfer-Encoding: chunked\0"], CHUNKED, 400),
    "te-bare-cr": (["Transfer-Encoding: chunked\rX: y"], CHUNKED, 400),
    "te-bare-lf": (["X: y\nTransfer-Encoding: chunked", CL], CHUNKED, 400),
    "te-space-colon": (["Transfer-Encoding : chunked"], CHUNKED, 400),
    "te-folded": (["Transfer-Encoding:", " chunked"], CHUNKED, 400),
    "te-folded-on": (["X: y", " Transfer-Encoding: chunked", CL], BODY, 400),
    "te-hidden": (["\tTransfer-Encoding: chunked", CL], BODY, 400),
    "te-and-connection": ([TE, CL, "Connection: Transfer-Encoding"],
                          CHUNKED, 400),
    "cl-and-connection": ([CL, TE, "Connection: Content-Length"],
                          CHUNKED, 400),
    "te-space-inside": (["Transfer-Encoding: chun ked"], CHUNKED, 501),
    "te-two-words": (["Transfer-Encoding: chunked chunked"], CHUNKED, 501),
    "te-long-s": (["Transfer-Encoding: chun\u212aed".encode()], CHUNKED, 501),
    "te-lf-inside": (["Transfer-Encoding:\nchunked"], CHUNKED, 400),
    "te-del": (["Transfer-Encoding: chunked\x7f"], CHUNKED, 400),
    "te-nbsp": (["Transfer-Encoding: chunked\xa0"], CHUNKED, 501),
    "te-identity-and-te": (["Transfer-Encoding: identity", TE], CHUNKED, 400),
    "te-deflate-list": (["Transfer-Encoding: deflate,gzip"], CHUNKED, 501),
    "te-name-nul": (["Transfer-Encoding\0: chunked", CL], CHUNKED, 400),
    "te-name-vt": (["Transfer-Encoding\x0b: chunked", CL], CHUNKED, 400),
    "te-name-nbsp": (["Transfer-Encoding\xa0: chunked", CL], CHUNKED, 400),
    "te-name-two-colons": (["Transfer-Encoding:: chunked"], CHUNKED, 501),
    "te-name-quoted": (['"Transfer-Encoding": chunked', CL], CHUNKED, 400),
    "cl-name-long-s": (["Content-Length\u017f: 0".encode(), CL], BODY, 400),
    "cl-name-bom": ([b"\xef\xbb\xbfContent-Length: 0", CL], BODY, 400),
    "cl-name-semicolon": (["Content-Length;: 0", CL], BODY, 400),
    "cl-name-slash": (["X/Content-Length: 0", CL], BODY, 400),
    "cl-full-width": (["Content-Length: \uff15".encode()], BODY, 400),
    "cl-arabic": (["Content-Length: \u0665".encode()], BODY, 400),
    "cl-octal": (["Content-Length: 0o17"], BODY, 400),
    "cl-binary": (["Content-Length: 0b1"], BODY, 400),
    "cl-tab-inside": (["Content-Length: 1\t2"], BODY, 400),
    "cl-cr-inside": (["Content-Length: 1\r2"], BODY, 400),
    "cl-lf-inside": (["Content-Length: 1\n2"], BODY, 400),
    "cl-2-to-53": (["Content-Length: %d" % (2 ** 53 + 1)], BODY, 400),
    "cl-2-to-32": (["Content-Length: %d" % (2 ** 32 + N)], BODY, 413),
    "cl-zero-and-body": (["Content-Length: 0", CL], BODY, 400),
    "expect-two": ([CL, "Expect: 100-continue", "Expect: x"], BODY, 417),
    "expect-chunked": (["Expect: chunked", TE], CHUNKED, 417),
    "expect-unknown": ([CL, "Expect: 200-ok"], BODY, 417),
}


@pytest.mark.parametrize("case", FRAMING)
def test_framing(site, case):
    fields, body, status = FRAMING[case]
    refuse(site, site.lines(fields) + body, status)


def test_te_in_http10(site):
    refuse(site, site.lines([TE], "POST /mcp HTTP/1.0") + CHUNKED)


# -- fields and lines --------------------------------------------------------

FIELDS = {
    "obs-fold": ["X-A: b", " c"],
    "obs-fold-tab": ["X-A: b", "\tc"],
    "no-colon": ["X-A"],
    "no-name": [": a"],
    "name-space": ["X A: b"],
    "name-paren": ["X(A): b"],
    "name-utf8": [b"X-\xc3\xa9: b"],
    "name-nul": ["X\0A: b"],
    "value-nul": ["X-A: b\0c"],
    "value-cr": ["X-A: b\rc"],
    "value-bare-lf": ["X-A: b\nX-B: c"],
    "value-del": ["X-A: b\x7f"],
    "value-esc": ["X-A: \x1b[2J"],
    "host-twice": ["Host: gw.test"],
    "host-other": ["Host: evil.test"],
    "line-cr-cr": ["X-A: b\r"],
    "value-bs": ["X-A: b\b"],
    "value-ff": ["X-A: b\x0c"],
    "value-cr-end": ["X-A: \r"],
    "name-colon-lf": ["X-A:\nb"],
    "name-tab-before": ["\tX-A: b"],
    "name-del": ["X\x7fA: b"],
    "name-at": ["X@A: b"],
    "name-backslash": ["X\\A: b"],
    "name-braces": ["{X-A}: b"],
    "name-comma": ["X,Content-Length: 0"],
    "name-latin": ["X\xffA: b"],
    "request-line-inside": ["POST /mcp HTTP/1.1"],
    "host-folded": ["Host: gw.test", "\tevil.test"],
    "host-space-colon": ["Host : evil.test"],
    "host-upper": ["HOST: GW.TEST"],
}


@pytest.mark.parametrize("case", FIELDS)
def test_fields(site, case):
    refuse(site, site.lines(FIELDS[case] + [CL]) + BODY)


def test_first_line_of_fields_begins_with_space(site):
    raw = site.lines([CL]) + BODY
    refuse(site, raw.replace(b"\r\nHost", b"\r\n Host", 1))


LINES = {
    "two-spaces": ("POST  /mcp HTTP/1.1", 400),
    "two-spaces-late": ("POST /mcp  HTTP/1.1", 400),
    "tab": ("POST\t/mcp HTTP/1.1", 400),
    "leading-space": (" POST /mcp HTTP/1.1", 400),
    "trailing-space": ("POST /mcp HTTP/1.1 ", 400),
    "no-version": ("POST /mcp", 400),
    "no-target": ("POST HTTP/1.1", 400),
    "lower-http": ("POST /mcp http/1.1", 400),
    "http-1.10": ("POST /mcp HTTP/1.10", 400),
    "http-01.1": ("POST /mcp HTTP/01.1", 400),
    "http-2": ("POST /mcp HTTP/2.0", 505),
    "http-0.9": ("POST /mcp HTTP/0.9", 505),
    "nul": ("POST /mcp\0 HTTP/1.1", 400),
    "bare-cr": ("POST /mcp HTTP/1.1\rX: y", 400),
    "bare-lf": ("POST /mcp HTTP/1.1\nX: y", 400),
    "utf8": ("POST /mcp/\xe9 HTTP/1.1", 400),
    "fragment": ("POST /mcp#a HTTP/1.1", 400),
    "relative": ("POST mcp HTTP/1.1", 400),
    "asterisk": ("POST * HTTP/1.1", 400),
    "method-separator": ("PO(ST /mcp HTTP/1.1", 400),
    "method-long": ("P" * 200 + " /mcp HTTP/1.1", 400),
    "scheme": ("POST ftp://gw.test/mcp HTTP/1.1", 400),
    "absolute-other-host": ("POST http://evil.test/mcp HTTP/1.1", 400),
    "absolute-other-port": ("POST http://gw.test:81/mcp HTTP/1.1", 400),
    "absolute-userinfo": ("POST http://a@gw.test/mcp HTTP/1.1", 400),
    "absolute-no-host": ("POST http:///mcp HTTP/1.1", 400),
    "absolute-no-slashes": ("POST http:gw.test/mcp HTTP/1.1", 400),
    "absolute-backslash": ("POST http://gw.test\\mcp HTTP/1.1", 400),
    "absolute-big-port": ("POST http://gw.test:65536/mcp HTTP/1.1", 400),
    "absolute-fragment": ("POST http://gw.test/mcp#/ HTTP/1.1", 400),
    "absolute-dot": ("POST http://gw.test./mcp HTTP/1.1", 400),
    "two-targets": ("POST /mcp /mcp HTTP/1.1", 400),
    "two-versions": ("POST /mcp HTTP/1.1 HTTP/1.1", 400),
    "version-tab": ("POST /mcp\tHTTP/1.1", 400),
    "version-nbsp": ("POST /mcp\xa0HTTP/1.1", 400),
    "version-trailing": ("POST /mcp HTTP/1.1x", 400),
    "version-comma": ("POST /mcp HTTP/1,1", 400),
    "version-empty": ("POST /mcp ", 400),
    "version-plus": ("POST /mcp HTTP/+1.1", 400),
    "version-1.2": ("POST /mcp HTTP/1.2", 505),
    "version-3": ("POST /mcp HTTP/3.0", 505),
    "del": ("POST /mcp\x7f HTTP/1.1", 400),
    "vt": ("POST\x0b/mcp HTTP/1.1", 400),
    "connect": ("CONNECT gw.test:80 HTTP/1.1", 501),
    "connect-path": ("CONNECT /mcp HTTP/1.1", 400),
}


@pytest.mark.parametrize("case", LINES)
def test_request_line(site, case):
    line, status = LINES[case]
    refuse(site, site.lines([CL], line) + BODY, status)


@pytest.mark.parametrize("host", [
    None, "", " ", "a b", "gw.test/x", "a@gw.test",
    "gw.test:80:80", "gw.test:x", "gw.test:999999", "[::1", "[x]", "[]",
    "gw.test#", "gw.test?", "gw.test\\", "\xe9.test", "a" * 300])
def test_host(site, host):
    refuse(site, site.lines([CL], host=host) + BODY)


def test_empty_lines_before_a_request(site):
    refuse(site, b"\r\n\r\n" + site.lines([CL]) + BODY)
    refuse(site, b"\n" + site.lines([CL]) + BODY)
    refuse(site, b"\0" + site.lines([CL]) + BODY)
    refuse(site, b" \r\n" + site.lines([CL]) + BODY)


# -- chunks ------------------------------------------------------------------

H = b"%x" % N
CHUNKS = {
    "17-digits": b"1" + b"0" * 14 + H + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "huge": b"f" * 40 + b"\r\n" + BODY,
    "long-zeros": b"0" * 40 + H + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "plus": b"+" + H + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "minus": b"-" + H + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "0x": b"0x" + H + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "leading-space": b" " + H + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "trailing-space": H + b" \r\n" + BODY + b"\r\n0\r\n\r\n",
    "trailing-tab": H + b"\t\r\n" + BODY + b"\r\n0\r\n\r\n",
    "inner-space": H[:1] + b" " + H[1:] + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "underscore": H[:1] + b"_" + H[1:] + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "no-size": b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "no-size-ext": b";a=b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "size-bare-lf": H + b"\n" + BODY + b"\r\n0\r\n\r\n",
    "size-bare-cr": H + b"\r" + BODY + b"\r\n0\r\n\r\n",
    "size-cr-cr": H + b"\r\r\n" + BODY + b"\r\n0\r\n\r\n",
    "size-nul": H + b"\0\r\n" + BODY + b"\r\n0\r\n\r\n",
    "size-comma": H + b",\r\n" + BODY + b"\r\n0\r\n\r\n",
    "ext-bare-lf": H + b";a\n" + BODY + b"\r\n0\r\n\r\n",
    "ext-bare-cr": H + b";a\rb\r\n" + BODY + b"\r\n0\r\n\r\n",
    "ext-nul": H + b";a=\0\r\n" + BODY + b"\r\n0\r\n\r\n",
    "ext-long": H + b";" + b"a" * 20000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "ext-many": b"".join(b"1;%s\r\n%c\r\n" % (b"a" * 1000, b) for b in BODY) +
                b"0\r\n\r\n",
    "no-crlf-after": H + b"\r\n" + BODY + b"0\r\n\r\n",
    "lf-after": H + b"\r\n" + BODY + b"\n0\r\n\r\n",
    "cr-after": H + b"\r\n" + BODY + b"\r0\r\n\r\n",
    "more-than-size": H + b"\r\n" + BODY + b"xx\r\n0\r\n\r\n",
    "less-than-size": b"%x" % (N + 1) + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "last-bare-lf": H + b"\r\n" + BODY + b"\r\n0\n\n",
    "end-bare-lf": H + b"\r\n" + BODY + b"\r\n0\r\n\n",
    "end-lf-cr": H + b"\r\n" + BODY + b"\r\n0\r\n\r\r\n",
    # the good request behind it must not be taken for trailers
    "no-end": H + b"\r\n" + BODY + b"\r\n0\r\n",
    "trailer-bare-lf": H + b"\r\n" + BODY + b"\r\n0\r\nX: y\n\r\n",
    "trailer-nul": H + b"\r\n" + BODY + b"\r\n0\r\nX: \0\r\n\r\n",
    "trailer-fold": H + b"\r\n" + BODY + b"\r\n0\r\nX: y\r\n z\r\n\r\n",
    "trailer-space-colon": H + b"\r\n" + BODY + b"\r\n0\r\nX : y\r\n\r\n",
    "trailer-no-name": H + b"\r\n" + BODY + b"\r\n0\r\n: y\r\n\r\n",
    "0X": b"0X" + H + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "size-vt": b"\x0b" + H + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "size-letters": b"xyz\r\n" + BODY + b"\r\n0\r\n\r\n",
    "size-colon": H + b":\r\n" + BODY + b"\r\n0\r\n\r\n",
    "size-h": H + b"h\r\n" + BODY + b"\r\n0\r\n\r\n",
    "size-full-width": "\uff15".encode() + b"\r\n" + BODY + b"\r\n",
    "size-2-to-64": b"1%016x\r\n" % N + BODY + b"\r\n0\r\n\r\n",
    "size-2-to-32-wrapped": b"-ffffffff\r\n" + BODY + b"\r\n0\r\n\r\n",
    "size-lf-cr": H + b"\n\r" + BODY + b"\r\n0\r\n\r\n",
    "space-before-ext": H + b" ;a=b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "ext-del": H + b";a=\x7f\r\n" + BODY + b"\r\n0\r\n\r\n",
    "ext-fold": H + b";a=\r\n b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "ext-quoted-lf": H + b';a="\n"\r\n' + BODY + b"\r\n0\r\n\r\n",
    "last-ext-bare-lf": H + b"\r\n" + BODY + b"\r\n0;a\n\r\n",
    "last-minus": H + b"\r\n" + BODY + b"\r\n-0\r\n\r\n",
    "last-0x0": H + b"\r\n" + BODY + b"\r\n0x0\r\n\r\n",
    "last-zeros": H + b"\r\n" + BODY + b"\r\n" + b"0" * 14 + b"\r\n\r\n",
    "crlf-crlf-after": H + b"\r\n" + BODY + b"\r\n\r\n0\r\n\r\n",
    "trailer-bare-cr": H + b"\r\n" + BODY + b"\r\n0\r\nX: y\rZ: a\r\n\r\n",
    "trailer-request": H + b"\r\n" + BODY + b"\r\n0\r\n"
                       b"POST /mcp HTTP/1.1\r\n\r\n",
    "trailers-long": H + b"\r\n" + BODY + b"\r\n0\r\n" +
                     b"X: %s\r\n" % (b"a" * 1000) * 20 + b"\r\n",
}


@pytest.mark.parametrize("case", CHUNKS)
def test_chunks(site, case):
    refuse(site, site.lines([TE]) + CHUNKS[case])


# -- sound ones --------------------------------------------------------------

def admit(site, raw, then=True):
    """One request with this body, and what follows is another."""
    before = len(site.up.requests)
    mark = site.gw.audit_mark()
    second = json.dumps(gw.rpc(id="second")).encode()
    with site.gw.client() as c:
        c.send(raw + (site.lines(["Content-Length: %d" % len(second)]) +
                      second if then else b""))
        r = c.read_response()
        assert r.status == 200 and r.json()["id"] == "first", r
        if then:
            r = c.read_response()
            assert r.status == 200 and r.json()["id"] == "second", r
            assert c.is_open()
        else:
            c.wait_close()
    assert len(site.gw.audit_lines(mark)) == 1 + then
    req = site.up.requests[before]
    seen(site, before, ["first", "second"] if then else ["first"])
    assert req.body == BODY and req.raw_body == BODY, req
    assert req.header("Content-Length") == str(N), req
    assert req.headers("Transfer-Encoding") == [], req
    return req


SOUND = {
    "plain": ([CL], BODY),
    "cl-zeros": (["Content-Length: 000%d" % N], BODY),
    "cl-ows": (["Content-Length: \t %d \t" % N], BODY),
    "cl-no-space": (["Content-Length:%d" % N], BODY),
    "te": ([TE], CHUNKED),
    "te-upper": (["TRANSFER-ENCODING: CHUNKED"], CHUNKED),
    "te-ows": (["Transfer-Encoding: \t chunked \t"], CHUNKED),
    "bytes-alone": ([TE], b"".join(b"1\r\n%c\r\n" % b for b in BODY) +
                    b"0\r\n\r\n"),
    "ext": ([TE], H + b';a=b;c="d e"\r\n' + BODY + b"\r\n0;x\r\n\r\n"),
    "hex-case": ([TE], (b"%02X" % N) + b"\r\n" + BODY + b"\r\n000\r\n\r\n"),
    "trailers": ([TE, "Trailer: X-T"], CHUNKED[:-2] +
                 b"X-T: a\r\nContent-Length: 5\r\n"
                 b"Authorization: Bearer x\r\n\r\n"),
    "trailers-framing": ([TE], CHUNKED[:-2] +
                         b"Transfer-Encoding: chunked\r\nHost: evil.test\r\n"
                         b"Content-Length: 9999\r\nConnection: close\r\n"
                         b"Expect: 100-continue\r\nMcp-Method: x\r\n\r\n"),
    "trailers-names": ([TE, "Trailer: Content-Length, Host", "TE: trailers"],
                       CHUNKED),
    "ext-looks-like-request": ([TE], H + b";POST /mcp HTTP/1.1\r\n" + BODY +
                               b"\r\n0;Content-Length: 5\r\n\r\n"),
    "ext-bytes": ([TE], H + b';a="\xff\t"\r\n' + BODY + b"\r\n0\r\n\r\n"),
    "size-13-digits": ([TE], (b"%013x" % N) + b"\r\n" + BODY +
                       b"\r\n0000000000000\r\n\r\n"),
    "cl-like-names": ([CL, "Content-Length-X: 0", "X-Content-Length: 0",
                       "Content.Length: 0", "Content-Lengt: 0"], BODY),
    "te-like-names": ([CL, "Transfer-Encoding-X: chunked",
                       "X-Transfer-Encoding: chunked",
                       "Transfer.Encoding: chunked", "TE: chunked"], BODY),
    "request-in-a-value": ([CL, "X-A: POST /mcp HTTP/1.1"], BODY),
    "http2-settings": ([CL, "Connection: HTTP2-Settings, Upgrade",
                        "Upgrade: h2c, websocket/13", "HTTP2-Settings: x"],
                       BODY),
    "connection-everything": ([CL, "Connection: Content-Length, Host, Expect,"
                               " Transfer-Encoding, Authorization, Accept, ,x"],
                              BODY),
    "expect": ([CL, "Expect: 100-continue"], BODY),
    "expect-te": ([TE, "Expect: 100-CONTINUE"], CHUNKED),
    "upgrade": ([CL, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings",
                 "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"], BODY),
    "websocket": ([CL, "Upgrade: websocket", "Connection: upgrade",
                   "Sec-WebSocket-Version: 13"], BODY),
    "connection-cl": ([CL, "Connection: Content-Length"], BODY),
    "connection-te": ([TE, "Connection: Transfer-Encoding"], CHUNKED),
    "connection-host": ([CL, "Connection: Host, Authorization"], BODY),
    "crlf-encoded": ([CL, "X-A: a%0d%0aX: y"], BODY),
    "obs-text": ([CL, b"X-A: \xff\xfe"], BODY),
}


@pytest.mark.parametrize("case", SOUND)
def test_sound(site, case):
    fields, body = SOUND[case]
    req = admit(site, site.lines(fields) + body)
    assert site.token.encode() not in req.raw
    for name in ("Upgrade", "HTTP2-Settings", "Connection", "Trailer", "X-T",
                 "Authorization", "X"):
        assert req.headers(name) == [], req
    assert req.header("Host") == "127.0.0.1:%d" % site.up.port, req


@pytest.mark.parametrize("line", [
    "POST http://gw.test/mcp HTTP/1.1", "POST HTTP://GW.test/mcp HTTP/1.1",
    "POST https://gw.test/mcp HTTP/1.1"])
def test_absolute_form(site, line):
    req = admit(site, site.lines([CL], line) + BODY)
    assert req.target == "/mcp", req


@pytest.mark.parametrize("target", [
    "/MCP", "/%6dcp", "/mcp%00", "/mcp;x", "/./mcp", "/x/../mcp",
    "//mcp", "//gw.test/mcp", "/mcp%2f", "/mcp\\up", "/mcp/up//", "/mcp//",
    "/mcp/%75p", "http://gw.test", "http://gw.test?/mcp", "/"])
def test_other_spellings_of_a_path(site, target):
    """A path is its bytes: what is spelled otherwise leads nowhere, and the
    connection goes on."""
    before = len(site.up.requests)
    with site.gw.client() as c:
        c.send(site.lines([CL], "POST %s HTTP/1.1" % target) + BODY)
        assert c.read_response().status == 404
        assert site.ask(client=c, body=gw.rpc(id="second")).status == 200
    seen(site, before, ["second"])


@pytest.mark.parametrize("query", [
    "a=b?c", "%0d%0aX-A:%20b", "a=/mcp/two", "//evil.test/", "", "a=%00",
    "HTTP/1.1", "a=b&Content-Length=0", "a;b=\"<>\\^`{|}"])
def test_queries(site, query):
    """The upstream gets the bytes of it."""
    req = admit(site, site.lines(
        [CL], "POST /mcp?%s HTTP/1.1" % query) + BODY)
    assert req.target == "/mcp?" + query, req


@pytest.mark.parametrize("first", [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12,
    b"GET /mcp\r\n\r\n", b"{}\r\n\r\n", b"\r\r\n", b"\xff\xfe\r\n"])
def test_other_protocols(site, first):
    """Nobody changes the protocol, or who is speaking."""
    before = len(site.up.requests)
    with site.gw.client() as c:
        c.send(first + smuggled(site))
        r = c.read_response()
        assert r.status in (400, 505), r
        assert r.header("Connection") == "close", r
        c.wait_close()
    seen(site, before, [])


# the sizes in which heads and bodies are read, and the limit of a head
EDGES = [e + d for e in (4096, 8192, 16384) for d in (-2, -1, 0, 1, 2)
         if e + d <= 16384] + [65535, 65536, 65537]


@pytest.mark.parametrize("edge", EDGES)
def test_head_or_body_ends_at_an_edge(site, edge):
    """The end of a message on the last byte of a read: what is behind it is
    neither lost nor taken for a part of it."""
    if edge <= 16384:
        pad = edge - len(site.lines([CL, "X-Pad: "]))
        raw = site.lines([CL, "X-Pad: " + "p" * pad])
        assert len(raw) == edge
        admit(site, raw + BODY)
        raw = site.lines([TE, "X-Pad: " + "p" * (pad + len(CL) - len(TE))])
        assert len(raw) == edge
        admit(site, raw + CHUNKED)
    # the body: white space behind the message is a part of it
    before = len(site.up.requests)
    raw = b""
    for n in range(2):
        body = BODY + b" " * edge
        head = site.lines(["Content-Length: %d" % len(body)])
        body = body[:edge - len(head)]
        raw += site.lines(["Content-Length: %d" % len(body)]) + body
    with site.gw.client() as c:
        c.send(raw)
        for n in range(2):
            r = c.read_response()
            assert r.status == 200 and r.json()["id"] == "first", r
        assert c.is_open()
    bodies = [q.body for q in site.up.requests[before:]]
    assert bodies == [body] * 2
    seen(site, before, ["first"] * 2)


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 16383, 16384, 65536])
def test_chunk_ends_at_an_edge(site, size):
    """Chunks of every size, with what a chunk must not be taken for inside."""
    inner = smuggled(site).decode("latin-1")
    body = json.dumps(gw.call("0\r\n\r\n" + inner + "x" * 70000,
                              "first")).encode()
    n = max(size, 100) if size == 1 else size
    parts = [body[:1]] + [body[i:i + n] for i in range(1, len(body), n)]
    raw = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts)
    before = len(site.up.requests)
    with site.gw.client() as c:
        c.send(site.lines([TE]) + raw + b"0\r\n\r\n" + site.lines([CL]) + BODY)
        for _ in range(2):
            r = c.read_response()
            assert r.status == 200 and r.json()["id"] == "first", r
    assert site.up.requests[before].body == body
    seen(site, before, ["first"] * 2)


def test_head_over_the_limit(site):
    """One byte more than may be is refused, whole."""
    pad = 16384 + 1 - len(site.lines([CL, "X-Pad: "]))
    refuse(site, site.lines([CL, "X-Pad: " + "p" * pad]) + BODY, 431)


def test_request_in_a_body_that_is_too_large(site):
    """Refused by its length, it is discarded or cut off, never read on as
    requests."""
    before = len(site.up.requests)
    inner = smuggled(site)
    with site.gw.client() as c:
        c.send(site.lines(["Content-Length: %d" % (5 << 20)]) + inner * 20)
        r = c.read_response()
        assert r.status == 413 and r.header("Connection") == "close", r
        c.wait_close()
    seen(site, before, [])


def test_one_empty_line_before_a_request(site):
    admit(site, b"\r\n" + site.lines([CL]) + BODY)


def test_http10(site):
    req = admit(site, site.lines([CL], "POST /mcp HTTP/1.0") + BODY, False)
    assert req.version == "HTTP/1.1"
    admit(site, site.lines([CL, "Connection: keep-alive"],
                           "POST /mcp HTTP/1.0") + BODY)
    admit(site, site.lines([CL], "POST /mcp HTTP/1.0", host=None) + BODY,
          False)


@pytest.mark.parametrize("pause", range(1, 40, 3))
def test_one_byte_at_a_time(site, pause):
    """However the bytes fall into packets, the request is the same."""
    before = len(site.up.requests)
    raw = site.lines([TE]) + CHUNKED
    with site.gw.client() as c:
        for i in range(0, len(raw), pause * 7):
            c.send(raw[i:i + pause * 7])
        assert c.read_response().status == 200
    assert site.up.requests[before].body == BODY
    seen(site, before, ["first"])


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_body_where_none_belongs(site, method):
    """The body is not taken for the next request."""
    before = len(site.up.requests)
    inner = smuggled(site)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines(["Content-Length: %d" % len(inner)],
                          method + " /mcp HTTP/1.1") + inner)
        r = c.read_response()
        site.refused(r, mark, 400)
        assert r.headers("Connection") == [], r
        r = site.ask(client=c, body=gw.rpc(id="second"))
        assert r.status == 200 and r.json()["id"] == "second", r
    seen(site, before, ["second"])
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines([TE], method + " /mcp HTTP/1.1") +
               b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner))
        r = c.read_response()
        assert r.header("Connection") == "close", r
        site.refused(r, mark, 400)
        c.wait_close()
    seen(site, before + 2, [])


def test_body_without_length(site):
    """No framing, no body: what follows is no request."""
    before = len(site.up.requests)
    mark = site.gw.audit_mark()
    with site.gw.client() as c:
        c.send(site.lines() + BODY + b"\r\n\r\n" + smuggled(site))
        r = c.read_response()
        assert r.status == 400 and r.json()["error"]["code"] == -32700, r
        r = c.read_response()
        assert r.status == 400 and r.header("Connection") == "close", r
        c.wait_close()
    assert [x["status"] for x in site.gw.audit_lines(mark)] == [400, 400]
    seen(site, before, [])


def test_more_than_content_length(site):
    before = len(site.up.requests)
    with site.gw.client() as c:
        c.send(site.lines([CL]) + BODY + b"x" + smuggled(site))
        r = c.read_response()
        assert r.status == 200 and r.json()["id"] == "first", r
        # "xPOST" is a method nobody knows
        r = c.read_response()
        assert r.status == 501, r
    seen(site, before, ["first"])


@pytest.mark.parametrize("name", ["X_Request_Id", "X_Forwarded_For",
                                  "Content_Length", "Mcp_Session_Id"])
def test_underscores(site, name):
    """Servers that map names to variables take '_' for '-'."""
    req = admit(site, site.lines([CL, name + ": 7"]) + BODY)
    assert req.headers(name) == [], req


# -- from the other side -----------------------------------------------------

OK = b'{"jsonrpc":"2.0","id":1,"result":{}}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LEN = b"Content-Length: %d\r\n" % len(OK)
CH = b"%x\r\n%s\r\n0\r\n\r\n" % (len(OK), OK)
ANSWERS = {
    "cl-te": HEAD + LEN + b"Transfer-Encoding: chunked\r\n\r\n" + CH,
    "cl-twice": HEAD + LEN + LEN + b"\r\n" + OK,
    "cl-two-values": HEAD + LEN + b"Content-Length: 3\r\n\r\n" + OK,
    "cl-plus": HEAD + b"Content-Length: +36\r\n\r\n" + OK,
    "cl-list": HEAD + b"Content-Length: 36, 36\r\n\r\n" + OK,
    "cl-huge": HEAD + b"Content-Length: %d\r\n\r\n" % 2 ** 64 + OK,
    "te-gzip": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CH,
    "te-twice": HEAD + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n" + CH,
    "te-1.0": HEAD.replace(b"1.1", b"1.0") +
              b"Transfer-Encoding: chunked\r\n\r\n" + CH,
    "fold": HEAD + LEN + b"X: y\r\n z\r\n\r\n" + OK,
    "space-colon": HEAD + LEN + b"X : y\r\n\r\n" + OK,
    "bare-lf": HEAD + LEN + b"X: y\nZ: a\r\n\r\n" + OK,
    "bare-cr": HEAD + LEN + b"X: y\rSet-Cookie: a\r\n\r\n" + OK,
    "nul": HEAD + LEN + b"X: \0\r\n\r\n" + OK,
    "no-colon": HEAD + LEN + b"X\r\n\r\n" + OK,
    "status-line-lf": b"HTTP/1.1 200 OK\n" + LEN + b"\r\n" + OK,
    "two-content-types": HEAD + b"Content-Type: text/event-stream\r\n" +
    LEN + b"\r\n" + OK,
    "http-0.9": OK + b"\r\n\r\n",
    "http-2": b"HTTP/2 200 OK\r\n" + LEN + b"\r\n" + OK,
    "status-two-digits": b"HTTP/1.1 20 OK\r\n" + LEN + b"\r\n" + OK,
    "status-four-digits": b"HTTP/1.1 2000 OK\r\n" + LEN + b"\r\n" + OK,
    "status-099": b"HTTP/1.1 099 OK\r\n" + LEN + b"\r\n" + OK,
    "status-600": b"HTTP/1.1 600 OK\r\n" + LEN + b"\r\n" + OK,
    "no-space": b"HTTP/1.1200 OK\r\n" + LEN + b"\r\n" + OK,
    "reason-cr": b"HTTP/1.1 200 O\rK\r\n" + LEN + b"\r\n" + OK,
    "fields-many": HEAD + LEN + b"X: y\r\n" * 200 + b"\r\n" + OK,
    "head-huge": HEAD + LEN + b"X: %s\r\n" % (b"y" * 200000) + b"\r\n" + OK,
    "204-body": b"HTTP/1.1 204 N\r\n" + LEN + b"\r\n" + OK,
    "101": b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "100-body": b"HTTP/1.1 100 C\r\n" + LEN + b"\r\n" + OK,
    "garbage": b"\x16\x03\x01\x00\x05" * 10 + b"\r\n\r\n",
}


@pytest.mark.parametrize("case", ANSWERS)
def test_ambiguous_answer(site, case):
    """502, and the connection carries nothing else."""
    site.up.script(fu.raw(ANSWERS[case]))
    before = len(site.up.requests)
    mark = site.gw.audit_mark()
    r = site.ask()
    site.refused(r, mark, 502, -31502, (1,))
    conn = site.up.requests[before].conn
    assert conn.peer_closed.wait(5), "the connection is still open"
    seen(site, before, [1])
    assert len(conn.requests) >= 1 and conn.requests[-1].id == 1


CUT = {
    "size": b"zz\r\n", "size-huge": b"f" * 30 + b"\r\n", "lf": b"5\nabcde\r\n",
    "no-crlf": b"2\r\n{}0\r\n\r\n", "trailer": b"0\r\nno trailer\r\n\r\n",
}


@pytest.mark.parametrize("case", CUT)
def test_ambiguous_chunks_of_an_answer(site, case):
    """The head is out: the client must see that the rest is missing."""
    site.up.script(fu.raw(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n" + CUT[case]))
    before = len(site.up.requests)
    mark = site.gw.audit_mark()
    with pytest.raises(rawhttp.Truncated):
        site.ask()
    line = site.gw.audit(since=mark)[0]
    assert line["action"] == "error" and line["error"], line
    conn = site.up.requests[before].conn
    assert conn.peer_closed.wait(5), "the connection is still open"
    seen(site, before, [1])


@pytest.mark.parametrize("excess", [
    b"x", b"\r\n", fu.response(b'{"evil":true}')])
def test_excess_behind_an_answer(site, excess):
    """It answers nobody: the next request goes another way."""
    site.up.script(fu.raw(fu.response(OK) + excess))
    before = len(site.up.requests)
    r = site.ask()
    assert r.status == 200 and r.body == OK, r
    conn = site.up.requests[before].conn
    assert conn.peer_closed.wait(5), "the connection is still open"
    seen(site, before, [1])


def test_answer_that_nobody_asked_for(site):
    """Sent on an idle connection, it is not the next client's."""
    before = len(site.up.requests)
    assert site.ask().status == 200
    conn = site.up.requests[before].conn
    conn.send(fu.response(b'{"evil":true}'))
    r = site.ask(body=gw.rpc(id="mine"))
    assert r.status == 200 and r.json()["id"] == "mine", r
    assert conn.peer_closed.wait(5), "the connection is still open"
    seen(site, before, [1, "mine"])
