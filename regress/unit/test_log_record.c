/*
 * common/log_record.h, log_fold.h: both spellings of an event, whoever chose
 * its bytes, and what is said again and again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "common/json.h"
#include "common/log.h"
#include "common/log_fold.h"

static const struct log_head	 head = { "worker 0 (g1)", "T", 0 };
static struct log_record	 r;
static char			 line[LOG_LINE_MAX];
static char			 said[4096];	/* what fold wrote */

static void
fresh(const char *event, const char *text)
{
	log_record_init(&r, LOG_WARNING, event);
	log_record_words(&r, text);
}

/* One line, whole, and JSON where it is to be. */
static void
as_text(const char *want)
{
	size_t	 n = log_record_line(&r, &head, line);

	assert_int_equal(strlen(line), n);
	assert_int_equal(line[n - 1], '\n');
	line[n - 1] = '\0';
	if (want != NULL)
		assert_string_equal(line, want);
}

static void
as_json(const char *want)
{
	size_t	 n = log_record_json(&r, &head, line);

	assert_int_equal(strlen(line), n);
	assert_int_equal(line[n - 1], '\n');
	line[n - 1] = '\0';
	assert_int_equal(json_check(line, n - 1), JSON_OK);
	if (want != NULL)
		assert_string_equal(line, want);
}

static void
test_both_spellings(void **state)
{
	(void)state;
	fresh("child.exited", "it ended");
	assert_int_equal(log_record_add(&r, "child", "worker", 0), 0);
	assert_int_equal(log_record_add(&r, "status", "-1", 1), 0);
	assert_int_equal(log_record_add(&r, "one", "1", 0), 0);
	as_text("T warn worker 0 (g1): it ended event=child.exited "
	    "child=worker status=-1 one=1");
	as_json("{\"ts\":\"T\",\"level\":\"warning\",\"process\":"
	    "\"worker 0 (g1)\",\"event\":\"child.exited\",\"msg\":"
	    "\"it ended\",\"child\":\"worker\",\"status\":-1,\"one\":\"1\"}");
}

static void
test_journal(void **state)
{
	const struct log_head	 h = { "master", NULL, 1 };

	(void)state;
	fresh("a.b", "x");
	r.pri = LOG_ERR;
	log_record_line(&r, &h, line);
	assert_string_equal(line, "<3>master: x event=a.b\n");
}

/* A value is quoted unless nobody could misread it. */
static void
test_values(void **state)
{
	static const char *const values[][2] = {
		{ "", "\"\"" }, { "a b", "\"a b\"" }, { "a=b", "\"a=b\"" },
		{ "a\"b", "\"a\\\"b\"" }, { "a\\b", "\"a\\\\b\"" },
		{ "a\nb", "\"a\\\\x0ab\"" }, { "\xc3\xa9", "\"\xc3\xa9\"" },
		{ "\xff", "\"\\\\xff\"" }, { "http://a/?", "http://a/?" },
		{ "x event=a.b", "\"x event\\u003da.b\"" },
	};
	char	 want[128];
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		fresh("a.b", "m");
		assert_int_equal(log_record_add(&r, "v", values[i][0], 0), 0);
		snprintf(want, sizeof(want),
		    "T warn worker 0 (g1): m event=a.b v=%s", values[i][1]);
		as_text(want);
		as_json(NULL);
	}
}

/* Nobody makes a line of another event. */
static void
test_forged_event(void **state)
{
	static const char *const texts[] = { "event=daemon.exit", "x event=c",
			    " event= event= event=", "event= event=" };
	const char	*p;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fresh("a.b", texts[i]);
		log_record_add(&r, "v", texts[i], 0);
		as_text(NULL);
		p = strstr(line, " event=");
		assert_non_null(p);
		assert_memory_equal(p, " event=a.b ", 11);
		assert_null(strstr(p + 1, " event="));
		as_json(NULL);
	}
}

/* At each length: no half of a character, of a pair, of an escape. */
static void
test_cuts(void **state)
{
	static char	 big[3000];
	char		 key[8];
	size_t		 i, k, n;

	(void)state;
	for (i = 0; i < 8; i++) {
		memset(big, 'a', i);
		for (k = i; k + 4 < sizeof(big); k += 3)
			memcpy(big + k, "\xe2\x82\xac", 4);
		fresh("a.b", big);
		for (k = 0; k < LOG_PAIRS_MAX; k++) {
			snprintf(key, sizeof(key), "k%zu", k);
			log_record_add(&r, key, big, 0);
		}
		n = strlen(r.text);
		assert_in_range(n, LOG_TEXT_MAX - 4, LOG_TEXT_MAX - 1);
		assert_int_equal((n - i) % 3, 0);
		n = strlen(r.field[0].value);
		assert_in_range(n, LOG_VALUE_MAX - 4, LOG_VALUE_MAX - 1);
		assert_int_equal((n - i) % 3, 0);
		as_text(NULL);
		assert_non_null(strstr(line, " truncated=1"));
		as_json(NULL);
		assert_non_null(strstr(line, ",\"truncated\":1}"));
	}
}

/* What needs the most room: a line stays one, pairs stay whole. */
static void
test_full_lines(void **state)
{
	char	 big[2000], key[8];
	size_t	 i, k;

	(void)state;
	for (i = 1; i < sizeof(big); i += 37) {
		memset(big, '"', i);
		big[i] = '\0';
		fresh("a.b", big);
		for (k = 0; k < LOG_PAIRS_MAX; k++) {
			snprintf(key, sizeof(key), "k%zu", k);
			log_record_add(&r, key, big, 0);
		}
		as_text(NULL);
		assert_int_equal(line[strlen(line) - 1] == '"' ||
		    strstr(line, " truncated=1") != NULL, 1);
		as_json(NULL);
	}
}

/* Through the front door: types of values, and errno. */
static void
sink(void *arg, const struct log_record *got)
{
	(void)arg;
	r = *got;
}

static void
test_pairs(void **state)
{
	uint64_t	 most = UINT64_MAX;
	long long	 least = INT64_MIN;
	uint8_t		 small = 255;
	const char	*none = NULL;

	(void)state;
	log_init("test", 1, 0);
	log_set_sink(sink, NULL);
	log_errx("a.b", LOG_KV(KV("most", most), KV("least", least),
	    KV("small", small), KV("none", none), KV_IF(0, "no", 1),
	    KV_IF(1, "yes", 1), KV("yes", 2)), "%d%%", 5);
	log_set_sink(NULL, NULL);
	as_text("T error worker 0 (g1): 5% event=a.b "
	    "most=18446744073709551615 least=-9223372036854775808 small=255 "
	    "none=\"\" yes=1");
	as_json(NULL);
}

static void
write_it(const char *process, const struct log_record *got)
{
	size_t	 n = strlen(said);

	snprintf(said + n, sizeof(said) - n, "%s/%s/%s/%s;", process,
	    got->event, got->text,
	    got->n > 0 ? got->field[got->n - 1].value : "");
}

/* Say it at that time, and what was written because of it. */
static const char *
say(const char *process, const char *event, const char *text, uint64_t now)
{
	said[0] = '\0';
	fresh(event, text);
	if (log_fold(process, &r, now, write_it))
		write_it(process, &r);
	return (said);
}

static int
no_runs(void **state)
{
	(void)state;
	log_fold_end(UINT64_MAX, write_it);
	said[0] = '\0';
	return (0);
}

static void
test_fold(void **state)
{
	size_t	 i;

	(void)state;
	assert_string_equal(say("p", "a.b", "x", 5), "p/a.b/x/;");
	for (i = 0; i < 7; i++) {
		/* whatever is between */
		assert_string_equal(say("p", "a.b", "x", 6), "");
		assert_string_equal(say("q", "a.b", "x", 6),
		    i == 0 ? "q/a.b/x/;" : "");
		assert_string_equal(say("p", "a.b", "y", 6),
		    i == 0 ? "p/a.b/y/;" : "");
		assert_string_equal(say("p", "c.b", "x", 6),
		    i == 0 ? "p/c.b/x/;" : "");
	}
	said[0] = '\0';
	log_fold_end(4 + LOG_FOLD_MS, write_it);
	assert_string_equal(said, "");
	log_fold_end(5 + LOG_FOLD_MS, write_it);
	assert_string_equal(said, "p/a.b/x (repeated 7 times)/7;");
	/* after which it is news */
	assert_string_equal(say("p", "a.b", "x", 5 + LOG_FOLD_MS),
	    "p/a.b/x/;");
}

/* The order of what contradicts is kept. */
static void
test_fold_ends_with_another_event(void **state)
{
	(void)state;
	say("p", "up.down", "x", 5);
	say("p", "up.down", "x", 6);
	say("q", "up.down", "x", 6);
	say("q", "up.down", "x", 6);
	assert_string_equal(say("p", "up.up", "x", 7),
	    "p/up.down/x (repeated 1 times)/1;p/up.up/x/;");
	assert_string_equal(say("p", "up.down", "x", 8), "p/up.down/x/;");
	said[0] = '\0';
	log_fold_end(UINT64_MAX, write_it);
	assert_string_equal(said, "q/up.down/x (repeated 1 times)/1;");
}

static void
test_daemon_is_not_folded(void **state)
{
	(void)state;
	assert_string_equal(say("p", "daemon.a", "x", 5), "p/daemon.a/x/;");
	assert_string_equal(say("p", "daemon.a", "x", 5), "p/daemon.a/x/;");
}

/* A full table forgets nothing that it counted. */
static void
test_fold_is_bounded(void **state)
{
	char	 text[16];
	size_t	 i;

	(void)state;
	say("p", "a.b", "first", 1);
	say("p", "a.b", "first", 1);
	for (i = 1; i < LOG_FOLD_MAX; i++) {
		snprintf(text, sizeof(text), "%zu", i);
		say("p", "a.b", text, 2);
		assert_null(strstr(said, "repeated"));
	}
	assert_string_equal(say("p", "a.b", "more", 3),
	    "p/a.b/first (repeated 1 times)/1;p/a.b/more/;");
}

/* The count has room where nothing has. */
static void
test_fold_of_full_records(void **state)
{
	static char	 big[3000];
	char		 key[8];
	size_t		 i;

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	fresh("a.b", big);
	for (i = 0; i < LOG_PAIRS_MAX; i++) {
		snprintf(key, sizeof(key), "k%zu", i);
		log_record_add(&r, key, "v", 0);
	}
	assert_int_equal(log_fold("p", &r, 1, write_it), 1);
	assert_int_equal(log_fold("p", &r, 1, write_it), 0);
	log_fold_end(UINT64_MAX, write_it);
	assert_non_null(strstr(said, "aaa (repeated 1 times)/1;"));
	assert_int_equal(strlen(said), 2 + 4 + LOG_TEXT_MAX - 1 + 3);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_both_spellings),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_forged_event),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_full_lines),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test_setup(test_fold, no_runs),
		cmocka_unit_test_setup(test_fold_ends_with_another_event,
		    no_runs),
		cmocka_unit_test_setup(test_daemon_is_not_folded, no_runs),
		cmocka_unit_test_setup(test_fold_is_bounded, no_runs),
		cmocka_unit_test_setup(test_fold_of_full_records, no_runs),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
