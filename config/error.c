/*
 * The errors of one reading: gathered in whatever order they are found, told
 * in the order of the file.  Whatever came out of the file is cut and escaped
 * here, and here it is decided what is too secret to repeat.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/cfg.h"

#define QUOTE_MAX	64	/* bytes of a value in a message */
#define ERRORS_KEPT	(10 * CONFIG_ERRORS_MAX)

static void	 error_add(struct cfg *, unsigned, unsigned, const char *,
		    const char *, va_list)
		    __attribute__((format(printf, 5, 0)));
static int	 error_compare(const void *, const void *);
static void	 path_put(const struct ynode *, char *, size_t, int);
static void	 describe(const struct ynode *, char *, size_t);
static int	 is_secret(const struct ynode *);
static size_t	 escape(const char *, size_t, char *, size_t);

void
cfg_error(struct cfg *c, const struct ynode *n, const char *fmt, ...)
{
	char	 path[CFG_PATH_MAX];
	va_list	 ap;

	cfg_path_of(n, path, sizeof(path));
	va_start(ap, fmt);
	error_add(c, n->line, n->column, path, fmt, ap);
	va_end(ap);
}

void
cfg_error_at(struct cfg *c, const struct ynode *n, unsigned line,
    unsigned column, const char *fmt, ...)
{
	char	 path[CFG_PATH_MAX];
	va_list	 ap;

	cfg_path_of(n, path, sizeof(path));
	va_start(ap, fmt);
	error_add(c, line, column, path, fmt, ap);
	va_end(ap);
}

void
cfg_expected(struct cfg *c, const struct ynode *n, const char *fmt, ...)
{
	char	 got[QUOTE_MAX * 4 + 16], want[512];
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	describe(n, got, sizeof(got));
	cfg_error(c, n, "expected %s, got %s", want, got);
}

void
cfg_missing(struct cfg *c, const char *path, const struct ynode *n,
    const char *fmt, ...)
{
	char	 up[CFG_PATH_MAX], *dot;
	va_list	 ap;

	(void)snprintf(up, sizeof(up), "%s", path);
	while (n == NULL && (dot = strrchr(up, '.')) != NULL) {
		*dot = '\0';
		n = cfg_node(c, up);
	}
	va_start(ap, fmt);
	if (n == NULL)
		error_add(c, 1, 1, path, fmt, ap);
	else if (n->key == NULL)
		error_add(c, n->line, n->column, path, fmt, ap);
	else
		error_add(c, n->key_line, n->key_column, path, fmt, ap);
	va_end(ap);
}

void
cfg_path_of(const struct ynode *n, char *buf, size_t size)
{
	buf[0] = '\0';
	if (n != NULL)
		path_put(n, buf, size, YTREE_DEPTH_MAX + 2);
}

char *
cfg_quote(const char *s, char *buf, size_t size)
{
	size_t	 len, pos;

	len = strlen(s);
	pos = 0;
	buf[pos++] = '"';
	pos += escape(s, len > QUOTE_MAX ? QUOTE_MAX : len, buf + pos,
	    size - pos - 5);
	(void)snprintf(buf + pos, size - pos, "%s\"",
	    len > QUOTE_MAX ? "..." : "");
	return (buf);
}

void
cfg_nomem(struct cfg *c)
{
	c->nomem = 1;
}

size_t
cfg_errors_tell(struct cfg *c, config_error_cb cb, void *arg)
{
	struct cfg_error	*e;
	char			*text;
	size_t			 i, shown, total;

	total = c->nerrors + c->ndropped;
	shown = total > CONFIG_ERRORS_MAX ? CONFIG_ERRORS_MAX - 1 :
	    c->nerrors;
	if (c->nerrors > 1)
		qsort(c->errors, c->nerrors, sizeof(*e), error_compare);
	for (i = 0; i < c->nerrors; i++) {
		e = &c->errors[i];
		if (i < shown && (e->line == 0 ?
		    asprintf(&text, "%s: %s", c->name, e->text) :
		    asprintf(&text, "%s:%u:%u: %s", c->name, e->line,
		    e->column, e->text)) != -1) {
			cb(arg, text);
			free(text);
		}
		free(e->text);
	}
	if (shown < total && asprintf(&text, "%s: %zu more errors", c->name,
	    total - shown) != -1) {
		cb(arg, text);
		free(text);
	}
	if (c->nomem) {
		cb(arg, "out of memory");
		total++;
	}
	free(c->errors);
	c->errors = NULL;
	c->nerrors = c->ndropped = 0;
	return (total);
}

static void
error_add(struct cfg *c, unsigned line, unsigned column, const char *path,
    const char *fmt, va_list ap)
{
	struct cfg_error	*e;
	char			*text, *full;

	if (c->errors == NULL)
		c->errors = calloc(ERRORS_KEPT, sizeof(*c->errors));
	if (c->errors == NULL || c->nerrors == ERRORS_KEPT) {
		c->ndropped++;
		return;
	}
	if (vasprintf(&text, fmt, ap) == -1) {
		c->ndropped++;
		return;
	}
	full = text;
	if (*path != '\0') {
		if (asprintf(&full, "%s: %s", path, text) == -1)
			full = NULL;
		free(text);
	}
	if (full == NULL) {
		c->ndropped++;
		return;
	}
	e = &c->errors[c->nerrors];
	e->line = line;
	e->column = column;
	e->seq = c->nerrors++;
	e->text = full;
}

static int
error_compare(const void *a, const void *b)
{
	const struct cfg_error	*x = a, *y = b;

	if (x->line != y->line)
		return (x->line < y->line ? -1 : 1);
	if (x->column != y->column)
		return (x->column < y->column ? -1 : 1);
	return (x->seq < y->seq ? -1 : x->seq > y->seq);
}

static void
path_put(const struct ynode *n, char *buf, size_t size, int depth)
{
	char	 part[QUOTE_MAX * 4 + 2];
	size_t	 len;

	if (n->parent == NULL || depth == 0)
		return;
	path_put(n->parent, buf, size, depth - 1);
	len = strlen(buf);
	if (n->key == NULL) {
		(void)snprintf(buf + len, size - len, "[%zu]", n->index);
		return;
	}
	part[escape(n->key, strnlen(n->key, QUOTE_MAX), part,
	    sizeof(part) - 1)] = '\0';
	(void)snprintf(buf + len, size - len, "%s%s", len > 0 ? "." : "",
	    part);
}

/* What a node is, for people. */
static void
describe(const struct ynode *n, char *buf, size_t size)
{
	const char	*s;

	if (n->kind == YNODE_MAP)
		s = "a mapping";
	else if (n->kind == YNODE_LIST)
		s = "a list";
	else if (n->kind != YNODE_SCALAR || ynode_isnull(n))
		s = "nothing";
	else if (is_secret(n))
		s = "a value that is not shown";
	else {
		cfg_quote(n->text, buf, size);
		return;
	}
	(void)snprintf(buf, size, "%s", s);
}

/* Hashes of API keys, header fields and queries for upstreams, secrets, and
 * passwords in URLs are not for the log. */
static int
is_secret(const struct ynode *n)
{
	const struct ynode	*up;

	if (n->key != NULL && (strcmp(n->key, "created_at") == 0 ||
	    strcmp(n->key, "expires_at") == 0))
		return (0);
	for (up = n; up->parent != NULL; up = up->parent) {
		if (up->key == NULL)
			continue;
		if (strcmp(up->key, "upstreams") == 0 &&
		    strchr(n->text, '?') != NULL)
			return (1);
		if (strcmp(up->key, "headers") == 0 ||
		    strcmp(up->key, "secret") == 0)
			return (1);
		if (strcmp(up->key, "keys") == 0 && up->parent->key != NULL &&
		    strcmp(up->parent->key, "auth") == 0)
			return (1);
	}
	return (strstr(n->text, "//") != NULL &&
	    strchr(n->text, '@') != NULL);
}

/* Printable ASCII stays, the rest becomes \xNN: text from a file must not
 * drive a terminal.  No NUL is written; returns the length. */
static size_t
escape(const char *s, size_t len, char *out, size_t size)
{
	static const char	 hex[] = "0123456789abcdef";
	unsigned char		 ch;
	size_t			 i, pos;

	pos = 0;
	for (i = 0; i < len && size - pos >= 4; i++) {
		ch = (unsigned char)s[i];
		if (ch == '"' || ch == '\\') {
			out[pos++] = '\\';
			out[pos++] = (char)ch;
		} else if (ch >= 0x20 && ch < 0x7f)
			out[pos++] = (char)ch;
		else {
			out[pos++] = '\\';
			out[pos++] = 'x';
			out[pos++] = hex[ch >> 4];
			out[pos++] = hex[ch & 0xf];
		}
	}
	return (pos);
}
