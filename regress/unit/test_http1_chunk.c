/*
 * The chunked coding: what it decodes to, what is refused, its limits, and
 * that neither depends on how the bytes arrive.
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

#define N(a)	(sizeof(a) / sizeof((a)[0]))
#define T(s)	s, sizeof(s) - 1

static char *
dup_exactly(const char *p, size_t len)
{
	char	*q = malloc(len > 0 ? len : 1);

	assert_non_null(q);
	memcpy(q, p, len);
	return (q);
}

/* A chunked body from two pieces, or byte by byte. */
struct decoded {
	enum http1_more	 more;
	size_t		 used;
	size_t		 len;
	char		 data[256];
};

static void
decode_piece(struct http1_chunk *c, const char *text, size_t len,
    struct decoded *d)
{
	struct slice	 data;
	const char	*why;
	char		*in = dup_exactly(text, len);
	size_t		 used, at = 0;

	while (at < len && d->more == HTTP1_MORE) {
		d->more = http1_chunk_decode(c, in + at, len - at, &used,
		    &data, &why);
		assert_true(used > 0 && used <= len - at);
		assert_true(data.len == 0 || (data.p >= in + at &&
		    data.p + data.len <= in + at + used));
		assert_true(d->len + data.len <= sizeof(d->data));
		memcpy(d->data + d->len, data.p, data.len);
		d->len += data.len;
		at += used;
	}
	d->used += at;
	free(in);
}

static void
decode(const char *text, size_t len, size_t first, size_t by,
    struct decoded *d)
{
	struct http1_chunk	 c;
	size_t			 at = 0, n = first;

	memset(&c, 0, sizeof(c));
	memset(d, 0, sizeof(*d));
	while (at < len && d->more == HTTP1_MORE) {
		if (n > len - at)
			n = len - at;
		decode_piece(&c, text + at, n, d);
		at += n;
		n = by;
	}
}

static void
test_chunked(void **state)
{
	static const struct {
		const char	*text;
		size_t		 len;
		const char	*want;	/* NULL: refused */
		size_t		 rest;	/* bytes that are not the body's */
	} t[] = {
		{ T("0\r\n\r\n"), "", 0 },
		{ T("000\r\n\r\nGET"), "", 3 },
		{ T("5\r\nhello\r\n0\r\n\r\n"), "hello", 0 },
		{ T("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n\r\n"), "hello!", 2 },
		{ T("0000000000005\r\nhello\r\n0\r\n\r\n"), "hello", 0 },
		{ T("a\r\n0123456789\r\nA\r\n0\r\n\r\n56789\r\n0\r\n\r\n"),
		    "01234567890\r\n\r\n56789", 0 },
		{ T("1;a=b\r\nx\r\n0;c=\"d;\"\r\n\r\n"), "x", 0 },
		{ T("1;\r\nx\r\n0\r\n\r\n"), "x", 0 },
		{ T("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n"), "x", 0 },
		{ T("1\r\nx\r\n0\r\nA:\tb \x80\r\n\r\nA"), "x", 1 },
		/* sizes */
		{ T("\r\n\r\n"), NULL, 0 }, { T(";a\r\n\r\n"), NULL, 0 },
		{ T("g\r\n"), NULL, 0 }, { T("0x1\r\nx\r\n"), NULL, 0 },
		{ T("+1\r\nx\r\n"), NULL, 0 }, { T("-1\r\nx\r\n"), NULL, 0 },
		{ T(" 1\r\nx\r\n"), NULL, 0 }, { T("1 \r\nx\r\n"), NULL, 0 },
		{ T("1 ;a\r\nx\r\n"), NULL, 0 },
		{ T("1\t\r\nx\r\n"), NULL, 0 },
		{ T("1,\r\nx\r\n"), NULL, 0 }, { T("1.\r\nx\r\n"), NULL, 0 },
		{ T("00000000000005\r\nhello\r\n"), NULL, 0 },
		{ T("20000000000001\r\n"), NULL, 0 },
		{ T("ffffffffffffffff\r\n"), NULL, 0 },
		{ T("10000000000000000\r\n\r\n"), NULL, 0 },
		{ T("100000000000000000000000000000005\r\n"), NULL, 0 },
		/* ends of lines */
		{ T("1\nx\r\n0\r\n\r\n"), NULL, 0 },
		{ T("1\rx\r\n0\r\n\r\n"), NULL, 0 },
		{ T("1\r\r\nx\r\n"), NULL, 0 },
		{ T("1\r\nx\n0\r\n\r\n"), NULL, 0 },
		{ T("1\r\nx\r0\r\n\r\n"), NULL, 0 },
		{ T("1\r\nxy\r\n0\r\n\r\n"), NULL, 0 },
		{ T("2\r\nx\r\n0\r\n\r\n"), NULL, 0 },
		{ T("1\r\nx0\r\n\r\n"), NULL, 0 },
		{ T("1\r\nx\r\n\r\n0\r\n\r\n"), NULL, 0 },
		{ T("0\n\r\n"), NULL, 0 }, { T("0\r\n\n"), NULL, 0 },
		{ T("0\r\n\rX"), NULL, 0 },
		/* extensions */
		{ T("1;a\nx\r\n"), NULL, 0 }, { T("1;a\rb\r\nx\r\n"), NULL, 0 },
		{ T("1;a\0\r\nx\r\n"), NULL, 0 },
		{ T("1;a\x7f\r\nx\r\n"), NULL, 0 },
		/* trailers */
		{ T("0\r\nGET / HTTP/1.1\r\n\r\n"), NULL, 0 },
		{ T("0\r\nX\r\n\r\n"), NULL, 0 },
		{ T("0\r\n: x\r\n\r\n"), NULL, 0 },
		{ T("0\r\nA : x\r\n\r\n"), NULL, 0 },
		{ T("0\r\n A: x\r\n\r\n"), NULL, 0 },
		{ T("0\r\nA: x\r\n y\r\n\r\n"), NULL, 0 },
		{ T("0\r\nA: x\n\r\n"), NULL, 0 },
		{ T("0\r\nA: x\ry\r\n\r\n"), NULL, 0 },
		{ T("0\r\nA: x\0\r\n\r\n"), NULL, 0 },
		{ T("0\r\n0\r\n\r\n"), NULL, 0 },
	};
	struct decoded	 whole, d;
	size_t		 i, k;

	(void)state;
	for (i = 0; i < N(t); i++) {
		decode(t[i].text, t[i].len, t[i].len, 1, &whole);
		if (whole.more != (t[i].want != NULL ? HTTP1_DONE :
		    HTTP1_BAD))
			fail_msg("%d for:\n%s", whole.more, t[i].text);
		if (t[i].want != NULL && (whole.len != strlen(t[i].want) ||
		    memcmp(whole.data, t[i].want, whole.len) != 0 ||
		    whole.used != t[i].len - t[i].rest))
			fail_msg("%zu used, %zu bytes '%.*s' for:\n%s",
			    whole.used, whole.len, (int)whole.len, whole.data,
			    t[i].text);
		for (k = 0; k <= t[i].len; k++) {
			/* k is 0: byte by byte */
			decode(t[i].text, t[i].len, k, k == 0 ? 1 : t[i].len,
			    &d);
			if (d.more != whole.more || d.len != whole.len ||
			    memcmp(d.data, whole.data, d.len) != 0 ||
			    d.used != whole.used)
				fail_msg("pieces matter (%zu) for:\n%s", k,
				    t[i].text);
		}
	}
}

/* The largest size is understood; extensions and trailers have a limit. */
static void
test_chunked_limits(void **state)
{
	struct http1_chunk	 c;
	struct decoded		 d;
	struct slice		 data;
	const char		*why;
	char			*text;
	size_t			 used, n, i, len;
	int			 kind;

	(void)state;
	memset(&c, 0, sizeof(c));
	assert_int_equal(http1_chunk_decode(&c, T("fffffffffffff\r\n"), &used,
	    &data, &why), HTTP1_MORE);
	assert_true(c.left == 0xfffffffffffffULL);
	for (kind = 0; kind < 3; kind++)
		for (n = 16380; n <= 16390; n++) {
			text = malloc(n + 64);
			assert_non_null(text);
			strcpy(text, kind == 0 ? "0;" : kind == 1 ?
			    "0\r\nA:" : "0;123456789\r\nA:");
			len = strlen(text);
			for (i = 0; i < n; i++)
				text[len++] = 'a';
			memcpy(text + len, "\r\n\r\n", 4);
			decode(text, len + 4, len + 4, 1, &d);
			/* "A:", CR LF CR LF; or CR of an extension */
			i = kind == 0 ? n + 1 + 2 : kind == 1 ? n + 6 :
			    n + 10 + 6;
			if (d.more != (i <= 16384 ? HTTP1_DONE : HTTP1_BAD))
				fail_msg("%d %zu: %d", kind, n, d.more);
			free(text);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_chunked_limits)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
