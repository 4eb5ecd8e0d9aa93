/*
 * HTTP/1 on a client's connection, on its way out.
 */
#include "worker/base/state.h"
#include "worker/client/conn.h"
#include "worker/client/h1.h"
#include "worker/client/h1_put.h"
#include "worker/request/request.h"
#include "worker/wire/http1_put.h"

#define DISCARD_MAX	(256 * 1024)	/* of a refused body */

static void	 h1_settle_body(struct conn *);
static const char *reason(int);
static void	 put_chunk(struct buf *, size_t);

struct buf *
h1_answer(struct client *cl, int status)
{
	struct conn	*c = conn_of_client(cl);
	struct buf	*out = conn_out(c);

	buf_drop(&c->in, c->headlen);
	c->headlen = 0;
	h1_settle_body(c);
	buf_puts(out, "HTTP/1.1 ");
	buf_number(out, (uint64_t)status);
	buf_puts(out, " ");
	buf_puts(out, reason(status));
	buf_puts(out, "\r\n");
	return (out);
}

/* The rest of a request's body is discarded while it is small; else the
 * connection closes behind the answer. */
static void
h1_settle_body(struct conn *c)
{
	struct client	*cl = &c->client;

	if (c->framing == HTTP1_BODY_NONE)
		return;
	if (c->framing == HTTP1_BODY_LENGTH && c->left <= c->in.len)
		buf_drop(&c->in, (size_t)c->left);
	else if (c->framing == HTTP1_BODY_LENGTH && !c->expect &&
	    !cl->unread && c->left <= DISCARD_MAX) {
		c->skip = (size_t)c->left - c->in.len;
		buf_drop(&c->in, c->in.len);
	} else
		/* a client that asked may not send it (RFC 9110, 10.1.1) */
		cl->unread = 1;
	c->framing = HTTP1_BODY_NONE;
}

int
h1_fields_end(struct client *cl, uint64_t length)
{
	struct conn	*c = conn_of_client(cl);
	struct buf	*out = conn_out(c);

	c->chunked = length == CLIENT_OPEN && !c->old;
	if (c->chunked)
		http1_put_str(out, "Transfer-Encoding", "chunked");
	else if (length == CLIENT_OPEN)
		cl->close = 1;
	else if (length != CLIENT_NO_BODY)
		http1_put_length(out, length);
	if (state_leaving())
		cl->close = 1;
	if (cl->close || cl->unread)
		http1_put_str(out, "Connection", "close");
	else if (c->old)
		http1_put_str(out, "Connection", "keep-alive");
	http1_put_end(out);
	return (buf_check(out));
}

int
h1_body(struct client *cl, struct slice s)
{
	struct conn	*c = conn_of_client(cl);
	struct buf	*out = conn_out(c);

	if (c->chunked)
		put_chunk(out, s.len);
	buf_append(out, s.p, s.len);
	if (c->chunked)
		buf_append(out, "\r\n", 2);
	return (buf_check(out));
}

/* The size line of a chunk (RFC 9112 section 7.1). */
static void
put_chunk(struct buf *out, size_t len)
{
	char	 line[2 * sizeof(len) + 2], *p = line + sizeof(line);

	*--p = '\n';
	*--p = '\r';
	do
		*--p = "0123456789abcdef"[len & 15];
	while ((len >>= 4) != 0);
	buf_append(out, p, (size_t)(line + sizeof(line) - p));
}

void
h1_end(struct client *cl, int early)
{
	struct conn	*c = conn_of_client(cl);

	if (c->chunked && conn_send(c, "0\r\n\r\n", 5) == -1)
		return;
	/* where the end is the connection's, or was counted */
	if (early && !c->chunked)
		cl->close = 1;
	conn_answered(c);
}

int
h1_continue(struct conn *c)
{
	return (conn_send(c, "HTTP/1.1 100 Continue\r\n\r\n", 25));
}

int
h1_put_no_room(struct conn *c, const char *id)
{
	struct buf	*out = h1_answer(&c->client, 503);

	http1_put_str(out, "Retry-After", "1");
	http1_put_str(out, "X-Request-Id", id);
	return (h1_fields_end(&c->client, 0));
}

/* RFC 9110 section 15. */
static const char *
reason(int status)
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
