/*
 * The envelope of a message: its kind, its id as it came, and the parameters
 * by which it is judged, at their right place and however they are spelled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/mcp/rpc.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))
#define V	"\"jsonrpc\":\"2.0\""
#define CALL	"{" V ",\"id\":1,\"method\":\"m\",\"params\":"
#define META	"\"io.modelcontextprotocol/protocolVersion\""

static char	*body;		/* of the last read, exactly as long */

static int
read_text(const char *text, size_t len, struct rpc *rpc, const char **why)
{
	free(body);
	body = malloc(len > 0 ? len : 1);
	assert_non_null(body);
	memcpy(body, text, len);
	*why = NULL;
	return (rpc_read(body, len, rpc, why));
}

static void
same(const char *what, struct slice got, const char *want, const char *text)
{
	if (want == NULL ? got.p == NULL : got.p != NULL &&
	    slice_is(got, want))
		return;
	fail_msg("%s is '%.*s', expected '%s' in: %s", what, (int)got.len,
	    got.p != NULL ? got.p : "", want != NULL ? want : "(none)", text);
}

static void
test_kinds(void **state)
{
	static const struct {
		const char	*text;
		enum rpc_kind	 kind;
		const char	*id, *method;
	} t[] = {
		{ "{" V ",\"id\":1,\"method\":\"m\"}", RPC_REQUEST, "1",
		    "m" },
		{ " {\"method\" : \"m\" , \"id\" : 1 , " V "}\r\n",
		    RPC_REQUEST, "1", "m" },
		{ "{" V ",\"method\":\"a/b\"}", RPC_NOTIFICATION, NULL,
		    "a/b" },
		{ "{" V ",\"id\":1,\"result\":{}}", RPC_RESPONSE, "1", "" },
		{ "{" V ",\"id\":1,\"result\":null}", RPC_RESPONSE, "1", "" },
		{ CALL "null}", RPC_REQUEST, "1", "m" },
		{ "{" V ",\"id\":1,\"result\":[1]}", RPC_RESPONSE, "1", "" },
		{ "{" V ",\"id\":1,\"error\":{\"code\":1}}", RPC_RESPONSE,
		    "1", "" },
		{ "{" V ",\"id\":null,\"error\":{}}", RPC_RESPONSE, "null",
		    "" },
		{ "{" V ",\"id\":1,\"result\":{\"method\":\"m\",\"error\":1}}",
		    RPC_RESPONSE, "1", "" },
		{ "{" V ",\"id\":1,\"method\":\"m\",\"params\":{\"result\":1,"
		    "\"id\":2,\"method\":\"x\",\"jsonrpc\":1}}", RPC_REQUEST,
		    "1", "m" },
		{ "{" V ",\"id\":1,\"method\":\"m\",\"x\":{\"method\":1}}",
		    RPC_REQUEST, "1", "m" },
		{ "{" V ",\"id\":1,\"method\":\"m\",\"params\":[1,{}]}",
		    RPC_REQUEST, "1", "m" },
		/* ids, as they came */
		{ "{" V ",\"id\":0,\"method\":\"m\"}", RPC_REQUEST, "0",
		    "m" },
		{ "{" V ",\"id\":-7,\"method\":\"m\"}", RPC_REQUEST, "-7",
		    "m" },
		{ "{" V ",\"id\":123456789012345678901234567890,\"method\":"
		    "\"m\"}", RPC_REQUEST, "123456789012345678901234567890",
		    "m" },
		{ "{" V ",\"method\":\"m\",\"id\":12 }", RPC_REQUEST, "12",
		    "m" },
		{ "{" V ",\"method\":\"m\",\"id\":12}", RPC_REQUEST, "12",
		    "m" },
		{ "{" V ",\"id\":\"\",\"method\":\"m\"}", RPC_REQUEST,
		    "\"\"", "m" },
		{ "{" V ",\"id\":\"a b\",\"method\":\"m\"}", RPC_REQUEST,
		    "\"a b\"", "m" },
		{ "{" V ",\"method\":\"m\",\"id\":\"a\" }", RPC_REQUEST,
		    "\"a\"", "m" },
		{ "{" V ",\"id\":\"\\\"\",\"method\":\"m\"}", RPC_REQUEST,
		    "\"\\\"\"", "m" },
		{ "{" V ",\"id\":\"\\\\\",\"method\":\"m\"}", RPC_REQUEST,
		    "\"\\\\\"", "m" },
		{ "{" V ",\"id\":\"\\\\\\\"x\\\\\",\"method\":\"m\"}",
		    RPC_REQUEST, "\"\\\\\\\"x\\\\\"", "m" },
		{ "{" V ",\"id\":\"\\\",\\\"id\\\":\\\"2\",\"method\":\"m\"}",
		    RPC_REQUEST, "\"\\\",\\\"id\\\":\\\"2\"", "m" },
		{ "{" V ",\"id\":\"\\u0041\\n\\/\xc3\xa4\",\"method\":\"m\"}",
		    RPC_REQUEST, "\"\\u0041\\n\\/\xc3\xa4\"", "m" },
		{ "{" V ",\"id\":\"2.5\",\"method\":\"m\"}", RPC_REQUEST,
		    "\"2.5\"", "m" },
		/* escaped names and values */
		{ "{\"json\\u0072pc\":\"2\\u002e0\",\"\\u0069d\":1,"
		    "\"m\\u0065thod\":\"t\\u006fols\\/call\"}", RPC_REQUEST,
		    "1", "tools/call" },
		{ "{" V ",\"id\":1,\"\\u0072esult\":{}}", RPC_RESPONSE, "1",
		    "" }
	};
	struct rpc	 rpc;
	const char	*why;
	size_t		 i;
	int		 e;

	(void)state;
	for (i = 0; i < N(t); i++) {
		e = read_text(t[i].text, strlen(t[i].text), &rpc, &why);
		if (e != 0 || rpc.kind != t[i].kind)
			fail_msg("%d (%s), kind %d for: %s", e,
			    e != 0 ? why : "", rpc.kind, t[i].text);
		same("id", rpc.id, t[i].id, t[i].text);
		assert_int_equal(rpc.method.len, strlen(t[i].method));
		if (rpc.method.len > 0)
			same("method", rpc.method, t[i].method, t[i].text);
		rpc_free(&rpc);
	}
}

static void
test_bad(void **state)
{
	static const struct {
		const char	*text;
		int		 error;
		const char	*id;
	} t[] = {
		{ "", RPC_PARSE_ERROR, NULL },
		{ "{", RPC_PARSE_ERROR, NULL },
		{ "{" V ",\"id\":1,\"method\":\"m\"}x", RPC_PARSE_ERROR,
		    NULL },
		{ "{" V ",\"id\":1,\"method\":\"m\"}{}", RPC_PARSE_ERROR,
		    NULL },
		{ "\xef\xbb\xbf{" V ",\"id\":1,\"method\":\"m\"}",
		    RPC_PARSE_ERROR, NULL },
		{ "{" V ",\"id\":1,\"method\":\"\xff\"}", RPC_PARSE_ERROR,
		    NULL },
		{ "{" V ",\"id\":1,\"method\":\"a\",\"method\":\"b\"}",
		    RPC_PARSE_ERROR, NULL },
		{ "{" V ",\"id\":1,\"method\":\"a\",\"m\\u0065thod\":\"b\"}",
		    RPC_PARSE_ERROR, NULL },
		{ "{" V ",\"id\":1,\"id\":2,\"method\":\"a\"}",
		    RPC_PARSE_ERROR, NULL },
		{ CALL "{\"name\":\"a\",\"n\\u0061me\":\"b\"}}",
		    RPC_PARSE_ERROR, NULL },
		/* not an object; batches */
		{ "null", RPC_INVALID_REQUEST, NULL },
		{ "1", RPC_INVALID_REQUEST, NULL },
		{ "true", RPC_INVALID_REQUEST, NULL },
		{ "\"x\"", RPC_INVALID_REQUEST, NULL },
		{ "[]", RPC_INVALID_REQUEST, NULL },
		{ "[{" V ",\"id\":1,\"method\":\"m\"}]", RPC_INVALID_REQUEST,
		    NULL },
		{ " [{" V ",\"id\":1,\"method\":\"m\"},{}]",
		    RPC_INVALID_REQUEST, NULL },
		/* jsonrpc */
		{ "{}", RPC_INVALID_REQUEST, NULL },
		{ "{\"id\":1,\"method\":\"m\"}", RPC_INVALID_REQUEST, "1" },
		{ "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"m\"}",
		    RPC_INVALID_REQUEST, "1" },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}",
		    RPC_INVALID_REQUEST, "1" },
		{ "{\"jsonrpc\":\"2.0 \",\"id\":1,\"method\":\"m\"}",
		    RPC_INVALID_REQUEST, "1" },
		{ "{\"jsonrpc\":[\"2.0\"],\"id\":1,\"method\":\"m\"}",
		    RPC_INVALID_REQUEST, "1" },
		{ "{\"jsonrpc\":null,\"id\":1,\"method\":\"m\"}",
		    RPC_INVALID_REQUEST, "1" },
		{ "{\"JSONRPC\":\"2.0\",\"id\":\"\\\"\",\"method\":\"m\"}",
		    RPC_INVALID_REQUEST, "\"\\\"\"" },
		{ "{\"id\":1,\"method\":\"m\",\"params\":{" V "}}",
		    RPC_INVALID_REQUEST, "1" },
		/* method */
		{ "{" V ",\"id\":1}", RPC_INVALID_REQUEST, "1" },
		{ "{" V ",\"id\":1,\"method\":\"\"}", RPC_INVALID_REQUEST,
		    "1" },
		{ "{" V ",\"method\":1,\"id\":2}", RPC_INVALID_REQUEST, "2" },
		{ "{" V ",\"id\":1,\"method\":null}", RPC_INVALID_REQUEST,
		    "1" },
		{ "{" V ",\"id\":1,\"method\":[\"m\"]}", RPC_INVALID_REQUEST,
		    "1" },
		{ "{" V ",\"id\":1,\"method\":{\"m\":1}}",
		    RPC_INVALID_REQUEST, "1" },
		{ "{" V ",\"id\":1,\"Method\":\"m\"}", RPC_INVALID_REQUEST,
		    "1" },
		{ "{" V ",\"id\":1,\"params\":{\"method\":\"m\"}}",
		    RPC_INVALID_REQUEST, "1" },
		/* id */
		{ "{" V ",\"id\":null,\"method\":\"m\"}",
		    RPC_INVALID_REQUEST, "null" },
		{ "{" V ",\"id\":1.0,\"method\":\"m\"}", RPC_INVALID_REQUEST,
		    NULL },
		{ "{" V ",\"id\":1e2,\"method\":\"m\"}", RPC_INVALID_REQUEST,
		    NULL },
		{ "{" V ",\"id\":1E2,\"method\":\"m\"}", RPC_INVALID_REQUEST,
		    NULL },
		{ "{" V ",\"id\":true,\"method\":\"m\"}",
		    RPC_INVALID_REQUEST, NULL },
		{ "{" V ",\"id\":[1],\"method\":\"m\"}", RPC_INVALID_REQUEST,
		    NULL },
		{ "{" V ",\"id\":{},\"method\":\"m\"}", RPC_INVALID_REQUEST,
		    NULL },
		/* params */
		{ CALL "1}", RPC_INVALID_REQUEST, "1" },
		{ CALL "\"x\"}", RPC_INVALID_REQUEST, "1" },
		{ CALL "false}", RPC_INVALID_REQUEST, "1" },
		{ CALL "{\"_meta\":{" META ":[\"2\"]}}}",
		    RPC_INVALID_REQUEST, "1" },
		{ CALL "{\"_meta\":{" META ":{}}}}", RPC_INVALID_REQUEST,
		    "1" },
		{ CALL "{\"_meta\":{" META ":2}}}", RPC_INVALID_REQUEST,
		    "1" },
		{ CALL "{\"_meta\":{" META ":null}}}", RPC_INVALID_REQUEST,
		    "1" },
		/* neither one thing nor the other */
		{ "{" V ",\"id\":1,\"method\":\"m\",\"result\":{}}",
		    RPC_INVALID_REQUEST, "1" },
		{ "{" V ",\"id\":1,\"method\":\"m\",\"error\":null}",
		    RPC_INVALID_REQUEST, "1" },
		{ "{" V ",\"method\":\"m\",\"result\":1}",
		    RPC_INVALID_REQUEST, NULL },
		{ "{" V ",\"id\":1,\"result\":{},\"error\":{}}",
		    RPC_INVALID_REQUEST, "1" },
		{ "{" V ",\"result\":{}}", RPC_INVALID_REQUEST, NULL },
		{ "{" V ",\"error\":{}}", RPC_INVALID_REQUEST, NULL },
		{ "{" V ",\"id\":null,\"result\":{}}", RPC_INVALID_REQUEST,
		    "null" },
		{ "{" V ",\"id\":1.5,\"result\":{}}", RPC_INVALID_REQUEST,
		    NULL }
	};
	struct rpc	 rpc;
	const char	*why;
	size_t		 i;
	int		 e;

	(void)state;
	for (i = 0; i < N(t); i++) {
		e = read_text(t[i].text, strlen(t[i].text), &rpc, &why);
		if (e != t[i].error)
			fail_msg("%d for: %s", e, t[i].text);
		assert_true(why != NULL && why[0] != '\0');
		same("id", rpc.id, t[i].id, t[i].text);
		rpc_free(&rpc);
	}
}

/* Which member counts hangs on the method. */
static void
test_name_by_method(void **state)
{
	static const struct {
		const char	*method, *params, *name;
		int		 error;
	} t[] = {
		{ "tools/call", "{\"name\":\"n\",\"uri\":\"u\"}", "n", 0 },
		{ "tools/call", "{\"uri\":\"u\"}", NULL, 0 },
		{ "tools/call", "{\"name\":1,\"uri\":\"u\"}", NULL,
		    RPC_INVALID_REQUEST },
		{ "tools/call", "{\"name\":null}", NULL,
		    RPC_INVALID_REQUEST },
		{ "tools/call", "{\"name\":{\"name\":\"a\"}}", NULL,
		    RPC_INVALID_REQUEST },
		{ "tools\\/call", "{\"name\":[\"a\"]}", NULL,
		    RPC_INVALID_REQUEST },
		{ "tools/list", "{\"name\":1,\"uri\":\"u\"}", NULL, 0 },
		{ "prompts/get", "{\"uri\":\"u\",\"name\":\"n\"}", "n", 0 },
		{ "prompts/get", "{\"name\":true,\"uri\":\"u\"}", NULL,
		    RPC_INVALID_REQUEST },
		{ "resources/read", "{\"name\":\"n\",\"uri\":\"u\"}", "u",
		    0 },
		{ "resources/read", "{\"name\":\"n\"}", NULL, 0 },
		{ "resources/read", "{\"uri\":7,\"name\":\"n\"}", NULL,
		    RPC_INVALID_REQUEST },
		{ "resources/subscribe", "{\"name\":\"n\",\"uri\":\"u\"}",
		    "u", 0 },
		{ "tasks/get", "{\"taskId\":\"t\",\"name\":\"n\","
		    "\"uri\":\"u\"}", "t", 0 },
		{ "tasks/update", "{\"name\":\"n\",\"uri\":\"u\"}",
		    NULL, 0 },
		{ "tasks/get", "{\"taskId\":7,\"name\":\"n\"}", NULL, 0 },
		{ "tasks/get", "{\"taskId\":\"t\",\"taskid\":1}", "t",
		    RPC_INVALID_REQUEST },
		{ "tasks/cancel", "{\"tas\u212aid\":1}", NULL,
		    RPC_INVALID_REQUEST },
		{ "tools/call", "{\"name\":\"n\",\"TaskId\":\"t\"}",
		    "n", 0 },
		{ "tools/call", "{\"name\":\"n\",\"Name\":\"o\"}", "n",
		    RPC_INVALID_REQUEST },
		{ "tools/call", "{\"NAME\":\"o\"}", NULL,
		    RPC_INVALID_REQUEST },
		{ "tools/call", "{\"name\":\"n\",\"Arguments\":{}}", "n",
		    RPC_INVALID_REQUEST },
		{ "tools/call", "{\"name\":\"n\",\"argument\u017f\":{}}",
		    "n", RPC_INVALID_REQUEST },
		{ "tools/call", "{\"name\":\"n\",\"argument\":{},"
		    "\"names\":1,\"nam\":1,\"\":1}", "n", 0 },
		{ "tools/call", "{\"name\":\"n\",\"arguments\":"
		    "{\"Name\":\"o\",\"Method\":1}}", "n", 0 },
		{ "resources/read", "{\"uri\":\"u\",\"URI\":\"v\"}", "u",
		    RPC_INVALID_REQUEST },
		{ "ping", "{\"_META\":{}}", NULL, RPC_INVALID_REQUEST },
		{ "ping", "{\"Name\":\"n\"}", NULL, 0 },
		{ "resourcesx", "{\"name\":\"n\",\"uri\":\"u\"}", "n", 0 }
	};
	struct rpc	 rpc;
	const char	*why;
	char		 text[256];
	size_t		 i;
	int		 e, order;

	(void)state;
	for (i = 0; i < 2 * N(t); i++) {
		/* the members of a message have no order */
		order = i % 2;
		snprintf(text, sizeof(text), order ?
		    "{" V ",\"id\":1,\"params\":%s,\"method\":\"%s\"}" :
		    "{" V ",\"id\":1,\"method\":\"%s\",\"params\":%s}",
		    order ? t[i / 2].params : t[i / 2].method,
		    order ? t[i / 2].method : t[i / 2].params);
		e = read_text(text, strlen(text), &rpc, &why);
		if (e != t[i / 2].error)
			fail_msg("%d for: %s", e, text);
		same("name", rpc.name, t[i / 2].name, text);
		rpc_free(&rpc);
	}
}

static void
test_params(void **state)
{
	static const struct {
		const char	*params, *name, *version;
	} t[] = {
		{ "{}", NULL, NULL }, { "[]", NULL, NULL },
		{ "{\"name\":\"a\"}", "a", NULL },
		{ "{\"name\":\"\"}", "", NULL },
		{ "{\"uri\":\"file:///x\"}", "file:///x", NULL },
		{ "{\"uri\":\"u\",\"name\":\"n\"}", "n", NULL },
		{ "{\"name\":\"n\",\"uri\":\"u\"}", "n", NULL },
		{ "{\"n\\u0061me\":\"a\\n\\u00e4\\/\"}", "a\n\xc3\xa4/",
		    NULL },
		{ "{\"\\u0075ri\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80",
		    NULL },
		{ "{\"name\":1}", NULL, NULL },
		{ "{\"name\":1,\"uri\":\"u\"}", NULL, NULL },
		{ "{\"uri\":\"u\",\"name\":null}", NULL, NULL },
		{ "{\"name\":\"n\",\"uri\":{}}", "n", NULL },
		{ "{\"name\":[\"a\"]}", NULL, NULL },
		{ "{\"name\":{\"name\":\"a\"}}", NULL, NULL },
		{ "{\"arguments\":{\"name\":\"a\",\"uri\":\"b\"}}", NULL,
		    NULL },
		{ "{\"name\":\"a\",\"arguments\":{\"name\":\"b\"}}", "a",
		    NULL },
		{ "{\"arguments\":{\"x\":{}},\"name\":\"a\",\"z\":\"c\"}",
		    "a", NULL },
		{ "[{\"name\":\"a\"},\"b\"]", NULL, NULL },
		{ "{\"Name\":\"a\",\"name \":\"b\"}", NULL, NULL },
		{ "{\"a\":[1,\"name\",\"b\"]}", NULL, NULL },
		{ "{\"name\":\"a\",\"x\":[\"b\",{\"y\":\"c\"}],\"q\":\"d\"}",
		    "a", NULL },
		/* the version */
		{ "{\"_meta\":{" META ":\"2\"}}", NULL, "2" },
		{ "{\"_meta\":{\"a\":{\"b\":1}," META ":\"2\"},\"name\":\"n\"}",
		    "n", "2" },
		{ "{\"_meta\":{\"io\\u002emodelcontextprotocol\\/"
		    "protocolVersion\":\"\\u0032\"}}", NULL, "2" },
		{ "{\"\\u005fmeta\":{" META ":\"2\",\"x\":\"3\"}}", NULL,
		    "2" },
		{ "{" META ":\"2\"}", NULL, NULL },
		{ "{\"_meta\":{\"x\":{" META ":\"2\"}}}", NULL, NULL },
		{ "{\"_meta\":[{" META ":\"2\"}]}", NULL, NULL },
		{ "{\"_meta\":[\"" "2\"]}", NULL, NULL },
		{ "{\"x\":{\"_meta\":{" META ":\"2\"}}}", NULL, NULL },
		{ "{\"x\":{" META ":\"2\"}}", NULL, NULL },
		{ "[{\"_meta\":{" META ":\"2\"}}]", NULL, NULL },
		{ "{\"_meta\":{\"name\":\"a\",\"uri\":\"b\"}}", NULL, NULL },
		{ "{},\"_meta\":{" META ":\"2\"}", NULL, NULL },
		{ "{},\"x\":{\"name\":\"a\",\"_meta\":{" META ":\"2\"}}",
		    NULL, NULL },
		{ "{},\"name\":\"a\",\"uri\":\"b\"", NULL, NULL }
	};
	struct rpc	 rpc;
	const char	*why;
	char		 text[512];
	size_t		 i;
	int		 e;

	(void)state;
	for (i = 0; i < N(t); i++) {
		snprintf(text, sizeof(text), CALL "%s}", t[i].params);
		e = read_text(text, strlen(text), &rpc, &why);
		if (e != 0)
			fail_msg("%d (%s) for: %s", e, why, text);
		assert_int_equal(rpc.kind, RPC_REQUEST);
		same("id", rpc.id, "1", text);
		same("method", rpc.method, "m", text);
		same("name", rpc.name, t[i].name, text);
		same("version", rpc.version, t[i].version, text);
		rpc_free(&rpc);
	}
}

/* before, n times unit, after: is it taken? */
static void
limit(const char *before, const char *unit, size_t n, const char *after,
    int want)
{
	struct rpc	 rpc;
	const char	*why;
	size_t		 len = strlen(before) + n * strlen(unit) +
	    strlen(after), i;
	char		*text = malloc(len + 1), *p;
	int		 e;

	assert_non_null(text);
	p = stpcpy(text, before);
	for (i = 0; i < n; i++)
		p = stpcpy(p, unit);
	strcpy(p, after);
	e = read_text(text, len, &rpc, &why);
	if (e != want)
		fail_msg("%d, expected %d for %s%zu times %s%s", e, want,
		    before, n, unit, after);
	rpc_free(&rpc);
	free(text);
}

static void
test_limits(void **state)
{
	static const struct {
		const char	*before, *unit;
		size_t		 max;
		const char	*after;
	} t[] = {
		{ "{" V ",\"id\":1,\"method\":\"", "m", RPC_METHOD_MAX,
		    "\"}" },
		{ "{" V ",\"id\":1,\"method\":\"", "\\u006d", RPC_METHOD_MAX,
		    "\"}" },
		{ "{" V ",\"method\":\"m\",\"id\":", "1", RPC_ID_MAX, "}" },
		{ "{" V ",\"method\":\"m\",\"id\":\"", "i", RPC_ID_MAX - 2,
		    "\"}" },
		{ "{" V ",\"method\":\"m\",\"id\":\"", "\\\"",
		    RPC_ID_MAX / 2 - 1, "\"}" },
		{ CALL "{\"name\":\"", "n", RPC_NAME_MAX, "\"}}" },
		{ CALL "{\"name\":\"", "\\u006e", RPC_NAME_MAX, "\"}}" },
		{ CALL "{\"uri\":\"", "u", RPC_NAME_MAX, "\"}}" },
		{ CALL "{\"name\":\"n\",\"uri\":\"", "u", RPC_NAME_MAX,
		    "\"}}" },
		{ CALL "{\"_meta\":{" META ":\"", "v", RPC_METHOD_MAX,
		    "\"}}}" }
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < N(t); i++) {
		limit(t[i].before, t[i].unit, t[i].max, t[i].after, 0);
		limit(t[i].before, t[i].unit, t[i].max + 1, t[i].after,
		    RPC_INVALID_REQUEST);
		limit(t[i].before, t[i].unit, 100000, t[i].after,
		    RPC_INVALID_REQUEST);
	}
	/* what nobody looks at may be long */
	limit(CALL "{\"arguments\":\"", "x", 1000000, "\"}}", 0);
	limit(CALL "{\"arguments\":{\"name\":\"", "\\n", 100000, "\"}}}", 0);
	limit(CALL "{\"x\":", "[", 61, "", RPC_PARSE_ERROR);
}

/* Freeing twice, and after every beginning of a message, is harmless. */
static void
test_cut(void **state)
{
	static const char	 text[] = "{" V ",\"id\":\"\\u0069\","
	    "\"method\":\"t\\u006f\",\"params\":{\"name\":\"\\u006e\","
	    "\"uri\":\"\\u0075\",\"_meta\":{" META ":\"\\u0076\"}}}";
	struct rpc		 rpc;
	const char		*why;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(read_text(text, i, &rpc, &why),
		    RPC_PARSE_ERROR);
		rpc_free(&rpc);
	}
	assert_int_equal(read_text(text, i, &rpc, &why), 0);
	same("id", rpc.id, "\"\\u0069\"", text);
	same("method", rpc.method, "to", text);
	same("name", rpc.name, "n", text);
	same("version", rpc.version, "v", text);
	rpc_free(&rpc);
	rpc_free(&rpc);
	free(body);
	body = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_name_by_method),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cut)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
