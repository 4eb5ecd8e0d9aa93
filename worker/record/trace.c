/*
 * Reads a traceparent strictly, and makes one.
 */
#include <openssl/rand.h>

#include <stdint.h>
#include <string.h>

#include "common/log.h"
#include "worker/record/trace.h"

#define STATE_MAX	512	/* bytes of a tracestate */

static int	 parent_ok(struct slice);
static void	 read_parent(struct trace_place *, const char *);
static unsigned	 digit(char);
static void	 random_hex(char *, size_t);
static uint64_t	 hex_digits(uint64_t);

void
trace_begin(struct trace *t, const struct http1_head *h)
{
	memset(t, 0, sizeof(*t));
	if (h != NULL && h->count[HTTP1_TRACEPARENT] == 1 &&
	    parent_ok(http1_value(h, HTTP1_TRACEPARENT))) {
		read_parent(&t->at, http1_value(h, HTTP1_TRACEPARENT).p);
		t->given = t->in_head = 1;
		return;
	}
	random_hex(t->at.id, TRACE_ID_LEN);
	memcpy(t->at.flags, "00", 2);
}

int
trace_adopt(struct trace *t, struct slice v)
{
	struct trace_place	 head = t->at;

	if (v.len != TRACE_PARENT_LEN || !parent_ok(v))
		return (0);
	read_parent(&t->at, v.p);
	t->linked = t->given && (memcmp(head.id, t->at.id,
	    sizeof(head.id)) != 0 || memcmp(head.span, t->at.span,
	    sizeof(head.span)) != 0);
	t->link = head;
	t->in_head = t->given && memcmp(head.id, t->at.id,
	    sizeof(head.id)) == 0;
	t->given = 1;
	return (1);
}

/* Of a field's value; what is in it is for those who made it (Trace Context,
 * tracestate). */
int
trace_state_ok(struct slice s)
{
	size_t	 i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e || s.p[i] == '\\')
			return (0);
	return (s.len > 0 && s.len <= STATE_MAX);
}

void
trace_make_span(char span[TRACE_SPAN_LEN])
{
	random_hex(span, TRACE_SPAN_LEN);
}

void
trace_put(const struct trace *t, char v[TRACE_PARENT_LEN])
{
	memcpy(v, "00-", 3);
	memcpy(v + 3, t->at.id, TRACE_ID_LEN);
	v[35] = v[52] = '-';
	memcpy(v + 36, t->up, TRACE_SPAN_LEN);
	memcpy(v + 53, t->at.flags, 2);
}

uint8_t
trace_flags(const struct trace_place *at)
{
	return ((uint8_t)(digit(at->flags[0]) << 4 | digit(at->flags[1])));
}

static unsigned
digit(char c)
{
	return ((unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0'));
}

/* It is one. */
static void
read_parent(struct trace_place *at, const char *v)
{
	memcpy(at->id, v + 3, TRACE_ID_LEN);
	memcpy(at->span, v + 36, TRACE_SPAN_LEN);
	memcpy(at->flags, v + 53, 2);
	/* of a later version's flags only the sampled one is known */
	if (memcmp(v, "00", 2) != 0) {
		at->flags[0] = '0';
		at->flags[1] = strchr("13579bdf", v[54]) != NULL ? '1' : '0';
	}
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

/* Ids that must not collide; nothing secret hangs on them.  libcrypto's
 * generator costs a tenth of what the kernel's does, by the page. */
static void
random_hex(char *out, size_t digits)
{
	static uint64_t	 pool[512];
	static size_t	 left;
	uint64_t	 v;
	size_t		 i;

	for (i = 0; i < digits; i += sizeof(v)) {
		if (left == 0) {
			if (RAND_bytes((unsigned char *)pool,
			    sizeof(pool)) != 1)
				fatalx("RAND_bytes");
			left = 2 * sizeof(pool) / sizeof(pool[0]);
		}
		/* each word is good for two times eight digits */
		left--;
		v = hex_digits(pool[left / 2] >> 4 * (left % 2));
		memcpy(out + i, &v, sizeof(v));
	}
}

/* Eight digits, of the lower four bits of each byte. */
static uint64_t
hex_digits(uint64_t v)
{
	const uint64_t	 ones = 0x0101010101010101ULL;

	v &= 15 * ones;
	return (v + '0' * ones +
	    ((v + 6 * ones) >> 4 & ones) * ('a' - '9' - 1));
}
