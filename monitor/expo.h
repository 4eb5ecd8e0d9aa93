/*
 * Lines of the exposition formats: Prometheus text 0.0.4 and OpenMetrics 1.0.
 */
#ifndef MONITOR_EXPO_H
#define MONITOR_EXPO_H

#include <event2/buffer.h>

#include "monitor/rows.h"

enum expo_type { EXPO_COUNTER, EXPO_GAUGE, EXPO_HISTOGRAM, EXPO_INFO };

struct expo {
	struct evbuffer	*out;
	int		 open;		/* OpenMetrics */
	const char	*name;		/* of the family that has begun */
	enum expo_type	 type;
};

/* All samples up to the next one are of this family, whose name has neither
 * _total nor _info.  A unit is what it ends with. */
void	expo_family(struct expo *, enum expo_type, const char *name,
	    const char *help);
/* A sample; labels NULL: none. */
void	expo_number(struct expo *, const struct labels *, uint64_t);
/* Milliseconds, written as seconds. */
void	expo_ms(struct expo *, const struct labels *, int64_t);
/* All samples of a histogram; the bounds are of per to a second. */
void	expo_hist(struct expo *, const struct labels *,
	    const struct stats_hist *, const uint32_t *bounds, double per);
void	expo_end(struct expo *);

#endif
