/*
 * worker/upstream/response.c: what it makes of an answer is the same wherever reads cut
 * it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/upstream/response.h"

/* What it told: a letter for each callback, with what came. */
struct told {
	struct response	 rs;
	char		 body[256];
	size_t		 len;
	int		 status;
	int		 heads;
	int		 done;
	size_t		 excess;
	int		 failed;	/* 1; 2: malformed */
	char		 why[128];
	int		 stop;		/* the owner ends it at the head */
};

static void
got_head(void *arg, const struct http1_head *h)
{
	struct told	*t = arg;

	t->status = h->status;
	t->heads++;
	t->rs.over = t->stop;
}

static void
got_data(void *arg, const char *p, size_t len)
{
	struct told	*t = arg;

	assert_true(len > 0 && len < sizeof(t->body) - t->len);
	assert_int_equal(t->heads, 1);
	assert_false(t->rs.over);
	memcpy(t->body + t->len, p, len);
	t->len += len;
}

static void
got_all(void *arg, size_t excess)
{
	struct told	*t = arg;

	t->done++;
	t->excess = excess;
	t->rs.over = 1;
}

static void
got_wrong(void *arg, int malformed, const char *why)
{
	struct told	*t = arg;

	t->failed = 1 + malformed;
	(void)snprintf(t->why, sizeof(t->why), "%s", why);
	t->rs.over = 1;
}

static const struct response_cb callbacks = {
	.head = got_head,
	.data = got_data,
	.done = got_all,
	.fail = got_wrong
};

/* Feed it in parts of so many bytes, the first of them of another length. */
static void
feed(struct told *t, const char *method, const char *text, size_t first,
    size_t step)
{
	size_t	 n = strlen(text), at = 0, len = first;

	response_init(&t->rs, method, &callbacks, t);
	while (at < n && !t->rs.over) {
		if (len > n - at)
			len = n - at;
		response_feed(&t->rs, text + at, len);
		at += len;
		len = step;
	}
	if (t->done)
		t->excess += n - at;
	response_free(&t->rs);
}

static const struct {
	const char	*method;
	const char	*text;
	int		 status;
	const char	*body;
	int		 done;
	size_t		 excess;
	int		 failed;
	int		 keepalive;
	int		 ends;		/* with the connection */
} cases[] = {
	{ "POST", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
	    200, "body", 1, 0, 0, 1, 0 },
	{ "POST", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyxyz",
	    200, "body", 1, 3, 0, 1, 0 },
	{ "POST", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
	    202, "", 1, 0, 0, 1, 0 },
	{ "POST", "HTTP/1.1 204 None\r\n\r\n", 204, "", 1, 0, 0, 1, 0 },
	{ "POST", "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n"
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
	    200, "ab", 1, 0, 0, 1, 0 },
	{ "POST", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n",
	    200, "abcde", 1, 0, 0, 1, 0 },
	{ "POST", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\nz\r\n", 200, "abc", 0, 0, 2, 1, 0 },
	{ "POST", "HTTP/1.1 200 OK\r\n\r\nuntil the end",
	    200, "until the end", 0, 0, 0, 0, 1 },
	{ "POST", "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	    "Content-Length: 1\r\n\r\nx", 200, "x", 1, 0, 0, 0, 0 },
	{ "POST", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
	    0, "", 0, 0, 2, 0, 0 },
	{ "POST", "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n"
	    "Content-Length: 0\r\n\r\n", 0, "", 0, 0, 2, 0, 0 },
	{ "POST", "HTTP/1.1 200 OK\r\nConnection: Content-Type\r\n"
	    "Content-Type: a/b\r\nContent-Length: 0\r\n\r\n",
	    0, "", 0, 0, 2, 0, 0 },
	{ "POST", "SSH-2.0\r\n\r\n", 0, "", 0, 0, 2, 0, 0 }
};

static void
test_wherever_it_is_cut(void **state)
{
	struct told	 t;
	size_t		 i, first, step;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (first = 1; first <= strlen(cases[i].text); first++)
			for (step = 1; step <= 300; step += 299) {
				memset(&t, 0, sizeof(t));
				feed(&t, cases[i].method, cases[i].text,
				    first, step);
				assert_int_equal(t.status, cases[i].status);
				assert_int_equal(t.len,
				    strlen(cases[i].body));
				assert_memory_equal(t.body, cases[i].body,
				    t.len);
				assert_int_equal(t.done, cases[i].done);
				assert_int_equal(t.excess, cases[i].excess);
				assert_int_equal(t.failed, cases[i].failed);
				assert_int_equal(t.rs.keepalive,
				    cases[i].keepalive);
				assert_int_equal(response_ends(&t.rs),
				    cases[i].ends);
			}
}

/* Who hears of the head may end it there: nothing follows. */
static void
test_ended_at_the_head(void **state)
{
	struct told	 t;

	(void)state;
	memset(&t, 0, sizeof(t));
	t.stop = 1;
	feed(&t, "POST", cases[0].text, strlen(cases[0].text), 1);
	assert_int_equal(t.heads, 1);
	assert_int_equal(t.len, 0);
	assert_int_equal(t.done, 0);
}

static void
test_too_many_interim(void **state)
{
	struct told	 t;
	int		 i;

	(void)state;
	memset(&t, 0, sizeof(t));
	response_init(&t.rs, "GET", &callbacks, &t);
	for (i = 0; i < 256; i++)
		response_feed(&t.rs, "HTTP/1.1 100 C\r\n\r\n", 18);
	assert_int_equal(t.failed, 0);
	response_feed(&t.rs, "HTTP/1.1 100 C\r\n\r\n", 18);
	assert_int_equal(t.failed, 1);
	assert_int_equal(t.heads, 0);
	response_free(&t.rs);
}

/* 64 KiB of heads, those before the last one among them. */
static void
test_too_long(void **state)
{
	static char	 head[40 * 1024];
	struct told	 t;
	size_t		 n;

	(void)state;
	memset(head, 'x', sizeof(head));
	memcpy(head, "HTTP/1.1 100 C\r\nA: ", 19);
	memcpy(head + sizeof(head) - 4, "\r\n\r\n", 4);
	memset(&t, 0, sizeof(t));
	response_init(&t.rs, "GET", &callbacks, &t);
	response_feed(&t.rs, head, sizeof(head));
	assert_int_equal(t.failed, 0);
	for (n = 0; n < sizeof(head) && !t.rs.over; n += 1024)
		response_feed(&t.rs, head + n, 1024);
	assert_int_equal(t.failed, 2);
	assert_true(t.rs.in.cap <= 64 * 1024);
	response_free(&t.rs);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_wherever_it_is_cut),
		cmocka_unit_test(test_ended_at_the_head),
		cmocka_unit_test(test_too_many_interim),
		cmocka_unit_test(test_too_long)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
