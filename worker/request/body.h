/*
 * The body of a request on its way in, however its bytes come: how long it may
 * be, what it counts for, and who gives way when memory is short
 * (limits.max_body, limits.buffered, limits.per_address.buffered).
 */
#ifndef REQUEST_BODY_H
#define REQUEST_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

struct refusal;
struct request;

#define REFUSED_BODY_MAX (16 * 1024)	/* read for the id's and the log's
					 * sake */

/* Once. */
void	body_setup(const struct worker_conf *);
/* Append to it.  0, or -1: it is too large, and the request has ended. */
int	body_add(struct request *, const char *, size_t);
/* Whose request it is, for the counting; once that is known. */
void	body_share(struct request *);
/* What it holds has changed: count it.  1 when its address has more than its
 * share of memory. */
int	body_count(struct request *);
/* Would n more bytes be too much, together with all that others hold?  What
 * this request has besides its body does not count: alone it always fits. */
int	body_crowded(const struct request *, uint64_t n);
/* The same, after those had to give way who hold memory for long, or who hold
 * most of it. */
int	body_squeeze(struct request *, uint64_t n);
/* And nothing more of it is read. */
void	body_refuse(struct request *, const struct refusal *);

#endif
