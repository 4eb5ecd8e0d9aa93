/*
 * policy/pattern.h: a table of what matches what, and of patterns that are
 * none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/pattern.h"

static const struct {
	enum pattern_kind kind;
	const char	*text;
	const char	*name;
	int		 matches;
} table[] = {
	{ PATTERN_NAME, "echo", "echo", 1 },
	{ PATTERN_NAME, "echo", "Echo", 0 },
	{ PATTERN_NAME, "echo", "echo2", 0 },
	{ PATTERN_NAME, "*", "echo", 0 },
	{ PATTERN_PREFIX, "shell_", "shell_run", 1 },
	{ PATTERN_PREFIX, "shell_", "shell_", 1 },
	{ PATTERN_PREFIX, "shell_", "shell", 0 },
	{ PATTERN_PREFIX, "shell_", "my_shell_", 0 },
	{ PATTERN_GLOB, "shell_*", "shell_run", 1 },
	{ PATTERN_GLOB, "shell_*", "shell_", 1 },
	{ PATTERN_GLOB, "shell_*", "xshell_a", 0 },
	{ PATTERN_GLOB, "*", "anything", 1 },
	{ PATTERN_GLOB, "*", "", 1 },
	{ PATTERN_GLOB, "*", "a/b", 0 },
	{ PATTERN_GLOB, "*/*", "a/b", 1 },
	{ PATTERN_GLOB, "a*/b", "a/b", 1 },
	{ PATTERN_GLOB, "a*b*c", "a__b__c", 1 },
	{ PATTERN_GLOB, "a*b*c", "a__b__", 0 },
	{ PATTERN_GLOB, "*ab", "aab", 1 },
	{ PATTERN_GLOB, "*aab", "aaab", 1 },
	{ PATTERN_GLOB, "a*a", "a", 0 },
	{ PATTERN_GLOB, "**", "x", 1 },
	{ PATTERN_GLOB, "?", "a", 1 },
	{ PATTERN_GLOB, "?", "", 0 },
	{ PATTERN_GLOB, "?", "ab", 0 },
	{ PATTERN_GLOB, "?", "/", 0 },
	{ PATTERN_GLOB, "?", "\xc3\xa9", 1 },
	{ PATTERN_GLOB, "??", "\xc3\xa9", 0 },
	{ PATTERN_GLOB, "?", "\xff", 0 },
	{ PATTERN_GLOB, "*", "\xff", 1 },
	{ PATTERN_GLOB, "[a-c]", "b", 1 },
	{ PATTERN_GLOB, "[a-c]", "d", 0 },
	{ PATTERN_GLOB, "[^a-c]", "d", 1 },
	{ PATTERN_GLOB, "[^a-c]", "a", 0 },
	{ PATTERN_GLOB, "[^a-c]", "\xff", 0 },
	{ PATTERN_GLOB, "[a-c_\\]]x", "]x", 1 },
	{ PATTERN_GLOB, "[\\-a]", "-", 1 },
	{ PATTERN_GLOB, "[\xc3\xa0-\xc3\xbc]", "\xc3\xa9", 1 },
	{ PATTERN_GLOB, "[\xc3\xa0-\xc3\xbc]", "\xc3\xbf", 0 },
	{ PATTERN_GLOB, "\\*", "*", 1 },
	{ PATTERN_GLOB, "\\*", "a", 0 },
	{ PATTERN_GLOB, "a\\[b", "a[b", 1 },
	{ PATTERN_GLOB, "a]b", "a]b", 1 },
};

static void
test_table(void **state)
{
	struct pattern	 pat;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		pat.kind = table[i].kind;
		pat.text = slice_of(table[i].text);
		if (pattern_check(&pat) != NULL ||
		    pattern_matches(&pat, slice_of(table[i].name)) !=
		    table[i].matches)
			fail_msg("%s and %s", table[i].text, table[i].name);
	}
}

static void
test_bad(void **state)
{
	static const char *const bad[] = { "", "[", "[]", "[^]", "[a", "[a-",
	    "[a-]", "[-a]", "[b-a]", "[a-\\", "\\", "a\\", "[]a]", "\xff",
	    "[\xff]", "a[\\" };
	static char	 big[PATTERN_MAX + 2];
	struct pattern	 pat = { PATTERN_GLOB, { NULL, 0 } };
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		pat.text = slice_of(bad[i]);
		if (pattern_check(&pat) == NULL)
			fail_msg("good: %s", bad[i]);
	}
	memset(big, 'a', PATTERN_MAX + 1);
	pat.text = slice_of(big);
	assert_non_null(pattern_check(&pat));
	pat.text.len = PATTERN_MAX;
	assert_null(pattern_check(&pat));
}

/* Thirty stars and a name that fails at its end: an exponential matcher would
 * be here for years. */
static void
test_no_explosion(void **state)
{
	char		 glob[PATTERN_MAX], name[4096];
	struct pattern	 pat = { PATTERN_GLOB, { glob, 0 } };
	size_t		 i;

	(void)state;
	for (i = 0; i < 60; i += 2)
		memcpy(glob + i, "*a", 2);
	glob[i++] = 'b';
	pat.text.len = i;
	memset(name, 'a', sizeof(name));
	assert_null(pattern_check(&pat));
	assert_false(pattern_matches(&pat,
	    (struct slice){ name, sizeof(name) }));
	name[sizeof(name) - 1] = 'b';
	assert_true(pattern_matches(&pat,
	    (struct slice){ name, sizeof(name) }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_no_explosion),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
