/*
 * Reads the JSON-RPC 2.0 envelope of one MCP message (MCP base protocol;
 * JSON-RPC 2.0 section 4).  One envelope, read one way: the bytes judged here
 * are the bytes sent on, and what another reader could take otherwise
 * (batches, duplicate members, trailing bytes, bad UTF-8) is refused.
 */
#ifndef MCP_RPC_H
#define MCP_RPC_H

#include <stddef.h>

#include "common/slice.h"
#include "worker/base/refusal.h"

#define RPC_METHOD_MAX	256	/* bytes of a method name */
#define RPC_ID_MAX	256	/* bytes of an id, as raw JSON */
#define RPC_NAME_MAX	4096	/* bytes of params.name, uri or taskId */

enum rpc_kind { RPC_REQUEST, RPC_NOTIFICATION, RPC_RESPONSE };

struct rpc {
	enum rpc_kind	 kind;
	struct slice	 id;		/* raw JSON; p NULL when none */
	struct slice	 method;	/* unescaped; empty for a response */
	struct slice	 name;		/* what the method acts upon: params.uri
					 * for resources/..., params.name for
					 * tools/... and prompts/..., of
					 * tasks/... params.taskId, of others
					 * name or, without one, uri; unescaped;
					 * p NULL when none */
	struct slice	 version;	/* of params._meta, the member
					 * io.modelcontextprotocol/
					 * protocolVersion; p NULL: none */
	struct slice	 traceparent;	/* of params._meta, as they stand in
					 * the body; p NULL: none, or no */
	struct slice	 tracestate;	/* string */
	struct slice	 proposed;	/* params.protocolVersion of initialize,
					 * as it stands in the body (escapes as
					 * they came); p NULL when none */
	char		*scratch;	/* owned; backs unescaped strings */
	size_t		 scratch_used;
};

/*
 * Read one message.  Slices point into body or scratch.  0; or
 * RPC_PARSE_ERROR (not strict JSON) or RPC_INVALID_REQUEST (JSON, but a
 * batch, not an object, "jsonrpc" not "2.0", no or a non-string method, an id
 * that is not a string or an integer number (null only in an error response),
 * params neither object, array nor null (as none), a name or uri of tools/call,
 * prompts/get or resources/read that is no string, a member that differs in
 * case alone from one that counts, a version that is no string or longer than
 * RPC_METHOD_MAX, over the limits above); *why is static text for the client.
 * Where the id could be read it is set even on RPC_INVALID_REQUEST, for the
 * answer to echo.  On failure nothing needs freeing beyond rpc_free().
 */
int	rpc_read(const char *body, size_t len, struct rpc *, const char **why);
void	rpc_free(struct rpc *);

#endif
