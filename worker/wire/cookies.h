/*
 * Cookies of an upstream that may have some (upstreams[].cookies).  Clients
 * know them under names that say whose they are, so that they go to no other
 * upstream and none other can set or read them (RFC 6265).
 */
#ifndef WIRE_COOKIES_H
#define WIRE_COOKIES_H

#include "common/conf.h"
#include "worker/base/buf.h"
#include "worker/wire/http1.h"

/* Once. */
void	cookies_setup(const struct worker_conf *);
/* The client's Cookie fields as this upstream is to see them: what is its own,
 * or nothing. */
void	cookies_put_request(struct buf *, const struct http1_head *,
	    const struct conf_upstream *);
/* Its Set-Cookie fields for the client; what is malformed is left out, and so
 * are Domain and Path: they are for the gateway's own. */
void	cookies_put_response(struct buf *, const struct http1_head *,
	    const struct conf_upstream *);

#endif
