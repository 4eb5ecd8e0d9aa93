/*
 * Routes and origins.
 */
#include <netinet/in.h>

#include <arpa/inet.h>

#include <string.h>
#include <strings.h>

#include "worker/request/metadata.h"
#include "worker/request/route.h"

static const struct worker_conf	*conf;
static int			 guarded;	/* by Host */
static struct slice		 own_host;	/* public_url's */

static void	 find_upstream(struct slice, size_t *, struct slice *);
static struct slice host_name(struct slice);
static int	 host_loopback(struct slice);
static int	 origin_visible(struct slice);
static int	 same_loopback(const struct http1_head *, struct slice);

void
route_setup(const struct worker_conf *c, int loopback)
{
	const char	*rest;

	conf = c;
	guarded = !c->any_host && (c->nallowed_hosts > 0 ||
	    (loopback && !c->auth_enabled));
	rest = strstr(c->oauth.public_url, "://");
	rest = rest == NULL ? c->oauth.public_url : rest + 3;
	own_host = host_name((struct slice){ rest, strcspn(rest, "/?") });
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
route_host_ok(const struct http1_head *h)
{
	struct slice	 host;
	size_t		 i;

	if (!guarded || h->count[HTTP1_HOST] == 0)
		return (1);
	host = host_name(http1_value(h, HTTP1_HOST));
	if (host_loopback(host) || (host.len == own_host.len &&
	    strncasecmp(host.p, own_host.p, host.len) == 0))
		return (1);
	for (i = 0; i < conf->nallowed_hosts; i++)
		if (slice_is_nocase(host, conf->allowed_hosts[i]))
			return (1);
	return (0);
}

/* Without a port, and the dot of the root. */
static struct slice
host_name(struct slice s)
{
	const char	*end;

	if (s.len > 0 && *s.p == '[') {
		if ((end = memchr(s.p, ']', s.len)) != NULL)
			s.len = (size_t)(end + 1 - s.p);
		return (s);
	}
	if ((end = memchr(s.p, ':', s.len)) != NULL)
		s.len = (size_t)(end - s.p);
	if (s.len > 1 && s.p[s.len - 1] == '.')
		s.len--;
	return (s);
}

static int
host_loopback(struct slice s)
{
	static const char	 name[] = ".localhost";
	const size_t		 len = sizeof(name) - 1;
	char			 text[INET_ADDRSTRLEN];
	struct in_addr		 a;

	if (slice_is_nocase(s, name + 1) || slice_is(s, "[::1]") ||
	    (s.len > len && strncasecmp(s.p + s.len - len, name, len) == 0))
		return (1);
	if (s.len >= sizeof(text))
		return (0);
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return (inet_pton(AF_INET, text, &a) == 1 &&
	    ntohl(a.s_addr) >> 24 == IN_LOOPBACKNET);
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
