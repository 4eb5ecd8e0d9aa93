/*
 * Writes what http1.h reads (RFC 9112).
 */
#ifndef WIRE_HTTP1_PUT_H
#define WIRE_HTTP1_PUT_H

#include <stdint.h>

#include "common/slice.h"
#include "worker/base/buf.h"

/* Each appends to the buf, which buf_check() tells of afterwards.  Names and
 * values are taken as they are: whoever has them has made sure that they are
 * fields. */

/* A request line (section 3) and Host; query.p NULL: none. */
void	http1_put_request(struct buf *, const char *method, struct slice path,
	    struct slice query, const char *host);
void	http1_put_field(struct buf *, struct slice name, struct slice value);
/* The same; here, since the lengths of literals are known to compilers. */
static inline void
http1_put_str(struct buf *b, const char *name, const char *value)
{
	http1_put_field(b, slice_of(name), slice_of(value));
}
/* A field whose value the caller appends by hand, in between. */
void	http1_open_field(struct buf *, const char *name);
void	http1_close_field(struct buf *);
void	http1_put_number(struct buf *, const char *name, uint64_t value);
/* Content-Length. */
void	http1_put_length(struct buf *, uint64_t);
/* Date, of now, for answers that bring none (RFC 9110 section 6.6.1). */
void	http1_put_date(struct buf *);
/* The empty line behind a head. */
void	http1_put_end(struct buf *);

#endif
