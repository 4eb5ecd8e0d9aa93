/*
 * Where this worker is in its life.  main.c tells; who must know asks here
 * and so needs nothing of main.c.
 */
#ifndef BASE_STATE_H
#define BASE_STATE_H

#include "common/shm.h"

/* Once. */
void	state_setup(const struct shm *);

/* The master said that clients may be served. */
void	state_start(void);
/* A newer generation serves, or the gateway stops; for good. */
void	state_leave(void);

/* 1 between the two, unless an operator wants no new clients: for /readyz. */
int	state_serving(void);
/* 1 when new requests are told to come back on another connection. */
int	state_leaving(void);

#endif
