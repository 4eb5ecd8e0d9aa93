/*
 * Tokens: the input is header, payload and signature as raw bytes, separated
 * by line feeds, which are coded here, so that the fuzzer reaches past the
 * base64url; or the token itself.  No input can have a good signature; but
 * payloads are tried once more under one that is made here, so that claims
 * are reached.
 */
#include <openssl/evp.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/jwt.h"

static const char jwks[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"kid\":\"a\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Every kind of claim that can be configured. */
static struct jwt_policy *
policy_get(void)
{
	static char	 b[] = "b", scope[] = "mcp:read", issuer[] =
			    "https://a/", url[] = "https://g/mcp", up[] = "up";
	static char	 aud[] = "aud", client[] = "client_id", scp[] = "scp",
			    scope_claim[] = "scope", azp[] = "azp",
			    roles[] = "r.roles", deep[] = "r.a.b";
	static char	*audiences[] = { b }, *scopes[] = { scope },
			*auds[] = { aud, client },
			*clients[] = { client, azp, deep },
			*scopers[] = { scope_claim, scp, roles, deep };
	static struct conf_upstream upstream;
	static struct conf_oauth o;
	static struct jwt_policy policy;

	if (o.enabled)
		return (&policy);
	upstream.name = up;
	o.enabled = o.accept_resource = 1;
	o.issuer = issuer;
	o.public_url = url;
	o.leeway_ms = 30000;
	o.scopes = scopes;
	o.nscopes = 1;
	o.audiences = (struct conf_strings){ audiences, 1 };
	o.audience_claims = (struct conf_strings){ auds, 2 };
	o.client_claims = (struct conf_strings){ clients, 3 };
	o.scope_claims = (struct conf_strings){ scopers, 4 };
	jwt_policy_init(&policy, &o, &upstream, 1);
	return (&policy);
}

/* Asked for by every second one: the result must be the same. */
static struct jwt_findings *
list_get(void)
{
	static struct jwt_findings	 list;
	static unsigned			 n;

	return (n++ % 2 == 0 ? &list : NULL);
}

/* What is said of it is fit for a line. */
static void
tell(const struct jwt_report *r)
{
	const char	*p;
	size_t		 i;
	int		 failed = 0;

	for (p = r->why; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
	for (i = 0; r->list != NULL && i < r->list->n; i++) {
		if (r->list->v[i].seen.len > DETAIL_MAX ||
		    r->list->v[i].wanted.len == 0)
			abort();
		failed |= r->list->v[i].outcome == JWT_FAILED;
	}
	if (r->list != NULL && failed != (r->why[0] != '\0'))
		abort();
}

static void
judge(const struct jwk_set *keys, const char *p, size_t len)
{
	struct jwt_claims	*claims = NULL;
	struct slice		 token = { p, len };
	struct jwt_report	 report = { .list = list_get() };

	jwt_form_is(token);
	if (jwt_verify(policy_get(), keys, token, 1700000000000, &claims,
	    &report) == AUTH_OK || claims != NULL || report.why[0] == '\0')
		abort();
	tell(&report);
}

/* The whole input as claims, truly signed. */
static void
judge_claims(const char *p, size_t len)
{
	static const uint8_t	 seed[32] = { 1 };
	static const char	 header[] = "{\"alg\":\"EdDSA\"}";
	static EVP_PKEY		*key;
	static EVP_MD_CTX	*ctx;
	static struct jwk_set	*keys;
	struct jwt_claims	*claims = NULL;
	struct slice		 token;
	uint8_t			 sig[64], raw[32];
	struct jwt_report	 report = { .list = list_get() };
	char			 text[256], x[64];
	char			*t;
	const char		*why;
	size_t			 n, siglen = sizeof(sig), rawlen = sizeof(raw);
	enum auth_result	 r;

	if (key == NULL) {
		key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
		    seed, sizeof(seed));
		ctx = EVP_MD_CTX_new();
		if (EVP_PKEY_get_raw_public_key(key, raw, &rawlen) != 1)
			abort();
		base64url_encode(raw, rawlen, x);
		snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"OKP\","
		    "\"crv\":\"Ed25519\",\"x\":\"%s\"}]}", x);
		keys = jwk_set_parse(text, strlen(text), NULL, NULL, &why);
	}
	if (keys == NULL || (t = malloc(len * 2 + 256)) == NULL)
		return;
	n = base64url_encode((const uint8_t *)header, sizeof(header) - 1, t);
	t[n++] = '.';
	n += base64url_encode((const uint8_t *)p, len, t + n);
	if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(ctx, sig, &siglen, (const uint8_t *)t, n) != 1)
		abort();
	EVP_MD_CTX_reset(ctx);
	t[n++] = '.';
	n += base64url_encode(sig, siglen, t + n);
	token = (struct slice){ t, n };
	r = jwt_verify(policy_get(), keys, token, 1700000000000, &claims,
	    &report);
	tell(&report);
	if ((r == AUTH_OK) != (report.why[0] == '\0') ||
	    r == AUTH_BAD_SIGNATURE || r == AUTH_UNKNOWN_KEY ||
	    (r == AUTH_OK) > (claims != NULL) || (claims != NULL &&
	    (strlen(claims->client_id) + strlen(claims->sub) +
	    strlen(claims->scopes) > len * 5 || (r == AUTH_OK &&
	    (strstr(claims->scopes, "mcp:read") == NULL ||
	    claims->exp < 1700000000 - 30)))))
		abort();
	jwt_claims_free(claims);
	free(t);
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
	judge_claims((const char *)data, len);
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
