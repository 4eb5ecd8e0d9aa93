/*
 * libyaml events to a tree.  Positions come along with every node, because
 * the errors that matter are found later, by the configuration.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/yaml.h"

struct loader {
	yaml_parser_t	 parser;
	const char	*text;
	size_t		 len;
	size_t		 nnodes;
	ytree_error_cb	 cb;
	void		*arg;
};

static int	 text_check(struct loader *);
static int	 utf8_next(const uint8_t *, size_t, uint32_t *);
static void	 text_position(const struct loader *, size_t, unsigned *,
		    unsigned *);
static struct ynode *load_stream(struct loader *);
static struct ynode *load_document(struct loader *);
static int	 load_tail(struct loader *);
static int	 load_value(struct loader *, struct ynode *, yaml_event_t *,
		    int);
static int	 load_scalar(struct loader *, struct ynode *,
		    const yaml_event_t *);
static int	 load_map(struct loader *, struct ynode *, int);
static int	 load_list(struct loader *, struct ynode *, int);
static int	 load_child(struct loader *, struct ynode *, struct ynode *,
		    int);
static int	 load_key(struct loader *, struct ynode *,
		    const yaml_event_t *);
static int	 load_event(struct loader *, yaml_event_t *);
static void	 load_syntax(struct loader *);
static void	 check_extras(struct loader *, const struct ynode *,
		    const yaml_event_t *);
static int	 check_repeated(struct loader *, struct ynode *);
static int	 key_compare(const void *, const void *);
static struct ynode *node_new(struct loader *, struct ynode *);
static void	 node_append(struct ynode *, struct ynode *);
static void	 node_place(struct ynode *, const yaml_mark_t *);
static void	 told(const struct loader *, const struct ynode *, unsigned,
		    unsigned, const char *, ...)
		    __attribute__((format(printf, 5, 6)));
static void	 told_node(const struct loader *, const struct ynode *,
		    const char *);

struct ynode *
ytree_parse(const char *text, size_t len, ytree_error_cb cb, void *arg)
{
	struct loader	 l;
	struct ynode	*root;

	memset(&l, 0, sizeof(l));
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	l.text = text;
	l.len = len;
	l.cb = cb;
	l.arg = arg;
	if (text_check(&l) == -1)
		return (NULL);
	if (!yaml_parser_initialize(&l.parser)) {
		told(&l, NULL, 1, 1, "out of memory");
		return (NULL);
	}
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser,
	    (const unsigned char *)text, len);
	root = load_stream(&l);
	yaml_parser_delete(&l.parser);
	return (root);
}

void
ytree_free(struct ynode *n)
{
	struct ynode	*child, *next;

	if (n == NULL)
		return;
	for (child = n->first; child != NULL; child = next) {
		next = child->next;
		ytree_free(child);
	}
	if (n->text != NULL)
		explicit_bzero(n->text, strlen(n->text));
	free(n->text);
	free(n->key);
	free(n);
}

const struct ynode *
ynode_get(const struct ynode *n, const char *key)
{
	const struct ynode	*child;

	if (n == NULL || n->kind != YNODE_MAP)
		return (NULL);
	for (child = n->first; child != NULL; child = child->next)
		if (strcmp(child->key, key) == 0)
			return (child);
	return (NULL);
}

const struct ynode *
ynode_at(const struct ynode *n, const char *path)
{
	const struct ynode	*child;
	size_t			 len;

	for (; n != NULL; path += len + 1) {
		len = strcspn(path, ".");
		if (n->kind != YNODE_MAP)
			return (NULL);
		for (child = n->first; child != NULL; child = child->next)
			if (strncmp(child->key, path, len) == 0 &&
			    child->key[len] == '\0')
				break;
		n = child;
		if (path[len] == '\0')
			break;
	}
	return (n);
}

int
ynode_isnull(const struct ynode *n)
{
	static const char	*names[] = { "", "~", "null", "Null", "NULL" };
	size_t			 i;

	if (n->kind != YNODE_SCALAR || !n->plain)
		return (0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(n->text, names[i]) == 0)
			return (1);
	return (0);
}

/* Look at the bytes before libyaml does: its own words for a file that is no
 * text are hard to understand. */
static int
text_check(struct loader *l)
{
	unsigned	 line, column;
	uint32_t	 c;
	size_t		 pos;
	int		 n;

	for (pos = 0; pos < l->len; pos += (size_t)n) {
		n = utf8_next((const uint8_t *)l->text + pos, l->len - pos,
		    &c);
		if (n > 0 && (c >= 0x20 || c == '\t' || c == '\n' ||
		    c == '\r') && c != 0x7f)
			continue;
		text_position(l, pos, &line, &column);
		if (n == 0)
			told(l, NULL, line, column, "invalid UTF-8");
		else if (c == 0)
			told(l, NULL, line, column,
			    "a NUL byte: this is not a text file");
		else
			told(l, NULL, line, column,
			    "a control character (0x%02x)", c);
		return (-1);
	}
	return (0);
}

/* Length of the character that p begins with, 0 if it is not one. */
static int
utf8_next(const uint8_t *p, size_t len, uint32_t *out)
{
	static const uint32_t	 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t		 c;
	int			 i, n;

	c = p[0];
	n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 :
	    c < 0xf5 ? 4 : 0;
	if (n == 0 || (size_t)n > len)
		return (0);
	if (n > 1)
		c &= 0x7fU >> n;
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return (0);
		c = c << 6 | (p[i] & 0x3f);
	}
	if (n > 1 && (c < least[n] || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff)))
		return (0);
	*out = c;
	return (n);
}

static void
text_position(const struct loader *l, size_t pos, unsigned *line,
    unsigned *column)
{
	size_t	 i;

	*line = *column = 1;
	for (i = 0; i < pos && i < l->len; i++) {
		if (l->text[i] == '\n' || (l->text[i] == '\r' &&
		    (i + 1 == l->len || l->text[i + 1] != '\n'))) {
			(*line)++;
			*column = 1;
		} else if ((l->text[i] & 0xc0) != 0x80)
			(*column)++;
	}
}

static struct ynode *
load_stream(struct loader *l)
{
	struct ynode	*root;
	yaml_event_t	 ev;
	int		 type;

	root = NULL;
	do {
		if (load_event(l, &ev) == -1)
			return (NULL);
		type = ev.type;
		yaml_event_delete(&ev);
	} while (type == YAML_STREAM_START_EVENT);
	if (type != YAML_DOCUMENT_START_EVENT) {
		told(l, NULL, 1, 1, "the file is empty");
		return (NULL);
	}
	root = load_document(l);
	if (root != NULL && load_tail(l) == -1) {
		ytree_free(root);
		root = NULL;
	}
	return (root);
}

static struct ynode *
load_document(struct loader *l)
{
	struct ynode	*root;
	yaml_event_t	 ev;

	if (load_event(l, &ev) == -1)
		return (NULL);
	if ((root = node_new(l, NULL)) == NULL) {
		yaml_event_delete(&ev);
		return (NULL);
	}
	if (load_value(l, root, &ev, 1) == -1) {
		ytree_free(root);
		return (NULL);
	}
	return (root);
}

/* Nothing but the end may follow the first document. */
static int
load_tail(struct loader *l)
{
	yaml_event_t	 ev;
	yaml_mark_t	 at;
	int		 type;

	do {
		if (load_event(l, &ev) == -1)
			return (-1);
		type = ev.type;
		at = ev.start_mark;
		yaml_event_delete(&ev);
	} while (type == YAML_DOCUMENT_END_EVENT);
	if (type == YAML_STREAM_END_EVENT)
		return (0);
	told(l, NULL, (unsigned)at.line + 1, (unsigned)at.column + 1,
	    "a second document: a configuration is one document");
	return (-1);
}

/* Fill n from the event, which is deleted here, and from those that belong
 * to it.  Returns -1 when reading cannot go on. */
static int
load_value(struct loader *l, struct ynode *n, yaml_event_t *ev, int depth)
{
	int	 ret, type;

	node_place(n, &ev->start_mark);
	check_extras(l, n, ev);
	type = ev->type;
	ret = type == YAML_SCALAR_EVENT ? load_scalar(l, n, ev) : 0;
	yaml_event_delete(ev);
	if (type != YAML_MAPPING_START_EVENT &&
	    type != YAML_SEQUENCE_START_EVENT)
		return (ret);
	if (depth > YTREE_DEPTH_MAX) {
		told(l, n, n->line, n->column, "nested more than %d deep",
		    YTREE_DEPTH_MAX);
		return (-1);
	}
	if (type == YAML_MAPPING_START_EVENT)
		return (load_map(l, n, depth));
	return (load_list(l, n, depth));
}

static int
load_scalar(struct loader *l, struct ynode *n, const yaml_event_t *ev)
{
	const char	*s;
	size_t		 len;

	s = (const char *)ev->data.scalar.value;
	len = ev->data.scalar.length;
	/* "\0" in double quotes gets past text_check(). */
	if (memchr(s, '\0', len) != NULL) {
		told_node(l, n, "a NUL inside a value");
		return (0);
	}
	if ((n->text = strndup(s, len)) == NULL) {
		told_node(l, n, "out of memory");
		return (-1);
	}
	n->kind = YNODE_SCALAR;
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return (0);
}

static int
load_map(struct loader *l, struct ynode *n, int depth)
{
	struct ynode	*child;
	yaml_event_t	 ev;
	int		 ret;

	n->kind = YNODE_MAP;
	for (;;) {
		if (load_event(l, &ev) == -1)
			return (-1);
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			return (check_repeated(l, n));
		}
		child = node_new(l, n);
		ret = child == NULL ? -1 : load_key(l, child, &ev);
		yaml_event_delete(&ev);
		if (ret == -1) {
			ytree_free(child);
			return (-1);
		}
		if (load_child(l, n, child, depth) == -1)
			return (-1);
	}
}

static int
load_list(struct loader *l, struct ynode *n, int depth)
{
	struct ynode	*child;
	yaml_event_t	 ev;

	n->kind = YNODE_LIST;
	for (;;) {
		if (load_event(l, &ev) == -1)
			return (-1);
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return (0);
		}
		if ((child = node_new(l, n)) == NULL) {
			yaml_event_delete(&ev);
			return (-1);
		}
		node_append(n, child);
		if (load_value(l, child, &ev, depth + 1) == -1)
			return (-1);
	}
}

/* The value of a key that was just read; n owns child from here on. */
static int
load_child(struct loader *l, struct ynode *n, struct ynode *child, int depth)
{
	yaml_event_t	 ev;

	node_append(n, child);
	if (load_event(l, &ev) == -1)
		return (-1);
	return (load_value(l, child, &ev, depth + 1));
}

static int
load_key(struct loader *l, struct ynode *n, const yaml_event_t *ev)
{
	const char	*s;
	size_t		 len;

	node_place(n, &ev->start_mark);
	n->key_line = n->line;
	n->key_column = n->column;
	if (ev->type != YAML_SCALAR_EVENT) {
		told(l, n->parent, n->line, n->column,
		    "expected a key, got %s", ev->type == YAML_ALIAS_EVENT ?
		    "an alias" : "a list or a mapping");
		return (-1);
	}
	s = (const char *)ev->data.scalar.value;
	len = ev->data.scalar.length;
	if (memchr(s, '\0', len) != NULL) {
		told(l, n->parent, n->line, n->column, "a NUL inside a key");
		return (-1);
	}
	if ((n->key = strndup(s, len)) == NULL) {
		told(l, n->parent, n->line, n->column, "out of memory");
		return (-1);
	}
	check_extras(l, n, ev);
	return (0);
}

static int
load_event(struct loader *l, yaml_event_t *ev)
{
	if (yaml_parser_parse(&l->parser, ev))
		return (0);
	load_syntax(l);
	return (-1);
}

/* libyaml's problem and context are constant strings: they hold nothing of
 * the file. */
static void
load_syntax(struct loader *l)
{
	const yaml_parser_t	*p = &l->parser;
	const char		*problem;
	unsigned		 line, column;

	problem = p->problem != NULL ? p->problem : "cannot be read";
	line = (unsigned)p->problem_mark.line + 1;
	column = (unsigned)p->problem_mark.column + 1;
	if (p->error == YAML_MEMORY_ERROR)
		told(l, NULL, line, column, "out of memory");
	else if (p->error == YAML_READER_ERROR) {
		text_position(l, p->problem_offset, &line, &column);
		told(l, NULL, line, column, "YAML syntax: %s", problem);
	} else if (p->context != NULL)
		told(l, NULL, line, column, "YAML syntax: %s, %s that began "
		    "at line %u, column %u%s", problem, p->context,
		    (unsigned)p->context_mark.line + 1,
		    (unsigned)p->context_mark.column + 1,
		    strstr(p->context, "flow") != NULL ? " (a value that "
		    "begins with [ or { needs quotes)" : "");
	else
		told(l, NULL, line, column, "YAML syntax: %s", problem);
}

/* Anchors, aliases and tags make a file mean other than it looks. */
static void
check_extras(struct loader *l, const struct ynode *n, const yaml_event_t *ev)
{
	const unsigned char	*anchor, *tag;

	anchor = tag = NULL;
	if (ev->type == YAML_SCALAR_EVENT) {
		anchor = ev->data.scalar.anchor;
		tag = ev->data.scalar.tag;
	} else if (ev->type == YAML_MAPPING_START_EVENT) {
		anchor = ev->data.mapping_start.anchor;
		tag = ev->data.mapping_start.tag;
	} else if (ev->type == YAML_SEQUENCE_START_EVENT) {
		anchor = ev->data.sequence_start.anchor;
		tag = ev->data.sequence_start.tag;
	} else
		told_node(l, n, "aliases (*name) are not allowed; a value "
		    "that begins with * needs quotes");
	if (anchor != NULL)
		told_node(l, n, "anchors (&name) are not allowed; a value "
		    "that begins with & needs quotes");
	if (tag != NULL)
		told_node(l, n, "tags (!name) are not allowed; a value that "
		    "begins with ! needs quotes");
}

/* By sorting, so that a file of nothing but keys costs no more than it
 * should. */
static int
check_repeated(struct loader *l, struct ynode *n)
{
	struct ynode	**all, *child;
	size_t		  first, i;

	if (n->nchildren < 2)
		return (0);
	if ((all = calloc(n->nchildren, sizeof(*all))) == NULL) {
		told_node(l, n, "out of memory");
		return (-1);
	}
	i = 0;
	for (child = n->first; child != NULL; child = child->next)
		all[i++] = child;
	qsort(all, n->nchildren, sizeof(*all), key_compare);
	for (first = 0, i = 1; i < n->nchildren; i++) {
		if (strcmp(all[first]->key, all[i]->key) != 0) {
			first = i;
			continue;
		}
		all[i]->repeated = 1;
		told(l, all[i], all[i]->key_line, all[i]->key_column,
		    "duplicate key; first at line %u, column %u",
		    all[first]->key_line, all[first]->key_column);
	}
	free(all);
	return (0);
}

static int
key_compare(const void *a, const void *b)
{
	const struct ynode	*x = *(const struct ynode *const *)a;
	const struct ynode	*y = *(const struct ynode *const *)b;
	int			 cmp;

	if ((cmp = strcmp(x->key, y->key)) != 0)
		return (cmp);
	return (x->index < y->index ? -1 : x->index > y->index);
}

/* The caller links it into its parent, or frees it. */
static struct ynode *
node_new(struct loader *l, struct ynode *parent)
{
	struct ynode	*n;

	if (l->nnodes >= YTREE_NODES_MAX) {
		told(l, NULL, (unsigned)l->parser.mark.line + 1,
		    (unsigned)l->parser.mark.column + 1,
		    "more than %d values", YTREE_NODES_MAX);
		return (NULL);
	}
	if ((n = calloc(1, sizeof(*n))) == NULL) {
		told(l, NULL, (unsigned)l->parser.mark.line + 1, 1,
		    "out of memory");
		return (NULL);
	}
	l->nnodes++;
	n->kind = YNODE_BAD;
	n->parent = parent;
	n->index = parent != NULL ? parent->nchildren : 0;
	return (n);
}

static void
node_append(struct ynode *parent, struct ynode *child)
{
	if (parent->last == NULL)
		parent->first = child;
	else
		parent->last->next = child;
	parent->last = child;
	parent->nchildren++;
}

static void
node_place(struct ynode *n, const yaml_mark_t *mark)
{
	n->line = (unsigned)mark->line + 1;
	n->column = (unsigned)mark->column + 1;
}

static void
told(const struct loader *l, const struct ynode *n, unsigned line,
    unsigned column, const char *fmt, ...)
{
	char	 text[256];
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->cb(l->arg, n, line, column, text);
}

static void
told_node(const struct loader *l, const struct ynode *n, const char *text)
{
	told(l, n, n->line, n->column, "%s", text);
}
