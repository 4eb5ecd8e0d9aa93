/*
 * What mcpgwctl(8) and the status page read: JSON of what view.h sees.  Its
 * members are stable, and times are counted since the gateway was started.
 */
#ifndef MONITOR_REPORT_H
#define MONITOR_REPORT_H

#include <event2/buffer.h>

#include "monitor/view.h"

enum report {
	REPORT_ALL,		/* all of these but sessions */
	REPORT_STATUS,
	REPORT_WORKERS,
	REPORT_UPSTREAMS,
	REPORT_JWKS,
	REPORT_SESSIONS,
	REPORT_TOP,
	REPORT_REFUSALS		/* by reason, the most frequent first */
};

void	report_put(struct evbuffer *, const struct view *, enum report);

#endif
