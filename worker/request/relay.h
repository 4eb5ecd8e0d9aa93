/*
 * A request's exchange with its upstream: sending it, and streaming the
 * response back as it comes, with back-pressure.  A silent event stream gets
 * comments (timeouts.sse_keepalive), between events.  No stream outlasts
 * timeouts.stream_total, and none that a client only listens to outlasts the
 * credential that opened it.
 */
#ifndef REQUEST_RELAY_H
#define REQUEST_RELAY_H

#include "worker/request/request.h"

/* Once. */
void	relay_setup(const struct worker_conf *);
/* Send the request on to r->server; its head and body are whole. */
void	relay_start(struct request *);
/* The client takes more of the answer. */
void	relay_writable(struct request *);
/* Should a newer key set or configuration have taken back what let it in, a
 * stream that a client only listens to ends as if that had expired. */
void	relay_look_again(struct request *);
/* End a stream cleanly, as if the upstream had ended it; why is for the log
 * when a response was still to come. */
void	relay_end_stream(struct request *, const char *why);
/* The answer takes too long: a stream ends cleanly, at a boundary of events if
 * one comes soon; of anything else the client sees that it was cut off. */
void	relay_cut(struct request *, const char *why);

#endif
