/*
 * Readers copy a row and look at the turn: odd, or another than before, and
 * they try again.
 */
#include <string.h>

#include "common/wall.h"
#include "fetcher/told.h"

static const char *type_name(enum jwk_type);
static struct stats_jwks *row_of(uint32_t);
static void	 write_begin(void);
static void	 write_end(void);

void
told_init(struct stats_jwks *t, const char *issuer, const char *url)
{
	memset(t, 0, sizeof(*t));
	(void)strlcpy(t->issuer, issuer, sizeof(t->issuer));
	(void)strlcpy(t->url, url, sizeof(t->url));
	/* who may look at numbers is not to know what may be in a query */
	t->url[strcspn(t->url, "?")] = '\0';
}

void
told_keys(struct stats_jwks *t, const struct jwk_set *set)
{
	const struct jwk	*k;
	struct stats_jwk	*out;
	size_t			 i;

	memset(t->keys, 0, sizeof(t->keys));
	t->nkeys = (uint32_t)set->n;
	for (i = 0; i < set->n && i < STATS_JWKS_KEYS; i++) {
		k = &set->keys[i];
		out = &t->keys[i];
		(void)strlcpy(out->kid, k->kid, sizeof(out->kid));
		(void)strlcpy(out->kty, type_name(k->type), sizeof(out->kty));
		if (k->alg != JWS_NONE)
			(void)strlcpy(out->alg, jws_alg_name(k->alg),
			    sizeof(out->alg));
		/* others are skipped */
		(void)strlcpy(out->use, "sig", sizeof(out->use));
	}
}

static const char *
type_name(enum jwk_type type)
{
	switch (type) {
	case JWK_RSA:
		return ("RSA");
	case JWK_EC:
		return ("EC");
	default:
		return ("OKP");
	}
}

void
told_skipped(struct stats_jwks *t, const struct jwk_skip *s, size_t n)
{
	size_t	 i;

	memset(t->skipped, 0, sizeof(t->skipped));
	t->nskipped = (uint32_t)n;
	for (i = 0; i < n && i < STATS_JWKS_SKIPPED; i++) {
		(void)strlcpy(t->skipped[i].kid, s[i].kid,
		    sizeof(t->skipped[i].kid));
		(void)strlcpy(t->skipped[i].why, s[i].why,
		    sizeof(t->skipped[i].why));
	}
}

void
told_fetched(struct stats_jwks *t, const char *error)
{
	(void)strlcpy(t->error, error == NULL ? "" : error, sizeof(t->error));
	if (error != NULL) {
		t->failing++;
		return;
	}
	t->failing = 0;
	t->fetched = wall_ms();
}

void
told_next(struct stats_jwks *t, uint64_t ms)
{
	t->next = wall_ms() + (int64_t)ms;
}

void
told_put(const struct stats_jwks *t, uint32_t generation)
{
	struct stats_jwks	*row = row_of(generation);

	if (row == NULL)
		return;
	write_begin();
	memcpy(row, t, sizeof(*row));
	row->generation = generation;
	write_end();
}

/* Its own, or one that is free, or the oldest one's; NULL when that is newer
 * than this. */
static struct stats_jwks *
row_of(uint32_t generation)
{
	struct stats_jwks	*row = stats->jwks, *oldest = row;
	size_t			 i;

	for (i = 0; i < STATS_JWKS; i++)
		if (row[i].generation == generation)
			return (&row[i]);
		else if (row[i].generation < oldest->generation)
			oldest = &row[i];
	return (oldest->generation < generation ? oldest : NULL);
}

void
told_drop(uint32_t generation)
{
	size_t	 i;

	for (i = 0; i < STATS_JWKS; i++)
		if (stats->jwks[i].generation == generation) {
			write_begin();
			memset(&stats->jwks[i], 0, sizeof(stats->jwks[i]));
			write_end();
		}
}

static void
write_begin(void)
{
	atomic_fetch_add(&stats->jwks_turn, 1);
	atomic_thread_fence(memory_order_release);
}

static void
write_end(void)
{
	atomic_fetch_add_explicit(&stats->jwks_turn, 1, memory_order_release);
}
