/* The listen socket: opened once, owned by the master for good. */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "config/config.h"

#define LISTEN_PASSING	512	/* connections handed over that may wait in
				 * the master */

/* A listening, non-blocking, close-on-exec socket, inherited or new, or -1
 * (logged).  *unit: a socket unit has it, too. */
int	listen_open(const struct config *, int *unit);
/* Raise RLIMIT_NOFILE, which children inherit, so that limits.max_connections
 * fit into a worker, and workers of as many generations as may live beside
 * each other into the master.  0, 1 when it was raised, or -1 (logged). */
int	listen_raise_nofile(const struct config *);

/*
 * A worker has died: whatever it did to the socket that all share is undone,
 * the options that connections inherit and the listening itself.
 */
void	listen_heal(int fd);
/*
 * Is sock what may come from a worker as a client's connection: TCP, not
 * listening, on our port?  1; 0 when the client has left meanwhile; -1: it is
 * something else.  Closing it does not wait after that.
 */
int	listen_is_client(int fd, int sock);

#endif
