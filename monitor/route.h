/*
 * What can be asked for, at which door.
 */
#ifndef MONITOR_ROUTE_H
#define MONITOR_ROUTE_H

#include "monitor/door.h"

const struct route *route_find(const char *, enum evhttp_cmd_type, int *);

#endif
