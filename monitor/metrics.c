/*
 * All families, in order: each is written once and whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/proto.h"
#include "monitor/expo.h"
#include "monitor/metrics.h"
#include "monitor/names.h"
#include "monitor/traffic.h"

#define NAME_MAX_LEN	128

static int	 quality(const char *, size_t);
static void	 put_counters(struct expo *, const struct view *);
static void	 put_gauges(struct expo *, const struct view *);
static void	 put_workers(struct expo *, const struct view *);
static void	 put_worker_gauge(struct expo *, const struct view *,
		    const char *, const char *, enum stats_gauge);
static void	 put_processes(struct expo *, const struct view *);
static void	 put_generations(struct expo *, const struct view *);
static void	 put_gateway(struct expo *, const struct view *);
static void	 put_config(struct expo *, const struct view *);
static void	 put_jwks(struct expo *, const struct view *);
static void	 number(struct expo *, const char *, const char *, uint64_t);
static void	 time_at(struct expo *, const char *, const char *,
		    const struct labels *, int64_t);
static const char *full_name(const char *);

void
metrics_put(struct evbuffer *b, const struct view *v, int open)
{
	const struct stats_slot	*past = &v->board.past;
	struct expo		 e = { b, open, NULL, EXPO_GAUGE };

	put_gateway(&e, v);
	put_config(&e, v);
	put_processes(&e, v);
	put_generations(&e, v);
	put_counters(&e, v);
	put_gauges(&e, v);
	put_workers(&e, v);
	put_jwks(&e, v);
	expo_family(&e, EXPO_HISTOGRAM, "mcpgw_own_duration_seconds",
	    "Time that requests spent in the gateway itself.");
	expo_hist(&e, NULL, &past->own, stats_bounds_us, 1000000);
	expo_family(&e, EXPO_HISTOGRAM, "mcpgw_keeper_duration_seconds",
	    "Time until the keeper's verdict on an API key.");
	expo_hist(&e, NULL, &past->keeper, stats_bounds_us, 1000000);
	traffic_put(&e, v);
	expo_end(&e);
}

/* -- which format (RFC 9110 section 12.5.1) ------------------------------ */

int
metrics_open(const char *accept)
{
	int	 q, open = 0, text = 0;
	size_t	 len;

	for (; accept != NULL && *accept != '\0'; accept += len) {
		accept += strspn(accept, ", \t");
		len = strcspn(accept, ",");
		q = quality(accept, len);
		if (strncasecmp(accept, "application/openmetrics-text",
		    28) == 0 && strcspn(accept + 28, " \t;,") == 0) {
			if (q > open)
				open = q;
		} else if ((strncasecmp(accept, "text/plain", 10) == 0 ||
		    strncasecmp(accept, "text/*", 6) == 0) && q > text)
			text = q;
	}
	return (open > 0 && open >= text);
}

/* In thousandths; what is no number is 0. */
static int
quality(const char *s, size_t len)
{
	const char	*p = s, *end = s + len;
	double		 q;

	while ((p = memchr(p, ';', (size_t)(end - p))) != NULL) {
		for (p++; p < end && (*p == ' ' || *p == '\t'); p++)
			;
		if (end - p > 2 && (*p == 'q' || *p == 'Q') && p[1] == '=') {
			q = strtod(p + 2, NULL);
			return (q > 0 && q <= 1 ? (int)(q * 1000) : 0);
		}
	}
	return (1000);
}

/* -- the gateway --------------------------------------------------------- */

static const char *
full_name(const char *name)
{
	static char	 full[NAME_MAX_LEN];

	(void)strlcpy(full, "mcpgw_", sizeof(full));
	(void)strlcat(full, name, sizeof(full));
	return (full);
}

static void
number(struct expo *e, const char *name, const char *help, uint64_t n)
{
	expo_family(e, EXPO_GAUGE, name, help);
	expo_number(e, NULL, n);
}

/* Without a sample while it has not happened. */
static void
time_at(struct expo *e, const char *name, const char *help,
    const struct labels *l, int64_t ms)
{
	expo_family(e, EXPO_GAUGE, name, help);
	if (ms > 0)
		expo_ms(e, l, ms);
}

static void
put_gateway(struct expo *e, const struct view *v)
{
	const struct board	*b = &v->board;
	struct labels		 l;

	labels_none(&l);
	labels_add(&l, "version", VERSION, strlen(VERSION));
	expo_family(e, EXPO_INFO, "mcpgw_build", "The version that runs.");
	expo_number(e, &l, 1);
	time_at(e, "process_start_time_seconds",
	    "When the gateway was started, since the epoch.", NULL,
	    b->started);
	number(e, "mcpgw_draining",
	    "1 while /readyz answers 503, as an operator asked for.",
	    b->draining != 0);
	number(e, "mcpgw_audit_broken",
	    "1 while the audit log cannot be written and requests are "
	    "refused.", b->audit_broken != 0);
	expo_family(e, EXPO_GAUGE, "mcpgw_audit_lag_seconds",
	    "For how long the oldest line waits to be written to the audit "
	    "log.");
	expo_ms(e, NULL, view_audit_lag(v));
	number(e, "mcpgw_telemetry_enabled", "1 when spans are exported.",
	    b->telemetry != 0);
}

static void
put_config(struct expo *e, const struct view *v)
{
	const struct board	*b = &v->board;
	struct labels		 l;

	labels_none(&l);
	labels_add(&l, "digest", b->config_digest, sizeof(b->config_digest));
	expo_family(e, EXPO_INFO, "mcpgw_config",
	    "The SHA-256 of the configuration that serves.");
	if (b->serving != 0)
		expo_number(e, &l, 1);
	time_at(e, "mcpgw_config_loaded_timestamp_seconds",
	    "When the configuration that serves took effect.", NULL,
	    b->config_loaded);
	expo_family(e, EXPO_GAUGE, "mcpgw_config_age_seconds",
	    "For how long the configuration serves.");
	if (b->config_loaded > 0)
		expo_ms(e, NULL, v->now - b->config_loaded);
	time_at(e, "mcpgw_reload_last_timestamp_seconds",
	    "When the last reload ended.", NULL, b->reload_at);
	number(e, "mcpgw_reload_last_successful",
	    "0 when the last reload was rejected.",
	    b->reload_error[0] == '\0');
	number(e, "mcpgw_serving_generation",
	    "The number of the generation that serves.", b->serving);
}

static void
put_counters(struct expo *e, const struct view *v)
{
	size_t	 i;

	for (i = 0; i < STATS_COUNTERS; i++) {
		expo_family(e, EXPO_COUNTER,
		    full_name(stats_counter_text[i].name),
		    stats_counter_text[i].help);
		expo_number(e, NULL, stats_get(&v->board.past.n[i]));
	}
}

static void
put_gauges(struct expo *e, const struct view *v)
{
	size_t	 i;

	for (i = 0; i < STATS_GAUGES; i++)
		number(e, full_name(stats_gauge_text[i].name),
		    stats_gauge_text[i].help,
		    view_gauge_sum(v, (enum stats_gauge)i));
}

/* -- processes ----------------------------------------------------------- */

static void
put_workers(struct expo *e, const struct view *v)
{
	put_worker_gauge(e, v, "mcpgw_worker_connections",
	    "Connections of clients, by worker.", STATS_G_CONNECTIONS);
	put_worker_gauge(e, v, "mcpgw_worker_requests_in_flight",
	    "Requests being served, by worker.", STATS_G_IN_FLIGHT);
}

/* Of those that serve: one of an older generation has the same number. */
static void
put_worker_gauge(struct expo *e, const struct view *v, const char *name,
    const char *help, enum stats_gauge g)
{
	const struct board_process	*p;
	const struct stats_slot		*s;
	struct labels			 l;
	char				 text[16];
	uint32_t			 i;

	expo_family(e, EXPO_GAUGE, name, help);
	for (i = 0; i < v->board.nprocesses; i++) {
		p = &v->board.processes[i];
		if (p->role != ROLE_WORKER || p->generation !=
		    v->board.serving || (s = view_of(p->slot)) == NULL)
			continue;
		labels_none(&l);
		(void)snprintf(text, sizeof(text), "%u", p->instance);
		labels_add(&l, "worker", text, sizeof(text));
		expo_number(e, &l, view_gauge(s, g));
	}
}

static void
put_processes(struct expo *e, const struct view *v)
{
	uint64_t	 n[ROLE_MAX][BOARD_STATES] = { { 0 } };
	struct labels	 l;
	uint32_t	 i, role, state;

	for (i = 0; i < v->board.nprocesses; i++) {
		role = v->board.processes[i].role;
		state = v->board.processes[i].state;
		if (role < ROLE_MAX && state < BOARD_STATES)
			n[role][state]++;
	}
	expo_family(e, EXPO_GAUGE, "mcpgw_processes", "Processes.");
	for (role = ROLE_MASTER + 1; role < ROLE_MAX; role++)
		for (state = 0; state < BOARD_STATES; state++) {
			labels_none(&l);
			labels_add(&l, "role", names_role(role), 16);
			labels_add(&l, "state", names_state(state), 16);
			expo_number(e, &l, n[role][state]);
		}
}

static void
put_generations(struct expo *e, const struct view *v)
{
	uint64_t	 n[NAMES_GENERATION_STATES] = { 0 };
	struct labels	 l;
	uint32_t	 i;

	for (i = 0; i < v->board.ngenerations; i++)
		if (v->board.generations[i].state < NAMES_GENERATION_STATES)
			n[v->board.generations[i].state]++;
	expo_family(e, EXPO_GAUGE, "mcpgw_generations",
	    "Configurations that processes serve or still drain.");
	for (i = 0; i < NAMES_GENERATION_STATES; i++) {
		labels_none(&l);
		labels_add(&l, "state", names_generation(i), 16);
		expo_number(e, &l, n[i]);
	}
}

/* -- key sets ------------------------------------------------------------ */

static void
put_jwks(struct expo *e, const struct view *v)
{
	const struct stats_jwks	*j = NULL;
	struct labels		 l;

	if (v->board.serving == 0 ||
	    (j = view_jwks(v, v->board.serving)) == NULL)
		return;
	labels_none(&l);
	labels_add(&l, "issuer", j->issuer, sizeof(j->issuer));
	time_at(e, "mcpgw_jwks_fetched_timestamp_seconds",
	    "When the key set was last fetched.", &l, j->fetched);
	expo_family(e, EXPO_GAUGE, "mcpgw_jwks_age_seconds",
	    "For how long the key set has been in use.");
	if (j->fetched > 0)
		expo_ms(e, &l, v->now - j->fetched);
	time_at(e, "mcpgw_jwks_next_refresh_timestamp_seconds",
	    "When the key set is to be fetched again.", &l, j->next);
	expo_family(e, EXPO_GAUGE, "mcpgw_jwks_failing",
	    "Attempts to fetch the key set that failed since the last good "
	    "one.");
	expo_number(e, &l, j->failing);
	expo_family(e, EXPO_GAUGE, "mcpgw_jwks_keys",
	    "Keys that can be used.");
	expo_number(e, &l, j->nkeys);
	expo_family(e, EXPO_GAUGE, "mcpgw_jwks_keys_skipped",
	    "Keys of the set that cannot be used.");
	expo_number(e, &l, j->nskipped);
}
