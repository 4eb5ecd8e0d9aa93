/*
 * common/wire.h: what is put comes out again, and nothing is read or written
 * beyond a bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

/* One of everything. */
static void
put_all(struct wbuf *w)
{
	wire_put_u8(w, 0xfe);
	wire_put_u16(w, 0xfedc);
	wire_put_u32(w, 0xfedcba98);
	wire_put_u64(w, 0xfedcba9876543210);
	wire_put_bytes(w, "a\0b", 3);
	wire_put_str(w, "caf\xc3\xa9");
	wire_put_str(w, NULL);
	wire_put_str(w, "");
	wire_put_str(w, "short");
	wire_put_u32(w, 7);
}

/* 1 when all of it came out right. */
static int
get_all(struct rbuf *r)
{
	const uint8_t	*p;
	size_t		 n;
	char		*a, *b, *c, small[6];
	int		 ok;

	ok = wire_get_u8(r) == 0xfe;
	ok &= wire_get_u16(r) == 0xfedc;
	ok &= wire_get_u32(r) == 0xfedcba98;
	ok &= wire_get_u64(r) == 0xfedcba9876543210;
	p = wire_get_bytes(r, 3, &n);
	ok &= p != NULL && n == 3 && memcmp(p, "a\0b", 3) == 0;
	a = wire_get_str(r, 5);
	b = wire_get_str(r, 5);
	c = wire_get_str(r, 0);
	ok &= a != NULL && strcmp(a, "caf\xc3\xa9") == 0 && b == NULL &&
	    c != NULL && c[0] == '\0';
	wire_get_cstr(r, small, sizeof(small));
	ok &= strcmp(small, "short") == 0;
	ok &= wire_get_count(r, 7) == 7;
	free(a);
	free(b);
	free(c);
	return (ok && wire_end(r) == 0);
}

static void
test_round_trip(void **state)
{
	struct wbuf	 w;
	struct rbuf	 r;

	(void)state;
	wbuf_init(&w, 4096);
	put_all(&w);
	assert_false(w.failed);
	rbuf_init(&r, w.data, w.len);
	assert_true(get_all(&r));
	wbuf_free(&w);
	assert_null(w.data);
}

/* Cut anywhere, it fails; the copy is as long as the cut, so that a sanitizer
 * sees a read beyond it. */
static void
test_every_cut_fails(void **state)
{
	struct wbuf	 w;
	struct rbuf	 r;
	uint8_t		*cut;
	size_t		 n;

	(void)state;
	wbuf_init(&w, 4096);
	put_all(&w);
	for (n = 0; n < w.len; n++) {
		assert_non_null(cut = malloc(n + 1));
		memcpy(cut + 1, w.data, n);
		rbuf_init(&r, cut + 1, n);
		assert_false(get_all(&r));
		assert_true(r.failed);
		assert_int_equal(wire_end(&r), -1);
		free(cut);
	}
	wbuf_free(&w);
}

static void
test_bytes_behind_fail(void **state)
{
	struct rbuf	 r;

	(void)state;
	rbuf_init(&r, "\1\2", 2);
	assert_int_equal(wire_get_u8(&r), 1);
	assert_false(r.failed);
	assert_int_equal(wire_end(&r), -1);
}

static void
test_errors_stick(void **state)
{
	struct rbuf	 r;
	size_t		 n = 9;

	(void)state;
	rbuf_init(&r, "\1\2\3", 3);
	assert_int_equal(wire_get_u32(&r), 0);
	assert_true(r.failed);
	/* there would be a byte */
	assert_int_equal(wire_get_u8(&r), 0);
	assert_null(wire_get_bytes(&r, 10, &n));
	assert_int_equal(n, 0);
	assert_null(wire_get_str(&r, 10));
	assert_int_equal(wire_get_count(&r, 10), 0);
	assert_int_equal(wire_end(&r), -1);
}

/* Lengths that a hostile sender would choose. */
static void
test_hostile_lengths(void **state)
{
	static const uint32_t	 lengths[] = { 5, 4096, INT32_MAX,
				    0x80000000, UINT32_MAX - 1, UINT32_MAX };
	uint8_t			 body[8];
	char			 out[8];
	struct rbuf		 r;
	size_t			 i, n;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memcpy(body, &lengths[i], 4);
		memcpy(body + 4, "abcd", 4);
		rbuf_init(&r, body, sizeof(body));
		assert_null(wire_get_bytes(&r, SIZE_MAX, &n));
		assert_true(r.failed);
		rbuf_init(&r, body, sizeof(body));
		assert_null(wire_get_str(&r, SIZE_MAX));
		/* the greatest one means that there is no string */
		assert_int_equal(r.failed, lengths[i] != UINT32_MAX);
		rbuf_init(&r, body, sizeof(body));
		wire_get_cstr(&r, out, sizeof(out));
		assert_true(r.failed);
		assert_string_equal(out, "");
	}
}

static void
test_strings_are_bounded(void **state)
{
	struct wbuf	 w;
	struct rbuf	 r;
	char		 out[4];
	size_t		 n;

	(void)state;
	wbuf_init(&w, 64);
	wire_put_str(&w, "abcd");
	rbuf_init(&r, w.data, w.len);
	assert_null(wire_get_str(&r, 3));
	assert_true(r.failed);
	rbuf_init(&r, w.data, w.len);
	assert_null(wire_get_bytes(&r, 3, &n));
	assert_true(r.failed);
	/* the NUL needs room too */
	rbuf_init(&r, w.data, w.len);
	wire_get_cstr(&r, out, sizeof(out));
	assert_true(r.failed);
	assert_string_equal(out, "");
	wbuf_free(&w);
}

static void
test_no_nul_in_strings(void **state)
{
	struct wbuf	 w;
	struct rbuf	 r;
	char		 out[8];

	(void)state;
	wbuf_init(&w, 64);
	wire_put_bytes(&w, "a\0b", 3);
	rbuf_init(&r, w.data, w.len);
	assert_null(wire_get_str(&r, 8));
	assert_true(r.failed);
	rbuf_init(&r, w.data, w.len);
	wire_get_cstr(&r, out, sizeof(out));
	assert_true(r.failed);
	assert_string_equal(out, "");
	wbuf_free(&w);
}

static void
test_counts_are_bounded(void **state)
{
	uint32_t	 n = 8;
	struct rbuf	 r;

	(void)state;
	rbuf_init(&r, &n, sizeof(n));
	assert_int_equal(wire_get_count(&r, 8), 8);
	assert_int_equal(wire_end(&r), 0);
	rbuf_init(&r, &n, sizeof(n));
	assert_int_equal(wire_get_count(&r, 7), 0);
	assert_int_equal(wire_end(&r), -1);
}

static void
test_never_beyond_max(void **state)
{
	struct wbuf	 w;
	size_t		 i;

	(void)state;
	wbuf_init(&w, 1000);
	for (i = 0; i < 1000; i++)
		wire_put_u8(&w, (uint8_t)i);
	assert_false(w.failed);
	assert_int_equal(w.len, 1000);
	assert_true(w.cap <= 1000);
	for (i = 0; i < 1000; i++)
		assert_int_equal(w.data[i], (uint8_t)i);
	wire_put_u8(&w, 1);
	assert_true(w.failed);
	assert_int_equal(w.len, 1000);
	wbuf_free(&w);

	/* what does not fit is not put in part, and nothing follows it */
	wbuf_init(&w, 8);
	wire_put_u32(&w, 1);
	wire_put_u64(&w, 2);
	assert_true(w.failed);
	wire_put_u8(&w, 3);
	assert_int_equal(w.len, 4);
	wbuf_free(&w);

	wbuf_init(&w, 0);
	wire_put_u8(&w, 1);
	assert_true(w.failed);
	assert_null(w.data);
	wbuf_free(&w);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_cut_fails),
		cmocka_unit_test(test_bytes_behind_fail),
		cmocka_unit_test(test_errors_stick),
		cmocka_unit_test(test_hostile_lengths),
		cmocka_unit_test(test_strings_are_bounded),
		cmocka_unit_test(test_no_nul_in_strings),
		cmocka_unit_test(test_counts_are_bounded),
		cmocka_unit_test(test_never_beyond_max),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
