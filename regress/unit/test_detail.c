/*
 * common/detail.h: whatever the value and the room, a text stays within its
 * bounds, ends with a NUL, and no quote or escape in it is left open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/detail.h"
#include "common/json.h"

/* Each quoted string is one of JSON; between them are commas and dots. */
static void
assert_closed(const struct detail *d)
{
	const char	*p = d->p, *end;

	assert_int_equal(strlen(d->p), d->len);
	while (*(p += strspn(p, ",. ")) != '\0') {
		assert_int_equal(*p, '"');
		for (end = p + 1; *end != '"'; end += *end == '\\' ? 2 : 1)
			assert_int_not_equal(*end, '\0');
		assert_int_equal(json_check(p, (size_t)(end + 1 - p)),
		    JSON_OK);
		p = end + 1;
	}
}

static void
test_bounds(void **state)
{
	static const char *const values[] = { "", "a", "abcdefgh", "\x01\x02",
	    "\"\"\"\"\"\"\"\"", "\\", "\xc3\xa9\xc3\xa9", "\xff\xff\xff",
	    "\xf0\x9f\x98\x80" };
	struct detail	 d;
	char		 big[300];
	size_t		 max, cut, i, k, n = sizeof(values) / sizeof(values[0]);

	(void)state;
	memset(big, '\x1b', sizeof(big));
	for (max = 0; max <= 130; max++)
		for (cut = 0; cut <= 70; cut += 7)
			for (i = 0; i <= n; i++) {
				struct slice	 v = i < n ?
				    slice_of(values[i]) :
				    (struct slice){ big, sizeof(big) };

				detail_init(&d, max, cut);
				detail_quote(&d, v);
				assert_true(d.len <= max);
				if (v.len == 0 || cut == 0 || i == n)
					continue;
				detail_init(&d, max, 64);
				for (k = 0; k < 40; k++)
					detail_item(&d, v);
				assert_true(d.len <= d.max);
				assert_closed(&d);
			}
}

static void
test_cut(void **state)
{
	struct detail	 d;

	(void)state;
	detail_init(&d, 112, 4);
	detail_quote(&d, slice_of("abcd"));
	detail_puts(&d, " ");
	detail_quote(&d, slice_of("abcde"));
	detail_puts(&d, " ");
	detail_quote(&d, slice_of(NULL));
	assert_string_equal(d.p, "\"abcd\" \"abcd\"... none");
	detail_init(&d, 30, 8);
	detail_item(&d, slice_of("one"));
	detail_item(&d, slice_of("two"));
	detail_item(&d, slice_of("three"));
	detail_item(&d, slice_of("x"));
	assert_string_equal(d.p, "\"one\", ...");
	detail_init(&d, 6, 8);
	detail_printf(&d, "%s", "longer than six");
	assert_string_equal(d.p, "longer");
	assert_true(d.full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_cut)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
