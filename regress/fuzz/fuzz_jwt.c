/*
 * Tokens: the input is header, payload and signature as raw bytes, separated
 * by line feeds, which are coded here, so that the fuzzer reaches past the
 * base64url; or the token itself.  No input can have a good signature.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "worker/jwt.h"

static const char jwks[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"kid\":\"a\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
judge(const struct jwk_set *keys, const char *p, size_t len)
{
	static char		 scope[] = "mcp:read";
	static char		*const scopes[] = { scope };
	struct jwt_policy	 policy = { "https://a/", "b", 30000, scopes,
				    1 };
	struct jwt_claims	*claims = NULL;
	struct slice		 token = { p, len };
	char			 kid[JWK_KID_MAX + 1];

	jwt_shaped(token);
	if (jwt_verify(&policy, keys, token, 1700000000000, &claims, kid) ==
	    AUTH_OK || claims != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct jwk_set	*keys;
	const uint8_t		*p = data, *nl, *end = data + len;
	const char		*why;
	char			*token;
	size_t			 n = 0;
	int			 i;

	if (keys == NULL)
		keys = jwk_set_parse(jwks, sizeof(jwks) - 1, NULL, NULL,
		    &why);
	if (keys == NULL || len > 8192 ||
	    (token = malloc(len * 2 + 16)) == NULL)
		return (0);
	judge(keys, (const char *)data, len);
	for (i = 0; i < 3; i++) {
		nl = i == 2 ? end : memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			nl = end;
		n += base64url_encode(p, (size_t)(nl - p), token + n);
		if (i < 2)
			token[n++] = '.';
		p = nl < end ? nl + 1 : end;
	}
	judge(keys, token, n);
	free(token);
	return (0);
}
