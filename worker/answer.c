/*
 * The gateway's own answers.
 */
#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "worker/answer.h"
#include "worker/clock.h"
#include "worker/conn.h"
#include "worker/cors.h"
#include "worker/mcp.h"
#include "worker/metadata.h"
#include "worker/rpc.h"
#include "worker/state.h"

#define MESSAGE_MAX	128	/* bytes of an error's message */
#define RPC_ERROR_MAX	2048	/* bytes of an error body */
#define DISCARD_MAX	(256 * 1024)	/* of a refused body */
#define CORS	"Access-Control-Allow-Origin: *\r\n"
#define ETAG_LEN	32	/* hexadecimal digits in it */

static const struct conf_oauth	*oauth;

static void	 answer_send(struct request *, int, const char *,
		    const char *, struct slice);
static void	 answer_challenge(struct request *, int, const char *,
		    const char *, int);
static int	 put_challenge(struct buf *, const struct request *,
		    const char *, int);
static void	 answer_document(struct request *, const struct http1_head *,
		    struct slice);
static int	 make_etag(struct slice, char *);
static int	 etag_listed(const struct http1_head *, const char *,
		    const char *, int);
static int	 etag_next(struct slice *, struct slice *, int *);
static int	 has_field(const struct http1_head *, const char *);

const char *
answer_reason(int status)
{
	static const struct {
		int		 status;
		const char	*reason;
	} reasons[] = {
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
		{ 204, "No Content" }, { 206, "Partial Content" },
		{ 301, "Moved Permanently" }, { 302, "Found" },
		{ 303, "See Other" }, { 304, "Not Modified" },
		{ 307, "Temporary Redirect" }, { 308, "Permanent Redirect" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 406, "Not Acceptable" },
		{ 408, "Request Timeout" }, { 409, "Conflict" },
		{ 410, "Gone" }, { 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" }, { 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
		{ 508, "Loop Detected" }
	};
	size_t	 i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return (reasons[i].reason);
	return ("Other");
}

int
answer_put_date(struct buf *b)
{
	static char	 text[64];
	static time_t	 when;
	time_t		 now = (time_t)(clock_wall() / 1000);
	struct tm	 tm;

	if (now != when) {
		gmtime_r(&now, &tm);
		strftime(text, sizeof(text),
		    "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		when = now;
	}
	return (buf_puts(b, text));
}

int
answer_end_head(struct request *r, struct buf *out)
{
	struct conn	*c = r->conn;

	if (state_leaving())
		c->close = 1;
	if (c->close || c->unread)
		return (buf_puts(out, "Connection: close\r\n\r\n"));
	if (r->minor == 0)
		return (buf_puts(out, "Connection: keep-alive\r\n\r\n"));
	return (buf_puts(out, "\r\n"));
}

/* The rest of a request's body is discarded while it is small; else the
 * connection closes behind the answer. */
static void
answer_settle_body(struct request *r)
{
	struct conn	*c = r->conn;

	if (r->framing == HTTP1_BODY_NONE)
		return;
	if (r->framing == HTTP1_BODY_LENGTH && r->left <= c->in.len)
		buf_drop(&c->in, (size_t)r->left);
	else if (r->framing == HTTP1_BODY_LENGTH && !r->expect &&
	    r->left <= DISCARD_MAX) {
		c->skip = (size_t)r->left - c->in.len;
		buf_drop(&c->in, c->in.len);
	} else
		/* a client that asked may not send it (RFC 9110, 10.1.1) */
		c->unread = 1;
	r->framing = HTTP1_BODY_NONE;
}

static void
answer_send(struct request *r, int status, const char *type,
    const char *extra, struct slice body)
{
	struct buf	*out = conn_out(r->conn);
	int		 failed;

	buf_drop(&r->conn->in, r->headlen);
	r->headlen = 0;
	answer_settle_body(r);
	r->status = status;
	r->answering = 1;
	failed = buf_printf(out, "HTTP/1.1 %d %s\r\n", status,
	    answer_reason(status)) == -1;
	if (type != NULL)
		failed |= buf_printf(out, "Content-Type: %s\r\n", type) == -1;
	if (status != 204 && status != 304)
		failed |= buf_printf(out, "Content-Length: %zu\r\n",
		    body.len) == -1;
	failed |= buf_printf(out, "Cache-Control: %s\r\n"
	    "X-Request-Id: %s\r\n", r->lasting ? "public, max-age=300" :
	    "no-store", r->id) == -1;
	failed |= answer_put_date(out) == -1;
	if (extra != NULL)
		failed |= buf_puts(out, extra) == -1;
	if (r->origin.set)
		failed |= cors_put(out, request_text(r, r->origin),
		    NULL) == -1;
	failed |= answer_end_head(r, out) == -1;
	if (!r->head_only)
		failed |= buf_append(out, body.p, body.len) == -1;
	r->bytes_out = r->head_only ? 0 : body.len;
	if (failed) {
		conn_abort(r->conn);
		return;
	}
	request_finish(r);
}

static void
answer_rpc_error(struct request *r, int status, int code,
    enum audit_action action, const char *message, const char *data,
    const char *extra)
{
	struct refusal	*f = &r->refusal;

	/* the first reason is the one that counts */
	if (f->status != 0) {
		answer_refusal(r);
		return;
	}
	f->status = status;
	f->code = code;
	f->action = action;
	f->message = message;
	if (data != NULL)
		request_keep_text(r, &f->data, (struct slice){ data,
		    strlen(data) + 1 });
	if (extra != NULL)
		request_keep_text(r, &f->extra, (struct slice){ extra,
		    strlen(extra) + 1 });
	if ((data != NULL && !f->data.set) || (extra != NULL &&
	    !f->extra.set))
		conn_abort(r->conn);
	else if (request_may_note(r))
		request_note_body(r);
	else
		answer_refusal(r);
}

void
answer_refusal(struct request *r)
{
	const struct refusal	*f = &r->refusal;
	struct slice		 id = request_text(r, r->rpc_id);
	struct slice		 data = request_text(r, f->data);
	struct slice		 extra = request_text(r, f->extra);
	char			 body[RPC_ERROR_MAX], text[6 * MESSAGE_MAX];
	int			 n, len;

	len = (int)json_escape(slice_of(f->message), MESSAGE_MAX, text);
	if (id.p == NULL && mcp_null_id(r))
		id = slice_of("null");
	n = snprintf(body, sizeof(body), "{\"jsonrpc\":\"2.0\",%s%.*s%s"
	    "\"error\":{\"code\":%d,\"message\":\"%.*s\"%s%s}}\n",
	    id.p == NULL ? "" : "\"id\":", (int)id.len,
	    id.p == NULL ? "" : id.p, id.p == NULL ? "" : ",",
	    f->code, len, text, data.p == NULL ? "" : ",\"data\":",
	    data.p == NULL ? "" : data.p);
	if (n < 0 || (size_t)n >= sizeof(body)) {
		conn_abort(r->conn);
		return;
	}
	r->action = f->action;
	r->error = f->message;
	answer_send(r, f->status, "application/json", extra.p,
	    (struct slice){ body, (size_t)n });
}

void
answer_error(struct request *r, int status, int code,
    enum audit_action action, const char *message, const char *extra)
{
	answer_rpc_error(r, status, code, action, message, NULL, extra);
}

void
answer_error_data(struct request *r, int status, int code,
    enum audit_action action, const char *message, const char *data)
{
	answer_rpc_error(r, status, code, action, message, data, NULL);
}

void
answer_text(struct request *r, int status, const char *text)
{
	answer_send(r, status, "text/plain", NULL, slice_of(text));
}

void
answer_setup(const struct conf_oauth *c)
{
	oauth = c;
}

static void
answer_challenge(struct request *r, int status, const char *message,
    const char *error, int scope)
{
	struct buf	 b;

	memset(&b, 0, sizeof(b));
	if (put_challenge(&b, r, error, scope) == -1) {
		buf_free(&b);
		conn_abort(r->conn);
		return;
	}
	answer_error(r, status, status == 401 ? RPC_UNAUTHENTICATED :
	    RPC_INVALID_REQUEST, AUDIT_DENY, message, buf_data(&b));
	buf_free(&b);
}

/* The field and a NUL (RFC 6750 section 3, RFC 9728 section 5.1). */
static int
put_challenge(struct buf *b, const struct request *r, const char *error,
    int scope)
{
	size_t	 i;
	int	 failed;

	failed = buf_puts(b, "WWW-Authenticate: Bearer realm=\"mcpgw\"") ==
	    -1;
	/* without OAuth there is no such document */
	if (oauth->enabled)
		failed |= buf_puts(b, ", resource_metadata=\"") == -1 ||
		    metadata_put_url(b, request_text(r, r->name)) == -1 ||
		    buf_puts(b, "\"") == -1;
	if (error != NULL)
		failed |= buf_printf(b, ", error=\"%s\"", error) == -1;
	for (i = 0; scope && i < oauth->nscopes; i++)
		failed |= buf_printf(b, "%s%s", i == 0 ? ", scope=\"" : " ",
		    oauth->scopes[i]) == -1;
	if (scope && oauth->nscopes > 0)
		failed |= buf_puts(b, "\"") == -1;
	failed |= buf_append(b, "\r\n", 3) == -1;
	return (failed ? -1 : 0);
}

void
answer_auth(struct request *r, enum auth_result result)
{
	switch (result) {
	case AUTH_MISSING:
		/* to be asked of the authorization server */
		answer_challenge(r, 401, "authentication required", NULL,
		    oauth->enabled);
		return;
	case AUTH_INSUFFICIENT_SCOPE:
		answer_challenge(r, 401, "insufficient scope",
		    "insufficient_scope", 1);
		return;
	case AUTH_UNAVAILABLE:
		if (r->crowding)
			answer_error(r, 429, RPC_RATE_LIMITED, AUDIT_ERROR,
			    "too many credentials to check from this client",
			    "Retry-After: 5\r\n");
		else
			answer_error(r, 503, RPC_UNAVAILABLE, AUDIT_ERROR,
			    "the credential cannot be checked now",
			    "Retry-After: 2\r\n");
		return;
	default:
		answer_challenge(r, 401, "invalid token", "invalid_token", 0);
		return;
	}
}

void
answer_bad_credential(struct request *r)
{
	static const char	 why[] = "expected one credential, in one "
				    "field";

	if (r->has_auth)
		answer_challenge(r, 400, why, "invalid_request", 0);
	else
		answer_error(r, 400, RPC_INVALID_REQUEST, AUDIT_DENY, why,
		    NULL);
}

void
answer_preflight(struct request *r, const struct http1_head *h)
{
	struct buf	 b;

	memset(&b, 0, sizeof(b));
	if (cors_put_preflight(&b, h) == -1 ||
	    buf_append(&b, "", 1) == -1) {
		buf_free(&b);
		conn_abort(r->conn);
		return;
	}
	r->action = AUDIT_ALLOW;
	answer_send(r, 204, NULL, buf_data(&b), slice_of(""));
	buf_free(&b);
}

void
answer_metadata(struct request *r, const struct http1_head *h,
    struct slice name)
{
	if (slice_is(h->method, "OPTIONS"))
		answer_send(r, 204, NULL, CORS
		    "Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"
		    "Access-Control-Allow-Headers: *, Authorization, "
		    "MCP-Protocol-Version\r\n"
		    "Access-Control-Max-Age: 86400\r\n", slice_of(""));
	else if (slice_is(h->method, "GET") || slice_is(h->method, "HEAD"))
		answer_document(r, h, name);
	else
		answer_send(r, 405, "text/plain",
		    CORS "Allow: GET, HEAD, OPTIONS\r\n",
		    slice_of("method not allowed\n"));
}

static void
answer_document(struct request *r, const struct http1_head *h,
    struct slice name)
{
	struct slice	 doc;
	struct buf	 b;
	char		 etag[ETAG_LEN + 3], extra[128];

	memset(&b, 0, sizeof(b));
	if (metadata_put_document(&b, name) == -1 ||
	    make_etag((struct slice){ buf_data(&b), b.len }, etag) == -1) {
		buf_free(&b);
		conn_abort(r->conn);
		return;
	}
	doc = (struct slice){ buf_data(&b), b.len };
	(void)snprintf(extra, sizeof(extra), CORS "ETag: %s\r\n", etag);
	if (has_field(h, "If-Match") && !etag_listed(h, "If-Match", etag, 0)) {
		answer_send(r, 412, "text/plain", extra,
		    slice_of("precondition failed\n"));
		buf_free(&b);
		return;
	}
	r->lasting = 1;
	if (etag_listed(h, "If-None-Match", etag, 1))
		answer_send(r, 304, NULL, extra, slice_of(""));
	else
		answer_send(r, 200, "application/json", extra, doc);
	buf_free(&b);
}

/* Of the bytes alone: every worker's is the same. */
static int
make_etag(struct slice doc, char *etag)
{
	unsigned char	 hash[EVP_MAX_MD_SIZE];
	size_t		 i;

	if (EVP_Digest(doc.p, doc.len, hash, NULL, EVP_sha256(), NULL) != 1)
		return (-1);
	*etag++ = '"';
	for (i = 0; i < ETAG_LEN / 2; i++) {
		*etag++ = "0123456789abcdef"[hash[i] >> 4];
		*etag++ = "0123456789abcdef"[hash[i] & 15];
	}
	*etag++ = '"';
	*etag = '\0';
	return (0);
}

static int
has_field(const struct http1_head *h, const char *name)
{
	size_t	 i;

	for (i = 0; i < h->nfield; i++)
		if (slice_is_nocase(h->field[i].name, name))
			return (1);
	return (0);
}

/* Does the field mean this representation?  A star does, alone; so does our
 * tag, where it may be weak also as W/ (RFC 9110 sections 13.1.1, 13.1.2).
 * What follows a malformed tag means nothing. */
static int
etag_listed(const struct http1_head *h, const char *name, const char *etag,
    int may_be_weak)
{
	struct slice	 list, tag;
	size_t		 i;
	int		 weak;

	for (i = 0; i < h->nfield; i++) {
		list = h->field[i].value;
		if (!slice_is_nocase(h->field[i].name, name))
			continue;
		if (slice_is(list, "*"))
			return (1);
		while (etag_next(&list, &tag, &weak))
			if (slice_is(tag, etag) && (!weak || may_be_weak))
				return (1);
	}
	return (0);
}

/* The next entity-tag of a list, with its quotes (RFC 9110 section 8.8.3);
 * commas may be part of it.  1, or 0: there is none. */
static int
etag_next(struct slice *list, struct slice *tag, int *weak)
{
	const char	*p = list->p, *end = list->p + list->len;

	while (p < end && (*p == ',' || *p == ' ' || *p == '\t'))
		p++;
	*weak = end - p > 2 && memcmp(p, "W/", 2) == 0;
	p += *weak ? 2 : 0;
	tag->p = p;
	if (p == end || *p++ != '"')
		return (0);
	while (p < end && *p != '"' && (unsigned char)*p > 0x20)
		p++;
	if (p == end || *p++ != '"')
		return (0);
	tag->len = (size_t)(p - tag->p);
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p < end && *p != ',')
		return (0);
	*list = (struct slice){ p, (size_t)(end - p) };
	return (1);
}

void
answer_health(struct request *r, int ready, struct slice text,
    struct slice method)
{
	if (!slice_is(method, "GET") && !slice_is(method, "HEAD"))
		answer_send(r, 405, "text/plain", "Allow: GET, HEAD\r\n",
		    slice_of("method not allowed\n"));
	else
		answer_send(r, ready ? 200 : 503, "text/plain",
		    ready ? NULL : "Retry-After: 1\r\n", text);
}
