/*
 * The monitor's allow-list: it takes connections on sockets that it was given,
 * and maps memory.  It opens nothing and connects to nobody.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <fcntl.h>
#include <seccomp.h>

#include "common/sandbox.h"
#include "monitor/sandbox_rules.h"

#define ALLOW(name, why) \
	{ SCMP_SYS(name), why, SANDBOX_ALLOW, { SANDBOX_ANY } }
#define ALLOW_IF(name, why, ...) \
	{ SCMP_SYS(name), why, SANDBOX_ALLOW, { __VA_ARGS__ } }
#define SOCKOPT(option, why) \
	ALLOW_IF(getsockopt, why, SANDBOX_INT(1, SOL_SOCKET), \
	    SANDBOX_INT(2, option))

static const struct sandbox_rule rules[] = {
	ALLOW(accept4, "operators"),
	ALLOW(brk, "malloc"),
	ALLOW(clock_gettime, "where it is no vdso call"),
	ALLOW(close, "connections, slots"),
	ALLOW(epoll_ctl, "libevent"),
	ALLOW(epoll_pwait, "libevent"),
	ALLOW(epoll_wait, "libevent"),
	ALLOW(exit_group, "leaving"),
	ALLOW_IF(fcntl, "memfd_map", SANDBOX_INT(1, F_GET_SEALS)),
	ALLOW_IF(fcntl, "channel_new", SANDBOX_INT(1, F_GETFL)),
	ALLOW_IF(fcntl, "libevent", SANDBOX_INT(1, F_SETFL)),
	ALLOW_IF(fcntl, "channel_new, libevent", SANDBOX_INT(1, F_SETFD)),
	ALLOW_IF(fcntl, "libevent", SANDBOX_INT(1, F_GETFD)),
	ALLOW(fstat, "memfd_map"),
	ALLOW_IF(newfstatat, "glibc's fstat",
	    SANDBOX_BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH)),
	ALLOW(futex, "libcrypto's locks"),
	ALLOW(getpeername, "libevent"),
	ALLOW(getsockname, "libevent"),
	ALLOW(getpid, "imsg header"),
	ALLOW(getrandom, "ids, libcrypto"),
	SOCKOPT(SO_ERROR, "libevent"),
	SOCKOPT(SO_PEERCRED, "who asks"),
	SOCKOPT(SO_PEERGROUPS, "who asks"),
	ALLOW(gettimeofday, "where it is no vdso call"),
	ALLOW_IF(ioctl, "libevent", SANDBOX_INT(1, FIONREAD)),
	ALLOW(madvise, "free"),
	ALLOW(mremap, "realloc"),
	ALLOW(munmap, "free, slots"),
	ALLOW(poll, "channel_flush"),
	ALLOW(read, "connections"),
	ALLOW(readv, "connections"),
	ALLOW(recvmsg, "the channel"),
	ALLOW(restart_syscall, "after SIGSTOP"),
	ALLOW(rt_sigprocmask, "abort"),
	ALLOW(rt_sigreturn, "signals"),
	ALLOW_IF(sendmsg, "the channel", SANDBOX_BITS(2, MSG_FASTOPEN, 0)),
	ALLOW_IF(shutdown, "connections", SANDBOX_INT(1, SHUT_WR)),
	ALLOW(write, "connections"),
	ALLOW(writev, "connections")
};

void
monitor_sandbox(void)
{
	static const struct sandbox_reach nothing = { NULL, NULL, 0, 0 };

	sandbox_landlock(&nothing);
	sandbox_enter(rules, sizeof(rules) / sizeof(rules[0]));
}
