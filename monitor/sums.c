/*
 * A request adds to three sums; how many there were is told by the buckets.
 */
#include <string.h>

#include "common/audit_action.h"
#include "common/mcp_methods.h"
#include "monitor/sums.h"

static struct sums	 sums;

static void	 add_requests(const struct view *);
static void	 add_ops(const struct view *, const struct stats_op *);
static void	 add_op(struct sum *, const struct stats_op *);
static size_t	 upstream_place(const struct view *, unsigned);
static size_t	 method_place(unsigned);

const struct sums *
sums_server(const struct view *v)
{
	memset(&sums, 0, sizeof(sums));
	add_requests(v);
	add_ops(v, v->board.past.server);
	return (&sums);
}

const struct sums *
sums_client(const struct view *v)
{
	memset(&sums, 0, sizeof(sums));
	add_ops(v, v->board.past.client);
	return (&sums);
}

static size_t
upstream_place(const struct view *v, unsigned n)
{
	if (n == STATS_NO_UPSTREAM)
		return (SUMS_NONE);
	return (n < v->board.nupstreams ? n : SUMS_OTHER);
}

/* All that have no name are one. */
static size_t
method_place(unsigned n)
{
	return (n < SUMS_METHODS && mcp_method_name(n) !=
	    mcp_method_name(MCP_METHOD_OTHER) ? n : MCP_METHOD_OTHER);
}

static void
add_requests(const struct view *v)
{
	const struct stats_request	*t = v->board.past.requests;
	struct stats_key		 k;
	uint64_t			 n;
	size_t				 i;

	for (i = 0; i < STATS_REQUESTS; i++) {
		if (stats_key_get(stats_get(&t[i].key), &k) == -1 ||
		    k.action != AUDIT_DENY)
			continue;
		n = stats_get(&t[i].n);
		sums.total.denied += n;
		sums.upstream[upstream_place(v, k.upstream)].denied += n;
		sums.method[method_place(k.method)].denied += n;
	}
}

static void
add_ops(const struct view *v, const struct stats_op *t)
{
	unsigned	 upstream, method, error;
	size_t		 i;

	for (i = 0; i < STATS_OPS; i++) {
		if (stats_op_get(stats_get(&t[i].key), &upstream, &method,
		    &error) == -1)
			continue;
		add_op(&sums.total, &t[i]);
		add_op(&sums.upstream[upstream_place(v, upstream)], &t[i]);
		add_op(&sums.method[method_place(method)], &t[i]);
	}
}

static void
add_op(struct sum *s, const struct stats_op *o)
{
	sums_time(s, &o->time);
	s->errors += stats_get(&o->errors);
	s->bytes_in += stats_get(&o->bytes_in);
	s->bytes_out += stats_get(&o->bytes_out);
}

void
sums_time(struct sum *s, const struct stats_hist *h)
{
	uint64_t	 n;
	size_t		 i;

	for (i = 0; i < STATS_BUCKETS; i++) {
		n = stats_get(&h->bucket[i]);
		s->bucket[i] += n;
		s->requests += n;
	}
	s->sum_us += stats_get(&h->sum_us);
}

void
sums_name(struct sum *s, const struct stats_name *n)
{
	memset(s, 0, sizeof(*s));
	sums_time(s, &n->time);
	s->errors = stats_get(&n->errors);
	s->denied = stats_get(&n->denied);
	s->bytes_in = stats_get(&n->bytes_in);
	s->bytes_out = stats_get(&n->bytes_out);
}

uint64_t
sums_requests(const struct stats_slot *s)
{
	uint64_t	 n = 0;
	size_t		 i;

	for (i = 0; i < STATS_REQUESTS; i++)
		n += stats_get(&s->requests[i].n);
	return (n);
}

int64_t
sums_quantile(const struct sum *s, unsigned percent)
{
	double	 want = (double)s->requests * percent / 100, below = 0;
	double	 from, to;
	size_t	 i;

	if (s->requests == 0)
		return (-1);
	for (i = 0; i < STATS_BUCKETS - 1; i++) {
		if (below + (double)s->bucket[i] >= want)
			break;
		below += (double)s->bucket[i];
	}
	from = i == 0 ? 0 : stats_bounds_ms[i - 1];
	to = i == STATS_BUCKETS - 1 ? from : stats_bounds_ms[i];
	if (s->bucket[i] > 0)
		from += (to - from) * (want - below) / (double)s->bucket[i];
	return ((int64_t)(from + 0.5));
}
