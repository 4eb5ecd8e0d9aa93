/*
 * Active health checks: a GET to each server of an upstream that has
 * health.path, every health.interval.  An answer below 500 within
 * health.timeout is a good one; what follows from it is balance.c's affair.
 * Each worker makes its own.
 */
#ifndef UPSTREAM_PROBE_H
#define UPSTREAM_PROBE_H

#include <event2/event.h>

#include "common/conf.h"

/* Once, after upstream_setup(). */
void	probe_setup(struct event_base *, const struct worker_conf *);
/* The worker leaves: no more of them. */
void	probe_stop(void);

#endif
