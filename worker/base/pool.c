/*
 * Stacks of what is free.  It is not chained: who takes one must not wait for
 * it to come into the cache.
 */
#include <stdlib.h>
#include <string.h>

#include "worker/base/pool.h"

void *
pool_get(struct pool *pool)
{
	if (pool->n == 0)
		return (calloc(1, pool->size));
	return (memset(pool->kept[--pool->n], 0, pool->size));
}

void
pool_put(struct pool *pool, void *p)
{
#ifdef SANITIZE
	/* a use after free is to be seen */
	free(p);
	return;
#endif
	if (pool->n == POOL_MAX)
		free(p);
	else
		pool->kept[pool->n++] = p;
}
