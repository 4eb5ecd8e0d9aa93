/*
 * The surgery is simple and trusts nothing: lines by their indentation, then
 * a proof that the new text means the same but for the entry, and that the
 * lines taken out mean the entry.
 */
#include <stdlib.h>
#include <string.h>

#include "config/yaml.h"
#include "ctl/yaml_edit.h"

/* The text and what is to be taken out of it. */
struct edit {
	const char		*text;
	size_t			 len;
	const struct ynode	*list;
	const struct ynode	*item;
};

static const struct ynode *find_item(const struct ynode *, const char *);
static const char *cut(const struct edit *, struct yaml_cut *);
static const char *cut_lines(const struct edit *, struct yaml_cut *);
static const char *place_empty(const struct edit *, struct yaml_cut *);
static int	 build(const struct edit *, struct yaml_cut *);
static const char *prove(const struct ynode *, const struct edit *,
		    const struct yaml_cut *);
static int	 is_whole(const struct edit *, const struct yaml_cut *);
static int	 same_but(const struct ynode *, const struct ynode *,
		    const struct ynode *);
static int	 same_text(const char *, const char *);
static size_t	 line_start(const struct edit *, unsigned);
static size_t	 break_len(const char *, size_t, size_t);
static size_t	 spaces(const struct edit *, size_t);
static int	 line_empty(const struct edit *, size_t);
static void	 count_error(void *, const struct ynode *, unsigned, unsigned,
		    const char *);

const char *
yaml_cut_key(const char *text, size_t len, const char *id,
    struct yaml_cut *c)
{
	struct ynode	*root;
	struct edit	 e = { text, len, NULL, NULL };
	const char	*why = "the file has errors";
	unsigned	 errors = 0;

	memset(c, 0, sizeof(*c));
	root = ytree_parse(text, len, count_error, &errors);
	if (root != NULL && errors == 0) {
		e.list = ynode_get(ynode_get(root, "auth"), "keys");
		e.item = find_item(e.list, id);
		why = "there is no such entry";
	}
	if (e.item != NULL) {
		c->line = e.item->line;
		if ((why = cut(&e, c)) == NULL)
			why = prove(root, &e, c);
	}
	ytree_free(root);
	if (why != NULL)
		yaml_cut_free(c);
	return (why);
}

void
yaml_cut_free(struct yaml_cut *c)
{
	if (c->text != NULL)
		explicit_bzero(c->text, c->len);
	free(c->text);
	c->text = NULL;
	c->len = 0;
}

static const struct ynode *
find_item(const struct ynode *list, const char *id)
{
	const struct ynode	*item, *n;

	if (list == NULL || list->kind != YNODE_LIST)
		return (NULL);
	for (item = list->first; item != NULL; item = item->next) {
		n = ynode_get(item, "id");
		if (n != NULL && n->kind == YNODE_SCALAR &&
		    strcmp(n->text, id) == 0)
			return (item);
	}
	return (NULL);
}

static const char *
cut(const struct edit *e, struct yaml_cut *c)
{
	const char	*why;

	if ((why = cut_lines(e, c)) != NULL)
		return (why);
	if (e->list->nchildren == 1 && (why = place_empty(e, c)) != NULL)
		return (why);
	return (build(e, c) == -1 ? "out of memory" : NULL);
}

/*
 * From the line with the dash to the last line that is indented more than
 * the dash.  Comments and empty lines behind that stay: they may speak of
 * the next entry.
 */
static const char *
cut_lines(const struct edit *e, struct yaml_cut *c)
{
	size_t	 column = e->item->column - 1, dash, n, pos;

	c->from = line_start(e, e->item->line);
	dash = spaces(e, c->from);
	pos = c->from + dash;
	if (pos >= e->len || e->text[pos] != '-')
		return ("the entry does not begin with a dash on a line of "
		    "its own");
	n = spaces(e, pos + 1);
	if (n == 0 || dash + 1 + n != column)
		return ("the entry does not follow its dash");
	c->to = yaml_line_next(e->text, e->len, c->from);
	for (pos = c->to; pos < e->len;
	    pos = yaml_line_next(e->text, e->len, pos)) {
		if (line_empty(e, pos))
			continue;
		if (spaces(e, pos) <= dash)
			break;
		c->to = yaml_line_next(e->text, e->len, pos);
	}
	return (NULL);
}

/* Without entries, "keys:" alone would say nothing; "keys: []" says none. */
static const char *
place_empty(const struct edit *e, struct yaml_cut *c)
{
	static const char	*forms[] = { "keys:", "\"keys\":", "'keys':" };
	size_t			 i, n = 0, pos;

	pos = line_start(e, e->list->key_line);
	if (spaces(e, pos) != e->list->key_column - 1)
		return ("\"keys:\" is not on a line of its own");
	pos += e->list->key_column - 1;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]) && n == 0; i++)
		if (strlen(forms[i]) <= e->len - pos && memcmp(e->text + pos,
		    forms[i], strlen(forms[i])) == 0)
			n = strlen(forms[i]);
	pos += n;
	if (n == 0 || !line_empty(e, pos))
		return ("something unknown follows \"keys:\"");
	if (pos > c->from)
		return ("\"keys:\" is not before the entry");
	c->at = pos;
	return (NULL);
}

static int
build(const struct edit *e, struct yaml_cut *c)
{
	size_t	 add = c->at != 0 ? strlen(YAML_CUT_EMPTY) : 0;
	char	*p;

	c->len = e->len - (c->to - c->from) + add;
	if ((c->text = p = malloc(c->len + 1)) == NULL)
		return (-1);
	memcpy(p, e->text, c->at);
	p += c->at;
	memcpy(p, YAML_CUT_EMPTY, add);
	p += add;
	memcpy(p, e->text + c->at, c->from - c->at);
	p += c->from - c->at;
	memcpy(p, e->text + c->to, e->len - c->to);
	c->text[c->len] = '\0';
	return (0);
}

static const char *
prove(const struct ynode *old, const struct edit *e,
    const struct yaml_cut *c)
{
	struct ynode	*neu;
	unsigned	 errors = 0;
	int		 good;

	neu = ytree_parse(c->text, c->len, count_error, &errors);
	good = neu != NULL && errors == 0 && same_but(old, neu, e->item) &&
	    is_whole(e, c);
	ytree_free(neu);
	return (good ? NULL : "its lines cannot be told from those of "
	    "others");
}

/* Are the lines the entry from its beginning to its end?  What is left of a
 * value could be a comment. */
static int
is_whole(const struct edit *e, const struct yaml_cut *c)
{
	struct ynode	*list;
	unsigned	 errors = 0;
	int		 good;

	list = ytree_parse(e->text + c->from, c->to - c->from, count_error,
	    &errors);
	good = list != NULL && errors == 0 && list->kind == YNODE_LIST &&
	    list->nchildren == 1 && same_but(e->item, list->first, NULL);
	ytree_free(list);
	return (good);
}

/* Is b what a is, but for one node below a list, or (NULL) none?  As deep as
 * a tree may be. */
static int
same_but(const struct ynode *a, const struct ynode *b,
    const struct ynode *gone)
{
	const struct ynode	*x, *y;

	if (a->kind != b->kind || a->plain != b->plain ||
	    !same_text(a->key, b->key) || !same_text(a->text, b->text))
		return (0);
	for (x = a->first, y = b->first;; x = x->next, y = y->next) {
		if (x != NULL && x == gone)
			x = x->next;
		if (x == NULL || y == NULL)
			return (x == NULL && y == NULL);
		if (!same_but(x, y, gone))
			return (0);
	}
}

/* Strings that may be NULL. */
static int
same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a == b);
	return (strcmp(a, b) == 0);
}

/* Where a line, from 1, begins; the end of the text when there are less. */
static size_t
line_start(const struct edit *e, unsigned line)
{
	size_t	 pos = 0;

	if (e->len >= 3 && memcmp(e->text, "\xef\xbb\xbf", 3) == 0)
		pos = 3;
	for (; line > 1 && pos < e->len; line--)
		pos = yaml_line_next(e->text, e->len, pos);
	return (pos);
}

size_t
yaml_line_next(const char *text, size_t len, size_t pos)
{
	size_t	 n;

	for (; pos < len; pos++)
		if ((n = break_len(text, len, pos)) > 0)
			return (pos + n);
	return (len);
}

/* YAML 1.1: also NEL, LS and PS end a line, and libyaml counts them. */
static size_t
break_len(const char *text, size_t len, size_t pos)
{
	const char	*p = text + pos;
	size_t		 left = len - pos;

	if (left >= 2 && memcmp(p, "\r\n", 2) == 0)
		return (2);
	if (left >= 1 && (*p == '\n' || *p == '\r'))
		return (1);
	if (left >= 2 && memcmp(p, "\xc2\x85", 2) == 0)
		return (2);
	if (left >= 3 && (memcmp(p, "\xe2\x80\xa8", 3) == 0 ||
	    memcmp(p, "\xe2\x80\xa9", 3) == 0))
		return (3);
	return (0);
}

static size_t
spaces(const struct edit *e, size_t pos)
{
	size_t	 n = 0;

	while (pos + n < e->len && e->text[pos + n] == ' ')
		n++;
	return (n);
}

/* Nothing, or a comment, from here to the end of the line? */
static int
line_empty(const struct edit *e, size_t pos)
{
	while (pos < e->len && (e->text[pos] == ' ' || e->text[pos] == '\t'))
		pos++;
	return (pos == e->len || e->text[pos] == '#' ||
	    break_len(e->text, e->len, pos) > 0);
}

static void
count_error(void *arg, const struct ynode *n, unsigned line, unsigned column,
    const char *text)
{
	(void)n;
	(void)line;
	(void)column;
	(void)text;
	++*(unsigned *)arg;
}
