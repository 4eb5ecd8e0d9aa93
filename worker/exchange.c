/*
 * What an upstream answers: its head, then its body as it is framed.
 */
#include <string.h>

#include "worker/upstream_int.h"

#define HEAD_MAX	(64 * 1024)	/* bytes of a response head */
#define INTERIM_MAX	256		/* 1xx answers before the final one */

static size_t	 exchange_feed_head(struct exchange *, const char *, size_t);
static unsigned	 keep_alive_s(const struct http1_head *);
static int	 nominated(const struct http1_head *);
static int	 exchange_take_head(struct exchange *, size_t);
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

/* Collect a head; returns how many of the bytes belonged to it. */
static size_t
exchange_feed_head(struct exchange *ex, const char *p, size_t len)
{
	enum http1_more	 more;
	const char	*why = NULL;
	size_t		 had = ex->in.len, headlen;
	int		 status;

	if (buf_append(&ex->in, p, len) == -1) {
		exchange_fail(ex, EXCHANGE_BROKEN, "out of memory");
		return (0);
	}
	more = http1_scan_head(&ex->scan, buf_data(&ex->in), ex->in.len,
	    HEAD_MAX, &headlen, &status, &why);
	if (more == HTTP1_MORE)
		return (len);
	if (more == HTTP1_BAD) {
		exchange_fail(ex, EXCHANGE_BROKEN, why);
		return (0);
	}
	if (exchange_take_head(ex, headlen) == -1)
		return (0);
	buf_free(&ex->in);
	memset(&ex->scan, 0, sizeof(ex->scan));
	return (headlen - had);
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

/* A whole head is in ex->in.  0, or -1 when the exchange ended. */
static int
exchange_take_head(struct exchange *ex, size_t headlen)
{
	static struct http1_head h;
	const char	*why = NULL;

	if (http1_parse_response(&h, buf_data(&ex->in), headlen,
	    slice_of(ex->method), &why) == -1) {
		balance_bad(ex->server, why);
		exchange_fail(ex, EXCHANGE_BROKEN, why);
		return (-1);
	}
	if (h.status == 101) {
		exchange_fail(ex, EXCHANGE_BROKEN,
		    "upstream switched protocols unasked");
		return (-1);
	}
	if (h.status < 200) {
		if (++ex->interim <= INTERIM_MAX)
			return (0);
		exchange_fail(ex, EXCHANGE_BROKEN, "too many interim answers");
		return (-1);
	}
	/* two readers could take it for two things */
	if (h.count[HTTP1_CONTENT_TYPE] > 1 || nominated(&h)) {
		exchange_fail(ex, EXCHANGE_BROKEN,
		    "repeated Content-Type, or named in Connection");
		return (-1);
	}
	if (!ex->probe)
		balance_good(ex->server);
	ex->got_head = 1;
	ex->framing = h.body;
	ex->left = h.content_length;
	ex->keepalive = h.keepalive && h.body != HTTP1_BODY_CLOSE;
	ex->idle_s = keep_alive_s(&h);
	ex->stream = http1_is_event_stream(&h);
	exchange_timer(ex);
	ex->cb->head(ex->arg, &h);
	return (ex->over ? -1 : 0);
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
		exchange_fail(ex, EXCHANGE_BROKEN, why);
	else if (more == HTTP1_DONE)
		exchange_done(ex, len);
}
