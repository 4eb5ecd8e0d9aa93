/*
 * Connections at the end of a generation: from older workers, to newer ones,
 * and what becomes of those that stay.
 */
#ifndef CLIENT_CONN_PASS_H
#define CLIENT_CONN_PASS_H

#include <stddef.h>

#include "common/proto.h"

struct request;

/* One that another worker had, with the address that it knew the client by and
 * input that it read.  It counts, and beyond max_connections it is told 503 and
 * closed.  It is closed, too, when the address cannot be the client's. */
void	conn_passed(int fd, const struct proto_addr *, const void *input,
	    size_t len);
/* This worker leaves.  handover: to a newer generation, so that from now on
 * nothing that is read here is judged here: a connection between requests, or
 * whose request was not judged yet, waits for conn_drain(); of those that
 * cannot be passed (TLS, more than a message holds) what comes is late and
 * gets 503.  Else what comes by connections that brought nothing yet, and by
 * new ones, is. */
void	conn_leave(int handover);
/* After conn_leave(1): how many requests came before and may still be judged
 * here, since a credential is being looked at. */
size_t	conn_unsettled(void);
/* These have waited long enough: they are late.  Nothing is where no newer
 * generation ever was. */
void	conn_settle(void);
/* Those that wait go to pass (which takes over the fd), at most n per call;
 * returns how many still wait.  pass NULL: the idle ones are closed. */
size_t	conn_drain(size_t n, void (*pass)(int, const struct proto_addr *,
	    const void *, size_t));
/* Are there but connections of which nothing came before conn_leave(0)?  They
 * are told 503, and keep nobody from leaving. */
int	conn_only_newcomers(void);
/* Call this with every request that is being served; it must not end any. */
void	conn_each_request(void (*)(struct request *));
/* End every request: streams cleanly, others with 503. */
void	conn_end_all(int streams_only);

#endif
