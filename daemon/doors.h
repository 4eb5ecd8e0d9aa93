/*
 * Where the monitor is asked: the control socket and admin.listen, opened once
 * by the master, which has the rights, and given to every monitor.
 */
#ifndef DAEMON_DOORS_H
#define DAEMON_DOORS_H

#include "common/proto.h"
#include "config/config.h"

/* Open what the configuration names.  The pid file is held, or it is off and
 * nobody listens there: whatever lies at the socket's path is of a gateway that
 * is gone.  0, or -1 (logged). */
int	doors_open(const struct config *);
/* Remove the control socket. */
void	doors_close(void);
/* A duplicate to give away; -1 when there is no such door. */
int	doors_fd(enum proto_door);

#endif
