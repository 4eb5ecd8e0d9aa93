/*
 * worker/base/share.c: which addresses are one, and who has too much.
 */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/base/share.h"

static const struct worker_conf	 conf = { .max_connections = 4 };

static int
setup(void **state)
{
	(void)state;
	share_setup(&conf);
	return (0);
}

static struct share *
of(const char *s)
{
	struct proto_addr	 a = { AF_INET, { 0 } };
	struct share		*sh;

	if (strchr(s, ':') != NULL)
		a.family = AF_INET6;
	assert_int_equal(inet_pton(a.family, s, a.addr), 1);
	assert_non_null(sh = share_get(&a));
	assert_true(share_is(sh, &a));
	return (sh);
}

static void
test_networks(void **state)
{
	struct share	*four = of("192.0.2.1"), *six = of("2001:db8::1");

	(void)state;
	assert_ptr_equal(of("192.0.2.1"), four);
	assert_ptr_not_equal(of("192.0.2.2"), four);
	assert_ptr_equal(of("2001:db8::ffff:1:2:3"), six);
	assert_ptr_not_equal(of("2001:db8:0:1::1"), six);
	/* the same bytes */
	assert_ptr_not_equal(of("c000:201::"), four);
	assert_int_equal(four->refs, 2);
	share_put(four);
	share_put(four);
	share_put(six);
	share_put(six);
	share_put(NULL);
	assert_int_equal(of("192.0.2.1")->refs, 1);
}

static void
test_hog(void **state)
{
	struct share	*a = of("192.0.2.8"), *b = of("192.0.2.9");

	(void)state;
	share_conn(a, 1);
	share_conn(a, 1);
	share_conn(b, 1);
	assert_null(share_hog());
	share_conn(a, 1);
	assert_ptr_equal(share_hog(), a);
	share_conn(b, -1);
	assert_ptr_equal(share_hog(), a);
	share_conn(a, -1);
	assert_null(share_hog());
	share_conn(a, -1);
	share_conn(a, -1);
	share_put(a);
	share_put(b);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_hog)
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
