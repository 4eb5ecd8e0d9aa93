/*
 * ctl/yaml_edit.h: one entry goes, everything else stays to the byte; where
 * that is not sure, nothing is done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/yaml_edit.h"

/* The entry with the id x is between « and »; "< []>" is what is put in.
 * The marks are not part of the text. */
static const struct {
	const char	*what;
	const char	*text;
} cuts[] = {
	{ "the middle one",
	    "auth:\n  keys:\n    - id: a\n      hash: 1\n"
	    "«    - id: x\n      hash: 2\n»"
	    "    - id: b\n      hash: 3\n" },
	{ "the first one",
	    "auth:\n  keys:\n«    - id: x\n      hash: 2\n»"
	    "    - id: b\n      hash: 3\n" },
	{ "the last one, and keys behind the list",
	    "auth:\n  keys:\n    - id: b\n      hash: 3\n"
	    "«    - id: x\n      hash: 2\n»"
	    "  enabled: true\nlisten: :1\n" },
	{ "no end of line at the end",
	    "auth:\n  keys:\n    - id: b\n      hash: 3\n"
	    "«    - id: x\n      hash: 2»" },
	{ "the list as far left as its key",
	    "auth:\n  keys:\n  - id: a\n    hash: 1\n"
	    "«  - id: x\n    hash: 2\n»"
	    "  enabled: true\n" },
	{ "the id not first",
	    "auth:\n  keys:\n«    - hash: 2\n      id: x\n»    - id: b\n" },
	{ "more space behind the dash",
	    "auth:\n  keys:\n«    -   id: x\n        hash: 2\n»"
	    "    -   id: b\n        hash: 3\n" },
	{ "a flow mapping behind a dash",
	    "auth:\n  keys:\n«    - {id: x, hash: 2}\n»    - {id: b}\n" },
	{ "a flow mapping over several lines",
	    "auth:\n  keys:\n«    - {id: x,\n       hash: 2}\n»    - {id: b}\n" },
	{ "comments before the next entry stay",
	    "auth:\n  keys:\n    # of x\n«    - id: x\n      hash: 2\n»"
	    "      # deep\n    # of b\n\n# left\n    - id: b\n" },
	{ "comments inside the entry go",
	    "auth:\n  keys:\n«    - id: x # it\n      # inside\n\n"
	    "      hash: 2 # end\n»\n    - id: b # b\n" },
	{ "comments at the end of the file stay",
	    "auth:\n  keys:\n    - id: a\n«    - id: x\n      hash: 2\n»"
	    "\n# end\n" },
	{ "lists inside, in both styles",
	    "auth:\n  keys:\n«    - id: x\n      scopes:\n      - a\n"
	    "      - b\n»    - id: b\n      scopes: [a]\n" },
	{ "quotes, single and double",
	    "\"auth\":\n  'keys':\n«    - \"id\": 'x'\n      hash: \"2\"\n»"
	    "    - id: b\n" },
	{ "values over several lines",
	    "auth:\n  keys:\n«    - id: x\n      hash: \"2\n        3\"\n"
	    "      scopes: >\n        a\n        b\n»\n    - id: b\n" },
	{ "a block scalar in the entry before",
	    "auth:\n  keys:\n    - id: a\n      hash: |\n        - id: x\n"
	    "«    - id: x\n      hash: 2\n»" },
	{ "carriage returns",
	    "auth:\r\n  keys:\r\n    - id: a\r\n"
	    "«    - id: x\r\n      hash: 2\r\n»    - id: b\r\n" },
	{ "a byte order mark",
	    "\xef\xbb\xbf" "auth:\n  keys:\n    - id: a\n«    - id: x\n»" },
	{ "other text than ASCII, and other ends of lines",
	    "# \xc3\xa4\xe2\x82\xac\xe2\x80\xa8# \xc2\x85# \xe2\x80\xa9"
	    "auth: # \xf0\x9f\x98\x80\n  keys:\n    - id: a\n«    - id: x\n»" },
	{ "document marks",
	    "---\nauth:\n  keys:\n    - id: a\n«    - id: x\n»...\n" },
	{ "tabs where they are allowed",
	    "auth:\n  keys:\t\n    - id: a\n«    - id:\tx\t# it\n»" },
	{ "ids that are alike",
	    "auth:\n  keys:\n    - id: xx\n«    - id: x\n»    - id: X\n"
	    "    - id: x.\n" },
	{ "another list with such an id",
	    "other:\n  keys:\n    - id: x\nauth:\n  keys:\n    - id: a\n"
	    "«    - id: x\n»keys:\n  - id: x\n" },
	/* nothing is left of the list */
	{ "the only one",
	    "auth:\n  keys:< []>\n«    - id: x\n      hash: 2\n»" },
	{ "the only one, with comments",
	    "auth:\n  keys:< []>   # all\n    # of x\n"
	    "«    - id: x\n      hash: 2\n»    # end\nlisten: :1\n" },
	{ "the only one, with a quoted key and returns",
	    "auth:\r\n  \"keys\":< []>\r\n«  - id: x\r\n    hash: 2\r\n»" },
	{ "the only one, without an end of line",
	    "auth:\n 'keys':< []>\n«  - id: x»" },
	{ "the only one in a file with a mark",
	    "\xef\xbb\xbf" "auth:\n keys:< []>\n« - id: x\n»" }
};

/* Not done, and why (the beginning of it). */
static const struct {
	const char	*text;
	const char	*why;
	unsigned	 line;
} byhand[] = {
	{ "auth:\n  keys: [{id: a}, {id: x}]\n", "the entry does not begin",
	    2 },
	{ "auth:\n  keys: [\n    {id: a},\n    {id: x}]\n",
	    "the entry does not begin", 4 },
	{ "auth: {keys: [{id: x}]}\n", "the entry does not begin", 1 },
	{ "{auth: {keys: [\n  {id: x}]}}\n", "the entry does not begin", 2 },
	{ "auth:\n  keys:\n    -\n      id: x\n    - id: b\n",
	    "the entry does not begin", 4 },
	{ "auth:\n  keys:\n    - # note\n      id: x\n    - id: b\n",
	    "the entry does not begin", 4 },
	{ "auth:\n  keys:\n    -\t{id: x}\n    - id: b\n", "the file has",
	    0 },
	{ "auth:\n  keys:\n    - ? id\n      : x\n    - id: b\n",
	    NULL, 0 },		/* strange, and yet whole lines */
	{ "auth:\n  keys:\n    - id: x\n      hash: \"2\n3\"\n    - id: b\n",
	    "its lines cannot", 3 },
	{ "auth:\n  keys:\n    - id: x\n      hash: \"2\n   # 3\"\n"
	    "    - id: b\n", "its lines cannot", 3 },
	{ "auth:\n  keys:\n    - {id: x,\n  hash: 2}\n    - id: b\n",
	    "its lines cannot", 3 },
	/* blank lines that would go over to the entry before */
	{ "auth:\n  keys:\n    - id: a\n      hash: |+\n        1\n"
	    "    - id: x\n\n", "its lines cannot", 6 },
	{ "auth:\n  ? keys\n  :\n    - id: x\n", "\"keys:\" is not", 4 },
	{ "auth:\n  ? keys\n  : - id: x\n", "the entry does not begin", 3 },
	{ "auth:\n  keys :\n    - id: x\n", "something unknown", 3 },
	{ "auth:\n  \"\\x6beys\":\n    - id: x\n", "something unknown", 3 },
	/* no such entry, or no such file */
	{ "auth:\n  keys:\n    - id: a\n", "there is no such", 0 },
	{ "auth:\n  keys: []\n", "there is no such", 0 },
	{ "auth:\n  keys: x\n", "there is no such", 0 },
	{ "auth:\n  keys:\n    id: x\n", "there is no such", 0 },
	{ "auth:\n  keys:\n    - x\n", "there is no such", 0 },
	{ "auth:\n  keys:\n    - id: [x]\n", "there is no such", 0 },
	{ "auth: x\n", "there is no such", 0 },
	{ "keys:\n  - id: x\n", "there is no such", 0 },
	{ "", "the file has errors", 0 },
	{ "auth:\n  keys:\n    - id: &a x\n", "the file has errors", 0 },
	{ "auth:\n  keys:\n    - id: x\n      id: x\n", "the file has errors",
	    0 },
	{ "auth:\n  keys:\n    - id: x\n---\na: b\n", "the file has errors",
	    0 },
	{ "auth: [\n", "the file has errors", 0 }
};

#define N(a)	(sizeof(a) / sizeof((a)[0]))

/* The marked text as it is before and after the cut. */
static char *
text_of(const char *marked, int after, size_t *len)
{
	char	*out, *p;
	int	 gone = 0;

	assert_non_null(out = p = malloc(strlen(marked) + 1));
	for (; *marked != '\0'; marked++) {
		if (strncmp(marked, "«", 2) == 0 ||
		    strncmp(marked, "»", 2) == 0) {
			gone = strncmp(marked, "«", 2) == 0;
			marked++;
		} else if (strncmp(marked, "< []>", 5) == 0) {
			if (after)
				p = stpcpy(p, YAML_CUT_EMPTY);
			marked += 4;
		} else if (!after || !gone)
			*p++ = *marked;
	}
	*p = '\0';
	*len = (size_t)(p - out);
	return (out);
}

static void
test_cut(void **state)
{
	struct yaml_cut	 c;
	char		*after, *before;
	const char	*why;
	size_t		 i, alen, blen;

	(void)state;
	for (i = 0; i < N(cuts); i++) {
		before = text_of(cuts[i].text, 0, &blen);
		after = text_of(cuts[i].text, 1, &alen);
		why = yaml_cut_key(before, blen, "x", &c);
		if (why != NULL)
			fail_msg("%s: %s", cuts[i].what, why);
		if (c.len != alen || memcmp(c.text, after, alen + 1) != 0)
			fail_msg("%s: got\n%s", cuts[i].what, c.text);
		assert_true(c.from < c.to && c.to <= blen);
		assert_int_equal(c.at != 0, alen != blen - (c.to - c.from));
		/* a second time, there is nothing to be done */
		yaml_cut_free(&c);
		assert_non_null(yaml_cut_key(after, alen, "x", &c));
		assert_int_equal(c.line, 0);
		free(before);
		free(after);
	}
}

static void
test_by_hand(void **state)
{
	struct yaml_cut	 c;
	const char	*why;
	size_t		 i;

	(void)state;
	for (i = 0; i < N(byhand); i++) {
		why = yaml_cut_key(byhand[i].text, strlen(byhand[i].text),
		    "x", &c);
		if (byhand[i].why == NULL) {
			if (why != NULL)
				fail_msg("%s%s", byhand[i].text, why);
			yaml_cut_free(&c);
			continue;
		}
		if (why == NULL)
			fail_msg("was done:\n%s->\n%s", byhand[i].text,
			    c.text);
		if (strncmp(why, byhand[i].why, strlen(byhand[i].why)) != 0 ||
		    c.line != byhand[i].line)
			fail_msg("line %u: %s, for\n%s", c.line, why,
			    byhand[i].text);
		assert_null(c.text);
	}
}

static void
test_lines(void **state)
{
	static const char	 text[] = "a\n\nb\r\nc\rd\xc2\x85"
				    "e\xe2\x80\xa8" "f\xe2\x80\xa9g";
	static const size_t	 ends[] = { 2, 3, 6, 8, 11, 15, 19, 20, 20 };
	size_t			 i, pos = 0;

	(void)state;
	for (i = 0; i < N(ends); i++) {
		pos = yaml_line_next(text, strlen(text), pos);
		assert_int_equal(pos, ends[i]);
	}
}

/* Every beginning of a good file is cut rightly or not at all: no read beyond
 * its end, for which the buffer has its exact size. */
static void
test_cut_short(void **state)
{
	struct yaml_cut	 c;
	char		*copy, *text;
	size_t		 i, len, n;

	(void)state;
	for (i = 0; i < N(cuts); i++) {
		text = text_of(cuts[i].text, 0, &len);
		for (n = 0; n < len; n++) {
			assert_non_null(copy = malloc(n + 1));
			memcpy(copy, text, n);
			assert_non_null(copy = realloc(copy, n > 0 ? n : 1));
			if (yaml_cut_key(copy, n, "x", &c) == NULL) {
				assert_int_equal(c.len, n - (c.to - c.from) +
				    (c.at != 0 ? 3 : 0));
				yaml_cut_free(&c);
			}
			free(copy);
		}
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_cut_short)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
