/*
 * common/span.c and fetcher/otlp_json.c: spans travel as they are, what is
 * none is not taken, and whatever is in one is JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/imsg.h"
#include "common/json.h"
#include "common/span.h"
#include "fetcher/otlp_json.h"

#define T	"0af7651916cd43dd8448eb211c80319c"
#define A	"b7ad6b7169203331"
#define B	"00f067aa0ba902b7"

static struct span_tree	 tree, got;
static struct wbuf	 packed;

static void
sample(void)
{
	struct span	*s;

	memset(&tree, 0, sizeof(tree));
	memcpy(tree.trace, T, 32);
	tree.flags = 1;
	tree.state = slice_of("a=1");
	tree.n = 2;
	s = &tree.spans[0];
	s->kind = SPAN_SERVER;
	memcpy(s->id, A, 16);
	memcpy(s->parent, B, 16);
	s->has_parent = s->remote = s->error = s->linked = 1;
	s->begin = 1700000000000000001;
	s->end = UINT64_MAX;
	s->message = slice_of("it \"failed\"");
	s->name = slice_of("tools/call a");
	memcpy(s->link_trace, T, 32);
	memcpy(s->link_id, B, 16);
	s->link_flags = 1;
	s->nattrs = 2;
	s->attrs[0] = (struct span_attr){ SPAN_TOOL, slice_of("a\\\xff\n"),
	    0 };
	s->attrs[1] = (struct span_attr){ SPAN_BYTES_IN, { NULL, 0 }, 7 };
	s = &tree.spans[1];
	s->kind = SPAN_CLIENT;
	memcpy(s->id, B, 16);
	s->begin = s->end = 5;
	s->name = slice_of("x");
}

static void
pack(void)
{
	wbuf_free(&packed);
	wbuf_init(&packed, IMSG_BODY_MAX);
	span_pack(&tree, &packed);
	assert_false(packed.failed);
}

static void
json_is(const char *text)
{
	struct otlp_text	 t = { 0 };

	otlp_json_spans(&t, &got);
	assert_false(t.failed);
	otlp_text_add(&t, "", 1);
	assert_string_equal(t.p, text);
	otlp_text_free(&t);
}

static void
test_travel(void **state)
{
	(void)state;
	sample();
	pack();
	assert_int_equal(span_unpack(packed.data, packed.len, &got), 0);
	json_is("{\"traceId\":\"" T "\",\"spanId\":\"" A "\","
	    "\"traceState\":\"a=1\",\"parentSpanId\":\"" B "\",\"flags\":769,"
	    "\"name\":\"tools/call a\",\"kind\":2,"
	    "\"startTimeUnixNano\":\"1700000000000000001\","
	    "\"endTimeUnixNano\":\"18446744073709551615\",\"attributes\":["
	    "{\"key\":\"gen_ai.tool.name\",\"value\":{\"stringValue\":"
	    "\"a\\\\\xef\xbf\xbd\\u000a\"}},"
	    "{\"key\":\"mcp.payload.bytes_in\",\"value\":{\"intValue\":"
	    "\"7\"}}],\"links\":[{\"traceId\":\"" T "\",\"spanId\":\"" B
	    "\",\"flags\":769}],\"status\":{\"message\":\"it \\\"failed\\\"\","
	    "\"code\":2}},{\"traceId\":\"" T "\",\"spanId\":\"" B "\","
	    "\"traceState\":\"a=1\",\"flags\":257,\"name\":\"x\",\"kind\":3,"
	    "\"startTimeUnixNano\":\"5\",\"endTimeUnixNano\":\"5\","
	    "\"attributes\":[],\"status\":{}}");
}

/* Each is wrong by one thing. */
static void
test_refused(void **state)
{
	size_t	 i;

	(void)state;
#define WITH(change) do {						\
	sample();							\
	change;								\
	pack();								\
	if (span_unpack(packed.data, packed.len, &got) == 0)		\
		fail_msg("accepted: %s", #change);			\
} while (0)
	WITH(tree.n = 0);
	WITH(memset(tree.trace, '0', 32));
	WITH(tree.trace[5] = 'A');
	WITH(tree.trace[5] = '"');
	WITH(memset(tree.spans[0].id, '0', 16));
	WITH(tree.spans[0].parent[0] = 0);
	WITH(tree.spans[0].link_id[1] = 'x');
	WITH(tree.spans[0].kind = 1);
	WITH(tree.spans[0].begin = 9; tree.spans[0].end = 8);
	WITH(tree.spans[0].name.len = 0);
#undef WITH
	sample();
	pack();
	for (i = 0; i < packed.len; i++)
		assert_int_equal(span_unpack(packed.data, i, &got), -1);
	/* whatever byte is another: no harm */
	for (i = 0; i < packed.len; i++) {
		packed.data[i] ^= 0xff;
		(void)span_unpack(packed.data, packed.len, &got);
		packed.data[i] ^= 0xff;
	}
}

/* As much as there may be fits into one message, and is JSON. */
static void
test_largest(void **state)
{
	static char		 text[1024];
	struct otlp_text	 t = { 0 };
	struct span		*s;
	size_t			 i;

	(void)state;
	memset(text, 1, sizeof(text));
	sample();
	tree.n = 1;
	tree.state = (struct slice){ text, sizeof(text) };
	s = &tree.spans[0];
	s->name = s->message = (struct slice){ text, sizeof(text) };
	s->nattrs = SPAN_ATTRS_MAX;
	for (i = 0; i < s->nattrs; i++)
		s->attrs[i] = (struct span_attr){ SPAN_SCOPES, { text,
		    sizeof(text) }, 0 };
	pack();
	assert_int_equal(span_unpack(packed.data, packed.len, &got), 0);
	assert_int_equal(got.spans[0].attrs[0].text.len, SPAN_TEXT_MAX);
	assert_int_equal(got.state.len, SPAN_STATE_MAX);
	otlp_json_spans(&t, &got);
	assert_false(t.failed);
	assert_int_equal(json_check(t.p, t.len), JSON_OK);
	otlp_text_free(&t);
}

static void
test_resource(void **state)
{
	struct conf_field	 attrs[] = { { "k", "v\"" },
				    { "service.version", "own" } };
	struct conf_telemetry	 c = { .service_name = "n", .attrs = attrs,
				    .nattrs = 2 };
	struct otlp_text	 t = { 0 };

	(void)state;
	otlp_json_begin(&t, &c, "uuid");
	otlp_json_end(&t);
	assert_int_equal(json_check(t.p, t.len), JSON_OK);
	otlp_text_add(&t, "", 1);
	assert_string_equal(t.p, "{\"resourceSpans\":[{\"resource\":{"
	    "\"attributes\":["
	    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"n\"}},"
	    "{\"key\":\"k\",\"value\":{\"stringValue\":\"v\\\"\"}},"
	    "{\"key\":\"service.version\",\"value\":{\"stringValue\":"
	    "\"own\"}},{\"key\":\"service.instance.id\",\"value\":{"
	    "\"stringValue\":\"uuid\"}}]},\"scopeSpans\":[{\"scope\":{"
	    "\"name\":\"mcpgw\",\"version\":\"" VERSION "\"},\"spans\":[],"
	    "\"schemaUrl\":\"https://opentelemetry.io/schemas/1.41.0\"}],"
	    "\"schemaUrl\":\"https://opentelemetry.io/schemas/1.41.0\"}]}");
	otlp_text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_travel),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_resource)
	};
	int	 r = cmocka_run_group_tests(tests, NULL, NULL);

	wbuf_free(&packed);
	return (r);
}
