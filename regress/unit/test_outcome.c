/*
 * worker/mcp/outcome.c: what a response says of success, in whatever pieces it
 * comes, and nothing from what only looks like it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "worker/mcp/outcome.h"

#define ID	"\"jsonrpc\":\"2.0\",\"id\":1,"

static const struct {
	const char	*text;
	int		 answered, failed, coded, tool_error;
	int64_t		 code;
} cases[] = {
	{ "{" ID "\"result\":{}}", 1, 0, 0, 0, 0 },
	{ "{" ID "\"result\":null}", 1, 0, 0, 0, 0 },
	{ "{" ID "\"result\":{\"isError\":true}}", 1, 0, 0, 1, 0 },
	{ "{" ID "\"result\" : { \"a\":[{}], \"isError\" : true } }", 1, 0,
	    0, 1, 0 },
	{ "{" ID "\"result\":{\"isError\":false}}", 1, 0, 0, 0, 0 },
	{ "{" ID "\"result\":{\"isError\":\"true\"}}", 1, 0, 0, 0, 0 },
	{ "{" ID "\"result\":{\"x\":{\"isError\":true}}}", 1, 0, 0, 0, 0 },
	{ "{" ID "\"result\":{\"x\":\"\\\"isError\\\":true\"}}", 1, 0, 0, 0,
	    0 },
	{ "{\"error\":{\"code\":-32602,\"message\":\"m\"}," ID "\"x\":1}", 1,
	    1, 1, 0, -32602 },
	{ "{" ID "\"error\":{\"message\":\"m\",\"code\": 7 }}", 1, 1, 1, 0,
	    7 },
	{ "{" ID "\"error\":{\"data\":{\"code\":1},\"code\":-2}}", 1, 1, 1,
	    0, -2 },
	{ "{" ID "\"error\":{\"code\":1.5}}", 1, 1, 0, 0, 0 },
	{ "{" ID "\"error\":{\"code\":\"1\"}}", 1, 1, 0, 0, 0 },
	{ "{" ID "\"error\":null}", 0, 0, 0, 0, 0 },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"error\":"
	    "{\"code\":1}}}", 0, 0, 0, 0, 0 },
	{ "{" ID "\"result\":{\"isError\":true", 0, 0, 0, 0, 0 },
	{ "[1,\"error\",{\"error\":{\"code\":1}}]", 0, 0, 0, 0, 0 },
	{ "\"error\"", 0, 0, 0, 0, 0 }, { "}}]", 0, 0, 0, 0, 0 },
	{ "{\"errorcode\":{\"code\":1}}", 0, 0, 0, 0, 0 }
};

static void
check(const struct outcome *o, size_t i)
{
	if (o->answered != (unsigned)cases[i].answered ||
	    o->failed != (unsigned)cases[i].failed ||
	    o->coded != (unsigned)cases[i].coded ||
	    o->tool_error != (unsigned)cases[i].tool_error ||
	    (o->coded && o->code != cases[i].code))
		fail_msg("%s: answered %d failed %d coded %d (%lld) tool %d",
		    cases[i].text, o->answered, o->failed, o->coded,
		    (long long)o->code, o->tool_error);
}

static void
feed(struct outcome *o, const char *text, size_t piece)
{
	size_t	 len = strlen(text), n;

	for (; len > 0; text += n, len -= n) {
		n = len < piece ? len : piece;
		outcome_feed(o, (struct slice){ text, n });
	}
}

static void
test_message(void **state)
{
	struct outcome	 o;
	size_t		 i, piece;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (piece = 1; piece < 40; piece += 6) {
			outcome_begin(&o, 0);
			feed(&o, cases[i].text, piece);
			check(&o, i);
		}
}

/* Events around it, of which some are no responses. */
static void
test_events(void **state)
{
	static const char *const ends[] = { "\n", "\r", "\r\n" };
	struct outcome	 o;
	char		 text[1024];
	const char	*e;
	size_t		 i, k, piece;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (k = 0; k < 3; k++)
			for (piece = 1; piece < 40; piece += 13) {
				e = ends[k];
				snprintf(text, sizeof(text), ":c%sevent: x%s"
				    "data: {\"method\":%sdata:\"m\"}%s%s"
				    "datax: {\"result\":1}%s%sdata: %s%s%s"
				    "id: 7%sdata: {\"method\":\"n\"}%s%s", e,
				    e, e, e, e, e, e, cases[i].text, e, e, e,
				    e, e);
				outcome_begin(&o, 1);
				feed(&o, text, piece);
				check(&o, i);
			}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_events)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
