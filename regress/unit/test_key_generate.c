/*
 * ctl/key_generate.h and ctl/ctl.h: the entry that is printed is one that the
 * configuration reads as it was meant; scopes; the words for a state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/key_generate.h"
#include "regress/unit/config_helper.h"

#define PREFIX	"1234e567"
#define HASH	"argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$" \
		"slnZ5u0fmwepU+Gf4r30joStPYm2BSkxLhpXmonHhyE"
#define N(a)	(sizeof(a) / sizeof((a)[0]))

static const char	*ids[] = { "ci-pipeline", "a", "true", "No", "NULL",
	"y", "1", "007", "1e5", "0x1f", "2026-05-09", "a.b_c@d-e", "1.5",
	"0000000000000000000000000000000000000000000000000000000000000000" };

static const char	*scopes[] = { "", "*", "mcp:read", "a b c",
	"mcp:read mcp:write *", "# - ? : [ ] { } & ! | > ' % @ `", "null ~",
	"a,b" };

/* Read back an entry by the configuration. */
static void
entry_check(const char *id, const char *list, int64_t expires)
{
	struct conf_key	 key = { (char *)(uintptr_t)id,
			    (char *)(uintptr_t)list, 1778336581, expires,
			    { 0 } };
	struct config	*conf;
	char		 text[KEY_ENTRY_MAX + 256];
	size_t		 head;

	head = (size_t)snprintf(text, sizeof(text),
	    UP "auth:\n  enabled: true\n  keys:\n");
	assert_true(key_entry(&key, PREFIX, HASH, text + head,
	    KEY_ENTRY_MAX) > 0);
	conf = parse_good(text);
	assert_int_equal(conf->w.nkeys, 1);
	assert_string_equal(conf->w.keys[0].id, id);
	assert_string_equal(conf->w.keys[0].scopes, list);
	assert_int_equal(conf->w.keys[0].created, 1778336581);
	assert_int_equal(conf->w.keys[0].expires, expires);
	assert_string_equal(conf->k.keys[0].prefix, PREFIX);
	assert_int_equal(conf->k.keys[0].hash.memory, 64);
	assert_int_equal(ctl_find_key(conf, id), 0);
	assert_int_equal(ctl_find_key(conf, "nobody"), -1);
	config_free(conf);
}

static void
test_entry(void **state)
{
	size_t	 i;

	(void)state;
	for (i = 0; i < N(ids); i++)
		entry_check(ids[i], "mcp:read", 0);
	for (i = 0; i < N(scopes); i++)
		entry_check("ci", scopes[i], 253402300799);
}

static void
test_entry_text(void **state)
{
	struct conf_key	 key = { (char[]){ "ci" }, (char[]){ "a *" },
			    1778336581, 1778336582, { 0 } };
	char		 text[KEY_ENTRY_MAX] = "";
	size_t		 len;

	(void)state;
	len = key_entry(&key, PREFIX, HASH, text, sizeof(text));
	assert_int_equal(len, strlen(text));
	assert_string_equal(text, "    - id: ci\n      prefix: \"" PREFIX
	    "\"\n      hash: \"" HASH "\"\n      scopes: [\"a\", \"*\"]\n"
	    "      created_at: 2026-05-09T14:23:01Z\n"
	    "      expires_at: 2026-05-09T14:23:02Z\n");
	/* too little room is an error and no shorter entry */
	assert_int_equal(key_entry(&key, PREFIX, HASH, text, 100), 0);
	assert_int_equal(key_entry(&key, PREFIX, HASH, text, len), 0);
}

static void
test_scopes(void **state)
{
	static const char	*good[][2] = { { "", "" }, { " , ", "" },
		{ "a", "a" }, { "a,b", "a b" }, { "a b", "a b" },
		{ " a, b ,c", "a b c" }, { "*", "*" }, { "a,aa", "a aa" } };
	static const char	*bad[] = { "a\"b", "a\\b", "a\tb", "a\nb",
		"\x7f", "\xc3\xa4", "a,a", "a b,a" };
	char			 big[4200], *s;
	size_t			 i;

	(void)state;
	for (i = 0; i < N(good); i++) {
		assert_non_null(s = key_scopes(good[i][0]));
		assert_string_equal(s, good[i][1]);
		free(s);
	}
	for (i = 0; i < N(bad); i++)
		if ((s = key_scopes(bad[i])) != NULL)
			fail_msg("accepted: %s", bad[i]);
	memset(big, 'a', sizeof(big));
	big[257] = '\0';
	assert_null(key_scopes(big));
	big[256] = '\0';
	assert_non_null(s = key_scopes(big));
	free(s);
	/* too many in all */
	for (i = 0; i + 6 < sizeof(big); i += 6)
		(void)snprintf(big + i, 7, "%05zu,", i);
	assert_null(key_scopes(big));
}

static void
test_state(void **state)
{
	static const struct {
		int64_t		 left;
		const char	*text;
	} rows[] = { { -1, "expired" }, { 0, "expired" },
		{ 1, "in 0 minutes" }, { 60, "in 1 minute" },
		{ 3599, "in 59 minutes" }, { 3600, "in 1 hour" },
		{ 86399, "in 23 hours" }, { 86400, "in 1 day" },
		{ 86400 * 30, "in 30 days" }, { 86400 * 30 + 1, "valid" } };
	char			 buf[CTL_STATE_LEN];
	size_t			 i;

	(void)state;
	for (i = 0; i < N(rows); i++)
		assert_string_equal(ctl_state(1778336581 + rows[i].left,
		    1778336581, buf), rows[i].text);
	assert_string_equal(ctl_state(0, 1778336581, buf), "valid");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_entry_text),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_state)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
