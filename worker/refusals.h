/*
 * Lines about requests that no upstream saw cost a client nothing, and the
 * disk much: of each source as many as audit.refusals_per_second are written
 * in a second, and then one that says how many more there were.
 */
#ifndef WORKER_REFUSALS_H
#define WORKER_REFUSALS_H

#include "common/conf.h"
#include "common/proto.h"
#include "common/slice.h"

/* Once. */
void	refusals_setup(const struct worker_conf *);
/* One more from this address (ip: the same as text; p NULL: unknown).  1: it
 * has a line; 0: it was counted. */
int	refusals_may(const struct proto_addr *, struct slice ip);
/* The worker leaves: say what was counted. */
void	refusals_tell(void);

#endif
