/*
 * Requests as objects: what they hold, what the record says of them.  Where
 * they go is the affair of stages.c and relay.c.
 */
#include <sys/random.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/mcp_methods.h"
#include "common/stage.h"
#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/base/pool.h"
#include "worker/base/share.h"
#include "worker/mcp/accord.h"
#include "worker/mcp/session.h"
#include "worker/record/flood.h"
#include "worker/record/metrics.h"
#include "worker/request/request.h"
#include "worker/upstream/exchange.h"
#include "worker/who/auth.h"
#include "worker/wire/sse.h"

static const struct worker_conf	*conf;
static struct pool		 requests = { .size = sizeof(struct request) };
static void			(*on_end)(struct request *);

static void	 request_free(struct request *);
static void	 request_count(const struct request *);
static unsigned	 revision_of(const struct request *);
static unsigned	 error_of(const struct request *);
static int	 request_strange(const struct request *);

void
request_setup(const struct worker_conf *c, void (*ended)(struct request *))
{
	conf = c;
	on_end = ended;
	buf_setup(c->buffered);
	share_setup(c);
}

/* The parts of an id: unique among processes and restarts, then a count. */
void
request_make_id(char *id)
{
	static char	 next[REQUEST_ID_LEN + 1];
	uint64_t	 random;
	char		*p = next + REQUEST_ID_LEN;

	if (next[0] == '\0') {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			fatal("getrandom");
		snprintf(next, sizeof(next), "%016" PRIx64 "%016x", random,
		    0);
	}
	memcpy(id, next, sizeof(next));
	/* counted on in its digits: behind the copy, which would else have to
	 * wait for that byte, and for all that was written before */
	while (*--p == 'f')
		*p = '0';
	*p += *p == '9' ? 'a' - '9' : 1;
}

struct request *
request_new(struct client *c)
{
	struct request	*r;

	if ((r = pool_get(&requests)) == NULL)
		return (NULL);
	r->client = c;
	r->state = REQ_BODY;
	r->began = clock_mono();
	r->began_us = clock_turn();
	r->action = AUDIT_ERROR;
	request_make_id(r->id);
	c->req = r;
	stats_gauge_inc(STATS_G_IN_FLIGHT);
	return (r);
}

static void
request_free(struct request *r)
{
	auth_unwait(&r->wait);
	if (r->ended != NULL)
		r->ended(r);
	if (on_end != NULL)
		on_end(r);
	timer_clear(&r->timer);
	timer_clear(&r->beat);
	timer_clear(&r->total);
	timer_clear(&r->life);
	if (r->ex != NULL)
		exchange_cancel(r->ex);
	sse_free(r->sse);
	rpc_free(&r->rpc);
	if (r->share != NULL) {
		r->share->bytes -= r->counted;
		r->share->streams -= (size_t)r->standing;
		share_put(r->share);
	}
	buf_free(&r->body);
	http1_kept_free(&r->kept);
	filter_chain_free(r->chain);
	http1_kept_free(&r->held_head);
	buf_free(&r->hold);
	buf_free(&r->text);
	if (r->client->req == r)
		r->client->req = NULL;
	if (r->streaming)
		stats_gauge_dec(STATS_G_STREAMS);
	stats_gauge_dec(STATS_G_IN_FLIGHT);
	pool_put(&requests, r);
}

void
request_client_gone(struct request *r)
{
	if (!r->recorded) {
		r->action = AUDIT_ABORTED;
		if (r->error == NULL)
			r->error = "the client left";
		request_record(r);
	}
	request_free(r);
}

void
request_unwait(struct request *r)
{
	if (r->state != REQ_AUTH)
		return;
	auth_unwait(&r->wait);
	r->state = REQ_BODY;
}

int
request_unsettled(const struct request *r)
{
	return (r->state == REQ_AUTH);
}

int
request_unbegin(struct request *r)
{
	if (r->state != REQ_AUTH)
		return (0);
	request_free(r);
	return (1);
}

void
request_finish(struct request *r, int early)
{
	struct client	*c = r->client;

	request_record(r);
	request_free(r);
	c->ops->end(c, early);
}

void
request_record(struct request *r)
{
	struct audit_entry	 e;

	if (r->recorded)
		return;
	r->recorded = 1;
	if (r->refused.row != NULL)
		metrics_refusal((unsigned)(r->refused.row - refusals));
	if (!r->mcp)
		return;
	request_count(r);
	if (request_strange(r) && !flood_pass(&r->addr)) {
		stats_inc(STATS_LINES_SUPPRESSED);
		return;
	}
	memset(&e, 0, sizeof(e));
	e.session_id = request_text(r, r->session_id);
	e.method = request_text(r, r->rpc_method);
	e.action = r->action;
	e.has_auth = r->has_auth;
	e.auth = r->auth;
	e.client_id = request_text(r, r->client_id);
	e.key_id = request_text(r, r->key_id);
	e.subject = request_text(r, r->subject);
	e.actor = request_text(r, r->actor);
	e.jti = request_text(r, r->jti);
	e.scopes = request_text(r, r->scopes);
	e.latency_ms = clock_mono() - r->began;
	e.request_id = (struct slice){ r->id, REQUEST_ID_LEN };
	e.trace_id = (struct slice){ r->trace.at.id, TRACE_ID_LEN };
	e.client_ip = request_text(r, r->client_ip);
	e.tool = request_text(r, r->tool);
	if (r->upstream < conf->nupstreams)
		e.upstream = slice_of(conf->upstreams[r->upstream].name);
	e.status = r->status;
	e.bytes_in = r->bytes_in;
	e.bytes_out = r->bytes_out;
	e.transport = slice_of(r->transport);
	/* the client is told less */
	e.error = r->why.set ? request_text(r, r->why) : slice_of(r->error);
	if (r->action != AUDIT_ALLOW)
		e.stage = slice_of(r->stage < STAGE_MAX ?
		    stage_name(r->stage) : STAGE_HEAD_NAME);
	e.brief = request_strange(r);
	e.told = r->unrecordable;
	if (audit_add(&e) == -1 && !r->unrecordable && !conf->audit_allow)
		r->client->close = 1;
	if (!r->unrecordable)
		r->client->ops->recorded(r->client);
}

static void
request_count(const struct request *r)
{
	const uint64_t		 now = clock_now();
	struct metrics_request	 m = {
		.upstream = STATS_NO_UPSTREAM,
		.method = r->method_number,
		.action = r->action,
		.has_auth = r->has_auth,
		.auth = r->auth,
		.revision = revision_of(r),
		.error = error_of(r),
		.bytes_in = r->bytes_in,
		.bytes_out = r->bytes_out,
		.us = now - r->began_us,
		.away_us = r->away
	};

	if (r->upstream < conf->nupstreams)
		m.upstream = conf->upstreams[r->upstream].number;
	if (m.method == MCP_METHOD_TOOLS_CALL)
		m.tool = request_text(r, r->tool);
	if (r->has_auth && r->auth == AUTH_OK)
		m.client = request_text(r, r->client_id.set ? r->client_id :
		    r->key_id);
	if (r->ex != NULL)
		m.away_us += exchange_age(r->ex);
	metrics_request(&m);
}

/* That it is of, or would agree upon; 0: it does not say. */
static unsigned
revision_of(const struct request *r)
{
	uint32_t	 bit;

	if (r->revision.number != 0 || !r->proposed.set)
		return (r->revision.number);
	bit = accord_bit(request_text(r, r->proposed));
	return (bit == 0 ? 0 : (unsigned)__builtin_ctz(bit) + 1);
}

/* As the conventions of MCP have it: the code of JSON-RPC that the client is
 * told. */
static unsigned
error_of(const struct request *r)
{
	if (r->refused.row != NULL)
		return (stats_error_rpc(r->refused.row->code));
	if (r->action == AUDIT_ABORTED)
		return (STATS_ERROR_CANCELLED);
	if (r->action == AUDIT_ERROR)
		return (STATS_ERROR_OTHER);
	if (request_said(r) != 0)
		return (request_said(r));
	return (r->status >= 400 ? stats_error_http(r->status) : 0);
}

unsigned
request_said(const struct request *r)
{
	const struct glance	*g = &r->glance;

	if (g->failed)
		return (g->coded ? stats_error_rpc(g->code) :
		    STATS_ERROR_OTHER);
	return (g->tool_error && r->method_number == MCP_METHOD_TOOLS_CALL ?
	    STATS_ERROR_TOOL : 0);
}

void
request_answered(struct request *r)
{
	r->answered = 1;
	r->action = r->disagreed ? AUDIT_ERROR : AUDIT_ALLOW;
	request_record(r);
}

/* Could anybody have caused it, who has no credential?  Where none is asked
 * for, those who are let in are no strangers. */
static int
request_strange(const struct request *r)
{
	return (!r->admitted && (!r->has_auth ||
	    r->auth != AUTH_INSUFFICIENT_SCOPE));
}

void
request_set_text(struct request *r, struct text *t, struct slice s)
{
	/* a little over, so that the log sees where to cut a character */
	if (s.len > AUDIT_VALUE_MAX + 4)
		s.len = AUDIT_VALUE_MAX + 4;
	request_keep_text(r, t, s);
}

void
request_keep_text(struct request *r, struct text *t, struct slice s)
{
	if (s.p == NULL)
		return;
	t->off = (uint32_t)r->text.len;
	t->len = (uint32_t)s.len;
	t->set = buf_append(&r->text, s.p, s.len) == 0;
}

struct slice
request_text(const struct request *r, struct text t)
{
	if (!t.set)
		return ((struct slice){ NULL, 0 });
	return ((struct slice){ t.len == 0 ? "" : r->text.p + r->text.off +
	    t.off, t.len });
}

void
request_owner(const struct request *r, struct session_owner *o)
{
	o->judged = r->has_auth;
	o->client_id = request_text(r, r->client_id);
	o->sub = request_text(r, r->sub);
	o->token = request_text(r, r->token);
	o->key_id = request_text(r, r->key_id);
	o->key_mark = r->key_mark;
}
