/*
 * What operators asked for by way of the monitor, and its answers.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <event2/event.h>

#include "common/proto.h"
#include "daemon/process.h"

struct control_calls {
	void	 (*reload)(void);
	void	 (*drain)(int);
	void	 (*log)(int);
};

void	control_setup(struct event_base *, const struct control_calls *);
/* A message of the monitor.  0, or -1: malformed, more than it may have open,
 * or more often than any operator asks.  After a few reloads the next one
 * begins some seconds later. */
int	control_asked(struct process *, struct imsg *);
/* A reload begins: its verdict answers all who asked before. */
void	control_reload_begins(void);
/* An error of the configuration that is being loaded. */
void	control_error(const char *);
/* How that ended; generation: what serves now. */
void	control_verdict(int ok, uint32_t generation);
/* The first error of it, or "". */
const char *control_first_error(void);

#endif
