/*
 * A growable run of bytes, filled at the end and consumed at the front.  What
 * all of them hold together is counted, for limits.buffered.
 *
 * An error sticks: who puts many things looks once at the end, by buf_check().
 * Until then the bytes behind the error may be any.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	char	*p;		/* the allocation, or NULL */
	size_t	 off;		/* start of the data in it */
	size_t	 len;		/* bytes of data */
	size_t	 cap;
	uint32_t used;		/* where data that is gone ended at most */
	int	 failed;	/* something is lacking in it */
};

static inline char *
buf_data(const struct buf *b)
{
	return (b->p + b->off);
}

/* 0, or -1 once something did not get in, or buf_fail() was called; until
 * buf_free() or buf_wipe(). */
static inline int
buf_check(const struct buf *b)
{
	return (b->failed ? -1 : 0);
}

/* What was to be put cannot be made. */
static inline void
buf_fail(struct buf *b)
{
	b->failed = 1;
}

char	*buf_grow(struct buf *, size_t n);

/* Room for n more bytes behind the data, or NULL when memory is gone. */
static inline char *
buf_room(struct buf *b, size_t n)
{
	if (b->p != NULL && b->cap - b->off - b->len >= n)
		return (b->p + b->off + b->len);
	return (buf_grow(b, n));
}

/* n bytes were put into the room. */
static inline void
buf_added(struct buf *b, size_t n)
{
	b->len += n;
}

/* 0, or -1 when memory is gone: for this call alone, like those below. */
static inline int
buf_append(struct buf *b, const void *data, size_t n)
{
	char	*p;

	if (n == 0)
		return (0);
	if ((p = buf_room(b, n)) == NULL)
		return (-1);
	memcpy(p, data, n);
	b->len += n;
	return (0);
}

int	 buf_number(struct buf *, uint64_t);	/* decimal; 0 or -1 */
int	 buf_printf(struct buf *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));		/* 0 or -1 */
/* The same, of a string. */
static inline int
buf_puts(struct buf *b, const char *s)
{
	return (buf_append(b, s, strlen(s)));
}
/* Consume n bytes (at most what is there) from the front. */
void	 buf_drop(struct buf *, size_t n);
/* Give the memory back; buf_wipe() overwrites first what was ever added. */
void	 buf_free(struct buf *);
void	 buf_wipe(struct buf *);
/* Allocated by all buffers of this process, in bytes. */
size_t	 buf_total(void);
/* Once: how much that should be.  Beyond half of it buf_tight() is 1, and
 * whoever can do with less takes less. */
void	 buf_setup(uint64_t limit);
int	 buf_tight(void);

#endif
