/*
 * The time of this turn: a request that is looked at twice in one turn sees
 * one time, and the clock is read once, not once per use.
 */
#include <time.h>

#include "worker/clock.h"

static uint64_t	 mono;
static int64_t	 wall;

void
clock_update(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	mono = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	clock_gettime(CLOCK_REALTIME, &ts);
	wall = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

uint64_t
clock_mono(void)
{
	return (mono);
}

int64_t
clock_wall(void)
{
	return (wall);
}
