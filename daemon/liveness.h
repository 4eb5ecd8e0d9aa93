/*
 * Children that do not answer.  Each is asked once a second whether it lives;
 * one that is silent, or that was told to drain and does not say that it does,
 * is spoken of in the log and then ended, so that none can hold up a reload or
 * a stop.
 */
#ifndef DAEMON_LIVENESS_H
#define DAEMON_LIVENESS_H

#include <event2/event.h>

#include "daemon/process.h"

/* Once.  hung ends the process; the reason was logged. */
void	liveness_setup(struct event_base *, void (*hung)(struct process *));
/* MSG_PONG came.  0, or -1: nobody had asked. */
int	liveness_pong(struct process *);

#endif
