/*
 * Tools.
 */
#include <sys/queue.h>

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>

#include "regress/demo/json_out.h"
#include "regress/demo/mcp_stream.h"
#include "regress/demo/mcp_tools.h"

#define COUNT_MAX	1000000
#define INTERVAL_MAX	60000		/* milliseconds */
#define PADDING_MAX	65536		/* bytes */

typedef yajl_gen (*tool_fn)(struct evhttp_request *, struct session *,
	    const struct rpc *, int);

static yajl_gen	 echo(struct evhttp_request *, struct session *,
		    const struct rpc *, int);
static yajl_gen	 slow(struct evhttp_request *, struct session *,
		    const struct rpc *, int);
static yajl_gen	 whoami(struct evhttp_request *, struct session *,
		    const struct rpc *, int);

static const struct tool {
	const char	*name, *description, *schema;
	tool_fn		 call;
} tools[] = {
	{ "echo", "Says what it was told",
	    "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":"
	    "\"string\"}},\"required\":[\"text\"]}", echo },
	{ "slow", "Counts, and tells of every step while it does",
	    "{\"type\":\"object\",\"properties\":{"
	    "\"count\":{\"type\":\"integer\",\"default\":5},"
	    "\"interval_ms\":{\"type\":\"integer\",\"default\":300},"
	    "\"size\":{\"type\":\"integer\",\"default\":0}}}", slow },
	{ "whoami", "Shows the header fields that arrived with the request",
	    "{\"type\":\"object\"}", whoami },
};
#define NTOOLS	(sizeof(tools) / sizeof(tools[0]))

yajl_gen
tools_list(const char *id)
{
	yajl_gen	 g = rpc_result(id);
	size_t		 i;

	json_out_array(g, "tools");
	for (i = 0; i < NTOOLS; i++) {
		json_out_map(g, NULL);
		json_out_str(g, "name", tools[i].name);
		json_out_str(g, "description", tools[i].description);
		json_out_raw(g, "inputSchema", tools[i].schema);
		json_out_map_end(g);
	}
	json_out_array_end(g);
	rpc_end(g);
	return (g);
}

yajl_gen
tools_call(struct evhttp_request *req, struct session *session,
    const struct rpc *rpc, int may_sse)
{
	const char	*name = rpc_get_string(rpc->params, "name");
	yajl_val	 args = rpc_get(rpc->params, "arguments");
	size_t		 i;

	if (args != NULL && !YAJL_IS_OBJECT(args))
		return (rpc_error(rpc->id, RPC_INVALID_PARAMS,
		    "arguments is not an object"));
	for (i = 0; name != NULL && i < NTOOLS; i++) {
		if (strcmp(name, tools[i].name) == 0)
			return (tools[i].call(req, session, rpc, may_sse));
	}
	return (rpc_error(rpc->id, RPC_INVALID_PARAMS, "unknown tool"));
}

static yajl_gen
echo(struct evhttp_request *req, struct session *session,
    const struct rpc *rpc, int may_sse)
{
	const char	*text;

	(void)req;
	(void)session;
	(void)may_sse;
	text = rpc_get_string(rpc_get(rpc->params, "arguments"), "text");
	if (text == NULL)
		return (rpc_error(rpc->id, RPC_INVALID_PARAMS,
		    "echo: text is missing or no string"));
	return (rpc_text_result(rpc->id, text));
}

static yajl_gen
slow(struct evhttp_request *req, struct session *session,
    const struct rpc *rpc, int may_sse)
{
	yajl_val	 args = rpc_get(rpc->params, "arguments");
	struct slow_call call = { .count = 5, .interval_ms = 300 };
	char		*token;
	int		 ret;

	if (rpc_get_int(args, "count", 0, COUNT_MAX, &call.count) == -1 ||
	    rpc_get_int(args, "interval_ms", 0, INTERVAL_MAX,
	    &call.interval_ms) == -1 ||
	    rpc_get_int(args, "size", 0, PADDING_MAX, &call.size) == -1)
		return (rpc_error(rpc->id, RPC_INVALID_PARAMS,
		    "slow: count, interval_ms or size is out of range"));
	token = rpc_scalar_text(rpc_get(rpc_get(rpc->params, "_meta"),
	    "progressToken"));
	call.id = rpc->id;
	call.token = token;
	ret = stream_slow(req, session, may_sse, &call);
	free(token);
	if (ret == -1)
		return (rpc_error(rpc->id, RPC_REFUSED, "too many streams"));
	return (NULL);
}

/* As text, line by line, and as a list. */
static yajl_gen
whoami(struct evhttp_request *req, struct session *session,
    const struct rpc *rpc, int may_sse)
{
	struct evkeyvalq	*fields = evhttp_request_get_input_headers(req);
	struct evkeyval		*f;
	struct evbuffer		*text;
	yajl_gen		 g = rpc_result(rpc->id);

	(void)session;
	(void)may_sse;
	if ((text = evbuffer_new()) == NULL)
		errx(1, "no memory");
	json_out_map(g, "structuredContent");
	json_out_array(g, "headers");
	TAILQ_FOREACH(f, fields, next) {
		json_out_map(g, NULL);
		json_out_ascii(g, "name", f->key);
		json_out_ascii(g, "value", f->value);
		json_out_map_end(g);
		evbuffer_add_printf(text, "%s: %s\n", f->key, f->value);
	}
	json_out_array_end(g);
	json_out_map_end(g);
	evbuffer_add(text, "", 1);
	json_out_array(g, "content");
	json_out_map(g, NULL);
	json_out_str(g, "type", "text");
	json_out_ascii(g, "text", (const char *)evbuffer_pullup(text, -1));
	json_out_map_end(g);
	json_out_array_end(g);
	rpc_end(g);
	evbuffer_free(text);
	return (g);
}
