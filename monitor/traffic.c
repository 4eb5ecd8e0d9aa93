/*
 * Names of labels are those of the OpenTelemetry conventions for MCP where
 * these have one.
 */
#include <string.h>

#include "common/mcp_methods.h"
#include "common/refusal_id.h"
#include "monitor/names.h"
#include "monitor/traffic.h"

static void	 put_requests(struct expo *, const struct view *);
static void	 request_labels(struct labels *, const struct view *,
		    const struct stats_key *);
static void	 put_operations(struct expo *, const struct view *,
		    const struct stats_op *, const char *, const char *);
static void	 operation_labels(struct labels *, const struct view *,
		    unsigned, unsigned, unsigned);
static void	 put_names(struct expo *, const struct view *,
		    const struct stats_name *, const char *const[5][2]);
static void	 put_refusals(struct expo *, const struct view *, int);
static void	 put_sessions(struct expo *, const struct view *);
static void	 put_servers(struct expo *, const struct view *);
static void	 put_servers_now(struct expo *, const struct view *);
static void	 server_labels(struct labels *, const struct view *, uint32_t);
static void	 add(struct labels *, const char *, const char *);
static void	 put_rows(struct expo *, enum expo_type, const char *,
		    const char *, size_t);
static void	 put_times(struct expo *, const char *, const char *);

/* Name and help of what is told of each tool and of each client. */
static const char *const tool_texts[5][2] = {
	{ "mcpgw_tool_calls", "Calls of tools." },
	{ "mcpgw_tool_errors", "Calls of tools that ended in an error." },
	{ "mcpgw_tool_denied", "Calls of tools that were refused." },
	{ "mcpgw_tool_bytes", "Bytes of bodies of calls, both ways." },
	{ "mcpgw_tool_duration_seconds", "Time that calls of tools took." }
};
static const char *const client_texts[5][2] = {
	{ "mcpgw_client_requests", "Requests of clients." },
	{ "mcpgw_client_errors", "Requests that ended in an error." },
	{ "mcpgw_client_denied", "Requests that were refused." },
	{ "mcpgw_client_bytes", "Bytes of bodies of requests, both ways." },
	{ "mcpgw_client_duration_seconds", "Time that requests took." }
};

void
traffic_put(struct expo *e, const struct view *v)
{
	const struct stats_slot	*s = &v->board.past;

	put_requests(e, v);
	put_operations(e, v, s->server, "mcp_server_operation_duration_seconds",
	    "Time that requests and notifications of clients took.");
	put_operations(e, v, s->client, "mcp_client_operation_duration_seconds",
	    "Time that exchanges with upstreams took.");
	put_names(e, v, s->tools, tool_texts);
	put_names(e, v, s->clients, client_texts);
	put_refusals(e, v, 0);
	put_refusals(e, v, 1);
	put_sessions(e, v);
	put_servers(e, v);
	put_servers_now(e, v);
}

static void
add(struct labels *l, const char *name, const char *value)
{
	labels_add(l, name, value, strlen(value));
}

/* -- requests ------------------------------------------------------------ */

static void
put_requests(struct expo *e, const struct view *v)
{
	const struct stats_request	*t = v->board.past.requests;
	struct stats_key		 k;
	struct labels			 l;
	struct row			*r;
	size_t				 i;

	rows_none();
	for (i = 0; i < STATS_REQUESTS; i++) {
		if (stats_key_get(stats_get(&t[i].key), &k) == -1)
			continue;
		request_labels(&l, v, &k);
		if ((r = rows_at(&l)) != NULL)
			r->n[0] += stats_get(&t[i].n);
	}
	put_rows(e, EXPO_COUNTER, "mcpgw_requests", "Requests of clients.", 0);
}

static void
request_labels(struct labels *l, const struct view *v,
    const struct stats_key *k)
{
	labels_none(l);
	add(l, "upstream", view_upstream(v, k->upstream));
	add(l, "method", mcp_method_name(k->method));
	add(l, "action", names_action(k->action));
	add(l, "auth_result", names_auth(k->auth));
	add(l, "revision", names_revision(k->revision));
}

/* -- operations ---------------------------------------------------------- */

static void
put_operations(struct expo *e, const struct view *v, const struct stats_op *t,
    const char *name, const char *help)
{
	unsigned	 upstream, method, error;
	struct labels	 l;
	struct row	*r;
	size_t		 i;

	rows_none();
	for (i = 0; i < STATS_OPS; i++) {
		if (stats_op_get(stats_get(&t[i].key), &upstream, &method,
		    &error) == -1)
			continue;
		operation_labels(&l, v, upstream, method, error);
		if ((r = rows_at(&l)) != NULL)
			row_time(r, &t[i].time);
	}
	put_times(e, name, help);
}

static void
operation_labels(struct labels *l, const struct view *v, unsigned upstream,
    unsigned method, unsigned error)
{
	const char	*name = mcp_method_name(method);
	char		 text[16];

	labels_none(l);
	add(l, "upstream", view_upstream(v, upstream));
	add(l, "mcp_method_name", name);
	add(l, "error_type", stats_error_text(error, text));
	if ((error & STATS_ERROR_RPC) != 0)
		add(l, "rpc_response_status_code",
		    stats_error_text(error, text));
	if (strcmp(name, "tools/call") == 0)
		add(l, "gen_ai_operation_name", "execute_tool");
	add(l, "network_protocol_name", "http");
	add(l, "network_transport", "tcp");
}

/* -- tools and clients --------------------------------------------------- */

static void
put_names(struct expo *e, const struct view *v, const struct stats_name *t,
    const char *const texts[5][2])
{
	const int	 tools = texts == tool_texts;
	struct labels	 l;
	struct row	*r;
	size_t		 i, j;

	rows_none();
	for (i = 0; i < STATS_NAMES; i++) {
		if (atomic_load(&t[i].set) == 0)
			continue;
		labels_none(&l);
		if (tools)
			add(&l, "upstream", view_upstream(v, t[i].upstream));
		labels_add(&l, tools ? "gen_ai_tool_name" : "client",
		    t[i].name, sizeof(t[i].name));
		if ((r = rows_at(&l)) == NULL)
			continue;
		row_time(r, &t[i].time);
		for (j = 0; j < STATS_BUCKETS; j++)
			r->n[0] += stats_get(&t[i].time.bucket[j]);
		r->n[1] += stats_get(&t[i].errors);
		r->n[2] += stats_get(&t[i].denied);
		r->n[3] += stats_get(&t[i].bytes_in) +
		    stats_get(&t[i].bytes_out);
	}
	for (j = 0; j < ROW_NUMBERS; j++)
		put_rows(e, EXPO_COUNTER, texts[j][0], texts[j][1], j);
	put_times(e, texts[4][0], texts[4][1]);
}

/* -- refusals ------------------------------------------------------------ */

/* All that there are, so that what never happened is 0; or limits alone. */
static void
put_refusals(struct expo *e, const struct view *v, int limits)
{
	struct labels	 l;
	unsigned	 i;

	expo_family(e, EXPO_COUNTER, limits ? "mcpgw_limits_reached" :
	    "mcpgw_refusals", limits ? "Refusals since a limit was reached." :
	    "What was refused, by reason.");
	for (i = 0; i < STATS_REASONS; i++) {
		if (refusal_name(i) == NULL || (limits && !names_is_limit(i)))
			continue;
		labels_none(&l);
		add(&l, limits ? "limit" : "reason", refusal_name(i));
		expo_number(e, &l, stats_get(&v->board.past.reasons[i].n));
	}
}

static void
put_sessions(struct expo *e, const struct view *v)
{
	struct labels	 l;
	uint32_t	 i;

	expo_family(e, EXPO_COUNTER, "mcpgw_upstream_sessions",
	    "MCP sessions that were opened, by upstream.");
	for (i = 0; i < v->board.nupstreams; i++) {
		labels_none(&l);
		add(&l, "upstream", view_upstream(v, i));
		expo_number(e, &l, stats_get(&v->board.past.sessions[i]));
	}
}

/* -- servers ------------------------------------------------------------- */

/* Of all that were ever configured: counters do not end. */
static void
put_servers(struct expo *e, const struct view *v)
{
	const struct stats_server	*t = v->board.past.servers;
	struct labels			 l;
	struct row			*r;
	uint32_t			 i;

	rows_none();
	for (i = 0; i < v->board.nservers; i++) {
		server_labels(&l, v, i);
		if ((r = rows_at(&l)) == NULL)
			continue;
		r->n[0] += stats_get(&t[i].requests);
		r->n[1] += stats_get(&t[i].failures);
	}
	put_rows(e, EXPO_COUNTER, "mcpgw_upstream_requests",
	    "Requests sent to servers of upstreams.", 0);
	put_rows(e, EXPO_COUNTER, "mcpgw_upstream_failures",
	    "Requests that servers of upstreams failed.", 1);
}

static void
put_servers_now(struct expo *e, const struct view *v)
{
	struct view_server	 now;
	struct labels		 l;
	struct row		*r;
	uint32_t		 i;

	rows_none();
	for (i = 0; i < v->board.nservers; i++) {
		if (!v->board.servers[i].serving)
			continue;
		server_labels(&l, v, i);
		if ((r = rows_at(&l)) == NULL)
			continue;
		view_server(v, i, &now);
		r->n[0] += now.connections;
		r->n[1] += now.in_flight;
		r->n[2] = !now.down;
	}
	put_rows(e, EXPO_GAUGE, "mcpgw_upstream_server_connections",
	    "Connections to servers of upstreams.", 0);
	put_rows(e, EXPO_GAUGE, "mcpgw_upstream_server_in_flight",
	    "Requests that servers of upstreams have to answer.", 1);
	put_rows(e, EXPO_GAUGE, "mcpgw_upstream_server_up",
	    "0 while a worker that serves does not try the server.", 2);
}

static void
server_labels(struct labels *l, const struct view *v, uint32_t i)
{
	const struct board_server	*b = &v->board.servers[i];

	labels_none(l);
	add(l, "upstream", view_upstream(v, b->upstream));
	labels_add(l, "server", b->url, sizeof(b->url));
}

/* -- rows ---------------------------------------------------------------- */

static void
put_rows(struct expo *e, enum expo_type type, const char *name,
    const char *help, size_t which)
{
	size_t	 i;

	expo_family(e, type, name, help);
	for (i = 0; i < rows_count(); i++)
		expo_number(e, &rows_get(i)->labels, rows_get(i)->n[which]);
}

static void
put_times(struct expo *e, const char *name, const char *help)
{
	size_t	 i;

	expo_family(e, EXPO_HISTOGRAM, name, help);
	for (i = 0; i < rows_count(); i++)
		expo_hist(e, &rows_get(i)->labels, &rows_get(i)->time,
		    stats_bounds_ms, 1000);
}
