/*
 * Reads answers, as strictly as http1 does, and refuses those that are none.
 */
#include <string.h>

#include "worker/upstream/response.h"

#define HEADS_MAX	(64 * 1024)	/* bytes of a response head, and of
					 * the interim ones before it */
#define INTERIM_MAX	256		/* 1xx answers before the final one */

static size_t	 feed_head(struct response *, const char *, size_t);
static unsigned	 keep_alive_s(const struct http1_head *);
static int	 nominated(const struct http1_head *);
static void	 out_of_memory(struct response *);
static int	 take_head(struct response *, struct slice, struct slice);
static const char *head_wrong(const struct http1_head *, struct slice);
static int	 stray_framing(const struct http1_head *);
static void	 feed_body(struct response *, const char *, size_t);
static void	 feed_chunks(struct response *, const char *, size_t);

void
response_init(struct response *rs, const char *method,
    const struct response_cb *cb, void *arg)
{
	rs->method = method;
	rs->cb = cb;
	rs->arg = arg;
}

void
response_free(struct response *rs)
{
	buf_free(&rs->in);
}

int
response_ends(const struct response *rs)
{
	return (rs->got_head && rs->framing == HTTP1_BODY_CLOSE);
}

void
response_feed(struct response *rs, const char *p, size_t len)
{
	size_t	 used;

	while (!rs->got_head && len > 0) {
		used = feed_head(rs, p, len);
		if (rs->over)
			return;
		p += used;
		len -= used;
	}
	if (rs->got_head && (len > 0 ||
	    rs->framing == HTTP1_BODY_NONE ||
	    (rs->framing == HTTP1_BODY_LENGTH && rs->left == 0)))
		feed_body(rs, p, len);
}

/* Collect a head; returns how many of the bytes belonged to it.  One that
 * comes in one piece is read where it lies. */
static size_t
feed_head(struct response *rs, const char *p, size_t len)
{
	enum http1_more	 more;
	struct slice	 head, rest;
	const char	*why = NULL;
	size_t		 had = rs->in.len, headlen = 0;
	int		 status;

	head = (struct slice){ p, len };
	if (had > 0) {
		if (buf_append(&rs->in, p, len) == -1) {
			out_of_memory(rs);
			return (0);
		}
		head = (struct slice){ buf_data(&rs->in), rs->in.len };
	}
	more = http1_scan_head(&rs->scan, head.p, head.len,
	    HEADS_MAX - rs->heads, &headlen, &status, &why);
	if (more == HTTP1_MORE) {
		if (had == 0 && buf_append(&rs->in, p, len) == -1)
			out_of_memory(rs);
		return (len);
	}
	if (more == HTTP1_BAD) {
		rs->cb->fail(rs->arg, 1, why);
		return (0);
	}
	rs->heads += headlen;
	rest = (struct slice){ head.p + headlen, head.len - headlen };
	head.len = headlen;
	if (take_head(rs, head, rest) == -1)
		return (0);
	buf_free(&rs->in);
	memset(&rs->scan, 0, sizeof(rs->scan));
	return (headlen - had);
}

static void
out_of_memory(struct response *rs)
{
	rs->cb->fail(rs->arg, 0, "out of memory");
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
		    (h->field[i].flags & FIELD_READS) != 0)
			return (1);
	return (0);
}

/* A whole head, and what came behind it.  0, or -1 when it ended. */
static int
take_head(struct response *rs, struct slice head, struct slice rest)
{
	static struct http1_head h;
	const char	*why = NULL;

	if (http1_parse_response(&h, head.p, head.len, slice_of(rs->method),
	    &why) == -1 || (why = head_wrong(&h, rest)) != NULL) {
		rs->cb->fail(rs->arg, 1, why);
		return (-1);
	}
	if (h.status < 200) {
		if (++rs->interim <= INTERIM_MAX)
			return (0);
		rs->cb->fail(rs->arg, 0, "too many interim answers");
		return (-1);
	}
	rs->got_head = 1;
	rs->framing = h.body;
	rs->left = h.content_length;
	rs->chunk.lax = 1;
	rs->keepalive = h.keepalive && h.body != HTTP1_BODY_CLOSE &&
	    !stray_framing(&h);
	rs->idle_s = keep_alive_s(&h);
	rs->stream = http1_is_event_stream(&h);
	rs->cb->head(rs->arg, &h);
	return (rs->over ? -1 : 0);
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
feed_body(struct response *rs, const char *p, size_t len)
{
	size_t	 n;

	switch (rs->framing) {
	case HTTP1_BODY_NONE:
		rs->cb->done(rs->arg, len);
		return;
	case HTTP1_BODY_CLOSE:
		rs->cb->data(rs->arg, p, len);
		return;
	case HTTP1_BODY_LENGTH:
		n = len < rs->left ? len : (size_t)rs->left;
		rs->left -= n;
		if (n > 0)
			rs->cb->data(rs->arg, p, n);
		if (!rs->over && rs->left == 0)
			rs->cb->done(rs->arg, len - n);
		return;
	case HTTP1_BODY_CHUNKED:
		feed_chunks(rs, p, len);
		return;
	}
}

/* What arrived together goes on together: there may be hundreds of chunks in
 * one read, and to nobody do their ends mean anything. */
static void
feed_chunks(struct response *rs, const char *p, size_t len)
{
	static char	 all[RESPONSE_FEED];
	enum http1_more	 more = HTTP1_MORE;
	struct slice	 data;
	const char	*why = NULL;
	size_t		 n = 0, used;

	while (len > 0 && more == HTTP1_MORE) {
		more = http1_chunk_decode(&rs->chunk, p, len, &used, &data,
		    &why);
		p += used;
		len -= used;
		if (more == HTTP1_BAD || data.len == 0)
			continue;
		if (data.len > sizeof(all) - n) {
			rs->cb->data(rs->arg, all, n);
			if (rs->over)
				return;
			n = 0;
		}
		memcpy(all + n, data.p, data.len);
		n += data.len;
	}
	if (n > 0)
		rs->cb->data(rs->arg, all, n);
	if (rs->over)
		return;
	if (more == HTTP1_BAD)
		rs->cb->fail(rs->arg, 1, why);
	else if (more == HTTP1_DONE)
		rs->cb->done(rs->arg, len);
}
