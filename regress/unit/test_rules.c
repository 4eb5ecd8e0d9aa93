/*
 * worker/mcp/rules.c: what fields and message must agree upon, by revision.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/mcp/rules.h"

#define ALL	((1U << CONF_REVISIONS) - 1)
#define LAST	(1U << (CONF_REVISIONS - 1))
#define NEW	"2026-07-28"
#define OLD	"2025-06-18"
#define META(v)	"\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":" \
		"\"" v "\"}"
#define CALL	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"," \
		"\"params\":{\"name\":\"echo\"}}"
#define NEW_CALL "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"," \
		"\"params\":{\"name\":\"echo\"," META(NEW) "}}"
#define NEW_LIST "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"," \
		"\"params\":{" META(NEW) "}}"
#define NOTE	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}"
#define RESULT	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"
#define OPEN	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"," \
		"\"params\":{\"protocolVersion\":\"1999-01-01\"}}"
#define DISCOVER "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":" \
		"\"server/discover\",\"params\":{" META(NEW) "}}"
#define NONE	REFUSE_MAX

static void
allow(uint32_t revisions)
{
	struct worker_conf	 conf = { .revisions = revisions };

	rules_setup(&conf);
	accord_setup(&conf);
}

/* Judge a message; its verdict. */
static struct rules_verdict
judge(const char *version, const char *method, const char *name,
    const char *body, enum refuse expected)
{
	struct rules_fields	 f = { slice_of(version), slice_of(method),
				    slice_of(name) };
	struct rules_verdict	 v;
	const struct refusal	*wrong;
	const char		*why;
	struct rpc		 rpc;

	assert_int_equal(rpc_read(body, strlen(body), &rpc, &why), 0);
	wrong = rules_message(&f, rules_revision(f.version), &rpc, &v);
	if (expected == NONE)
		assert_null(wrong);
	else
		assert_ptr_equal(wrong, refuse(expected));
	assert_int_equal(v.requested.p != NULL, wrong != NULL &&
	    wrong->code == RPC_UNSUPPORTED_VERSION);
	rpc_free(&rpc);
	return (v);
}

/* Each row is one fault, beside a request that has none. */
static void
test_messages(void **state)
{
	static const struct {
		const char	*version, *method, *name, *body;
		enum refuse	 expected;
	} rows[] = {
		/* of old revisions the message counts alone */
		{ NULL, NULL, NULL, CALL, NONE },
		{ OLD, NULL, NULL, CALL, NONE },
		{ OLD, NULL, NULL, NOTE, NONE },
		{ OLD, NULL, NULL, RESULT, NONE },
		/* but a field that is there may not lie */
		{ OLD, "tools/list", NULL, CALL, REFUSE_METHOD_DIFFERS },
		{ OLD, "tools/call", "other", CALL, REFUSE_NAME_DIFFERS },
		{ OLD, "tools/call", "echo", CALL, NONE },
		{ OLD, NULL, "echo", RESULT, REFUSE_NAME_DIFFERS },
		/* of the new one they must be there */
		{ NEW, "tools/call", "echo", NEW_CALL, NONE },
		{ NEW, "tools/call", "echo", CALL, NONE },
		{ NULL, "tools/call", "echo", NEW_CALL,
		    REFUSE_REVISION_MISSING },
		{ NEW, NULL, "echo", NEW_CALL, REFUSE_METHOD_MISSING },
		{ NEW, "tools/call", NULL, NEW_CALL, REFUSE_NAME_MISSING },
		{ NEW, "tools/call", "echo", NEW_LIST,
		    REFUSE_METHOD_DIFFERS },
		{ NEW, "tools/list", NULL, NEW_LIST, NONE },
		{ NEW, "tools/list", "echo", NEW_LIST, REFUSE_NAME_DIFFERS },
		{ NEW, "TOOLS/CALL", "echo", NEW_CALL,
		    REFUSE_METHOD_DIFFERS },
		{ NEW, NULL, NULL, NOTE, NONE },
		{ OLD, "tools/call", "echo", NEW_CALL,
		    REFUSE_REVISION_DIFFERS },
		/* a name in another coding, one way only */
		{ NEW, "tools/call", "=?base64?ZWNobw==?=", NEW_CALL, NONE },
		{ NEW, "tools/call", "=?base64?ZWNobw?=", NEW_CALL,
		    REFUSE_NAME_DIFFERS },
		{ NEW, "tools/call", "=?base64?ZWNobx==?=", NEW_CALL,
		    REFUSE_NAME_DIFFERS },
		{ NEW, "tools/call", "=?base64?=", NEW_CALL,
		    REFUSE_NAME_DIFFERS },
		{ NEW, "tools/call", "\xc3\xa9", NEW_CALL,
		    REFUSE_NAMES_ASCII },
		{ NEW, "tools\x01/call", "echo", NEW_CALL,
		    REFUSE_NAMES_ASCII },
		/* no revision that anybody knows */
		{ "1999-01-01", NULL, NULL, CALL, REFUSE_REVISION },
		{ "", NULL, NULL, CALL, REFUSE_REVISION },
		/* which initialize may name: it is agreed upon */
		{ "1999-01-01", NULL, NULL, OPEN, NONE }
	};
	size_t	 i;

	(void)state;
	allow(ALL);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)judge(rows[i].version, rows[i].method, rows[i].name,
		    rows[i].body, rows[i].expected);
}

static void
test_verdict(void **state)
{
	struct rules_verdict	 v;

	(void)state;
	allow(ALL);
	v = judge(OLD, NULL, NULL, CALL, NONE);
	assert_true(v.accord == ACCORD_NONE && !v.stateless);
	v = judge(NEW, "tools/call", "echo", NEW_CALL, NONE);
	assert_true(v.accord == ACCORD_ERROR && v.stateless);
	v = judge(NEW, "server/discover", NULL, DISCOVER, NONE);
	assert_true(v.accord == ACCORD_DISCOVER && v.stateless);
	v = judge(NULL, NULL, NULL, OPEN, NONE);
	assert_true(v.accord == ACCORD_OPEN && !v.stateless);
	/* a session is opened whatever the field says */
	v = judge(NEW, NULL, NULL, OPEN, NONE);
	assert_true(v.accord == ACCORD_OPEN && !v.stateless);
	v = judge(NEW, NULL, NULL, NOTE, NONE);
	assert_true(v.accord == ACCORD_NONE && v.stateless);
}

/* What is named is what was refused: the message's before the field's, and what
 * is assumed where there is neither. */
static void
test_requested(void **state)
{
	struct rules_verdict	 v;

	(void)state;
	allow(ALL & ~LAST);
	(void)judge(NEW, "tools/call", "echo", NEW_CALL,
	    REFUSE_REVISION_META);
	v = judge(NEW, "tools/call", "echo", CALL, REFUSE_REVISION);
	assert_true(slice_is(v.requested, NEW));
	allow(LAST);
	v = judge(NULL, NULL, NULL, CALL, REFUSE_REVISION_NONE);
	assert_true(slice_is(v.requested, "2025-03-26"));
	/* without a revision that has it, initialize is as any other */
	(void)judge(NULL, NULL, NULL, OPEN, REFUSE_REVISION_NONE);
}

static void
test_streams(void **state)
{
	struct slice	 none = { NULL, 0 }, requested;

	(void)state;
	allow(ALL);
	assert_true(rules_streams());
	assert_null(rules_stream(rules_revision(none), none, &requested));
	assert_null(rules_stream(rules_revision(slice_of(OLD)),
	    slice_of(OLD), &requested));
	assert_ptr_equal(rules_stream(rules_revision(slice_of("x")),
	    slice_of("x"), &requested), refuse(REFUSE_REVISION));
	assert_true(slice_is(requested, "x"));
	allow(LAST);
	assert_false(rules_streams());
	assert_ptr_equal(rules_stream(rules_revision(none), none, &requested),
	    refuse(REFUSE_REVISION));
	assert_true(slice_is(requested, "2025-03-26"));
}

static void
test_revision(void **state)
{
	struct slice		 none = { NULL, 0 };
	struct rules_revision	 v;

	(void)state;
	allow(ALL);
	v = rules_revision(none);
	assert_true(v.allowed && !v.stateless && !v.null_id);
	v = rules_revision(slice_of("2024-11-05"));
	assert_true(v.allowed && !v.stateless && v.null_id);
	v = rules_revision(slice_of(NEW));
	assert_true(v.allowed && v.stateless && !v.null_id);
	v = rules_revision(slice_of(NEW " "));
	assert_true(!v.allowed && !v.stateless);
	/* those of 2024-11-05 and 2025-03-26 name none */
	allow(ALL & ~3U);
	v = rules_revision(none);
	assert_false(v.allowed);
}

/* A field that counts may be neither doubled nor for one connection only. */
static void
test_head(void **state)
{
	static const char	 twice[] = "POST /mcp HTTP/1.1\r\nHost: a\r\n"
	    "Mcp-Name: a\r\nMcp-Name: a\r\n\r\n";
	static const char	 named[] = "POST /mcp HTTP/1.1\r\nHost: a\r\n"
	    "Connection: mcp-method\r\nMcp-Method: a\r\n\r\n";
	static const char	 other[] = "POST /mcp HTTP/1.1\r\nHost: a\r\n"
	    "Connection: x-a\r\nX-A: a\r\nMcp-Method: a\r\n\r\n";
	struct http1_head	 h;
	const char		*why;

	(void)state;
	assert_int_equal(http1_parse_request(&h, twice, sizeof(twice) - 1,
	    &why), 0);
	assert_ptr_equal(rules_head(&h), refuse(REFUSE_NAMES_REPEATED));
	assert_int_equal(http1_parse_request(&h, named, sizeof(named) - 1,
	    &why), 0);
	assert_ptr_equal(rules_head(&h), refuse(REFUSE_NOMINATED));
	assert_int_equal(http1_parse_request(&h, other, sizeof(other) - 1,
	    &why), 0);
	assert_null(rules_head(&h));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_requested),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_revision),
		cmocka_unit_test(test_head)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
