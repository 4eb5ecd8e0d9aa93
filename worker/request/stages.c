/*
 * From a head to an upstream.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <stddef.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/mcp_methods.h"
#include "common/stage.h"
#include "common/stats.h"
#include "worker/base/refusal.h"
#include "worker/base/state.h"
#include "worker/mcp/accord.h"
#include "worker/mcp/rpc.h"
#include "worker/mcp/rules.h"
#include "worker/mcp/session.h"
#include "worker/record/audit.h"
#include "worker/request/answer.h"
#include "worker/request/ask.h"
#include "worker/request/body.h"
#include "worker/request/forward.h"
#include "worker/request/relay.h"
#include "worker/request/request.h"
#include "worker/request/route.h"
#include "worker/request/spans.h"
#include "worker/request/stages.h"
#include "worker/upstream/upstream.h"
#include "worker/who/auth.h"
#include "worker/wire/mediatype.h"

enum outcome {
	GO,
	WAIT,		/* it goes on by itself, and may have done so */
	ANSWERED	/* or will be, with what was decided */
};

static const struct worker_conf	*conf;

#define STAGE(name)							\
	static enum outcome stage_##name(struct request *,		\
	    const struct http1_head *)
STAGE(route);
STAGE(late);
STAGE(document);
STAGE(recordable);
STAGE(loop);
STAGE(origin);
STAGE(method);
STAGE(size);
STAGE(credential);
STAGE(upstream);
STAGE(type);
STAGE(revision);
STAGE(session);
STAGE(body);
STAGE(envelope);
STAGE(withdrawn);
STAGE(rules);
STAGE(policy);
STAGE(choose);
STAGE(send);
#undef STAGE

/* head: NULL once it is gone, from "envelope" on */
typedef enum outcome stage_fn(struct request *, const struct http1_head *);

static stage_fn	*const stages[STAGE_MAX] = {
	/* anybody's, by the head */
	[STAGE_ROUTE] = stage_route,
	[STAGE_LATE] = stage_late,
	[STAGE_DOCUMENT] = stage_document,
	[STAGE_RECORDABLE] = stage_recordable,
	[STAGE_LOOP] = stage_loop,
	[STAGE_ORIGIN] = stage_origin,
	[STAGE_METHOD] = stage_method,
	[STAGE_SIZE] = stage_size,
	[STAGE_CREDENTIAL] = stage_credential,
	/* of who may come in: whether there is such an upstream is not told
	 * to others */
	[STAGE_UPSTREAM] = stage_upstream,
	[STAGE_TYPE] = stage_type,
	[STAGE_REVISION] = stage_revision,
	[STAGE_SESSION] = stage_session,
	[STAGE_BODY] = stage_body,
	/* by the message */
	[STAGE_ENVELOPE] = stage_envelope,
	[STAGE_WITHDRAWN] = stage_withdrawn,
	[STAGE_RULES] = stage_rules,
	[STAGE_POLICY] = stage_policy,
	[STAGE_CHOOSE] = stage_choose,
	[STAGE_SEND] = stage_send
};

static void	 run(struct request *, const struct http1_head *);
static struct request *begin(struct client *);
static enum outcome refused(struct request *, const struct refusal *);
static int	 may_read_on(const struct request *);
static enum request_method method_of(struct slice);
static void	 answer_ready(struct request *, const struct http1_head *);
static int	 is_near(const struct request *, const struct http1_head *);
static void	 judged(struct waiter *, const struct verdict *);
static enum outcome identified(struct request *, const struct verdict *);
static int	 read_envelope(struct request *, const char **);
static void	 note(struct request *, const struct rpc *);
static void	 note_trace(struct request *, const struct rpc *);
static void	 set_method(struct request *, struct slice);
static int	 settle(struct request *);
static int	 propose(struct request *, struct slice);

void
stages_setup(const struct worker_conf *c)
{
	conf = c;
	body_setup(c);
}

/* The last one never lets it go on. */
static void
run(struct request *r, const struct http1_head *h)
{
	while (stages[r->stage](r, h) == GO)
		r->stage++;
}

static struct request *
begin(struct client *c)
{
	struct request	*r;

	if ((r = request_new(c)) == NULL)
		client_abort(c);
	return (r);
}

void
stages_begin(struct client *c, const struct http1_head *h)
{
	struct request	*r;

	if ((r = begin(c)) == NULL)
		return;
	r->head_only = slice_is(h->method, "HEAD");
	r->method = method_of(h->method);
	run(r, h);
}

void
stages_malformed(struct client *c, int status, const char *why)
{
	struct request	*r;

	if ((r = begin(c)) == NULL)
		return;
	/* nobody can say what it was meant for: it counts as MCP's */
	r->mcp = 1;
	r->stage = STAGE_MAX;
	spans_begin(r, NULL);
	forward_client_ip(r, NULL);
	answer_refuse_as(r, refusal_of_syntax(status), why == NULL ?
	    "malformed request" : why);
}

void
stages_plain(struct client *c)
{
	struct request	*r;

	if ((r = begin(c)) != NULL)
		answer_text(r, 400, "400: HTTP without TLS was sent to a port "
		    "that speaks TLS: use https\n");
}

void
stages_whole(struct request *r)
{
	const char	*why;

	r->bytes_in = r->body.len;
	stats_add(STATS_BYTES_IN, r->bytes_in);
	if (r->refused.row != NULL) {
		(void)read_envelope(r, &why);
		answer_refusal(r);
		return;
	}
	r->stage++;
	run(r, NULL);
}

void
stages_body_late(struct request *r)
{
	answer_refuse(r, refuse(REFUSE_BODY_LATE));
}

void
stages_late(struct request *r)
{
	request_unwait(r);
	r->client->close = 1;
	(void)refused(r, refuse(r->client->newcomer ? REFUSE_STOPPING :
	    REFUSE_RELOADED));
}

void
stages_end(struct request *r, int streams_only)
{
	if (r->answering && strcmp(r->transport, "json") != 0 &&
	    (r->method == METHOD_GET || r->listening || !streams_only)) {
		relay_end_stream(r, "drain_timeout");
		return;
	}
	if (streams_only)
		return;
	if (r->answering) {
		r->error = "drain_timeout";
		client_abort(r->client);
		return;
	}
	request_unwait(r);
	r->client->unread = 1;
	answer_refuse(r, refuse(REFUSE_DRAINING));
}

void
stages_give_way(struct request *r)
{
	if (r->answering)
		relay_cut(r, refuse(REFUSE_OTHERS_WAIT)->text);
	else
		body_refuse(r, refuse(REFUSE_OTHERS_WAIT));
}

/* Refuse it: when its body was read, if that can be had for the sake of its id
 * and of the log; else at once. */
static enum outcome
refused(struct request *r, const struct refusal *f)
{
	if (!may_read_on(r)) {
		answer_refuse(r, f);
		return (ANSWERED);
	}
	r->refused.row = f;
	r->refused.text = f->text;
	r->refused.status = f->status;
	r->client->ops->read_body(r->client);
	return (ANSWERED);
}

static int
may_read_on(const struct request *r)
{
	const struct client	*c = r->client;

	if (!r->mcp || r->method != METHOD_POST || r->state != REQ_BODY ||
	    r->refused.row != NULL || c->late || c->unread ||
	    !c->ops->body_ahead(c))
		return (0);
	return (c->length <= REFUSED_BODY_MAX && c->length <= conf->max_body &&
	    !body_crowded(r, REFUSED_BODY_MAX));
}

/* RFC 9110 section 9 and RFC 5789; 501 is for what is none (section 15.6.2). */
static enum request_method
method_of(struct slice s)
{
	static const struct {
		const char		*name;
		enum request_method	 method;
	} known[] = {
		{ "POST", METHOD_POST }, { "GET", METHOD_GET },
		{ "DELETE", METHOD_DELETE }, { "OPTIONS", METHOD_OPTIONS },
		{ "HEAD", METHOD_OTHER }, { "PUT", METHOD_OTHER },
		{ "PATCH", METHOD_OTHER }, { "TRACE", METHOD_OTHER }
	};
	size_t	 i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_is(s, known[i].name))
			return (known[i].method);
	return (METHOD_UNKNOWN);
}

/* Where it goes, from whom; and what page may read the answer, whatever that
 * is. */
static enum outcome
stage_route(struct request *r, const struct http1_head *h)
{
	struct slice	 name = { NULL, 0 };
	int		 origin_ok;

	r->route = route_find(h->path, &r->upstream, &name);
	r->mcp = r->route == ROUTE_MCP;
	if (r->mcp)
		spans_begin(r, h);
	origin_ok = !r->mcp || route_origin_ok(h);
	forward_client_ip(r, h);
	request_keep_text(r, &r->name, name);
	/* where the origin is wrong, too, that is what is said */
	if (r->route != ROUTE_HEALTHZ && origin_ok && !route_host_ok(h))
		return (refused(r, refuse(REFUSE_HOST)));
	if (r->mcp && origin_ok && h->count[HTTP1_ORIGIN] > 0)
		request_keep_text(r, &r->origin,
		    http1_value(h, HTTP1_ORIGIN));
	return (GO);
}

static enum outcome
stage_late(struct request *r, const struct http1_head *h)
{
	(void)h;
	if (!r->client->late || r->route == ROUTE_HEALTHZ ||
	    r->route == ROUTE_READYZ)
		return (GO);
	stages_late(r);
	return (ANSWERED);
}

/* What is no MCP is the gateway's own. */
static enum outcome
stage_document(struct request *r, const struct http1_head *h)
{
	if (r->mcp)
		return (GO);
	if (r->method == METHOD_UNKNOWN)
		return (refused(r, refuse(REFUSE_UNKNOWN_METHOD)));
	if (r->route == ROUTE_METADATA)
		answer_metadata(r, h, request_text(r, r->name));
	else if (r->route == ROUTE_HEALTHZ)
		answer_health(r, 1, slice_of("ok\n"), h->method);
	else if (r->route == ROUTE_READYZ)
		answer_ready(r, h);
	else
		answer_refuse(r, refuse(REFUSE_PATH));
	return (ANSWERED);
}

/* Ready when a request to the default upstream could be served.  The text
 * names every upstream that could not, to those who may know names. */
static void
answer_ready(struct request *r, const struct http1_head *h)
{
	struct buf	 b = { 0 };
	size_t		 i;
	int		 ready, tell;

	tell = !auth_required() || is_near(r, h);
	ready = state_serving() && (conf->audit_allow || !audit_broken()) &&
	    auth_has_keys() && upstream_usable(conf->default_upstream);
	buf_puts(&b, ready ? "ok\n" : "not ready\n");
	for (i = 0; tell && i < conf->nupstreams; i++)
		if (!upstream_usable(i))
			buf_printf(&b, "upstream %s: down\n",
			    conf->upstreams[i].name);
	if (buf_check(&b) == -1)
		client_abort(r->client);
	else
		answer_health(r, ready, (struct slice){ buf_data(&b),
		    b.len }, h->method);
	buf_free(&b);
}

/* From this host, and not on behalf of another. */
static int
is_near(const struct request *r, const struct http1_head *h)
{
	const struct proto_addr	*a = &r->client->addr;

	if (h->count[HTTP1_X_FORWARDED_FOR] > 0 ||
	    h->count[HTTP1_FORWARDED] > 0 || h->count[HTTP1_X_REAL_IP] > 0)
		return (0);
	return (a->family == AF_INET ? a->addr[0] == 127 :
	    memcmp(a->addr, &in6addr_loopback, sizeof(a->addr)) == 0);
}

/* First of what has a line: where none can be written, none is kept for
 * later. */
static enum outcome
stage_recordable(struct request *r, const struct http1_head *h)
{
	(void)h;
	if (!audit_broken() || conf->audit_allow)
		return (GO);
	r->unrecordable = 1;
	return (refused(r, refuse(REFUSE_UNRECORDABLE)));
}

static enum outcome
stage_loop(struct request *r, const struct http1_head *h)
{
	if (forward_looped(h))
		return (refused(r, refuse(REFUSE_LOOP)));
	return (GO);
}

/* A preflight is answered here, before any credential: it has none. */
static enum outcome
stage_origin(struct request *r, const struct http1_head *h)
{
	if (h->count[HTTP1_ORIGIN] > 0 && !r->origin.set)
		return (refused(r, refuse(REFUSE_ORIGIN)));
	if (r->method != METHOD_OPTIONS || !r->origin.set)
		return (GO);
	/* nothing here may tell a name that is an upstream's from one that is
	 * none, before a credential was asked for */
	if (!auth_required() && r->upstream == SIZE_MAX)
		return (refused(r, refuse(REFUSE_UPSTREAM)));
	set_method(r, slice_of("OPTIONS"));
	answer_preflight(r, h);
	return (ANSWERED);
}

/* GET and DELETE are of streams and sessions, which the last revision has not
 * (Earlier Streamable HTTP Revisions). */
static enum outcome
stage_method(struct request *r, const struct http1_head *h)
{
	if (r->method == METHOD_UNKNOWN)
		return (refused(r, refuse(REFUSE_UNKNOWN_METHOD)));
	if (r->method != METHOD_POST && !rules_streams())
		return (refused(r, refuse(REFUSE_METHOD_POST)));
	if (r->method == METHOD_OPTIONS || r->method == METHOD_OTHER)
		return (refused(r, refuse(rules_streams() ? REFUSE_METHOD :
		    REFUSE_METHOD_POST)));
	if (h->count[HTTP1_MCP_SESSION_ID] > 1 ||
	    h->count[HTTP1_MCP_PROTOCOL_VERSION] > 1)
		return (refused(r, refuse(REFUSE_REPEATED)));
	return (GO);
}

static enum outcome
stage_size(struct request *r, const struct http1_head *h)
{
	(void)h;
	if (r->client->length > conf->max_body)
		return (refused(r, refuse(REFUSE_SIZE)));
	/* of one without a length nobody knows yet whether it is empty */
	if (r->method != METHOD_POST && r->client->length > 0)
		return (refused(r, refuse(REFUSE_BODY)));
	return (GO);
}

static enum outcome
stage_credential(struct request *r, const struct http1_head *h)
{
	struct slice	 token = { NULL, 0 };
	struct verdict	 v = { .result = AUTH_MISSING };
	enum credential	 cred = auth_credential(h, &token);

	if (cred == CREDENTIAL_BAD) {
		r->has_auth = auth_required();
		r->auth = AUTH_INVALID;
		return (refused(r, refuse(r->has_auth ? REFUSE_CREDENTIALS :
		    REFUSE_CREDENTIALS_OPEN)));
	}
	if (!auth_required())
		return (GO);
	r->wait.done = judged;
	if (cred == CREDENTIAL_ONE && auth_judge(&r->wait, token,
	    request_text(r, r->client_ip), r->upstream, &v) == JUDGED_LATER) {
		r->state = REQ_AUTH;
		return (WAIT);
	}
	return (identified(r, &v));
}

/* Later: a request that waits still has its head. */
static void
judged(struct waiter *w, const struct verdict *v)
{
	struct request	*r = (struct request *)((char *)w -
			    offsetof(struct request, wait));

	r->state = REQ_BODY;
	if (identified(r, v) != GO)
		return;
	r->stage++;
	run(r, r->client->ops->head(r->client));
}

static enum outcome
identified(struct request *r, const struct verdict *v)
{
	r->has_auth = 1;
	r->auth = v->result;
	r->until = v->until;
	request_keep_text(r, &r->client_id, v->client_id);
	request_keep_text(r, &r->sub, v->sub);
	if (v->subject.p == v->sub.p)
		r->subject = r->sub;
	else
		request_keep_text(r, &r->subject, v->subject);
	request_keep_text(r, &r->actor, v->actor);
	request_keep_text(r, &r->jti, v->jti);
	request_keep_text(r, &r->token, v->token);
	request_keep_text(r, &r->key_id, v->key_id);
	r->key_mark = v->key_mark;
	r->signed_by = v->signer != NULL;
	if (r->signed_by)
		memcpy(r->signer, v->signer, sizeof(r->signer));
	request_keep_text(r, &r->scopes, v->scopes);
	if (v->result == AUTH_OK)
		return (GO);
	request_set_text(r, &r->why, slice_of(v->why));
	if (v->why != NULL && log_verbose())
		log_debug("request.refused", LOG_KV(KV("request_id", r->id),
		    KV("auth_result", auth_result_name(r->auth)),
		    KV("reason", v->why)),
		    "request %s: credential refused, %s: %s", r->id,
		    auth_result_name(r->auth), v->why);
	return (refused(r, refusal_of_auth(v->result, v->crowding)));
}

static enum outcome
stage_upstream(struct request *r, const struct http1_head *h)
{
	(void)h;
	r->admitted = 1;
	if (r->upstream == SIZE_MAX)
		return (refused(r, refuse(REFUSE_UPSTREAM)));
	return (GO);
}

/* Can the body be read? */
static enum outcome
stage_type(struct request *r, const struct http1_head *h)
{
	body_share(r);
	if (r->method != METHOD_POST)
		return (GO);
	if (h->count[HTTP1_CONTENT_TYPE] != 1 ||
	    !mediatype_is_json(http1_value(h, HTTP1_CONTENT_TYPE)))
		return (refused(r, refuse(REFUSE_TYPE)));
	if (h->count[HTTP1_CONTENT_ENCODING] > 0)
		return (refused(r, refuse(REFUSE_CODED)));
	if (body_squeeze(r, r->client->length))
		return (refused(r, refuse(REFUSE_BUFFERED)));
	return (GO);
}

/* Keep what the message must say, too. */
static enum outcome
stage_revision(struct request *r, const struct http1_head *h)
{
	struct slice		 version = http1_value(h,
				    HTTP1_MCP_PROTOCOL_VERSION);
	const struct refusal	*wrong = rules_head(h);

	request_keep_text(r, &r->mcp_version, version);
	r->revision = rules_revision(version);
	r->stateless = r->method != METHOD_POST && r->revision.stateless;
	if (wrong != NULL)
		return (refused(r, wrong));
	request_keep_text(r, &r->mcp_method,
	    http1_value(h, HTTP1_MCP_METHOD));
	request_keep_text(r, &r->mcp_name, http1_value(h, HTTP1_MCP_NAME));
	return (GO);
}

/* The session that it names must be its own. */
static enum outcome
stage_session(struct request *r, const struct http1_head *h)
{
	struct slice		 v = http1_value(h, HTTP1_MCP_SESSION_ID), id;
	struct session_owner	 owner;

	/* this revision has none: what is there means nothing; or it will be
	 * refused for its revision */
	if (v.p == NULL || r->revision.stateless || !r->revision.allowed)
		return (GO);
	request_owner(r, &owner);
	if (session_open(&owner, r->upstream, v, &id, &r->server) == -1) {
		stats_inc(STATS_SESSIONS_REFUSED);
		return (refused(r, refuse(REFUSE_SESSION)));
	}
	r->pinned = 1;
	request_keep_text(r, &r->session_id, id);
	return (GO);
}

/* Keep what of the head may go on; the credential goes no further. */
static enum outcome
stage_body(struct request *r, const struct http1_head *h)
{
	if (forward_keep(r, h) == -1) {
		client_abort(r->client);
		return (ANSWERED);
	}
	r->client->ops->read_body(r->client);
	return (WAIT);
}

static enum outcome
stage_envelope(struct request *r, const struct http1_head *h)
{
	const char	*why = NULL;
	int		 code;

	(void)h;
	if (r->method != METHOD_POST) {
		set_method(r, slice_of(forward_method(r)));
		return (GO);
	}
	if ((code = read_envelope(r, &why)) == 0)
		return (GO);
	answer_refuse_as(r, refuse(code == RPC_PARSE_ERROR ? REFUSE_JSON :
	    REFUSE_ENVELOPE), why);
	return (ANSWERED);
}

/* 0, or an error's code and its text. */
static int
read_envelope(struct request *r, const char **why)
{
	int	 code;

	code = rpc_read(r->body.p == NULL ? "" : buf_data(&r->body),
	    r->body.len, &r->rpc, why);
	/* null is none, and not to be echoed as one (Requests) */
	if (r->rpc.id.p != NULL && !slice_is(r->rpc.id, "null"))
		request_set_text(r, &r->rpc_id, r->rpc.id);
	if (code == 0 || r->refused.row != NULL) {
		note(r, &r->rpc);
		note_trace(r, &r->rpc);
	}
	return (code);
}

/* What the message says of its trace counts before what its head said. */
static void
note_trace(struct request *r, const struct rpc *rpc)
{
	if (rpc->traceparent.p == NULL ||
	    !trace_adopt(&r->trace, rpc->traceparent))
		return;
	r->meta_parent = (size_t)(rpc->traceparent.p - buf_data(&r->body));
	if (rpc->tracestate.p != NULL && trace_state_ok(rpc->tracestate)) {
		request_keep_text(r, &r->tracestate, rpc->tracestate);
		r->trace.in_head = 0;
	}
	spans_judge(r);
}

/* What the log says of the message. */
static void
note(struct request *r, const struct rpc *rpc)
{
	if (rpc->method.len > 0)
		set_method(r, rpc->method);
	else if (rpc->kind == RPC_RESPONSE)
		set_method(r, slice_of("response"));
	/* 2026-07-28, Subscriptions: it is answered when it ends */
	r->listening = slice_is(rpc->method, "subscriptions/listen");
	if (slice_is(rpc->method, "tools/call") ||
	    slice_is(rpc->method, "prompts/get") ||
	    slice_is(rpc->method, "resources/read") ||
	    slice_is(rpc->method, "resources/subscribe") ||
	    slice_is(rpc->method, "resources/unsubscribe"))
		request_set_text(r, &r->tool, rpc->name);
}

static void
set_method(struct request *r, struct slice method)
{
	request_set_text(r, &r->rpc_method, method);
	r->method_number = mcp_method(method.p, method.len);
}

/* Was its body held back until a reload took its credential away? */
static enum outcome
stage_withdrawn(struct request *r, const struct http1_head *h)
{
	(void)h;
	if (!state_leaving() || !auth_withdrawn(r->key_mark,
	    r->signed_by ? r->signer : NULL))
		return (GO);
	stages_late(r);
	return (ANSWERED);
}

static enum outcome
stage_rules(struct request *r, const struct http1_head *h)
{
	struct rules_fields	 f = {
		.version = request_text(r, r->mcp_version),
		.method = request_text(r, r->mcp_method),
		.name = request_text(r, r->mcp_name)
	};
	struct rules_verdict	 v = { .stateless = r->stateless };
	const struct refusal	*wrong;

	(void)h;
	if (r->method == METHOD_POST)
		wrong = rules_message(&f, r->revision, &r->rpc, &v);
	else
		wrong = rules_stream(r->revision, f.version, &v.requested);
	r->stateless = v.stateless;
	r->accord = v.accord;
	if (wrong == NULL)
		return (GO);
	/* with what there is instead (2026-07-28, Unsupported Protocol
	 * Version) */
	if (wrong->code == RPC_UNSUPPORTED_VERSION)
		ask_refuse(r, wrong, v.requested);
	else
		answer_refuse(r, wrong);
	return (ANSWERED);
}

static enum outcome
stage_policy(struct request *r, const struct http1_head *h)
{
	(void)r;
	(void)h;
	return (GO);
}

static enum outcome
stage_choose(struct request *r, const struct http1_head *h)
{
	(void)h;
	if (!r->pinned)
		r->server = upstream_pick(r->upstream);
	return (GO);
}

static enum outcome
stage_send(struct request *r, const struct http1_head *h)
{
	int	 failed = settle(r) == -1;

	(void)h;
	rpc_free(&r->rpc);
	if (failed)
		client_abort(r->client);
	else
		relay_start(r);
	return (WAIT);
}

/* Its answer is judged for the revisions that it says: it may not be coded.
 * 0 or -1. */
static int
settle(struct request *r)
{
	if (r->accord != ACCORD_OPEN && r->accord != ACCORD_DISCOVER)
		return (0);
	r->uncoded = 1;
	if (r->accord != ACCORD_OPEN)
		return (0);
	r->unversioned = !r->revision.allowed || r->revision.stateless;
	if (r->rpc.proposed.p == NULL)
		return (0);
	return (propose(r, r->rpc.proposed));
}

/* One that initialize proposes and that is none of ours is replaced before any
 * upstream agrees to it.  0 or -1; what the message said is gone. */
static int
propose(struct request *r, struct slice proposed)
{
	struct buf	 made = { 0 };
	const char	*offer, *body = buf_data(&r->body);
	char		 plain[RPC_METHOD_MAX];
	size_t		 before, after;

	if (proposed.len <= sizeof(plain))
		request_set_text(r, &r->proposed, (struct slice){ plain,
		    json_unescape(proposed, plain) });
	if ((offer = accord_offer(proposed)) == NULL)
		return (0);
	before = (size_t)(proposed.p - body);
	after = before + proposed.len;
	buf_append(&made, body, before);
	buf_puts(&made, offer);
	buf_append(&made, body + after, r->body.len - after);
	if (r->meta_parent > before)
		r->meta_parent += strlen(offer) - proposed.len;
	buf_free(&r->body);
	r->body = made;
	return (buf_check(&r->body));
}
