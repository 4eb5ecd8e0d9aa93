/*
 * worker/upstream/up_wait.c: whose turn it is, and who gives way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/base/timeq.h"
#include "worker/upstream/up_wait.h"

#define MAX	4			/* max_connections */
#define MANY	1024			/* may wait */
#define A	1			/* addresses, by their hash */
#define B	2
#define C	3

static struct event_base	*base;
static struct conf_upstream	 conf = { .max_connections = MAX };
static struct timeq		 q_wait;
static struct upstream		 up;
static struct up_wait		 all[MANY + 8];
static struct up_wait		*turns[MANY], *left[8];
static size_t			 nturns, nleft, nfree;

/* Takes a connection while there are some, else waits again. */
static void
turn(struct up_wait *w)
{
	if (nfree == 0) {
		assert_int_equal(up_wait_begin(w), 0);
		return;
	}
	nfree--;
	turns[nturns++] = w;
	up_wait_got(w);
}

static void
leave(struct up_wait *w, const char *why)
{
	assert_non_null(why);
	left[nleft++] = w;
	up_wait_end(w);
}

static const struct up_wait_cb callbacks = { .turn = turn, .leave = leave };

static int
setup_base(void **state)
{
	(void)state;
	if ((base = event_base_new()) == NULL)
		return (-1);
	timeq_setup(base);
	timeq_init(&q_wait, 1000, up_wait_expired);
	up.conf = &conf;
	up.q_wait = &q_wait;
	up_wait_setup(base, &up, 1, &callbacks);
	return (0);
}

static int
setup(void **state)
{
	(void)state;
	memset(all, 0, sizeof(all));
	nturns = nleft = nfree = 0;
	return (0);
}

/* Nobody is counted any more. */
static int
teardown(void **state)
{
	size_t	 i;

	(void)state;
	for (i = 0; i < MANY + 8; i++)
		if (all[i].up != NULL)
			up_wait_end(&all[i]);
	for (i = 0; i < UP_SOURCES; i++)
		if (up.sources[i].busy != 0 || up.sources[i].waiting != 0)
			return (-1);
	return (up.nwaiting != 0 || !TAILQ_EMPTY(&up.waiting) ||
	    !TAILQ_EMPTY(&up.standing) || !TAILQ_EMPTY(&q_wait.list));
}

static void
wait_for(size_t i, uint32_t source)
{
	up_wait_init(&all[i], &up, source, 0);
	assert_int_equal(up_wait_begin(&all[i]), 0);
}

static void
have(size_t i, uint32_t source, int standing)
{
	up_wait_init(&all[i], &up, source, standing);
	up_wait_got(&all[i]);
}

/* So many connections got free. */
static void
release(size_t n)
{
	nfree = n;
	up_wait_wake(&up);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Who has least comes first, then who has not had one for longest. */
static void
test_turns(void **state)
{
	size_t	 i;

	(void)state;
	have(0, A, 0);
	have(1, A, 0);
	have(2, B, 0);
	for (i = 3; i < 6; i++)
		wait_for(i, A);
	wait_for(6, B);
	wait_for(7, C);
	release(1);
	assert_int_equal(nturns, 1);
	assert_ptr_equal(turns[0], &all[7]);
	/* C has one now, as B has, whose last is longer ago */
	wait_for(8, C);
	release(1);
	assert_ptr_equal(turns[1], &all[6]);
	release(2);
	assert_ptr_equal(turns[2], &all[8]);
	assert_ptr_equal(turns[3], &all[3]);
	assert_int_equal(nleft, 0);
}

/* Whoever comes later waits as well; a health check does not. */
static void
test_must_wait(void **state)
{
	(void)state;
	wait_for(0, A);
	up_wait_init(&all[1], &up, B, 0);
	assert_true(up_wait_must(&all[1]));
	up_wait_init_probe(&all[2], &up);
	assert_false(up_wait_must(&all[2]));
	up_wait_end(&all[0]);
	assert_false(up_wait_must(&all[1]));
}

/* A full queue: the last of who waits most leaves, for one who waits less. */
static void
test_full(void **state)
{
	size_t	 i;

	(void)state;
	for (i = 0; i < MANY; i++)
		wait_for(i, A);
	up_wait_init(&all[MANY], &up, A, 0);
	assert_int_equal(up_wait_begin(&all[MANY]), -1);
	assert_int_equal(nleft, 0);
	wait_for(MANY + 1, B);
	assert_int_equal(nleft, 1);
	assert_ptr_equal(left[0], &all[MANY - 1]);
	assert_int_equal(up.nwaiting, MANY);
}

/* Streams of one address end for another that has nothing, but only those
 * beyond half. */
static void
test_streams_give_way(void **state)
{
	size_t	 i;

	(void)state;
	for (i = 0; i < MAX; i++)
		have(i, A, 1);
	wait_for(MAX, B);
	release(0);
	assert_int_equal(nleft, 1);
	assert_ptr_equal(left[0], &all[0]);
	release(1);
	assert_ptr_equal(turns[0], &all[MAX]);
	/* B has one, A one too many: B is told to wait */
	wait_for(MAX + 1, B);
	release(0);
	assert_int_equal(nleft, 1);
	/* C has none: one more; then A has but its half */
	wait_for(MAX + 2, C);
	release(0);
	assert_int_equal(nleft, 2);
	assert_ptr_equal(left[1], &all[1]);
	wait_for(MAX + 3, C + 1);
	release(0);
	assert_int_equal(nleft, 2);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_must_wait, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_streams_give_way, setup,
		    teardown)
	};

	return (cmocka_run_group_tests(tests, setup_base, NULL));
}
