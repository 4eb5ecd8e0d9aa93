/*
 * Access tokens: form, key, signature, claims, in this order.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/json.h"
#include "worker/jws.h"
#include "worker/jwt.h"

#define CLAIM_MAX	1024	/* bytes of client_id and sub */
#define SECONDS_MAX	1e15	/* of a NumericDate */
#define NUMBER_MAX	64	/* characters of one */

enum header { H_ALG, H_TYP, H_KID, H_CRIT, H_B64, NHEADER };

static const char	*const header_names[NHEADER] = {
	"alg", "typ", "kid", "crit", "b64"
};

enum claim { C_ISS, C_AUD, C_EXP, C_NBF, C_IAT, C_SCOPE, C_SCP, C_CLIENT_ID,
    C_AZP, C_SUB, NCLAIM };

static const char	*const claim_names[NCLAIM] = {
	"iss", "aud", "exp", "nbf", "iat", "scope", "scp", "client_id",
	"azp", "sub"
};

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

/* A walk over an array. */
struct elements {
	json_cb		 cb;
	void		*arg;
	unsigned	 depth;
};

/* What a walk over an audience looks for. */
struct wanted {
	const char	*s;
	int		 found;
};

/* Elements of an array of scopes so far. */
struct joined {
	char		*start;
	char		*end;
	int		 bad;
};

static int	 split(struct slice, struct parts *);
static enum auth_result read_header(struct parts *);
static enum auth_result read_claims(const struct jwt_policy *,
		    const struct parts *, int64_t, const struct jwk *,
		    struct jwt_claims **);
static enum auth_result find_key(const struct jwk_set *, const struct parts *,
		    const struct jwk **);
static enum auth_result try_keys(const struct jwk_set *, const struct parts *,
		    const struct jwk **);
static enum auth_result judge_claims(const struct jwt_policy *,
		    const struct json_member *, const char *, int64_t);
static enum auth_result judge_times(const struct jwt_policy *,
		    const struct json_member *, int64_t);
static struct jwt_claims *make_claims(const struct json_member *,
		    const char *, const struct jwk *);
static int	 decode(struct slice, const char *const *,
		    struct json_member *, size_t);
static void	 wipe(void);
static void	 mask_nul(char *, size_t);
static const char *string(const struct json_member *);
static int	 seconds(const struct json_member *, double *);
static const char *scopes_of(const struct json_member *);
static int	 scope_has(const char *, const char *);
static int	 type_ok(const char *);
static int	 audience_ok(const struct json_member *, const char *);
static void	 on_audience(void *, enum json_event, struct slice);
static void	 on_scope(void *, enum json_event, struct slice);
static int	 each(const struct json_member *, json_cb, void *);
static void	 on_element(void *, enum json_event, struct slice);

/* A segment that was decoded; its strings are taken apart in place. */
static char	 text[JWT_TOKEN_MAX / 4 * 3 + 4];
static size_t	 text_len;

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

	*claims = NULL;
	kid[0] = '\0';
	memset(&p, 0, sizeof(p));
	if (token.len > JWT_TOKEN_MAX || split(token, &p) == -1)
		return (AUTH_INVALID);
	r = read_header(&p);
	wipe();
	if (r != AUTH_OK)
		return (r);
	memcpy(kid, p.kid, sizeof(p.kid));
	if ((r = find_key(keys, &p, &key)) != AUTH_OK)
		return (r);
	r = read_claims(policy, &p, now_ms, key, claims);
	wipe();
	return (r);
}

/* RFC 7515 section 4.1, RFC 8725 sections 3.1 and 3.11. */
static enum auth_result
read_header(struct parts *p)
{
	struct json_member	 m[NHEADER];
	const char		*typ, *alg, *kid;

	if (decode(p->header, header_names, m, NHEADER) == -1)
		return (AUTH_INVALID);
	/* extensions that must be understood, and are not */
	if (m[H_CRIT].type != JSON_T_ABSENT || m[H_B64].type != JSON_T_ABSENT)
		return (AUTH_INVALID);
	typ = string(&m[H_TYP]);
	if (m[H_TYP].type != JSON_T_ABSENT && (typ == NULL || !type_ok(typ)))
		return (AUTH_INVALID);
	if ((alg = string(&m[H_ALG])) == NULL ||
	    (p->alg = jws_alg_parse(alg, strlen(alg))) == JWS_NONE)
		return (AUTH_INVALID);
	if (m[H_KID].type == JSON_T_ABSENT)
		return (AUTH_OK);
	if ((kid = string(&m[H_KID])) == NULL || strlen(kid) > JWK_KID_MAX)
		return (AUTH_INVALID);
	memcpy(p->kid, kid, strlen(kid) + 1);
	p->has_kid = 1;
	return (AUTH_OK);
}

static enum auth_result
read_claims(const struct jwt_policy *policy, const struct parts *p,
    int64_t now_ms, const struct jwk *key, struct jwt_claims **claims)
{
	struct json_member	 m[NCLAIM];
	enum auth_result	 r;
	const char		*scopes;

	if (decode(p->payload, claim_names, m, NCLAIM) == -1 ||
	    (scopes = scopes_of(m)) == NULL)
		return (AUTH_INVALID);
	r = judge_claims(policy, m, scopes, now_ms);
	if (r != AUTH_INVALID &&
	    (*claims = make_claims(m, scopes, key)) == NULL)
		r = AUTH_INVALID;
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
judge_claims(const struct jwt_policy *policy, const struct json_member *m,
    const char *scopes, int64_t now_ms)
{
	const char	*iss = string(&m[C_ISS]);
	enum auth_result r;
	size_t		 i;

	if (m[C_ISS].type != JSON_T_ABSENT && iss == NULL)
		return (AUTH_INVALID);
	if (iss == NULL || strcmp(iss, policy->issuer) != 0)
		return (AUTH_BAD_ISSUER);
	if (!audience_ok(&m[C_AUD], policy->audience))
		return (AUTH_BAD_AUDIENCE);
	if ((r = judge_times(policy, m, now_ms)) != AUTH_OK)
		return (r);
	for (i = 0; i < policy->nscopes; i++)
		if (!scope_has(scopes, policy->scopes[i]))
			return (AUTH_INSUFFICIENT_SCOPE);
	return (AUTH_OK);
}

static void
on_audience(void *arg, enum json_event event, struct slice raw)
{
	struct wanted	*w = arg;

	if (event == JSON_STRING && json_string_is(raw, w->s))
		w->found = 1;
}

/* One string, or an array with it (RFC 7519 section 4.1.3). */
static int
audience_ok(const struct json_member *aud, const char *s)
{
	struct wanted	 w = { s, 0 };

	if (aud->type == JSON_T_STRING)
		return (strcmp(string(aud), s) == 0);
	return (each(aud, on_audience, &w) == 0 && w.found);
}

static enum auth_result
judge_times(const struct jwt_policy *policy, const struct json_member *m,
    int64_t now_ms)
{
	double	 now = (double)now_ms / 1000, t;
	double	 leeway = (double)policy->leeway_ms / 1000;

	if (seconds(&m[C_EXP], &t) != 1)
		return (AUTH_INVALID);
	if (now >= t + leeway)
		return (AUTH_EXPIRED);
	switch (seconds(&m[C_NBF], &t)) {
	case -1:
		return (AUTH_INVALID);
	case 1:
		if (now < t - leeway)
			return (AUTH_NOT_YET_VALID);
	}
	switch (seconds(&m[C_IAT], &t)) {
	case -1:
		return (AUTH_INVALID);
	case 1:
		if (now < t - leeway)
			return (AUTH_NOT_YET_VALID);
	}
	return (AUTH_OK);
}

/* 1 a NumericDate (RFC 7519 section 2), 0 absent, -1 anything else; but for 1
 * t stays as it is. */
static int
seconds(const struct json_member *m, double *t)
{
	char	 number[NUMBER_MAX + 1];
	double	 v;

	if (m->type == JSON_T_ABSENT)
		return (0);
	if (m->type != JSON_T_NUMBER || m->raw.len > NUMBER_MAX)
		return (-1);
	memcpy(number, m->raw.p, m->raw.len);
	number[m->raw.len] = '\0';
	v = strtod(number, NULL);
	if (v < -SECONDS_MAX || v > SECONDS_MAX)
		return (-1);
	*t = v;
	return (1);
}

static void
on_scope(void *arg, enum json_event event, struct slice raw)
{
	struct joined	*j = arg;
	size_t		 n;

	if (event != JSON_STRING) {
		j->bad = 1;
		return;
	}
	if (j->end != j->start)
		*j->end++ = ' ';
	n = json_unescape(raw, j->end);
	/* a space inside would be two scopes to the next reader */
	j->bad |= memchr(j->end, ' ', n) != NULL;
	j->end += n;
}

/* "scope" (RFC 8693 section 4.2), else "scp" as string or array; joined by
 * single spaces.  NULL: malformed. */
static const char *
scopes_of(const struct json_member *m)
{
	static char	 scopes[sizeof(text)];
	struct joined	 j = { scopes, scopes, 0 };

	if (m[C_SCOPE].type != JSON_T_ABSENT)
		return (string(&m[C_SCOPE]));
	if (m[C_SCP].type == JSON_T_ABSENT)
		return ("");
	if (m[C_SCP].type == JSON_T_STRING)
		return (string(&m[C_SCP]));
	/* quotes and commas take more room than spaces */
	if (each(&m[C_SCP], on_scope, &j) == -1 || j.bad)
		return (NULL);
	*j.end = '\0';
	return (scopes);
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
make_claims(const struct json_member *m, const char *scopes,
    const struct jwk *key)
{
	struct jwt_claims	*c;
	const char		*client = string(&m[C_CLIENT_ID]);
	const char		*sub = string(&m[C_SUB]);
	double			 exp = 0;
	char			*p;

	if (client == NULL)
		client = string(&m[C_AZP]);
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
	(void)seconds(&m[C_EXP], &exp);
	c->exp = (int64_t)exp;
	memcpy(c->key_id, key->id, sizeof(c->key_id));
	return (c);
}

void
jwt_claims_free(struct jwt_claims *c)
{
	free(c);
}

/* Members of the object in a segment, which stays in text until wipe();
 * strings are unescaped, and end at a NUL.  0 or -1. */
static int
decode(struct slice seg, const char *const *names, struct json_member *m,
    size_t n)
{
	ssize_t	 len;
	size_t	 i, end;
	char	*s;

	for (i = 0; i < n; i++)
		m[i].name = names[i];
	text_len = seg.len / 4 * 3 + 2;
	if ((len = base64url_decode(seg.p, seg.len, (uint8_t *)text)) <= 0)
		return (-1);
	mask_nul(text, (size_t)len);
	if (json_members(text, (size_t)len, m, n) != JSON_OK)
		return (-1);
	for (i = 0; i < n; i++) {
		if (m[i].type != JSON_T_STRING)
			continue;
		s = text + (m[i].raw.p - text);
		end = json_unescape(m[i].raw, s);
		s[end] = '\0';		/* the quote, or before it */
		m[i].raw.len = end;
	}
	return (0);
}

static void
wipe(void)
{
	explicit_bzero(text, text_len);
	text_len = 0;
}

/* Strings are to end at a NUL: \u0000 becomes \uffff, which is no character
 * and equals nothing that is configured, so that nothing is cut off. */
static void
mask_nul(char *p, size_t len)
{
	size_t	 i;

	if (memchr(p, '\\', len) == NULL)
		return;
	for (i = 0; i + 5 < len; i++) {
		if (p[i] != '\\')
			continue;
		if (memcmp(p + i, "\\u0000", 6) == 0)
			memcpy(p + i, "\\uffff", 6);
		i++;		/* what an escape escapes is not one */
	}
}

static const char *
string(const struct json_member *m)
{
	return (m->type == JSON_T_STRING ? m->raw.p : NULL);
}

/* The elements of an array, but not what is in them.  0, or -1: it is none. */
static int
each(const struct json_member *m, json_cb cb, void *arg)
{
	struct elements	 e = { cb, arg, 0 };

	if (m->type != JSON_T_ARRAY || json_walk(m->raw.p, m->raw.len,
	    on_element, &e) != JSON_OK)
		return (-1);
	return (0);
}

static void
on_element(void *arg, enum json_event event, struct slice raw)
{
	struct elements	*e = arg;

	if (event == JSON_END) {
		e->depth--;
		return;
	}
	if (e->depth == 1)
		e->cb(e->arg, event, raw);
	if (event == JSON_OBJECT || event == JSON_ARRAY)
		e->depth++;
}
