/*
 * The tools of the demo's MCP server: echo says what it was told, whoami shows
 * the header fields that arrived, slow takes its time.
 */
#ifndef DEMO_MCP_TOOLS_H
#define DEMO_MCP_TOOLS_H

#include <event2/http.h>
#include <yajl/yajl_gen.h>

#include "regress/demo/mcp_rpc.h"

struct session;

/* The answer to tools/list. */
yajl_gen tools_list(const char *id);
/* Do a tools/call.  may_sse: the client takes an event stream.
 * Returns the answer, or NULL when it is on its way as a stream. */
yajl_gen tools_call(struct evhttp_request *, struct session *,
	    const struct rpc *, int may_sse);

#endif
