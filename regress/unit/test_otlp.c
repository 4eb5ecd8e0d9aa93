/*
 * fetcher/otlp.c: what waits is bounded and fairly so, and every span is sent
 * once or counted as lost.  HTTP is this test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/imsg.h"
#include "common/json.h"
#include "common/log.h"
#include "common/span.h"
#include "common/stats.h"
#include "fetcher/http.h"
#include "fetcher/otlp.h"

#define TRACE	"0af7651916cd43dd8448eb211c80319c"
#define TEXT_MAX (4 * 1024 * 1024)

static struct conf_telemetry	 conf = { .enabled = 1,
				    .endpoint = "http://h/v1/traces",
				    .service_name = "s", .delay_ms = 3600000 };
static http_done_cb		 done;		/* of the POST under way */
static char			 text[TEXT_MAX];	/* of it */
static size_t			 posts, cancelled, flushes;
static int			 token;
static char			 said[8192];

static void
to_said(void *arg, const struct log_record *r)
{
	(void)arg;
	(void)snprintf(said + strlen(said), sizeof(said) - strlen(said),
	    "%s;", r->event);
}

struct http_get *
http_post(const struct http_message *m, size_t max, long ms,
    http_done_cb cb, void *arg)
{
	z_stream	 z;

	(void)max;
	(void)ms;
	(void)arg;
	assert_null(done);
	memset(&z, 0, sizeof(z));
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)m->body;
	z.avail_in = (uInt)m->len;
	z.next_out = (Bytef *)text;
	z.avail_out = sizeof(text) - 1;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	text[z.total_out] = '\0';
	inflateEnd(&z);
	assert_int_equal(json_check(text, strlen(text)), JSON_OK);
	done = cb;
	posts++;
	return ((struct http_get *)&token);
}

void
http_cancel(struct http_get *g)
{
	assert_ptr_equal(g, &token);
	done = NULL;
	cancelled++;
}

static void
answer(long status, const char *body)
{
	struct http_reply	 r = { .ok = status == 200, .error = "why",
				    .body = body, .len = strlen(body),
				    .status = status };
	http_done_cb		 cb = done;

	assert_non_null(cb);
	done = NULL;
	cb(NULL, &r);
}

/* A tree of one span, of this name. */
static void
take(struct otlp_source *s, const char *name)
{
	static struct span_tree	 tree;
	struct wbuf		 w;

	memset(&tree, 0, sizeof(tree));
	memcpy(tree.trace, TRACE, 32);
	memcpy(tree.spans[0].id, TRACE, 16);
	tree.n = 1;
	tree.spans[0].kind = SPAN_SERVER;
	tree.spans[0].name = slice_of(name);
	wbuf_init(&w, IMSG_BODY_MAX);
	span_pack(&tree, &w);
	assert_int_equal(otlp_take(s, w.data, w.len), 0);
	wbuf_free(&w);
}

static size_t
count(const char *name)
{
	char		 what[64];
	const char	*p = text;
	size_t		 n = 0;

	snprintf(what, sizeof(what), "\"name\":\"%s", name);
	while ((p = strstr(p, what)) != NULL) {
		n++;
		p++;
	}
	return (n);
}

static void
flushed(void)
{
	flushes++;
}

static int
setup(void **state)
{
	static struct event_base	*base;

	(void)state;
	if (base == NULL) {
		log_set_sink(to_said, NULL);
		if ((base = event_base_new()) == NULL)
			return (-1);
		otlp_setup(base);
	}
	otlp_configure(&conf);
	posts = cancelled = flushes = 0;
	said[0] = '\0';
	return (0);
}

/* One that floods drops its own, the oldest first. */
static void
test_fair(void **state)
{
	struct otlp_source	*loud = otlp_source_new(),
				*calm = otlp_source_new();
	size_t			 i, n_loud = 0, n_calm = 0, last = 0;
	char			 name[32];

	(void)state;
	for (i = 0; i < 10; i++)
		take(calm, "calm");
	for (i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "loud %zu.", i);
		take(loud, name);
	}
	for (i = 0; i < 10; i++)
		take(calm, "calm");
	/* gone with what it has */
	otlp_source_leave(loud);
	while (done != NULL) {
		n_loud += count("loud");
		n_calm += count("calm");
		assert_true(count("") <= 513 + 1);
		last += count("loud 19999.");
		answer(200, "{}");
	}
	assert_int_equal(n_calm, 20);
	assert_true(n_loud > 8000 && n_loud < 9000);
	assert_int_equal(last, 1);
	assert_non_null(strstr(said, "telemetry.dropped;"));
	otlp_source_leave(calm);
	/* each is exported or lost, once */
	assert_true(stats_get(&stats->n[STATS_SPANS_EXPORTED]) ==
	    n_loud + n_calm);
	assert_true(stats_get(&stats->n[STATS_SPANS_LOST]) ==
	    20020 - n_loud - n_calm);
	assert_true(stats_get(&stats->n[STATS_EXPORTS]) == posts);
	assert_true(stats_get(&stats->g[STATS_G_SPANS_QUEUED]) == 0);
}

static void
test_flush(void **state)
{
	struct otlp_source	*s = otlp_source_new();

	(void)state;
	otlp_flush(1000, flushed);
	assert_int_equal(flushes, 1);
	take(s, "a");
	take(s, "b");
	assert_null(done);
	otlp_flush(1000, flushed);
	assert_int_equal(count("a") + count("b"), 2);
	assert_int_equal(flushes, 1);
	/* there is no time to try again */
	answer(503, "");
	assert_int_equal(flushes, 2);
	assert_int_equal(posts, 1);
	otlp_source_leave(s);
}

/* With nowhere to go nothing is kept. */
static void
test_off(void **state)
{
	struct conf_telemetry	 off = { .delay_ms = 1 };
	struct otlp_source	*s = otlp_source_new();
	size_t			 i;

	(void)state;
	for (i = 0; i < 600; i++)
		take(s, "a");
	assert_int_equal(posts, 1);
	otlp_configure(&off);
	assert_int_equal(cancelled, 1);
	take(s, "a");
	otlp_flush(1000, flushed);
	assert_int_equal(flushes, 1);
	otlp_configure(&conf);
	for (i = 0; i < 512; i++)
		take(s, "b");
	assert_int_equal(posts, 2);
	assert_int_equal(count("a"), 0);
	assert_int_equal(count("b"), 512);
	answer(200, "{}");
	otlp_source_leave(s);
}

static void
fill(struct otlp_source *s)
{
	size_t	 i;

	for (i = 0; i < 512; i++)
		take(s, "a");
}

/* What is said of failures, and what becomes of a batch. */
static void
test_failures(void **state)
{
	static const struct {
		long		 status;
		const char	*body;
		const char	*said;
		int		 kept;	/* it is sent again */
	} t[] = {
		{ 200, "{}", "", 0 }, { 202, "", "", 0 },
		{ 200, "{\"partialSuccess\":{\"rejectedSpans\":\"3\"}}",
		    "telemetry.rejected;", 0 },
		{ 200, "{\"partialSuccess\":{\"rejectedSpans\":3,"
		    "\"errorMessage\":\"x\"}}", "telemetry.rejected;", 0 },
		{ 200, "{\"partialSuccess\":{\"rejectedSpans\":\"0\"}}", "",
		    0 },
		{ 200, "{\"partialSuccess\":[]}", "", 0 },
		{ 200, "<html>", "", 0 },
		{ 400, "", "telemetry.failed;", 0 },
		{ 301, "", "telemetry.failed;", 0 },
		{ 500, "", "telemetry.failed;", 0 },
		{ 429, "", "telemetry.failed;", 1 },
		{ 502, "", "telemetry.failed;", 1 },
		{ 503, "", "telemetry.failed;", 1 },
		{ 504, "", "telemetry.failed;", 1 },
		{ 0, "", "telemetry.failed;", 1 }
	};
	struct otlp_source	*s = otlp_source_new();
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		otlp_configure(NULL);
		(void)setup(NULL);
		fill(s);
		assert_int_equal(posts, 1);
		answer(t[i].status, t[i].body);
		assert_string_equal(said, t[i].said);
		/* whoever waits for another try sends nothing else */
		fill(s);
		assert_int_equal(posts, t[i].kept ? 1 : 2);
		if (!t[i].kept)
			answer(200, "{}");
	}
	otlp_configure(NULL);
	otlp_source_leave(s);
}

static void
test_no_span(void **state)
{
	struct otlp_source	*s = otlp_source_new();

	(void)state;
	assert_int_equal(otlp_take(s, "", 0), -1);
	assert_int_equal(otlp_take(s, text, 200), -1);
	otlp_source_leave(s);
	otlp_source_leave(NULL);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(test_fair, setup),
		cmocka_unit_test_setup(test_flush, setup),
		cmocka_unit_test_setup(test_off, setup),
		cmocka_unit_test_setup(test_failures, setup),
		cmocka_unit_test_setup(test_no_span, setup)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
