/*
 * Remembers verified tokens: SHA-256 of the token to its claims, until exp.
 * A token itself is never kept.  Bounded; the least recently used goes first.
 * One per worker; a reload begins with an empty one.
 */
#ifndef WHO_TOKEN_CACHE_H
#define WHO_TOKEN_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "common/jwk.h"
#include "common/jwt.h"

struct token_cache;

/* A token, as it is looked for. */
struct token_hash {
	uint8_t		 b[32];
};

struct token_cache *token_cache_new(size_t max_entries);
/* 0, or -1 when libcrypto fails. */
int	token_cache_hash(struct token_cache *, struct slice token,
	    struct token_hash *);
/* The claims of a token that was verified and has not expired (exp plus
 * leeway_ms against now_ms), else NULL.  Valid until the next call that
 * changes the cache. */
const struct jwt_claims *token_cache_get(struct token_cache *,
    const struct token_hash *, int64_t now_ms, uint64_t leeway_ms);
/* Remember; takes over claims in every case. Returns the cached claims
 * (valid as above), or NULL when memory is gone (claims are freed). */
const struct jwt_claims *token_cache_put(struct token_cache *,
    const struct token_hash *, struct jwt_claims *);
/* Drop what was verified by a key that is not in the set any more. */
void	token_cache_keep(struct token_cache *, const struct jwk_set *);

#endif
