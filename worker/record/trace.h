/*
 * Whose trace a request belongs to (W3C Trace Context).
 */
#ifndef RECORD_TRACE_H
#define RECORD_TRACE_H

#include "worker/wire/http1.h"

#define TRACE_PARENT_LEN	55	/* of version 00 */

/* Does the client bring one trace, well formed? */
int	trace_given(const struct http1_head *);
/* The traceparent that goes on, without a NUL: of the client's trace, or of one
 * that begins here, with a span of our own. */
void	trace_make_parent(const struct http1_head *,
	    char out[TRACE_PARENT_LEN]);

#endif
