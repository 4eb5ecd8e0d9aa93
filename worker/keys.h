/*
 * API keys, as a worker sees them: it asks the keeper, remembers what it was
 * told under a keyed hash, and holds requests until an answer comes.  What a
 * key hashes to is not known here.
 */
#ifndef WORKER_KEYS_H
#define WORKER_KEYS_H

#include <stdint.h>

#include "common/auth_result.h"
#include "common/conf.h"
#include "common/slice.h"
#include "worker/request.h"

/* What is to be known of a key that was judged. */
struct keys_verdict {
	enum auth_result result;
	const struct conf_key *key;	/* whose it is, or NULL */
	int		 share;		/* AUTH_UNAVAILABLE since this source
					 * asks too much */
};

/* Once, with the scopes that every key must have. */
void	keys_setup(const struct worker_conf *);

/* From the master: a bit for each of auth.keys, set where the newest
 * generation has no such key.  0, or -1: malformed. */
int	keys_lose(const uint8_t *bits, size_t len);
/* Was it lost in this way?  By the mark in the configuration. */
int	keys_lost(const uint8_t *mark);

/* Who asks, for fair turns: an IPv4 address, or the /64 of an IPv6 one; 0: no
 * address. */
uint64_t keys_source(struct slice client_ip);
/* Judge a key that a client at this address (text, or p NULL) sent.  1: the
 * verdict is final.  0: the keeper is asked; keys_wait() is in order. */
int	keys_judge(struct slice key, struct slice client_ip,
	    struct keys_verdict *);
/* Hold the request that was just judged; then request_retry() or
 * request_give_up() is called. */
void	keys_wait(struct request *);
void	keys_unwait(struct request *);

#endif
