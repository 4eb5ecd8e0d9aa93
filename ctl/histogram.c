/*
 * Cells that grow with the value.
 */
#include "ctl/histogram.h"

static unsigned	 cell_of(uint64_t);
static uint64_t	 cell_end(unsigned);

void
histogram_add(struct histogram *h, uint64_t value, uint64_t times)
{
	h->cell[cell_of(value)] += times;
	h->count += times;
	if (value > h->most)
		h->most = value;
}

uint64_t
histogram_at(const struct histogram *h, double share)
{
	uint64_t	 end, sum = 0;
	double		 want = share * (double)h->count;
	unsigned	 i;

	for (i = 0; i < HISTOGRAM_CELLS && h->count > 0; i++) {
		sum += h->cell[i];
		if (sum > 0 && (double)sum >= want) {
			end = cell_end(i);
			return (end < h->most ? end : h->most);
		}
	}
	return (h->most);
}

/* One for each value at first, then 32 for each power of two. */
static unsigned
cell_of(uint64_t v)
{
	unsigned	 log;

	if (v < HISTOGRAM_SUB)
		return ((unsigned)v);
	log = 63 - (unsigned)__builtin_clzll(v);
	return ((log - 4) * HISTOGRAM_SUB +
	    (unsigned)((v >> (log - 5)) & (HISTOGRAM_SUB - 1)));
}

/* The largest value in a cell. */
static uint64_t
cell_end(unsigned i)
{
	unsigned	 log = i / HISTOGRAM_SUB + 4;
	uint64_t	 sub = i % HISTOGRAM_SUB;

	if (i < HISTOGRAM_SUB)
		return (i);
	return (((HISTOGRAM_SUB + sub + 1) << (log - 5)) - 1);
}
