/*
 * What happened between two looks at the gateway's counters.
 */
#ifndef CTL_TOP_DATA_H
#define CTL_TOP_DATA_H

#include <stddef.h>
#include <stdint.h>

#include <yajl/yajl_tree.h>

#define TOP_ROWS_MAX	2048	/* of a kind; the rest is left out */

enum top_kind { TOP_UPSTREAM, TOP_TOOL, TOP_CLIENT, TOP_METHOD, TOP_KINDS };

/* Rates are per second; latencies in seconds, negative where nothing was
 * served, infinite above the last bucket. */
struct top_row {
	const char	*name;		/* in the tree of the later look */
	const char	*upstream;	/* of a tool, or "" */
	double		 requests;
	double		 errors;
	double		 denied;
	double		 in;		/* bytes */
	double		 out;
	double		 p50;
	double		 p95;
	double		 p99;
	int64_t		 total;		/* requests since the start */
};

struct top_rows {
	struct top_row	*row;
	size_t		 n;
};

/* "upstream", "tool", ... */
const char *top_kind_name(enum top_kind);

/*
 * Both are what /v1/all gives, so many seconds apart; before is NULL, or of
 * another process than now: then all rates are 0.
 */
void	top_total(yajl_val before, yajl_val now, double seconds,
	    struct top_row *);
/* The rows of a kind; free row. */
void	top_rows(yajl_val before, yajl_val now, double seconds, enum top_kind,
	    struct top_rows *);

#endif
