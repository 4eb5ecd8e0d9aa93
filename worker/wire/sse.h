/*
 * Watches a text/event-stream as it passes (WHATWG HTML, server-sent events):
 * finds the event boundaries, between which a comment may be inserted, and the
 * event that carries the JSON-RPC response, which is what the audit line must
 * precede.  It never changes a byte and keeps none but of a member name: an
 * event may be of any size.
 */
#ifndef WIRE_SSE_H
#define WIRE_SSE_H

#include <stddef.h>

#include "common/slice.h"

struct sse;

/* NULL when memory is gone. */
struct sse *sse_new(void);
void	sse_free(struct sse *);

/*
 * Look at the next bytes of the stream.  Returns how many of them belong to
 * events (or parts of events) before the first event that carries a JSON-RPC
 * response: that is in.len when no response begins in these bytes, or is
 * reported at the last of them.  An event is only known to carry the response
 * when its data has been seen, so bytes of an unfinished event count as
 * before; what matters is that the end of the response event (its empty line)
 * is never counted.
 * When *response comes back 1, in[ret..] begins at or inside the response
 * event, and the caller may go on with sse_feed(in + ret) which then passes
 * that event.
 * A message in an array (2025-03-26, batches) counts as one that is not, and
 * the case of names does not matter.  Where clients of some languages would
 * see the end of a line and others none (VT, FF, FS to RS, NEL, LS, PS; inside
 * a JSON string these are text) the response may be in what follows: the first
 * such place is reported like a response, once in a stream.
 */
size_t	sse_feed(struct sse *, struct slice in, int *response);

/*
 * 1 when a client may have the response by what was fed, though no event with
 * one has ended: there are some that take each line for itself; to which a CR
 * ends none; which forget what came before a line, or do not see it; or for
 * which the name of a field is another.
 */
int	sse_answered(const struct sse *);
/* 1 when the bytes fed so far end at an event boundary (nothing of an event
 * is pending, and no half of a CRLF), so that a comment may be inserted. */
int	sse_at_boundary(const struct sse *);
/* A comment was inserted there. */
void	sse_inserted(struct sse *);
/*
 * Call with what is about to be fed: how many bytes at its front are of a
 * byte order mark that stands at the start of the stream no more, since a
 * comment was inserted before it.  They must be neither fed nor passed on:
 * behind the start a mark is a part of the first line.  owed (usually empty)
 * are bytes withheld by earlier calls that turn out to be no mark; they come
 * before in.
 */
size_t	sse_late_mark(struct sse *, struct slice in, struct slice *owed);

#endif
