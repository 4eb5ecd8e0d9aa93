/*
 * config/config.h: the guide's block, the defaults, every key, the files, and
 * what becomes of a configuration that was read.  Mistakes are in
 * test_config_errors.c.
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
#include "config/cfg.h"
#include "config/config.h"
#include "regress/unit/config_helper.h"

static char		 dir[] = "/tmp/test_config.XXXXXX";

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
	assert_int_equal(conf->w.oauth.audiences.n, 1);
	assert_string_equal(conf->w.oauth.audiences.v[0], "mcpgw-prod");
	assert_false(conf->w.oauth.accept_resource);
	assert_string_equal(conf->f.jwks_url,
	    "https://idp.acme.com/.well-known/jwks.json");
	assert_int_equal(conf->w.oauth.nscopes, 1);
	assert_string_equal(conf->w.oauth.scopes[0], "mcp:read");
	assert_int_equal(conf->f.cache_ttl_ms, 300000);
	assert_int_equal(conf->f.max_stale_ms, 86400000);
	assert_int_equal(conf->w.oauth.leeway_ms, 30000);
	assert_string_equal(conf->w.oauth.public_url,
	    "https://gw.acme.com/mcp");
	assert_true(conf->public_url_set);
	assert_string_equal(conf->w.oauth.metadata_path,
	    "/.well-known/oauth-protected-resource");
	assert_int_equal(conf->w.nupstreams, 1);
	assert_string_equal(conf->w.upstreams[0].name, "everything");
	assert_string_equal(conf->w.upstreams[0].servers[0].host, "127.0.0.1");
	assert_string_equal(conf->w.upstreams[0].servers[0].authority,
	    "127.0.0.1:3001");
	assert_string_equal(conf->w.upstreams[0].servers[0].path, "/mcp");
	assert_int_equal(conf->w.upstreams[0].servers[0].port, 3001);
	config_free(conf);
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
	assert_int_equal(conf->w.t_drain, 300000);
	assert_int_equal(conf->w.t_drain, 300000);
	assert_int_equal(conf->w.t_header, 10000);
	assert_int_equal(conf->w.t_body, 30000);
	assert_int_equal(conf->w.t_keepalive, 75000);
	assert_int_equal(conf->w.t_connect, 5000);
	assert_int_equal(conf->w.t_response, 60000);
	assert_int_equal(conf->w.t_stream_idle, 0);
	assert_int_equal(conf->w.t_sse_keepalive, 15000);
	assert_int_equal(conf->w.max_body, 4 << 20);
	assert_int_equal(conf->w.max_header, 16 << 10);
	assert_int_equal(conf->w.max_connections, 8192);
	assert_int_equal(conf->w.buffered, 256 << 20);
	assert_int_equal(conf->w.default_upstream, 0);
	assert_false(conf->w.audit_allow);
	assert_int_equal(conf->w.refusals, 20);
	assert_int_equal(conf->w.identity, CONF_IDENTITY_FULL);
	assert_false(conf->w.session_secret_set);
	assert_false(conf->w.auth_enabled);
	assert_false(conf->w.oauth.enabled);
	assert_int_equal(conf->w.oauth.leeway_ms, 30000);
	assert_int_equal(conf->f.cache_ttl_ms, 300000);
	assert_string_equal(conf->w.oauth.metadata_path,
	    "/.well-known/oauth-protected-resource");
	assert_string_equal(conf->w.oauth.public_url,
	    "http://127.0.0.1:7332/mcp");
	assert_false(conf->public_url_set);
	assert_null(conf->f.ca);
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
	    "  stream_idle: 5m, sse_keepalive: off}\n"
	    "limits: {max_body: 1MiB, max_header: 65536,\n"
	    "  max_connections: 10, buffered: 1MiB}\n"
	    "upstreams:\n"
	    "- {name: a, url: 'HTTP://MCP.Example'}\n"
	    "- {name: b-_9, url: 'http://[::1]:80/x%20y/'}\n"
	    "default_upstream: b-_9\n"
	    "audit: {path: /a/b, on_failure: allow,\n"
	    "  refusals_per_second: off, identity: none}\n"
	    "log: {format: json, level: warning}\n"
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
	assert_int_equal(conf->log_json, 1);
	assert_int_equal(conf->log_level, 4);
	assert_string_equal(conf->user, "nobody");
	assert_string_equal(conf->pid_file, "/tmp/x.pid");
	assert_int_equal(conf->w.t_drain, 7200000);
	assert_int_equal(conf->w.t_header, 100);
	assert_int_equal(conf->w.t_body, 1000);
	assert_int_equal(conf->w.t_keepalive, 2000);
	assert_int_equal(conf->w.t_connect, 3000);
	assert_int_equal(conf->w.t_response, 4000);
	assert_int_equal(conf->w.t_stream_idle, 300000);
	assert_int_equal(conf->w.t_sse_keepalive, 0);
	assert_int_equal(conf->w.max_body, 1 << 20);
	assert_int_equal(conf->w.max_header, 65536);
	assert_int_equal(conf->w.max_connections, 10);
	assert_int_equal(conf->w.buffered, 1 << 20);
	assert_int_equal(conf->w.nupstreams, 2);
	assert_string_equal(conf->w.upstreams[0].servers[0].authority, "mcp.example");
	assert_string_equal(conf->w.upstreams[0].servers[0].path, "/");
	assert_int_equal(conf->w.upstreams[0].servers[0].port, 80);
	assert_string_equal(conf->w.upstreams[1].servers[0].host, "::1");
	assert_string_equal(conf->w.upstreams[1].servers[0].authority, "[::1]");
	assert_string_equal(conf->w.upstreams[1].servers[0].path, "/x%20y/");
	assert_int_equal(conf->w.default_upstream, 1);
	assert_string_equal(conf->audit_path, "/a/b");
	assert_true(conf->w.audit_allow);
	assert_int_equal(conf->w.refusals, 0);
	assert_int_equal(conf->w.identity, CONF_IDENTITY_NONE);
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
	assert_string_equal(conf->w.oauth.audiences.v[0], "12345");
	assert_string_equal(conf->f.jwks_url, "http://127.9.9.9:1/jwks?x=y");
	assert_int_equal(conf->w.oauth.nscopes, 3);
	assert_string_equal(conf->w.oauth.scopes[2], "7");
	assert_int_equal(conf->f.cache_ttl_ms, 1000);
	assert_int_equal(conf->w.oauth.leeway_ms, 0);
	assert_string_equal(conf->w.oauth.metadata_path, "/.well-known/x");
	/* config_parse() names the file and does not open it. */
	assert_string_equal(conf->ca_file, "ca.pem");
	assert_null(conf->f.ca);
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
	sample = cfg_file_read("etc/mcpgw.yaml", CFG_FOR_ALL,
	    CONFIG_FILE_MAX, &len, &reason);
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
	assert_int_equal(conf->f.ca_len, strlen(two));
	assert_memory_equal(conf->f.ca, two, strlen(two));
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
	assert_null(conf->f.ca);
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
	old->m.group = 1;
	old->m.gid = 4711;
	neu = parse_good("listen: ':81'\nuser: x\npid_file: /x\n" OAUTH
	    "  public_url: https://gw/mcp\n  metadata_path: /x\n");
	assert_int_equal(config_keep_fixed(neu, old, note, keys), 0);
	assert_string_equal(keys, "listen auth.oauth.public_url "
	    "auth.oauth.metadata_path user pid_file ");
	assert_true(neu->m.group);
	assert_int_equal(neu->m.gid, 4711);
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
	assert_string_equal(f->hosts[0].name, "127.0.0.1");
	assert_int_equal(f->hosts[0].port, 3001);
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
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_empty_parts),
		cmocka_unit_test(test_auth_alone),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_ca_file),
		cmocka_unit_test(test_keep_fixed),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_largest_part),
		cmocka_unit_test(test_cpus),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
