/*
 * What an upstream answers: its head, then its body as it is framed.
 */
#include <string.h>

#include "worker/upstream_int.h"

#define HEADS_MAX	(64 * 1024)	/* bytes of a response head, and of
					 * the interim ones before it */
#define INTERIM_MAX	256		/* 1xx answers before the final one */

static size_t	 exchange_feed_head(struct exchange *, const char *, size_t);
static unsigned	 keep_alive_s(const struct http1_head *);
static int	 nominated(const struct http1_head *);
static void	 exchange_malformed(struct exchange *, const char *);
static int	 exchange_take_head(struct exchange *, struct slice,
		    struct slice);
static const char *head_wrong(const struct http1_head *, struct slice);
static int	 stray_framing(const struct http1_head *);
static void	 exchange_feed_body(struct exchange *, const char *, size_t);
static void	 exchange_feed_chunks(struct exchange *, const char *, size_t);

void
exchange_feed(struct exchange *ex, const char *p, size_t len)
{
	size_t	 used;

	while (!ex->got_head && len > 0) {
		used = exchange_feed_head(ex, p, len);
		if (ex->over)
			return;
		p += used;
		len -= used;
	}
	if (ex->got_head && (len > 0 ||
	    ex->framing == HTTP1_BODY_NONE ||
	    (ex->framing == HTTP1_BODY_LENGTH && ex->left == 0)))
		exchange_feed_body(ex, p, len);
}

/* Collect a head; returns how many of the bytes belonged to it.  One that
 * comes in one piece is read where it lies. */
static size_t
exchange_feed_head(struct exchange *ex, const char *p, size_t len)
{
	enum http1_more	 more;
	struct slice	 head, rest;
	const char	*why = NULL;
	size_t		 had = ex->in.len, headlen = 0;
	int		 status;

	head = (struct slice){ p, len };
	if (had > 0) {
		if (buf_append(&ex->in, p, len) == -1) {
			exchange_fail(ex, EXCHANGE_BROKEN, "out of memory");
			return (0);
		}
		head = (struct slice){ buf_data(&ex->in), ex->in.len };
	}
	more = http1_scan_head(&ex->scan, head.p, head.len,
	    HEADS_MAX - ex->heads, &headlen, &status, &why);
	if (more == HTTP1_MORE) {
		if (had == 0 && buf_append(&ex->in, p, len) == -1)
			exchange_fail(ex, EXCHANGE_BROKEN, "out of memory");
		return (len);
	}
	if (more == HTTP1_BAD) {
		exchange_malformed(ex, why);
		return (0);
	}
	ex->heads += headlen;
	rest = (struct slice){ head.p + headlen, head.len - headlen };
	head.len = headlen;
	if (exchange_take_head(ex, head, rest) == -1)
		return (0);
	buf_free(&ex->in);
	memset(&ex->scan, 0, sizeof(ex->scan));
	return (headlen - had);
}

/* It is the request's fault as likely as the server's; a health check's
 * request has none. */
static void
exchange_malformed(struct exchange *ex, const char *why)
{
	if (ex->probe)
		balance_bad(ex->server, why);
	else
		balance_tell(ex->server, why);
	exchange_fail(ex, EXCHANGE_BROKEN, why);
}

/* The timeout parameter of Keep-Alive (RFC 2068 section 19.7.1.1), or 0. */
static unsigned
keep_alive_s(const struct http1_head *h)
{
	struct slice	 v = http1_value(h, HTTP1_KEEP_ALIVE);
	const char	*p;
	unsigned	 s = 0;

	if (v.p == NULL ||
	    (p = memmem(v.p, v.len, "timeout=", 8)) == NULL)
		return (0);
	for (p += 8; p < v.p + v.len && *p >= '0' && *p <= '9' && s < 10000;
	    p++)
		s = s * 10 + (unsigned)(*p - '0');
	/* a server that keeps nothing says 0 */
	return (s == 0 ? 1 : s);
}

/* Does Connection name a field that tells how to read the body? */
static int
nominated(const struct http1_head *h)
{
	size_t	 i;

	for (i = 0; i < h->nfield; i++)
		if (h->field[i].connection &&
		    (h->field[i].id == HTTP1_CONTENT_TYPE ||
		    h->field[i].id == HTTP1_CONTENT_ENCODING))
			return (1);
	return (0);
}

/* A whole head, and what came behind it.  0, or -1 when the exchange ended. */
static int
exchange_take_head(struct exchange *ex, struct slice head, struct slice rest)
{
	static struct http1_head h;
	const char	*why = NULL;

	if (http1_parse_response(&h, head.p, head.len, slice_of(ex->method),
	    &why) == -1 || (why = head_wrong(&h, rest)) != NULL) {
		exchange_malformed(ex, why);
		return (-1);
	}
	if (h.status < 200) {
		if (++ex->interim <= INTERIM_MAX)
			return (0);
		exchange_fail(ex, EXCHANGE_BROKEN, "too many interim answers");
		return (-1);
	}
	if (!ex->probe)
		balance_good(ex->server);
	ex->got_head = 1;
	ex->framing = h.body;
	ex->left = h.content_length;
	ex->chunk.lax = 1;
	ex->keepalive = h.keepalive && h.body != HTTP1_BODY_CLOSE &&
	    !stray_framing(&h);
	ex->idle_s = keep_alive_s(&h);
	ex->stream = http1_is_event_stream(&h);
	exchange_timer(ex);
	ex->cb->head(ex->arg, &h);
	if (ex->over)
		return (-1);
	if (exchange_unsent(ex) == 0)
		exchange_forget(ex);
	return (0);
}

/* What makes an answer none, although it is well formed; or NULL. */
static const char *
head_wrong(const struct http1_head *h, struct slice rest)
{
	if (h->status == 101)
		return ("upstream switched protocols unasked");
	/* two readers could take it for two things */
	if (h->count[HTTP1_CONTENT_TYPE] > 1 || nominated(h))
		return ("repeated Content-Type, or named in Connection");
	/* what is declared may be there, where it is nothing */
	if (h->status == 204 && stray_framing(h) && rest.len > 0 &&
	    !slice_is(rest, "0\r\n\r\n"))
		return ("a body where none may be");
	return (NULL);
}

/* Does it declare a body that it does not have?  Servers exist that send one
 * all the same, and nothing must be taken for the next answer. */
static int
stray_framing(const struct http1_head *h)
{
	return (h->body == HTTP1_BODY_NONE && (h->content_length > 0 ||
	    h->count[HTTP1_TRANSFER_ENCODING] > 0));
}

static void
exchange_feed_body(struct exchange *ex, const char *p, size_t len)
{
	size_t	 n;

	if (!ex->paused)
		exchange_timer(ex);
	switch (ex->framing) {
	case HTTP1_BODY_NONE:
		exchange_done(ex, len);
		return;
	case HTTP1_BODY_CLOSE:
		ex->cb->data(ex->arg, p, len);
		return;
	case HTTP1_BODY_LENGTH:
		n = len < ex->left ? len : (size_t)ex->left;
		ex->left -= n;
		if (n > 0)
			ex->cb->data(ex->arg, p, n);
		if (!ex->over && ex->left == 0)
			exchange_done(ex, len - n);
		return;
	case HTTP1_BODY_CHUNKED:
		exchange_feed_chunks(ex, p, len);
		return;
	}
}

/* What arrived together goes on together: there may be hundreds of chunks in
 * one read, and to nobody do their ends mean anything. */
static void
exchange_feed_chunks(struct exchange *ex, const char *p, size_t len)
{
	static char	 all[UPSTREAM_READ];
	enum http1_more	 more = HTTP1_MORE;
	struct slice	 data;
	const char	*why = NULL;
	size_t		 n = 0, used;

	while (len > 0 && more == HTTP1_MORE) {
		more = http1_chunk_decode(&ex->chunk, p, len, &used, &data,
		    &why);
		p += used;
		len -= used;
		if (more == HTTP1_BAD || data.len == 0)
			continue;
		if (data.len > sizeof(all) - n) {
			ex->cb->data(ex->arg, all, n);
			if (ex->over)
				return;
			n = 0;
		}
		memcpy(all + n, data.p, data.len);
		n += data.len;
	}
	if (n > 0)
		ex->cb->data(ex->arg, all, n);
	if (ex->over)
		return;
	if (more == HTTP1_BAD)
		exchange_malformed(ex, why);
	else if (more == HTTP1_DONE)
		exchange_done(ex, len);
}
