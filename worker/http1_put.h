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
/* Content-Length. */
int	http1_put_length(struct buf *, uint64_t);
/* The empty line behind a head. */
int	http1_put_end(struct buf *);

#endif
