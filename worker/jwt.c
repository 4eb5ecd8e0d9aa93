/*
 * Access tokens: form, key, signature, claims, in this order.
 */
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_tree.h>

#include "common/base64url.h"
#include "common/json.h"
#include "worker/jws.h"
#include "worker/jwt.h"

#define CLAIM_MAX	1024	/* bytes of client_id and sub */
#define SECONDS_MAX	1e15	/* of a NumericDate */

/* A token taken apart. */
struct parts {
	struct slice	 header;	/* base64url, all three */
	struct slice	 payload;
	struct slice	 signature;
	struct slice	 signed_text;	/* header "." payload */
	enum jws_alg	 alg;
	int		 has_kid;
	char		 kid[JWK_KID_MAX + 1];
};

static int	 split(struct slice, struct parts *);
static enum auth_result read_header(struct parts *);
static enum auth_result find_key(const struct jwk_set *, const struct parts *,
		    const struct jwk **);
static enum auth_result try_keys(const struct jwk_set *, const struct parts *,
		    const struct jwk **);
static enum auth_result judge_claims(const struct jwt_policy *, yajl_val,
		    int64_t);
static enum auth_result judge_times(const struct jwt_policy *, yajl_val,
		    int64_t);
static struct jwt_claims *make_claims(yajl_val, const char *, int64_t,
		    const struct jwk *);
static yajl_val	 decode(struct slice);
static void	 mask_nul(char *, size_t);
static yajl_val	 member(yajl_val, const char *);
static const char *string(yajl_val, const char *);
static int	 seconds(yajl_val, const char *, double *);
static char	*scopes_of(yajl_val);
static int	 scope_has(const char *, const char *);
static int	 type_ok(const char *);
static int	 audience_ok(yajl_val, const char *);

int
jwt_shaped(struct slice token)
{
	struct parts	 p;

	return (token.len >= JWT_SHAPE_MIN && split(token, &p) == 0);
}

/* Three segments of base64url characters, none of them empty. */
static int
split(struct slice token, struct parts *p)
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

enum auth_result
jwt_verify(const struct jwt_policy *policy, const struct jwk_set *keys,
    struct slice token, int64_t now_ms, struct jwt_claims **claims, char *kid)
{
	const struct jwk	*key = NULL;
	struct parts		 p;
	enum auth_result	 r;
	yajl_val		 v;
	char			*scopes;

	*claims = NULL;
	kid[0] = '\0';
	memset(&p, 0, sizeof(p));
	if (token.len > JWT_TOKEN_MAX || split(token, &p) == -1 ||
	    read_header(&p) != AUTH_OK)
		return (AUTH_INVALID);
	memcpy(kid, p.kid, sizeof(p.kid));
	if ((r = find_key(keys, &p, &key)) != AUTH_OK)
		return (r);
	if ((v = decode(p.payload)) == NULL)
		return (AUTH_INVALID);
	r = AUTH_INVALID;
	scopes = scopes_of(v);
	if (scopes != NULL && YAJL_IS_OBJECT(v)) {
		size_t	 i;
		double	 exp = 0;

		r = judge_claims(policy, v, now_ms);
		for (i = 0; r == AUTH_OK && i < policy->nscopes; i++)
			if (!scope_has(scopes, policy->scopes[i]))
				r = AUTH_INSUFFICIENT_SCOPE;
		(void)seconds(v, "exp", &exp);
		if (r != AUTH_INVALID && (*claims = make_claims(v, scopes,
		    (int64_t)exp, key)) == NULL)
			r = AUTH_INVALID;
	}
	free(scopes);
	yajl_tree_free(v);
	return (r);
}

/* RFC 7515 section 4.1, RFC 8725 sections 3.1 and 3.11. */
static enum auth_result
read_header(struct parts *p)
{
	enum auth_result r = AUTH_INVALID;
	const char	*s;
	yajl_val	 v = decode(p->header);

	if (v == NULL || !YAJL_IS_OBJECT(v))
		goto done;
	/* extensions that must be understood, and are not */
	if (member(v, "crit") != NULL || member(v, "b64") != NULL)
		goto done;
	if (member(v, "typ") != NULL &&
	    ((s = string(v, "typ")) == NULL || !type_ok(s)))
		goto done;
	if ((s = string(v, "alg")) == NULL ||
	    (p->alg = jws_alg_parse(s, strlen(s))) == JWS_NONE)
		goto done;
	if (member(v, "kid") != NULL) {
		if ((s = string(v, "kid")) == NULL ||
		    strlen(s) > JWK_KID_MAX)
			goto done;
		memcpy(p->kid, s, strlen(s) + 1);
		p->has_kid = 1;
	}
	r = AUTH_OK;
done:
	yajl_tree_free(v);
	return (r);
}

static int
type_ok(const char *typ)
{
	return (strcasecmp(typ, "at+jwt") == 0 ||
	    strcasecmp(typ, "application/at+jwt") == 0 ||
	    strcasecmp(typ, "JWT") == 0);
}

static enum auth_result
find_key(const struct jwk_set *keys, const struct parts *p,
    const struct jwk **key)
{
	enum auth_result r = AUTH_UNKNOWN_KEY;
	size_t		 i;

	if (!p->has_kid)
		return (try_keys(keys, p, key));
	for (i = 0; i < keys->n; i++) {
		if (!keys->keys[i].has_kid ||
		    strcmp(keys->keys[i].kid, p->kid) != 0)
			continue;
		/* one kid may name several keys, of different types */
		if (r == AUTH_UNKNOWN_KEY)
			r = AUTH_INVALID;
		if (!jwk_allows(&keys->keys[i], p->alg))
			continue;
		*key = &keys->keys[i];
		r = AUTH_BAD_SIGNATURE;
		if (jws_verify(*key, p->alg, p->signed_text, p->signature))
			return (AUTH_OK);
	}
	return (r);
}

static enum auth_result
try_keys(const struct jwk_set *keys, const struct parts *p,
    const struct jwk **key)
{
	size_t	 i, tries = 0;

	for (i = 0; i < keys->n && tries < JWT_NOKID_TRIES; i++) {
		if (!jwk_allows(&keys->keys[i], p->alg))
			continue;
		tries++;
		*key = &keys->keys[i];
		if (jws_verify(*key, p->alg, p->signed_text, p->signature))
			return (AUTH_OK);
	}
	return (tries == 0 ? AUTH_UNKNOWN_KEY : AUTH_BAD_SIGNATURE);
}

static enum auth_result
judge_claims(const struct jwt_policy *policy, yajl_val v, int64_t now_ms)
{
	const char	*iss = string(v, "iss");

	if (member(v, "iss") != NULL && iss == NULL)
		return (AUTH_INVALID);
	if (iss == NULL || strcmp(iss, policy->issuer) != 0)
		return (AUTH_BAD_ISSUER);
	if (!audience_ok(v, policy->audience))
		return (AUTH_BAD_AUDIENCE);
	return (judge_times(policy, v, now_ms));
}

static int
audience_ok(yajl_val v, const char *wanted)
{
	yajl_val	 aud = member(v, "aud");
	size_t		 i;

	if (aud == NULL)
		return (0);
	if (YAJL_IS_STRING(aud))
		return (strcmp(aud->u.string, wanted) == 0);
	for (i = 0; YAJL_IS_ARRAY(aud) && i < aud->u.array.len; i++)
		if (YAJL_IS_STRING(aud->u.array.values[i]) &&
		    strcmp(aud->u.array.values[i]->u.string, wanted) == 0)
			return (1);
	return (0);
}

static enum auth_result
judge_times(const struct jwt_policy *policy, yajl_val v, int64_t now_ms)
{
	double	 now = (double)now_ms / 1000, t;
	double	 leeway = (double)policy->leeway_ms / 1000;

	if (seconds(v, "exp", &t) != 1)
		return (AUTH_INVALID);
	if (now >= t + leeway)
		return (AUTH_EXPIRED);
	switch (seconds(v, "nbf", &t)) {
	case -1:
		return (AUTH_INVALID);
	case 1:
		if (now < t - leeway)
			return (AUTH_NOT_YET_VALID);
	}
	switch (seconds(v, "iat", &t)) {
	case -1:
		return (AUTH_INVALID);
	case 1:
		if (now < t - leeway)
			return (AUTH_NOT_YET_VALID);
	}
	return (AUTH_OK);
}

/* 1 a NumericDate (RFC 7519 section 2), 0 absent, -1 anything else. */
static int
seconds(yajl_val v, const char *name, double *t)
{
	yajl_val	 n = member(v, name);

	if (n == NULL)
		return (0);
	if (!YAJL_IS_NUMBER(n))
		return (-1);
	if (YAJL_IS_INTEGER(n))
		*t = (double)YAJL_GET_INTEGER(n);
	else if (YAJL_IS_DOUBLE(n))
		*t = YAJL_GET_DOUBLE(n);
	else
		return (-1);
	return (*t >= -SECONDS_MAX && *t <= SECONDS_MAX ? 1 : -1);
}

/* "scope" (RFC 8693 section 4.2), else "scp" as string or array; joined by
 * single spaces.  NULL: malformed, or no memory. */
static char *
scopes_of(yajl_val v)
{
	yajl_val	 s = member(v, "scope"), one;
	char		*out, *p;
	size_t		 i, len = 1;

	if (s != NULL)
		return (YAJL_IS_STRING(s) ? strdup(s->u.string) : NULL);
	s = member(v, "scp");
	if (s == NULL)
		return (strdup(""));
	if (YAJL_IS_STRING(s))
		return (strdup(s->u.string));
	if (!YAJL_IS_ARRAY(s))
		return (NULL);
	for (i = 0; i < s->u.array.len; i++) {
		one = s->u.array.values[i];
		/* a space inside would be two scopes to the next reader */
		if (!YAJL_IS_STRING(one) ||
		    strchr(one->u.string, ' ') != NULL)
			return (NULL);
		len += strlen(one->u.string) + 1;
	}
	if ((out = malloc(len)) == NULL)
		return (NULL);
	for (p = out, i = 0; i < s->u.array.len; i++) {
		if (i > 0)
			*p++ = ' ';
		p = stpcpy(p, s->u.array.values[i]->u.string);
	}
	*p = '\0';
	return (out);
}

static int
scope_has(const char *scopes, const char *wanted)
{
	size_t	 n = strlen(wanted), len;

	while (*scopes != '\0') {
		len = strcspn(scopes, " ");
		if (len == n && memcmp(scopes, wanted, n) == 0)
			return (1);
		scopes += len;
		scopes += strspn(scopes, " ");
	}
	return (0);
}

static struct jwt_claims *
make_claims(yajl_val v, const char *scopes, int64_t exp,
    const struct jwk *key)
{
	struct jwt_claims	*c;
	const char		*client = string(v, "client_id");
	const char		*sub = string(v, "sub");
	char			*p;

	if (client == NULL)
		client = string(v, "azp");
	client = client == NULL ? "" : client;
	sub = sub == NULL ? "" : sub;
	if (strlen(client) > CLAIM_MAX || strlen(sub) > CLAIM_MAX)
		return (NULL);
	c = malloc(sizeof(*c) + strlen(client) + strlen(sub) +
	    strlen(scopes) + 3);
	if (c == NULL)
		return (NULL);
	p = (char *)(c + 1);
	c->client_id = p;
	p = stpcpy(p, client) + 1;
	c->sub = p;
	p = stpcpy(p, sub) + 1;
	c->scopes = p;
	stpcpy(p, scopes);
	c->exp = exp;
	memcpy(c->key_id, key->id, sizeof(c->key_id));
	return (c);
}

void
jwt_claims_free(struct jwt_claims *c)
{
	free(c);
}

/* A segment as JSON, or NULL. */
static yajl_val
decode(struct slice seg)
{
	char	*text, error[64];
	yajl_val v = NULL;
	ssize_t	 n;

	if ((text = malloc(seg.len + 4)) == NULL)
		return (NULL);
	n = base64url_decode(seg.p, seg.len, (uint8_t *)text);
	if (n > 0 && json_check(text, (size_t)n) == JSON_OK) {
		text[n] = '\0';
		mask_nul(text, (size_t)n);
		v = yajl_tree_parse(text, error, sizeof(error));
	}
	explicit_bzero(text, seg.len + 4);
	free(text);
	return (v);
}

/* yajl's strings end at a NUL: \u0000 becomes \uffff, which is no character
 * and equals nothing that is configured, so that nothing is cut off. */
static void
mask_nul(char *text, size_t len)
{
	size_t	 i;

	for (i = 0; i + 5 < len; i++) {
		if (text[i] != '\\')
			continue;
		if (memcmp(text + i, "\\u0000", 6) == 0)
			memcpy(text + i, "\\uffff", 6);
		i++;		/* what an escape escapes is not one */
	}
}

static yajl_val
member(yajl_val v, const char *name)
{
	const char	*path[] = { name, NULL };

	return (yajl_tree_get(v, path, yajl_t_any));
}

static const char *
string(yajl_val v, const char *name)
{
	return (YAJL_GET_STRING(member(v, name)));
}
