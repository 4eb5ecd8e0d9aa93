/*
 * Gathers what spans say while a request goes its way, and makes them of it at
 * its end.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/span.h"
#include "common/stage.h"
#include "worker/mcp/outcome.h"
#include "worker/record/span.h"
#include "worker/request/spans.h"
#include "worker/wire/media.h"

#define HTTP_ERROR	400	/* and beyond */

/* One exchange. */
struct told {
	char		 id[SPAN_ID_LEN];
	uint64_t	 begin;		/* ns, of span_mono() */
	uint64_t	 end;
	size_t		 server;
	const char	*method;	/* of the gateway's own question */
	int		 status;	/* of HTTP; 0: no answer */
	const char	*error;		/* why there is none */
	int		 readable;
	struct outcome	 outcome;
};

struct spans {
	char		 id[SPAN_ID_LEN];
	struct text	 state;		/* the head's tracestate */
	size_t		 n;
	struct told	 told[SPAN_EXCHANGES];
};

static const struct worker_conf	*conf;

static struct told *current(struct request *);
static void	 put_server(struct request *, struct span *, uint64_t,
		    uint64_t);
static void	 put_exchange(struct request *, struct span *,
		    const struct told *, uint64_t, uint64_t);
static void	 put_message(struct request *, struct span *);
static void	 put_request(struct request *, struct span *);
static void	 put_name(struct request *, struct span *, struct slice);
static void	 put_rpc_id(struct request *, struct span *);
static void	 put_failure(struct request *, struct span *);
static void	 put_outcome(struct span *, const struct told *);
static void	 put_code(struct span *, int64_t);
static void	 put_status_error(struct span *, int);
static void	 put_link(const struct request *, struct span *);
static struct slice version(const struct request *);
static const char *kind_of(const struct refusal *, int);
static void	 put(struct span *, enum span_key, struct slice);
static void	 put_number(struct span *, enum span_key, uint64_t);
static void	 put_error(struct span *, struct slice);
static struct slice keep(const char *, size_t);

/* Texts of the tree that is being made. */
static char	 texts[4096];
static size_t	 ntexts;

void
spans_setup(const struct worker_conf *c)
{
	conf = c;
	span_setup(c);
}

void
spans_begin(struct request *r, const struct http1_head *h)
{
	trace_begin(&r->trace, h);
	r->minor = h == NULL ? 1 : h->minor;
	spans_judge(r);
	if (r->spans != NULL && r->trace.given &&
	    h->count[HTTP1_TRACESTATE] == 1 &&
	    trace_state_ok(http1_value(h, HTTP1_TRACESTATE)))
		request_keep_text(r, &r->spans->state,
		    http1_value(h, HTTP1_TRACESTATE));
}

void
spans_judge(struct request *r)
{
	if (!span_enabled())
		return;
	if (!span_sample(&r->trace)) {
		free(r->spans);
		r->spans = NULL;
		return;
	}
	/* without memory there is none of it */
	if (r->spans == NULL &&
	    (r->spans = calloc(1, sizeof(*r->spans))) != NULL)
		trace_make_span(r->spans->id);
}

/* The exchange under way, or the last one. */
static struct told *
current(struct request *r)
{
	return (r->spans == NULL || r->spans->n == 0 ? NULL :
	    &r->spans->told[r->spans->n - 1]);
}

void
spans_exchange(struct request *r, size_t server, const char *method)
{
	struct told	*t = current(r);

	trace_make_span(r->trace.up);
	if (r->spans == NULL)
		return;
	if (t != NULL && t->end == 0)
		t->end = span_mono();
	if (r->spans->n == SPAN_EXCHANGES)
		return;
	t = &r->spans->told[r->spans->n++];
	memcpy(t->id, r->trace.up, sizeof(t->id));
	t->begin = span_mono();
	t->server = server;
	t->method = method;
}

void
spans_other(struct request *r, size_t server, const char *method)
{
	spans_fail(r, EXCHANGE_REFUSED);
	spans_exchange(r, server, method);
}

void
spans_head(struct request *r, const struct http1_head *h)
{
	struct told	*t = current(r);
	enum media	 media;

	if (t == NULL || t->end != 0)
		return;
	media = media_of(h);
	t->status = h->status;
	t->readable = h->count[HTTP1_CONTENT_ENCODING] == 0 &&
	    (media == MEDIA_JSON || media == MEDIA_STREAM);
	outcome_begin(&t->outcome, media == MEDIA_STREAM);
}

void
spans_data(struct request *r, struct slice s)
{
	struct told	*t = current(r);

	if (t != NULL && t->readable)
		outcome_feed(&t->outcome, s);
}

void
spans_fail(struct request *r, enum exchange_error error)
{
	static const char *const names[] = {
		[EXCHANGE_REFUSED] = "unreachable",
		[EXCHANGE_TIMEOUT] = "timeout",
		[EXCHANGE_BROKEN] = "malformed",
		[EXCHANGE_CROWDED] = "crowded"
	};
	struct told	*t = current(r);

	if (t == NULL || t->end != 0)
		return;
	t->error = names[error];
	t->end = span_mono();
}

void
spans_end(struct request *r)
{
	static struct span_tree	 tree;
	uint64_t		 now, began;
	size_t			 i;

	if (r->spans == NULL)
		return;
	now = span_mono();
	/* by the clock that may be set, as it is now */
	began = span_now() - (now - r->began_us * 1000);
	if (r->mcp && r->recorded) {
		ntexts = 0;
		memcpy(tree.trace, r->trace.at.id, sizeof(tree.trace));
		tree.flags = trace_flags(&r->trace.at);
		tree.state = request_text(r, r->trace.in_head ?
		    r->spans->state : r->tracestate);
		tree.n = 1 + r->spans->n;
		put_server(r, &tree.spans[0], began, now);
		for (i = 0; i < r->spans->n; i++)
			put_exchange(r, &tree.spans[1 + i],
			    &r->spans->told[i], began, now);
		span_send(&tree);
	}
	free(r->spans);
	r->spans = NULL;
}

/* -- the spans ----------------------------------------------------------- */

static void
span_begin(struct span *s, enum span_kind kind, const char *id)
{
	memset(s, 0, offsetof(struct span, attrs));
	s->kind = kind;
	memcpy(s->id, id, sizeof(s->id));
}

static void
put_server(struct request *r, struct span *s, uint64_t began, uint64_t now)
{
	span_begin(s, SPAN_SERVER, r->spans->id);
	s->has_parent = s->remote = r->trace.given;
	memcpy(s->parent, r->trace.at.span, sizeof(s->parent));
	s->begin = began;
	s->end = began + (now - r->began_us * 1000);
	put_link(r, s);
	put_name(r, s, request_text(r, r->rpc_method));
	put_message(r, s);
	put(s, SPAN_CLIENT_ADDRESS, request_text(r, r->client_ip));
	put(s, SPAN_NET_VERSION, slice_of(r->minor == 0 ? "1.0" : "1.1"));
	put_request(r, s);
	put_failure(r, s);
}

/* A span of the client's, beside that of the message. */
static void
put_link(const struct request *r, struct span *s)
{
	s->linked = r->trace.linked;
	memcpy(s->link_trace, r->trace.link.id, sizeof(s->link_trace));
	memcpy(s->link_id, r->trace.link.span, sizeof(s->link_id));
	if (s->linked)
		s->link_flags = trace_flags(&r->trace.link);
}

static void
put_exchange(struct request *r, struct span *s, const struct told *t,
    uint64_t began, uint64_t now)
{
	const struct conf_upstream	*u = &conf->upstreams[r->upstream];
	const struct conf_server	*server;

	span_begin(s, SPAN_CLIENT, t->id);
	s->has_parent = 1;
	memcpy(s->parent, r->spans->id, sizeof(s->parent));
	s->begin = began + (t->begin - r->began_us * 1000);
	s->end = began + ((t->end == 0 ? now : t->end) - r->began_us * 1000);
	if (t->method != NULL) {
		s->name = slice_of(t->method);
		put(s, SPAN_METHOD_NAME, s->name);
		put(s, SPAN_NET_NAME, slice_of("http"));
		put(s, SPAN_NET_TRANSPORT, slice_of("tcp"));
	} else {
		put_name(r, s, request_text(r, r->rpc_method));
		put_message(r, s);
	}
	put(s, SPAN_NET_VERSION, slice_of("1.1"));
	server = &u->servers[t->server < u->nservers ? t->server : 0];
	put(s, SPAN_SERVER_ADDRESS, slice_of(server->host));
	put_number(s, SPAN_SERVER_PORT, server->port);
	put(s, SPAN_UPSTREAM, slice_of(u->name));
	if (t->status != 0)
		put_number(s, SPAN_HTTP_STATUS, (uint64_t)t->status);
	if (t->error != NULL)
		put_error(s, slice_of(t->error));
	else if (t->outcome.answered)
		put_outcome(s, t);
	else if (t->status >= HTTP_ERROR)
		put_status_error(s, t->status);
	else if (t->status == 0)
		put_error(s, slice_of("cancelled"));
}

/* "{mcp.method.name} {target}", where there are few targets: a URI is none. */
static void
put_name(struct request *r, struct span *s, struct slice method)
{
	struct slice	 tool = request_text(r, r->tool);
	char		 name[SPAN_NAME_MAX + 1];
	int		 n;

	if (method.len == 0)
		method = slice_of("_OTHER");
	put(s, SPAN_METHOD_NAME, method);
	s->name = method;
	if (tool.len == 0 || (!slice_is(method, "tools/call") &&
	    !slice_is(method, "prompts/get")))
		return;
	n = snprintf(name, sizeof(name), "%.*s %.*s", (int)method.len,
	    method.p, (int)tool.len, tool.p);
	if (n > 0 && (size_t)n < sizeof(name))
		s->name = keep(name, (size_t)n);
}

/* What the conventions ask for, on either side. */
static void
put_message(struct request *r, struct span *s)
{
	struct slice	 method = request_text(r, r->rpc_method);
	struct slice	 tool = request_text(r, r->tool);

	if (slice_is(method, "tools/call")) {
		put(s, SPAN_OPERATION, slice_of("execute_tool"));
		put(s, SPAN_TOOL, tool);
	} else if (slice_is(method, "prompts/get"))
		put(s, SPAN_PROMPT, tool);
	put_rpc_id(r, s);
	put(s, SPAN_PROTOCOL, version(r));
	/* the last revision has none */
	if (!r->stateless)
		put(s, SPAN_SESSION, request_text(r, r->session_id));
	put(s, SPAN_NET_NAME, slice_of("http"));
	put(s, SPAN_NET_TRANSPORT, slice_of("tcp"));
}

/* A string without its quotes. */
static void
put_rpc_id(struct request *r, struct span *s)
{
	struct slice	 id = request_text(r, r->rpc_id);
	char		 text[SPAN_TEXT_MAX];

	if (id.len == 0 || id.len > sizeof(text))
		return;
	if (id.len >= 2 && id.p[0] == '"' && id.p[id.len - 1] == '"') {
		id.p++;
		id.len -= 2;
		id = keep(text, json_unescape(id, text));
	}
	put(s, SPAN_RPC_ID, id);
}

/* What is known of it, as the client's field has it or the revision says. */
static struct slice
version(const struct request *r)
{
	if (r->mcp_version.set)
		return (request_text(r, r->mcp_version));
	if (r->proposed.set)
		return (request_text(r, r->proposed));
	return (slice_of(r->stateless ? "2026-07-28" : "2025-03-26"));
}

/* The attributes of the audit log, by the names that the original has. */
static void
put_request(struct request *r, struct span *s)
{
	struct slice	 tool = request_text(r, r->tool);
	struct slice	 method = request_text(r, r->rpc_method);

	put(s, SPAN_MCP_METHOD, method);
	if (!slice_is(method, "tools/call"))
		tool = slice_of("");
	s->attrs[s->nattrs++] = (struct span_attr){ SPAN_MCP_TOOL, tool, 0 };
	put(s, SPAN_TRANSPORT, slice_of(r->transport));
	if (r->upstream < conf->nupstreams)
		put(s, SPAN_UPSTREAM,
		    slice_of(conf->upstreams[r->upstream].name));
	put(s, SPAN_DECISION, slice_of(audit_action_name(r->action)));
	if (r->has_auth)
		put(s, SPAN_AUTH_RESULT, slice_of(auth_result_name(r->auth)));
	put(s, SPAN_KEY_ID, request_text(r, r->key_id));
	put(s, SPAN_CLIENT_ID, request_text(r, r->client_id));
	put(s, SPAN_SCOPES, request_text(r, r->scopes));
	put_number(s, SPAN_BYTES_IN, r->bytes_in);
	put_number(s, SPAN_BYTES_OUT, r->bytes_out);
	put(s, SPAN_REQUEST_ID, slice_of(r->id));
	if (r->status != 0)
		put_number(s, SPAN_HTTP_STATUS, (uint64_t)r->status);
}

/* Why it failed, if it did: by the gateway's word, or by the upstream's. */
static void
put_failure(struct request *r, struct span *s)
{
	const struct refusal	*f = r->refused.row;
	const struct told	*t = current(r);

	if (f != NULL) {
		put_code(s, f->code);
		put(s, SPAN_ERROR_KIND, slice_of(kind_of(f,
		    r->refused.status)));
		put(s, SPAN_STAGE, slice_of(r->stage < STAGE_MAX ?
		    stage_name(r->stage) : STAGE_HEAD_NAME));
		s->message = slice_of(r->refused.text);
	} else if (r->action == AUDIT_ABORTED) {
		put_error(s, slice_of("cancelled"));
		put(s, SPAN_ERROR_KIND, slice_of("aborted"));
		s->message = slice_of(r->error);
	} else if (r->action == AUDIT_ERROR) {
		put_error(s, slice_of("_OTHER"));
		put(s, SPAN_ERROR_KIND, slice_of("upstream_error"));
		s->message = slice_of(r->error);
	} else if (t != NULL && t->outcome.answered)
		put_outcome(s, t);
	else if (r->status >= HTTP_ERROR)
		put_status_error(s, r->status);
}

static void
put_outcome(struct span *s, const struct told *t)
{
	const struct outcome	*o = &t->outcome;

	if (o->coded)
		put_code(s, o->code);
	else if (o->failed)
		put_error(s, slice_of("_OTHER"));
	else if (o->tool_error)
		put_error(s, slice_of("tool_error"));
	else if (t->status >= HTTP_ERROR)
		put_status_error(s, t->status);
}

/* Of JSON-RPC. */
static void
put_code(struct span *s, int64_t code)
{
	char		 text[24];
	struct slice	 v;

	v = keep(text, (size_t)snprintf(text, sizeof(text), "%" PRId64,
	    code));
	put_error(s, v);
	put(s, SPAN_RPC_STATUS, v);
}

static void
put_status_error(struct span *s, int status)
{
	char	 text[16];

	put_error(s, keep(text, (size_t)snprintf(text, sizeof(text), "%d",
	    status)));
}

/* In few words, which stay what they are. */
static const char *
kind_of(const struct refusal *f, int status)
{
	static const struct {
		int		 code;
		const char	*kind;
	} kinds[] = {
		{ RPC_PARSE_ERROR, "parse_error" },
		{ RPC_HEADER_MISMATCH, "header_mismatch" },
		{ RPC_UNSUPPORTED_VERSION, "unsupported_version" },
		{ RPC_UNAUTHENTICATED, "unauthorized" },
		{ RPC_FORBIDDEN, "forbidden" },
		{ RPC_RATE_LIMITED, "rate_limited" },
		{ RPC_UNAVAILABLE, "unavailable" },
		{ RPC_GATEWAY_TIMEOUT, "upstream_timeout" }
	};
	size_t	 i;

	if (f->code == RPC_BAD_GATEWAY)
		return (f == refuse(REFUSE_UP_UNREACHED) ?
		    "upstream_unreachable" : "upstream_error");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].code == f->code)
			return (kinds[i].kind);
	return (status == 404 ? "no_route" : status == 413 ?
	    "body_too_large" : "invalid_request");
}

/* -- attributes ---------------------------------------------------------- */

static void
put(struct span *s, enum span_key key, struct slice text)
{
	if (text.len > 0 && s->nattrs < SPAN_ATTRS_MAX)
		s->attrs[s->nattrs++] = (struct span_attr){ key, text, 0 };
}

static void
put_number(struct span *s, enum span_key key, uint64_t v)
{
	if (s->nattrs < SPAN_ATTRS_MAX)
		s->attrs[s->nattrs++] = (struct span_attr){ key,
		    { NULL, 0 }, v };
}

static void
put_error(struct span *s, struct slice type)
{
	s->error = 1;
	put(s, SPAN_ERROR_TYPE, type);
}

/* A copy that lasts until the tree is sent. */
static struct slice
keep(const char *p, size_t len)
{
	struct slice	 s = { NULL, 0 };

	if (len <= sizeof(texts) - ntexts) {
		s.p = memcpy(texts + ntexts, p, len);
		s.len = len;
		ntexts += len;
	}
	return (s);
}
