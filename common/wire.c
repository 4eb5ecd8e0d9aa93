/*
 * The packing cursor and the unpacking cursor.
 */
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

#define ABSENT	UINT32_MAX

static void	 put(struct wbuf *, const void *, size_t);
static void	 get(struct rbuf *, void *, size_t);

void
wbuf_init(struct wbuf *w, size_t max)
{
	memset(w, 0, sizeof(*w));
	w->max = max;
}

void
wbuf_free(struct wbuf *w)
{
	if (w->data != NULL)
		explicit_bzero(w->data, w->cap);
	free(w->data);
	memset(w, 0, sizeof(*w));
}

static void
put(struct wbuf *w, const void *p, size_t n)
{
	uint8_t	*grown;
	size_t	 cap;

	if (w->failed || n > w->max - w->len) {
		w->failed = 1;
		return;
	}
	if (n == 0)
		return;
	if (w->cap - w->len < n) {
		for (cap = w->cap == 0 ? 256 : w->cap; cap - w->len < n;)
			cap *= 2;
		if (cap > w->max)
			cap = w->max;
		/* not realloc: the old copy is wiped */
		if ((grown = malloc(cap)) == NULL) {
			w->failed = 1;
			return;
		}
		if (w->data != NULL) {
			memcpy(grown, w->data, w->len);
			explicit_bzero(w->data, w->cap);
			free(w->data);
		}
		w->data = grown;
		w->cap = cap;
	}
	memcpy(w->data + w->len, p, n);
	w->len += n;
}

void
wire_put_u8(struct wbuf *w, uint8_t v)
{
	put(w, &v, sizeof(v));
}

void
wire_put_u16(struct wbuf *w, uint16_t v)
{
	put(w, &v, sizeof(v));
}

void
wire_put_u32(struct wbuf *w, uint32_t v)
{
	put(w, &v, sizeof(v));
}

void
wire_put_u64(struct wbuf *w, uint64_t v)
{
	put(w, &v, sizeof(v));
}

void
wire_put_bytes(struct wbuf *w, const void *p, size_t n)
{
	if (n >= ABSENT) {
		w->failed = 1;
		return;
	}
	wire_put_u32(w, (uint32_t)n);
	put(w, p, n);
}

void
wire_put_str(struct wbuf *w, const char *s)
{
	if (s == NULL)
		wire_put_u32(w, ABSENT);
	else
		wire_put_bytes(w, s, strlen(s));
}

void
rbuf_init(struct rbuf *r, const void *p, size_t n)
{
	r->data = p;
	r->len = n;
	r->pos = 0;
	r->failed = 0;
}

static void
get(struct rbuf *r, void *p, size_t n)
{
	if (r->failed || n > r->len - r->pos) {
		r->failed = 1;
		memset(p, 0, n);
		return;
	}
	memcpy(p, r->data + r->pos, n);
	r->pos += n;
}

uint8_t
wire_get_u8(struct rbuf *r)
{
	uint8_t	 v;

	get(r, &v, sizeof(v));
	return (v);
}

uint16_t
wire_get_u16(struct rbuf *r)
{
	uint16_t	 v;

	get(r, &v, sizeof(v));
	return (v);
}

uint32_t
wire_get_u32(struct rbuf *r)
{
	uint32_t	 v;

	get(r, &v, sizeof(v));
	return (v);
}

uint64_t
wire_get_u64(struct rbuf *r)
{
	uint64_t	 v;

	get(r, &v, sizeof(v));
	return (v);
}

const uint8_t *
wire_get_bytes(struct rbuf *r, size_t max, size_t *len)
{
	const uint8_t	*p;
	uint32_t	 n = wire_get_u32(r);

	*len = 0;
	if (r->failed || n > max || n > r->len - r->pos) {
		r->failed = 1;
		return (NULL);
	}
	p = r->data + r->pos;
	r->pos += n;
	*len = n;
	return (p);
}

char *
wire_get_str(struct rbuf *r, size_t max)
{
	struct rbuf	 ahead = *r;
	const uint8_t	*p;
	size_t		 n;
	char		*s;

	if (wire_get_u32(&ahead) == ABSENT && !ahead.failed) {
		*r = ahead;
		return (NULL);
	}
	if ((p = wire_get_bytes(r, max, &n)) == NULL)
		return (NULL);
	if (memchr(p, '\0', n) != NULL || (s = malloc(n + 1)) == NULL) {
		r->failed = 1;
		return (NULL);
	}
	memcpy(s, p, n);
	s[n] = '\0';
	return (s);
}

void
wire_get_cstr(struct rbuf *r, char *out, size_t size)
{
	const uint8_t	*p;
	size_t		 n;

	out[0] = '\0';
	if ((p = wire_get_bytes(r, size - 1, &n)) == NULL)
		return;
	if (memchr(p, '\0', n) != NULL) {
		r->failed = 1;
		return;
	}
	memcpy(out, p, n);
	out[n] = '\0';
}

uint32_t
wire_get_count(struct rbuf *r, uint32_t max)
{
	uint32_t	 n = wire_get_u32(r);

	if (n > max) {
		r->failed = 1;
		return (0);
	}
	return (n);
}

int
wire_end(const struct rbuf *r)
{
	return (!r->failed && r->pos == r->len ? 0 : -1);
}
