/*
 * common/child.h: a child starts only as it was told to, and keeps nothing of
 * what it must give up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/stats.h"

#define NOBODY	65534

static struct event_base	*base;
static struct channel		*master;	/* our end */
static struct proto_hello	 hello;
static int			 got, ended;
static uint32_t			 type;
static char			 text[PROTO_TEXT_MAX];

static void
on_message(struct channel *ch, struct imsg *m, void *arg)
{
	struct log_record	 r;
	const char		*why;

	(void)ch;
	(void)arg;
	if (m == NULL) {
		ended = 1;
		event_base_loopbreak(base);
		return;
	}
	assert_int_equal(proto_check(ROLE_WORKER, ROLE_MASTER, m, &why), 0);
	type = m->type;
	if (type == MSG_LOG) {
		assert_int_equal(proto_get_log(m, &r), 0);
		snprintf(text, sizeof(text), "%s", r.text);
		assert_int_equal(r.pri <= LOG_ERR, 1);
	}
	got++;
}

/* A child that runs f() and exits with what it says; it finds a channel where
 * a child does. */
static pid_t
start(int (*f)(void))
{
	pid_t	 pid;
	int	 null, sv[2];

	got = ended = 0;
	text[0] = '\0';
	assert_int_equal(imsg_pair(sv), 0);
	if ((pid = fork()) == 0) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		close(sv[0]);
		if (sv[1] != PROTO_CHANNEL_FD)
			dup2(sv[1], PROTO_CHANNEL_FD);
		_exit(f());
	}
	assert_int_not_equal(pid, -1);
	close(sv[1]);
	assert_non_null(master = channel_new(base, sv[0], on_message, NULL));
	return (pid);
}

static int
result(pid_t pid)
{
	int	 status;

	channel_flush(master, 5000);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!ended)
		channel_drain(master);
	channel_free(master);
	if (!WIFEXITED(status))
		fail_msg("wait status %#x", status);
	return (WEXITSTATUS(status));
}

/* As the master does: its hello, and the slot of its numbers. */
static int
greet(void)
{
	void	*slot;
	int	 fd = memfd_share("slot", sizeof(struct stats_slot), 0, &slot);

	assert_int_not_equal(fd, -1);
	munmap(slot, sizeof(struct stats_slot));
	return (proto_send_hello(master, &hello) |
	    proto_send_fd(master, MSG_STATS, fd));
}

static int
setup(void **state)
{
	(void)state;
	log_init("test", 1, 0);
	return ((base = event_base_new()) == NULL ? -1 : 0);
}

static int
teardown(void **state)
{
	(void)state;
	event_base_free(base);
	return (0);
}

static int
fresh(void **state)
{
	(void)state;
	memset(&hello, 0, sizeof(hello));
	hello.version = PROTO_VERSION;
	hello.role = ROLE_WORKER;
	hello.level = LOG_INFO;
	hello.instance = 2;
	hello.generation = 5;
	return (0);
}

static int
say_name(void)
{
	struct proto_hello	 h;

	child_hello(&h, ROLE_WORKER);
	return (strcmp(log_name(), "worker 2 (g5)") == 0 &&
	    h.instance == 2 && h.generation == 5 ? 0 : 2);
}

static void
test_hello(void **state)
{
	pid_t	 pid;

	(void)state;
	pid = start(say_name);
	assert_int_equal(greet(), 0);
	assert_int_equal(result(pid), 0);
}

static void
test_wrong_hello(void **state)
{
	pid_t	 pid;

	(void)state;
	pid = start(say_name);
	hello.version = PROTO_VERSION + 1;
	proto_send_hello(master, &hello);
	assert_int_equal(result(pid), 1);

	pid = start(say_name);
	hello.version = PROTO_VERSION;
	hello.role = ROLE_FETCHER;
	proto_send_hello(master, &hello);
	assert_int_equal(result(pid), 1);

	pid = start(say_name);
	proto_send_empty(master, MSG_START);
	assert_int_equal(result(pid), 1);

	pid = start(say_name);
	channel_send(master, MSG_HELLO, 0, -1, "garbage", 7);
	assert_int_equal(result(pid), 1);

	/* end of file; as if somebody had started it by hand */
	pid = start(say_name);
	shutdown(channel_fd(master), SHUT_RDWR);
	assert_int_equal(result(pid), 1);
}

static int
look_for_descriptors(void)
{
	struct proto_hello	 h;
	int			 i;

	for (i = 4; i < 64; i++)
		dup2(STDERR_FILENO, i);
	child_hello(&h, ROLE_WORKER);
	for (i = 4; i < 64; i++)
		if (fcntl(i, F_GETFD) != -1)
			return (2);
	for (i = 0; i < 4; i++)
		if (fcntl(i, F_GETFD) == -1)
			return (3);
	return (0);
}

static void
test_descriptors(void **state)
{
	pid_t	 pid;

	(void)state;
	pid = start(look_for_descriptors);
	greet();
	assert_int_equal(result(pid), 0);
}

static int
raise_all(void)
{
	sigset_t	 all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	raise(SIGHUP);
	child_signals();
	raise(SIGHUP);
	raise(SIGINT);
	raise(SIGTERM);
	raise(SIGUSR1);
	raise(SIGPIPE);
	sigprocmask(SIG_BLOCK, NULL, &all);
	return (sigismember(&all, SIGHUP) || sigismember(&all, SIGCHLD));
}

static void
test_signals(void **state)
{
	(void)state;
	assert_int_equal(result(start(raise_all)), 0);
}

static int
log_and_die(void)
{
	struct proto_hello	 h;
	struct event_base	*b;
	struct channel		*ch;

	child_hello(&h, ROLE_WORKER);
	if ((b = event_base_new()) == NULL || (ch = channel_new(b,
	    PROTO_CHANNEL_FD, on_message, NULL)) == NULL)
		return (2);
	child_log_to(ch);
	log_errx("test.one", NULL, "one");
	fatalx("last words");
}

static void
test_log(void **state)
{
	pid_t	 pid;

	(void)state;
	pid = start(log_and_die);
	greet();
	assert_int_equal(result(pid), 1);
	/* the answer to the hello, and two lines */
	assert_int_equal(got, 3);
	assert_int_equal(type, MSG_LOG);
	assert_string_equal(text, "last words");
	assert_int_equal(ended, 1);
}

static int
limits_are(rlim_t core, int no_procs)
{
	struct rlimit	 rl;

	if (getrlimit(RLIMIT_CORE, &rl) == -1 || rl.rlim_cur != core ||
	    rl.rlim_max != core || getrlimit(RLIMIT_NPROC, &rl) == -1)
		return (0);
	return (!no_procs || (rl.rlim_cur == 0 && rl.rlim_max == 0));
}

static int
drop_nothing(void)
{
	uid_t	 uid = getuid();
	char	 dir[PATH_MAX];

	child_drop(&hello, 1, 1);
	if (getuid() != uid || !limits_are(0, 1) ||
	    getcwd(dir, sizeof(dir)) == NULL || strcmp(dir, "/") != 0)
		return (2);
	return (0);
}

/* Not started as root: ids and root directory stay. */
static void
test_drop_without_root(void **state)
{
	(void)state;
	assert_int_equal(result(start(drop_nothing)), 0);
}

static int
drop_all(void)
{
	gid_t	 groups[] = { 1, 2, 3 };
	uid_t	 ru, eu, su;
	gid_t	 rg, eg, sg;

	setgroups(3, groups);
	child_drop(&hello, 1, 1);
	if (getresuid(&ru, &eu, &su) == -1 || ru != NOBODY || eu != NOBODY ||
	    su != NOBODY)
		return (2);
	if (getresgid(&rg, &eg, &sg) == -1 || rg != NOBODY || eg != NOBODY ||
	    sg != NOBODY || getgroups(0, NULL) != 0)
		return (3);
	if (setuid(0) != -1 || setgid(0) != -1 || seteuid(0) != -1 ||
	    setgroups(1, groups) != -1)
		return (4);
	/* the new root directory is empty */
	if (access("/etc", F_OK) != -1 || access("/..", F_OK) == -1 ||
	    access("here", F_OK) == -1)
		return (5);
	if (!limits_are(0, 1) || fork() != -1)
		return (6);
	return (0);
}

static int
drop_keeping_root(void)
{
	child_drop(&hello, 0, 0);
	return (0);
}

static void
test_drop(void **state)
{
	char	 dir[] = "/tmp/test_child.XXXXXX", file[64];
	pid_t	 pid;
	int	 fd, r;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	snprintf(file, sizeof(file), "%s/here", dir);
	assert_int_not_equal(fd = open(file, O_WRONLY | O_CREAT, 0644), -1);
	close(fd);
	hello.drop = 1;
	hello.uid = hello.gid = NOBODY;
	snprintf(hello.chroot_dir, sizeof(hello.chroot_dir), "%s", dir);
	pid = start(drop_all);
	r = result(pid);
	unlink(file);
	rmdir(dir);
	/* who is not root cannot become another, and does not stay either */
	assert_int_equal(r, geteuid() == 0 ? 0 : 1);
	/* the directory is gone: no start, rather than no chroot */
	assert_int_equal(result(start(drop_all)), 1);
	hello.uid = 0;
	assert_int_equal(result(start(drop_keeping_root)), 1);
	hello.uid = NOBODY;
	hello.gid = 0;
	assert_int_equal(result(start(drop_keeping_root)), 1);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(test_hello, fresh),
		cmocka_unit_test_setup(test_wrong_hello, fresh),
		cmocka_unit_test_setup(test_descriptors, fresh),
		cmocka_unit_test_setup(test_signals, fresh),
		cmocka_unit_test_setup(test_log, fresh),
		cmocka_unit_test_setup(test_drop_without_root, fresh),
		cmocka_unit_test_setup(test_drop, fresh),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
