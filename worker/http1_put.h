/*
 * Writes what http1.h reads (RFC 9112).
 */
#ifndef WORKER_HTTP1_PUT_H
#define WORKER_HTTP1_PUT_H

#include <stdint.h>

#include "common/slice.h"
#include "worker/buf.h"

/* Each appends to the buf: 0, or -1 when memory is gone.  Names and values are
 * taken as they are: whoever has them has made sure that they are fields. */

/* A request line (section 3) and Host; query.p NULL: none. */
int	http1_put_request(struct buf *, const char *method, struct slice path,
	    struct slice query, const char *host);
int	http1_put_field(struct buf *, struct slice name, struct slice value);
int	http1_put_str(struct buf *, const char *name, const char *value);
/* A field whose value the caller appends by hand, in between. */
int	http1_open_field(struct buf *, const char *name);
int	http1_close_field(struct buf *);
int	http1_put_number(struct buf *, const char *name, uint64_t value);
/* Content-Length. */
int	http1_put_length(struct buf *, uint64_t);
/* Date, of now, for answers that bring none (RFC 9110 section 6.6.1). */
int	http1_put_date(struct buf *);
/* The empty line behind a head. */
int	http1_put_end(struct buf *);

#endif
