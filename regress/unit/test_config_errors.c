/*
 * config/config.h: everything that can be wrong with a file, and what is said
 * about it.  Whole lines, since people read them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/cfg.h"
#include "config/config.h"
#include "regress/unit/config_helper.h"

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
	    "f:12:13: auth.keys[0].hash: expected a salt of 8 to 64 bytes in "
	    "base64 without padding, got a value that is not shown\n");
	parse_bad(UP "auth: {keys: argon2id$xyz}\n",
	    "f:2:14: auth.keys: expected a list of API keys, each with an id "
	    "and a hash, got a value that is not shown\n");
}

struct error_row {
	const char	*text;	/* before UP */
	const char	*error;
};

/* One mistake each. */
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
	{ "limits: {per_address: {connections: 0}}\n", "1:37: "
	    "limits.per_address.connections: expected a number from 1 to "
	    "1000000, got \"0\"" },
	{ "limits: {per_address: {streams: x}}\n", "1:33: "
	    "limits.per_address.streams: expected a number from 1 to "
	    "1000000, got \"x\"" },
	{ "limits: {per_address: {buffered: 1MiB}}\n", "1:34: "
	    "limits.per_address.buffered: expected at least "
	    "limits.max_body, which is 4MiB" },
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
	{ "log: {format: xml}\n", "1:15: log.format: expected text or json, "
	    "got \"xml\"" },
	{ "log: {level: notice}\n", "1:14: log.level: expected error, "
	    "warning, info or debug, got \"notice\"" },
	{ "audit: {identity: sometimes}\n", "1:19: audit.identity: "
	    "expected full, hashed or none, got \"sometimes\"" },
	{ "audit: {identity: [full]}\n", "1:19: audit.identity: "
	    "expected full, hashed or none, got a list" },
	{ "audit: {refusals_per_second: 0}\n", "1:30: "
	    "audit.refusals_per_second: expected a number from 1 to "
	    "1000000, or off, got \"0\"" },
	{ "audit: {refusals_per_second: none}\n", "1:30: "
	    "audit.refusals_per_second: expected a number from 1 to "
	    "1000000, or off, got \"none\"" },
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
	    "fragment (http:// only for a loopback address), got "
	    "\"https://i/?a\"" },
	{ "auth: {oauth: {issuer: 'https://i/#'}}\n", "1:24: "
	    "auth.oauth.issuer: expected an https:// URL without a query or "
	    "fragment (http:// only for a loopback address), got "
	    "\"https://i/#\"" },
	{ "auth: {oauth: {issuer: 'ftp://i/'}}\n", "1:24: "
	    "auth.oauth.issuer: expected an https:// URL without a query or "
	    "fragment (http:// only for a loopback address), got "
	    "\"ftp://i/\"" },
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
	{ "auth: {oauth: {public_url: 'https://gw/a/../mcp?x'}}\n", "1:28: "
	    "auth.oauth.public_url: expected a URL without dot segments, got "
	    "\"https://gw/a/../mcp?x\"" },
	{ "auth: {oauth: {public_url: 'https://gw/.'}}\n", "1:28: "
	    "auth.oauth.public_url: expected a URL without dot segments, got "
	    "\"https://gw/.\"" },
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
	    "keys, each with an id and a hash, got a mapping" },
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
	{ "auth: {header: X_Key}\n", "1:16: auth.header: expected the name "
	    "of a header field: 1 to 64 letters, digits and -, got "
	    "\"X_Key\"" },
	{ "auth: {header: cookie}\n", "1:16: auth.header: expected a header "
	    "field that has no other use, got \"cookie\"" },
	{ "auth: {scheme: a b}\n", "1:16: auth.scheme: expected the name of "
	    "a scheme, such as ApiKey: 1 to 64 letters, digits and -, or "
	    "\"\", got "
	    "\"a b\"" },
	{ "auth: {argon2: {max_lanes: 0}}\n", "1:28: auth.argon2.max_lanes: "
	    "expected a number from 1 to 255, got \"0\"" },
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
	{ "upstreams: [{name: a, url: 'ftp://x/'}]\n", "1:28: "
	    "upstreams[0].url: expected http[s]://HOST[:PORT]/PATH[?QUERY] "
	    "without a fragment, got \"ftp://x/\"" },
	{ "upstreams: [{name: a, url: 'http://x/', urls: ['http://y/']}]\n",
	    "1:28: upstreams[0].url: expected url or urls, not both" },
	{ "upstreams: [{name: a, urls: []}]\n", "1:29: upstreams[0].urls: "
	    "expected at least one URL, got a list" },
	{ "upstreams: [{name: a, urls: ['http://y/', 'http://y:80/']}]\n",
	    "1:43: upstreams[0].urls[1]: expected each URL once, got "
	    "\"http://y:80/\"" },
	{ "upstreams: [{name: a, url: 'http://x/', health: {path: x}}]\n",
	    "1:56: upstreams[0].health.path: expected a path that begins with "
	    "/, got \"x\"" },
	{ "upstreams: [{name: a, url: 'http://x/?q#f'}]\n", "1:28: "
	    "upstreams[0].url: expected http[s]://HOST[:PORT]/PATH[?QUERY] "
	    "without a fragment, got a value that is not shown" },
	{ "upstreams: [{name: a, urls: ['http://y/?q', 'http://y/?q']}]\n",
	    "1:45: upstreams[0].urls[1]: expected each URL once, got a value "
	    "that is not shown" },
	{ "upstreams: [{name: a, url: 'http://x/', health: {path: 'x?k=1'}}]\n",
	    "1:56: upstreams[0].health.path: expected a path that begins with "
	    "/, got a value that is not shown" },
	{ "upstreams: [{name: a, url: 'http://x/#f'}]\n", "1:28: "
	    "upstreams[0].url: expected http[s]://HOST[:PORT]/PATH[?QUERY] "
	    "without a fragment, got \"http://x/#f\"" },
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

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_guide_keys),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_upstream_mistakes),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_bounds),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
