/*
 * Percentiles: right to 3 % and exact below 32, whatever the numbers are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/histogram.h"

static struct histogram	 h;

static void
test_empty(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	assert_int_equal(histogram_at(&h, 0.5), 0);
	assert_int_equal(histogram_at(&h, 1), 0);
}

/* Each value alone is found again, never less than it is. */
static void
test_each(void **state)
{
	static const uint64_t	 values[] = { 0, 1, 31, 32, 33, 63, 64, 65,
				    1000, 4095, 4096, 1000003, UINT32_MAX,
				    UINT64_MAX - 1, UINT64_MAX };
	uint64_t		 v, got;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		memset(&h, 0, sizeof(h));
		v = values[i];
		histogram_add(&h, v, 9);
		assert_true(histogram_at(&h, 0.1) == v);
		/* behind one that is larger */
		histogram_add(&h, UINT64_MAX, 1);
		got = histogram_at(&h, 0.9);
		assert_true(got >= v && (v < 32 ? got == v :
		    got - v <= v / 32));
	}
}

static void
test_shares(void **state)
{
	uint64_t	 got;
	unsigned	 i;

	(void)state;
	memset(&h, 0, sizeof(h));
	for (i = 1; i <= 10000; i++)
		histogram_add(&h, i, 1);
	for (i = 1; i <= 100; i++) {
		got = histogram_at(&h, i / 100.0);
		assert_in_range(got, i * 100, i * 100 + i * 100 / 32 + 1);
	}
	assert_int_equal(histogram_at(&h, 1), 10000);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_shares)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
