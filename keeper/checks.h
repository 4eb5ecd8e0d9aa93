/*
 * What workers ask: is this an API key?  Channels to workers, and the checks
 * under way; the same key asked for by several is computed once.
 */
#ifndef KEEPER_CHECKS_H
#define KEEPER_CHECKS_H

#include <event2/event.h>
#include <stdint.h>

#include "keeper/pool.h"

/* Once, after store_setup(). */
void	checks_setup(struct event_base *);
/* A worker of a generation; fd, its channel, is taken over. */
void	checks_attach(uint32_t gen, uint32_t id, int fd);
/* The generation's workers are gone. */
void	checks_retire(uint32_t gen);
/* Exit when the last worker has left (the master is gone). */
void	checks_finish(void);
/* For the pool. */
void	checks_done(struct pool_job *);

#endif
