/*
 * What auth.oauth says of tokens: audiences, the claims that are read, and
 * typ.
 */
#include <stdlib.h>
#include <string.h>

#include "config/cfg.h"

#define CLAIM_PATH_MAX	128	/* bytes */

static size_t	 strings_begin(struct cfg *, const struct ynode *, size_t,
		    const char *, const char *, struct conf_strings *);
static int	 claim_ok(const char *);
static void	 fill(struct cfg *, struct conf_strings *, const char *const *);

/* One string, or a list of them. */
void
cfg_audience(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct conf_strings	*s = dst;
	const struct ynode	*item;
	size_t			 total = 1;

	if (n->kind == YNODE_LIST)
		total = strings_begin(c, n, CONF_LIST_MAX,
		    "a string or a list of strings", "at least one audience",
		    s);
	else if (n->kind == YNODE_MAP || ynode_isnull(n)) {
		cfg_expected(c, n, "a string or a list of strings");
		return;
	} else if ((s->v = calloc(1, sizeof(*s->v))) == NULL) {
		cfg_nomem(c);
		return;
	}
	if (total == 0)
		return;
	item = n->kind == YNODE_LIST ? n->first : n;
	for (; item != NULL; item = item == n ? NULL : item->next) {
		cfg_text(c, item, k, &s->v[s->n]);
		s->n += s->v[s->n] != NULL;
	}
}

void
cfg_claims(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct conf_strings	*s = dst;
	const struct ynode	*item;
	const char		*text;

	(void)k;
	if (strings_begin(c, n, CONF_CLAIMS_MAX, "a list of claims",
	    "at least one claim", s) == 0)
		return;
	for (item = n->first; item != NULL; item = item->next) {
		if ((text = cfg_scalar(c, item, "the name of a claim")) ==
		    NULL)
			continue;
		if (claim_ok(text))
			cfg_copy(c, &s->v[s->n++], text);
		else
			cfg_expected(c, item, "the name of a claim, or the "
			    "names on the way to it with dots between, such "
			    "as realm_access.roles: at most %d visible ASCII "
			    "characters and %d names", CLAIM_PATH_MAX,
			    CONF_CLAIM_DEPTH + 1);
	}
}

/* No more than what can be an access token's at all: an ID token says JWT. */
void
cfg_typ(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct conf_strings	*s = dst;
	const struct ynode	*item;
	const char		*text;

	(void)k;
	if (strings_begin(c, n, CONF_CLAIMS_MAX, "a list of types",
	    "at least one type", s) == 0)
		return;
	for (item = n->first; item != NULL; item = item->next) {
		if ((text = cfg_scalar(c, item, "at+jwt or JWT")) == NULL)
			continue;
		if (strcasecmp(text, "at+jwt") == 0 ||
		    strcasecmp(text, "application/at+jwt") == 0 ||
		    strcasecmp(text, "JWT") == 0)
			cfg_copy(c, &s->v[s->n++], text);
		else
			cfg_expected(c, item, "at+jwt or JWT");
	}
}

/* Room for the entries of a list that must have some; 0 after an error. */
static size_t
strings_begin(struct cfg *c, const struct ynode *n, size_t max,
    const char *what, const char *least, struct conf_strings *s)
{
	size_t	 total = cfg_list(c, n, max, what);

	if (total == 0) {
		if (ynode_isnull(n) || (n->kind == YNODE_LIST &&
		    n->nchildren == 0))
			cfg_expected(c, n, "%s", least);
		return (0);
	}
	if ((s->v = calloc(total, sizeof(*s->v))) == NULL) {
		cfg_nomem(c);
		return (0);
	}
	return (total);
}

/* As jwt_policy_init() takes it apart: a URI is one name, dots and all. */
static int
claim_ok(const char *s)
{
	size_t	 i, names = 1;

	for (i = 0; s[i] != '\0'; i++)
		if (s[i] <= 0x20 || s[i] >= 0x7f)
			return (0);
	if (i == 0 || i > CLAIM_PATH_MAX)
		return (0);
	if (strpbrk(s, ":/") != NULL)
		return (1);
	if (s[0] == '.' || s[i - 1] == '.' || strstr(s, "..") != NULL)
		return (0);
	for (i = 0; s[i] != '\0'; i++)
		names += s[i] == '.';
	return (names <= CONF_CLAIM_DEPTH + 1);
}

void
cfg_check_claims(struct cfg *c)
{
	static const char *const aud[] = { "aud", NULL };
	static const char *const client[] = { "client_id", "azp", "cid",
	    "appid", NULL };
	static const char *const scope[] = { "scope", "scp", NULL };
	struct conf_oauth	*o = &c->conf->w.oauth;

	fill(c, &o->audience_claims, aud);
	fill(c, &o->client_claims, client);
	fill(c, &o->scope_claims, scope);
	/* The name that clients ask tokens for (RFC 8707) is as good as one
	 * that was agreed upon, where no other is. */
	if (o->accept_resource == -1)
		o->accept_resource =
		    cfg_node(c, "auth.oauth.audience") == NULL;
}

void
cfg_check_audience(struct cfg *c)
{
	int	 accept = c->conf->w.oauth.accept_resource;
	int	 named = cfg_node(c, "auth.oauth.audience") != NULL;
	int	 url = cfg_node(c, "auth.oauth.public_url") != NULL;

	if (accept && !url && cfg_node(c,
	    "auth.oauth.accept_resource_audience") != NULL)
		cfg_missing(c, "auth.oauth.public_url", NULL, "required when "
		    "auth.oauth.accept_resource_audience is true");
	else if (!named && !accept)
		cfg_missing(c, "auth.oauth.audience", NULL, "required when "
		    "auth.oauth.accept_resource_audience is false");
	else if (!named && !url)
		cfg_missing(c, "auth.oauth.audience", NULL, "required when "
		    "auth.oauth.enabled is true");
}

static void
fill(struct cfg *c, struct conf_strings *s, const char *const *names)
{
	size_t	 n;

	if (s->v != NULL)
		return;
	for (n = 0; names[n] != NULL; n++)
		;
	if ((s->v = calloc(n, sizeof(*s->v))) == NULL) {
		cfg_nomem(c);
		return;
	}
	for (; s->n < n; s->n++)
		cfg_copy(c, &s->v[s->n], names[s->n]);
}
