/*
 * Differences of counters.
 */
#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/jtree.h"
#include "ctl/top_data.h"

#define BUCKETS	15

/* Upper ends of the buckets, in seconds; the last has none. */
static const double ends[BUCKETS - 1] = { 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1,
    2, 5, 10, 30, 60, 120, 300 };

static const char *const kind_names[TOP_KINDS] = {
	[TOP_UPSTREAM] = "upstream", [TOP_TOOL] = "tool",
	[TOP_CLIENT] = "client", [TOP_METHOD] = "method"
};

static yajl_val	 same_process(yajl_val, yajl_val);
static yajl_val	 row_before(yajl_val, yajl_val, size_t);
static int	 is_row(yajl_val, yajl_val);
static void	 make_row(yajl_val, yajl_val, double, struct top_row *);
static double	 rate(yajl_val, yajl_val, const char *, double);
static void	 latencies(yajl_val, yajl_val, struct top_row *);
static double	 number(yajl_val);
static double	 percentile(const double[BUCKETS], double);

const char *
top_kind_name(enum top_kind kind)
{
	return (kind_names[kind]);
}

void
top_total(yajl_val before, yajl_val now, double seconds, struct top_row *r)
{
	before = same_process(before, now);
	make_row(jtree_get(jtree_get(before, "top"), "total"),
	    jtree_get(jtree_get(now, "top"), "total"),
	    before == NULL ? 0 : seconds, r);
}

void
top_rows(yajl_val before, yajl_val now, double seconds, enum top_kind kind,
    struct top_rows *rows)
{
	yajl_val	 old, neu, v;
	size_t		 i;

	before = same_process(before, now);
	old = jtree_get(jtree_get(before, "top"), kind_names[kind]);
	neu = jtree_get(jtree_get(now, "top"), kind_names[kind]);
	rows->n = jtree_count(neu);
	if (rows->n > TOP_ROWS_MAX)
		rows->n = TOP_ROWS_MAX;
	rows->row = calloc(rows->n + 1, sizeof(*rows->row));
	if (rows->row == NULL)
		err(CTL_INTERNAL, NULL);
	for (i = 0; i < rows->n; i++) {
		v = jtree_at(neu, i);
		make_row(before == NULL ? NULL : row_before(old, v, i), v,
		    before == NULL ? 0 : seconds, &rows->row[i]);
	}
}

/* A gateway that was started anew counts anew. */
static yajl_val
same_process(yajl_val before, yajl_val now)
{
	yajl_val	 a = jtree_get(before, "status");
	yajl_val	 b = jtree_get(now, "status");

	return (jtree_int(a, "pid") == jtree_int(b, "pid") &&
	    strcmp(jtree_str(a, "started"), jtree_str(b, "started")) == 0 ?
	    before : NULL);
}

/* It is mostly where it was. */
static yajl_val
row_before(yajl_val list, yajl_val row, size_t i)
{
	yajl_val	 v = jtree_at(list, i);
	size_t		 n = jtree_count(list);

	if (v != NULL && is_row(v, row))
		return (v);
	for (i = 0; i < n && i < TOP_ROWS_MAX; i++)
		if (is_row(jtree_at(list, i), row))
			return (jtree_at(list, i));
	return (NULL);
}

static int
is_row(yajl_val a, yajl_val b)
{
	return (strcmp(jtree_str(a, "name"), jtree_str(b, "name")) == 0 &&
	    strcmp(jtree_str(a, "upstream"), jtree_str(b, "upstream")) == 0);
}

static void
make_row(yajl_val before, yajl_val now, double seconds, struct top_row *r)
{
	r->name = jtree_str(now, "name");
	r->upstream = jtree_str(now, "upstream");
	r->total = jtree_int(now, "requests");
	r->requests = rate(before, now, "requests", seconds);
	r->errors = rate(before, now, "errors", seconds);
	r->denied = rate(before, now, "denied", seconds);
	r->in = rate(before, now, "bytes_in", seconds);
	r->out = rate(before, now, "bytes_out", seconds);
	r->p50 = r->p95 = r->p99 = -1;
	if (seconds > 0)
		latencies(before, now, r);
}

static double
rate(yajl_val before, yajl_val now, const char *name, double seconds)
{
	double	 d = jtree_num(now, name) - jtree_num(before, name);

	return (d > 0 && seconds > 0 ? d / seconds : 0);
}

static void
latencies(yajl_val before, yajl_val now, struct top_row *r)
{
	yajl_val	 a = jtree_get(before, "buckets");
	yajl_val	 b = jtree_get(now, "buckets");
	double		 d[BUCKETS];
	size_t		 i;

	if (jtree_count(b) != BUCKETS)
		return;
	for (i = 0; i < BUCKETS; i++)
		d[i] = number(jtree_at(b, i)) - number(jtree_at(a, i));
	r->p50 = percentile(d, 0.5);
	r->p95 = percentile(d, 0.95);
	r->p99 = percentile(d, 0.99);
}

static double
number(yajl_val v)
{
	return (YAJL_IS_INTEGER(v) ? (double)v->u.number.i : 0);
}

/* As if those of a bucket were spread evenly in it. */
static double
percentile(const double d[BUCKETS], double share)
{
	double	 want = share * d[BUCKETS - 1], begin = 0, below = 0;
	int	 i;

	if (!(d[BUCKETS - 1] > 0))
		return (-1);
	for (i = 0; i < BUCKETS - 1; i++) {
		if (d[i] >= want && d[i] > below)
			return (begin + (ends[i] - begin) *
			    (want - below) / (d[i] - below));
		if (d[i] > below)
			below = d[i];
		begin = ends[i];
	}
	return (INFINITY);
}
