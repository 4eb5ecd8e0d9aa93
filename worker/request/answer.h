/*
 * The answers that are the gateway's own: refusals with their JSON-RPC error
 * bodies and challenges (RFC 6750 section 3), the metadata document, health.
 */
#ifndef REQUEST_ANSWER_H
#define REQUEST_ANSWER_H

#include "worker/base/refusal.h"
#include "worker/request/request.h"

/* Once. */
void	answer_setup(const struct conf_oauth *);

/*
 * Each queues a whole answer and ends the request.  Of several refusals the
 * first counts.
 */
void	answer_refuse(struct request *, const struct refusal *);
/* In other words than the row's: static text. */
void	answer_refuse_as(struct request *, const struct refusal *,
	    const char *text);
/* With a "data" member, given as JSON text. */
void	answer_refuse_data(struct request *, const struct refusal *,
	    const char *data);
/* With a status and fields of the upstream's (of http1_put.h). */
void	answer_refuse_page(struct request *, const struct refusal *,
	    int status, struct slice fields);
/* What r->refused says. */
void	answer_refusal(struct request *);
/* Plain text, for who does not speak MCP. */
void	answer_text(struct request *, int status, const char *text);
/* 204, to a page of an allowed origin that asks what it may send. */
void	answer_preflight(struct request *, const struct http1_head *);
/* The document of a name, or of the gateway (length 0). */
void	answer_metadata(struct request *, const struct http1_head *,
	    struct slice name);
/* The text is one line each; 503 unless ready. */
void	answer_health(struct request *, int ready, struct slice text,
	    struct slice method);

#endif
