/*
 * Generations of hashes.
 */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "keeper/store.h"

struct known {
	int		 set;
	uint8_t		 mark[KEYED_HASH_LEN];	/* of the key */
};

struct generation {
	TAILQ_ENTRY(generation) link;
	uint32_t	 id;
	struct keeper_conf *conf;
	struct sign_key	**keys;		/* private keys by number */
	struct known	*known;		/* at the same index */
	uint32_t	 unnamed[CONF_NO_PREFIX_MAX];
	size_t		 nunnamed;
};

static TAILQ_HEAD(generation_list, generation) all =
	    TAILQ_HEAD_INITIALIZER(all);
static struct keyed_hash	*marks;

static struct generation *find(uint32_t);
static struct sign_key **keys_read(struct keeper_conf *);
static void	 keys_free(struct sign_key **, size_t);
static void	 inherit(struct generation *, const struct generation *);
static int	 same_hash(const struct phc *, const struct phc *);
static int	 find_named(const struct generation *, const char *,
		    uint32_t *);

void
store_setup(void)
{
	if ((marks = keyed_hash_new()) == NULL)
		fatalx("keyed_hash_new");
}

static struct generation *
find(uint32_t id)
{
	struct generation	*g;

	TAILQ_FOREACH(g, &all, link)
		if (g->id == id)
			break;
	return (g);
}

int
store_add(uint32_t id, struct keeper_conf *conf)
{
	struct generation	*g;
	struct sign_key		**keys;
	uint32_t		 i;

	if (find(id) != NULL || (keys = keys_read(conf)) == NULL) {
		keeper_conf_free(conf);
		return (-1);
	}
	if ((g = calloc(1, sizeof(*g))) == NULL ||
	    (g->known = calloc(conf->nkeys + 1, sizeof(*g->known))) == NULL)
		fatal("calloc");
	g->id = id;
	g->conf = conf;
	g->keys = keys;
	for (i = 0; i < conf->nkeys; i++)
		if (conf->keys[i].prefix[0] == '\0' &&
		    g->nunnamed < CONF_NO_PREFIX_MAX)
			g->unnamed[g->nunnamed++] = i;
	if (!TAILQ_EMPTY(&all))
		inherit(g, TAILQ_LAST(&all, generation_list));
	TAILQ_INSERT_TAIL(&all, g, link);
	return (0);
}

/* All of them, or NULL: one is none. */
static struct sign_key **
keys_read(struct keeper_conf *conf)
{
	struct sign_key	**keys;
	char		*pem;
	size_t		 i;

	if ((keys = calloc(conf->ntls_keys + 1, sizeof(*keys))) == NULL)
		fatal("calloc");
	for (i = 0; i < conf->ntls_keys; i++) {
		if ((pem = conf->tls_keys[i]) == NULL)
			continue;
		if ((keys[i] = sign_key_new(pem, i != 0)) == NULL) {
			keys_free(keys, i);
			return (NULL);
		}
		/* one copy of it is enough */
		freezero(pem, strlen(pem));
		conf->tls_keys[i] = NULL;
	}
	return (keys);
}

static void
keys_free(struct sign_key **keys, size_t n)
{
	while (n > 0)
		sign_key_free(keys[--n]);
	free(keys);
}

void
store_retire(uint32_t id)
{
	struct generation	*g;

	if ((g = find(id)) == NULL)
		return;
	TAILQ_REMOVE(&all, g, link);
	explicit_bzero(g->known, g->conf->nkeys * sizeof(*g->known));
	free(g->known);
	keys_free(g->keys, g->conf->ntls_keys);
	keeper_conf_free(g->conf);
	free(g);
}

int
store_has(uint32_t id)
{
	return (find(id) != NULL);
}

struct sign_key *
store_sign_key(uint32_t id, uint32_t number)
{
	const struct generation	*g = find(id);

	return (g == NULL || number >= g->conf->ntls_keys ? NULL :
	    g->keys[number]);
}

int
store_mark(const uint8_t *key, size_t len, uint8_t mark[KEYED_HASH_LEN])
{
	return (keyed_hash(marks, key, len, mark));
}

enum key_verdict
store_find(uint32_t id, const uint8_t *key, size_t len,
    const uint8_t mark[KEYED_HASH_LEN], struct store_match *m)
{
	const struct generation	*g = find(id);
	char			 prefix[API_KEY_PREFIX_LEN + 1];
	enum api_key_form	 form;
	size_t			 i;

	memset(m, 0, sizeof(*m));
	form = api_key_form((const char *)key, len, prefix);
	if (g == NULL || form == API_KEY_BAD)
		return (KEY_WRONG);
	/* one of ours whose prefix is not there may be listed without */
	if (form == API_KEY_OURS && find_named(g, prefix, &m->index[0])) {
		m->named = 1;
		m->n = 1;
	} else {
		m->n = g->nunnamed;
		memcpy(m->index, g->unnamed, sizeof(m->index));
	}
	for (i = 0; i < m->n; i++)
		if (g->known[m->index[i]].set && memcmp(mark,
		    g->known[m->index[i]].mark, KEYED_HASH_LEN) == 0) {
			m->index[0] = m->index[i];
			return (KEY_OK);
		}
	return (m->n == 0 ? KEY_WRONG : KEY_BUSY);
}

static int
find_named(const struct generation *g, const char *prefix, uint32_t *at)
{
	uint32_t	 i;

	for (i = 0; i < g->conf->nkeys; i++)
		if (memcmp(g->conf->keys[i].prefix, prefix,
		    API_KEY_PREFIX_LEN) == 0) {
			*at = i;
			return (1);
		}
	return (0);
}

const struct phc *
store_hash(uint32_t id, uint32_t i)
{
	return (&find(id)->conf->keys[i].hash);
}

void
store_learn(const struct phc *h, const uint8_t mark[KEYED_HASH_LEN])
{
	struct generation	*g;
	size_t			 i;

	TAILQ_FOREACH(g, &all, link) {
		if (!g->conf->remember)
			continue;
		for (i = 0; i < g->conf->nkeys; i++)
			if (same_hash(&g->conf->keys[i].hash, h)) {
				g->known[i].set = 1;
				memcpy(g->known[i].mark, mark,
				    KEYED_HASH_LEN);
			}
	}
}

/* What the generation before it knows of the same hashes, wherever they
 * stand now. */
static void
inherit(struct generation *g, const struct generation *old)
{
	size_t	 i, j, n = old->conf->nkeys;

	if (!g->conf->remember)
		return;
	for (i = 0; i < g->conf->nkeys; i++)
		for (j = 0; j < n; j++) {
			/* mostly at the same place, or one further */
			const size_t k = (i + j) % n;

			if (!old->known[k].set || !same_hash(
			    &g->conf->keys[i].hash, &old->conf->keys[k].hash))
				continue;
			g->known[i] = old->known[k];
			break;
		}
}

static int
same_hash(const struct phc *a, const struct phc *b)
{
	return (memcmp(a, b, sizeof(*a)) == 0);
}
