/*
 * worker/wire/http1.h: what can become no request is known before its head ends,
 * and what can is never refused for being incomplete.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/wire/http1.h"

/* The first number of bytes at which it is refused, or 0. */
static size_t
refused_at(const char *text, size_t len)
{
	struct http1_scan	 s;
	const char		*why = NULL;
	char			*copy;
	size_t			 n;
	int			 status;

	memset(&s, 0, sizeof(s));
	for (n = 1; n <= len; n++) {
		/* at the end of an allocation: sanitizers see beyond it */
		assert_non_null(copy = malloc(n));
		memcpy(copy, text, n);
		status = http1_begins(&s, copy, n, &why);
		free(copy);
		if (status == 0)
			continue;
		assert_int_equal(status, 400);
		assert_non_null(why);
		return (n);
	}
	return (0);
}

static void
test_requests(void **state)
{
	static const char *const good[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n",
		"\r\nPOST /mcp HTTP/1.0\r\nHost: a\r\nX: y\r\n",
		"OPTIONS * HTTP/1.1\r\n",
		"M-SEARCH http://a/b?c HTTP/1.1\r\n",
		/* for others to refuse, with their own status */
		"PRI * HTTP/2.0\r\n",
		"CONNECT a:1 HTTP/1.1\r\n",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF /",
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (refused_at(good[i], strlen(good[i])) != 0)
			fail_msg("refused: %s", good[i]);
}

static void
test_others(void **state)
{
	static const struct {
		const char	*text;
		size_t		 len;
		size_t		 at;
	} bad[] = {
		{ "\x16\x03\x01\x02", 4, 1 },		/* TLS */
		{ "\0\0\0\1", 4, 1 },
		{ " GET", 4, 1 },
		{ "\r\n\r\n", 4, 3 },
		{ "HELP\r\n", 6, 5 },
		{ "GET(/", 5, 4 },
		{ "SSH-2.0-OpenSSH_9.9\r\n", 21, 20 },
		{ "GET /\r\n", 7, 7 },			/* HTTP/0.9 */
		{ "EHLO example.org\r\n", 18, 18 },
		{ "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n", 33, 33 },
		{ "GET / HTTQ/1.1\r\n", 16, 16 },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", 33, 33 },
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (refused_at(bad[i].text, bad[i].len) != bad[i].at)
			fail_msg("%zu: refused at %zu", i,
			    refused_at(bad[i].text, bad[i].len));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_others)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
