/*
 * Runs of bytes: trimmed and cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/slice.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

static void
test_trim(void **state)
{
	static const char *const t[][2] = {
		{ "", "" }, { " ", "" }, { "\t \t", "" }, { "a", "a" },
		{ " a\t", "a" }, { "\t a b ", "a b" }, { "a\n", "a\n" }
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < N(t); i++)
		if (!slice_is(slice_trim(slice_of(t[i][0])), t[i][1]))
			fail_msg("\"%s\"", t[i][0]);
	assert_int_equal(slice_trim(slice_of(NULL)).len, 0);
}

static void
test_cut(void **state)
{
	static const char *const want[] = { "a", "", "b c", "d" };
	struct slice	 rest = slice_of("a; ;\tb c ;d");
	size_t		 i;

	(void)state;
	for (i = 0; i < N(want); i++)
		assert_true(slice_is(slice_cut(&rest, ';'), want[i]));
	assert_int_equal(rest.len, 0);
	/* nothing comes off nothing */
	assert_int_equal(slice_cut(&rest, ';').len, 0);
	/* the last byte is the one: nothing is left behind it */
	rest = slice_of("a;");
	assert_true(slice_is(slice_cut(&rest, ';'), "a"));
	assert_int_equal(rest.len, 0);
	rest = slice_of("a=b=c");
	assert_true(slice_is(slice_cut(&rest, '='), "a"));
	assert_true(slice_is(rest, "b=c"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_cut)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
