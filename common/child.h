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
/* Wait for MSG_HELLO on PROTO_CHANNEL_FD, check it and answer it; sets name
 * and verbosity of the log.  Exits when it does not come or does not fit. */
void	child_hello(struct proto_hello *, enum proto_role me);
/* From now on every log line goes to the master. */
void	child_log_to(struct channel *);
/*
 * Give up what a child does not need: groups, ids, (if do_chroot) the file
 * system, core files, being traced, new privileges, new processes (if
 * no_procs).  Exits unless every step succeeded.
 */
void	child_drop(const struct proto_hello *, int do_chroot, int no_procs);

#endif
