/*
 * Which revision two ends agree upon is theirs, within mcp.revisions: answers
 * in which an upstream says what it speaks are cut down to what a client can
 * use here, and from them it is learned what an upstream speaks.
 */
#ifndef MCP_ACCORD_H
#define MCP_ACCORD_H

#include <stdint.h>

#include "common/conf.h"
#include "common/slice.h"
#include "worker/wire/filter.h"

#define ACCORD_LIST_MAX	256	/* bytes of a list of revisions, with NUL */

/* What an answer may say of revisions, by what was asked. */
enum accord {
	ACCORD_NONE,
	ACCORD_OPEN,		/* initialize: the one agreed upon */
	ACCORD_DISCOVER,	/* server/discover: supportedVersions */
	ACCORD_ERROR		/* other requests: an error's data.supported */
};

/* What a message said. */
struct accord_told {
	int		 lists;		/* there was a list */
	uint32_t	 revisions;	/* what of it we know, a bit each */
	int		 response;	/* it has a result or an error */
	int		 error;
	int		 refused;	/* the revision agreed upon is not
					 * allowed: an error instead */
};

/* Once. */
void	accord_setup(const struct worker_conf *);
/* The bit of a revision; 0: we know none of that name. */
uint32_t accord_bit(struct slice);
/* A JSON array of those that are allowed and in this set; returns out. */
const char *accord_list(uint32_t set, char out[ACCORD_LIST_MAX]);
/* What initialize may propose in place of this: the latest that is allowed and
 * not later, or, where all are later, the latest (Lifecycle, Version
 * Negotiation); NULL when it may stay, or there is none. */
const char *accord_offer(struct slice proposed);

/*
 * Read a JSON message, and edit it (edits NULL: do not) to what the client is
 * to get instead.  requested: what the client proposed; id: its request's, as
 * JSON, or p NULL.  Nothing hangs on it: what is not allowed is refused when
 * it is used.
 */
void	accord_judge(enum accord, struct slice text, struct slice id,
	    struct slice requested, struct filter_edits *,
	    struct accord_told *);

#endif
