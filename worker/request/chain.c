/*
 * The filters of an answer.
 */
#include <string.h>

#include "worker/request/ask.h"
#include "worker/request/chain.h"
#include "worker/request/forward.h"

static const struct worker_conf	*conf;

static int	 wanted(const struct request *, const struct http1_head *,
		    enum media);
static int	 every(const struct http1_field *);
static enum filter_verdict revisions(void *, struct slice,
		    struct filter_edits *);
static int	 put(struct request *, const struct buf *);

void
chain_setup(const struct worker_conf *c)
{
	conf = c;
}

int
chain_begin(struct request *r, const struct http1_head *h, enum media media)
{
	const struct filter	 f = { "revisions", revisions, r, 1 };

	if (!wanted(r, h, media))
		return (0);
	r->chain = filter_chain_new(media == MEDIA_STREAM ? FILTER_EVENTS :
	    FILTER_JSON, &f, 1, (size_t)conf->max_message);
	if (r->chain == NULL)
		return (-1);
	if (media == MEDIA_STREAM)
		return (0);
	r->held_status = h->status;
	return (http1_keep(&r->held_head, h, every) == -1 ? -1 : 1);
}

/* Does it say of revisions what its client should know otherwise? */
static int
wanted(const struct request *r, const struct http1_head *h,
    enum media media)
{
	if (r->accord == ACCORD_NONE || h->body == HTTP1_BODY_NONE ||
	    h->count[HTTP1_CONTENT_ENCODING] > 0)
		return (0);
	if (r->accord == ACCORD_ERROR)
		return (media == MEDIA_JSON && h->status == 400);
	return (media == MEDIA_JSON || media == MEDIA_STREAM);
}

static int
every(const struct http1_field *f)
{
	(void)f;
	return (1);
}

int
chain_changes(const struct request *r)
{
	return (r->chain != NULL);
}

int
chain_at_boundary(const struct request *r)
{
	return (r->chain == NULL || filter_at_boundary(r->chain));
}

static enum filter_verdict
revisions(void *arg, struct slice text, struct filter_edits *edits)
{
	struct request		*r = arg;
	struct accord_told	 told;

	accord_judge(r->accord, text, request_text(r, r->rpc_id),
	    request_text(r, r->proposed), edits, &told);
	if (told.refused) {
		r->disagreed = 1;
		r->error = "the upstream's revision is not allowed";
	}
	ask_learn(r->upstream, &told);
	/* the line goes before the event */
	if (told.response && r->answer_held && !r->answered)
		request_answered(r);
	return (FILTER_PASS);
}

int
chain_pass(struct request *r, struct slice s)
{
	struct buf	 out = { 0 };
	size_t		 unread;
	int		 failed;

	if (r->chain == NULL)
		return (client_body(r->client, s));
	unread = filter_unread(r->chain);
	failed = filter_feed(r->chain, s, &out, &r->error) == -1;
	/* what nobody could read may have been the response */
	if (r->answer_held && !r->answered &&
	    unread != filter_unread(r->chain))
		request_answered(r);
	failed |= put(r, &out) == -1;
	buf_free(&out);
	return (failed ? -1 : 0);
}

static int
put(struct request *r, const struct buf *out)
{
	return (out->len == 0 ? 0 : client_body(r->client,
	    (struct slice){ buf_data(out), out->len }));
}

int
chain_end(struct request *r)
{
	struct http1_head	 h;
	struct buf		 out = { 0 };
	int			 failed;

	if (r->chain == NULL)
		return (0);
	failed = filter_end(r->chain, &out, &r->error) == -1;
	if (!failed && r->held_status != 0) {
		h = *http1_kept_head(&r->held_head);
		h.status = r->held_status;
		h.body = HTTP1_BODY_LENGTH;
		h.content_length = out.len;
		r->answering = 1;
		r->status = h.status;
		failed = forward_response(r, &h) == -1;
	}
	failed |= put(r, &out) == -1;
	buf_free(&out);
	return (failed ? -1 : 0);
}
