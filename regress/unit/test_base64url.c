/*
 * base64url and base64: there and back at lengths around those that are
 * decoded at once, and one reading only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base64url.h"

#define LEN_MAX	100

typedef ssize_t (*decoder)(const char *, size_t, uint8_t *);

/* From memory of exactly len bytes to memory as large as must do. */
static ssize_t
decode(decoder f, const char *text, size_t len, uint8_t *out)
{
	char	*in = malloc(len > 0 ? len : 1);
	uint8_t	*raw = malloc(len / 4 * 3 + 2);
	ssize_t	 n;

	assert_non_null(in);
	assert_non_null(raw);
	memcpy(in, text, len);
	n = f(in, len, raw);
	assert_true(n <= (ssize_t)(len / 4 * 3 + 2));
	if (n > 0)
		memcpy(out, raw, (size_t)n);
	free(raw);
	free(in);
	return (n);
}

/* RFC 4648 section 10, without padding. */
static void
test_vectors(void **state)
{
	static const char *const t[][2] = {
		{ "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" }
	};
	uint8_t	 out[LEN_MAX];
	char	 text[LEN_MAX];
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		base64url_encode((const uint8_t *)t[i][0], strlen(t[i][0]),
		    text);
		assert_string_equal(text, t[i][1]);
		assert_int_equal(decode(base64url_decode, text, strlen(text),
		    out), strlen(t[i][0]));
		assert_memory_equal(out, t[i][0], strlen(t[i][0]));
	}
	base64url_encode((const uint8_t *)"\xfb\xff", 2, text);
	assert_string_equal(text, "-_8");
	base64_encode((const uint8_t *)"\xfb\xff", 2, text);
	assert_string_equal(text, "+/8");
}

/* All values at all places. */
static void
test_round_trip(void **state)
{
	uint8_t	 in[LEN_MAX], out[LEN_MAX + 2];
	char	 text[LEN_MAX * 2];
	size_t	 len, n, i;
	uint32_t r = 1;
	int	 round;

	(void)state;
	for (len = 0; len <= LEN_MAX; len++)
		for (round = 0; round < 50; round++) {
			for (i = 0; i < len; i++)
				in[i] = (uint8_t)((r = r * 1664525 +
				    1013904223) >> 24);
			n = base64url_encode(in, len, text);
			assert_int_equal(base64url_span(text, n), n);
			assert_int_equal(decode(base64url_decode, text, n,
			    out), len);
			assert_memory_equal(in, out, len);
			n = base64_encode(in, len, text);
			assert_int_equal(decode(base64_decode, text, n, out),
			    len);
			assert_memory_equal(in, out, len);
		}
}

static void
refuses(decoder f, size_t (*encode)(const uint8_t *, size_t, char *),
    const char *ends)
{
	static const char	 common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789";
	uint8_t			 in[48], out[64];
	char			 text[66];
	size_t			 at, n;
	int			 c, good;

	memset(in, 0x5a, sizeof(in));
	n = encode(in, sizeof(in), text);
	for (at = 0; at < n; at++)
		for (c = 0; c < 256; c++) {
			encode(in, sizeof(in), text);
			text[at] = (char)c;
			good = c != '\0' && (strchr(common, c) != NULL ||
			    strchr(ends, c) != NULL);
			if ((decode(f, text, n, out) == -1) == good)
				fail_msg("byte 0x%02x at %zu", (unsigned)c,
				    at);
			if (f == base64url_decode && !good)
				assert_int_equal(base64url_span(text, n), at);
		}
}

static void
test_refuses_others(void **state)
{
	(void)state;
	refuses(base64url_decode, base64url_encode, "-_");
	refuses(base64_decode, base64_encode, "+/");
}

/* Impossible lengths, and bits that are not used. */
static void
test_one_spelling(void **state)
{
	static const char *const t[] = { "A", "AAAAA", "AB", "AAB", "AP",
	    "Zh", "Zm9", "AA==", "AAA=", "Zm9vYmFyZm9vYmFyZm9vYmFyA",
	    "Zm9vYmFyZm9vYmFyZm9vYmFyZh" };
	uint8_t	 out[LEN_MAX];
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (decode(base64url_decode, t[i], strlen(t[i]), out) != -1)
			fail_msg("took '%s'", t[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refuses_others),
		cmocka_unit_test(test_one_spelling)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
