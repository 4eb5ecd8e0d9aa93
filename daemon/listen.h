/* The listen socket: opened once, owned by the master for good. */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "daemon/config.h"

/* A listening, non-blocking, close-on-exec socket, or -1 (logged). */
int	listen_open(const struct config *);
/* Raise RLIMIT_NOFILE so that limits.max_connections fit.  0, or -1
 * (logged). */
int	listen_raise_nofile(const struct config *);

#endif
