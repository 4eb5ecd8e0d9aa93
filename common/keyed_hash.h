/*
 * A hash under a random key of this process: what it remembers of a secret
 * tells nothing to whoever reads it elsewhere.  SHA-256 over one block of
 * key and then the data; the digest never leaves the process, so that this
 * simple construction is enough.
 */
#ifndef COMMON_KEYED_HASH_H
#define COMMON_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>

#define KEYED_HASH_LEN	32

struct keyed_hash;

/* With a key of its own; NULL when memory or randomness is missing. */
struct keyed_hash *keyed_hash_new(void);
/* 0, or -1 when libcrypto fails: out is then all zero. */
int	keyed_hash(struct keyed_hash *, const void *, size_t,
	    uint8_t out[KEYED_HASH_LEN]);

#endif
