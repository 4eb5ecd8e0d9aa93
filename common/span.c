/*
 * Spans between worker and fetcher: sender and receiver side by side.
 */
#include <string.h>

#include "common/span.h"

static const struct {
	const char	*name;
	int		 number;
} keys[SPAN_KEY_MAX] = {
	[SPAN_METHOD_NAME] = { "mcp.method.name", 0 },
	[SPAN_ERROR_TYPE] = { "error.type", 0 },
	[SPAN_TOOL] = { "gen_ai.tool.name", 0 },
	[SPAN_PROMPT] = { "gen_ai.prompt.name", 0 },
	[SPAN_OPERATION] = { "gen_ai.operation.name", 0 },
	[SPAN_RPC_ID] = { "jsonrpc.request.id", 0 },
	[SPAN_RPC_STATUS] = { "rpc.response.status_code", 0 },
	[SPAN_PROTOCOL] = { "mcp.protocol.version", 0 },
	[SPAN_SESSION] = { "mcp.session.id", 0 },
	[SPAN_CLIENT_ADDRESS] = { "client.address", 0 },
	[SPAN_SERVER_ADDRESS] = { "server.address", 0 },
	[SPAN_SERVER_PORT] = { "server.port", 1 },
	[SPAN_NET_NAME] = { "network.protocol.name", 0 },
	[SPAN_NET_VERSION] = { "network.protocol.version", 0 },
	[SPAN_NET_TRANSPORT] = { "network.transport", 0 },
	[SPAN_HTTP_STATUS] = { "http.response.status_code", 1 },
	[SPAN_MCP_METHOD] = { "mcp.method", 0 },
	[SPAN_MCP_TOOL] = { "mcp.tool.name", 0 },
	[SPAN_TRANSPORT] = { "mcp.transport", 0 },
	[SPAN_UPSTREAM] = { "mcp.upstream", 0 },
	[SPAN_DECISION] = { "mcp.policy.decision", 0 },
	[SPAN_RULE] = { "mcp.policy.rule_id", 0 },
	[SPAN_KEY_ID] = { "mcp.auth.key_id", 0 },
	[SPAN_AUTH_RESULT] = { "mcp.auth.result", 0 },
	[SPAN_CLIENT_ID] = { "mcp.auth.oauth_client_id", 0 },
	[SPAN_SCOPES] = { "mcp.auth.scopes", 0 },
	[SPAN_BYTES_IN] = { "mcp.payload.bytes_in", 1 },
	[SPAN_BYTES_OUT] = { "mcp.payload.bytes_out", 1 },
	[SPAN_ERROR_KIND] = { "mcp.error.kind", 0 },
	[SPAN_REQUEST_ID] = { "mcp.request.id", 0 },
	[SPAN_STAGE] = { "mcp.stage", 0 }
};

/* Bits of a span's first byte, above its kind. */
#define KIND		0x03
#define HAS_PARENT	0x04
#define REMOTE		0x08
#define ERROR		0x10
#define LINKED		0x20
#define HAS_MESSAGE	0x40
#define ALL		0x7f

static void	 put_text(struct wbuf *, struct slice, size_t);
static void	 put_span(struct wbuf *, const struct span *);
static void	 get_text(struct rbuf *, size_t, struct slice *);
static void	 get_id(struct rbuf *, char *, size_t);
static void	 get_span(struct rbuf *, struct span *);
static void	 get_attr(struct rbuf *, struct span_attr *);

const char *
span_key_name(enum span_key k)
{
	return (keys[k].name);
}

int
span_key_number(enum span_key k)
{
	return (keys[k].number);
}

static void
put_text(struct wbuf *w, struct slice s, size_t max)
{
	wire_put_bytes(w, s.p == NULL ? "" : s.p, s.len < max ? s.len : max);
}

void
span_pack(const struct span_tree *t, struct wbuf *w)
{
	size_t	 i;

	wire_put_bytes(w, t->trace, sizeof(t->trace));
	wire_put_u8(w, t->flags);
	put_text(w, t->state, SPAN_STATE_MAX);
	wire_put_u8(w, (uint8_t)t->n);
	for (i = 0; i < t->n; i++)
		put_span(w, &t->spans[i]);
}

static void
put_span(struct wbuf *w, const struct span *s)
{
	const struct span_attr	*a;

	wire_put_u8(w, (uint8_t)((unsigned)s->kind |
	    (s->has_parent ? HAS_PARENT : 0U) | (s->remote ? REMOTE : 0U) |
	    (s->error ? ERROR : 0U) | (s->linked ? LINKED : 0U) |
	    (s->message.p != NULL ? HAS_MESSAGE : 0U)));
	wire_put_bytes(w, s->id, sizeof(s->id));
	if (s->has_parent)
		wire_put_bytes(w, s->parent, sizeof(s->parent));
	wire_put_u64(w, s->begin);
	wire_put_u64(w, s->end);
	if (s->message.p != NULL)
		put_text(w, s->message, SPAN_TEXT_MAX);
	put_text(w, s->name, SPAN_NAME_MAX);
	if (s->linked) {
		wire_put_bytes(w, s->link_trace, sizeof(s->link_trace));
		wire_put_bytes(w, s->link_id, sizeof(s->link_id));
		wire_put_u8(w, s->link_flags);
	}
	wire_put_u8(w, (uint8_t)s->nattrs);
	for (a = s->attrs; a < s->attrs + s->nattrs; a++) {
		wire_put_u8(w, (uint8_t)a->key);
		if (keys[a->key].number)
			wire_put_u64(w, a->number);
		else
			put_text(w, a->text, SPAN_TEXT_MAX);
	}
}

int
span_unpack(const void *data, size_t len, struct span_tree *t)
{
	struct rbuf	 r;
	size_t		 i;

	rbuf_init(&r, data, len);
	get_id(&r, t->trace, sizeof(t->trace));
	t->flags = wire_get_u8(&r);
	get_text(&r, SPAN_STATE_MAX, &t->state);
	t->n = wire_get_u8(&r);
	if (r.failed || t->n == 0 || t->n > SPAN_MAX)
		return (-1);
	for (i = 0; i < t->n && !r.failed; i++)
		get_span(&r, &t->spans[i]);
	return (wire_end(&r));
}

static void
get_span(struct rbuf *r, struct span *s)
{
	uint8_t	 bits = wire_get_u8(r);
	size_t	 i;

	s->kind = bits & KIND;
	s->has_parent = (bits & HAS_PARENT) != 0;
	s->remote = (bits & REMOTE) != 0;
	s->error = (bits & ERROR) != 0;
	s->linked = (bits & LINKED) != 0;
	s->message = (struct slice){ NULL, 0 };
	get_id(r, s->id, sizeof(s->id));
	if (s->has_parent)
		get_id(r, s->parent, sizeof(s->parent));
	s->begin = wire_get_u64(r);
	s->end = wire_get_u64(r);
	if ((bits & HAS_MESSAGE) != 0)
		get_text(r, SPAN_TEXT_MAX, &s->message);
	get_text(r, SPAN_NAME_MAX, &s->name);
	if (s->linked) {
		get_id(r, s->link_trace, sizeof(s->link_trace));
		get_id(r, s->link_id, sizeof(s->link_id));
		s->link_flags = wire_get_u8(r);
	}
	s->nattrs = wire_get_u8(r);
	if ((bits & ~ALL) != 0 || s->nattrs > SPAN_ATTRS_MAX ||
	    (s->kind != SPAN_SERVER && s->kind != SPAN_CLIENT) ||
	    s->end < s->begin || s->name.len == 0)
		r->failed = 1;
	for (i = 0; i < s->nattrs && !r->failed; i++)
		get_attr(r, &s->attrs[i]);
}

static void
get_attr(struct rbuf *r, struct span_attr *a)
{
	uint8_t	 key = wire_get_u8(r);

	if (key >= SPAN_KEY_MAX) {
		r->failed = 1;
		return;
	}
	a->key = key;
	a->number = 0;
	a->text = (struct slice){ NULL, 0 };
	if (keys[key].number)
		a->number = wire_get_u64(r);
	else
		get_text(r, SPAN_TEXT_MAX, &a->text);
}

static void
get_text(struct rbuf *r, size_t max, struct slice *s)
{
	s->p = (const char *)wire_get_bytes(r, max, &s->len);
}

/* Digits, not all of them zero. */
static void
get_id(struct rbuf *r, char *id, size_t digits)
{
	const uint8_t	*p;
	size_t		 len, i;
	int		 some = 0;

	if ((p = wire_get_bytes(r, digits, &len)) == NULL || len != digits) {
		r->failed = 1;
		return;
	}
	for (i = 0; i < digits; i++) {
		if (memchr("0123456789abcdef", p[i], 16) == NULL)
			r->failed = 1;
		some |= p[i] != '0';
	}
	if (!some)
		r->failed = 1;
	memcpy(id, p, digits);
}
