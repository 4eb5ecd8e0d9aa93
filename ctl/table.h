/*
 * Rows in columns that are as wide as what is in them.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS	16

struct column {
	const char	*title;
	int		 most;		/* columns of the terminal; wider
					 * cells are cut */
	int		 right;		/* numbers */
};

struct table {
	const struct column *columns;
	size_t		 ncolumns;
	char		**cells;	/* row by row */
	size_t		 ncells;
	size_t		 size;
};

/* columns is borrowed; at most TABLE_COLUMNS. */
void	table_init(struct table *, const struct column *columns, size_t n);
/* The next cell, row by row.  What comes from outside may be in it: it is
 * made fit for a terminal.  Exits when memory is gone. */
void	table_add(struct table *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* Titles and rows, behind indent. */
void	table_print(const struct table *, FILE *, const char *indent);
void	table_free(struct table *);

#endif
