/*
 * Sends spans to a receiver of OTLP/HTTP: in batches, again when it says so,
 * and never more than a bounded number of them waits.  What does not fit is
 * dropped, the oldest of those who have most, so that no worker's spans push
 * out another's.
 */
#ifndef FETCHER_OTLP_H
#define FETCHER_OTLP_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

struct otlp_source;

/* Once. */
void	otlp_setup(struct event_base *);
/* Where they go from now on; borrowed until the next call.  NULL, or one that
 * is not enabled: nowhere, and what waits is dropped. */
void	otlp_configure(const struct conf_telemetry *);
/* A worker; NULL: memory is gone.  What it sent is sent on after it left. */
struct otlp_source *otlp_source_new(void);
void	otlp_source_leave(struct otlp_source *);
/* A span_tree, packed.  0, or -1: it is none. */
int	otlp_take(struct otlp_source *, const void *, size_t);
/* Send what there is, for so long at most; done is called once, perhaps from
 * within. */
void	otlp_flush(uint64_t ms, void (*done)(void));

#endif
