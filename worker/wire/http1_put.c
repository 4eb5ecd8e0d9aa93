/*
 * Heads are written without printf(3), which would take longer than all of the
 * rest.
 */
#include <string.h>
#include <time.h>

#include "worker/base/clock.h"
#include "worker/wire/http1_put.h"

static char	*put(char *, struct slice);

void
http1_put_request(struct buf *b, const char *method, struct slice path,
    struct slice query, const char *host)
{
	struct slice	 parts[] = {
		slice_of(method), { " ", 1 }, path,
		{ "?", query.p == NULL ? 0 : 1 }, query,
		{ " HTTP/1.1\r\nHost: ", 17 }, slice_of(host), { "\r\n", 2 }
	};
	size_t		 i, n = 0;
	char		*p, *start;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		n += parts[i].len;
	if ((start = p = buf_room(b, n)) == NULL)
		return;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		p = put(p, parts[i]);
	buf_added(b, (size_t)(p - start));
}

static char *
put(char *p, struct slice s)
{
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	return (p + s.len);
}

void
http1_put_field(struct buf *b, struct slice name, struct slice value)
{
	char	*p;

	if ((p = buf_room(b, name.len + value.len + 4)) == NULL)
		return;
	p = put(p, name);
	*p++ = ':';
	*p++ = ' ';
	p = put(p, value);
	*p++ = '\r';
	*p++ = '\n';
	buf_added(b, name.len + value.len + 4);
}

void
http1_open_field(struct buf *b, const char *name)
{
	buf_puts(b, name);
	buf_append(b, ": ", 2);
}

void
http1_close_field(struct buf *b)
{
	buf_append(b, "\r\n", 2);
}

void
http1_put_date(struct buf *b)
{
	static char	 text[64];
	static time_t	 when;
	time_t		 now = (time_t)(clock_wall() / 1000);
	struct tm	 tm;

	if (now != when) {
		gmtime_r(&now, &tm);
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT",
		    &tm);
		when = now;
	}
	http1_put_str(b, "Date", text);
}

void
http1_put_number(struct buf *b, const char *name, uint64_t value)
{
	http1_open_field(b, name);
	buf_number(b, value);
	http1_close_field(b);
}

void
http1_put_length(struct buf *b, uint64_t n)
{
	http1_put_number(b, "Content-Length", n);
}

void
http1_put_end(struct buf *b)
{
	buf_puts(b, "\r\n");
}
