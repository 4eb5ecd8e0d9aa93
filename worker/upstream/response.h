/*
 * What a server answers to one request: interim heads, a head, then a body as
 * it is framed (RFC 9112 section 6).  Nothing here does I/O.
 */
#ifndef UPSTREAM_RESPONSE_H
#define UPSTREAM_RESPONSE_H

#include <stddef.h>
#include <stdint.h>

#include "worker/base/buf.h"
#include "worker/wire/http1.h"

#define RESPONSE_FEED	(64 * 1024)	/* the most response_feed() is given */

/*
 * head comes once (interim ones are swallowed), then data, then done, with so
 * many bytes in excess; fail may come instead of any of them: malformed is 1
 * when it is the server's doing.  why is static text.
 */
struct response_cb {
	void	(*head)(void *, const struct http1_head *);
	void	(*data)(void *, const char *, size_t);
	void	(*done)(void *, size_t excess);
	void	(*fail)(void *, int malformed, const char *why);
};

struct response {
	const struct response_cb *cb;
	void		*arg;
	const char	*method;	/* what it answers */
	struct buf	 in;		/* an unfinished head */
	struct http1_scan scan;
	struct http1_chunk chunk;
	enum http1_body	 framing;
	uint64_t	 left;		/* of HTTP1_BODY_LENGTH */
	unsigned	 interim;	/* 1xx answers so far */
	size_t		 heads;		/* bytes of all heads */
	unsigned	 idle_s;	/* what Keep-Alive says; 0: nothing */
	int		 keepalive;
	int		 stream;	/* it is an event stream */
	int		 got_head;
	int		 over;		/* by its owner: nobody listens */
};

/* Once, of one that is zeroed; method is static text. */
void	response_init(struct response *, const char *method,
	    const struct response_cb *, void *);
/* The next bytes.  Callbacks are made from within, until over is set. */
void	response_feed(struct response *, const char *, size_t);
/* Does it end well when the connection does, here? */
int	response_ends(const struct response *);
void	response_free(struct response *);

#endif
