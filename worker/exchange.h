/*
 * Exchanges with upstreams: one request and its response each.  An exchange is
 * not its connection: it may try several before one carries it.
 */
#ifndef WORKER_EXCHANGE_H
#define WORKER_EXCHANGE_H

#include <event2/event.h>
#include <stddef.h>

#include "worker/buf.h"
#include "worker/http1.h"

enum exchange_error {
	EXCHANGE_REFUSED,	/* no address, no connection, no answer */
	EXCHANGE_TIMEOUT,	/* upstream_connect, upstream_response or
				 * stream_idle */
	EXCHANGE_BROKEN,	/* malformed, or ended in the middle */
	EXCHANGE_CROWDED	/* the upstream's max_connections reached */
};

/* For exchange_start(). */
#define EXCHANGE_PINNED	1	/* no other server will do */
#define EXCHANGE_STANDING 4	/* a stream, as long as the client likes */
/* Whose it is: a hash of the address. */
#define EXCHANGE_SOURCE(hash)	((int)((hash) % EXCHANGE_SOURCES << 8))
#define EXCHANGE_SOURCES	256
#define EXCHANGE_PROBE	2	/* what it means is upstream_judge()'s */

struct exchange;
struct timer;
struct upstream;

/*
 * What becomes of an exchange.  head comes once (informational responses are
 * swallowed), then data as it arrives, then done or fail, exactly one of them
 * and exactly once; fail may come at any point.  After done and fail the
 * exchange is gone.  A callback may cancel the exchange.
 */
struct exchange_cb {
	void	(*head)(void *, const struct http1_head *);
	void	(*data)(void *, const char *, size_t);
	void	(*done)(void *);
	void	(*fail)(void *, enum exchange_error, const char *why);
};

/*
 * Send a request to a server of an upstream: a whole head, whose request line
 * and Host (line_len bytes) were made for that server, and a body (taken
 * over, both; the bufs are left empty).  Unless flags say EXCHANGE_PINNED
 * another server may get it when this one cannot be reached.  method (static
 * text) is what the response's framing depends on.  NULL when memory is gone
 * or there are too many connections.  No callback is called from within.
 */
struct exchange *exchange_start(size_t upstream, size_t server, int flags,
    const char *method, size_t line_len, struct buf *head, struct buf *body,
    const struct exchange_cb *, void *);
/* Take the request back, whole and with the answering server's line, to send
 * it elsewhere: from within the head callback, before exchange_cancel().  0;
 * -1: it is not held any more, as memory is short or it could not be sent. */
int	exchange_take(struct exchange *, struct buf *head, size_t *line_len,
	    struct buf *body);
/* Bytes of memory that it holds. */
size_t	exchange_held(const struct exchange *);
/* The server that it was sent to. */
size_t	exchange_server(const struct exchange *);
/* The client is gone: close the connection, so that the upstream sees it.  No
 * callback follows. */
void	exchange_cancel(struct exchange *);
/* Stop and go on reading from the upstream. */
void	exchange_pause(struct exchange *);
void	exchange_resume(struct exchange *);

/* From upstream.c.  Once, before upconn_setup(): all upstreams. */
void	exchange_setup(struct event_base *, struct upstream *, size_t n);
/* One has waited for a connection as long as it may (upstream.q_wait). */
void	exchange_expired(struct timer *);
/* A connection was closed or became idle: somebody may wait for it. */
void	exchange_wake(const struct upstream *);
/* At the end of a turn: free what ended. */
void	exchange_turn_end(void);

#endif
