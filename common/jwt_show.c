/*
 * Findings in words.  Nothing here judges: the checks have.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/claims.h"
#include "common/jwt.h"
#include "common/jwt_show.h"
#include "common/rfc3339.h"
#include "common/scopes.h"

#define YEAR_9999	253402300799.0
/* "aud: got " and ", wanted " beside both */
_Static_assert(sizeof("signature: got , wanted ") - 1 + 2 * JWT_SEEN_MAX <=
    JWT_WHY_MAX, "a finding has room in one line");

static const char *const type_names[] = {
	[JSON_T_ABSENT] = "none",
	[JSON_T_NULL] = "null",
	[JSON_T_BOOLEAN] = "a boolean",
	[JSON_T_NUMBER] = "a number",
	[JSON_T_STRING] = "a string",
	[JSON_T_ARRAY] = "an array",
	[JSON_T_OBJECT] = "an object"
};

static void	 put_member(struct detail *, const struct json_member *);
static void	 put_item(void *, struct slice);
static void	 put_claim(struct detail *, const struct jwt_claim *);
static const char *key_of(const struct judging *);
static void	 put_names(struct detail *, const struct jwt_claim_list *);
static void	 put_keys(struct detail *, const struct judging *);
static void	 put_audiences(struct detail *, const struct judging *);
static void	 put_time(struct detail *, const struct judging *,
		    const struct json_member *);
static void	 put_leeway(struct detail *, const struct judging *);
static void	 show_began(const struct judging *, enum claim,
		    struct detail *, struct detail *);

void
jwt_show_form(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	detail_printf(seen, "%zu bytes%s", t->token.len,
	    t->form.header.p != NULL || t->token.len > JWT_TOKEN_MAX ? "" :
	    ", not three segments of base64url");
	detail_printf(wanted, "at most %d bytes, three segments of "
	    "base64url", JWT_TOKEN_MAX);
}

void
jwt_show_object(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	detail_puts(seen, t->object ? "a JSON object" : "none");
	detail_puts(wanted, "a JSON object, with no member twice and no NUL");
}

void
jwt_show_crit(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	detail_puts(seen, t->h[H_CRIT].type != JSON_T_ABSENT ? "crit" :
	    t->h[H_B64].type != JSON_T_ABSENT ? "b64" : "none");
	detail_puts(wanted, "no extension (crit, b64)");
}

void
jwt_show_typ(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	const struct conf_strings	*typ = &t->policy->conf->typ;
	size_t				 i;

	put_member(seen, &t->h[H_TYP]);
	if (typ->n == 0)
		detail_puts(wanted, "\"at+jwt\", \"JWT\" or none");
	for (i = 0; i < typ->n; i++)
		detail_item(wanted, slice_of(typ->v[i]));
}

void
jwt_show_alg(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	put_member(seen, &t->h[H_ALG]);
	detail_puts(wanted, "RS256, RS384, RS512, PS256, PS384, PS512, "
	    "ES256, ES384, ES512, EdDSA, Ed25519 or Ed448");
}

void
jwt_show_kid(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	put_member(seen, &t->h[H_KID]);
	if (t->alg != JWS_NONE)
		detail_printf(seen, " (alg %s)", jws_alg_name(t->alg));
	if (t->h[H_KID].type != JSON_T_ABSENT && !t->has_kid)
		detail_printf(wanted, "a string of at most %d bytes",
		    JWK_KID_MAX);
	else if (t->keys == NULL)
		detail_puts(wanted, "one of the key set, which is not known "
		    "here");
	else if (!t->has_kid)
		detail_puts(wanted, "one, or a key for this alg in the key "
		    "set");
	else
		put_keys(wanted, t);
}

/* What the key is for whose kid it has. */
void
jwt_show_key(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	enum jws_alg	 alg;
	const char	*sep = "";

	detail_printf(seen, "alg %s", jws_alg_name(t->alg));
	if (t->last == NULL)
		detail_puts(wanted, "a key that is for it");
	for (alg = JWS_NONE + 1; t->last != NULL && alg < JWS_ALG_MAX; alg++)
		if (jwk_allows(t->last, alg)) {
			detail_printf(wanted, "%s%s", sep, jws_alg_name(alg));
			sep = " or ";
		}
}

void
jwt_show_signature(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	if (t->key != NULL && t->has_kid) {
		detail_puts(seen, "one made by the key ");
		detail_quote(seen, slice_of(t->kid));
	} else if (t->key != NULL)
		detail_puts(seen, "one made by a key of the key set");
	else if (t->ntried == 0)
		detail_puts(seen, "one that no key could judge");
	else if (t->has_kid) {
		detail_puts(seen, "one that the key ");
		detail_quote(seen, slice_of(t->kid));
		detail_puts(seen, " did not make");
	} else
		detail_printf(seen, "no kid, and one that none of %zu keys "
		    "for its alg made", t->ntried);
	detail_printf(wanted, "one made by its key, with %s",
	    jws_alg_name(t->alg));
}

void
jwt_show_shape(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	if (t->read) {
		detail_puts(seen, "claims as they must be");
		detail_puts(wanted, "each of the type that its specification "
		    "gives it");
		return;
	}
	seen->whole = 1;
	if (t->bad_claim != NULL) {
		put_claim(seen, t->bad_claim);
		detail_printf(seen, " (%s)", key_of(t));
	} else
		detail_puts(seen, t->bad_name);
	if (t->wanted == NULL) {
		detail_puts(seen, " is there, which no access token has");
		detail_puts(wanted, "none");
		return;
	}
	detail_printf(seen, " is not %s but %s", t->wanted,
	    type_names[t->bad.type]);
	if (t->bad.type == JSON_T_STRING)
		detail_printf(seen, " of %zu bytes", t->bad.raw.len);
	detail_puts(wanted, t->wanted);
}

/* The list of the configuration that has the bad claim. */
static const char *
key_of(const struct judging *t)
{
	const struct jwt_policy	*p = t->policy;
	uintptr_t		 at = (uintptr_t)t->bad_claim;

	if (at >= (uintptr_t)&p->client && at < (uintptr_t)(&p->client + 1))
		return ("auth.oauth.client_claims");
	if (at >= (uintptr_t)&p->scope && at < (uintptr_t)(&p->scope + 1))
		return ("auth.oauth.scope_claims");
	return ("auth.oauth.audience_claims");
}

void
jwt_show_use(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	const struct json_member	*typ = &t->m[C_TYP];
	const struct json_member	*use = &t->m[C_TOKEN_USE];

	if (use->type != JSON_T_ABSENT) {
		detail_puts(seen, "token_use ");
		put_member(seen, use);
	}
	if (typ->type != JSON_T_ABSENT) {
		detail_puts(seen, seen->len > 0 ? ", typ " : "typ ");
		put_member(seen, typ);
	}
	if (seen->len == 0)
		detail_puts(seen, "none");
	detail_puts(wanted, "token_use \"access\" or none, typ \"Bearer\", "
	    "another of access tokens, or none");
}

void
jwt_show_iss(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	put_member(seen, &t->m[C_ISS]);
	detail_quote(wanted, slice_of(t->policy->conf->issuer));
}

void
jwt_show_aud(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	const struct jwt_claim_list	*list = &t->policy->audience;
	struct json_member		 v;
	size_t				 i;

	put_audiences(wanted, t);
	for (i = 0; i < list->n; i++) {
		if (claims_at(t->m, &list->claims[i], &v) == -1 ||
		    v.type == JSON_T_ABSENT)
			continue;
		if (list->claims[i].at != C_AUD) {
			put_claim(seen, &list->claims[i]);
			detail_puts(seen, " ");
		}
		if (claims_each(&v, put_item, seen) == 0)
			detail_puts(seen, "an empty array");
		return;
	}
	detail_puts(seen, "none");
}

void
jwt_show_exp(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	put_time(seen, t, &t->m[C_EXP]);
	detail_puts(wanted, "at most ");
	put_leeway(wanted, t);
	detail_puts(wanted, " ago");
}

void
jwt_show_nbf(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	show_began(t, C_NBF, seen, wanted);
}

void
jwt_show_iat(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	show_began(t, C_IAT, seen, wanted);
}

static void
show_began(const struct judging *t, enum claim claim, struct detail *seen,
    struct detail *wanted)
{
	put_time(seen, t, &t->m[claim]);
	detail_puts(wanted, "at most in ");
	put_leeway(wanted, t);
}

void
jwt_show_cnf(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	if (t->m[C_CNF].type == JSON_T_ABSENT && t->m[C_TYP].type ==
	    JSON_T_STRING && strcasecmp(t->m[C_TYP].raw.p, "DPoP") == 0)
		detail_puts(seen, "typ \"DPoP\"");
	else
		put_member(seen, &t->m[C_CNF]);
	detail_puts(wanted, "none, for the proof of a key is not checked here");
}

void
jwt_show_scopes(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	const struct conf_oauth	*o = t->policy->conf;
	int			 all;
	size_t			 i;

	all = scopes_missing(t->scopes, o->scopes, o->nscopes) == NULL;
	detail_quote(seen, t->scopes.len > 0 ? t->scopes : slice_of(NULL));
	if (o->nscopes == 0)
		detail_puts(wanted, "none");
	else if (!all)
		detail_puts(wanted, "also ");
	for (i = 0; i < o->nscopes; i++)
		if (all || !scopes_has(t->scopes, slice_of(o->scopes[i])))
			detail_item(wanted, slice_of(o->scopes[i]));
}

void
jwt_show_client(const struct judging *t, struct detail *seen,
    struct detail *wanted)
{
	detail_quote(seen, slice_of(t->client[0] == '\0' ? NULL : t->client));
	detail_puts(wanted, "a name, or none, in ");
	put_names(wanted, &t->policy->client);
}

void
jwt_say_closed(const struct jwt_policy *policy, const struct jwt_claims *c,
    size_t upstream, char why[JWT_WHY_MAX + 1])
{
	struct detail	 seen, wanted;
	size_t		 i;

	detail_init(&seen, JWT_SEEN_MAX, JWT_CUT);
	detail_init(&wanted, JWT_SEEN_MAX, JWT_CUT);
	detail_puts(&seen, "that of another upstream, ");
	for (i = 0; i < policy->nresources; i++)
		if (jwt_opens(c, i))
			detail_item(&seen, slice_of(policy->resources[i]));
	detail_quote(&wanted, slice_of(upstream < policy->nresources ?
	    policy->resources[upstream] : policy->conf->public_url));
	(void)snprintf(why, JWT_WHY_MAX + 1, "aud: got %.*s, wanted %.*s",
	    JWT_SEEN_MAX, seen.p, JWT_SEEN_MAX, wanted.p);
}

static void
put_member(struct detail *d, const struct json_member *m)
{
	if (m->type == JSON_T_STRING)
		detail_quote(d, slice_of(m->raw.p));
	else
		detail_puts(d, type_names[m->type]);
}

static void
put_item(void *arg, struct slice s)
{
	detail_item(arg, s);
}

/* Its path, as in the configuration, but no longer than a value. */
static void
put_claim(struct detail *d, const struct jwt_claim *c)
{
	struct detail	 path;
	size_t		 i;

	detail_init(&path, d->cut, d->cut);
	detail_puts(&path, c->text);
	for (i = 0; i < c->ninner; i++)
		detail_printf(&path, ".%s", c->inner[i]);
	detail_printf(d, "%s%s", path.p, path.full ? "..." : "");
}

static void
put_names(struct detail *d, const struct jwt_claim_list *list)
{
	size_t	 i;

	for (i = 0; i < list->n; i++) {
		detail_puts(d, i == 0 ? "" : ", ");
		put_claim(d, &list->claims[i]);
	}
}

static void
put_keys(struct detail *d, const struct judging *t)
{
	size_t	 i, n = 0;

	detail_puts(d, "one of the key set: ");
	for (i = 0; i < t->keys->n; i++)
		if (t->keys->keys[i].has_kid) {
			detail_item(d, slice_of(t->keys->keys[i].kid));
			n++;
		}
	if (n == 0)
		detail_puts(d, "no key in it has one");
}

static void
put_audiences(struct detail *d, const struct judging *t)
{
	const struct conf_oauth	*o = t->policy->conf;
	size_t			 i;

	for (i = 0; i < o->audiences.n; i++)
		detail_item(d, slice_of(o->audiences.v[i]));
	if (t->policy->resources == NULL)
		return;
	detail_item(d, slice_of(o->public_url));
	for (i = 0; i < t->policy->nresources; i++)
		detail_item(d, slice_of(t->policy->resources[i]));
}

/* When, and how far from now. */
static void
put_time(struct detail *d, const struct judging *t,
    const struct json_member *m)
{
	char	 buf[RFC3339_STRLEN];
	double	 at, ago;

	if (!claims_seconds(m, &at)) {
		detail_puts(d, type_names[m->type]);
		return;
	}
	if (at >= 0 && at <= YEAR_9999)
		detail_puts(d, rfc3339_format((int64_t)at, buf));
	else
		detail_printf(d, "%.0f", at);
	ago = (double)t->now_ms / 1000 - at;
	if (ago >= 0)
		detail_printf(d, ", %.0f s ago", ago);
	else
		detail_printf(d, ", in %.0f s", -ago);
}

static void
put_leeway(struct detail *d, const struct judging *t)
{
	detail_printf(d, "%g s", (double)t->policy->conf->leeway_ms / 1000);
}
