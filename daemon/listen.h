/* The listen socket: opened once, owned by the master for good. */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "config/config.h"

#define LISTEN_PASSING	512	/* connections handed over that may wait in
				 * the master */

/* A listening, non-blocking, close-on-exec socket, or -1 (logged). */
int	listen_open(const struct config *);
/* Raise RLIMIT_NOFILE, which children inherit, so that limits.max_connections
 * fit into a worker, and workers of as many generations as may live beside
 * each other into the master.  0, 1 when it was raised, or -1 (logged). */
int	listen_raise_nofile(const struct config *);

#endif
