/*
 * worker/record/flood.c: what strangers cause is in the log to the last refusal, in
 * few lines.  The log is a real one; the clock is the test's.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <arpa/inet.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/json.h"
#include "common/shm.h"
#include "worker/base/clock.h"
#include "worker/base/share.h"
#include "worker/base/timeq.h"
#include "worker/record/audit.h"
#include "worker/record/flood.h"

#define LIMIT	5
#define SUMMARY	"{\"ts\":\"1970-01-01T00:00:00.000Z\",\"session_id\":null," \
		"\"method\":null,\"action\":\"deny\",\"auth_result\":null," \
		"\"oauth_client_id\":null,\"scopes\":null,\"latency_ms\":0"

static const struct worker_conf	 conf = { .max_connections = 4 };
static struct event_base	*base;
static struct shm		 shm;
static uint64_t			 now = 1;
static int			 out = -1;

uint64_t
clock_mono(void)
{
	return (now);
}

int64_t
clock_wall(void)
{
	return (0);
}

static void
on_failed(int error)
{
	(void)error;
}

static int
set_up_all(void **state)
{
	(void)state;
	share_setup(&conf);
	base = event_base_new();
	timeq_setup(base);
	flood_setup(LIMIT);
	audit_setup(-1, &shm, on_failed);
	return (0);
}

/* A log of each test's own, and none of what was before. */
static int
set_up(void **state)
{
	(void)state;
	out = memfd_create("audit", MFD_CLOEXEC);
	audit_set_fd(dup(out));
	return (out == -1);
}

static int
tear_down(void **state)
{
	(void)state;
	return (close(out));
}

/* Enough that what runs is over, so that nothing waits for a real clock. */
static void
pass_time(uint64_t ms)
{
	now += ms;
	timeq_arm();
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static struct proto_addr
addr(const char *s)
{
	struct proto_addr	 a = { AF_INET, { 0 } };

	if (strchr(s, ':') != NULL)
		a.family = AF_INET6;
	assert_int_equal(inet_pton(a.family, s, a.addr), 1);
	return (a);
}

static struct proto_addr
nth(unsigned i)
{
	struct proto_addr	 a = { AF_INET, { 10, 0, (uint8_t)(i >> 8),
				    (uint8_t)i } };

	return (a);
}

/* How many of n refusals have their own lines. */
static unsigned
refuse(struct proto_addr a, unsigned n)
{
	unsigned	 lines = 0;

	while (n-- > 0)
		lines += (unsigned)flood_pass(&a);
	return (lines);
}

/* What the log says was suppressed, and in how many lines; each is JSON. */
static uint64_t
told(unsigned *lines)
{
	static char	 text[1024 * 1024];
	char		*line, *end;
	const char	*p;
	uint64_t	 n = 0;
	ssize_t		 len;

	*lines = 0;
	assert_int_equal(audit_flush(), 0);
	len = pread(out, text, sizeof(text) - 1, 0);
	assert_true(len >= 0);
	text[len] = '\0';
	for (line = text; *line != '\0'; line = end + 1) {
		assert_non_null(end = strchr(line, '\n'));
		*end = '\0';
		assert_int_equal(json_check(line, (size_t)(end - line)),
		    JSON_OK);
		if ((p = strstr(line, ",\"suppressed\":")) == NULL)
			continue;
		n += strtoull(p + strlen(",\"suppressed\":"), NULL, 10);
		++*lines;
	}
	return (n);
}

static void
test_one_source(void **state)
{
	struct proto_addr	 a = addr("192.0.2.1"), b = addr("192.0.2.2");
	char			 text[1024] = "";
	unsigned		 lines;

	(void)state;
	assert_int_equal(refuse(a, LIMIT + 100), LIMIT);
	/* another's are not its */
	assert_int_equal(refuse(b, LIMIT), LIMIT);
	now += 999;
	assert_int_equal(refuse(a, 1), 0);
	assert_int_equal(told(&lines), 0);
	/* nobody comes any more, and it is told all the same */
	pass_time(1);
	assert_int_equal(told(&lines), 101);
	assert_int_equal(lines, 1);
	assert_true(pread(out, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, SUMMARY ",\"client_ip\":\"192.0.2.1\","
	    "\"suppressed\":101,\"error\":\"101 more refusals like this\"}\n");
	/* a new second */
	assert_int_equal(refuse(a, LIMIT + 1), LIMIT);
	pass_time(1000);
	assert_int_equal(told(&lines), 102);
	pass_time(5000);
	assert_int_equal(told(&lines), 102);
	assert_int_equal(lines, 2);
}

static void
test_networks(void **state)
{
	char		 text[1024] = "";
	unsigned	 lines;

	(void)state;
	assert_int_equal(refuse(addr("2001:db8::1"), LIMIT), LIMIT);
	assert_int_equal(refuse(addr("2001:db8::2:3"), 1), 0);
	assert_int_equal(refuse(addr("2001:db8:0:1::1"), 1), 1);
	pass_time(1000);
	assert_int_equal(told(&lines), 1);
	assert_true(pread(out, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "\"client_ip\":\"2001:db8::/64\","));
}

/* Many addresses: few lines, and every refusal counted. */
static void
test_many_sources(void **state)
{
	const unsigned	 n = 3 * FLOOD_SOURCES, each = LIMIT + 2;
	unsigned	 i, round, own, lines;

	(void)state;
	for (round = 1; round <= 2; round++) {
		for (i = own = 0; i < n; i++)
			own += refuse(nth(i), each);
		assert_int_equal(own, (FLOOD_SOURCES + 1) * LIMIT);
		pass_time(1000);
		assert_int_equal(told(&lines), round * (n * each - own));
		assert_int_equal(lines, round * (FLOOD_SOURCES + 1));
	}
}

static void
test_the_end(void **state)
{
	unsigned	 lines;

	(void)state;
	refuse(nth(1), LIMIT + 3);
	refuse(nth(2), LIMIT + 4);
	refuse(nth(3), LIMIT);
	flood_end();
	assert_int_equal(told(&lines), 7);
	assert_int_equal(lines, 2);
	flood_end();
	pass_time(2000);
	assert_int_equal(told(&lines), 7);
}

/* While no line can be kept, the count is. */
static void
test_broken_log(void **state)
{
	struct audit_entry	 e;
	unsigned		 lines;

	(void)state;
	memset(&e, 0, sizeof(e));
	shm.audit_broken = 1;
	while (audit_add(&e) == 0)
		continue;
	refuse(nth(1), LIMIT + 10);
	pass_time(1000);
	assert_int_equal(refuse(nth(1), 20), 0);
	pass_time(1000);
	shm.audit_broken = 0;
	audit_go();
	assert_int_equal(ftruncate(out, 0), 0);
	pass_time(1000);
	assert_int_equal(lseek(out, 0, SEEK_SET), 0);
	assert_int_equal(told(&lines), 30);
	assert_int_equal(lines, 1);
	assert_int_equal(refuse(nth(1), 1), 1);
}

static void
test_off(void **state)
{
	unsigned	 lines;

	(void)state;
	flood_end();
	flood_setup(0);
	assert_int_equal(refuse(nth(1), 1000), 1000);
	flood_end();
	assert_int_equal(told(&lines), 0);
}

static void
test_strangers_values_are_short(void **state)
{
	struct audit_entry	 e;
	char			 big[1000], text[2048] = "", *p;
	int			 i;

	(void)state;
	memset(&e, 0, sizeof(e));
	memset(big, 'x', sizeof(big));
	e.brief = 1;
	e.session_id = e.method = e.client_id = e.scopes = e.tool =
	    (struct slice){ big, sizeof(big) };
	assert_int_equal(audit_add(&e), 0);
	assert_int_equal(audit_flush(), 0);
	assert_true(pread(out, text, sizeof(text) - 1, 0) > 0);
	for (i = 0, p = text; (p = strstr(p, "\"x")) != NULL; i++) {
		assert_int_equal(strspn(p + 1, "x"), AUDIT_BRIEF_MAX);
		p += 1 + AUDIT_BRIEF_MAX;
	}
	assert_int_equal(i, 5);
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_one_source),
		TEST(test_networks),
		TEST(test_many_sources),
		TEST(test_the_end),
		TEST(test_broken_log),
		TEST(test_strangers_values_are_short),
		TEST(test_off),
	};

	return (cmocka_run_group_tests(tests, set_up_all, NULL));
}
