/*
 * The table of what can be asked for.
 */
#include <event2/buffer.h>
#include <string.h>
#include <syslog.h>

#include "common/json.h"
#include "common/log.h"
#include "monitor/ask.h"
#include "monitor/keys.h"
#include "monitor/metrics.h"
#include "monitor/page.h"
#include "monitor/report.h"
#include "monitor/route.h"
#include "monitor/view.h"

#define JSON	"application/json"

static void	 get_page(struct evhttp_request *, int);
static void	 get_metrics(struct evhttp_request *, int);
static void	 get_report(struct evhttp_request *, int);
static void	 get_keys(struct evhttp_request *, int);
static void	 post_reload(struct evhttp_request *, int);
static void	 post_drain(struct evhttp_request *, int);
static void	 post_log(struct evhttp_request *, int);
static void	 ask(struct evhttp_request *, enum control_verb, uint8_t);
static void	 answered(void *, int, uint32_t, const char *);
static void	 left(struct evhttp_connection *, void *);
static void	 put_errors(struct evbuffer *, const char *);

#define REPORT(path, what) \
	{ path, EVHTTP_REQ_GET, 0, 0, get_report, what }
#define ORDER(path, run) \
	{ path, EVHTTP_REQ_POST, 1, 0, run, 0 }

static const struct route routes[] = {
	/* it holds no numbers, and asks for the token if there is one */
	{ "/", EVHTTP_REQ_GET, 0, 1, get_page, 0 },
	{ "/metrics", EVHTTP_REQ_GET, 0, 0, get_metrics, 0 },
	REPORT("/v1/all", REPORT_ALL),
	REPORT("/v1/status", REPORT_STATUS),
	REPORT("/v1/workers", REPORT_WORKERS),
	REPORT("/v1/upstreams", REPORT_UPSTREAMS),
	REPORT("/v1/jwks", REPORT_JWKS),
	REPORT("/v1/sessions", REPORT_SESSIONS),
	REPORT("/v1/top", REPORT_TOP),
	REPORT("/v1/refusals", REPORT_REFUSALS),
	{ "/v1/keys", EVHTTP_REQ_GET, 1, 0, get_keys, 0 },
	ORDER("/v1/reload", post_reload),
	ORDER("/v1/drain", post_drain),
	ORDER("/v1/log", post_log)
};

const struct route *
route_find(const char *path, enum evhttp_cmd_type method, int *other)
{
	size_t	 i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(routes[i].path, path) != 0)
			continue;
		if (routes[i].method == method)
			return (&routes[i]);
		*other = 1;
	}
	return (NULL);
}

static void
get_page(struct evhttp_request *req, int what)
{
	struct evkeyvalq	*out = evhttp_request_get_output_headers(req);
	struct evbuffer		*b = evbuffer_new();

	(void)what;
	if (b == NULL || evbuffer_add_reference(b, monitor_page,
	    monitor_page_len, NULL, NULL) == -1)
		fatalx("evbuffer_new");
	evhttp_add_header(out, "Content-Security-Policy", monitor_page_csp);
	evhttp_add_header(out, "X-Frame-Options", "DENY");
	door_answer(req, 200, "text/html; charset=utf-8", b);
	evbuffer_free(b);
}

static void
get_metrics(struct evhttp_request *req, int what)
{
	const char		*accept = evhttp_find_header(
				    evhttp_request_get_input_headers(req),
				    "Accept");
	const struct view	*v = view_take();
	struct evbuffer		*b;
	int			 open;

	(void)what;
	if (v == NULL) {
		door_error(req, 503, "no numbers yet");
		return;
	}
	if ((b = evbuffer_new()) == NULL)
		fatalx("evbuffer_new");
	open = metrics_open(accept);
	metrics_put(b, v, open);
	door_answer(req, 200, open ? METRICS_OPEN : METRICS_TEXT, b);
	evbuffer_free(b);
}

static void
get_report(struct evhttp_request *req, int what)
{
	const struct view	*v = view_take();
	struct evbuffer		*b;

	if (v == NULL) {
		door_error(req, 503, "no numbers yet");
		return;
	}
	if ((b = evbuffer_new()) == NULL)
		fatalx("evbuffer_new");
	report_put(b, v, (enum report)what);
	door_answer(req, 200, JSON, b);
	evbuffer_free(b);
}

static void
get_keys(struct evhttp_request *req, int what)
{
	const struct view	*v = view_take();
	struct evbuffer		*b;

	(void)what;
	if (v == NULL) {
		door_error(req, 503, "no numbers yet");
		return;
	}
	if ((b = evbuffer_new()) == NULL)
		fatalx("evbuffer_new");
	keys_put(b, v->board.serving);
	door_answer(req, 200, JSON, b);
	evbuffer_free(b);
}

static void
post_reload(struct evhttp_request *req, int what)
{
	(void)what;
	ask(req, CONTROL_RELOAD, 0);
}

static void
post_drain(struct evhttp_request *req, int what)
{
	(void)what;
	ask(req, CONTROL_DRAIN, strcmp(door_query(req), "off") != 0);
}

static void
post_log(struct evhttp_request *req, int what)
{
	static const struct {
		const char	*query;
		uint8_t		 priority;
	} levels[] = {
		{ "level=error", LOG_ERR }, { "level=warning", LOG_WARNING },
		{ "level=info", LOG_INFO }, { "level=debug", LOG_DEBUG }
	};
	size_t	 i;

	(void)what;
	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(door_query(req), levels[i].query) == 0) {
			ask(req, CONTROL_LOG, levels[i].priority);
			return;
		}
	door_error(req, 400, "expected level=error, warning, info or debug");
}

/* The answer comes with the master's. */
static void
ask(struct evhttp_request *req, enum control_verb verb, uint8_t arg)
{
	if (ask_master(verb, arg, answered, req) == -1) {
		door_error(req, 503, "too many requests");
		return;
	}
	door_hold(req, 1);
	evhttp_connection_set_closecb(evhttp_request_get_connection(req),
	    left, req);
}

static void
left(struct evhttp_connection *ec, void *arg)
{
	(void)ec;
	ask_forget(arg);
}

static void
answered(void *arg, int ok, uint32_t generation, const char *text)
{
	struct evhttp_request	*req = arg;
	struct evbuffer		*b = evbuffer_new();

	if (b == NULL)
		fatalx("evbuffer_new");
	door_hold(req, 0);
	evhttp_connection_set_closecb(evhttp_request_get_connection(req),
	    NULL, NULL);
	evbuffer_add_printf(b, "{\"ok\":%s,\"generation\":%u,\"errors\":[",
	    ok ? "true" : "false", generation);
	put_errors(b, text);
	evbuffer_add_printf(b, "]}\n");
	door_answer(req, ok ? 200 : 409, JSON, b);
	evbuffer_free(b);
}

/* A string for each line. */
static void
put_errors(struct evbuffer *b, const char *text)
{
	char	 out[6 * 1024];
	size_t	 len, n;
	int	 some = 0;

	for (; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		n = json_escape((struct slice){ text, len }, 1024, out);
		evbuffer_add_printf(b, "%s\"%.*s\"", some++ ? "," : "", (int)n,
		    out);
	}
}
