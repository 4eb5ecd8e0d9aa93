/*
 * Names of upstreams to addresses.  getaddrinfo(3) blocks, so it runs in a
 * thread; one name at a time is enough.
 */
#ifndef FETCHER_RESOLVE_H
#define FETCHER_RESOLVE_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"

/* Once, in the sandbox, which binds only threads that come after it.
 * changed(name): what resolve_get() says of it is new. */
void	resolve_setup(struct event_base *, void (*changed)(const char *));
/* A name is of interest (counted); it is looked up now and every 30 s. */
void	resolve_watch(const char *name);
void	resolve_unwatch(const char *name);
/* Its addresses.  1: known (n may be 0: it does not exist now); 0: the first
 * look-up has not ended yet. */
int	resolve_get(const char *name, struct proto_addr[PROTO_ADDRS_MAX],
	    size_t *n);

#endif
