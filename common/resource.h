/*
 * The URLs by which this gateway and its upstreams are known as protected
 * resources (RFC 8707, RFC 9728), made from auth.oauth.public_url.
 */
#ifndef COMMON_RESOURCE_H
#define COMMON_RESOURCE_H

#include "common/slice.h"

/* The resource that one upstream is: its name as a segment more in the path
 * of public_url.  To be freed; NULL when memory is gone. */
char	*resource_of(const char *public_url, const char *upstream);
/* Does this name the gateway as a whole?  The very bytes of public_url; where
 * that is but an origin, an only slash may follow or lack (RFC 3986, section
 * 6.2.3), as clients add it. */
int	resource_is(const char *public_url, struct slice);

#endif
