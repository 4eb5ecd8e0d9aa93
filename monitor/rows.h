/*
 * Numbers by their labels, as the exposition formats write these: whatever a
 * process wrote in its slot, no two rows have the same labels, and none breaks
 * a line.
 */
#ifndef MONITOR_ROWS_H
#define MONITOR_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "common/stats.h"

#define LABELS_MAX	2048	/* four values of names or URLs fit */
#define ROWS_MAX	1024
#define ROW_NUMBERS	4

struct labels {
	size_t	 len;
	char	 text[LABELS_MAX];	/* a="x",b="y"; no NUL */
};

struct row {
	struct labels	 labels;
	uint64_t	 n[ROW_NUMBERS];
	struct stats_hist time;
};

void	labels_none(struct labels *);
/* One more; value ends with a NUL or after max bytes.  Quoted, bytes that are
 * no UTF-8 replaced, control characters spelled out; an empty one is as good
 * as none. */
void	labels_add(struct labels *, const char *name, const char *value,
	    size_t max);

/* Begin: there is only one set of rows. */
void	rows_none(void);
/* The row with these labels, of zeros when it is new; NULL: there are too
 * many. */
struct row *rows_at(const struct labels *);
void	row_time(struct row *, const struct stats_hist *);
size_t	rows_count(void);
const struct row *rows_get(size_t);

#endif
