/*
 * daemon/logging.h: a level that an operator asks for reaches every child,
 * and those that come later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/logging.h"
#include "daemon/master.h"
#include "daemon/process.h"

static struct log_record	 said;
static struct process		 child;
static int			 theirs;	/* end of its channel */

static void
sink(void *arg, const struct log_record *r)
{
	(void)arg;
	said = *r;
}

static void
ignore(struct channel *ch, struct imsg *m, void *arg)
{
	(void)ch;
	(void)m;
	(void)arg;
}

static int
setup(void **state)
{
	struct event_base	*base;
	int			 sv[2];

	(void)state;
	log_init("test", 1, 0);
	log_set_sink(sink, NULL);
	if ((base = event_base_new()) == NULL || imsg_pair(sv) == -1 ||
	    (child.channel = channel_new(base, sv[0], ignore, NULL)) == NULL)
		return (-1);
	theirs = sv[1];
	child.role = ROLE_WORKER;
	TAILQ_INSERT_TAIL(process_all(), &child, link);
	return (0);
}

/* What the child was told last; -1: nothing. */
static int
told(void)
{
	static uint8_t	 body[IMSG_BODY_MAX];
	struct imsg	 m;
	int		 pri;

	if (imsg_recv_wait(theirs, &m, body, 0) != 1)
		return (-1);
	assert_int_equal(m.type, MSG_LOG_LEVEL);
	assert_int_equal(proto_get_log_level(&m, &pri), 0);
	return (pri);
}

static void
test_operator(void **state)
{
	(void)state;
	master_log_level(LOG_DEBUG);
	assert_int_equal(told(), LOG_DEBUG);
	assert_int_equal(log_verbose(), 1);
	assert_string_equal(said.event, "daemon.log_level");
	assert_string_equal(said.field[0].value, "debug");
	master_log_level(LOG_WARNING);
	assert_int_equal(told(), LOG_WARNING);
	assert_int_equal(log_level(), LOG_WARNING);
	/* nothing new is not told */
	master_log_level(LOG_WARNING);
	assert_int_equal(told(), -1);
}

static void
test_configuration(void **state)
{
	struct config	 c;

	(void)state;
	memset(&c, 0, sizeof(c));
	c.log_level = LOG_ERR;
	logging_apply(&c, 0);
	assert_int_equal(told(), LOG_ERR);
	/* -v is heard above the file */
	logging_apply(&c, 1);
	assert_int_equal(told(), LOG_DEBUG);
}

static void
error_says(const char *text, const char *line, const char *column)
{
	logging_config_error((void *)(uintptr_t)"/a:9:9: b", text);
	assert_string_equal(said.event, "config.error");
	assert_int_equal(said.pri, LOG_ERR);
	assert_string_equal(said.text, text);
	assert_string_equal(said.field[0].value, "/a:9:9: b");
	assert_string_equal(said.field[1].value, line);
	assert_string_equal(said.field[2].value, column);
}

static void
test_config_error(void **state)
{
	(void)state;
	error_says("/a:9:9: b:12:3: listen: expected x", "12", "3");
	error_says("/a:9:9: b: cannot be read", "", "");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_operator),
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_config_error),
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
