/*
 * Telling the gateway to read its configuration again: a SIGHUP to the
 * process of the pid file, if there is one that holds it.
 */
#ifndef CTL_RELOAD_H
#define CTL_RELOAD_H

#include <sys/types.h>

enum reload {
	RELOAD_SENT,
	RELOAD_NOT_RUNNING,
	RELOAD_FAILED		/* told why */
};

/* *pid is set for RELOAD_SENT.  Not running means: no pid file, or nobody
 * has it locked; a number left in an old file is nobody's. */
enum reload reload_gateway(const char *pid_file, pid_t *pid);

#endif
