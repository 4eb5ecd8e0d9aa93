/*
 * The worker's allow-list.  It has no file system, starts nothing, signals
 * nobody, and cannot rewrite the audit log it holds: no ftruncate, no lseek,
 * no pwrite, no F_SETFL that would take O_APPEND away.
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <seccomp.h>

#include "common/sandbox.h"
#include "worker/sandbox_rules.h"

#define ANY		{ { 0, 0, 0 }, { 0, 0, 0 } }
#define ALLOW(name, why) { SCMP_SYS(name), why, SANDBOX_ALLOW, ANY }
#define FCNTL(cmd, why)	{ SCMP_SYS(fcntl), why, SANDBOX_ALLOW, \
	{ { 1, 0xffffffff, cmd }, { 0, 0, 0 } } }
#define SOCKET(family)	{ SCMP_SYS(socket), "upstream connections", \
	SANDBOX_ALLOW, { { 0, 0xffffffff, family }, \
	{ 1, 0xf, SOCK_STREAM } } }

static const struct sandbox_rule rules[] = {
	ALLOW(accept4, "clients"),
	ALLOW(brk, "malloc"),
	ALLOW(clock_gettime, "where it is no vdso call"),
	ALLOW(close, "connections"),
	ALLOW(connect, "upstreams"),
	ALLOW(epoll_ctl, "libevent"),
	ALLOW(epoll_pwait, "libevent"),
	ALLOW(epoll_wait, "libevent"),
	ALLOW(exit, "leaving"),
	ALLOW(exit_group, "leaving"),
	FCNTL(F_GET_SEALS, "memfd_map"),
	FCNTL(F_GETFL, "channel_new"),
	FCNTL(F_SETFD, "channel_new"),
	ALLOW(fstat, "memfd_map"),
	{ SCMP_SYS(newfstatat), "fstat of glibc", SANDBOX_ALLOW,
	    { { 3, AT_EMPTY_PATH, AT_EMPTY_PATH }, { 0, 0, 0 } } },
	ALLOW(futex, "libcrypto's locks"),
	ALLOW(getpeername, "who the client is"),
	ALLOW(getpid, "imsg header, libcrypto"),
	ALLOW(getrandom, "ids, libcrypto"),
	ALLOW(getsockopt, "SO_ERROR of a connect"),
	ALLOW(gettimeofday, "libevent"),
	ALLOW(madvise, "free"),
	ALLOW(mremap, "realloc"),
	ALLOW(munmap, "free, memfd_unmap"),
	ALLOW(poll, "channel_flush"),
	ALLOW(read, "connections"),
	ALLOW(recvfrom, "recv"),
	ALLOW(recvmsg, "channels"),
	ALLOW(restart_syscall, "after SIGSTOP"),
	ALLOW(rt_sigprocmask, "abort, libevent"),
	ALLOW(rt_sigreturn, "signals"),
	ALLOW(sendmsg, "channels"),
	ALLOW(sendto, "send"),
	ALLOW(setsockopt, "TCP_NODELAY, SO_LINGER"),
	ALLOW(shutdown, "lingering close"),
	SOCKET(AF_INET),
	SOCKET(AF_INET6),
	ALLOW(write, "the audit log"),
	ALLOW(writev, "upstreams")
};

void
worker_sandbox(const uint16_t *ports, size_t n)
{
	struct sandbox_reach	 reach = { NULL, ports, n, 0 };

	sandbox_landlock(&reach);
	sandbox_enter(rules, sizeof(rules) / sizeof(rules[0]));
}
