/*
 * Connections that begin, with what may come before the first request: a
 * PROXY protocol header, a TLS handshake.
 */
#ifndef CLIENT_CONN_BEGIN_H
#define CLIENT_CONN_BEGIN_H

#include "common/conf.h"

struct conn;
struct event_base;

/* Once.  room(0): the number of connections has reached what max_connections
 * allows; room(1): it fell below that. */
void	conn_setup(struct event_base *, const struct worker_conf *,
	    void (*room)(int));
/* A new connection (fd taken over).  Beyond max_connections, or what its
 * address may have, the one that was idle longest gives way (that address's
 * own, or that of one that has more than half); if none is, it is closed. */
void	conn_new(int fd);

/* For conn_pass.c.  A PROXY header comes next; the connection is closed if its
 * peer may send none. */
void	conn_expect_proxy(struct conn *);
/* A handshake comes next. */
void	conn_expect_tls(struct conn *);
/* It sent HTTP where TLS is spoken, and could not read an alert. */
void	conn_plain(struct conn *);

#endif
