/*
 * A generation: one configuration and the workers that serve it.
 */
#ifndef DAEMON_GENERATION_H
#define DAEMON_GENERATION_H

#include <sys/queue.h>

#include <stdint.h>

#include "config/config.h"
#include "daemon/process.h"

#define GENERATIONS_MAX	8	/* alive at a time */

enum gen_state {
	GEN_PRIMING,	/* the fetcher looks for its key set */
	GEN_STARTING,	/* its workers are being started */
	GEN_SERVING,
	GEN_DRAINING	/* a newer one serves */
};

struct generation {
	TAILQ_ENTRY(generation) link;
	uint32_t	 id;
	enum gen_state	 state;
	struct config	*conf;		/* owned */
	int		 worker_part;	/* sealed memfds, owned */
	int		 fetcher_part;
	int		 keeper_part;
	int		 monitor_part;
	int		 keys;		/* its last good key set, or -1 */
	int		 told;		/* that it no longer serves */
};

TAILQ_HEAD(generation_list, generation);

/* Takes over conf.  NULL (logged) when its parts cannot be made; conf is
 * freed. */
struct generation *generation_new(struct config *);
void	generation_free(struct generation *);
struct generation *generation_find(uint32_t id);
struct generation_list *generation_all(void);
/* The one that serves, or NULL. */
struct generation *generation_serving(void);
/* Its workers that are alive; how many of them are ready, or drained. */
size_t	generation_count(const struct generation *, size_t *ready,
	    size_t *drained);
/* A bit for each key of an old one, eight to a byte from the lowest on: set
 * where the new one has not just the same.  Returns the bytes that have bits
 * of keys, or 0: none was lost. */
size_t	generation_lost_keys(const struct generation *old,
	    const struct generation *, uint8_t bits[CONF_KEYS_MAX / 8]);
/* Might the new one refuse a token that the old one takes? */
int	generation_lost_tokens(const struct generation *old,
	    const struct generation *);

#endif
