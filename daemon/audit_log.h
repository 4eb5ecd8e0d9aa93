/*
 * The audit log as the master sees it: it opens the file, hands descriptors
 * to workers, and alone may mend what a failed write left behind.
 */
#ifndef DAEMON_AUDIT_LOG_H
#define DAEMON_AUDIT_LOG_H

#include <sys/types.h>

#include <stdint.h>

/* Open (and create, mode 0640) the log.  A last line that a crash tore is
 * ended, not removed.  0, or -1 (logged). */
int	audit_log_open(const char *path);
/* Open the path again, after it was moved away.  0, or -1 (logged; the old
 * file stays in use). */
int	audit_log_reopen(void);
/* A new descriptor, O_WRONLY | O_APPEND | O_NONBLOCK, for a worker; the
 * caller's.  -1 with errno. */
int	audit_log_fd(void);
enum audit_log_state {
	AUDIT_LOG_FINE,		/* whole, and there is room for more */
	AUDIT_LOG_TORN,		/* there is room, behind part of a line */
	AUDIT_LOG_FULL,
	AUDIT_LOG_UNKNOWN	/* no file */
};

/* -1, or how long the file is, whose last line has no end; it may be that
 * somebody is writing it just now. */
off_t	audit_log_torn(void);
/* Bytes of it; 0 of what is no file. */
int64_t	audit_log_size(void);
/* What whoever could not write to it may have met. */
enum audit_log_state audit_log_state(void);
/*
 * After a failed write, with no worker writing: cut a torn last line off and
 * see whether there is room again.  0: workers may go on; -1: not yet.
 */
int	audit_log_mend(void);

#endif
