/* The time, read at most once per turn of the event loop. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* At the end of a turn: the next who asks reads the clock again. */
void	 clock_forget(void);
uint64_t clock_mono(void);	/* CLOCK_MONOTONIC in ms */
int64_t	 clock_wall(void);	/* ms since the epoch */

#endif
