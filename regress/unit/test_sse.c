/*
 * Watching an event stream: the event that carries the response is found,
 * right before its empty line, whatever ends the lines and however the bytes
 * arrive; nothing else is taken for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/wire/sse.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))
#define RESULT	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"
#define NONE	SIZE_MAX

/* Feed [from, to) in memory of exactly that size; where the response is. */
static size_t
feed(struct sse *s, const char *text, size_t from, size_t to)
{
	char	*p = malloc(to > from ? to - from : 1);
	size_t	 n;
	int	 response = 7;

	assert_non_null(p);
	memcpy(p, text + from, to - from);
	n = sse_feed(s, (struct slice){ p, to - from }, &response);
	free(p);
	if (response == 0)
		assert_int_equal(n, to - from);
	else {
		assert_int_equal(response, 1);
		assert_true(n < to - from);
	}
	return (response ? from + n : NONE);
}

/* The first response of a text of which first bytes come at once, and then
 * by bytes each time. */
static size_t
find(const char *text, size_t len, size_t first, size_t by)
{
	struct sse	*s = sse_new();
	size_t		 at = 0, n = first, where = NONE;

	assert_non_null(s);
	while (at < len && where == NONE) {
		if (n > len - at)
			n = len - at;
		where = feed(s, text, at, at + n);
		at += n;
		n = by;
	}
	sse_free(s);
	return (where);
}

static void
find_all_ways(const char *text, size_t len, size_t want)
{
	size_t	 i, got;

	for (i = 0; i <= len; i++) {
		got = find(text, len, i, i == 0 ? 1 : len);
		if (got != want)
			fail_msg("found at %zd, expected %zd (pieces %zu) "
			    "in:\n%s", (ssize_t)got, (ssize_t)want, i, text);
	}
}

/*
 * In the text "|" stands for the end of a line and "@" for the same where the
 * response must be found: expand it for each of the three ends of lines.
 */
static void
run(const char *pattern)
{
	static const char *const ends[] = { "\n", "\r", "\r\n" };
	const char	*p;
	char		*text = malloc(2 * strlen(pattern) + 1), *q;
	size_t		 i, want;

	assert_non_null(text);
	for (i = 0; i < N(ends); i++) {
		want = NONE;
		q = text;
		for (p = pattern; *p != '\0'; p++) {
			if (*p == '@')
				want = (size_t)(q - text);
			if (*p == '@' || *p == '|')
				q = stpcpy(q, ends[i]);
			else
				*q++ = *p;
		}
		*q = '\0';
		find_all_ways(text, (size_t)(q - text), want);
	}
	free(text);
}

static void
test_found(void **state)
{
	static const char *const t[] = {
		"data: " RESULT "|@",
		"data:" RESULT "|@",
		"data:  \t" RESULT "  |@",
		"||data: " RESULT "|@|",
		"data: " RESULT "|@data: " RESULT "||",
		"event: message|id: 7|data: " RESULT "|retry: 5|@",
		":|: comment||data: " RESULT "|: other|@",
		"data: {\"method\":\"x\"}||data: " RESULT "|@",
		"data: {\"id\":1,\"error\":{\"method\":\"x\"}}|@",
		/* whatever else it claims to be: the line comes first */
		"data: {\"method\":\"x\",\"result\":{}}|@",
		"data: {\"result\":{},\"method\":\"x\"}|@",
		"data: {\"result\":{\"method\":1},\"id\":\"method\"}|@",
		"data: {\"id\":\"\\\"method\\\\\",\"result\":null}|@",
		/* one message on several lines */
		"data: {\"jsonrpc\":\"2.0\",|data: \"id\":1,|"
		    "data: \"result\":{}}|@",
		"data|data: " RESULT "|@",
		"data:|data: " RESULT "|data|data:|@",
		"data: {|: comment|data: \"result\"|id: 1|data: :1|"
		    "data: }|@",
		/* spelled otherwise, it is the same name */
		"data: {\"id\":1,\"r\\u0065sult\":{}}|@",
		"data: {\"id\":1,\"\\u0065\\u0072\\u0072\\u006f\\u0072\":{}}|@",
		"data: {\"id\":1,\"resul\\u0074\":{}}|@",
		"data: {\"m\\u0065th\":1,\"result\":{}}|@",
		/* a byte order mark before the first line */
		"\xef\xbb\xbf" "data: " RESULT "|@",
		"\xef\xbb\xbf: x||data: " RESULT "|@"
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < N(t); i++)
		run(t[i]);
}

static void
test_not_found(void **state)
{
	static const char *const t[] = {
		"", "|", "||||", ": " RESULT "||", RESULT "||",
		"data||", "data:||", "data: ||", "id: " RESULT "||",
		"event: " RESULT "||", "Data: " RESULT "||",
		"data : " RESULT "||", " data: " RESULT "||",
		"dat: " RESULT "||", "datas: " RESULT "||",
		"xdata: " RESULT "||", ":data: " RESULT "||",
		/* the event has not ended */
		"data: " RESULT, "data: " RESULT "|",
		"data: " RESULT "|: x|", "data: " RESULT "|data: |",
		/* requests and notifications of the upstream */
		"data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}||",
		"data: {\"id\":1,\"method\":\"x\",\"params\":"
		    "{\"result\":{},\"error\":1}}||",
		/* names elsewhere, and what is no name */
		"data: {\"a\":{\"result\":1}}||",
		"data: {\"a\":[{\"result\":1}],\"b\":{\"error\":1}}||",
		"data: {\"a\":\"result\"}||",
		"data: {\"a\":[\"x\",\"result\",\"error\"]}||",
		"data: {\"a\":[1,\"result\"],\"b\":\"error\"}||",
		"data: {\"a\":\"\\\",\\\"result\\\":1\"}||",
		"data: {\"a\":\"{\\\"result\\\":1}\",\"b\":\"\\\\\"}||",
		"data: {\"a\":{\"b\":1,\"result\":2},\"c\":\"result\"}||",
		"data: {\"results\":1}||",
		"data: {\"result \":1}||", "data: {\"resul\":1}||",
		"data: {\"\":1}||", "data: {\"result\\u0000\":1}||",
		"data: {\"r\\\\u0065sult\":1}||", "data: {\"\\result\":1}||",
		"data: {\"resultresultresultresult\":1}||",
		"data: \"result\"||", "data: [\"result\",1]||",
		"data: result||", "data: {}||",
		/* two events do not add up */
		"data: {\"a\":1,||data: \"result\":1}||",
		"data: {\"a||data: \":1,\"result\":1}||",
		/* a byte order mark elsewhere is no part of a field's name */
		"|\xef\xbb\xbf" "data: " RESULT "||",
		"\xef\xbb\xbf\xef\xbb\xbf" "data: " RESULT "||",
		"\xef\xbb" "data: " RESULT "||",
		"\xef|\xbb\xbf" "data: " RESULT "||"
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < N(t); i++)
		run(t[i]);
}

/* The ends of lines may differ from line to line. */
static void
test_mixed_ends(void **state)
{
	static const struct {
		const char	*text;
		size_t		 back;	/* bytes from the response's end */
	} t[] = {
		{ "data: " RESULT "\r\n\r", 1 },
		{ "data: " RESULT "\r\n\n", 1 },
		{ "data: " RESULT "\n\r", 1 },
		{ "data: " RESULT "\n\r\n", 2 },
		{ "data: " RESULT "\r\r\n", 2 },
		{ "data: 1\r\ndata:\n\rdata: " RESULT "\r\n\r\n", 2 },
		{ ":\r\r\n\ndata: " RESULT "\r\r", 1 }
	};
	size_t	 i, len;

	(void)state;
	for (i = 0; i < N(t); i++) {
		len = strlen(t[i].text);
		find_all_ways(t[i].text, len, len - t[i].back);
	}
	/* CRLF is one end of a line, not two */
	find_all_ways("data: " RESULT "\r\n", strlen("data: " RESULT "\r\n"),
	    NONE);
	find_all_ways("data: " RESULT "\r\n:", strlen("data: " RESULT "\r\n:"),
	    NONE);
}

/* Going on where the last call stopped finds the next response. */
static void
test_go_on(void **state)
{
	static const char *const ends[] = { "\n", "\r", "\r\n" };
	struct sse	*s;
	char		 text[512], *p;
	size_t		 i, k, len, at, n, want[3];

	(void)state;
	for (i = 0; i < N(ends); i++) {
		s = sse_new();
		assert_non_null(s);
		p = text;
		for (k = 0; k < N(want); k++) {
			p = stpcpy(stpcpy(p, "data: {\"method\":1}"), ends[i]);
			p = stpcpy(stpcpy(p, ends[i]), "data: " RESULT);
			p = stpcpy(p, ends[i]);
			want[k] = (size_t)(p - text);
			p = stpcpy(p, ends[i]);
		}
		len = (size_t)(p - text);
		for (at = 0, k = 0; k < N(want); k++) {
			n = feed(s, text, at, len);
			assert_int_equal(n, want[k]);
			at = n;
		}
		assert_true(feed(s, text, at, len) == NONE);
		assert_int_equal(sse_at_boundary(s), 1);
		sse_free(s);
	}
}

static void
test_boundary(void **state)
{
	static const struct {
		const char	*text;
		int		 want;
	} t[] = {
		{ "", 1 }, { "d", 0 }, { "data: 1", 0 }, { "data: 1\n", 0 },
		{ "data: 1\r\n", 0 }, { "data: 1\n\n", 1 },
		{ "data: 1\r\r", 1 }, { "data: 1\r\n\r\n", 1 },
		{ "data: 1\n\n:", 0 }, { "data: 1\n\n: x\n", 1 },
		{ "data: 1\n: x\n", 0 }, { ": x\ndata: 1\n", 0 },
		{ ": x\r\n: y\r\n", 1 }, { ": x", 0 },
		{ "data: 1\r\n\r", 0 }, { "data: 1\r\n:\r", 0 },
		{ ": x\n\n", 1 }, { "\n", 1 }, { "\r\n", 1 },
		{ "id: 1\n\ni", 0 }, { "data: 1\n\n\n", 1 },
		{ "\xef", 0 }, { "\xef\n", 0 },
		{ "\xef\xbb\xbf", 1 }, { "\xef\xbb\xbf\n", 1 },
		{ "\xef\xbb\xbf:", 0 }
	};
	struct sse	*s;
	size_t		 i, k, len;

	(void)state;
	for (i = 0; i < N(t); i++) {
		len = strlen(t[i].text);
		for (k = 0; k <= len; k++) {
			s = sse_new();
			assert_non_null(s);
			feed(s, t[i].text, 0, k);
			feed(s, t[i].text, k, len);
			if (sse_at_boundary(s) != t[i].want)
				fail_msg("%d for:\n%s", !t[i].want,
				    t[i].text);
			sse_free(s);
		}
	}
	sse_free(NULL);
}

/* A byte order mark behind a comment of ours is dropped, however it comes;
 * one that is where it may be, or elsewhere, is not. */
static void
test_late_mark(void **state)
{
	static const struct {
		const char	*text;
		size_t		 drop;
	} t[] = {
		{ "\xef\xbb\xbf" "data: " RESULT "\n\n", 3 },
		{ "\xef\xbb\xbf\xef\xbb\xbf", 3 },
		{ "data: \xef\xbb\xbf\n\n", 0 },
		{ "\n\xef\xbb\xbf", 0 },
		{ "\xef\xbb" "data: 1\n\n", 0 },
		{ "\xef\xef\xbb\xbf", 0 },
		{ "", 0 }
	};
	struct sse	*s;
	struct slice	 in, owed;
	size_t		 i, k, len, n;
	int		 response, comment;

	(void)state;
	for (i = 0; i < N(t) * 2; i++) {
		comment = i % 2;
		len = strlen(t[i / 2].text);
		for (k = 0; k <= len; k++) {
			s = sse_new();
			assert_non_null(s);
			if (comment)
				sse_inserted(s);
			in = (struct slice){ t[i / 2].text, k };
			n = sse_late_mark(s, in, &owed);
			assert_int_equal(owed.len, 0);
			in.p += n;
			in.len -= n;
			sse_feed(s, in, &response);
			in = (struct slice){ t[i / 2].text + k, len - k };
			n += sse_late_mark(s, in, &owed);
			assert_true(owed.len == 0 || (owed.len <= n &&
			    memcmp(owed.p, t[i / 2].text, owed.len) == 0));
			n -= owed.len;
			/* a part may wait for the rest for ever */
			if (k == len && n < 3)
				n = 0;
			assert_int_equal(n, comment ? t[i / 2].drop : 0);
			sse_free(s);
		}
	}
	/* later comments change nothing */
	s = sse_new();
	assert_non_null(s);
	sse_feed(s, slice_of("data: 1\n\n"), &response);
	sse_inserted(s);
	assert_int_equal(sse_late_mark(s, slice_of("\xef\xbb\xbf"), &owed),
	    0);
	/* what stands behind a dropped mark is a line like any other */
	sse_free(s);
	s = sse_new();
	assert_non_null(s);
	sse_inserted(s);
	in = slice_of("\xef\xbb\xbf" "data: " RESULT "\n\n");
	in.p += sse_late_mark(s, in, &owed);
	in.len -= 3;
	sse_feed(s, in, &response);
	assert_int_equal(response, 1);
	sse_free(s);
}

/* An event of any size, its result behind or before what is huge. */
static void
test_huge(void **state)
{
	static const char *const t[][2] = {
		{ "data: {\"a\":\"", "\",\"result\":{}}\n" },
		{ "data: {\"result\":\"", "\"}\n" },
		{ "data: {\"", "\":1,\"error\":{}}\n" },
		{ ": ", "\ndata: " RESULT "\n" },
		{ "data: {\"a\":{\"b\":\"", "\"},\"result\":{}}\r\n" }
	};
	const size_t	 size = 5 * 64 * 1024 + 3;
	char		*text = malloc(size + 256), *p;
	size_t		 i, len;

	(void)state;
	assert_non_null(text);
	for (i = 0; i < N(t); i++) {
		p = stpcpy(text, t[i][0]);
		memset(p, 'x', size);
		p = stpcpy(p + size, t[i][1]);
		len = (size_t)(p - text);
		strcpy(p, "\n\n");
		assert_int_equal(find(text, len + 2, len + 2, 1), len);
		assert_int_equal(find(text, len + 2, 1, 1), len);
		assert_int_equal(find(text, len + 2, 11, 4096), len);
		assert_true(find(text, len, len, 1) == NONE);
	}
	/* deep nesting, and lines without number */
	p = stpcpy(text, "data: {\"a\":");
	memset(p, '[', size / 2);
	memset(p + size / 2, ']', size / 2);
	p = stpcpy(p + size / 2 * 2, ",\"result\":1}\n");
	strcpy(p, "\n");
	len = (size_t)(p - text);
	assert_int_equal(find(text, len + 1, len + 1, 1), len);
	for (p = text; p < text + size; p += 6)
		memcpy(p, "data:\n", 6);
	p = stpcpy(p, "data: " RESULT "\n");
	strcpy(p, "\n");
	len = (size_t)(p - text);
	assert_int_equal(find(text, len + 1, len + 1, 1), len);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_mixed_ends),
		cmocka_unit_test(test_go_on),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_late_mark),
		cmocka_unit_test(test_huge)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
