/*
 * argon2id (RFC 9106): does a key have a given hash?  The only place that
 * computes one.  Each thread that asks has memory of its own for it.
 */
#ifndef COMMON_ARGON2ID_H
#define COMMON_ARGON2ID_H

#include <stddef.h>
#include <stdint.h>

#include "common/phc.h"

/* Fill in h->hash, as long as h->hash_len says, from the key and from the
 * costs and salt that h has.  0, or -1: it could not be computed. */
int	argon2id_make(struct phc *h, const uint8_t *key, size_t len);
/* Compute and compare in constant time.  1 it has, 0 it has not, -1 it could
 * not be computed (no memory).  Takes as long as the hash's costs say; on
 * this thread alone, whatever the number of lanes. */
int	argon2id_matches(const struct phc *, const uint8_t *key, size_t len);
/* Give back this thread's memory; the next hash gets it anew. */
void	argon2id_rest(void);

#endif
