/*
 * Credentials: finding the one that a request carries, sending it to the
 * verifier by its shape alone, remembering verified tokens, and holding
 * requests whose key is unknown until the fetcher has looked.
 */
#ifndef WORKER_AUTH_H
#define WORKER_AUTH_H

#include <stdint.h>

#include "common/auth_result.h"
#include "common/conf.h"
#include "common/jwk.h"
#include "common/slice.h"
#include "worker/http1.h"
#include "worker/request.h"

enum credential {
	CREDENTIAL_NONE,	/* none that we know (RFC 6750 section 3.1) */
	CREDENTIAL_BEARER,
	CREDENTIAL_AMBIGUOUS	/* more than one: 400 */
};

/* Slices are valid until the next call into this module. */
struct auth_who {
	struct slice	 client_id;	/* p NULL: unknown */
	struct slice	 scopes;
};

/* Once.  want_keys asks the fetcher for a fresh key set. */
void	auth_setup(const struct worker_conf *, void (*want_keys)(void));
/* Does this configuration demand a credential at all? */
int	auth_required(void);

/* Find the Bearer token (RFC 6750 section 2.1; other ways are not taken). */
enum credential auth_credential(const struct http1_head *, struct slice *);

/* Judge a token.  1: *result is final and *who is set as far as known.
 * 0: it names a key that we do not have; auth_wait() is in order. */
int	auth_judge(struct slice, enum auth_result *, struct auth_who *);
/* Hold a request until keys come or a fetch that began after now has ended;
 * then request_retry() or request_give_up() is called. */
void	auth_wait(struct request *);
void	auth_unwait(struct request *);

/* From the fetcher: a new set (taken over), and the end of a fetch that
 * began at began_ms (CLOCK_MONOTONIC). */
void	auth_set_keys(struct jwk_set *);
void	auth_fetch_done(int ok, uint64_t began_ms);
int	auth_have_keys(void);
/* There is a new fetcher: ask it again for those who wait. */
void	auth_ask_again(void);

#endif
