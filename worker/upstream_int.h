/*
 * Shared by upstream.c (exchanges), upconn.c (connections), exchange.c
 * (responses) and balance.c (which server, and how it is); nobody else
 * includes it.
 */
#ifndef WORKER_UPSTREAM_INT_H
#define WORKER_UPSTREAM_INT_H

#include <sys/queue.h>

#include <event2/event.h>
#include <stdint.h>

#include "worker/timeq.h"
#include "worker/tls.h"
#include "worker/upstream.h"

#define UPSTREAM_READ	(64 * 1024)	/* the most exchange_feed() is given */

enum up_state { UP_CONNECTING, UP_TLS, UP_BUSY, UP_IDLE, UP_DEAD };

struct upconn {
	TAILQ_ENTRY(upconn) link;	/* in fresh, idle or dead list */
	TAILQ_ENTRY(upconn) again_link;
	struct timer	 timer;
	struct event	*ev;
	struct exchange	*ex;
	struct server	*server;
	struct tls	*tls;		/* or NULL: plain */
	uint64_t	 kept;		/* the turn in which it became idle */
	int		 fd;
	enum up_state	 state;
	int		 readable;
	int		 again;		/* to be read on in the next turn */
	int		 reused;	/* carried an exchange before */
	int		 emptied;	/* by the last read */
	int		 closed;	/* the upstream's side */
};

TAILQ_HEAD(upconn_list, upconn);
TAILQ_HEAD(exchange_list, exchange);

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
	struct exchange_list waiting;	/* for one, at max_connections */
	size_t		 nwaiting;
	struct source	*sources;	/* by EXCHANGE_SOURCE; NULL: without a
					 * limit nobody waits for another */
	struct exchange_list standing;	/* streams, with a limit */
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

struct exchange {
	TAILQ_ENTRY(exchange) link;	/* waiting, or in the dead list */
	TAILQ_ENTRY(exchange) standing_link;
	struct source	*source;	/* or NULL: nobody counts */
	struct timer	 timer;		/* while it waits for a connection */
	struct upconn	*up;
	struct server	*server;
	const struct exchange_cb *cb;
	void		*arg;
	const char	*method;
	size_t		 line_len;	/* of request line and Host in head */
	struct buf	 head;		/* to send; held until the answer */
	struct buf	 body;		/* begins, for a redirection */
	size_t		 sent;		/* bytes of both */
	int		 spent;		/* they are not held any more */
	struct buf	 in;		/* an unfinished response head */
	struct http1_scan scan;
	struct http1_chunk chunk;
	enum http1_body	 framing;
	uint64_t	 left;		/* of HTTP1_BODY_LENGTH */
	uint64_t	 tried;		/* servers, a bit each */
	size_t		 next_addr;
	int		 pinned;	/* no other server will do */
	int		 probe;		/* a health check */
	int		 waiting;
	int		 turn;		/* it need not wait behind others */
	int		 busy;		/* counted in source */
	int		 standing;	/* a stream; in the list */
	int		 keepalive;
	unsigned	 idle_s;	/* what Keep-Alive says; 0: nothing */
	int		 sent_any;
	int		 got_any;
	int		 got_head;
	unsigned	 interim;	/* 1xx answers so far */
	size_t		 heads;		/* bytes of all heads */
	int		 paused;
	int		 stream;	/* the response is an event stream */
	int		 cut;		/* the request could not be sent whole */
	int		 over;		/* done, failed or cancelled */
};

/* From exchange.c: the next bytes of a response. */
void	exchange_feed(struct exchange *, const char *, size_t);

/* From upstream.c: what is not sent yet of the request; do not hold it any
 * more. */
size_t	exchange_unsent(const struct exchange *);
void	exchange_forget(struct exchange *);
/* From upstream.c: start what limits the silence before the next read; end
 * with an error; end well, with so many bytes in excess. */
void	exchange_timer(struct exchange *);
void	exchange_fail(struct exchange *, enum exchange_error, const char *);
void	exchange_done(struct exchange *, size_t excess);

/* Find or make a connection for an exchange, or let it wait for one.  0, or
 * -1. */
int	exchange_attach(struct exchange *);
/* Try another server.  0, or -1: there is none, or too much was done. */
int	exchange_other_server(struct exchange *);
/* A connection was closed or became idle: somebody may wait for it. */
void	upstream_wake(const struct upstream *);

/* From upconn.c.  Once: so many connections at most; all servers. */
void	upconn_setup(struct event_base *, size_t max, struct server *,
	    size_t n);
/* An idle connection of a server that is still good, or NULL. */
struct upconn *upconn_idle(struct server *);
/* One that begins to connect to the exchange's next address, or NULL. */
struct upconn *upconn_connect(struct exchange *);
/* Close an idle connection of this upstream, or (NULL) of any. */
void	upconn_make_room(struct upstream *);
void	upconn_close(struct upconn *);
/* Keep it for another exchange, as long as Keep-Alive said (0: nothing was
 * said).  1, or 0: it is not kept. */
int	upconn_keep(struct upconn *, unsigned seconds);
/* Read on in the next turn. */
void	upconn_again(struct upconn *);
/* What limits a connection has passed. */
void	upconn_expired(struct timer *);
void	upconn_turn_end(void);

/* From balance.c.  The next server to try, one whose bit is not set in tried;
 * NULL: none is left. */
struct server *balance_next(struct upstream *, uint64_t tried);
/* It answered, or it failed to. */
void	balance_good(struct server *);
void	balance_bad(struct server *, const char *why);
/* Something went wrong that says nothing of its health: log it, without a
 * flood of lines. */
void	balance_tell(struct server *, const char *why);
/* Could it serve now, as far as is known? */
int	balance_usable(const struct server *);

#endif
