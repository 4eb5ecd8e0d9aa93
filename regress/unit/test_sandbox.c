/*
 * The sandboxes of all processes: each tries what it must not, in a child of
 * its own, and is seen to die or to be refused; and what it lives from goes on
 * working.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/landlock.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/memfd.h"
#include "common/sandbox.h"
#include "fetcher/sandbox_rules.h"
#include "keeper/sandbox_rules.h"
#include "monitor/sandbox_rules.h"
#include "regress/unit/sandbox_attempts.h"
#include "worker/base/sandbox_rules.h"

/* What becomes of an attempt. */
enum fate {
	WORKS,
	DIES,		/* by SIGSYS */
	ABORTS,		/* by SIGABRT */
	REFUSED,	/* fails with EACCES or ENOSYS and lives on */
	FAILS,		/* fails otherwise: the sandbox let it pass */
	EXITS		/* exits with 1: fatal() */
};

/* The sanitizers' runtime opens files and more: in such builds a lenient
 * attempt may also be refused by Landlock, or fail by itself, and the strict
 * ones are not made. */
#ifdef SANITIZE
#define LENIENT	1
#else
#define LENIENT	0
#endif

struct attempt {
	const char	*name;
	long		 (*try)(void);
	enum fate	 fate;
	int		 lenient;
};

static int
landlock_abi(void)
{
	return ((int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION));
}

/* Running them. */

static void
enter_worker(void)
{
	sandbox_no_privileges();
	worker_sandbox(&things.open_port, 1);
}

static void
enter_fetcher(void)
{
	sandbox_no_privileges();
	fetcher_sandbox();
}

static void
enter_keeper(void)
{
	sandbox_no_privileges();
	keeper_landlock();
	keeper_sandbox();
}

static void
enter_monitor(void)
{
	sandbox_no_privileges();
	monitor_sandbox();
}

/* Exit status: 0 works, 2 refused, 3 fails otherwise. */
static void
child(void (*enter)(void), long (*try)(void))
{
	int	 null;

	/* what fatal() and abort() say is expected */
	if ((null = open("/dev/null", O_WRONLY)) != -1)
		dup2(null, STDERR_FILENO);
	signal(SIGABRT, SIG_DFL);
	enter();
	errno = 0;
	if (try() != -1)
		_exit(0);
	_exit(errno == EACCES || errno == ENOSYS ? 2 : 3);
}

static enum fate
fate_of(void (*enter)(void), long (*try)(void))
{
	pid_t	 pid;
	int	 status;

	if ((pid = fork()) == 0)
		child(enter, try);
	assert_int_not_equal(pid, -1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == SIGABRT)
			return (ABORTS);
		if (WTERMSIG(status) != SIGSYS)
			fail_msg("signal %d", WTERMSIG(status));
		return (DIES);
	}
	switch (WEXITSTATUS(status)) {
	case 0:
		return (WORKS);
	case 2:
		return (REFUSED);
	case 3:
		return (FAILS);
	}
	return (EXITS);
}

static void
run(void (*enter)(void), const struct attempt *a, size_t n)
{
	static const char *const words[] = { "works", "dies", "aborts",
			    "is refused", "fails", "exits" };
	enum fate	 fate;
	size_t		 i, wrong = 0;

	for (i = 0; i < n; i++) {
		fate = fate_of(enter, a[i].try);
		if (fate == a[i].fate || (LENIENT && a[i].lenient &&
		    (fate == REFUSED || fate == FAILS)))
			continue;
		print_error("%s: %s, expected: %s\n", a[i].name, words[fate],
		    words[a[i].fate]);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void
test_worker(void **state)
{
	const struct attempt	 attempts[] = {
		{ "open", try_open_read, DIES, 1 },
		{ "open for writing", try_open_write, DIES, 1 },
		{ "create", try_open_create, DIES, 1 },
		{ "open(2)", try_open_old, DIES, 0 },
		{ "openat2", try_open_new, DIES, 0 },
		{ "mkdir", try_make_directory, DIES, 0 },
		{ "unlink", try_remove_file, DIES, 0 },
		{ "fchmod of the audit log", try_change_mode, DIES, 0 },
		{ "ftruncate of the audit log", try_audit_truncate, DIES, 0 },
		{ "pwrite to the audit log", try_audit_pwrite, DIES, 0 },
		{ "pwritev2 to the audit log", try_audit_noappend_write, DIES,
		    0 },
		{ "fallocate of the audit log", try_audit_punch, DIES, 0 },
		{ "F_SETFL of the audit log", try_audit_no_append, DIES, 0 },
		{ "write to the audit log", try_audit_write, WORKS, 0 },
		{ "execve", try_execute, DIES, 0 },
		{ "fork", try_fork_process, DIES, 0 },
		{ "thread", try_start_thread, DIES, 0 },
		{ "ptrace", try_trace, DIES, 0 },
		{ "process_vm_writev", try_read_memory, DIES, 0 },
		{ "kill", try_signal_parent, DIES, 0 },
		{ "tgkill", try_signal_other_thread, DIES, 1 },
		{ "setuid", try_become_root, DIES, 0 },
		{ "chroot", try_change_root, DIES, 0 },
		{ "unshare", try_new_namespace, DIES, 0 },
		{ "mount", try_mount_something, DIES, 0 },
		{ "prlimit", try_raise_limit, DIES, 0 },
		{ "io_uring", try_io_ring, DIES, 0 },
		{ "bpf", try_load_bpf, DIES, 0 },
		{ "abort", try_abort_itself, ABORTS, 0 },
		{ "mmap writable and executable", try_map_write_exec, DIES, 0 },
		{ "mmap executable", try_map_exec, DIES, 0 },
		{ "mprotect executable", try_make_exec, DIES, 0 },
		{ "memfd_create", try_make_sealed, DIES, 0 },
		{ "mapping a sealed memfd", try_map_sealed, WORKS, 0 },
		{ "memory", try_memory, WORKS, 0 },
		{ "getrandom", try_random, WORKS, 0 },
		{ "AF_UNIX", try_socket_unix, DIES, 0 },
		{ "AF_NETLINK", try_socket_netlink, DIES, 0 },
		{ "AF_PACKET", try_socket_packet, DIES, 0 },
		{ "UDP", try_socket_udp, DIES, 0 },
		{ "raw socket", try_socket_raw, DIES, 0 },
		{ "MPTCP", try_socket_mptcp, DIES, 0 },
		{ "bind", try_bind_tcp, DIES, 0 },
		{ "listen", try_listen_tcp, DIES, 0 },
		{ "connect to an upstream", try_connect_open, WORKS, 0 },
		{ "connect elsewhere", try_connect_other,
		    landlock_abi() >= 4 ? REFUSED : WORKS, 0 },
		{ "sendto with MSG_FASTOPEN", try_fast_open, DIES, 0 },
		{ "sendmsg with MSG_FASTOPEN", try_fast_open_message, DIES, 0 },
		{ "TCP_NODELAY", try_no_delay, WORKS, 0 },
		{ "SO_REUSEPORT", try_reuse_port, DIES, 0 },
		{ "shutdown of the listen socket", try_listening_shutdown,
		    DIES, 0 },
		{ "connect of it", try_listening_disconnect, DIES, 0 },
		{ "SO_LINGER of it", try_listening_linger, DIES, 0 },
		{ "shutdown of it, 64 bits", try_listening_high_bits, DIES,
		    0 },
		{ "dup of it", try_listening_dup, DIES, 0 },
		{ "F_DUPFD of it", try_listening_dup_fcntl, DIES, 0 },
		{ "dup3 in its place", try_listening_replaced, WORKS, 0 },
		{ "SHUT_RDWR", try_shutdown_read, DIES, 0 },
		{ "SHUT_WR", try_shutdown_write, FAILS, 0 },
	};
	const struct attempt	 strict[] = {
		{ "lseek in the audit log", try_audit_seek, DIES, 0 },
		{ "prctl", try_make_dumpable, DIES, 0 },
		{ "ioctl", try_control, DIES, 0 },
	};

	(void)state;
	run(enter_worker, attempts, sizeof(attempts) / sizeof(attempts[0]));
	if (!LENIENT)
		run(enter_worker, strict, sizeof(strict) / sizeof(strict[0]));
}

static void
test_fetcher(void **state)
{
	const struct attempt	 attempts[] = {
		{ "open below /etc", try_open_read, WORKS, 0 },
		{ "open elsewhere", try_open_outside,
		    landlock_abi() >= 1 ? REFUSED : WORKS, 0 },
		{ "open for writing", try_open_write, DIES, 1 },
		{ "create", try_open_create, DIES, 1 },
		{ "open(2)", try_open_old, DIES, 0 },
		{ "openat2", try_open_new, DIES, 0 },
		{ "mkdir", try_make_directory, DIES, 0 },
		{ "unlink", try_remove_file, DIES, 0 },
		{ "execve", try_execute, DIES, 0 },
		{ "fork", try_fork_process, DIES, 0 },
		{ "thread", try_start_thread, WORKS, 0 },
		{ "clone with a namespace", try_thread_with_namespace, DIES,
		    0 },
		{ "ptrace", try_trace, DIES, 0 },
		{ "process_vm_writev", try_read_memory, DIES, 0 },
		{ "kill", try_signal_parent, DIES, 0 },
		{ "setuid", try_become_root, DIES, 0 },
		{ "chroot", try_change_root, DIES, 0 },
		{ "unshare", try_new_namespace, DIES, 0 },
		{ "mount", try_mount_something, DIES, 0 },
		{ "io_uring", try_io_ring, DIES, 0 },
		{ "bpf", try_load_bpf, DIES, 0 },
		{ "abort", try_abort_itself, ABORTS, 0 },
		{ "mmap writable and executable", try_map_write_exec, DIES, 0 },
		{ "mmap executable", try_map_exec, REFUSED, 0 },
		{ "mprotect executable", try_make_exec, DIES, 0 },
		{ "making a sealed memfd", try_make_sealed, WORKS, 0 },
		{ "memfd of huge pages", try_huge_memfd, DIES, 0 },
		{ "mapping a sealed memfd", try_map_sealed, WORKS, 0 },
		{ "memory", try_memory, WORKS, 0 },
		{ "getrandom", try_random, WORKS, 0 },
		{ "AF_UNIX", try_socket_unix, REFUSED, 0 },
		{ "AF_NETLINK", try_socket_netlink, WORKS, 0 },
		{ "netfilter", try_socket_netlink_other, DIES, 0 },
		{ "AF_PACKET", try_socket_packet, DIES, 0 },
		{ "UDP", try_socket_udp, WORKS, 0 },
		{ "raw socket", try_socket_raw, DIES, 0 },
		{ "ping socket", try_socket_ping, DIES, 0 },
		{ "bind", try_bind_tcp, DIES, 0 },
		{ "bind with a short address", try_bind_short, FAILS, 0 },
		{ "listen", try_listen_tcp, DIES, 0 },
		{ "connect", try_connect_other, WORKS, 0 },
		{ "getaddrinfo", try_resolve, WORKS, 0 },
	};
	const struct attempt	 strict[] = {
		{ "thread that opens a file", try_thread_opens, DIES, 0 },
		{ "prctl", try_make_dumpable, DIES, 0 },
		{ "ioctl", try_control, DIES, 0 },
	};

	(void)state;
	run(enter_fetcher, attempts, sizeof(attempts) / sizeof(attempts[0]));
	if (!LENIENT)
		run(enter_fetcher, strict, sizeof(strict) / sizeof(strict[0]));
}

static void
test_keeper(void **state)
{
	const struct attempt	 attempts[] = {
		{ "open", try_open_read, DIES, 1 },
		{ "open for writing", try_open_write, DIES, 1 },
		{ "create", try_open_create, DIES, 1 },
		{ "open(2)", try_open_old, DIES, 0 },
		{ "openat2", try_open_new, DIES, 0 },
		{ "write to a file", try_audit_write, DIES, 0 },
		{ "pwrite", try_audit_pwrite, DIES, 0 },
		{ "F_SETFL", try_audit_no_append, DIES, 0 },
		{ "execve", try_execute, DIES, 0 },
		{ "fork", try_fork_process, DIES, 0 },
		{ "thread", try_start_thread, DIES, 0 },
		{ "ptrace", try_trace, DIES, 0 },
		{ "process_vm_writev", try_read_memory, DIES, 0 },
		{ "kill", try_signal_parent, DIES, 0 },
		{ "tgkill", try_signal_other_thread, DIES, 1 },
		{ "setuid", try_become_root, DIES, 0 },
		{ "chroot", try_change_root, DIES, 0 },
		{ "unshare", try_new_namespace, DIES, 0 },
		{ "prlimit", try_raise_limit, DIES, 0 },
		{ "io_uring", try_io_ring, DIES, 0 },
		{ "bpf", try_load_bpf, DIES, 0 },
		{ "abort", try_abort_itself, ABORTS, 0 },
		{ "mmap writable and executable", try_map_write_exec, DIES, 0 },
		{ "mprotect executable", try_make_exec, DIES, 0 },
		{ "memfd_create", try_make_sealed, DIES, 0 },
		{ "mapping a sealed memfd", try_map_sealed, WORKS, 0 },
		{ "memory", try_memory, WORKS, 0 },
		{ "getrandom", try_random, WORKS, 0 },
		{ "TCP", try_connect_open, DIES, 0 },
		{ "UDP", try_socket_udp, DIES, 0 },
		{ "AF_UNIX", try_socket_unix, DIES, 0 },
		{ "AF_NETLINK", try_socket_netlink, DIES, 0 },
		{ "setsockopt", try_no_delay, DIES, 0 },
	};
	const struct attempt	 strict[] = {
		{ "lseek", try_audit_seek, DIES, 0 },
		{ "prctl", try_make_dumpable, DIES, 0 },
		{ "ioctl", try_control, DIES, 0 },
	};

	(void)state;
	run(enter_keeper, attempts, sizeof(attempts) / sizeof(attempts[0]));
	if (!LENIENT)
		run(enter_keeper, strict, sizeof(strict) / sizeof(strict[0]));
}

/* It can look, take connections and answer, and that is all. */
static void
test_monitor(void **state)
{
	const struct attempt	 attempts[] = {
		{ "open", try_open_read, DIES, 1 },
		{ "open for writing", try_open_write, DIES, 1 },
		{ "create", try_open_create, DIES, 1 },
		{ "open(2)", try_open_old, DIES, 0 },
		{ "openat2", try_open_new, DIES, 0 },
		{ "unlink", try_remove_file, DIES, 0 },
		{ "chmod", try_change_mode, DIES, 0 },
		{ "pwrite", try_audit_pwrite, DIES, 0 },
		{ "ftruncate", try_audit_truncate, DIES, 0 },
		{ "execve", try_execute, DIES, 0 },
		{ "fork", try_fork_process, DIES, 0 },
		{ "thread", try_start_thread, DIES, 0 },
		{ "ptrace", try_trace, DIES, 0 },
		{ "process_vm_writev", try_read_memory, DIES, 0 },
		{ "kill", try_signal_parent, DIES, 0 },
		{ "tgkill", try_signal_other_thread, DIES, 1 },
		{ "setuid", try_become_root, DIES, 0 },
		{ "chroot", try_change_root, DIES, 0 },
		{ "unshare", try_new_namespace, DIES, 0 },
		{ "prlimit", try_raise_limit, DIES, 0 },
		{ "io_uring", try_io_ring, DIES, 0 },
		{ "bpf", try_load_bpf, DIES, 0 },
		{ "abort", try_abort_itself, ABORTS, 0 },
		{ "mmap writable and executable", try_map_write_exec, DIES, 0 },
		{ "mprotect executable", try_make_exec, DIES, 0 },
		{ "memfd_create", try_make_sealed, DIES, 0 },
		{ "mapping a sealed memfd", try_map_sealed, WORKS, 0 },
		{ "memory", try_memory, WORKS, 0 },
		{ "getrandom", try_random, WORKS, 0 },
		{ "connect", try_connect_open, DIES, 0 },
		{ "UDP", try_socket_udp, DIES, 0 },
		{ "AF_UNIX", try_socket_unix, DIES, 0 },
		{ "AF_NETLINK", try_socket_netlink, DIES, 0 },
		{ "bind", try_bind_tcp, DIES, 0 },
		{ "listen", try_listen_tcp, DIES, 0 },
		{ "setsockopt", try_no_delay, DIES, 0 },
		{ "TCP Fast Open in a message", try_fast_open_message, DIES,
		    0 },
		/* a door that it shut would be shut for the next one */
		{ "SHUT_RDWR", try_shutdown_read, DIES, 0 },
		{ "SHUT_WR", try_shutdown_write, FAILS, 0 },
	};
	const struct attempt	 strict[] = {
		{ "lseek", try_audit_seek, DIES, 0 },
		{ "prctl", try_make_dumpable, DIES, 0 },
		{ "ioctl", try_control, DIES, 0 },
	};

	(void)state;
	run(enter_monitor, attempts, sizeof(attempts) / sizeof(attempts[0]));
	if (!LENIENT)
		run(enter_monitor, strict, sizeof(strict) / sizeof(strict[0]));
}

/* A call by the numbers of 32-bit programs. */
static void
test_other_architecture(void **state)
{
	pid_t	 pid;
	int	 status;

	(void)state;
	if ((pid = fork()) == 0)
		child(enter_worker, try_other_architecture);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	/* SIGSEGV where the kernel does not know such programs */
	assert_true(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV);
}

static void *
wait_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return (NULL);
}

static void
enter_late(void)
{
	pthread_t	 t;

	if (pthread_create(&t, NULL, wait_for_ever, NULL) != 0)
		_exit(99);
	enter_fetcher();
}

/* A thread that was there before would stay outside of Landlock. */
static void
test_no_threads_before(void **state)
{
	(void)state;
	assert_int_equal(fate_of(enter_late, try_audit_write), EXITS);
}

static void
enter_no_privileges(void)
{
	sandbox_no_privileges();
}

static long
privileges(void)
{
	char	 line[256], *end;
	FILE	*f;
	int	 seen = 0;

	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
	    (f = fopen("/proc/self/status", "r")) == NULL)
		return (-1);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "CapPrm:", 7) == 0 ||
		    strncmp(line, "CapEff:", 7) == 0 ||
		    strncmp(line, "CapInh:", 7) == 0 ||
		    strncmp(line, "CapAmb:", 7) == 0) {
			seen++;
			if (strtoull(line + 7, &end, 16) != 0 || *end != '\n')
				return (-1);
		}
	fclose(f);
	return (seen == 4 ? 0 : -1);
}

static void
test_no_privileges(void **state)
{
	(void)state;
	assert_int_equal(fate_of(enter_no_privileges, privileges), WORKS);
}

/* A listener on a port of loopback's. */
static int
listener(uint16_t *port)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	socklen_t		 len = sizeof(a);
	int			 s;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((s = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    bind(s, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(s, 64) == -1 ||
	    getsockname(s, (struct sockaddr *)&a, &len) == -1)
		return (-1);
	*port = ntohs(a.sin_port);
	return (s);
}

static int
setup(void **state)
{
	char	 path[] = "/tmp/test_sandbox.XXXXXX";

	(void)state;
	log_init("test", 1, 0);
	if (listener(&things.open_port) == -1 ||
	    listener(&things.other_port) == -1 ||
	    (things.tcp = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    (things.audit = mkostemp(path, O_APPEND)) == -1 ||
	    unlink(path) == -1 ||
	    (things.sealed = memfd_seal("test", "abc", 3)) == -1)
		return (-1);
	things.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS, -1, 0);
	return (things.page == MAP_FAILED ? -1 : 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_fetcher),
		cmocka_unit_test(test_keeper),
		cmocka_unit_test(test_monitor),
		cmocka_unit_test(test_other_architecture),
		cmocka_unit_test(test_no_threads_before),
		cmocka_unit_test(test_no_privileges),
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
