/*
 * Attempts of all kinds.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/memfd.h"
#include "regress/unit/sandbox_attempts.h"
#include "worker/base/sandbox_rules.h"

struct things	things;

/* Files. */

long
try_open_read(void)
{
	return (open("/etc/passwd", O_RDONLY));
}

long
try_open_write(void)
{
	return (open("/etc/hosts", O_WRONLY));
}

long
try_open_create(void)
{
	return (open("/tmp/test_sandbox.x", O_RDONLY | O_CREAT, 0600));
}

long
try_open_outside(void)
{
	return (open("/proc/self/maps", O_RDONLY));
}

long
try_open_old(void)
{
	return (syscall(SYS_open, "/etc/passwd", O_RDONLY));
}

long
try_open_new(void)
{
	static uint64_t	 how[3];

	return (syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how,
	    sizeof(how)));
}

long
try_make_directory(void)
{
	return (mkdir("/tmp/test_sandbox.d", 0700));
}

long
try_remove_file(void)
{
	return (unlink("/tmp/test_sandbox.none"));
}

long
try_change_mode(void)
{
	return (fchmod(things.audit, 0777));
}

/* The audit log. */

long
try_audit_truncate(void)
{
	return (ftruncate(things.audit, 0));
}

long
try_audit_seek(void)
{
	return (lseek(things.audit, 0, SEEK_SET));
}

long
try_audit_pwrite(void)
{
	return (pwrite(things.audit, "x", 1, 0));
}

long
try_audit_no_append(void)
{
	return (fcntl(things.audit, F_SETFL, 0));
}

long
try_audit_punch(void)
{
	return (fallocate(things.audit, FALLOC_FL_KEEP_SIZE |
	    FALLOC_FL_PUNCH_HOLE, 0, 1));
}

long
try_audit_noappend_write(void)
{
	struct iovec	 iov = { things.page, 1 };

	return (syscall(SYS_pwritev2, things.audit, &iov, 1, 0, 0, 0));
}

long
try_audit_write(void)
{
	return (write(things.audit, "line\n", 5) == 5 ? 0 : -1);
}

/* Processes. */

long
try_execute(void)
{
	char	*argv[] = { things.page, NULL }, *envp[] = { NULL };

	return (execve("/bin/true", argv, envp));
}

long
try_fork_process(void)
{
	pid_t	 pid = fork();

	if (pid == 0)
		_exit(0);
	return (pid);
}

long
try_trace(void)
{
	return (ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

long
try_read_memory(void)
{
	struct iovec	 iov = { things.page, 1 };

	return (process_vm_writev(getppid(), &iov, 1, &iov, 1, 0));
}

long
try_signal_parent(void)
{
	return (kill(1, 0));
}

long
try_signal_other_thread(void)
{
	return (syscall(SYS_tgkill, 1, 1, 0));
}

long
try_become_root(void)
{
	return (setuid(0));
}

long
try_change_root(void)
{
	return (chroot("/"));
}

long
try_new_namespace(void)
{
	return (unshare(CLONE_NEWUSER));
}

long
try_mount_something(void)
{
	return (mount("none", "/mnt", "tmpfs", 0, NULL));
}

long
try_thread_with_namespace(void)
{
	return (syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES |
	    CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
	    CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_NEWNET,
	    NULL, NULL, NULL, NULL));
}

long
try_make_dumpable(void)
{
	return (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

long
try_raise_limit(void)
{
	return (syscall(SYS_prlimit64, 0, 7, NULL, NULL));
}

long
try_io_ring(void)
{
	return (syscall(SYS_io_uring_setup, 1, NULL));
}

long
try_load_bpf(void)
{
	return (syscall(SYS_bpf, 0, NULL, 0));
}

long
try_abort_itself(void)
{
	abort();
}

long
try_other_architecture(void)
{
#ifdef __x86_64__
	long	 r;

	/* getpid of x86, which in our numbers is something else */
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
	return (r);
#else
	return (try_trace());
#endif
}

static void *
thread_main(void *arg)
{
	if (arg != NULL)
		try_open_write();
	return (NULL);
}

long
try_start_thread(void)
{
	pthread_t	 t;

	if ((errno = pthread_create(&t, NULL, thread_main, NULL)) != 0)
		return (-1);
	pthread_join(t, NULL);
	return (0);
}

long
try_thread_opens(void)
{
	pthread_t	 t;

	if ((errno = pthread_create(&t, NULL, thread_main, things.page)) != 0)
		return (-1);
	pthread_join(t, NULL);
	return (0);
}

/* Memory. */

long
try_map_write_exec(void)
{
	return (mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}

long
try_map_exec(void)
{
	return (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE |
	    MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}

long
try_make_exec(void)
{
	return (mprotect(things.page, 4096, PROT_READ | PROT_EXEC));
}

long
try_map_sealed(void)
{
	const void	*p;
	size_t		 len;

	return (memfd_map(things.sealed, 4096, &p, &len));
}

long
try_make_sealed(void)
{
	return (memfd_seal("keys", "abc", 3) == -1 ? -1 : 0);
}

long
try_huge_memfd(void)
{
	return (memfd_create("keys", MFD_CLOEXEC | MFD_HUGETLB));
}

long
try_memory(void)
{
	char	*p;
	size_t	 n;

	for (n = 1; n < 1 << 22; n *= 2) {
		if ((p = malloc(n)) == NULL)
			return (-1);
		memset(p, 1, n);
		if ((p = realloc(p, 3 * n)) == NULL)
			return (-1);
		free(p);
	}
	return (0);
}

long
try_random(void)
{
	size_t	 n;

	return (getrandom(&n, sizeof(n), 0) == sizeof(n) ? 0 : -1);
}

/* Sockets. */

long
try_socket_unix(void)
{
	return (socket(AF_UNIX, SOCK_STREAM, 0));
}

long
try_socket_netlink(void)
{
	return (socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
}

long
try_socket_netlink_other(void)
{
	return (socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
}

long
try_socket_udp(void)
{
	return (socket(AF_INET, SOCK_DGRAM, 0));
}

long
try_socket_raw(void)
{
	return (socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

long
try_socket_ping(void)
{
	return (socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6));
}

long
try_socket_packet(void)
{
	return (socket(AF_PACKET, SOCK_RAW, 0));
}

long
try_socket_mptcp(void)
{
	return (socket(AF_INET, SOCK_STREAM, 262));
}

long
try_bind_tcp(void)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };

	return (bind(things.tcp, (struct sockaddr *)&a, sizeof(a)));
}

long
try_bind_short(void)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };

	return (bind(things.tcp, (struct sockaddr *)&a,
	    sizeof(struct sockaddr_nl)));
}

long
try_listen_tcp(void)
{
	return (listen(things.tcp, 1));
}

static long
connect_to(uint16_t port)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	int			 s;

	a.sin_port = htons(port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return (-1);
	return (connect(s, (struct sockaddr *)&a, sizeof(a)));
}

long
try_connect_open(void)
{
	return (connect_to(things.open_port));
}

long
try_connect_other(void)
{
	return (connect_to(things.other_port));
}

long
try_fast_open(void)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };

	a.sin_port = htons(things.other_port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return (sendto(things.tcp, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
	    (struct sockaddr *)&a, sizeof(a)));
}

long
try_fast_open_message(void)
{
	struct msghdr	 msg;

	memset(&msg, 0, sizeof(msg));
	return (sendmsg(things.tcp, &msg, MSG_FASTOPEN | MSG_NOSIGNAL));
}

long
try_no_delay(void)
{
	int	 one = 1;

	return (setsockopt(things.tcp, IPPROTO_TCP, TCP_NODELAY, &one,
	    sizeof(one)));
}

/* The worker's listen socket, in its place. */

long
try_listening_shutdown(void)
{
	return (shutdown(WORKER_LISTEN_FD, SHUT_WR));
}

long
try_listening_disconnect(void)
{
	struct sockaddr	 a = { .sa_family = AF_UNSPEC };

	return (connect(WORKER_LISTEN_FD, &a, sizeof(a)));
}

long
try_listening_linger(void)
{
	struct linger	 l = { 1, 60 };

	return (setsockopt(WORKER_LISTEN_FD, SOL_SOCKET, SO_LINGER, &l,
	    sizeof(l)));
}

/* The kernel looks at the lower half of the register. */
long
try_listening_high_bits(void)
{
	return (syscall(SYS_shutdown, 1UL << 32 | WORKER_LISTEN_FD, SHUT_WR));
}

long
try_listening_dup(void)
{
	return (dup(WORKER_LISTEN_FD));
}

long
try_listening_dup_fcntl(void)
{
	return (fcntl(WORKER_LISTEN_FD, F_DUPFD, 0));
}

long
try_listening_replaced(void)
{
	return (dup3(STDIN_FILENO, WORKER_LISTEN_FD, O_CLOEXEC));
}

long
try_shutdown_read(void)
{
	return (shutdown(things.tcp, SHUT_RDWR));
}

/* Not connected: the sandbox let it pass. */
long
try_shutdown_write(void)
{
	return (shutdown(things.tcp, SHUT_WR));
}

long
try_reuse_port(void)
{
	int	 one = 1;

	return (setsockopt(things.tcp, SOL_SOCKET, SO_REUSEPORT, &one,
	    sizeof(one)));
}

long
try_control(void)
{
	return (ioctl(things.tcp, TIOCSTI, "x"));
}

long
try_resolve(void)
{
	struct addrinfo	*ai = NULL;
	int		 r;

	r = getaddrinfo("localhost", NULL, NULL, &ai);
	if (ai != NULL)
		freeaddrinfo(ai);
	return (r == 0 ? 0 : -1);
}
