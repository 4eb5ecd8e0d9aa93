/*
 * The rules of the Model Context Protocol that tie HTTP fields to what the
 * message says (Streamable HTTP, revisions 2025-03-26 to 2026-07-28).  They
 * are judged by facts; a refusal is the row that says why, or NULL.
 */
#ifndef MCP_RULES_H
#define MCP_RULES_H

#include "common/conf.h"
#include "common/slice.h"
#include "worker/base/refusal.h"
#include "worker/mcp/accord.h"
#include "worker/mcp/rpc.h"
#include "worker/wire/http1.h"

/* What the fields said; p NULL: nothing. */
struct rules_fields {
	struct slice	 version;	/* MCP-Protocol-Version */
	struct slice	 method;	/* Mcp-Method */
	struct slice	 name;		/* Mcp-Name */
};

/* What MCP-Protocol-Version makes of a request, once for all. */
struct rules_revision {
	unsigned	 allowed : 1;	/* one of mcp.revisions; where there is
					 * no field, one that knows none is */
	unsigned	 stateless : 1;	/* it names one without sessions */
	unsigned	 number : 8;	/* index in conf_revisions + 1; 0 */
	unsigned	 null_id : 1;	/* an error response without an id says
					 * null: in 2024-11-05 JSON-RPC alone
					 * counts (section 5), later ones have
					 * no id then (Transports) */
};

/* What the message makes of it. */
struct rules_verdict {
	enum accord	 accord;	/* what its answer may say */
	int		 stateless;	/* of a revision without sessions */
	struct slice	 requested;	/* the revision that it is refused for
					 * (RPC_UNSUPPORTED_VERSION); it may
					 * be the message's or static text */
};

/* Once. */
void	rules_setup(const struct worker_conf *);
/* Do mcp.revisions have a revision with sessions and streams, thus with GET and
 * DELETE? */
int	rules_streams(void);

/* What can be judged without the body: no field is ambiguous. */
const struct refusal *rules_head(const struct http1_head *);
struct rules_revision rules_revision(struct slice version);
/* Of a GET or DELETE: is its revision one of mcp.revisions?  Else *requested is
 * set. */
const struct refusal *rules_stream(struct rules_revision, struct slice version,
    struct slice *requested);
/* Of a POST: what the fields said is what the message says, and the revision
 * one of mcp.revisions.  The verdict is set as far as it was judged. */
const struct refusal *rules_message(const struct rules_fields *,
    struct rules_revision, const struct rpc *, struct rules_verdict *);

#endif
