/*
 * One function for each part.
 */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "common/proto.h"
#include "common/refusal_id.h"
#include "monitor/json_out.h"
#include "monitor/names.h"
#include "monitor/report.h"
#include "monitor/sums.h"
#include "monitor/top.h"

static void	 put_status(struct json_out *, const char *,
		    const struct view *);
static void	 put_generations(struct json_out *, const struct view *);
static void	 put_config(struct json_out *, const struct view *);
static void	 put_traffic(struct json_out *, const struct view *);
static void	 put_records(struct json_out *, const struct view *);
static uint64_t	 serving_workers(const struct view *);
static const char *level_name(uint32_t);
static void	 put_workers(struct json_out *, const char *,
		    const struct view *);
static void	 put_worker(struct json_out *, const struct board_process *);
static void	 put_upstreams(struct json_out *, const char *,
		    const struct view *);
static void	 put_upstream(struct json_out *, const struct view *, uint32_t,
		    const struct sum *);
static void	 put_server(struct json_out *, const struct view *, uint32_t);
static void	 put_quantile(struct json_out *, const char *,
		    const struct sum *, unsigned);
static void	 put_jwks(struct json_out *, const char *,
		    const struct view *);
static void	 put_key_set(struct json_out *, const struct view *,
		    const struct stats_jwks *);
static void	 put_keys(struct json_out *, const struct stats_jwks *);
static void	 put_sessions(struct json_out *, const char *,
		    const struct view *);
static void	 put_refusals(struct json_out *, const char *,
		    const struct view *);
static int	 more_often(const void *, const void *);
static void	 put_limits(struct json_out *, const struct view *);
static uint64_t	 counter(const struct view *, enum stats_counter);

void
report_put(struct evbuffer *b, const struct view *v, enum report what)
{
	static const struct {
		const char	*key;
		void		 (*put)(struct json_out *, const char *,
				    const struct view *);
	} parts[] = {
		[REPORT_STATUS] = { "status", put_status },
		[REPORT_WORKERS] = { "workers", put_workers },
		[REPORT_UPSTREAMS] = { "upstreams", put_upstreams },
		[REPORT_JWKS] = { "jwks", put_jwks },
		[REPORT_SESSIONS] = { "sessions", put_sessions },
		[REPORT_TOP] = { "top", top_put },
		[REPORT_REFUSALS] = { "refusals", put_refusals }
	};
	struct json_out	 j = { b, 0 };
	size_t		 i;

	if (what != REPORT_ALL) {
		parts[what].put(&j, NULL, v);
	} else {
		json_open(&j, NULL, '{');
		for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			if (parts[i].put != NULL)
				parts[i].put(&j, parts[i].key, v);
		json_close(&j, '}');
	}
	evbuffer_add(b, "\n", 1);
}

static uint64_t
counter(const struct view *v, enum stats_counter c)
{
	return (stats_get(&v->board.past.n[c]));
}

/* -- status -------------------------------------------------------------- */

static void
put_status(struct json_out *j, const char *key, const struct view *v)
{
	const struct board	*b = &v->board;

	json_open(j, key, '{');
	json_string(j, "version", VERSION);
	json_number(j, "pid", b->pid);
	json_time(j, "started", b->started);
	json_ms(j, "uptime_s", v->now - b->started);
	json_time(j, "now", v->now);
	json_number(j, "generation", b->serving);
	put_generations(j, v);
	put_config(j, v);
	json_number(j, "workers", serving_workers(v));
	json_boolean(j, "draining", b->draining != 0);
	json_string(j, "log_level", level_name(b->log_level));
	put_traffic(j, v);
	put_records(j, v);
	put_limits(j, v);
	json_close(j, '}');
}

static void
put_generations(struct json_out *j, const struct view *v)
{
	const struct board_generation	*g;
	uint32_t			 i;

	json_open(j, "generations", '[');
	for (i = 0; i < v->board.ngenerations; i++) {
		g = &v->board.generations[i];
		json_open(j, NULL, '{');
		json_number(j, "id", g->id);
		json_string(j, "state", names_generation(g->state));
		json_number(j, "workers", g->workers);
		json_number(j, "ready", g->ready);
		json_number(j, "drained", g->drained);
		json_time(j, "since", g->since);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void
put_config(struct json_out *j, const struct view *v)
{
	const struct board	*b = &v->board;

	json_open(j, "config", '{');
	json_text(j, "path", b->config_path, sizeof(b->config_path));
	json_text(j, "digest", b->config_digest, sizeof(b->config_digest));
	json_time(j, "loaded", b->config_loaded);
	json_ms(j, "age_s", b->config_loaded == 0 ? 0 :
	    v->now - b->config_loaded);
	json_close(j, '}');
	json_open(j, "reloads", '{');
	json_number(j, "accepted", counter(v, STATS_RELOADS));
	json_number(j, "rejected", counter(v, STATS_RELOADS_REJECTED));
	json_time(j, "last", b->reload_at);
	json_text(j, "last_error", b->reload_error, sizeof(b->reload_error));
	json_close(j, '}');
}

static uint64_t
serving_workers(const struct view *v)
{
	const struct board_process	*p;
	uint64_t			 n = 0;
	uint32_t			 i;

	for (i = 0; i < v->board.nprocesses; i++) {
		p = &v->board.processes[i];
		n += p->role == ROLE_WORKER &&
		    p->generation == v->board.serving;
	}
	return (n);
}

static const char *
level_name(uint32_t pri)
{
	return (pri >= LOG_DEBUG ? "debug" : pri >= LOG_INFO ? "info" :
	    pri >= LOG_WARNING ? "warning" : "error");
}

static void
put_traffic(struct json_out *j, const struct view *v)
{
	json_number(j, "connections", view_gauge_sum(v, STATS_G_CONNECTIONS));
	json_number(j, "streams", view_gauge_sum(v, STATS_G_STREAMS));
	json_number(j, "in_flight", view_gauge_sum(v, STATS_G_IN_FLIGHT));
	json_number(j, "requests", sums_requests(&v->board.past));
	json_number(j, "respawns", counter(v, STATS_RESPAWNS));
}

static void
put_records(struct json_out *j, const struct view *v)
{
	const struct board	*b = &v->board;

	json_open(j, "audit", '{');
	json_text(j, "path", b->audit_path, sizeof(b->audit_path));
	json_boolean(j, "broken", b->audit_broken != 0);
	json_number(j, "lines", counter(v, STATS_AUDIT_LINES));
	json_number(j, "bytes", counter(v, STATS_AUDIT_BYTES));
	json_number(j, "failures", counter(v, STATS_AUDIT_FAILURES));
	json_number(j, "pending", view_gauge_sum(v, STATS_G_AUDIT_KEPT));
	json_close(j, '}');
	json_open(j, "telemetry", '{');
	json_boolean(j, "enabled", b->telemetry != 0);
	json_number(j, "spans", counter(v, STATS_SPANS));
	json_number(j, "exported", counter(v, STATS_SPANS_EXPORTED));
	json_number(j, "dropped", counter(v, STATS_SPANS_DROPPED) +
	    counter(v, STATS_SPANS_LOST) + counter(v, STATS_SPANS_REJECTED));
	json_number(j, "queued", view_gauge_sum(v, STATS_G_SPANS_QUEUED));
	json_string(j, "last_error", view_export_error(v));
	json_close(j, '}');
	json_open(j, "keeper", '{');
	json_number(j, "queued", view_gauge_sum(v, STATS_G_KEEPER_QUEUED));
	json_number(j, "checked", counter(v, STATS_CHECKS));
	json_number(j, "busy", counter(v, STATS_CHECKS_BUSY));
	json_close(j, '}');
}

/* -- processes ----------------------------------------------------------- */

static void
put_workers(struct json_out *j, const char *key, const struct view *v)
{
	uint32_t	 i;

	json_open(j, key, '[');
	for (i = 0; i < v->board.nprocesses; i++)
		put_worker(j, &v->board.processes[i]);
	json_close(j, ']');
}

static void
put_worker(struct json_out *j, const struct board_process *p)
{
	static const struct stats_slot	 none;
	const struct stats_slot		*s = view_of(p->slot);

	if (s == NULL)
		s = &none;
	json_open(j, NULL, '{');
	json_string(j, "role", names_role(p->role));
	json_number(j, "instance", p->instance);
	json_number(j, "generation", p->generation);
	json_number(j, "pid", p->pid);
	json_string(j, "state", names_state(p->state));
	json_time(j, "started", p->started);
	json_number(j, "connections", view_gauge(s, STATS_G_CONNECTIONS));
	json_number(j, "streams", view_gauge(s, STATS_G_STREAMS));
	json_number(j, "requests", sums_requests(s));
	json_number(j, "in_flight", view_gauge(s, STATS_G_IN_FLIGHT));
	json_close(j, '}');
}

/* -- upstreams ----------------------------------------------------------- */

static void
put_upstreams(struct json_out *j, const char *key, const struct view *v)
{
	const struct sums	*sums = sums_client(v);
	char			 serving[STATS_UPSTREAMS] = { 0 };
	uint32_t		 i;

	for (i = 0; i < v->board.nservers; i++)
		if (v->board.servers[i].serving &&
		    v->board.servers[i].upstream < v->board.nupstreams)
			serving[v->board.servers[i].upstream] = 1;
	json_open(j, key, '[');
	for (i = 0; i < v->board.nupstreams; i++)
		if (serving[i])
			put_upstream(j, v, i, &sums->upstream[i]);
	json_close(j, ']');
}

static void
put_upstream(struct json_out *j, const struct view *v, uint32_t n,
    const struct sum *s)
{
	uint32_t	 i;

	json_open(j, NULL, '{');
	json_text(j, "name", v->board.upstreams[n].name, STATS_NAME_MAX);
	json_open(j, "servers", '[');
	for (i = 0; i < v->board.nservers; i++)
		if (v->board.servers[i].upstream == n &&
		    v->board.servers[i].serving)
			put_server(j, v, i);
	json_close(j, ']');
	json_number(j, "requests", s->requests);
	json_number(j, "errors", s->errors);
	json_open(j, "latency", '{');
	put_quantile(j, "p50", s, 50);
	put_quantile(j, "p95", s, 95);
	put_quantile(j, "p99", s, 99);
	json_close(j, '}');
	json_close(j, '}');
}

static void
put_server(struct json_out *j, const struct view *v, uint32_t i)
{
	const struct stats_server	*s = &v->board.past.servers[i];
	struct view_server		 now;

	view_server(v, i, &now);
	json_open(j, NULL, '{');
	json_text(j, "url", v->board.servers[i].url, STATS_URL_MAX);
	json_boolean(j, "up", !now.down);
	json_number(j, "connections", now.connections);
	json_number(j, "in_flight", now.in_flight);
	json_number(j, "requests", stats_get(&s->requests));
	json_number(j, "failures", stats_get(&s->failures));
	json_close(j, '}');
}

static void
put_quantile(struct json_out *j, const char *key, const struct sum *s,
    unsigned percent)
{
	int64_t	 ms = sums_quantile(s, percent);

	if (ms == -1)
		json_null(j, key);
	else
		json_ms(j, key, ms);
}

/* -- key sets ------------------------------------------------------------ */

static void
put_jwks(struct json_out *j, const char *key, const struct view *v)
{
	const struct stats_jwks	*set;
	uint32_t		 i;

	json_open(j, key, '[');
	for (i = 0; i < v->board.ngenerations; i++) {
		set = view_jwks(v, v->board.generations[i].id);
		if (set != NULL)
			put_key_set(j, v, set);
	}
	json_close(j, ']');
}

static void
put_key_set(struct json_out *j, const struct view *v,
    const struct stats_jwks *s)
{
	uint32_t	 i;

	json_open(j, NULL, '{');
	json_number(j, "generation", s->generation);
	json_string(j, "issuer", s->issuer);
	json_string(j, "url", s->url);
	if (s->fetched > 0)
		json_ms(j, "age_s", v->now - s->fetched);
	else
		json_null(j, "age_s");
	json_time(j, "last_success", s->fetched);
	json_time(j, "next_refresh", s->next);
	json_number(j, "refreshes", counter(v, STATS_JWKS_REFRESHES));
	json_number(j, "failures", counter(v, STATS_JWKS_FAILURES));
	json_number(j, "failing", s->failing);
	json_string(j, "last_error", s->error);
	json_number(j, "nkeys", s->nkeys);
	put_keys(j, s);
	json_open(j, "skipped", '[');
	for (i = 0; i < s->nskipped && i < STATS_JWKS_SKIPPED; i++) {
		json_open(j, NULL, '{');
		json_string(j, "kid", s->skipped[i].kid);
		json_string(j, "why", s->skipped[i].why);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void
put_keys(struct json_out *j, const struct stats_jwks *s)
{
	uint32_t	 i;

	json_open(j, "keys", '[');
	for (i = 0; i < s->nkeys && i < STATS_JWKS_KEYS; i++) {
		json_open(j, NULL, '{');
		json_string(j, "kid", s->keys[i].kid);
		json_string(j, "alg", s->keys[i].alg);
		json_string(j, "kty", s->keys[i].kty);
		json_string(j, "use", s->keys[i].use);
		json_string(j, "source", "jwks");
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* -- sessions ------------------------------------------------------------ */

static void
put_sessions(struct json_out *j, const char *key, const struct view *v)
{
	uint64_t	 n;
	uint32_t	 i;

	json_open(j, key, '{');
	json_number(j, "opened", counter(v, STATS_SESSIONS));
	json_number(j, "refused", counter(v, STATS_SESSIONS_REFUSED));
	json_open(j, "by_upstream", '[');
	for (i = 0; i < v->board.nupstreams; i++) {
		if ((n = stats_get(&v->board.past.sessions[i])) == 0)
			continue;
		json_open(j, NULL, '{');
		json_string(j, "name", view_upstream(v, i));
		json_number(j, "opened", n);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

/* -- refusals ------------------------------------------------------------ */

static const struct stats_reason	*reasons;

static void
put_refusals(struct json_out *j, const char *key, const struct view *v)
{
	unsigned	 order[STATS_REASONS], i;
	size_t		 n = 0;

	reasons = v->board.past.reasons;
	for (i = 0; i < STATS_REASONS; i++)
		if (refusal_name(i) != NULL && stats_get(&reasons[i].n) > 0)
			order[n++] = i;
	qsort(order, n, sizeof(order[0]), more_often);
	json_open(j, key, '[');
	for (i = 0; i < n; i++) {
		json_open(j, NULL, '{');
		json_string(j, "reason", refusal_name(order[i]));
		if (refusal_status(order[i]) == 0)
			json_null(j, "status");
		else
			json_number(j, "status",
			    (uint64_t)refusal_status(order[i]));
		json_number(j, "count", stats_get(&reasons[order[i]].n));
		json_time(j, "last",
		    (int64_t)stats_get(&reasons[order[i]].last));
		json_close(j, '}');
	}
	json_close(j, ']');
}

static int
more_often(const void *a, const void *b)
{
	const unsigned	*i = a, *k = b;
	uint64_t	 n = stats_get(&reasons[*i].n);
	uint64_t	 m = stats_get(&reasons[*k].n);

	return (n < m ? 1 : n > m ? -1 : *i < *k ? -1 : *i > *k);
}

/* How often each was reached. */
static void
put_limits(struct json_out *j, const struct view *v)
{
	unsigned	 i;

	json_open(j, "limits", '{');
	for (i = 0; i < STATS_REASONS; i++)
		if (names_is_limit(i))
			json_number(j, refusal_name(i),
			    stats_get(&v->board.past.reasons[i].n));
	json_close(j, '}');
}
