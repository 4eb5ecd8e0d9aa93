/*
 * A request on its way in: routed, checked, judged, read.  What happens once
 * it has an exchange with the upstream is in relay.c.
 */
#include <sys/random.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "worker/answer.h"
#include "worker/ask.h"
#include "worker/auth.h"
#include "worker/body.h"
#include "worker/clock.h"
#include "worker/exchange.h"
#include "worker/flood.h"
#include "worker/forward.h"
#include "worker/mediatype.h"
#include "worker/relay.h"
#include "worker/request.h"
#include "worker/route.h"
#include "worker/rpc.h"
#include "worker/rules.h"
#include "worker/session.h"
#include "worker/share.h"
#include "worker/sse.h"
#include "worker/state.h"
#include "worker/upstream.h"

static const struct worker_conf	*conf;

static struct request *request_new(struct client *);
static void	 request_free(struct request *);
static enum request_method request_method(struct slice);
static void	 put_hex(char *, uint64_t);
static void	 request_route(struct request *, const struct http1_head *);
static void	 request_ready(struct request *, const struct http1_head *);
static int	 request_near(const struct request *,
		    const struct http1_head *);
static void	 request_origin(struct request *, const struct http1_head *);
static int	 request_check(struct request *, const struct http1_head *);
static int	 request_lost(struct request *);
static int	 request_check_body(struct request *);
static int	 request_check_type(struct request *,
		    const struct http1_head *);
static void	 request_judge(struct request *, const struct http1_head *);
static void	 request_accept(struct request *, const struct http1_head *);
static int	 request_fields(struct request *, const struct http1_head *);
static int	 request_stream(struct request *);
static int	 request_message(struct request *, const struct rpc *);
static void	 request_unsuited(struct request *, const struct refusal *,
		    struct slice);
static int	 request_session(struct request *,
		    const struct http1_head *);
static void	 request_refuse(struct request *);
static void	 request_judged(struct waiter *, const struct verdict *);
static void	 request_identify(struct request *,
		    const struct verdict *);
static int	 request_settle(struct request *, const struct rpc *);
static void	 request_note(struct request *, const struct rpc *);
static int	 request_withdrawn(struct request *);
static int	 request_strange(const struct request *);

void
request_setup(const struct worker_conf *c)
{
	conf = c;
	buf_setup(c->buffered);
	share_setup(c);
	body_setup(c);
}

/* The parts of an id: unique among processes and restarts, then a count. */
void
request_make_id(char *id)
{
	static char		 first[16];
	static uint64_t		 random, count;

	if (random == 0) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			fatal("getrandom");
		put_hex(first, random);
	}
	memcpy(id, first, sizeof(first));
	put_hex(id + sizeof(first), ++count);
	id[REQUEST_ID_LEN] = '\0';
}

static void
put_hex(char *out, uint64_t v)
{
	int	 i;

	for (i = 15; i >= 0; i--, v >>= 4)
		out[i] = "0123456789abcdef"[v & 15];
}

static struct request *
request_new(struct client *c)
{
	struct request	*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->client = c;
	r->began = clock_mono();
	r->action = AUDIT_ERROR;
	request_make_id(r->id);
	c->req = r;
	return (r);
}

static void
request_free(struct request *r)
{
	auth_unwait(&r->wait);
	ask_end(r);
	timer_clear(&r->timer);
	timer_clear(&r->beat);
	timer_clear(&r->total);
	timer_clear(&r->life);
	if (r->ex != NULL)
		exchange_cancel(r->ex);
	sse_free(r->sse);
	if (r->share != NULL) {
		r->share->bytes -= r->counted;
		r->share->streams -= (size_t)r->standing;
		share_put(r->share);
	}
	buf_free(&r->body);
	http1_kept_free(&r->kept);
	buf_free(&r->hold);
	buf_free(&r->text);
	if (r->client->req == r)
		r->client->req = NULL;
	free(r);
}

void
request_malformed(struct client *c, int status, const char *why)
{
	struct request	*r;

	if ((r = request_new(c)) == NULL) {
		client_abort(c);
		return;
	}
	r->state = REQ_BODY;
	/* nobody can say what it was meant for: it counts as MCP's */
	r->mcp = 1;
	forward_client_ip(r, NULL);
	answer_refuse_as(r, refusal_of_syntax(status), why == NULL ?
	    "malformed request" : why);
}

void
request_plain(struct client *c)
{
	struct request	*r;

	if ((r = request_new(c)) == NULL) {
		client_abort(c);
		return;
	}
	r->state = REQ_BODY;
	answer_text(r, 400, "400: HTTP without TLS was sent to a port that "
	    "speaks TLS: use https\n");
}

void
request_begin(struct client *c, const struct http1_head *h)
{
	struct request	*r;

	if ((r = request_new(c)) == NULL) {
		client_abort(c);
		return;
	}
	r->state = REQ_BODY;
	r->head_only = slice_is(h->method, "HEAD");
	r->method = request_method(h->method);
	request_route(r, h);
}

/* RFC 9110 section 9 and RFC 5789; 501 is for what is none (section 15.6.2). */
static enum request_method
request_method(struct slice s)
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

static void
request_route(struct request *r, const struct http1_head *h)
{
	struct slice	 name;
	enum route	 route = route_find(h->path, &r->upstream, &name);

	r->mcp = route == ROUTE_MCP;
	/* where the origin is wrong, too, that is what is said */
	if (route != ROUTE_HEALTHZ && !route_host_ok(h) &&
	    (!r->mcp || route_origin_ok(h))) {
		forward_client_ip(r, h);
		answer_refuse(r, refuse(REFUSE_HOST));
		return;
	}
	if (r->client->late && route != ROUTE_HEALTHZ &&
	    route != ROUTE_READYZ) {
		forward_client_ip(r, h);
		/* a page is to see when to come again */
		if (r->mcp)
			request_origin(r, h);
		request_late(r);
		return;
	}
	if (r->method == METHOD_UNKNOWN && !r->mcp) {
		answer_refuse(r, refuse(REFUSE_UNKNOWN_METHOD));
		return;
	}
	switch (route) {
	case ROUTE_MCP:
		request_keep_text(r, &r->name, name);
		break;
	case ROUTE_METADATA:
		answer_metadata(r, h, name);
		return;
	case ROUTE_HEALTHZ:
		answer_health(r, 1, slice_of("ok\n"), h->method);
		return;
	case ROUTE_READYZ:
		request_ready(r, h);
		return;
	case ROUTE_NONE:
		answer_refuse(r, refuse(REFUSE_PATH));
		return;
	}
	forward_client_ip(r, h);
	request_origin(r, h);
	if (request_check(r, h) == 0)
		request_judge(r, h);
}

/* Ready when a request to the default upstream could be served.  The text
 * names every upstream that could not, to those who may know names. */
static void
request_ready(struct request *r, const struct http1_head *h)
{
	struct buf	 b;
	size_t		 i;
	int		 failed, ready, tell;

	memset(&b, 0, sizeof(b));
	tell = !auth_required() || request_near(r, h);
	ready = state_serving() && (conf->audit_allow || !audit_broken()) &&
	    auth_has_keys() && upstream_usable(conf->default_upstream);
	failed = buf_puts(&b, ready ? "ok\n" : "not ready\n") == -1;
	for (i = 0; tell && i < conf->nupstreams; i++)
		if (!upstream_usable(i))
			failed |= buf_printf(&b, "upstream %s: down\n",
			    conf->upstreams[i].name) == -1;
	if (failed)
		client_abort(r->client);
	else
		answer_health(r, ready, (struct slice){ buf_data(&b),
		    b.len }, h->method);
	buf_free(&b);
}

/* From this host, and not on behalf of another. */
static int
request_near(const struct request *r, const struct http1_head *h)
{
	const struct proto_addr	*a = &r->client->addr;

	if (h->count[HTTP1_X_FORWARDED_FOR] > 0 ||
	    h->count[HTTP1_FORWARDED] > 0 || h->count[HTTP1_X_REAL_IP] > 0)
		return (0);
	return (a->family == AF_INET ? a->addr[0] == 127 :
	    memcmp(a->addr, &in6addr_loopback, sizeof(a->addr)) == 0);
}

/* A page that may read the answer, whatever that is. */
static void
request_origin(struct request *r, const struct http1_head *h)
{
	if (h->count[HTTP1_ORIGIN] > 0 && route_origin_ok(h))
		request_keep_text(r, &r->origin,
		    http1_value(h, HTTP1_ORIGIN));
}

/* What can be refused before asking who it is.  0, or -1 and answered. */
static int
request_check(struct request *r, const struct http1_head *h)
{
	if (audit_broken() && !conf->audit_allow) {
		r->unrecordable = 1;
		answer_refuse(r, refuse(REFUSE_UNRECORDABLE));
		return (-1);
	}
	if (forward_looped(h)) {
		answer_refuse(r, refuse(REFUSE_LOOP));
		return (-1);
	}
	if (h->count[HTTP1_ORIGIN] > 0 && !r->origin.set) {
		answer_refuse(r, refuse(REFUSE_ORIGIN));
		return (-1);
	}
	/* nothing here may tell a name that is an upstream's from one that is
	 * none, before a credential was asked for */
	if (r->method == METHOD_OPTIONS && r->origin.set) {
		if (!auth_required() && request_lost(r) == -1)
			return (-1);
		/* before any credential: a preflight has none */
		request_set_text(r, &r->rpc_method, slice_of("OPTIONS"));
		answer_preflight(r, h);
		return (-1);
	}
	if (r->method == METHOD_UNKNOWN) {
		answer_refuse(r, refuse(REFUSE_UNKNOWN_METHOD));
		return (-1);
	}
	/* GET and DELETE are of streams and sessions, which the last revision
	 * has not (Earlier Streamable HTTP Revisions) */
	if (r->method != METHOD_POST && (!rules_streams() ||
	    r->method == METHOD_OPTIONS || r->method == METHOD_OTHER)) {
		answer_refuse(r, refuse(rules_streams() ? REFUSE_METHOD :
		    REFUSE_METHOD_POST));
		return (-1);
	}
	if (h->count[HTTP1_MCP_SESSION_ID] > 1 ||
	    h->count[HTTP1_MCP_PROTOCOL_VERSION] > 1) {
		answer_refuse(r, refuse(REFUSE_REPEATED));
		return (-1);
	}
	return (request_check_body(r));
}

/* 0, or -1 and answered: there is no upstream of this name. */
static int
request_lost(struct request *r)
{
	if (r->upstream != SIZE_MAX)
		return (0);
	answer_refuse(r, refuse(REFUSE_UPSTREAM));
	return (-1);
}

static int
request_check_body(struct request *r)
{
	if (r->client->length > conf->max_body) {
		answer_refuse(r, refuse(REFUSE_SIZE));
		return (-1);
	}
	/* of a chunked one nobody knows yet whether it is empty */
	if (r->method != METHOD_POST && r->client->length > 0) {
		answer_refuse(r, refuse(REFUSE_BODY));
		return (-1);
	}
	return (0);
}

/* Can the body be read?  Told to those only who may come in.  0 or -1. */
static int
request_check_type(struct request *r, const struct http1_head *h)
{
	struct slice	 type = http1_value(h, HTTP1_CONTENT_TYPE);

	body_share(r);
	if (r->method != METHOD_POST)
		return (0);
	if (h->count[HTTP1_CONTENT_TYPE] != 1 ||
	    !mediatype_is_json(type)) {
		answer_refuse(r, refuse(REFUSE_TYPE));
		return (-1);
	}
	if (h->count[HTTP1_CONTENT_ENCODING] > 0) {
		answer_refuse(r, refuse(REFUSE_CODED));
		return (-1);
	}
	if (body_squeeze(r, r->client->length)) {
		answer_refuse(r, refuse(REFUSE_BUFFERED));
		return (-1);
	}
	return (0);
}

static void
request_judge(struct request *r, const struct http1_head *h)
{
	struct slice		 token = { NULL, 0 };
	struct verdict		 v = { .result = AUTH_MISSING };
	enum credential		 cred = auth_credential(h, &token);

	if (cred == CREDENTIAL_BAD) {
		r->has_auth = auth_required();
		r->auth = AUTH_INVALID;
		answer_refuse(r, refuse(r->has_auth ? REFUSE_CREDENTIALS :
		    REFUSE_CREDENTIALS_OPEN));
		return;
	}
	if (!auth_required()) {
		request_accept(r, h);
		return;
	}
	r->wait.done = request_judged;
	if (cred == CREDENTIAL_ONE && auth_judge(&r->wait, token,
	    request_text(r, r->client_ip), r->upstream, &v) == JUDGED_LATER) {
		r->state = REQ_AUTH;
		return;
	}
	request_identify(r, &v);
	if (r->auth == AUTH_OK)
		request_accept(r, h);
	else
		request_refuse(r);
}

/* Later.  A request that waits has nothing but its head. */
static void
request_judged(struct waiter *w, const struct verdict *v)
{
	struct request	*r = (struct request *)((char *)w -
			    offsetof(struct request, wait));

	r->state = REQ_BODY;
	request_identify(r, v);
	if (r->auth == AUTH_OK)
		request_accept(r, r->client->ops->head(r->client));
	else
		request_refuse(r);
}

static void
request_identify(struct request *r, const struct verdict *v)
{
	r->has_auth = 1;
	r->auth = v->result;
	r->crowding = v->crowding;
	r->until = v->until;
	r->why = v->result == AUTH_OK ? NULL : v->why;
	request_keep_text(r, &r->client_id, v->client_id);
	request_keep_text(r, &r->sub, v->sub);
	request_keep_text(r, &r->token, v->token);
	request_keep_text(r, &r->key_id, v->key_id);
	r->key_mark = v->key_mark;
	r->signed_by = v->signer != NULL;
	if (r->signed_by)
		memcpy(r->signer, v->signer, sizeof(r->signer));
	request_keep_text(r, &r->scopes, v->scopes);
}

/* It may not come in. */
static void
request_refuse(struct request *r)
{
	if (r->why != NULL && log_verbose())
		log_debug("request %s: credential refused, %s: %s", r->id,
		    auth_result_name(r->auth), r->why);
	answer_refuse(r, refusal_of_auth(r->auth, r->crowding));
}

int
request_may_note(const struct request *r)
{
	const struct client	*c = r->client;

	if (!r->mcp || r->method != METHOD_POST || r->state != REQ_BODY ||
	    c->late || c->unread || !c->ops->body_ahead(c))
		return (0);
	if (c->length > REFUSED_BODY_MAX || c->length > conf->max_body)
		return (0);
	return (!body_crowded(r, REFUSED_BODY_MAX));
}

void
request_note_body(struct request *r)
{
	r->client->ops->read_body(r->client);
}

/* It may come in: keep what of its head may go on, then take its body. */
static void
request_accept(struct request *r, const struct http1_head *h)
{
	struct client	*c = r->client;

	r->admitted = 1;
	if (request_lost(r) == -1 || request_check_type(r, h) == -1 ||
	    request_fields(r, h) == -1)
		return;
	if (request_session(r, h) == -1)
		return;
	if (forward_keep(r, h) == -1) {
		client_abort(c);
		return;
	}
	r->state = REQ_BODY;
	c->ops->read_body(c);
}

/* Keep what the message must say, too.  0, or -1 and answered. */
static int
request_fields(struct request *r, const struct http1_head *h)
{
	struct slice		 version = http1_value(h,
				    HTTP1_MCP_PROTOCOL_VERSION);
	const struct refusal	*wrong = rules_head(h);

	request_keep_text(r, &r->mcp_version, version);
	r->revision = rules_revision(version);
	r->stateless = r->method != METHOD_POST && r->revision.stateless;
	if (wrong != NULL) {
		answer_refuse(r, wrong);
		return (-1);
	}
	request_keep_text(r, &r->mcp_method,
	    http1_value(h, HTTP1_MCP_METHOD));
	request_keep_text(r, &r->mcp_name, http1_value(h, HTTP1_MCP_NAME));
	return (0);
}

/* 0, or -1 and answered, or an upstream is asked for the answer. */
static int
request_stream(struct request *r)
{
	const struct refusal	*wrong;
	struct slice		 requested;

	wrong = rules_stream(r->revision, request_text(r, r->mcp_version),
	    &requested);
	if (wrong == NULL)
		return (0);
	request_unsuited(r, wrong, requested);
	return (-1);
}

/* The same. */
static int
request_message(struct request *r, const struct rpc *rpc)
{
	struct rules_fields	 f = {
		.version = request_text(r, r->mcp_version),
		.method = request_text(r, r->mcp_method),
		.name = request_text(r, r->mcp_name)
	};
	struct rules_verdict	 v;
	const struct refusal	*wrong;

	wrong = rules_message(&f, r->revision, rpc, &v);
	r->stateless = v.stateless;
	r->accord = v.accord;
	if (wrong == NULL)
		return (0);
	request_unsuited(r, wrong, v.requested);
	return (-1);
}

/* With what there is instead, if it is the revision (2026-07-28, Unsupported
 * Protocol Version). */
static void
request_unsuited(struct request *r, const struct refusal *wrong,
    struct slice requested)
{
	if (wrong->code == RPC_UNSUPPORTED_VERSION)
		ask_refuse(r, wrong, requested);
	else
		answer_refuse(r, wrong);
}

/* The session that it names must be its own.  0, or -1 and answered. */
static int
request_session(struct request *r, const struct http1_head *h)
{
	struct slice	 v = http1_value(h, HTTP1_MCP_SESSION_ID), id;
	struct session_owner owner;

	/* this revision has none: what is there means nothing; or it will be
	 * refused for its revision */
	if (v.p == NULL || r->revision.stateless || !r->revision.allowed)
		return (0);
	request_owner(r, &owner);
	if (session_open(&owner, r->upstream, v, &id, &r->server) == -1) {
		answer_refuse(r, refuse(REFUSE_SESSION));
		return (-1);
	}
	r->pinned = 1;
	request_keep_text(r, &r->session_id, id);
	return (0);
}

void
request_whole(struct request *r)
{
	struct rpc	 rpc;
	const char	*why = NULL;
	int		 code;

	r->bytes_in = r->body.len;
	if (r->method != METHOD_POST) {
		request_set_text(r, &r->rpc_method,
		    slice_of(forward_method(r)));
		if (!request_withdrawn(r) && request_stream(r) == 0)
			relay_start(r);
		return;
	}
	code = rpc_read(r->body.p == NULL ? "" : buf_data(&r->body),
	    r->body.len, &rpc, &why);
	/* null is none, and not to be echoed as one (Requests) */
	if (rpc.id.p != NULL && !slice_is(rpc.id, "null"))
		request_set_text(r, &r->rpc_id, rpc.id);
	if (r->refused.row != NULL) {
		request_note(r, &rpc);
		rpc_free(&rpc);
		answer_refusal(r);
		return;
	}
	if (code != 0) {
		rpc_free(&rpc);
		answer_refuse_as(r, refuse(code == RPC_PARSE_ERROR ?
		    REFUSE_JSON : REFUSE_ENVELOPE), why);
		return;
	}
	request_note(r, &rpc);
	if (request_withdrawn(r) || request_message(r, &rpc) == -1) {
		rpc_free(&rpc);
		return;
	}
	if (r->accord == ACCORD_OPEN || r->accord == ACCORD_DISCOVER)
		code = request_settle(r, &rpc);
	rpc_free(&rpc);
	if (code == -1)
		client_abort(r->client);
	else
		relay_start(r);
}

/* Was its body held back until a reload took its credential away?  1: and it
 * is answered. */
static int
request_withdrawn(struct request *r)
{
	if (!state_leaving() || !auth_withdrawn(r->key_mark,
	    r->signed_by ? r->signer : NULL))
		return (0);
	request_late(r);
	return (1);
}

/*
 * Its answer is judged for the revisions that it says: it may not be coded.
 * One that initialize proposes and that is none of ours is replaced before any
 * upstream agrees to it, and so is one in its field.  0 or -1.
 */
static int
request_settle(struct request *r, const struct rpc *rpc)
{
	struct buf	 made = { 0 };
	const char	*offer, *body = buf_data(&r->body);
	char		 plain[RPC_METHOD_MAX];
	size_t		 before, after;
	int		 failed;

	r->uncoded = 1;
	if (r->accord != ACCORD_OPEN)
		return (0);
	r->unversioned = !r->revision.allowed || r->revision.stateless;
	if (rpc->proposed.p == NULL)
		return (0);
	if (rpc->proposed.len <= sizeof(plain))
		request_set_text(r, &r->proposed, (struct slice){ plain,
		    json_unescape(rpc->proposed, plain) });
	if ((offer = accord_offer(rpc->proposed)) == NULL)
		return (0);
	before = (size_t)(rpc->proposed.p - body);
	after = before + rpc->proposed.len;
	failed = buf_append(&made, body, before) == -1;
	failed |= buf_puts(&made, offer) == -1;
	failed |= buf_append(&made, body + after, r->body.len - after) == -1;
	buf_free(&r->body);
	r->body = made;
	return (failed ? -1 : 0);
}

/* What the log says of the message. */
static void
request_note(struct request *r, const struct rpc *rpc)
{
	if (rpc->method.len > 0)
		request_set_text(r, &r->rpc_method, rpc->method);
	else if (rpc->kind == RPC_RESPONSE)
		request_set_text(r, &r->rpc_method, slice_of("response"));
	/* 2026-07-28, Subscriptions: it is answered when it ends */
	r->listening = slice_is(rpc->method, "subscriptions/listen");
	if (slice_is(rpc->method, "tools/call") ||
	    slice_is(rpc->method, "prompts/get") ||
	    slice_is(rpc->method, "resources/read") ||
	    slice_is(rpc->method, "resources/subscribe") ||
	    slice_is(rpc->method, "resources/unsubscribe"))
		request_set_text(r, &r->tool, rpc->name);
}

void
request_body_late(struct request *r)
{
	answer_refuse(r, refuse(REFUSE_BODY_LATE));
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
request_end(struct request *r, int streams_only)
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
	if (r->state == REQ_AUTH) {
		auth_unwait(&r->wait);
		r->state = REQ_BODY;
	}
	r->client->unread = 1;
	answer_refuse(r, refuse(REFUSE_DRAINING));
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
request_late(struct request *r)
{
	if (r->state == REQ_AUTH) {
		auth_unwait(&r->wait);
		r->state = REQ_BODY;
	}
	r->client->close = 1;
	answer_refuse(r, refuse(r->client->newcomer ? REFUSE_STOPPING :
	    REFUSE_RELOADED));
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

	if (!r->mcp || r->recorded)
		return;
	r->recorded = 1;
	if (request_strange(r) && !flood_pass(&r->addr))
		return;
	memset(&e, 0, sizeof(e));
	e.session_id = request_text(r, r->session_id);
	e.method = request_text(r, r->rpc_method);
	e.action = r->action;
	e.has_auth = r->has_auth;
	e.auth = r->auth;
	e.client_id = request_text(r, r->client_id);
	e.key_id = request_text(r, r->key_id);
	e.scopes = request_text(r, r->scopes);
	e.latency_ms = clock_mono() - r->began;
	e.request_id = slice_of(r->id);
	e.client_ip = request_text(r, r->client_ip);
	e.tool = request_text(r, r->tool);
	if (r->upstream < conf->nupstreams)
		e.upstream = slice_of(conf->upstreams[r->upstream].name);
	e.status = r->status;
	e.bytes_in = r->bytes_in;
	e.bytes_out = r->bytes_out;
	e.transport = slice_of(r->transport);
	/* the client is told less */
	e.error = slice_of(r->why != NULL ? r->why : r->error);
	e.brief = request_strange(r);
	e.told = r->unrecordable;
	if (audit_add(&e) == -1 && !r->unrecordable && !conf->audit_allow)
		r->client->close = 1;
	if (!r->unrecordable)
		r->client->ops->recorded(r->client);
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
