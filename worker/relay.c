/*
 * Between a request and its exchange.
 */
#include <stdio.h>
#include <string.h>

#include "worker/answer.h"
#include "worker/conn.h"
#include "worker/forward.h"
#include "worker/relay.h"
#include "worker/sse.h"

#define OUT_HIGH	(128 * 1024)	/* stop reading the upstream */

static void	 relay_head(void *, const struct http1_head *);
static void	 relay_data(void *, const char *, size_t);
static void	 relay_done(void *);
static void	 relay_end(struct request *);
static void	 relay_fail(void *, enum exchange_error, const char *);
static void	 relay_watch(struct request *, const char *, size_t);

static const struct exchange_cb callbacks = {
	.head = relay_head,
	.data = relay_data,
	.done = relay_done,
	.fail = relay_fail
};

void
relay_start(struct request *r)
{
	int	 failed = 0;

	r->state = REQ_FORWARD;
	if (r->method == METHOD_POST)
		failed |= buf_printf(&r->head, "Content-Length: %zu\r\n",
		    r->body.len) == -1;
	failed |= buf_puts(&r->head, "\r\n") == -1;
	if (!failed)
		r->ex = exchange_start(r->upstream, forward_method(r),
		    &r->head, &r->body, &callbacks, r);
	if (r->ex == NULL)
		answer_error(r, 503, RPC_UNAVAILABLE, AUDIT_ERROR,
		    "too many connections to upstreams",
		    "Retry-After: 1\r\n");
}

static void
relay_head(void *arg, const struct http1_head *h)
{
	struct request	*r = arg;

	/* its challenge would send our clients to another's login */
	if (h->status == 401 || h->status == 407) {
		exchange_cancel(r->ex);
		r->ex = NULL;
		answer_error(r, 502, RPC_BAD_GATEWAY, AUDIT_ERROR,
		    "the upstream refused the gateway", NULL);
		return;
	}
	r->answering = 1;
	r->status = h->status;
	r->transport = "json";
	request_set_text(r, &r->session_id,
	    http1_value(h, HTTP1_MCP_SESSION_ID));
	if (http1_is_event_stream(h)) {
		r->transport = r->method == METHOD_GET ? "stream" : "sse";
		if (r->method == METHOD_POST && (r->sse = sse_new()) == NULL) {
			conn_abort(r->conn);
			return;
		}
	}
	if (forward_response(r, h) == -1)
		conn_abort(r->conn);
}

static void
relay_data(void *arg, const char *p, size_t len)
{
	struct request	*r = arg;
	struct conn	*c = r->conn;
	char		 size[32];
	int		 n, failed = 0;

	if (r->sse != NULL)
		relay_watch(r, p, len);
	r->bytes_out += len;
	if (r->chunked) {
		n = snprintf(size, sizeof(size), "%zx\r\n", len);
		failed |= buf_append(conn_out(c), size, (size_t)n) == -1;
	}
	failed |= buf_append(conn_out(c), p, len) == -1;
	if (r->chunked)
		failed |= buf_append(conn_out(c), "\r\n", 2) == -1;
	if (failed)
		conn_abort(c);
	else if (c->out.len > OUT_HIGH)
		exchange_pause(r->ex);
}

/* The line must precede the event that carries the response. */
static void
relay_watch(struct request *r, const char *p, size_t len)
{
	int	 response = 0;

	sse_feed(r->sse, (struct slice){ p, len }, &response);
	if (!response)
		return;
	r->action = AUDIT_ALLOW;
	r->bytes_out += len;
	request_record(r);
	r->bytes_out -= len;
	sse_free(r->sse);
	r->sse = NULL;
}

static void
relay_done(void *arg)
{
	struct request	*r = arg;

	r->ex = NULL;
	r->action = AUDIT_ALLOW;
	relay_end(r);
}

static void
relay_end(struct request *r)
{
	if (r->chunked && conn_send(r->conn, "0\r\n\r\n", 5) == -1)
		return;
	request_finish(r);
}

static void
relay_fail(void *arg, enum exchange_error error, const char *why)
{
	struct request	*r = arg;

	r->ex = NULL;
	r->error = why;
	if (r->answering) {
		/* a part must not pass for the whole */
		r->action = AUDIT_ERROR;
		request_record(r);
		conn_abort(r->conn);
		return;
	}
	if (error == EXCHANGE_TIMEOUT)
		answer_error(r, 504, RPC_GATEWAY_TIMEOUT, AUDIT_ERROR,
		    "the upstream did not answer in time", NULL);
	else
		answer_error(r, 502, RPC_BAD_GATEWAY, AUDIT_ERROR,
		    error == EXCHANGE_REFUSED ?
		    "the upstream cannot be reached" :
		    "the upstream's answer is malformed", NULL);
}

void
request_writable(struct request *r)
{
	if (r->ex != NULL)
		exchange_resume(r->ex);
}

void
relay_end_stream(struct request *r)
{
	if (r->ex != NULL)
		exchange_cancel(r->ex);
	r->ex = NULL;
	/* a POST's stream whose response has not come is not answered */
	r->action = r->sse != NULL ? AUDIT_ABORTED : AUDIT_ALLOW;
	if (r->sse != NULL)
		r->error = "drain_timeout";
	relay_end(r);
}
