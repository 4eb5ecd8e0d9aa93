/*
 * The channel to the keeper: what is asked over it, and what is to be asked
 * again when a new keeper replaces a dead one.
 */
#ifndef WORKER_KEEPER_H
#define WORKER_KEEPER_H

#include <event2/event.h>

#include "common/imsg.h"

/* Once.  gone is called when the channel has ended. */
void	keeper_setup(struct event_base *, void (*gone)(void));
/* The channel to the keeper, or to the next one; taken over. */
void	keeper_attach(int fd);
/* Where to send; NULL while there is no keeper. */
struct channel *keeper_channel(void);

#endif
