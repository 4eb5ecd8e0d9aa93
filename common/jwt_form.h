/*
 * The form of a JWT (RFC 7519) in the compact serialisation of a JWS (RFC 7515
 * section 7.1), by which a credential is known for a token.
 */
#ifndef COMMON_JWT_FORM_H
#define COMMON_JWT_FORM_H

#include "common/slice.h"

/* Three base64url segments, JWT_FORM_MIN characters or more in all: goes to
 * the verifier, whatever it says inside. */
#define JWT_FORM_MIN	100

struct jwt_form {
	struct slice	 header;	/* base64url, all three */
	struct slice	 payload;
	struct slice	 signature;
	struct slice	 signed_text;	/* header "." payload */
};

/* Three segments of base64url characters, none of them empty, whatever their
 * length?  0 with the segments, or -1. */
int	jwt_form_split(struct slice token, struct jwt_form *);
/* 1 when the form is that of a token. */
int	jwt_form_is(struct slice token);

#endif
