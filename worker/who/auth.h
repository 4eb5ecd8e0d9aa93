/*
 * Credentials: finding the one that a request carries, sending it to the
 * verifier or to the keeper by its shape alone, remembering verified tokens,
 * and holding requests until the fetcher or the keeper has answered.
 */
#ifndef WHO_AUTH_H
#define WHO_AUTH_H

#include <stdint.h>

#include "common/conf.h"
#include "common/slice.h"
#include "worker/who/waiter.h"
#include "worker/wire/http1.h"

enum credential {
	CREDENTIAL_NONE,	/* none that we know (RFC 6750 section 3.1) */
	CREDENTIAL_ONE,
	CREDENTIAL_BAD		/* more than one, or an empty one: 400 */
};

/* Once, after api_keys_setup().  changed is called when the fetcher has sent
 * other keys: auth_withdrawn() may say otherwise now. */
void	auth_setup(const struct worker_conf *, void (*changed)(void));
/* Does this configuration demand a credential at all? */
int	auth_required(void);

/* Find the Bearer token (RFC 6750 section 2.1; other ways are not taken), or
 * what stands in auth.header. */
enum credential auth_credential(const struct http1_head *, struct slice *);

/* Is this the field in which clients may send a key, auth.header? */
int	auth_is_key_field(const struct http1_field *);

/*
 * Judge a credential of a client at this address (text, or p NULL), for an
 * upstream by its index.  JUDGED: the verdict is set.  JUDGED_LATER: the
 * fetcher or the keeper was asked; done() of the waiter is called with a
 * verdict when the keeper answers, keys come, a fetch that began after now has
 * ended, or it took too long.  The waiter must stay where it is until then or
 * until auth_unwait(); the credential need not.
 */
enum judged auth_judge(struct waiter *, struct slice, struct slice client_ip,
	    size_t upstream, struct verdict *);
/* Do not wait any more; harmless for one who does not. */
void	auth_unwait(struct waiter *);

/* Was what let somebody in taken back since: a token's key (jwk.id, or NULL)
 * by the authorization server, it or an API key (its mark in the
 * configuration, or NULL) by a reload? */
int	auth_withdrawn(const uint8_t *key_mark, const uint8_t *signer);
/* From the master: the newest generation may refuse any token that this one
 * takes. */
void	auth_lose_tokens(void);

/* Has the fetcher said what keys there are?  Keys that are too old are none:
 * is there one to judge a token by? */
int	auth_ready(void);
int	auth_has_keys(void);

#endif
