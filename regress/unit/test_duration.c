/*
 * config/duration.h: what is accepted, what is refused and why, and that the
 * formatters write what the parsers read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/duration.h"

struct row {
	const char		*text;
	enum quantity_error	 error;
	uint64_t		 value;
};

static const struct row durations[] = {
	{ "0s", QUANTITY_OK, 0 },
	{ "0ms", QUANTITY_OK, 0 },
	{ "1ms", QUANTITY_OK, 1 },
	{ "300ms", QUANTITY_OK, 300 },
	{ "30s", QUANTITY_OK, 30000 },
	{ "5m", QUANTITY_OK, 300000 },
	{ "2h", QUANTITY_OK, 7200000 },
	{ "007s", QUANTITY_OK, 7000 },
	{ "18446744073709551615ms", QUANTITY_OK, UINT64_MAX },
	{ "18446744073709551616ms", QUANTITY_RANGE, 0 },
	{ "18446744073709551615s", QUANTITY_RANGE, 0 },
	{ "5124095576031h", QUANTITY_RANGE, 0 },
	{ "99999999999999999999999999h", QUANTITY_RANGE, 0 },
	{ "99999999999999999999999999", QUANTITY_NO_UNIT, 0 },
	{ "30", QUANTITY_NO_UNIT, 0 },
	{ "0", QUANTITY_NO_UNIT, 0 },
	{ "", QUANTITY_FORM, 0 },
	{ "s", QUANTITY_FORM, 0 },
	{ "1d", QUANTITY_FORM, 0 },
	{ "1S", QUANTITY_FORM, 0 },
	{ "1 s", QUANTITY_FORM, 0 },
	{ " 1s", QUANTITY_FORM, 0 },
	{ "1s ", QUANTITY_FORM, 0 },
	{ "-1s", QUANTITY_FORM, 0 },
	{ "+1s", QUANTITY_FORM, 0 },
	{ "1.5s", QUANTITY_FORM, 0 },
	{ "1h30m", QUANTITY_FORM, 0 },
	{ "0x1s", QUANTITY_FORM, 0 },
	{ "1us", QUANTITY_FORM, 0 },
	{ "off", QUANTITY_FORM, 0 },
	{ NULL, QUANTITY_OK, 0 }
};

static const struct row sizes[] = {
	{ "0", QUANTITY_OK, 0 },
	{ "1", QUANTITY_OK, 1 },
	{ "16KiB", QUANTITY_OK, 16384 },
	{ "4MiB", QUANTITY_OK, 4194304 },
	{ "256MiB", QUANTITY_OK, 268435456 },
	{ "1GiB", QUANTITY_OK, 1073741824 },
	{ "18446744073709551615", QUANTITY_OK, UINT64_MAX },
	{ "18446744073709551616", QUANTITY_RANGE, 0 },
	{ "17179869184GiB", QUANTITY_RANGE, 0 },
	{ "17179869183GiB", QUANTITY_OK, 17179869183ULL << 30 },
	{ "4MB", QUANTITY_FORM, 0 },
	{ "4M", QUANTITY_FORM, 0 },
	{ "4 MiB", QUANTITY_FORM, 0 },
	{ "4mib", QUANTITY_FORM, 0 },
	{ "-4", QUANTITY_FORM, 0 },
	{ "MiB", QUANTITY_FORM, 0 },
	{ "", QUANTITY_FORM, 0 },
	{ NULL, QUANTITY_OK, 0 }
};

static void
check(const struct row *rows, enum quantity_error (*parse)(const char *,
    uint64_t *))
{
	const struct row	*r;
	enum quantity_error	 error;
	uint64_t		 value;

	for (r = rows; r->text != NULL; r++) {
		value = 12345;
		error = parse(r->text, &value);
		if (error != r->error)
			fail_msg("\"%s\": error %d, expected %d", r->text,
			    error, r->error);
		if (value != (error == QUANTITY_OK ? r->value : 12345))
			fail_msg("\"%s\": %llu", r->text,
			    (unsigned long long)value);
	}
}

static void
test_duration(void **state)
{
	(void)state;
	check(durations, duration_parse);
}

static void
test_size(void **state)
{
	(void)state;
	check(sizes, size_parse);
}

static void
test_number(void **state)
{
	uint64_t	 n = 7;

	(void)state;
	assert_int_equal(number_parse("42", &n), QUANTITY_OK);
	assert_int_equal(n, 42);
	assert_int_equal(number_parse("42s", &n), QUANTITY_FORM);
	assert_int_equal(number_parse("", &n), QUANTITY_FORM);
	assert_int_equal(number_parse("18446744073709551616", &n),
	    QUANTITY_RANGE);
	assert_int_equal(n, 42);
}

static void
test_format(void **state)
{
	static const uint64_t	 values[] = { 0, 1, 999, 1000, 1001, 60000,
	    90000, 3600000, 5400000, 1024, 1536, 1048576, UINT64_MAX };
	char			 buf[QUANTITY_STRLEN];
	uint64_t		 back;
	size_t			 i;

	(void)state;
	assert_string_equal(duration_format(90000, buf), "90s");
	assert_string_equal(duration_format(300000, buf), "5m");
	assert_string_equal(duration_format(7200000, buf), "2h");
	assert_string_equal(duration_format(1500, buf), "1500ms");
	assert_string_equal(size_format(4194304, buf), "4MiB");
	assert_string_equal(size_format(1500, buf), "1500");
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_int_equal(duration_parse(duration_format(values[i],
		    buf), &back), QUANTITY_OK);
		assert_true(back == values[i]);
		assert_int_equal(size_parse(size_format(values[i], buf),
		    &back), QUANTITY_OK);
		assert_true(back == values[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_format),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
