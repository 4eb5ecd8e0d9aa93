/*
 * Which server of an upstream gets a request, and which is left alone for a
 * while.  Only the files of upstreams include this.
 */
#ifndef UPSTREAM_BALANCE_H
#define UPSTREAM_BALANCE_H

#include "worker/upstream/upstream_int.h"

/* The next server to try, one whose bit is not set in tried; NULL: none is
 * left. */
struct server *balance_next(struct upstream *, uint64_t tried);
/* It answered, or it failed to. */
void	balance_good(struct server *);
void	balance_bad(struct server *, const char *why);
/* Something went wrong that says nothing of its health: log it, without a
 * flood of lines. */
void	balance_tell(struct server *, const char *why);
/* Could it serve now, as far as is known? */
int	balance_usable(const struct server *);

#endif
