/*
 * HTTP/1 on a client's connection, on its way in.
 */
#include <string.h>

#include "common/log.h"
#include "worker/client/conn_int.h"
#include "worker/client/conn_room.h"
#include "worker/client/h1.h"
#include "worker/client/h1_put.h"
#include "worker/request/answer.h"
#include "worker/request/body.h"
#include "worker/request/request.h"
#include "worker/request/stages.h"

#define READ_SIZE	4096		/* first read of a head */
#define BODY_READ	(64 * 1024)
#define BODY_READS	8		/* in one go */

static int	 h1_skip(struct conn *);
static int	 h1_read_head(struct conn *);
static void	 h1_begin(struct conn *, const struct http1_head *, size_t);
static void	 h1_busy(struct conn *, int);
static void	 expired_header(struct timer *);
static void	 expired_body(struct timer *);
static const struct http1_head *h1_head(struct client *);
static int	 h1_body_ahead(const struct client *);
static void	 h1_read_body(struct client *);
static void	 h1_input(struct conn *);
static int	 h1_take(struct conn *);
static int	 h1_take_chunks(struct conn *);
static void	 h1_whole(struct conn *);
static void	 h1_abort(struct client *);
static void	 h1_recorded(struct client *);
static void	 h1_lasts(struct client *);
static size_t	 h1_unsent(const struct client *);
static size_t	 h1_held(const struct client *);

const struct client_ops h1_ops = {
	.head = h1_head,
	.body_ahead = h1_body_ahead,
	.read_body = h1_read_body,
	.slow_body = conn_slow_body,
	.answer = h1_answer,
	.fields_end = h1_fields_end,
	.body = h1_body,
	.end = h1_end,
	.abort = h1_abort,
	.recorded = h1_recorded,
	.lasts = h1_lasts,
	.unsent = h1_unsent,
	.held = h1_held
};

void
h1_setup(void)
{
	timeq_init(&conns.header, conns.conf->t_header, expired_header);
	timeq_init(&conns.body, conns.conf->t_body, expired_body);
}

void
h1_process(struct conn *c)
{
	int	 begun = 0;

	if (c->state == CONN_IDLE || c->state == CONN_HEAD) {
		/* conn_drain() takes it */
		if (conn_passable(c) || !h1_skip(c) || conn_passable(c))
			return;
		if (conns.leaving && !conns.handing_over &&
		    !c->client.newcomer && c->state == CONN_IDLE &&
		    c->in.len == 0)
			return;
		if (!h1_read_head(c))
			return;
		begun = 1;
	}
	if (c->state == CONN_REQUEST)
		h1_busy(c, begun);
}

/* Throw away what is left of a refused request's body.  1 when it is gone. */
static int
h1_skip(struct conn *c)
{
	size_t	 n;
	int	 r, got = 0;

	while (c->skip > 0) {
		if (c->in.len == 0 && (r = conn_read(c, READ_SIZE)) != 1) {
			if (r == -1 || (got && conn_broken(c)))
				conn_close(c);
			return (0);
		}
		got = 1;
		n = c->in.len < c->skip ? c->in.len : c->skip;
		buf_drop(&c->in, n);
		c->skip -= n;
		if (c->skip == 0 && c->in.len == 0)
			timer_start(&c->timer, &conns.keepalive);
	}
	return (1);
}

/* Read a head and begin its request.  1 when there may be more to do. */
static int
h1_read_head(struct conn *c)
{
	static struct http1_head head;
	enum http1_more	 more;
	const char	*why = NULL;
	size_t		 headlen = 0, max = (size_t)conns.conf->max_header;
	int		 status = 400, r, got = 0;

	for (;;) {
		more = http1_scan_head(&c->scan, buf_data(&c->in), c->in.len,
		    max, &headlen, &status, &why);
		if (more != HTTP1_MORE)
			break;
		if (c->in.len > 0 && (status = http1_begins(&c->scan,
		    buf_data(&c->in), c->in.len, &why)) != 0) {
			more = HTTP1_BAD;
			break;
		}
		r = conn_read(c, c->in.len < READ_SIZE ? READ_SIZE : max);
		/* a reset together with a part: no other edge will tell */
		if (r == -1 || (r == 0 && got && conn_broken(c)))
			conn_close(c);
		if (r != 1)
			return (0);
		got = 1;
		if (c->state == CONN_IDLE) {
			c->state = CONN_HEAD;
			timer_start(&c->timer, &conns.header);
		}
	}
	timer_clear(&c->timer);
	memset(&c->scan, 0, sizeof(c->scan));
	c->state = CONN_REQUEST;
	if (more == HTTP1_DONE)
		status = http1_parse_request(&head, buf_data(&c->in), headlen,
		    &why);
	if (status != 0) {
		c->client.close = 1;
		c->client.unread = 1;
		stages_malformed(&c->client, status, why);
		return (0);
	}
	c->client.late = conns.outdated || c->client.newcomer;
	if (!head.keepalive || c->client.late)
		c->client.close = 1;
	h1_begin(c, &head, headlen);
	return (c->state == CONN_REQUEST);
}

/* A request is being served: its body, or the client's leaving.  One that
 * has just begun and is whole is mostly answered before conns.look ends. */
static void
h1_busy(struct conn *c, int begun)
{
	if (h1_wants_input(c)) {
		h1_input(c);
		if (c->state != CONN_REQUEST)
			return;
	}
	/* whatever it sent before and nobody read: no other edge will tell */
	if ((c->hup && !h1_wants_input(c)) ||
	    (!(begun && c->timer.q == &conns.look) && conn_broken(c))) {
		request_client_gone(c->client.req);
		conn_close(c);
	}
}

void
h1_sent(struct conn *c)
{
	if (c->client.close || c->client.unread) {
		/* a byte on its way must not turn our FIN into a reset */
		conn_linger(c);
		return;
	}
	c->state = CONN_IDLE;
	if (c->in.len == 0)
		buf_wipe(&c->in);
	else
		c->state = CONN_HEAD;
	timer_start(&c->timer, c->skip > 0 ? &conns.body :
	    c->in.len == 0 ? &conns.keepalive : &conns.header);
	conn_poke(c);
}

static void
expired_header(struct timer *t)
{
	struct conn	*c = conn_of(t);

	/* an empty line behind the last request is none */
	if (c->in.len == 0 || (c->in.len <= 2 &&
	    memcmp(buf_data(&c->in), "\r\n", c->in.len) == 0)) {
		conn_close(c);
		return;
	}
	c->client.close = 1;
	c->client.unread = 1;
	c->state = CONN_REQUEST;
	stages_malformed(&c->client, 408, "the request head took too long");
}

static void
expired_body(struct timer *t)
{
	struct conn	*c = conn_of(t);

	if (c->client.req == NULL) {
		conn_close(c);
		return;
	}
	c->client.close = 1;
	c->client.unread = 1;
	stages_body_late(c->client.req);
}

static void
h1_begin(struct conn *c, const struct http1_head *h, size_t headlen)
{
	c->headlen = headlen;
	c->old = h->minor == 0;
	c->chunked = 0;
	c->framing = (uint8_t)h->body;
	c->left = h->body == HTTP1_BODY_LENGTH ? h->content_length : 0;
	if (c->framing == HTTP1_BODY_LENGTH && c->left == 0)
		c->framing = HTTP1_BODY_NONE;
	c->expect = h->expect_continue && c->framing != HTTP1_BODY_NONE;
	c->laps = 0;
	memset(&c->chunk, 0, sizeof(c->chunk));
	c->client.length = c->left;
	stages_begin(&c->client, h);
}

void
h1_unbegin(struct conn *c)
{
	c->headlen = 0;
	c->framing = HTTP1_BODY_NONE;
}

static const struct http1_head *
h1_head(struct client *cl)
{
	static struct http1_head head;
	struct conn	*c = conn_of_client(cl);
	const char	*why;

	if (http1_parse_request(&head, buf_data(&c->in), c->headlen,
	    &why) != 0)
		fatalx("a head that was good is bad");
	return (&head);
}

static int
h1_body_ahead(const struct client *cl)
{
	const struct conn	*c = (const struct conn *)cl;

	return (c->headlen > 0 && c->framing != HTTP1_BODY_NONE &&
	    !c->expect);
}

static void
h1_read_body(struct client *cl)
{
	struct conn	*c = conn_of_client(cl);

	explicit_bzero(buf_data(&c->in), c->headlen);
	buf_drop(&c->in, c->headlen);
	c->headlen = 0;
	if (c->framing == HTTP1_BODY_NONE) {
		h1_whole(c);
		return;
	}
	if (c->expect && c->in.len == 0 && h1_continue(c) == -1)
		return;
	c->expect = 0;
	conn_body_timer(c);
	h1_input(c);
}

/* Take what is in, then read on, until the body is whole (the request goes on)
 * or nothing comes. */
static void
h1_input(struct conn *c)
{
	struct request	*r = c->client.req;
	size_t		 before, n;
	int		 more, reads = 0;

	for (;;) {
		if (h1_take(c))
			return;
		/* others get their turn, however fast it comes */
		if (reads++ == BODY_READS) {
			conn_again(c);
			return;
		}
		/* timeouts.body is for 64 KiB, not for a byte */
		if (r->body.len / BODY_READ != c->laps) {
			c->laps = r->body.len / BODY_READ;
			/* it has so long in all when memory is short */
			if (!buf_tight())
				conn_body_timer(c);
			(void)body_count(r);
		}
		before = r->body.len;
		if (c->framing == HTTP1_BODY_LENGTH) {
			n = c->left < BODY_READ ? (size_t)c->left : BODY_READ;
			/* others have grown since the head was judged */
			if (c->readable && body_squeeze(r, n)) {
				body_refuse(r, refuse(REFUSE_BUFFERED));
				return;
			}
			more = conn_read_into(c, &r->body, n);
		} else
			more = conn_read(c, BODY_READ);
		if (more == -1) {
			conn_abort(c);
			return;
		}
		if (more == 0) {
			(void)body_count(r);
			break;
		}
		if (c->framing == HTTP1_BODY_LENGTH)
			c->left -= r->body.len - before;
		r->bytes_in = r->body.len;
	}
}

/* Move what is in to the body.  0: more is needed; 1: the request went on, or
 * ended. */
static int
h1_take(struct conn *c)
{
	struct buf	*in = &c->in;
	size_t		 n;

	if (c->framing == HTTP1_BODY_CHUNKED)
		return (h1_take_chunks(c));
	n = in->len < c->left ? in->len : (size_t)c->left;
	if (n > 0 && body_add(c->client.req, buf_data(in), n) == -1)
		return (1);
	buf_drop(in, n);
	c->left -= n;
	if (c->left > 0)
		return (0);
	h1_whole(c);
	return (1);
}

static int
h1_take_chunks(struct conn *c)
{
	struct request	*r = c->client.req;
	struct buf	*in = &c->in;
	enum http1_more	 more = HTTP1_MORE;
	struct slice	 data;
	const char	*why = NULL;
	size_t		 used;

	while (in->len > 0 && more == HTTP1_MORE) {
		more = http1_chunk_decode(&c->chunk, buf_data(in), in->len,
		    &used, &data, &why);
		if (more != HTTP1_BAD && data.len > 0 &&
		    body_add(r, data.p, data.len) == -1)
			return (1);
		buf_drop(in, used);
	}
	if (more == HTTP1_MORE)
		return (0);
	if (more == HTTP1_DONE) {
		h1_whole(c);
		return (1);
	}
	c->client.close = c->client.unread = 1;
	answer_refuse_as(r, refuse(REFUSE_CHUNKS), why);
	return (1);
}

static void
h1_whole(struct conn *c)
{
	c->framing = HTTP1_BODY_NONE;
	conn_look_later(c);
	/* it may be long until the next request, or a stream's end */
	if (c->in.len == 0)
		buf_wipe(&c->in);
	stages_whole(c->client.req);
}

static void
h1_abort(struct client *cl)
{
	conn_abort(conn_of_client(cl));
}

static void
h1_recorded(struct client *cl)
{
	conn_recorded(conn_of_client(cl));
}

static void
h1_lasts(struct client *cl)
{
	conn_lasts(conn_of_client(cl));
}

static size_t
h1_unsent(const struct client *cl)
{
	return (((const struct conn *)cl)->out.len);
}

static size_t
h1_held(const struct client *cl)
{
	const struct conn	*c = (const struct conn *)cl;

	return (c->in.cap + c->out.cap);
}
