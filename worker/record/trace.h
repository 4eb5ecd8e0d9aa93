/*
 * Whose trace a request belongs to (W3C Trace Context): the context that the
 * message itself brings, before that of its HTTP request.
 */
#ifndef RECORD_TRACE_H
#define RECORD_TRACE_H

#include "worker/wire/http1.h"

#define TRACE_PARENT_LEN	55	/* of version 00 */
#define TRACE_ID_LEN		32	/* hexadecimal digits, as all ids */
#define TRACE_SPAN_LEN		16

/* Which span of which trace. */
struct trace_place {
	char		 id[TRACE_ID_LEN];
	char		 span[TRACE_SPAN_LEN];
	char		 flags[2];
};

struct trace {
	struct trace_place at;		/* the client's span, if it is given;
					 * else the trace that begins here */
	struct trace_place link;	/* if linked: what the head says
					 * beside the message */
	char		 up[TRACE_SPAN_LEN];	/* of the exchange */
	unsigned	 given : 1;	/* it is the client's */
	unsigned	 linked : 1;
	unsigned	 in_head : 1;	/* so does the head's tracestate */
};

/* By the head, or (NULL, or without one traceparent that is well formed) a
 * trace that begins here. */
void	trace_begin(struct trace *, const struct http1_head *);
/* What the message has as traceparent: when it is one of exactly
 * TRACE_PARENT_LEN bytes its place counts, and another in the head becomes the
 * link.  1, or 0: it is none, and nothing is changed. */
int	trace_adopt(struct trace *, struct slice);
/* The flags as a number. */
uint8_t	trace_flags(const struct trace_place *);
/* Could this be a tracestate? */
int	trace_state_ok(struct slice);
/* For a span: digits that are nobody else's. */
void	trace_make_span(char [TRACE_SPAN_LEN]);
/* The traceparent that goes on, without a NUL: the trace and its flags, with
 * the span of the exchange. */
void	trace_put(const struct trace *, char out[TRACE_PARENT_LEN]);

#endif
