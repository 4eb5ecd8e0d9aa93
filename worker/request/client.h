/*
 * The client of a request, as the request knows it: facts, and a struct of
 * calls that whoever speaks with the client fills in.  Nothing here says how
 * messages are framed, nor over how many connections they come.
 */
#ifndef REQUEST_CLIENT_H
#define REQUEST_CLIENT_H

#include <netinet/in.h>

#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"
#include "common/slice.h"
#include "worker/wire/http1.h"

struct buf;
struct client;
struct request;
struct share;

/* The length of an answer's body, when it is none in bytes. */
#define CLIENT_NO_BODY	UINT64_MAX
#define CLIENT_OPEN	(UINT64_MAX - 1)	/* seen when it ends */

/* Each may end the request where that is said. */
struct client_ops {
	/* The head again, until read_body(). */
	const struct http1_head *(*head)(struct client *);
	/* Is there a body, not begun, that comes without being asked for? */
	int	 (*body_ahead)(const struct client *);
	/* The head is judged: forget it, and the credential with it.  What is
	 * there of the body comes by body_add() and stages_whole(), from
	 * within, and the request may end. */
	void	 (*read_body)(struct client *);
	/* A request (not this one) whose body has been read for so many ms, or
	 * that counts for an address which holds more than half of
	 * limits.buffered, or NULL. */
	struct request *(*slow_body)(const struct request *, uint64_t age);

	/* Begin the answer.  The caller puts its fields (http1_put.h) into the
	 * buffer, but for those of framing and of the connection, and then
	 * calls fields_end(): 0, or -1 when memory was gone since. */
	struct buf *(*answer)(struct client *, int status);
	int	 (*fields_end)(struct client *, uint64_t length);
	/* A part of its body, not empty.  0, or -1 when memory is gone. */
	int	 (*body)(struct client *, struct slice);
	/* The answer is whole, or (early) ends as if it were, and there is no
	 * request any more. */
	void	 (*end)(struct client *, int early);
	/* Make the client see that the answer was cut off.  The request is
	 * recorded and freed. */
	void	 (*abort)(struct client *);
	/* The audit line of what was queued belongs to this turn. */
	void	 (*recorded)(struct client *);
	/* The answer may last: be quick to see that the client has vanished. */
	void	 (*lasts)(struct client *);
	/* Bytes of answers that still wait to be sent; bytes of memory. */
	size_t	 (*unsent)(const struct client *);
	size_t	 (*held)(const struct client *);
};

struct client {
	const struct client_ops *ops;
	struct request	*req;		/* or NULL */
	struct share	*share;		/* that it counts for; NULL: a trusted
					 * proxy's, or not known yet */
	struct proto_addr addr;		/* the peer's, or what a PROXY header
					 * said of it */
	char		 ip[INET6_ADDRSTRLEN];	/* the same as text */
	uint64_t	 length;	/* of its request's body; 0: none, or
					 * nobody knows yet */
	unsigned	 secure : 1;	/* it came by TLS */
	unsigned	 close : 1;	/* no request follows this one */
	unsigned	 unread : 1;	/* nothing more of its body is read */
	unsigned	 newcomer : 1;	/* it came shortly before a stop, or
					 * after */
	unsigned	 late : 1;	/* this request is not for this
					 * generation, nor can it be passed */
};

static inline void
client_abort(struct client *c)
{
	c->ops->abort(c);
}

static inline struct buf *
client_answer(struct client *c, int status)
{
	return (c->ops->answer(c, status));
}

static inline int
client_fields_end(struct client *c, uint64_t length)
{
	return (c->ops->fields_end(c, length));
}

static inline int
client_body(struct client *c, struct slice s)
{
	return (c->ops->body(c, s));
}

static inline size_t
client_unsent(const struct client *c)
{
	return (c->ops->unsent(c));
}

#endif
