/*
 * What the service manager that started us is told, as sd_notify(3) says: a
 * datagram of NAME=VALUE lines to $NOTIFY_SOCKET.  Without one every call does
 * nothing.  None of them waits: what the manager cannot take now it gets soon.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <event2/event.h>

#include <stddef.h>
#include <stdint.h>

/* Once, before anything is started: find the manager, and take what it said
 * out of the environment. */
void	notify_setup(void);
/* Once, in the process that stays: from now on it shows the manager's
 * watchdog that its loop runs, twice in the time that it has
 * ($WATCHDOG_USEC, if it is meant for us). */
void	notify_watch(struct event_base *);

/* Put a descriptor, or -1 for none, into the manager's store in place of what
 * has this name there: whoever is started after us gets it.  1: there is such
 * a store ($FDSTORE); 0: none that we know of. */
int	notify_keep(int fd, const char *name);
/* A reload begins. */
void	notify_reloading(void);
/* The start or a reload is over, and this generation serves.  refused: why it
 * is still the old one, or NULL. */
void	notify_serving(uint32_t generation, unsigned workers,
	    const char *refused);
/* The end begins; it may take so many milliseconds, whatever time the
 * manager would have given by itself. */
void	notify_stopping(uint64_t ms);

#endif
