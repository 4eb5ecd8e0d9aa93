/*
 * Where a Location leads: to a path of the same server, or nowhere.  The
 * resolutions are RFC 3986's own examples (section 5.4), as far as they stay
 * there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/request/redirect.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

static char	 name[] = "mcp.test", authority[] = "mcp.test:8080",
		 six[] = "::1", six_authority[] = "[::1]", path[] = "/mcp",
		 query[] = "key=1";
static struct conf_server	 plain = { name, authority, path, 8080, 0,
				    NULL, 0 },
				 secure = { name, name, path, 443, 1, NULL, 0 },
				 v6 = { six, six_authority, path, 80, 0,
				    NULL, 0 },
				 keyed = { name, authority, path, 8080, 0,
				    query, 0 };

struct lead {
	const char	*location;
	const char	*want;		/* NULL: nowhere */
};

static void
run(const struct conf_server *s, const char *target, const struct lead *t,
    size_t n)
{
	struct buf	 b;
	size_t		 i;
	int		 rc;

	for (i = 0; i < n; i++) {
		memset(&b, 0, sizeof(b));
		rc = redirect_resolve(s, slice_of(target),
		    slice_of(t[i].location), &b);
		if (rc != (t[i].want == NULL ? -1 : 0))
			fail_msg("%d for %s", rc, t[i].location);
		if (rc == 0 && !slice_is((struct slice){ buf_data(&b),
		    b.len }, t[i].want))
			fail_msg("%.*s for %s", (int)b.len, buf_data(&b),
			    t[i].location);
		buf_free(&b);
	}
}

static void
test_references(void **state)
{
	static const struct lead t[] = {
		{ "g", "/b/c/g" }, { "./g", "/b/c/g" }, { "g/", "/b/c/g/" },
		{ "/g", "/g" }, { "?y", "/b/c/d;p?y" },
		{ "g?y", "/b/c/g?y" }, { "g#s", "/b/c/g" },
		{ "g?y#s", "/b/c/g?y" }, { ";x", "/b/c/;x" },
		{ "g;x=1/./y", "/b/c/g;x=1/y" },
		{ "g;x=1/../y", "/b/c/y" }, { ".", "/b/c/" },
		{ "./", "/b/c/" }, { "..", "/b/" }, { "../", "/b/" },
		{ "../g", "/b/g" }, { "../..", "/" }, { "../../", "/" },
		{ "../../g", "/g" }, { "../../../g", "/g" },
		{ "../../../../g", "/g" }, { "/./g", "/g" },
		{ "/../g", "/g" }, { "g.", "/b/c/g." }, { ".g", "/b/c/.g" },
		{ "..g", "/b/c/..g" }, { "./../g", "/b/g" },
		{ "./g/.", "/b/c/g/" }, { "g/./h", "/b/c/g/h" },
		{ "g/../h", "/b/c/h" }, { "g?y/../x", "/b/c/g?y/../x" },
		{ "/", "/" }, { "/a//b", "/a//b" }, { "/a:b", "/a:b" },
		{ "./a:b", "/b/c/a:b" },
		/* nowhere */
		{ "", NULL }, { "#s", NULL }, { "a:b", NULL },
		{ "/a b", NULL }, { "/a\\b", NULL }, { "/a\x7f", NULL },
		{ "/a\r\nX: y", NULL }, { "/\xc3\xa4", NULL },
		{ "/.//x", NULL }, { "/..//mcp.test/", NULL }
	};

	(void)state;
	run(&plain, "/b/c/d;p?q", t, N(t));
}

static void
test_servers(void **state)
{
	static const struct lead to_plain[] = {
		{ "http://mcp.test:8080/x?y", "/x?y" },
		{ "HTTP://MCP.test:08080/", "/" },
		{ "//mcp.test:8080/x", "/x" },
		{ "http://mcp.test:8080", "/" },
		{ "http://mcp.test/", NULL }, { "http://mcp.test:80/", NULL },
		{ "https://mcp.test:8080/", NULL },
		{ "http://evil.test:8080/", NULL },
		{ "http://mcp.test:8080@evil/", NULL },
		{ "http://u@mcp.test:8080/", NULL },
		{ "http://mcp.test.evil:8080/", NULL },
		{ "http://mcp.test:8080.evil/", NULL },
		{ "http://mcp.test:808080/", NULL },
		{ "http://mcp.test:4294975376/", NULL },
		{ "http://xmcp.test:8080/", NULL },
		{ "http://mcp.test:8080?x", NULL },
		{ "//evil/", NULL }, { "///x", NULL }, { "http:/x", NULL },
		{ "http:x", NULL }, { "http:", NULL }, { "ftp://mcp.test/",
		    NULL }, { "javascript:x", NULL }
	};
	static const struct lead to_secure[] = {
		{ "https://mcp.test/x", "/x" }, { "//mcp.test:443/", "/" },
		{ "https://mcp.test:/x", "/x" },
		{ "http://mcp.test/x", NULL }, { "http://mcp.test:443/x",
		    NULL }, { "https://mcp.test:8443/x", NULL }
	};
	static const struct lead to_v6[] = {
		{ "http://[::1]/x", "/x" }, { "http://[::1]:80/x", "/x" },
		{ "http://[::1]x/x", NULL }, { "http://[::1/x", NULL },
		{ "http://::1/x", NULL }, { "http://[::2]/x", NULL },
		{ "http://[::1]:81/x", NULL }, { "http:///x", NULL }
	};
	static const struct lead to_keyed[] = {
		{ "/mcp/", "/mcp/?key=1" }, { "/mcp/?key=2", "/mcp/?key=2" },
		{ "mcp/#f", "/mcp/?key=1" }
	};

	(void)state;
	run(&plain, "/mcp", to_plain, N(to_plain));
	run(&secure, "/mcp", to_secure, N(to_secure));
	run(&v6, "/mcp", to_v6, N(to_v6));
	run(&keyed, "/mcp?key=1", to_keyed, N(to_keyed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_servers)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
