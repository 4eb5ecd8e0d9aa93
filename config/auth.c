/*
 * auth.keys and what belongs to it: each key is cut in two, what workers know
 * of it (struct conf_key) and what only the keeper may (struct conf_hash), at
 * the same index.
 */
#include <openssl/evp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/field.h"
#include "common/rfc3339.h"
#include "config/cfg.h"
#include "config/duration.h"

#define ID_MAX		64
#define SCHEME_MAX	64

/* Where the parts of the key that is being read go. */
struct key_parts {
	struct conf_key		*key;
	struct conf_hash	*hash;
};

/* Two keys that must not be the same in one respect. */
struct twin {
	const struct ynode	*node;
	const void		*value;
	size_t			 len;
};

static void	 key_id(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 key_hash(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 key_mark(struct cfg *, struct key_parts *);
static void	 key_prefix(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 key_scopes(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 key_created(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 key_expires(struct cfg *, const struct ynode *,
		    const struct cfg_key *, void *);
static void	 time_get(struct cfg *, const struct ynode *, int64_t *);
static void	 key_whole(struct cfg *, const struct ynode *,
		    const struct conf_key *);
static void	 check_costs(struct cfg *, const struct ynode *);
static void	 check_cost(struct cfg *, const struct ynode *, uint64_t,
		    uint64_t, const char *, const char *);
static void	 check_prefixes(struct cfg *, const struct ynode *);
static void	 check_twins(struct cfg *, const struct ynode *,
		    const char *);
static void	 twins_tell(struct cfg *, struct twin *, size_t);
static int	 twin_compare(const void *, const void *);

#define MARK	"mcpgw API key "

static const struct cfg_key key_keys[] = {
	{ "id", key_id, 0, 0, 0 },
	{ "hash", key_hash, 0, 0, 0 },
	{ "prefix", key_prefix, 0, 0, 0 },
	{ "scopes", key_scopes, 0, 0, 0 },
	{ "created_at", key_created, 0, 0, 0 },
	{ "expires_at", key_expires, 0, 0, 0 },
	{ NULL, NULL, 0, 0, 0 }
};

static const struct cfg_map key_map = { NULL, key_keys };

void
cfg_keys(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct config		*conf = dst;
	struct key_parts	 parts;
	const struct ynode	*item;
	size_t			 total;

	(void)k;
	total = cfg_list(c, n, CONF_KEYS_MAX,
	    "a list of API keys, each with an id and a hash");
	if (total == 0)
		return;
	conf->w.keys = calloc(total, sizeof(*conf->w.keys));
	conf->k.keys = calloc(total, sizeof(*conf->k.keys));
	if (conf->w.keys == NULL || conf->k.keys == NULL) {
		cfg_nomem(c);
		return;
	}
	for (item = n->first; item != NULL; item = item->next) {
		parts.key = &conf->w.keys[conf->w.nkeys++];
		parts.hash = &conf->k.keys[conf->k.nkeys++];
		if (item->kind == YNODE_MAP) {
			cfg_walk(c, item, &key_map, &parts);
			key_whole(c, item, parts.key);
		} else if (item->kind != YNODE_BAD)
			cfg_expected(c, item, "a mapping with id and hash");
		/* "" and not nothing, for everybody who reads it */
		if (parts.key->scopes == NULL)
			cfg_copy(c, &parts.key->scopes, "");
	}
}

static void
key_id(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct key_parts	*parts = dst;
	const char		*s;

	(void)k;
	if ((s = cfg_scalar(c, n, "the name of an API key")) == NULL)
		return;
	if (!config_key_id_ok(s))
		cfg_expected(c, n, "1 to %d letters, digits and ._@-, a "
		    "letter or digit first", ID_MAX);
	else
		cfg_copy(c, &parts->key->id, s);
}

int
config_key_id_ok(const char *s)
{
	static const char	 ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789"
				    "._@-";
	size_t			 len = strspn(s, ok);

	return (len > 0 && len <= ID_MAX && s[len] == '\0' &&
	    strchr("._@-", s[0]) == NULL);
}

static void
key_hash(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct key_parts	*parts = dst;
	const char		*s, *why;

	(void)k;
	if ((s = cfg_scalar(c, n, "a hash: argon2id$v=19$m=...,t=...,"
	    "p=...$SALT$HASH")) == NULL)
		return;
	if ((why = phc_parse(s, strlen(s), &parts->hash->hash)) != NULL)
		cfg_expected(c, n, "%s", why);
	else
		key_mark(c, parts);
}

/*
 * What tells workers this key from another with the same id.  It tells no
 * more: who has it cannot try keys, for the salt is not known.
 */
static void
key_mark(struct cfg *c, struct key_parts *parts)
{
	char	 text[sizeof(MARK) - 1 + PHC_STRLEN] = MARK;
	size_t	 n = 0;

	phc_format(&parts->hash->hash, text + sizeof(MARK) - 1);
	if (EVP_Q_digest(NULL, "SHA256", NULL, text, strlen(text),
	    parts->key->mark, &n) != 1 || n != CONF_MARK_LEN)
		cfg_nomem(c);
	explicit_bzero(text, sizeof(text));
}

static void
key_prefix(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct key_parts	*parts = dst;
	const char		*s;

	(void)k;
	if ((s = cfg_scalar(c, n, "the prefix of a key")) == NULL)
		return;
	if (!api_key_prefix_ok(s))
		cfg_expected(c, n, "the %d letters and digits between "
		    "mcpgw_live_ and the next _ of a key",
		    API_KEY_PREFIX_LEN);
	else
		memcpy(parts->hash->prefix, s, API_KEY_PREFIX_LEN + 1);
}

static void
key_scopes(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct key_parts	*parts = dst;
	struct conf_oauth	 list;
	size_t			 i, len = 1;

	memset(&list, 0, sizeof(list));
	cfg_scopes(c, n, k, &list);
	for (i = 0; i < list.nscopes; i++)
		len += strlen(list.scopes[i]) + 1;
	if ((parts->key->scopes = calloc(1, len)) == NULL)
		cfg_nomem(c);
	for (i = 0; i < list.nscopes; i++) {
		if (parts->key->scopes != NULL) {
			if (i > 0)
				strlcat(parts->key->scopes, " ", len);
			strlcat(parts->key->scopes, list.scopes[i], len);
		}
		free(list.scopes[i]);
	}
	free(list.scopes);
}

static void
key_created(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	(void)k;
	time_get(c, n, &((struct key_parts *)dst)->key->created);
}

static void
key_expires(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	(void)k;
	time_get(c, n, &((struct key_parts *)dst)->key->expires);
}

static void
time_get(struct cfg *c, const struct ynode *n, int64_t *t)
{
	const char	*s;
	int64_t		 v;

	if ((s = cfg_scalar(c, n, "a time such as 2026-05-09T14:23:01Z")) ==
	    NULL)
		return;
	/* 0 is nothing: a key that expired in 1970 must not live for ever */
	if (rfc3339_parse(s, &v) == -1 || v <= 0)
		cfg_expected(c, n, "a time of RFC 3339 after 1970, such as "
		    "2026-05-09T14:23:01Z");
	else
		*t = v;
}

static void
key_whole(struct cfg *c, const struct ynode *item, const struct conf_key *key)
{
	static const char	*required[] = { "id", "hash" };
	const struct ynode	*n;
	char			 path[CFG_PATH_MAX];
	size_t			 i, len;

	cfg_path_of(item, path, sizeof(path));
	len = strlen(path);
	for (i = 0; i < 2; i++)
		if (ynode_get(item, required[i]) == NULL) {
			(void)snprintf(path + len, sizeof(path) - len, ".%s",
			    required[i]);
			cfg_missing(c, path, item, "required for each API "
			    "key");
		}
	if ((n = ynode_get(item, "expires_at")) != NULL && key->expires != 0 &&
	    key->created != 0 && key->expires <= key->created)
		cfg_expected(c, n, "a time after created_at");
}

void
cfg_header(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;

	(void)k;
	if ((s = cfg_scalar(c, n, "the name of a header field")) == NULL)
		return;
	if (!cfg_field_ok(s)) {
		cfg_expected(c, n, "the name of a header field: 1 to %d "
		    "letters, digits and -", CFG_FIELD_MAX);
		return;
	}
	if ((field_find(slice_of(s)).flags & FIELD_TAKEN) != 0)
		cfg_expected(c, n, "a header field that has no other use");
	else if (strcasecmp(s, "Authorization") != 0)
		cfg_copy(c, dst, s);
}

/* RFC 9110, section 11.1: a token; or empty: the key stands alone. */
void
cfg_scheme(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	const char	*s;
	size_t		 len;

	(void)k;
	if ((s = cfg_scalar(c, n, "the name of a scheme")) == NULL)
		return;
	len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-._~+!#$%&'*^`|");
	if (len > SCHEME_MAX || s[len] != '\0')
		cfg_expected(c, n, "the name of a scheme, such as ApiKey: 1 "
		    "to %d letters, digits and -, or \"\"", SCHEME_MAX);
	else
		cfg_copy(c, dst, s);
}

void
cfg_check_keys(struct cfg *c)
{
	const struct ynode	*list = cfg_node(c, "auth.keys");

	if (list == NULL || list->kind != YNODE_LIST ||
	    c->conf->w.nkeys != list->nchildren)
		return;
	check_costs(c, list);
	check_prefixes(c, list);
	check_twins(c, list, "id");
	check_twins(c, list, "prefix");
	check_twins(c, list, "hash");
}

/* A hash in a file that anybody could have sent us must not cost what it
 * likes. */
static void
check_costs(struct cfg *c, const struct ynode *list)
{
	const struct config	*conf = c->conf;
	const struct ynode	*item, *n;
	const struct phc	*h;

	for (item = list->first; item != NULL; item = item->next) {
		h = &conf->k.keys[item->index].hash;
		if ((n = ynode_get(item, "hash")) == NULL || h->lanes == 0)
			continue;
		check_cost(c, n, h->memory, conf->argon2_memory / 1024,
		    "m", "max_memory");
		check_cost(c, n, h->passes, conf->argon2_passes, "t",
		    "max_passes");
		check_cost(c, n, h->lanes, conf->argon2_lanes, "p",
		    "max_lanes");
	}
}

static void
check_cost(struct cfg *c, const struct ynode *n, uint64_t v, uint64_t max,
    const char *name, const char *key)
{
	if (v > max)
		cfg_error(c, n, "expected %s=%" PRIu64 " at most "
		    "(auth.argon2.%s), got %s=%" PRIu64, name, max, key, name,
		    v);
}

/* Every one of these is tried for every key that is not ours. */
static void
check_prefixes(struct cfg *c, const struct ynode *list)
{
	const struct ynode	*item;
	size_t			 without = 0;

	for (item = list->first; item != NULL; item = item->next)
		if (c->conf->k.keys[item->index].prefix[0] == '\0' &&
		    ynode_get(item, "prefix") == NULL &&
		    ++without == CONF_NO_PREFIX_MAX + 1)
			cfg_missing(c, "auth.keys", item, "expected at most "
			    "%d keys without a prefix: each of them is tried "
			    "for every unknown key (see mcpgwctl(8))",
			    CONF_NO_PREFIX_MAX);
}

/* No two keys may share a value, and the error says where the first is. */
static void
check_twins(struct cfg *c, const struct ynode *list, const char *key)
{
	const struct conf_hash	*h;
	const struct ynode	*item;
	struct twin		*t;
	size_t			 n = 0;

	if ((t = calloc(list->nchildren, sizeof(*t))) == NULL) {
		cfg_nomem(c);
		return;
	}
	for (item = list->first; item != NULL; item = item->next) {
		if ((t[n].node = ynode_get(item, key)) == NULL ||
		    t[n].node->kind != YNODE_SCALAR)
			continue;
		t[n].value = t[n].node->text;
		t[n].len = strlen(t[n].node->text);
		h = &c->conf->k.keys[item->index];
		if (strcmp(key, "hash") == 0) {
			/* two spellings, one hash */
			t[n].value = &h->hash;
			t[n].len = h->hash.lanes == 0 ? 0 : sizeof(h->hash);
		}
		if (t[n].len > 0)
			n++;
	}
	qsort(t, n, sizeof(*t), twin_compare);
	twins_tell(c, t, n);
	free(t);
}

static void
twins_tell(struct cfg *c, struct twin *t, size_t n)
{
	size_t	 first, i;

	for (first = 0, i = 1; i < n; i++) {
		if (t[first].len != t[i].len ||
		    memcmp(t[first].value, t[i].value, t[i].len) != 0) {
			first = i;
			continue;
		}
		cfg_error(c, t[i].node, "expected another value for each "
		    "key; this one is at line %u, too", t[first].node->line);
	}
}

static int
twin_compare(const void *a, const void *b)
{
	const struct twin	*x = a, *y = b;
	int			 r;

	if (x->len != y->len)
		return (x->len < y->len ? -1 : 1);
	if ((r = memcmp(x->value, y->value, x->len)) != 0)
		return (r);
	return (x->node->line < y->node->line ? -1 :
	    x->node->line > y->node->line);
}
