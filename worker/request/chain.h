/*
 * The filters that a request's answer passes (filter.h): which ones there are
 * for it, and what their verdicts mean for its head and for the record.  An
 * answer that nobody has to look at has none.
 */
#ifndef REQUEST_CHAIN_H
#define REQUEST_CHAIN_H

#include "worker/request/request.h"
#include "worker/wire/media.h"

/* Once. */
void	chain_setup(const struct worker_conf *);
/* The answer's head is there.  1: filters hold all of it, the head too; 0: it
 * goes on, its body through the filters if there are any; -1 no memory. */
int	chain_begin(struct request *, const struct http1_head *, enum media);
/* Can the length of the body change on its way? */
int	chain_changes(const struct request *);
/* The next bytes of the body, to the client.  0, or -1: no memory, or no more
 * may pass, and r->error says why. */
int	chain_pass(struct request *, struct slice);
/* The body has ended: what was held goes on, with its head.  0 or -1 as
 * above. */
int	chain_end(struct request *);
/* May a comment be inserted into a stream? */
int	chain_at_boundary(const struct request *);

#endif
