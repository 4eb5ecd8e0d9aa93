/* Signatures of tokens (RFC 7515, RFC 7518 section 3, RFC 8037). */
#ifndef COMMON_JWS_H
#define COMMON_JWS_H

#include "common/jwk.h"
#include "common/slice.h"

/* 1 when signature (base64url) is the key's, by this algorithm, over text;
 * else 0.  The caller has asked jwk_allows(). */
int	jws_verify(const struct jwk *, enum jws_alg, struct slice text,
	    struct slice signature);

#endif
