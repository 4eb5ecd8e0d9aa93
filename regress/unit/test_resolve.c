/*
 * fetcher/resolve.c with a resolver and a clock of our own: a name whose
 * look-up takes long must not keep others from theirs.
 */
#include <sys/syscall.h>
#include <sys/types.h>

#include <netinet/in.h>

#include <netdb.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetcher/resolve.h"

#define STUCK_S	10	/* then SIGALRM ends the program */

static struct event_base	*base;
static _Atomic long		 ahead;		/* s, of the real clock */
static _Atomic int		 slow_calls;
static sem_t			 slow_began, slow_may_end;
static int			 told_quick;
static struct sockaddr_in	 address = { .sin_family = AF_INET };
static struct addrinfo		 result = {
	.ai_family = AF_INET,
	.ai_addr = (struct sockaddr *)&address
};

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int	 r = (int)syscall(SYS_clock_gettime, id, ts);

	ts->tv_sec += ahead;
	return (r);
}

int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
	(void)service;
	(void)hints;
	if (strcmp(node, "slow.test") == 0 && slow_calls++ == 0) {
		sem_post(&slow_began);
		sem_wait(&slow_may_end);
	}
	*res = &result;
	return (0);
}

void
freeaddrinfo(struct addrinfo *res)
{
	(void)res;
}

static void
changed(const char *name)
{
	if (strcmp(name, "quick.test") == 0)
		told_quick = 1;
}

static void
test_slow_name(void **state)
{
	struct proto_addr	 addrs[PROTO_ADDRS_MAX];
	size_t			 n;
	int			 i;

	(void)state;
	alarm(STUCK_S);
	sem_init(&slow_began, 0, 0);
	sem_init(&slow_may_end, 0, 0);
	assert_non_null(base = event_base_new());
	resolve_setup(base, changed);
	resolve_watch("slow.test");
	sem_wait(&slow_began);
	/* ten minutes, in which it is due again and again */
	for (i = 0; i < 20; i++) {
		ahead += 31;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	resolve_watch("quick.test");
	assert_int_equal(resolve_get("quick.test", addrs, &n), 0);
	sem_post(&slow_may_end);
	while (!told_quick)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(slow_calls, 1);
	assert_int_equal(resolve_get("quick.test", addrs, &n), 1);
	assert_int_equal(n, 1);
	/* and then it is asked again when it is due */
	ahead += 31;
	while (slow_calls < 2)
		event_base_loop(base, EVLOOP_NONBLOCK);
	alarm(0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_slow_name)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
