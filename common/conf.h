/*
 * The parts of the configuration that children get, and how they travel: each
 * part is packed by the master and unpacked, checked again, by the child.  A
 * child sees what it needs and no more.
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <sys/types.h>

#include <netinet/in.h>

#include <stddef.h>
#include <stdint.h>

#include "common/api_key.h"
#include "common/phc.h"
#include "common/schema.h"

#define CONF_PACKED_MAX		(16 * 1024 * 1024)
#define CONF_STR_MAX		SCHEMA_STR_MAX	/* bytes of a string */
#define CONF_UPSTREAMS_MAX	1024
#define CONF_SERVERS_MAX	64	/* of one upstream */
#define CONF_HOSTS_MAX		4096	/* servers of all upstreams */
#define CONF_FIELDS_MAX		64	/* headers of one upstream */
#define CONF_UNSET		UINT64_MAX	/* a time: as for all */
#define CONF_SECRET_LEN		32
#define CONF_MARK_LEN		32
#define CONF_LIST_MAX		1024	/* scopes, origins, proxies */
#define CONF_KEYS_MAX		4096	/* API keys */
#define CONF_NO_PREFIX_MAX	8	/* of them without a prefix */
#define CONF_THREADS_MAX	64	/* of the keeper */
#define CONF_PEM_MAX		(1024 * 1024)	/* certificates, or a key */
#define CONF_CLAIMS_MAX		8	/* claims that may say one thing */
#define CONF_CLAIM_DEPTH	7	/* objects that one lies in */
#define CONF_ATTRS_MAX		64	/* telemetry.customer.resource_attrs */
#define CONF_SAMPLE_ALL		(1ULL << 56)
#define CONF_HASH_MEMORY_MAX	(1024 * 1024)	/* KiB, of one hash */

/* One of the servers that an upstream is made of: a URL. */
struct conf_server {
	char		*host;		/* name or address, without brackets */
	char		*authority;	/* what Host says: host[:port] */
	char		*path;		/* begins with '/' */
	uint16_t	 port;
	int		 tls;		/* https */
	char		*query;		/* without '?', or NULL: the client's;
					 * it may hold a secret */
	uint32_t	 number;	/* of the master's, for counting */
};

/* A header field with a fixed value, which may be a secret. */
struct conf_field {
	char		*name;
	char		*value;
};

struct conf_upstream {
	char		*name;
	uint32_t	 number;	/* of the master's, for counting */
	struct conf_server *servers;
	size_t		 nservers;	/* at least 1 */
	struct conf_field *headers;	/* set on every request */
	size_t		 nheaders;
	char		*host;		/* of all servers in Host, or NULL */
	int		 identity_headers;	/* say who the caller is */
	int		 cookies;	/* it may have some */
	char		*tls_ca;	/* PEM, or NULL: system_ca */
	char		*tls_server_name;	/* or NULL: the server's host */
	char		*tls_cert;	/* PEM of our certificate, or NULL */
	uint32_t	 tls_key;	/* its key's number in the keeper */
	uint64_t	 t_connect;	/* ms, like those of all */
	uint64_t	 t_response;
	uint64_t	 t_stream_idle;
	uint64_t	 max_connections;	/* of one worker; 0: no limit of
						 * its own */
	char		*health_path;	/* asked for by GET, or NULL: never */
	uint64_t	 health_interval;	/* ms */
	uint64_t	 health_timeout;
};

/* What Host says. */
static inline const char *
conf_server_authority(const struct conf_upstream *u,
    const struct conf_server *s)
{
	return (u->host != NULL ? u->host : s->authority);
}

/* Address and prefix length, as in trusted_proxies. */
struct conf_net {
	int		 family;	/* AF_INET or AF_INET6 */
	uint8_t		 addr[16];
	uint8_t		 prefix;
};

struct conf_strings {
	char		**v;
	size_t		 n;
};

struct conf_oauth {
	int		 enabled;
	char		*issuer;
	struct conf_strings audiences;
	int		 accept_resource;	/* public_url, and that of an
					 * upstream, are audiences too */
	struct conf_strings audience_claims;	/* paths; 1 to
					 * CONF_CLAIMS_MAX, as the next two */
	struct conf_strings client_claims;
	struct conf_strings scope_claims;
	struct conf_strings typ;	/* required in the header; none: any */
	char		*public_url;	/* never NULL: the master fills in the
					 * listen address when unset */
	char		*metadata_path;
	char		**scopes;	/* required_scopes */
	size_t		 nscopes;
	uint64_t	 leeway_ms;
	/* for people, in the metadata; each may be NULL */
	char		*resource_name;
	char		*resource_documentation;
	char		*resource_policy_uri;
	char		*resource_tos_uri;
};

/* An API key as workers know it; what it hashes to is the keeper's alone. */
struct conf_key {
	char		*id;
	char		*scopes;	/* space-joined; "" when none */
	int64_t		 created;	/* seconds since the epoch; 0: unsaid */
	int64_t		 expires;	/* the same; 0: never */
	uint8_t		 mark[CONF_MARK_LEN];	/* digest of its hash: which
						 * key it is, whatever its id */
};

/* The same key, at the same index, as the keeper knows it. */
struct conf_hash {
	char		 prefix[API_KEY_PREFIX_LEN + 1];	/* or "" */
	struct phc	 hash;
};

/* How the record names people. */
enum conf_identity {
	CONF_IDENTITY_FULL,
	CONF_IDENTITY_HASHED,
	CONF_IDENTITY_NONE,
	CONF_IDENTITY_MAX
};

/* What a worker gets.  All times in milliseconds, sizes in bytes; a time of
 * 0 means off. */
struct worker_conf {
	int		 auth_enabled;
	struct conf_oauth oauth;
	struct conf_key	*keys;		/* auth.keys, in the file's order */
	size_t		 nkeys;
	char		*key_header;	/* auth.header; NULL: Authorization */
	char		*key_scheme;	/* auth.scheme, "" when it says that
					 * there is none, or NULL */
	uint64_t	 key_cache_ttl;	/* ms; 0: not remembered */
	char		*tls_cert;	/* tls.cert_file: PEM, the chain; or
					 * NULL: no TLS */
	char		*tls_client_ca;	/* tls.client_ca: PEM, or NULL */
	char		*system_ca;	/* PEM, for https upstreams without a
					 * tls.ca_file; NULL: there is none */
	uint8_t		 session_secret[CONF_SECRET_LEN];
	int		 session_secret_set;	/* it is the file's: stays the
						 * same over restarts */
	uint8_t		 ticket_secret[CONF_SECRET_LEN];	/* of this
						 * generation: TLS sessions */
	uint32_t	 revisions;	/* mcp.revisions: a bit each, in the
					 * order of conf_revisions */
	struct conf_upstream *upstreams;
	size_t		 nupstreams;
	size_t		 default_upstream;	/* index */
	char		**origins;	/* allowed_origins */
	size_t		 norigins;
	int		 any_host;	/* allowed_hosts: [*] */
	char		**allowed_hosts;	/* without ports */
	size_t		 nallowed_hosts;
	struct conf_net	*proxies;	/* trusted_proxies */
	size_t		 nproxies;
	int		 proxy_protocol;	/* proxy_protocol.enabled */
	struct conf_net	*proxy_peers;	/* proxy_protocol.trusted_cidrs */
	size_t		 nproxy_peers;
	int		 audit_allow;	/* audit.on_failure: allow */
	uint32_t	 identity;	/* audit.identity: enum conf_identity */
	uint64_t	 refusals;	/* audit.refusals_per_second; 0: any */
	int		 traces;	/* telemetry.customer.enabled */
	uint64_t	 sample;	/* of CONF_SAMPLE_ALL traces that begin
					 * here, so many */
	int		 sample_parent;	/* of others their word counts */
	uint64_t	 max_body;
	uint64_t	 max_header;
	uint64_t	 max_message;	/* of an answer that is looked at */
	uint64_t	 max_connections;
	uint64_t	 buffered;
	uint64_t	 per_connections;	/* limits.per_address; 0: any */
	uint64_t	 per_streams;
	uint64_t	 per_buffered;
	uint64_t	 t_header;
	uint64_t	 t_body;
	uint64_t	 t_keepalive;
	uint64_t	 t_connect;	/* upstream_connect */
	uint64_t	 t_response;	/* upstream_response */
	uint64_t	 t_stream_idle;
	uint64_t	 t_stream_total;
	uint64_t	 t_sse_keepalive;
	uint64_t	 t_drain;
};

/* A name to resolve, and the port that goes with it. */
struct conf_host {
	char		*name;
	uint16_t	 port;
};

/* Where spans go, and what is said of who sends them: telemetry.customer. */
struct conf_telemetry {
	int		 enabled;
	char		*endpoint;	/* http[s] URL that takes traces; or
					 * NULL, unless enabled */
	char		*service_name;	/* the same */
	struct conf_field *attrs;	/* resource_attrs */
	size_t		 nattrs;
	struct conf_field *headers;	/* of headers_file: secrets */
	size_t		 nheaders;
	char		*ca;		/* PEM bundle, or NULL: the system's */
	uint64_t	 delay_ms;	/* before a batch is sent */
};

/* What the fetcher gets for one generation. */
struct fetcher_conf {
	int		 oauth;		/* 0: no key set to fetch */
	char		*issuer;
	char		*jwks_url;
	uint64_t	 cache_ttl_ms;
	uint64_t	 max_stale_ms;	/* beyond that; 0: for ever */
	char		*ca;		/* PEM bundle, read by the master; or
					 * NULL: the system's */
	size_t		 ca_len;
	struct conf_host *hosts;	/* of all servers of all upstreams, one
					 * after the other */
	size_t		 nhosts;
	struct conf_telemetry telemetry;
};

/* What the keeper gets for one generation. */
struct keeper_conf {
	struct conf_hash *keys;		/* by the index that workers use */
	size_t		 nkeys;
	uint32_t	 threads;	/* for hashing; heeded at its start */
	int		 remember;	/* successes, between requests */
	char		**tls_keys;	/* private keys, PEM, by number; 0: of
					 * tls.key_file, or NULL */
	size_t		 ntls_keys;
};

/* What the monitor gets. */
struct monitor_conf {
	int		 token;		/* admin.token_file is set */
	uint8_t		 token_digest[CONF_SECRET_LEN];	/* SHA-256 of it */
	int		 group;		/* control.group is set: */
	uint32_t	 gid;
};

/* The revisions of MCP that there are, oldest first. */
#define CONF_REVISIONS	5
extern const char *const conf_revisions[CONF_REVISIONS];

/* The tables (common/schema.h). */
extern const struct schema conf_oauth_schema;
extern const struct schema worker_conf_schema;
extern const struct schema fetcher_conf_schema;
extern const struct schema keeper_conf_schema;
extern const struct schema monitor_conf_schema;
extern const struct schema conf_upstream_schema;

/* As schema_unpack(), of at most CONF_PACKED_MAX bytes. */
void	*conf_unpack(const struct schema *, const void *, size_t);

/* Each part by its own name: packed; unpacked, or NULL; freed. */
#define CONF_PART(part)							\
static inline void							\
part##_pack(const struct part *c, struct wbuf *b)			\
{									\
	schema_pack(&part##_schema, c, b);				\
}									\
static inline struct part *						\
part##_unpack(const void *p, size_t len)				\
{									\
	return (conf_unpack(&part##_schema, p, len));			\
}									\
static inline void							\
part##_free(struct part *c)						\
{									\
	schema_free(&part##_schema, c);					\
}
CONF_PART(worker_conf)
CONF_PART(fetcher_conf)
CONF_PART(keeper_conf)
CONF_PART(monitor_conf)
#undef CONF_PART

#endif
