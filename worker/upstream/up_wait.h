/*
 * Waiting for a connection at an upstream's max_connections: whose turn it is
 * when one gets free, and who gives way so that every client's address gets
 * some.  Only the files of upstreams include this.
 */
#ifndef UPSTREAM_UP_WAIT_H
#define UPSTREAM_UP_WAIT_H

#include <event2/event.h>
#include <stdint.h>

#include "worker/base/timeq.h"
#include "worker/upstream/upstream_int.h"

#define UP_SOURCES	256

/* One who needs a connection, or has one.  Zeroed it counts nowhere. */
struct up_wait {
	TAILQ_ENTRY(up_wait) link;	/* in waiting */
	TAILQ_ENTRY(up_wait) standing_link;
	struct timer	 timer;		/* while it waits */
	struct upstream	*up;
	struct source	*source;	/* or NULL: nobody counts */
	int		 waiting;
	int		 turn;		/* it need not wait behind others */
	int		 busy;		/* counted in source */
	int		 standing;	/* a stream; in the list */
	uint64_t	 since;		/* ms, of one that answers a request */
};

/* From within: it is its turn, and it may wait again; or it has waited too
 * long, or has to give way to others.  why is static text. */
struct up_wait_cb {
	void	(*turn)(struct up_wait *);
	void	(*leave)(struct up_wait *, const char *why);
};

/* Once: all upstreams. */
void	up_wait_setup(struct event_base *, struct upstream *, size_t n,
	    const struct up_wait_cb *);
/* Begin: whose it is (a hash of the address), and whether it is a stream for as
 * long as the client likes. */
void	up_wait_init(struct up_wait *, struct upstream *, uint32_t source,
	    int standing);
/* The same, of one who waits for nobody and counts nowhere. */
void	up_wait_init_probe(struct up_wait *, struct upstream *);
/* Are there others who come first? */
int	up_wait_must(const struct up_wait *);
/* Wait, at the end.  0, or -1: too many do. */
int	up_wait_begin(struct up_wait *);
/* It has a connection. */
void	up_wait_got(struct up_wait *);
/* It is not for as long as the client likes, but its answer is a stream. */
void	up_wait_streams(struct up_wait *);
/* It needs none any more. */
void	up_wait_end(struct up_wait *);
/* A connection was closed or became idle: somebody may wait for it. */
void	up_wait_wake(const struct upstream *);
/* One has waited as long as it may (upstream.q_wait). */
void	up_wait_expired(struct timer *);

#endif
