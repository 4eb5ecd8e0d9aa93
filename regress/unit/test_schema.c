/*
 * common/schema.h: what follows from the rows of a struct.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/schema.h"

struct part {
	char		*name;
	uint16_t	 port;
};

struct whole {
	int		 flag;
	int		 number;
	uint8_t		 small;
	uint64_t	 size;
	uint64_t	 time;
	int64_t		 when;
	uint64_t	 local;
	char		*text;
	char		*secret;
	char		 label[8];
	uint8_t		 key[4];
	uint8_t		 salt[8];
	uint32_t	 nsalt;
	char		**words;
	size_t		 nwords;
	struct part	*parts;
	size_t		 nparts;
	struct part	 one;
};

static const struct schema_row part_rows[] = {
	ROW_STR(struct part, name, "name", FORM_TEXT, SCHEMA_VISIBLE, 16),
	ROW_NUMBER(struct part, port, U16, "port", 0, 1, 65535, 80),
};
static const struct schema part_schema = SCHEMA_OF(part, part_rows, NULL);

static const struct schema_row whole_rows[] = {
#define S struct whole
	ROW_FLAG(S, flag, "flag", 1),
	ROW_NUMBER(S, number, INT, "number", 0, 0, 10, 3),
	ROW_NUMBER(S, small, U8, "small", 0, 1, 200, 7),
	ROW_SIZE(S, size, "size", 10, 1000, 100),
	ROW_TIME(S, time, "time", SCHEMA_OFF, 100, 1000, 500),
	ROW_NUMBER(S, when, I64, "when", 0, 0, INT64_MAX, 0),
	ROW_NUMBER(S, local, U64, "local", SCHEMA_LOCAL, 0, 10, 5),
	ROW_STR(S, text, "text", FORM_TEXT, SCHEMA_LINE, 16),
	ROW_STR(S, secret, "secret", FORM_TEXT, SCHEMA_SECRET | SCHEMA_ABSENT,
	    16),
	ROW_TEXT(S, label, SCHEMA_EMPTY),
	ROW_BYTES(S, key, 0),
	ROW_OCTETS(S, salt, nsalt, 0, 2),
	ROW_STRINGS(S, words, nwords, "words", SCHEMA_VISIBLE, 1, 3),
	ROW_ARRAY(S, parts, nparts, "parts", 0, 2, &part_schema),
	ROW_STRUCT(S, one, &part_schema),
#undef S
};

static int
whole_sane(const void *p)
{
	const struct whole	*w = p;

	return (w->number != 9 || w->flag);
}

static const struct schema whole_schema =
	SCHEMA_OF(whole, whole_rows, whole_sane);

static char		*words[] = { "a", "b" };
static struct part	 parts[] = { { "x", 1 }, { "y", 2 } };

static struct whole
sample(void)
{
	struct whole	 w;

	schema_defaults(&whole_schema, &w);
	w.text = "some text";
	w.secret = "hush";
	strcpy(w.label, "seven77");
	memcpy(w.key, "\0\1\2\3", 4);
	memcpy(w.salt, "salt", 4);
	w.nsalt = 4;
	w.words = words;
	w.nwords = 2;
	w.parts = parts;
	w.nparts = 2;
	w.one.name = "one";
	return (w);
}

static struct whole *
travel(const struct whole *w)
{
	struct whole	*back;
	struct wbuf	 b;

	wbuf_init(&b, 1 << 16);
	schema_pack(&whole_schema, w, &b);
	assert_false(b.failed);
	back = schema_unpack(&whole_schema, b.data, b.len);
	wbuf_free(&b);
	return (back);
}

static void
test_defaults(void **state)
{
	struct whole	 w;

	(void)state;
	memset(&w, 0xff, sizeof(w));
	schema_defaults(&whole_schema, &w);
	assert_int_equal(w.flag, 1);
	assert_int_equal(w.number, 3);
	assert_int_equal(w.small, 7);
	assert_int_equal(w.size, 100);
	assert_int_equal(w.time, 500);
	assert_int_equal(w.local, 5);
	assert_int_equal(w.one.port, 80);
	assert_null(w.text);
	assert_int_equal(w.nparts, 0);
}

static void
test_journey(void **state)
{
	struct whole	 w = sample(), *x;

	(void)state;
	w.time = 0;			/* off */
	w.when = INT64_MAX;
	assert_null(schema_check(&whole_schema, &w));
	assert_non_null(x = travel(&w));
	assert_int_equal(x->local, 0);	/* stays where it was */
	x->local = w.local;
	assert_true(schema_equal(&whole_schema, &w, x));
	assert_string_equal(x->parts[1].name, "y");
	assert_int_equal(x->when, INT64_MAX);
	schema_free(&whole_schema, x);
	schema_free(&whole_schema, NULL);
}

/* Each value that no bound or rule allows is found by its key. */
static void
test_refused(void **state)
{
	struct whole	 w;
	char		*many[] = { "a", "b", "c", "d" }, *spaced[] = { "a b" };
	struct part	 bad[] = { { "x", 0 } };

	(void)state;
#define REFUSED(change, key) do {					\
	w = sample();							\
	change;								\
	if (schema_check(&whole_schema, &w) == NULL)			\
		fail_msg("good: %s", #change);				\
	assert_string_equal(schema_check(&whole_schema, &w), key);	\
	assert_null(travel(&w));					\
} while (0)
	REFUSED(w.number = 11, "number");
	REFUSED(w.number = -1, "number");
	REFUSED(w.small = 0, "small");
	REFUSED(w.small = 201, "small");
	REFUSED(w.size = 9, "size");
	REFUSED(w.size = 0, "size");
	REFUSED(w.time = 99, "time");
	REFUSED(w.time = UINT64_MAX, "time");
	REFUSED(w.when = -1, "when");
	REFUSED(w.text = NULL, "text");
	REFUSED(w.text = "", "text");
	REFUSED(w.text = "a\nb", "text");
	REFUSED(w.secret = "", "secret");
	REFUSED(w.nsalt = 1, "whole");
	REFUSED(w.nwords = 0, "words");
	REFUSED((w.words = many, w.nwords = 4), "words");
	REFUSED((w.words = spaced, w.nwords = 1), "words");
	REFUSED((w.parts = bad, w.nparts = 1), "parts");
	REFUSED(w.one.port = 0, "whole");
	REFUSED(w.one.name = NULL, "whole");
	REFUSED((w.number = 9, w.flag = 0), "whole");
#undef REFUSED
	/* too long to travel, though it may stand where it was made */
	w = sample();
	w.text = "seventeen bytes..";
	assert_null(travel(&w));
}

static void
test_equal(void **state)
{
	struct whole	 a = sample(), b;
	char		*others[] = { "a", "c" };
	struct part	 other[] = { { "x", 1 }, { "z", 2 } };

	(void)state;
#define DIFFERS(change) do {						\
	b = sample();							\
	assert_true(schema_equal(&whole_schema, &a, &b));		\
	change;								\
	if (schema_equal(&whole_schema, &a, &b))			\
		fail_msg("the same: %s", #change);			\
} while (0)
	DIFFERS(b.flag = 0);
	DIFFERS(b.small = 8);
	DIFFERS(b.local = 6);
	DIFFERS(b.text = "another");
	DIFFERS(b.secret = NULL);
	DIFFERS(b.label[0] = 'S');
	DIFFERS(b.key[0] = 1);
	DIFFERS(b.nsalt = 3);
	DIFFERS(b.words = others);
	DIFFERS(b.nwords = 1);
	DIFFERS(b.parts = other);
	DIFFERS(b.one.port = 81);
#undef DIFFERS
}

/* Cut anywhere, or any byte another: nothing worse than NULL (ASan watches). */
static void
test_bytes(void **state)
{
	struct whole	 w = sample();
	struct wbuf	 b;
	uint8_t		*copy;
	size_t		 i;

	(void)state;
	wbuf_init(&b, 1 << 16);
	schema_pack(&whole_schema, &w, &b);
	for (i = 0; i < b.len; i++) {
		assert_non_null(copy = malloc(i + 1));
		memcpy(copy, b.data, i);
		assert_null(schema_unpack(&whole_schema, copy, i));
		free(copy);
		b.data[i] ^= 0xff;
		schema_free(&whole_schema,
		    schema_unpack(&whole_schema, b.data, b.len));
		b.data[i] ^= 0xff;
	}
	/* another struct's layout */
	assert_null(schema_unpack(&part_schema, b.data, b.len));
	wbuf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_journey),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_bytes),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
