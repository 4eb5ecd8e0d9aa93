/*
 * What is taken from servers and not from clients: chunk sizes filled up to a
 * width.  Only where it stays clear, and only so much of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/wire/http1.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

/* The data, or NULL when it is refused or never ends; in pieces of by. */
static const char *
decode(const char *text, int lax, size_t by)
{
	static char		 out[64];
	struct http1_chunk	 c = { .lax = lax };
	enum http1_more		 more = HTTP1_MORE;
	struct slice		 data;
	const char		*why = NULL;
	size_t			 at = 0, n = 0, used, len = strlen(text);

	while (at < len && more == HTTP1_MORE) {
		more = http1_chunk_decode(&c, text + at,
		    len - at < by ? len - at : by, &used, &data, &why);
		assert_true(n + data.len < sizeof(out));
		if (data.len > 0)
			memcpy(out + n, data.p, data.len);
		n += data.len;
		at += used;
	}
	out[n] = '\0';
	return (more == HTTP1_DONE ? out : NULL);
}

static void
test_padded(void **state)
{
	static const struct {
		const char	*text;
		const char	*lax;
		int		 strict;	/* taken from clients, too */
	} t[] = {
		{ "5\r\nhello\r\n0\r\n\r\n", "hello", 1 },
		{ "5   \r\nhello\r\n0\r\n\r\n", "hello", 0 },
		{ "5 \t;a=b\r\nhello\r\n0 \r\n\r\n", "hello", 0 },
		{ "00000000000000000005\r\nhello\r\n"
		    "00000000000000000000\r\n\r\n", "hello", 0 },
		{ "0000000a     \r\n0123456789\r\n0\r\n\r\n", "0123456789",
		    0 },
		/* and no more than that */
		{ " 5\r\nhello\r\n0\r\n\r\n", NULL, 0 },
		{ "\t5\r\nhello\r\n0\r\n\r\n", NULL, 0 },
		{ "5 5\r\nhello\r\n0\r\n\r\n", NULL, 0 },
		{ "5 \nhello\r\n0\r\n\r\n", NULL, 0 },
		{ "5 x\r\nhello\r\n0\r\n\r\n", NULL, 0 },
		{ "   \r\nhello\r\n0\r\n\r\n", NULL, 0 },
		{ "0x5\r\nhello\r\n0\r\n\r\n", NULL, 0 },
		{ "00010000000000000\r\n", NULL, 0 },
		{ "5\v\r\nhello\r\n0\r\n\r\n", NULL, 0 }
	};
	const char	*got;
	size_t		 i, by;

	(void)state;
	for (i = 0; i < N(t); i++)
		for (by = 1; by < 40; by += 13) {
			got = decode(t[i].text, 1, by);
			if ((got == NULL) != (t[i].lax == NULL) ||
			    (got != NULL && strcmp(got, t[i].lax) != 0))
				fail_msg("%s for:\n%s", got, t[i].text);
			got = decode(t[i].text, 0, by);
			if ((got != NULL) != t[i].strict)
				fail_msg("strict: %s for:\n%s", got,
				    t[i].text);
		}
}

static void
test_limit(void **state)
{
	static const char *const fills[] = { "00000000", "        " };
	char	*text = malloc(200000), *p;
	size_t	 i, k, n;

	(void)state;
	assert_non_null(text);
	for (i = 0; i < N(fills); i++)
		for (n = 16000; n <= 17000; n += 1000) {
			p = text;
			if (fills[i][0] == ' ')
				*p++ = '1';
			for (k = 0; k < n / 8; k++)
				p = stpcpy(p, fills[i]);
			stpcpy(p, fills[i][0] == ' ' ? "\r\nx\r\n0\r\n\r\n" :
			    "1\r\nx\r\n0\r\n\r\n");
			if ((decode(text, 1, SIZE_MAX) != NULL) != (n < 16384))
				fail_msg("%zu of '%c'", n, fills[i][0]);
		}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_padded),
		cmocka_unit_test(test_limit)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
