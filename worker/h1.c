/*
 * HTTP/1 on a client's connection, on its way in.
 */
#include <string.h>

#include "worker/answer.h"
#include "worker/body.h"
#include "worker/conn.h"
#include "worker/h1.h"
#include "worker/request.h"
#include "worker/rpc.h"

#define BODY_READ	(64 * 1024)
#define BODY_READS	8		/* in one go */

static int	 h1_take(struct request *);
static int	 h1_take_chunks(struct request *);

int
h1_wants_input(const struct request *r)
{
	return (r->state == REQ_BODY && r->framing != HTTP1_BODY_NONE &&
	    r->headlen == 0);
}

/* Take what is in, then read on, until the body is whole or nothing comes. */
void
h1_input(struct request *r)
{
	struct conn	*c = r->conn;
	size_t		 before, n;
	int		 more, reads = 0;

	for (;;) {
		if (h1_take(r))
			return;
		/* others get their turn, however fast it comes */
		if (reads++ == BODY_READS) {
			conn_again(c);
			return;
		}
		/* timeouts.body is for 64 KiB, not for a byte */
		if (r->body.len / BODY_READ != r->laps) {
			r->laps = r->body.len / BODY_READ;
			/* it has so long in all when memory is short */
			if (!buf_tight())
				conn_body_timer(c);
			(void)body_count(r);
		}
		before = r->body.len;
		if (r->framing == HTTP1_BODY_LENGTH) {
			n = r->left < BODY_READ ? (size_t)r->left : BODY_READ;
			/* others have grown since the head was judged */
			if (c->readable && body_squeeze(r, n)) {
				body_refuse(r, 503);
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
		if (r->framing == HTTP1_BODY_LENGTH)
			r->left -= r->body.len - before;
		r->bytes_in = r->body.len;
	}
}

/* Move what lies in conn->in to the body.  0: more is needed; 1: the request
 * went on, or ended. */
static int
h1_take(struct request *r)
{
	struct buf	*in = &r->conn->in;
	size_t		 n;

	if (r->framing == HTTP1_BODY_CHUNKED)
		return (h1_take_chunks(r));
	n = in->len < r->left ? in->len : (size_t)r->left;
	if (n > 0 && body_add(r, buf_data(in), n) == -1)
		return (1);
	buf_drop(in, n);
	r->left -= n;
	if (r->left > 0)
		return (0);
	request_whole(r);
	return (1);
}

static int
h1_take_chunks(struct request *r)
{
	struct buf	*in = &r->conn->in;
	enum http1_more	 more = HTTP1_MORE;
	struct slice	 data;
	const char	*why = NULL;
	size_t		 used;

	while (in->len > 0 && more == HTTP1_MORE) {
		more = http1_chunk_decode(&r->chunk, buf_data(in), in->len,
		    &used, &data, &why);
		if (more != HTTP1_BAD && data.len > 0 &&
		    r->method != METHOD_POST) {
			more = HTTP1_BAD;
			why = "only POST has a body";
		}
		if (more != HTTP1_BAD && data.len > 0 &&
		    body_add(r, data.p, data.len) == -1)
			return (1);
		buf_drop(in, used);
	}
	if (more == HTTP1_MORE)
		return (0);
	if (more == HTTP1_DONE) {
		request_whole(r);
		return (1);
	}
	r->conn->close = r->conn->unread = 1;
	answer_refuse_as(r, refuse(REFUSE_CHUNKS), why);
	return (1);
}

void
h1_drop_head(struct request *r)
{
	explicit_bzero(buf_data(&r->conn->in), r->headlen);
	buf_drop(&r->conn->in, r->headlen);
	r->headlen = 0;
	r->state = REQ_BODY;
}
