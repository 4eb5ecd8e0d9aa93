/*
 * What mcpgwctl shows of names from outside: never what a terminal obeys,
 * never more columns than it was given.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/text.h"

static void
shows(const char *s, int width, const char *want, int columns)
{
	char	 buf[256];

	assert_int_equal(text_fit(s, width, buf, sizeof(buf)), columns);
	assert_string_equal(buf, want);
	assert_int_equal(text_width(buf), columns);
}

static void
test_ascii(void **state)
{
	(void)state;
	shows("", 5, "", 0);
	shows("hello", 5, "hello", 5);
	shows("hello!", 5, "hell~", 5);
	shows("hello", 0, "", 0);
	shows("a\033[31m\b\r\n\x7f" "b", 20, "a?[31m????b", 11);
}

static void
test_utf8(void **state)
{
	(void)state;
	shows("caf\u00e9", 4, "caf\u00e9", 4);
	shows("\u65e5\u672c\u8a9e", 6, "\u65e5\u672c\u8a9e", 6);
	shows("\u65e5\u672c\u8a9e", 5, "\u65e5\u672c~", 5);
	shows("\u65e5\u672c\u8a9e", 4, "\u65e5~", 3);
	/* C1, bidi, zero width, tags, a BOM: each is one sign */
	shows("a\xc2\x9b" "1m\u202ex\u2066\u200b\u200f\u061c\ufeff\U000e0041", 20,
	    "a?1m?x??????", 12);
	/* not UTF-8: each byte is one */
	shows("\xff\xc0\xaf\xe6\x97", 20, "?????", 5);
	shows("\xed\xa0\x80", 20, "???", 3);
}

/* The buffer may be smaller than the columns need. */
static void
test_small_buffer(void **state)
{
	char	 buf[8], guard[8];
	size_t	 size;

	(void)state;
	memset(guard, 'g', sizeof(guard));
	for (size = 2; size <= 6; size++) {
		memset(buf, 'g', sizeof(buf));
		(void)text_fit("\u65e5\u672c\u8a9e", 100, buf, size);
		assert_true(strlen(buf) < size);
		assert_memory_equal(buf + size, guard, sizeof(buf) - size);
	}
}

/* A terminal that shows ASCII alone gets no more. */
static void
test_plain_terminal(void **state)
{
	char	 buf[64];

	(void)state;
	setenv("LC_ALL", "C", 1);
	text_init();
	(void)text_fit("caf\u00e9", 20, buf, sizeof(buf));
	assert_string_equal(buf, "caf??");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_small_buffer),
		cmocka_unit_test(test_plain_terminal)
	};

	setenv("LC_ALL", "C.UTF-8", 1);
	text_init();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
