/*
 * config/yaml.h: the tree, its positions, and all that must be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/yaml.h"

struct told {
	unsigned	 count;
	unsigned	 line;		/* of the first */
	unsigned	 column;
	char		 text[256];
};

static void
tell(void *arg, const struct ynode *n, unsigned line, unsigned column,
    const char *text)
{
	struct told	*t = arg;

	(void)n;
	if (t->count++ > 0)
		return;
	t->line = line;
	t->column = column;
	(void)snprintf(t->text, sizeof(t->text), "%s", text);
}

static struct ynode *
parse(const char *text, struct told *t)
{
	memset(t, 0, sizeof(*t));
	return (ytree_parse(text, strlen(text), tell, t));
}

/* There is an error with these words at this place, and a tree or none. */
static void
refused(const char *text, size_t len, const char *words, unsigned line,
    unsigned column, int tree)
{
	struct told	 t;
	struct ynode	*root;

	memset(&t, 0, sizeof(t));
	root = ytree_parse(text, len, tell, &t);
	if (t.count == 0)
		fail_msg("no error for: %s", text);
	if (strstr(t.text, words) == NULL)
		fail_msg("\"%s\", expected \"%s\"", t.text, words);
	if (line != 0 && (t.line != line || t.column != column))
		fail_msg("%s: at %u:%u, expected %u:%u", t.text, t.line,
		    t.column, line, column);
	if ((root != NULL) != tree)
		fail_msg("%s: %s tree", t.text, root ? "a" : "no");
	ytree_free(root);
}

#define REFUSED(text, words, line, column, tree) \
	refused((text), sizeof(text) - 1, (words), (line), (column), (tree))

static void
test_tree(void **state)
{
	const struct ynode	*n;
	struct told		 t;
	struct ynode		*root;

	(void)state;
	root = parse("a: 1\nb:\n  c: [x, 'y']\n  d:\n", &t);
	assert_non_null(root);
	assert_int_equal(t.count, 0);
	assert_int_equal(root->kind, YNODE_MAP);
	assert_int_equal(root->nchildren, 2);
	n = ynode_get(root, "a");
	assert_string_equal(n->text, "1");
	assert_int_equal(n->line, 1);
	assert_int_equal(n->column, 4);
	assert_int_equal(n->key_column, 1);
	n = ynode_get(ynode_get(root, "b"), "c");
	assert_int_equal(n->kind, YNODE_LIST);
	assert_int_equal(n->key_line, 3);
	assert_int_equal(n->key_column, 3);
	assert_int_equal(n->nchildren, 2);
	assert_true(n->first->plain);
	assert_false(n->last->plain);
	assert_int_equal(n->last->index, 1);
	assert_ptr_equal(n->last->parent, n);
	n = ynode_get(ynode_get(root, "b"), "d");
	assert_true(ynode_isnull(n));
	assert_null(ynode_get(root, "c"));
	assert_null(ynode_get(n, "c"));
	assert_null(ynode_get(NULL, "c"));
	ytree_free(root);
}

static void
test_null(void **state)
{
	static const char	*yes[] = { "~", "null", "Null", "NULL", "" };
	static const char	*no[] = { "''", "\"null\"", "nil", "0",
	    "[]", "{}", "false" };
	struct ynode		*root;
	struct told		 t;
	char			 text[32];
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		(void)snprintf(text, sizeof(text), "a: %s\n", yes[i]);
		assert_non_null(root = parse(text, &t));
		assert_true(ynode_isnull(ynode_get(root, "a")));
		ytree_free(root);
	}
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		(void)snprintf(text, sizeof(text), "a: %s\n", no[i]);
		assert_non_null(root = parse(text, &t));
		assert_false(ynode_isnull(ynode_get(root, "a")));
		ytree_free(root);
	}
}

static void
test_bom_and_crlf(void **state)
{
	struct ynode	*root;
	struct told	 t;

	(void)state;
	root = parse("\xef\xbb\xbf" "a: b\r\nc: \xc3\xa9\r\n", &t);
	assert_non_null(root);
	assert_int_equal(root->first->key_column, 1);
	assert_string_equal(ynode_get(root, "a")->text, "b");
	assert_string_equal(ynode_get(root, "c")->text, "\xc3\xa9");
	ytree_free(root);
}

static void
test_bytes(void **state)
{
	(void)state;
	REFUSED("a: 1\nb: \0\n", "NUL byte", 2, 4, 0);
	REFUSED("a: \x01\n", "control character (0x01)", 1, 4, 0);
	REFUSED("a: \x7f\n", "control character (0x7f)", 1, 4, 0);
	REFUSED("a: \xff\n", "invalid UTF-8", 1, 4, 0);
	REFUSED("\xc3\xa9: \xc3\n", "invalid UTF-8", 1, 4, 0);
	REFUSED("a: \xc0\xaf\n", "invalid UTF-8", 1, 4, 0);
	REFUSED("a: \xe0\x80\xaf\n", "invalid UTF-8", 1, 4, 0);
	REFUSED("a: \xed\xa0\x80\n", "invalid UTF-8", 1, 4, 0);
	REFUSED("a: \xf4\x90\x80\x80\n", "invalid UTF-8", 1, 4, 0);
	REFUSED("a: \xe2\x82", "invalid UTF-8", 1, 4, 0);
	REFUSED("\xfe\xff\0a\0:\0 \0b", "invalid UTF-8", 1, 1, 0);
	/* libyaml's own list of characters */
	REFUSED("x: 1\na: \xc2\x80\n", "YAML syntax", 2, 4, 0);
}

static void
test_nothing(void **state)
{
	(void)state;
	REFUSED("", "empty", 1, 1, 0);
	REFUSED("\n\n# only this\n", "empty", 1, 1, 0);
	REFUSED("\xef\xbb\xbf", "empty", 1, 1, 0);
}

static void
test_extras(void **state)
{
	(void)state;
	REFUSED("a: &x 1\n", "anchors", 1, 4, 1);
	REFUSED("a: &x {b: 1}\n", "anchors", 1, 4, 1);
	REFUSED("a: &x [b]\n", "anchors", 1, 4, 1);
	REFUSED("&x a: 1\n", "anchors", 1, 1, 1);
	REFUSED("a: *x\n", "aliases", 1, 4, 1);
	REFUSED("a: [*x]\n", "aliases", 1, 5, 1);
	REFUSED("*x : 1\n", "expected a key", 1, 1, 0);
	REFUSED("a: !!str 1\n", "tags", 1, 4, 1);
	REFUSED("a: ! 1\n", "tags", 1, 4, 1);
	REFUSED("a: !x {}\n", "tags", 1, 4, 1);
	REFUSED("!!str a: 1\n", "tags", 1, 1, 1);
	REFUSED("a: 1\n---\nb: 2\n", "second document", 2, 1, 0);
	REFUSED("a: 1\n...\n---\nb: 2\n", "second document", 3, 1, 0);
	REFUSED("a: \"x\\0y\"\n", "NUL inside a value", 1, 4, 1);
	REFUSED("\"x\\0y\": a\n", "NUL inside a key", 1, 1, 0);
}

static void
test_repeated(void **state)
{
	const struct ynode	*n;
	struct ynode		*root;
	struct told		 t;

	(void)state;
	REFUSED("b: 1\na: 2\nb: 3\n", "first at line 1, column 1", 3, 1, 1);
	REFUSED("x:\n  - {b: 1, b: 3}\n", "first at line 2, column 6", 2, 12,
	    1);
	root = parse("b: 1\nb: 2\nb: 3\n", &t);
	assert_non_null(root);
	assert_int_equal(t.count, 2);
	n = ynode_get(root, "b");
	assert_string_equal(n->text, "1");
	assert_false(n->repeated);
	assert_true(n->next->repeated);
	ytree_free(root);
	/* The same name in two mappings is fine. */
	root = parse("a: {b: 1}\nc: {b: 1}\n", &t);
	assert_int_equal(t.count, 0);
	ytree_free(root);
}

static void
test_syntax(void **state)
{
	(void)state;
	REFUSED("a: [1\nb: 2\n", "YAML syntax", 0, 0, 0);
	REFUSED("a: 1\n b: 2\n", "YAML syntax", 2, 3, 0);
	REFUSED("a:\n\t- b\n", "YAML syntax", 2, 1, 0);
	REFUSED("a: \"x\n", "YAML syntax", 0, 0, 0);
	REFUSED("a: [::1]:7332\n", "needs quotes", 1, 5, 0);
	REFUSED("a: @x\n", "YAML syntax", 1, 4, 0);
	REFUSED("? [a]\n: b\n", "expected a key", 1, 3, 0);
	REFUSED("{a: b}: c\n", "expected a key", 1, 1, 0);
}

static char *
repeat(const char *head, const char *part, size_t n, const char *tail)
{
	char	*s, *p;
	size_t	 len;

	len = strlen(part);
	s = p = malloc(strlen(head) + n * len + strlen(tail) + 1);
	assert_non_null(s);
	p = stpcpy(p, head);
	while (n-- > 0)
		p = stpcpy(p, part);
	(void)stpcpy(p, tail);
	return (s);
}

static void
test_limits(void **state)
{
	struct ynode	*root;
	struct told	 t;
	char		*s;

	(void)state;
	s = repeat("", "[", YTREE_DEPTH_MAX, "");
	s = realloc(s, 2 * YTREE_DEPTH_MAX + 1);
	assert_non_null(s);
	memset(s + YTREE_DEPTH_MAX, ']', YTREE_DEPTH_MAX);
	s[2 * YTREE_DEPTH_MAX] = '\0';
	root = parse(s, &t);
	assert_non_null(root);
	ytree_free(root);
	free(s);
	s = repeat("", "[", YTREE_DEPTH_MAX + 1, "");
	refused(s, strlen(s), "nested more than 32 deep", 1, 33, 0);
	free(s);
	/* One node is the list. */
	s = repeat("", "- a\n", YTREE_NODES_MAX - 1, "");
	root = parse(s, &t);
	assert_non_null(root);
	assert_int_equal(root->nchildren, YTREE_NODES_MAX - 1);
	ytree_free(root);
	free(s);
	s = repeat("", "- a\n", YTREE_NODES_MAX, "");
	refused(s, strlen(s), "more than 100000 values", 0, 0, 0);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_bom_and_crlf),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_extras),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_limits),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
