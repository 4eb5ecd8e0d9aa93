/*
 * The answers that are the gateway's own: refusals with their JSON-RPC error
 * bodies and challenges (RFC 6750 section 3), the metadata document, health.
 */
#ifndef WORKER_ANSWER_H
#define WORKER_ANSWER_H

#include "common/auth_result.h"
#include "worker/request.h"

/* JSON-RPC error codes of the gateway, outside the range that JSON-RPC and
 * MCP reserve. */
#define RPC_UNAUTHENTICATED	(-31401)
#define RPC_FORBIDDEN		(-31403)
#define RPC_RATE_LIMITED	(-31429)
#define RPC_BAD_GATEWAY		(-31502)
#define RPC_UNAVAILABLE		(-31503)
#define RPC_GATEWAY_TIMEOUT	(-31504)
/* MCP 2026-07-28. */
#define RPC_HEADER_MISMATCH	(-32020)
#define RPC_UNSUPPORTED_VERSION	(-32022)

/* Once. */
void	answer_setup(const struct conf_oauth *);

/*
 * Each queues a whole answer and ends the request (its line is written with
 * action and error as given; error and message are static texts).  extra:
 * further fields, each ended by CRLF, or NULL.
 */
void	answer_error(struct request *, int status, int code,
	    enum audit_action, const char *message, const char *extra);
/* What answer_error() left for later, when the body was small enough to be
 * waited for: the request's end, now, whatever became of the body. */
void	answer_refusal(struct request *);
/* The same with a "data" member, given as JSON text. */
void	answer_error_data(struct request *, int status, int code,
	    enum audit_action, const char *message, const char *data);
/* Plain text, for who does not speak MCP. */
void	answer_text(struct request *, int status, const char *text);
/* What a credential deserves that is not AUTH_OK: 401, 429 or 503. */
void	answer_auth(struct request *, enum auth_result);
/* What several credentials deserve, or an empty one: 400 (RFC 6750 section
 * 3.1, invalid_request), with a challenge where credentials are asked for. */
void	answer_bad_credential(struct request *);
/* 204, to a page of an allowed origin that asks what it may send. */
void	answer_preflight(struct request *, const struct http1_head *);
/* The document of a name, or of the gateway (length 0). */
void	answer_metadata(struct request *, const struct http1_head *,
	    struct slice name);
/* The text is one line each; 503 unless ready. */
void	answer_health(struct request *, int ready, struct slice text,
	    struct slice method);
const char *answer_reason(int status);
/* Date, for answers that bring none (RFC 9110 section 6.6.1).  0 or -1. */
int	answer_put_date(struct buf *);
/* Connection, as this answer needs it, and the end of the head. */
int	answer_end_head(struct request *, struct buf *);

#endif
