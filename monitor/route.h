/*
 * What can be asked for, at which door.
 */
#ifndef MONITOR_ROUTE_H
#define MONITOR_ROUTE_H

#include "monitor/door.h"

const struct route *route_find(const char *, enum evhttp_cmd_type, int *);
/* The packed key set (common/jwk.h) of the generation that serves; fd stays
 * the caller's.  0, or -1. */
int	route_keys(uint32_t generation, int fd);

#endif
