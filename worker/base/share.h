/*
 * What each address has of this worker: connections, streams, memory.  An
 * address is an IPv4 address, or the first 64 bits of an IPv6 address, of
 * which one host has as many as it likes.
 */
#ifndef BASE_SHARE_H
#define BASE_SHARE_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/proto.h"

struct flood;

struct share {
	LIST_ENTRY(share) link;
	struct proto_addr addr;	/* its first 64 bits, of IPv6 */
	uint32_t	 hash;	/* keyed, for tables by address */
	size_t		 refs;
	size_t		 conns;
	size_t		 streams;	/* that clients hold open */
	size_t		 bytes;	/* in the buffers of its requests */
	struct flood	*flood;	/* its refusals, while flood.c counts them */
};

/* Once. */
void	share_setup(const struct worker_conf *);
/* That of an address, for as long as it is not put; NULL: no memory. */
struct share *share_get(const struct proto_addr *);
struct share *share_again(struct share *);	/* one more reference */
void	share_put(struct share *);		/* NULL is fine */
int	share_is(const struct share *, const struct proto_addr *);

/* One connection more or less. */
void	share_conn(struct share *, int);
/* The one that has more than half of limits.max_connections, or NULL. */
struct share *share_hog(void);

#endif
