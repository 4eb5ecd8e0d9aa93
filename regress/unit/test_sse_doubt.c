/*
 * What other readers of a stream could take for the response: in an array, or
 * behind what ends a line for them.  It is reported before it can have
 * passed, however the bytes arrive, and text in strings is left alone.
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
#define NOTE	"data: {\"method\":\"x\",\"params\":{\"t\":\"e\"}}\n\n"
#define LS	"\xe2\x80\xa8"
#define PS	"\xe2\x80\xa9"
#define NEL	"\xc2\x85"
#define FAR	"                                                        "

/* Where the first report comes when the text arrives in two pieces. */
static size_t
find(const char *text, size_t len, size_t cut)
{
	struct sse	*s = sse_new();
	size_t		 n, at = SIZE_MAX;
	char		*piece;
	int		 response;

	assert_non_null(s);
	piece = malloc(len + 1);
	assert_non_null(piece);
	memcpy(piece, text, cut);
	n = sse_feed(s, (struct slice){ piece, cut }, &response);
	if (response)
		at = n;
	else {
		memcpy(piece, text + cut, len - cut);
		n = sse_feed(s, (struct slice){ piece, len - cut },
		    &response);
		if (response)
			at = cut + n;
	}
	free(piece);
	sse_free(s);
	return (at);
}

/* It must come by the '@', which is not part of the text. */
static void
run(const char *pattern)
{
	const char	*mark = strchr(pattern, '@');
	size_t		 len = strlen(pattern), by = SIZE_MAX, cut, got;
	char		*text = malloc(len + 1);

	assert_non_null(text);
	strcpy(text, pattern);
	if (mark != NULL) {
		by = (size_t)(mark - pattern);
		memmove(text + by, text + by + 1, len-- - by);
	}
	for (cut = 0; cut <= len; cut++) {
		got = find(text, len, cut);
		if (mark == NULL ? got != SIZE_MAX : got > by)
			fail_msg("%zd instead of %zd (cut at %zu) in:\n%s",
			    (ssize_t)got, (ssize_t)by, cut, text);
	}
	free(text);
}

static void
test_arrays(void **state)
{
	static const char *const t[] = {
		"data: [" RESULT "]\n@\n",
		"data: [{\"method\":\"x\"}," RESULT "]\n@\n",
		"data: [{\"a\":[1]},{\"id\":1,\"error\":{}}]\n@\n",
		"data: [[" RESULT "]]\n@\n", NOTE "data:[\ndata:" RESULT
		    "\ndata:]\n@\n",
		/* not there */
		"data: [\"result\",1]\n\n", "data: {\"a\":[" RESULT "]}\n\n",
		"data: [{\"a\":\"result\"},\"error\"]\n\n",
		"data: [1,[{\"a\":{\"result\":1}}]]\n\n"
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < N(t); i++)
		run(t[i]);
}

/* Names, as some readers fold them. */
static void
test_case(void **state)
{
	static const char *const t[] = {
		"data: {\"Result\":1}\n@\n", "data: {\"ERROR\":1}\n@\n",
		NOTE "data: {\"a\":1,\"re\xc5\xbfULT\":1}\n@\n",
		"data: {\"\\u0052esult\":1}\n@\n",
		"data: {\"" FAR "\":1,\"re\\u017fult\":1}\n@\n",
		"data: {\"\\u0045\\u0052\\u0052or\":1}\n@\n",
		/* no others */
		"data: {\"Results\":1}\n\n", "data: {\"Resul\":1}\n\n",
		"data: {\"re\xc5\xbful\":1}\n\n",
		"data: {\"re\xc5\xbfults\":1}\n\n",
		"data: {\"re\xc5\xbeult\":1}\n\n",
		"data: {\"error\xc5\":1}\n\n",
		"data: {\"re\\u017eult\":1}\n\n",
		"data: {\"rezult\":1,\"ERRO\":1}\n\n"
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < N(t); i++)
		run(t[i]);
}

/* Some readers take every line of data for itself. */
static void
test_line(void **state)
{
	static const struct {
		const char	*text;
		int		 want;
	} t[] = {
		{ "data: " RESULT "\n", 1 }, { "data: [" RESULT "]\r\n", 1 },
		{ "data: " RESULT "\nid: 1\n", 1 }, { "data: " RESULT, 0 },
		{ "data: " RESULT "\n\n", 0 }, { "", 0 },
		{ "data: {\"result\":\n", 0 },
		{ "data: {\"result\":\ndata: 1}\n", 1 },
		{ "data: {\"a\":{\"result\":1}}\n", 0 },
		{ "id: " RESULT "\n", 0 },
		{ "data: " RESULT "\ndata: {\n", 1 },
		{ "data: {\"a\":{\ndata: " RESULT "\n", 1 },
		{ "data: [\ndata: \t{\"a\":\n", 1 },
		{ "data: {\ndata: \"a\":1,\ndata: \"b\":[2]\n", 0 },
		{ "data: {\"method\":\"x\"}\ndata: {\"a\"", 0 },
		/* or forget what came before, in text to us */
		{ "data: {\"a\":\"\ndata: ", 1 },
		{ "\xef\xbb\xbf" "data: {\"a\":\"\\\r\ndata: " RESULT "\r\n",
		    1 },
		{ "data: {\"a\":\"b\\\"\"\n", 0 },
		/* some know the name of a field by another */
		{ "\xc3\xaf\xc2\xbb\xc2\xbf" "data: " RESULT "\n\n", 1 },
		{ "\xef\xbb" "data: " RESULT "\n\n", 1 },
		{ "Data: " RESULT "\n\n", 1 }, { " data: " RESULT "\n\n", 1 },
		{ "data : " RESULT "\n\n", 1 }, { "datas: " RESULT "\n\n", 1 },
		{ ": " RESULT "\n\n", 0 }, { "event: " RESULT "\n\n", 0 },
		{ "retry: " RESULT "\n:data: " RESULT "\n\n", 0 },
		{ "dat\nda\nevent\n" RESULT, 1 },
		/* and know no end of a line but LF */
		{ "data: {\"a\"\r:1,\"result\":{}}\n\n", 1 },
		{ "data: {\"a\" \r\r\r:1,\"result\":{}}\n\n", 1 },
		{ "data: {\"a\":1\r,\"result\":{}}\n\n", 1 },
		{ "data: {\"a\":1,\r\"result\":{}}\n\n", 1 },
		{ "data: {\"a\":1}\r: " RESULT "\r\r:" RESULT "\n\n", 0 },
		{ "data: [\"a\"]\r: " RESULT "\r\r:" RESULT "\n\n", 0 },
		{ "data: {\"a\"\r\n:1,\"result\":{}}\r\n", 0 },
		{ "data: {\"a\"\r\r\n:1,\"result\":{}}\r\n", 0 }
	};
	struct sse	*s;
	struct slice	 in, piece;
	size_t		 i, n, by;
	int		 response;

	(void)state;
	for (i = 0; i < N(t); i++)
		for (by = 1; by < 99; by += 97) {
			s = sse_new();
			assert_non_null(s);
			for (in = slice_of(t[i].text); in.len > 0;) {
				piece = in;
				if (piece.len > by)
					piece.len = by;
				n = sse_feed(s, piece, &response);
				in.p += n;
				in.len -= n;
			}
			if (sse_answered(s) != t[i].want)
				fail_msg("%s", t[i].text);
			sse_free(s);
		}
}

static void
test_ends_of_lines(void **state)
{
	static const char *const ends[] = { "\v", "\f", "\x1c", "\x1d",
	    "\x1e", NEL, "\x85", LS, PS };
	static const char *const before[] = { "", NOTE, NOTE FAR "\n\n",
	    "data: {\"a\":1,\n", ": \xe2\x80\xe2\x80" };
	static const char *const places[] = { ": x", "event: x", "x", "id:",
	    "data: ", "data: {\"a\":1}", "data: {\"a\":\"b\"", "data:",
	    "dat", "", ": " FAR FAR, "data: {\"a\":\"" FAR "\" " };
	char		 text[1024];
	size_t		 i, j, k;

	(void)state;
	for (i = 0; i < N(ends); i++)
		for (j = 0; j < N(places); j++)
			for (k = 0; k < N(before); k++) {
				snprintf(text, sizeof(text), "%s%s%s@data: "
				    RESULT "%s%s", before[k], places[j],
				    ends[i], ends[i], ends[i]);
				run(text);
			}
}

/* Servers write them raw in the strings of notifications. */
static void
test_text(void **state)
{
	static const char *const t[] = {
		"data: {\"t\":\"a" LS "b" PS NEL "c\"}\n\n",
		"data: {\"t\":\"" LS LS "\" , \"u\":[\"" PS "\"]}\n\n" NOTE,
		"data: {\"t\":[\"\\\"" LS "\\\"\",1.5e3,true,null]}\n\n",
		"data: {\"t" LS "\":{\"" NEL "\":false}}\n\n",
		NOTE "data: {\"" FAR LS FAR "\":\"" FAR PS "\"}\n\n" NOTE,
		": caf\xc3\xa9 \xe2\x80\x99 \xe2\x82\xac\n\n",
		"data: {\"t\":\"\xe2\x80\"}\n\xa8\n\n"
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < N(t); i++)
		run(t[i]);
}

/* What is a string here is a message there. */
static void
test_no_text(void **state)
{
	static const char *const t[] = {
		"data: \"" LS LS "data: {\"j@sonrpc\":\"2.0\",\"result\":1}"
		    LS LS "\n\n",
		"data: {\"a\":\"" NEL NEL "data: {\"\":\"\",\"r@esult\":1}"
		    NEL NEL "\n\n",
		"data: [\"" PS "data: [{ \":\":\":\",\"r@esult\":1}]" PS PS,
		"data: {\"t\":\"" LS LS "\ndata: {\"i@d\":1,\"result\":1}\n\n"
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < N(t); i++)
		run(t[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_ends_of_lines),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_no_text)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
