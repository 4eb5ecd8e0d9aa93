/*
 * Clients find out what an answer is in several ways: some compare the type,
 * some look at how the value begins, some look for the type anywhere in it.
 */
#include <string.h>
#include <strings.h>

#include "worker/wire/media.h"

#define JSON	"application/json"

static int	 holds(struct slice, const char *);
static int	 doubtful(struct slice);
static int	 is_page(struct slice);

enum media
media_of(const struct http1_head *h)
{
	struct slice	 v = http1_value(h, HTTP1_CONTENT_TYPE);
	struct slice	 type, rest = v;

	if (v.p == NULL)
		return (MEDIA_NONE);
	if (slice_is_nocase(v, JSON))
		return (MEDIA_JSON);
	type = slice_cut(&rest, ';');
	if (slice_is_nocase(type, "text/event-stream"))
		return (doubtful(rest) ? MEDIA_DOUBT : MEDIA_STREAM);
	if (holds(v, "event-stream"))
		return (MEDIA_DOUBT);
	if (is_page(type))
		return (MEDIA_PAGE);
	return (slice_is_nocase(type, JSON) ? MEDIA_JSON :
	    MEDIA_OTHER);
}

/* Parameters of an event stream that some read as another type, or by which
 * they decode it: it is UTF-8 and nothing else (WHATWG HTML, server-sent
 * events). */
static int
doubtful(struct slice rest)
{
	struct slice	 item;

	if (memchr(rest.p, ',', rest.len) != NULL || holds(rest, "json") ||
	    holds(rest, "event-stream"))
		return (1);
	while (rest.len > 0) {
		item = slice_cut(&rest, ';');
		if (holds(item, "charset") &&
		    !slice_is_nocase(item, "charset=utf-8") &&
		    !slice_is_nocase(item, "charset=\"utf-8\""))
			return (1);
	}
	return (0);
}

static int
is_page(struct slice type)
{
	static const char *const	 names[] = { "text/html", "text/xml",
	    "application/xml", "text/xsl", NULL };
	size_t				 i;

	for (i = 0; names[i] != NULL; i++)
		/* as some read a list of types, too */
		if (type.len >= strlen(names[i]) &&
		    strncasecmp(type.p, names[i], strlen(names[i])) == 0)
			return (1);
	return (holds(type, "+xml") || holds(type, "html") ||
	    (type.len > 10 && strncasecmp(type.p, "multipart/", 10) == 0));
}

/* Case ignored; with must begin with a lower-case letter or none. */
static int
holds(struct slice s, const char *with)
{
	size_t	 n = strlen(with), i;

	for (i = 0; i + n <= s.len; i++)
		if (strncasecmp(s.p + i, with, n) == 0)
			return (1);
	return (0);
}
