/*
 * Sources of keys: one per distinct issuer, JWKS URL and CA, shared by the
 * generations that name it.  A source is primed once, refetched on schedule
 * and on demand, and keeps its last good set whatever happens.
 */
#ifndef FETCHER_SOURCE_H
#define FETCHER_SOURCE_H

#include <event2/event.h>
#include <stdint.h>

#include "common/conf.h"

/* Once.  primed(gen, ok, reason): the outcome for a generation.  keys(gen,
 * fd): its set is new, or new to it (fd borrowed).  done(gen, ok, began_ms):
 * a fetch ended. */
struct source_cb {
	void	(*primed)(uint32_t, int, const char *);
	void	(*keys)(uint32_t, int);
	void	(*done)(uint32_t, int, uint64_t);
};

void	source_setup(struct event_base *, const struct source_cb *);
/* A generation wants the keys that conf (borrowed) describes; primed() says
 * when they are there. */
void	source_attach(uint32_t gen, const struct fetcher_conf *);
/* It does not any more. */
void	source_detach(uint32_t gen);
/* A set from before a crash of an earlier fetcher (fd taken over); used
 * only as long as there is no better one. */
void	source_restore(uint32_t gen, int fd);
/* The descriptor (borrowed) of the set in force, or -1. */
int	source_keys(uint32_t gen);
/* A worker of this generation lacks a key: fetch as soon as the pace
 * allows. */
void	source_wanted(uint32_t gen);

#endif
