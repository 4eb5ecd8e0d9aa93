/*
 * Lists of what is free, the last one first: it is still in the cache.
 */
#include <stdlib.h>
#include <string.h>

#include "worker/base/pool.h"

#ifdef SANITIZE
#define KEPT_BYTES	0	/* a use after free is to be seen */
#else
#define KEPT_BYTES	(128 * 1024)
#endif

void *
pool_get(struct pool *pool)
{
	void	*p = pool->first;

	if (p == NULL)
		return (calloc(1, pool->size));
	memcpy(&pool->first, p, sizeof(pool->first));
	pool->n--;
	return (memset(p, 0, pool->size));
}

void
pool_put(struct pool *pool, void *p)
{
	if ((pool->n + 1) * pool->size > KEPT_BYTES) {
		free(p);
		return;
	}
	memcpy(p, &pool->first, sizeof(pool->first));
	pool->first = p;
	pool->n++;
}
