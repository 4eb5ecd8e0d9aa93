/*
 * Audit lines: one line each, always JSON, whatever the values hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>
#include <yajl/yajl_tree.h>

#include "common/json.h"
#include "common/shm.h"
#include "worker/record/audit.h"

static struct shm	 shm;
static int		 told;
static int		 out = -1;

static void
on_failed(int error)
{
	assert_int_not_equal(error, 0);
	told++;
}

static size_t
text_of(char *text, size_t size)
{
	ssize_t	 n = pread(out, text, size - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	return ((size_t)n);
}

static int
set_up(void **state)
{
	(void)state;
	shm.audit_broken = 0;
	told = 0;
	out = memfd_create("audit", MFD_CLOEXEC);
	assert_int_not_equal(out, -1);
	audit_setup(dup(out), &shm, on_failed);
	return (0);
}

static int
tear_down(void **state)
{
	(void)state;
	return (close(out));
}

static void
test_hostile_values(void **state)
{
	static const char *const values[] = {
		"plain", "", "\"", "\\", "a\nb", "a\r\nb", "\t\x01\x1f\x7f",
		"\xff\xfe\xc0\x80", "\xed\xa0\x80", "\xe2\x80\xa8",
		"\",\"action\":\"allow", "}\n{\"x\":1}"
	};
	struct audit_entry	 e;
	char			 text[64 * 1024], error[128];
	char			 *line, *end;
	yajl_val		 v;
	size_t			 i, n = sizeof(values) / sizeof(values[0]);

	(void)state;
	for (i = 0; i < n; i++) {
		memset(&e, 0, sizeof(e));
		e.session_id = e.method = e.client_id = e.scopes = e.tool =
		    slice_of(values[i]);
		e.action = AUDIT_DENY;
		assert_int_equal(audit_add(&e), 0);
	}
	assert_int_equal(audit_flush(), 0);
	text_of(text, sizeof(text));
	for (line = text, i = 0; *line != '\0'; line = end + 1, i++) {
		const char	*path[] = { "action", NULL };

		end = strchr(line, '\n');
		assert_non_null(end);
		*end = '\0';
		assert_int_equal(json_check(line, (size_t)(end - line)),
		    JSON_OK);
		v = yajl_tree_parse(line, error, sizeof(error));
		assert_non_null(v);
		assert_string_equal(YAJL_GET_STRING(yajl_tree_get(v, path,
		    yajl_t_string)), "deny");
		yajl_tree_free(v);
	}
	assert_int_equal(i, n);
}

static void
test_values_are_cut(void **state)
{
	struct audit_entry	 e;
	char			 big[1000], text[8192], *p;

	(void)state;
	memset(&e, 0, sizeof(e));
	memset(big, 'x', sizeof(big));
	/* a character that would be cut in its middle is left out whole */
	memcpy(big + AUDIT_VALUE_MAX - 1, "\xc3\xa9", 2);
	e.method = (struct slice){ big, sizeof(big) };
	assert_int_equal(audit_add(&e), 0);
	assert_int_equal(audit_flush(), 0);
	text_of(text, sizeof(text));
	p = strstr(text, "\"method\":\"");
	assert_non_null(p);
	assert_int_equal(strspn(p + 10, "x"), AUDIT_VALUE_MAX - 1);
	assert_int_equal(p[10 + AUDIT_VALUE_MAX - 1], '"');
}

static void
test_guide_fields_come_first(void **state)
{
	static const char *const names[] = { "{\"ts\":\"", ",\"session_id\":",
	    ",\"method\":", ",\"action\":", ",\"auth_result\":",
	    ",\"oauth_client_id\":", ",\"scopes\":", ",\"latency_ms\":" };
	struct audit_entry	 e;
	char			 text[8192], *p = text;
	size_t			 i;

	(void)state;
	memset(&e, 0, sizeof(e));
	e.method = slice_of("tools/list");
	e.latency_ms = 4;
	assert_int_equal(audit_add(&e), 0);
	assert_int_equal(audit_flush(), 0);
	text_of(text, sizeof(text));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		p = strstr(p, names[i]);
		assert_non_null(p);
	}
	assert_non_null(strstr(text, "\"method\":\"tools/list\""));
	assert_non_null(strstr(text, "\"latency_ms\":4"));
	assert_non_null(strstr(text, "\"session_id\":null"));
	assert_null(strstr(text, "\"tool\""));
}

static void
test_failed_write_is_kept(void **state)
{
	struct audit_entry	 e;
	char			 text[8192];
	int			 bad = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	memset(&e, 0, sizeof(e));
	e.request_id = slice_of("kept");
	if (bad == -1)
		fail_msg("/dev/full is not there");
	audit_set_fd(bad);
	assert_int_equal(audit_add(&e), 0);
	assert_int_equal(audit_flush(), -1);
	assert_int_equal(told, 1);
	assert_true(audit_broken());
	/* it is the master who tells others */
	assert_int_equal(shm.audit_broken, 0);
	/* nobody writes before the master says so */
	assert_int_equal(audit_flush(), -1);
	assert_int_equal(told, 1);
	audit_set_fd(dup(out));
	assert_int_equal(text_of(text, sizeof(text)), 0);
	shm.audit_broken = 0;
	audit_go();
	assert_false(audit_broken());
	text_of(text, sizeof(text));
	assert_non_null(strstr(text, "\"request_id\":\"kept\""));
}

/* What is written later says what became of its answer. */
static void
test_cut_off(void **state)
{
	struct audit_entry	 e;
	char			 text[8192], *line, *end;
	int			 bad = open("/dev/full", O_WRONLY | O_CLOEXEC);
	uint64_t		 before = audit_added();

	(void)state;
	audit_set_fd(bad);
	memset(&e, 0, sizeof(e));
	e.action = AUDIT_ALLOW;
	e.method = slice_of("\",\"action\":\"allow\",\"error\":\"x");
	e.error = slice_of("another");
	assert_int_equal(audit_add(&e), 0);
	e.error = slice_of(NULL);
	assert_int_equal(audit_add(&e), 0);
	/* a refusal that was sent all the same */
	e.action = AUDIT_ERROR;
	e.status = 503;
	e.told = 1;
	e.error = slice_of("refused");
	assert_int_equal(audit_add(&e), 0);
	assert_int_equal(audit_flush(), -1);
	assert_int_equal(audit_added(), before + 3);
	assert_int_equal(audit_cut_off(), before);
	assert_int_equal(audit_cut_off(), before);
	audit_set_fd(dup(out));
	audit_go();
	assert_int_equal(audit_cut_off(), before + 3);
	text_of(text, sizeof(text));
	assert_null(strstr(text, "\"action\":\"allow\""));
	line = text;
	for (int i = 0; i < 3; i++, line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		*end = '\0';
		assert_int_equal(json_check(line, (size_t)(end - line)),
		    JSON_OK);
		assert_non_null(strstr(line, i < 2 ?
		    ",\"action\":\"aborted\"," : ",\"action\":\"error\","));
		assert_non_null(strstr(line, i < 2 ? ",\"error\":\"the audit "
		    "log could not be written\"}" : ",\"error\":\"refused\"}"));
	}
	assert_int_equal(*line, '\0');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hostile_values, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(test_values_are_cut, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(test_guide_fields_come_first,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failed_write_is_kept,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut_off, set_up,
		    tear_down)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
