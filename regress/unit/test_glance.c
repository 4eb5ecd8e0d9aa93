/*
 * worker/mcp/glance.c: errors are seen where they stand, and only there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/mcp/glance.h"

#define CALL	"{\"jsonrpc\":\"2.0\",\"id\":1,"
#define TEXT	"\"result\":{\"content\":[{\"type\":\"text\",\"text\":"

static struct glance
seen(const char *text, int events)
{
	struct glance	 g = { 0 };

	glance(&g, slice_of(text), events);
	return (g);
}

static void
test_errors(void **state)
{
	static const struct {
		const char	*text;
		int		 failed, tool;
		int64_t		 code;
	} rows[] = {
	{ CALL "\"error\":{\"code\":-32602,\"message\":\"m\"}}", 1, 0, -32602 },
	{ "{\"error\" : { \"code\" : 7 }, \"id\":1}", 1, 0, 7 },
	{ CALL TEXT "\"x\"}],\"isError\":true}}", 0, 1, 0 },
	{ CALL TEXT "\"x\"}],\"isError\" : true, \"_meta\":{}}}", 0, 1, 0 },
	{ CALL TEXT "\"x\"}],\"isError\":false}}", 0, 0, 0 },
	/* what a tool says in its text is no error */
	{ CALL TEXT "\"\\\"isError\\\":true \\\"error\\\":{}\"}]}}", 0, 0, 0 },
	/* nor what it calls its members */
	{ CALL "\"result\":{\"structuredContent\":{\"isError\":true,"
	    "\"error\":{\"code\":1}}}}", 0, 0, 0 },
	{ CALL "\"result\":{\"tools\":[{\"inputSchema\":{\"properties\":"
	    "{\"error\":{\"type\":\"object\"}}}}]}}", 0, 0, 0 },
	{ "", 0, 0, 0 }, { "rror\"", 0, 0, 0 }, { "\"error\"", 0, 0, 0 }
	};
	struct glance	 g;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		g = seen(rows[i].text, 0);
		assert_int_equal(g.failed, rows[i].failed);
		assert_int_equal(g.tool_error, rows[i].tool);
		assert_int_equal(g.coded ? g.code : 0, rows[i].code);
	}
}

static void
test_events(void **state)
{
	struct glance	 g;

	(void)state;
	g = seen("event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}"
	    "\n\ndata: " CALL TEXT "\"x\"}],\"isError\":true}}\n\n", 1);
	assert_true(g.tool_error);
	memset(&g, 0, sizeof(g));
	glance(&g, slice_of("data: {\"method\":\"n\"}\n\n"), 1);
	glance(&g, slice_of("data: " CALL
	    "\"error\":{\"code\":-32000}}\n\n"), 1);
	assert_true(g.failed);
	assert_int_equal(g.code, -32000);
}

/* The end of a long answer that came in parts; and every place of a name
 * within the blocks in which it is looked for. */
static void
test_places(void **state)
{
	static char	 text[100000];
	struct glance	 g = { 0 };
	size_t		 i, n;

	(void)state;
	for (i = 0; i < 64; i++) {
		n = (size_t)snprintf(text, sizeof(text), CALL TEXT
		    "\"%.*s\"}],\"isError\":true}}", (int)i,
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaa");
		assert_true(n < sizeof(text));
		assert_true(seen(text, 0).tool_error);
	}
	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, CALL TEXT "\"", sizeof(CALL TEXT "\"") - 1);
	glance(&g, slice_of(text), 0);
	glance(&g, slice_of("aaa\"}],\"isError\":true}}"), 0);
	assert_true(g.tool_error);
	memcpy(text + sizeof(text) - 24, "\"}],\"isError\":true}}", 21);
	assert_true(seen(text, 0).tool_error);
}

/* Whatever is sent to make us read, it is not read often. */
static void
test_bounded(void **state)
{
	struct glance	 g = { 0 };
	size_t		 i;

	(void)state;
	for (i = 0; i < 1000; i++)
		glance(&g, slice_of("data: [{\"error\":{\"error\":{}}}]\n\n"),
		    1);
	assert_false(g.failed);
	assert_true(g.reads <= 4);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_bounded)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
