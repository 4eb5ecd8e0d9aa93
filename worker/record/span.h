/*
 * Which traces are told of, and the way of their spans to the fetcher: there
 * is room, or they are dropped and counted.  Nobody waits for them.
 */
#ifndef RECORD_SPAN_H
#define RECORD_SPAN_H

#include "common/conf.h"
#include "common/span.h"
#include "worker/record/trace.h"

/* Once. */
void	span_setup(const struct worker_conf *);
/* Are there any at all? */
int	span_enabled(void);
/* Is this trace one to tell of?  The flag that goes on says the same. */
int	span_sample(struct trace *);
/* The time, in ns since the epoch; and that of a clock that never jumps. */
uint64_t span_now(void);
uint64_t span_mono(void);
/* Send or drop. */
void	span_send(const struct span_tree *);
/* At the end: what still waits gets a moment. */
void	span_flush(void);

#endif
