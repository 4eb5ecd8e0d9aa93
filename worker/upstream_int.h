/*
 * Shared by upstream.c (connections) and exchange.c (responses); nobody else
 * includes it.
 */
#ifndef WORKER_UPSTREAM_INT_H
#define WORKER_UPSTREAM_INT_H

#include <sys/queue.h>

#include <event2/event.h>
#include <stdint.h>

#include "worker/timeq.h"
#include "worker/upstream.h"

enum up_state { UP_CONNECTING, UP_BUSY, UP_IDLE, UP_DEAD };

struct upconn {
	TAILQ_ENTRY(upconn) link;	/* in idle or dead list */
	struct timer	 timer;
	struct event	*ev;
	struct exchange	*ex;
	size_t		 upstream;
	int		 fd;
	enum up_state	 state;
	int		 readable;
	int		 reused;	/* carried an exchange before */
};

TAILQ_HEAD(upconn_list, upconn);

struct exchange {
	TAILQ_ENTRY(exchange) link;	/* in the dead list */
	struct upconn	*up;
	const struct exchange_cb *cb;
	void		*arg;
	const char	*method;
	struct buf	 head;		/* to send */
	struct buf	 body;
	struct buf	 in;		/* an unfinished response head */
	struct http1_scan scan;
	struct http1_chunk chunk;
	enum http1_body	 framing;
	uint64_t	 left;		/* of HTTP1_BODY_LENGTH */
	size_t		 upstream;
	size_t		 next_addr;
	int		 keepalive;
	unsigned	 idle_s;	/* what Keep-Alive says; 0: nothing */
	int		 sent_any;
	int		 got_any;
	int		 got_head;
	int		 paused;
	int		 stream;	/* the response is an event stream */
	int		 cut;		/* the request could not be sent whole */
	int		 over;		/* done, failed or cancelled */
};

/* From exchange.c: the next bytes of a response. */
void	exchange_feed(struct exchange *, const char *, size_t);

/* From upstream.c: start what limits the silence before the next read; end
 * with an error; end well, with so many bytes in excess. */
void	exchange_timer(struct exchange *);
void	exchange_fail(struct exchange *, enum exchange_error, const char *);
void	exchange_done(struct exchange *, size_t excess);

#endif
