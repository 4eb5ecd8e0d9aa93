/*
 * The keeper's allow-list, the shortest of all: it holds every secret, and
 * can do nothing with them but answer on the channels that it was given.  It
 * can neither read(2) nor write(2).
 */
#include <fcntl.h>
#include <seccomp.h>

#include "common/sandbox.h"
#include "keeper/sandbox_rules.h"

#define ALLOW(name, why) \
	{ SCMP_SYS(name), why, SANDBOX_ALLOW, { SANDBOX_ANY } }
#define FCNTL(cmd, why) \
	{ SCMP_SYS(fcntl), why, SANDBOX_ALLOW, { SANDBOX_INT(1, cmd) } }

static const struct sandbox_rule rules[] = {
	ALLOW(brk, "malloc"),
	ALLOW(clock_gettime, "where it is no vdso call"),
	ALLOW(close, "channels, configurations"),
	ALLOW(epoll_ctl, "libevent"),
	ALLOW(epoll_pwait, "libevent"),
	ALLOW(epoll_wait, "libevent"),
	ALLOW(exit_group, "leaving"),
	FCNTL(F_GETFL, "channel_new"),
	FCNTL(F_GET_SEALS, "memfd_map"),
	FCNTL(F_SETFD, "channel_new"),
	ALLOW(fstat, "memfd_map"),
	{ SCMP_SYS(newfstatat), "glibc's fstat", SANDBOX_ALLOW,
	    { SANDBOX_BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH) } },
	ALLOW(futex, "threads"),
	ALLOW(getpid, "imsg header"),
	ALLOW(getrandom, "signatures"),
	ALLOW(madvise, "free"),
	ALLOW(mremap, "realloc"),
	ALLOW(munmap, "memory of a hash, memfd_unmap"),
	ALLOW(poll, "channel_flush"),
	ALLOW(recvmsg, "channels, threads"),
	ALLOW(restart_syscall, "after SIGSTOP"),
	ALLOW(rt_sigprocmask, "abort"),
	ALLOW(rt_sigreturn, "signals"),
	ALLOW(sendmsg, "channels, threads")
};

void
keeper_landlock(void)
{
	static const struct sandbox_reach nothing = { NULL, NULL, 0, 0 };

	sandbox_landlock(&nothing);
}

void
keeper_sandbox(void)
{
	sandbox_enter(rules, sizeof(rules) / sizeof(rules[0]));
}
