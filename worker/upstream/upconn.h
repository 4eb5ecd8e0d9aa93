/*
 * Connections to servers, kept alive and reused.  Whoever has one is told what
 * becomes of it; nothing here knows what it is used for.  Only the files of
 * upstreams include this.
 */
#ifndef UPSTREAM_UPCONN_H
#define UPSTREAM_UPCONN_H

#include <sys/queue.h>
#include <sys/types.h>

#include <event2/event.h>
#include <stdint.h>

#include "worker/base/timeq.h"
#include "worker/upstream/upstream_int.h"
#include "worker/wire/tls.h"

#define UPCONN_READ	(64 * 1024)	/* the most that data has */

struct iovec;

enum upconn_failure {
	UPCONN_REFUSED,		/* no connection to this address */
	UPCONN_LATE,		/* none within timeouts.upstream_connect */
	UPCONN_SILENT		/* the timer of a busy one has run out */
};

/*
 * What becomes of a connection, as long as it is not idle.  Each comes from the
 * event loop, never from within the functions below.  ready: it is there, or it
 * can be written to again.  eof: the server closed it, or (an errno) it broke;
 * still to be closed.  failed: still to be closed, until when why is good.
 */
struct upconn_cb {
	void	(*ready)(void *);
	void	(*data)(void *, const char *, size_t);
	void	(*eof)(void *, int error);
	void	(*failed)(void *, enum upconn_failure, const char *why);
};

enum up_state { UP_CONNECTING, UP_TLS, UP_BUSY, UP_IDLE, UP_DEAD };

struct upconn {
	TAILQ_ENTRY(upconn) link;	/* in fresh, idle or dead list */
	TAILQ_ENTRY(upconn) again_link;
	struct timer	 timer;		/* while busy: its user's */
	struct event	*ev;
	const struct upconn_cb *cb;
	void		*arg;
	struct server	*server;
	struct tls	*tls;		/* or NULL: plain */
	uint64_t	 kept;		/* the turn in which it became idle */
	size_t		 addr;		/* behind the one that worked last */
	int		 fd;
	enum up_state	 state;
	int		 readable;
	int		 again;		/* to be read on in the next turn */
	int		 reused;	/* it was idle before */
	int		 wrote;		/* anything, since */
	int		 paused;
	int		 emptied;	/* by the last read */
	int		 closed;	/* the server's side */
};

/* Once: so many connections at most; all servers; released is told when a
 * connection was closed or became idle. */
void	upconn_setup(struct event_base *, size_t max, struct server *,
	    size_t n, void (*released)(const struct upstream *));
/* An idle connection of a server that is still good, or NULL. */
struct upconn *upconn_idle(struct server *, const struct upconn_cb *, void *);
/* One that begins to connect to the server's address *next (counted from the
 * one that worked last) or, when that fails at once, one behind it; *next is
 * moved on.  NULL: there are too many, or memory is gone. */
struct upconn *upconn_connect(struct server *, size_t *next,
	    const struct upconn_cb *, void *);
/* Make ready come, of a busy one that is written to first. */
void	upconn_call(struct upconn *);
/* As writev(2), of one that is busy; of TLS the first part only. */
ssize_t	upconn_write(struct upconn *, const struct iovec *, int);
/* It broke, but what is there to read may still be read. */
void	upconn_broke(struct upconn *);
/* Stop and go on reading. */
void	upconn_pause(struct upconn *);
void	upconn_resume(struct upconn *);
/* Close an idle connection of this upstream, or (NULL) of any. */
void	upconn_make_room(struct upstream *);
void	upconn_close(struct upconn *);
/* Keep it for another, as long as Keep-Alive said (0: nothing was said).  1,
 * or 0: it is not kept. */
int	upconn_keep(struct upconn *, unsigned seconds);
/* What limits a connection has passed. */
void	upconn_expired(struct timer *);
void	upconn_turn_end(void);

#endif
