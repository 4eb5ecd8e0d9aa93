/*
 * The list of generations, oldest first.
 */
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/generation.h"

static struct generation_list	 all = TAILQ_HEAD_INITIALIZER(all);
static uint32_t			 last_id;

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
	if (g->worker_part == -1 || g->fetcher_part == -1 ||
	    g->keeper_part == -1) {
		log_warn("configuration for children");
		if (g->worker_part != -1)
			close(g->worker_part);
		if (g->fetcher_part != -1)
			close(g->fetcher_part);
		if (g->keeper_part != -1)
			close(g->keeper_part);
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
	close(g->worker_part);
	close(g->fetcher_part);
	close(g->keeper_part);
	if (g->keys != -1)
		close(g->keys);
	free(g);
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
