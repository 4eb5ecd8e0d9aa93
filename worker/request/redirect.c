/*
 * What the server says is taken apart strictly: a reference that two programs
 * could read as two is none.
 */
#include <string.h>
#include <strings.h>

#include "worker/request/redirect.h"

#define LOCATION_MAX	2048

static int	 location_ok(struct slice);
static int	 skip_origin(const struct conf_server *, struct slice *);
static int	 same_origin(const struct conf_server *, struct slice);
static size_t	 span(struct slice, const char *);
static void	 put_path(struct buf *, struct slice, struct slice);
static void	 up(struct buf *, size_t);

int
redirect_resolve(const struct conf_server *s, struct slice target,
    struct slice location, struct buf *out)
{
	struct slice	 path, base = { target.p, span(target, "?") };
	struct slice	 query;
	size_t		 start = out->len;

	if (!location_ok(location))
		return (-1);
	location.len = span(location, "#");
	if (location.len == 0 || skip_origin(s, &location) == -1)
		return (-1);
	path = (struct slice){ location.p, span(location, "?") };
	query = (struct slice){ location.p + path.len,
	    location.len - path.len };
	if (path.len == 0)
		path = base;
	put_path(out, base, path);
	/* "//" begins a host to some */
	if (out->len - start > 1 && buf_data(out)[start + 1] == '/')
		return (-1);
	if (query.len == 0 && s->query != NULL) {
		buf_puts(out, "?");
		buf_puts(out, s->query);
	} else
		buf_append(out, query.p, query.len);
	return (buf_check(out));
}

/* Only what RFC 3986 section 2 allows at all. */
static int
location_ok(struct slice v)
{
	size_t	 i;

	if (v.len == 0 || v.len > LOCATION_MAX)
		return (0);
	for (i = 0; i < v.len; i++)
		if (v.p[i] <= 0x20 || v.p[i] >= 0x7f ||
		    strchr("\"<>\\^`{|}", v.p[i]) != NULL)
			return (0);
	return (1);
}

/* Take scheme and authority off, where they are there.  0, or -1 when they
 * are another server's. */
static int
skip_origin(const struct conf_server *s, struct slice *v)
{
	struct slice	 authority;
	size_t		 n = span(*v, ":/?");

	if (n < v->len && v->p[n] == ':') {
		if (n != (s->tls ? 5 : 4) ||
		    strncasecmp(v->p, s->tls ? "https" : "http", n) != 0)
			return (-1);
		v->p += n + 1;
		v->len -= n + 1;
		if (v->len < 2 || memcmp(v->p, "//", 2) != 0)
			return (-1);
	}
	if (v->len < 2 || memcmp(v->p, "//", 2) != 0)
		return (0);
	v->p += 2;
	v->len -= 2;
	authority = (struct slice){ v->p, span(*v, "/?") };
	if (!same_origin(s, authority))
		return (-1);
	v->p += authority.len;
	v->len -= authority.len;
	/* an empty path is "/" (RFC 9110 section 4.2.3) */
	if (v->len == 0)
		*v = slice_of("/");
	return (*v->p == '/' ? 0 : -1);
}

static int
same_origin(const struct conf_server *s, struct slice authority)
{
	struct slice	 host = authority;
	unsigned	 port = s->tls ? 443 : 80;
	const char	*p, *end = authority.p + authority.len;
	size_t		 n = strlen(s->host);

	if (strchr(s->host, ':') != NULL) {
		if (host.len < 2 || *host.p != '[')
			return (0);
		host.p++;
		host.len--;
	}
	if (host.len < n || strncasecmp(host.p, s->host, n) != 0)
		return (0);
	p = host.p + n;
	if (host.p != authority.p && (p == end || *p++ != ']'))
		return (0);
	if (p < end && *p != ':')
		return (0);
	if (p < end && ++p < end)
		for (port = 0; p < end; p++) {
			if (*p < '0' || *p > '9' || port > 6553)
				return (0);
			port = port * 10 + (unsigned)(*p - '0');
		}
	return (port == s->port);
}

/* How many bytes come before the first of these. */
static size_t
span(struct slice s, const char *stop)
{
	size_t	 n = 0;

	while (n < s.len && strchr(stop, s.p[n]) == NULL)
		n++;
	return (n);
}

/* Merge and remove dot segments (sections 5.2.3 and 5.2.4): by segments, each
 * with the '/' before it. */
static void
put_path(struct buf *out, struct slice base, struct slice path)
{
	size_t		 start = out->len, n;
	struct slice	 parts[2] = { { base.p, 0 }, path };
	int		 i, dots = 0;

	if (*path.p != '/') {
		for (n = base.len; n > 0 && base.p[n - 1] != '/'; n--)
			;
		parts[0].len = n == 0 ? 0 : n - 1;
	} else {
		parts[1].p++;
		parts[1].len--;
	}
	if (parts[0].len > 0) {
		parts[0].p++;
		parts[0].len--;
	}
	for (i = parts[0].p == base.p ? 1 : 0; i < 2; i++)
		for (;;) {
			n = span(parts[i], "/");
			dots = (n == 1 && *parts[i].p == '.') ? 1 :
			    (n == 2 && memcmp(parts[i].p, "..", 2) == 0) ? 2 :
			    0;
			if (dots == 2)
				up(out, start);
			else if (dots == 0) {
				buf_puts(out, "/");
				buf_append(out, parts[i].p, n);
			}
			if (n == parts[i].len)
				break;
			parts[i].p += n + 1;
			parts[i].len -= n + 1;
		}
	/* "." and ".." name a folder */
	if (dots != 0 || out->len == start)
		buf_puts(out, "/");
}

/* Take the last segment off. */
static void
up(struct buf *out, size_t start)
{
	while (out->len > start && buf_data(out)[--out->len] != '/')
		;
}
