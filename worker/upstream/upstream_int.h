/*
 * Upstreams and their servers, as the files that serve them share them; nobody
 * else includes this.
 */
#ifndef UPSTREAM_UPSTREAM_INT_H
#define UPSTREAM_UPSTREAM_INT_H

#include <sys/queue.h>

#include <stdint.h>

#include "common/conf.h"
#include "common/proto.h"
#include "worker/base/timeq.h"
#include "worker/wire/tls.h"

struct up_wait;
struct upconn;
TAILQ_HEAD(upconn_list, upconn);
TAILQ_HEAD(up_wait_list, up_wait);

/* One server of an upstream: its addresses, its idle connections, and how it
 * has been doing (balance.c). */
struct server {
	const struct conf_server *conf;
	struct upstream	*up;
	struct tls_resume resume;
	struct proto_addr addrs[PROTO_ADDRS_MAX];
	size_t		 naddrs;
	size_t		 first;		/* address that worked last */
	int		 resolved;
	int		 literal;	/* the host is an address */
	struct upconn_list idle;
	struct upconn_list fresh;	/* idle since this turn */
	uint64_t	 fresh_turn;	/* which turn that was */
	size_t		 nidle;		/* in both */
	unsigned	 fails;		/* in a row */
	unsigned	 down_s;	/* how long it is left alone; 0: up */
	uint64_t	 down_until;	/* ms, monotonic */
	uint64_t	 told;		/* when a failure was logged */
};

struct upstream {
	const struct conf_upstream *conf;
	struct server	*servers;
	size_t		 nservers;
	size_t		 turn;		/* whose it is */
	size_t		 nopen;		/* connections */
	struct up_wait_list waiting;	/* for one, at max_connections */
	size_t		 nwaiting;
	struct source	*sources;	/* UP_SOURCES, by hash; NULL: without
					 * a limit nobody waits for another */
	struct up_wait_list standing;	/* streams, with a limit */
	int		 short_of;	/* connections, for who has none */
	uint64_t	 given;		/* connections, to anybody */
	struct timeq	*q_connect, *q_response, *q_stream, *q_wait;
	struct ssl_ctx_st *tls;		/* or NULL */
};

/* What the addresses of one hash have of an upstream. */
struct source {
	unsigned	 busy;		/* connections */
	unsigned	 waiting;
	uint64_t	 last;		/* when it got one: the upstream's
					 * count of them */
};

#endif
