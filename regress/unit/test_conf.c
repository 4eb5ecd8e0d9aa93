/*
 * common/conf.h: a part survives the journey, and nothing that the packer
 * would not have made gets through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

static char	*scopes[] = { "mcp:read", "mcp:write" };
static char	*origins[] = { "*", "https://a.example" };
static struct conf_host hosts[] = { { "127.0.0.1", 80 },
    { "mcp.example", 8080 } };

static struct conf_key keys[] = {
	{ "ci-pipeline", "*", 0, 0, "0123456789abcdef" },
	{ "b", "", 1700000000, 1800000000, { 1, [31] = 2 } },
};

static struct conf_hash hashes[] = {
	{ "", { 65536, 3, 2, 8, 32, "somesalt", "0123456789abcdef" } },
	{ "Abcd0123", { 64, 1, 1, 64, 64, "s", "h" } },
};

static struct conf_server servers[] = {
	{ "127.0.0.1", "127.0.0.1", "/", 80, 0, NULL, 0 },
	{ "::1", "[::1]:8080", "/mcp", 8080, 1, "a=b&c", 0 },
	{ "mcp.example", "mcp.example", "/mcp", 443, 1, NULL, 0 },
};

static struct conf_field fields[] = {
	{ "Authorization", "Bearer upstream's own" },
	{ "X-Team", "blue" },
};

static struct conf_upstream ups[] = {
	{ .name = "a", .servers = servers, .nservers = 1, .t_connect = 100,
	    .t_response = 100, .health_interval = 1000,
	    .health_timeout = 100 },
	{ .name = "b", .servers = servers + 1, .nservers = 2,
	    .headers = fields, .nheaders = 2, .identity_headers = 1, .cookies = 1,
	    .tls_ca = "CA\n", .tls_server_name = "x.example",
	    .tls_cert = "CERT\n", .tls_key = 7, .t_connect = 101,
	    .t_response = 102, .t_stream_idle = 103,
	    .max_connections = 4,
	    .health_path = "/healthz", .health_interval = 1005,
	    .health_timeout = 106 },
};

static struct conf_net nets[] = {
	{ AF_INET, { 10 }, 8 },
	{ AF_INET6, { 0xfe, 0x80 }, 10 },
};

static char		*audiences[] = { "mcpgw \xc3\xa9", "other" };
static char		*claims[] = { "aud", "realm_access.roles", "cid" };
static char		*types[] = { "at+jwt" };

static struct worker_conf
worker_sample(void)
{
	struct worker_conf	 w;

	memset(&w, 0, sizeof(w));
	w.auth_enabled = 1;
	w.oauth.enabled = 1;
	w.oauth.issuer = "https://idp.example/";
	w.oauth.audiences = (struct conf_strings){ audiences, 2 };
	w.oauth.accept_resource = 1;
	w.oauth.audience_claims = (struct conf_strings){ claims, 1 };
	w.oauth.scope_claims = (struct conf_strings){ claims + 1, 1 };
	w.oauth.client_claims = (struct conf_strings){ claims + 1, 2 };
	w.oauth.typ = (struct conf_strings){ types, 1 };
	w.oauth.public_url = "https://gw.example/mcp";
	w.oauth.metadata_path = "/.well-known/oauth-protected-resource";
	w.oauth.scopes = scopes;
	w.oauth.nscopes = 2;
	w.oauth.leeway_ms = 30000;
	w.oauth.resource_name = "Tools \xc3\xa9";
	w.oauth.resource_documentation = "https://docs.example/";
	w.oauth.resource_policy_uri = "https://policy.example/";
	w.oauth.resource_tos_uri = "https://tos.example/";
	w.keys = keys;
	w.nkeys = 2;
	w.key_header = "X-API-Key";
	w.key_scheme = "ApiKey";
	w.key_cache_ttl = 300000;
	w.tls_cert = "CERT\n";
	w.tls_client_ca = "CA\n";
	w.revisions = 0xb;
	w.system_ca = "ROOTS\n";
	memset(w.session_secret, 0xa5, sizeof(w.session_secret));
	memset(w.ticket_secret, 0x5a, sizeof(w.ticket_secret));
	w.upstreams = ups;
	w.nupstreams = 2;
	w.default_upstream = 1;
	w.origins = origins;
	w.norigins = 2;
	w.proxies = nets;
	w.nproxies = 2;
	w.proxy_protocol = 1;
	w.proxy_peers = nets + 1;
	w.nproxy_peers = 1;
	w.audit_allow = 1;
	w.identity = CONF_IDENTITY_HASHED;
	w.session_secret_set = 1;
	w.refusals = 6;
	w.max_body = 1024;
	w.max_header = 2048;
	w.max_message = 65536;
	w.max_connections = 3;
	w.buffered = 4 << 20;
	w.per_connections = 7;
	w.per_streams = 8;
	w.per_buffered = 2 << 20;
	w.t_header = 105;
	w.t_body = 106;
	w.t_keepalive = 107;
	w.t_connect = 108;
	w.t_response = 109;
	w.t_stream_idle = 0;
	w.t_sse_keepalive = 110;
	w.t_drain = 111;
	w.t_stream_total = 112;
	return (w);
}

static struct fetcher_conf
fetcher_sample(void)
{
	struct fetcher_conf	 f;

	memset(&f, 0, sizeof(f));
	f.oauth = 1;
	f.issuer = "https://idp.example/";
	f.jwks_url = "https://idp.example/jwks";
	f.cache_ttl_ms = 300000;
	f.ca = "PEM\n";
	f.ca_len = 4;
	f.hosts = hosts;
	f.nhosts = 2;
	return (f);
}

static struct worker_conf *
worker_travel(const struct worker_conf *w)
{
	struct worker_conf	*back;
	struct wbuf		 b;

	wbuf_init(&b, CONF_PACKED_MAX);
	worker_conf_pack(w, &b);
	assert_false(b.failed);
	errno = 0;
	back = worker_conf_unpack(b.data, b.len);
	assert_int_equal(errno, 0);
	wbuf_free(&b);
	return (back);
}

static struct fetcher_conf *
fetcher_travel(const struct fetcher_conf *f)
{
	struct fetcher_conf	*back;
	struct wbuf		 b;

	wbuf_init(&b, CONF_PACKED_MAX);
	fetcher_conf_pack(f, &b);
	assert_false(b.failed);
	back = fetcher_conf_unpack(b.data, b.len);
	wbuf_free(&b);
	return (back);
}

static void
string_same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		assert_ptr_equal(a, b);
	else
		assert_string_equal(a, b);
}

static void
upstream_same(const struct conf_upstream *a, const struct conf_upstream *b)
{
	size_t	 i;

	string_same(a->name, b->name);
	assert_int_equal(a->nservers, b->nservers);
	for (i = 0; i < a->nservers; i++) {
		string_same(a->servers[i].host, b->servers[i].host);
		string_same(a->servers[i].authority, b->servers[i].authority);
		string_same(a->servers[i].path, b->servers[i].path);
		string_same(a->servers[i].query, b->servers[i].query);
		assert_int_equal(a->servers[i].port, b->servers[i].port);
		assert_int_equal(a->servers[i].tls, b->servers[i].tls);
	}
	assert_int_equal(a->nheaders, b->nheaders);
	for (i = 0; i < a->nheaders; i++) {
		string_same(a->headers[i].name, b->headers[i].name);
		string_same(a->headers[i].value, b->headers[i].value);
	}
	assert_int_equal(a->identity_headers, b->identity_headers);
	assert_int_equal(a->cookies, b->cookies);
	string_same(a->tls_ca, b->tls_ca);
	string_same(a->tls_server_name, b->tls_server_name);
	string_same(a->tls_cert, b->tls_cert);
	assert_int_equal(a->tls_key, b->tls_key);
	assert_int_equal(a->t_connect, b->t_connect);
	assert_int_equal(a->t_response, b->t_response);
	assert_int_equal(a->t_stream_idle, b->t_stream_idle);
	assert_int_equal(a->max_connections, b->max_connections);
	string_same(a->health_path, b->health_path);
	assert_int_equal(a->health_interval, b->health_interval);
	assert_int_equal(a->health_timeout, b->health_timeout);
}

static void
test_worker(void **state)
{
	struct worker_conf	 w = worker_sample(), *x;

	(void)state;
	assert_non_null(x = worker_travel(&w));
	assert_int_equal(x->auth_enabled, 1);
	assert_int_equal(x->oauth.enabled, 1);
	assert_string_equal(x->oauth.issuer, w.oauth.issuer);
	assert_int_equal(x->oauth.audiences.n, 2);
	assert_string_equal(x->oauth.audiences.v[0], audiences[0]);
	assert_string_equal(x->oauth.audiences.v[1], audiences[1]);
	assert_int_equal(x->oauth.accept_resource, 1);
	assert_int_equal(x->oauth.audience_claims.n, 1);
	assert_string_equal(x->oauth.audience_claims.v[0], claims[0]);
	assert_int_equal(x->oauth.scope_claims.n, 1);
	assert_string_equal(x->oauth.scope_claims.v[0], claims[1]);
	assert_int_equal(x->oauth.client_claims.n, 2);
	assert_string_equal(x->oauth.client_claims.v[1], claims[2]);
	assert_int_equal(x->oauth.typ.n, 1);
	assert_string_equal(x->oauth.typ.v[0], types[0]);
	assert_string_equal(x->oauth.public_url, w.oauth.public_url);
	assert_string_equal(x->oauth.resource_name, w.oauth.resource_name);
	assert_string_equal(x->oauth.resource_documentation,
	    w.oauth.resource_documentation);
	assert_string_equal(x->oauth.resource_policy_uri,
	    w.oauth.resource_policy_uri);
	assert_string_equal(x->oauth.resource_tos_uri,
	    w.oauth.resource_tos_uri);
	assert_string_equal(x->oauth.metadata_path, w.oauth.metadata_path);
	assert_int_equal(x->oauth.nscopes, 2);
	assert_string_equal(x->oauth.scopes[1], "mcp:write");
	assert_int_equal(x->oauth.leeway_ms, 30000);
	assert_int_equal(x->nkeys, 2);
	assert_string_equal(x->keys[0].id, "ci-pipeline");
	assert_string_equal(x->keys[0].scopes, "*");
	assert_string_equal(x->keys[1].scopes, "");
	/* no worker needs it */
	assert_int_equal(x->keys[1].created, 0);
	assert_int_equal(x->keys[1].expires, 1800000000);
	assert_memory_equal(x->keys[0].mark, keys[0].mark, CONF_MARK_LEN);
	assert_memory_equal(x->keys[1].mark, keys[1].mark, CONF_MARK_LEN);
	assert_string_equal(x->key_header, "X-API-Key");
	assert_string_equal(x->key_scheme, "ApiKey");
	assert_int_equal(x->key_cache_ttl, 300000);
	assert_string_equal(x->tls_cert, "CERT\n");
	assert_string_equal(x->tls_client_ca, "CA\n");
	assert_int_equal(x->nupstreams, 2);
	assert_int_equal(x->default_upstream, 1);
	assert_string_equal(x->upstreams[1].name, "b");
	upstream_same(&x->upstreams[0], &ups[0]);
	upstream_same(&x->upstreams[1], &ups[1]);
	assert_memory_equal(x->session_secret, w.session_secret, 32);
	assert_memory_equal(x->ticket_secret, w.ticket_secret, 32);
	assert_string_equal(x->system_ca, "ROOTS\n");
	assert_int_equal(x->revisions, 0xb);
	assert_int_equal(x->norigins, 2);
	assert_string_equal(x->origins[0], "*");
	assert_int_equal(x->nproxies, 2);
	assert_memory_equal(&x->proxies[0], &nets[0], sizeof(nets[0]));
	assert_memory_equal(&x->proxies[1], &nets[1], sizeof(nets[1]));
	assert_int_equal(x->proxy_protocol, 1);
	assert_int_equal(x->nproxy_peers, 1);
	assert_memory_equal(&x->proxy_peers[0], &nets[1], sizeof(nets[1]));
	assert_int_equal(x->audit_allow, 1);
	assert_int_equal(x->identity, CONF_IDENTITY_HASHED);
	assert_int_equal(x->session_secret_set, 1);
	assert_int_equal(x->refusals, 6);
	assert_int_equal(x->max_body, 1024);
	assert_int_equal(x->max_header, 2048);
	assert_int_equal(x->max_connections, 3);
	assert_int_equal(x->buffered, 4 << 20);
	assert_int_equal(x->per_connections, 7);
	assert_int_equal(x->per_streams, 8);
	assert_int_equal(x->per_buffered, 2 << 20);
	assert_int_equal(x->t_header, 105);
	assert_int_equal(x->t_body, 106);
	assert_int_equal(x->t_keepalive, 107);
	assert_int_equal(x->t_connect, 108);
	assert_int_equal(x->t_response, 109);
	assert_int_equal(x->t_stream_idle, 0);
	assert_int_equal(x->t_stream_total, 112);
	assert_int_equal(x->t_drain, 111);
	worker_conf_free(x);
}

static void
test_worker_plain(void **state)
{
	struct worker_conf	 w = worker_sample(), *x;

	(void)state;
	w.auth_enabled = w.oauth.enabled = 0;
	w.oauth.issuer = NULL;
	w.oauth.audiences.n = 0;
	w.oauth.accept_resource = 0;
	w.oauth.nscopes = w.norigins = w.nproxies = w.nkeys = 0;
	w.key_header = w.key_scheme = w.tls_cert = w.tls_client_ca = NULL;
	w.nupstreams = 1;
	w.default_upstream = 0;
	assert_non_null(x = worker_travel(&w));
	assert_null(x->oauth.issuer);
	assert_null(x->origins);
	worker_conf_free(x);
	worker_conf_free(NULL);
}

static void
worker_refused(const struct worker_conf *w, const char *what)
{
	struct worker_conf	*x;

	if ((x = worker_travel(w)) != NULL)
		fail_msg("accepted: %s", what);
}

static void
test_worker_insane(void **state)
{
	struct conf_upstream	 up;
	struct conf_server	 server;
	struct conf_field	 field;
	struct conf_key		 key;
	struct conf_net		 net;
	struct worker_conf	 w;
	char			*bad[] = { "a\nb" };

	(void)state;
#define WITH(change) do {						\
	w = worker_sample();						\
	change;								\
	worker_refused(&w, #change);					\
} while (0)
#define WITH_UP(change) do {						\
	up = ups[1];							\
	change;								\
	WITH((w.upstreams = &up, w.nupstreams = 1,			\
	    w.default_upstream = 0));					\
} while (0)
	WITH(w.nupstreams = 0);
	WITH(w.default_upstream = 2);
	WITH(w.auth_enabled = 0);
	WITH(w.oauth.issuer = NULL);
	WITH(w.oauth.issuer = "");
	WITH((w.oauth.audiences.n = 0, w.oauth.accept_resource = 0));
	WITH(audiences[1] = "a\nb");
	audiences[1] = "other";
	WITH(w.oauth.audience_claims.n = 0);
	WITH(w.oauth.scope_claims.n = 0);
	WITH(w.oauth.client_claims.n = 0);
	WITH(claims[2] = "a b");
	claims[2] = "cid";
	WITH(w.oauth.public_url = NULL);
	WITH(w.oauth.public_url = "http://x/\r\nSet-Cookie: a");
	WITH(w.oauth.metadata_path = NULL);
	WITH(w.oauth.metadata_path = "x");
	WITH(w.oauth.leeway_ms = UINT64_MAX);
	WITH((w.oauth.scopes = bad, w.oauth.nscopes = 1));
	WITH((w.origins = bad, w.norigins = 1));
	WITH(w.max_body = 0);
	WITH(w.max_header = 0);
	WITH(w.max_connections = 0);
	WITH(w.buffered = UINT64_MAX);
	WITH(w.per_connections = UINT64_MAX);
	WITH(w.per_streams = UINT64_MAX);
	WITH(w.refusals = UINT64_MAX);
	WITH(w.per_buffered = 0);
	WITH(w.t_header = UINT64_MAX);
	WITH(w.t_drain = UINT64_MAX);
	WITH(w.t_stream_total = UINT64_MAX);
#define WITH_SERVER(change) do {					\
	server = servers[1];						\
	change;								\
	WITH_UP((up.servers = &server, up.nservers = 1));		\
} while (0)
	WITH_SERVER(server.port = 0);
	WITH_SERVER(server.path = "mcp");
	WITH_SERVER(server.path = "/a b");
	WITH_SERVER(server.query = "a b");
	WITH_SERVER(server.authority = "a\r\nb");
	WITH_SERVER(server.host = "");
#undef WITH_SERVER
	WITH_UP(up.name = NULL);
	WITH_UP(up.nservers = 0);
	WITH_UP(up.t_connect = UINT64_MAX);
	WITH_UP(up.health_path = "x");
	WITH_UP(up.health_interval = 0);
	WITH_UP(up.tls_server_name = "a b");
	field.name = "X-A";
	field.value = "a\r\nb";
	WITH_UP((up.headers = &field, up.nheaders = 1));
	field.name = "X A";
	field.value = "a";
	WITH_UP((up.headers = &field, up.nheaders = 1));
#define WITH_KEY(change) do {						\
	key = keys[1];							\
	change;								\
	WITH((w.keys = &key, w.nkeys = 1));				\
} while (0)
	WITH_KEY(key.id = NULL);
	WITH_KEY(key.id = "");
	WITH_KEY(key.id = "a\nb");
	WITH_KEY(key.scopes = NULL);
	WITH_KEY(key.scopes = "a\rb");
	WITH_KEY(key.expires = -1);
#undef WITH_KEY
	WITH(w.key_header = "a b");
	WITH(w.key_scheme = "a\n");
	WITH(w.key_cache_ttl = UINT64_MAX);
	WITH(w.tls_cert = NULL);
	WITH(w.revisions = 0);
	WITH(w.revisions = 0x20);
	/* nobody to ask */
	WITH((w.oauth.enabled = 0, w.nkeys = 0));
	net = nets[0];
	net.prefix = 33;
	WITH((w.proxies = &net, w.nproxies = 1));
	WITH((w.proxy_peers = &net, w.nproxy_peers = 1));
	WITH((w.nproxy_peers = 0));
	net = nets[1];
	net.prefix = 129;
	WITH((w.proxies = &net, w.nproxies = 1));
#undef WITH_UP
#undef WITH
}

/* Cut anywhere, with a byte more, or with any one byte other than packed:
 * nothing worse than NULL or another sane part (ASan watches). */
static void
test_worker_bytes(void **state)
{
	struct worker_conf	 w = worker_sample();
	struct wbuf		 b;
	uint8_t			*copy;
	size_t			 i;

	(void)state;
	wbuf_init(&b, CONF_PACKED_MAX);
	worker_conf_pack(&w, &b);
	for (i = 0; i < b.len; i++) {
		assert_non_null(copy = malloc(i + 1));
		memcpy(copy, b.data, i);
		assert_null(worker_conf_unpack(copy, i));
		free(copy);
	}
	assert_non_null(copy = malloc(b.len + 1));
	memcpy(copy, b.data, b.len);
	copy[b.len] = 0;
	assert_null(worker_conf_unpack(copy, b.len + 1));
	for (i = 0; i < b.len; i++) {
		copy[i] ^= 0xff;
		worker_conf_free(worker_conf_unpack(copy, b.len));
		copy[i] ^= 0xff;
	}
	/* It is the fetcher's, not a worker's. */
	assert_null(fetcher_conf_unpack(b.data, b.len));
	free(copy);
	wbuf_free(&b);
}

static struct keeper_conf *
keeper_travel(const struct keeper_conf *k)
{
	struct keeper_conf	*back;
	struct wbuf		 b;

	wbuf_init(&b, CONF_PACKED_MAX);
	keeper_conf_pack(k, &b);
	assert_false(b.failed);
	back = keeper_conf_unpack(b.data, b.len);
	wbuf_free(&b);
	return (back);
}

static void
test_keeper(void **state)
{
	char			*pems[] = { NULL, "KEY\n" };
	struct keeper_conf	 k = { hashes, 2, 3, 1, pems, 2 }, *x;
	struct conf_hash	 h;
	struct wbuf		 b;
	size_t			 i;

	(void)state;
	assert_non_null(x = keeper_travel(&k));
	assert_int_equal(x->nkeys, 2);
	assert_int_equal(x->threads, 3);
	assert_int_equal(x->remember, 1);
	assert_memory_equal(x->keys, hashes, sizeof(hashes));
	assert_int_equal(x->ntls_keys, 2);
	assert_null(x->tls_keys[0]);
	assert_string_equal(x->tls_keys[1], "KEY\n");
	keeper_conf_free(x);
	keeper_conf_free(NULL);
	k.keys = &h;
	k.nkeys = 1;
#define WITH(change) do {						\
	h = hashes[0];							\
	change;								\
	if (keeper_travel(&k) != NULL)					\
		fail_msg("accepted: %s", #change);			\
} while (0)
	WITH(strcpy(h.prefix, "Abcd012"));
	WITH(strcpy(h.prefix, "Abcd012_"));
	WITH(h.hash.lanes = 0);
	WITH(h.hash.passes = 0);
	WITH(h.hash.memory = 15);
	WITH(h.hash.memory = 1024 * 1024 + 1);
	WITH(h.hash.salt_len = 7);
	WITH(h.hash.hash_len = 15);
	WITH(k.threads = 0);
	WITH(k.threads = 65);
#undef WITH
	k = (struct keeper_conf){ hashes, 2, 1, 0, NULL, 0 };
	wbuf_init(&b, CONF_PACKED_MAX);
	keeper_conf_pack(&k, &b);
	for (i = 0; i < b.len; i++)
		assert_null(keeper_conf_unpack(b.data, i));
	assert_null(worker_conf_unpack(b.data, b.len));
	wbuf_free(&b);
}

static void
test_fetcher(void **state)
{
	struct fetcher_conf	 f = fetcher_sample(), *x;

	(void)state;
	assert_non_null(x = fetcher_travel(&f));
	assert_int_equal(x->oauth, 1);
	assert_string_equal(x->issuer, f.issuer);
	assert_string_equal(x->jwks_url, f.jwks_url);
	assert_int_equal(x->cache_ttl_ms, 300000);
	assert_int_equal(x->ca_len, 4);
	assert_string_equal(x->ca, "PEM\n");
	assert_int_equal(x->nhosts, 2);
	assert_string_equal(x->hosts[1].name, "mcp.example");
	assert_int_equal(x->hosts[1].port, 8080);
	fetcher_conf_free(x);
	memset(&f, 0, sizeof(f));
	f.cache_ttl_ms = 300000;
	assert_non_null(x = fetcher_travel(&f));
	assert_int_equal(x->oauth, 0);
	assert_null(x->ca);
	assert_null(x->jwks_url);
	fetcher_conf_free(x);
	fetcher_conf_free(NULL);
}

static void
test_fetcher_insane(void **state)
{
	struct fetcher_conf	 f;
	struct wbuf		 b;
	struct conf_host	 zero[] = { { "a", 80 }, { "b", 0 } };
	size_t			 i;

	(void)state;
#define WITH(change) do {						\
	f = fetcher_sample();						\
	change;								\
	if (fetcher_travel(&f) != NULL)					\
		fail_msg("accepted: %s", #change);			\
} while (0)
	WITH(f.issuer = NULL);
	WITH(f.jwks_url = NULL);
	WITH(f.jwks_url = "http://x/ y");
	WITH(f.cache_ttl_ms = 0);
	WITH(f.cache_ttl_ms = UINT64_MAX);
	WITH(f.ca_len = 0);
	WITH(f.hosts = zero);
#undef WITH
	f = fetcher_sample();
	wbuf_init(&b, CONF_PACKED_MAX);
	fetcher_conf_pack(&f, &b);
	for (i = 0; i < b.len; i++) {
		assert_null(fetcher_conf_unpack(b.data, i));
		b.data[i] ^= 0xff;
		fetcher_conf_free(fetcher_conf_unpack(b.data, b.len));
		b.data[i] ^= 0xff;
	}
	assert_null(worker_conf_unpack(b.data, b.len));
	wbuf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_worker_plain),
		cmocka_unit_test(test_worker_insane),
		cmocka_unit_test(test_worker_bytes),
		cmocka_unit_test(test_keeper),
		cmocka_unit_test(test_fetcher),
		cmocka_unit_test(test_fetcher_insane),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
