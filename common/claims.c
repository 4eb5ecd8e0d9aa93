/*
 * One table says what type a claim must have; three lists of the
 * configuration say which claims name the client, the scopes and the
 * audience.
 */
#include <stdlib.h>
#include <string.h>

#include "common/claims.h"
#include "common/jwt_int.h"
#include "common/log.h"
#include "common/resource.h"
#include "common/scopes.h"

#define CLAIM_MAX	1024	/* bytes of a client's name and of sub */
#define INSIDE		"inside of an object"
#define TOO_LONG	"of at most 1024 bytes"
#define SECONDS_MAX	1e15	/* of a NumericDate: later is as late */

/* What a claim must be. */
enum kind {
	K_STRING,
	K_NUMBER,
	K_STRINGS,		/* one, or an array of them */
	K_OBJECT,
	K_NONE,			/* no access token has it */
	K_ANY
};

static const struct {
	const char	*name;
	enum kind	 kind;
} claims_known[NCLAIM] = {
	[C_ISS] = { "iss", K_STRING },
	[C_SUB] = { "sub", K_STRING },
	[C_AUD] = { "aud", K_STRINGS },
	[C_EXP] = { "exp", K_NUMBER },
	[C_NBF] = { "nbf", K_NUMBER },
	[C_IAT] = { "iat", K_NUMBER },
	[C_JTI] = { "jti", K_STRING },
	[C_CLIENT_ID] = { "client_id", K_STRING },
	[C_AZP] = { "azp", K_STRING },
	[C_SCOPE] = { "scope", K_STRINGS },
	[C_SCP] = { "scp", K_STRINGS },
	[C_CNF] = { "cnf", K_OBJECT },
	[C_TYP] = { "typ", K_STRING },
	[C_TOKEN_USE] = { "token_use", K_STRING },
	/* RFC 8417; OpenID Connect Core 1.0, sections 2 and 3.3.2.11 */
	[C_EVENTS] = { "events", K_NONE },
	[C_AT_HASH] = { "at_hash", K_NONE },
	[C_C_HASH] = { "c_hash", K_NONE },
	[C_S_HASH] = { "s_hash", K_NONE },
	[C_ACT] = { "act", K_ANY }
};

static const char *const kind_names[] = {
	[K_STRING] = "a string",
	[K_NUMBER] = "a number",
	[K_STRINGS] = "a string or an array of strings",
	[K_OBJECT] = "an object",
	[K_NONE] = NULL,		/* not to be there */
	[K_ANY] = NULL
};

/* A walk over an array. */
struct elements {
	json_cb		 cb;
	void		*arg;
	unsigned	 depth;
};

/* A walk over strings. */
struct strings {
	void		(*cb)(void *, struct slice);
	void		*arg;
	size_t		 n;
};

/* A walk over an audience. */
struct audience {
	struct judging	*t;
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

static int	 wrong(struct judging *, const char *, const struct jwt_claim *,
		    const struct json_member *, const char *);
static int	 types(struct judging *);
static int	 find_client(struct judging *);
static int	 find_scopes(struct judging *);
static int	 find_audience(struct judging *);
static const char *keep(struct slice);
static char	*put(char **, const char *);
static const char *actor_of(const struct judging *);
static int	 is_kind(const struct json_member *, enum kind);
static void	 on_type(void *, enum json_event, struct slice);
static void	 on_string(void *, enum json_event, struct slice);
static void	 match(void *, struct slice);
static void	 on_scope(void *, enum json_event, struct slice);
static void	 scope_add(struct joined *, const char *, size_t);
static double	 leeway(const struct judging *);
static enum auth_result began(const struct judging *, enum claim);
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

/* Types of all of them, and what the three lists find. */
enum auth_result
claims_shape(struct judging *t)
{
	scratch_len = 0;
	t->client = "";
	if (types(t) == -1 || find_client(t) == -1 || find_scopes(t) == -1 ||
	    find_audience(t) == -1)
		return (AUTH_INVALID);
	t->read = 1;
	return (AUTH_OK);
}

/* -1, with what is wrong. */
static int
wrong(struct judging *t, const char *name, const struct jwt_claim *claim,
    const struct json_member *m, const char *wanted)
{
	t->bad_name = name;
	t->bad_claim = claim;
	t->bad = *m;
	t->wanted = wanted;
	return (-1);
}

static int
types(struct judging *t)
{
	const struct json_member	*m = t->m;
	size_t				 i;

	for (i = 0; i < NCLAIM; i++)
		if (m[i].type != JSON_T_ABSENT &&
		    !is_kind(&m[i], claims_known[i].kind))
			return (wrong(t, claims_known[i].name, NULL, &m[i],
			    kind_names[claims_known[i].kind]));
	if (m[C_SUB].type == JSON_T_STRING && m[C_SUB].raw.len > CLAIM_MAX)
		return (wrong(t, "sub", NULL, &m[C_SUB], TOO_LONG));
	return (0);
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
	case K_ANY:
		return (1);
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
enum auth_result
claims_use(struct judging *t)
{
	static const char *const access[] = { "Bearer", "DPoP", "at+jwt",
	    "application/at+jwt", "JWT", "access", "access_token" };
	const char	*typ = claims_string(&t->m[C_TYP]);
	const char	*use = claims_string(&t->m[C_TOKEN_USE]);
	size_t		 i;

	if (use != NULL && strcmp(use, "access") != 0)
		return (AUTH_INVALID);
	if (typ == NULL)
		return (AUTH_OK);
	for (i = 0; i < sizeof(access) / sizeof(access[0]); i++)
		if (strcasecmp(typ, access[i]) == 0)
			return (AUTH_OK);
	return (AUTH_INVALID);
}

/* The first that says something. */
static int
find_client(struct judging *t)
{
	const struct jwt_claim_list	*list = &t->policy->client;
	struct json_member		 v;
	const char			*s;
	size_t				 i;

	for (i = 0; i < list->n; i++) {
		if (claims_at(t->m, &list->claims[i], &v) == -1)
			return (wrong(t, NULL, &list->claims[i], &v, INSIDE));
		if (v.type == JSON_T_ABSENT)
			continue;
		if ((s = claims_string(&v)) == NULL)
			return (wrong(t, NULL, &list->claims[i], &v,
			    kind_names[K_STRING]));
		if (t->client[0] == '\0' && v.raw.len > CLAIM_MAX)
			return (wrong(t, NULL, &list->claims[i], &v,
			    TOO_LONG));
		if (t->client[0] == '\0')
			t->client = s;
	}
	return (0);
}

/* All of them together. */
static int
find_scopes(struct judging *t)
{
	const struct jwt_claim	*c;
	struct json_member	 v;
	struct joined		 j;
	const char		*s;
	size_t			 i, n;

	scopes_len = 0;
	scopes[0] = '\0';
	for (i = 0; i < t->policy->scope.n; i++) {
		c = &t->policy->scope.claims[i];
		if (claims_at(t->m, c, &v) == -1)
			return (wrong(t, NULL, c, &v, INSIDE));
		if (v.type == JSON_T_ABSENT)
			continue;
		if (!is_kind(&v, K_STRINGS))
			return (wrong(t, NULL, c, &v, kind_names[K_STRINGS]));
		j = (struct joined){ scopes_len, c->ninner == 0 &&
		    (c->at == C_SCOPE || c->at == C_SCP), 0 };
		if ((s = claims_string(&v)) == NULL)
			(void)each(&v, on_scope, &j);
		for (; s != NULL && *s != '\0'; s += n + (s[n] == ' ')) {
			n = strcspn(s, " ");
			scope_add(&j, s, n);
		}
		if (j.bad)
			return (wrong(t, NULL, c, &v, "of scopes without a "
			    "space in them, at most 32768 bytes in all,"));
	}
	t->scopes = (struct slice){ scopes, scopes_len };
	return (0);
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
static int
find_audience(struct judging *t)
{
	const struct jwt_claim_list	*list = &t->policy->audience;
	struct audience			 a = { t, 0 };
	struct json_member		 v;
	size_t				 i;

	for (i = 0; i < list->n; i++) {
		if (claims_at(t->m, &list->claims[i], &v) == -1)
			return (wrong(t, NULL, &list->claims[i], &v, INSIDE));
		if (v.type == JSON_T_ABSENT)
			continue;
		if (!is_kind(&v, K_STRINGS))
			return (wrong(t, NULL, &list->claims[i], &v,
			    kind_names[K_STRINGS]));
		/* a client may be named by any URL, ours too */
		a.resource = t->policy->resources != NULL &&
		    list->claims[i].at == C_AUD;
		(void)claims_each(&v, match, &a);
		return (0);
	}
	return (0);
}

size_t
claims_each(const struct json_member *v, void (*cb)(void *, struct slice),
    void *arg)
{
	struct strings	 s = { cb, arg, 0 };

	if (v->type == JSON_T_STRING) {
		cb(arg, slice_of(v->raw.p));
		return (1);
	}
	(void)each(v, on_string, &s);
	return (s.n);
}

static void
on_string(void *arg, enum json_event event, struct slice raw)
{
	struct strings	*s = arg;
	const char	*p;
	size_t		 mark = scratch_len;

	if (event == JSON_STRING && (p = keep(raw)) != NULL) {
		s->cb(s->arg, slice_of(p));
		s->n++;
	}
	scratch_len = mark;
}

static void
match(void *arg, struct slice v)
{
	const struct audience	*a = arg;
	struct judging		*t = a->t;
	const struct conf_oauth	*o = t->policy->conf;
	size_t			 i;

	for (i = 0; i < o->audiences.n; i++)
		if (slice_is(v, o->audiences.v[i]))
			t->all = 1;
	if (!a->resource)
		return;
	if (resource_is(o->public_url, v))
		t->all = 1;
	for (i = 0; i < t->policy->nresources; i++)
		if (slice_is(v, t->policy->resources[i])) {
			t->open[i / 8] |= (uint8_t)(1 << i % 8);
			t->some = 1;
		}
}

enum auth_result
claims_iss(struct judging *t)
{
	const char	*iss = claims_string(&t->m[C_ISS]);

	return (iss != NULL && strcmp(iss, t->policy->conf->issuer) == 0 ?
	    AUTH_OK : AUTH_BAD_ISSUER);
}

enum auth_result
claims_aud(struct judging *t)
{
	return (t->all || t->some ? AUTH_OK : AUTH_BAD_AUDIENCE);
}

enum auth_result
claims_exp(struct judging *t)
{
	double	 at;

	if (!claims_seconds(&t->m[C_EXP], &at))
		return (AUTH_INVALID);
	return ((double)t->now_ms / 1000 < at + leeway(t) ? AUTH_OK :
	    AUTH_EXPIRED);
}

enum auth_result
claims_nbf(struct judging *t)
{
	return (began(t, C_NBF));
}

enum auth_result
claims_iat(struct judging *t)
{
	return (began(t, C_IAT));
}

static enum auth_result
began(const struct judging *t, enum claim claim)
{
	double	 at;

	return (claims_seconds(&t->m[claim], &at) &&
	    (double)t->now_ms / 1000 < at - leeway(t) ? AUTH_NOT_YET_VALID :
	    AUTH_OK);
}

static double
leeway(const struct judging *t)
{
	return ((double)t->policy->conf->leeway_ms / 1000);
}

/* RFC 7800, RFC 8705, RFC 9449: bound to a key, it is good only from who has
 * that. */
enum auth_result
claims_cnf(struct judging *t)
{
	const char	*typ = claims_string(&t->m[C_TYP]);

	return (t->m[C_CNF].type != JSON_T_ABSENT ||
	    (typ != NULL && strcasecmp(typ, "DPoP") == 0) ? AUTH_UNBOUND :
	    AUTH_OK);
}

enum auth_result
claims_scopes(struct judging *t)
{
	const struct conf_oauth	*o = t->policy->conf;

	return (scopes_missing(t->scopes, o->scopes, o->nscopes) == NULL ?
	    AUTH_OK : AUTH_INSUFFICIENT_SCOPE);
}

/* What follows a number in JSON ends it for strtod(3) too. */
int
claims_seconds(const struct json_member *m, double *t)
{
	double	 v;

	if (m->type != JSON_T_NUMBER)
		return (0);
	v = strtod(m->raw.p, NULL);
	*t = v > SECONDS_MAX ? SECONDS_MAX : v < -SECONDS_MAX ?
	    -SECONDS_MAX : v;
	return (1);
}

struct jwt_claims *
claims_make(const struct judging *t)
{
	const struct identity	*id = &t->policy->identity;
	struct jwt_claims	*c;
	char			 subject[IDENTITY_MAX + 1];
	char			 actor[IDENTITY_MAX + 1];
	char			 jti[IDENTITY_MAX + 1];
	const char		*sub = claims_string(&t->m[C_SUB]);
	size_t			 bits = t->all ? 0 :
				    (t->policy->nresources + 7) / 8, n;
	double			 exp = 0;
	char			*p;

	sub = sub == NULL ? "" : sub;
	n = identity_name(id, sub, subject);
	n += identity_name(id, actor_of(t), actor);
	n += identity_name(id, claims_string(&t->m[C_JTI]), jti);
	c = malloc(sizeof(*c) + strlen(t->client) + strlen(sub) +
	    t->scopes.len + n + 6 + bits);
	if (c == NULL)
		return (NULL);
	p = (char *)(c + 1);
	c->client_id = put(&p, t->client);
	c->sub = put(&p, sub);
	c->scopes = put(&p, t->scopes.p);
	/* mostly the same: then it is kept, and copied later, once */
	c->subject = subject[0] == '\0' ? NULL :
	    strcmp(subject, sub) == 0 ? c->sub : put(&p, subject);
	c->actor = actor[0] == '\0' ? NULL : put(&p, actor);
	c->jti = jti[0] == '\0' ? NULL : put(&p, jti);
	c->open = NULL;
	if (!t->all && t->some) {
		c->open = (uint8_t *)p;
		memcpy(c->open, t->open, bits);
	}
	(void)claims_seconds(&t->m[C_EXP], &exp);
	c->exp = (int64_t)exp;
	memcpy(c->key_id, t->key->id, sizeof(c->key_id));
	return (c);
}

/* A copy there, after which the next one goes. */
static char *
put(char **p, const char *s)
{
	char	*at = *p;

	*p = stpcpy(at, s) + 1;
	return (at);
}

/* Who acts for the subject now: the outermost act.  Only the record has it:
 * one that cannot be read is none. */
static const char *
actor_of(const struct judging *t)
{
	struct json_member	 sub = { .name = "sub" };

	if (t->m[C_ACT].type != JSON_T_OBJECT || json_members(
	    t->m[C_ACT].raw.p, t->m[C_ACT].raw.len, &sub, 1) != JSON_OK ||
	    sub.type != JSON_T_STRING)
		return (NULL);
	return (keep(sub.raw));
}

void
jwt_claims_free(struct jwt_claims *c)
{
	free(c);
}

int
claims_at(const struct json_member *m, const struct jwt_claim *c,
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
