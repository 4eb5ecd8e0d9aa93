/*
 * RFC 9728 section 2 (the documents) and section 3.1 (where they are).
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/resource.h"
#include "worker/request/metadata.h"

#define NAME_MAX_LEN	64	/* as the configuration allows */

static const char	*public_url;
static struct slice	 base;		/* before a query, no final '/' */
static struct slice	 origin;	/* scheme and authority of it */
static struct slice	 own_path;	/* public_url's, with that '/' */
static struct buf	 rest;		/* of every document, after resource */
static const char	*plain;		/* NULL while OAuth is off */

static void	 split(const char *);
static void	 make_rest(const struct conf_oauth *);
static void	 put_member(const char *, const char *);
static void	 put_string(struct buf *, struct slice);

void
metadata_setup(const struct conf_oauth *c)
{
	if (!c->enabled)
		return;
	split(c->public_url);
	plain = c->metadata_path;
	make_rest(c);
}

static void
split(const char *url)
{
	const char	*p, *path, *query;

	public_url = url;
	p = strstr(url, "://");
	p = p == NULL ? url : p + 3;
	path = p + strcspn(p, "/?");
	query = path + strcspn(path, "?");
	origin = (struct slice){ url, (size_t)(path - url) };
	own_path = (struct slice){ path, (size_t)(query - path) };
	/* a slash behind the host alone is no path (section 3.1) */
	if (own_path.len == 1)
		own_path.len = 0;
	base = (struct slice){ url, (size_t)(query - url) };
	if (query > path && query[-1] == '/')
		base.len--;
}

static void
make_rest(const struct conf_oauth *c)
{
	size_t	 i;

	buf_puts(&rest, ",\"authorization_servers\":[");
	put_string(&rest, slice_of(c->issuer));
	buf_puts(&rest, "],\"bearer_methods_supported\":[\"header\"]");
	for (i = 0; i < c->nscopes; i++) {
		buf_puts(&rest, i == 0 ? ",\"scopes_supported\":[" :
		    ",");
		put_string(&rest, slice_of(c->scopes[i]));
	}
	if (c->nscopes > 0)
		buf_puts(&rest, "]");
	put_member("resource_name", c->resource_name);
	put_member("resource_documentation", c->resource_documentation);
	put_member("resource_policy_uri", c->resource_policy_uri);
	put_member("resource_tos_uri", c->resource_tos_uri);
	buf_puts(&rest, "}\n");
	/* at the start there is nobody to answer */
	if (buf_check(&rest) == -1)
		fatalx("metadata: no memory");
}

static void
put_member(const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_puts(&rest, ",");
	put_string(&rest, slice_of(name));
	buf_puts(&rest, ":");
	put_string(&rest, slice_of(value));
}

static void
put_string(struct buf *b, struct slice v)
{
	char	*p;
	size_t	 n;

	if ((p = buf_room(b, v.len * 6 + 2)) == NULL)
		return;
	*p = '"';
	n = 1 + json_escape(v, v.len, p + 1);
	p[n] = '"';
	buf_added(b, n + 1);
}

int
metadata_is_name(struct slice s)
{
	size_t	 i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "abcdefghijklmnopqrstuvwxyz0123456789_-", s.p[i]) == NULL)
			return (0);
	return (s.len > 0 && s.len <= NAME_MAX_LEN);
}

int
metadata_find(struct slice path, struct slice *name)
{
	size_t	 n;

	*name = (struct slice){ NULL, 0 };
	if (plain == NULL || path.len < (n = strlen(plain)) ||
	    memcmp(path.p, plain, n) != 0)
		return (0);
	path.p += n;
	path.len -= n;
	if (path.len == 0 || slice_eq(path, own_path))
		return (1);
	n = base.len - origin.len;
	if (path.len < n || memcmp(path.p, base.p + origin.len, n) != 0)
		return (0);
	path.p += n;
	path.len -= n;
	if (path.len == 0)
		return (1);
	*name = (struct slice){ path.p + 1, path.len - 1 };
	return (*path.p == '/' && metadata_is_name(*name));
}

int
metadata_put_document(struct buf *b, struct slice name)
{
	char	 text[NAME_MAX_LEN + 1] = "", *url = NULL;

	if (name.len > 0) {
		memcpy(text, name.p, name.len);
		if ((url = resource_of(public_url, text)) == NULL)
			buf_fail(b);
	}
	buf_puts(b, "{\"resource\":");
	put_string(b, slice_of(url == NULL ? public_url : url));
	buf_append(b, buf_data(&rest), rest.len);
	free(url);
	return (buf_check(b));
}

void
metadata_put_url(struct buf *b, struct slice name)
{
	buf_append(b, origin.p, origin.len);
	buf_puts(b, plain);
	if (name.len > 0) {
		buf_append(b, base.p + origin.len,
		    base.len - origin.len);
		buf_puts(b, "/");
		buf_append(b, name.p, name.len);
	}
}

struct slice
metadata_origin(void)
{
	return (origin);
}
