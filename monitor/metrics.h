/*
 * The numbers as Prometheus reads them: text format 0.0.4, or OpenMetrics 1.0.
 * mcpgw-metrics(5) says what each one means.
 */
#ifndef MONITOR_METRICS_H
#define MONITOR_METRICS_H

#include <event2/buffer.h>

#include "monitor/view.h"

#define METRICS_TEXT	"text/plain; version=0.0.4; charset=utf-8"
#define METRICS_OPEN	"application/openmetrics-text; version=1.0.0; " \
			"charset=utf-8"

/* Which of the two an Accept field (or NULL) would rather have: 1 is
 * OpenMetrics. */
int	metrics_open(const char *accept);
void	metrics_put(struct evbuffer *, const struct view *, int open);

#endif
