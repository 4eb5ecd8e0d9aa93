/* What the start would meet, looked at without starting anything. */
#ifndef DAEMON_PREFLIGHT_H
#define DAEMON_PREFLIGHT_H

#include "config/config.h"

/* Log what is legal in a configuration and seldom meant. */
void	preflight_warn(const struct config *);
/*
 * Log what a start would fail for: no place for the audit log, the pid file or
 * the control socket, too few descriptors; and, as a warning,
 * since it may be otherwise by then, a port that another program has.  0, or
 * -1.  Where we are not root all of it are warnings: the start may be root's;
 * and what an installation makes may yet come.
 */
int	preflight_look(const struct config *);

#endif
