/*
 * common/stats.c: what is counted is found again, in as many rows as there
 * are; and no slot, whatever is in it, harms who adds it up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/mcp_methods.h"
#include "common/refusal_id.h"
#include "common/stats.h"

static struct stats_slot	 ours, total;

static int
fresh(void **state)
{
	(void)state;
	memset(&ours, 0, sizeof(ours));
	memset(&total, 0, sizeof(total));
	stats = &total;
	stats_attach(&ours);
	return (0);
}

static uint64_t
requests_in(const struct stats_slot *s)
{
	uint64_t	 n = 0;
	size_t		 i;

	for (i = 0; i < STATS_REQUESTS; i++)
		n += stats_get(&s->requests[i].n);
	return (n);
}

static uint64_t
count_of(const struct stats_slot *s, const struct stats_key *want)
{
	struct stats_key	 k;
	size_t			 i;

	for (i = 0; i < STATS_REQUESTS; i++)
		if (stats_key_get(stats_get(&s->requests[i].key), &k) == 0 &&
		    memcmp(&k, want, sizeof(k)) == 0)
			return (stats_get(&s->requests[i].n));
	return (0);
}

/* Every key is its own row, until there are no more: then nothing is lost. */
static void
test_requests(void **state)
{
	struct stats_key	 k = { 0, 4, 0, 2, 5 };
	const struct stats_key	 first = k;
	unsigned		 i, n = 2 * STATS_REQUESTS;

	(void)state;
	for (i = 0; i < n; i++) {
		k.upstream = (uint16_t)i;
		stats_count_request(&k);
		stats_count_request(&first);
	}
	assert_int_equal(requests_in(&ours), 2 * n);
	assert_int_equal(count_of(&ours, &first), n + 1);
	k.upstream = 7;
	assert_int_equal(count_of(&ours, &k), 1);
	assert_int_equal(stats_get(&ours.requests[STATS_REQUESTS - 1].n),
	    n - (STATS_REQUESTS - 1));
	stats_merge(&total, &ours);
	stats_merge(&total, &ours);
	assert_int_equal(requests_in(&total), 4 * n);
	assert_int_equal(count_of(&total, &first), 2 * (n + 1));
}

static void
test_operations(void **state)
{
	struct stats_op	*op;
	unsigned	 up, method, error, i;
	uint64_t	 n = 0;

	(void)state;
	op = stats_op(ours.server, 3, 4, stats_error_rpc(-32602));
	assert_int_equal(stats_op_get(stats_get(&op->key), &up, &method,
	    &error), 0);
	assert_int_equal(up, 3);
	assert_int_equal(method, 4);
	assert_int_equal(error, stats_error_rpc(-32602));
	assert_ptr_equal(op, stats_op(ours.server, 3, 4, error));
	assert_int_equal(stats_op_get(0, &up, &method, &error), -1);
	for (i = 0; i < 2 * STATS_OPS; i++) {
		op = stats_op(ours.server, i, 4, 0);
		stats_bump(&op->bytes_in, 2);
		stats_time_ms(&op->time, 1000);
	}
	assert_ptr_equal(op, &ours.server[STATS_OPS - 1]);
	stats_merge(&total, &ours);
	for (i = 0; i < STATS_OPS; i++)
		n += stats_get(&total.server[i].bytes_in);
	assert_int_equal(n, 4 * STATS_OPS);
}

/* An upstream that makes up codes has few rows for them, and leaves those of
 * others alone. */
static void
test_codes(void **state)
{
	unsigned	 up, method, error, rows = 0;
	uint64_t	 n = 0;
	int		 i;

	(void)state;
	for (i = 1; i <= 3 * STATS_OPS; i++) {
		stats_bump(&stats_op(ours.client, 7, 4,
		    stats_error_rpc(-i))->errors, 1);
		stats_bump(&stats_op(ours.client, 7, 4,
		    stats_error_http(100 + i % 500))->errors, 1);
	}
	for (i = 0; i < STATS_OPS; i++) {
		if (stats_op_get(stats_get(&ours.client[i].key), &up, &method,
		    &error) == -1)
			continue;
		assert_int_equal(up, 7);
		assert_int_equal(method, 4);
		n += stats_get(&ours.client[i].errors);
		rows++;
	}
	assert_int_equal(n, 6 * STATS_OPS);
	assert_in_range(rows, 32, 64);
	/* what had a row keeps it, and others get theirs */
	assert_int_equal(stats_get(&stats_op(ours.client, 7, 4,
	    stats_error_rpc(-1))->errors), 1);
	assert_int_equal(stats_op_get(stats_get(&stats_op(ours.client, 8, 4,
	    stats_error_rpc(-1))->key), &up, &method, &error), 0);
	assert_int_equal(up, 8);
	assert_int_equal(error, stats_error_rpc(-1));
}

/* A time that is a bound is in that bound's bucket (le). */
static void
test_times(void **state)
{
	struct stats_hist	 h = { 0 };

	(void)state;
	stats_time_ms(&h, 0);
	stats_time_ms(&h, 10000);
	stats_time_ms(&h, 10001);
	stats_time_ms(&h, 300000001);
	assert_int_equal(stats_get(&h.bucket[0]), 2);
	assert_int_equal(stats_get(&h.bucket[1]), 1);
	assert_int_equal(stats_get(&h.bucket[STATS_BUCKETS - 1]), 1);
	assert_int_equal(stats_get(&h.n), 4);
	assert_int_equal(stats_get(&h.sum_us), 300020002);
	stats_time_us(&h, 11);
	assert_int_equal(stats_get(&h.bucket[1]), 2);
}

static struct stats_name *
name(const char *s, int add)
{
	return (stats_name(ours.tools, 1, s, strlen(s), add));
}

/* Strangers add nothing; what is cut stays a text; a NUL makes no second row of
 * what looks the same. */
static void
test_names(void **state)
{
	struct stats_name	*other = &ours.tools[STATS_NAMES - 1], *n;
	char			 text[80];
	unsigned		 i;

	(void)state;
	assert_ptr_equal(name("shell", 0), other);
	assert_int_equal(other->upstream, STATS_OTHER);
	n = name("shell", 1);
	assert_ptr_not_equal(n, other);
	assert_ptr_equal(name("shell", 0), n);
	assert_ptr_not_equal(stats_name(ours.tools, 2, "shell", 5, 1), n);
	assert_ptr_equal(stats_name(ours.tools, 1, "shell\0x", 7, 1), n);
	assert_ptr_equal(stats_name(ours.tools, 1, "\0x", 2, 1), other);
	/* 62 bytes and a character of two */
	memset(text, 'a', 62);
	(void)strlcpy(text + 62, "\xc3\xa9zzz", 8);
	n = name(text, 1);
	assert_int_equal(strlen(n->name), 62);
	text[62] = '\0';
	assert_ptr_equal(name(text, 0), n);
	for (i = 0; i < 2 * STATS_NAMES; i++) {
		(void)snprintf(text, sizeof(text), "tool-%u", i);
		stats_bump(&name(text, 1)->errors, 1);
	}
	assert_ptr_equal(name("one more", 1), other);
	stats_merge(&total, &ours);
	stats_merge(&total, &ours);
	assert_int_equal(stats_get(&total.tools[STATS_NAMES - 1].errors),
	    2 * stats_get(&other->errors));
	stats = &total;
	assert_int_equal(stats_get(&stats_name(total.tools, 1, "tool-0", 6,
	    0)->errors), 2);
}

/* What was counted before there was a slot is not lost. */
static void
test_attach(void **state)
{
	(void)state;
	stats_inc(STATS_RESPAWNS);
	stats_bump(&ours.servers[9].requests, 3);
	stats_bump(&ours.servers[9].in_flight, 1);
	stats_gauge_inc(STATS_G_STREAMS);
	stats_attach(&total);
	assert_ptr_equal(stats, &total);
	stats_add(STATS_RESPAWNS, 2);
	assert_int_equal(stats_get(&total.n[STATS_RESPAWNS]), 3);
	assert_int_equal(stats_get(&total.servers[9].requests), 3);
	/* what is only now ends with its process */
	assert_int_equal(stats_get(&total.servers[9].in_flight), 0);
	assert_int_equal(stats_get(&total.g[STATS_G_STREAMS]), 0);
}

static void
test_errors(void **state)
{
	static const struct {
		unsigned	 error;
		const char	*text;
	} rows[] = {
		{ 0, "" }, { STATS_ERROR_TOOL, "tool_error" },
		{ STATS_ERROR_OTHER, "_OTHER" },
		{ STATS_ERROR_CANCELLED, "cancelled" },
		{ STATS_ERROR_CROWDED, "crowded" }, { 8, "_OTHER" },
		{ 0x3fff, "_OTHER" }
	};
	char	 buf[16];
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(stats_error_text(rows[i].error, buf),
		    rows[i].text);
	assert_string_equal(stats_error_text(stats_error_rpc(-32602), buf),
	    "-32602");
	assert_string_equal(stats_error_text(stats_error_rpc(-1), buf), "-1");
	assert_int_equal(stats_error_rpc(-32769), STATS_ERROR_OTHER);
	assert_int_equal(stats_error_rpc(0), STATS_ERROR_OTHER);
	assert_int_equal(stats_error_rpc(INT64_MAX), STATS_ERROR_OTHER);
	assert_string_equal(stats_error_text(stats_error_http(503), buf),
	    "503");
	assert_int_equal(stats_error_http(0), STATS_ERROR_OTHER);
	assert_int_equal(stats_error_http(1000), STATS_ERROR_OTHER);
	for (i = 0; i <= 0xffff; i++)
		assert_true(strlen(stats_error_text((unsigned)i, buf)) < 16);
}

/* A worker that was taken over writes what it likes. */
static void
test_hostile(void **state)
{
	struct stats_slot	*bad = malloc(sizeof(*bad));
	struct stats_key	 k;
	uint8_t			*p = (uint8_t *)bad;
	unsigned		 up, method, error, seed;
	char			 buf[16];
	size_t			 i;

	(void)state;
	assert_non_null(bad);
	srandom(7);
	for (seed = 0; seed < 8; seed++) {
		for (i = 0; i < sizeof(*bad); i++)
			p[i] = seed == 0 ? 0xff : (uint8_t)random();
		stats_merge(&total, bad);
	}
	for (i = 0; i < STATS_REQUESTS; i++)
		if (stats_key_get(stats_get(&total.requests[i].key), &k) == 0)
			assert_non_null(mcp_method_name(k.method));
	for (i = 0; i < STATS_OPS; i++)
		if (stats_op_get(stats_get(&total.client[i].key), &up,
		    &method, &error) == 0)
			assert_non_null(stats_error_text(error, buf));
	for (i = 0; i < STATS_NAMES; i++)
		assert_true(strnlen(total.tools[i].name, STATS_NAME_MAX) <
		    STATS_NAME_MAX);
	free(bad);
}

static void
test_methods(void **state)
{
	(void)state;
	assert_int_equal(mcp_method("tools/call", 10), MCP_METHOD_TOOLS_CALL);
	assert_int_equal(mcp_method("tools/cal", 9), MCP_METHOD_OTHER);
	assert_int_equal(mcp_method("", 0), MCP_METHOD_NONE);
	assert_int_equal(mcp_method(NULL, 0), MCP_METHOD_NONE);
	assert_string_equal(mcp_method_name(mcp_method("GET", 3)), "GET");
	assert_string_equal(mcp_method_name(MCP_METHOD_NONE), "");
	assert_string_equal(mcp_method_name(255), "_OTHER");
}

/* Each refusal has a name, no two the same, in the form that labels have. */
static void
test_refusals(void **state)
{
	const char	*name;
	unsigned	 i, j;

	(void)state;
	for (i = 0; i < REFUSE_MAX; i++) {
		name = refusal_name(i);
		assert_non_null(name);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"),
		    strlen(name));
		for (j = 0; j < i; j++)
			assert_string_not_equal(name, refusal_name(j));
	}
	assert_null(refusal_name(REFUSE_MAX));
	assert_int_equal(refusal_status(REFUSE_MAX), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(test_requests, fresh),
		cmocka_unit_test_setup(test_operations, fresh),
		cmocka_unit_test_setup(test_codes, fresh),
		cmocka_unit_test_setup(test_times, fresh),
		cmocka_unit_test_setup(test_names, fresh),
		cmocka_unit_test_setup(test_attach, fresh),
		cmocka_unit_test_setup(test_errors, fresh),
		cmocka_unit_test_setup(test_hostile, fresh),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_refusals)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
