/*
 * Who has which flag, by name: every row is in the lists here, and what is in
 * no list has no flag.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/field.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

/* Rows with a '*' are fields of any such name. */
static const struct {
	unsigned	 flag;
	const char	*name;
	const char	*rows;
} flags[] = {
	{ FIELD_HOP, "hop", "Connection Content-Length Expect Keep-Alive "
	    "Proxy-Connection TE Trailer Transfer-Encoding Upgrade" },
	{ FIELD_CREDENTIAL, "credential", "Authorization Proxy-Authenticate "
	    "Proxy-Authorization WWW-Authenticate" },
	{ FIELD_OURS, "ours", "Forwarded Host Mcp-Session-Id Traceparent "
	    "X-Forwarded-For X-Forwarded-Host X-Forwarded-Port "
	    "X-Forwarded-Proto X-Real-IP X-Request-Id" },
	{ FIELD_ADDED, "added", "Via" },
	{ FIELD_MISLEADS, "misleads", "Cf-Access-* Cf-Connecting-IP* "
	    "Cf-Pseudo-IPv4 Client-Cert* Client-IP CloudFront-Viewer-* "
	    "Cookie Cookie2 DO-Connecting-IP DPoP Fastly-Client-IP "
	    "Fly-Client-IP Impersonate-* Incap-Client-IP Proxy "
	    "Proxy-Client-IP Remote-* SSL-* Tailscale-User-* "
	    "True-Client-IP WL-Proxy-* X-Accel-Mapping X-Amzn-Mtls-* "
	    "X-Amzn-Oidc-* X-Anonymous-Consumer X-Appengine-* "
	    "X-Arr-ClientCert X-Auth-Request-* X-Authenticated-* "
	    "X-Authentik-* X-Azure-* X-Client-Cert* X-Client-DN "
	    "X-Client-IP X-Client-Verify X-Cluster-Client-IP "
	    "X-Consumer-* X-Credential-* X-Envoy-* X-Forwarded-* "
	    "X-Goog-Authenticated-User-* X-Goog-Iap-* "
	    "X-HTTP-Host-Override X-HTTP-Method X-HTTP-Method-Override "
	    "X-Host X-Mcpgw-* X-Mcpgw-Key X-Method-Override "
	    "X-Middleware-* X-Ms-Client-Principal* "
	    "X-NF-Client-Connection-IP X-Original-* X-Originating-IP "
	    "X-Pomerium-* X-ProxyUser-IP X-Remote-* X-Rewrite-URL "
	    "X-SSL-* X-Sendfile-Type X-Userinfo X-Vercel-Forwarded-For "
	    "X-Vercel-IP-* X-Vouch-* X-WebAuth-*" },
	{ FIELD_ORDERS, "orders", "Alt-Svc Alt-Used Authentication-Info "
	    "Clear-Site-Data Content-Location Content-Security-Policy "
	    "Content-Security-Policy-Report-Only Expect-CT Location NEL "
	    "Proxy-Authentication-Info Public-Key-Pins "
	    "Public-Key-Pins-Report-Only Refresh Report-To "
	    "Reporting-Endpoints Service-Worker-Allowed Set-Cookie "
	    "Set-Cookie2 Set-Login Speculation-Rules "
	    "Strict-Transport-Security Use-As-Dictionary "
	    "X-Accel-Redirect X-Content-Security-Policy "
	    "X-Content-Type-Options X-LIGHTTPD-send-file "
	    "X-LIGHTTPD-send-tempfile X-Reproxy-URL X-Sendfile "
	    "X-Sendfile2 X-Webkit-CSP" },
	{ FIELD_CORS, "cors", "Access-Control-* Access-Control-Expose-Headers "
	    "Access-Control-Request-Headers" },
	{ FIELD_JUDGED, "judged", "Content-Type Mcp-Method Mcp-Name "
	    "MCP-Protocol-Version Mcp-Session-Id" },
	{ FIELD_READS, "reads", "Content-Encoding Content-Type" },
	{ FIELD_PARAM, "param", "Mcp-Param-*" },
	{ FIELD_RESERVED, "reserved", "Connection Content-Encoding "
	    "Content-Length Content-Type Expect Host Keep-Alive "
	    "Last-Event-ID MCP-Protocol-Version Mcp-Method Mcp-Name "
	    "Mcp-Param-* Mcp-Session-Id Proxy-Connection TE Traceparent "
	    "Tracestate Trailer Transfer-Encoding Upgrade X-Mcpgw-* "
	    "X-Mcpgw-Key X-Request-Id" },
	{ FIELD_TAKEN, "taken", "Accept Access-Control-Expose-Headers "
	    "Access-Control-Request-Headers Cache-Control Connection "
	    "Content-Encoding Content-Length Content-Type Cookie Date Expect "
	    "Forwarded Host Keep-Alive Last-Event-ID Location "
	    "MCP-Protocol-Version Mcp-Method Mcp-Name Mcp-Param-* "
	    "Mcp-Session-Id Origin Proxy-Authenticate Proxy-Authorization "
	    "Proxy-Connection Set-Cookie TE Traceparent Tracestate Trailer "
	    "Transfer-Encoding Upgrade Vary Via WWW-Authenticate "
	    "X-Accel-Buffering X-Forwarded-* X-Forwarded-For "
	    "X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto X-Mcpgw-* "
	    "X-Real-IP X-Request-Id" }
};

/* Is it one of the words? */
static int
listed(const char *words, const char *name)
{
	size_t	 n = strlen(name);

	for (; *words != '\0'; words += strspn(words, " ")) {
		if (strcspn(words, " ") == n && memcmp(words, name, n) == 0)
			return (1);
		words += strcspn(words, " ");
	}
	return (0);
}

static size_t
count(const char *words)
{
	size_t	 n;

	for (n = 1; (words = strchr(words, ' ')) != NULL; words++)
		n++;
	return (n);
}

static void
test_flags(void **state)
{
	const struct field	*f;
	size_t			 i, k, n;
	int			 want;

	(void)state;
	for (i = 0; i < N(flags); i++) {
		assert_int_equal(flags[i].flag, 1U << i);
		for (k = n = 0; (f = field_row(k)) != NULL; k++) {
			want = listed(flags[i].rows, f->name);
			n += (size_t)want;
			if (((f->flags & flags[i].flag) != 0) != want)
				fail_msg("%s: %s", f->name, flags[i].name);
		}
		if (n != count(flags[i].rows))
			fail_msg("%s: %zu rows", flags[i].name, n);
	}
	for (k = 0; (f = field_row(k)) != NULL; k++)
		assert_int_equal(f->flags >> N(flags), 0);
}

/* Every row is found by its name in any spelling, one with an open end by what
 * begins so; and there are no two of one name or id. */
static void
test_rows(void **state)
{
	const struct field	*f;
	struct field		 found;
	char			 name[64];
	int			 ids[HTTP1_NAME_MAX] = { 0 };
	size_t			 k, i, n;

	(void)state;
	for (k = 0; (f = field_row(k)) != NULL; k++) {
		n = strlen(f->name);
		for (i = 0; i <= n; i++)
			name[i] = (char)(i % 2 == 0 && f->name[i] >= 'a' &&
			    f->name[i] <= 'z' ? f->name[i] - 32 : f->name[i]);
		if (name[n - 1] == '*')
			snprintf(name + n - 1, sizeof(name) - n, "%s",
			    k % 2 == 0 ? "" : "q9z");
		found = field_find(slice_of(name));
		if (found.id != f->id || found.flags != f->flags)
			fail_msg("%s: id %d, flags %x", name, found.id,
			    found.flags);
		ids[f->id]++;
		/* what is looked for has a use */
		if (f->id != HTTP1_OTHER && f->id != HTTP1_AUTHORIZATION)
			assert_true((f->flags & FIELD_TAKEN) != 0);
	}
	for (i = 1; i < HTTP1_NAME_MAX; i++)
		assert_int_equal(ids[i], 1);
}

static void
test_others(void **state)
{
	static const struct {
		const char	*name;
		unsigned	 flags;
	} t[] = {
		{ "", 0 }, { "_", FIELD_MISLEADS }, { "X", 0 }, { "X-", 0 },
		{ "X-A", 0 }, { "Client", 0 }, { "Client-Version", 0 },
		{ "Cookies", 0 }, { "Proxy-Status", 0 }, { "Remote", 0 },
		{ "SSL", 0 }, { "X-Hosts", 0 }, { "X-Client-Id", 0 },
		{ "Accept-Language", 0 }, { "User-Agent", 0 },
		{ "\x7f", 0 }, { "\xff\xff", 0 }, { "X-Trace", 0 },
		{ "Locatio", 0 }, { "Locations", 0 }, { "ETag", 0 },
		{ "Content-Security-Policy-Report-Only-And-More", 0 },
		{ "Access-Control", 0 }, { "X-Mcpg", 0 },
		{ "CF-Connecting-IPv6", FIELD_MISLEADS },
		{ "Client-Cert-Chain", FIELD_MISLEADS },
		{ "X-Amzn-Oidc-Data", FIELD_MISLEADS },
		{ "x-auth-request-groups", FIELD_MISLEADS },
		{ "X-Forwarded-User", FIELD_MISLEADS | FIELD_TAKEN },
		/* passes for another where '_' counts as '-' */
		{ "Mcp_Session_Id", FIELD_MISLEADS },
		{ "A_", FIELD_MISLEADS },
		{ "Access-Control-X_Y", FIELD_CORS | FIELD_MISLEADS },
		{ "Mcp-Param-a_b", FIELD_PARAM | FIELD_RESERVED |
		    FIELD_TAKEN },
		{ "Mcp-Para_m", FIELD_MISLEADS }
	};
	struct field	 f;
	size_t		 i;

	(void)state;
	for (i = 0; i < N(t); i++) {
		f = field_find(slice_of(t[i].name));
		if (f.id != HTTP1_OTHER || f.flags != t[i].flags)
			fail_msg("%s: id %d, flags %x", t[i].name, f.id,
			    f.flags);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_others)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
