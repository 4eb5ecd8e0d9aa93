/*
 * Signatures for TLS handshakes, by private keys that only the keeper has.
 * It signs what TLS wants signed and nothing else, so that a worker that was
 * taken over can pass for the server as long as it lives, but not get
 * anything else signed in its name.
 */
#ifndef KEEPER_SIGN_H
#define KEEPER_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "common/imsg.h"

struct sign_key;

/* From PEM, for a server's or a client's handshakes; NULL when it is no key
 * that can sign them (RSA, EC on a NIST curve, Ed25519). */
struct sign_key *sign_key_new(const char *pem, int client);
void	sign_key_free(struct sign_key *);	/* NULL is fine */

/*
 * Sign by a SignatureScheme (RFC 8446 section 4.2.3) that fits the key.  tbs
 * must be what the key is for: the content of section 4.4.3 (TLS 1.3), or, of
 * a server, random numbers and ServerECDHParams of RFC 8422 section 5.4 (TLS
 * 1.2).
 * The length of the signature, or 0: refused.
 */
size_t	sign(struct sign_key *, uint16_t alg, const uint8_t *tbs, size_t len,
	    uint8_t *sig, size_t size);

#endif
