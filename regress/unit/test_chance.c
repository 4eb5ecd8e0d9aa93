/*
 * daemon/chance.c: what a child could have done, from real children.
 */
#include <sys/wait.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/chance.h"

static pid_t
child(void (*live)(void))
{
	pid_t	 pid;

	if ((pid = fork()) == 0) {
		setpgid(0, 0);
		alarm(60);
		live();
		_exit(0);
	}
	assert_int_not_equal(pid, -1);
	return (pid);
}

static void
end(pid_t pid)
{
	kill(-pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static char
state_of(pid_t pid)
{
	char	 path[64], state = '?';
	FILE	*f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	assert_non_null(f = fopen(path, "r"));
	assert_int_equal(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
	fclose(f);
	return (state);
}

static void
wait_state(pid_t pid, char state)
{
	while (state_of(pid) != state)
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
}

static void
sleeps(void)
{
	for (;;)
		pause();
}

static void
spins(void)
{
	volatile unsigned	 i = 0;

	for (;;)
		i++;
}

/* The parent of such a child waits as for a disk. */
static void
waits(void)
{
	signal(SIGTERM, SIG_IGN);
	if (vfork() == 0) {
		signal(SIGTERM, SIG_DFL);
		alarm(5);
		pause();
		_exit(0);
	}
	wait(NULL);
}

static void
test_asleep(void **state)
{
	struct chance	 c = { 0 };
	pid_t		 pid = child(sleeps);

	(void)state;
	wait_state(pid, 'S');
	assert_int_equal(chance_had(pid, &c), 1);
	kill(pid, SIGSTOP);
	wait_state(pid, 'T');
	assert_int_equal(chance_had(pid, &c), 1);
	end(pid);
	/* nothing is known of it */
	assert_int_equal(chance_had(pid, &c), 1);
}

/* A second of its own, however long that takes, is one. */
static void
test_busy(void **state)
{
	struct chance	 c = { 0 };
	struct timespec	 ts, pause = { 0, 10000000 };
	pid_t		 pid = child(spins);
	clockid_t	 clock;
	int		 n = 0;

	(void)state;
	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	do {
		nanosleep(&pause, NULL);
		assert_int_equal(clock_gettime(clock, &ts), 0);
		n += chance_had(pid, &c);
	} while (ts.tv_sec < 1 || ts.tv_nsec < 100000000);
	assert_int_equal(n, 1);
	end(pid);
}

static void
test_waiting(void **state)
{
	struct chance	 c = { 0 };
	pid_t		 pid = child(waits);

	(void)state;
	wait_state(pid, 'D');
	assert_int_equal(chance_had(pid, &c), 0);
	assert_int_equal(chance_had(pid, &c), 0);
	/* it takes its child with it */
	kill(-pid, SIGTERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_asleep),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_waiting)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
