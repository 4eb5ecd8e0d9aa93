/*
 * common/api_key.h: the form of keys, whose checksums were computed by
 * Python's zlib.crc32(), written in base 62, and new keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/api_key.h"

#define ZEROS	"0000000000000000000000000000000000000000000"
#define MIXED	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
#define HIGHEST	"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
#define GOOD	"mcpgw_live_AbCdEf12_" MIXED "_0JVHTi"

static const struct {
	const char	*key;
	const char	*prefix;
} good[] = {
	/* zlib.crc32: 0x9c623ff8, 0x112dabae, 0x0a352a31, 0x003f6921 */
	{ "mcpgw_live_00000000_" ZEROS "_2rYiDY", "00000000" },
	{ GOOD, "AbCdEf12" },
	{ "mcpgw_live_zzzzzzzz_" HIGHEST "_0BaZbV", "zzzzzzzz" },
	{ "mcpgw_live_00000002_" ZEROS "_00HR57", "00000002" }
};

static const char	*opaque[] = { "", "m", "mcpgw_live", "mcpgw_liv",
	"MCPGW_LIVE_AbCdEf12_" MIXED "_0JVHTi", "mcpgw_test_AbCdEf12_",
	"sk-0123456789", " " GOOD, "xmcpgw_live_" };

static const char	*bad[] = {
	"mcpgw_live_", "mcpgw_live_AbCdEf12", GOOD "x", GOOD "\n", GOOD " ",
	"mcpgw_live_AbCdEf12-" MIXED "_0JVHTi",
	"mcpgw_live_AbCdEf12_" MIXED "-0JVHTi",
	"mcpgw_live_AbCdEf1__" MIXED "_0JVHTi",
	"mcpgw_live_AbCdEf12_" MIXED "_0JVHTj",
	"mcpgw_live_AbCdEf12_" MIXED "_0jvhti",
	"mcpgw_live_AbCdEf13_" MIXED "_0JVHTi",
	"mcpgw_live_00000000_" ZEROS "_2rYiDZ" };

#define N(a)	(sizeof(a) / sizeof((a)[0]))

static void
test_ours(void **state)
{
	char	 prefix[API_KEY_PREFIX_LEN + 1];
	size_t	 i;

	(void)state;
	for (i = 0; i < N(good); i++) {
		assert_int_equal(strlen(good[i].key), API_KEY_LEN);
		assert_int_equal(api_key_form(good[i].key, API_KEY_LEN,
		    prefix), API_KEY_OURS);
		assert_string_equal(prefix, good[i].prefix);
	}
}

static void
test_opaque(void **state)
{
	char	 prefix[API_KEY_PREFIX_LEN + 1];
	size_t	 i;

	(void)state;
	for (i = 0; i < N(opaque); i++)
		if (api_key_form(opaque[i], strlen(opaque[i]), prefix) !=
		    API_KEY_OPAQUE)
			fail_msg("not opaque: %s", opaque[i]);
}

static void
test_bad(void **state)
{
	char	 prefix[API_KEY_PREFIX_LEN + 1];
	size_t	 i;

	(void)state;
	for (i = 0; i < N(bad); i++)
		if (api_key_form(bad[i], strlen(bad[i]), prefix) !=
		    API_KEY_BAD)
			fail_msg("not bad: %s", bad[i]);
}

/* Each single wrong character, and each length, is seen. */
static void
test_mistyped(void **state)
{
	char	 key[] = GOOD, prefix[API_KEY_PREFIX_LEN + 1];
	size_t	 i;

	(void)state;
	for (i = 11; i < API_KEY_LEN; i++) {
		key[i] = GOOD[i] == 'x' ? 'y' : 'x';
		assert_int_equal(api_key_form(key, API_KEY_LEN, prefix),
		    API_KEY_BAD);
		key[i] = '\0';
		assert_int_equal(api_key_form(key, API_KEY_LEN, prefix),
		    API_KEY_BAD);
		assert_int_equal(api_key_form(GOOD, i, prefix), API_KEY_BAD);
		key[i] = GOOD[i];
	}
	assert_int_equal(api_key_form(key, API_KEY_LEN, prefix),
	    API_KEY_OURS);
}

/* New keys are of our form, and every digit occurs in every place. */
static void
test_make(void **state)
{
	char		 key[API_KEY_LEN + 1], last[API_KEY_LEN + 1] = "";
	char		 prefix[API_KEY_PREFIX_LEN + 1];
	unsigned char	 seen[API_KEY_LEN][256] = { { 0 } };
	size_t		 i, j, n;

	(void)state;
	for (i = 0; i < 2000; i++) {
		api_key_make(key);
		assert_int_equal(strlen(key), API_KEY_LEN);
		assert_int_equal(api_key_form(key, API_KEY_LEN, prefix),
		    API_KEY_OURS);
		assert_memory_equal(prefix, key + 11, API_KEY_PREFIX_LEN);
		assert_string_not_equal(key, last);
		memcpy(last, key, sizeof(last));
		for (j = 0; j < API_KEY_LEN; j++)
			seen[j][(unsigned char)key[j]] = 1;
	}
	for (j = 11; j < 63; j++) {
		for (i = n = 0; i < 256; i++)
			n += seen[j][i];
		assert_int_equal(n, j == 19 ? 1 : 62);
	}
}

static void
test_prefix(void **state)
{
	(void)state;
	assert_true(api_key_prefix_ok("AbCdEf12"));
	assert_true(api_key_prefix_ok("00000000"));
	assert_false(api_key_prefix_ok(""));
	assert_false(api_key_prefix_ok("AbCdEf1"));
	assert_false(api_key_prefix_ok("AbCdEf123"));
	assert_false(api_key_prefix_ok("AbCdEf1_"));
	assert_false(api_key_prefix_ok("AbCdEf1 "));
	assert_false(api_key_prefix_ok("AbCdE\xc3\xa4" "1"));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_opaque),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_mistyped),
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_prefix)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
