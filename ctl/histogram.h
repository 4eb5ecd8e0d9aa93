/*
 * Many numbers in a fixed room, for percentiles that are right to 3 %.
 */
#ifndef CTL_HISTOGRAM_H
#define CTL_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB	32		/* parts of each power of two */
#define HISTOGRAM_CELLS	(60 * HISTOGRAM_SUB)

struct histogram {
	uint64_t	 count;
	uint64_t	 most;
	uint64_t	 cell[HISTOGRAM_CELLS];
};

void	 histogram_add(struct histogram *, uint64_t value, uint64_t times);
/* The least value that this share (0 to 1) of all do not exceed, or a little
 * more; 0 when there are none. */
uint64_t histogram_at(const struct histogram *, double share);

#endif
