/*
 * Where this worker is in its life.
 */
#include "worker/base/state.h"

static int	 started, leaving;

void
state_start(void)
{
	started = 1;
}

void
state_leave(void)
{
	leaving = 1;
}

int
state_serving(void)
{
	return (started && !leaving);
}

int
state_leaving(void)
{
	return (leaving);
}
