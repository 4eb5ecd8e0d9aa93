/* Shared by the files that speak with clients (conn*.c, h1*.c); nobody else
 * includes it. */
#ifndef CLIENT_CONN_INT_H
#define CLIENT_CONN_INT_H

#include "worker/client/conn.h"

/* What conn.c calls, for it knows sockets only. */
struct conn_up {
	const struct client_ops *ops;	/* of a connection's requests */
	/* Go as far as the input at hand allows. */
	void	 (*process)(struct conn *);
	/* CONN_SEND: the answer is out.  Close, or turn to the next request. */
	void	 (*sent)(struct conn *);
};

extern struct conns {
	const struct worker_conf *conf;
	TAILQ_HEAD(, conn) all;
	size_t		 n;
	size_t		 newcomers;	/* of them */
	int		 leaving;
	int		 handing_over;
	int		 outdated;	/* it was, and may now stop */
	struct timeq	 header, body, keepalive, linger, write, look;
} conns;

/* Once. */
void	conn_init(struct event_base *, const struct worker_conf *,
	    void (*room)(int), const struct conn_up *);
/* A connection of this socket, which is taken over; NULL: it is closed. */
struct conn *conn_make(int fd);
/* Its client is this one. */
void	conn_address(struct conn *, const struct proto_addr *);
struct conn *conn_of(struct timer *);
/* Is it to be passed, and can it be? */
int	conn_passable(const struct conn *);
/* A reset comes as readable, without EV_CLOSED, and perhaps together with
 * bytes whose short read hid it. */
int	conn_broken(struct conn *);
/* Our side is closed; what the client still sends is thrown away. */
void	conn_linger(struct conn *);
void	conn_discard(struct conn *);
void	conn_close(struct conn *);
/* However the socket was set up: this must not wait. */
void	conn_close_passed(int fd);

#endif
