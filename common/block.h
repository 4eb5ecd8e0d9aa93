/*
 * Sixteen bytes looked at at once, by the vector types of gcc and clang: any
 * processor will do.  A comparison of blocks gives 0xff for each byte where it
 * holds, else 0, as a block again when it is cast.
 */
#ifndef COMMON_BLOCK_H
#define COMMON_BLOCK_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK	16

typedef uint8_t block __attribute__((vector_size(BLOCK)));

static inline block
block_load(const void *p)
{
	block	 b;

	memcpy(&b, p, sizeof(b));
	return (b);
}

/* Where a comparison holds first, or BLOCK. */
static inline size_t
block_first(block hit)
{
#ifdef __SSE2__
	/* in one step, where compilers do not find it by themselves */
	return ((size_t)__builtin_ctz(1U << BLOCK |
	    (unsigned)_mm_movemask_epi8((__m128i)hit)));
#else
	uint64_t	 half[2];

	memcpy(half, &hit, sizeof(half));
	if (half[0] != 0)
		return ((size_t)__builtin_ctzll(le64toh(half[0])) / 8);
	if (half[1] != 0)
		return (8 + (size_t)__builtin_ctzll(le64toh(half[1])) / 8);
	return (BLOCK);
#endif
}

static inline int
block_any(block hit)
{
#ifdef __SSE2__
	return (_mm_movemask_epi8((__m128i)hit) != 0);
#else
	uint64_t	 half[2];

	memcpy(half, &hit, sizeof(half));
	return ((half[0] | half[1]) != 0);
#endif
}

#endif
