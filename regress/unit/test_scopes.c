/*
 * common/scopes.h
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/scopes.h"

static void
test_has(void **state)
{
	static const struct {
		const char	*list;
		const char	*scope;
		int		 has;
	} table[] = {
		{ "mcp:read", "mcp:read", 1 }, { "a b c", "a", 1 },
		{ "a b c", "b", 1 }, { "a b c", "c", 1 }, { "a b c", "d", 0 },
		{ "abc", "ab", 0 }, { "ab", "abc", 0 }, { "", "a", 0 },
		{ "", "", 0 }, { "a", "", 0 }, { "a  b", "", 0 },
		{ "a  b", "b", 1 }, { " a ", "a", 1 }, { "A", "a", 0 },
		{ "*", "a", 0 }, { "a b", "a b", 0 }, { NULL, "a", 0 },
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(scopes_has(slice_of(table[i].list),
		    slice_of(table[i].scope)), table[i].has);
}

static void
test_missing(void **state)
{
	char	*want[] = { "a", "b" };

	(void)state;
	assert_null(scopes_missing(slice_of("b a"), want, 2));
	assert_null(scopes_missing(slice_of(""), want, 0));
	assert_string_equal(scopes_missing(slice_of("a"), want, 2), "b");
	assert_string_equal(scopes_missing(slice_of(""), want, 2), "a");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_missing),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
