/*
 * Which addresses a host of the configuration may have, whatever the fetcher
 * says: it talks to the world, and where a request goes its credentials go
 * too.
 */
#ifndef UPSTREAM_UP_ADDR_H
#define UPSTREAM_UP_ADDR_H

#include <stddef.h>

#include "common/proto.h"

/* The address that the host is, if it is one and no name: 1; else 0. */
int	up_addr_literal(const char *host, struct proto_addr *);
/*
 * Copy those of n addresses (PROTO_ADDRS_MAX at most) that the host may have
 * to out, which has room for as many, and return how many that are.  A literal
 * address has itself alone, localhost and names below it (RFC 6761 section
 * 6.3) loopback addresses; any other name those of unicast.
 */
size_t	up_addr_fit(const char *host, const struct proto_addr *, size_t n,
	    struct proto_addr *out);

#endif
