/*
 * Access tokens: form, key, signature, claims, in this order.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/base64url.h"
#include "common/claims.h"
#include "common/json.h"
#include "common/jws.h"
#include "common/jwt.h"
#include "common/jwt_int.h"
#include "common/jwt_show.h"

static enum auth_result check_form(struct judging *);
static enum auth_result check_header(struct judging *);
static enum auth_result check_crit(struct judging *);
static enum auth_result check_typ(struct judging *);
static enum auth_result check_alg(struct judging *);
static enum auth_result check_kid(struct judging *);
static enum auth_result check_key(struct judging *);
static enum auth_result check_signature(struct judging *);
static enum auth_result check_payload(struct judging *);
static enum auth_result allow_any(struct judging *);

/* In this order, which auth_result tells of. */
static const struct check {
	const char	*name;
	enum auth_result (*run)(struct judging *);
	jwt_show_fn	*show;
	int		 vital;		/* there is nothing to see behind it */
	int		 needs_keys;
} checks[] = {
	{ "form", check_form, jwt_show_form, 1, 0 },
	{ "header", check_header, jwt_show_object, 1, 0 },
	{ "crit", check_crit, jwt_show_crit, 0, 0 },
	{ "typ", check_typ, jwt_show_typ, 0, 0 },
	{ "alg", check_alg, jwt_show_alg, 0, 0 },
	{ "kid", check_kid, jwt_show_kid, 0, 1 },
	{ "key", check_key, jwt_show_key, 0, 1 },
	{ "signature", check_signature, jwt_show_signature, 0, 1 },
	{ "payload", check_payload, jwt_show_object, 1, 0 },
	{ "claims", claims_shape, jwt_show_shape, 1, 0 },
	{ "use", claims_use, jwt_show_use, 0, 0 },
	{ "iss", claims_iss, jwt_show_iss, 0, 0 },
	{ "aud", claims_aud, jwt_show_aud, 0, 0 },
	{ "exp", claims_exp, jwt_show_exp, 0, 0 },
	{ "nbf", claims_nbf, jwt_show_nbf, 0, 0 },
	{ "iat", claims_iat, jwt_show_iat, 0, 0 },
	{ "cnf", claims_cnf, jwt_show_cnf, 0, 0 },
	{ "scopes", claims_scopes, jwt_show_scopes, 0, 0 },
	{ "client", allow_any, jwt_show_client, 0, 0 }
};
#define NCHECKS		(sizeof(checks) / sizeof(checks[0]))
_Static_assert(NCHECKS <= JWT_CHECKS, "room for findings");

static const char	*const header_names[NHEADER] = {
	[H_ALG] = "alg", [H_TYP] = "typ", [H_KID] = "kid", [H_CRIT] = "crit",
	[H_B64] = "b64"
};

static enum auth_result run(struct judging *, struct jwt_report *);
static enum auth_result note(struct judging *, const struct check *,
		    enum auth_result, struct jwt_report *);
static void	 find_key(struct judging *);
static ssize_t	 decode(struct slice);
static void	 wipe(void);
static int	 type_ok(const struct conf_strings *, const char *);
static const char *type_short(const char *);

/* A segment that was decoded; its strings are taken apart in place. */
static char	 text[JWT_TOKEN_MAX / 4 * 3 + 4];
static size_t	 text_len;

enum auth_result
jwt_verify(const struct jwt_policy *policy, const struct jwk_set *keys,
    struct slice token, int64_t now_ms, struct jwt_claims **claims,
    struct jwt_report *report)
{
	struct judging		 t;
	enum auth_result	 r;

	memset(&t, 0, offsetof(struct judging, m));
	t.policy = policy;
	t.keys = keys;
	t.token = token;
	t.now_ms = now_ms;
	t.kid = report->kid;
	*claims = NULL;
	report->kid[0] = '\0';
	report->why[0] = '\0';
	if (report->list != NULL)
		report->list->n = 0;
	r = run(&t, report);
	/* what is said without a good signature is nobody's word */
	if (t.key != NULL && t.read && r != AUTH_INVALID &&
	    (*claims = claims_make(&t)) == NULL)
		r = AUTH_UNAVAILABLE;
	wipe();
	return (r);
}

static enum auth_result
run(struct judging *t, struct jwt_report *report)
{
	enum auth_result	 r, first = AUTH_OK;
	size_t			 i;

	for (i = 0; i < NCHECKS; i++) {
		r = checks[i].run(t);
		if (r == AUTH_OK && report->list == NULL)
			continue;
		r = note(t, &checks[i], r, report);
		if (first == AUTH_OK)
			first = r;
		if (r != AUTH_OK && (report->list == NULL || checks[i].vital))
			break;
	}
	return (first);
}

/* Say what a check saw, to whoever wants to know. */
static enum auth_result
note(struct judging *t, const struct check *c, enum auth_result r,
    struct jwt_report *report)
{
	static struct jwt_finding	 alone;
	struct jwt_finding		*f = &alone;
	size_t				 max = JWT_SEEN_MAX, cut = JWT_CUT;

	if (report->list != NULL) {
		f = &report->list->v[report->list->n++];
		max = DETAIL_MAX;
		cut = DETAIL_MAX;
	}
	f->check = c->name;
	f->result = r;
	f->outcome = r == AUTH_OK ? JWT_PASSED : JWT_FAILED;
	if (c->needs_keys && t->keys == NULL)
		f->result = AUTH_UNAVAILABLE;
	if (c->needs_keys && (t->keys == NULL || t->alg == JWS_NONE ||
	    t->unsure))
		f->outcome = JWT_UNKNOWN;
	t->unsure |= c->needs_keys && f->outcome == JWT_FAILED;
	detail_init(&f->seen, max, cut);
	detail_init(&f->wanted, max, cut);
	c->show(t, &f->seen, &f->wanted);
	if (f->result == AUTH_OK || report->why[0] != '\0')
		return (f->result);
	if (f->seen.whole)
		(void)strlcpy(report->why, f->seen.p, sizeof(report->why));
	else
		(void)snprintf(report->why, sizeof(report->why),
		    "%s: got %.*s, wanted %.*s", c->name, JWT_SEEN_MAX,
		    f->seen.p, JWT_SEEN_MAX, f->wanted.p);
	return (f->result);
}

static enum auth_result
check_form(struct judging *t)
{
	if (t->token.len <= JWT_TOKEN_MAX &&
	    jwt_form_split(t->token, &t->form) == 0)
		return (AUTH_OK);
	memset(&t->form, 0, sizeof(t->form));
	return (AUTH_INVALID);
}

/* RFC 7515 section 4.1, RFC 8725 sections 3.1 and 3.11. */
static enum auth_result
check_header(struct judging *t)
{
	ssize_t	 len = decode(t->form.header);

	t->object = len != -1 && claims_members(text, (size_t)len,
	    header_names, t->h, NHEADER) == 0;
	return (t->object ? AUTH_OK : AUTH_INVALID);
}

/* Extensions that must be understood, and are not. */
static enum auth_result
check_crit(struct judging *t)
{
	return (t->h[H_CRIT].type != JSON_T_ABSENT ||
	    t->h[H_B64].type != JSON_T_ABSENT ? AUTH_INVALID : AUTH_OK);
}

static enum auth_result
check_typ(struct judging *t)
{
	const struct json_member	*m = &t->h[H_TYP];

	return ((m->type != JSON_T_ABSENT && m->type != JSON_T_STRING) ||
	    !type_ok(&t->policy->conf->typ, claims_string(m)) ?
	    AUTH_INVALID : AUTH_OK);
}

static enum auth_result
check_alg(struct judging *t)
{
	const char	*alg = claims_string(&t->h[H_ALG]);

	return (alg == NULL || (t->alg = jws_alg_parse(alg,
	    strlen(alg))) == JWS_NONE ? AUTH_INVALID : AUTH_OK);
}

/* Of the right form, and of a key; without one, that a key is for its alg. */
static enum auth_result
check_kid(struct judging *t)
{
	const struct json_member	*m = &t->h[H_KID];
	const char			*kid = claims_string(m);

	if (m->type != JSON_T_ABSENT) {
		if (kid == NULL || strlen(kid) > JWK_KID_MAX)
			return (AUTH_INVALID);
		memcpy(t->kid, kid, strlen(kid) + 1);
		t->has_kid = 1;
	}
	if (t->keys != NULL && t->alg != JWS_NONE)
		find_key(t);
	return ((t->has_kid ? t->nkid : t->ntried) > 0 ? AUTH_OK :
	    AUTH_UNKNOWN_KEY);
}

/* One kid may name several keys, of different types. */
static void
find_key(struct judging *t)
{
	const struct jwk	*k;
	size_t			 i;

	for (i = 0; i < t->keys->n && t->ntried < JWT_KEY_TRIES; i++) {
		k = &t->keys->keys[i];
		if (t->has_kid) {
			if (!k->has_kid || strcmp(k->kid, t->kid) != 0)
				continue;
			t->nkid++;
			t->last = k;
		}
		if (!jwk_allows(k, t->alg))
			continue;
		t->ntried++;
		if (jws_verify(k, t->alg, t->form.signed_text,
		    t->form.signature)) {
			t->key = k;
			return;
		}
	}
}

static enum auth_result
check_key(struct judging *t)
{
	return (t->ntried > 0 ? AUTH_OK : AUTH_INVALID);
}

static enum auth_result
check_signature(struct judging *t)
{
	return (t->key != NULL ? AUTH_OK : AUTH_BAD_SIGNATURE);
}

static enum auth_result
check_payload(struct judging *t)
{
	ssize_t	 len;

	wipe();
	len = decode(t->form.payload);
	t->object = len != -1 && claims_members(text, (size_t)len,
	    t->policy->names, t->m, t->policy->nnames) == 0;
	return (t->object ? AUTH_OK : AUTH_INVALID);
}

/* A token need not name its client. */
static enum auth_result
allow_any(struct judging *t)
{
	(void)t;
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
