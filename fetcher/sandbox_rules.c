/*
 * The fetcher's allow-list.  It reads below /etc (and what systemd-resolved
 * keeps), opens sockets to the world and threads for getaddrinfo(3); it never
 * listens, writes no file, starts no program.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>

#include "common/sandbox.h"
#include "fetcher/sandbox_rules.h"

#define ANY		{ { 0, 0, 0 }, { 0, 0, 0 } }
#define ALLOW(name, why) { SCMP_SYS(name), why, SANDBOX_ALLOW, ANY }
#define FCNTL(cmd, why)	{ SCMP_SYS(fcntl), why, SANDBOX_ALLOW, \
	{ { 1, 0xffffffff, cmd }, { 0, 0, 0 } } }
#define SOCKET(family, type, why) { SCMP_SYS(socket), why, SANDBOX_ALLOW, \
	{ { 0, 0xffffffff, family }, { 1, 0xf, type } } }

#define THREAD_FLAGS	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | \
	CLONE_THREAD | CLONE_SYSVSEM)

static const struct sandbox_rule rules[] = {
	/* bind(2) only of the resolver's own netlink and UDP sockets, to
	 * ports that the kernel chooses: Landlock forbids TCP */
	ALLOW(bind, "getaddrinfo: netlink"),
	ALLOW(brk, "malloc"),
	ALLOW(clock_gettime, "where it is no vdso call"),
	ALLOW(clock_nanosleep, "libcurl's resolver thread"),
	{ SCMP_SYS(clone), "threads", SANDBOX_ALLOW,
	    { { 0, THREAD_FLAGS, THREAD_FLAGS }, { 0, 0, 0 } } },
	{ SCMP_SYS(clone3), "threads: plan B is clone", SANDBOX_ENOSYS, ANY },
	ALLOW(close, "everything"),
	ALLOW(connect, "servers"),
	ALLOW(epoll_ctl, "libevent"),
	ALLOW(epoll_pwait, "libevent"),
	ALLOW(epoll_wait, "libevent"),
	ALLOW(eventfd2, "libcurl"),
	ALLOW(exit, "threads"),
	ALLOW(exit_group, "leaving"),
	FCNTL(F_ADD_SEALS, "memfd_seal"),
	FCNTL(F_DUPFD_CLOEXEC, "key sets"),
	FCNTL(F_GETFD, "libcurl"),
	FCNTL(F_GETFL, "libcurl"),
	FCNTL(F_GET_SEALS, "memfd_map"),
	FCNTL(F_SETFD, "libcurl"),
	FCNTL(F_SETFL, "libcurl"),
	ALLOW(fstat, "files"),
	ALLOW(futex, "threads"),
	ALLOW(getdents64, "certificates"),
	ALLOW(getegid, "OpenSSL"),
	ALLOW(geteuid, "OpenSSL"),
	ALLOW(getgid, "OpenSSL"),
	ALLOW(getpeername, "libcurl"),
	ALLOW(getpid, "imsg header"),
	ALLOW(getrandom, "OpenSSL"),
	ALLOW(getsockname, "libcurl"),
	ALLOW(getsockopt, "libcurl"),
	ALLOW(gettid, "threads"),
	ALLOW(gettimeofday, "libevent"),
	ALLOW(getuid, "OpenSSL"),
	{ SCMP_SYS(ioctl), "libcurl, resolver", SANDBOX_ALLOW,
	    { { 1, 0xffffffff, FIONREAD }, { 0, 0, 0 } } },
	{ SCMP_SYS(ioctl), "libcurl", SANDBOX_ALLOW,
	    { { 1, 0xffffffff, FIONBIO }, { 0, 0, 0 } } },
	ALLOW(lseek, "stdio"),
	ALLOW(madvise, "free, thread stacks"),
	ALLOW(memfd_create, "memfd_seal"),
	/* a name service module that would be loaded now is done without */
	{ SCMP_SYS(mmap), "dlopen of NSS", SANDBOX_EACCES,
	    { { 2, PROT_EXEC | PROT_WRITE, PROT_EXEC }, { 0, 0, 0 } } },
	ALLOW(mremap, "realloc"),
	ALLOW(munmap, "free"),
	ALLOW(newfstatat, "files"),
	{ SCMP_SYS(openat), "the resolver's files, certificates",
	    SANDBOX_ALLOW, { { 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },
	    { 0, 0, 0 } } },
	ALLOW(pipe2, "libcurl"),
	ALLOW(poll, "libcurl, resolver"),
	ALLOW(ppoll, "libcurl"),
	ALLOW(prlimit64, "thread stacks"),
	{ SCMP_SYS(prctl), "thread names", SANDBOX_ALLOW,
	    { { 0, 0xffffffff, PR_SET_NAME }, { 0, 0, 0 } } },
	ALLOW(pread64, "files"),
	ALLOW(read, "sockets, files"),
	ALLOW(readlink, "resolver"),
	ALLOW(recvfrom, "sockets"),
	ALLOW(recvmmsg, "resolver"),
	ALLOW(recvmsg, "channels, netlink"),
	ALLOW(restart_syscall, "after SIGSTOP"),
	ALLOW(rseq, "threads"),
	ALLOW(rt_sigaction, "OpenSSL, libcurl"),
	ALLOW(rt_sigprocmask, "threads"),
	ALLOW(rt_sigreturn, "signals"),
	ALLOW(sched_getaffinity, "threads"),
	ALLOW(sched_yield, "OpenSSL"),
	ALLOW(sendmmsg, "resolver"),
	ALLOW(sendmsg, "channels"),
	ALLOW(sendto, "sockets"),
	ALLOW(set_robust_list, "threads"),
	ALLOW(setsockopt, "sockets"),
	ALLOW(shutdown, "libcurl"),
	SOCKET(AF_INET, SOCK_STREAM, "servers"),
	SOCKET(AF_INET6, SOCK_STREAM, "servers"),
	SOCKET(AF_INET, SOCK_DGRAM, "DNS"),
	SOCKET(AF_INET6, SOCK_DGRAM, "DNS"),
	SOCKET(AF_NETLINK, SOCK_RAW, "getaddrinfo"),
	/* nscd and resolved's varlink: glibc goes on without them */
	{ SCMP_SYS(socket), "getaddrinfo", SANDBOX_EACCES,
	    { { 0, 0xffffffff, AF_UNIX }, { 0, 0, 0 } } },
	{ SCMP_SYS(socketpair), "libcurl's resolver thread", SANDBOX_ALLOW,
	    { { 0, 0xffffffff, AF_UNIX }, { 0, 0, 0 } } },
	ALLOW(sysinfo, "qsort of getaddrinfo"),
	ALLOW(uname, "resolver"),
	ALLOW(write, "sockets"),
	ALLOW(writev, "sockets")
};

void
fetcher_sandbox(void)
{
	static const char *const dirs[] = { "/etc", "/run/systemd/resolve",
			    "/usr/lib/ssl", "/usr/share/ca-certificates",
			    "/usr/local/share/ca-certificates",
			    "/usr/lib/x86_64-linux-gnu", "/lib", NULL };
	struct sandbox_reach	 reach = { dirs, NULL, 0, 1 };

	sandbox_landlock(&reach);
	sandbox_enter(rules, sizeof(rules) / sizeof(rules[0]));
}
