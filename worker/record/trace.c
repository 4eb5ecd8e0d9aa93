/*
 * Reads a traceparent strictly, and makes one.
 */
#include <sys/random.h>

#include <stdint.h>
#include <string.h>

#include "common/log.h"
#include "worker/record/trace.h"

static int	 parent_ok(struct slice);
static void	 random_hex(char *, size_t);

void
trace_make_parent(const struct http1_head *h, char v[TRACE_PARENT_LEN])
{
	struct slice	 in = http1_value(h, HTTP1_TRACEPARENT);

	memcpy(v, "00-", 3);
	if (!trace_given(h)) {
		random_hex(v + 3, 32);
		memcpy(v + 53, "00", 2);
	} else {
		memcpy(v + 3, in.p + 3, 32);
		memcpy(v + 53, in.p + 53, 2);
		/* of a later version's flags only the sampled one is known */
		if (memcmp(in.p, "00", 2) != 0) {
			v[53] = '0';
			v[54] = strchr("13579bdf", v[54]) != NULL ? '1' : '0';
		}
	}
	random_hex(v + 36, 16);
	v[35] = v[52] = '-';
}

int
trace_given(const struct http1_head *h)
{
	return (h->count[HTTP1_TRACEPARENT] == 1 &&
	    parent_ok(http1_value(h, HTTP1_TRACEPARENT)));
}

/* <version>-<32 hex>-<16 hex>-<2 hex>, lower case, ids not zero.  A version
 * later than 00 may have more behind another '-', which is nothing to us
 * (Trace Context, Versioning of traceparent); ff is none. */
static int
parent_ok(struct slice v)
{
	size_t	 i;
	int	 trace = 0, span = 0;

	if (v.p == NULL || v.len < TRACE_PARENT_LEN ||
	    memcmp(v.p, "ff", 2) == 0)
		return (0);
	if (v.len > TRACE_PARENT_LEN && (memcmp(v.p, "00", 2) == 0 ||
	    v.p[TRACE_PARENT_LEN] != '-'))
		return (0);
	for (i = 0; i < TRACE_PARENT_LEN; i++) {
		if (i == 2 || i == 35 || i == 52) {
			if (v.p[i] != '-')
				return (0);
			continue;
		}
		if (strchr("0123456789abcdef", v.p[i]) == NULL)
			return (0);
		if (v.p[i] != '0' && i > 2 && i < 35)
			trace = 1;
		else if (v.p[i] != '0' && i > 35 && i < 52)
			span = 1;
	}
	return (trace && span);
}

/* Ids that must not collide; nothing secret hangs on them. */
static void
random_hex(char *out, size_t digits)
{
	static uint8_t	 pool[1024];
	static size_t	 left;
	size_t		 i;
	uint8_t		 byte;

	for (i = 0; i < digits; i += 2) {
		if (left == 0) {
			if (getrandom(pool, sizeof(pool), 0) !=
			    sizeof(pool))
				fatal("getrandom");
			left = sizeof(pool);
		}
		byte = pool[--left];
		out[i] = "0123456789abcdef"[byte >> 4];
		out[i + 1] = "0123456789abcdef"[byte & 15];
	}
}
