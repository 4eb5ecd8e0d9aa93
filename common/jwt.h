/*
 * Judges OAuth 2.1 access tokens that are JWTs (RFC 7519, RFC 7515, RFC 9068;
 * best practice of RFC 8725).  The key decides what algorithms it may verify,
 * never the token.
 */
#ifndef COMMON_JWT_H
#define COMMON_JWT_H

#include <stddef.h>
#include <stdint.h>

#include "common/auth_result.h"
#include "common/conf.h"
#include "common/detail.h"
#include "common/identity.h"
#include "common/jwk.h"
#include "common/jwt_form.h"
#include "common/slice.h"

#define JWT_TOKEN_MAX	16384	/* bytes of a token */
#define JWT_KEY_TRIES	8	/* keys that a token may try */
#define JWT_NAMES_MAX	(24 + 3 * CONF_CLAIMS_MAX)

/* A claim by its path: a member of the payload, and of what is in it. */
struct jwt_claim {
	char		*text;		/* owned; what follows points there */
	size_t		 at;		/* index in names */
	const char	*inner[CONF_CLAIM_DEPTH];
	size_t		 ninner;
};

struct jwt_claim_list {
	struct jwt_claim claims[CONF_CLAIMS_MAX];
	size_t		 n;
};

/* What jwt_policy_init() makes of the configuration. */
struct jwt_policy {
	const struct conf_oauth	*conf;
	char			**resources;	/* of upstreams; NULL: not
						 * taken for an audience */
	size_t			 nresources;
	struct identity		 identity;	/* full, unless changed */
	const char		*names[JWT_NAMES_MAX];	/* of members */
	size_t			 nnames;
	struct jwt_claim_list	 client;
	struct jwt_claim_list	 scope;
	struct jwt_claim_list	 audience;
};

/* Who the token speaks for; one allocation, immutable. */
struct jwt_claims {
	char		*client_id;	/* of client_claims; "" when none */
	char		*scopes;	/* space-joined; "" when none */
	char		*sub;		/* "" when none */
	/* for the record, as audit.identity says; each may be NULL */
	char		*subject;	/* sub, */
	char		*actor;		/* act.sub (RFC 8693 section 4.1), */
	char		*jti;		/* and jti */
	int64_t		 exp;		/* seconds since the epoch */
	uint8_t		*open;		/* upstreams that it opens, a bit each;
					 * NULL: all of them */
	uint8_t		 key_id[32];	/* jwk.id of the key that verified it */
};

/* Once for a configuration, which stays; exits when memory is gone. */
void	jwt_policy_init(struct jwt_policy *, const struct conf_oauth *,
	    const struct conf_upstream *, size_t n);

/* What one check of a token saw. */
enum jwt_outcome {
	JWT_PASSED,
	JWT_FAILED,
	JWT_UNKNOWN		/* there were no keys to judge it by */
};

struct jwt_finding {
	const char	*check;		/* static; mcpgwctl(8) lists them */
	enum jwt_outcome outcome;
	enum auth_result result;	/* AUTH_OK unless it failed */
	struct detail	 seen;
	struct detail	 wanted;
};

#define JWT_CHECKS	20	/* at most */

struct jwt_findings {
	struct jwt_finding v[JWT_CHECKS];
	size_t		 n;
};

#define JWT_WHY_MAX	256

struct jwt_report {
	/* from the caller: what every check saw, in order, also behind the
	 * first that fails, as far as a token can be judged without it; or
	 * NULL: only the result matters */
	struct jwt_findings *list;
	/* the kid that was looked for, "" without one */
	char		 kid[JWK_KID_MAX + 1];
	/* what is wrong, for a log and not for the client: the check, what it
	 * saw and what it wanted; never the token.  "" for AUTH_OK. */
	char		 why[JWT_WHY_MAX + 1];
};

/*
 * Judge a JWT-shaped token against a key set at time now_ms (ms since the
 * epoch).  Order of checks, the first failure is the result: form, header
 * (crit, typ, alg), key (kid), signature, types of claims, use, iss, aud, exp,
 * nbf, iat, cnf, scope.
 * Whether it opens an upstream is for jwt_opens() to say.
 * AUTH_OK: *claims is set, to jwt_claims_free().  AUTH_INSUFFICIENT_SCOPE,
 * AUTH_BAD_ISSUER, AUTH_BAD_AUDIENCE, AUTH_EXPIRED, AUTH_NOT_YET_VALID and
 * AUTH_UNBOUND come from a token with a good signature: *claims is set too, so
 * that the log can say whose it was.  Otherwise *claims is NULL.
 * AUTH_UNKNOWN_KEY: there is no key of its kid; a token that has tried
 * JWT_KEY_TRIES keys tries no more; one without a kid that no key fits is
 * AUTH_BAD_SIGNATURE, or AUTH_UNKNOWN_KEY with an empty kid when no key allows
 * its algorithm.  AUTH_UNAVAILABLE: memory is gone; or (with a list only) the
 * keys are NULL and nothing else is wrong.
 */
enum auth_result jwt_verify(const struct jwt_policy *, const struct jwk_set *,
	    struct slice token, int64_t now_ms, struct jwt_claims **claims,
	    struct jwt_report *);
/* What is said of one that does not open this upstream: as in a report. */
void	jwt_say_closed(const struct jwt_policy *, const struct jwt_claims *,
	    size_t upstream, char why[JWT_WHY_MAX + 1]);
/* Is one of its audiences good for this upstream?  By index; SIZE_MAX is one
 * that does not exist, for which only those of the gateway are.  1 or 0. */
int	jwt_opens(const struct jwt_claims *, size_t upstream);
void	jwt_claims_free(struct jwt_claims *);

#endif
