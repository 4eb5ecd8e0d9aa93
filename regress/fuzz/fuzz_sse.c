/*
 * Event streams: where the response is found does not depend on how the
 * bytes were cut into reads.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "worker/sse.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The place of the first response when fed in pieces of step, or -1. */
static long
first(const char *p, size_t len, size_t step)
{
	struct sse	*s = sse_new();
	struct slice	 in;
	size_t		 pos, n;
	long		 found = -1;
	int		 response = 0;

	if (s == NULL)
		abort();
	for (pos = 0; pos < len && !response; pos += step) {
		in.p = p + pos;
		in.len = len - pos < step ? len - pos : step;
		n = sse_feed(s, in, &response);
		if (n > in.len || (!response && n != in.len))
			abort();
		if (response)
			found = (long)(pos + n);
	}
	sse_free(s);
	return (found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char	*p = (const char *)data;

	if (len > 0 && (first(p, len, len) != first(p, len, 1) ||
	    first(p, len, 3) != first(p, len, 1)))
		abort();
	return (0);
}
