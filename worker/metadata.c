/*
 * RFC 9728 section 2 (the document) and section 3.1 (where it is).
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "worker/buf.h"
#include "worker/metadata.h"

static struct buf	 document;
static struct buf	 inserted;	/* metadata_path and public_url's path */
static struct buf	 url;
static struct slice	 origin;
static const char	*plain;		/* NULL while OAuth is off */

static void
put_string(struct buf *b, const char *s)
{
	struct slice	 v = slice_of(s);
	char		*p;

	if (buf_puts(b, "\"") == -1 ||
	    (p = buf_room(b, v.len * 6 + 1)) == NULL)
		fatalx("metadata: no memory");
	buf_added(b, json_escape(v, v.len, p));
	if (buf_puts(b, "\"") == -1)
		fatalx("metadata: no memory");
}

static void
put(struct buf *b, const char *s)
{
	if (buf_puts(b, s) == -1)
		fatalx("metadata: no memory");
}

static void
make_document(const struct conf_oauth *c)
{
	size_t	 i;

	put(&document, "{\"resource\":");
	put_string(&document, c->public_url);
	put(&document, ",\"authorization_servers\":[");
	put_string(&document, c->issuer);
	put(&document, "],\"bearer_methods_supported\":[\"header\"]");
	for (i = 0; i < c->nscopes; i++) {
		put(&document, i == 0 ? ",\"scopes_supported\":[" : ",");
		put_string(&document, c->scopes[i]);
	}
	put(&document, c->nscopes > 0 ? "]}\n" : "}\n");
}

void
metadata_setup(const struct conf_oauth *c)
{
	const char	*rest, *path;

	if (!c->enabled)
		return;
	plain = c->metadata_path;
	rest = strstr(c->public_url, "://");
	rest = rest == NULL ? c->public_url : rest + 3;
	path = rest + strcspn(rest, "/?");
	origin.p = c->public_url;
	origin.len = (size_t)(path - c->public_url);
	if (buf_append(&url, origin.p, origin.len) == -1)
		fatalx("metadata: no memory");
	put(&url, plain);
	if (buf_append(&url, "", 1) == -1)
		fatalx("metadata: no memory");
	put(&inserted, plain);
	if (*path == '/' && path[1] != '\0' &&
	    buf_append(&inserted, path, strcspn(path, "?")) == -1)
		fatalx("metadata: no memory");
	make_document(c);
}

int
metadata_match(struct slice path)
{
	return (plain != NULL && (slice_is(path, plain) ||
	    slice_eq(path, (struct slice){ buf_data(&inserted),
	    inserted.len })));
}

struct slice
metadata_document(void)
{
	return ((struct slice){ buf_data(&document), document.len });
}

const char *
metadata_url(void)
{
	return (plain == NULL ? "" : buf_data(&url));
}

struct slice
metadata_origin(void)
{
	return (origin);
}
