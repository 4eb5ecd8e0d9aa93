/*
 * The rules of the Model Context Protocol that tie HTTP fields to what the
 * message says (Streamable HTTP, revisions 2025-03-26 to 2026-07-28).
 */
#ifndef WORKER_MCP_H
#define WORKER_MCP_H

#include "common/conf.h"
#include "common/slice.h"
#include "worker/http1.h"
#include "worker/request.h"
#include "worker/rpc.h"

/* Once. */
void	mcp_setup(const struct worker_conf *);

/* What can be judged without the body: no field is ambiguous.  0, or -1:
 * answered. */
int	mcp_check_head(struct request *, const struct http1_head *);
/* Of a GET or DELETE, whose head is gone: MCP-Protocol-Version names a revision
 * of mcp.revisions.  0, or -1: answered, or an upstream is asked for the
 * answer. */
int	mcp_check_stream(struct request *);
/* What the fields said must be what the body says, and the revision one of
 * mcp.revisions.  0, or -1: answered, or an upstream is asked for the answer.
 * What initialize proposes is changed where it cannot be. */
int	mcp_check_body(struct request *, const struct rpc *);

/* After mcp_check_head(): is its MCP-Protocol-Version (none: one of those that
 * did not have it) one of mcp.revisions? */
int	mcp_revision_ok(const struct request *);
/* Do mcp.revisions have a revision with sessions and streams, thus with GET and
 * DELETE? */
int	mcp_streams(void);
/* Does an error response without an id say null?  In 2024-11-05 JSON-RPC alone
 * counts (section 5); later ones have no id then (Transports). */
int	mcp_null_id(const struct request *);
/* Does it open a session, of a revision that is yet to be agreed upon? */
int	mcp_opens(const struct rpc *);
/* After mcp_check_head(): does MCP-Protocol-Version name a revision without
 * sessions? */
int	mcp_stateless(const struct request *);

#endif
