/*
 * The gateway's state, as tables.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/ctl.h"
#include "ctl/jtree.h"
#include "ctl/status.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/units.h"

#define NAME	48
#define REASON	100
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static int	 ask(int, char *[], const char *, const char *,
		    void (*)(yajl_val));
static void	 print_status(yajl_val);
static void	 status_config(yajl_val);
static void	 status_records(yajl_val);
static void	 status_limits(yajl_val);
static void	 generations(yajl_val);
static void	 print_workers(yajl_val);
static void	 print_upstreams(yajl_val);
static void	 add_upstream(struct table *, yajl_val);
static void	 print_jwks(yajl_val);
static void	 key_set(yajl_val);
static void	 keys(yajl_val);
static void	 skipped(yajl_val);
static void	 print_sessions(yajl_val);
static void	 line(const char *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static const char *latency(yajl_val, const char *, char[UNITS_LEN]);

int
status(int argc, char *argv[])
{
	return (ask(argc, argv, STATUS_USAGE, "/v1/status", print_status));
}

int
workers(int argc, char *argv[])
{
	return (ask(argc, argv, WORKERS_USAGE, "/v1/workers",
	    print_workers));
}

int
upstreams(int argc, char *argv[])
{
	return (ask(argc, argv, UPSTREAMS_USAGE, "/v1/upstreams",
	    print_upstreams));
}

int
jwks(int argc, char *argv[])
{
	return (ask(argc, argv, JWKS_USAGE, "/v1/jwks", print_jwks));
}

int
sessions(int argc, char *argv[])
{
	return (ask(argc, argv, SESSIONS_USAGE, "/v1/sessions",
	    print_sessions));
}

static int
ask(int argc, char *argv[], const char *usage, const char *target,
    void (*print)(yajl_val))
{
	struct control_answer	 a;
	int			 code;

	ctl_no_arguments(argc, argv, usage);
	code = control_get("GET", target, CONTROL_WAIT, &a);
	if (code == 0 && !ctl_options.json) {
		print(a.json);
		code = ctl_flush() == 0 ? CTL_OK : CTL_IO;
	}
	control_free(&a);
	return (code);
}

/* -- status -------------------------------------------------------------- */

static void
print_status(yajl_val s)
{
	char	 up[UNITS_LEN];

	line("gateway", "mcpgw %s, process %" PRId64 ", up %s%s",
	    jtree_str(s, "version"), jtree_int(s, "pid"),
	    units_span(jtree_num(s, "uptime_s"), up),
	    jtree_bool(s, "draining") ? ", DRAINING: not ready for more" :
	    "");
	status_config(s);
	line("now", "%" PRId64 " connections, %" PRId64 " streams, %" PRId64
	    " requests in flight", jtree_int(s, "connections"),
	    jtree_int(s, "streams"), jtree_int(s, "in_flight"));
	line("since start", "%" PRId64 " requests, %" PRId64
	    " processes replaced", jtree_int(s, "requests"),
	    jtree_int(s, "respawns"));
	status_records(s);
	status_limits(jtree_get(s, "limits"));
	line("log level", "%s", jtree_str(s, "log_level"));
	generations(jtree_get(s, "generations"));
}

static void
status_config(yajl_val s)
{
	yajl_val	 c = jtree_get(s, "config");
	yajl_val	 r = jtree_get(s, "reloads");
	char		 age[UNITS_LEN];

	line("configuration", "%s", jtree_str(c, "path"));
	line("", "loaded %s, %s ago; digest %.16s", jtree_str(c, "loaded"),
	    units_span(jtree_num(c, "age_s"), age), jtree_str(c, "digest"));
	line("reloads", "%" PRId64 " done, %" PRId64 " refused%s%s",
	    jtree_int(r, "accepted"), jtree_int(r, "rejected"),
	    *jtree_str(r, "last") != '\0' ? "; the last " : "",
	    jtree_str(r, "last"));
	if (*jtree_str(r, "last_error") != '\0')
		line("", "refused: %s", jtree_str(r, "last_error"));
}

static void
status_records(yajl_val s)
{
	yajl_val	 a = jtree_get(s, "audit");
	yajl_val	 k = jtree_get(s, "keeper");
	yajl_val	 t = jtree_get(s, "telemetry");
	char		 size[UNITS_LEN];

	line("audit log", "%s%s", jtree_str(a, "path"),
	    jtree_bool(a, "broken") ? ": CANNOT BE WRITTEN" : "");
	line("", "%" PRId64 " lines, %s, %" PRId64 " failures",
	    jtree_int(a, "lines"),
	    units_bytes(jtree_num(a, "bytes"), size),
	    jtree_int(a, "failures"));
	line("API keys", "%" PRId64 " checked, %" PRId64 " wait, %" PRId64
	    " turned away", jtree_int(k, "checked"), jtree_int(k, "queued"),
	    jtree_int(k, "busy"));
	if (!jtree_bool(t, "enabled")) {
		line("traces", "off");
		return;
	}
	line("traces", "%" PRId64 " spans, %" PRId64 " exported, %" PRId64
	    " dropped, %" PRId64 " wait", jtree_int(t, "spans"),
	    jtree_int(t, "exported"), jtree_int(t, "dropped"),
	    jtree_int(t, "queued"));
	if (*jtree_str(t, "last_error") != '\0')
		line("", "%s", jtree_str(t, "last_error"));
}

/* Those that were reached. */
static void
status_limits(yajl_val l)
{
	const char	*name, *label = "limits reached";
	int64_t		 n;
	size_t		 i;

	for (i = 0; YAJL_IS_OBJECT(l) && i < l->u.object.len; i++) {
		name = l->u.object.keys[i];
		if ((n = jtree_int(l, name)) == 0)
			continue;
		line(label, "%s: %" PRId64 " times", name, n);
		label = "";
	}
	if (*label != '\0')
		line(label, "none");
}

static void
generations(yajl_val list)
{
	static const struct column	 columns[] = {
		{ "GENERATION", 10, 1 }, { "STATE", 12, 0 },
		{ "WORKERS", 8, 1 }, { "READY", 8, 1 },
		{ "DRAINED", 8, 1 }, { "SINCE", 30, 0 }
	};
	struct table			 t;
	yajl_val			 g;
	size_t				 i;

	table_init(&t, columns, COUNT(columns));
	for (i = 0; i < jtree_count(list); i++) {
		g = jtree_at(list, i);
		table_add(&t, "%" PRId64, jtree_int(g, "id"));
		table_add(&t, "%s", jtree_str(g, "state"));
		table_add(&t, "%" PRId64, jtree_int(g, "workers"));
		table_add(&t, "%" PRId64, jtree_int(g, "ready"));
		table_add(&t, "%" PRId64, jtree_int(g, "drained"));
		table_add(&t, "%s", jtree_str(g, "since"));
	}
	putchar('\n');
	table_print(&t, stdout, "");
	table_free(&t);
}

/* -- the lists ----------------------------------------------------------- */

static void
print_workers(yajl_val list)
{
	static const struct column	 columns[] = {
		{ "PROCESS", 10, 0 }, { "NUMBER", 6, 1 },
		{ "GENERATION", 10, 1 }, { "PID", 8, 1 },
		{ "STATE", 10, 0 }, { "CONNECTIONS", 12, 1 },
		{ "STREAMS", 8, 1 }, { "IN FLIGHT", 9, 1 },
		{ "REQUESTS", 20, 1 }, { "STARTED", 30, 0 }
	};
	static const char *const	 numbers[] = {
		"connections", "streams", "in_flight", "requests"
	};
	struct table			 t;
	yajl_val			 w;
	size_t				 i, j;

	table_init(&t, columns, COUNT(columns));
	for (i = 0; i < jtree_count(list); i++) {
		w = jtree_at(list, i);
		table_add(&t, "%s", jtree_str(w, "role"));
		table_add(&t, "%" PRId64, jtree_int(w, "instance"));
		table_add(&t, "%" PRId64, jtree_int(w, "generation"));
		table_add(&t, "%" PRId64, jtree_int(w, "pid"));
		table_add(&t, "%s", jtree_str(w, "state"));
		for (j = 0; j < COUNT(numbers); j++)
			table_add(&t, "%" PRId64, jtree_int(w, numbers[j]));
		table_add(&t, "%s", jtree_str(w, "started"));
	}
	table_print(&t, stdout, "");
	table_free(&t);
}

static void
print_upstreams(yajl_val list)
{
	static const struct column	 columns[] = {
		{ "UPSTREAM", NAME, 0 }, { "SERVER", NAME, 0 },
		{ "STATE", 5, 0 }, { "CONNECTIONS", 12, 1 },
		{ "IN FLIGHT", 9, 1 }, { "REQUESTS", 20, 1 },
		{ "FAILURES", 20, 1 }, { "P50", 8, 1 }, { "P95", 8, 1 },
		{ "P99", 8, 1 }
	};
	struct table			 t;
	size_t				 i;

	table_init(&t, columns, COUNT(columns));
	for (i = 0; i < jtree_count(list); i++)
		add_upstream(&t, jtree_at(list, i));
	table_print(&t, stdout, "");
	table_free(&t);
}

/* A row for all of it, then one for each of its servers if there are
 * several. */
static void
add_upstream(struct table *t, yajl_val u)
{
	yajl_val	 list = jtree_get(u, "servers");
	yajl_val	 l = jtree_get(u, "latency"), s;
	size_t		 i, n = jtree_count(list);
	int		 first;
	char		 p[UNITS_LEN];

	for (i = 0; i < n; i++) {
		s = jtree_at(list, i);
		first = i == 0;
		table_add(t, "%s", first ? jtree_str(u, "name") : "");
		table_add(t, "%s", jtree_str(s, "url"));
		table_add(t, "%s", jtree_bool(s, "up") ? "up" : "DOWN");
		table_add(t, "%" PRId64, jtree_int(s, "connections"));
		table_add(t, "%" PRId64, jtree_int(s, "in_flight"));
		table_add(t, "%" PRId64, jtree_int(s, "requests"));
		table_add(t, "%" PRId64, jtree_int(s, "failures"));
		table_add(t, "%s", first ? latency(l, "p50", p) : "");
		table_add(t, "%s", first ? latency(l, "p95", p) : "");
		table_add(t, "%s", first ? latency(l, "p99", p) : "");
	}
}

static const char *
latency(yajl_val l, const char *name, char buf[UNITS_LEN])
{
	return (YAJL_IS_NUMBER(jtree_get(l, name)) ?
	    units_latency(jtree_num(l, name), buf) : "");
}

/* -- key sets ------------------------------------------------------------ */

static void
print_jwks(yajl_val list)
{
	size_t	 i;

	if (jtree_count(list) == 0)
		printf("no key sets: OAuth is off, or none came yet\n");
	for (i = 0; i < jtree_count(list); i++) {
		if (i > 0)
			putchar('\n');
		key_set(jtree_at(list, i));
	}
}

static void
key_set(yajl_val s)
{
	char	 age[UNITS_LEN];

	line("issuer", "%s", jtree_str(s, "issuer"));
	line("from", "%s (generation %" PRId64 ")", jtree_str(s, "url"),
	    jtree_int(s, "generation"));
	line("age", "%s; got %s, next refresh %s",
	    units_span(jtree_num(s, "age_s"), age),
	    jtree_str(s, "last_success"), jtree_str(s, "next_refresh"));
	line("refreshes", "%" PRId64 ", %" PRId64 " failed",
	    jtree_int(s, "refreshes"), jtree_int(s, "failures"));
	if (*jtree_str(s, "last_error") != '\0')
		line("last error", "%s", jtree_str(s, "last_error"));
	keys(jtree_get(s, "keys"));
	skipped(jtree_get(s, "skipped"));
}

static void
keys(yajl_val list)
{
	static const struct column	 columns[] = {
		{ "KID", NAME, 0 }, { "ALG", 10, 0 }, { "TYPE", 6, 0 },
		{ "USE", 6, 0 }, { "SOURCE", 20, 0 }
	};
	static const char *const	 names[] = { "kid", "alg", "kty",
					    "use", "source" };
	struct table			 t;
	size_t				 i, j;

	table_init(&t, columns, COUNT(columns));
	for (i = 0; i < jtree_count(list); i++)
		for (j = 0; j < COUNT(names); j++)
			table_add(&t, "%s", jtree_str(jtree_at(list, i),
			    names[j]));
	table_print(&t, stdout, "  ");
	table_free(&t);
}

static void
skipped(yajl_val list)
{
	static const struct column	 columns[] = {
		{ "SKIPPED KID", NAME, 0 }, { "WHY", REASON, 0 }
	};
	struct table			 t;
	size_t				 i;

	if (jtree_count(list) == 0)
		return;
	table_init(&t, columns, COUNT(columns));
	for (i = 0; i < jtree_count(list); i++) {
		table_add(&t, "%s", jtree_str(jtree_at(list, i), "kid"));
		table_add(&t, "%s", jtree_str(jtree_at(list, i), "why"));
	}
	table_print(&t, stdout, "  ");
	table_free(&t);
}

/* -- sessions ------------------------------------------------------------ */

static void
print_sessions(yajl_val s)
{
	static const struct column	 columns[] = {
		{ "UPSTREAM", NAME, 0 }, { "OPENED", 20, 1 }
	};
	struct table			 t;
	yajl_val			 list = jtree_get(s, "by_upstream");
	size_t				 i;

	printf("%" PRId64 " opened, %" PRId64 " refused\n",
	    jtree_int(s, "opened"), jtree_int(s, "refused"));
	if (jtree_count(list) == 0)
		return;
	table_init(&t, columns, COUNT(columns));
	for (i = 0; i < jtree_count(list); i++) {
		table_add(&t, "%s", jtree_str(jtree_at(list, i), "name"));
		table_add(&t, "%" PRId64, jtree_int(jtree_at(list, i),
		    "opened"));
	}
	table_print(&t, stdout, "");
	table_free(&t);
}

/* A label and what is to be said, with nothing in it that a terminal would
 * obey. */
static void
line(const char *label, const char *fmt, ...)
{
	char	 text[2048], fit[sizeof(text)];
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)text_fit(text, sizeof(text), fit, sizeof(fit));
	printf("%-15s %s\n", label, fit);
}
