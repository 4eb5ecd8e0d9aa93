/*
 * What travels on: the head of a request as the upstream gets it, and the
 * head of a response as the client gets it (RFC 9110 section 7.6).
 */
#ifndef REQUEST_FORWARD_H
#define REQUEST_FORWARD_H

#include "common/conf.h"
#include "worker/request/request.h"
#include "worker/wire/http1.h"

/* Once. */
void	forward_setup(const struct worker_conf *);
/* Whose request it is: the peer, or what a trusted proxy says of it. */
void	forward_client_ip(struct request *, const struct http1_head *);
/* Keep what of its head may go on, in r->kept: all but its credential.  0, or
 * -1 when memory is gone. */
int	forward_keep(struct request *, const struct http1_head *);
/* Write the head for a server of r->upstream: everything but what frames the
 * body, and the empty line.  0 or -1. */
int	forward_put_head(const struct request *, size_t server, struct buf *);
/* The same for a request of the gateway's own, a POST without fields that
 * describe its body. */
int	forward_put_own(const struct request *, size_t server, struct buf *);
/* The target that those write: the server's, or r->target. */
void	forward_put_target(const struct request *, size_t server,
	    struct buf *);
/* Queue the head of the upstream's response.  0 or -1. */
int	forward_response(struct request *, const struct http1_head *);
/* Did this gateway send it on itself (RFC 9110 section 7.6.3)? */
int	forward_looped(const struct http1_head *);
/* One of "POST", "GET", "DELETE". */
const char *forward_method(const struct request *);

#endif
