/*
 * worker/upstream/up_addr.h: a fetcher that was taken over moves no upstream whose
 * host is an address, and takes localhost nowhere else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "worker/upstream/up_addr.h"

static void
test_fit(void **state)
{
	static const char *const all[] = { "192.0.2.66", "127.0.0.1",
	    "127.8.0.1", "::1", "2001:db8::1", "::ffff:127.0.0.1", "0.0.0.0",
	    "::", "224.0.0.1", "255.255.255.255", "ff02::1", "10.0.0.5" };
	static const struct {
		const char	*host;
		const char	*fit;	/* a character each of all */
	} cases[] = {
		{ "127.0.0.1", ".x.........." },
		{ "10.0.0.5", "...........x" },
		{ "192.0.2.1", "............" },
		{ "2001:db8:0::1", "....x......." },
		{ "::1", "...x........" },
		{ "localhost", ".xxx........" },
		{ "LocalHost.", ".xxx........" },
		{ "mcp.localhost", ".xxx........" },
		{ "notlocalhost", "xxxxxx.....x" },
		{ "localhost.example", "xxxxxx.....x" },
		{ "mcp.example", "xxxxxx.....x" },
	};
	struct proto_addr	 in[12], out[12];
	size_t			 i, j, n, k;

	(void)state;
	for (j = 0; j < 12; j++)
		assert_true(up_addr_literal(all[j], &in[j]));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		n = up_addr_fit(cases[i].host, in, 12, out);
		for (j = 0, k = 0; j < 12; j++)
			if (cases[i].fit[j] == 'x') {
				assert_true(k < n);
				assert_memory_equal(&out[k++], &in[j],
				    sizeof(in[j]));
			}
		assert_int_equal(k, n);
	}
}

static void
test_literal(void **state)
{
	struct proto_addr	 a;

	(void)state;
	assert_true(up_addr_literal("127.0.0.1", &a) && a.family == AF_INET);
	assert_true(up_addr_literal("::1", &a) && a.family == AF_INET6);
	assert_false(up_addr_literal("localhost", &a));
	assert_false(up_addr_literal("127.1", &a));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_literal)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
