/*
 * Routes and origins.
 */
#include <string.h>

#include "worker/metadata.h"
#include "worker/route.h"

static const struct worker_conf	*conf;

static void	 find_upstream(struct slice, size_t *, struct slice *);
static int	 origin_visible(struct slice);
static int	 same_loopback(const struct http1_head *, struct slice);

void
route_setup(const struct worker_conf *c)
{
	conf = c;
}

enum route
route_find(struct slice path, size_t *upstream, struct slice *name)
{
	*name = (struct slice){ NULL, 0 };
	if (path.len >= 4 && memcmp(path.p, "/mcp", 4) == 0 &&
	    (path.len == 4 || path.p[4] == '/')) {
		find_upstream(path, upstream, name);
		return (ROUTE_MCP);
	}
	if (metadata_find(path, name))
		return (ROUTE_METADATA);
	if (slice_is(path, "/healthz"))
		return (ROUTE_HEALTHZ);
	if (slice_is(path, "/readyz"))
		return (ROUTE_READYZ);
	return (ROUTE_NONE);
}

/* /mcp, /mcp/name: one slash at the end is what people add to URLs. */
static void
find_upstream(struct slice path, size_t *upstream, struct slice *name)
{
	size_t	 i;

	*upstream = conf->default_upstream;
	if (path.len <= 5)
		return;
	path.p += 5;
	path.len -= 5;
	if (path.p[path.len - 1] == '/')
		path.len--;
	if (metadata_is_name(path))
		*name = path;
	for (i = 0; i < conf->nupstreams; i++)
		if (slice_is(path, conf->upstreams[i].name))
			break;
	*upstream = i < conf->nupstreams ? i : SIZE_MAX;
}

int
route_origin_ok(const struct http1_head *h)
{
	struct slice	 origin, own = metadata_origin();
	size_t		 i;

	if (h->count[HTTP1_ORIGIN] == 0)
		return (1);
	if (h->count[HTTP1_ORIGIN] > 1)
		return (0);
	origin = http1_value(h, HTTP1_ORIGIN);
	if (!origin_visible(origin))
		return (0);
	if (own.len > 0 && origin.len == own.len &&
	    strncasecmp(origin.p, own.p, own.len) == 0)
		return (1);
	if (same_loopback(h, origin))
		return (1);
	for (i = 0; i < conf->norigins; i++)
		if (strcmp(conf->origins[i], "*") == 0 ||
		    slice_is_nocase(origin, conf->origins[i]))
			return (1);
	return (0);
}

/* A page of this very gateway on the loopback: rebinding cannot bring about
 * that a browser sends such a Host. */
static int
same_loopback(const struct http1_head *h, struct slice origin)
{
	static const char *const names[] = { "localhost", "127.0.0.1",
	    "[::1]" };
	struct slice	 host = http1_value(h, HTTP1_HOST);
	size_t		 i, len;

	if (origin.len < 7 || strncasecmp(origin.p, "http://", 7) != 0)
		return (0);
	origin.p += 7;
	origin.len -= 7;
	if (host.p == NULL || origin.len != host.len ||
	    strncasecmp(origin.p, host.p, host.len) != 0)
		return (0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		len = strlen(names[i]);
		if (host.len >= len &&
		    strncasecmp(host.p, names[i], len) == 0 &&
		    (host.len == len || host.p[len] == ':'))
			return (1);
	}
	return (0);
}

/* Fit to be named in an answer, even where any origin is allowed. */
static int
origin_visible(struct slice v)
{
	size_t	 i;

	for (i = 0; i < v.len; i++)
		if ((unsigned char)v.p[i] <= 0x20 ||
		    (unsigned char)v.p[i] >= 0x7f || v.p[i] == ',')
			return (0);
	return (v.len > 0);
}
