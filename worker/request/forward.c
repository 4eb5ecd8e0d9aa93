/*
 * Rewrites heads.  A credential never travels on, nor does anything that
 * speaks of one connection only; what we vouch for replaces what came in.
 */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/stats.h"
#include "worker/mcp/session.h"
#include "worker/record/trace.h"
#include "worker/request/cors.h"
#include "worker/request/forward.h"
#include "worker/who/auth.h"
#include "worker/wire/cookies.h"
#include "worker/wire/forwarded.h"
#include "worker/wire/http1_keep.h"
#include "worker/wire/http1_put.h"
#include "worker/wire/mediatype.h"

static const struct worker_conf	*conf;

static int	 kept(const struct http1_field *);
static struct slice server_query(const struct request *,
		    const struct conf_server *);
static void	 put_line(const struct request *, size_t, const char *,
		    struct buf *);
static void	 put_carried(const struct request *,
		    const struct http1_head *, const struct conf_upstream *,
		    struct buf *);
static int	 overruled(const struct request *, struct slice);
static void	 put_trace(const struct request *, struct buf *);
static void	 put_fixed(const struct request *,
		    const struct conf_upstream *, struct buf *);
static void	 put_harmless(struct buf *);
static void	 put_streaming(const struct http1_head *, struct buf *);
static int	 replaced(const struct conf_upstream *,
		    const struct http1_field *);
static void	 put_identity(const struct request *, struct buf *);
static void	 put_escaped(struct buf *, struct slice);
static void	 put_session(struct request *, const struct http1_head *,
		    struct buf *);
static void	 put_via(struct buf *, const struct http1_head *);
static void	 put_forwarded(const struct request *,
		    const struct http1_head *, const struct conf_upstream *,
		    struct buf *);
static void	 put_said(struct buf *, const struct conf_upstream *,
		    const struct http1_head *, struct slice, enum http1_name,
		    struct slice);
static struct slice forwarded_kept(const struct request *,
		    const struct http1_head *);
static int	 sets(const struct conf_upstream *, const char *);

void
forward_setup(const struct worker_conf *c)
{
	conf = c;
	cookies_setup(c);
	forwarded_setup(c);
}

const char *
forward_method(const struct request *r)
{
	return (r->method == METHOD_POST ? "POST" :
	    r->method == METHOD_GET ? "GET" : "DELETE");
}

int
forward_keep(struct request *r, const struct http1_head *h)
{
	return (http1_keep(&r->kept, h, kept));
}

/* Whatever may be asked of it later, but nobody is to have its credential. */
static int
kept(const struct http1_field *f)
{
	return ((f->flags & FIELD_CREDENTIAL) == 0 && !auth_is_key_field(f));
}

void
forward_put_target(const struct request *r, size_t server, struct buf *b)
{
	const struct conf_server	*s;
	struct slice			 query;

	if (r->target.set) {
		buf_append(b, request_text(r, r->target).p, r->target.len);
		return;
	}
	s = &conf->upstreams[r->upstream].servers[server];
	query = server_query(r, s);
	buf_puts(b, s->path);
	if (query.p != NULL)
		buf_puts(b, "?");
	buf_append(b, query.p, query.len);
}

/* Of two parameters of one name servers take either: theirs, or the client's,
 * but never both. */
static struct slice
server_query(const struct request *r, const struct conf_server *s)
{
	return (s->query != NULL ? slice_of(s->query) : r->kept.query);
}

static void
put_line(const struct request *r, size_t server, const char *method,
    struct buf *b)
{
	const struct conf_upstream	*u = &conf->upstreams[r->upstream];
	const struct conf_server	*s = &u->servers[server];
	struct slice			 none = { NULL, 0 };

	if (r->target.set)
		http1_put_request(b, method, request_text(r, r->target), none,
		    conf_server_authority(u, s));
	else
		http1_put_request(b, method, slice_of(s->path),
		    server_query(r, s), conf_server_authority(u, s));
}

int
forward_put_head(const struct request *r, size_t server, struct buf *b)
{
	const struct conf_upstream	*u = &conf->upstreams[r->upstream];
	const struct http1_head		*h = http1_kept_head(&r->kept);
	struct slice			 session;

	put_line(r, server, forward_method(r), b);
	put_carried(r, h, u, b);
	http1_put_str(b, "X-Request-Id", r->id);
	put_forwarded(r, h, u, b);
	put_trace(r, b);
	put_via(b, h);
	session = request_text(r, r->session_id);
	if (session.p != NULL)
		http1_put_field(b, slice_of("Mcp-Session-Id"), session);
	if (u->cookies)
		cookies_put_request(b, h, u);
	put_fixed(r, u, b);
	if (u->identity_headers)
		put_identity(r, b);
	return (buf_check(b));
}

/* What the client sent and may. */
static void
put_carried(const struct request *r, const struct http1_head *h,
    const struct conf_upstream *u, struct buf *b)
{
	const struct http1_field	*f;
	const char			*accept = mediatype_accept(h);
	int				 stateless = r->revision.stateless;

	if (accept != NULL)
		http1_put_str(b, "Accept", accept);
	for (f = h->field; f < h->field + h->nfield; f++) {
		if (f->connection || (f->flags & FIELD_NOT_UP) != 0 ||
		    auth_is_key_field(f) || overruled(r, f->name) ||
		    (f->id == HTTP1_LAST_EVENT_ID && stateless) ||
		    replaced(u, f) ||
		    (f->id == HTTP1_ACCEPT && accept != NULL) ||
		    (f->id == HTTP1_TRACESTATE && !r->trace.in_head))
			continue;
		http1_put_field(b, f->name, f->value);
	}
	if (r->uncoded)
		http1_put_str(b, "Accept-Encoding", "identity");
}

/* Did the body show that it may not go on? */
static int
overruled(const struct request *r, struct slice name)
{
	return ((r->uncoded && slice_is_nocase(name, "Accept-Encoding")) ||
	    (r->unversioned && slice_is_nocase(name,
	    "MCP-Protocol-Version")));
}

static void
put_fixed(const struct request *r, const struct conf_upstream *u,
    struct buf *b)
{
	struct slice	 name;
	size_t		 i;

	for (i = 0; i < u->nheaders; i++) {
		name = slice_of(u->headers[i].name);
		if (!overruled(r, name))
			http1_put_field(b, name,
			    slice_of(u->headers[i].value));
	}
}

int
forward_put_own(const struct request *r, size_t server, struct buf *b)
{
	static const struct http1_head	 none;

	put_line(r, server, "POST", b);
	http1_put_str(b, "X-Request-Id", r->id);
	put_trace(r, b);
	put_via(b, &none);
	put_fixed(r, &conf->upstreams[r->upstream], b);
	return (buf_check(b));
}

/* Its own span, in the client's trace or one that began here. */
static void
put_trace(const struct request *r, struct buf *b)
{
	char	 parent[TRACE_PARENT_LEN];

	trace_put(&r->trace, parent);
	http1_put_field(b, slice_of("traceparent"),
	    (struct slice){ parent, sizeof(parent) });
	if (r->tracestate.set)
		http1_put_field(b, slice_of("tracestate"),
		    request_text(r, r->tracestate));
}

/* Does a fixed field of the upstream's take its place? */
static int
replaced(const struct conf_upstream *u, const struct http1_field *f)
{
	size_t	 i;

	for (i = 0; i < u->nheaders; i++)
		if (slice_is_nocase(f->name, u->headers[i].name))
			return (1);
	return (0);
}

/* Who the caller is, as far as is known. */
static void
put_identity(const struct request *r, struct buf *b)
{
	static const char *const names[] = { "X-Mcpgw-Client-Id",
	    "X-Mcpgw-Subject", "X-Mcpgw-Key-Id", "X-Mcpgw-Scopes" };
	const struct text *const texts[] = { &r->client_id, &r->sub,
	    &r->key_id, &r->scopes };
	struct slice	 v;
	size_t		 i;

	for (i = 0; i < 4; i++) {
		v = request_text(r, *texts[i]);
		if (v.len == 0)
			continue;
		http1_open_field(b, names[i]);
		put_escaped(b, v);
		http1_close_field(b);
	}
}

/* What is not printable ASCII comes as %XX (RFC 3986 section 2.1), and so
 * does '%': claims are whatever the authorization server lets through. */
static void
put_escaped(struct buf *b, struct slice v)
{
	static const char	 hex[] = "0123456789ABCDEF";
	unsigned char		 ch;
	char			*p, *start;
	size_t			 i;

	if ((start = p = buf_room(b, 3 * v.len)) == NULL)
		return;
	for (i = 0; i < v.len; i++) {
		ch = (unsigned char)v.p[i];
		if (ch >= 0x20 && ch < 0x7f && ch != '%') {
			*p++ = (char)ch;
			continue;
		}
		*p++ = '%';
		*p++ = hex[ch >> 4];
		*p++ = hex[ch & 15];
	}
	buf_added(b, (size_t)(p - start));
}

int
forward_response(struct request *r, const struct http1_head *h)
{
	struct buf	*out = client_answer(r->client, h->status);
	size_t		 i;

	for (i = 0; i < h->nfield; i++)
		if (!h->field[i].connection &&
		    (h->field[i].flags & FIELD_NOT_DOWN) == 0 &&
		    !auth_is_key_field(&h->field[i]))
			http1_put_field(out, h->field[i].name,
			    h->field[i].value);
	put_harmless(out);
	if (http1_is_event_stream(h))
		put_streaming(h, out);
	put_session(r, h, out);
	if (conf->upstreams[r->upstream].cookies)
		cookies_put_response(out, h,
		    &conf->upstreams[r->upstream]);
	http1_put_str(out, "X-Request-Id", r->id);
	if (h->count[HTTP1_DATE] == 0)
		http1_put_date(out);
	if (r->origin.set)
		cors_put(out, request_text(r, r->origin), h);
	return (client_fields_end(r->client, h->body == HTTP1_BODY_NONE ?
	    CLIENT_NO_BODY : h->body == HTTP1_BODY_LENGTH ?
	    h->content_length : CLIENT_OPEN));
}

/* A page of an upstream's would run with the rights of the gateway's origin,
 * at which browsers may have more than this. */
static void
put_harmless(struct buf *out)
{
	http1_put_str(out, "X-Content-Type-Options", "nosniff");
	http1_put_str(out, "Content-Security-Policy", "sandbox");
}

/* Proxies in front of us pass events on as they come (2026-07-28, Streamable
 * HTTP); where the upstream says how, that holds. */
static void
put_streaming(const struct http1_head *h, struct buf *out)
{

	if (h->count[HTTP1_X_ACCEL_BUFFERING] == 0)
		http1_put_str(out, "X-Accel-Buffering", "no");
	if (h->count[HTTP1_CACHE_CONTROL] == 0)
		http1_put_str(out, "Cache-Control", "no-cache, no-transform");
}

/* The upstream's session, as this client is to know it. */
static void
put_session(struct request *r, const struct http1_head *h, struct buf *out)
{
	struct slice	 id = http1_value(h, HTTP1_MCP_SESSION_ID);
	struct session_owner owner;

	/* a revision that has none neither gets nor keeps one */
	if (id.p == NULL || r->stateless)
		return;
	request_owner(r, &owner);
	http1_open_field(out, "Mcp-Session-Id");
	if (session_seal(&owner, r->upstream, id, r->server, out) == -1)
		buf_fail(out);
	/* one that it named itself it has already */
	if (!r->pinned)
		stats_session(conf->upstreams[r->upstream].number);
	http1_close_field(out);
}

void
forward_client_ip(struct request *r, const struct http1_head *h)
{
	struct proto_addr	 a = r->client->addr;
	char			 text[INET6_ADDRSTRLEN];
	const char		*ip = r->client->ip;

	/* several fields: their order is a matter of opinion */
	if (conf->nproxies > 0 && h != NULL) {
		if (h->count[HTTP1_X_FORWARDED_FOR] == 1)
			forwarded_for(http1_value(h, HTTP1_X_FORWARDED_FOR),
			    &a);
		else if (h->count[HTTP1_X_FORWARDED_FOR] == 0 &&
		    h->count[HTTP1_FORWARDED] == 1)
			(void)forwarded_elements(http1_value(h,
			    HTTP1_FORWARDED), &a);
		ip = inet_ntop(a.family, a.addr, text, sizeof(text));
	}
	r->addr = a;
	request_set_text(r, &r->client_ip, slice_of(ip));
}

/* How it came here: by what we know, or what a trusted proxy says of the
 * client's side.  What the upstream's configuration sets is left out. */
static void
put_forwarded(const struct request *r, const struct http1_head *h,
    const struct conf_upstream *u, struct buf *b)
{
	int		 proxied;
	struct slice	 v;

	proxied = conf->nproxies > 0 && forwarded_trusts(&r->client->addr);
	if (!sets(u, "X-Forwarded-For"))
		http1_put_field(b, slice_of("X-Forwarded-For"),
		    request_text(r, r->client_ip));
	v = slice_of(r->client->secure ? "https" : "http");
	put_said(b, u, h, slice_of("X-Forwarded-Proto"),
	    proxied ? HTTP1_X_FORWARDED_PROTO : HTTP1_OTHER, v);
	put_said(b, u, h, slice_of("X-Forwarded-Host"),
	    proxied ? HTTP1_X_FORWARDED_HOST : HTTP1_OTHER,
	    http1_value(h, HTTP1_HOST));
	if (!proxied)
		return;
	v = (struct slice){ NULL, 0 };
	put_said(b, u, h, slice_of("X-Forwarded-Port"),
	    HTTP1_X_FORWARDED_PORT, v);
	v = forwarded_kept(r, h);
	if (v.len > 0 && !sets(u, "Forwarded"))
		http1_put_field(b, slice_of("Forwarded"), v);
}

/* One of these fields: as the proxy sent it, if it did so once (id
 * HTTP1_OTHER: it is not asked), else by default, if there is one. */
static void
put_said(struct buf *b, const struct conf_upstream *u,
    const struct http1_head *h, struct slice name, enum http1_name id,
    struct slice by_default)
{
	struct slice	 v = by_default;

	if (sets(u, name.p))
		return;
	if (id != HTTP1_OTHER && h->count[id] == 1 &&
	    http1_value(h, id).len > 0)
		v = http1_value(h, id);
	if (v.p != NULL)
		http1_put_field(b, name, v);
}

/* The part of Forwarded that trusted proxies made, unless it speaks of another
 * client than the one that the request counts for. */
static struct slice
forwarded_kept(const struct request *r, const struct http1_head *h)
{
	struct proto_addr	 a = r->client->addr;
	struct slice		 kept = { NULL, 0 };

	if (h->count[HTTP1_FORWARDED] == 1)
		kept = forwarded_elements(http1_value(h, HTTP1_FORWARDED),
		    &a);
	if (a.family != r->addr.family ||
	    memcmp(a.addr, r->addr.addr, sizeof(a.addr)) != 0)
		kept.len = 0;
	return (kept);
}

/* Does the upstream's configuration set this field? */
static int
sets(const struct conf_upstream *u, const char *name)
{
	size_t	 i;

	for (i = 0; i < u->nheaders; i++)
		if (strcasecmp(u->headers[i].name, name) == 0)
			return (1);
	return (0);
}

/* Who handed it on, in order, and we. */
static void
put_via(struct buf *b, const struct http1_head *h)
{
	size_t	 i;

	http1_open_field(b, "Via");
	for (i = 0; h->count[HTTP1_VIA] > 0 && i < h->nfield; i++)
		if (h->field[i].id == HTTP1_VIA && h->field[i].value.len > 0) {
			buf_append(b, h->field[i].value.p,
			    h->field[i].value.len);
			buf_puts(b, ", ");
		}
	buf_puts(b, h->minor == 1 ? "1.1 " : "1.0 ");
	buf_puts(b, session_pseudonym());
	http1_close_field(b);
}

int
forward_looped(const struct http1_head *h)
{
	const char	*name = session_pseudonym();
	size_t		 i;

	for (i = 0; h->count[HTTP1_VIA] > 0 && i < h->nfield; i++)
		if (h->field[i].id == HTTP1_VIA &&
		    memmem(h->field[i].value.p, h->field[i].value.len, name,
		    strlen(name)) != NULL)
			return (1);
	return (0);
}
