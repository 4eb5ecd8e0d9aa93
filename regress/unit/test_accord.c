/*
 * Revisions in answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "worker/mcp/accord.h"

#define ALLOWED	0x16	/* 2025-03-26, 2025-06-18, 2026-07-28 */
#define L	"\"supportedVersions\":"

static struct slice
s(const char *text)
{
	return (text == NULL ? (struct slice){ NULL, 0 } : slice_of(text));
}

/* What is asked of a message, and what it told. */
struct asked {
	enum accord	 kind;
	struct accord_told told;
};

static enum filter_verdict
judge(void *arg, struct slice text, struct filter_edits *edits)
{
	struct accord_told	 one;
	struct asked		*a = arg;

	accord_judge(a->kind, text, s("7"), s("v\""), edits, &one);
	if (one.lists || one.error || one.refused)
		a->told = one;
	return (FILTER_PASS);
}

static void
expect(int events, enum accord kind, const char *in, const char *want,
    uint32_t revisions)
{
	struct asked		 a = { kind, { 0 } };
	const struct filter	 f = { "revisions", judge, &a, 1 };
	struct filter_chain	*c;
	struct buf		 out = { 0 };
	const char		*why;

	c = filter_chain_new(events ? FILTER_EVENTS : FILTER_JSON, &f, 1,
	    4096);
	assert_non_null(c);
	assert_int_equal(filter_feed(c, s(in), &out, &why), 0);
	assert_int_equal(filter_end(c, &out, &why), 0);
	filter_chain_free(c);
	/* NULL: as it came */
	want = want == NULL ? in : want;
	assert_int_equal(out.len, strlen(want));
	if (out.len > 0)
		assert_memory_equal(buf_data(&out), want, out.len);
	assert_int_equal(a.told.revisions, a.told.lists ? revisions : 0);
	assert_int_equal(a.told.lists, revisions != 0);
	buf_free(&out);
}

static void
test_message(void **state)
{
	static const char *const same[] = { "", "x", "1", "[]", "{}",
	    "{\"result\":[{" L "[\"x\"]}]}", "{\"result\":{" L "\"x\"}}",
	    "{\"result\":{\"a\":{" L "[\"x\"]}}}", "[{\"result\":{" L "[1]}}]",
	    "{\"error\":{\"code\":-32022,\"data\":[\"x\"]}}",
	    "{\"result\":{" L "[\"x\"]}", "{\"result\":{" L "[\"x\"]}}}",
	    "{\"result\":{" L "[\"x\"]," L "[]}}" };
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		expect(0, ACCORD_DISCOVER, same[i], NULL, 0);
	expect(0, ACCORD_DISCOVER, "{\"result\":{" L
	    " [ \"2026-07-28\" , \"2025-06-18\" ] }}", NULL, 0x14);
	expect(0, ACCORD_DISCOVER, " {\"result\":{\"a\":[[]]," L
	    "[\"x\",\"2026-07-28\",[\"2025-06-18\"],1,\"2024-11-05\"],"
	    "\"b\":1}}\n", " {\"result\":{\"a\":[[]]," L "[\"2026-07-28\"],"
	    "\"b\":1}}\n", 0x11);
	expect(0, ACCORD_DISCOVER, "{\"r\\u0065sult\":{" L
	    "[\"2024-11-05\"]}}", "{\"r\\u0065sult\":{" L "[]}}", 0x1);
	/* only where it was asked for */
	expect(0, ACCORD_OPEN, "{\"result\":{" L "[\"2024-11-05\"]}}", NULL,
	    0);
	expect(0, ACCORD_ERROR, "{\"error\":{\"data\":{\"supported\":"
	    "[\"2025-11-25\",\"2025-06-18\"]},\"code\":-32022}}",
	    "{\"error\":{\"data\":{\"supported\":[\"2025-06-18\"]},"
	    "\"code\":-32022}}", 0xc);
	expect(0, ACCORD_ERROR, "{\"error\":{\"code\":-32602,\"data\":{"
	    "\"supported\":[\"2025-11-25\"]}}}", NULL, 0);
}

static void
test_open(void **state)
{
	static const char	 refused[] = "{\"jsonrpc\":\"2.0\",\"id\":7,"
	    "\"error\":{\"code\":-32602,\"message\":\"Unsupported protocol "
	    "version\",\"data\":{\"supported\":[\"2025-03-26\",\"2025-06-18\""
	    "],\"requested\":\"v\\\"\"}}}";

	(void)state;
	expect(0, ACCORD_OPEN, "{\"result\":{\"protocolVersion\":"
	    "\"2025-06-18\"}}", NULL, 0);
	expect(0, ACCORD_OPEN, "{\"result\":{\"protocolVersion\":"
	    "\"2025-11-25\"}}", refused, 0);
	/* has no initialize */
	expect(0, ACCORD_OPEN, "{\"result\":{\"protocolVersion\":"
	    "\"2026-07-28\"}}", refused, 0);
	expect(0, ACCORD_OPEN, "{\"result\":{\"protocolVersion\":1}}", NULL,
	    0);
	expect(0, ACCORD_DISCOVER, "{\"result\":{\"protocolVersion\":"
	    "\"2025-11-25\"}}", NULL, 0);
}

static void
test_events(void **state)
{
	static const char	 in[] = "\xef\xbb\xbf: c\r\n\r\ndata\r\n\r\n"
	    "id: 1\rdata:{\"result\":{\rx: y\rdata: " L "[\"2024-11-05\"]}}\r"
	    "\revent: e\ndata: {}\n\ndata: {\"result\":{" L "[\"x\"]}}";
	static const char	 out[] = "\xef\xbb\xbf: c\r\n\r\ndata\r\n\r\n"
	    "id: 1\rdata:{\"result\":{\rx: y\rdata: " L "[]}}\r\r"
	    "event: e\ndata: {}\n\ndata: {\"result\":{" L "[\"x\"]}}";

	(void)state;
	expect(1, ACCORD_DISCOVER, in, out, 0x1);
	expect(1, ACCORD_OPEN, in, NULL, 0);
	expect(1, ACCORD_DISCOVER, "", NULL, 0);
	expect(1, ACCORD_DISCOVER, "\n\n\r\n\rdata\n\n:\n\n", NULL, 0);
}

static void
test_offer(void **state)
{
	char	 list[ACCORD_LIST_MAX];

	(void)state;
	assert_null(accord_offer(s("2025-06-18")));
	assert_null(accord_offer(s("2025-03-26")));
	assert_string_equal(accord_offer(s("2025-03-27")), "2025-03-26");
	assert_string_equal(accord_offer(s("2025-03-2")), "2025-06-18");
	assert_string_equal(accord_offer(s("2024-11-05")), "2025-06-18");
	assert_string_equal(accord_offer(s("2026-07-28")), "2025-06-18");
	assert_string_equal(accord_offer(s("9")), "2025-06-18");
	assert_string_equal(accord_offer(s("")), "2025-06-18");
	assert_string_equal(accord_list(0, list), "[]");
	assert_string_equal(accord_list(0x1f, list), "[\"2025-03-26\","
	    "\"2025-06-18\",\"2026-07-28\"]");
}

int
main(void)
{
	static struct worker_conf	 conf;
	const struct CMUnitTest		 tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_offer),
	};

	conf.revisions = ALLOWED;
	accord_setup(&conf);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
