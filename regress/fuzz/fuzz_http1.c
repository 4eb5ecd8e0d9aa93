/*
 * Heads and chunked bodies: a message that comes byte by byte is read as one
 * that comes at once, and every slice lies inside the text.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/wire/http1.h"

#define MAX	16384

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
inside(struct slice s, const char *p, size_t len)
{
	if (s.p != NULL && s.len > 0 &&
	    (s.p < p || s.p + s.len > p + len) && !slice_is(s, "/"))
		abort();
}

static void
look(const struct http1_head *h, const char *p, size_t len)
{
	size_t	 i;

	inside(h->method, p, len);
	inside(h->target, p, len);
	inside(h->path, p, len);
	inside(h->query, p, len);
	for (i = 0; i < h->nfield; i++) {
		inside(h->field[i].name, p, len);
		inside(h->field[i].value, p, len);
		if (memchr(h->field[i].value.p, '\n',
		    h->field[i].value.len) != NULL ||
		    memchr(h->field[i].value.p, '\r',
		    h->field[i].value.len) != NULL)
			abort();
	}
	if (h->body == HTTP1_BODY_CHUNKED &&
	    (h->count[HTTP1_CONTENT_LENGTH] > 0 || h->minor == 0))
		abort();
}

static void
heads(const char *p, size_t len)
{
	static struct http1_head h;
	struct http1_scan	 whole, bytes;
	enum http1_more		 a, b = HTTP1_MORE;
	const char		*why;
	size_t			 na = 0, nb = 0, i;
	int			 sa, sb;

	memset(&whole, 0, sizeof(whole));
	memset(&bytes, 0, sizeof(bytes));
	a = http1_scan_head(&whole, p, len, MAX, &na, &sa, &why);
	for (i = 0; i <= len && b == HTTP1_MORE; i++)
		b = http1_scan_head(&bytes, p, i, MAX, &nb, &sb, &why);
	if (a != b || (a == HTTP1_DONE && na != nb))
		abort();
	if (a != HTTP1_DONE)
		return;
	if (http1_parse_request(&h, p, na, &why) == 0)
		look(&h, p, na);
	if (http1_parse_response(&h, p, na, slice_of("POST"), &why) == 0)
		look(&h, p, na);
}

/* Decode in pieces of at most step bytes; the result is in out. */
static enum http1_more
decode(const char *p, size_t len, size_t step, char *out, size_t *nout,
    size_t *consumed)
{
	struct http1_chunk	 c;
	enum http1_more		 more = HTTP1_MORE;
	struct slice		 data;
	const char		*why;
	size_t			 pos = 0, used, n;

	memset(&c, 0, sizeof(c));
	*nout = 0;
	while (pos < len && more == HTTP1_MORE) {
		n = len - pos < step ? len - pos : step;
		more = http1_chunk_decode(&c, p + pos, n, &used, &data, &why);
		if (used > n || (used == 0 && more == HTTP1_MORE))
			abort();
		if (more != HTTP1_BAD && data.len > 0) {
			inside(data, p + pos, n);
			memcpy(out + *nout, data.p, data.len);
			*nout += data.len;
		}
		pos += used;
	}
	*consumed = pos;
	return (more);
}

static void
chunks(const char *p, size_t len)
{
	char		*a = malloc(len + 1), *b = malloc(len + 1);
	size_t		 na, nb, ca, cb;
	enum http1_more	 ra, rb;

	if (a == NULL || b == NULL)
		abort();
	ra = decode(p, len, len + 1, a, &na, &ca);
	rb = decode(p, len, 1, b, &nb, &cb);
	if (ra != rb || na != nb || memcmp(a, b, na) != 0 ||
	    (ra == HTTP1_DONE && ca != cb))
		abort();
	free(a);
	free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len > 0 && len <= 65536) {
		heads((const char *)data, len);
		chunks((const char *)data, len);
	}
	return (0);
}
