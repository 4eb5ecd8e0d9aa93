/*
 * Counters since the start; readers take differences.
 */
#include <string.h>

#include "common/mcp_methods.h"
#include "monitor/names.h"
#include "monitor/sums.h"
#include "monitor/top.h"

static void	 put_upstreams(struct json_out *, const struct view *,
		    const struct sums *);
static void	 put_methods(struct json_out *, const struct sums *);
static void	 put_names(struct json_out *, const char *,
		    const struct view *, const struct stats_name *, int);
static void	 put_row(struct json_out *, const char *, const char *,
		    const char *, const struct sum *);
static void	 put_buckets(struct json_out *, const struct sum *);
static void	 put_own(struct json_out *, const struct stats_hist *);
static void	 put_counts(struct json_out *, const char *,
		    const struct view *, unsigned (*)(const struct stats_key *),
		    const char *(*)(unsigned));
static unsigned	 key_action(const struct stats_key *);
static unsigned	 key_auth(const struct stats_key *);
static unsigned	 key_revision(const struct stats_key *);

void
top_put(struct json_out *j, const char *key, const struct view *v)
{
	const struct stats_slot	*s = &v->board.past;
	const struct sums	*sums = sums_server(v);

	json_open(j, key, '{');
	put_row(j, "total", "total", NULL, &sums->total);
	put_upstreams(j, v, sums);
	put_methods(j, sums);
	put_names(j, "tool", v, s->tools, 1);
	put_names(j, "client", v, s->clients, 0);
	put_counts(j, "action", v, key_action, names_action);
	put_counts(j, "auth", v, key_auth, names_auth);
	put_counts(j, "revision", v, key_revision, names_revision);
	put_own(j, &s->own);
	json_close(j, '}');
}

/* -- rows: only what has been met ---------------------------------------- */

static void
put_upstreams(struct json_out *j, const struct view *v,
    const struct sums *sums)
{
	unsigned	 i;

	json_open(j, "upstream", '[');
	for (i = 0; i < SUMS_UPSTREAMS; i++)
		if (sums->upstream[i].requests > 0)
			put_row(j, NULL, i == SUMS_NONE ? "(none)" :
			    view_upstream(v, i == SUMS_OTHER ? STATS_OTHER : i),
			    NULL, &sums->upstream[i]);
	json_close(j, ']');
}

static void
put_methods(struct json_out *j, const struct sums *sums)
{
	unsigned	 i;

	json_open(j, "method", '[');
	for (i = 0; i < SUMS_METHODS; i++)
		if (sums->method[i].requests > 0)
			put_row(j, NULL, i == MCP_METHOD_NONE ? "(none)" :
			    mcp_method_name(i), NULL, &sums->method[i]);
	json_close(j, ']');
}

static void
put_names(struct json_out *j, const char *key, const struct view *v,
    const struct stats_name *t, int tools)
{
	struct sum	 s;
	size_t		 i;

	json_open(j, key, '[');
	for (i = 0; i < STATS_NAMES; i++) {
		if (atomic_load(&t[i].set) == 0)
			continue;
		sums_name(&s, &t[i]);
		if (s.requests > 0)
			put_row(j, NULL, t[i].name, tools ? view_upstream(v,
			    t[i].upstream) : NULL, &s);
	}
	json_close(j, ']');
}

/* upstream NULL: it says nothing. */
static void
put_row(struct json_out *j, const char *key, const char *name,
    const char *upstream, const struct sum *s)
{
	json_open(j, key, '{');
	json_text(j, "name", name, STATS_NAME_MAX);
	if (upstream != NULL)
		json_text(j, "upstream", upstream, STATS_NAME_MAX);
	json_number(j, "requests", s->requests);
	json_number(j, "errors", s->errors);
	json_number(j, "denied", s->denied);
	json_number(j, "bytes_in", s->bytes_in);
	json_number(j, "bytes_out", s->bytes_out);
	json_us(j, "seconds", s->sum_us);
	put_buckets(j, s);
	json_close(j, '}');
}

static void
put_buckets(struct json_out *j, const struct sum *s)
{
	uint64_t	 n = 0;
	size_t		 i;

	json_open(j, "buckets", '[');
	for (i = 0; i < STATS_BUCKETS; i++)
		json_number(j, NULL, n += s->bucket[i]);
	json_close(j, ']');
}

static void
put_own(struct json_out *j, const struct stats_hist *h)
{
	struct sum	 s;
	size_t		 i;

	memset(&s, 0, sizeof(s));
	sums_time(&s, h);
	json_open(j, "own", '{');
	json_number(j, "requests", s.requests);
	json_us(j, "seconds", s.sum_us);
	put_buckets(j, &s);
	json_open(j, "bounds", '[');
	for (i = 0; i < STATS_BUCKETS - 1; i++)
		json_us(j, NULL, stats_bounds_us[i]);
	json_close(j, ']');
	json_close(j, '}');
}

/* -- requests by what became of them ------------------------------------- */

static unsigned
key_action(const struct stats_key *k)
{
	return (k->action);
}

static unsigned
key_auth(const struct stats_key *k)
{
	return (k->auth);
}

static unsigned
key_revision(const struct stats_key *k)
{
	return (k->revision);
}

static void
put_counts(struct json_out *j, const char *key, const struct view *v,
    unsigned (*of)(const struct stats_key *), const char *(*name)(unsigned))
{
	const struct stats_request	*t = v->board.past.requests;
	uint64_t			 n[256] = { 0 }, others = 0;
	struct stats_key		 k;
	unsigned			 i;

	for (i = 0; i < STATS_REQUESTS; i++)
		if (stats_key_get(stats_get(&t[i].key), &k) == 0)
			n[of(&k)] += stats_get(&t[i].n);
	json_open(j, key, '{');
	for (i = 0; i < 256; i++) {
		if (strcmp(name(i), "_other") == 0)
			others += n[i];
		else if (n[i] > 0)
			json_number(j, *name(i) == '\0' ? "none" : name(i),
			    n[i]);
	}
	if (others > 0)
		json_number(j, "_other", others);
	json_close(j, '}');
}
