/*
 * Slots of numbers, whose writer may have been taken over: adding one up loses
 * no request and makes no name that does not end, whatever is in it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mcp_methods.h"
#include "common/stats.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct stats_slot	 bad, total;

/* Pieces: where (a part of the slot's length, 3 bytes), how long, and bytes. */
static void
fill(const uint8_t *p, size_t size)
{
	size_t	 at, n;

	while (size > 4) {
		at = ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]) %
		    sizeof(bad);
		n = p[3];
		p += 4;
		size -= 4;
		if (n > size)
			n = size;
		if (n > sizeof(bad) - at)
			n = sizeof(bad) - at;
		memcpy((uint8_t *)&bad + at, p, n);
		p += n;
		size -= n;
	}
}

static uint64_t
counted(const struct stats_slot *s)
{
	struct stats_key	 k;
	uint64_t		 n = 0;
	size_t			 i;

	for (i = 0; i < STATS_REQUESTS; i++)
		if (stats_key_get(stats_get(&s->requests[i].key), &k) == 0) {
			n += stats_get(&s->requests[i].n);
			if (mcp_method_name(k.method) == NULL)
				abort();
		}
	return (n);
}

static void
check_names(const struct stats_name *t)
{
	size_t	 i;

	for (i = 0; i < STATS_NAMES; i++)
		if (strnlen(t[i].name, STATS_NAME_MAX) == STATS_NAME_MAX)
			abort();
}

static uint64_t
timed(const struct stats_op *t)
{
	unsigned	 up, method, error;
	char		 buf[16];
	uint64_t	 n = 0;
	size_t		 i;

	for (i = 0; i < STATS_OPS; i++)
		if (stats_op_get(stats_get(&t[i].key), &up, &method,
		    &error) == 0) {
			n += stats_get(&t[i].time.n);
			if (strlen(stats_error_text(error, buf)) >=
			    sizeof(buf))
				abort();
		}
	return (n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&bad, 0, sizeof(bad));
	memset(&total, 0, sizeof(total));
	fill(data, size);
	stats_merge(&total, &bad);
	stats_merge(&total, &bad);
	if (counted(&total) != 2 * counted(&bad) ||
	    timed(total.server) != 2 * timed(bad.server) ||
	    timed(total.client) != 2 * timed(bad.client))
		abort();
	check_names(total.tools);
	check_names(total.clients);
	return (0);
}
