/*
 * worker/wire/http1_keep.c: fields outlive what they were read from, but for those
 * that nobody wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/wire/http1_keep.h"

static int
no_credential(const struct http1_field *f)
{
	return (f->id != HTTP1_AUTHORIZATION);
}

static int
nothing(const struct http1_field *f)
{
	(void)f;
	return (0);
}

static void
parse(struct http1_head *h, char *text, size_t len)
{
	const char	*why;

	assert_int_equal(http1_parse_request(h, text, len, &why), 0);
}

static void
test_outlives(void **state)
{
	char			 text[] = "POST /mcp?a=b HTTP/1.0\r\nHost: h\r\n"
				    "Authorization: Bearer secret\r\n"
				    "Via: 1\r\nX-Empty:\r\nVia: 2\r\n\r\n";
	struct http1_head	 h;
	struct http1_kept	 k = { 0 };
	const struct http1_head	*got;

	(void)state;
	parse(&h, text, sizeof(text) - 1);
	assert_int_equal(http1_keep(&k, &h, no_credential), 0);
	assert_null(memmem(k.all.p, k.all.cap, "secret", 6));
	memset(text, 'x', sizeof(text));
	memset(&h, 'x', sizeof(h));
	got = http1_kept_head(&k);
	assert_int_equal(got->nfield, 4);
	assert_int_equal(got->minor, 0);
	assert_true(slice_is(got->query, "a=b"));
	assert_true(slice_is(http1_value(got, HTTP1_HOST), "h"));
	assert_int_equal(got->count[HTTP1_VIA], 2);
	assert_true(slice_is(http1_value(got, HTTP1_VIA), "1"));
	assert_true(slice_is(got->field[2].name, "X-Empty"));
	assert_int_equal(got->field[2].value.len, 0);
	assert_true(slice_is(got->field[3].value, "2"));
	assert_int_equal(got->count[HTTP1_AUTHORIZATION], 0);
	assert_null(http1_value(got, HTTP1_AUTHORIZATION).p);
	http1_kept_free(&k);
	assert_int_equal(k.all.cap, 0);
	assert_int_equal(http1_kept_head(&k)->nfield, 0);
	assert_null(http1_kept_head(&k)->query.p);
	http1_kept_free(&k);
}

/* The second takes the place of the first. */
static void
test_nothing_and_again(void **state)
{
	char			 text[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
	struct http1_head	 h;
	struct http1_kept	 k = { 0 };

	(void)state;
	parse(&h, text, sizeof(text) - 1);
	assert_int_equal(http1_keep(&k, &h, no_credential), 0);
	assert_int_equal(http1_keep(&k, &h, nothing), 0);
	assert_int_equal(http1_kept_head(&k)->nfield, 0);
	assert_int_equal(http1_kept_head(&k)->count[HTTP1_HOST], 0);
	assert_int_equal(http1_kept_head(&k)->minor, 1);
	http1_kept_free(&k);
	assert_int_equal(buf_total(), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_outlives),
		cmocka_unit_test(test_nothing_and_again)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
