/*
 * One request adds to a handful of rows; which ones is looked up once, and of
 * names the last one met is remembered.
 */
#include <string.h>

#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/record/metrics.h"

static void	 count_name(struct stats_name *, struct stats_name **,
		    uint32_t, struct slice, const struct metrics_request *);
static int	 is_named(const struct stats_name *, uint32_t, struct slice);

void
metrics_request(const struct metrics_request *m)
{
	static struct stats_name	*tool, *client;
	const struct stats_key		 key = {
		.upstream = (uint16_t)m->upstream,
		.method = (uint8_t)m->method,
		.action = (uint8_t)m->action,
		.auth = (uint8_t)(m->has_auth ? m->auth + 1 : 0),
		.revision = (uint8_t)m->revision
	};
	struct stats_op			*op;

	stats_count_request(&key);
	op = stats_op(stats->server, m->upstream, m->method, m->error);
	stats_bump(&op->errors, m->error != 0 && m->action != AUDIT_DENY);
	stats_bump(&op->bytes_in, m->bytes_in);
	stats_bump(&op->bytes_out, m->bytes_out);
	stats_time_ms(&op->time, m->us);
	stats_time_us(&stats->own, m->us > m->away_us ? m->us - m->away_us :
	    0);
	if (m->tool.len > 0)
		count_name(stats->tools, &tool, m->upstream, m->tool, m);
	if (m->client.len > 0)
		count_name(stats->clients, &client, STATS_NO_UPSTREAM,
		    m->client, m);
}

/* The name of what was refused adds no row: anybody may have made it up. */
static void
count_name(struct stats_name *table, struct stats_name **last,
    uint32_t upstream, struct slice name, const struct metrics_request *m)
{
	struct stats_name	*n = *last;

	if (n == NULL || !is_named(n, upstream, name))
		n = stats_name(table, upstream, name.p, name.len,
		    m->action == AUDIT_ALLOW);
	*last = n;
	stats_bump(&n->errors, m->error != 0 && m->action != AUDIT_DENY);
	stats_bump(&n->denied, m->action == AUDIT_DENY);
	stats_bump(&n->bytes_in, m->bytes_in);
	stats_bump(&n->bytes_out, m->bytes_out);
	stats_time_ms(&n->time, m->us);
}

static int
is_named(const struct stats_name *n, uint32_t upstream, struct slice name)
{
	return (n->upstream == upstream && name.len < STATS_NAME_MAX &&
	    memcmp(n->name, name.p, name.len) == 0 &&
	    n->name[name.len] == '\0');
}

void
metrics_refusal(unsigned why)
{
	struct stats_reason	*r;

	if (why >= STATS_REASONS)
		return;
	r = &stats->reasons[why];
	stats_bump(&r->n, 1);
	atomic_store_explicit(&r->last, (uint64_t)clock_wall(),
	    memory_order_relaxed);
}

void
metrics_exchange(const struct metrics_exchange *m)
{
	struct stats_op	*op;

	op = stats_op(stats->client, m->upstream, m->method, m->error);
	stats_bump(&op->errors, m->error != 0);
	stats_bump(&op->bytes_in, m->bytes_in);
	stats_bump(&op->bytes_out, m->bytes_out);
	stats_time_ms(&op->time, m->us);
}
