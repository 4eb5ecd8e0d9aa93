/*
 * Bounds-checked packing and unpacking of message bodies.  A struct is never
 * cast onto a message: each field is put and got through a cursor.  Integers
 * travel in host order (both ends are on one machine); strings as u32 length
 * and bytes, without a NUL.
 *
 * Errors stick: after the first failure every further call does nothing, and
 * one check at the end is enough.
 */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct wbuf {
	uint8_t	*data;		/* malloc'ed, owned by the wbuf */
	size_t	 len;
	size_t	 cap;
	size_t	 max;		/* never grows beyond this */
	int	 failed;	/* too large or out of memory */
};

struct rbuf {
	const uint8_t *data;	/* borrowed */
	size_t	 len;
	size_t	 pos;
	int	 failed;	/* read past the end, or a bound was broken */
};

void	wbuf_init(struct wbuf *, size_t max);
void	wbuf_free(struct wbuf *);	/* wipes, then frees */
void	wire_put_u8(struct wbuf *, uint8_t);
void	wire_put_u16(struct wbuf *, uint16_t);
void	wire_put_u32(struct wbuf *, uint32_t);
void	wire_put_u64(struct wbuf *, uint64_t);
/* u32 length and bytes. */
void	wire_put_bytes(struct wbuf *, const void *, size_t);
/* As bytes; NULL is put as a distinct absent mark (length UINT32_MAX). */
void	wire_put_str(struct wbuf *, const char *);

void	rbuf_init(struct rbuf *, const void *, size_t);
uint8_t	 wire_get_u8(struct rbuf *);
uint16_t wire_get_u16(struct rbuf *);
uint32_t wire_get_u32(struct rbuf *);
uint64_t wire_get_u64(struct rbuf *);
/* A view into the buffer of at most max bytes; NULL and *len 0 on failure. */
const uint8_t *wire_get_bytes(struct rbuf *, size_t max, size_t *len);
/* A malloc'ed, NUL-terminated copy of at most max bytes, the caller's to
 * free; NULL for an absent string or on failure (look at failed).  A string
 * with a NUL inside is a failure. */
char	*wire_get_str(struct rbuf *, size_t max);
/* Copy a string into a buffer of size bytes; absent, or too long, fails. */
void	wire_get_cstr(struct rbuf *, char *, size_t size);
/* A count that must be at most max, for the loops that follow it. */
uint32_t wire_get_count(struct rbuf *, uint32_t max);
/* 0 when nothing failed and everything was consumed, else -1. */
int	wire_end(const struct rbuf *);

#endif
