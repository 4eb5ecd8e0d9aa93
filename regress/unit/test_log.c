/*
 * common/log.h: one call is one line, whoever chose its bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/wait.h>

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

static char	 got[8192];
static int	 got_pri, lines;

static void
sink(void *arg, const struct log_record *r)
{
	assert_ptr_equal(arg, got);
	snprintf(got, sizeof(got), "%s", r->text);
	got_pri = r->pri;
	lines++;
}

static int
use_sink(void **state)
{
	(void)state;
	log_init("test", 1, 1);
	log_set_sink(sink, got);
	got[0] = '\0';
	lines = 0;
	return (0);
}

static int
no_sink(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	return (0);
}

/* What f() writes to stderr. */
static void
on_stderr(void (*f)(void))
{
	ssize_t	 n;
	int	 p[2], saved;

	assert_int_equal(pipe(p), 0);
	saved = dup(STDERR_FILENO);
	dup2(p[1], STDERR_FILENO);
	f();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(p[1]);
	n = read(p[0], got, sizeof(got) - 1);
	assert_true(n >= 0);
	got[n] = '\0';
	close(p[0]);
}

static void
assert_matches(const char *pattern)
{
	regex_t	 re;
	int	 r;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if ((r = regexec(&re, got, 0, NULL, 0)) != 0)
		print_error("\"%s\" does not match %s\n", got, pattern);
	regfree(&re);
	assert_int_equal(r, 0);
}

static void
test_sink_gets_lines(void **state)
{
	(void)state;
	log_info("test.event", NULL, "%s is %d", "it", 7);
	assert_string_equal(got, "it is 7");
	assert_int_equal(got_pri, LOG_INFO);
	log_warnx("test.event", NULL, "w");
	assert_int_equal(got_pri, LOG_WARNING);
	log_errx("test.event", NULL, "e");
	assert_int_equal(got_pri, LOG_ERR);
	log_debug("test.event", NULL, "d");
	assert_int_equal(got_pri, LOG_DEBUG);
	assert_int_equal(lines, 4);
	log_init("test", 1, 0);
	log_debug("test.event", NULL, "not wanted");
	assert_int_equal(lines, 4);
}

static void
test_errno(void **state)
{
	(void)state;
	errno = ENOENT;
	log_warn("test.event", NULL, "open %s", "f");
	assert_string_equal(got, "open f: No such file or directory");
	assert_int_equal(errno, ENOENT);
	errno = EPIPE;
	log_warnx("test.event", NULL, "plain");
	assert_string_equal(got, "plain");
	assert_int_equal(errno, EPIPE);
}

static void
test_escapes(void **state)
{
	static const char *const pairs[][2] = {
		{ "a\nb", "a\\x0ab" },
		{ "\r\t\x1b[31m\x7f", "\\x0d\\x09\\x1b[31m\\x7f" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		    "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		/* CSI as one byte and as UTF-8 */
		{ "\x9b" "31m", "\\x9b31m" },
		{ "\xc2\x9b" "31m", "\\xc2\\x9b31m" },
		{ "a\xe2\x80\xae" "b", "a\\xe2\\x80\\xaeb" },
		{ "a\xe2\x81\xa9" "b\xe2\x81\xaa",
		    "a\\xe2\\x81\\xa9b\xe2\x81\xaa" },
		{ "\xc2\xa0", "\xc2\xa0" },
		/* overlong, surrogate, too great, cut, stray */
		{ "\xc0\x8a", "\\xc0\\x8a" },
		{ "\xe0\x80\x8a", "\\xe0\\x80\\x8a" },
		{ "\xf0\x80\x80\x8a", "\\xf0\\x80\\x80\\x8a" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80" },
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xc3(", "\\xc3(" },
		{ "\xff", "\\xff" },
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		log_info("test.event", NULL, "%s", pairs[i][0]);
		assert_string_equal(got, pairs[i][1]);
	}
}

static void
test_long_lines_are_cut(void **state)
{
	static char	 text[5000];
	size_t		 n;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	log_info("test.event", NULL, "%s", text);
	n = strlen(got);
	assert_in_range(n, LOG_TEXT_MAX - 10, LOG_TEXT_MAX - 1);
	assert_int_equal(strspn(got, "a"), n);
	memset(text, '\n', sizeof(text) - 1);
	log_info("test.event", NULL, "%s", text);
	n = strlen(got);
	assert_in_range(n, LOG_TEXT_MAX - 10, LOG_TEXT_MAX - 1);
	assert_int_equal(strspn(got, "\\x0a"), n);
}

static void
write_one(void)
{
	log_info("test.event", NULL, "hello\nworld");
}

static void
relay_one(void)
{
	struct log_record	 r;

	log_record_init(&r, LOG_WARNING, "test.event");
	log_record_words(&r, "x\n2026 fatal master: y");
	log_relay("worker 0 (g1)", &r);
}

static void
test_stderr(void **state)
{
	(void)state;
	log_init("some-name", 1, 0);
	on_stderr(write_one);
	assert_matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
	    "\\.[0-9]{3}Z info some-name: hello\\\\x0aworld event=test\\.event\n$");
}

/* A child's text cannot begin a line of its own. */
static void
test_relay(void **state)
{
	(void)state;
	log_init("master", 1, 0);
	on_stderr(relay_one);
	assert_matches("Z warn worker 0 \\(g1\\): x\\\\x0a2026 fatal master: y"
	    " event=test\\.event\n$");
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
}

static void
relay_debug(void)
{
	struct log_record	 r;

	log_record_init(&r, LOG_DEBUG, "test.event");
	log_record_words(&r, "not wanted");
	log_relay("worker", &r);
}

static void
test_relay_debug(void **state)
{
	(void)state;
	log_init("master", 1, 0);
	on_stderr(relay_debug);
	assert_string_equal(got, "");
	log_init("master", 1, 1);
	on_stderr(relay_debug);
	assert_matches("Z debug worker: not wanted event=test\\.event\n$");
}

static void
test_name_is_bounded(void **state)
{
	(void)state;
	log_setname("0123456789012345678901234567890123456789");
	assert_string_equal(log_name(), "0123456789012345678901234567890");
}

static void
die(void)
{
	pid_t	 pid;
	int	 status;

	if ((pid = fork()) == 0) {
		errno = ENOMEM;
		fatal("gone");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
test_fatal(void **state)
{
	(void)state;
	log_init("test", 1, 0);
	on_stderr(die);
	assert_matches("Z fatal test: gone: Cannot allocate memory "
	    "event=process\\.fatal error=\"Cannot allocate memory\"\n$");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup_teardown(test_sink_gets_lines, use_sink,
		    no_sink),
		cmocka_unit_test_setup_teardown(test_errno, use_sink, no_sink),
		cmocka_unit_test_setup_teardown(test_escapes, use_sink,
		    no_sink),
		cmocka_unit_test_setup_teardown(test_long_lines_are_cut,
		    use_sink, no_sink),
		cmocka_unit_test(test_stderr),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_relay_debug),
		cmocka_unit_test(test_name_is_bounded),
		cmocka_unit_test(test_fatal),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
