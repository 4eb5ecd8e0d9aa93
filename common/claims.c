/*
 * One table says what type a claim must have; three lists of the
 * configuration say which claims name the client, the scopes and the
 * audience.
 */
#include <stdlib.h>
#include <string.h>

#include "common/claims.h"
#include "common/log.h"
#include "common/resource.h"
#include "common/scopes.h"

#define CLAIM_MAX	1024	/* bytes of a client's name and of sub */
#define SECONDS_MAX	1e15	/* of a NumericDate: later is as late */

enum claim { C_ISS, C_SUB, C_AUD, C_EXP, C_NBF, C_IAT, C_JTI, C_CLIENT_ID,
    C_AZP, C_SCOPE, C_SCP, C_CNF, C_TYP, C_TOKEN_USE, C_EVENTS, C_AT_HASH,
    C_C_HASH, C_S_HASH, NCLAIM };

/* What a claim must be. */
enum kind {
	K_STRING,
	K_NUMBER,
	K_STRINGS,		/* one, or an array of them */
	K_OBJECT,
	K_NONE			/* no access token has it */
};

static const struct {
	const char	*name;
	enum kind	 kind;
	const char	*why;		/* when it is something else */
} claims_known[NCLAIM] = {
	[C_ISS] = { "iss", K_STRING, "iss is not a string" },
	[C_SUB] = { "sub", K_STRING, "sub is not a string" },
	[C_AUD] = { "aud", K_STRINGS,
	    "aud is neither a string nor an array of strings" },
	[C_EXP] = { "exp", K_NUMBER, "exp is not a number" },
	[C_NBF] = { "nbf", K_NUMBER, "nbf is not a number" },
	[C_IAT] = { "iat", K_NUMBER, "iat is not a number" },
	[C_JTI] = { "jti", K_STRING, "jti is not a string" },
	[C_CLIENT_ID] = { "client_id", K_STRING,
	    "client_id is not a string" },
	[C_AZP] = { "azp", K_STRING, "azp is not a string" },
	[C_SCOPE] = { "scope", K_STRINGS,
	    "scope is neither a string nor an array of strings" },
	[C_SCP] = { "scp", K_STRINGS,
	    "scp is neither a string nor an array of strings" },
	[C_CNF] = { "cnf", K_OBJECT, "cnf is not an object" },
	[C_TYP] = { "typ", K_STRING, "the claim typ is not a string" },
	[C_TOKEN_USE] = { "token_use", K_STRING,
	    "token_use is not a string" },
	/* RFC 8417; OpenID Connect Core 1.0, sections 2 and 3.3.2.11 */
	[C_EVENTS] = { "events", K_NONE,
	    "a logout token or event (events), not an access token" },
	[C_AT_HASH] = { "at_hash", K_NONE,
	    "an ID token (at_hash), not an access token" },
	[C_C_HASH] = { "c_hash", K_NONE,
	    "an ID token (c_hash), not an access token" },
	[C_S_HASH] = { "s_hash", K_NONE,
	    "an ID token (s_hash), not an access token" }
};

/* What was found out about a token. */
struct found {
	const char	*client;
	const char	*scopes;
	int		 all;		/* opens every upstream */
	uint8_t		 open[CONF_UPSTREAMS_MAX / 8];
	int		 some;		/* a bit of open is set */
};

/* A walk over an array. */
struct elements {
	json_cb		 cb;
	void		*arg;
	unsigned	 depth;
};

/* A walk over an audience. */
struct audience {
	const struct jwt_policy *policy;
	struct found	*found;
	int		 resource;	/* may be the name of a resource */
};

/* Scopes so far. */
struct joined {
	size_t		 before;	/* length of those of other claims */
	int		 strict;	/* a space in an element is an error */
	int		 bad;
};

/* Strings from inside of objects and arrays, for one token at a time. */
static char	 scratch[2 * JWT_TOKEN_MAX];
static size_t	 scratch_len;
/* Joined by single spaces. */
static char	 scopes[2 * JWT_TOKEN_MAX];
static size_t	 scopes_len;

static const char *wrong_type(const struct json_member *);
static const char *wrong_kind(const struct json_member *);
static const char *find_client(const struct jwt_policy *,
		    const struct json_member *, struct found *);
static const char *find_scopes(const struct jwt_policy *,
		    const struct json_member *, struct found *);
static const char *find_audience(const struct jwt_policy *,
		    const struct json_member *, struct found *);
static enum auth_result judge(const struct jwt_policy *,
		    const struct json_member *, const struct found *, int64_t,
		    const char **);
static enum auth_result judge_times(const struct jwt_policy *,
		    const struct json_member *, int64_t, const char **);
static int	 at(const struct json_member *, const struct jwt_claim *,
		    struct json_member *);
static const char *keep(struct slice);
static int	 is_kind(const struct json_member *, enum kind);
static void	 on_type(void *, enum json_event, struct slice);
static void	 on_audience(void *, enum json_event, struct slice);
static void	 match(const struct audience *, struct slice);
static void	 on_scope(void *, enum json_event, struct slice);
static void	 scope_add(struct joined *, const char *, size_t);
static int	 bound(const struct json_member *);
static int	 seconds(const struct json_member *, double *);
static struct jwt_claims *make(const struct jwt_policy *,
		    const struct json_member *, const struct found *,
		    const uint8_t[32]);
static int	 each(const struct json_member *, json_cb, void *);
static void	 on_element(void *, enum json_event, struct slice);
static int	 has_nul(const char *, size_t);
static size_t	 name_at(struct jwt_policy *, const char *);
static void	 list_init(struct jwt_policy *, struct jwt_claim_list *,
		    const struct conf_strings *);

void
jwt_policy_init(struct jwt_policy *policy, const struct conf_oauth *o,
    const struct conf_upstream *up, size_t n)
{
	size_t	 i;

	memset(policy, 0, sizeof(*policy));
	policy->conf = o;
	for (i = 0; i < NCLAIM; i++)
		policy->names[policy->nnames++] = claims_known[i].name;
	list_init(policy, &policy->client, &o->client_claims);
	list_init(policy, &policy->scope, &o->scope_claims);
	list_init(policy, &policy->audience, &o->audience_claims);
	if (!o->accept_resource)
		return;
	if ((policy->resources = calloc(n + 1, sizeof(char *))) == NULL)
		fatalx("no memory");
	for (i = 0; i < n; i++)
		if ((policy->resources[i] = resource_of(o->public_url,
		    up[i].name)) == NULL)
			fatalx("no memory");
	policy->nresources = n;
}

static void
list_init(struct jwt_policy *policy, struct jwt_claim_list *list,
    const struct conf_strings *from)
{
	struct jwt_claim	*c;
	char			*part;
	size_t			 i;

	for (i = 0; i < from->n && i < CONF_CLAIMS_MAX; i++) {
		c = &list->claims[list->n++];
		if ((c->text = strdup(from->v[i])) == NULL)
			fatalx("no memory");
		/* the whole name where it is a URI (RFC 7519 section 4.2) */
		if (strpbrk(c->text, ":/") != NULL)
			part = NULL;
		else if ((part = strchr(c->text, '.')) != NULL)
			*part++ = '\0';
		c->at = name_at(policy, c->text);
		while (part != NULL && c->ninner < CONF_CLAIM_DEPTH)
			c->inner[c->ninner++] = strsep(&part, ".");
	}
}

/* The index of a member's name. */
static size_t
name_at(struct jwt_policy *policy, const char *name)
{
	size_t	 i;

	for (i = 0; i < policy->nnames; i++)
		if (strcmp(policy->names[i], name) == 0)
			return (i);
	if (policy->nnames == JWT_NAMES_MAX)
		fatalx("too many claims");
	policy->names[policy->nnames] = name;
	return (policy->nnames++);
}

int
jwt_opens(const struct jwt_claims *c, size_t upstream)
{
	return (c->open == NULL || (upstream != SIZE_MAX &&
	    (c->open[upstream / 8] >> upstream % 8 & 1)));
}

enum auth_result
claims_judge(const struct jwt_policy *policy, char *text, size_t len,
    int64_t now_ms, const uint8_t key_id[32], struct jwt_claims **claims,
    const char **why)
{
	struct json_member	 m[JWT_NAMES_MAX];
	struct found		 f;
	enum auth_result	 r;

	memset(&f, 0, sizeof(f));
	scratch_len = 0;
	if (claims_members(text, len, policy->names, m,
	    policy->nnames) == -1) {
		*why = "the payload is no JSON object fit to be judged";
		return (AUTH_INVALID);
	}
	if ((*why = wrong_type(m)) != NULL ||
	    (*why = wrong_kind(m)) != NULL ||
	    (*why = find_client(policy, m, &f)) != NULL ||
	    (*why = find_scopes(policy, m, &f)) != NULL ||
	    (*why = find_audience(policy, m, &f)) != NULL)
		return (AUTH_INVALID);
	r = judge(policy, m, &f, now_ms, why);
	if (r != AUTH_INVALID &&
	    (*claims = make(policy, m, &f, key_id)) == NULL) {
		*why = "the client's name or sub is longer than 1024 bytes";
		r = AUTH_INVALID;
	}
	return (r);
}

static const char *
wrong_type(const struct json_member *m)
{
	size_t	 i;

	for (i = 0; i < NCLAIM; i++)
		if (m[i].type != JSON_T_ABSENT &&
		    !is_kind(&m[i], claims_known[i].kind))
			return (claims_known[i].why);
	return (NULL);
}

static int
is_kind(const struct json_member *m, enum kind kind)
{
	int	 bad = 0;

	switch (kind) {
	case K_STRING:
		return (m->type == JSON_T_STRING);
	case K_NUMBER:
		return (m->type == JSON_T_NUMBER);
	case K_OBJECT:
		return (m->type == JSON_T_OBJECT);
	case K_STRINGS:
		return (m->type == JSON_T_STRING ||
		    (each(m, on_type, &bad) == 0 && !bad));
	case K_NONE:
		break;
	}
	return (0);
}

static void
on_type(void *arg, enum json_event event, struct slice raw)
{
	(void)raw;
	*(int *)arg |= event != JSON_STRING;
}

/* Tokens of other kinds by the same issuer.  Keycloak says typ inside, Cognito
 * token_use.  A nonce alone is no sign: old Keycloaks put it everywhere. */
static const char *
wrong_kind(const struct json_member *m)
{
	static const char *const access[] = { "Bearer", "DPoP", "at+jwt",
	    "application/at+jwt", "JWT", "access", "access_token" };
	const char	*typ = claims_string(&m[C_TYP]);
	const char	*use = claims_string(&m[C_TOKEN_USE]);
	size_t		 i;

	if (use != NULL && strcmp(use, "access") != 0)
		return ("token_use says that it is no access token");
	if (typ == NULL)
		return (NULL);
	for (i = 0; i < sizeof(access) / sizeof(access[0]); i++)
		if (strcasecmp(typ, access[i]) == 0)
			return (NULL);
	return ("the claim typ says that it is no access token");
}

/* The first that says something. */
static const char *
find_client(const struct jwt_policy *policy, const struct json_member *m,
    struct found *f)
{
	struct json_member	 v;
	const char		*s;
	size_t			 i;

	f->client = "";
	for (i = 0; i < policy->client.n; i++) {
		if (at(m, &policy->client.claims[i], &v) == -1)
			return ("a claim of auth.oauth.client_claims is "
			    "inside of what is no object");
		if (v.type == JSON_T_ABSENT)
			continue;
		if ((s = claims_string(&v)) == NULL)
			return ("a claim of auth.oauth.client_claims is not "
			    "a string");
		if (f->client[0] == '\0')
			f->client = s;
	}
	return (NULL);
}

/* All of them together. */
static const char *
find_scopes(const struct jwt_policy *policy, const struct json_member *m,
    struct found *f)
{
	const struct jwt_claim	*c;
	struct json_member	 v;
	struct joined		 j;
	const char		*s;
	size_t			 i, n;

	scopes_len = 0;
	scopes[0] = '\0';
	f->scopes = scopes;
	for (i = 0; i < policy->scope.n; i++) {
		c = &policy->scope.claims[i];
		if (at(m, c, &v) == -1)
			return ("a claim of auth.oauth.scope_claims is "
			    "inside of what is no object");
		if (v.type == JSON_T_ABSENT)
			continue;
		if (!is_kind(&v, K_STRINGS))
			return ("a claim of auth.oauth.scope_claims is "
			    "neither a string nor an array of strings");
		j = (struct joined){ scopes_len, c->ninner == 0 &&
		    (c->at == C_SCOPE || c->at == C_SCP), 0 };
		if ((s = claims_string(&v)) == NULL)
			(void)each(&v, on_scope, &j);
		for (; s != NULL && *s != '\0'; s += n + (s[n] == ' ')) {
			n = strcspn(s, " ");
			scope_add(&j, s, n);
		}
		if (j.bad)
			return ("its scopes are malformed or too many");
	}
	return (NULL);
}

static void
on_scope(void *arg, enum json_event event, struct slice raw)
{
	struct joined	*j = arg;
	const char	*s;
	size_t		 mark = scratch_len;

	if (event != JSON_STRING || (s = keep(raw)) == NULL)
		j->bad = 1;
	else if (strchr(s, ' ') == NULL)
		scope_add(j, s, strlen(s));
	else
		/* it would be two scopes to the next reader; a role may be
		 * called so, but none can be asked for */
		j->bad |= j->strict;
	scratch_len = mark;
}

/* Unless another claim had it already. */
static void
scope_add(struct joined *j, const char *s, size_t n)
{
	if (n == 0 || scopes_has((struct slice){ scopes, j->before },
	    (struct slice){ s, n }))
		return;
	if (n + 2 > sizeof(scopes) - scopes_len) {
		j->bad = 1;
		return;
	}
	if (scopes_len > 0)
		scopes[scopes_len++] = ' ';
	memcpy(scopes + scopes_len, s, n);
	scopes_len += n;
	scopes[scopes_len] = '\0';
}

/* The first claim that is there decides: a token for another audience is not
 * one for its client. */
static const char *
find_audience(const struct jwt_policy *policy, const struct json_member *m,
    struct found *f)
{
	struct audience		 a = { policy, f, 0 };
	struct json_member	 v;
	size_t			 i;

	for (i = 0; i < policy->audience.n; i++) {
		if (at(m, &policy->audience.claims[i], &v) == -1)
			return ("a claim of auth.oauth.audience_claims is "
			    "inside of what is no object");
		if (v.type == JSON_T_ABSENT)
			continue;
		if (!is_kind(&v, K_STRINGS))
			return ("a claim of auth.oauth.audience_claims is "
			    "neither a string nor an array of strings");
		/* a client may be named by any URL, ours too */
		a.resource = policy->resources != NULL &&
		    policy->audience.claims[i].at == C_AUD;
		if (v.type == JSON_T_STRING)
			match(&a, slice_of(v.raw.p));
		else
			(void)each(&v, on_audience, &a);
		return (NULL);
	}
	return (NULL);
}

static void
on_audience(void *arg, enum json_event event, struct slice raw)
{
	const char	*s;
	size_t		 mark = scratch_len;

	if (event == JSON_STRING && (s = keep(raw)) != NULL)
		match(arg, slice_of(s));
	scratch_len = mark;
}

static void
match(const struct audience *a, struct slice v)
{
	const struct conf_oauth	*o = a->policy->conf;
	size_t			 i;

	for (i = 0; i < o->audiences.n; i++)
		if (slice_is(v, o->audiences.v[i]))
			a->found->all = 1;
	if (!a->resource)
		return;
	if (resource_is(o->public_url, v))
		a->found->all = 1;
	for (i = 0; i < a->policy->nresources; i++)
		if (slice_is(v, a->policy->resources[i])) {
			a->found->open[i / 8] |= (uint8_t)(1 << i % 8);
			a->found->some = 1;
		}
}

static enum auth_result
judge(const struct jwt_policy *policy, const struct json_member *m,
    const struct found *f, int64_t now_ms, const char **why)
{
	const struct conf_oauth	*o = policy->conf;
	const char		*iss = claims_string(&m[C_ISS]);
	enum auth_result	 r;

	if (iss == NULL || strcmp(iss, o->issuer) != 0) {
		*why = "iss is not auth.oauth.issuer";
		return (AUTH_BAD_ISSUER);
	}
	if (!f->all && !f->some) {
		*why = "its audience is not this gateway";
		return (AUTH_BAD_AUDIENCE);
	}
	if ((r = judge_times(policy, m, now_ms, why)) != AUTH_OK)
		return (r);
	if (bound(m)) {
		*why = "bound to a key (cnf) whose proof is not checked here";
		return (AUTH_UNBOUND);
	}
	if (scopes_missing((struct slice){ f->scopes, scopes_len }, o->scopes,
	    o->nscopes) != NULL) {
		*why = "a scope of auth.oauth.required_scopes is missing";
		return (AUTH_INSUFFICIENT_SCOPE);
	}
	return (AUTH_OK);
}

/* RFC 7800, RFC 8705, RFC 9449: good only from who has that key. */
static int
bound(const struct json_member *m)
{
	const char	*typ = claims_string(&m[C_TYP]);

	return (m[C_CNF].type != JSON_T_ABSENT ||
	    (typ != NULL && strcasecmp(typ, "DPoP") == 0));
}

static enum auth_result
judge_times(const struct jwt_policy *policy, const struct json_member *m,
    int64_t now_ms, const char **why)
{
	double	 now = (double)now_ms / 1000, t;
	double	 leeway = (double)policy->conf->leeway_ms / 1000;

	if (!seconds(&m[C_EXP], &t)) {
		*why = "there is no exp";
		return (AUTH_INVALID);
	}
	if (now >= t + leeway) {
		*why = "exp has passed";
		return (AUTH_EXPIRED);
	}
	if (seconds(&m[C_NBF], &t) && now < t - leeway) {
		*why = "nbf is to come";
		return (AUTH_NOT_YET_VALID);
	}
	if (seconds(&m[C_IAT], &t) && now < t - leeway) {
		*why = "iat is to come";
		return (AUTH_NOT_YET_VALID);
	}
	return (AUTH_OK);
}

/* 1 a NumericDate (RFC 7519 section 2) of any size, 0 absent; then t stays as
 * it is.  What follows a number in JSON ends it for strtod(3) too. */
static int
seconds(const struct json_member *m, double *t)
{
	double	 v;

	if (m->type != JSON_T_NUMBER)
		return (0);
	v = strtod(m->raw.p, NULL);
	*t = v > SECONDS_MAX ? SECONDS_MAX : v < -SECONDS_MAX ?
	    -SECONDS_MAX : v;
	return (1);
}

static struct jwt_claims *
make(const struct jwt_policy *policy, const struct json_member *m,
    const struct found *f, const uint8_t key_id[32])
{
	struct jwt_claims	*c;
	const char		*sub = claims_string(&m[C_SUB]);
	size_t			 bits = f->all ? 0 :
				    (policy->nresources + 7) / 8;
	double			 exp = 0;
	char			*p;

	sub = sub == NULL ? "" : sub;
	if (strlen(f->client) > CLAIM_MAX || strlen(sub) > CLAIM_MAX)
		return (NULL);
	c = malloc(sizeof(*c) + strlen(f->client) + strlen(sub) +
	    scopes_len + 3 + bits);
	if (c == NULL)
		return (NULL);
	p = (char *)(c + 1);
	c->client_id = p;
	p = stpcpy(p, f->client) + 1;
	c->sub = p;
	p = stpcpy(p, sub) + 1;
	c->scopes = p;
	p = stpcpy(p, f->scopes) + 1;
	c->open = NULL;
	if (!f->all && f->some) {
		c->open = (uint8_t *)p;
		memcpy(c->open, f->open, bits);
	}
	(void)seconds(&m[C_EXP], &exp);
	c->exp = (int64_t)exp;
	memcpy(c->key_id, key_id, sizeof(c->key_id));
	return (c);
}

void
jwt_claims_free(struct jwt_claims *c)
{
	free(c);
}

/* The member that a claim is, wherever it lies: absent, or a string as of
 * claims_members(), or anything else as it came.  0, or -1: it would be inside
 * of what is no object. */
static int
at(const struct json_member *m, const struct jwt_claim *c,
    struct json_member *v)
{
	const char	*s;
	size_t		 i;

	*v = m[c->at];
	for (i = 0; i < c->ninner; i++) {
		if (v->type == JSON_T_ABSENT)
			return (0);
		m = v;
		v->name = c->inner[i];
		if (m->type != JSON_T_OBJECT || json_members(m->raw.p,
		    m->raw.len, v, 1) != JSON_OK)
			return (-1);
		if (v->type == JSON_T_NULL)
			v->type = JSON_T_ABSENT;
	}
	if (c->ninner > 0 && v->type == JSON_T_STRING) {
		if ((s = keep(v->raw)) == NULL)
			return (-1);
		v->raw = slice_of(s);
	}
	return (0);
}

/* A copy of a string, unescaped; NULL when there is no room. */
static const char *
keep(struct slice raw)
{
	char	*s = scratch + scratch_len;
	size_t	 n;

	if (raw.len + 1 > sizeof(scratch) - scratch_len)
		return (NULL);
	n = json_unescape(raw, s);
	s[n] = '\0';
	scratch_len += n + 1;
	return (s);
}

int
claims_members(char *text, size_t len, const char *const *names,
    struct json_member *m, size_t n)
{
	size_t	 i, end;
	char	*s;

	for (i = 0; i < n; i++)
		m[i].name = names[i];
	if (has_nul(text, len) || json_members(text, len, m, n) != JSON_OK)
		return (-1);
	for (i = 0; i < n; i++) {
		if (m[i].type == JSON_T_NULL)
			m[i].type = JSON_T_ABSENT;
		if (m[i].type != JSON_T_STRING)
			continue;
		s = text + (m[i].raw.p - text);
		end = json_unescape(m[i].raw, s);
		s[end] = '\0';		/* the quote, or before it */
		m[i].raw.len = end;
	}
	return (0);
}

/* Strings are to end at a NUL, so none may have one: what is behind it would
 * be cut off, and two be one. */
static int
has_nul(const char *p, size_t len)
{
	size_t	 i;

	if (memchr(p, '\\', len) == NULL)
		return (0);
	for (i = 0; i + 5 < len; i++) {
		if (p[i] != '\\')
			continue;
		if (memcmp(p + i, "\\u0000", 6) == 0)
			return (1);
		i++;		/* what an escape escapes is not one */
	}
	return (0);
}

const char *
claims_string(const struct json_member *m)
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
