/*
 * What the strict pass lets through yajl must take too, and escaping any
 * bytes must give a JSON string.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "common/json.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const yajl_callbacks nothing;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 s = { (const char *)data, len };
	yajl_handle	 h;
	yajl_status	 st;
	char		*out;
	size_t		 n;

	if (json_check(s.p, s.len) == JSON_OK) {
		h = yajl_alloc(&nothing, NULL, NULL);
		st = yajl_parse(h, data, len);
		if (st == yajl_status_ok)
			st = yajl_complete_parse(h);
		if (st != yajl_status_ok)
			abort();
		yajl_free(h);
	}
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
