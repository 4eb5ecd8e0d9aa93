/*
 * Client connections: sockets, what was read off them, and what is written to
 * them at the end of each turn.  What is spoken over one is h1.c's affair, how
 * it begins conn_begin.c's, and where it goes in the end conn_pass.c's.
 */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H

#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/proto.h"
#include "worker/base/buf.h"
#include "worker/base/timeq.h"
#include "worker/request/client.h"
#include "worker/wire/http1.h"

struct request;
struct tls;

enum conn_state {
	CONN_IDLE,	/* between requests, nothing of the next one here */
	CONN_HEAD,	/* a part of a head is in */
	CONN_REQUEST,	/* client.req is being served */
	CONN_SEND,	/* the answer is whole, in out */
	CONN_PROXY,	/* a PROXY protocol header comes first */
	CONN_TLS,	/* a handshake is under way */
	CONN_LINGER,	/* our side is closed; the client may still send */
	CONN_DEAD
};

/* conn_of_client() takes client for the first member. */
struct conn {
	struct client	 client;
	TAILQ_ENTRY(conn) link;		/* in all, or dead */
	TAILQ_ENTRY(conn) dirty_link;
	TAILQ_ENTRY(conn) record_link;
	uint64_t	 record_line;	/* audit_added() then */
	TAILQ_ENTRY(conn) again_link;
	struct timer	 timer;
	uint64_t	 stuck;		/* ms, when the client first took too
					 * little of this answer; or 0 */
	struct event	 ev;
	struct tls	*tls;		/* or NULL: plain */
	struct buf	 in;
	struct buf	 out;
	struct http1_scan scan;
	struct proto_addr peer;		/* at the other end of fd */
	uint8_t		 state;		/* enum conn_state */
	unsigned	 readable : 1;
	unsigned	 hup : 1;	/* the client closed its side */
	unsigned	 dirty : 1;
	unsigned	 recorded : 1;	/* an audit line of this turn */
	unsigned	 again : 1;	/* to be read on in the next turn */
	unsigned	 passed : 1;	/* by another worker */
	unsigned	 hello : 1;	/* CONN_TLS: a first byte is there */
	/* HTTP/1 (h1.c), of the request being served */
	unsigned	 old : 1;	/* HTTP/1.0 */
	unsigned	 expect : 1;	/* the client waits for 100 */
	unsigned	 chunked : 1;	/* we send chunks */
	uint8_t		 framing;	/* enum http1_body, of what is left of
					 * its body */
	size_t		 headlen;	/* of its head, still in in */
	uint64_t	 left;		/* of its body, if that has a length */
	struct http1_chunk chunk;
	size_t		 laps;		/* 64 KiB of body read */
	int		 fd;
	size_t		 skip;		/* bytes of a refused body to discard,
					 * before a head or while lingering */
};

static inline struct conn *
conn_of_client(struct client *c)
{
	return ((struct conn *)c);
}

/* Append to what is sent at the end of this turn.  0, or -1: no memory, the
 * connection is dead now. */
int	conn_send(struct conn *, const void *, size_t);
struct buf *conn_out(struct conn *);	/* the same, by hand */
/* The answer is whole; req is no more.  Goes on with the next request after
 * it is sent, or closes when close or unread is set. */
void	conn_answered(struct conn *);
/* Close at once and make the client see that the answer was cut off. */
void	conn_abort(struct conn *);
/* The audit line of what is in out belongs to this turn. */
void	conn_recorded(struct conn *);
/* Something to read may wait in the socket: look. */
void	conn_poke(struct conn *);
/* Read into in, at most max bytes beyond what is there: 1 got some, 0 nothing
 * now, -1 the client is gone (end of file or an error). */
int	conn_read(struct conn *, size_t max);
/* As conn_read() but into another buffer. */
int	conn_read_into(struct conn *, struct buf *, size_t max);
/* An answer has begun that may last: bytes that the client's host does not
 * acknowledge for timeouts.keepalive end the connection. */
void	conn_lasts(struct conn *);
/* Go on with this connection in the next turn: there may be more to read, but
 * it has had its share of this one. */
void	conn_again(struct conn *);
/* Start the timer that limits the reading of a body. */
void	conn_body_timer(struct conn *);
/* The request is whole: instead of that timer, look in a while whether a
 * reset came together with its last bytes, which no edge tells of. */
void	conn_look_later(struct conn *);

/* The end of a turn.  Abort those whose line could not be written: it is
 * later than that one. */
void	conn_abort_recorded(uint64_t);
void	conn_clear_recorded(void);
/* Write what is queued; 1 when anything was dirty. */
int	conn_flush_dirty(void);
void	conn_turn_end(void);

size_t	conn_count(void);

#endif
