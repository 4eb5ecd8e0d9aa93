/*
 * The time of this turn: what happens in one turn happens at one time, and
 * the clock is read at most once for all of it.
 */
#include <time.h>

#include "worker/base/clock.h"

#define WALL_US		10000

static uint64_t	 mono;		/* us */
static int64_t	 wall;		/* us, of when it was read: */
static uint64_t	 wall_at;
static int	 fresh;

static void	 clock_read(void);

void
clock_forget(void)
{
	fresh = 0;
}

static void
clock_read(void)
{
	struct timespec	 ts;

	mono = clock_now();
	fresh = 1;
	/* a reading costs as much as much else; who sets it waits so long */
	if (wall_at != 0 && mono - wall_at < WALL_US)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	wall = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
	wall_at = mono;
}

uint64_t
clock_now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}

uint64_t
clock_mono(void)
{
	return (clock_turn() / 1000);
}

uint64_t
clock_turn(void)
{
	if (!fresh)
		clock_read();
	return (mono);
}

int64_t
clock_wall(void)
{
	if (!fresh)
		clock_read();
	return ((wall + (int64_t)(mono - wall_at)) / 1000);
}
