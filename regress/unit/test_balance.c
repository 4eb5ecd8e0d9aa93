/*
 * worker/upstream/balance.c: turns, and servers that are left alone for a while.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/base/clock.h"
#include "worker/upstream/balance.h"

#define N	3

static struct conf_server	 conf[N];
static struct conf_upstream	 conf_up = { .name = "up" };
static struct server		 servers[N];
static struct upstream		 up;

static int
setup(void **state)
{
	size_t	 i;

	(void)state;
	memset(servers, 0, sizeof(servers));
	memset(&up, 0, sizeof(up));
	up.conf = &conf_up;
	up.servers = servers;
	up.nservers = N;
	for (i = 0; i < N; i++) {
		conf[i].authority = "h";
		conf[i].path = "/";
		servers[i].conf = &conf[i];
		servers[i].up = &up;
	}
	return (0);
}

static size_t
next(uint64_t tried)
{
	struct server	*s = balance_next(&up, tried);

	return (s == NULL ? N : (size_t)(s - servers));
}

static void
misses(size_t i, int times)
{
	while (times-- > 0)
		balance_bad(&servers[i], "why");
}

static void
test_turns(void **state)
{
	size_t	 i;

	(void)state;
	for (i = 0; i < 2 * N; i++)
		assert_int_equal(next(0), i % N);
	/* what was tried is not tried again */
	assert_int_equal(next(1 << 0), 1);
	assert_int_equal(next(1 << 0 | 1 << 2), 1);
	assert_int_equal(next((1 << N) - 1), N);
}

static void
test_three_failures(void **state)
{
	size_t	 i;

	(void)state;
	misses(1, 2);
	assert_true(balance_usable(&servers[1]));
	balance_good(&servers[1]);
	misses(1, 2);
	assert_true(balance_usable(&servers[1]));
	misses(1, 1);
	assert_false(balance_usable(&servers[1]));
	for (i = 0; i < 2 * N; i++)
		assert_int_not_equal(next(0), 1);
	balance_good(&servers[1]);
	assert_true(balance_usable(&servers[1]));
}

/* Twice as long each time, up to a minute. */
static void
test_how_long(void **state)
{
	static const unsigned	 s[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	size_t			 i;

	(void)state;
	misses(0, 2);
	for (i = 0; i < sizeof(s) / sizeof(s[0]); i++) {
		misses(0, 1);
		assert_int_equal(servers[0].down_s, s[i]);
		assert_int_equal(servers[0].down_until - clock_mono(),
		    s[i] * 1000);
	}
}

/* When its time is over one request sees, and the others go on elsewhere. */
static void
test_one_looks(void **state)
{
	(void)state;
	misses(0, 3);
	servers[0].down_until = clock_mono();
	assert_int_equal(next(0), 0);
	assert_false(balance_usable(&servers[0]));
	assert_int_equal(next(0), 1);
	assert_int_equal(next(0), 2);
	assert_int_equal(next(0), 1);
}

/* All are down: who rests least is tried all the same. */
static void
test_all_down(void **state)
{
	(void)state;
	misses(0, 5);
	misses(1, 3);
	misses(2, 4);
	assert_int_equal(next(0), 1);
	assert_int_equal(next(0), 1);
	assert_int_equal(next(1 << 1), 2);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(test_turns, setup),
		cmocka_unit_test_setup(test_three_failures, setup),
		cmocka_unit_test_setup(test_how_long, setup),
		cmocka_unit_test_setup(test_one_looks, setup),
		cmocka_unit_test_setup(test_all_down, setup)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
