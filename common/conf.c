/*
 * The children's parts of the configuration, a table each (common/schema.h).
 * A plain key of the file is a row here and a paragraph in mcpgw.yaml(5); the
 * bounds are those of the file, and the child that gets the struct checks them
 * again.
 */
#include <sys/socket.h>

#include <string.h>

#include "common/conf.h"

#define SECOND		1000ULL
#define MINUTE		(60 * SECOND)
#define HOUR		(60 * MINUTE)
#define DAY		(24 * HOUR)
#define KiB		1024ULL
#define MiB		(1024 * KiB)
#define GiB		(1024 * MiB)
#define LEAST		(100ULL)		/* ms, of most times */
#define U32_MAX		0xffffffffULL

const char *const conf_revisions[CONF_REVISIONS] = { "2024-11-05",
	"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28" };

/* -- upstreams ----------------------------------------------------------- */

#define ROWS_OF(s)	static const struct schema_row s##_rows[] =

ROWS_OF(server) {
#define S struct conf_server
	ROW_STR(S, host, NULL, FORM_NONE, SCHEMA_VISIBLE, CONF_STR_MAX),
	ROW_STR(S, authority, NULL, FORM_NONE, SCHEMA_VISIBLE, CONF_STR_MAX),
	ROW_STR(S, path, NULL, FORM_NONE, SCHEMA_VISIBLE, CONF_STR_MAX),
	ROW_NUMBER(S, port, U16, NULL, 0, 1, 65535, 0),
	ROW_FLAG(S, tls, NULL, 0),
	ROW_NUMBER(S, number, U32, NULL, 0, 0, 0xffff, 0),
	ROW_STR(S, query, NULL, FORM_NONE, SCHEMA_VISIBLE | SCHEMA_ABSENT |
	    SCHEMA_SECRET, CONF_STR_MAX),
#undef S
};

static int
server_sane(const void *p)
{
	return (((const struct conf_server *)p)->path[0] == '/');
}

static const struct schema server_schema =
	SCHEMA_OF(conf_server, server_rows, server_sane);

ROWS_OF(header) {
#define S struct conf_field
	ROW_STR(S, name, NULL, FORM_NONE, SCHEMA_VISIBLE, CONF_STR_MAX),
	ROW_STR(S, value, NULL, FORM_NONE, SCHEMA_LINE | SCHEMA_SECRET,
	    CONF_STR_MAX),
#undef S
};

static const struct schema header_schema =
	SCHEMA_OF(conf_field, header_rows, NULL);

ROWS_OF(upstream) {
#define S struct conf_upstream
	ROW_STR(S, name, "name", FORM_NONE, SCHEMA_VISIBLE, CONF_STR_MAX),
	ROW_NUMBER(S, number, U32, NULL, 0, 0, 0xffff, 0),
	ROW_ARRAY(S, servers, nservers, "url", 1, CONF_SERVERS_MAX,
	    &server_schema),
	ROW_ARRAY(S, headers, nheaders, "headers", 0, CONF_FIELDS_MAX,
	    &header_schema),
	ROW_STR(S, host, "host", FORM_NONE, SCHEMA_VISIBLE | SCHEMA_ABSENT,
	    CONF_STR_MAX),
	ROW_FLAG(S, identity_headers, "identity_headers", 0),
	ROW_FLAG(S, cookies, "cookies", 0),
	ROW_STR(S, tls_ca, "tls.ca_file", FORM_NONE, SCHEMA_ABSENT,
	    CONF_PEM_MAX),
	ROW_STR(S, tls_server_name, "tls.server_name", FORM_NONE,
	    SCHEMA_VISIBLE | SCHEMA_ABSENT, CONF_STR_MAX),
	ROW_STR(S, tls_cert, "tls.cert_file", FORM_NONE, SCHEMA_ABSENT,
	    CONF_PEM_MAX),
	ROW_NUMBER(S, tls_key, U32, NULL, 0, 0, U32_MAX, 0),
	ROW_TIME(S, t_connect, "timeouts.connect", 0, LEAST, 10 * MINUTE,
	    CONF_UNSET),
	ROW_TIME(S, t_response, "timeouts.response", 0, LEAST, DAY,
	    CONF_UNSET),
	ROW_TIME(S, t_stream_idle, "timeouts.stream_idle", SCHEMA_OFF, LEAST,
	    7 * DAY, CONF_UNSET),
	ROW_NUMBER(S, max_connections, U64, "max_connections", SCHEMA_OFF, 1,
	    1000000, 0),
	ROW_STR(S, health_path, "health.path", FORM_NONE,
	    SCHEMA_VISIBLE | SCHEMA_ABSENT, CONF_STR_MAX),
	ROW_TIME(S, health_interval, "health.interval", 0, SECOND, HOUR,
	    10 * SECOND),
	ROW_TIME(S, health_timeout, "health.timeout", 0, LEAST, 10 * MINUTE,
	    5 * SECOND),
#undef S
};

static int
upstream_sane(const void *p)
{
	const struct conf_upstream	*u = p;

	return (u->health_path == NULL || u->health_path[0] == '/');
}

const struct schema conf_upstream_schema =
	SCHEMA_OF(conf_upstream, upstream_rows, upstream_sane);

/* -- who may pass -------------------------------------------------------- */

ROWS_OF(net) {
#define S struct conf_net
	ROW_NUMBER(S, family, INT, NULL, 0, 0, U32_MAX, 0),
	ROW_BYTES(S, addr, 0),
	ROW_NUMBER(S, prefix, U8, NULL, 0, 0, 128, 0),
#undef S
};

static int
net_sane(const void *p)
{
	const struct conf_net	*n = p;

	return (n->family == AF_INET6 ||
	    (n->family == AF_INET && n->prefix <= 32));
}

static const struct schema net_schema =
	SCHEMA_OF(conf_net, net_rows, net_sane);

ROWS_OF(key) {
#define S struct conf_key
	ROW_STR(S, id, "id", FORM_NONE, SCHEMA_VISIBLE, CONF_STR_MAX),
	ROW_STR(S, scopes, "scopes", FORM_NONE, SCHEMA_LINE | SCHEMA_EMPTY,
	    CONF_STR_MAX),
	ROW_NUMBER(S, created, I64, "created_at", SCHEMA_LOCAL, 0, INT64_MAX,
	    0),
	ROW_NUMBER(S, expires, I64, "expires_at", 0, 0, INT64_MAX, 0),
	ROW_BYTES(S, mark, 0),
#undef S
};

static const struct schema key_schema = SCHEMA_OF(conf_key, key_rows, NULL);

#define OAUTH	"auth.oauth."

ROWS_OF(oauth) {
#define S struct conf_oauth
	ROW_FLAG(S, enabled, OAUTH "enabled", 0),
	ROW_STR(S, issuer, OAUTH "issuer", FORM_NONE,
	    SCHEMA_VISIBLE | SCHEMA_ABSENT, CONF_STR_MAX),
	ROW_STRINGS(S, audiences.v, audiences.n, OAUTH "audience",
	    SCHEMA_LINE, 0, CONF_LIST_MAX),
	ROW_FLAG(S, accept_resource, OAUTH "accept_resource_audience", 0),
	ROW_STRINGS(S, audience_claims.v, audience_claims.n,
	    OAUTH "audience_claims", SCHEMA_VISIBLE, 0, CONF_CLAIMS_MAX),
	ROW_STRINGS(S, client_claims.v, client_claims.n,
	    OAUTH "client_claims", SCHEMA_VISIBLE, 0, CONF_CLAIMS_MAX),
	ROW_STRINGS(S, scope_claims.v, scope_claims.n, OAUTH "scope_claims",
	    SCHEMA_VISIBLE, 0, CONF_CLAIMS_MAX),
	ROW_STRINGS(S, typ.v, typ.n, OAUTH "require_typ", SCHEMA_VISIBLE, 0,
	    CONF_CLAIMS_MAX),
	ROW_STRINGS(S, scopes, nscopes, OAUTH "required_scopes",
	    SCHEMA_VISIBLE, 0, CONF_LIST_MAX),
	ROW_TIME(S, leeway_ms, OAUTH "leeway", 0, 0, 10 * MINUTE,
	    30 * SECOND),
	ROW_STR(S, public_url, OAUTH "public_url", FORM_NONE, SCHEMA_VISIBLE,
	    CONF_STR_MAX),
	ROW_STR(S, metadata_path, OAUTH "metadata_path", FORM_NONE,
	    SCHEMA_VISIBLE, CONF_STR_MAX),
	ROW_STR(S, resource_name, OAUTH "resource_name", FORM_TEXT,
	    SCHEMA_LINE | SCHEMA_ABSENT, 256),
	ROW_STR(S, resource_documentation, OAUTH "resource_documentation",
	    FORM_NONE, SCHEMA_VISIBLE | SCHEMA_ABSENT, CONF_STR_MAX),
	ROW_STR(S, resource_policy_uri, OAUTH "resource_policy_uri",
	    FORM_NONE, SCHEMA_VISIBLE | SCHEMA_ABSENT, CONF_STR_MAX),
	ROW_STR(S, resource_tos_uri, OAUTH "resource_tos_uri", FORM_NONE,
	    SCHEMA_VISIBLE | SCHEMA_ABSENT, CONF_STR_MAX),
#undef S
};

static int
oauth_sane(const void *p)
{
	const struct conf_oauth	*o = p;

	if (o->metadata_path[0] != '/')
		return (0);
	/* No audience at all would be a door for nobody. */
	return (!o->enabled || (o->issuer != NULL && (o->audiences.n > 0 ||
	    o->accept_resource) && o->audience_claims.n > 0 &&
	    o->client_claims.n > 0 && o->scope_claims.n > 0));
}

const struct schema conf_oauth_schema =
	SCHEMA_OF(conf_oauth, oauth_rows, oauth_sane);

/* -- the worker's part --------------------------------------------------- */

#define TELEMETRY	"telemetry.customer."

ROWS_OF(worker) {
#define S struct worker_conf
	ROW_FLAG(S, auth_enabled, "auth.enabled", 0),
	ROW_STRUCT(S, oauth, &conf_oauth_schema),
	ROW_ARRAY(S, keys, nkeys, "auth.keys", 0, CONF_KEYS_MAX,
	    &key_schema),
	ROW_STR(S, key_header, "auth.header", FORM_NONE,
	    SCHEMA_VISIBLE | SCHEMA_ABSENT, CONF_STR_MAX),
	ROW_STR(S, key_scheme, "auth.scheme", FORM_NONE,
	    SCHEMA_VISIBLE | SCHEMA_ABSENT | SCHEMA_EMPTY, CONF_STR_MAX),
	ROW_TIME(S, key_cache_ttl, "auth.key_cache_ttl", 0, 0, DAY,
	    5 * MINUTE),
	ROW_STR(S, tls_cert, "tls.cert_file", FORM_NONE, SCHEMA_ABSENT,
	    CONF_PEM_MAX),
	ROW_STR(S, tls_client_ca, "tls.client_ca", FORM_NONE, SCHEMA_ABSENT,
	    CONF_PEM_MAX),
	ROW_STR(S, system_ca, NULL, FORM_NONE, SCHEMA_ABSENT, CONF_PEM_MAX),
	ROW_BYTES(S, session_secret, SCHEMA_SECRET),
	ROW_FLAG(S, session_secret_set, NULL, 0),
	ROW_BYTES(S, ticket_secret, SCHEMA_SECRET),
	ROW_NUMBER(S, revisions, U32, "mcp.revisions", 0, 1,
	    (1U << CONF_REVISIONS) - 1, (1U << CONF_REVISIONS) - 1),
	ROW_ARRAY(S, upstreams, nupstreams, "upstreams", 1,
	    CONF_UPSTREAMS_MAX, &conf_upstream_schema),
	ROW_NUMBER(S, default_upstream, U64, NULL, 0, 0, CONF_UPSTREAMS_MAX,
	    0),
	ROW_STRINGS(S, origins, norigins, "allowed_origins", SCHEMA_VISIBLE,
	    0, CONF_LIST_MAX),
	ROW_FLAG(S, any_host, NULL, 0),
	ROW_STRINGS(S, allowed_hosts, nallowed_hosts, "allowed_hosts",
	    SCHEMA_VISIBLE, 0, CONF_LIST_MAX),
	ROW_ARRAY(S, proxies, nproxies, "trusted_proxies", 0, CONF_LIST_MAX,
	    &net_schema),
	ROW_FLAG(S, proxy_protocol, "proxy_protocol.enabled", 0),
	ROW_ARRAY(S, proxy_peers, nproxy_peers,
	    "proxy_protocol.trusted_cidrs", 0, CONF_LIST_MAX, &net_schema),
	ROW_FLAG(S, audit_allow, "audit.on_failure", 0),
	ROW_NUMBER(S, identity, U32, "audit.identity", 0, 0,
	    CONF_IDENTITY_MAX - 1, CONF_IDENTITY_FULL),
	ROW_NUMBER(S, refusals, U64, "audit.refusals_per_second", SCHEMA_OFF,
	    1, 1000000, 20),
	ROW_FLAG(S, traces, TELEMETRY "enabled", 0),
	ROW_NUMBER(S, sample, U64, TELEMETRY "sample_ratio", 0, 0,
	    CONF_SAMPLE_ALL, CONF_SAMPLE_ALL),
	ROW_FLAG(S, sample_parent, NULL, 1),
	ROW_SIZE(S, max_body, "limits.max_body", KiB, GiB, 4 * MiB),
	ROW_SIZE(S, max_header, "limits.max_header", KiB, 64 * KiB,
	    16 * KiB),
	ROW_SIZE(S, max_message, "limits.max_message", 64 * KiB, GiB,
	    4 * MiB),
	ROW_NUMBER(S, max_connections, U64, "limits.max_connections", 0, 1,
	    1000000, 8192),
	ROW_SIZE(S, buffered, "limits.buffered", MiB, 64 * GiB, 256 * MiB),
	ROW_NUMBER(S, per_connections, U64, "limits.per_address.connections",
	    SCHEMA_OFF, 1, 1000000, 0),
	ROW_NUMBER(S, per_streams, U64, "limits.per_address.streams",
	    SCHEMA_OFF, 1, 1000000, 0),
	ROW_SIZE(S, per_buffered, "limits.per_address.buffered", KiB,
	    64 * GiB, 64 * GiB),
	ROW_TIME(S, t_header, "timeouts.header", 0, LEAST, 10 * MINUTE,
	    10 * SECOND),
	ROW_TIME(S, t_body, "timeouts.body", 0, LEAST, HOUR, 30 * SECOND),
	ROW_TIME(S, t_keepalive, "timeouts.keepalive", 0, LEAST, DAY,
	    75 * SECOND),
	ROW_TIME(S, t_connect, "timeouts.upstream_connect", 0, LEAST,
	    10 * MINUTE, 5 * SECOND),
	ROW_TIME(S, t_response, "timeouts.upstream_response", 0, LEAST, DAY,
	    60 * SECOND),
	ROW_TIME(S, t_stream_idle, "timeouts.stream_idle", SCHEMA_OFF, LEAST,
	    7 * DAY, 0),
	ROW_TIME(S, t_stream_total, "timeouts.stream_total", SCHEMA_OFF,
	    LEAST, 7 * DAY, 0),
	ROW_TIME(S, t_sse_keepalive, "timeouts.sse_keepalive", SCHEMA_OFF,
	    LEAST, HOUR, 15 * SECOND),
	ROW_TIME(S, t_drain, "drain_timeout", 0, LEAST, DAY, 5 * MINUTE),
#undef S
};

static int
worker_sane(const void *p)
{
	const struct worker_conf	*w = p;

	/* OAuth without auth would be a door that looks shut, and auth without
	 * anybody to ask, or a listener that believes nobody, a door for
	 * nobody.  Client certificates are for TLS. */
	return (w->default_upstream < w->nupstreams &&
	    (!w->oauth.enabled || w->auth_enabled) &&
	    (!w->auth_enabled || w->oauth.enabled || w->nkeys > 0) &&
	    (!w->proxy_protocol || w->nproxy_peers > 0) &&
	    (w->tls_client_ca == NULL || w->tls_cert != NULL));
}

const struct schema worker_conf_schema =
	SCHEMA_OF(worker_conf, worker_rows, worker_sane);

/* -- the fetcher's part -------------------------------------------------- */

ROWS_OF(host) {
#define S struct conf_host
	ROW_STR(S, name, NULL, FORM_NONE, SCHEMA_VISIBLE, CONF_STR_MAX),
	ROW_NUMBER(S, port, U16, NULL, 0, 1, 65535, 0),
#undef S
};

static const struct schema host_schema =
	SCHEMA_OF(conf_host, host_rows, NULL);

ROWS_OF(attr) {
#define S struct conf_field
	ROW_STR(S, name, NULL, FORM_NONE, SCHEMA_VISIBLE, 256),
	ROW_STR(S, value, NULL, FORM_NONE, SCHEMA_LINE | SCHEMA_EMPTY,
	    1024),
#undef S
};

static const struct schema attr_schema =
	SCHEMA_OF(conf_field, attr_rows, NULL);

ROWS_OF(telemetry) {
#define S struct conf_telemetry
	ROW_FLAG(S, enabled, NULL, 0),
	ROW_STR(S, endpoint, TELEMETRY "endpoint", FORM_NONE,
	    SCHEMA_VISIBLE | SCHEMA_ABSENT, CONF_STR_MAX),
	ROW_STR(S, service_name, TELEMETRY "service_name", FORM_TEXT,
	    SCHEMA_LINE | SCHEMA_ABSENT, 256),
	ROW_ARRAY(S, attrs, nattrs, TELEMETRY "resource_attrs", 0,
	    CONF_ATTRS_MAX, &attr_schema),
	ROW_ARRAY(S, headers, nheaders, NULL, 0, CONF_FIELDS_MAX,
	    &header_schema),
	ROW_STR(S, ca, TELEMETRY "ca_file", FORM_NONE, SCHEMA_ABSENT,
	    CONF_PEM_MAX),
	ROW_TIME(S, delay_ms, NULL, 0, 0, HOUR, 5 * SECOND),
#undef S
};

static int
telemetry_sane(const void *p)
{
	const struct conf_telemetry	*t = p;

	return (!t->enabled || (t->endpoint != NULL &&
	    t->service_name != NULL && (strncmp(t->endpoint, "http://",
	    7) == 0 || strncmp(t->endpoint, "https://", 8) == 0)));
}

static const struct schema telemetry_schema =
	SCHEMA_OF(conf_telemetry, telemetry_rows, telemetry_sane);

ROWS_OF(fetcher) {
#define S struct fetcher_conf
	ROW_FLAG(S, oauth, NULL, 0),
	ROW_STR(S, issuer, NULL, FORM_NONE, SCHEMA_VISIBLE | SCHEMA_ABSENT,
	    CONF_STR_MAX),
	ROW_STR(S, jwks_url, OAUTH "jwks_url", FORM_NONE,
	    SCHEMA_VISIBLE | SCHEMA_ABSENT, CONF_STR_MAX),
	/* a time of nothing would fetch in a circle */
	ROW_TIME(S, cache_ttl_ms, OAUTH "jwks_cache_ttl", 0, SECOND, 7 * DAY,
	    5 * MINUTE),
	ROW_TIME(S, max_stale_ms, OAUTH "jwks_max_stale", SCHEMA_OFF,
	    SECOND, 30 * DAY, 24 * HOUR),
	ROW_STR(S, ca, OAUTH "ca_file", FORM_NONE, SCHEMA_ABSENT,
	    CONF_PEM_MAX),
	ROW_NUMBER(S, ca_len, U64, NULL, 0, 0, CONF_PEM_MAX, 0),
	ROW_ARRAY(S, hosts, nhosts, NULL, 0, CONF_HOSTS_MAX, &host_schema),
	ROW_STRUCT(S, telemetry, &telemetry_schema),
#undef S
};

static int
fetcher_sane(const void *p)
{
	const struct fetcher_conf	*f = p;

	return ((!f->oauth || (f->issuer != NULL && f->jwks_url != NULL)) &&
	    (f->ca == NULL ? 0 : strlen(f->ca)) == f->ca_len);
}

const struct schema fetcher_conf_schema =
	SCHEMA_OF(fetcher_conf, fetcher_rows, fetcher_sane);

/* -- the keeper's part --------------------------------------------------- */

ROWS_OF(hash) {
#define S struct conf_hash
	ROW_TEXT(S, prefix, SCHEMA_EMPTY),
	ROW_NUMBER(S, hash.memory, U32, NULL, 0, 8, CONF_HASH_MEMORY_MAX, 0),
	ROW_NUMBER(S, hash.passes, U32, NULL, 0, 1, PHC_PASSES_MAX, 0),
	ROW_NUMBER(S, hash.lanes, U32, NULL, 0, 1, PHC_LANES_MAX, 0),
	ROW_OCTETS(S, hash.salt, hash.salt_len, 0, PHC_SALT_MIN),
	ROW_OCTETS(S, hash.hash, hash.hash_len, SCHEMA_SECRET, PHC_HASH_MIN),
#undef S
};

static int
hash_sane(const void *p)
{
	const struct conf_hash	*h = p;

	return ((h->prefix[0] == '\0' || api_key_prefix_ok(h->prefix)) &&
	    h->hash.memory / 8 >= h->hash.lanes);
}

static const struct schema hash_schema =
	SCHEMA_OF(conf_hash, hash_rows, hash_sane);

ROWS_OF(keeper) {
#define S struct keeper_conf
	ROW_NUMBER(S, threads, U32, "auth.argon2.threads", 0, 1,
	    CONF_THREADS_MAX, 0),
	ROW_FLAG(S, remember, NULL, 0),
	ROW_LONG_STRINGS(S, tls_keys, ntls_keys, SCHEMA_ABSENT | SCHEMA_SECRET,
	    CONF_UPSTREAMS_MAX + 1, CONF_PEM_MAX),
	ROW_ARRAY(S, keys, nkeys, NULL, 0, CONF_KEYS_MAX, &hash_schema),
#undef S
};

const struct schema keeper_conf_schema =
	SCHEMA_OF(keeper_conf, keeper_rows, NULL);

/* -- the monitor's part -------------------------------------------------- */

ROWS_OF(monitor) {
#define S struct monitor_conf
	ROW_FLAG(S, token, NULL, 0),
	ROW_BYTES(S, token_digest, 0),
	ROW_FLAG(S, group, NULL, 0),
	ROW_NUMBER(S, gid, U32, NULL, 0, 0, U32_MAX, 0),
#undef S
};

const struct schema monitor_conf_schema =
	SCHEMA_OF(monitor_conf, monitor_rows, NULL);

void *
conf_unpack(const struct schema *s, const void *data, size_t len)
{
	return (len > CONF_PACKED_MAX ? NULL : schema_unpack(s, data, len));
}
