/*
 * The children's parts of the configuration as bytes.  The packer writes each
 * field in the order of the struct; the unpacker takes nothing on trust, for
 * a child checks even its own master: a bug there should stop a child at
 * start-up, not give it a limit of zero or a header with a line break in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

/* First word of each part; change it whenever the layout changes. */
#define WORKER_MAGIC	0x77636608U
#define FETCHER_MAGIC	0x66636601U
#define KEEPER_MAGIC	0x6b636603U

#define TIME_MAX	(1000ULL * 60 * 60 * 24 * 366)
#define SIZE_LIMIT	(1ULL << 40)

const char *const conf_revisions[CONF_REVISIONS] = { "2025-03-26",
	"2025-06-18", "2025-11-25", "2026-07-28" };

static void	 oauth_pack(const struct conf_oauth *, struct wbuf *);
static void	 oauth_unpack(struct conf_oauth *, struct rbuf *);
static void	 keys_pack(const struct worker_conf *, struct wbuf *);
static void	 keys_unpack(struct worker_conf *, struct rbuf *);
static void	 hash_pack(const struct conf_hash *, struct wbuf *);
static void	 hash_unpack(struct conf_hash *, struct rbuf *);
static uint32_t	 octets_unpack(struct rbuf *, uint8_t *, size_t);
static void	 upstreams_pack(const struct worker_conf *, struct wbuf *);
static void	 upstreams_unpack(struct worker_conf *, struct rbuf *);
static void	 upstream_pack(const struct conf_upstream *, struct wbuf *);
static void	 upstream_unpack(struct conf_upstream *, struct rbuf *);
static void	 upstream_clear(struct conf_upstream *);
static void	 secret_free(char *);
static void	 proxies_pack(const struct worker_conf *, struct wbuf *);
static void	 proxies_unpack(struct worker_conf *, struct rbuf *);
static void	 limits_pack(const struct worker_conf *, struct wbuf *);
static void	 limits_unpack(struct worker_conf *, struct rbuf *);
static void	 hosts_unpack(struct fetcher_conf *, struct rbuf *);
static int	 worker_sane(const struct worker_conf *);
static int	 keys_sane(const struct worker_conf *);
static int	 hash_sane(const struct conf_hash *);
static int	 oauth_sane(const struct conf_oauth *);
static int	 upstream_sane(const struct conf_upstream *);
static int	 net_sane(const struct conf_net *);
static int	 limits_sane(const struct worker_conf *);
static int	 fetcher_sane(const struct fetcher_conf *);
static void	 strings_pack(char *const *, size_t, struct wbuf *);
static char	**strings_unpack(struct rbuf *, uint32_t, size_t *);
static void	 strings_free(char **, size_t);
static int	 strings_sane(char *const *, size_t);
static int	 flag_get(struct rbuf *);
static void	*array_get(struct rbuf *, size_t, size_t);
static int	 visible(const char *);
static int	 printable(const char *);

void
worker_conf_pack(const struct worker_conf *w, struct wbuf *b)
{
	wire_put_u32(b, WORKER_MAGIC);
	wire_put_u8(b, w->auth_enabled != 0);
	oauth_pack(&w->oauth, b);
	keys_pack(w, b);
	wire_put_str(b, w->tls_cert);
	wire_put_str(b, w->tls_client_ca);
	wire_put_str(b, w->system_ca);
	wire_put_bytes(b, w->session_secret, sizeof(w->session_secret));
	wire_put_bytes(b, w->ticket_secret, sizeof(w->ticket_secret));
	wire_put_u32(b, w->revisions);
	upstreams_pack(w, b);
	strings_pack(w->origins, w->norigins, b);
	proxies_pack(w, b);
	wire_put_u8(b, w->audit_allow != 0);
	limits_pack(w, b);
}

struct worker_conf *
worker_conf_unpack(const void *data, size_t len)
{
	struct worker_conf	*w;
	struct rbuf		 r;
	int			 saved = errno;

	if (len > CONF_PACKED_MAX || (w = calloc(1, sizeof(*w))) == NULL)
		goto refuse;
	rbuf_init(&r, data, len);
	if (wire_get_u32(&r) != WORKER_MAGIC)
		r.failed = 1;
	w->auth_enabled = flag_get(&r);
	oauth_unpack(&w->oauth, &r);
	keys_unpack(w, &r);
	w->tls_cert = wire_get_str(&r, CONF_PEM_MAX);
	w->tls_client_ca = wire_get_str(&r, CONF_PEM_MAX);
	w->system_ca = wire_get_str(&r, CONF_PEM_MAX);
	if (octets_unpack(&r, w->session_secret, CONF_SECRET_LEN) !=
	    CONF_SECRET_LEN ||
	    octets_unpack(&r, w->ticket_secret, CONF_SECRET_LEN) !=
	    CONF_SECRET_LEN)
		r.failed = 1;
	w->revisions = wire_get_u32(&r);
	upstreams_unpack(w, &r);
	w->origins = strings_unpack(&r, CONF_LIST_MAX, &w->norigins);
	proxies_unpack(w, &r);
	w->audit_allow = flag_get(&r);
	limits_unpack(w, &r);
	if (wire_end(&r) == 0 && worker_sane(w))
		return (w);
	worker_conf_free(w);
 refuse:
	errno = saved;
	return (NULL);
}

void
worker_conf_free(struct worker_conf *w)
{
	if (w == NULL)
		return;
	worker_conf_clear(w);
	free(w);
}

void
worker_conf_clear(struct worker_conf *w)
{
	size_t	 i;

	free(w->oauth.issuer);
	strings_free(w->oauth.audiences.v, w->oauth.audiences.n);
	strings_free(w->oauth.audience_claims.v, w->oauth.audience_claims.n);
	strings_free(w->oauth.client_claims.v, w->oauth.client_claims.n);
	strings_free(w->oauth.scope_claims.v, w->oauth.scope_claims.n);
	strings_free(w->oauth.typ.v, w->oauth.typ.n);
	free(w->oauth.public_url);
	free(w->oauth.metadata_path);
	strings_free(w->oauth.scopes, w->oauth.nscopes);
	free(w->oauth.resource_name);
	free(w->oauth.resource_documentation);
	free(w->oauth.resource_policy_uri);
	free(w->oauth.resource_tos_uri);
	for (i = 0; i < w->nkeys; i++) {
		free(w->keys[i].id);
		free(w->keys[i].scopes);
	}
	free(w->keys);
	free(w->tls_cert);
	free(w->tls_client_ca);
	free(w->key_header);
	free(w->key_scheme);
	for (i = 0; i < w->nupstreams; i++)
		upstream_clear(&w->upstreams[i]);
	free(w->upstreams);
	free(w->system_ca);
	strings_free(w->origins, w->norigins);
	free(w->proxies);
	explicit_bzero(w, sizeof(*w));
}

void
fetcher_conf_pack(const struct fetcher_conf *f, struct wbuf *b)
{
	size_t	 i;

	wire_put_u32(b, FETCHER_MAGIC);
	wire_put_u8(b, f->oauth != 0);
	wire_put_str(b, f->issuer);
	wire_put_str(b, f->jwks_url);
	wire_put_u64(b, f->cache_ttl_ms);
	wire_put_u8(b, f->ca != NULL);
	wire_put_bytes(b, f->ca != NULL ? f->ca : "",
	    f->ca != NULL ? f->ca_len : 0);
	strings_pack(f->hosts, f->nhosts, b);
	for (i = 0; i < f->nhosts; i++)
		wire_put_u16(b, f->ports[i]);
}

struct fetcher_conf *
fetcher_conf_unpack(const void *data, size_t len)
{
	struct fetcher_conf	*f;
	struct rbuf		 r;
	const uint8_t		*ca;
	size_t			 ca_len;
	int			 has_ca, saved = errno;

	if (len > CONF_PACKED_MAX || (f = calloc(1, sizeof(*f))) == NULL)
		goto refuse;
	rbuf_init(&r, data, len);
	if (wire_get_u32(&r) != FETCHER_MAGIC)
		r.failed = 1;
	f->oauth = flag_get(&r);
	f->issuer = wire_get_str(&r, CONF_STR_MAX);
	f->jwks_url = wire_get_str(&r, CONF_STR_MAX);
	f->cache_ttl_ms = wire_get_u64(&r);
	has_ca = flag_get(&r);
	ca = wire_get_bytes(&r, CONF_PEM_MAX, &ca_len);
	if (has_ca != (ca_len > 0))
		r.failed = 1;
	if (!r.failed && has_ca) {
		/* The NUL is for those who treat PEM as a string. */
		if ((f->ca = malloc(ca_len + 1)) == NULL)
			r.failed = 1;
		else {
			memcpy(f->ca, ca, ca_len);
			f->ca[ca_len] = '\0';
			f->ca_len = ca_len;
		}
	}
	hosts_unpack(f, &r);
	if (wire_end(&r) == 0 && fetcher_sane(f))
		return (f);
	fetcher_conf_free(f);
 refuse:
	errno = saved;
	return (NULL);
}

void
fetcher_conf_free(struct fetcher_conf *f)
{
	if (f == NULL)
		return;
	free(f->issuer);
	free(f->jwks_url);
	free(f->ca);
	strings_free(f->hosts, f->nhosts);
	free(f->ports);
	free(f);
}

void
keeper_conf_pack(const struct keeper_conf *k, struct wbuf *b)
{
	size_t	 i;

	wire_put_u32(b, KEEPER_MAGIC);
	wire_put_u32(b, k->threads);
	wire_put_u8(b, k->remember != 0);
	wire_put_u32(b, (uint32_t)k->ntls_keys);
	for (i = 0; i < k->ntls_keys; i++)
		wire_put_str(b, k->tls_keys[i]);
	wire_put_u32(b, (uint32_t)k->nkeys);
	for (i = 0; i < k->nkeys; i++)
		hash_pack(&k->keys[i], b);
}

struct keeper_conf *
keeper_conf_unpack(const void *data, size_t len)
{
	struct keeper_conf	*k;
	struct rbuf		 r;
	uint32_t		 i, n;
	int			 good = 1, saved = errno;

	if (len > CONF_PACKED_MAX || (k = calloc(1, sizeof(*k))) == NULL)
		goto refuse;
	rbuf_init(&r, data, len);
	if (wire_get_u32(&r) != KEEPER_MAGIC)
		r.failed = 1;
	k->threads = wire_get_u32(&r);
	k->remember = flag_get(&r);
	n = wire_get_count(&r, CONF_UPSTREAMS_MAX + 1);
	if ((k->tls_keys = array_get(&r, n, sizeof(*k->tls_keys))) == NULL)
		n = 0;
	k->ntls_keys = n;
	for (i = 0; i < n && !r.failed; i++)
		k->tls_keys[i] = wire_get_str(&r, CONF_PEM_MAX);
	n = wire_get_count(&r, CONF_KEYS_MAX);
	if ((k->keys = array_get(&r, n, sizeof(*k->keys))) == NULL)
		n = 0;
	k->nkeys = n;
	for (i = 0; i < n && !r.failed; i++) {
		hash_unpack(&k->keys[i], &r);
		good = good && hash_sane(&k->keys[i]);
	}
	if (wire_end(&r) == 0 && good && k->threads > 0 &&
	    k->threads <= CONF_THREADS_MAX)
		return (k);
	keeper_conf_free(k);
 refuse:
	errno = saved;
	return (NULL);
}

void
keeper_conf_free(struct keeper_conf *k)
{
	if (k == NULL)
		return;
	keeper_conf_clear(k);
	free(k);
}

void
keeper_conf_clear(struct keeper_conf *k)
{
	size_t	 i;

	if (k->keys != NULL)
		explicit_bzero(k->keys, k->nkeys * sizeof(*k->keys));
	free(k->keys);
	for (i = 0; i < k->ntls_keys; i++)
		secret_free(k->tls_keys[i]);
	free(k->tls_keys);
	memset(k, 0, sizeof(*k));
}

static void
hash_pack(const struct conf_hash *h, struct wbuf *b)
{
	wire_put_bytes(b, h->prefix, strlen(h->prefix));
	wire_put_u32(b, h->hash.memory);
	wire_put_u32(b, h->hash.passes);
	wire_put_u32(b, h->hash.lanes);
	wire_put_bytes(b, h->hash.salt, h->hash.salt_len);
	wire_put_bytes(b, h->hash.hash, h->hash.hash_len);
}

static void
hash_unpack(struct conf_hash *h, struct rbuf *r)
{
	wire_get_cstr(r, h->prefix, sizeof(h->prefix));
	h->hash.memory = wire_get_u32(r);
	h->hash.passes = wire_get_u32(r);
	h->hash.lanes = wire_get_u32(r);
	h->hash.salt_len = octets_unpack(r, h->hash.salt,
	    sizeof(h->hash.salt));
	h->hash.hash_len = octets_unpack(r, h->hash.hash,
	    sizeof(h->hash.hash));
}

static uint32_t
octets_unpack(struct rbuf *r, uint8_t *out, size_t max)
{
	const uint8_t	*p;
	size_t		 len;

	if ((p = wire_get_bytes(r, max, &len)) == NULL)
		return (0);
	memcpy(out, p, len);
	return ((uint32_t)len);
}

static int
hash_sane(const struct conf_hash *h)
{
	const struct phc	*p = &h->hash;

	return ((h->prefix[0] == '\0' || api_key_prefix_ok(h->prefix)) &&
	    p->lanes > 0 && p->passes > 0 && p->memory / 8 >= p->lanes &&
	    p->memory <= CONF_HASH_MEMORY_MAX &&
	    p->salt_len >= PHC_SALT_MIN && p->hash_len >= PHC_HASH_MIN);
}

static void
oauth_pack(const struct conf_oauth *o, struct wbuf *b)
{
	wire_put_u8(b, o->enabled != 0);
	wire_put_str(b, o->issuer);
	strings_pack(o->audiences.v, o->audiences.n, b);
	wire_put_u8(b, o->accept_resource != 0);
	strings_pack(o->audience_claims.v, o->audience_claims.n, b);
	strings_pack(o->client_claims.v, o->client_claims.n, b);
	strings_pack(o->scope_claims.v, o->scope_claims.n, b);
	strings_pack(o->typ.v, o->typ.n, b);
	wire_put_str(b, o->public_url);
	wire_put_str(b, o->metadata_path);
	strings_pack(o->scopes, o->nscopes, b);
	wire_put_u64(b, o->leeway_ms);
	wire_put_str(b, o->resource_name);
	wire_put_str(b, o->resource_documentation);
	wire_put_str(b, o->resource_policy_uri);
	wire_put_str(b, o->resource_tos_uri);
}

static void
oauth_unpack(struct conf_oauth *o, struct rbuf *r)
{
	o->enabled = flag_get(r);
	o->issuer = wire_get_str(r, CONF_STR_MAX);
	o->audiences.v = strings_unpack(r, CONF_LIST_MAX, &o->audiences.n);
	o->accept_resource = flag_get(r);
	o->audience_claims.v = strings_unpack(r, CONF_CLAIMS_MAX,
	    &o->audience_claims.n);
	o->client_claims.v = strings_unpack(r, CONF_CLAIMS_MAX,
	    &o->client_claims.n);
	o->scope_claims.v = strings_unpack(r, CONF_CLAIMS_MAX,
	    &o->scope_claims.n);
	o->typ.v = strings_unpack(r, CONF_CLAIMS_MAX, &o->typ.n);
	o->public_url = wire_get_str(r, CONF_STR_MAX);
	o->metadata_path = wire_get_str(r, CONF_STR_MAX);
	o->scopes = strings_unpack(r, CONF_LIST_MAX, &o->nscopes);
	o->leeway_ms = wire_get_u64(r);
	o->resource_name = wire_get_str(r, CONF_STR_MAX);
	o->resource_documentation = wire_get_str(r, CONF_STR_MAX);
	o->resource_policy_uri = wire_get_str(r, CONF_STR_MAX);
	o->resource_tos_uri = wire_get_str(r, CONF_STR_MAX);
}

static void
keys_pack(const struct worker_conf *w, struct wbuf *b)
{
	size_t	 i;

	wire_put_u32(b, (uint32_t)w->nkeys);
	for (i = 0; i < w->nkeys; i++) {
		wire_put_str(b, w->keys[i].id);
		wire_put_str(b, w->keys[i].scopes);
		wire_put_u64(b, (uint64_t)w->keys[i].created);
		wire_put_u64(b, (uint64_t)w->keys[i].expires);
	}
	wire_put_str(b, w->key_header);
	wire_put_str(b, w->key_scheme);
	wire_put_u64(b, w->key_cache_ttl);
}

static void
keys_unpack(struct worker_conf *w, struct rbuf *r)
{
	uint32_t	 i, n;

	n = wire_get_count(r, CONF_KEYS_MAX);
	if ((w->keys = array_get(r, n, sizeof(*w->keys))) == NULL)
		n = 0;
	w->nkeys = n;
	for (i = 0; i < n && !r->failed; i++) {
		w->keys[i].id = wire_get_str(r, CONF_STR_MAX);
		w->keys[i].scopes = wire_get_str(r, CONF_STR_MAX);
		w->keys[i].created = (int64_t)wire_get_u64(r);
		w->keys[i].expires = (int64_t)wire_get_u64(r);
	}
	w->key_header = wire_get_str(r, CONF_STR_MAX);
	w->key_scheme = wire_get_str(r, CONF_STR_MAX);
	w->key_cache_ttl = wire_get_u64(r);
}

static void
upstreams_pack(const struct worker_conf *w, struct wbuf *b)
{
	size_t	 i;

	wire_put_u32(b, (uint32_t)w->nupstreams);
	for (i = 0; i < w->nupstreams; i++)
		upstream_pack(&w->upstreams[i], b);
	wire_put_u32(b, (uint32_t)w->default_upstream);
}

static void
upstreams_unpack(struct worker_conf *w, struct rbuf *r)
{
	uint32_t	 i, n;

	n = wire_get_count(r, CONF_UPSTREAMS_MAX);
	if ((w->upstreams = array_get(r, n, sizeof(*w->upstreams))) == NULL)
		n = 0;
	w->nupstreams = n;
	for (i = 0; i < n && !r->failed; i++)
		upstream_unpack(&w->upstreams[i], r);
	w->default_upstream = wire_get_u32(r);
}

static void
upstream_pack(const struct conf_upstream *u, struct wbuf *b)
{
	size_t	 i;

	wire_put_str(b, u->name);
	wire_put_u32(b, (uint32_t)u->nservers);
	for (i = 0; i < u->nservers; i++) {
		wire_put_str(b, u->servers[i].host);
		wire_put_str(b, u->servers[i].authority);
		wire_put_str(b, u->servers[i].path);
		wire_put_u16(b, u->servers[i].port);
		wire_put_u8(b, u->servers[i].tls != 0);
	}
	wire_put_u32(b, (uint32_t)u->nheaders);
	for (i = 0; i < u->nheaders; i++) {
		wire_put_str(b, u->headers[i].name);
		wire_put_str(b, u->headers[i].value);
	}
	wire_put_u8(b, u->identity_headers != 0);
	wire_put_str(b, u->tls_ca);
	wire_put_str(b, u->tls_server_name);
	wire_put_str(b, u->tls_cert);
	wire_put_u32(b, u->tls_key);
	wire_put_u64(b, u->t_connect);
	wire_put_u64(b, u->t_response);
	wire_put_u64(b, u->t_stream_idle);
	wire_put_u64(b, u->max_connections);
	wire_put_str(b, u->health_path);
	wire_put_u64(b, u->health_interval);
	wire_put_u64(b, u->health_timeout);
}

static void
upstream_unpack(struct conf_upstream *u, struct rbuf *r)
{
	uint32_t	 i, n;

	u->name = wire_get_str(r, CONF_STR_MAX);
	n = wire_get_count(r, CONF_SERVERS_MAX);
	if ((u->servers = array_get(r, n, sizeof(*u->servers))) == NULL)
		n = 0;
	u->nservers = n;
	for (i = 0; i < n && !r->failed; i++) {
		u->servers[i].host = wire_get_str(r, CONF_STR_MAX);
		u->servers[i].authority = wire_get_str(r, CONF_STR_MAX);
		u->servers[i].path = wire_get_str(r, CONF_STR_MAX);
		u->servers[i].port = wire_get_u16(r);
		u->servers[i].tls = flag_get(r);
	}
	n = wire_get_count(r, CONF_FIELDS_MAX);
	if ((u->headers = array_get(r, n, sizeof(*u->headers))) == NULL)
		n = 0;
	u->nheaders = n;
	for (i = 0; i < n && !r->failed; i++) {
		u->headers[i].name = wire_get_str(r, CONF_STR_MAX);
		u->headers[i].value = wire_get_str(r, CONF_STR_MAX);
	}
	u->identity_headers = flag_get(r);
	u->tls_ca = wire_get_str(r, CONF_PEM_MAX);
	u->tls_server_name = wire_get_str(r, CONF_STR_MAX);
	u->tls_cert = wire_get_str(r, CONF_PEM_MAX);
	u->tls_key = wire_get_u32(r);
	u->t_connect = wire_get_u64(r);
	u->t_response = wire_get_u64(r);
	u->t_stream_idle = wire_get_u64(r);
	u->max_connections = wire_get_u64(r);
	u->health_path = wire_get_str(r, CONF_STR_MAX);
	u->health_interval = wire_get_u64(r);
	u->health_timeout = wire_get_u64(r);
}

static void
upstream_clear(struct conf_upstream *u)
{
	size_t	 i;

	free(u->name);
	for (i = 0; i < u->nservers; i++) {
		free(u->servers[i].host);
		free(u->servers[i].authority);
		free(u->servers[i].path);
	}
	free(u->servers);
	for (i = 0; i < u->nheaders; i++) {
		free(u->headers[i].name);
		secret_free(u->headers[i].value);
	}
	free(u->headers);
	free(u->tls_ca);
	free(u->tls_server_name);
	free(u->tls_cert);
	free(u->health_path);
}

static void
secret_free(char *s)
{
	if (s != NULL)
		freezero(s, strlen(s));
}

static void
proxies_pack(const struct worker_conf *w, struct wbuf *b)
{
	size_t	 i;

	wire_put_u32(b, (uint32_t)w->nproxies);
	for (i = 0; i < w->nproxies; i++) {
		wire_put_u8(b, w->proxies[i].family == AF_INET6);
		wire_put_bytes(b, w->proxies[i].addr,
		    sizeof(w->proxies[i].addr));
		wire_put_u8(b, w->proxies[i].prefix);
	}
}

static void
proxies_unpack(struct worker_conf *w, struct rbuf *r)
{
	const uint8_t	*addr;
	size_t		 len;
	uint32_t	 i, n;

	n = wire_get_count(r, CONF_LIST_MAX);
	if ((w->proxies = array_get(r, n, sizeof(*w->proxies))) == NULL)
		n = 0;
	w->nproxies = n;
	for (i = 0; i < n && !r->failed; i++) {
		w->proxies[i].family = flag_get(r) ? AF_INET6 : AF_INET;
		addr = wire_get_bytes(r, sizeof(w->proxies[i].addr), &len);
		if (addr == NULL || len != sizeof(w->proxies[i].addr)) {
			r->failed = 1;
			return;
		}
		memcpy(w->proxies[i].addr, addr, len);
		w->proxies[i].prefix = wire_get_u8(r);
	}
}

static void
limits_pack(const struct worker_conf *w, struct wbuf *b)
{
	wire_put_u64(b, w->max_body);
	wire_put_u64(b, w->max_header);
	wire_put_u64(b, w->max_connections);
	wire_put_u64(b, w->buffered);
	wire_put_u64(b, w->t_header);
	wire_put_u64(b, w->t_body);
	wire_put_u64(b, w->t_keepalive);
	wire_put_u64(b, w->t_connect);
	wire_put_u64(b, w->t_response);
	wire_put_u64(b, w->t_stream_idle);
	wire_put_u64(b, w->t_stream_total);
	wire_put_u64(b, w->t_sse_keepalive);
	wire_put_u64(b, w->t_drain);
}

static void
limits_unpack(struct worker_conf *w, struct rbuf *r)
{
	w->max_body = wire_get_u64(r);
	w->max_header = wire_get_u64(r);
	w->max_connections = wire_get_u64(r);
	w->buffered = wire_get_u64(r);
	w->t_header = wire_get_u64(r);
	w->t_body = wire_get_u64(r);
	w->t_keepalive = wire_get_u64(r);
	w->t_connect = wire_get_u64(r);
	w->t_response = wire_get_u64(r);
	w->t_stream_idle = wire_get_u64(r);
	w->t_stream_total = wire_get_u64(r);
	w->t_sse_keepalive = wire_get_u64(r);
	w->t_drain = wire_get_u64(r);
}

static void
hosts_unpack(struct fetcher_conf *f, struct rbuf *r)
{
	size_t	 i;

	f->hosts = strings_unpack(r, CONF_HOSTS_MAX, &f->nhosts);
	f->ports = array_get(r, f->nhosts, sizeof(*f->ports));
	if (f->ports == NULL)
		return;
	for (i = 0; i < f->nhosts; i++)
		f->ports[i] = wire_get_u16(r);
}

static int
worker_sane(const struct worker_conf *w)
{
	size_t	 i;

	if (w->nupstreams == 0 || w->default_upstream >= w->nupstreams)
		return (0);
	for (i = 0; i < w->nupstreams; i++)
		if (!upstream_sane(&w->upstreams[i]))
			return (0);
	for (i = 0; i < w->nproxies; i++)
		if (!net_sane(&w->proxies[i]))
			return (0);
	/* OAuth without auth would be a door that looks shut. */
	if (w->oauth.enabled && !w->auth_enabled)
		return (0);
	if (w->revisions == 0 || w->revisions >> CONF_REVISIONS != 0)
		return (0);
	/* Client certificates are for TLS. */
	if (w->tls_client_ca != NULL && w->tls_cert == NULL)
		return (0);
	/* And auth without anybody to ask would be a door for nobody. */
	if (w->auth_enabled && !w->oauth.enabled && w->nkeys == 0)
		return (0);
	return (keys_sane(w) && oauth_sane(&w->oauth) && limits_sane(w) &&
	    strings_sane(w->origins, w->norigins));
}

static int
keys_sane(const struct worker_conf *w)
{
	size_t	 i;

	for (i = 0; i < w->nkeys; i++)
		if (!visible(w->keys[i].id) || w->keys[i].scopes == NULL ||
		    (w->keys[i].scopes[0] != '\0' &&
		    !printable(w->keys[i].scopes)) || w->keys[i].expires < 0)
			return (0);
	return ((w->key_header == NULL || visible(w->key_header)) &&
	    (w->key_scheme == NULL || w->key_scheme[0] == '\0' ||
	    visible(w->key_scheme)) &&
	    w->key_cache_ttl <= TIME_MAX);
}

static int
oauth_sane(const struct conf_oauth *o)
{
	const char	*urls[] = { o->resource_documentation,
	    o->resource_policy_uri, o->resource_tos_uri };
	size_t		 i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		if (urls[i] != NULL && !visible(urls[i]))
			return (0);
	if (o->resource_name != NULL && !printable(o->resource_name))
		return (0);
	if (!visible(o->public_url) || !visible(o->metadata_path) ||
	    o->metadata_path[0] != '/')
		return (0);
	for (i = 0; i < o->audiences.n; i++)
		if (!printable(o->audiences.v[i]))
			return (0);
	/* No audience at all would be a door for nobody. */
	if (o->enabled && (!visible(o->issuer) || (o->audiences.n == 0 &&
	    !o->accept_resource) || o->audience_claims.n == 0 ||
	    o->client_claims.n == 0 || o->scope_claims.n == 0))
		return (0);
	return (strings_sane(o->audience_claims.v, o->audience_claims.n) &&
	    strings_sane(o->client_claims.v, o->client_claims.n) &&
	    strings_sane(o->scope_claims.v, o->scope_claims.n) &&
	    strings_sane(o->typ.v, o->typ.n) &&
	    strings_sane(o->scopes, o->nscopes) &&
	    o->leeway_ms <= TIME_MAX);
}

static int
upstream_sane(const struct conf_upstream *u)
{
	size_t	 i;

	for (i = 0; i < u->nservers; i++)
		if (!visible(u->servers[i].host) ||
		    !visible(u->servers[i].authority) ||
		    !visible(u->servers[i].path) ||
		    u->servers[i].path[0] != '/' || u->servers[i].port == 0)
			return (0);
	for (i = 0; i < u->nheaders; i++)
		if (!visible(u->headers[i].name) ||
		    !printable(u->headers[i].value))
			return (0);
	return (visible(u->name) && u->nservers > 0 &&
	    (u->tls_server_name == NULL || visible(u->tls_server_name)) &&
	    (u->health_path == NULL || (visible(u->health_path) &&
	    u->health_path[0] == '/' && u->health_interval > 0)) &&
	    u->t_connect <= TIME_MAX && u->t_response <= TIME_MAX &&
	    u->t_stream_idle <= TIME_MAX && u->health_interval <= TIME_MAX &&
	    u->health_timeout <= TIME_MAX && u->max_connections <= SIZE_LIMIT);
}

static int
net_sane(const struct conf_net *n)
{
	return (n->prefix <= (n->family == AF_INET6 ? 128 : 32));
}

static int
limits_sane(const struct worker_conf *w)
{
	const uint64_t	 times[] = { w->t_header, w->t_body, w->t_keepalive,
	    w->t_connect, w->t_response, w->t_stream_idle,
	    w->t_stream_total, w->t_sse_keepalive, w->t_drain };
	const uint64_t	 sizes[] = { w->max_body, w->max_header,
	    w->max_connections, w->buffered };
	size_t		 i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] > TIME_MAX)
			return (0);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i] == 0 || sizes[i] > SIZE_LIMIT)
			return (0);
	return (1);
}

static int
fetcher_sane(const struct fetcher_conf *f)
{
	size_t	 i;

	for (i = 0; i < f->nhosts; i++)
		if (f->ports[i] == 0)
			return (0);
	if (!strings_sane(f->hosts, f->nhosts) || f->cache_ttl_ms > TIME_MAX)
		return (0);
	if (!f->oauth)
		return (1);
	/* A time of nothing would fetch in a circle. */
	return (visible(f->issuer) && visible(f->jwks_url) &&
	    f->cache_ttl_ms > 0);
}

static void
strings_pack(char *const *v, size_t n, struct wbuf *b)
{
	size_t	 i;

	wire_put_u32(b, (uint32_t)n);
	for (i = 0; i < n; i++)
		wire_put_str(b, v[i]);
}

/* On failure what was read so far is returned with its count. */
static char **
strings_unpack(struct rbuf *r, uint32_t max, size_t *count)
{
	char		**v;
	uint32_t	  i, n;

	n = wire_get_count(r, max);
	if ((v = array_get(r, n, sizeof(*v))) == NULL)
		n = 0;
	for (i = 0; i < n && !r->failed; i++)
		v[i] = wire_get_str(r, CONF_STR_MAX);
	*count = n;
	return (v);
}

static void
strings_free(char **v, size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

static int
strings_sane(char *const *v, size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		if (!visible(v[i]))
			return (0);
	return (1);
}

static int
flag_get(struct rbuf *r)
{
	uint8_t	 v;

	v = wire_get_u8(r);
	if (v > 1)
		r->failed = 1;
	return (v == 1);
}

/* n zeroed elements, or NULL when there are none or the reading failed. */
static void *
array_get(struct rbuf *r, size_t n, size_t size)
{
	void	*p;

	if (n == 0 || r->failed)
		return (NULL);
	if ((p = calloc(n, size)) == NULL)
		r->failed = 1;
	return (p);
}

/* Not empty, nothing but visible ASCII: fit for a header line. */
static int
visible(const char *s)
{
	if (s == NULL || *s == '\0')
		return (0);
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
			return (0);
	return (1);
}

/* Not empty, no control characters; UTF-8 may pass. */
static int
printable(const char *s)
{
	if (s == NULL || *s == '\0')
		return (0);
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return (0);
	return (1);
}
