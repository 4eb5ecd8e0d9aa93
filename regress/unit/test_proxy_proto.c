/*
 * worker/client/proxy_proto.c: headers of both versions, cut at every byte.
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

#include "worker/client/proxy_proto.h"

#define SIG	"\r\n\r\n\0\r\nQUIT\n"
#define V4	"\xc0\0\2\7" "\x0a\0\0\1" "\x0f\xa0\x01\xbb"
#define V6	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
#define MAPPED	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7"
#define ONE	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define PORTS	"\x0f\xa0\x01\xbb"
#define TEXT(s)	s, sizeof(s) - 1

static ssize_t
feed(const char *p, size_t len, struct proto_addr *a)
{
	const char	*why = NULL;
	uint8_t		*copy = malloc(len + 1);
	ssize_t		 n;

	assert_non_null(copy);
	memcpy(copy + 1, p, len);
	n = proxy_proto_read(copy + 1, len, a, &why);
	assert_non_null(why);
	free(copy);
	return (n);
}

/* ip NULL: the peer is the client. */
static void
good(const char *p, size_t len, const char *ip)
{
	struct proto_addr	 a;
	char			 text[INET6_ADDRSTRLEN], more[600];
	size_t			 i;

	for (i = 0; i < len; i++)
		assert_int_equal(feed(p, i, &a), 0);
	memcpy(more, p, len);
	memcpy(more + len, "GET ", 4);
	for (i = 0; i <= 4; i++)
		assert_int_equal(feed(more, len + i, &a), len);
	if (ip == NULL) {
		assert_int_equal(a.family, AF_UNSPEC);
		return;
	}
	assert_non_null(inet_ntop(a.family, a.addr, text, sizeof(text)));
	assert_string_equal(text, ip);
}

static void
test_good(void **state)
{
	(void)state;
	good(TEXT("PROXY TCP4 192.0.2.7 10.0.0.1 4000 443\r\n"),
	    "192.0.2.7");
	good(TEXT("PROXY TCP4 192.0.2.7 10.0.0.1 0 65535\r\n"),
	    "192.0.2.7");
	good(TEXT("PROXY TCP6 2001:db8::7 ::1 4000 443\r\n"), "2001:db8::7");
	good(TEXT("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 1\r\n"), "192.0.2.7");
	good(TEXT("PROXY UNKNOWN\r\n"), NULL);
	good(TEXT("PROXY UNKNOWN what ever\r\n"), NULL);
	good(TEXT(SIG "\x21\x11\0\x0c" V4), "192.0.2.7");
	good(TEXT(SIG "\x21\x11\0\x13" V4 "\4\0\4abcd"), "192.0.2.7");
	good(TEXT(SIG "\x21\x21\0\x24" V6 ONE PORTS), "2001:db8::7");
	good(TEXT(SIG "\x21\x21\0\x24" MAPPED ONE PORTS), "192.0.2.7");
	good(TEXT(SIG "\x20\0\0\0"), NULL);
	/* LOCAL: whatever it says */
	good(TEXT(SIG "\x20\x11\0\x0c" V4), NULL);
	good(TEXT(SIG "\x20\xff\0\1x"), NULL);
	good(TEXT(SIG "\x21\0\0\3abc"), NULL);
}

static void
test_unix(void **state)
{
	char	 p[16 + 216] = SIG "\x21\x31\0\xd8/run/x";

	(void)state;
	good(p, sizeof(p), NULL);
	p[15] = (char)0xd7;
	assert_int_equal(feed(p, sizeof(p), &(struct proto_addr){ 0 }), -1);
}

/* Refused, and as soon as that is clear. */
static void
test_bad(void **state)
{
	static const struct {
		const char	*p;
		size_t		 len;
	} bad[] = {
		{ TEXT("G") }, { TEXT("PROXi") }, { TEXT("proxy TCP4") },
		{ TEXT("PROXY TCP4 192.0.2.7 10.0.0.1 4000 443\n\r") },
		{ TEXT("PROXY TCP4 192.0.2.7 10.0.0.1 4000 443\rx") },
		{ TEXT("PROXY TCP4 192.0.2.7 10.0.0.1 4000\r\n") },
		{ TEXT("PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n") },
		{ TEXT("PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n") },
		{ TEXT("PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n") },
		{ TEXT("PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n") },
		{ TEXT("PROXY TCP4 192.0.2.7 10.0.0.1 -1 2\r\n") },
		{ TEXT("PROXY TCP4 192.0.2.007 10.0.0.1 1 2\r\n") },
		{ TEXT("PROXY TCP4 192.0.2.7\0 10.0.0.1 1 2\r\n") },
		{ TEXT("PROXY TCP4 2001:db8::7 ::1 1 2\r\n") },
		{ TEXT("PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n") },
		{ TEXT("PROXY TCP5 192.0.2.7 10.0.0.1 1 2\r\n") },
		{ TEXT("PROXY \r\n") }, { TEXT("\r\n\r\nx") },
		{ TEXT(SIG "\x11\x11\0\x0c") }, { TEXT(SIG "\x22\0\0\0") },
		{ TEXT(SIG "\x21\x12\0\x0c") }, { TEXT(SIG "\x21\x10\0\0") },
		{ TEXT(SIG "\x21\x41\0\x0c") }, { TEXT(SIG "\x21\x11\0\x0b") },
		{ TEXT(SIG "\x21\x21\0\x23") },
		{ TEXT(SIG "\x21\x11\xff\xff") },
		{ TEXT(SIG "\x20\0\x0f\xf1") }
	};
	struct proto_addr	 a;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(feed(bad[i].p, bad[i].len, &a), -1);
}

static void
test_longest_line(void **state)
{
	char			 p[108];
	struct proto_addr	 a;

	(void)state;
	memset(p, 'x', sizeof(p));
	memcpy(p, "PROXY UNKNOWN ", 14);
	memcpy(p + 105, "\r\n", 2);
	good(p, 107, NULL);
	p[105] = 'x';
	memcpy(p + 106, "\r\n", 2);
	assert_int_equal(feed(p, 106, &a), 0);
	assert_int_equal(feed(p, 107, &a), -1);
	assert_int_equal(feed(p, 108, &a), -1);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_longest_line)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
