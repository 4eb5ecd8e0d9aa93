/*
 * Short texts for people, of values that strangers made: what was seen, and
 * what was wanted.  Bounded, whatever comes; a value stands between quotes,
 * escaped as in JSON, and is cut, so that it can neither end its place in a
 * line nor fill it.  No memory is asked for.
 */
#ifndef COMMON_DETAIL_H
#define COMMON_DETAIL_H

#include <stddef.h>

#include "common/slice.h"

#define DETAIL_MAX	480	/* bytes of one */

struct detail {
	size_t	 max;		/* of this one, at most DETAIL_MAX */
	size_t	 cut;		/* bytes of a value in it */
	size_t	 len;
	int	 items;		/* of the list that is being written */
	int	 full;		/* something did not find room */
	int	 whole;		/* a sentence that needs no other */
	char	 p[DETAIL_MAX + 1];	/* ends with a NUL */
};

void	detail_init(struct detail *, size_t max, size_t cut);
/* Text of our own, cut at the end. */
void	detail_puts(struct detail *, const char *);
void	detail_printf(struct detail *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* A value in quotes; "..." follows one that was cut.  p NULL: "none". */
void	detail_quote(struct detail *, struct slice);
/* The next of several values, a comma before all but the first; what finds no
 * room is "..." together. */
void	detail_item(struct detail *, struct slice);

#endif
