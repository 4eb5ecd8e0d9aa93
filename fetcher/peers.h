/*
 * Channels to workers, and the generations they belong to.
 */
#ifndef FETCHER_PEERS_H
#define FETCHER_PEERS_H

#include <event2/event.h>
#include <stdint.h>

#include "common/conf.h"

void	peers_setup(struct event_base *);
/* A generation begins; conf (taken over) names its upstreams. */
void	peers_generation(uint32_t gen, struct fetcher_conf *);
void	peers_retire(uint32_t gen);
/* A worker of a generation: gets its keys and addresses at once.  fd is taken
 * over. */
void	peers_attach(uint32_t gen, uint32_t id, int fd);
/* Take at once what workers have said last. */
void	peers_drain(void);
/* To every worker of a generation. */
void	peers_keys(uint32_t gen, int fd);
void	peers_fetch_done(uint32_t gen, int ok, uint64_t began_ms);
/* A name has new addresses: tell everybody whom it concerns. */
void	peers_resolved(const char *name);

#endif
