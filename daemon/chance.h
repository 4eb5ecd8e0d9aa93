/*
 * Had a child the chance to do what it was asked to?  Not while it waited for a
 * processor that others had, nor for a disk: to end it for that would only add
 * to the load that made it slow.
 */
#ifndef DAEMON_CHANCE_H
#define DAEMON_CHANCE_H

#include <sys/types.h>

#include <stdint.h>

/* Zeroed before the first call. */
struct chance {
	uint64_t	 cpu;		/* its time so far, in clock ticks */
	uint64_t	 own;		/* of it, not counted by a call yet */
};

/*
 * Called once a second: is the one since the last call to be counted?  1 when
 * it sleeps, is stopped, or has used a second of processor time since the last
 * that was counted; 0 when it waits its turn, or for a disk.  What cannot be
 * found out is counted.
 */
int	chance_had(pid_t, struct chance *);

#endif
