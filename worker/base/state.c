/*
 * Where this worker is in its life.
 */
#include <stddef.h>

#include "worker/base/state.h"

static int			 started, leaving;
static const struct shm		*shm;

void
state_setup(const struct shm *s)
{
	shm = s;
}

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
	return (started && !leaving && (shm == NULL ||
	    atomic_load_explicit(&shm->draining, memory_order_relaxed) == 0));
}

int
state_leaving(void)
{
	return (leaving);
}
