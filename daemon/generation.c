/*
 * The list of generations, oldest first.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/schema.h"
#include "daemon/generation.h"

static struct generation_list	 all = TAILQ_HEAD_INITIALIZER(all);
static uint32_t			 last_id;

static void	 close_parts(struct generation *);
static int	 same_key(const struct conf_key *, const struct conf_key *);

struct generation *
generation_new(struct config *conf)
{
	struct generation	*g;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		fatal("calloc");
	g->conf = conf;
	g->keys = -1;
	g->worker_part = config_worker_part(conf);
	g->fetcher_part = config_fetcher_part(conf);
	g->keeper_part = config_keeper_part(conf);
	g->monitor_part = config_monitor_part(conf);
	if (g->worker_part == -1 || g->fetcher_part == -1 ||
	    g->keeper_part == -1 || g->monitor_part == -1) {
		log_err("config.pack_failed", NULL,
		    "configuration for children");
		close_parts(g);
		config_free(conf);
		free(g);
		return (NULL);
	}
	g->id = ++last_id;
	TAILQ_INSERT_TAIL(&all, g, link);
	return (g);
}

void
generation_free(struct generation *g)
{
	TAILQ_REMOVE(&all, g, link);
	config_free(g->conf);
	close_parts(g);
	if (g->keys != -1)
		close(g->keys);
	free(g);
}

static void
close_parts(struct generation *g)
{
	const int	 parts[] = { g->worker_part, g->fetcher_part,
			    g->keeper_part, g->monitor_part };
	size_t		 i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i] != -1)
			close(parts[i]);
}

struct generation *
generation_find(uint32_t id)
{
	struct generation	*g;

	TAILQ_FOREACH(g, &all, link)
		if (g->id == id)
			return (g);
	return (NULL);
}

struct generation_list *
generation_all(void)
{
	return (&all);
}

struct generation *
generation_serving(void)
{
	struct generation	*g;

	TAILQ_FOREACH(g, &all, link)
		if (g->state == GEN_SERVING)
			return (g);
	return (NULL);
}

size_t
generation_count(const struct generation *g, size_t *ready, size_t *drained)
{
	struct process	*p;
	size_t		 n = 0;

	*ready = *drained = 0;
	TAILQ_FOREACH(p, process_all(), link) {
		if (p->role != ROLE_WORKER || p->generation != g->id)
			continue;
		n++;
		*ready += p->ready != 0;
		*drained += p->drained != 0;
	}
	return (n);
}

size_t
generation_lost_keys(const struct generation *old,
    const struct generation *new, uint8_t bits[CONF_KEYS_MAX / 8])
{
	const struct worker_conf *o = &old->conf->w, *n = &new->conf->w;
	size_t			 i, k, j = 0, lost = 0;

	memset(bits, 0, CONF_KEYS_MAX / 8);
	for (i = 0; i < o->nkeys; i++) {
		/* mostly it comes next */
		for (k = 0; k < n->nkeys; k++, j++)
			if (same_key(&o->keys[i], &n->keys[j % n->nkeys]))
				break;
		if (k < n->nkeys)
			continue;
		bits[i / 8] |= (uint8_t)(1 << i % 8);
		lost++;
	}
	return (lost == 0 ? 0 : (o->nkeys + 7) / 8);
}

int
generation_lost_tokens(const struct generation *old,
    const struct generation *new)
{
	const struct config	*o = old->conf, *n = new->conf;
	struct conf_oauth	 oauth = n->w.oauth;

	/* these decide about no token, or about one that ends anyway */
	oauth.leeway_ms = o->w.oauth.leeway_ms;
	oauth.resource_name = o->w.oauth.resource_name;
	oauth.resource_documentation = o->w.oauth.resource_documentation;
	oauth.resource_policy_uri = o->w.oauth.resource_policy_uri;
	oauth.resource_tos_uri = o->w.oauth.resource_tos_uri;
	return (!schema_equal(&conf_oauth_schema, &oauth, &o->w.oauth) ||
	    (o->f.jwks_url != NULL && (n->f.jwks_url == NULL ||
	    strcmp(o->f.jwks_url, n->f.jwks_url) != 0)));
}

static int
same_key(const struct conf_key *a, const struct conf_key *b)
{
	return (memcmp(a->mark, b->mark, sizeof(a->mark)) == 0 &&
	    strcmp(a->id, b->id) == 0 && strcmp(a->scopes, b->scopes) == 0 &&
	    a->expires == b->expires);
}
