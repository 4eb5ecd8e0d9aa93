/*
 * JSON-RPC 2.0 messages.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "regress/demo/json_out.h"
#include "regress/demo/mcp_rpc.h"

static int	 classify(struct rpc *, const char **);
static yajl_gen	 message(void);

int
rpc_read(struct rpc *r, const char *text, size_t len, const char **why)
{
	enum json_error	 error;
	char		*copy;

	memset(r, 0, sizeof(*r));
	if ((r->id = strdup("null")) == NULL)
		err(1, NULL);
	/* yajl_tree_free() recurses: depth must be bounded before */
	if ((error = json_check(text, len)) != JSON_OK) {
		*why = json_strerror(error);
		return (RPC_PARSE_ERROR);
	}
	if ((copy = strndup(text, len)) == NULL)
		err(1, NULL);
	r->root = yajl_tree_parse(copy, NULL, 0);
	free(copy);
	if (r->root == NULL) {
		*why = "not JSON";
		return (RPC_PARSE_ERROR);
	}
	return (classify(r, why));
}

void
rpc_clear(struct rpc *r)
{
	yajl_tree_free(r->root);
	free(r->id);
	memset(r, 0, sizeof(*r));
}

yajl_val
rpc_get(yajl_val v, const char *name)
{
	const char	*path[] = { name, NULL };

	return (v == NULL ? NULL : yajl_tree_get(v, path, yajl_t_any));
}

const char *
rpc_get_string(yajl_val v, const char *name)
{
	return (YAJL_GET_STRING(rpc_get(v, name)));
}

int
rpc_get_int(yajl_val v, const char *name, long long min, long long max,
    long long *value)
{
	yajl_val	 member = rpc_get(v, name);

	if (member == NULL)
		return (0);
	if (!YAJL_IS_INTEGER(member) || YAJL_GET_INTEGER(member) < min ||
	    YAJL_GET_INTEGER(member) > max)
		return (-1);
	*value = YAJL_GET_INTEGER(member);
	return (0);
}

char *
rpc_scalar_text(yajl_val v)
{
	yajl_gen	 g;
	char		*text;
	size_t		 len;

	if (!YAJL_IS_STRING(v) && !YAJL_IS_NUMBER(v))
		return (NULL);
	g = json_out_new();
	json_out_scalar(g, NULL, v);
	if ((text = strdup(json_out_text(g, &len))) == NULL)
		err(1, NULL);
	yajl_gen_free(g);
	return (text);
}

yajl_gen
rpc_result(const char *id)
{
	yajl_gen	 g = message();

	json_out_raw(g, "id", id);
	json_out_map(g, "result");
	return (g);
}

yajl_gen
rpc_notification(const char *method)
{
	yajl_gen	 g = message();

	json_out_str(g, "method", method);
	json_out_map(g, "params");
	return (g);
}

void
rpc_end(yajl_gen g)
{
	json_out_map_end(g);
	json_out_map_end(g);
}

yajl_gen
rpc_error(const char *id, int code, const char *text)
{
	yajl_gen	 g = message();

	json_out_raw(g, "id", id);
	json_out_map(g, "error");
	json_out_int(g, "code", code);
	json_out_str(g, "message", text);
	rpc_end(g);
	return (g);
}

yajl_gen
rpc_text_result(const char *id, const char *text)
{
	yajl_gen	 g = rpc_result(id);

	json_out_array(g, "content");
	json_out_map(g, NULL);
	json_out_str(g, "type", "text");
	json_out_str(g, "text", text);
	json_out_map_end(g);
	json_out_array_end(g);
	rpc_end(g);
	return (g);
}

static int
classify(struct rpc *r, const char **why)
{
	yajl_val	 id = rpc_get(r->root, "id");
	const char	*version = rpc_get_string(r->root, "jsonrpc");
	char		*text;

	if ((text = rpc_scalar_text(id)) != NULL) {
		free(r->id);
		r->id = text;
	}
	*why = "not a JSON-RPC 2.0 message";
	if (!YAJL_IS_OBJECT(r->root) ||
	    version == NULL || strcmp(version, "2.0") != 0 ||
	    (id != NULL && text == NULL))
		return (RPC_INVALID_REQUEST);
	r->method = rpc_get_string(r->root, "method");
	r->params = rpc_get(r->root, "params");
	if (r->method != NULL)
		r->kind = id != NULL ? RPC_REQUEST : RPC_NOTIFICATION;
	else if (id != NULL && rpc_get(r->root, "method") == NULL &&
	    (rpc_get(r->root, "result") != NULL ||
	    rpc_get(r->root, "error") != NULL))
		r->kind = RPC_RESPONSE;
	else
		return (RPC_INVALID_REQUEST);
	*why = "params is not an object";
	if (r->params != NULL && !YAJL_IS_OBJECT(r->params))
		return (RPC_INVALID_REQUEST);
	return (0);
}

static yajl_gen
message(void)
{
	yajl_gen	 g = json_out_new();

	json_out_map(g, NULL);
	json_out_str(g, "jsonrpc", "2.0");
	return (g);
}
