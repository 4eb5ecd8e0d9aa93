/*
 * Credentials: finding the one that a request carries, sending it to the
 * verifier or to the keeper by its shape alone, remembering verified tokens,
 * and holding requests until the fetcher or the keeper has answered.
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
	CREDENTIAL_ONE,
	CREDENTIAL_BAD		/* more than one, or an empty one: 400 */
};

/* Slices are valid until the next call into this module. */
struct auth_who {
	struct slice	 client_id;	/* p NULL: unknown */
	struct slice	 sub;		/* of a token */
	struct slice	 token;		/* a digest of one that names neither
					 * a client nor sub, else p NULL */
	struct slice	 key_id;	/* of an API key */
	const uint8_t	*key_mark;	/* its mark in the configuration */
	const uint8_t	*signer;	/* jwk.id of a token's key; or NULL */
	struct slice	 scopes;
	int64_t		 until;		/* ms since the epoch when it is good
					 * no more, leeway included; 0: no end */
	const char	*why;		/* it was refused, or NULL: static text
					 * for logs, not for clients */
	int		 crowding;	/* AUTH_UNAVAILABLE for this source,
					 * which asks too much */
};

/* Once, after keys_setup().  changed is called when the fetcher has sent other
 * keys: auth_withdrawn() may say otherwise now. */
void	auth_setup(const struct worker_conf *, void (*changed)(void));
/* Does this configuration demand a credential at all? */
int	auth_required(void);

/* Find the Bearer token (RFC 6750 section 2.1; other ways are not taken), or
 * what stands in auth.header. */
enum credential auth_credential(const struct http1_head *, struct slice *);

/* Is this the field in which clients may send a key, auth.header? */
int	auth_is_key_field(const struct http1_field *);

/* Judge a credential of a client at this address, for an upstream.  1: *result is final and
 * *who is set as far as known.  0: fetcher or keeper must be asked;
 * auth_wait() is in order. */
int	auth_judge(struct slice, struct slice client_ip, size_t upstream,
	    enum auth_result *, struct auth_who *);
/* Hold the request that was just judged until the keeper answers, keys come,
 * or a fetch that began after now has ended; then request_retry() or
 * request_give_up() is called. */
void	auth_wait(struct request *);
void	auth_unwait(struct request *);

/* Was what let this request in taken back since: its token's key by the
 * authorization server, it or its API key by a reload? */
int	auth_withdrawn(const struct request *);
/* From the master: the newest generation may refuse any token that this one
 * takes. */
void	auth_lose_tokens(void);

/* Has the fetcher said what keys there are?  Keys that are too old are none:
 * is there one to judge a token by? */
int	auth_ready(void);
int	auth_has_keys(void);

#endif
