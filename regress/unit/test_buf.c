/*
 * Byte buffers and the timeout queues.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "worker/base/buf.h"
#include "worker/base/clock.h"
#include "worker/base/timeq.h"

static void
test_fifo(void **state)
{
	struct buf	 b;
	char		 want[4096], chunk[7];
	size_t		 i, in = 0, out = 0;

	(void)state;
	memset(&b, 0, sizeof(b));
	for (i = 0; i < sizeof(want); i++)
		want[i] = (char)(i * 31 + i / 256);
	/* put seven, take three: the data moves through the allocation */
	while (out < sizeof(want)) {
		size_t	 n = sizeof(want) - in < 7 ? sizeof(want) - in : 7;

		memcpy(chunk, want + in, n);
		assert_int_equal(buf_append(&b, chunk, n), 0);
		in += n;
		n = b.len < 3 ? b.len : 3;
		assert_memory_equal(buf_data(&b), want + out, n);
		buf_drop(&b, n);
		out += n;
		assert_int_equal(b.len, in - out);
	}
	buf_free(&b);
	assert_int_equal(buf_total(), 0);
}

/* An error sticks, whatever else gets in, until the buffer is given back. */
static void
test_sticks(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	assert_int_equal(buf_check(&b), 0);
	assert_int_equal(buf_puts(&b, "x"), 0);
	assert_int_equal(buf_check(&b), 0);
	/* more than there is */
	assert_null(buf_room(&b, SIZE_MAX / 2));
	assert_int_equal(buf_check(&b), -1);
	assert_int_equal(buf_puts(&b, "y"), 0);
	assert_int_equal(buf_number(&b, 7), 0);
	buf_drop(&b, b.len);
	assert_int_equal(buf_check(&b), -1);
	buf_free(&b);
	assert_int_equal(buf_check(&b), 0);
	/* one that holds nothing, too */
	assert_null(buf_room(&b, SIZE_MAX / 2));
	assert_int_equal(buf_check(&b), -1);
	buf_wipe(&b);
	assert_int_equal(buf_check(&b), 0);
	buf_fail(&b);
	assert_int_equal(buf_check(&b), -1);
	buf_wipe(&b);
	assert_int_equal(buf_check(&b), 0);
	assert_int_equal(buf_total(), 0);
}

static void
test_room_and_total(void **state)
{
	struct buf	 a, b;

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	assert_non_null(buf_room(&a, 100000));
	assert_int_equal(a.len, 0);
	assert_true(a.cap >= 100000);
	assert_int_equal(buf_printf(&b, "%s-%d", "x", 42), 0);
	assert_int_equal(b.len, 4);
	assert_memory_equal(buf_data(&b), "x-42", 4);
	assert_int_equal(buf_total(), a.cap + b.cap);
	assert_null(buf_room(&b, SIZE_MAX));
	assert_null(buf_room(&b, SIZE_MAX / 2));
	buf_drop(&b, 1000);
	assert_int_equal(b.len, 0);
	buf_wipe(&a);
	buf_wipe(&b);
	assert_int_equal(buf_total(), 0);
}

static int	 fired[3];
static struct timer timers[3];

static void
on_expired(struct timer *t)
{
	size_t	 i = (size_t)(t - timers);

	assert_null(t->q);
	fired[i]++;
}

static void
test_timeouts(void **state)
{
	struct event_base	*base = event_base_new();
	struct timeq		 fast, slow, never;
	uint64_t		 began;

	(void)state;
	timeq_setup(base);
	timeq_init(&fast, 20, on_expired);
	timeq_init(&slow, 10000, on_expired);
	timeq_init(&never, 0, on_expired);
	clock_forget();
	began = clock_mono();
	timer_start(&timers[0], &fast);
	timer_start(&timers[1], &slow);
	timer_start(&timers[2], &never);
	assert_null(timers[2].q);
	/* moved from one queue to another: only the last counts */
	timer_start(&timers[1], &fast);
	timer_start(&timers[2], &slow);
	while (fired[0] == 0 || fired[1] == 0) {
		timeq_arm();
		clock_forget();
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	}
	clock_forget();
	assert_true(clock_mono() - began >= 20);
	assert_int_equal(fired[0], 1);
	assert_int_equal(fired[1], 1);
	assert_int_equal(fired[2], 0);
	assert_non_null(timers[2].q);
	timer_clear(&timers[2]);
	timer_clear(&timers[2]);
	assert_null(timers[2].q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_sticks),
		cmocka_unit_test(test_room_and_total),
		cmocka_unit_test(test_timeouts)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
