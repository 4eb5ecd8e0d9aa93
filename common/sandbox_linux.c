/*
 * The sandbox on Linux: Landlock by its system calls (the C library has no
 * wrappers), seccomp by libseccomp.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#include <linux/landlock.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"

/* Newer than Debian 12's headers: Landlock ABI 2 to 6. */
#define FS_REFER		(1ULL << 13)
#define FS_TRUNCATE		(1ULL << 14)
#define FS_IOCTL_DEV		(1ULL << 15)
#define NET_BIND_TCP		(1ULL << 0)
#define NET_CONNECT_TCP		(1ULL << 1)
#define SCOPE_ABSTRACT_UNIX	(1ULL << 0)
#define SCOPE_SIGNAL		(1ULL << 1)
#define RULE_NET_PORT		2

struct ruleset_attr {
	uint64_t	 handled_access_fs;
	uint64_t	 handled_access_net;
	uint64_t	 scoped;
};

struct net_port_attr {
	uint64_t	 allowed_access;
	uint64_t	 port;
};

static int	 landlock_abi(void);
static uint64_t	 fs_rights(int);
static void	 allow_dirs(int, const char *const *);
static void	 allow_ports(int, const struct sandbox_reach *);
static void	 load(scmp_filter_ctx);
static void	 set_attributes(scmp_filter_ctx);
static void	 add_rule(scmp_filter_ctx, const struct sandbox_rule *);
static void	 add_common(scmp_filter_ctx);

void
sandbox_no_privileges(void)
{
	struct __user_cap_header_struct	 header;
	struct __user_cap_data_struct	 none[_LINUX_CAPABILITY_U32S_3];

	/* a container or a unit file may have given us some without root */
	memset(&header, 0, sizeof(header));
	memset(none, 0, sizeof(none));
	header.version = _LINUX_CAPABILITY_VERSION_3;
	if (syscall(SYS_capset, &header, none) == -1)
		fatal("capset");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("no_new_privs");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("PR_SET_DUMPABLE");
}

void
sandbox_landlock(const struct sandbox_reach *reach)
{
	struct ruleset_attr	 attr;
	size_t			 size;
	int			 abi, fd;

	/* changes nothing, but is refused when there are threads: they would
	 * stay outside */
	if (unshare(CLONE_THREAD) == -1 && errno == EINVAL)
		fatalx("sandbox: entered after threads were started");
	if ((abi = landlock_abi()) < 1)
		return;
	memset(&attr, 0, sizeof(attr));
	attr.handled_access_fs = fs_rights(abi);
	size = sizeof(attr.handled_access_fs);
	if (abi >= 4) {
		attr.handled_access_net = NET_BIND_TCP | (reach->tcp_any ? 0 :
		    NET_CONNECT_TCP);
		size = 2 * sizeof(uint64_t);
	}
	if (abi >= 6) {
		attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
		size = sizeof(attr);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd == -1)
		fatal("landlock_create_ruleset");
	if (reach->read_dirs != NULL)
		allow_dirs(fd, reach->read_dirs);
	if (abi >= 4 && !reach->tcp_any)
		allow_ports(fd, reach);
	if (syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		fatal("landlock_restrict_self");
	close(fd);
}

static int
landlock_abi(void)
{
	int	 abi;

	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1)
		log_debug("sandbox.no_landlock", NULL,
		    "sandbox: this kernel has no Landlock");
	else if (abi < 4)
		log_debug("sandbox.old_landlock", LOG_KV(KV("version", abi)),
		    "sandbox: this kernel's Landlock (version %d) does "
		    "not restrict TCP ports", abi);
	return (abi);
}

/* Everything that this version of Landlock can forbid. */
static uint64_t
fs_rights(int abi)
{
	uint64_t	 r = (1ULL << 13) - 1;	/* version 1: bits 0 to 12 */

	if (abi >= 2)
		r |= FS_REFER;
	if (abi >= 3)
		r |= FS_TRUNCATE;
	if (abi >= 5)
		r |= FS_IOCTL_DEV;
	return (r);
}

static void
allow_dirs(int ruleset, const char *const *dirs)
{
	struct landlock_path_beneath_attr	 a;

	for (; *dirs != NULL; dirs++) {
		memset(&a, 0, sizeof(a));
		a.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE |
		    LANDLOCK_ACCESS_FS_READ_DIR;
		a.parent_fd = open(*dirs, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (a.parent_fd == -1)
			continue;	/* not on this machine */
		if (syscall(SYS_landlock_add_rule, ruleset,
		    LANDLOCK_RULE_PATH_BENEATH, &a, 0) == -1)
			fatal("landlock_add_rule: %s", *dirs);
		close(a.parent_fd);
	}
}

static void
allow_ports(int ruleset, const struct sandbox_reach *reach)
{
	struct net_port_attr	 a;
	size_t			 i;

	for (i = 0; i < reach->ntcp_ports; i++) {
		a.allowed_access = NET_CONNECT_TCP;
		a.port = reach->tcp_ports[i];
		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &a,
		    0) == -1)
			fatal("landlock_add_rule: port");
	}
}

/*
 * What the sanitizers' runtime does beside the program, in builds for tests.
 */
#ifdef SANITIZE
static int	 entered;

static const int for_sanitizers[] = {
	SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(ioctl),
	SCMP_SYS(lseek), SCMP_SYS(newfstatat), SCMP_SYS(openat),
	SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(prctl),
	SCMP_SYS(process_vm_readv), SCMP_SYS(readlink),
	SCMP_SYS(rt_sigaction), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield), SCMP_SYS(set_robust_list),
	SCMP_SYS(sigaltstack), SCMP_SYS(tgkill), SCMP_SYS(uname)
};

int	__lsan_is_turned_off(void);

/* Called at exit.  The search for leaks is a tracing clone: not in here. */
int
__lsan_is_turned_off(void)
{
	return (entered);
}
#endif

void
sandbox_forbid(const struct sandbox_rule *rules, size_t n)
{
	scmp_filter_ctx	 ctx;
	size_t		 i;

	if ((ctx = seccomp_init(SCMP_ACT_ALLOW)) == NULL)
		fatalx("seccomp_init");
	set_attributes(ctx);
	for (i = 0; i < n; i++)
		add_rule(ctx, &rules[i]);
	load(ctx);
}

void
sandbox_enter(const struct sandbox_rule *rules, size_t n)
{
	scmp_filter_ctx	 ctx;
	size_t		 i;

	if ((ctx = seccomp_init(SCMP_ACT_KILL_PROCESS)) == NULL)
		fatalx("seccomp_init");
	set_attributes(ctx);
	for (i = 0; i < n; i++)
		add_rule(ctx, &rules[i]);
	add_common(ctx);
#ifdef SANITIZE
	for (i = 0; i < sizeof(for_sanitizers) / sizeof(for_sanitizers[0]);
	    i++)
		seccomp_rule_add(ctx, SCMP_ACT_ALLOW, for_sanitizers[i], 0);
	entered = 1;
#endif
	load(ctx);
}

static void
load(scmp_filter_ctx ctx)
{
	int	 r;

	if ((r = seccomp_load(ctx)) < 0) {
		errno = -r;
		fatal("seccomp_load");
	}
	seccomp_release(ctx);
}

static void
set_attributes(scmp_filter_ctx ctx)
{
	int	 r;

	/* a call by another architecture's numbers kills the process, not
	 * the thread alone; threads that should not be there are caught */
	if ((r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS)) < 0 ||
	    (r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1)) < 0) {
		errno = -r;
		fatal("seccomp_attr_set");
	}
}

static void
add_rule(scmp_filter_ctx ctx, const struct sandbox_rule *rule)
{
	struct scmp_arg_cmp	 cmp[SANDBOX_ARGS];
	uint32_t		 action = SCMP_ACT_ALLOW;
	unsigned		 n = 0;
	size_t			 i;
	int			 r;

	if (rule->action == SANDBOX_ENOSYS)
		action = SCMP_ACT_ERRNO(ENOSYS);
	else if (rule->action == SANDBOX_EACCES)
		action = SCMP_ACT_ERRNO(EACCES);
	else if (rule->action == SANDBOX_KILL)
		action = SCMP_ACT_KILL_PROCESS;
	for (i = 0; i < SANDBOX_ARGS; i++)
		if (rule->arg[i].mask != 0)
			cmp[n++] = (struct scmp_arg_cmp){
			    .arg = rule->arg[i].index,
			    .op = SCMP_CMP_MASKED_EQ,
			    .datum_a = rule->arg[i].mask,
			    .datum_b = rule->arg[i].want };
	r = seccomp_rule_add_array(ctx, action, rule->syscall, n, cmp);
	if (r == 0 && rule->action == SANDBOX_ALLOW_OFTEN)
		r = seccomp_syscall_priority(ctx, rule->syscall, UINT8_MAX);
	if (r < 0) {
		errno = -r;
		fatal("seccomp: rule %d (%s)", rule->syscall,
		    rule->needed_by);
	}
}

/* Memory never becomes executable; a failed check can still say abort. */
static void
add_common(scmp_filter_ctx ctx)
{
	const struct sandbox_rule	 rules[] = {
		{ SCMP_SYS(mmap), "malloc", SANDBOX_ALLOW,
		    { SANDBOX_BITS(2, PROT_EXEC, 0) } },
		{ SCMP_SYS(mprotect), "malloc, stacks", SANDBOX_ALLOW,
		    { SANDBOX_BITS(2, PROT_EXEC, 0) } },
		{ SCMP_SYS(gettid), "abort", SANDBOX_ALLOW, { SANDBOX_ANY } },
		{ SCMP_SYS(tgkill), "abort", SANDBOX_ALLOW,
		    { SANDBOX_INT(0, (uint32_t)getpid()) } }
	};
	size_t				 i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		add_rule(ctx, &rules[i]);
}
