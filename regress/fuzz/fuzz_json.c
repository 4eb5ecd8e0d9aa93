/*
 * What the strict pass lets through yajl must take too and see the same in it;
 * and escaping any bytes must give a JSON string.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "common/json.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What was seen, as a hash. */
struct seen {
	uint64_t	 hash;
	char		*plain;		/* room for any string */
};

static void
see(struct seen *s, int event, const void *p, size_t len)
{
	const unsigned char	*b = p;

	s->hash = (s->hash ^ (uint64_t)event) * 0x100000001b3ULL;
	for (; len > 0; len--)
		s->hash = (s->hash ^ *b++) * 0x100000001b3ULL;
	s->hash = (s->hash ^ 0x100) * 0x100000001b3ULL;
}

static void
ours(void *arg, enum json_event event, struct slice raw)
{
	struct seen	*s = arg;
	size_t		 n;

	switch (event) {
	case JSON_STRING:
	case JSON_NAME:
		n = json_unescape(raw, s->plain);
		s->plain[n] = '\0';
		if (memchr(s->plain, '\0', n) == NULL &&
		    !json_string_is(raw, s->plain))
			abort();
		see(s, event, s->plain, n);
		break;
	case JSON_END:
		see(s, event, NULL, 0);
		break;
	default:
		see(s, event, raw.p, raw.len);
	}
}

static int
yajls_null(void *arg)
{
	see(arg, JSON_NULL, "null", 4);
	return (1);
}

static int
yajls_boolean(void *arg, int v)
{
	see(arg, JSON_BOOLEAN, v ? "true" : "false", v ? 4 : 5);
	return (1);
}

static int
yajls_number(void *arg, const char *p, size_t len)
{
	see(arg, JSON_NUMBER, p, len);
	return (1);
}

static int
yajls_string(void *arg, const unsigned char *p, size_t len)
{
	see(arg, JSON_STRING, p, len);
	return (1);
}

static int
yajls_name(void *arg, const unsigned char *p, size_t len)
{
	see(arg, JSON_NAME, p, len);
	return (1);
}

static int
yajls_object(void *arg)
{
	see(arg, JSON_OBJECT, "{", 1);
	return (1);
}

static int
yajls_array(void *arg)
{
	see(arg, JSON_ARRAY, "[", 1);
	return (1);
}

static int
yajls_end(void *arg)
{
	see(arg, JSON_END, NULL, 0);
	return (1);
}

static const yajl_callbacks callbacks = {
	.yajl_null = yajls_null,
	.yajl_boolean = yajls_boolean,
	.yajl_number = yajls_number,
	.yajl_string = yajls_string,
	.yajl_start_map = yajls_object,
	.yajl_map_key = yajls_name,
	.yajl_end_map = yajls_end,
	.yajl_start_array = yajls_array,
	.yajl_end_array = yajls_end
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 s = { (const char *)data, len };
	yajl_handle	 h;
	yajl_status	 st;
	struct seen	 mine = { 0, NULL }, other = { 0, NULL };
	char		*out;
	size_t		 n;

	if ((mine.plain = malloc(len + 1)) == NULL)
		return (0);
	if (json_walk(s.p, s.len, ours, &mine) == JSON_OK) {
		h = yajl_alloc(&callbacks, NULL, &other);
		st = yajl_parse(h, data, len);
		if (st == yajl_status_ok)
			st = yajl_complete_parse(h);
		if (st != yajl_status_ok || mine.hash != other.hash)
			abort();
		yajl_free(h);
	}
	free(mine.plain);
	if ((out = malloc(len * 6 + 2)) == NULL)
		return (0);
	out[0] = '"';
	n = json_escape(s, len, out + 1);
	out[n + 1] = '"';
	if (n > len * 6 || json_check(out, n + 2) != JSON_OK)
		abort();
	free(out);
	return (0);
}
