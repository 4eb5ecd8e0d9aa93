/*
 * Access tokens: form, key, signature, claims, in this order.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/claims.h"
#include "common/json.h"
#include "common/jws.h"
#include "common/jwt.h"

enum header { H_ALG, H_TYP, H_KID, H_CRIT, H_B64, NHEADER };

static const char	*const header_names[NHEADER] = {
	"alg", "typ", "kid", "crit", "b64"
};

/* A token taken apart. */
struct parts {
	struct jwt_form	 form;
	enum jws_alg	 alg;
	int		 has_kid;
	char		 kid[JWK_KID_MAX + 1];
};

static enum auth_result read_header(const struct jwt_policy *,
		    struct parts *, const char **);
static enum auth_result find_key(const struct jwk_set *, const struct parts *,
		    const struct jwk **, const char **);
static enum auth_result try_keys(const struct jwk_set *, const struct parts *,
		    const struct jwk **, const char **);
static ssize_t	 decode(struct slice);
static void	 wipe(void);
static int	 type_ok(const struct conf_strings *, const char *);
static const char *type_short(const char *);

/* A segment that was decoded; its strings are taken apart in place. */
static char	 text[JWT_TOKEN_MAX / 4 * 3 + 4];
static size_t	 text_len;

enum auth_result
jwt_verify(const struct jwt_policy *policy, const struct jwk_set *keys,
    struct slice token, int64_t now_ms, struct jwt_claims **claims, char *kid,
    const char **why)
{
	const struct jwk	*key = NULL;
	struct parts		 p;
	enum auth_result	 r;
	ssize_t			 len;

	*claims = NULL;
	*why = NULL;
	kid[0] = '\0';
	memset(&p, 0, sizeof(p));
	if (token.len > JWT_TOKEN_MAX) {
		*why = "the token is longer than 16384 bytes";
		return (AUTH_INVALID);
	}
	if (jwt_form_split(token, &p.form) == -1) {
		*why = "not three segments of base64url";
		return (AUTH_INVALID);
	}
	r = read_header(policy, &p, why);
	wipe();
	if (r != AUTH_OK)
		return (r);
	memcpy(kid, p.kid, sizeof(p.kid));
	if ((r = find_key(keys, &p, &key, why)) != AUTH_OK)
		return (r);
	if ((len = decode(p.form.payload)) == -1) {
		*why = "the payload is not base64url";
		return (AUTH_INVALID);
	}
	r = claims_judge(policy, text, (size_t)len, now_ms, key->id, claims,
	    why);
	wipe();
	return (r);
}

/* RFC 7515 section 4.1, RFC 8725 sections 3.1 and 3.11. */
static enum auth_result
read_header(const struct jwt_policy *policy, struct parts *p,
    const char **why)
{
	struct json_member	 m[NHEADER];
	const char		*alg, *kid;
	ssize_t			 len;

	*why = "the header is no JSON object fit to be judged";
	if ((len = decode(p->form.header)) == -1 || claims_members(text,
	    (size_t)len, header_names, m, NHEADER) == -1)
		return (AUTH_INVALID);
	/* extensions that must be understood, and are not */
	*why = "crit or b64 in the header";
	if (m[H_CRIT].type != JSON_T_ABSENT || m[H_B64].type != JSON_T_ABSENT)
		return (AUTH_INVALID);
	*why = "typ in the header is not of an access token that is taken";
	if ((m[H_TYP].type != JSON_T_ABSENT &&
	    m[H_TYP].type != JSON_T_STRING) ||
	    !type_ok(&policy->conf->typ, claims_string(&m[H_TYP])))
		return (AUTH_INVALID);
	*why = "alg is none that is taken";
	if ((alg = claims_string(&m[H_ALG])) == NULL ||
	    (p->alg = jws_alg_parse(alg, strlen(alg))) == JWS_NONE)
		return (AUTH_INVALID);
	*why = "kid is not a string, or longer than 256 bytes";
	if (m[H_KID].type != JSON_T_ABSENT) {
		if ((kid = claims_string(&m[H_KID])) == NULL ||
		    strlen(kid) > JWK_KID_MAX)
			return (AUTH_INVALID);
		memcpy(p->kid, kid, strlen(kid) + 1);
		p->has_kid = 1;
	}
	*why = NULL;
	return (AUTH_OK);
}

/* typ is NULL where there is none: good unless one is required. */
static int
type_ok(const struct conf_strings *required, const char *typ)
{
	size_t	 i;

	if (typ != NULL && strcasecmp(type_short(typ), "at+jwt") != 0 &&
	    strcasecmp(type_short(typ), "JWT") != 0)
		return (0);
	for (i = 0; i < required->n; i++)
		if (typ != NULL && strcasecmp(type_short(typ),
		    type_short(required->v[i])) == 0)
			return (1);
	return (required->n == 0);
}

/* RFC 7515 section 4.1.9. */
static const char *
type_short(const char *typ)
{
	return (strncasecmp(typ, "application/", 12) == 0 ? typ + 12 : typ);
}

static enum auth_result
find_key(const struct jwk_set *keys, const struct parts *p,
    const struct jwk **key, const char **why)
{
	enum auth_result r = AUTH_UNKNOWN_KEY;
	size_t		 i, tries = 0;

	if (!p->has_kid)
		return (try_keys(keys, p, key, why));
	*why = "no key of the key set has its kid";
	for (i = 0; i < keys->n && tries < JWT_KEY_TRIES; i++) {
		if (!keys->keys[i].has_kid ||
		    strcmp(keys->keys[i].kid, p->kid) != 0)
			continue;
		/* one kid may name several keys, of different types */
		if (r == AUTH_UNKNOWN_KEY) {
			r = AUTH_INVALID;
			*why = "the key of its kid is not for its alg";
		}
		if (!jwk_allows(&keys->keys[i], p->alg))
			continue;
		tries++;
		*key = &keys->keys[i];
		r = AUTH_BAD_SIGNATURE;
		*why = "the key of its kid did not make the signature";
		if (jws_verify(*key, p->alg, p->form.signed_text,
		    p->form.signature))
			return (AUTH_OK);
	}
	return (r);
}

static enum auth_result
try_keys(const struct jwk_set *keys, const struct parts *p,
    const struct jwk **key, const char **why)
{
	size_t	 i, tries = 0;

	for (i = 0; i < keys->n && tries < JWT_KEY_TRIES; i++) {
		if (!jwk_allows(&keys->keys[i], p->alg))
			continue;
		tries++;
		*key = &keys->keys[i];
		if (jws_verify(*key, p->alg, p->form.signed_text,
		    p->form.signature))
			return (AUTH_OK);
	}
	*why = tries == 0 ? "no kid, and no key of the key set is for its "
	    "alg" : tries == JWT_KEY_TRIES ? "no kid, and none of the "
	    "first 8 keys for its alg made the signature" :
	    "no kid, and no key made the signature";
	return (tries == 0 ? AUTH_UNKNOWN_KEY : AUTH_BAD_SIGNATURE);
}

/* A segment, which stays in text until wipe(); its length, or -1. */
static ssize_t
decode(struct slice seg)
{
	ssize_t	 len;

	text_len = seg.len / 4 * 3 + 2;
	len = base64url_decode(seg.p, seg.len, (uint8_t *)text);
	if (len <= 0)
		return (-1);
	text[len] = '\0';
	return (len);
}

static void
wipe(void)
{
	explicit_bzero(text, text_len);
	text_len = 0;
}
