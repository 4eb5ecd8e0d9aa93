/*
 * HTTP/1.1 syntax and framing: what is taken and what it means, what is
 * refused because two readers could take it in two ways, and that neither
 * depends on how the bytes arrive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/wire/http1.h"

#define MAX	4096		/* limit of a head */
#define N(a)	(sizeof(a) / sizeof((a)[0]))
#define T(s)	s, sizeof(s) - 1
#define H	"Host: a\r\n"
#define POST	"POST /x HTTP/1.1\r\n" H
#define GET	"GET /x HTTP/1.1\r\n" H
#define OK11	"HTTP/1.1 200 OK\r\n"

struct good {
	const char	*text;
	size_t		 len;
	const char	*want;		/* see describe() */
	const char	*method;	/* of the request, for a response */
};

struct bad {
	const char	*text;
	size_t		 len;
	int		 status;	/* for a request */
};

/* What came of one message. */
struct outcome {
	int		 status;	/* 0, or why it was refused */
	size_t		 headlen;
	char		 text[MAX + 256];
};

static char *
dup_exactly(const char *p, size_t len)
{
	char	*q = malloc(len > 0 ? len : 1);

	assert_non_null(q);
	memcpy(q, p, len);
	return (q);
}

static void
describe(const struct http1_head *h, struct outcome *o)
{
	static const char *const bodies[] = {
		"none", "length", "chunked", "close"
	};
	char	*p = o->text, *end = o->text + sizeof(o->text);

	if (h->status == 0)
		p += snprintf(p, (size_t)(end - p), "%.*s %.*s%s%.*s",
		    (int)h->method.len, h->method.p, (int)h->path.len,
		    h->path.p, h->query.p != NULL ? "?" : "",
		    (int)h->query.len, h->query.p != NULL ? h->query.p : "");
	else
		p += snprintf(p, (size_t)(end - p), "%d", h->status);
	p += snprintf(p, (size_t)(end - p), " 1.%d %s", h->minor,
	    bodies[h->body]);
	if (h->body == HTTP1_BODY_LENGTH)
		p += snprintf(p, (size_t)(end - p), " %llu",
		    (unsigned long long)h->content_length);
	snprintf(p, (size_t)(end - p), "%s%s", h->keepalive ? " keep" : "",
	    h->expect_continue ? " expect" : "");
}

/*
 * Let the text arrive up to each of step[], then whole, in memory of exactly
 * that size, and parse it when its head is there.  method: of the request
 * that a response answers; NULL for a request.
 */
static void
read_head(const char *text, size_t len, size_t first, size_t by,
    const char *method, struct outcome *o)
{
	struct http1_scan	 scan;
	struct http1_head	*h = malloc(sizeof(*h));
	enum http1_more		 more = HTTP1_MORE;
	const char		*why = NULL;
	char			*buf = NULL;
	size_t			 n = first;

	assert_non_null(h);
	memset(h, 0xa5, sizeof(*h));
	memset(&scan, 0, sizeof(scan));
	memset(o, 0, sizeof(*o));
	for (; more == HTTP1_MORE; n += by) {
		if (n > len)
			n = len;
		free(buf);
		buf = dup_exactly(text, n);
		more = http1_scan_head(&scan, buf, n, MAX, &o->headlen,
		    &o->status, &why);
		if (n == len)
			break;
	}
	if (more == HTTP1_DONE && method == NULL)
		o->status = http1_parse_request(h, buf, o->headlen, &why);
	else if (more == HTTP1_DONE)
		o->status = http1_parse_response(h, buf, o->headlen,
		    slice_of(method), &why);
	else if (more == HTTP1_MORE)
		o->status = -2;
	if (o->status == 0)
		describe(h, o);
	else if (o->status != -2)
		assert_true(why != NULL && why[0] != '\0');
	free(buf);
	free(h);
}

static void
same(const struct outcome *a, const struct outcome *b, const char *text)
{
	if (a->status == b->status && strcmp(a->text, b->text) == 0 &&
	    (a->status != 0 || a->headlen == b->headlen))
		return;
	fail_msg("pieces matter: %d %zu '%s' is not %d %zu '%s' for:\n%s",
	    b->status, b->headlen, b->text, a->status, a->headlen, a->text,
	    text);
}

static void
read_all_ways(const char *text, size_t len, const char *method,
    struct outcome *whole)
{
	struct outcome	 o;
	size_t		 i;

	read_head(text, len, len, len, method, whole);
	read_head(text, len, 0, 1, method, &o);
	same(whole, &o, text);
	for (i = 0; i < len; i++) {
		read_head(text, len, i, len, method, &o);
		same(whole, &o, text);
	}
}

static void
run_good(const struct good *g, size_t n, int response)
{
	struct outcome	 o;
	const char	*method;
	size_t		 i;

	for (i = 0; i < n; i++, g++) {
		method = g->method != NULL ? g->method : "POST";
		read_all_ways(g->text, g->len, response ? method : NULL, &o);
		if (o.status != 0 || strcmp(o.text, g->want) != 0)
			fail_msg("%d '%s', expected '%s' for:\n%s", o.status,
			    o.text, g->want, g->text);
	}
}

static const struct good requests[] = {
	{ T(GET "\r\n"), "GET /x 1.1 none keep", NULL },
	{ T("\r\n" GET "\r\n"), "GET /x 1.1 none keep", NULL },
	{ T(GET "\r\nGET /next HTTP/1.1\r\n"), "GET /x 1.1 none keep", NULL },
	{ T("GET / HTTP/1.0\r\n\r\n"), "GET / 1.0 none", NULL },
	{ T("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
	    "GET / 1.0 none keep", NULL },
	{ T("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"),
	    "GET / 1.0 none", NULL },
	{ T("M!#$%&'*+-.^_`|~09az / HTTP/1.1\r\n" H "\r\n"),
	    "M!#$%&'*+-.^_`|~09az / 1.1 none keep", NULL },
	{ T("GET /a?b?c HTTP/1.1\r\n" H "\r\n"),
	    "GET /a?b?c 1.1 none keep", NULL },
	{ T("GET /a? HTTP/1.1\r\n" H "\r\n"), "GET /a? 1.1 none keep", NULL },
	{ T("GET //a/../%2e HTTP/1.1\r\n" H "\r\n"),
	    "GET //a/../%2e 1.1 none keep", NULL },
	{ T("OPTIONS * HTTP/1.1\r\n" H "\r\n"), "OPTIONS * 1.1 none keep",
	    NULL },
	{ T("GET http://a/p?q HTTP/1.1\r\n" H "\r\n"),
	    "GET /p?q 1.1 none keep", NULL },
	{ T("GET HTTPS://A HTTP/1.1\r\n" H "\r\n"), "GET / 1.1 none keep",
	    NULL },
	{ T("GET http://a?q/r HTTP/1.1\r\n" H "\r\n"),
	    "GET /?q/r 1.1 none keep", NULL },
	{ T("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
	    "GET / 1.1 none keep", NULL },
	{ T("GET / HTTP/1.1\r\nHost: a-b.c:\r\n\r\n"), "GET / 1.1 none keep",
	    NULL },
	{ T("GET / HTTP/1.1\r\nHost: a%2eb:65535\r\n\r\n"),
	    "GET / 1.1 none keep", NULL },
	{ T("GET / HTTP/1.1\r\nHost: [::ffff:127.0.0.1]:1\r\n\r\n"),
	    "GET / 1.1 none keep", NULL },
	{ T("GET / HTTP/1.1\r\nhOsT:\t a \t\r\n\r\n"), "GET / 1.1 none keep",
	    NULL },
	{ T(POST "Content-Length: 0\r\n\r\n"), "POST /x 1.1 length 0 keep",
	    NULL },
	{ T(POST "content-length:5\r\n\r\nhello"),
	    "POST /x 1.1 length 5 keep", NULL },
	{ T(POST "Content-Length: 005\r\n\r\n"), "POST /x 1.1 length 5 keep",
	    NULL },
	{ T(POST "Content-Length: 9007199254740992\r\n\r\n"),
	    "POST /x 1.1 length 9007199254740992 keep", NULL },
	{ T(POST "Transfer-Encoding: chunked\r\n\r\n"),
	    "POST /x 1.1 chunked keep", NULL },
	{ T(POST "TRANSFER-ENCODING: \t CHUNKED \t\r\n\r\n"),
	    "POST /x 1.1 chunked keep", NULL },
	{ T(POST "Connection: x, close\r\n\r\n"), "POST /x 1.1 none", NULL },
	{ T(POST "Connection: keep-alive\r\nConnection: Close\r\n\r\n"),
	    "POST /x 1.1 none", NULL },
	{ T(POST "Connection: closed, , x-close\r\n\r\n"),
	    "POST /x 1.1 none keep", NULL },
	{ T(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"),
	    "POST /x 1.1 length 1 keep expect", NULL },
	{ T(POST "Upgrade: h2c\r\n\r\n"), "POST /x 1.1 none keep", NULL },
	{ T(POST "X:\r\nY: \t\r\nZ: a\tb \x80\xff\r\n\r\n"),
	    "POST /x 1.1 none keep", NULL },
};

static const struct bad bad_requests[] = {
	/* ends of lines */
	{ T("GET / HTTP/1.1\n" H "\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400 },
	{ T(GET "\n"), 400 },
	{ T("\n" GET "\r\n"), 400 },
	{ T("\r\n\r\n" GET "\r\n"), 400 },
	{ T("\r" GET "\r\n"), 400 },
	{ T("\rX" GET "\r\n"), 400 },
	{ T("\r\r\n" GET "\r\n"), 400 },
	{ T(GET "\r\r\n\r\n"), 400 },
	{ T(GET "X: a\rY: b\r\n\r\n"), 400 },
	{ T(GET "X: a\r\r\n\r\n"), 400 },
	{ T(GET "X\r: a\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\r\n" H "\r\n"), 400 },
	/* the request line */
	{ T(" GET / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET  / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET /  HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET / HTTP/1.1 \r\n" H "\r\n"), 400 },
	{ T("GET\t/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET /\tHTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET / x HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET /\r\n" H "\r\n"), 400 },
	{ T("GET\r\n" H "\r\n"), 400 },
	{ T("GET / \r\n" H "\r\n"), 400 },
	{ T("GET HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("G(T / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("G\xc3\xa4T / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GE\0T / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" H "\r\n"),
	    400 },
	{ T("GET / http/1.1\r\n" H "\r\n"), 400 },
	{ T("GET / HTTP/11\r\n" H "\r\n"), 400 },
	{ T("GET / HTTP/1.10\r\n" H "\r\n"), 400 },
	{ T("GET / HTTP/01.1\r\n" H "\r\n"), 400 },
	{ T("GET / HTTP/1,1\r\n" H "\r\n"), 400 },
	{ T("GET / HTTPS/1.1\r\n" H "\r\n"), 400 },
	{ T("GET / HTTP/2.0\r\n" H "\r\n"), 505 },
	{ T("GET / HTTP/1.2\r\n" H "\r\n"), 505 },
	{ T("GET / HTTP/0.9\r\n" H "\r\n"), 505 },
	{ T("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505 },
	/* the target */
	{ T("GET x HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET /#f HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET /?q#f HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET /\x7f HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET /\x01 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET * HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET a:80 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET ftp://a/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET http:///x HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET http:// HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET http:/a HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET http://b/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET http://u@a/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET http://a:80/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("GET http://a\\b/ HTTP/1.1\r\nHost: a\\b\r\n\r\n"), 400 },
	{ T("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"), 501 },
	{ T("CONNECT a HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("CONNECT / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("CONNECT /x:1 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("CONNECT http://a:1/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("CONNECT a:65536 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("CONNECT u@a:1 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ T("CONNECT * HTTP/1.1\r\n" H "\r\n"), 400 },
	/* Host */
	{ T("GET / HTTP/1.1\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400 },
	{ T(GET H "\r\n"), 400 },
	{ T(GET "host: b\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.0\r\n" H H "\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a#b\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a:4294967376\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a%\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a%2\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a%2x\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: [:]\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: [1]\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: [1::2::3]\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: :80\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: []\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: [v1.x]\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\nHost: a\"b\r\n\r\n"), 400 },
	/* fields */
	{ T(GET "X : a\r\n\r\n"), 400 },
	{ T(GET "X\t: a\r\n\r\n"), 400 },
	{ T(GET "X a\r\n\r\n"), 400 },
	{ T(GET "X\r\n\r\n"), 400 },
	{ T(GET ": a\r\n\r\n"), 400 },
	{ T(GET "X: a\r\n b\r\n\r\n"), 400 },
	{ T(GET "X: a\r\n\tb\r\n\r\n"), 400 },
	{ T(GET "X: a\r\n \r\n\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\n " H "\r\n"), 400 },
	{ T("GET / HTTP/1.1\r\n X: a\r\n" H "\r\n"), 400 },
	{ T(GET "X(y): a\r\n\r\n"), 400 },
	{ T(GET "X\xff: a\r\n\r\n"), 400 },
	{ T(GET "\"X\": a\r\n\r\n"), 400 },
	{ T(GET "X: a\0b\r\n\r\n"), 400 },
	{ T(GET "X\0: a\r\n\r\n"), 400 },
	{ T(GET "X: a\x01\r\n\r\n"), 400 },
	{ T(GET "X: a\x0b\r\n\r\n"), 400 },
	{ T(GET "X: a\x7f\r\n\r\n"), 400 },
	/* framing */
	{ T(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 5, 5\r\n\r\n"), 400 },
	{ T(POST "Content-Length:\r\n\r\n"), 400 },
	{ T(POST "Content-Length: +5\r\n\r\n"), 400 },
	{ T(POST "Content-Length: -5\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 0x5\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 5a\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 5 5\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 5.0\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 1e1\r\n\r\n"), 400 },
	{ T(POST "Content-Length: \"5\"\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 5;a\r\n\r\n"), 400 },
	{ T(POST "Content-Length: \xd9\xa5\r\n\r\n"), 400 },
	{ T(POST "Content-Length: \x0b" "5\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 9007199254740993\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 18446744073709551621\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 00000000000000005\r\n\r\n"), 400 },
	{ T(POST "Content-Length : 5\r\n\r\n"), 400 },
	{ T(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    400 },
	{ T(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
	    400 },
	{ T(POST "Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n"),
	    400 },
	{ T(POST "Transfer-Encoding: x\r\nContent-Length: 5\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: identity\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding: chunked, identity\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding: ,chunked\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding: chunked,\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding:\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding: chunked\0\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding : chunked\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding:\r\n chunked\r\n\r\n"), 400 },
	{ T(POST "Transfer-Encoding: identity\r\n\r\n"), 501 },
	{ T(POST "Transfer-Encoding: gzip\r\n\r\n"), 501 },
	{ T(POST "Transfer-Encoding: xchunked\r\n\r\n"), 501 },
	{ T(POST "Transfer-Encoding: chunked;q=1\r\n\r\n"), 501 },
	{ T(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), 501 },
	{ T(POST "Transfer-Encoding: chunked\xc2\xa0\r\n\r\n"), 501 },
	{ T("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"),
	    400 },
	{ T(POST "Expect: 200-ok\r\n\r\n"), 417 },
	{ T(POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"),
	    417 },
};

static const struct good responses[] = {
	{ T(OK11 "\r\n"), "200 1.1 close", NULL },
	{ T("HTTP/1.1 200\r\n\r\n"), "200 1.1 close", NULL },
	{ T("HTTP/1.1 200 \r\n\r\n"), "200 1.1 close", NULL },
	{ T("HTTP/1.1 200 O\tK \xc3\xa4\r\n\r\n"), "200 1.1 close", NULL },
	{ T("HTTP/1.0 200 OK\r\n\r\n"), "200 1.0 close", NULL },
	{ T("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n"),
	    "200 1.0 length 1", NULL },
	{ T("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n"
	    "Connection: keep-alive\r\n\r\n"), "200 1.0 length 1 keep", NULL },
	{ T(OK11 "Content-Length: 5\r\n\r\n"), "200 1.1 length 5 keep", NULL },
	{ T(OK11 "Content-Length: 0\r\n\r\n"), "200 1.1 length 0 keep", NULL },
	{ T(OK11 "Connection: close\r\nContent-Length: 5\r\n\r\n"),
	    "200 1.1 length 5", NULL },
	{ T(OK11 "Transfer-Encoding: chunked\r\n\r\n"),
	    "200 1.1 chunked keep", NULL },
	{ T(OK11 "Content-Length: 5\r\n\r\n"), "200 1.1 none keep", "HEAD" },
	{ T(OK11 "Transfer-Encoding: chunked\r\n\r\n"), "200 1.1 none keep",
	    "HEAD" },
	{ T(OK11 "\r\n"), "200 1.1 close", "head" },
	{ T("HTTP/1.1 100 Continue\r\n\r\n"), "100 1.1 none keep", NULL },
	{ T("HTTP/1.1 101 x\r\n\r\n"), "101 1.1 none keep", NULL },
	{ T("HTTP/1.1 204 x\r\n\r\n"), "204 1.1 none keep", NULL },
	{ T("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n"),
	    "204 1.1 none keep", NULL },
	{ T("HTTP/1.1 204 x\r\nContent-Length: 1\r\n\r\n"),
	    "204 1.1 none", NULL },
	{ T("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    "204 1.1 none", NULL },
	{ T("HTTP/1.1 304 x\r\nContent-Length: 7\r\n\r\n"),
	    "304 1.1 none keep", NULL },
	{ T("HTTP/1.1 599 x\r\nContent-Length: 7\r\n\r\n"),
	    "599 1.1 length 7 keep", NULL },
};

static const struct bad bad_responses[] = {
	{ T("\r\n" OK11 "\r\n"), 0 },
	{ T("\rX" OK11 "\r\n"), 0 },
	{ T("HTTP/1.1 200 OK\n\r\n"), 0 },
	{ T("HTTP/1.1 200 O\rK\r\n\r\n"), 0 },
	{ T("HTTP/1.1 200 O\0K\r\n\r\n"), 0 },
	{ T("HTTP/1.1 200 O\x7fK\r\n\r\n"), 0 },
	{ T("HTTP/1.1 200OK\r\n\r\n"), 0 },
	{ T("HTTP/1.1 2000 OK\r\n\r\n"), 0 },
	{ T("HTTP/1.1 20 OK\r\n\r\n"), 0 },
	{ T("HTTP/1.1  200 OK\r\n\r\n"), 0 },
	{ T("HTTP/1.1\t200 OK\r\n\r\n"), 0 },
	{ T("HTTP/1.1 +20 OK\r\n\r\n"), 0 },
	{ T("HTTP/1.1 099 OK\r\n\r\n"), 0 },
	{ T("HTTP/1.1 600 OK\r\n\r\n"), 0 },
	{ T("HTTP/1.1 2x0 OK\r\n\r\n"), 0 },
	{ T("HTTP/1.1 \r\n\r\n"), 0 },
	{ T("HTTP/1.1\r\n\r\n"), 0 },
	{ T("HTTP/1.2 200 OK\r\n\r\n"), 0 },
	{ T("HTTP/2.0 200 OK\r\n\r\n"), 0 },
	{ T("http/1.1 200 OK\r\n\r\n"), 0 },
	{ T(" HTTP/1.1 200 OK\r\n\r\n"), 0 },
	{ T("ICY 200 OK\r\n\r\n"), 0 },
	{ T(OK11 "X : a\r\n\r\n"), 0 },
	{ T(OK11 "X: a\r\n b\r\n\r\n"), 0 },
	{ T(OK11 " X: a\r\n\r\n"), 0 },
	{ T(OK11 "X: a\rb\r\n\r\n"), 0 },
	{ T(OK11 "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 0 },
	{ T(OK11 "Content-Length: 5, 5\r\n\r\n"), 0 },
	{ T(OK11 "Content-Length: -1\r\n\r\n"), 0 },
	{ T(OK11 "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    0 },
	{ T(OK11 "Transfer-Encoding: gzip\r\n\r\n"), 0 },
	{ T(OK11 "Transfer-Encoding: gzip, chunked\r\n\r\n"), 0 },
	{ T(OK11 "Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n"), 0 },
	{ T("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 0 },
	{ T("HTTP/1.1 100 x\r\nContent-Length: 1\r\n\r\n"), 0 },
	{ T("HTTP/1.1 101 x\r\nTransfer-Encoding: chunked\r\n\r\n"), 0 },
};

static void
test_requests(void **state)
{
	(void)state;
	run_good(requests, N(requests), 0);
}

static void
test_bad_requests(void **state)
{
	struct outcome	 o;
	size_t		 i;

	(void)state;
	for (i = 0; i < N(bad_requests); i++) {
		read_all_ways(bad_requests[i].text, bad_requests[i].len, NULL,
		    &o);
		if (o.status != bad_requests[i].status)
			fail_msg("%d '%s', expected %d for:\n%s", o.status,
			    o.text, bad_requests[i].status,
			    bad_requests[i].text);
	}
}

static void
test_responses(void **state)
{
	(void)state;
	run_good(responses, N(responses), 1);
}

static void
test_bad_responses(void **state)
{
	struct outcome	 o;
	size_t		 i;

	(void)state;
	for (i = 0; i < N(bad_responses); i++) {
		read_all_ways(bad_responses[i].text, bad_responses[i].len,
		    "POST", &o);
		if (o.status == 0 || o.status == -2)
			fail_msg("%d '%s' for:\n%s", o.status, o.text,
			    bad_responses[i].text);
	}
}

/* Every byte in every kind of place: only what the grammar has is taken. */
static void
test_every_byte(void **state)
{
	static const char	 token[] = "!#$%&'*+-.^_`|~0123456789"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	static const struct {
		const char	*text;	/* with an @ to replace */
		int		 kind;
	} places[] = {
		{ "G@T / HTTP/1.1\r\n" H "\r\n", 0 },
		{ GET "X@Y: a\r\n\r\n", 1 },
		{ GET "X: a@b\r\n\r\n", 2 },
		{ "GET /a@b HTTP/1.1\r\n" H "\r\n", 3 }
	};
	struct outcome	 o;
	char		 text[128];
	size_t		 i, len;
	int		 c, want;

	(void)state;
	for (i = 0; i < N(places); i++)
		for (c = 0; c < 256; c++) {
			len = strlen(places[i].text);
			memcpy(text, places[i].text, len);
			*(char *)memchr(text, '@', len) = (char)c;
			want = places[i].kind <= 1 ?
			    c != 0 && strchr(token, c) != NULL :
			    places[i].kind == 2 ?
			    (c >= 0x20 && c != 0x7f) || c == '\t' :
			    c > 0x20 && c < 0x7f && c != '#';
			/* a colon ends a name, that is all */
			if (places[i].kind == 1 && c == ':')
				want = 1;
			read_head(text, len, len, len, NULL, &o);
			if ((o.status == 0) != want)
				fail_msg("byte %02x in '%s': %d", c,
				    places[i].text, o.status);
		}
}

/* Limits: a line, the head, the number of fields; exactly and one more. */
static void
limit(size_t target, size_t fields, size_t value, int want)
{
	struct outcome	 o, pieces;
	char		*text = malloc(3 * MAX), *p = text;
	size_t		 i;

	assert_non_null(text);
	p += sprintf(p, "GET /");
	memset(p, 'a', target);
	p += target;
	p += sprintf(p, " HTTP/1.1\r\n" H);
	for (i = 1; i < fields; i++)
		p += sprintf(p, "X: a\r\n");
	if (value > 0) {
		p += sprintf(p, "Y: ");
		memset(p, 'b', value);
		p += value;
		p += sprintf(p, "\r\n");
	}
	p += sprintf(p, "\r\n");
	read_head(text, (size_t)(p - text), (size_t)(p - text), 1, NULL, &o);
	read_head(text, (size_t)(p - text), 0, 1, NULL, &pieces);
	same(&o, &pieces, "a limit");
	if (o.status != want)
		fail_msg("%zu %zu %zu: %d, expected %d", target, fields,
		    value, o.status, want);
	free(text);
}

static void
test_limits(void **state)
{
	/* "GET / HTTP/1.1" CRLF "Host: a" CRLF "Y: " CRLF CRLF */
	const size_t	 rest = 16 + 9 + 5 + 2;

	(void)state;
	limit(0, 1, MAX - rest, 0);
	limit(0, 1, MAX - rest + 1, 431);
	limit(MAX - 27, 1, 0, 0);
	limit(MAX - 26, 1, 0, 431);
	limit(MAX, 1, 0, 414);
	limit(2 * MAX, 1, 0, 414);
	limit(0, HTTP1_FIELDS_MAX, 0, 0);
	limit(0, HTTP1_FIELDS_MAX + 1, 0, 431);
	limit(0, HTTP1_FIELDS_MAX + 2, 0, 431);
	limit(0, 4 * HTTP1_FIELDS_MAX, 0, 431);
}

static void
parse(struct http1_head *h, const char *text)
{
	const char	*why;
	int		 status;

	status = http1_parse_request(h, text, strlen(text), &why);
	if (status != 0)
		fail_msg("%d (%s) for:\n%s", status, why, text);
}

static void
test_fields(void **state)
{
	static struct http1_head h;
	struct slice	 v;

	(void)state;
	parse(&h, GET "X-A: 1\r\nORIGIN:  o \t\r\nx-a:\r\nAccept: a\r\n"
	    "Connection: x-a , ACCEPT,,\tnothing\r\nconnection: te\r\n"
	    "TE: trailers\r\nAccept: b\r\nX-Request-Id: i\r\n\r\n");
	assert_int_equal(h.nfield, 10);
	v = http1_value(&h, HTTP1_ORIGIN);
	assert_true(slice_is(v, "o"));
	assert_true(slice_is(http1_value(&h, HTTP1_ACCEPT), "a"));
	assert_int_equal(h.count[HTTP1_ACCEPT], 2);
	assert_int_equal(h.first[HTTP1_ACCEPT], 4);
	assert_null(http1_value(&h, HTTP1_AUTHORIZATION).p);
	assert_int_equal(h.first[HTTP1_AUTHORIZATION], -1);
	assert_int_equal(h.field[1].id, HTTP1_OTHER);
	assert_true(slice_is(h.field[3].name, "x-a"));
	assert_non_null(h.field[3].value.p);
	assert_int_equal(h.field[3].value.len, 0);
	assert_int_equal(h.field[9].id, HTTP1_X_REQUEST_ID);
	/* what Connection names, wherever it stands */
	assert_int_equal(h.field[0].connection, 0);
	assert_int_equal(h.field[1].connection, 1);
	assert_int_equal(h.field[2].connection, 0);
	assert_int_equal(h.field[3].connection, 1);
	assert_int_equal(h.field[4].connection, 1);
	assert_int_equal(h.field[7].connection, 1);
	assert_int_equal(h.field[8].connection, 1);
	assert_int_equal(h.field[9].connection, 0);
}

static void
test_names(void **state)
{
	static const struct {
		const char	*name;
		enum http1_name	 id;
	} t[] = {
		{ "accept", HTTP1_ACCEPT },
		{ "AUTHORIZATION", HTTP1_AUTHORIZATION },
		{ "Content-Encoding", HTTP1_CONTENT_ENCODING },
		{ "Content-Type", HTTP1_CONTENT_TYPE },
		{ "Expect", HTTP1_EXPECT }, { "Forwarded", HTTP1_FORWARDED },
		{ "Keep-Alive", HTTP1_KEEP_ALIVE },
		{ "Last-Event-ID", HTTP1_LAST_EVENT_ID },
		{ "Mcp-Method", HTTP1_MCP_METHOD },
		{ "Mcp-Name", HTTP1_MCP_NAME },
		{ "MCP-Protocol-Version", HTTP1_MCP_PROTOCOL_VERSION },
		{ "Mcp-Session-Id", HTTP1_MCP_SESSION_ID },
		{ "Origin", HTTP1_ORIGIN },
		{ "Proxy-Authenticate", HTTP1_PROXY_AUTHENTICATE },
		{ "Proxy-Authorization", HTTP1_PROXY_AUTHORIZATION },
		{ "Proxy-Connection", HTTP1_PROXY_CONNECTION },
		{ "TE", HTTP1_TE }, { "traceparent", HTTP1_TRACEPARENT },
		{ "tracestate", HTTP1_TRACESTATE },
		{ "Trailer", HTTP1_TRAILER }, { "Upgrade", HTTP1_UPGRADE },
		{ "WWW-Authenticate", HTTP1_WWW_AUTHENTICATE },
		{ "X-Forwarded-For", HTTP1_X_FORWARDED_FOR },
		{ "X-Forwarded-Host", HTTP1_X_FORWARDED_HOST },
		{ "X-Forwarded-Port", HTTP1_X_FORWARDED_PORT },
		{ "X-Forwarded-Proto", HTTP1_X_FORWARDED_PROTO },
		{ "X-Real-IP", HTTP1_X_REAL_IP },
		{ "Authorizatio", HTTP1_OTHER },
		{ "Authorization1", HTTP1_OTHER },
		{ "Mcp_Method", HTTP1_OTHER }, { "X", HTTP1_OTHER },
		{ "X-Forwarded-Protocol-Of-All", HTTP1_OTHER }
	};
	static struct http1_head h;
	char		 text[256];
	size_t		 i;

	(void)state;
	for (i = 0; i < N(t); i++) {
		snprintf(text, sizeof(text), GET "%s: %s\r\n\r\n", t[i].name,
		    t[i].id == HTTP1_EXPECT ? "100-continue" : "v");
		parse(&h, text);
		if (h.field[1].id != t[i].id)
			fail_msg("%s is %d", t[i].name, h.field[1].id);
	}
}

static void
test_lists(void **state)
{
	static const struct {
		const char	*list, *token;
		int		 want;
	} t[] = {
		{ "close", "close", 1 }, { "CLOSE", "close", 1 },
		{ "a, close ,b", "close", 1 }, { "a,close", "close", 1 },
		{ ",,close", "close", 1 }, { "a\t,\tclose", "close", 1 },
		{ "", "close", 0 }, { ",", "close", 0 },
		{ "closed", "close", 0 }, { "clos", "close", 0 },
		{ "a close", "close", 0 }, { "close;x", "close", 0 }
	};
	static const struct {
		const char	*type;
		int		 want;
	} types[] = {
		{ "text/event-stream", 1 }, { "Text/Event-Stream", 1 },
		{ "text/event-stream; charset=utf-8", 1 },
		{ "text/event-stream \t;x", 1 }, { "text/event-stream;", 1 },
		{ "text/event-streams", 0 }, { "text/event-stream x", 0 },
		{ "application/json; text/event-stream", 0 }, { "", 0 }
	};
	static struct http1_head h;
	char		 text[256];
	size_t		 i;

	(void)state;
	for (i = 0; i < N(t); i++)
		if (http1_list_has(slice_of(t[i].list), t[i].token) !=
		    t[i].want)
			fail_msg("'%s'", t[i].list);
	assert_int_equal(http1_list_has((struct slice){ NULL, 0 }, "x"), 0);
	for (i = 0; i < N(types); i++) {
		snprintf(text, sizeof(text), GET "Content-Type: %s\r\n\r\n",
		    types[i].type);
		parse(&h, text);
		if (http1_is_event_stream(&h) != types[i].want)
			fail_msg("'%s'", types[i].type);
	}
	parse(&h, GET "\r\n");
	assert_int_equal(http1_is_event_stream(&h), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_bad_responses),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lists)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
