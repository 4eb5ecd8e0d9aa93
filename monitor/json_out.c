/*
 * Into an evbuffer, a value at a time.
 */
#include <inttypes.h>
#include <string.h>

#include "common/json.h"
#include "common/rfc3339.h"
#include "common/slice.h"
#include "monitor/json_out.h"

#define PIECE		256	/* bytes escaped at a time */

static void	 begin(struct json_out *, const char *);

static void
begin(struct json_out *j, const char *key)
{
	if (j->some)
		evbuffer_add(j->out, ",", 1);
	j->some = 1;
	if (key != NULL)
		evbuffer_add_printf(j->out, "\"%s\":", key);
}

void
json_open(struct json_out *j, const char *key, char bracket)
{
	begin(j, key);
	evbuffer_add(j->out, &bracket, 1);
	j->some = 0;
}

void
json_close(struct json_out *j, char bracket)
{
	evbuffer_add(j->out, &bracket, 1);
	j->some = 1;
}

void
json_text(struct json_out *j, const char *key, const char *s, size_t max)
{
	char	 out[6 * PIECE];
	size_t	 len = strnlen(s, max), n;

	begin(j, key);
	evbuffer_add(j->out, "\"", 1);
	while (len > 0) {
		/* not in the middle of a character */
		for (n = len < PIECE ? len : PIECE; n < len && n > PIECE - 4 &&
		    ((unsigned char)s[n] & 0xc0) == 0x80; n--)
			;
		evbuffer_add(j->out, out,
		    json_escape((struct slice){ s, n }, n, out));
		s += n;
		len -= n;
	}
	evbuffer_add(j->out, "\"", 1);
}

void
json_string(struct json_out *j, const char *key, const char *s)
{
	json_text(j, key, s, strlen(s));
}

void
json_number(struct json_out *j, const char *key, uint64_t n)
{
	begin(j, key);
	evbuffer_add_printf(j->out, "%" PRIu64, n);
}

void
json_boolean(struct json_out *j, const char *key, int yes)
{
	begin(j, key);
	evbuffer_add_printf(j->out, yes ? "true" : "false");
}

void
json_null(struct json_out *j, const char *key)
{
	begin(j, key);
	evbuffer_add_printf(j->out, "null");
}

void
json_ms(struct json_out *j, const char *key, int64_t ms)
{
	if (ms < 0)
		ms = 0;
	begin(j, key);
	evbuffer_add_printf(j->out, "%" PRId64 ".%03" PRId64, ms / 1000,
	    ms % 1000);
}

void
json_us(struct json_out *j, const char *key, uint64_t us)
{
	begin(j, key);
	evbuffer_add_printf(j->out, "%" PRIu64 ".%06" PRIu64, us / 1000000,
	    us % 1000000);
}

void
json_time(struct json_out *j, const char *key, int64_t ms)
{
	char	 text[RFC3339_STRLEN];

	/* to the end of the year 9999 */
	if (ms <= 0 || ms / 1000 > 253402300799)
		json_null(j, key);
	else
		json_string(j, key, rfc3339_format(ms / 1000, text));
}
