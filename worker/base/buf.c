/*
 * Growable byte buffers, and the count of what they hold together.  A few
 * allocations of each size are kept for the next buffer: large ones would
 * else go back to the system, which hands out zeroed pages each time.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/base/buf.h"

#define BUF_MIN		512
#define PRINT_ROOM	128		/* most of what is printed fits */
#define SPARE_SIZES	10		/* BUF_MIN << 9 is 256 KiB */
#define SPARE_BYTES	(256 * 1024)	/* kept of each size, */
#define SPARE_MIN	4		/* or as many */

/* The last one first.  Not chained: who takes one must not wait for it to come
 * into the cache. */
static struct {
	void	*block[SPARE_BYTES / BUF_MIN];
	size_t	 n;
}		 spares[SPARE_SIZES];
static size_t	 total;
static uint64_t	 limit = UINT64_MAX;

static void	 gone(struct buf *);
static void	 wipe(struct buf *);
static int	 spare_size(size_t);
static void	*block_get(size_t);
static void	 block_put(void *, size_t);

/* What buf_room() cannot do at once. */
char *
buf_grow(struct buf *b, size_t n)
{
	char	*p;
	size_t	 cap;

	if (n > SIZE_MAX / 4 - b->len) {
		buf_fail(b);
		return (NULL);
	}
	if (b->p != NULL && b->cap - b->len >= n) {
		gone(b);
		memmove(b->p, b->p + b->off, b->len);
		b->off = 0;
		return (b->p + b->len);
	}
	for (cap = b->cap == 0 ? BUF_MIN : b->cap; cap < b->len + n;)
		cap *= 2;
	/* not realloc: the old copy may hold a token and is wiped */
	if ((p = block_get(cap)) == NULL) {
		buf_fail(b);
		return (NULL);
	}
	if (b->len > 0)
		memcpy(p, b->p + b->off, b->len);
	if (b->p != NULL) {
		wipe(b);
		block_put(b->p, b->cap);
	}
	total += cap - b->cap;
	b->p = p;
	b->cap = cap;
	b->off = 0;
	b->used = 0;
	return (p + b->len);
}

int
buf_number(struct buf *b, uint64_t v)
{
	char	 digits[20], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	return (buf_append(b, p, (size_t)(digits + sizeof(digits) - p)));
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list	 ap, again;
	char	*p;
	int	 n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = -1;
	if ((p = buf_room(b, PRINT_ROOM)) != NULL)
		n = vsnprintf(p, PRINT_ROOM, fmt, ap);
	va_end(ap);
	if (n >= PRINT_ROOM) {
		if ((p = buf_room(b, (size_t)n + 1)) == NULL)
			n = -1;
		else
			vsnprintf(p, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	if (n < 0) {
		buf_fail(b);
		return (-1);
	}
	b->len += (size_t)n;
	return (0);
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n >= b->len) {
		gone(b);
		b->off = 0;
		b->len = 0;
		return;
	}
	b->off += n;
	b->len -= n;
}

void
buf_free(struct buf *b)
{
	b->failed = 0;
	if (b->p == NULL)
		return;
	block_put(b->p, b->cap);
	total -= b->cap;
	memset(b, 0, sizeof(*b));
}

void
buf_wipe(struct buf *b)
{
	if (b->p != NULL)
		wipe(b);
	buf_free(b);
}

/* Its place will be another's, or nobody's. */
static void
gone(struct buf *b)
{
	size_t	 end = b->off + b->len;

	if (end > b->used)
		b->used = end < UINT32_MAX ? (uint32_t)end : UINT32_MAX;
}

static void
wipe(struct buf *b)
{
	gone(b);
	explicit_bzero(b->p, b->used < UINT32_MAX ? b->used : b->cap);
}

size_t
buf_total(void)
{
	return (total);
}

void
buf_setup(uint64_t n)
{
	limit = n;
}

int
buf_tight(void)
{
	return (total > limit / 2);
}

/* Where spares of this size are, or -1. */
static int
spare_size(size_t size)
{
	int	 i;

#ifdef SANITIZE
	/* a use after free is to be seen */
	return (-1);
#endif
	for (i = 0; i < SPARE_SIZES; i++)
		if (size == (size_t)BUF_MIN << i)
			return (i);
	return (-1);
}

static void *
block_get(size_t size)
{
	int	 i = spare_size(size);

	if (i == -1 || spares[i].n == 0)
		return (malloc(size));
	return (spares[i].block[--spares[i].n]);
}

static void
block_put(void *p, size_t size)
{
	int	 i = spare_size(size);

	if (i == -1 || (spares[i].n >= SPARE_MIN &&
	    spares[i].n * size >= SPARE_BYTES)) {
		free(p);
		return;
	}
	spares[i].block[spares[i].n++] = p;
}
