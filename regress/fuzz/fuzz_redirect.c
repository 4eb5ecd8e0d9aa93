/*
 * Locations of upstreams: what is made of one is a request target of the same
 * server that can be read in one way, however it is written.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/request/redirect.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
judge(const struct buf *b)
{
	const char	*p = buf_data(b);
	size_t		 i;

	if (b->len == 0 || p[0] != '/' || (b->len > 1 && p[1] == '/'))
		abort();
	for (i = 0; i < b->len; i++)
		if (p[i] <= 0x20 || p[i] >= 0x7f || p[i] == '#' ||
		    p[i] == '\\')
			abort();
	/* no dot segments are left in the path */
	for (i = 0; i < b->len && p[i] != '?'; i++)
		if (p[i] == '/' && i + 1 < b->len && p[i + 1] == '.' &&
		    (i + 2 == b->len || p[i + 2] == '/' || p[i + 2] == '?' ||
		    (p[i + 2] == '.' && (i + 3 == b->len ||
		    p[i + 3] == '/' || p[i + 3] == '?'))))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char		 host[] = "::1", authority[] = "[::1]:81",
				 path[] = "/mcp", query[] = "k=1";
	struct conf_server	 s = { host, authority, path, 81, size & 1,
				    size & 2 ? query : NULL, 0 };
	struct buf		 b = { 0 };
	const char		*targets[] = { "/mcp", "/a/b/c?d", "/" };
	char			*copy = malloc(size + 1);
	size_t			 i;

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	for (i = 0; i < 3; i++) {
		if (redirect_resolve(&s, slice_of(targets[i]),
		    (struct slice){ copy, size }, &b) == 0)
			judge(&b);
		buf_free(&b);
	}
	free(copy);
	return (0);
}
