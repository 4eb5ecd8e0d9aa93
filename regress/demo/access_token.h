/*
 * JWT access tokens (RFC 9068) as the demo's authorization server makes them.
 */
#ifndef DEMO_ACCESS_TOKEN_H
#define DEMO_ACCESS_TOKEN_H

#include <stddef.h>

#include "regress/demo/keys.h"

#define ACCESS_TOKEN_AUD_MAX	8

struct access_token {
	const char	*issuer;
	const char	*client_id;
	const char	*aud[ACCESS_TOKEN_AUD_MAX];
	size_t		 naud;
	const char	*scope;		/* NULL: no such claim */
	long long	 iat, exp;	/* seconds since 1970 */
};

/* Sign a token.  Every string must be printable ASCII.  Returns text that the
 * caller frees, or NULL when OpenSSL fails. */
char	*access_token_sign(const struct access_token *, const struct key *);

#endif
