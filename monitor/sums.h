/*
 * Tables of a slot, added up.
 */
#ifndef MONITOR_SUMS_H
#define MONITOR_SUMS_H

#include "monitor/view.h"

struct sum {
	uint64_t	 requests;
	uint64_t	 errors;	/* without those that were denied */
	uint64_t	 denied;
	uint64_t	 bytes_in;
	uint64_t	 bytes_out;
	uint64_t	 sum_us;
	uint64_t	 bucket[STATS_BUCKETS];
};

#define SUMS_NONE	STATS_UPSTREAMS		/* of no upstream */
#define SUMS_OTHER	(STATS_UPSTREAMS + 1)	/* of surplus ones */
#define SUMS_UPSTREAMS	(STATS_UPSTREAMS + 2)
#define SUMS_METHODS	256

struct sums {
	struct sum	 total;
	struct sum	 upstream[SUMS_UPSTREAMS];
	struct sum	 method[SUMS_METHODS];
};

/* Requests of clients, and exchanges with upstreams (of these there is nothing
 * denied); valid until the next call of either. */
const struct sums *sums_server(const struct view *);
const struct sums *sums_client(const struct view *);
/* All requests of one process or of all. */
uint64_t sums_requests(const struct stats_slot *);
/* A tool or a client. */
void	sums_name(struct sum *, const struct stats_name *);
void	sums_time(struct sum *, const struct stats_hist *);
/* What at most percent of them took, in ms: by proportion within a bucket, and
 * the last bound beyond it; -1 when there are none. */
int64_t	sums_quantile(const struct sum *, unsigned percent);

#endif
