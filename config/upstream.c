/*
 * upstreams: each a name, one or several URLs, and how to talk to them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/field.h"
#include "config/cfg.h"

#define UP(field)	offsetof(struct conf_upstream, field)
#define FIELD_VALUE_MAX	4000

static void	 upstream_name(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 upstream_url(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 upstream_urls(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 upstream_headers(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 upstream_file(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 server_name(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 health_path(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 server_get(struct cfg *, const struct ynode *,
		    struct conf_server *);
static int	 same_server(const struct conf_server *,
		    const struct conf_server *);
static int	 header_ok(struct cfg *, const struct ynode *);
static void	 required(struct cfg *, const struct ynode *);
static void	 repeated(struct cfg *, const struct ynode *);
static void	 inherit(uint64_t *, uint64_t);

static const struct cfg_key upstream_keys[] = {
	{ "name", upstream_name, UP(name), 0, 0 },
	{ "url", upstream_url, 0, 0, 0 },
	{ "urls", upstream_urls, 0, 0, 0 },
	{ "headers", upstream_headers, 0, 0, 0 },
	{ "host", cfg_host, UP(host), 1, 0 },
	{ "tls.ca_file", upstream_file, 0, 0, 0 },
	{ "tls.server_name", server_name, UP(tls_server_name), 0, 0 },
	{ "tls.cert_file", upstream_file, 0, 1, 0 },
	{ "tls.key_file", upstream_file, 0, 2, 0 },
	{ "health.path", health_path, UP(health_path), 0, 0 },
	{ NULL, NULL, 0, 0, 0 }
};

static const struct cfg_map upstream_map = { &conf_upstream_schema,
	upstream_keys };

void
cfg_upstreams(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct worker_conf	*w = dst;
	struct conf_upstream	*u;
	const struct ynode	*item;
	size_t			 total;

	(void)k;
	total = cfg_list(c, n, CONF_UPSTREAMS_MAX,
	    "a list of upstreams, each with a name and a url");
	if (total == 0)
		return;
	w->upstreams = calloc(total, sizeof(*w->upstreams));
	c->conf->up_files = calloc(total, sizeof(*c->conf->up_files));
	if (w->upstreams == NULL || c->conf->up_files == NULL) {
		cfg_nomem(c);
		return;
	}
	c->conf->nup_files = total;
	for (item = n->first; item != NULL; item = item->next) {
		u = &w->upstreams[w->nupstreams++];
		schema_defaults(&conf_upstream_schema, u);
		if (item->kind == YNODE_MAP) {
			cfg_walk(c, item, &upstream_map, u);
			required(c, item);
			repeated(c, item);
		} else if (item->kind != YNODE_BAD)
			cfg_expected(c, item, "a mapping with name and url");
	}
}

void
cfg_fill_upstreams(struct cfg *c)
{
	struct worker_conf	*w = &c->conf->w;
	struct conf_upstream	*u;
	size_t			 i, servers = 0;

	for (i = 0; i < w->nupstreams; i++) {
		u = &w->upstreams[i];
		inherit(&u->t_connect, w->t_connect);
		inherit(&u->t_response, w->t_response);
		inherit(&u->t_stream_idle, w->t_stream_idle);
		servers += u->nservers;
	}
	if (servers > CONF_HOSTS_MAX)
		cfg_error(c, cfg_node(c, "upstreams"), "expected at most %d "
		    "URLs in all, got %zu", CONF_HOSTS_MAX, servers);
}

/* What clients may expect below /mcp by another convention is nobody's
 * name. */
static void
upstream_name(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	if (n->kind == YNODE_SCALAR && strcmp(n->text, "server-card") == 0)
		cfg_expected(c, n, "another name than server-card: "
		    "/mcp/server-card is reserved");
	else
		cfg_name(c, n, k, dst);
}

static void
inherit(uint64_t *t, uint64_t all)
{
	if (*t == CONF_UNSET)
		*t = all;
}

static void
upstream_url(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct conf_upstream	*u = dst;

	(void)k;
	if (ynode_get(n->parent, "urls") != NULL) {
		cfg_error(c, n, "expected url or urls, not both");
		return;
	}
	if ((u->servers = calloc(1, sizeof(*u->servers))) == NULL) {
		cfg_nomem(c);
		return;
	}
	u->nservers = 1;
	server_get(c, n, u->servers);
}

static void
upstream_urls(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct conf_upstream	*u = dst;
	const struct ynode	*item;
	size_t			 total, i;

	(void)k;
	if (ynode_get(n->parent, "url") != NULL)
		return;		/* said at url */
	total = cfg_list(c, n, CONF_SERVERS_MAX, "a list of URLs");
	if (total == 0) {
		if (ynode_isnull(n) || n->kind == YNODE_LIST)
			cfg_expected(c, n, "at least one URL");
		return;
	}
	if ((u->servers = calloc(total, sizeof(*u->servers))) == NULL) {
		cfg_nomem(c);
		return;
	}
	for (item = n->first; item != NULL; item = item->next) {
		server_get(c, item, &u->servers[u->nservers]);
		for (i = 0; i < u->nservers; i++)
			if (same_server(&u->servers[i],
			    &u->servers[u->nservers]))
				cfg_expected(c, item, "each URL once");
		u->nservers++;
	}
}

static int
same_server(const struct conf_server *a, const struct conf_server *b)
{
	return (a->authority != NULL && b->authority != NULL &&
	    a->path != NULL && b->path != NULL && a->tls == b->tls &&
	    strcmp(a->authority, b->authority) == 0 &&
	    strcmp(a->path, b->path) == 0 &&
	    strcmp(a->query == NULL ? "" : a->query,
	    b->query == NULL ? "" : b->query) == 0);
}

static void
server_get(struct cfg *c, const struct ynode *n, struct conf_server *s)
{
	struct cfg_url	 u;
	const char	*text;
	char		 authority[300];

	if (!cfg_url_get(c, n, "a URL such as http://127.0.0.1:8080/mcp",
	    &text, &u))
		return;
	s->tls = strcmp(u.scheme, "https") == 0;
	if ((!s->tls && strcmp(u.scheme, "http") != 0) || u.has_fragment) {
		cfg_expected(c, n, "http[s]://HOST[:PORT]/PATH[?QUERY] "
		    "without a fragment");
		return;
	}
	s->port = cfg_url_port(&u);
	cfg_copy(c, &s->host, u.host);
	cfg_copy(c, &s->authority, cfg_url_authority(&u, authority,
	    sizeof(authority)));
	if ((s->path = u.path_len > 0 ? strndup(u.path, u.path_len) :
	    strdup("/")) == NULL)
		cfg_nomem(c);
	if (u.query_len > 0 &&
	    (s->query = strndup(u.query, u.query_len)) == NULL)
		cfg_nomem(c);
}

/* Their values may be credentials: none is shown. */
static void
upstream_headers(struct cfg *c, const struct ynode *n,
    const struct cfg_key *k, void *dst)
{
	struct conf_upstream	*u = dst;
	const struct ynode	*item;
	struct conf_field	*f;

	(void)k;
	if (ynode_isnull(n))
		return;
	if (n->kind != YNODE_MAP || n->nchildren > CONF_FIELDS_MAX) {
		cfg_expected(c, n, "a mapping of at most %d header fields and "
		    "their values", CONF_FIELDS_MAX);
		return;
	}
	u->headers = calloc(n->nchildren + 1, sizeof(*u->headers));
	if (u->headers == NULL) {
		cfg_nomem(c);
		return;
	}
	for (item = n->first; item != NULL; item = item->next) {
		if (item->repeated || !header_ok(c, item))
			continue;
		f = &u->headers[u->nheaders++];
		cfg_copy(c, &f->name, item->key);
		cfg_copy(c, &f->value, item->text);
	}
}

static int
header_ok(struct cfg *c, const struct ynode *n)
{
	const struct ynode	*other;
	const char		*s;
	size_t			 len;

	if (!cfg_field_ok(n->key)) {
		cfg_error(c, n, "expected the name of a header field: 1 to "
		    "%d letters, digits and -", CFG_FIELD_MAX);
		return (0);
	}
	if ((field_find(slice_of(n->key)).flags & FIELD_RESERVED) != 0) {
		cfg_error(c, n, "expected a header field that the gateway "
		    "does not set itself");
		return (0);
	}
	for (other = n->parent->first; other != n; other = other->next)
		if (strcasecmp(other->key, n->key) == 0) {
			cfg_error(c, n, "set twice; first at line %u",
			    other->key_line);
			return (0);
		}
	if ((s = cfg_scalar(c, n, "a value")) == NULL)
		return (0);
	for (len = 0; s[len] != '\0'; len++)
		if ((unsigned char)s[len] < 0x20 || s[len] == 0x7f)
			break;
	if (s[len] != '\0' || len == 0 || len > FIELD_VALUE_MAX ||
	    s[0] == ' ' || s[len - 1] == ' ') {
		cfg_error(c, n, "expected a value of 1 to %d bytes without "
		    "control characters or spaces around it",
		    FIELD_VALUE_MAX);
		return (0);
	}
	return (1);
}

/* Kept as paths until all of the file is read. */
static void
upstream_file(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct config_files	*f;

	f = &c->conf->up_files[(struct conf_upstream *)dst -
	    c->conf->w.upstreams];
	cfg_path_near(c, n, k, k->min == 0 ? &f->ca : k->min == 1 ?
	    &f->cert : &f->key);
}

static void
server_name(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;
	size_t		 len;

	(void)k;
	if ((s = cfg_scalar(c, n, "the name of a server")) == NULL)
		return;
	len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789.-");
	if (len == 0 || len > 253 || s[len] != '\0' || s[0] == '.' ||
	    s[0] == '-')
		cfg_expected(c, n, "the name of a server, as in its "
		    "certificate");
	else
		cfg_copy(c, dst, s);
}

static void
health_path(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;
	size_t		 len;

	(void)k;
	if ((s = cfg_scalar(c, n, "a path that begins with /")) == NULL)
		return;
	for (len = 0; s[len] > 0x20 && s[len] < 0x7f && s[len] != '#'; len++)
		;
	if (s[0] != '/' || s[len] != '\0' || len > CFG_URL_MAX)
		cfg_expected(c, n, "a path that begins with /");
	else
		cfg_copy(c, dst, s);
}

static void
required(struct cfg *c, const struct ynode *n)
{
	static const char *const keys[] = { "name", "url" };
	char	 path[CFG_PATH_MAX];
	size_t	 i;

	for (i = 0; i < 2; i++) {
		if (ynode_get(n, keys[i]) != NULL ||
		    (i == 1 && ynode_get(n, "urls") != NULL))
			continue;
		(void)snprintf(path, sizeof(path), "upstreams[%zu].%s",
		    n->index, keys[i]);
		cfg_missing(c, path, n, "required");
	}
}

static void
repeated(struct cfg *c, const struct ynode *n)
{
	const struct ynode	*item, *name, *other;

	name = ynode_get(n, "name");
	if (name == NULL || name->kind != YNODE_SCALAR)
		return;
	for (item = n->parent->first; item != n; item = item->next) {
		other = ynode_get(item, "name");
		if (other == NULL || other->kind != YNODE_SCALAR ||
		    strcmp(other->text, name->text) != 0)
			continue;
		cfg_expected(c, name, "a name of its own (line %u has the "
		    "same)", other->line);
		return;
	}
}
