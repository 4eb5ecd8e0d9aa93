/*
 * config/claims.c and common/resource.h: audiences, claims and types
 * in auth.oauth, and what a resource is called.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/resource.h"
#include "config/config.h"
#include "regress/unit/config_helper.h"

#define NO_AUDIENCE	UP "auth:\n enabled: true\n oauth:\n" \
			"  enabled: true\n  issuer: https://i/\n" \
			"  jwks_url: https://i/k\n"
#define PUBLIC		"  public_url: https://g/mcp\n"

static void
strings_are(const struct conf_strings *s, const char *expected)
{
	char	 text[256] = "";
	size_t	 i;

	for (i = 0; i < s->n; i++) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, s->v[i]);
	}
	assert_string_equal(text, expected);
}

static void
test_defaults(void **state)
{
	struct config	*c = parse_good(OAUTH);

	(void)state;
	strings_are(&c->w.oauth.audiences, "x");
	assert_int_equal(c->w.oauth.accept_resource, 0);
	strings_are(&c->w.oauth.audience_claims, "aud");
	strings_are(&c->w.oauth.client_claims, "client_id azp cid appid");
	strings_are(&c->w.oauth.scope_claims, "scope scp");
	assert_int_equal(c->w.oauth.typ.n, 0);
	assert_int_equal(c->w.t_stream_total, 0);
	config_free(c);
}

static void
test_values(void **state)
{
	struct config	*c;

	(void)state;
	c = parse_good(NO_AUDIENCE PUBLIC
	    "  audience: [a, 'b c']\n"
	    "  accept_resource_audience: true\n"
	    "  audience_claims: [aud, client_id]\n"
	    "  client_claims: [azp, https://x.example/client.id]\n"
	    "  scope_claims: [scope, realm_access.roles]\n"
	    "  require_typ: [at+jwt]\n"
	    "timeouts: {stream_total: 24h}\n");
	strings_are(&c->w.oauth.audiences, "a b c");
	assert_int_equal(c->w.oauth.audiences.n, 2);
	assert_int_equal(c->w.oauth.accept_resource, 1);
	strings_are(&c->w.oauth.audience_claims, "aud client_id");
	strings_are(&c->w.oauth.client_claims,
	    "azp https://x.example/client.id");
	strings_are(&c->w.oauth.scope_claims, "scope realm_access.roles");
	strings_are(&c->w.oauth.typ, "at+jwt");
	assert_int_equal(c->w.t_stream_total, 86400000);
	config_free(c);
	/* where public_url is known, that is the audience */
	c = parse_good(NO_AUDIENCE PUBLIC);
	assert_int_equal(c->w.oauth.audiences.n, 0);
	assert_int_equal(c->w.oauth.accept_resource, 1);
	config_free(c);
}

static void
test_audience_must_be_known(void **state)
{
	(void)state;
	parse_bad(NO_AUDIENCE, "f:4:2: auth.oauth.audience: required when "
	    "auth.oauth.enabled is true\n");
	parse_bad(NO_AUDIENCE PUBLIC "  accept_resource_audience: false\n",
	    "f:4:2: auth.oauth.audience: required when "
	    "auth.oauth.accept_resource_audience is false\n");
	parse_bad(OAUTH "  accept_resource_audience: true\n",
	    "f:4:2: auth.oauth.public_url: required when "
	    "auth.oauth.accept_resource_audience is true\n");
}

#define CLAIM_EXPECTED	"expected the name of a claim, or the names on the " \
			"way to it with dots between, such as " \
			"realm_access.roles: at most 128 visible ASCII " \
			"characters and 8 names, got "

static void
test_errors(void **state)
{
	(void)state;
	parse_bad(NO_AUDIENCE PUBLIC "  audience: []\n", "f:9:13: "
	    "auth.oauth.audience: expected at least one audience, got a "
	    "list\n");
	parse_bad(NO_AUDIENCE PUBLIC "  audience: [a, '', {b: c}]\n",
	    "f:9:17: auth.oauth.audience[1]: expected a string that is not "
	    "empty, got \"\"\n"
	    "f:9:21: auth.oauth.audience[2]: expected a string, got a "
	    "mapping\n");
	parse_bad(NO_AUDIENCE PUBLIC "  audience: {b: c}\n", "f:9:13: "
	    "auth.oauth.audience: expected a string or a list of strings, "
	    "got a mapping\n");
	parse_bad(OAUTH "  scope_claims: roles\n", "f:9:17: "
	    "auth.oauth.scope_claims: expected a list of claims, got "
	    "\"roles\"\n");
	parse_bad(OAUTH "  client_claims: []\n", "f:9:18: "
	    "auth.oauth.client_claims: expected at least one claim, got a "
	    "list\n");
	parse_bad(OAUTH "  audience_claims: [a..b, .a, a b, a.b.c.d.e.f.g.h.i"
	    "]\n", "f:9:21: auth.oauth.audience_claims[0]: " CLAIM_EXPECTED
	    "\"a..b\"\n"
	    "f:9:27: auth.oauth.audience_claims[1]: " CLAIM_EXPECTED
	    "\".a\"\n"
	    "f:9:31: auth.oauth.audience_claims[2]: " CLAIM_EXPECTED
	    "\"a b\"\n"
	    "f:9:36: auth.oauth.audience_claims[3]: " CLAIM_EXPECTED
	    "\"a.b.c.d.e.f.g.h.i\"\n");
	parse_bad(OAUTH "  scope_claims: [a, b, c, d, e, f, g, h, i]\n",
	    "f:9:17: auth.oauth.scope_claims: expected at most 8 entries, "
	    "got 9\n");
	parse_bad(OAUTH "  require_typ: [at+jwt, logout+jwt]\n", "f:9:25: "
	    "auth.oauth.require_typ[1]: expected at+jwt or JWT, got "
	    "\"logout+jwt\"\n");
	parse_bad(UP "timeouts: {stream_total: 1}\n", "f:2:26: "
	    "timeouts.stream_total: expected a duration with its unit (ms, s, "
	    "m or h), such as 30s, or off, got \"1\"\n");
}

static void
check_resource(const char *url, const char *expected)
{
	char	*s = resource_of(url, "up");

	assert_non_null(s);
	assert_string_equal(s, expected);
	free(s);
}

static void
test_resource(void **state)
{
	(void)state;
	check_resource("https://g/mcp", "https://g/mcp/up");
	check_resource("https://g/mcp/", "https://g/mcp/up");
	check_resource("https://g", "https://g/up");
	check_resource("https://g/mcp?a=/b", "https://g/mcp/up?a=/b");
	assert_true(resource_is("https://g/mcp", slice_of("https://g/mcp")));
	assert_false(resource_is("https://g/mcp", slice_of("https://g/mcp/")));
	assert_false(resource_is("https://g/mcp/", slice_of("https://g/mcp")));
	assert_false(resource_is("https://g/mcp", slice_of("https://g/mc")));
	assert_false(resource_is("https://g/mcp", slice_of("")));
	assert_true(resource_is("https://g", slice_of("https://g/")));
	assert_true(resource_is("https://g/", slice_of("https://g")));
	assert_false(resource_is("https://g/", slice_of("https://h")));
	assert_false(resource_is("https://g", slice_of("https://h/")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_audience_must_be_known),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_resource),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
