/*
 * fetcher/told.c: rows of key sets, of the newest generations, each whole
 * whenever the turn is even.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fetcher/told.h"

static const struct stats_jwks *
row(uint32_t generation)
{
	size_t	 i;

	for (i = 0; i < STATS_JWKS; i++)
		if (stats->jwks[i].generation == generation)
			return (&stats->jwks[i]);
	return (NULL);
}

static void
test_rows(void **state)
{
	struct stats_jwks	 t;
	uint32_t		 i;

	(void)state;
	told_init(&t, "https://as.example/", "https://as.example/jwks?k=s");
	assert_string_equal(t.url, "https://as.example/jwks");
	for (i = 1; i <= STATS_JWKS + 2; i++) {
		told_put(&t, i);
		assert_int_equal(stats->jwks_turn % 2, 0);
	}
	assert_null(row(1));
	assert_null(row(2));
	assert_string_equal(row(3)->issuer, "https://as.example/");
	assert_int_equal(row(3)->fetched, 0);
	/* one that is older than all takes nobody's place */
	told_put(&t, 2);
	assert_null(row(2));
	told_fetched(&t, "no");
	told_fetched(&t, "no, again");
	told_put(&t, 5);
	assert_int_equal(row(5)->failing, 2);
	assert_string_equal(row(5)->error, "no, again");
	told_fetched(&t, NULL);
	told_next(&t, 1000);
	told_put(&t, 5);
	assert_int_equal(row(5)->failing, 0);
	assert_string_equal(row(5)->error, "");
	assert_in_range(row(5)->next - row(5)->fetched, 1000, 1100);
	told_drop(5);
	assert_null(row(5));
	assert_int_equal(stats->jwks_turn % 2, 0);
}

/* More than there is room for is counted, and what is long is cut. */
static void
test_bounds(void **state)
{
	static struct jwk	 keys[JWK_SET_MAX];
	static struct jwk_skip	 skips[JWK_SET_MAX];
	struct jwk_set		 set = { keys, JWK_SET_MAX };
	struct stats_jwks	 t;
	size_t			 i;

	(void)state;
	for (i = 0; i < JWK_SET_MAX; i++) {
		keys[i].type = JWK_OKP;
		keys[i].alg = JWS_ED25519;
		memset(keys[i].kid, 'k', JWK_KID_MAX);
		memset(skips[i].kid, 's', JWK_KID_MAX);
		skips[i].why = "symmetric keys verify nothing here, nor will "
		    "they ever, however long this is";
	}
	told_init(&t, "i", "u");
	told_keys(&t, &set);
	told_skipped(&t, skips, JWK_SET_MAX);
	assert_int_equal(t.nkeys, JWK_SET_MAX);
	assert_int_equal(t.nskipped, JWK_SET_MAX);
	assert_int_equal(strlen(t.keys[STATS_JWKS_KEYS - 1].kid),
	    STATS_NAME_MAX - 1);
	assert_string_equal(t.keys[0].kty, "OKP");
	assert_string_equal(t.keys[0].alg, "Ed25519");
	assert_int_equal(strlen(t.skipped[STATS_JWKS_SKIPPED - 1].why),
	    STATS_NAME_MAX - 1);
	set.n = 0;
	told_keys(&t, &set);
	told_skipped(&t, skips, 0);
	assert_int_equal(t.nkeys, 0);
	assert_string_equal(t.keys[0].kid, "");
	assert_string_equal(t.skipped[0].kid, "");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_bounds)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
