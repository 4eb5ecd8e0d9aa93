/*
 * worker/wire/filter.h: whatever the pieces in which an answer comes, a filter sees
 * whole messages, its edits and nothing else change bytes, and what cannot be
 * read does not pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/wire/filter.h"

#define MAX	4096

/* Cuts every "cut", puts "+" before every "put", drops what has "drop" and
 * refuses what has "refuse"; counts what it saw. */
struct seen {
	int		 messages;
	size_t		 bytes;
};

static const char *
find(struct slice text, const char *from, const char *what)
{
	size_t	 n = strlen(what);

	for (; from + n <= text.p + text.len; from++)
		if (memcmp(from, what, n) == 0)
			return (from);
	return (NULL);
}

static enum filter_verdict
editor(void *arg, struct slice text, struct filter_edits *e)
{
	struct seen	*s = arg;
	const char	*p, *c, *i;

	s->messages++;
	s->bytes += text.len;
	if (find(text, text.p, "drop") != NULL)
		return (FILTER_DROP);
	if (find(text, text.p, "refuse") != NULL)
		return (FILTER_REFUSE);
	for (p = text.p;;) {
		c = find(text, p, "cut");
		i = find(text, p, "put");
		if (c == NULL && i == NULL)
			break;
		if (c != NULL && (i == NULL || c < i)) {
			filter_cut(e, c, 3);
			p = c + 3;
		} else {
			filter_put(e, i, slice_of("+"));
			p = i + 3;
		}
	}
	return (FILTER_PASS);
}

/* Puts a "*" before every "+". */
static enum filter_verdict
second(void *arg, struct slice text, struct filter_edits *e)
{
	const char	*p;

	(void)arg;
	for (p = text.p; (p = find(text, p, "+")) != NULL; p++)
		filter_put(e, p, slice_of("*"));
	return (FILTER_PASS);
}

struct result {
	struct buf	 out;
	int		 r;
	const char	*why;
	size_t		 dropped;
	struct seen	 seen;
};

/* in, in pieces of n bytes. */
static struct result
run(enum filter_kind kind, struct slice in, size_t n, size_t max, int two)
{
	struct filter_chain	*c;
	struct result		 x;
	struct filter		 f[] = {
		{ "editor", editor, NULL, 0 },
		{ "second", second, NULL, 0 }
	};
	size_t			 k;

	memset(&x, 0, sizeof(x));
	f[0].arg = &x.seen;
	assert_non_null(c = filter_chain_new(kind, f, two ? 2 : 1, max));
	while (in.len > 0 && x.r == 0) {
		k = in.len < n ? in.len : n;
		x.r = filter_feed(c, (struct slice){ in.p, k }, &x.out,
		    &x.why);
		in.p += k;
		in.len -= k;
	}
	if (x.r == 0)
		x.r = filter_end(c, &x.out, &x.why);
	else
		/* ever after */
		assert_int_equal(filter_feed(c, slice_of("x"), &x.out,
		    &x.why), -1);
	x.dropped = filter_dropped(c);
	filter_chain_free(c);
	return (x);
}

static void
check(enum filter_kind kind, const char *in, const char *want,
    size_t dropped, int two)
{
	struct slice	 s = slice_of(in);
	struct result	 x;
	size_t		 n;

	for (n = 1; n <= s.len + 1; n++) {
		x = run(kind, s, n, MAX, two);
		if (x.r != 0 || x.out.len != strlen(want) ||
		    memcmp(want, x.out.len == 0 ? "" : buf_data(&x.out),
		    x.out.len) != 0 || x.dropped != dropped)
			fail_msg("%s in pieces of %zu: %d, %zu dropped, "
			    "\"%.*s\"", in, n, x.r, x.dropped,
			    (int)x.out.len, x.out.len == 0 ? "" :
			    buf_data(&x.out));
		buf_free(&x.out);
	}
}

static void
refused(enum filter_kind kind, const char *in, size_t max, const char *passed)
{
	struct slice	 s = slice_of(in);
	struct result	 x;
	size_t		 n;

	for (n = 1; n <= s.len + 1; n++) {
		x = run(kind, s, n, max, 0);
		if (x.r != -1 || x.why == NULL ||
		    x.out.len != strlen(passed) || (x.out.len > 0 &&
		    memcmp(passed, buf_data(&x.out), x.out.len) != 0))
			fail_msg("%s in pieces of %zu: %d \"%.*s\"", in, n,
			    x.r, (int)x.out.len, x.out.len == 0 ? "" :
			    buf_data(&x.out));
		buf_free(&x.out);
	}
}

static void
test_json(void **state)
{
	(void)state;
#define SAME(s)	check(FILTER_JSON, s, s, 0, 0)
	SAME("{\"a\":1}");
	SAME(" { \"a\" : [ 1 , 2.50 , \"\\u0041\" ] } \n");
	SAME("");
#undef SAME
	check(FILTER_JSON, "{\"cuta\":\"xcutcuty\"}", "{\"a\":\"xy\"}", 0, 0);
	check(FILTER_JSON, "{\"a\":\"put\"}\n", "{\"a\":\"+put\"}\n", 0, 0);
	check(FILTER_JSON, "{\"a\":\"put\"}\n", "{\"a\":\"*+put\"}\n", 0, 1);
	check(FILTER_JSON, "\"cutput\"", "\"*+put\"", 0, 1);
}

static void
test_json_refused(void **state)
{
	(void)state;
	refused(FILTER_JSON, "{\"a\":", MAX, "");
	refused(FILTER_JSON, "{\"a\":1}x", MAX, "");
	refused(FILTER_JSON, "\x1f\x8b\x08", MAX, "");
	refused(FILTER_JSON, "{\"a\":1,\"a\":2}", MAX, "");
	refused(FILTER_JSON, "\"drop\"", MAX, "");
	refused(FILTER_JSON, "\"refuse\"", MAX, "");
	/* what the edits leave must be JSON */
	refused(FILTER_JSON, "{\"a\":1,cut\"b\":2}", MAX, "");
	refused(FILTER_JSON, "[12345678]", 9, "");
	check(FILTER_JSON, "[12345678]", "[12345678]", 0, 0);
}

static void
test_events(void **state)
{
	(void)state;
#define SAME(s)	check(FILTER_EVENTS, s, s, 0, 0)
	SAME("");
	SAME("data: {\"a\":1}\n\n");
	SAME("data:{\"a\":1}\r\n\r\n");
	SAME("data: {\"a\":1}\r\r");
	SAME("event: message\nid: 1\ndata: [1,\ndata: 2]\nretry: 5\n\n");
	SAME(": comment\n\n:another\n\n");
	/* what primes a stream has no message */
	SAME("id: 5\ndata:\n\n");
	SAME("id: 5\ndata\n\ndata: {}\n\n");
	SAME("\xef\xbb\xbf" "data: {\"a\":1}\n\n");
	SAME("\n\n\ndata: 1\n\n\n");
	SAME("\r\n\r\ndata: 1\r\n\r\n");
#undef SAME
	check(FILTER_EVENTS, "data: \"cut1\"\n\ndata: \"put\"\n\n",
	    "data: \"1\"\n\ndata: \"+put\"\n\n", 0, 0);
	check(FILTER_EVENTS, "id: put\ndata: \"put\"\n: put\n\n",
	    "id: put\ndata: \"*+put\"\n: put\n\n", 0, 1);
	/* edits in several lines, and a second filter after them */
	check(FILTER_EVENTS, "data: [\"cutput\",\r\ndata: \"xcut\",\r\n"
	    "data:\"put\"]\r\n\r\n", "data: [\"*+put\",\r\ndata: \"x\",\r\n"
	    "data:\"*+put\"]\r\n\r\n", 0, 1);
}

static enum filter_verdict
cut_middle(void *arg, struct slice text, struct filter_edits *e)
{
	(void)arg;
	/* [1,\n2,\n3]: the 2 with its comma and both line ends */
	filter_cut(e, text.p + 3, text.len - 5);
	return (FILTER_PASS);
}

/* A cut across lines takes the lines with it. */
static void
test_cut_across_lines(void **state)
{
	static const char	 in[] = "data: [1,\nevent: x\ndata: 2,\n"
				    "data: 3]\n\n";
	const struct filter	 f = { "cut", cut_middle, NULL, 0 };
	struct filter_chain	*c;
	struct buf		 out = { 0 };
	const char		*why;

	(void)state;
	assert_non_null(c = filter_chain_new(FILTER_EVENTS, &f, 1, MAX));
	assert_int_equal(filter_feed(c, slice_of(in), &out, &why), 0);
	assert_int_equal(filter_end(c, &out, &why), 0);
	assert_int_equal(out.len, strlen("data: [1,3]\n\n"));
	assert_memory_equal(buf_data(&out), "data: [1,3]\n\n", out.len);
	buf_free(&out);
	filter_chain_free(c);
}

static void
test_events_dropped(void **state)
{
	(void)state;
	check(FILTER_EVENTS, "data: 1\n\ndata: \"drop\"\n\ndata: 2\n\n",
	    "data: 1\n\ndata: 2\n\n", 1, 0);
	/* who comes back names the last id */
	check(FILTER_EVENTS, "event: e\nid: 7\nretry: 9\ndata: \"drop\"\n\n",
	    "id: 7\nretry: 9\n\n", 1, 0);
	/* nobody can read it */
	check(FILTER_EVENTS, "data: {\n\ndata: 1\n\n", "data: 1\n\n", 1, 0);
	check(FILTER_EVENTS, "data: {}\ndata: {}\n\n", "", 1, 0);
	check(FILTER_EVENTS, "data: {\"a\":1,\"a\":2}\n\n", "", 1, 0);
	check(FILTER_EVENTS, "data: \xff\n\n", "", 1, 0);
	check(FILTER_EVENTS, "data:  \n\n", "", 1, 0);
	/* no event without its end */
	check(FILTER_EVENTS, "data: 1\n\ndata: 2\n", "data: 1\n\n", 0, 0);
	refused(FILTER_EVENTS, "data: 1\n\ndata: \"refuse\"\n\ndata: 2\n\n",
	    MAX, "data: 1\n\n");
	/* a mark is one at the start only */
	check(FILTER_EVENTS, "data: 1\n\n\xef\xbb\xbf" "data: {\n\n",
	    "data: 1\n\n\xef\xbb\xbf" "data: {\n\n", 0, 0);
}

/* One that is too long goes, and only that one. */
static void
test_event_too_long(void **state)
{
	static const char *const ends[] = { "\n", "\r\n", "\r" };
	char		 in[512], want[64];
	struct result	 x;
	size_t		 i, n;

	(void)state;
	for (i = 0; i < 3; i++) {
		(void)snprintf(in, sizeof(in), "data: 1%s%sdata: \"%0100d\"%s"
		    "data: \"a\"%s%sdata: 2%s%s", ends[i], ends[i], 0,
		    ends[i], ends[i], ends[i], ends[i], ends[i]);
		(void)snprintf(want, sizeof(want), "data: 1%s%sdata: 2%s%s",
		    ends[i], ends[i], ends[i], ends[i]);
		for (n = 1; n < strlen(in); n++) {
			x = run(FILTER_EVENTS, slice_of(in), n, 50, 0);
			assert_int_equal(x.r, 0);
			assert_int_equal(x.dropped, 1);
			if (x.out.len != strlen(want) || memcmp(want,
			    buf_data(&x.out), x.out.len) != 0)
				fail_msg("%zu in pieces of %zu: \"%.*s\"", i,
				    n, (int)x.out.len, buf_data(&x.out));
			buf_free(&x.out);
		}
	}
}

/* Where nothing hangs on a filter what cannot be read passes. */
static void
test_lenient(void **state)
{
	static const char *const events[] = { "data: {\n\ndata: \"put\"\n\n",
	    "data: {\r\n\r\ndata: \"put\"\r\n\r\n",
	    "data: [123456789012345678901234567890]\r\rdata: \"put\"\r\r",
	    "data: [1234567890\r\ndata: 12345678901234567890]\r\n\r\n"
	    "data: \"put\"\r\n\r\n" };
	struct seen		 seen = { 0, 0 };
	const struct filter	 f = { "editor", editor, &seen, 1 };
	struct filter_chain	*c;
	struct buf		 out;
	const char		*why, *want;
	size_t			 i, n, k, len;

	(void)state;
	for (i = 0; i < 4; i++) {
		len = strlen(events[i]);
		want = strstr(events[i], "put");
		for (n = 1; n <= len; n++) {
			memset(&out, 0, sizeof(out));
			c = filter_chain_new(FILTER_EVENTS, &f, 1, 24);
			assert_non_null(c);
			for (k = 0; k < len; k += n)
				assert_int_equal(filter_feed(c,
				    (struct slice){ events[i] + k,
				    len - k < n ? len - k : n }, &out, &why),
				    0);
			assert_int_equal(filter_unread(c), 1);
			assert_int_equal(filter_dropped(c), 0);
			k = (size_t)(want - events[i]);
			if (out.len != len + 1 || memcmp(buf_data(&out),
			    events[i], k) != 0 || memcmp(buf_data(&out) + k,
			    "+put", 4) != 0 || memcmp(buf_data(&out) + k + 4,
			    want + 3, len - k - 3) != 0)
				fail_msg("%zu in pieces of %zu: \"%.*s\"", i,
				    n, (int)out.len, buf_data(&out));
			buf_free(&out);
			filter_chain_free(c);
		}
	}
	c = filter_chain_new(FILTER_JSON, &f, 1, 24);
	memset(&out, 0, sizeof(out));
	assert_int_equal(filter_feed(c, slice_of("no JSON"), &out, &why), 0);
	assert_int_equal(filter_end(c, &out, &why), 0);
	assert_int_equal(out.len, 7);
	assert_int_equal(filter_unread(c), 1);
	buf_free(&out);
	filter_chain_free(c);
}

static enum filter_verdict
bad(void *arg, struct slice text, struct filter_edits *e)
{
	switch (*(int *)arg) {
	case 0:				/* backwards */
		filter_cut(e, text.p + 3, 1);
		filter_cut(e, text.p + 1, 1);
		break;
	case 1:				/* overlapping */
		filter_cut(e, text.p + 1, 3);
		filter_put(e, text.p + 2, slice_of("x"));
		break;
	case 2:				/* beyond */
		filter_cut(e, text.p + 1, text.len);
		break;
	case 3:				/* before */
		filter_cut(e, text.p - 1, 1);
		break;
	case 4:				/* a line's end */
		filter_put(e, text.p + 1, slice_of("a\nb"));
		break;
	case 5:				/* a line's end */
		filter_put(e, text.p + 1, slice_of("a\r"));
		break;
	}
	return (FILTER_PASS);
}

/* A filter that edits what it must not is a refusal, not an answer. */
static void
test_bad_edits(void **state)
{
	struct filter		 f = { "bad", bad, NULL, 0 };
	struct filter_chain	*c;
	struct buf		 out = { 0 };
	const char		*why;
	int			 i;

	(void)state;
	f.arg = &i;
	for (i = 0; i <= 5; i++) {
		assert_non_null(c = filter_chain_new(FILTER_EVENTS, &f, 1,
		    MAX));
		if (filter_feed(c, slice_of("data: \"abcdef\"\n\n"), &out,
		    &why) != -1)
			fail_msg("taken: %d", i);
		assert_int_equal(out.len, 0);
		filter_chain_free(c);
	}
	assert_null(filter_chain_new(FILTER_JSON, &f, 0, MAX));
	assert_null(filter_chain_new(FILTER_JSON, &f, FILTERS_MAX + 1, MAX));
	filter_chain_free(NULL);
}

static void
test_boundary(void **state)
{
	struct seen		 seen = { 0, 0 };
	const struct filter	 f = { "editor", editor, &seen, 0 };
	struct filter_chain	*c;
	struct buf		 out = { 0 };
	const char		*why;

	(void)state;
	assert_non_null(c = filter_chain_new(FILTER_EVENTS, &f, 1, MAX));
	assert_true(filter_at_boundary(c));
	filter_feed(c, slice_of("data: 1"), &out, &why);
	assert_false(filter_at_boundary(c));
	assert_int_equal(out.len, 0);
	filter_feed(c, slice_of("\n"), &out, &why);
	assert_false(filter_at_boundary(c));
	filter_feed(c, slice_of("\r"), &out, &why);
	/* the other half may come */
	assert_false(filter_at_boundary(c));
	filter_feed(c, slice_of("\n"), &out, &why);
	assert_true(filter_at_boundary(c));
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.bytes, 1);
	buf_free(&out);
	filter_chain_free(c);
}

/* Many lines: what maps places must not be slow, and memory is bounded. */
static void
test_many_lines(void **state)
{
	struct buf	 in = { 0 };
	struct result	 x;
	size_t		 i;

	(void)state;
	buf_puts(&in, "data: [\n");
	for (i = 0; i < 2000; i++)
		buf_puts(&in, "data: \"cut\",\n");
	buf_puts(&in, "data: 1]\n\n");
	x = run(FILTER_EVENTS, (struct slice){ buf_data(&in), in.len }, 1000,
	    1 << 20, 0);
	assert_int_equal(x.r, 0);
	assert_int_equal(x.dropped, 0);
	assert_int_equal(x.out.len, in.len - 3 * 2000);
	buf_free(&x.out);
	buf_free(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_refused),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_cut_across_lines),
		cmocka_unit_test(test_events_dropped),
		cmocka_unit_test(test_event_too_long),
		cmocka_unit_test(test_lenient),
		cmocka_unit_test(test_bad_edits),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_many_lines),
	};

	buf_setup(1 << 26);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
