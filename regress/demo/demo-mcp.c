/*
 * A small MCP server over Streamable HTTP for the demo and the tests: tools
 * echo, whoami and slow, JSON and SSE answers, sessions, a standalone GET
 * stream.
 */
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <openssl/rand.h>

#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/demo/serve.h"

#define SESSIONS_MAX	1024
#define SESSION_LEN	32

static const char *const revisions[] = { "2025-11-25", "2025-06-18",
				"2025-03-26" };

/* An answer that takes its time, or a GET stream (count -1). */
struct stream {
	struct evhttp_request *req;
	struct event	*timer;
	char		*id;		/* raw JSON */
	char		*token;		/* raw JSON, or NULL */
	long		 count;
	long		 done;
	struct timeval	 pace;
};

static struct event_base	*base;
static char			 sessions[SESSIONS_MAX][SESSION_LEN + 1];
static size_t			 nsessions;

static void	 on_mcp(struct evhttp_request *, void *);
static void	 on_post(struct evhttp_request *);
static void	 on_message(struct evhttp_request *, yajl_val);
static void	 do_initialize(struct evhttp_request *, yajl_val,
		    const char *);
static void	 do_list(struct evhttp_request *, const char *);
static void	 do_call(struct evhttp_request *, yajl_val, const char *);
static void	 call_whoami(struct evhttp_request *, const char *);
static void	 call_slow(struct evhttp_request *, yajl_val, const char *);
static void	 stream_new(struct evhttp_request *, const char *,
		    const char *, long, long);
static void	 stream_tick(evutil_socket_t, short, void *);
static void	 stream_gone(struct evhttp_connection *, void *);
static void	 stream_free(struct stream *);
static void	 stream_send(struct stream *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static void	 answer(struct evhttp_request *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static void	 rpc_error(struct evhttp_request *, int, const char *, int,
		    const char *);
static void	 text_result(struct evhttp_request *, const char *,
		    const char *);
static char	*json(yajl_val);
static char	*json_string(const char *);
static void	 gen_value(yajl_gen, yajl_val);
static yajl_val	 get(yajl_val, const char *);
static const char *get_string(yajl_val, const char *);
static long	 get_number(yajl_val, const char *, long, long);
static const char *field(struct evhttp_request *, const char *);
static int	 session_find(const char *);
static const char *session_new(void);

int
main(int argc, char *argv[])
{
	struct evhttp	*http;
	const char	*where = "127.0.0.1:0";
	char		*url;
	int		 ch;

	while ((ch = getopt(argc, argv, "l:")) != -1) {
		if (ch != 'l') {
			fprintf(stderr, "usage: demo-mcp "
			    "[-l address:port]\n");
			return (1);
		}
		where = optarg;
	}
	if ((base = event_base_new()) == NULL)
		errx(1, "event_base_new");
	http = serve_listen(base, where, &url);
	evhttp_set_cb(http, "/mcp", on_mcp, NULL);
	serve_loop(base);
	evhttp_free(http);
	event_base_free(base);
	free(url);
	return (0);
}

static const char *
field(struct evhttp_request *req, const char *name)
{
	return (evhttp_find_header(evhttp_request_get_input_headers(req),
	    name));
}

static int
session_find(const char *id)
{
	size_t	 i;

	for (i = 0; i < nsessions; i++)
		if (strcmp(sessions[i], id) == 0)
			return ((int)i);
	return (-1);
}

static const char *
session_new(void)
{
	unsigned char	 raw[SESSION_LEN / 2];
	char		*id;
	size_t		 i;

	if (nsessions == SESSIONS_MAX)
		nsessions = 0;		/* a fixture forgets */
	id = sessions[nsessions++];
	if (RAND_bytes(raw, sizeof(raw)) != 1)
		errx(1, "RAND_bytes");
	for (i = 0; i < sizeof(raw); i++)
		snprintf(id + 2 * i, 3, "%02x", raw[i]);
	return (id);
}

static void
on_mcp(struct evhttp_request *req, void *arg)
{
	const char	*session = field(req, "Mcp-Session-Id");
	const char	*accept = field(req, "Accept");
	int		 at = -1;

	(void)arg;
	if (session != NULL && (at = session_find(session)) == -1) {
		rpc_error(req, 404, "null", -32001, "no such session");
		return;
	}
	switch (evhttp_request_get_command(req)) {
	case EVHTTP_REQ_POST:
		on_post(req);
		return;
	case EVHTTP_REQ_GET:
		if (accept == NULL ||
		    strstr(accept, "text/event-stream") == NULL) {
			rpc_error(req, 406, "null", -32000,
			    "a GET is for text/event-stream");
			return;
		}
		stream_new(req, "null", NULL, -1, 1000);
		return;
	case EVHTTP_REQ_DELETE:
		if (at == -1) {
			rpc_error(req, 400, "null", -32000, "no session");
			return;
		}
		memcpy(sessions[at], sessions[--nsessions], SESSION_LEN + 1);
		serve_reply(req, 200, NULL, "", 0);
		return;
	default:
		rpc_error(req, 405, "null", -32000, "method not allowed");
	}
}

static void
on_post(struct evhttp_request *req)
{
	char	 error[128], *body;
	yajl_val v;
	size_t	 len;

	body = serve_body(req, &len);
	v = yajl_tree_parse(body, error, sizeof(error));
	free(body);
	if (v == NULL)
		rpc_error(req, 400, "null", -32700, "not JSON");
	else
		on_message(req, v);
	yajl_tree_free(v);
}

static void
on_message(struct evhttp_request *req, yajl_val v)
{
	const char	*method = get_string(v, "method");
	char		*id;

	if (get(v, "id") == NULL || method == NULL) {
		/* a notification or a response */
		serve_reply(req, 202, NULL, "", 0);
		return;
	}
	id = json(get(v, "id"));
	if (strcmp(method, "initialize") == 0)
		do_initialize(req, get(v, "params"), id);
	else if (strcmp(method, "ping") == 0)
		answer(req, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}",
		    id);
	else if (strcmp(method, "tools/list") == 0)
		do_list(req, id);
	else if (strcmp(method, "tools/call") == 0)
		do_call(req, get(v, "params"), id);
	else
		rpc_error(req, 200, id, -32601, "no such method");
	free(id);
}

static void
do_initialize(struct evhttp_request *req, yajl_val params, const char *id)
{
	const char	*wanted = get_string(params, "protocolVersion");
	const char	*revision = revisions[0];
	size_t		 i;

	for (i = 0; i < sizeof(revisions) / sizeof(revisions[0]); i++)
		if (wanted != NULL && strcmp(wanted, revisions[i]) == 0)
			revision = revisions[i];
	evhttp_add_header(evhttp_request_get_output_headers(req),
	    "Mcp-Session-Id", session_new());
	answer(req, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{"
	    "\"protocolVersion\":\"%s\",\"capabilities\":{\"tools\":{},"
	    "\"logging\":{}},\"serverInfo\":{\"name\":\"demo-mcp\","
	    "\"version\":\"1\"}}}", id, revision);
}

static void
do_list(struct evhttp_request *req, const char *id)
{
	answer(req, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"tools\":["
	    "{\"name\":\"echo\",\"description\":\"Says what it was told\","
	    "\"inputSchema\":{\"type\":\"object\",\"properties\":"
	    "{\"text\":{\"type\":\"string\"}},\"required\":[\"text\"]}},"
	    "{\"name\":\"slow\",\"description\":\"Counts, and tells of it "
	    "as it goes\",\"inputSchema\":{\"type\":\"object\","
	    "\"properties\":{\"count\":{\"type\":\"integer\"},"
	    "\"interval_ms\":{\"type\":\"integer\"}}}},"
	    "{\"name\":\"whoami\",\"description\":\"Shows the header fields "
	    "that arrived here\",\"inputSchema\":{\"type\":\"object\"}}]}}",
	    id);
}

static void
do_call(struct evhttp_request *req, yajl_val params, const char *id)
{
	const char	*name = get_string(params, "name"), *text;
	yajl_val	 args = get(params, "arguments");

	name = name == NULL ? "" : name;
	if (strcmp(name, "echo") == 0) {
		text = get_string(args, "text");
		text_result(req, id, text == NULL ? "" : text);
	} else if (strcmp(name, "whoami") == 0)
		call_whoami(req, id);
	else if (strcmp(name, "slow") == 0)
		call_slow(req, params, id);
	else
		rpc_error(req, 200, id, -32602, "no such tool");
}

static void
call_whoami(struct evhttp_request *req, const char *id)
{
	struct evkeyvalq	*fields;
	struct evkeyval		*f;
	struct evbuffer		*text = evbuffer_new();

	fields = evhttp_request_get_input_headers(req);
	for (f = fields->tqh_first; f != NULL; f = f->next.tqe_next)
		evbuffer_add_printf(text, "%s: %s\n", f->key, f->value);
	evbuffer_add(text, "", 1);
	text_result(req, id, (const char *)evbuffer_pullup(text, -1));
	evbuffer_free(text);
}

static void
call_slow(struct evhttp_request *req, yajl_val params, const char *id)
{
	yajl_val	 args = get(params, "arguments");
	yajl_val	 token = get(get(params, "_meta"), "progressToken");
	char		*text = token == NULL ? NULL : json(token);

	stream_new(req, id, text, get_number(args, "count", 5, 100000),
	    get_number(args, "interval_ms", 200, 60000));
	free(text);
}

static void
stream_new(struct evhttp_request *req, const char *id, const char *token,
    long count, long interval)
{
	struct evkeyvalq	*out = evhttp_request_get_output_headers(req);
	struct stream		*s;

	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (s->id = strdup(id)) == NULL ||
	    (token != NULL && (s->token = strdup(token)) == NULL) ||
	    (s->timer = evtimer_new(base, stream_tick, s)) == NULL)
		err(1, NULL);
	s->req = req;
	s->count = count;
	s->pace.tv_sec = interval / 1000;
	s->pace.tv_usec = interval % 1000 * 1000;
	evhttp_add_header(out, "Content-Type", "text/event-stream");
	evhttp_add_header(out, "Cache-Control", "no-cache");
	evhttp_connection_set_closecb(evhttp_request_get_connection(req),
	    stream_gone, s);
	evhttp_send_reply_start(req, 200, "OK");
	stream_send(s, ": demo-mcp\n\n");
	evtimer_add(s->timer, &s->pace);
}

static void
stream_send(struct stream *s, const char *fmt, ...)
{
	struct evbuffer	*buf = evbuffer_new();
	va_list		 ap;

	va_start(ap, fmt);
	evbuffer_add_vprintf(buf, fmt, ap);
	va_end(ap);
	evhttp_send_reply_chunk(s->req, buf);
	evbuffer_free(buf);
}

static void
stream_tick(evutil_socket_t fd, short what, void *arg)
{
	struct stream	*s = arg;

	(void)fd;
	(void)what;
	if (s->count == -1 || s->done < s->count) {
		s->done++;
		if (s->token != NULL)
			stream_send(s, "event: message\ndata: {\"jsonrpc\":"
			    "\"2.0\",\"method\":\"notifications/progress\","
			    "\"params\":{\"progressToken\":%s,\"progress\":"
			    "%ld,\"total\":%ld}}\n\n", s->token, s->done,
			    s->count);
		else
			stream_send(s, "event: message\ndata: {\"jsonrpc\":"
			    "\"2.0\",\"method\":\"notifications/message\","
			    "\"params\":{\"level\":\"info\",\"data\":"
			    "\"step %ld\"}}\n\n", s->done);
		evtimer_add(s->timer, &s->pace);
		return;
	}
	stream_send(s, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,"
	    "\"result\":{\"content\":[{\"type\":\"text\",\"text\":"
	    "\"counted to %ld\"}]}}\n\n", s->id, s->count);
	evhttp_connection_set_closecb(evhttp_request_get_connection(s->req),
	    NULL, NULL);
	evhttp_send_reply_end(s->req);
	stream_free(s);
}

/* The client left: so does its stream. */
static void
stream_gone(struct evhttp_connection *conn, void *arg)
{
	(void)conn;
	stream_free(arg);
}

static void
stream_free(struct stream *s)
{
	event_free(s->timer);
	free(s->id);
	free(s->token);
	free(s);
}

/* As JSON, or as one event where the client takes nothing else. */
static void
answer(struct evhttp_request *req, const char *fmt, ...)
{
	const char	*accept = field(req, "Accept");
	struct evbuffer	*buf = evbuffer_new();
	int		 sse;
	va_list		 ap;

	sse = accept != NULL && strstr(accept, "text/event-stream") != NULL &&
	    strstr(accept, "application/json") == NULL &&
	    strstr(accept, "*/*") == NULL;
	if (sse)
		evbuffer_add_printf(buf, "event: message\ndata: ");
	va_start(ap, fmt);
	evbuffer_add_vprintf(buf, fmt, ap);
	va_end(ap);
	evbuffer_add_printf(buf, sse ? "\n\n" : "\n");
	evhttp_add_header(evhttp_request_get_output_headers(req),
	    "Content-Type", sse ? "text/event-stream" : "application/json");
	evhttp_send_reply(req, 200, "OK", buf);
	evbuffer_free(buf);
}

static void
rpc_error(struct evhttp_request *req, int status, const char *id, int code,
    const char *text)
{
	char	 body[1024];
	int	 n;

	n = snprintf(body, sizeof(body), "{\"jsonrpc\":\"2.0\",\"id\":%.256s,"
	    "\"error\":{\"code\":%d,\"message\":\"%s\"}}\n", id, code, text);
	serve_reply(req, status, "application/json", body, (size_t)n);
}

static void
text_result(struct evhttp_request *req, const char *id, const char *text)
{
	char	*quoted = json_string(text);

	answer(req, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":"
	    "[{\"type\":\"text\",\"text\":%s}]}}", id, quoted);
	free(quoted);
}

static char *
json_string(const char *s)
{
	const unsigned char	*p;
	yajl_gen		 g = yajl_gen_alloc(NULL);
	size_t			 n;
	char			*text;

	if (g == NULL)
		err(1, NULL);
	yajl_gen_string(g, (const unsigned char *)s, strlen(s));
	yajl_gen_get_buf(g, &p, &n);
	if ((text = strndup((const char *)p, n)) == NULL)
		err(1, NULL);
	yajl_gen_free(g);
	return (text);
}

/* A scalar as JSON text; anything else as null. */
static char *
json(yajl_val v)
{
	const unsigned char	*p;
	yajl_gen		 g = yajl_gen_alloc(NULL);
	size_t			 n;
	char			*text;

	if (g == NULL)
		err(1, NULL);
	gen_value(g, v);
	yajl_gen_get_buf(g, &p, &n);
	if ((text = strndup((const char *)p, n)) == NULL)
		err(1, NULL);
	yajl_gen_free(g);
	return (text);
}

static void
gen_value(yajl_gen g, yajl_val v)
{
	const char	*s = YAJL_GET_STRING(v);

	if (s != NULL)
		yajl_gen_string(g, (const unsigned char *)s, strlen(s));
	else if (YAJL_IS_NUMBER(v))
		yajl_gen_number(g, YAJL_GET_NUMBER(v),
		    strlen(YAJL_GET_NUMBER(v)));
	else
		yajl_gen_null(g);
}

static yajl_val
get(yajl_val v, const char *name)
{
	const char	*path[] = { name, NULL };

	return (v == NULL ? NULL : yajl_tree_get(v, path, yajl_t_any));
}

static const char *
get_string(yajl_val v, const char *name)
{
	return (YAJL_GET_STRING(get(v, name)));
}

static long
get_number(yajl_val v, const char *name, long otherwise, long max)
{
	yajl_val	 n = get(v, name);
	long		 value = otherwise;

	if (n != NULL && YAJL_IS_INTEGER(n))
		value = (long)YAJL_GET_INTEGER(n);
	return (value < 0 ? 0 : value > max ? max : value);
}
