/*
 * A chain of filters that an upstream's answer passes where something must be
 * looked at: one whole message is held at a time, a JSON body or the event of
 * a stream (WHATWG HTML, server-sent events), each filter judges its text, and
 * says at which bytes something is cut out or put in.  All other bytes stay as
 * they came; nothing is serialised anew.  What cannot be read does not pass.
 *
 * Most answers have no chain, and then nothing of this is called.
 */
#ifndef WIRE_FILTER_H
#define WIRE_FILTER_H

#include <stddef.h>

#include "common/slice.h"
#include "worker/base/buf.h"

#define FILTERS_MAX	8	/* of one chain */

struct filter_chain;
struct filter_edits;

enum filter_kind {
	FILTER_JSON,		/* the body is one message */
	FILTER_EVENTS		/* each event's data is one */
};

enum filter_verdict {
	FILTER_PASS,		/* with the edits, if there are any */
	FILTER_DROP,		/* this event is not for the client; of a JSON
				 * body the same as FILTER_REFUSE */
	FILTER_REFUSE		/* nor is anything that follows */
};

struct filter {
	const char	*name;		/* static text */
	/* text is strict JSON (common/json.h) and lives until the return;
	 * edits are in its order, without overlapping. */
	enum filter_verdict (*judge)(void *arg, struct slice text,
			    struct filter_edits *);
	void		*arg;
	int		 lenient;	/* nothing hangs on it: where all of a
					 * chain are, what cannot be read passes
					 * as it came */
};

/* For the judges.  at points into the text, and n bytes from there on are of
 * it.  put is copied and must have no line end.  Errors stick, and then the
 * answer is refused. */
void	filter_cut(struct filter_edits *, const char *at, size_t n);
void	filter_put(struct filter_edits *, const char *at, struct slice put);

/* A chain of 1 to FILTERS_MAX filters (copied) for one answer; a message has
 * max bytes at most.  NULL: no memory. */
struct filter_chain *filter_chain_new(enum filter_kind,
	    const struct filter *, size_t n, size_t max);
void	filter_chain_free(struct filter_chain *);	/* NULL is fine */

/*
 * The next bytes of the body; what may go on is appended to out.  0, or -1
 * with static text why nothing more may pass: then and ever after.
 */
int	filter_feed(struct filter_chain *, struct slice, struct buf *out,
	    const char **why);
/* The body has ended.  The beginning of an event that has no end is for
 * nobody, unless all are lenient. */
int	filter_end(struct filter_chain *, struct buf *out, const char **why);
/* Is nothing held, so that a comment may be inserted into the stream? */
int	filter_at_boundary(const struct filter_chain *);
/* How many events were dropped, by a filter or because nobody could read
 * them. */
size_t	filter_dropped(const struct filter_chain *);
/* How many messages passed that no filter has seen. */
size_t	filter_unread(const struct filter_chain *);

#endif
