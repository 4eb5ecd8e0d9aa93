/*
 * Redirections of an upstream's server to another path of its own (RFC 9110
 * section 15.4).
 */
#ifndef REQUEST_REDIRECT_H
#define REQUEST_REDIRECT_H

#include "common/conf.h"
#include "common/slice.h"
#include "worker/base/buf.h"

/*
 * Append to out the request target that a Location means, as RFC 3986 section
 * 5.2 resolves it; target is the one that was answered with it.  Without a
 * query of its own it gets that of the server's URL.  0; -1: it is no
 * reference, too long, leads to another scheme, host or port, has a user, or
 * memory is gone (out is to be thrown away).
 */
int	redirect_resolve(const struct conf_server *, struct slice target,
	    struct slice location, struct buf *out);

#endif
