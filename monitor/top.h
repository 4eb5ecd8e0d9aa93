/*
 * The traffic part of a report, by upstream, method, tool and client.
 */
#ifndef MONITOR_TOP_H
#define MONITOR_TOP_H

#include "monitor/json_out.h"
#include "monitor/view.h"

void	top_put(struct json_out *, const char *key, const struct view *);

#endif
