/*
 * What every child does at its start, in this order: signals, hello, (its own
 * preparations), log, privileges, sandbox, loop.
 */
#ifndef COMMON_CHILD_H
#define COMMON_CHILD_H

#include "common/imsg.h"
#include "common/proto.h"

/* Ignore HUP, INT, TERM, USR1 and PIPE, which a terminal or systemd sends to
 * everybody: the master alone decides.  Then unblock all signals. */
void	child_signals(void);
/* Close all descriptors but 0 to 2 and PROTO_CHANNEL_FD, and wait there for
 * MSG_HELLO; sets name and verbosity of the log.  Exits when it does not come
 * or does not fit.  Must come before anything opens a descriptor. */
void	child_hello(struct proto_hello *, enum proto_role me);
/* Answer the hello; from now on every log line goes to the master. */
void	child_log_to(struct channel *);
/* On MSG_LOG_LEVEL, in whatever state. */
void	child_log_level(const struct imsg *);
/*
 * Give up what a child does not need: (if do_chroot) the file system, and
 * groups and ids where the hello says so; in any case the working directory,
 * all capabilities, core files, being traced, new privileges and (if
 * no_procs) new processes.  Exits unless every step succeeded.
 */
void	child_drop(const struct proto_hello *, int do_chroot, int no_procs);
/* No new processes or threads, where child_drop() was to leave them. */
void	child_no_procs(void);

#endif
