/*
 * What comes and goes with each request, all of one size: some of them are kept
 * for the next one, which costs less than malloc(3) does.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

#define POOL_MAX	128	/* that are kept */

struct pool {
	size_t	 size;		/* of each */
	size_t	 n;
	void	*kept[POOL_MAX];	/* the last one first */
};

/* One that is all zero, or NULL: memory is gone. */
void	*pool_get(struct pool *);
/* Give it back; nothing may point to it any more. */
void	 pool_put(struct pool *, void *);

#endif
