/*
 * One request adds to a handful of rows; which ones is looked up once, and
 * remembered.
 */
#include <string.h>

#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/record/metrics.h"

#define MEMOS		64	/* names whose rows are remembered */

/* Those of a table that is full, too, which would be a search each time. */
struct memo {
	struct stats_name	*row;
	uint32_t		 upstream;
	size_t			 len;
	char			 name[STATS_NAME_MAX];
};

static void	 count_name(struct stats_name *, struct memo *, uint32_t,
		    struct slice, const struct metrics_request *);
static struct stats_name *find(struct stats_name *, struct memo *, uint32_t,
		    struct slice, int);
static size_t	 spread(uint32_t, struct slice);

void
metrics_request(const struct metrics_request *m)
{
	static struct memo		 tools[MEMOS], clients[MEMOS];
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
		count_name(stats->tools, tools, m->upstream, m->tool, m);
	if (m->client.len > 0)
		count_name(stats->clients, clients, STATS_NO_UPSTREAM,
		    m->client, m);
}

/* The name of what was refused adds no row: anybody may have made it up. */
static void
count_name(struct stats_name *table, struct memo *memos, uint32_t upstream,
    struct slice name, const struct metrics_request *m)
{
	struct stats_name	*n = find(table, memos, upstream, name,
				    m->action == AUDIT_ALLOW);

	stats_bump(&n->errors, m->error != 0 && m->action != AUDIT_DENY);
	stats_bump(&n->denied, m->action == AUDIT_DENY);
	stats_bump(&n->bytes_in, m->bytes_in);
	stats_bump(&n->bytes_out, m->bytes_out);
	stats_time_ms(&n->time, m->us);
}

static struct stats_name *
find(struct stats_name *table, struct memo *memos, uint32_t upstream,
    struct slice name, int add)
{
	struct memo		*o = &memos[spread(upstream, name)];
	struct stats_name	*n;

	if (o->row != NULL && o->upstream == upstream &&
	    o->len == name.len && memcmp(o->name, name.p, name.len) == 0)
		return (o->row);
	n = stats_name(table, upstream, name.p, name.len, add);
	/* one that may yet get a row of its own is not remembered */
	if (name.len > sizeof(o->name) ||
	    (!add && n == &table[STATS_NAMES - 1]))
		return (n);
	o->row = n;
	o->upstream = upstream;
	o->len = name.len;
	memcpy(o->name, name.p, name.len);
	return (n);
}

/* Quickly: of names that are alike only one is remembered. */
static size_t
spread(uint32_t upstream, struct slice s)
{
	uint32_t	 v = upstream + (uint32_t)s.len;

	v = v * 31 + (uint8_t)s.p[0];
	v = v * 31 + (uint8_t)s.p[s.len / 2];
	v = v * 31 + (uint8_t)s.p[s.len - 1];
	return (v % MEMOS);
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
