/*
 * What proxies say of the client, hop by hop: X-Forwarded-For, and Forwarded
 * (RFC 7239).  Nobody but a proxy that is trusted is believed, and it only
 * about who it got the request from.
 */
#ifndef WIRE_FORWARDED_H
#define WIRE_FORWARDED_H

#include "common/conf.h"
#include "common/proto.h"
#include "common/slice.h"
#include "worker/wire/http1.h"

#define FORWARDED_HOPS	32	/* looked at, from the last one */

/* Once. */
void	forwarded_setup(const struct worker_conf *);
/* Is it the address of a trusted proxy? */
int	forwarded_trusts(const struct proto_addr *);
/* Walk the list of addresses (of X-Forwarded-For) from its end as long as the
 * speaker, addr at first, is trusted; addr becomes the last one named. */
void	forwarded_for(struct slice list, struct proto_addr *addr);
/* The same with Forwarded.  Returns the elements that trusted proxies added,
 * of length 0 when there are none or the value is malformed. */
struct slice forwarded_elements(struct slice value, struct proto_addr *addr);

#endif
