/*
 * Tables.
 */
#include <err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/table.h"
#include "ctl/text.h"

static void	 widths(const struct table *, int[TABLE_COLUMNS]);
static void	 cell(const struct table *, FILE *, size_t, const char *, int);

void
table_init(struct table *t, const struct column *columns, size_t n)
{
	memset(t, 0, sizeof(*t));
	t->columns = columns;
	t->ncolumns = n;
}

void
table_add(struct table *t, const char *fmt, ...)
{
	const struct column	*c = &t->columns[t->ncells % t->ncolumns];
	char			*s, *fit;
	va_list			 ap;

	if (t->ncells == t->size) {
		t->size += 64 + t->size / 2;
		t->cells = reallocarray(t->cells, t->size, sizeof(char *));
		if (t->cells == NULL)
			err(CTL_INTERNAL, NULL);
	}
	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) == -1)
		err(CTL_INTERNAL, NULL);
	va_end(ap);
	if ((fit = malloc(TEXT_SIZE(c->most))) == NULL)
		err(CTL_INTERNAL, NULL);
	(void)text_fit(*s != '\0' ? s : "-", c->most, fit,
	    TEXT_SIZE(c->most));
	free(s);
	t->cells[t->ncells++] = fit;
}

void
table_print(const struct table *t, FILE *f, const char *indent)
{
	int	 width[TABLE_COLUMNS];
	size_t	 i, c;

	widths(t, width);
	fputs(indent, f);
	for (c = 0; c < t->ncolumns; c++)
		cell(t, f, c, t->columns[c].title, width[c]);
	for (i = 0; i < t->ncells; i++) {
		if ((c = i % t->ncolumns) == 0)
			fputs(indent, f);
		cell(t, f, c, t->cells[i], width[c]);
	}
}

static void
widths(const struct table *t, int width[TABLE_COLUMNS])
{
	size_t	 i;
	int	 w;

	for (i = 0; i < t->ncolumns; i++)
		width[i] = (int)strlen(t->columns[i].title);
	for (i = 0; i < t->ncells; i++) {
		w = text_width(t->cells[i]);
		if (w > width[i % t->ncolumns])
			width[i % t->ncolumns] = w;
	}
}

/* Nothing is left at the end of a line. */
static void
cell(const struct table *t, FILE *f, size_t c, const char *s, int width)
{
	int	 pad = width - text_width(s), last = c == t->ncolumns - 1;

	if (t->columns[c].right)
		fprintf(f, "%*s%s%s", pad, "", s, last ? "\n" : "  ");
	else if (last)
		fprintf(f, "%s\n", s);
	else
		fprintf(f, "%s%*s", s, pad + 2, "");
}

void
table_free(struct table *t)
{
	size_t	 i;

	for (i = 0; i < t->ncells; i++)
		free(t->cells[i]);
	free(t->cells);
	memset(t, 0, sizeof(*t));
}
