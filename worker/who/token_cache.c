/*
 * An open hash of SHA-256 values with a list in order of use.
 */
#include <sys/queue.h>

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "common/stats.h"
#include "worker/who/token_cache.h"

struct entry {
	TAILQ_ENTRY(entry) use;		/* most recent first */
	struct entry	*next;		/* in its bucket */
	struct jwt_claims *claims;
	struct token_hash hash;
};

struct token_cache {
	TAILQ_HEAD(entry_list, entry) use;
	struct entry	**bucket;
	size_t		 nbuckets;	/* a power of two */
	size_t		 n;
	size_t		 max;
	EVP_MD		*md;
	EVP_MD_CTX	*ctx;
};

static void	 cache_free(struct token_cache *);
static struct entry **find(struct token_cache *, const struct token_hash *);
static void	 drop(struct token_cache *, struct entry *);

struct token_cache *
token_cache_new(size_t max)
{
	struct token_cache	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	TAILQ_INIT(&c->use);
	c->max = max == 0 ? 1 : max;
	/* mostly empty: a token that is not there is seen without a look at
	 * entries, which lie anywhere */
	for (c->nbuckets = 64; c->nbuckets < 4 * c->max;)
		c->nbuckets *= 2;
	c->bucket = calloc(c->nbuckets, sizeof(*c->bucket));
	c->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	c->ctx = EVP_MD_CTX_new();
	if (c->bucket == NULL || c->md == NULL || c->ctx == NULL) {
		cache_free(c);
		return (NULL);
	}
	return (c);
}

static void
cache_free(struct token_cache *c)
{
	struct entry	*e;

	while ((e = TAILQ_FIRST(&c->use)) != NULL)
		drop(c, e);
	EVP_MD_CTX_free(c->ctx);
	EVP_MD_free(c->md);
	free(c->bucket);
	free(c);
}

int
token_cache_hash(struct token_cache *c, struct slice token,
    struct token_hash *hash)
{
	unsigned	 n = 0;

	return (EVP_DigestInit_ex2(c->ctx, c->md, NULL) == 1 &&
	    EVP_DigestUpdate(c->ctx, token.p, token.len) == 1 &&
	    EVP_DigestFinal_ex(c->ctx, hash->b, &n) == 1 &&
	    n == sizeof(hash->b) ? 0 : -1);
}

/* Where the pointer to the entry is, or would be.  The hash is a SHA-256 of
 * a verified token: nobody can aim at a bucket. */
static struct entry **
find(struct token_cache *c, const struct token_hash *hash)
{
	struct entry	**e;
	uint32_t	  h;

	memcpy(&h, hash->b, sizeof(h));
	for (e = &c->bucket[h & (c->nbuckets - 1)]; *e != NULL;
	    e = &(*e)->next)
		if (memcmp(&(*e)->hash, hash, sizeof(*hash)) == 0)
			break;
	return (e);
}

static void
drop(struct token_cache *c, struct entry *e)
{
	struct entry	**at = find(c, &e->hash);

	*at = e->next;
	TAILQ_REMOVE(&c->use, e, use);
	jwt_claims_free(e->claims);
	free(e);
	c->n--;
	stats_gauge_dec(STATS_G_TOKENS);
}

const struct jwt_claims *
token_cache_get(struct token_cache *c, const struct token_hash *hash,
    int64_t now_ms, uint64_t leeway_ms)
{
	struct entry	*e;

	if ((e = *find(c, hash)) == NULL)
		return (NULL);
	if (now_ms >= e->claims->exp * 1000 + (int64_t)leeway_ms) {
		drop(c, e);
		return (NULL);
	}
	TAILQ_REMOVE(&c->use, e, use);
	TAILQ_INSERT_HEAD(&c->use, e, use);
	return (e->claims);
}

const struct jwt_claims *
token_cache_put(struct token_cache *c, const struct token_hash *hash,
    struct jwt_claims *claims)
{
	struct entry	*e, **at;

	if ((e = *find(c, hash)) != NULL)
		drop(c, e);
	if (c->n == c->max)
		drop(c, TAILQ_LAST(&c->use, entry_list));
	if ((e = calloc(1, sizeof(*e))) == NULL) {
		jwt_claims_free(claims);
		return (NULL);
	}
	e->hash = *hash;
	e->claims = claims;
	at = find(c, hash);
	*at = e;
	TAILQ_INSERT_HEAD(&c->use, e, use);
	c->n++;
	stats_gauge_inc(STATS_G_TOKENS);
	return (claims);
}

void
token_cache_keep(struct token_cache *c, const struct jwk_set *keys)
{
	struct entry	*e, *next;
	size_t		 i;

	TAILQ_FOREACH_SAFE(e, &c->use, use, next) {
		for (i = 0; i < keys->n; i++)
			if (memcmp(keys->keys[i].id, e->claims->key_id,
			    sizeof(e->claims->key_id)) == 0)
				break;
		if (i == keys->n)
			drop(c, e);
	}
}
