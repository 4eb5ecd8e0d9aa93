/*
 * What traces are told of a request: a span of its own and one for each
 * exchange with an upstream, by OpenTelemetry's conventions for MCP, with the
 * gateway's attributes beside them.  Arguments, URIs and what upstreams write
 * in errors are not in it.
 */
#ifndef REQUEST_SPANS_H
#define REQUEST_SPANS_H

#include "worker/request/request.h"
#include "worker/upstream/exchange.h"
#include "worker/wire/http1.h"

/* Once. */
void	spans_setup(const struct worker_conf *);
/* It begins; h is its head, or NULL. */
void	spans_begin(struct request *, const struct http1_head *);
/* Its trace is known, or another than was thought. */
void	spans_judge(struct request *);
/* An exchange with this server begins, of the request, or (method) of the
 * gateway's own: r->trace.up becomes its span. */
void	spans_exchange(struct request *, size_t server, const char *method);
/* It goes on with another server. */
void	spans_other(struct request *, size_t server, const char *method);
/* What becomes of it: the head of its answer, parts of the body as they came,
 * or none. */
void	spans_head(struct request *, const struct http1_head *);
void	spans_data(struct request *, struct slice);
void	spans_fail(struct request *, enum exchange_error);
/* The request ends. */
void	spans_end(struct request *);

#endif
