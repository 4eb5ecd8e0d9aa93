/* Where a request goes, and whether a browser's page may send it there. */
#ifndef REQUEST_ROUTE_H
#define REQUEST_ROUTE_H

#include <stddef.h>

#include "common/conf.h"
#include "worker/wire/http1.h"

enum route {
	ROUTE_NONE,		/* 404 */
	ROUTE_MCP,		/* /mcp, /mcp/<upstream>, and a '/' after it */
	ROUTE_METADATA,
	ROUTE_HEALTHZ,
	ROUTE_READYZ
};

/* loopback: the listener can be reached from this host only. */
void	route_setup(const struct worker_conf *, int loopback);
/* For ROUTE_MCP *upstream is set, to SIZE_MAX when there is none of that name;
 * *name is what stands behind /mcp/, of length 0 for /mcp and for what could
 * be no name. */
enum route route_find(struct slice path, size_t *upstream,
    struct slice *name);
/* May it be asked for by this Host?  With allowed_hosts, or with nobody to ask
 * who the client is on a loopback listener, a name that a page in a browser
 * could have bent to this host (DNS rebinding, which a GET without Origin shows
 * by nothing else) is none of ours: one of the loopback, public_url's, and
 * those of allowed_hosts are.  No Host (HTTP/1.0): no browser. */
int	route_host_ok(const struct http1_head *);
/* The Origin check against DNS rebinding (MCP, Streamable HTTP, security
 * warning): 1 when there is no Origin, or it is public_url's own, one of
 * allowed_origins, or this gateway's on the loopback. */
int	route_origin_ok(const struct http1_head *);

#endif
