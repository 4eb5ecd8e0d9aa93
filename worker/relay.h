/*
 * A request's exchange with its upstream: sending it, and streaming the
 * response back as it comes, with back-pressure.
 */
#ifndef WORKER_RELAY_H
#define WORKER_RELAY_H

#include "worker/request.h"

/* Send the request on; its head and body are whole. */
void	relay_start(struct request *);
/* End a stream cleanly, as if the upstream had ended it. */
void	relay_end_stream(struct request *);

#endif
