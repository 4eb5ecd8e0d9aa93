/*
 * One who asks for a verdict on a credential and may have to wait for it: the
 * keeper is asked for an API key, the fetcher for a key set.  It lies in its
 * owner's object, which puts in done and touches nothing else.
 */
#ifndef WHO_WAITER_H
#define WHO_WAITER_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "common/auth_result.h"
#include "common/slice.h"
#include "worker/base/buf.h"
#include "worker/base/timeq.h"

struct question;

/* What is said of a credential, and of whom it names.  All zero: refused.
 * Slices and pointers are valid until done() returns, or until the next
 * judgement of whoever asked without waiting. */
struct verdict {
	enum auth_result result;
	struct slice	 client_id;	/* p NULL: unknown */
	struct slice	 sub;		/* of a token */
	struct slice	 subject;	/* the same, for the record, */
	struct slice	 actor;		/* who acts for it, */
	struct slice	 jti;		/* and which token it is */
	struct slice	 token;		/* a digest of one that names neither
					 * a client nor sub, else p NULL */
	struct slice	 key_id;	/* of an API key */
	const uint8_t	*key_mark;	/* its mark in the configuration */
	const uint8_t	*signer;	/* jwk.id of a token's key; or NULL */
	struct slice	 scopes;
	int64_t		 until;		/* ms since the epoch when it is good
					 * no more, leeway included; 0: never */
	const char	*why;		/* refused, for logs and not for
					 * clients; or NULL */
	int		 crowding;	/* AUTH_UNAVAILABLE for this source,
					 * which asks too much */
	uint8_t		 digest[32];	/* that token points to */
};

enum judged {
	JUDGED,			/* the verdict is final */
	JUDGED_LATER		/* done() is called, if nobody unwaits */
};

struct waiter {
	/* the waiter waits no more, and may be freed; not called from within
	 * the call that made it wait */
	void		(*done)(struct waiter *, const struct verdict *);

	/* of auth.c and api_keys.c */
	TAILQ_ENTRY(waiter) link;
	struct timer	 timer;
	struct question	*question;	/* to the keeper; or NULL */
	struct buf	 token;		/* until there is a key for it */
	size_t		 upstream;
	uint64_t	 source;	/* whose fetch it is */
	uint64_t	 asked;		/* when it began to wait */
	uint64_t	 kid;		/* hash of the one it waits for */
	enum auth_result missing;	/* what it is without a new key */
	char		*why;		/* the same, in words; owned */
	unsigned	 round;		/* it was looked at in this one */
};

TAILQ_HEAD(waiters, waiter);

#endif
