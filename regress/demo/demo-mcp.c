/*
 * A small MCP server for the demo and for tests, over Streamable HTTP at /mcp
 * (MCP 2025-11-25, base protocol, transports): sessions for those who
 * initialize, tools for everybody, answers as JSON or as event streams.  It
 * asks for no credential, so it listens on loopback only.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "common/json.h"
#include "regress/demo/json_out.h"
#include "regress/demo/mcp_rpc.h"
#include "regress/demo/mcp_session.h"
#include "regress/demo/mcp_stream.h"
#include "regress/demo/mcp_tools.h"
#include "regress/demo/server.h"

#define BODY_MAX	(5 * 1024 * 1024)
#define TICK_MS		5000

/* What the client takes. */
struct accept {
	int	 json;
	int	 sse;
};

static const char *const revisions[] = {	/* newest first */
	"2025-11-25", "2025-06-18", "2025-03-26"
};
#define NREVISIONS	(sizeof(revisions) / sizeof(revisions[0]))

static struct server	 server;
static long long	 tick_ms = TICK_MS;

static void	 usage(void) __attribute__((noreturn));
static void	 on_mcp(struct evhttp_request *, void *);
static void	 on_other(struct evhttp_request *, void *);
static void	 on_post(struct evhttp_request *, struct session *);
static void	 on_get(struct evhttp_request *, struct session *);
static void	 on_delete(struct evhttp_request *, struct session *);
static void	 on_message(struct evhttp_request *, struct session *,
		    const struct rpc *, const struct accept *);
static void	 on_notification(struct session *, const struct rpc *);
static yajl_gen	 call(struct evhttp_request *, struct session *,
		    const struct rpc *, const struct accept *);
static yajl_gen	 initialize(struct evhttp_request *, const struct rpc *);
static yajl_gen	 empty_result(const char *);
static void	 accept_read(struct evhttp_request *, struct accept *);
static int	 is_revision(const char *);
static void	 refuse(struct evhttp_request *, int, const char *, int,
		    const char *);

int
main(int argc, char *argv[])
{
	const char	*address = "127.0.0.1:0", *why;
	int		 ch;

	while ((ch = getopt(argc, argv, "l:t:")) != -1) {
		switch (ch) {
		case 'l':
			address = optarg;
			break;
		case 't':
			tick_ms = strtonum(optarg, 1, 3600000, &why);
			if (why != NULL)
				errx(1, "-t: %s", why);
			break;
		default:
			usage();
		}
	}
	if (argc != optind)
		usage();
	json_seed();
	server_open(&server, address, BODY_MAX);
	stream_setup(server.base);
	evhttp_set_cb(server.http, "/mcp", on_mcp, NULL);
	evhttp_set_gencb(server.http, on_other, NULL);
	server_run(&server);
	session_end_all();
	stream_end_all();
	server_close(&server);
	return (0);
}

static void
usage(void)
{
	fprintf(stderr, "usage: demo-mcp [-l address:port] "
	    "[-t milliseconds]\n");
	exit(2);
}

static void
on_other(struct evhttp_request *req, void *arg)
{
	(void)arg;
	server_empty(req, 404);
}

static void
on_mcp(struct evhttp_request *req, void *arg)
{
	const char	*id = server_field(req, "Mcp-Session-Id");
	const char	*revision = server_field(req, "MCP-Protocol-Version");
	struct session	*session = NULL;

	(void)arg;
	if (!server_allow(req, EVHTTP_REQ_POST | EVHTTP_REQ_GET |
	    EVHTTP_REQ_DELETE, "GET, POST, DELETE"))
		return;
	if (revision != NULL && !is_revision(revision)) {
		refuse(req, 400, "null", RPC_REFUSED,
		    "unsupported MCP-Protocol-Version");
		return;
	}
	if (id != NULL && (session = session_find(id)) == NULL) {
		refuse(req, 404, "null", RPC_NO_SESSION, "no such session");
		return;
	}
	switch (evhttp_request_get_command(req)) {
	case EVHTTP_REQ_POST:
		on_post(req, session);
		break;
	case EVHTTP_REQ_GET:
		on_get(req, session);
		break;
	default:
		on_delete(req, session);
		break;
	}
}

static void
on_post(struct evhttp_request *req, struct session *session)
{
	struct evbuffer	*in = evhttp_request_get_input_buffer(req);
	size_t		 len = evbuffer_get_length(in);
	unsigned char	*body;
	struct accept	 accept;
	struct rpc	 rpc;
	const char	*why;
	int		 code;

	accept_read(req, &accept);
	if (!accept.json && !accept.sse) {
		refuse(req, 406, "null", RPC_REFUSED,
		    "want application/json or text/event-stream");
		return;
	}
	if ((body = evbuffer_pullup(in, -1)) == NULL && len > 0)
		errx(1, "no memory");
	code = rpc_read(&rpc, len == 0 ? "" : (const char *)body, len, &why);
	if (code != 0)
		refuse(req, 400, rpc.id, code, why);
	else
		on_message(req, session, &rpc, &accept);
	rpc_clear(&rpc);
}

/* The standalone stream; Last-Event-ID goes on with its numbers. */
static void
on_get(struct evhttp_request *req, struct session *session)
{
	const char	*last = server_field(req, "Last-Event-ID");
	const char	*why;
	struct accept	 accept;
	long long	 n = 0;

	accept_read(req, &accept);
	if (!accept.sse) {
		refuse(req, 406, "null", RPC_REFUSED,
		    "want text/event-stream");
		return;
	}
	if (last != NULL) {
		n = strtonum(last, 0, 1LL << 53, &why);
		if (why != NULL)
			n = 0;
	}
	if (stream_standalone(req, session, tick_ms, n) == -1)
		refuse(req, 503, "null", RPC_REFUSED, "too many streams");
}

static void
on_delete(struct evhttp_request *req, struct session *session)
{
	if (session == NULL) {
		refuse(req, 400, "null", RPC_REFUSED, "no Mcp-Session-Id");
		return;
	}
	session_end(session);
	server_empty(req, 200);
}

static void
on_message(struct evhttp_request *req, struct session *session,
    const struct rpc *rpc, const struct accept *accept)
{
	yajl_gen	 g;

	if (rpc->kind != RPC_REQUEST) {
		if (rpc->kind == RPC_NOTIFICATION)
			on_notification(session, rpc);
		server_empty(req, 202);
		return;
	}
	if ((g = call(req, session, rpc, accept)) == NULL)
		return;
	if (accept->json)
		server_json(req, 200, g);
	else
		stream_once(req, g);
}

static void
on_notification(struct session *session, const struct rpc *rpc)
{
	char	*id;

	/* without sessions we cannot tell whose request that is */
	if (session == NULL ||
	    strcmp(rpc->method, "notifications/cancelled") != 0)
		return;
	id = rpc_scalar_text(rpc_get(rpc->params, "requestId"));
	if (id != NULL)
		stream_cancel(session, id);
	free(id);
}

/* Returns the answer, or NULL when it is on its way. */
static yajl_gen
call(struct evhttp_request *req, struct session *session,
    const struct rpc *rpc, const struct accept *accept)
{
	if (strcmp(rpc->method, "initialize") == 0)
		return (initialize(req, rpc));
	if (strcmp(rpc->method, "tools/list") == 0)
		return (tools_list(rpc->id));
	if (strcmp(rpc->method, "tools/call") == 0)
		return (tools_call(req, session, rpc, accept->sse));
	if (strcmp(rpc->method, "ping") == 0 ||
	    strcmp(rpc->method, "logging/setLevel") == 0)
		return (empty_result(rpc->id));
	return (rpc_error(rpc->id, RPC_NO_METHOD, "no such method"));
}

/* The revision that was asked for, or else the newest that we know. */
static yajl_gen
initialize(struct evhttp_request *req, const struct rpc *rpc)
{
	const char	*wanted;
	yajl_gen	 g = rpc_result(rpc->id);

	wanted = rpc_get_string(rpc->params, "protocolVersion");
	if (wanted == NULL || !is_revision(wanted))
		wanted = revisions[0];
	json_out_str(g, "protocolVersion", wanted);
	json_out_raw(g, "capabilities", "{\"logging\":{},\"tools\":{}}");
	json_out_map(g, "serverInfo");
	json_out_str(g, "name", "demo-mcp");
	json_out_str(g, "version", VERSION);
	json_out_map_end(g);
	rpc_end(g);
	server_add(req, "Mcp-Session-Id", session_new()->id);
	return (g);
}

static yajl_gen
empty_result(const char *id)
{
	yajl_gen	 g = rpc_result(id);

	rpc_end(g);
	return (g);
}

/* RFC 9110 section 12.5.1, weights ignored; no field means everything. */
static void
accept_read(struct evhttp_request *req, struct accept *a)
{
	const char	*p = server_field(req, "Accept");

	a->json = a->sse = p == NULL;
	for (; p != NULL; p = strchr(p, ',')) {
		p += strspn(p, ", \t");
		if (server_is_type(p, "*/*"))
			a->json = a->sse = 1;
		else if (server_is_type(p, "application/json") ||
		    server_is_type(p, "application/*"))
			a->json = 1;
		else if (server_is_type(p, "text/event-stream") ||
		    server_is_type(p, "text/*"))
			a->sse = 1;
	}
}

static int
is_revision(const char *s)
{
	size_t	 i;

	for (i = 0; i < NREVISIONS; i++) {
		if (strcmp(s, revisions[i]) == 0)
			return (1);
	}
	return (0);
}

static void
refuse(struct evhttp_request *req, int status, const char *id, int code,
    const char *message)
{
	server_json(req, status, rpc_error(id, code, message));
}
