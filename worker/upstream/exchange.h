/*
 * Exchanges with upstreams: one request and its response each.  An exchange is
 * not its connection: it may try several before one carries it.
 */
#ifndef UPSTREAM_EXCHANGE_H
#define UPSTREAM_EXCHANGE_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/buf.h"
#include "worker/wire/http1.h"

enum exchange_error {
	EXCHANGE_REFUSED,	/* no address, no connection, no answer */
	EXCHANGE_TIMEOUT,	/* upstream_connect, upstream_response or
				 * stream_idle */
	EXCHANGE_BROKEN,	/* malformed, or ended in the middle */
	EXCHANGE_CROWDED	/* the upstream's max_connections reached */
};

struct exchange;
struct upstream;

/*
 * What becomes of an exchange.  put_head is asked to write the head for a
 * server of the upstream when a connection to it is there (request line, Host
 * and fields, but nothing that frames the body, and no empty line), again when
 * it is another server's turn, and any number of times until spent, which may
 * be NULL: the request is not held any more.  0, or -1 when memory is gone.
 *
 * other, which may be NULL, tells that this server is tried now, since the one
 * before could not be reached; it may change bytes of the body, which nobody
 * has got.
 *
 * head comes once (informational responses are swallowed), then data as it
 * arrives, then done or fail, exactly one of them and exactly once; fail may
 * come at any point.  After done and fail the exchange is gone.  A callback
 * other than the first three may cancel the exchange.
 */
struct exchange_cb {
	int	(*put_head)(void *, size_t server, struct buf *);
	void	(*spent)(void *);
	void	(*other)(void *, size_t server, struct buf *body);
	void	(*head)(void *, const struct http1_head *);
	void	(*data)(void *, const char *, size_t);
	void	(*done)(void *);
	void	(*fail)(void *, enum exchange_error, const char *why);
};

/* What is asked of whom. */
struct exchange_request {
	size_t		 upstream;
	size_t		 server;	/* of it: the first to be tried */
	const char	*method;	/* static text */
	struct buf	*body;		/* taken over, and left empty, unless
					 * it fails to start */
	int		 pinned;	/* no other server will do */
	int		 standing;	/* a stream, as long as the client
					 * likes */
	int		 probe;		/* a health check: what it means is
					 * upstream_judge()'s */
	uint32_t	 source;	/* whose it is: a hash of the
					 * address */
	unsigned	 number;	/* of its method, in
					 * common/mcp_methods.h */
	uint64_t	*away;		/* us that it took are added to this
					 * when it ends; or NULL */
	const struct exchange_cb *cb;
	void		*arg;
};

/* Send it.  Unless it is pinned another server may get it when this one cannot
 * be reached.  NULL when memory is gone or there are too many connections.  No
 * callback is called from within. */
struct exchange *exchange_start(const struct exchange_request *);
/* Take the body back, to send the request elsewhere: from within the head
 * callback, before exchange_cancel().  0; -1: it is not held any more (spent),
 * or could not be sent. */
int	exchange_take(struct exchange *, struct buf *body);
/* What its answer says of itself (error.type of common/stats.h): the exchange
 * counts as that, if it ends well otherwise. */
void	exchange_says(struct exchange *, unsigned error);
/* us since it began. */
uint64_t exchange_age(const struct exchange *);
/* Bytes of memory that it holds. */
size_t	exchange_held(const struct exchange *);
/* The server that it was sent to. */
size_t	exchange_server(const struct exchange *);
/* The client is gone: close the connection, so that the upstream sees it.  No
 * callback follows. */
void	exchange_cancel(struct exchange *);
/* Its answer is a stream, which may go on for long. */
void	exchange_streams(struct exchange *);
/* Stop and go on reading from the upstream. */
void	exchange_pause(struct exchange *);
void	exchange_resume(struct exchange *);

/* From upstream.c.  Once, before upconn_setup(): all upstreams. */
void	exchange_setup(struct event_base *, struct upstream *, size_t n);
/* At the end of a turn: free what ended. */
void	exchange_turn_end(void);

#endif
