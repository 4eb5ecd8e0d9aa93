/*
 * Revisions in answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "worker/accord.h"

#define ALLOWED	0x16	/* 2025-03-26, 2025-06-18, 2026-07-28 */
#define L	"\"supportedVersions\":"

static struct slice
s(const char *text)
{
	return (text == NULL ? (struct slice){ NULL, 0 } : slice_of(text));
}

static void
expect(int events, enum accord kind, const char *in, const char *want,
    uint32_t revisions)
{
	struct accord_told	 told;
	struct buf		 out = { 0 };
	int			 changed;

	changed = (events ? accord_events : accord_message)(kind, s(in),
	    s("7"), s("v\""), &out, &told);
	assert_int_equal(changed, want != NULL);
	if (want != NULL) {
		assert_int_equal(out.len, strlen(want));
		assert_memory_equal(buf_data(&out), want, out.len);
	}
	assert_int_equal(told.revisions, told.lists ? revisions : 0);
	assert_int_equal(told.lists, revisions != 0);
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
	    "id: 1\nx: y\ndata: {\"result\":{\ndata: " L "[]}}\n\n"
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
