/*
 * The MCP servers behind this gateway: upstreams, and the servers that each of
 * them has.  What is sent to them is exchange.h's.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include <event2/event.h>
#include <stddef.h>

#include "common/conf.h"
#include "common/proto.h"

/* Once, with a conf that outlives all exchanges. */
void	upstream_setup(struct event_base *, const struct worker_conf *);

/* 1 when every name has been resolved once (with whatever result). */
int	upstream_resolved(void);
/* The server of an upstream whose turn it is, by its index there. */
size_t	upstream_pick(size_t upstream);
/* What a health check says of a server. */
void	upstream_judge(size_t upstream, size_t server, int good,
	    const char *why);
/* Is there a server that is not known to be down? */
int	upstream_usable(size_t upstream);

/* At the end of a turn: free what ended. */
void	upstream_turn_end(void);

#endif
