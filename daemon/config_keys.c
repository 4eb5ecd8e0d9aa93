/*
 * Every key that mcpgw.yaml may have, in one table, and the walk that holds a
 * file against it.  A new key is a line here, a field in struct config, its
 * default in config_check.c and a paragraph in mcpgw.yaml(5).
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config_int.h"

#define AT(field)	offsetof(struct config, field)
#define SECOND		1000ULL
#define MINUTE		(60 * SECOND)
#define HOUR		(60 * MINUTE)
#define KiB		1024ULL
#define MiB		(1024 * KiB)
#define GiB		(1024 * MiB)

#define SUGGEST_MAX	32	/* longer keys get no suggestion */
#define LISTED_MAX	6	/* with more keys, they are not listed */

static const struct cfg_key timeouts_keys[] = {
	{ "header", cfg_duration, AT(w.t_header), 100, 10 * MINUTE, NULL },
	{ "body", cfg_duration, AT(w.t_body), 100, HOUR, NULL },
	{ "keepalive", cfg_duration, AT(w.t_keepalive), 100, 24 * HOUR,
	    NULL },
	{ "upstream_connect", cfg_duration, AT(w.t_connect), 100,
	    10 * MINUTE, NULL },
	{ "upstream_response", cfg_duration, AT(w.t_response), 100,
	    24 * HOUR, NULL },
	{ "stream_idle", cfg_duration_off, AT(w.t_stream_idle), 100,
	    168 * HOUR, NULL },
	{ "stream_total", cfg_duration_off, AT(w.t_stream_total), 100,
	    168 * HOUR, NULL },
	{ "sse_keepalive", cfg_duration_off, AT(w.t_sse_keepalive), 100,
	    HOUR, NULL },
	{ NULL, NULL, 0, 0, 0, NULL }
};

static const struct cfg_key limits_keys[] = {
	{ "max_body", cfg_size, AT(w.max_body), KiB, GiB, NULL },
	{ "max_header", cfg_size, AT(w.max_header), KiB, 64 * KiB, NULL },
	{ "max_connections", cfg_number, AT(w.max_connections), 1, 1000000,
	    NULL },
	{ "buffered", cfg_size, AT(w.buffered), MiB, 64 * GiB, NULL },
	{ NULL, NULL, 0, 0, 0, NULL }
};

static const struct cfg_key audit_keys[] = {
	{ "path", cfg_path, AT(audit_path), 0, 0, NULL },
	{ "on_failure", cfg_on_failure, AT(w.audit_allow), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL }
};

static const struct cfg_key oauth_keys[] = {
	{ "enabled", cfg_bool, AT(w.oauth.enabled), 0, 0, NULL },
	{ "issuer", cfg_issuer, AT(w.oauth.issuer), 0, 0, NULL },
	{ "audience", cfg_audience, AT(w.oauth.audiences), 0, CFG_URL_MAX,
	    NULL },
	{ "accept_resource_audience", cfg_bool, AT(w.oauth.accept_resource),
	    0, 0, NULL },
	{ "audience_claims", cfg_claims, AT(w.oauth.audience_claims), 0, 0,
	    NULL },
	{ "client_claims", cfg_claims, AT(w.oauth.client_claims), 0, 0,
	    NULL },
	{ "scope_claims", cfg_claims, AT(w.oauth.scope_claims), 0, 0, NULL },
	{ "require_typ", cfg_typ, AT(w.oauth.typ), 0, 0, NULL },
	{ "jwks_url", cfg_jwks_url, AT(jwks_url), 0, 0, NULL },
	{ "required_scopes", cfg_scopes, AT(w.oauth), 0, 0, NULL },
	{ "jwks_cache_ttl", cfg_duration, AT(jwks_cache_ttl), SECOND,
	    168 * HOUR, NULL },
	{ "leeway", cfg_duration, AT(w.oauth.leeway_ms), 0, 10 * MINUTE,
	    NULL },
	{ "public_url", cfg_public_url, AT(w.oauth.public_url), 0, 0, NULL },
	{ "metadata_path", cfg_metadata_path, AT(w.oauth.metadata_path), 0,
	    0, NULL },
	{ "resource_name", cfg_text, AT(w.oauth.resource_name), 0, 256,
	    NULL },
	{ "resource_documentation", cfg_page_url,
	    AT(w.oauth.resource_documentation), 0, 0, NULL },
	{ "resource_policy_uri", cfg_page_url,
	    AT(w.oauth.resource_policy_uri), 0, 0, NULL },
	{ "resource_tos_uri", cfg_page_url, AT(w.oauth.resource_tos_uri), 0,
	    0, NULL },
	{ "ca_file", cfg_path_near, AT(ca_file), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL }
};

static const struct cfg_key argon2_keys[] = {
	{ "max_memory", cfg_size, AT(argon2_memory), 8 * KiB, GiB, NULL },
	{ "max_passes", cfg_number, AT(argon2_passes), 1, 1000, NULL },
	{ "max_lanes", cfg_number, AT(argon2_lanes), 1, 255, NULL },
	{ "threads", cfg_threads, AT(k.threads), 1, CONF_THREADS_MAX, NULL },
	{ NULL, NULL, 0, 0, 0, NULL }
};

static const struct cfg_key auth_keys[] = {
	{ "enabled", cfg_bool, AT(w.auth_enabled), 0, 0, NULL },
	{ "oauth", NULL, 0, 0, 0, oauth_keys },
	{ "keys", cfg_keys, 0, 0, 0, NULL },
	{ "header", cfg_header, AT(w.key_header), 0, 0, NULL },
	{ "scheme", cfg_scheme, AT(w.key_scheme), 0, 0, NULL },
	{ "key_cache_ttl", cfg_duration, AT(w.key_cache_ttl), 0, 24 * HOUR,
	    NULL },
	{ "argon2", NULL, 0, 0, 0, argon2_keys },
	{ NULL, NULL, 0, 0, 0, NULL }
};

static const struct cfg_key mcp_keys[] = {
	{ "revisions", cfg_revisions, AT(w.revisions), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL }
};

static const struct cfg_key session_keys[] = {
	{ "secret", cfg_secret, AT(session_secret), 0, 0, NULL },
	{ "secret_file", cfg_path_near, AT(session_secret_file), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL }
};

static const struct cfg_key tls_keys[] = {
	{ "cert_file", cfg_path_near, AT(tls_cert_file), 0, 0, NULL },
	{ "key_file", cfg_path_near, AT(tls_key_file), 0, 0, NULL },
	{ "client_ca", cfg_path_near, AT(tls_client_ca_file), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL }
};

static const struct cfg_key proxy_keys[] = {
	{ "enabled", cfg_bool, AT(w.proxy_protocol), 0, 0, NULL },
	{ "trusted_cidrs", cfg_proxy_peers, AT(w), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL }
};

const struct cfg_key cfg_root_keys[] = {
	{ "listen", cfg_listen, 0, 0, 0, NULL },
	{ "workers", cfg_workers, AT(workers), 1, CFG_WORKERS_MAX, NULL },
	{ "user", cfg_user, AT(user), 0, 0, NULL },
	{ "pid_file", cfg_path, AT(pid_file), 0, 0, NULL },
	{ "drain_timeout", cfg_duration, AT(drain_timeout), 100, 24 * HOUR,
	    NULL },
	{ "tls", NULL, 0, 0, 0, tls_keys },
	{ "session", NULL, 0, 0, 0, session_keys },
	{ "mcp", NULL, 0, 0, 0, mcp_keys },
	{ "timeouts", NULL, 0, 0, 0, timeouts_keys },
	{ "limits", NULL, 0, 0, 0, limits_keys },
	{ "upstreams", cfg_upstreams, AT(w), 0, 0, NULL },
	{ "default_upstream", cfg_name, AT(default_upstream), 0, 0, NULL },
	{ "audit", NULL, 0, 0, 0, audit_keys },
	{ "allowed_origins", cfg_origins, AT(w), 0, 0, NULL },
	{ "trusted_proxies", cfg_proxies, AT(w), 0, 0, NULL },
	{ "proxy_protocol", NULL, 0, 0, 0, proxy_keys },
	{ "auth", NULL, 0, 0, 0, auth_keys },
	{ NULL, NULL, 0, 0, 0, NULL }
};

static const struct cfg_key	*key_find(const struct cfg_key *,
				    const char *);
static void			 key_unknown(struct cfg *,
				    const struct ynode *,
				    const struct cfg_key *);
static const char		*key_nearest(const struct cfg_key *,
				    const char *);
static unsigned			 key_elsewhere(const struct cfg_key *,
				    const char *, const char *, char *,
				    size_t);
static int			 related(const char *, const char *);
static void			 key_list(const struct cfg_key *, char *,
				    size_t);
static unsigned			 edit_distance(const char *, const char *);
static int			 fold(char);

/* Hold a mapping against a table; values go to base plus their offset. */
void
cfg_walk(struct cfg *c, const struct ynode *n, const struct cfg_key *keys,
    void *base)
{
	const struct ynode	*child;
	const struct cfg_key	*k;

	if (n->kind == YNODE_BAD || ynode_isnull(n))
		return;
	if (n->kind != YNODE_MAP) {
		cfg_expected(c, n, "a mapping of keys and values");
		return;
	}
	for (child = n->first; child != NULL; child = child->next) {
		if (child->repeated)
			continue;
		if ((k = key_find(keys, child->key)) == NULL)
			key_unknown(c, child, keys);
		else if (k->sub != NULL)
			cfg_walk(c, child, k->sub, base);
		else if (child->kind != YNODE_BAD)
			k->parse(c, child, k, (char *)base + k->offset);
	}
}

const struct ynode *
cfg_node(const struct cfg *c, const char *path)
{
	const struct ynode	*n;
	char			 part[CFG_PATH_MAX], *p, *next;

	(void)snprintf(part, sizeof(part), "%s", path);
	n = c->root;
	next = part;
	while (n != NULL && (p = strsep(&next, ".")) != NULL)
		n = ynode_get(n, p);
	return (n);
}

static const struct cfg_key *
key_find(const struct cfg_key *keys, const char *name)
{
	for (; keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return (keys);
	return (NULL);
}

/* Indentation is what people get wrong in YAML, so a key that is known in one
 * other place, further in or out, is sent there before its spelling is
 * doubted. */
static void
key_unknown(struct cfg *c, const struct ynode *n, const struct cfg_key *keys)
{
	char		 name[300], list[CFG_PATH_MAX];
	char		 path[CFG_PATH_MAX], place[CFG_PATH_MAX];
	const char	*near;

	cfg_quote(n->key, name, sizeof(name));
	cfg_path_of(n, path, sizeof(path));
	if (key_elsewhere(cfg_root_keys, n->key, "", place,
	    sizeof(place)) == 1 && related(path, place))
		cfg_error_at(c, n, n->key_line, n->key_column,
		    "unknown key %s; did you mean \"%s\"?", name, place);
	else if ((near = key_nearest(keys, n->key)) != NULL)
		cfg_error_at(c, n, n->key_line, n->key_column,
		    "unknown key %s; did you mean \"%s\"?", name, near);
	else {
		key_list(keys, list, sizeof(list));
		cfg_error_at(c, n, n->key_line, n->key_column,
		    "unknown key %s%s%s", name,
		    *list != '\0' ? "; expected one of " : "", list);
	}
}

static const char *
key_nearest(const struct cfg_key *keys, const char *name)
{
	const char	*best;
	unsigned	 d, least;
	size_t		 len;

	best = NULL;
	least = UINT_MAX;
	for (; keys->name != NULL; keys++) {
		d = edit_distance(name, keys->name);
		len = strlen(keys->name);
		if (d <= (len < 6 ? 1U : len < 10 ? 2U : 3U) && d < least) {
			least = d;
			best = keys->name;
		}
	}
	return (best);
}

/* How often the name is known anywhere; the last place goes to buf. */
static unsigned
key_elsewhere(const struct cfg_key *keys, const char *name,
    const char *prefix, char *buf, size_t size)
{
	char		 below[CFG_PATH_MAX];
	unsigned	 n;

	n = 0;
	for (; keys->name != NULL; keys++) {
		if (strcmp(keys->name, name) == 0) {
			(void)snprintf(buf, size, "%s%s", prefix,
			    keys->name);
			n++;
		}
		if (keys->sub == NULL)
			continue;
		(void)snprintf(below, sizeof(below), "%s%s.", prefix,
		    keys->name);
		n += key_elsewhere(keys->sub, name, below, buf, size);
	}
	return (n);
}

/* Is one key's mapping inside the other's (or the same)? */
static int
related(const char *a, const char *b)
{
	const char	*dot;
	size_t		 la, lb, least;

	la = (dot = strrchr(a, '.')) != NULL ? (size_t)(dot - a) + 1 : 0;
	lb = (dot = strrchr(b, '.')) != NULL ? (size_t)(dot - b) + 1 : 0;
	least = la < lb ? la : lb;
	return (strncmp(a, b, least) == 0);
}

static void
key_list(const struct cfg_key *keys, char *buf, size_t size)
{
	size_t	 i, len;

	buf[0] = '\0';
	for (i = 0; keys[i].name != NULL; i++)
		;
	if (i > LISTED_MAX)
		return;
	for (i = 0; keys[i].name != NULL; i++) {
		len = strlen(buf);
		(void)snprintf(buf + len, size - len, "%s%s",
		    i > 0 ? ", " : "", keys[i].name);
	}
}

/* Insertions, deletions, replacements and swaps of neighbours; case and
 * dash or underscore do not count. */
static unsigned
edit_distance(const char *a, const char *b)
{
	unsigned	 row[3][SUGGEST_MAX + 1], best;
	unsigned	*cur, *prev, *older, *t;
	size_t		 i, j, la, lb;

	la = strnlen(a, SUGGEST_MAX + 1);
	lb = strnlen(b, SUGGEST_MAX + 1);
	if (la > SUGGEST_MAX || lb > SUGGEST_MAX)
		return (UINT_MAX);
	older = row[0];
	prev = row[1];
	cur = row[2];
	for (j = 0; j <= lb; j++)
		older[j] = prev[j] = (unsigned)j;
	for (i = 1; i <= la; i++) {
		cur[0] = (unsigned)i;
		for (j = 1; j <= lb; j++) {
			best = prev[j - 1] +
			    (fold(a[i - 1]) != fold(b[j - 1]));
			if (prev[j] + 1 < best)
				best = prev[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (i > 1 && j > 1 && fold(a[i - 1]) ==
			    fold(b[j - 2]) && fold(a[i - 2]) ==
			    fold(b[j - 1]) && older[j - 2] + 1 < best)
				best = older[j - 2] + 1;
			cur[j] = best;
		}
		t = older;
		older = prev;
		prev = cur;
		cur = t;
	}
	return (prev[lb]);
}

static int
fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (c - 'A' + 'a');
	return (c == '-' ? '_' : c);
}
