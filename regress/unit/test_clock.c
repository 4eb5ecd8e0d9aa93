/*
 * worker/base/clock.c: one time for all of a turn, and the wall's not far off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "worker/base/clock.h"

static int64_t
real_ms(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

static void
test_turn(void **state)
{
	uint64_t	 turn = clock_turn(), now;
	int64_t		 wall = clock_wall();

	(void)state;
	do
		now = clock_now();
	while (now < turn + 2000);
	assert_int_equal(clock_turn(), turn);
	assert_int_equal(clock_wall(), wall);
	assert_int_equal(clock_mono(), turn / 1000);
	clock_forget();
	assert_true(clock_turn() >= now);
	assert_true(clock_wall() > wall);
}

/* Over many turns, of which most do not read it. */
static void
test_wall(void **state)
{
	uint64_t	 end = clock_now() + 50000;
	int64_t		 before, wall, last = 0;

	(void)state;
	while (clock_now() < end) {
		clock_forget();
		before = real_ms();
		wall = clock_wall();
		assert_true(wall >= before - 1);
		assert_true(wall <= real_ms() + 1);
		assert_true(wall >= last);
		last = wall;
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_wall)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
