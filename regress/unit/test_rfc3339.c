/*
 * common/rfc3339.h against the C library's calendar, and what is no time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "common/rfc3339.h"

static void
test_round_trip(void **state)
{
	struct tm	 tm;
	char		 want[64], got[RFC3339_STRLEN];
	int64_t		 t, back;
	time_t		 c;

	(void)state;
	/* by steps that meet every hour, day and month, up to 9999 */
	for (t = 0; t < 253402300800; t += 86400 * 13 + 3661) {
		c = (time_t)t;
		assert_non_null(gmtime_r(&c, &tm));
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		assert_string_equal(rfc3339_format(t, got), want);
		assert_int_equal(rfc3339_parse(want, &back), 0);
		assert_true(back == t);
	}
}

static void
test_forms(void **state)
{
	static const struct {
		const char	*text;
		int64_t		 t;
	} good[] = {
		/* the examples of RFC 3339, section 5.8 */
		{ "1985-04-12T23:20:50.52Z", 482196050 },
		{ "1996-12-19T16:39:57-08:00", 851042397 },
		{ "1990-12-31T23:59:60Z", 662687999 },
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2024-02-29T00:00:00+00:00", 1709164800 },
		{ "2024-02-29T05:30:00+05:30", 1709164800 },
		{ "2026-05-09T14:23:01.123Z", 1778336581 }
	};
	size_t	 i;
	int64_t	 t;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(rfc3339_parse(good[i].text, &t), 0);
		assert_true(t == good[i].t);
	}
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"", "now", "2026-05-09", "2026-05-09T14:23:01",
		"2026-05-09 14:23:01Z", "2026-05-09t14:23:01Z",
		"2026-05-09T14:23:01z", "2026-05-09T14:23Z",
		"2026-5-09T14:23:01Z", "2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
		"2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+0100", "2026-01-01T00:00:00Z ",
		" 2026-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
		"12026-01-01T00:00:00Z", "-026-01-01T00:00:00Z",
		"2026-01-01T00:00:00.5", "2026-01-01T00:00:00ZZ"
	};
	size_t	 i;
	int64_t	 t = 42;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (rfc3339_parse(bad[i], &t) != -1)
			fail_msg("taken: %s", bad[i]);
	assert_true(t == 42);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_refused)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
