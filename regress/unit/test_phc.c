/*
 * common/phc.h and common/argon2id.h: encoded hashes, as Debian's argon2 program
 * writes them, read and checked; and what must be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/argon2id.h"
#include "common/phc.h"

#define SALT	"c2FsdHNhbHQ"
#define HASH	"slnZ5u0fmwepU+Gf4r30joStPYm2BSkxLhpXmonHhyE"
#define N(a)	(sizeof(a) / sizeof((a)[0]))

/* printf %s KEY | argon2 SALT -id -t T -k M -p P -l LEN -e */
static const struct {
	const char	*key;
	const char	*encoded;
	uint32_t	 memory, passes, lanes, salt_len, hash_len;
} real[] = {
	{ "correct horse battery staple",
	    "$argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH, 64, 1, 1, 8, 32 },
	{ "mcpgw_live_AbCdEf12_x", "argon2id$v=19$m=65536,t=3,p=2$"
	    "c2l4dGVlbiBieXRlIHNhbA$"
	    "L4G1TOdehM0w6wVNkAVMm01wystBKP84iiI9oy5aoGA",
	    65536, 3, 2, 16, 32 },
	{ "x", "$argon2id$v=19$m=256,t=2,p=4$"
	    "c2FsdHNhbHRzYWx0c2FsdDEyMzQ1Njc$34hcOonlDRsFIs85zYAyJg",
	    256, 2, 4, 23, 16 },
	{ "x", "$argon2id$v=19$m=256,t=2,p=4$c2FsdHNhbHRzYWx0$"
	    "LVEWbueOQ6dyXKN8HLZ/wJdiE6ZBQ2jkaVgb0WOF1ob9aKF8VV47ZD201+amTZG"
	    "//lCF4Y3JYWLroFv3qezoFg", 256, 2, 4, 12, 64 }
};

static const char	*bad[] = {
	"", "$", "$$", "argon2id", "argon2id$", "$argon2id$v=19$",
	"$$argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH,
	" argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH,
	"Argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH,
	"argon2i$v=19$m=64,t=1,p=1$" SALT "$" HASH,
	"argon2d$v=19$m=64,t=1,p=1$" SALT "$" HASH,
	"argon2id$m=64,t=1,p=1$" SALT "$" HASH,
	"argon2id$v=16$m=64,t=1,p=1$" SALT "$" HASH,
	"argon2id$v=019$m=64,t=1,p=1$" SALT "$" HASH,
	/* costs: order, spelling, range */
	"argon2id$v=19$t=1,m=64,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=64,t=1$" SALT "$" HASH,
	"argon2id$v=19$m=64,t=1,p=1,keyid=a$" SALT "$" HASH,
	"argon2id$v=19$m=64, t=1,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=064,t=1,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=+64,t=1,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=-64,t=1,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=,t=1,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=0x40,t=1,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=4294967296,t=1,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=18446744073709551680,t=1,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=64,t=0,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=64,t=1,p=0$" SALT "$" HASH,
	"argon2id$v=19$m=7,t=1,p=1$" SALT "$" HASH,
	"argon2id$v=19$m=64,t=1,p=9$" SALT "$" HASH,
	"argon2id$v=19$m=4294967295,t=1,p=16777216$" SALT "$" HASH,
	/* salt and hash: length, alphabet, padding, trailing bits */
	"argon2id$v=19$m=64,t=1,p=1$" SALT,
	"argon2id$v=19$m=64,t=1,p=1$" SALT "$",
	"argon2id$v=19$m=64,t=1,p=1$$" HASH,
	"argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbA$" HASH,
	"argon2id$v=19$m=64,t=1,p=1$" SALT "=$" HASH,
	"argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHR$" HASH,
	"argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH "=",
	"argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH "$",
	"argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH " ",
	"argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH "\n",
	"argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH HASH HASH,
	"argon2id$v=19$m=64,t=1,p=1$" SALT HASH HASH "$" HASH,
	"argon2id$v=19$m=64,t=1,p=1$" SALT "$AAAAAAAAAAAAAAAAAAAA",
	"argon2id$v=19$m=64,t=1,p=1$" SALT
	    "$slnZ5u0fmwepU-Gf4r30joStPYm2BSkxLhpXmonHhyE",
	"argon2id$v=19$m=64,t=1,p=1$" SALT
	    "$slnZ5u0fmwepU+Gf4r30joStPYm2BSkxLhpXmonHhyF" };

static void
test_real(void **state)
{
	struct phc	 h;
	char		 buf[PHC_STRLEN];
	const char	*s;
	size_t		 i;

	(void)state;
	for (i = 0; i < N(real); i++) {
		s = real[i].encoded;
		assert_null(phc_parse(s, strlen(s), &h));
		assert_int_equal(h.memory, real[i].memory);
		assert_int_equal(h.passes, real[i].passes);
		assert_int_equal(h.lanes, real[i].lanes);
		assert_int_equal(h.salt_len, real[i].salt_len);
		assert_int_equal(h.hash_len, real[i].hash_len);
		assert_string_equal(phc_format(&h, buf), s + (*s == '$'));
	}
}

/* Ours is the argon2 program's, in both directions. */
static void
test_hash(void **state)
{
	struct phc	 h, again;
	const char	*key, *s;
	size_t		 i;

	(void)state;
	for (i = 0; i < N(real); i++) {
		s = real[i].encoded;
		key = real[i].key;
		assert_null(phc_parse(s, strlen(s), &h));
		assert_int_equal(argon2id_matches(&h, (const uint8_t *)key,
		    strlen(key)), 1);
		assert_int_equal(argon2id_matches(&h, (const uint8_t *)key,
		    strlen(key) - 1), 0);
		again = h;
		memset(again.hash, 0, sizeof(again.hash));
		assert_int_equal(argon2id_make(&again, (const uint8_t *)key,
		    strlen(key)), 0);
		assert_memory_equal(&again, &h, sizeof(h));
		h.hash[h.hash_len - 1] ^= 1;
		assert_int_equal(argon2id_matches(&h, (const uint8_t *)key,
		    strlen(key)), 0);
	}
	argon2id_rest();
}

/* Refused in words, and nothing is left in the struct. */
static void
test_bad(void **state)
{
	static const struct phc	 zero;
	struct phc		 h;
	const char		*why;
	size_t			 i;

	(void)state;
	for (i = 0; i < N(bad); i++) {
		memset(&h, 0xff, sizeof(h));
		why = phc_parse(bad[i], strlen(bad[i]), &h);
		if (why == NULL)
			fail_msg("accepted: %s", bad[i]);
		assert_true(strlen(why) > 10);
		if (memcmp(&h, &zero, sizeof(h)) != 0)
			fail_msg("not wiped: %s", bad[i]);
	}
}

/* No proper beginning of a hash is one, but for those where only the end of
 * the last value is missing. */
static void
test_cut(void **state)
{
	const char	*s = real[0].encoded;
	struct phc	 h;
	size_t		 i, value = strlen(s) - strlen(HASH);

	(void)state;
	for (i = 0; i < value + 22; i++)
		if (phc_parse(s, i, &h) == NULL)
			fail_msg("accepted: %.*s", (int)i, s);
}

/* The longest of everything fits the buffer and comes back. */
static void
test_longest(void **state)
{
	struct phc	 h, again;
	char		 buf[PHC_STRLEN];

	(void)state;
	memset(&h, 0xff, sizeof(h));
	h.lanes = PHC_LANES_MAX;
	h.salt_len = PHC_SALT_MAX;
	h.hash_len = PHC_HASH_MAX;
	phc_format(&h, buf);
	assert_true(strlen(buf) < PHC_STRLEN - 1);
	assert_null(phc_parse(buf, strlen(buf), &again));
	assert_memory_equal(&h, &again, sizeof(h));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_longest)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
