/*
 * What mcpgwctl top shows, as lines of text.
 */
#ifndef CTL_TOP_VIEW_H
#define CTL_TOP_VIEW_H

#include <stdio.h>

#include <yajl/yajl_tree.h>

#include "ctl/top_data.h"

#define TOP_FILTER_MAX	64

enum top_sort { TOP_BY_REQUESTS, TOP_BY_ERRORS, TOP_BY_DENIED, TOP_BY_P95,
    TOP_BY_BYTES, TOP_BY_TOTAL, TOP_BY_NAME, TOP_SORTS };

struct top_view {
	yajl_val	 before;	/* as for top_rows() */
	yajl_val	 now;
	double		 seconds;
	enum top_kind	 kind;
	enum top_sort	 sort;
	char		 filter[TOP_FILTER_MAX];	/* part of a name */
	size_t		 skip;		/* rows above the first one shown */
	size_t		 rows;		/* how many there were; set by
					 * top_view_rows() */
};

const char *top_sort_name(enum top_sort);

/* Lines about the gateway as a whole; none wider than columns. */
void	top_view_head(const struct top_view *, FILE *, int columns);
/* A title and the rows of view's kind, sorted, filtered, at most so many
 * lines in all; bold titles for a screen. */
void	top_view_rows(struct top_view *, FILE *, int columns, int lines,
	    int screen);
/* Everything as one line of JSON. */
void	top_view_json(const struct top_view *, FILE *);

#endif
