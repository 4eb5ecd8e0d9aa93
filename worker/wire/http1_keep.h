/*
 * What of a head must outlive the bytes that it was read from: its fields, as
 * they were judged.
 */
#ifndef WIRE_HTTP1_KEEP_H
#define WIRE_HTTP1_KEEP_H

#include "worker/base/buf.h"
#include "worker/wire/http1.h"

/* Zeroed: nothing is kept. */
struct http1_kept {
	struct buf	 all;		/* fields, then their text */
	size_t		 nfield;
	struct slice	 query;		/* in it; p NULL: none */
	int		 minor;
};

/* Keep copies of the fields for which wanted says 1, and of the query.  0, or
 * -1 when memory is gone. */
int	http1_keep(struct http1_kept *, const struct http1_head *,
	    int (*wanted)(const struct http1_field *));
/* What is kept as a head of its own, without method, target and body; good
 * until the next call, or http1_kept_free(). */
const struct http1_head *http1_kept_head(const struct http1_kept *);
/* Overwrite it, and give the memory back; again is harmless. */
void	http1_kept_free(struct http1_kept *);

#endif
