/*
 * The worker's allow-list.  It has no file system, starts nothing, signals
 * nobody, and cannot rewrite the audit log it holds: no ftruncate, no lseek,
 * no pwrite, no F_SETFL that would take O_APPEND away.
 *
 * The listen socket is everybody's: what one worker does to it is done to all
 * of them and to every connection that it accepts.  It has a number of its
 * own, which two filters know; no call that is allowed gives it another one.
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <fcntl.h>
#include <seccomp.h>

#include "common/sandbox.h"
#include "worker/base/sandbox_rules.h"

#define ALLOW(name, why) \
	{ SCMP_SYS(name), why, SANDBOX_ALLOW, { SANDBOX_ANY } }
#define ALLOW_IF(name, why, ...) \
	{ SCMP_SYS(name), why, SANDBOX_ALLOW, { __VA_ARGS__ } }
#define NOT_LISTENING(name) \
	{ SCMP_SYS(name), "nobody", SANDBOX_KILL, \
	    { SANDBOX_INT(0, WORKER_LISTEN_FD) } }
#define SOCKET(family) \
	ALLOW_IF(socket, "upstreams", SANDBOX_INT(0, family), \
	    SANDBOX_BITS(1, 0xf, SOCK_STREAM), SANDBOX_INT(2, 0))

static const struct sandbox_rule rules[] = {
	ALLOW(accept4, "clients"),
	ALLOW(brk, "malloc"),
	ALLOW(clock_gettime, "where it is no vdso call"),
	ALLOW(close, "connections"),
	ALLOW(connect, "upstreams; Landlock says which ports"),
	ALLOW_IF(dup3, "accept_stop",
	    SANDBOX_INT(1, WORKER_LISTEN_FD)),
	ALLOW(epoll_ctl, "libevent"),
	ALLOW(epoll_pwait, "libevent"),
	ALLOW(epoll_wait, "libevent"),
	ALLOW(exit_group, "leaving"),
	ALLOW_IF(fcntl, "memfd_map", SANDBOX_INT(1, F_GET_SEALS)),
	ALLOW_IF(fcntl, "channel_new", SANDBOX_INT(1, F_GETFL)),
	ALLOW_IF(fcntl, "channel_new", SANDBOX_INT(1, F_SETFD)),
	ALLOW(fstat, "memfd_map"),
	ALLOW_IF(newfstatat, "glibc's fstat",
	    SANDBOX_BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH)),
	ALLOW(futex, "libcrypto's locks"),
	ALLOW(getpeername, "who the client is"),
	ALLOW(getpid, "imsg header, libcrypto"),
	ALLOW(getrandom, "ids, libcrypto"),
	ALLOW_IF(getsockopt, "the result of a connect",
	    SANDBOX_INT(1, SOL_SOCKET), SANDBOX_INT(2, SO_ERROR)),
	ALLOW(gettimeofday, "where it is no vdso call"),
	ALLOW(madvise, "free"),
	ALLOW(mremap, "realloc"),
	ALLOW(munmap, "free, memfd_unmap"),
	ALLOW(poll, "channel_flush"),
	ALLOW(read, "connections"),
	ALLOW(recvfrom, "connections"),
	ALLOW(recvmsg, "channels"),
	ALLOW(restart_syscall, "after SIGSTOP"),
	ALLOW(rt_sigprocmask, "abort"),
	ALLOW(rt_sigreturn, "signals"),
	/* MSG_FASTOPEN and an address would connect behind Landlock's back */
	ALLOW_IF(sendmsg, "channels", SANDBOX_BITS(2, MSG_FASTOPEN, 0)),
	/* the kernel remembers which calls are allowed whatever they are called
	 * with; of those that are not, this one is made twice a request */
	{ SCMP_SYS(sendto), "connections", SANDBOX_ALLOW_OFTEN,
	    { SANDBOX_BITS(3, MSG_FASTOPEN, 0), SANDBOX_NULL(4) } },
	ALLOW_IF(setsockopt, "connections", SANDBOX_INT(1, IPPROTO_TCP),
	    SANDBOX_INT(2, TCP_NODELAY)),
	ALLOW_IF(setsockopt, "event streams", SANDBOX_INT(1, IPPROTO_TCP),
	    SANDBOX_INT(2, TCP_USER_TIMEOUT)),
	ALLOW_IF(setsockopt, "connections that are cut off",
	    SANDBOX_INT(1, SOL_SOCKET), SANDBOX_INT(2, SO_LINGER)),
	ALLOW_IF(shutdown, "lingering close", SANDBOX_INT(1, SHUT_WR)),
	SOCKET(AF_INET),
	SOCKET(AF_INET6),
	ALLOW(write, "the audit log, connections"),
	ALLOW(writev, "upstreams")
};

static const struct sandbox_rule forbidden[] = {
	NOT_LISTENING(connect),
	NOT_LISTENING(setsockopt),
	NOT_LISTENING(shutdown)
};

void
worker_sandbox(const uint16_t *ports, size_t n)
{
	struct sandbox_reach	 reach = { NULL, ports, n, 0 };

	sandbox_landlock(&reach);
	sandbox_forbid(forbidden, sizeof(forbidden) / sizeof(forbidden[0]));
	sandbox_enter(rules, sizeof(rules) / sizeof(rules[0]));
}
