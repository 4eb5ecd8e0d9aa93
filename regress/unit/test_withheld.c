/*
 * Every name in the tables is found, in any spelling, and its neighbours are
 * not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/withheld.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

static void
test_from_client(void **state)
{
	static const char *const names[] = { "NEL", "Alt-Svc", "Refresh",
	    "Alt-Used", "Location", "Expect-CT", "Report-To", "Set-Login",
	    "Set-Cookie", "Set-Cookie2", "X-Sendfile", "X-Sendfile2",
	    "X-Webkit-CSP", "X-Reproxy-URL", "Clear-Site-Data",
	    "Public-Key-Pins", "Content-Location", "X-Accel-Redirect",
	    "Authentication-Info", "Reporting-Endpoints",
	    "X-LIGHTTPD-send-file", "X-LIGHTTPD-send-tempfile",
	    "Service-Worker-Allowed", "X-Content-Type-Options",
	    "Content-Security-Policy", "Proxy-Authentication-Info",
	    "Strict-Transport-Security", "X-Content-Security-Policy",
	    "Public-Key-Pins-Report-Only",
	    "Content-Security-Policy-Report-Only", "lOCATION" };
	size_t	 i;

	(void)state;
	for (i = 0; i < N(names); i++)
		if (!withheld_from_client(slice_of(names[i])))
			fail_msg("%s", names[i]);
	assert_false(withheld_from_client(slice_of("Locatio")));
	assert_false(withheld_from_client(slice_of("Locations")));
	assert_false(withheld_from_client(slice_of("ETag")));
	assert_false(withheld_from_client(slice_of("X")));
	assert_false(withheld_from_client(slice_of("Content-Security-Policy-"
	    "Report-Only-And-More")));
}

static void
test_from_upstream(void **state)
{
	static const char *const names[] = { "Cf-Access-Jwt-Assertion",
	    "CF-Connecting-IP", "cf-connecting-ipv6", "Client-Cert",
	    "Client-Cert-Chain", "Cookie", "DPoP", "Remote-User",
	    "SSL-Client-Verify", "True-Client-IP", "X-SSL-Cert",
	    "X-Auth-Request-User", "X-Remote-User", "x-client-ip",
	    "X-Forwarded-User", "Proxy", "X-HTTP-Method", "X-Host",
	    "X-Rewrite-URL", "X-MS-CLIENT-PRINCIPAL-ID" };
	static const char *const others[] = { "Client", "Client-Version",
	    "Cookies", "Proxy-Status", "Remote", "SSL", "X", "X-", "X-A",
	    "X-Hosts", "X-Client-Id", "Accept-Language", "_", "X-_",
	    "User-Agent", "\x7f", "X-Trace" };
	size_t	 i;

	(void)state;
	for (i = 0; i < N(names); i++)
		if (!withheld_from_upstream(slice_of(names[i])))
			fail_msg("%s", names[i]);
	for (i = 0; i < N(others); i++)
		if (withheld_from_upstream(slice_of(others[i])))
			fail_msg("%s", others[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_client),
		cmocka_unit_test(test_from_upstream)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
