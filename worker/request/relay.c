/*
 * Between a request and its exchange.
 */
#include <stddef.h>
#include <string.h>

#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/base/share.h"
#include "worker/mcp/session.h"
#include "worker/request/answer.h"
#include "worker/request/ask.h"
#include "worker/request/body.h"
#include "worker/request/chain.h"
#include "worker/request/forward.h"
#include "worker/request/redirect.h"
#include "worker/request/relay.h"
#include "worker/request/spans.h"
#include "worker/upstream/exchange.h"
#include "worker/upstream/upstream.h"
#include "worker/who/auth.h"
#include "worker/wire/http1_put.h"
#include "worker/wire/media.h"
#include "worker/wire/sse.h"

#define REDIRECTS_MAX	3
#define OUT_HIGH	(60 * 1024)	/* stop reading the upstream */

/* How long to sleep before looking at the clock that credentials go by,
 * which may be set meanwhile: the longest that is not too long. */
static const uint64_t	 naps[] = { 10, 100, 1000, 10000, 60000 };
#define NAPS		(sizeof(naps) / sizeof(naps[0]))
#define WITHDRAWN	1	/* until of a credential that was */
#define GRACE_MS	1000	/* for an event that has begun to end */

static const struct worker_conf	*conf;
static struct timeq	 q_beat;
static struct timeq	 q_total;
static struct timeq	 q_grace;
static struct timeq	 q_life[NAPS];

static int	 relay_standing(struct request *);
static void	 relay_send(struct request *, struct buf *, int);
static int	 relay_put_request(void *, size_t, struct buf *);
static void	 relay_spent(void *);
static void	 relay_other(void *, size_t, struct buf *);
static void	 relay_put_trace(const struct request *, struct buf *);
static void	 relay_head(void *, const struct http1_head *);
static const struct refusal *unfit(const struct request *,
		    const struct http1_head *, enum media);
static int	 has_content(const struct http1_head *);
static int	 locations(const struct http1_head *, struct slice *);
static int	 relay_follow(struct request *, const struct http1_head *);
static void	 relay_crowded(struct request *);
static void	 relay_refuse(struct request *, const struct refusal *);
static void	 relay_no_page(struct request *, const struct http1_head *);
static int	 relay_put_head(struct request *, const struct http1_head *);
static const struct refusal *session_wrong(const struct http1_head *);
static void	 relay_data(void *, const char *, size_t);
static void	 relay_unfit(struct request *);
static void	 relay_done(void *);
static void	 relay_fail(void *, enum exchange_error, const char *);
static void	 relay_watch(struct request *, struct slice);
static void	 relay_seen(struct request *, size_t);
static void	 relay_glance(struct request *, struct slice);
static void	 relay_stream(struct request *, const struct http1_head *);
static void	 relay_limit(struct request *);
static int	 relay_put_closure(struct request *);
static void	 relay_beat(struct timer *);
static void	 relay_total(struct timer *);
static void	 relay_grace(struct timer *);
static void	 relay_nap(struct request *, int64_t);
static void	 relay_life(struct timer *);

static const struct exchange_cb callbacks = {
	.put_head = relay_put_request,
	.spent = relay_spent,
	.other = relay_other,
	.head = relay_head,
	.data = relay_data,
	.done = relay_done,
	.fail = relay_fail
};

void
relay_setup(const struct worker_conf *c)
{
	size_t	 i;

	conf = c;
	timeq_init(&q_beat, c->t_sse_keepalive, relay_beat);
	timeq_init(&q_total, c->t_stream_total, relay_total);
	timeq_init(&q_grace, GRACE_MS, relay_grace);
	for (i = 0; i < NAPS; i++)
		timeq_init(&q_life[i], naps[i], relay_life);
}

void
relay_start(struct request *r)
{
	if (relay_standing(r) == -1)
		return;
	r->state = REQ_FORWARD;
	relay_send(r, &r->body, r->pinned);
}

/* To r->server; or to another, unless it is pinned. */
static void
relay_send(struct request *r, struct buf *body, int pinned)
{
	struct exchange_request	 x = {
		.upstream = r->upstream,
		.server = r->server,
		.method = forward_method(r),
		.body = body,
		.pinned = pinned,
		.standing = r->standing,
		.source = r->share == NULL ? 0 : r->share->hash,
		.number = r->method_number,
		.away = &r->away,
		.cb = &callbacks,
		.arg = r
	};

	spans_exchange(r, r->server, NULL);
	relay_put_trace(r, body);
	if ((r->ex = exchange_start(&x)) == NULL) {
		spans_fail(r, EXCHANGE_CROWDED);
		relay_crowded(r);
	} else
		(void)body_count(r);
}

static int
relay_put_request(void *arg, size_t server, struct buf *b)
{
	return (forward_put_head(arg, server, b));
}

static void
relay_other(void *arg, size_t server, struct buf *body)
{
	struct request	*r = arg;

	spans_other(r, server, NULL);
	relay_put_trace(r, body);
}

/* In the message, too, where the client has it there: as long as the other, so
 * that nothing else moves. */
static void
relay_put_trace(const struct request *r, struct buf *body)
{
	if (r->meta_parent > 0 &&
	    r->meta_parent + TRACE_PARENT_LEN <= body->len)
		trace_put(&r->trace, buf_data(body) + r->meta_parent);
}

/* No server is asked any more: none needs its head. */
static void
relay_spent(void *arg)
{
	http1_kept_free(&((struct request *)arg)->kept);
}

static void
relay_crowded(struct request *r)
{
	answer_refuse(r, refuse(REFUSE_UP_CONNECTIONS));
}

/* A stream that stands as long as the client likes counts for its address.
 * 0, or -1: it has enough of them (answered). */
static int
relay_standing(struct request *r)
{
	if (r->share == NULL || (r->method != METHOD_GET && !r->listening))
		return (0);
	if (conf->per_streams > 0 && r->share->streams >= conf->per_streams) {
		answer_refuse(r, refuse(REFUSE_STREAMS));
		return (-1);
	}
	r->share->streams++;
	r->standing = 1;
	return (0);
}

static void
relay_head(void *arg, const struct http1_head *h)
{
	struct request	*r = arg;
	enum media	 media = media_of(h);
	const struct refusal *why;
	int		 held;

	spans_head(r, h);
	if ((h->status == 307 || h->status == 308) && relay_follow(r, h))
		return;
	if ((why = unfit(r, h, media)) != NULL) {
		relay_refuse(r, why);
		return;
	}
	if (media == MEDIA_PAGE && h->status >= 300 &&
	    h->body != HTTP1_BODY_NONE) {
		relay_no_page(r, h);
		return;
	}
	r->server = exchange_server(r->ex);
	r->transport = "json";
	r->glancing = r->method == METHOD_POST &&
	    (media == MEDIA_JSON || media == MEDIA_STREAM) &&
	    h->count[HTTP1_CONTENT_ENCODING] == 0;
	if (!r->stateless)
		request_set_text(r, &r->session_id,
		    http1_value(h, HTTP1_MCP_SESSION_ID));
	if ((held = chain_begin(r, h, media)) == -1) {
		client_abort(r->client);
		return;
	}
	if (held) {
		relay_limit(r);
		return;
	}
	r->answering = 1;
	r->status = h->status;
	if (media == MEDIA_STREAM) {
		r->transport = r->method == METHOD_GET ? "stream" : "sse";
		relay_stream(r, h);
		return;
	}
	if (relay_put_head(r, h) == -1) {
		client_abort(r->client);
		return;
	}
	/* whatever passes on it without an end */
	relay_limit(r);
	/* who knows what it is to the client, and where an answer in it ends */
	if (r->method == METHOD_POST && media != MEDIA_JSON &&
	    h->status < 300 && has_content(h))
		request_answered(r);
}

/* What passes filters may change its length.  0 or -1. */
static int
relay_put_head(struct request *r, const struct http1_head *h)
{
	struct http1_head	 other;

	if (!chain_changes(r) || h->body != HTTP1_BODY_LENGTH)
		return (forward_response(r, h));
	other = *h;
	other.body = HTTP1_BODY_CHUNKED;
	return (forward_response(r, &other));
}

/* Why an answer may not go to the client, or NULL. */
static const struct refusal *
unfit(const struct request *r, const struct http1_head *h, enum media media)
{
	const struct refusal	*wrong;
	struct slice		 location;

	/* its challenge would send our clients to another's login */
	if (h->status == 401 || h->status == 407)
		return (refuse(REFUSE_UP_REFUSED));
	if (!r->stateless && (wrong = session_wrong(h)) != NULL)
		return (wrong);
	if (media == MEDIA_DOUBT)
		return (refuse(REFUSE_UP_TYPE));
	/* frameworks say so of an empty 202, too */
	if (media == MEDIA_PAGE && h->status < 300 &&
	    r->method == METHOD_POST && has_content(h))
		return (refuse(REFUSE_UP_PAGE));
	if (h->status >= 300 && h->status < 400 && locations(h, &location) > 0)
		return (refuse(REFUSE_UP_REDIRECT));
	return (NULL);
}

/* May there be any? */
static int
has_content(const struct http1_head *h)
{
	return (h->body != HTTP1_BODY_NONE &&
	    (h->body != HTTP1_BODY_LENGTH || h->content_length > 0));
}

/* How many Location fields; *v is one. */
static int
locations(const struct http1_head *h, struct slice *v)
{
	size_t	 i;
	int	 n = 0;

	for (i = 0; i < h->nfield; i++)
		if (h->field[i].id == HTTP1_LOCATION) {
			*v = h->field[i].value;
			n++;
		}
	return (n);
}

/*
 * The same request to another path of the same server (RFC 9110 sections
 * 15.4.8 and 15.4.9), as often as a slash is missing, and a little more.  1; 0
 * when it cannot be: then nothing is changed.
 */
static int
relay_follow(struct request *r, const struct http1_head *h)
{
	size_t		 server = exchange_server(r->ex);
	struct buf	 was = { 0 }, target = { 0 }, body = { 0 };
	struct slice	 location = { NULL, 0 };
	int		 failed;

	if (r->redirects == REDIRECTS_MAX || locations(h, &location) != 1)
		return (0);
	forward_put_target(r, server, &was);
	failed = buf_check(&was) == -1 ||
	    redirect_resolve(&conf->upstreams[r->upstream].servers[server],
	    (struct slice){ buf_data(&was), was.len }, location,
	    &target) == -1 || exchange_take(r->ex, &body) == -1;
	buf_wipe(&was);
	if (failed) {
		buf_wipe(&target);
		return (0);
	}
	request_keep_text(r, &r->target, (struct slice){ buf_data(&target),
	    target.len });
	buf_wipe(&target);
	r->redirects++;
	exchange_cancel(r->ex);
	r->ex = NULL;
	r->server = server;
	if (r->target.set)
		relay_send(r, &body, 1);
	else
		client_abort(r->client);
	buf_free(&body);
	return (1);
}

static void
relay_refuse(struct request *r, const struct refusal *why)
{
	exchange_cancel(r->ex);
	r->ex = NULL;
	answer_refuse(r, why);
}

/* An error page's status is what it says to a program; when to come back is
 * said beside it. */
static void
relay_no_page(struct request *r, const struct http1_head *h)
{
	static const char *const names[] = { "Allow", "Retry-After" };
	struct buf	 fields = { 0 };
	size_t		 i, k;
	int		 failed;

	for (i = 0; i < h->nfield; i++)
		for (k = 0; k < 2; k++)
			if (slice_is_nocase(h->field[i].name, names[k]))
				http1_put_field(&fields, slice_of(names[k]),
				    h->field[i].value);
	failed = buf_check(&fields) == -1;
	exchange_cancel(r->ex);
	r->ex = NULL;
	if (failed)
		client_abort(r->client);
	else
		answer_refuse_page(r, refuse(REFUSE_UP_ERROR_PAGE), h->status,
		    (struct slice){ fields.p == NULL ? NULL :
		    buf_data(&fields), fields.len });
	buf_free(&fields);
}

/* The head of an event stream. */
static void
relay_stream(struct request *r, const struct http1_head *h)
{
	int	 coded = h->count[HTTP1_CONTENT_ENCODING] > 0;

	if ((!coded && (r->sse = sse_new()) == NULL) ||
	    relay_put_head(r, h) == -1) {
		client_abort(r->client);
		return;
	}
	r->client->ops->lasts(r->client);
	r->streaming = 1;
	stats_inc(STATS_STREAMS);
	stats_gauge_inc(STATS_G_STREAMS);
	exchange_streams(r->ex);
	/* only where the end is not a matter of counting */
	r->extensible = !coded && h->body != HTTP1_BODY_LENGTH;
	if (r->extensible)
		timer_start(&r->beat, &q_beat);
	timer_start(&r->total, &q_total);
	relay_limit(r);
	/* nobody sees which event has the response: it may be the first */
	if (coded && r->method == METHOD_POST)
		request_answered(r);
}

/* A POST's answer may finish: it was asked in time. */
static void
relay_limit(struct request *r)
{
	/* a key that a reload took away while this one was on its way */
	relay_look_again(r);
	if (r->until != 0 && (r->method == METHOD_GET || r->listening))
		relay_nap(r, r->until - clock_wall());
}

/* At most one, and of what MCP lets one be made (Session Management). */
static const struct refusal *
session_wrong(const struct http1_head *h)
{
	struct slice	 id = http1_value(h, HTTP1_MCP_SESSION_ID);
	size_t		 i;

	if (id.p == NULL)
		return (NULL);
	if (id.len > SESSION_ID_MAX)
		return (refuse(REFUSE_UP_SESSION_LONG));
	if (h->count[HTTP1_MCP_SESSION_ID] > 1 || id.len == 0)
		return (refuse(REFUSE_UP_SESSION));
	for (i = 0; i < id.len; i++)
		if (id.p[i] <= 0x20 || id.p[i] >= 0x7f)
			return (refuse(REFUSE_UP_SESSION));
	return (NULL);
}

static void
relay_data(void *arg, const char *p, size_t len)
{
	struct request	*r = arg;
	struct slice	 s = { p, len }, owed = { NULL, 0 };
	size_t		 mark;
	int		 failed = 0;

	spans_data(r, s);
	if (r->glancing && !r->recorded)
		relay_glance(r, s);
	if (r->sse != NULL) {
		mark = sse_late_mark(r->sse, s, &owed);
		s.p += mark;
		s.len -= mark;
		if (owed.len > 0) {
			relay_watch(r, owed);
			failed |= chain_pass(r, owed) == -1;
		}
		relay_watch(r, s);
	}
	if (r->beat.q != NULL)
		timer_start(&r->beat, &q_beat);
	r->bytes_out += len;
	stats_add(STATS_BYTES_OUT, len);
	if (s.len > 0)
		failed |= chain_pass(r, s) == -1;
	if (failed)
		relay_unfit(r);
	else if (r->ending && sse_at_boundary(r->sse))
		relay_end_stream(r, r->error);
	else if (client_unsent(r->client) > (body_count(r) || buf_tight() ? 0 :
	    OUT_HIGH))
		exchange_pause(r->ex);
}

/* For what is counted of it. */
static void
relay_glance(struct request *r, struct slice s)
{
	glance(&r->glance, s, r->sse != NULL);
	if (request_said(r) != 0)
		exchange_says(r->ex, request_said(r));
}

/* The line must precede the event that carries the response. */
static void
relay_watch(struct request *r, struct slice s)
{
	int	 response;
	size_t	 n, all = s.len;

	do {
		n = sse_feed(r->sse, s, &response);
		s.p += n;
		s.len -= n;
		if (response || (s.len == 0 && sse_answered(r->sse)))
			relay_seen(r, all);
	} while (s.len > 0);
}

/* It is, or may be, in what these bytes end or begin. */
static void
relay_seen(struct request *r, size_t bytes)
{
	if (r->answered || r->method != METHOD_POST)
		return;
	/* what is held has yet to be judged */
	if (chain_changes(r)) {
		r->answer_held = 1;
		return;
	}
	r->bytes_out += bytes;
	request_answered(r);
	r->bytes_out -= bytes;
}

/*
 * The upstream was silent: let the client know that the stream lives, and
 * learn whether the client does.  What still waits for the client serves as
 * well.
 */
static void
relay_beat(struct timer *t)
{
	struct request	*r;

	r = (struct request *)((char *)t - offsetof(struct request, beat));
	if (client_unsent(r->client) == 0 && chain_at_boundary(r) &&
	    sse_at_boundary(r->sse)) {
		if (client_body(r->client, slice_of(":\n\n")) == -1) {
			client_abort(r->client);
			return;
		}
		sse_inserted(r->sse);
	}
	timer_start(&r->beat, &q_beat);
}

static void
relay_total(struct timer *t)
{
	relay_cut((struct request *)((char *)t -
	    offsetof(struct request, total)), "timeouts.stream_total");
}

/* Its time is over: end it behind the event that is on its way, but do not
 * wait long for that. */
void
relay_cut(struct request *r, const char *why)
{
	if (r->ending)
		return;
	r->error = why;
	/* of what is no event stream a part must not pass for the whole */
	if (strcmp(r->transport, "json") == 0) {
		client_abort(r->client);
		return;
	}
	if (r->sse != NULL && !sse_at_boundary(r->sse)) {
		r->ending = 1;
		timer_start(&r->total, &q_grace);
		return;
	}
	relay_end_stream(r, why);
}

static void
relay_grace(struct timer *t)
{
	struct request	*r;

	r = (struct request *)((char *)t - offsetof(struct request, total));
	relay_end_stream(r, r->error);
}

static void
relay_nap(struct request *r, int64_t left)
{
	size_t	 i;

	for (i = NAPS - 1; i > 0 && (int64_t)naps[i] > left; i--)
		;
	timer_start(&r->life, &q_life[i]);
}

static void
relay_life(struct timer *t)
{
	struct request	*r;
	int64_t		 left;

	r = (struct request *)((char *)t - offsetof(struct request, life));
	if ((left = r->until - clock_wall()) > 0) {
		relay_nap(r, left);
		return;
	}
	relay_cut(r, r->until == WITHDRAWN ?
	    "the credential was withdrawn" : "the credential has expired");
}

/* By the timer: who looks at all requests must not have one end meanwhile. */
void
relay_look_again(struct request *r)
{
	if (r->state != REQ_FORWARD || !auth_withdrawn(r->key_mark,
	    r->signed_by ? r->signer : NULL))
		return;
	r->until = WITHDRAWN;
	if (r->answering && (r->method == METHOD_GET || r->listening))
		relay_nap(r, 0);
}

/* No more of it may pass, or memory is gone. */
static void
relay_unfit(struct request *r)
{
	if (r->ex != NULL)
		exchange_cancel(r->ex);
	r->ex = NULL;
	if (!r->answering) {
		answer_refuse(r, refuse(REFUSE_UP_UNFIT));
		return;
	}
	/* a part must not pass for the whole */
	r->action = AUDIT_ERROR;
	request_record(r);
	client_abort(r->client);
}

static void
relay_done(void *arg)
{
	struct request	*r = arg;

	r->ex = NULL;
	if (chain_end(r) == -1) {
		relay_unfit(r);
		return;
	}
	r->action = r->disagreed ? AUDIT_ERROR : AUDIT_ALLOW;
	request_finish(r, 0);
}

static void
relay_fail(void *arg, enum exchange_error error, const char *why)
{
	struct request	*r = arg;

	spans_fail(r, error);
	r->ex = NULL;
	r->error = why;
	if (r->answering && error == EXCHANGE_CROWDED) {
		relay_end_stream(r, why);
		return;
	}
	if (r->answering) {
		/* a part must not pass for the whole */
		r->action = AUDIT_ERROR;
		request_record(r);
		client_abort(r->client);
		return;
	}
	if (error == EXCHANGE_CROWDED)
		answer_refuse(r, refuse(REFUSE_UP_CROWDED));
	else if (error == EXCHANGE_TIMEOUT)
		answer_refuse(r, refuse(REFUSE_UP_TIMEOUT));
	else
		answer_refuse(r, refuse(error == EXCHANGE_REFUSED ?
		    REFUSE_UP_UNREACHED : REFUSE_UP_MALFORMED));
}

void
relay_writable(struct request *r)
{
	if (r->ex != NULL)
		exchange_resume(r->ex);
}

/*
 * The response by which a subscription ends gracefully (2026-07-28,
 * Subscriptions, Graceful Closure), in the server's place: it can no longer be
 * asked.  Not inside of an event that has begun.  0 or -1.
 */
static int
relay_put_closure(struct request *r)
{
	struct slice	 id = request_text(r, r->rpc_id), all;
	struct buf	 b = { 0 };
	int		 failed;

	if (!r->extensible || id.p == NULL || !sse_at_boundary(r->sse))
		return (0);
	buf_printf(&b, "event: message\ndata: {\"jsonrpc\":\"2.0\","
	    "\"id\":%.*s,\"result\":{\"resultType\":\"complete\",\"_meta\":"
	    "{\"io.modelcontextprotocol/subscriptionId\":%.*s}}}\n\n",
	    (int)id.len, id.p, (int)id.len, id.p);
	all = (struct slice){ buf_data(&b), b.len };
	r->bytes_out += all.len;
	stats_add(STATS_BYTES_OUT, all.len);
	failed = buf_check(&b) == -1 || client_body(r->client, all) == -1;
	buf_free(&b);
	return (failed ? -1 : 0);
}

void
relay_end_stream(struct request *r, const char *why)
{
	int	 unanswered;

	if (r->ex != NULL)
		exchange_cancel(r->ex);
	r->ex = NULL;
	/* a POST's stream whose response has not come is not answered */
	unanswered = r->method == METHOD_POST && !r->listening &&
	    !r->answered;
	r->action = unanswered ? AUDIT_ABORTED : AUDIT_ALLOW;
	if (unanswered)
		r->error = why;
	if (r->listening && !r->answered && relay_put_closure(r) == -1) {
		client_abort(r->client);
		return;
	}
	request_finish(r, 1);
}
