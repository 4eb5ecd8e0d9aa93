/*
 * worker/record/trace.c: what a client sends goes on if it is a traceparent, and else
 * a trace begins here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/record/trace.h"

#define T32	"0af7651916cd43dd8448eb211c80319c"
#define S16	"b7ad6b7169203331"
#define Z16	"0000000000000000"

static const struct {
	const char	*value;		/* NULL: no field */
	const char	*flags;		/* that go on; NULL: it is none */
} cases[] = {
	{ "00-" T32 "-" S16 "-01", "01" },
	{ "00-" T32 "-" S16 "-00", "00" },
	{ "00-" T32 "-" S16 "-ff", "ff" },
	{ "00-" Z16 "0000000000000001-" S16 "-01", "01" },
	/* a later version: what is known of it */
	{ "01-" T32 "-" S16 "-01", "01" },
	{ "01-" T32 "-" S16 "-fe", "00" },
	{ "01-" T32 "-" S16 "-03-more", "01" },
	{ "fe-" T32 "-" S16 "-00-", "00" },
	{ NULL, NULL },
	{ "", NULL },
	{ "00-" T32 "-" S16 "-0", NULL },
	{ "00-" T32 "-" S16 "-01-", NULL },
	{ "00-" T32 "-" S16 "-010", NULL },
	{ "01-" T32 "-" S16 "-010", NULL },
	{ "ff-" T32 "-" S16 "-01", NULL },
	{ "00-" Z16 Z16 "-" S16 "-01", NULL },
	{ "00-" T32 "-" Z16 "-01", NULL },
	{ "00-0AF7651916CD43DD8448EB211C80319C-" S16 "-01", NULL },
	{ "00-" T32 "_" S16 "-01", NULL },
	{ "0g-" T32 "-" S16 "-01", NULL },
	{ "00-" T32 "-" S16 "-0x", NULL }
};

static void
parse(struct http1_head *h, char *text, size_t room, const char *value,
    int times)
{
	const char	*why;
	size_t		 n;

	n = (size_t)snprintf(text, room, "GET / HTTP/1.1\r\nHost: h\r\n");
	while (value != NULL && times-- > 0)
		n += (size_t)snprintf(text + n, room - n,
		    "traceparent: %s\r\n", value);
	n += (size_t)snprintf(text + n, room - n, "\r\n");
	assert_int_equal(http1_parse_request(h, text, n, &why), 0);
}

/* It is one, and not the same again. */
static void
well_formed(const char *v)
{
	static char	 last[TRACE_PARENT_LEN];
	size_t		 i;

	for (i = 0; i < TRACE_PARENT_LEN; i++)
		if (i == 2 || i == 35 || i == 52)
			assert_int_equal(v[i], '-');
		else
			assert_non_null(memchr("0123456789abcdef", v[i], 16));
	assert_memory_equal(v, "00-", 3);
	assert_memory_not_equal(v + 36, last + 36, 16);
	memcpy(last, v, sizeof(last));
}

static void
test_parents(void **state)
{
	struct http1_head	 h;
	struct trace		 t;
	char			 text[512], out[TRACE_PARENT_LEN];
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		parse(&h, text, sizeof(text), cases[i].value, 1);
		trace_begin(&t, &h);
		assert_int_equal(t.given, cases[i].flags != NULL);
		assert_int_equal(t.in_head, t.given);
		trace_make_span(t.up);
		trace_put(&t, out);
		well_formed(out);
		/* the span is ours */
		assert_memory_not_equal(out + 36, S16, 16);
		if (cases[i].flags == NULL) {
			assert_memory_not_equal(out + 3, T32, 32);
			assert_memory_equal(out + 53, "00", 2);
			continue;
		}
		assert_memory_equal(out + 3, cases[i].value + 3, 32);
		assert_memory_equal(out + 53, cases[i].flags, 2);
	}
}

/* Of two nobody knows which one counts. */
static void
test_two(void **state)
{
	struct http1_head	 h;
	struct trace		 t;
	char			 text[512];

	(void)state;
	parse(&h, text, sizeof(text), cases[0].value, 2);
	trace_begin(&t, &h);
	assert_false(t.given);
}

/* What the message says counts; the head becomes a link where it says
 * something else. */
static void
test_adopt(void **state)
{
	static const struct {
		const char	*head, *meta;
		int		 taken, linked, in_head;
	} t[] = {
		{ NULL, "00-" T32 "-" S16 "-01", 1, 0, 0 },
		{ "00-" T32 "-" S16 "-01", "00-" T32 "-" S16 "-01", 1, 0, 1 },
		{ "00-" T32 "-00000000000000ff-01", "00-" T32 "-" S16 "-01",
		    1, 1, 1 },
		{ "00-" Z16 S16 "-" S16 "-00", "00-" T32 "-" S16 "-01", 1, 1,
		    0 },
		{ NULL, "01-" T32 "-" S16 "-01", 1, 0, 0 },
		/* none that could be replaced */
		{ "00-" Z16 S16 "-" S16 "-00", "01-" T32 "-" S16 "-01-x", 0,
		    0, 1 },
		{ NULL, "00-" T32 "-" S16 "-0", 0, 0, 0 },
		{ NULL, "00-" T32 "-" S16 "-\\u0030", 0, 0, 0 },
		{ NULL, "", 0, 0, 0 }
	};
	struct http1_head	 h;
	struct trace		 trace, before;
	char			 text[512];
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		parse(&h, text, sizeof(text), t[i].head, 1);
		trace_begin(&trace, &h);
		before = trace;
		assert_int_equal(trace_adopt(&trace, slice_of(t[i].meta)),
		    t[i].taken);
		assert_int_equal(trace.linked, t[i].linked);
		assert_int_equal(trace.in_head, t[i].in_head);
		if (!t[i].taken) {
			assert_memory_equal(&trace, &before, sizeof(trace));
			continue;
		}
		assert_memory_equal(trace.at.id, T32, 32);
		assert_memory_equal(trace.at.span, S16, 16);
		if (trace.linked)
			assert_memory_equal(&trace.link, &before.at,
			    sizeof(before.at));
	}
	assert_true(trace_state_ok(slice_of("a=b,c=d")));
	assert_false(trace_state_ok(slice_of("")));
	assert_false(trace_state_ok(slice_of("a=\\n")));
	assert_false(trace_state_ok(slice_of("a=\xc3\xa4")));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_parents),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_adopt)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
