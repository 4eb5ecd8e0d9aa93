/*
 * Closing a process in: Landlock first, then a seccomp allow-list whose
 * default is to kill the process.  Each process has its own table, in its own
 * folder; this is the mechanism, and one file per system.
 */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#define SANDBOX_ARGS	2

enum sandbox_action {
	SANDBOX_ALLOW = 0,
	SANDBOX_ENOSYS,		/* answer ENOSYS: the library has a plan B */
	SANDBOX_EACCES		/* answer EACCES */
};

/* One condition on an argument: (value & mask) == want; mask 0: none. */
struct sandbox_arg {
	unsigned	 index;
	uint64_t	 mask;
	uint64_t	 want;
};

struct sandbox_rule {
	int		 syscall;
	const char	*needed_by;
	enum sandbox_action action;
	struct sandbox_arg arg[SANDBOX_ARGS];
};

/* What Landlock leaves; NULL-terminated and counted lists. */
struct sandbox_reach {
	const char *const *read_dirs;	/* read below these; NULL: nothing */
	const uint16_t	*tcp_ports;	/* may connect to these only */
	size_t		 ntcp_ports;
	int		 tcp_any;	/* may connect to any port */
};

/* Both need no_new_privs.  They exit when the kernel refuses what it knows;
 * what it does not know (an older Landlock) is logged at LOG_DEBUG. */
void	sandbox_landlock(const struct sandbox_reach *);
void	sandbox_enter(const struct sandbox_rule *, size_t n);

#endif
