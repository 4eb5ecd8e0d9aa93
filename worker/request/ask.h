/*
 * What each upstream speaks, for those who ask in a revision that is not
 * there: asked by server/discover when somebody must be told first, then
 * remembered, and learned from answers that pass.
 */
#ifndef REQUEST_ASK_H
#define REQUEST_ASK_H

#include "common/conf.h"
#include "common/slice.h"
#include "worker/mcp/accord.h"
#include "worker/request/request.h"

/* Once. */
void	ask_setup(const struct worker_conf *);

/*
 * Refuse a request, read whole, for its revision (-32022), with a list of what
 * is both spoken by its upstream and allowed: at once, or when the upstream
 * has said.  Where it does not say, soon, all that is allowed is listed.
 */
void	ask_refuse(struct request *, const struct refusal *,
	    struct slice requested);
/* An answer of this upstream's that passes said so. */
void	ask_learn(size_t upstream, const struct accord_told *);

#endif
