/*
 * Families with labels: requests, their times, tools, clients, refusals and
 * upstreams.
 */
#ifndef MONITOR_TRAFFIC_H
#define MONITOR_TRAFFIC_H

#include "monitor/expo.h"
#include "monitor/view.h"

void	traffic_put(struct expo *, const struct view *);

#endif
