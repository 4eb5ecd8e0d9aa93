/*
 * API keys, as a worker sees them: it asks the keeper, remembers what it was
 * told under a keyed hash, and lets those wait who ask until an answer comes.
 * What a key hashes to is not known here.
 */
#ifndef WHO_API_KEYS_H
#define WHO_API_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/slice.h"
#include "worker/who/waiter.h"

/* Once, with the scopes that every key must have; keeps a pointer. */
void	api_keys_setup(const struct worker_conf *);

/* From the master: a bit for each of auth.keys, set where the newest
 * generation has no such key.  0, or -1: malformed. */
int	api_keys_lose(const uint8_t *bits, size_t len);
/* Was it lost in this way?  By the mark in the configuration. */
int	api_keys_lost(const uint8_t *mark);

/* Who asks, for fair turns: an IPv4 address, or the /64 of an IPv6 one; 0: no
 * address. */
uint64_t api_keys_source(struct slice client_ip);
/* Judge a key that a client at this address (text, or p NULL) sent; the
 * verdict is all zero before. */
enum judged api_keys_judge(struct waiter *, struct slice key,
	    struct slice client_ip, struct verdict *);
/* It waits here and does not want to any more. */
void	api_keys_unwait(struct waiter *);

#endif
