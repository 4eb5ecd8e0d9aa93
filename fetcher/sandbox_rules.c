/*
 * The fetcher's allow-list.  It reads below /etc (and what systemd-resolved
 * keeps), opens sockets to the world and threads for getaddrinfo(3); it never
 * listens, writes no file, starts no program.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <netinet/in.h>

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>

#include "common/sandbox.h"
#include "fetcher/sandbox_rules.h"

#define ALLOW(name, why) \
	{ SCMP_SYS(name), why, SANDBOX_ALLOW, { SANDBOX_ANY } }
#define ALLOW_IF(name, why, ...) \
	{ SCMP_SYS(name), why, SANDBOX_ALLOW, { __VA_ARGS__ } }
#define FCNTL(cmd, why)	ALLOW_IF(fcntl, why, SANDBOX_INT(1, cmd))
#define SOCKET(family, type, protocol, why) \
	ALLOW_IF(socket, why, SANDBOX_INT(0, family), \
	    SANDBOX_BITS(1, 0xf, type), SANDBOX_INT(2, protocol))

/* What pthread_create(3) passes: a thread, never a process or a namespace. */
#define THREAD_FLAGS	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | \
	CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | \
	CLONE_CHILD_CLEARTID)
#define MEMFD_FLAGS	(MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x8U)

static const struct sandbox_rule rules[] = {
	/* an address of a netlink socket's length: too short for IP */
	ALLOW_IF(bind, "getaddrinfo: netlink",
	    SANDBOX_INT(2, sizeof(struct sockaddr_nl))),
	ALLOW(brk, "malloc"),
	ALLOW(clock_gettime, "where it is no vdso call"),
	ALLOW_IF(clone, "threads", SANDBOX_BITS(0, UINT64_MAX, THREAD_FLAGS)),
	{ SCMP_SYS(clone3), "threads: plan B is clone", SANDBOX_ENOSYS,
	    { SANDBOX_ANY } },
	ALLOW(close, "everything"),
	ALLOW(connect, "servers"),
	ALLOW(epoll_ctl, "libevent"),
	ALLOW(epoll_pwait, "libevent"),
	ALLOW(epoll_wait, "libevent"),
	ALLOW(eventfd2, "libcurl 8"),
	ALLOW(exit, "threads"),
	ALLOW(exit_group, "leaving"),
	FCNTL(F_ADD_SEALS, "memfd_seal"),
	FCNTL(F_DUPFD_CLOEXEC, "key sets"),
	FCNTL(F_GETFL, "libcurl, channel_new"),
	FCNTL(F_GET_SEALS, "memfd_map"),
	FCNTL(F_SETFD, "channel_new"),
	FCNTL(F_SETFL, "libcurl"),
	ALLOW(fstat, "files"),
	ALLOW(futex, "threads"),
	ALLOW(getpeername, "libcurl"),
	ALLOW(getpid, "imsg header"),
	ALLOW(getrandom, "OpenSSL"),
	ALLOW(getsockname, "libcurl"),
	ALLOW(getsockopt, "libcurl"),
	ALLOW(gettimeofday, "where it is no vdso call"),
	ALLOW_IF(ioctl, "resolver", SANDBOX_INT(1, FIONREAD)),
	ALLOW(lseek, "/etc/hosts by stdio"),
	ALLOW(madvise, "free, thread stacks"),
	ALLOW_IF(memfd_create, "memfd_seal",
	    SANDBOX_BITS(1, 0xffffffff & ~MEMFD_FLAGS, 0)),
	/* a name service module that would be loaded now is done without */
	{ SCMP_SYS(mmap), "dlopen of NSS", SANDBOX_EACCES,
	    { SANDBOX_BITS(2, PROT_EXEC | PROT_WRITE, PROT_EXEC) } },
	ALLOW(mremap, "realloc"),
	ALLOW(munmap, "free"),
	ALLOW(newfstatat, "files"),
	ALLOW_IF(openat, "the resolver's files, certificates",
	    SANDBOX_BITS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
	ALLOW(pipe2, "libcurl 8"),
	ALLOW(poll, "libcurl, resolver"),
	ALLOW(read, "sockets, files"),
	ALLOW(recvfrom, "sockets"),
	ALLOW(recvmsg, "channels, netlink"),
	ALLOW(restart_syscall, "after SIGSTOP"),
	ALLOW(rseq, "threads"),
	ALLOW(rt_sigaction, "libcurl, threads"),
	ALLOW(rt_sigprocmask, "threads"),
	ALLOW(rt_sigreturn, "signals"),
	ALLOW(sched_yield, "OpenSSL"),
	ALLOW(sendmmsg, "DNS"),
	ALLOW(sendmsg, "channels"),
	ALLOW(sendto, "sockets"),
	ALLOW(set_robust_list, "threads"),
	ALLOW_IF(setsockopt, "sockets", SANDBOX_INT(1, SOL_SOCKET)),
	ALLOW_IF(setsockopt, "libcurl", SANDBOX_INT(1, IPPROTO_TCP)),
	ALLOW_IF(setsockopt, "resolver", SANDBOX_INT(1, IPPROTO_IP)),
	ALLOW_IF(setsockopt, "resolver", SANDBOX_INT(1, IPPROTO_IPV6)),
	ALLOW(shutdown, "libcurl 8"),
	SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP, "servers"),
	SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP, "servers"),
	SOCKET(AF_INET, SOCK_STREAM, 0, "DNS"),
	SOCKET(AF_INET6, SOCK_STREAM, 0, "DNS"),
	SOCKET(AF_INET, SOCK_DGRAM, 0, "DNS"),
	SOCKET(AF_INET6, SOCK_DGRAM, 0, "DNS"),
	SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, "getaddrinfo"),
	/* nscd and resolved's varlink: glibc goes on without them */
	{ SCMP_SYS(socket), "getaddrinfo", SANDBOX_EACCES,
	    { SANDBOX_INT(0, AF_UNIX) } },
	ALLOW_IF(socketpair, "resolver threads", SANDBOX_INT(0, AF_UNIX)),
	ALLOW(sysinfo, "qsort of getaddrinfo"),
	ALLOW(uname, "resolver"),
	ALLOW(write, "sockets"),
	ALLOW(writev, "DNS over TCP")
};

void
fetcher_sandbox(void)
{
	/* where /etc/resolv.conf and /etc/ssl/certs/ may point to, too;
	 * directories, for a rule on a file ends when it is renamed over */
	static const char *const dirs[] = { "/etc", "/run/systemd/resolve",
			    "/run/resolvconf", "/run/NetworkManager",
			    "/usr/share/ca-certificates",
			    "/usr/local/share/ca-certificates", NULL };
	struct sandbox_reach	 reach = { dirs, NULL, 0, 1 };

	sandbox_landlock(&reach);
	sandbox_enter(rules, sizeof(rules) / sizeof(rules[0]));
}
