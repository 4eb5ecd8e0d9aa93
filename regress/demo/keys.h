/*
 * The authorization server's signing keys: an RSA key of 2048 bits for RS256
 * and a P-256 key for ES256, made at start and replaced on demand.  Only this
 * module holds private keys.
 */
#ifndef DEMO_KEYS_H
#define DEMO_KEYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <yajl/yajl_gen.h>

#define KEYS_SIG_MAX	256

struct key;

/* Make a new key of each kind, with new kids, that sign from now on.
 * keep: the old ones stay in the set (the oldest leave when there are too
 * many).  Ends the program when OpenSSL cannot. */
void	keys_rotate(int keep);
/* The newest key for this algorithm, or NULL for one that we do not have. */
const struct key *keys_find(const char *alg);
const char *keys_alg(const struct key *);
const char *keys_kid(const struct key *);
/* Sign as RFC 7518 section 3 says; sig must hold KEYS_SIG_MAX bytes.
 * Returns the length, or -1 when OpenSSL fails. */
ssize_t	keys_sign(const struct key *, const char *, size_t len, uint8_t *sig);
/* Add the member keys of a JWK set (RFC 7517 section 5). */
void	keys_write(yajl_gen);
void	keys_free(void);

#endif
