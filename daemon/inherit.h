/*
 * Sockets that whoever started us handed down, as sd_listen_fds(3) says: those
 * of a socket unit, and what we put into the service manager's store before a
 * restart.
 */
#ifndef DAEMON_INHERIT_H
#define DAEMON_INHERIT_H

#include <sys/socket.h>

#include <stddef.h>

#define INHERIT_STORED	"mcpgw-listen"	/* what is in the store is called so */

/* Once, before any other descriptor is opened but 0 to 2: take note of them,
 * and take what says so out of the environment.  No child gets them. */
void	inherit_setup(void);
/* The one that listens at just this address, non-blocking; the caller's.
 * *stored: it is from the store, not of a socket unit.  -1: there is none. */
int	inherit_listener(const struct sockaddr_storage *, int *stored);
/* Close those that nobody took.  Returns 1 when one is of a socket unit, with
 * its address in words, or 0. */
int	inherit_close(char *, size_t);

#endif
