/*
 * Strict JSON: what RFC 8259 has and what it has not, names that come twice
 * however they are spelled, limits, and escaping there and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))
#define T(s)	s, sizeof(s) - 1

struct text {
	const char	*text;
	size_t		 len;
};

/* In memory of exactly that size, so that a look behind it is seen. */
static enum json_error
check(const char *text, size_t len)
{
	enum json_error	 e;
	char		*p = malloc(len > 0 ? len : 1);

	assert_non_null(p);
	memcpy(p, text, len);
	e = json_check(p, len);
	free(p);
	return (e);
}

static void
expect(const char *text, size_t len, enum json_error want)
{
	enum json_error	 e = check(text, len);

	if (e != want)
		fail_msg("%s, expected %s for: %.*s", json_strerror(e),
		    json_strerror(want), (int)(len < 200 ? len : 200), text);
}

static void
expect_all(const struct text *t, size_t n, enum json_error want)
{
	for (; n > 0; n--, t++)
		expect(t->text, t->len, want);
}

static void
test_good(void **state)
{
	static const struct text t[] = {
		{ T("null") }, { T("true") }, { T("false") }, { T("\"\"") },
		{ T("{}") }, { T("[]") }, { T(" \t\r\n[ \t\r\n] \t\r\n") },
		{ T("{ \"a\" : 1 , \"b\" : [ 1 , { } ] }") },
		{ T("[1,[2,[3]],{\"a\":{\"a\":{\"a\":[]}}}]") },
		{ T("0") }, { T("-0") }, { T("-1") }, { T("10") },
		{ T("0.0") }, { T("-0.01") }, { T("1e0") }, { T("1E+09") },
		{ T("0e-1") }, { T("1.5e999999") }, { T("1e-999999") },
		{ T("123456789012345678901234567890") },
		{ T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uABcd\"") },
		{ T("\"\x7f\"") }, { T("\"/\"") }, { T("\" \"") },
		{ T("\"\\ud800\\udc00\\uDBFF\\uDFFF\"") },
		{ T("\"\\ud7ff\\ue000\\uffff\"") },
		{ T("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\"") },
		{ T("\"\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\"") },
		{ T("\"\xf4\x8f\xbf\xbf\"") },
		{ T("\"\xef\xbb\xbf\"") },	/* no BOM in there */
		{ T("[\"a\",\"a\"]") }, { T("{\"\":0}") },
		{ T("{\"a\":\"a\"}") }
	};

	(void)state;
	expect_all(t, N(t), JSON_OK);
}

static void
test_syntax(void **state)
{
	static const struct text t[] = {
		{ T("") }, { T(" ") }, { T("\0") }, { T("null\0") },
		{ T("\0null") }, { T("\xef\xbb\xbf{}") },
		{ T("\xff\xfe{\0}\0") }, { T("nul") }, { T("nulll") },
		{ T("Null") }, { T("TRUE") }, { T("tru") }, { T("falsE") },
		{ T("undefined") }, { T("NaN") }, { T("-Infinity") },
		{ T("Infinity") }, { T("truefalse") }, { T("true false") },
		{ T("{} {}") }, { T("{}{}") }, { T("[]]") }, { T("{}}") },
		{ T("1 2") }, { T("\"a\"\"b\"") }, { T("{},") },
		/* numbers */
		{ T("01") }, { T("-01") }, { T("00") }, { T("-") },
		{ T("+1") }, { T("--1") }, { T("1.") }, { T(".1") },
		{ T("-.1") }, { T("1.e1") }, { T("1e") }, { T("1e+") },
		{ T("1e1.5") }, { T("1.2.3") }, { T("0x10") }, { T("1a") },
		{ T("1_0") }, { T("[1e]") }, { T("1e1e1") },
		{ T("\xd9\xa1") },
		/* arrays and objects */
		{ T("[") }, { T("]") }, { T("[1") }, { T("[1,") },
		{ T("[1,]") }, { T("[,1]") }, { T("[,]") }, { T("[1,,2]") },
		{ T("[1 2]") }, { T("[1}") }, { T("[1:2]") }, { T("{") },
		{ T("}") }, { T("{]") }, { T("[}") }, { T("{\"a\"") },
		{ T("{\"a\":") }, { T("{\"a\":1") }, { T("{\"a\":1,") },
		{ T("{\"a\":1,}") }, { T("{,\"a\":1}") }, { T("{\"a\":}") },
		{ T("{\"a\"}") }, { T("{\"a\" 1}") }, { T("{\"a\",1}") },
		{ T("{\"a\"::1}") }, { T("{\"a\":1 \"b\":2}") },
		{ T("{\"a\":1]") }, { T("{a:1}") }, { T("{'a':1}") },
		{ T("{1:1}") }, { T("{null:1}") }, { T("{[]:1}") },
		{ T("{\"a\":1:2}") },
		/* strings */
		{ T("\"") }, { T("\"a") }, { T("'a'") }, { T("\"\\\"") },
		{ T("\"\\") }, { T("\"\\u\"") }, { T("\"\\u12\"") },
		{ T("\"\\u123\"") }, { T("\"\\u123g\"") },
		{ T("\"\\u+123\"") }, { T("\"\\u 123\"") },
		{ T("\"\\U1234\"") }, { T("\"\\x41\"") }, { T("\"\\'\"") },
		{ T("\"\\a\"") }, { T("\"\\v\"") }, { T("\"\\0\"") },
		{ T("\"\\\0\"") }, { T("\"\\u12") }, { T("\"\\u1234") },
		{ T("\"a\nb\"") }, { T("\"a\rb\"") }, { T("\"a\tb\"") },
		{ T("\"a\0b\"") }, { T("\"\x1f\"") }, { T("{\"a\n\":1}") },
		/* what is no space, no comment */
		{ T("[1\x0b]") }, { T("[1\x0c]") }, { T("[1\xc2\xa0]") },
		{ T("[1\xe2\x80\xa8]") }, { T("[1]\0") }, { T("//\n1") },
		{ T("/**/1") }, { T("1//") }, { T("#\n1") }
	};

	(void)state;
	expect_all(t, N(t), JSON_SYNTAX);
}

static void
test_surrogates(void **state)
{
	static const struct text t[] = {
		{ T("\"\\ud800\"") }, { T("\"\\udbff\"") },
		{ T("\"\\udc00\"") }, { T("\"\\udfff\"") },
		{ T("\"\\udc00\\ud800\"") }, { T("\"\\ud800\\ud800\"") },
		{ T("\"\\ud800x\"") }, { T("\"\\ud800\\n\"") },
		{ T("\"\\ud800\\u0041\"") }, { T("\"\\ud800\\udbff\"") },
		{ T("\"\\ud800\\ue000\"") }, { T("\"\\ud800") },
		{ T("\"\\ud800\\udc0") }, { T("\"\\ud800\\udc0g\"") },
		{ T("\"\\ud800\xed\xb0\x80\"") },
		{ T("{\"\\ud800\":1}") }
	};

	(void)state;
	expect_all(t, N(t), JSON_SURROGATE);
}

static void
test_utf8(void **state)
{
	static const struct text t[] = {
		{ T("\"\x80\"") }, { T("\"\xbf\"") }, { T("\"\xc0\x80\"") },
		{ T("\"\xc0\xaf\"") }, { T("\"\xc1\xbf\"") },
		{ T("\"\xc2\"") }, { T("\"\xc2") }, { T("\"\xc2\xc0\"") },
		{ T("\"\xc2" "a\"") }, { T("\"\xe0\x80\x80\"") },
		{ T("\"\xe0\x9f\xbf\"") }, { T("\"\xe0\xa0\"") },
		{ T("\"\xe0\xa0") }, { T("\"\xe1\x80\xc0\"") },
		{ T("\"\xed\xa0\x80\"") }, { T("\"\xed\xbf\xbf\"") },
		{ T("\"\xed\xa0\x80\xed\xb0\x80\"") },
		{ T("\"\xf0\x80\x80\x80\"") }, { T("\"\xf0\x8f\xbf\xbf\"") },
		{ T("\"\xf0\x90\x80\"") }, { T("\"\xf0\x90\x80") },
		{ T("\"\xf4\x90\x80\x80\"") }, { T("\"\xf5\x80\x80\x80\"") },
		{ T("\"\xf8\x88\x80\x80\x80\"") }, { T("\"\xff\"") },
		{ T("\"\xfe\"") }, { T("{\"\xe4\":1}") }
	};

	(void)state;
	expect_all(t, N(t), JSON_UTF8);
}

static void
test_duplicates(void **state)
{
	static const struct text twice[] = {
		{ T("{\"a\":1,\"a\":1}") }, { T("{\"\":1,\"\":2}") },
		{ T("{\"a\":1,\"b\":2,\"a\":3}") },
		{ T("{\"a\":1,\"\\u0061\":2}") },
		{ T("{\"\\u0061\":1,\"a\":2}") },
		{ T("{\"/\":1,\"\\/\":2}") }, { T("{\"\\n\":1,\"\\u000A\":2}") },
		{ T("{\"\\\"\":1,\"\\u0022\":2}") },
		{ T("{\"\\\\\":1,\"\\u005c\":2}") },
		{ T("{\"\\b\\f\\r\\t\":1,\"\\u0008\\u000c\\u000d\\u0009\":2}")
		    },
		{ T("{\"\xc3\xa4\":1,\"\\u00e4\":2}") },
		{ T("{\"\\u00E4\":1,\"\\u00e4\":2}") },
		{ T("{\"\xe2\x82\xac\":1,\"\\u20ac\":2}") },
		{ T("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\uDE00\":2}") },
		{ T("{\"m\\u0065thod\":1,\"me\\u0074hod\":2}") },
		{ T("[{\"x\":{\"a\":1,\"a\":2}}]") },
		{ T("{\"a\":{\"b\":1},\"a\":2}") },
		{ T("{\"a\":{\"a\":1},\"b\":[{\"a\":1}],\"a\":2}") },
		{ T("{\"a\":[{\"b\":1,\"c\":{\"b\":1},\"b\":2}]}") },
		{ T("{\"\\u0000\":1,\"\\u0000\":2}") }
	};
	static const struct text once[] = {
		{ T("{\"a\":{\"a\":{\"a\":1}}}") },
		{ T("[{\"a\":1},{\"a\":1}]") }, { T("{\"a\":1,\"A\":2}") },
		{ T("{\"a\":1,\"a \":2}") }, { T("{\"a\":1,\"aa\":2}") },
		{ T("{\"a\":1,\"\":2}") }, { T("{\"a\\u0000\":1,\"a\":2}") },
		{ T("{\"a\":{\"b\":1},\"b\":{\"a\":1}}") },
		{ T("{\"\\\\u0061\":1,\"a\":2}") },
		{ T("{\"\\\\n\":1,\"\\n\":2,\"n\":3}") },
		/* equal to the eye only */
		{ T("{\"\xc3\xa4\":1,\"a\xcc\x88\":2}") },
		{ T("{\"a\":\"b\",\"b\":\"a\"}") }
	};

	(void)state;
	expect_all(twice, N(twice), JSON_DUPLICATE);
	expect_all(once, N(once), JSON_OK);
	json_seed();
	expect_all(twice, N(twice), JSON_DUPLICATE);
	expect_all(once, N(once), JSON_OK);
}

/* depth levels that begin with open and end with close. */
static void
nest(size_t depth, const char *open, const char *close, enum json_error want)
{
	char	*text = malloc(depth * 16 + 16), *p = text;
	size_t	 i;

	assert_non_null(text);
	for (i = 0; i < depth; i++)
		p = stpcpy(p, i % 2 == 0 || close[1] == '\0' ? open : "[");
	p = stpcpy(p, "1");
	for (i = depth; i-- > 0;)
		*p++ = i % 2 == 0 || close[1] == '\0' ? close[0] : ']';
	expect(text, (size_t)(p - text), want);
	free(text);
}

static void
test_depth(void **state)
{
	static const size_t	 depths[] = { 1, 63, 64, 65, 66, 1000, 100000 };
	size_t			 i;
	enum json_error		 want;

	(void)state;
	for (i = 0; i < N(depths); i++) {
		want = depths[i] <= JSON_DEPTH_MAX ? JSON_OK : JSON_DEPTH;
		nest(depths[i], "[", "]", want);
		nest(depths[i], "{\"a\":", "}", want);
		/* objects and arrays in turn */
		nest(depths[i], "{\"a\":", "}+", want);
	}
	/* width is no depth */
	expect(T("[[],[],{},{},[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],"
	    "[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]]"
	    ",[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]]]"),
	    JSON_OK);
}

/* n members, in one object or in many; the last like the first when again. */
static void
members(size_t n, size_t per_object, int again, enum json_error want)
{
	char	*text = malloc(n * 20 + 64), *p = text;
	size_t	 i;

	assert_non_null(text);
	p = stpcpy(p, "[");
	for (i = 0; i < n; i++) {
		if (i % per_object == 0)
			p = stpcpy(p, i == 0 ? "{" : "},{");
		else
			*p++ = ',';
		p += sprintf(p, "\"%zx\":1", again && i == n - 1 ? 0 : i);
	}
	p = stpcpy(p, "}]");
	expect(text, (size_t)(p - text), want);
	free(text);
}

static void
test_members(void **state)
{
	static const size_t	 n[] = { 2, 15, 16, 17, 18, 31, 32, 33, 64, 65,
	    127, 128, 129, 1000, JSON_MEMBERS_MAX - 1, JSON_MEMBERS_MAX };
	size_t			 i;

	(void)state;
	for (i = 0; i < N(n); i++) {
		members(n[i], n[i], 0, JSON_OK);
		members(n[i], n[i], 1, JSON_DUPLICATE);
		members(n[i], 1, 0, JSON_OK);
		members(n[i], 1, 1, JSON_OK);
	}
	members(JSON_MEMBERS_MAX + 1, JSON_MEMBERS_MAX + 1, 0, JSON_TOO_MANY);
	members(JSON_MEMBERS_MAX + 1, 3, 0, JSON_TOO_MANY);
	members(2 * JSON_MEMBERS_MAX, 1, 0, JSON_TOO_MANY);
}

/* No beginning of a text that ends in a bracket is a text. */
static void
test_cut(void **state)
{
	static const char	 text[] = "{\"a\\u00e4\\ud83d\\ude00\":[1.5e+3"
	    ",-0,true,false,null,\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\\n\"]"
	    ",\"b\":{\"c\":{}}}";
	size_t			 i;

	(void)state;
	expect(text, sizeof(text) - 1, JSON_OK);
	for (i = 0; i < sizeof(text) - 1; i++)
		if (check(text, i) == JSON_OK)
			fail_msg("the first %zu bytes are taken", i);
}

static void
test_strerror(void **state)
{
	int	 e;

	(void)state;
	for (e = JSON_OK; e <= JSON_MEMORY + 1; e++)
		assert_true(strlen(json_strerror((enum json_error)e)) > 3);
}

static void
test_unescape(void **state)
{
	static const struct {
		const char	*in, *want;
		size_t		 len;
	} t[] = {
		{ "", T("") }, { "abc", T("abc") },
		{ "\\\"\\\\\\/\\b\\f\\n\\r\\t", T("\"\\/\b\f\n\r\t") },
		{ "\\u0000", T("\0") }, { "a\\u0041b", T("aAb") },
		{ "\\u007f\\u0080", T("\x7f\xc2\x80") },
		{ "\\u07FF\\u0800", T("\xdf\xbf\xe0\xa0\x80") },
		{ "\\ud7ff\\uE000\\uffff",
		    T("\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf") },
		{ "\\ud800\\udc00", T("\xf0\x90\x80\x80") },
		{ "\\udbff\\udfff", T("\xf4\x8f\xbf\xbf") },
		{ "\\\\u0041", T("\\u0041") },
		{ "\xc3\xa4\\n\xf0\x9f\x98\x80", T("\xc3\xa4\n\xf0\x9f\x98\x80")
		    }
	};
	size_t	 i, len, n;
	char	*in, *out;

	(void)state;
	for (i = 0; i < N(t); i++) {
		len = strlen(t[i].in);
		in = malloc(len + 1);
		out = malloc(len + 1);
		assert_true(in != NULL && out != NULL);
		memcpy(in, t[i].in, len);
		n = json_unescape((struct slice){ in, len }, out);
		assert_true(n <= len);
		if (n != t[i].len || memcmp(out, t[i].want, n) != 0)
			fail_msg("'%s' becomes '%.*s'", t[i].in, (int)n, out);
		free(in);
		free(out);
	}
}

static void
escape(const char *in, size_t len, size_t max, const char *want)
{
	size_t	 room = 6 * (len < max ? len : max), n;
	char	*out = malloc(room > 0 ? room : 1), *src = malloc(len + 1);

	assert_true(out != NULL && src != NULL);
	memcpy(src, in, len);
	n = json_escape((struct slice){ src, len }, max, out);
	if (n != strlen(want) || memcmp(out, want, n) != 0)
		fail_msg("'%.*s', expected '%s'", (int)n, out, want);
	free(out);
	free(src);
}

static void
test_escape(void **state)
{
	static const struct {
		const char	*in;
		size_t		 len;
		const char	*want;
	} t[] = {
		{ T(""), "" }, { T("abc/'<>"), "abc/'<>" },
		{ T("\"\\"), "\\\"\\\\" },
		{ T("a\0b"), "a\\u0000b" },
		{ T("\n\r\t\x1b\x1f"),
		    "\\u000a\\u000d\\u0009\\u001b\\u001f" },
		{ T("\x7f"), "\\u007f" },
		{ T("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"),
		    "\\u0080\\u009b\\u009f\xc2\xa0" },
		{ T("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
		    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ T("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf"),
		    "\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaf" },
		/* what turns the direction, and its neighbours */
		{ T("\xe2\x80\xad\xe2\x80\xae\xd8\x9c\xd8\x9b\xe2\x80\x8d"
		    "\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90"),
		    "\\u202d\\u202e\\u061c\xd8\x9b\xe2\x80\x8d"
		    "\\u200e\\u200f\xe2\x80\x90" },
		{ T("\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa"),
		    "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa" },
		{ T("\xff"), "\xef\xbf\xbd" },
		{ T("a\xc3"), "a\xef\xbf\xbd" },
		{ T("\xc3(\xc0\xaf"), "\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd" },
		{ T("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < N(t); i++)
		escape(t[i].in, t[i].len, 256, t[i].want);
}

/* Cut at 256 bytes, but before a character and not in it. */
static void
test_escape_cut(void **state)
{
	static const char *const chars[] = {
		"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"
	};
	char	 in[300], want[300];
	size_t	 i, before, width, n;

	(void)state;
	for (i = 0; i < N(chars); i++)
		for (before = 250; before <= 258; before++) {
			width = strlen(chars[i]);
			memset(in, 'x', sizeof(in));
			memcpy(in + before, chars[i], width);
			n = before < 256 && before + width > 256 ? before :
			    256;
			memcpy(want, in, n);
			want[n] = '\0';
			escape(in, sizeof(in), 256, want);
			/* the same when the text ends in that character */
			n = before + width <= 256 ? before + width : n;
			want[n] = '\0';
			escape(in, before + width, 256, want);
		}
	escape(T("abc"), 0, "");
	escape(T("abc"), 2, "ab");
	escape(T("\xc3\xa4"), 1, "");
}

/* Whatever the bytes: a JSON string comes out, and valid ones come back. */
static void
test_round_trip(void **state)
{
	char		 in[64], out[6 * 64 + 2], back[6 * 64];
	uint32_t	 r = 12345;
	size_t		 i, n, len;
	int		 round, wild;

	(void)state;
	for (round = 0; round < 20000; round++) {
		wild = round % 2;
		len = (size_t)round % sizeof(in);
		for (i = 0; i < len; i++) {
			r = r * 1664525 + 1013904223;
			in[i] = (char)(wild ? r >> 24 : r >> 25);
		}
		out[0] = '"';
		n = json_escape((struct slice){ in, len }, len, out + 1);
		assert_true(n <= 6 * len);
		out[n + 1] = '"';
		expect(out, n + 2, JSON_OK);
		if (wild)
			continue;
		assert_int_equal(json_unescape((struct slice){ out + 1, n },
		    back), len);
		assert_memory_equal(back, in, len);
	}
}

struct trail {
	char	 text[256];
	size_t	 len;
};

static void
on_event(void *arg, enum json_event event, struct slice raw)
{
	struct trail	*t = arg;

	t->len += (size_t)snprintf(t->text + t->len,
	    sizeof(t->text) - t->len, "%c%.*s ", "0bnskoae"[event],
	    (int)raw.len, raw.p);
	assert_true(t->len < sizeof(t->text));
}

static void
test_walk(void **state)
{
	static const char	 text[] = " {\"a\" : [ 1.5e3,true , null] ,"
	    "\"\\u0062\":\"x\\\"y\",\"c\":{},\"d\":[[\"\"]]} ";
	struct trail		 t = { "", 0 };

	(void)state;
	assert_int_equal(json_walk(text, sizeof(text) - 1, on_event, &t),
	    JSON_OK);
	assert_string_equal(t.text, "o{ ka a[ n1.5e3 btrue 0null e] "
	    "k\\u0062 sx\\\"y kc o{ e} kd a[ a[ s e] e] e} ");
}

/* A name that comes twice is told once. */
static void
test_walk_stops(void **state)
{
	static const char	 text[] = "{\"a\":1,\"\\u0061\":2}";
	struct trail		 t = { "", 0 };

	(void)state;
	assert_int_equal(json_walk(text, sizeof(text) - 1, on_event, &t),
	    JSON_DUPLICATE);
	assert_string_equal(t.text, "o{ ka n1 ");
}

static void
raw_is(const struct json_member *m, enum json_type type, const char *raw)
{
	assert_int_equal(m->type, type);
	assert_true(slice_is(m->raw, raw));
}

static void
test_pick(void **state)
{
	static const char	 text[] = "{\"s\":\"a\\nb\",\"\\u0061\":"
	    "[1,{\"s\":2},[3]] ,\"o\":{\"n\":[]},\"n\":null,\"S\":7,"
	    "\"t\":true,\"num\":-1}";
	struct json_member	 m[] = { { .name = "a" }, { .name = "s" },
	    { .name = "o" }, { .name = "n" }, { .name = "none" },
	    { .name = "t" }, { .name = "num" } };
	size_t			 i;

	(void)state;
	assert_int_equal(json_members(text, sizeof(text) - 1, m, N(m)),
	    JSON_OK);
	raw_is(&m[0], JSON_T_ARRAY, "[1,{\"s\":2},[3]]");
	raw_is(&m[1], JSON_T_STRING, "a\\nb");
	raw_is(&m[2], JSON_T_OBJECT, "{\"n\":[]}");
	raw_is(&m[3], JSON_T_NULL, "null");
	assert_int_equal(m[4].type, JSON_T_ABSENT);
	raw_is(&m[5], JSON_T_BOOLEAN, "true");
	raw_is(&m[6], JSON_T_NUMBER, "-1");
	/* of a text that is no object there are none, nor of a bad one */
	for (i = 0; i < 4; i++) {
		static const char *const bad[] = { "[{\"a\":1}]", "\"a\"",
		    "{\"a\":1", "{\"a\":1}x" };

		assert_int_equal(json_members(bad[i], strlen(bad[i]), m,
		    N(m)), JSON_SYNTAX);
	}
}

static void
test_string_is(void **state)
{
	static const struct {
		const char	*raw, *s;
		int		 want;
	} t[] = {
		{ "", "", 1 }, { "a", "", 0 }, { "", "a", 0 },
		{ "https:\\/\\/a\\/", "https://a/", 1 },
		{ "https:\\/\\/a", "https://a/", 0 },
		{ "https:\\/\\/a\\/", "https://a", 0 },
		{ "\\u0061", "a", 1 }, { "a\\u0000", "a", 0 },
		{ "\\u0000", "", 0 }, { "\\ud83d\\ude00",
		    "\xf0\x9f\x98\x80", 1 }
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < N(t); i++)
		if (json_string_is(slice_of(t[i].raw), t[i].s) != t[i].want)
			fail_msg("%s and %s", t[i].raw, t[i].s);
}

/* Names are compared where they are few, and hashed where they are many: a
 * name that comes again is found on either side, and however either is
 * written. */
static void
test_again(void **state)
{
	static const char *const how[] = { ",\"k%zu\":1", ",\"\\u006b%zu\":1" };
	char	 text[1024], *p;
	size_t	 last, same, i, ways;

	(void)state;
	for (last = 1; last < 40; last++)
		for (same = 0; same <= last; same++)
			for (ways = 0; ways < 4; ways++) {
				p = text;
				for (i = 0; i < last; i++)
					p += sprintf(p, how[i == same ?
					    ways & 1 : i % 2], i);
				p += sprintf(p, how[ways >> 1], same);
				stpcpy(p, "}");
				text[0] = '{';
				expect(text, strlen(text), same < last ?
				    JSON_DUPLICATE : JSON_OK);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_surrogates),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_strerror),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_cut),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_walk_stops),
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_string_is),
		cmocka_unit_test(test_round_trip)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
