/*
 * The hashes: of every generation that still has a worker, by the index that
 * its workers use.  Beside each hash is what key is known to have it, under
 * a keyed hash, so that a key is computed once and not after each reload.
 * What is known goes with the last configuration that has the hash.
 */
#ifndef KEEPER_STORE_H
#define KEEPER_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/keyed_hash.h"
#include "common/proto.h"
#include "keeper/sign.h"

/* What to try for a key. */
struct store_match {
	int		 named;		/* by the prefix of a key of ours */
	size_t		 n;
	uint32_t	 index[CONF_NO_PREFIX_MAX];
};

/* Once; exits on failure. */
void	store_setup(void);
/* A generation begins; conf is taken over.  0, or -1: there is one of that
 * id, or its private key is none (conf is freed). */
int	store_add(uint32_t gen, struct keeper_conf *);
void	store_retire(uint32_t gen);
int	store_has(uint32_t gen);

/* The private key of this number, or NULL.  0 is that of the listener,
 * others are of client certificates for upstreams. */
struct sign_key *store_sign_key(uint32_t gen, uint32_t number);

/* 0, or -1 when it cannot be computed. */
int	store_mark(const uint8_t *key, size_t len,
	    uint8_t mark[KEYED_HASH_LEN]);
/*
 * What is to be tried for this key.  KEY_OK: nothing, match->index[0] is
 * known to be it.  KEY_WRONG: nothing, no configured key can be it.
 * KEY_BUSY: the match->n candidates, at least one.
 */
enum key_verdict store_find(uint32_t gen, const uint8_t *key, size_t len,
	    const uint8_t mark[KEYED_HASH_LEN], struct store_match *);
const struct phc *store_hash(uint32_t gen, uint32_t index);
/* A key was found to have this hash. */
void	store_learn(const struct phc *, const uint8_t mark[KEYED_HASH_LEN]);

#endif
