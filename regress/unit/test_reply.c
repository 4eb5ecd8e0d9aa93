/*
 * The answers that mcpgwctl takes from the control socket, and those it does
 * not, cut at every place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/reply.h"

#define LENGTH(n)	"HTTP/1.1 200 OK\r\nContent-Length: " n "\r\n\r\n"
#define CHUNKED		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* Feed step bytes at a time, then the end if it is still wanted. */
static enum reply_state
feed(struct reply *r, const char *text, size_t len, size_t step)
{
	enum reply_state	 s = REPLY_MORE;
	size_t			 at, n, room;
	char			*p;

	reply_init(r);
	for (at = 0; at < len && s == REPLY_MORE; at += n) {
		p = reply_space(r, &room);
		assert_non_null(p);
		n = len - at < step ? len - at : step;
		n = n < room ? n : room;
		memcpy(p, text + at, n);
		s = reply_got(r, n);
	}
	if (s == REPLY_MORE) {
		assert_non_null(reply_space(r, &room));
		s = reply_got(r, 0);
	}
	return (s);
}

static void
takes(const char *text, int status, const char *body)
{
	struct reply	 r;
	size_t		 step;

	for (step = 1; step <= strlen(text); step++) {
		assert_int_equal(feed(&r, text, strlen(text), step),
		    REPLY_DONE);
		assert_int_equal(r.status, status);
		assert_string_equal(r.body, body);
		assert_int_equal(r.len, strlen(body));
		reply_free(&r);
	}
}

static void
refuses(const char *text)
{
	struct reply	 r;
	size_t		 step;

	for (step = 1; step <= strlen(text) + 1; step++) {
		if (feed(&r, text, strlen(text), step) != REPLY_BAD)
			fail_msg("taken in steps of %zu: %s", step, text);
		reply_free(&r);
	}
}

static void
test_takes(void **state)
{
	(void)state;
	takes(LENGTH("5") "hello", 200, "hello");
	takes(LENGTH("0"), 200, "");
	takes("HTTP/1.1 409 \r\ncontent-LENGTH:2\r\n\r\n{}", 409, "{}");
	takes("HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end");
	takes("HTTP/1.0 503 No\r\nX: y\r\n\r\n", 503, "");
	takes("HTTP/1.1 204 No\r\n\r\n", 204, "");
	takes(CHUNKED "5\r\nhello\r\n06;x=y\r\n world\r\n0\r\n\r\n", 200,
	    "hello world");
	takes(CHUNKED "a\r\n0123456789\r\n0\r\nT: x\r\nU: y\r\n\r\n", 200,
	    "0123456789");
	takes(CHUNKED "0\r\n\r\n", 200, "");
}

static void
test_refuses(void **state)
{
	(void)state;
	refuses("");
	refuses("hello");
	refuses("HTTP/2 200 OK\r\n\r\n");
	refuses("HTTP/1.1 100 Continue\r\n\r\n" LENGTH("0"));
	refuses("HTTP/1.1 20 OK\r\n\r\n");
	refuses("HTTP/1.1 2000 OK\r\n\r\n");
	refuses("HTTP/1.1 200 OK\n\n");
	refuses("HTTP/1.1 200 OK\r\n");
	refuses("HTTP/1.1 200 OK\r\nno field\r\n\r\n");
	refuses("HTTP/1.1 200 OK\r\n: x\r\n\r\n");
	refuses(LENGTH("5") "hell");
	refuses(LENGTH("-1"));
	refuses(LENGTH("0x5") "hello");
	refuses(LENGTH(""));
	refuses(LENGTH("5, 5") "hello");
	refuses(LENGTH("16777217"));
	refuses(LENGTH("99999999999999999999"));
	refuses("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
	    "Content-Length: 1\r\n\r\na");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	refuses("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n");
	refuses(CHUNKED "5\r\nhello");
	refuses(CHUNKED "5\r\nhello\r\n");
	refuses(CHUNKED "5\r\nhelloX\r\n0\r\n\r\n");
	refuses(CHUNKED "g\r\n");
	refuses(CHUNKED "-1\r\n");
	refuses(CHUNKED "\r\n");
	refuses(CHUNKED "1000001\r\n");
	refuses(CHUNKED "fffffffff\r\n");
	refuses(CHUNKED "0\r\nT: x\r\n");
}

/* Without end, in each of the three forms. */
static enum reply_state
flood(const char *head, const char *piece)
{
	enum reply_state	 s;
	struct reply		 r;
	size_t			 at, n, room, total = 0;
	char			*p;

	reply_init(&r);
	p = reply_space(&r, &room);
	assert_non_null(p);
	memcpy(p, head, strlen(head));
	s = reply_got(&r, strlen(head));
	while (s == REPLY_MORE && total < 4 * (size_t)REPLY_BODY_MAX) {
		p = reply_space(&r, &room);
		assert_non_null(p);
		n = strlen(piece);
		for (at = 0; at + n <= room && at < 60000; at += n)
			memcpy(p + at, piece, n);
		total += at;
		s = reply_got(&r, at);
	}
	assert_true(r.size < 2 * (size_t)REPLY_BODY_MAX);
	reply_free(&r);
	return (s);
}

static void
test_bounded(void **state)
{
	(void)state;
	assert_int_equal(flood("", "x"), REPLY_BAD);
	assert_int_equal(flood("HTTP/1.1 200 OK\r\n", "a: b\r\n"), REPLY_BAD);
	assert_int_equal(flood("HTTP/1.1 200 OK\r\n\r\n", "x"), REPLY_BAD);
	assert_int_equal(flood(CHUNKED, "8\r\n01234567\r\n"), REPLY_BAD);
	assert_int_equal(flood(CHUNKED "0\r\n", "a: b\r\n"), REPLY_BAD);
	assert_int_equal(flood(CHUNKED, "0"), REPLY_BAD);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_takes),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_bounded)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
