/*
 * Closing a process in: no privileges, Landlock, then a seccomp allow-list
 * whose default is to kill the process.  Each process has its own table, in
 * its own folder; this is the mechanism, and one file per system.
 *
 * Everything here binds the calling thread and those that it starts later:
 * it comes before the first pthread_create(3).
 */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#define SANDBOX_ARGS	3

enum sandbox_action {
	SANDBOX_ALLOW = 0,
	SANDBOX_ALLOW_OFTEN,	/* the same, looked for before the others */
	SANDBOX_ENOSYS,		/* answer ENOSYS: the library has a plan B */
	SANDBOX_EACCES,		/* answer EACCES */
	SANDBOX_KILL		/* for sandbox_forbid() */
};

/* One condition on an argument: (value & mask) == want; mask 0: none. */
struct sandbox_arg {
	unsigned	 index;
	uint64_t	 mask;
	uint64_t	 want;
};

/* A system call that is not in the table, or not with these arguments, is
 * the end of the process.  All conditions of one rule must hold; a call may
 * have several rules. */
struct sandbox_rule {
	int		 syscall;
	const char	*needed_by;
	enum sandbox_action action;
	struct sandbox_arg arg[SANDBOX_ARGS];
};

/* For tables.  int arguments: the kernel does not look at the upper half of
 * the register, and neither do we. */
#define SANDBOX_BITS(i, mask, want)	{ (i), (mask), (want) }
#define SANDBOX_INT(i, value)		{ (i), 0xffffffff, (value) }
#define SANDBOX_NULL(i)			{ (i), UINT64_MAX, 0 }
#define SANDBOX_ANY			{ 0, 0, 0 }

/* What Landlock leaves. */
struct sandbox_reach {
	const char *const *read_dirs;	/* read below these, NULL-terminated;
					 * NULL: no file system at all */
	const uint16_t	*tcp_ports;	/* connect to these only, or, */
	size_t		 ntcp_ports;
	int		 tcp_any;	/* if set, to any port; bind to none */
};

/* All of them exit when a step fails.  In this order: */

/* No privileges to be had by exec, no capabilities, no tracing and no core. */
void	sandbox_no_privileges(void);
/* What the kernel's Landlock does not know is logged at LOG_DEBUG and done
 * without: the system calls' table stands by itself. */
void	sandbox_landlock(const struct sandbox_reach *);
/* A filter of its own, with rules of SANDBOX_KILL: what the table is to allow
 * but for some values. */
void	sandbox_forbid(const struct sandbox_rule *, size_t n);
/* Besides the table: memory that is not executable, and abort(3). */
void	sandbox_enter(const struct sandbox_rule *, size_t n);

#endif
