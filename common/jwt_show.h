/*
 * What the checks of a token saw and wanted, in words.  Called only for a
 * token that is refused, or that somebody wants explained.
 */
#ifndef COMMON_JWT_SHOW_H
#define COMMON_JWT_SHOW_H

#include "common/detail.h"
#include "common/jwt_int.h"

#define JWT_SEEN_MAX	112	/* bytes of either, in one line */
#define JWT_CUT		64	/* of a value in it */

typedef void jwt_show_fn(const struct judging *, struct detail *seen,
	    struct detail *wanted);

jwt_show_fn	jwt_show_form, jwt_show_object, jwt_show_crit, jwt_show_typ,
		jwt_show_alg, jwt_show_kid, jwt_show_key, jwt_show_signature,
		jwt_show_shape, jwt_show_use, jwt_show_iss,
		jwt_show_aud, jwt_show_exp, jwt_show_nbf, jwt_show_iat,
		jwt_show_cnf, jwt_show_scopes, jwt_show_client;

#endif
