/*
 * worker/base/refusal.c: each row is whole, and says what its status demands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/base/refusal.h"

/* Whose text is the reader's, or the rule's. */
static int
says_more(size_t i)
{
	return (i <= REFUSE_SYNTAX_LAST || i == REFUSE_CHUNKS ||
	    i == REFUSE_JSON || i == REFUSE_ENVELOPE);
}

static void
test_rows(void **state)
{
	const struct refusal	*f;
	size_t			 i;

	(void)state;
	for (i = 0; i < REFUSE_MAX; i++) {
		f = &refusals[i];
		assert_ptr_equal(refuse((enum refuse)i), f);
		assert_true(i == REFUSE_UP_ERROR_PAGE ? f->status == 0 :
		    f->status >= 400 && f->status < 600);
		assert_int_equal(f->status, refusal_status((unsigned)i));
		assert_true(f->code < 0);
		assert_true(f->action == AUDIT_DENY ||
		    f->action == AUDIT_ERROR);
		assert_int_equal(f->text == NULL, says_more(i));
		assert_true(f->text == NULL || f->text[0] != '\0');
	}
}

/* RFC 9110 sections 11.6.1, 15.5.6 and 15.6.4: who is refused for now learns
 * when to come again, and how to ask. */
static void
test_fields(void **state)
{
	const struct refusal	*f;
	size_t			 i;

	(void)state;
	for (i = 0; i < REFUSE_MAX; i++) {
		f = &refusals[i];
		assert_int_equal(f->status == 405, f->allow != NULL);
		assert_int_equal(f->status == 503 || f->status == 429,
		    f->retry != 0);
		if (f->status == 401)
			assert_int_not_equal(f->challenge, CHALLENGE_NONE);
		if (f->error != NULL)
			assert_int_not_equal(f->challenge, CHALLENGE_NONE);
		assert_true(f->status != 401 || f->action == AUDIT_DENY);
		assert_true(f->status != 403 || f->action == AUDIT_DENY);
	}
}

/* What http1.h has no status for is 400. */
static void
test_syntax(void **state)
{
	static const int	 known[] = { 400, 408, 414, 417, 431, 501,
				    503, 505 };
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_int_equal(refusal_of_syntax(known[i])->status,
		    known[i]);
	assert_int_equal(refusal_of_syntax(200)->status, 400);
	assert_int_equal(refusal_of_syntax(0)->status, 400);
}

/* No result of a credential but AUTH_OK comes without a refusal, and those that
 * say that it is bad are told apart by nobody. */
static void
test_auth(void **state)
{
	const struct refusal	*f;
	int			 i;

	(void)state;
	for (i = 0; i < AUTH_RESULT_MAX; i++) {
		f = refusal_of_auth((enum auth_result)i, 0);
		if (i == AUTH_UNAVAILABLE)
			assert_int_equal(f->status, 503);
		else if (i == AUTH_MISSING)
			assert_null(f->error);
		else if (i == AUTH_INSUFFICIENT_SCOPE)
			assert_string_equal(f->error, "insufficient_scope");
		else
			assert_string_equal(f->error, "invalid_token");
		assert_true(f->status == 401 || i == AUTH_UNAVAILABLE);
		assert_ptr_equal(refusal_of_auth((enum auth_result)i, 1),
		    i == AUTH_UNAVAILABLE ? refuse(REFUSE_CROWDING) : f);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_auth)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
