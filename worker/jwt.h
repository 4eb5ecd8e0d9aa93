/*
 * Judges OAuth 2.1 access tokens that are JWTs (RFC 7519, RFC 7515, RFC 9068;
 * best practice of RFC 8725).  The key decides what algorithms it may verify,
 * never the token.
 */
#ifndef WORKER_JWT_H
#define WORKER_JWT_H

#include <stddef.h>
#include <stdint.h>

#include "common/auth_result.h"
#include "common/jwk.h"
#include "common/slice.h"

#define JWT_TOKEN_MAX	16384	/* bytes of a token */
#define JWT_NOKID_TRIES	8	/* keys that a token without kid may try */

struct jwt_policy {
	const char	*issuer;
	const char	*audience;
	uint64_t	 leeway_ms;
	char *const	*scopes;	/* required, all of them */
	size_t		 nscopes;
};

/* Who the token speaks for; one allocation, immutable. */
struct jwt_claims {
	char		*client_id;	/* client_id, else azp; "" when neither */
	char		*scopes;	/* space-joined; "" when none */
	char		*sub;		/* "" when none */
	int64_t		 exp;		/* seconds since the epoch */
	uint8_t		 key_id[32];	/* jwk.id of the key that verified it */
};

/* Three base64url segments, JWT_SHAPE_MIN characters or more in all: goes to
 * the verifier, whatever it says inside. */
#define JWT_SHAPE_MIN	100
int	jwt_shaped(struct slice token);

/*
 * Judge a JWT-shaped token against a key set at time now_ms (ms since the
 * epoch).  Order of checks, the first failure is the result: form, algorithm,
 * key, signature, iss, aud, exp, nbf, iat, scope.
 * AUTH_OK: *claims is set, to jwt_claims_free().  AUTH_INSUFFICIENT_SCOPE, AUTH_BAD_ISSUER,
 * AUTH_BAD_AUDIENCE, AUTH_EXPIRED and AUTH_NOT_YET_VALID come from a token with a good signature: *claims is
 * set too, so that the log can say whose it was.  Otherwise *claims is NULL.
 * AUTH_UNKNOWN_KEY: kid (JWK_KID_MAX + 1 bytes) holds the kid looked for;
 * a token without a kid that no key fits is AUTH_BAD_SIGNATURE, or AUTH_UNKNOWN_KEY
 * with an empty kid when no key allows its algorithm.
 */
enum auth_result jwt_verify(const struct jwt_policy *, const struct jwk_set *,
    struct slice token, int64_t now_ms, struct jwt_claims **claims, char *kid);
void	jwt_claims_free(struct jwt_claims *);

#endif
