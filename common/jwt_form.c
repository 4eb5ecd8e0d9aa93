/*
 * The form of a JWT.
 */
#include <stddef.h>

#include "common/base64url.h"
#include "common/jwt_form.h"

int
jwt_form_is(struct slice token)
{
	struct jwt_form	 f;

	return (token.len >= JWT_FORM_MIN && jwt_form_split(token, &f) == 0);
}

int
jwt_form_split(struct slice token, struct jwt_form *p)
{
	const char	*dot[2];
	size_t		 i, dots;

	for (i = 0, dots = 0;; i++) {
		i += base64url_span(token.p + i, token.len - i);
		if (i == token.len)
			break;
		if (token.p[i] != '.' || dots == 2)
			return (-1);
		dot[dots++] = token.p + i;
	}
	if (dots != 2)
		return (-1);
	p->header = (struct slice){ token.p, (size_t)(dot[0] - token.p) };
	p->payload = (struct slice){ dot[0] + 1,
	    (size_t)(dot[1] - dot[0] - 1) };
	p->signature = (struct slice){ dot[1] + 1,
	    (size_t)(token.p + token.len - dot[1] - 1) };
	p->signed_text = (struct slice){ token.p,
	    (size_t)(dot[1] - token.p) };
	return (p->header.len == 0 || p->payload.len == 0 ||
	    p->signature.len == 0 ? -1 : 0);
}
