/*
 * JSON-RPC 2.0 as MCP uses it: reading one message, writing answers and
 * notifications.  Knows nothing of HTTP.
 */
#ifndef DEMO_MCP_RPC_H
#define DEMO_MCP_RPC_H

#include <stddef.h>

#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#define RPC_PARSE_ERROR		(-32700)
#define RPC_INVALID_REQUEST	(-32600)
#define RPC_NO_METHOD		(-32601)
#define RPC_INVALID_PARAMS	(-32602)
#define RPC_NO_SESSION		(-32001)	/* the MCP SDKs' code for it */
#define RPC_REFUSED		(-32000)

enum rpc_kind {
	RPC_REQUEST,
	RPC_NOTIFICATION,
	RPC_RESPONSE		/* an answer to a request of ours */
};

struct rpc {
	enum rpc_kind	 kind;
	yajl_val	 root;		/* owns what is below */
	yajl_val	 params;	/* an object, or NULL */
	const char	*method;	/* NULL in a response */
	char		*id;		/* JSON text, "null" without one */
};

/* Read one message.  Returns 0, or one of the codes above: then why says
 * what is wrong and id is set all the same.  Call rpc_clear() either way. */
int	rpc_read(struct rpc *, const char *, size_t len, const char **why);
void	rpc_clear(struct rpc *);

/* A member of an object, or NULL. */
yajl_val rpc_get(yajl_val, const char *name);
/* A member that is a string, or NULL. */
const char *rpc_get_string(yajl_val, const char *name);
/* An integer from min to max into value, which stays when there is none.
 * Returns -1 when the member is something else. */
int	rpc_get_int(yajl_val, const char *name, long long min, long long max,
	    long long *value);
/* A string or a number as JSON text, that the caller frees; else NULL. */
char	*rpc_scalar_text(yajl_val);

/* Answers to id.  Between rpc_result() and rpc_end() the caller adds the
 * members of the result, or of a notification's params. */
yajl_gen rpc_result(const char *id);
yajl_gen rpc_notification(const char *method);
void	rpc_end(yajl_gen);
yajl_gen rpc_error(const char *id, int code, const char *message);
/* The whole result of a tool: one text. */
yajl_gen rpc_text_result(const char *id, const char *text);

#endif
