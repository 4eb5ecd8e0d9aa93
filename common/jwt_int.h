/*
 * Between jwt.c, claims.c and jwt_show.c: a token while it is being judged.
 */
#ifndef COMMON_JWT_INT_H
#define COMMON_JWT_INT_H

#include <stddef.h>
#include <stdint.h>

#include "common/detail.h"
#include "common/json.h"
#include "common/jwt.h"

enum jwt_header { H_ALG, H_TYP, H_KID, H_CRIT, H_B64, NHEADER };

enum claim { C_ISS, C_SUB, C_AUD, C_EXP, C_NBF, C_IAT, C_JTI, C_CLIENT_ID,
    C_AZP, C_SCOPE, C_SCP, C_CNF, C_TYP, C_TOKEN_USE, C_EVENTS, C_AT_HASH,
    C_C_HASH, C_S_HASH, C_ACT, NCLAIM };

/* Members are those of a header or of a payload, whose text is there as long
 * as its own checks run. */
struct judging {
	const struct jwt_policy	*policy;
	const struct jwk_set	*keys;		/* NULL: not known */
	struct slice		 token;
	int64_t			 now_ms;
	char			*kid;		/* JWK_KID_MAX + 1 */

	struct jwt_form		 form;		/* p NULL: it is of none */
	int			 object;	/* so is what was read last */
	struct json_member	 h[NHEADER];
	enum jws_alg		 alg;
	int			 has_kid;
	size_t			 nkid;		/* keys of its kid */
	size_t			 ntried;	/* keys for its alg */
	const struct jwk	*key;		/* that verified it, or NULL */
	const struct jwk	*last;		/* of its kid, or NULL */
	int			 unsure;	/* its key is not known */

	int			 read;		/* the rest is of its claims */
	const char		*client;
	struct slice		 scopes;	/* joined by spaces */
	int			 all;		/* opens every upstream */
	int			 some;		/* a bit of open is set */
	uint8_t			 open[CONF_UPSTREAMS_MAX / 8];

	/* a claim that is not as it must be: which, and what is wanted */
	const struct jwt_claim	*bad_claim;	/* NULL: of bad_name */
	const char		*bad_name;
	struct json_member	 bad;
	const char		*wanted;	/* NULL: that it is not there */

	struct json_member	 m[JWT_NAMES_MAX];	/* last: not cleared */
};

#endif
