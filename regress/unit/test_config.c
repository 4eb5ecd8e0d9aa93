/*
 * daemon/config.h: the guide's block, the defaults, and a table of
 * everything that can be wrong with a file and what is said about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/memfd.h"
#include "daemon/config.h"
#include "daemon/config_int.h"

#define UP	"upstreams: [{name: a, url: 'http://127.0.0.1:1/mcp'}]\n"
#define OAUTH	UP "auth:\n enabled: true\n oauth:\n  enabled: true\n" \
		"  issuer: https://i/\n  audience: x\n" \
		"  jwks_url: https://i/k\n"

struct told {
	size_t	 count;
	size_t	 len;
	char	 text[65536];	/* one error a line */
};

static struct told	 told;
static char		 dir[] = "/tmp/test_config.XXXXXX";

static void
tell(void *arg, const char *text)
{
	struct told	*t = arg;

	t->count++;
	t->len += (size_t)snprintf(t->text + t->len,
	    sizeof(t->text) - t->len, "%s\n", text);
	assert_true(t->len < sizeof(t->text));
}

static struct config *
parse(const char *text)
{
	memset(&told, 0, sizeof(told));
	return (config_parse("f", text, strlen(text), tell, &told));
}

static struct config *
parse_good(const char *text)
{
	struct config	*conf;

	if ((conf = parse(text)) == NULL)
		fail_msg("refused: %s\n%s", text, told.text);
	assert_int_equal(told.count, 0);
	return (conf);
}

/* The file has these errors and no others. */
static void
parse_bad(const char *text, const char *errors)
{
	struct config	*conf;

	if ((conf = parse(text)) != NULL) {
		config_free(conf);
		fail_msg("accepted: %s", text);
	}
	if (strcmp(told.text, errors) != 0)
		fail_msg("for:\n%sexpected:\n%sgot:\n%s", text, errors,
		    told.text);
}

/* Step 1 of the guide to the letter, and an upstream. */
static const char guide[] =
"auth:\n"
"  enabled: true # must be true when auth.oauth.enabled is true\n"
"  oauth:\n"
"    enabled: true\n"
"    # Issuer URL of your Authorization Server. Must match the `iss` claim\n"
"    # in tokens exactly, including trailing-slash conventions.\n"
"    issuer: \"https://idp.acme.com/\"\n"
"    # Audience string your AS puts in the `aud` claim. Configure this in\n"
"    # your AS as the mcpgw API audience.\n"
"    audience: \"mcpgw-prod\"\n"
"    # JWKS endpoint mcpgw fetches and caches to verify token signatures.\n"
"    # For Auth0: https://<tenant>.auth0.com/.well-known/jwks.json\n"
"    # For Okta: https://<org>.okta.com/oauth2/default/v1/keys\n"
"    # For Keycloak: https://idp.acme.com/realms/<realm>/protocol/"
"openid-connect/certs\n"
"    jwks_url: \"https://idp.acme.com/.well-known/jwks.json\"\n"
"    # Optional: scopes every token must carry. Requests without all listed\n"
"    # scopes are rejected with 401 insufficient_scope.\n"
"    required_scopes:\n"
"    - mcp:read\n"
"    # How long to cache the JWKS before re-fetching. Default: 5m.\n"
"    # Tighter values reduce the JWKS-rotation window; looser values cut\n"
"    # traffic to the AS.\n"
"    jwks_cache_ttl: 5m\n"
"    # Clock-skew tolerance for exp and nbf claims. Default: 30s.\n"
"    leeway: 30s\n"
"    # Public URL clients use to reach mcpgw's /mcp endpoint. Used in the\n"
"    # RFC 9728 protected-resource metadata document and in "
"WWW-Authenticate\n"
"    # challenge headers. Required when listen is 0.0.0.0 (i.e., always in\n"
"    # production); without it the metadata doc advertises the bind "
"address.\n"
"    public_url: \"https://gw.acme.com/mcp\"\n"
"    # Optional: override the metadata document path.\n"
"    # Default: /.well-known/oauth-protected-resource\n"
"    # metadata_path: /.well-known/oauth-protected-resource\n"
"  # API keys are optional alongside OAuth. Remove the keys block entirely\n"
"  # if you only want OAuth auth.\n"
"  keys: []\n"
"upstreams:\n"
"- name: everything\n"
"  url: http://127.0.0.1:3001/mcp\n";

static void
test_guide(void **state)
{
	struct config	*conf;

	(void)state;
	conf = parse_good(guide);
	assert_true(conf->w.auth_enabled);
	assert_true(conf->w.oauth.enabled);
	assert_string_equal(conf->w.oauth.issuer, "https://idp.acme.com/");
	assert_string_equal(conf->w.oauth.audience, "mcpgw-prod");
	assert_string_equal(conf->jwks_url,
	    "https://idp.acme.com/.well-known/jwks.json");
	assert_int_equal(conf->w.oauth.nscopes, 1);
	assert_string_equal(conf->w.oauth.scopes[0], "mcp:read");
	assert_int_equal(conf->jwks_cache_ttl, 300000);
	assert_int_equal(conf->w.oauth.leeway_ms, 30000);
	assert_string_equal(conf->w.oauth.public_url,
	    "https://gw.acme.com/mcp");
	assert_true(conf->public_url_set);
	assert_string_equal(conf->w.oauth.metadata_path,
	    "/.well-known/oauth-protected-resource");
	assert_int_equal(conf->w.nupstreams, 1);
	assert_string_equal(conf->w.upstreams[0].name, "everything");
	assert_string_equal(conf->w.upstreams[0].host, "127.0.0.1");
	assert_string_equal(conf->w.upstreams[0].authority,
	    "127.0.0.1:3001");
	assert_string_equal(conf->w.upstreams[0].path, "/mcp");
	assert_int_equal(conf->w.upstreams[0].port, 3001);
	config_free(conf);
}

/* The guide's second block, with keys, is refused without repeating them. */
static void
test_guide_keys(void **state)
{
	(void)state;
	parse_bad(UP
	    "auth:\n"
	    "  enabled: true\n"
	    "  oauth:\n"
	    "    enabled: true\n"
	    "    issuer: \"https://idp.acme.com/\"\n"
	    "    audience: \"mcpgw-prod\"\n"
	    "    jwks_url: \"https://idp.acme.com/.well-known/jwks.json\"\n"
	    "    public_url: \"https://gw.acme.com/mcp\"\n"
	    "  keys:\n"
	    "    - id: ci-pipeline\n"
	    "      hash: \"argon2id$v=19$m=65536,t=3,p=2$...\"\n"
	    "      scopes: [\"*\"]\n",
	    "f:11:5: auth.keys: API keys are not supported by this version; "
	    "expected an empty list or no such key\n");
	parse_bad(UP "auth: {keys: argon2id$xyz}\n",
	    "f:2:14: auth.keys: expected a list of API keys, got a value "
	    "that is not shown\n");
}

static void
test_defaults(void **state)
{
	const struct sockaddr_in	*in4;
	struct config			*conf;

	(void)state;
	conf = parse_good(UP);
	assert_string_equal(conf->listen, "127.0.0.1:7332");
	in4 = (const struct sockaddr_in *)&conf->listen_addr;
	assert_int_equal(in4->sin_family, AF_INET);
	assert_int_equal(ntohs(in4->sin_port), 7332);
	assert_int_equal(ntohl(in4->sin_addr.s_addr), INADDR_LOOPBACK);
	assert_false(conf->listen_any);
	assert_int_equal(conf->workers, cfg_cpus());
	assert_string_equal(conf->user, "_mcpgw");
	assert_string_equal(conf->pid_file, "/run/mcpgw.pid");
	assert_string_equal(conf->audit_path, "/var/log/mcpgw/audit.jsonl");
	assert_int_equal(conf->drain_timeout, 300000);
	assert_int_equal(conf->w.t_drain, 300000);
	assert_int_equal(conf->w.t_header, 10000);
	assert_int_equal(conf->w.t_body, 30000);
	assert_int_equal(conf->w.t_keepalive, 75000);
	assert_int_equal(conf->w.t_connect, 5000);
	assert_int_equal(conf->w.t_response, 60000);
	assert_int_equal(conf->w.t_stream_idle, 0);
	assert_int_equal(conf->w.max_body, 4 << 20);
	assert_int_equal(conf->w.max_header, 16 << 10);
	assert_int_equal(conf->w.max_connections, 8192);
	assert_int_equal(conf->w.buffered, 256 << 20);
	assert_int_equal(conf->w.default_upstream, 0);
	assert_false(conf->w.audit_allow);
	assert_false(conf->w.auth_enabled);
	assert_false(conf->w.oauth.enabled);
	assert_int_equal(conf->w.oauth.leeway_ms, 30000);
	assert_int_equal(conf->jwks_cache_ttl, 300000);
	assert_string_equal(conf->w.oauth.metadata_path,
	    "/.well-known/oauth-protected-resource");
	assert_string_equal(conf->w.oauth.public_url,
	    "http://127.0.0.1:7332/mcp");
	assert_false(conf->public_url_set);
	assert_null(conf->ca);
	config_free(conf);
}

static void
test_every_key(void **state)
{
	struct config	*conf;

	(void)state;
	conf = parse_good(
	    "listen: \"[::1]:8443\"\n"
	    "workers: 3\n"
	    "user: nobody\n"
	    "pid_file: /tmp/x.pid\n"
	    "drain_timeout: 2h\n"
	    "timeouts: {header: 100ms, body: 1s, keepalive: 2s,\n"
	    "  upstream_connect: 3s, upstream_response: 4s,\n"
	    "  stream_idle: 5m}\n"
	    "limits: {max_body: 1MiB, max_header: 65536,\n"
	    "  max_connections: 10, buffered: 1MiB}\n"
	    "upstreams:\n"
	    "- {name: a, url: 'HTTP://MCP.Example'}\n"
	    "- {name: b-_9, url: 'http://[::1]:80/x%20y/'}\n"
	    "default_upstream: b-_9\n"
	    "audit: {path: /a/b, on_failure: allow}\n"
	    "allowed_origins: ['https://A.example:443', \"*\",\n"
	    "  'http://localhost:6274', vscode-webview://abc]\n"
	    "trusted_proxies: [10.0.0.0/8, '::1', fe80::/10, 0.0.0.0/0]\n"
	    "auth:\n"
	    "  enabled: true\n"
	    "  keys:\n"
	    "  oauth:\n"
	    "    enabled: true\n"
	    "    issuer: http://127.0.0.1:9/issuer\n"
	    "    audience: 12345\n"
	    "    jwks_url: http://127.9.9.9:1/jwks?x=y\n"
	    "    required_scopes: [a, 'b!#$', 7]\n"
	    "    jwks_cache_ttl: 1s\n"
	    "    leeway: 0s\n"
	    "    metadata_path: /.well-known/x\n"
	    "    ca_file: ca.pem\n");
	assert_int_equal(conf->listen_addr.ss_family, AF_INET6);
	assert_string_equal(conf->w.oauth.public_url,
	    "http://[::1]:8443/mcp");
	assert_int_equal(conf->workers, 3);
	assert_string_equal(conf->user, "nobody");
	assert_string_equal(conf->pid_file, "/tmp/x.pid");
	assert_int_equal(conf->w.t_drain, 7200000);
	assert_int_equal(conf->w.t_header, 100);
	assert_int_equal(conf->w.t_body, 1000);
	assert_int_equal(conf->w.t_keepalive, 2000);
	assert_int_equal(conf->w.t_connect, 3000);
	assert_int_equal(conf->w.t_response, 4000);
	assert_int_equal(conf->w.t_stream_idle, 300000);
	assert_int_equal(conf->w.max_body, 1 << 20);
	assert_int_equal(conf->w.max_header, 65536);
	assert_int_equal(conf->w.max_connections, 10);
	assert_int_equal(conf->w.buffered, 1 << 20);
	assert_int_equal(conf->w.nupstreams, 2);
	assert_string_equal(conf->w.upstreams[0].authority, "mcp.example");
	assert_string_equal(conf->w.upstreams[0].path, "/");
	assert_int_equal(conf->w.upstreams[0].port, 80);
	assert_string_equal(conf->w.upstreams[1].host, "::1");
	assert_string_equal(conf->w.upstreams[1].authority, "[::1]");
	assert_string_equal(conf->w.upstreams[1].path, "/x%20y/");
	assert_int_equal(conf->w.default_upstream, 1);
	assert_string_equal(conf->audit_path, "/a/b");
	assert_true(conf->w.audit_allow);
	assert_int_equal(conf->w.norigins, 4);
	assert_string_equal(conf->w.origins[0], "https://a.example");
	assert_string_equal(conf->w.origins[1], "*");
	assert_string_equal(conf->w.origins[2], "http://localhost:6274");
	assert_string_equal(conf->w.origins[3], "vscode-webview://abc");
	assert_int_equal(conf->w.nproxies, 4);
	assert_int_equal(conf->w.proxies[0].prefix, 8);
	assert_int_equal(conf->w.proxies[0].addr[0], 10);
	assert_int_equal(conf->w.proxies[1].family, AF_INET6);
	assert_int_equal(conf->w.proxies[1].prefix, 128);
	assert_int_equal(conf->w.proxies[3].prefix, 0);
	assert_string_equal(conf->w.oauth.issuer,
	    "http://127.0.0.1:9/issuer");
	assert_string_equal(conf->w.oauth.audience, "12345");
	assert_string_equal(conf->jwks_url, "http://127.9.9.9:1/jwks?x=y");
	assert_int_equal(conf->w.oauth.nscopes, 3);
	assert_string_equal(conf->w.oauth.scopes[2], "7");
	assert_int_equal(conf->jwks_cache_ttl, 1000);
	assert_int_equal(conf->w.oauth.leeway_ms, 0);
	assert_string_equal(conf->w.oauth.metadata_path, "/.well-known/x");
	/* config_parse() names the file and does not open it. */
	assert_string_equal(conf->ca_file, "ca.pem");
	assert_null(conf->ca);
	config_free(conf);
}

struct listen_row {
	const char	*text;
	const char	*url;	/* NULL: refused */
	int		 any;
};

static void
test_listen(void **state)
{
	static const struct listen_row	 rows[] = {
		{ "127.0.0.1:1", "http://127.0.0.1:1/mcp", 0 },
		{ "0.0.0.0:65535", "http://0.0.0.0:65535/mcp", 1 },
		{ ":7332", "http://0.0.0.0:7332/mcp", 1 },
		{ "'[::]:80'", "http://[::]:80/mcp", 1 },
		{ "'[fe80::1]:80'", "http://[fe80::1]:80/mcp", 0 },
		{ "localhost:80", "http://localhost:80/mcp", 0 },
		{ "127.0.0.1", NULL, 0 },
		{ "'127.0.0.1:'", NULL, 0 },
		{ "127.0.0.1:0", NULL, 0 },
		{ "127.0.0.1:080", NULL, 0 },
		{ "127.0.0.1:65536", NULL, 0 },
		{ "127.0.0.1:99999999999999999999", NULL, 0 },
		{ "127.0.0.1:-1", NULL, 0 },
		{ "127.0.0.1:8o", NULL, 0 },
		{ "127.1:80", NULL, 0 },
		{ "7332", NULL, 0 },
		{ "'::1:80'", NULL, 0 },
		{ "'[::1]'", NULL, 0 },
		{ "'[]:80'", NULL, 0 },
		{ "'[:80'", NULL, 0 },
		{ "'[127.0.0.1]:80'", NULL, 0 },
		{ "'[fe80::1%lo]:80'", NULL, 0 },
		{ "example.com:80", NULL, 0 },
		{ "''", NULL, 0 },
		{ "'*:80'", NULL, 0 },
	};
	struct config			*conf;
	char				 text[256];
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(text, sizeof(text), "listen: %s\n" UP,
		    rows[i].text);
		conf = parse(text);
		if ((conf != NULL) != (rows[i].url != NULL))
			fail_msg("%s: %s%s", rows[i].text,
			    conf ? "accepted" : "refused", told.text);
		if (conf == NULL) {
			assert_int_equal(told.count, 1);
			assert_non_null(strstr(told.text, "f:1:9: listen: "
			    "expected ADDRESS:PORT, \"[IPv6]:PORT\", "));
			continue;
		}
		assert_string_equal(conf->w.oauth.public_url, rows[i].url);
		assert_int_equal(conf->listen_any, rows[i].any);
		config_free(conf);
	}
}

struct error_row {
	const char	*text;	/* before UP */
	const char	*error;
};

/* One mistake each; whole lines, since people read them. */
static const struct error_row mistakes[] = {
	/* kinds */
	{ "listen:\n", "1:8: listen: expected an address and port such as "
	    "127.0.0.1:7332, got nothing" },
	{ "workers: 0\n", "1:10: workers: expected a number from 1 to 256, "
	    "got \"0\"" },
	{ "workers: 257\n", "1:10: workers: expected a number from 1 to 256, "
	    "got \"257\"" },
	{ "workers: '4'\n", "1:10: workers: expected a number from 1 to 256 "
	    "without quotes, got \"4\"" },
	{ "workers: -1\n", "1:10: workers: expected a number from 1 to 256, "
	    "got \"-1\"" },
	{ "workers: 99999999999999999999\n", "1:10: workers: expected a "
	    "number from 1 to 256, got \"99999999999999999999\"" },
	{ "workers: ~\n", "1:10: workers: expected a number, got nothing" },
	{ "workers: {}\n", "1:10: workers: expected a number, got a mapping" },
	{ "user: root\n", "1:7: user: expected a user with no rights of its "
	    "own, got \"root\"" },
	{ "user: a b\n", "1:7: user: expected the name of a user, got "
	    "\"a b\"" },
	{ "user: 0\n", "1:7: user: expected the name of a user, got \"0\"" },
	{ "pid_file: x.pid\n", "1:11: pid_file: expected an absolute path of "
	    "a file, got \"x.pid\"" },
	{ "pid_file: /run/\n", "1:11: pid_file: expected an absolute path of "
	    "a file, got \"/run/\"" },
	{ "pid_file: \"/a\\tb\"\n", "1:11: pid_file: expected a path of 1 to "
	    "4095 bytes without control characters, got \"/a\\x09b\"" },
	/* times and sizes */
	{ "drain_timeout: 5\n", "1:16: drain_timeout: expected a duration "
	    "with its unit (ms, s, m or h), such as 30s, got \"5\"" },
	{ "drain_timeout: 5 m\n", "1:16: drain_timeout: expected a duration "
	    "such as 300ms, 30s, 5m or 2h, got \"5 m\"" },
	{ "drain_timeout: 25h\n", "1:16: drain_timeout: expected a duration "
	    "from 100ms to 24h, got \"25h\"" },
	{ "drain_timeout: 99999999999999999999h\n", "1:16: drain_timeout: "
	    "expected a duration from 100ms to 24h, got "
	    "\"99999999999999999999h\"" },
	{ "timeouts: {header: off}\n", "1:20: timeouts.header: expected a "
	    "duration such as 300ms, 30s, 5m or 2h, got \"off\"" },
	{ "timeouts: {stream_idle: 0s}\n", "1:25: timeouts.stream_idle: "
	    "expected a duration from 100ms to 168h, or off, got \"0s\"" },
	{ "timeouts: 5s\n", "1:11: timeouts: expected a mapping of keys and "
	    "values, got \"5s\"" },
	{ "timeouts: [5s]\n", "1:11: timeouts: expected a mapping of keys "
	    "and values, got a list" },
	{ "limits: {max_header: 512}\n", "1:22: limits.max_header: expected "
	    "a size from 1KiB to 64KiB, got \"512\"" },
	{ "limits: {max_header: 65KiB}\n", "1:22: limits.max_header: "
	    "expected a size from 1KiB to 64KiB, got \"65KiB\"" },
	{ "limits: {max_body: 4MB}\n", "1:20: limits.max_body: expected a "
	    "size such as 16KiB, 4MiB, 1GiB or a number of bytes, got "
	    "\"4MB\"" },
	{ "limits: {max_connections: 0}\n", "1:27: limits.max_connections: "
	    "expected a number from 1 to 1000000, got \"0\"" },
	{ "limits: {max_body: 300MiB}\n", "1:20: limits.max_body: expected "
	    "limits.buffered to be at least limits.max_body, which is "
	    "300MiB" },
	{ "limits: {buffered: 1MiB}\n", "1:20: limits.buffered: expected "
	    "limits.buffered to be at least limits.max_body, which is 4MiB" },
	/* audit */
	{ "audit: {on_failure: ignore}\n", "1:21: audit.on_failure: expected "
	    "deny or allow, got \"ignore\"" },
	{ "audit: {path: audit.jsonl}\n", "1:15: audit.path: expected an "
	    "absolute path of a file, got \"audit.jsonl\"" },
	/* origins and proxies */
	{ "allowed_origins: '*'\n", "1:18: allowed_origins: expected a list "
	    "of origins, got \"*\"" },
	{ "allowed_origins: ['http://a/']\n", "1:19: allowed_origins[0]: "
	    "expected SCHEME://HOST[:PORT] or \"*\" (an origin ends after "
	    "host and port), got \"http://a/\"" },
	{ "allowed_origins: ['a.example']\n", "1:19: allowed_origins[0]: "
	    "expected SCHEME://HOST[:PORT] or \"*\" (it does not begin with "
	    "a scheme such as http://), got \"a.example\"" },
	{ "allowed_origins: [null]\n", "1:19: allowed_origins[0]: expected "
	    "an origin, got nothing" },
	{ "trusted_proxies: [10.1.0.0/8]\n", "1:19: trusted_proxies[0]: "
	    "expected a network without bits beyond its prefix, such as "
	    "10.0.0.0/8, got \"10.1.0.0/8\"" },
	{ "trusted_proxies: [10.0.0.0/33]\n", "1:19: trusted_proxies[0]: "
	    "expected ADDRESS or ADDRESS/PREFIX (its prefix is too long), "
	    "got \"10.0.0.0/33\"" },
	{ "trusted_proxies: ['::/129']\n", "1:19: trusted_proxies[0]: "
	    "expected ADDRESS or ADDRESS/PREFIX (its prefix is too long), "
	    "got \"::/129\"" },
	{ "trusted_proxies: [10.0.0.0/]\n", "1:19: trusted_proxies[0]: "
	    "expected ADDRESS or ADDRESS/PREFIX (its prefix is no number of "
	    "bits), got \"10.0.0.0/\"" },
	{ "trusted_proxies: [proxy]\n", "1:19: trusted_proxies[0]: expected "
	    "ADDRESS or ADDRESS/PREFIX (it is no IPv4 or IPv6 address), got "
	    "\"proxy\"" },
	{ "trusted_proxies: ['::ffff:10.0.0.1']\n", "1:19: "
	    "trusted_proxies[0]: expected ADDRESS or ADDRESS/PREFIX (write a "
	    "mapped address as IPv4), got \"::ffff:10.0.0.1\"" },
	/* booleans */
	{ "auth: {enabled: yes}\n", "1:17: auth.enabled: expected true or "
	    "false (write true), got \"yes\"" },
	{ "auth: {enabled: Off}\n", "1:17: auth.enabled: expected true or "
	    "false (write false), got \"Off\"" },
	{ "auth: {enabled: True}\n", "1:17: auth.enabled: expected true or "
	    "false (write true), got \"True\"" },
	{ "auth: {enabled: 'true'}\n", "1:17: auth.enabled: expected true or "
	    "false (write true without quotes), got \"true\"" },
	{ "auth: {enabled: maybe}\n", "1:17: auth.enabled: expected true or "
	    "false, got \"maybe\"" },
	{ "auth: {enabled: }\n", "1:17: auth.enabled: expected true or "
	    "false, got nothing" },
	{ "auth: {enabled: []}\n", "1:17: auth.enabled: expected true or "
	    "false, got a list" },
	/* auth.oauth, checked although it is not enabled */
	{ "auth: {oauth: {issuer: ''}}\n", "1:24: auth.oauth.issuer: "
	    "expected the issuer's URL (it does not begin with a scheme such "
	    "as http://), got \"\"" },
	{ "auth: {oauth: {issuer: idp}}\n", "1:24: auth.oauth.issuer: "
	    "expected the issuer's URL (it does not begin with a scheme such "
	    "as http://), got \"idp\"" },
	{ "auth: {oauth: {issuer: 'https://i/?a'}}\n", "1:24: "
	    "auth.oauth.issuer: expected an https:// URL without a query or "
	    "fragment (http:// only for a loopback address), got \"https://i/?a\"" },
	{ "auth: {oauth: {issuer: 'https://i/#'}}\n", "1:24: "
	    "auth.oauth.issuer: expected an https:// URL without a query or "
	    "fragment (http:// only for a loopback address), got \"https://i/#\"" },
	{ "auth: {oauth: {issuer: 'ftp://i/'}}\n", "1:24: "
	    "auth.oauth.issuer: expected an https:// URL without a query or "
	    "fragment (http:// only for a loopback address), got \"ftp://i/\"" },
	{ "auth: {oauth: {issuer: 'http://idp/'}}\n", "1:24: "
	    "auth.oauth.issuer: expected an https:// URL without a query or "
	    "fragment (http:// only for a loopback address), got "
	    "\"http://idp/\"" },
	{ "auth: {oauth: {audience: ''}}\n", "1:26: auth.oauth.audience: "
	    "expected a string that is not empty, got \"\"" },
	{ "auth: {oauth: {audience: \"a\\nb\"}}\n", "1:26: "
	    "auth.oauth.audience: expected a string without control "
	    "characters, got \"a\\x0ab\"" },
	{ "auth: {oauth: {jwks_url: 'http://idp/'}}\n", "1:26: "
	    "auth.oauth.jwks_url: expected an https:// URL without a "
	    "fragment (http:// only for a loopback address), got "
	    "\"http://idp/\"" },
	{ "auth: {oauth: {jwks_url: 'http://128.0.0.1/'}}\n", "1:26: "
	    "auth.oauth.jwks_url: expected an https:// URL without a "
	    "fragment (http:// only for a loopback address), got "
	    "\"http://128.0.0.1/\"" },
	{ "auth: {oauth: {jwks_url: 'http://localhost.evil/'}}\n", "1:26: "
	    "auth.oauth.jwks_url: expected an https:// URL without a "
	    "fragment (http:// only for a loopback address), got "
	    "\"http://localhost.evil/\"" },
	{ "auth: {oauth: {jwks_url: 'https://u:secret@i/'}}\n", "1:26: "
	    "auth.oauth.jwks_url: expected the URL of the key set (a user or "
	    "password is not allowed in it), got a value that is not "
	    "shown" },
	{ "auth: {oauth: {jwks_url: 'https://i/a b'}}\n", "1:26: "
	    "auth.oauth.jwks_url: expected the URL of the key set (it has a "
	    "space, a control character or one that is not ASCII), got "
	    "\"https://i/a b\"" },
	{ "auth: {oauth: {required_scopes: a}}\n", "1:33: "
	    "auth.oauth.required_scopes: expected a list of scopes, got "
	    "\"a\"" },
	{ "auth: {oauth: {required_scopes: ['a b']}}\n", "1:34: "
	    "auth.oauth.required_scopes[0]: expected a scope: 1 to 256 "
	    "visible ASCII characters, no space, \" or \\, got \"a b\"" },
	{ "auth: {oauth: {required_scopes: [a, b, a]}}\n", "1:40: "
	    "auth.oauth.required_scopes[2]: listed twice; first at line 1" },
	{ "auth: {oauth: {jwks_cache_ttl: 999ms}}\n", "1:32: "
	    "auth.oauth.jwks_cache_ttl: expected a duration from 1s to 168h, "
	    "got \"999ms\"" },
	{ "auth: {oauth: {leeway: 11m}}\n", "1:24: auth.oauth.leeway: "
	    "expected a duration from 0s to 10m, got \"11m\"" },
	{ "auth: {oauth: {public_url: gw/mcp}}\n", "1:28: "
	    "auth.oauth.public_url: expected the URL that clients use (it "
	    "does not begin with a scheme such as http://), got \"gw/mcp\"" },
	{ "auth: {oauth: {public_url: 'https://gw/#x'}}\n", "1:28: "
	    "auth.oauth.public_url: expected an https:// or http:// URL "
	    "without a fragment, got \"https://gw/#x\"" },
	{ "auth: {oauth: {metadata_path: x}}\n", "1:31: "
	    "auth.oauth.metadata_path: expected a path that begins with /, "
	    "of at most 256 letters, digits and -._~!$&'()*+,;=:@/ without "
	    "empty or dot segments, got \"x\"" },
	{ "auth: {oauth: {metadata_path: /a/../mcp}}\n", "1:31: "
	    "auth.oauth.metadata_path: expected a path that begins with /, "
	    "of at most 256 letters, digits and -._~!$&'()*+,;=:@/ without "
	    "empty or dot segments, got \"/a/../mcp\"" },
	{ "auth: {oauth: {metadata_path: /%6dcp}}\n", "1:31: "
	    "auth.oauth.metadata_path: expected a path that begins with /, "
	    "of at most 256 letters, digits and -._~!$&'()*+,;=:@/ without "
	    "empty or dot segments, got \"/%6dcp\"" },
	{ "auth: {oauth: {metadata_path: /mcp}}\n", "1:31: "
	    "auth.oauth.metadata_path: expected a path other than /mcp, "
	    "/healthz and /readyz, which are taken, got \"/mcp\"" },
	{ "auth: {oauth: {metadata_path: /mcp/a}}\n", "1:31: "
	    "auth.oauth.metadata_path: expected a path other than /mcp, "
	    "/healthz and /readyz, which are taken, got \"/mcp/a\"" },
	{ "auth: {oauth: {metadata_path: /healthz}}\n", "1:31: "
	    "auth.oauth.metadata_path: expected a path other than /mcp, "
	    "/healthz and /readyz, which are taken, got \"/healthz\"" },
	{ "auth: {oauth: {ca_file: ''}}\n", "1:25: auth.oauth.ca_file: "
	    "expected a path of 1 to 4095 bytes without control characters, "
	    "got \"\"" },
	/* auth and its parts */
	{ "auth: {oauth: {enabled: true, issuer: 'https://i', audience: a, "
	    "jwks_url: 'https://i/'}}\n", "1:25: auth.oauth.enabled: "
	    "auth.oauth.enabled: true requires auth.enabled: true" },
	{ "auth: {enabled: false, oauth: {enabled: true, issuer: "
	    "'https://i', audience: a, jwks_url: 'https://i/'}}\n", "1:41: "
	    "auth.oauth.enabled: auth.oauth.enabled: true requires "
	    "auth.enabled: true" },
	{ "auth: {enabled: true, oauth: {enabled: true, issuer: 'https://i', "
	    "jwks_url: 'https://i/'}}\n", "1:23: auth.oauth.audience: "
	    "required when auth.oauth.enabled is true" },
	{ "auth: true\n", "1:7: auth: expected a mapping of keys and values, "
	    "got \"true\"" },
	{ "auth: {keys: {}}\n", "1:14: auth.keys: expected a list of API "
	    "keys, got a mapping" },
	/* keys */
	{ "auth: {oauth: {audiance: x}}\n", "1:16: auth.oauth.audiance: "
	    "unknown key \"audiance\"; did you mean \"audience\"?" },
	{ "auth: {oauth: {JWKS-URL: x}}\n", "1:16: auth.oauth.JWKS-URL: "
	    "unknown key \"JWKS-URL\"; did you mean \"jwks_url\"?" },
	{ "auth: {oauth: {jwks_uri: x}}\n", "1:16: auth.oauth.jwks_uri: "
	    "unknown key \"jwks_uri\"; did you mean \"jwks_url\"?" },
	{ "oauth: {enabled: true}\n", "1:1: oauth: unknown key \"oauth\"; "
	    "did you mean \"auth.oauth\"?" },
	{ "auth: {issuer: x}\n", "1:8: auth.issuer: unknown key \"issuer\"; "
	    "did you mean \"auth.oauth.issuer\"?" },
	{ "auth: {oauth: {keys: []}}\n", "1:16: auth.oauth.keys: unknown key "
	    "\"keys\"; did you mean \"auth.keys\"?" },
	{ "auth: {header: X-Key}\n", "1:8: auth.header: unknown key "
	    "\"header\"; expected one of enabled, oauth, keys" },
	{ "auth: {scheme: x}\n", "1:8: auth.scheme: unknown key \"scheme\"; "
	    "expected one of enabled, oauth, keys" },
	{ "zzzzzzzz: 1\n", "1:1: zzzzzzzz: unknown key \"zzzzzzzz\"" },
	{ "lsiten: 1\n", "1:1: lsiten: unknown key \"lsiten\"; did you mean "
	    "\"listen\"?" },
	{ "\"\\e[2J\": 1\n", "1:1: \\x1b[2J: unknown key \"\\x1b[2J\"" },
	{ "workers: 1\nworkers: 2\n", "2:1: workers: duplicate key; first at "
	    "line 1, column 1" },
	/* the tree's own errors have paths */
	{ "auth: {oauth: {issuer: *x}}\n", "1:24: auth.oauth.issuer: aliases "
	    "(*name) are not allowed; a value that begins with * needs "
	    "quotes" },
	{ "auth: {oauth: {required_scopes: [!!str a]}}\n", "1:34: "
	    "auth.oauth.required_scopes[0]: tags (!name) are not allowed; a "
	    "value that begins with ! needs quotes" },
};

static void
test_mistakes(void **state)
{
	const struct error_row	*r;
	char			 text[1024], error[1024];
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		r = &mistakes[i];
		(void)snprintf(text, sizeof(text), "%s" UP, r->text);
		(void)snprintf(error, sizeof(error), "f:%s\n", r->error);
		parse_bad(text, error);
	}
}

static void
test_upstream_mistakes(void **state)
{
	static const struct error_row	 rows[] = {
	{ "workers: 1\n", "1:1: upstreams: required: a list of at least one "
	    "upstream, each with a name and a url" },
	{ "upstreams:\n", "1:11: upstreams: expected at least one upstream, "
	    "with a name and a url, got nothing" },
	{ "upstreams: []\n", "1:12: upstreams: expected at least one "
	    "upstream, with a name and a url, got a list" },
	{ "upstreams: http://x/\n", "1:12: upstreams: expected a list of "
	    "upstreams, each with a name and a url, got \"http://x/\"" },
	{ "upstreams: [x]\n", "1:13: upstreams[0]: expected a mapping with "
	    "name and url, got \"x\"" },
	{ "upstreams: [{name: a}]\n", "1:13: upstreams[0].url: required" },
	{ "upstreams: [{url: 'http://x'}]\n", "1:13: upstreams[0].name: "
	    "required" },
	{ "upstreams: [{name: a/b, url: 'http://x'}]\n", "1:20: "
	    "upstreams[0].name: expected a name of 1 to 64 letters, digits, "
	    "_ and -, got \"a/b\"" },
	{ "upstreams: [{name: a, url: 'https://x/'}]\n", "1:28: "
	    "upstreams[0].url: expected an http:// URL (TLS to upstreams is "
	    "not supported yet), got \"https://x/\"" },
	{ "upstreams: [{name: a, url: 'http://x/?q'}]\n", "1:28: "
	    "upstreams[0].url: expected http://HOST[:PORT]/PATH without a "
	    "query or fragment, got \"http://x/?q\"" },
	{ "upstreams: [{name: a, url: 'http://x/#f'}]\n", "1:28: "
	    "upstreams[0].url: expected http://HOST[:PORT]/PATH without a "
	    "query or fragment, got \"http://x/#f\"" },
	{ "upstreams: [{name: a, url: 'http://u:pw@x/'}]\n", "1:28: "
	    "upstreams[0].url: expected a URL such as "
	    "http://127.0.0.1:8080/mcp (a user or password is not allowed in "
	    "it), got a value that is not shown" },
	{ "upstreams: [{name: a, url: 'http:///x'}]\n", "1:28: "
	    "upstreams[0].url: expected a URL such as "
	    "http://127.0.0.1:8080/mcp (it has no host), got "
	    "\"http:///x\"" },
	{ "upstreams: [{name: a, url: 'http://x:0/'}]\n", "1:28: "
	    "upstreams[0].url: expected a URL such as "
	    "http://127.0.0.1:8080/mcp (its port is not a number from 1 to "
	    "65535), got \"http://x:0/\"" },
	{ "upstreams: [{name: a, url: 'http://x/'}, {name: b, url: "
	    "'http://x/'}]\n", "1:1: default_upstream: required when there "
	    "is more than one upstream" },
	{ "upstreams: [{name: a, url: 'http://x/'}]\ndefault_upstream: b\n",
	    "2:19: default_upstream: expected the name of one of the "
	    "upstreams, got \"b\"" },
	{ "default_upstream: a\nupstreams:\n- {name: a, url: 'http://x/'}\n"
	    "- {name: a, url: 'http://x/'}\n", "4:10: upstreams[1].name: "
	    "expected a name of its own (line 3 has the same), got \"a\"" },
	};
	char				 error[1024];
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(error, sizeof(error), "f:%s\n",
		    rows[i].error);
		parse_bad(rows[i].text, error);
	}
}

static void
test_hosts(void **state)
{
	static const char	*good[] = { "x", "a-b.c_d", "x.", "127.0.0.1",
	    "[2001:db8::1]", "1a", "0xg", "a.0xfoo" };
	static const char	*bad[] = { "127.1", "2130706433",
	    "0x7f.0.0.1", "0x7f000001", "127.0.0.1.", "256.0.0.1", "a..b",
	    ".a", "-a", "a-", "a_*", "[::g]", "[::1", "::1", "[]", "a%20b",
	    "x.1", "", "\xc3\xa9" };
	struct config		*conf;
	char			 text[256];
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    "upstreams: [{name: a, url: 'http://%s/'}]\n", good[i]);
		config_free(parse_good(text));
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    "upstreams: [{name: a, url: 'http://%s/'}]\n", bad[i]);
		if ((conf = parse(text)) != NULL)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void
test_loopback(void **state)
{
	static const char	*good[] = { "http://127.0.0.1/",
	    "http://127.255.0.1:9/k", "http://[::1]:9/k", "http://localhost",
	    "http://LOCALHOST:80/", "https://idp/k?x=1" };
	char			 text[256];
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    UP "auth: {oauth: {jwks_url: '%s'}}\n", good[i]);
		config_free(parse_good(text));
	}
}

/* Several mistakes come in one run and in the order of the file. */
static void
test_all_at_once(void **state)
{
	(void)state;
	parse_bad(
	    "auth:\n"
	    "  enabled: true\n"
	    "  oauth:\n"
	    "    enabled: true\n"
	    "    leeway: 30\n"
	    "    audiance: x\n"
	    "    leeway: 30s\n"
	    "workers: many\n",
	    "f:1:1: upstreams: required: a list of at least one upstream, "
	    "each with a name and a url\n"
	    "f:3:3: auth.oauth.issuer: required when auth.oauth.enabled is "
	    "true\n"
	    "f:3:3: auth.oauth.audience: required when auth.oauth.enabled is "
	    "true\n"
	    "f:3:3: auth.oauth.jwks_url: required when auth.oauth.enabled is "
	    "true\n"
	    "f:5:13: auth.oauth.leeway: expected a duration with its unit "
	    "(ms, s, m or h), such as 30s, got \"30\"\n"
	    "f:6:5: auth.oauth.audiance: unknown key \"audiance\"; did you "
	    "mean \"audience\"?\n"
	    "f:7:5: auth.oauth.leeway: duplicate key; first at line 5, "
	    "column 5\n"
	    "f:8:10: workers: expected a number from 1 to 256, got "
	    "\"many\"\n");
}

static void
test_top(void **state)
{
	(void)state;
	parse_bad("- a\n", "f:1:1: expected a mapping of keys and values, "
	    "got a list\n");
	parse_bad("---\n", "f:1:1: upstreams: required: a list of at least "
	    "one upstream, each with a name and a url\n");
	parse_bad("", "f:1:1: the file is empty\n");
	parse_bad("# nothing\n", "f:1:1: the file is empty\n");
	parse_bad(UP "a: \x01\n", "f:2:4: a control character (0x01)\n");
	parse_bad(UP "a: \xff\n", "f:2:4: invalid UTF-8\n");
	parse_bad(UP "---\n" UP, "f:2:1: a second document: a configuration "
	    "is one document\n");
}

/* Empty mappings and lists are as good as none. */
static void
test_empty_parts(void **state)
{
	struct config	*conf;

	(void)state;
	conf = parse_good(UP "auth:\n  keys:\n  oauth:\n"
	    "timeouts:\nlimits: {}\naudit: ~\nallowed_origins:\n"
	    "trusted_proxies: []\n");
	assert_int_equal(conf->w.norigins, 0);
	assert_int_equal(conf->w.nproxies, 0);
	config_free(conf);
	conf = parse_good(OAUTH "  required_scopes:\n");
	assert_int_equal(conf->w.oauth.nscopes, 0);
	config_free(conf);
}

/* auth.enabled with nothing behind it is the unauthenticated mode. */
static void
test_auth_alone(void **state)
{
	struct config	*conf;

	(void)state;
	conf = parse_good(UP "auth:\n  enabled: true\n");
	assert_false(conf->w.auth_enabled);
	config_free(conf);
	conf = parse_good(OAUTH);
	assert_true(conf->w.auth_enabled);
	config_free(conf);
}

static void
test_bounds(void **state)
{
	char	*text, *p;
	size_t	 i;

	(void)state;
	assert_non_null(text = malloc(8 << 20));
	/* A long value is cut where it is repeated. */
	p = stpcpy(text, "listen: ");
	for (i = 0; i < 5000; i++)
		*p++ = 'x';
	(void)stpcpy(p, "\n" UP);
	assert_null(parse(text));
	assert_int_equal(told.count, 1);
	assert_true(told.len < 300);
	assert_non_null(strstr(told.text, "xxx...\""));
	/* A long key too, and so is a long list of errors. */
	for (p = text, i = 0; i < 2000; i++)
		p += sprintf(p, "k%0400zu: 1\n", i);
	assert_null(parse(text));
	assert_int_equal(told.count, CONFIG_ERRORS_MAX);
	assert_true(told.len < CONFIG_ERRORS_MAX * 300);
	assert_non_null(strstr(told.text, "f: 1902 more errors\n"));
	/* Too many entries, and too long in all. */
	p = stpcpy(text, UP "auth: {oauth: {required_scopes: [");
	for (i = 0; i < 20; i++)
		p += sprintf(p, "a%0250zu,", i);
	(void)stpcpy(p, "]}}\n");
	assert_null(parse(text));
	assert_non_null(strstr(told.text, "auth.oauth.required_scopes: "
	    "expected at most 4096 bytes of scopes in all, got a list\n"));
	p = stpcpy(text, UP "trusted_proxies: [");
	for (i = 0; i <= CONF_LIST_MAX; i++)
		p = stpcpy(p, "10.0.0.1,");
	(void)stpcpy(p, "]\n");
	parse_bad(text, "f:2:18: trusted_proxies: expected at most 1024 "
	    "entries, got 1025\n");
	memset(text, '\n', CONFIG_FILE_MAX + 1);
	text[CONFIG_FILE_MAX + 1] = '\0';
	parse_bad(text, "f: cannot be read: too large\n");
	free(text);
}

/* The sample loads as it is and with every line commented in: those of keys
 * have no blank behind the #, or more than one. */
static void
test_sample(void **state)
{
	struct config	*conf;
	const char	*reason;
	char		*in, *out, *p, *sample;
	size_t		 len;

	(void)state;
	sample = cfg_file_read("etc/mcpgw.yaml", CONFIG_FILE_MAX, &len,
	    &reason);
	if (sample == NULL)
		fail_msg("etc/mcpgw.yaml, from the top of the tree: %s",
		    reason);
	conf = parse_good(sample);
	assert_false(conf->w.auth_enabled);
	assert_int_equal(conf->w.nupstreams, 1);
	config_free(conf);
	assert_non_null(out = malloc(len + 1));
	p = out;
	for (in = sample; *in != '\0'; in++) {
		if (*in == '#' && (in == sample || in[-1] == '\n') &&
		    ((in[1] >= 'a' && in[1] <= 'z') ||
		    strncmp(in + 1, "  ", 2) == 0))
			continue;
		*p++ = *in;
	}
	*p = '\0';
	conf = parse_good(out);
	assert_true(conf->w.oauth.enabled);
	assert_int_equal(conf->w.norigins, 1);
	assert_int_equal(conf->w.nproxies, 1);
	assert_int_equal(conf->w.t_body, 30000);
	assert_int_equal(conf->w.buffered, 256 << 20);
	assert_true(conf->public_url_set);
	config_free(conf);
	free(out);
	free(sample);
}

static const char *
file_write(const char *name, const char *text, size_t len)
{
	static char	 path[256];
	FILE		*fp;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_non_null(fp = fopen(path, "w"));
	assert_int_equal(fwrite(text, 1, len, fp), len);
	assert_int_equal(fclose(fp), 0);
	return (path);
}

static struct config *
load(const char *path)
{
	memset(&told, 0, sizeof(told));
	return (config_load(path, tell, &told));
}

static void
test_load(void **state)
{
	struct config	*conf;
	const char	*path;
	char		 expected[512], *big;

	(void)state;
	path = file_write("good.yaml", UP, strlen(UP));
	assert_non_null(conf = load(path));
	config_free(conf);

	path = file_write("nul.yaml", "a: b\0c\n", 7);
	assert_null(load(path));
	(void)snprintf(expected, sizeof(expected),
	    "%s:1:5: a NUL byte: this is not a text file\n", path);
	assert_string_equal(told.text, expected);

	assert_null(load(dir));
	(void)snprintf(expected, sizeof(expected),
	    "%s: cannot be read: it is a directory\n", dir);
	assert_string_equal(told.text, expected);
	assert_null(load("/dev/null"));
	assert_string_equal(told.text,
	    "/dev/null: cannot be read: it is not a regular file\n");
	assert_null(load("/nonexistent.yaml"));
	assert_string_equal(told.text, "/nonexistent.yaml: cannot be read: "
	    "No such file or directory\n");

	/* Started by root, -n knows that a user is missing. */
	path = file_write("good.yaml", "user: no_such_user\n" UP,
	    strlen("user: no_such_user\n" UP));
	conf = load(path);
	if (geteuid() == 0) {
		assert_null(conf);
		(void)snprintf(expected, sizeof(expected), "%s:1:7: user: "
		    "expected a user of this system, got "
		    "\"no_such_user\"\n", path);
		assert_string_equal(told.text, expected);
	} else
		assert_non_null(conf);
	config_free(conf);

	/* Nobody writes to this FIFO: opening it must not wait. */
	(void)snprintf(expected, sizeof(expected), "%s/fifo", dir);
	assert_int_equal(mkfifo(expected, 0600), 0);
	assert_null(load(expected));
	assert_non_null(strstr(told.text, "not a regular file"));
	assert_int_equal(unlink(expected), 0);

	assert_non_null(big = malloc(CONFIG_FILE_MAX + 1));
	memset(big, '#', CONFIG_FILE_MAX + 1);
	path = file_write("big.yaml", big, CONFIG_FILE_MAX + 1);
	assert_null(load(path));
	assert_non_null(strstr(told.text, "it is too large"));
	free(big);
}

/* Form alone counts here: a SEQUENCE of zeroes in base64. */
#define PEM_BODY	"MIIBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" \
			"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n"
#define PEM		"-----BEGIN CERTIFICATE-----\n" PEM_BODY \
			"-----END CERTIFICATE-----\n"

static void
ca_bad(const char *pem, size_t len, const char *reason)
{
	char	 expected[512], path[256];

	(void)snprintf(path, sizeof(path), "%s", file_write("ca.pem", pem,
	    len));
	assert_null(load(file_write("ca.yaml", OAUTH "  ca_file: ca.pem\n",
	    strlen(OAUTH "  ca_file: ca.pem\n"))));
	(void)snprintf(expected, sizeof(expected), "%s/ca.yaml:9:12: "
	    "auth.oauth.ca_file: expected a file of PEM certificates, got "
	    "\"%s\": %s\n", dir, path, reason);
	assert_string_equal(told.text, expected);
}

static void
test_ca_file(void **state)
{
	static const char	 text[] = OAUTH "  ca_file: ca.pem\n";
	static const char	 two[] = "comment\n" PEM "\n" PEM;
	struct config		*conf;
	const char		*path;

	(void)state;
	(void)file_write("ca.pem", two, strlen(two));
	path = file_write("ca.yaml", text, strlen(text));
	if ((conf = load(path)) == NULL)
		fail_msg("%s", told.text);
	assert_int_equal(conf->ca_len, strlen(two));
	assert_memory_equal(conf->ca, two, strlen(two));
	config_free(conf);
#define CA_BAD(pem, reason)	ca_bad((pem), sizeof(pem) - 1, (reason))
	CA_BAD("", "it holds no certificate");
	CA_BAD("hello\n", "it holds no certificate");
	CA_BAD(PEM "\0", "it has a NUL byte");
	CA_BAD(PEM "-----BEGIN CERTIFICATE-----\n",
	    "a certificate has no end line");
	CA_BAD("-----BEGIN CERTIFICATE-----\nMIIB\n"
	    "-----END CERTIFICATE-----\n", "a certificate is cut short");
	CA_BAD("-----BEGIN CERTIFICATE-----\nM*" PEM_BODY
	    "-----END CERTIFICATE-----\n", "a certificate is not base64");
	CA_BAD("-----BEGIN CERTIFICATE-----\nA" PEM_BODY
	    "-----END CERTIFICATE-----\n",
	    "a certificate does not begin as one");
	CA_BAD("-----BEGIN EC PRIVATE KEY-----\n" PEM_BODY
	    "-----END EC PRIVATE KEY-----\n" PEM,
	    "it holds a private key, which must not be there");
#undef CA_BAD
	(void)unlink(strcat(strcpy((char[256]){ 0 }, dir), "/ca.pem"));
	assert_null(load(path));
	assert_non_null(strstr(told.text, "No such file or directory\n"));
	/* Where OAuth is off, the file need not be there. */
	path = file_write("ca.yaml", UP "auth: {oauth: {ca_file: no}}\n",
	    strlen(UP "auth: {oauth: {ca_file: no}}\n"));
	assert_non_null(conf = load(path));
	assert_null(conf->ca);
	config_free(conf);
}

static void
note(void *arg, const char *key)
{
	(void)strcat(strcat(arg, key), " ");
}

static void
test_keep_fixed(void **state)
{
	struct config	*neu, *old;
	char		 keys[256];

	(void)state;
	/* Nothing differs, but for the way listen is written. */
	keys[0] = '\0';
	old = parse_good("listen: 127.0.0.1:80\n" UP);
	neu = parse_good("listen: localhost:80\nworkers: 1\n" UP);
	assert_int_equal(config_keep_fixed(neu, old, note, keys), 0);
	assert_string_equal(keys, "");
	assert_string_equal(neu->w.oauth.public_url,
	    "http://127.0.0.1:80/mcp");
	assert_int_equal(neu->workers, 1);
	config_free(neu);
	/* Everything does. */
	neu = parse_good("listen: ':81'\nuser: x\npid_file: /x\n" OAUTH
	    "  public_url: https://gw/mcp\n  metadata_path: /x\n");
	assert_int_equal(config_keep_fixed(neu, old, note, keys), 0);
	assert_string_equal(keys, "listen auth.oauth.public_url "
	    "auth.oauth.metadata_path user pid_file ");
	assert_string_equal(neu->listen, "127.0.0.1:80");
	assert_memory_equal(&neu->listen_addr, &old->listen_addr,
	    sizeof(neu->listen_addr));
	assert_int_equal(neu->listen_len, old->listen_len);
	assert_false(neu->listen_any);
	assert_false(neu->public_url_set);
	assert_string_equal(neu->w.oauth.public_url,
	    "http://127.0.0.1:80/mcp");
	assert_string_equal(neu->w.oauth.metadata_path,
	    old->w.oauth.metadata_path);
	assert_string_equal(neu->user, "_mcpgw");
	assert_string_equal(neu->pid_file, "/run/mcpgw.pid");
	assert_true(neu->w.oauth.enabled);
	config_free(neu);
	config_free(old);
	/* Taking public_url out again is a change as well. */
	keys[0] = '\0';
	old = parse_good(OAUTH "  public_url: https://gw/mcp\n");
	neu = parse_good(OAUTH);
	assert_int_equal(config_keep_fixed(neu, old, note, keys), 0);
	assert_string_equal(keys, "auth.oauth.public_url ");
	assert_string_equal(neu->w.oauth.public_url, "https://gw/mcp");
	config_free(neu);
	config_free(old);
}

static int
prime(const char *neu_text, const char *old_text)
{
	struct config	*neu, *old;
	int		 need;

	neu = parse_good(neu_text);
	old = old_text != NULL ? parse_good(old_text) : NULL;
	need = config_needs_prime(neu, old);
	config_free(neu);
	config_free(old);
	return (need);
}

static void
test_needs_prime(void **state)
{
	static const char	 issuer[] = UP "auth:\n enabled: true\n "
	    "oauth: {enabled: true, issuer: 'https://j/', audience: x, "
	    "jwks_url: 'https://i/k'}\n";
	static const char	 jwks[] = UP "auth:\n enabled: true\n "
	    "oauth: {enabled: true, issuer: 'https://i/', audience: x, "
	    "jwks_url: 'https://i/l'}\n";
	static const char	 other[] = "workers: 2\n" UP "auth:\n "
	    "enabled: true\n oauth: {enabled: true, issuer: 'https://i/', "
	    "audience: y, jwks_url: 'https://i/k', leeway: 1s}\n";
	struct config		*neu, *old;

	(void)state;
	assert_int_equal(prime(UP, NULL), 0);
	assert_int_equal(prime(OAUTH, NULL), 1);
	assert_int_equal(prime(OAUTH, UP), 1);
	assert_int_equal(prime(UP, OAUTH), 0);
	assert_int_equal(prime(OAUTH, OAUTH), 0);
	assert_int_equal(prime(OAUTH, issuer), 1);
	assert_int_equal(prime(OAUTH, jwks), 1);
	assert_int_equal(prime(OAUTH, other), 0);
	/* The same path, but another certificate behind it. */
	old = parse_good(OAUTH);
	neu = parse_good(OAUTH);
	assert_non_null(neu->ca = strdup("a"));
	neu->ca_len = 1;
	assert_int_equal(config_needs_prime(neu, old), 1);
	assert_non_null(old->ca = strdup("b"));
	old->ca_len = 1;
	assert_int_equal(config_needs_prime(neu, old), 1);
	old->ca[0] = 'a';
	assert_int_equal(config_needs_prime(neu, old), 0);
	config_free(neu);
	config_free(old);
}

static void
test_parts(void **state)
{
	struct fetcher_conf	*f;
	struct worker_conf	*w;
	struct config		*conf;
	const void		*data;
	size_t			 len;
	int			 fd;

	(void)state;
	conf = parse_good(guide);
	assert_true((fd = config_worker_part(conf)) != -1);
	assert_int_equal(memfd_map(fd, CONF_PACKED_MAX, &data, &len), 0);
	assert_non_null(w = worker_conf_unpack(data, len));
	assert_string_equal(w->oauth.issuer, "https://idp.acme.com/");
	assert_int_equal(w->nupstreams, 1);
	worker_conf_free(w);
	memfd_unmap(data, len);
	(void)close(fd);
	assert_true((fd = config_fetcher_part(conf)) != -1);
	assert_int_equal(memfd_map(fd, CONF_PACKED_MAX, &data, &len), 0);
	assert_non_null(f = fetcher_conf_unpack(data, len));
	assert_int_equal(f->oauth, 1);
	assert_string_equal(f->jwks_url,
	    "https://idp.acme.com/.well-known/jwks.json");
	assert_int_equal(f->nhosts, 1);
	assert_string_equal(f->hosts[0], "127.0.0.1");
	assert_int_equal(f->ports[0], 3001);
	fetcher_conf_free(f);
	memfd_unmap(data, len);
	(void)close(fd);
	config_free(conf);
	/* Without OAuth the fetcher learns nothing about it. */
	conf = parse_good(UP "auth: {oauth: {issuer: 'https://i/', "
	    "jwks_url: 'https://i/k'}}\n");
	assert_true((fd = config_fetcher_part(conf)) != -1);
	assert_int_equal(memfd_map(fd, CONF_PACKED_MAX, &data, &len), 0);
	assert_non_null(f = fetcher_conf_unpack(data, len));
	assert_int_equal(f->oauth, 0);
	assert_null(f->jwks_url);
	fetcher_conf_free(f);
	memfd_unmap(data, len);
	(void)close(fd);
	config_free(conf);
}

/* Whatever the limits of the parser let through must fit the message. */
static void
test_largest_part(void **state)
{
	struct worker_conf	*w;
	struct config		*conf;
	const void		*data;
	char			*text, *p;
	size_t			 i, len;
	int			 fd;

	(void)state;
	assert_non_null(text = malloc(CONFIG_FILE_MAX));
	p = stpcpy(text, "default_upstream: u0\nupstreams:\n");
	for (i = 0; i < CONF_UPSTREAMS_MAX; i++)
		p += sprintf(p, "- {name: u%zu, url: 'http://h/%01000d'}\n",
		    i, 0);
	p = stpcpy(p, "allowed_origins:\n");
	for (i = 0; i < CONF_LIST_MAX; i++)
		p += sprintf(p, "- http://%060d.%060d.%060d.%060d.x:1\n", 0,
		    0, 0, 0);
	assert_true(p < text + CONFIG_FILE_MAX);
	conf = parse_good(text);
	assert_int_equal(conf->w.nupstreams, CONF_UPSTREAMS_MAX);
	assert_true((fd = config_worker_part(conf)) != -1);
	assert_int_equal(memfd_map(fd, CONF_PACKED_MAX, &data, &len), 0);
	assert_non_null(w = worker_conf_unpack(data, len));
	worker_conf_free(w);
	memfd_unmap(data, len);
	(void)close(fd);
	config_free(conf);
	free(text);
}

static void
test_cpus(void **state)
{
	char	 cgroup[256], path[300];

	(void)state;
	assert_in_range(cfg_cpus(), 1, CFG_WORKERS_MAX);
	(void)snprintf(cgroup, sizeof(cgroup), "%s", file_write("cgroup",
	    "3:cpu:/old\n0::/a/b\n", 19));
	assert_int_equal(cfg_cpus_quota("/nonexistent", dir), 0);
	assert_int_equal(cfg_cpus_quota(cgroup, dir), 0);
	(void)snprintf(path, sizeof(path), "%s/a", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/a/b", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)file_write("a/b/cpu.max", "max 100000\n", 11);
	assert_int_equal(cfg_cpus_quota(cgroup, dir), 0);
	(void)file_write("a/b/cpu.max", "250000 100000\n", 14);
	assert_int_equal(cfg_cpus_quota(cgroup, dir), 3);
	/* The group above may be poorer. */
	(void)file_write("a/cpu.max", "50000 100000\n", 13);
	assert_int_equal(cfg_cpus_quota(cgroup, dir), 1);
	(void)file_write("a/cpu.max", "0 0\n", 4);
	assert_int_equal(cfg_cpus_quota(cgroup, dir), 3);
	(void)file_write("a/b/cpu.max", "9999999999999 100\n", 18);
	assert_int_equal(cfg_cpus_quota(cgroup, dir), CFG_WORKERS_MAX);
	(void)file_write("cgroup", "0::/\n", 5);
	(void)file_write("cpu.max", "200000 100000\n", 14);
	assert_int_equal(cfg_cpus_quota(cgroup, dir), 2);
	(void)file_write("cgroup", "0::/../x\n", 9);
	assert_int_equal(cfg_cpus_quota(cgroup, dir), 0);
}

static int
setup(void **state)
{
	(void)state;
	return (mkdtemp(dir) == NULL ? -1 : 0);
}

static int
teardown(void **state)
{
	static const char	*files[] = { "good.yaml", "nul.yaml",
	    "big.yaml", "ca.yaml", "ca.pem", "cgroup", "cpu.max",
	    "a/b/cpu.max", "a/cpu.max", "a/b", "a", "fifo", "" };
	char			 path[300];
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		if (remove(path) == -1 && errno != ENOENT)
			return (-1);
	}
	return (0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_guide),
		cmocka_unit_test(test_guide_keys),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_upstream_mistakes),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_empty_parts),
		cmocka_unit_test(test_auth_alone),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_ca_file),
		cmocka_unit_test(test_keep_fixed),
		cmocka_unit_test(test_needs_prime),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_largest_part),
		cmocka_unit_test(test_cpus),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
