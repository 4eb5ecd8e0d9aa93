/*
 * Writing the board.
 */
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mono.h"
#include "common/wall.h"
#include "daemon/board.h"
#include "daemon/slots.h"

static uint32_t	 number_upstream(struct board *, const char *);
static uint32_t	 number_server(struct board *, uint32_t,
		    const struct conf_server *);
static enum board_state state_of(const struct process *);
static void	 put_processes(struct board *);
static void	 put_generations(struct board *);

void
board_setup(const char *config_path)
{
	struct board	*b = slots_begin();

	b->started = wall_ms();
	b->pid = (uint32_t)getpid();
	b->log_level = log_verbose() ? LOG_DEBUG : LOG_INFO;
	(void)strlcpy(b->config_path, config_path, sizeof(b->config_path));
	slots_done();
}

void
board_number(struct config *conf)
{
	struct board		*b = slots_begin();
	struct conf_upstream	*u;
	size_t			 i, j;

	for (i = 0; i < conf->w.nupstreams; i++) {
		u = &conf->w.upstreams[i];
		u->number = number_upstream(b, u->name);
		for (j = 0; j < u->nservers; j++)
			u->servers[j].number = number_server(b, u->number,
			    &u->servers[j]);
	}
	slots_done();
}

static uint32_t
number_upstream(struct board *b, const char *name)
{
	char	 cut[STATS_NAME_MAX];
	uint32_t i;

	(void)strlcpy(cut, name, sizeof(cut));
	for (i = 0; i < b->nupstreams; i++)
		if (strcmp(b->upstreams[i].name, cut) == 0)
			return (i);
	if (i == STATS_UPSTREAMS)
		return (STATS_OTHER);
	memcpy(b->upstreams[i].name, cut, sizeof(cut));
	b->nupstreams++;
	return (i);
}

/* By what its URL says but for path and query, which may hold secrets. */
static uint32_t
number_server(struct board *b, uint32_t upstream, const struct conf_server *s)
{
	char	 url[STATS_URL_MAX];
	uint32_t i;

	(void)strlcpy(url, s->tls ? "https://" : "http://", sizeof(url));
	(void)strlcat(url, s->authority, sizeof(url));
	for (i = 0; i < b->nservers; i++)
		if (b->servers[i].upstream == upstream &&
		    strcmp(b->servers[i].url, url) == 0)
			return (i);
	if (i == STATS_SERVERS)
		return (STATS_OTHER);
	b->servers[i].upstream = upstream;
	memcpy(b->servers[i].url, url, sizeof(url));
	b->nservers++;
	return (i);
}

void
board_refresh(void)
{
	struct board	*b = slots_begin();

	put_processes(b);
	put_generations(b);
	slots_done();
}

static void
put_processes(struct board *b)
{
	struct board_process	*e;
	struct process		*p;
	uint32_t		 n = 0;

	TAILQ_FOREACH(p, process_all(), link) {
		if (n == BOARD_PROCESSES)
			break;
		e = &b->processes[n++];
		e->role = p->role;
		e->instance = p->instance;
		e->generation = p->generation;
		e->pid = (uint32_t)p->pid;
		e->slot = p->slot->number;
		e->state = state_of(p);
		e->started = wall_ms() - (int64_t)(mono_ms() - p->started);
	}
	b->nprocesses = n;
}

static enum board_state
state_of(const struct process *p)
{
	if (p->drained)
		return (BOARD_DRAINED);
	if (p->draining)
		return (BOARD_DRAINING);
	return (p->role == ROLE_WORKER ? p->ready : p->acked) ?
	    BOARD_READY : BOARD_STARTING;
}

static void
put_generations(struct board *b)
{
	struct board_generation	*e;
	struct generation	*g;
	size_t			 ready, drained;
	uint32_t		 n = 0;

	TAILQ_FOREACH(g, generation_all(), link) {
		if (n == BOARD_GENERATIONS)
			break;
		e = &b->generations[n++];
		if (e->id != g->id || e->state != (uint32_t)g->state)
			e->since = wall_ms();
		e->id = g->id;
		e->state = (uint32_t)g->state;
		e->workers = (uint32_t)generation_count(g, &ready, &drained);
		e->ready = (uint32_t)ready;
		e->drained = (uint32_t)drained;
	}
	b->ngenerations = n;
}

void
board_serving(const struct generation *g)
{
	struct board			*b = slots_begin();
	const struct conf_upstream	*u;
	uint32_t			 i;
	size_t				 j, k;

	b->serving = g->id;
	b->config_loaded = wall_ms();
	b->telemetry = g->conf->w.traces != 0;
	b->log_level = (uint32_t)log_level();
	(void)strlcpy(b->config_digest, g->conf->digest,
	    sizeof(b->config_digest));
	(void)strlcpy(b->audit_path, g->conf->audit_path,
	    sizeof(b->audit_path));
	for (i = 0; i < b->nservers; i++)
		b->servers[i].serving = 0;
	for (j = 0; j < g->conf->w.nupstreams; j++) {
		u = &g->conf->w.upstreams[j];
		for (k = 0; k < u->nservers; k++)
			if (u->servers[k].number < STATS_SERVERS)
				b->servers[u->servers[k].number].serving = 1;
	}
	slots_done();
}

void
board_reloaded(const char *error)
{
	struct board	*b = slots_begin();

	b->reload_at = wall_ms();
	(void)strlcpy(b->reload_error, error == NULL ? "" : error,
	    sizeof(b->reload_error));
	slots_done();
	stats_inc(error == NULL ? STATS_RELOADS : STATS_RELOADS_REJECTED);
}

void
board_draining(int on)
{
	slots_begin()->draining = on != 0;
	slots_done();
}

void
board_log_level(int pri)
{
	slots_begin()->log_level = (uint32_t)pri;
	slots_done();
}

void
board_audit(int broken, int64_t size)
{
	struct board	*b = slots_begin();

	b->audit_broken = broken != 0;
	b->audit_size = size;
	slots_done();
}
