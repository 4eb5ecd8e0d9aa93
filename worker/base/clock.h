/* The time, read at most once per turn of the event loop, but for who measures
 * what happens within one. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* At the end of a turn: the next who asks reads the clock again. */
void	 clock_forget(void);
uint64_t clock_mono(void);	/* CLOCK_MONOTONIC in ms */
uint64_t clock_turn(void);	/* the same in us */
uint64_t clock_now(void);	/* the same, read for this call */
int64_t	 clock_wall(void);	/* ms since the epoch */

#endif
