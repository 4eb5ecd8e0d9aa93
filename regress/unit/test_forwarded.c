/*
 * worker/wire/forwarded.c: who the client is by what proxies say, hop by hop.
 */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/wire/forwarded.h"

static struct conf_net	 nets[] = {
	{ AF_INET, { 10 }, 8 }, { AF_INET6, { 0xfd }, 8 }
};
static struct worker_conf	 conf = { .proxies = nets, .nproxies = 2 };

static int
setup(void **state)
{
	(void)state;
	forwarded_setup(&conf);
	return (0);
}

static struct proto_addr
address(const char *s)
{
	struct proto_addr	 a = { AF_INET, { 0 } };

	if (strchr(s, ':') != NULL)
		a.family = AF_INET6;
	assert_int_equal(inet_pton(a.family, s, a.addr), 1);
	return (a);
}

static void
is(const struct proto_addr *a, const char *want)
{
	char	 text[INET6_ADDRSTRLEN];

	assert_non_null(inet_ntop(a->family, a->addr, text, sizeof(text)));
	assert_string_equal(text, want);
}

static void
list(const char *peer, const char *value, const char *client)
{
	struct proto_addr	 a = address(peer);

	forwarded_for(slice_of(value), &a);
	is(&a, client);
}

static void
elements(const char *peer, const char *value, const char *client,
    const char *kept)
{
	struct proto_addr	 a = address(peer);
	struct slice		 s;
	char			*copy;

	/* sanitizers see beyond its end */
	assert_non_null(copy = malloc(strlen(value) + 1));
	memcpy(copy + 1, value, strlen(value));
	s = forwarded_elements((struct slice){ copy + 1, strlen(value) }, &a);
	is(&a, client);
	assert_int_equal(s.len, strlen(kept));
	if (s.len > 0)
		assert_memory_equal(s.p, kept, s.len);
	free(copy);
}

static void
test_x_forwarded_for(void **state)
{
	(void)state;
	list("192.0.2.1", "198.51.100.1", "192.0.2.1");
	list("10.0.0.1", "198.51.100.1", "198.51.100.1");
	list("10.0.0.1", "6.6.6.6, 198.51.100.1 ,10.0.0.2,\tfd00::1",
	    "198.51.100.1");
	list("fd00::9", "2001:db8::1, 10.0.0.2", "2001:db8::1");
	list("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3");
	list("10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2");
	list("10.0.0.1", "", "10.0.0.1");
	list("10.0.0.1", "198.51.100.1,", "10.0.0.1");
	list("10.0.0.1", "198.51.100.1:4000", "198.51.100.1");
	list("10.0.0.1", "[2001:db8::1]:4000", "2001:db8::1");
	list("10.0.0.1", "6.6.6.6, 198.51.100.1, ::ffff:10.0.0.2",
	    "198.51.100.1");
	list("10.0.0.1", "[2001:db8::1", "10.0.0.1");
	list("10.0.0.1", "[2001:db8::1]x", "10.0.0.1");
}

/* A list made to be long costs no more than one that is. */
static void
test_hops(void **state)
{
	char	 value[FORWARDED_HOPS * 20] = "198.51.100.1";
	int	 i;

	(void)state;
	for (i = 1; i < FORWARDED_HOPS; i++)
		strcat(value, ",10.0.0.1");
	list("10.0.0.1", value, "198.51.100.1");
	strcat(value, ",10.0.0.1");
	list("10.0.0.1", value, "10.0.0.1");
	strcpy(value, "for=198.51.100.1");
	for (i = 1; i < FORWARDED_HOPS; i++)
		strcat(value, ",for=10.0.0.1");
	elements("10.0.0.1", value, "198.51.100.1", value);
	strcat(value, ",for=10.0.0.1");
	elements("10.0.0.1", value, "10.0.0.1", value + 17);
}

static void
test_forwarded(void **state)
{
	(void)state;
	elements("192.0.2.1", "for=198.51.100.1", "192.0.2.1", "");
	elements("10.0.0.1", "for=198.51.100.1;proto=https",
	    "198.51.100.1", "for=198.51.100.1;proto=https");
	elements("10.0.0.1", "for=6.6.6.6, For=198.51.100.1 , "
	    "by=x;for=\"[fd00::2]:47\"", "198.51.100.1",
	    "For=198.51.100.1 , by=x;for=\"[fd00::2]:47\"");
	/* a comma that separates nothing */
	elements("10.0.0.1", "for=6.6.6.6, host=\"a,for=7.7.7.7\\\",\";"
	    "for=198.51.100.1", "198.51.100.1",
	    "host=\"a,for=7.7.7.7\\\",\";for=198.51.100.1");
	elements("10.0.0.1", "for=6.6.6.6, for=_hidden;proto=https",
	    "10.0.0.1", "for=_hidden;proto=https");
	elements("10.0.0.1", "for=6.6.6.6, proto=https", "10.0.0.1",
	    "proto=https");
	elements("10.0.0.1", "for=6.6.6.6, host=\"x", "10.0.0.1", "");
	elements("10.0.0.1", "for=6.6.6.6, host=\"x\\", "10.0.0.1", "");
	elements("10.0.0.1", "for=\"6.6.6.6", "10.0.0.1", "");
	elements("10.0.0.1", "", "10.0.0.1", "");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_x_forwarded_for),
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_forwarded)
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
