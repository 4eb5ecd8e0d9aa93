/*
 * How the record names people: as the token does, by a hash that stays the
 * same, or not at all (audit.identity).
 */
#ifndef COMMON_IDENTITY_H
#define COMMON_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

#define IDENTITY_MAX	260	/* bytes that are kept of a name: the record
				 * cuts a little before, at a character */

struct identity {
	enum conf_identity mode;
	int		 keyed;
	uint8_t		 key[32];
};

/* By the configuration; 0, or -1 when libcrypto fails. */
int	identity_init(struct identity *, const struct worker_conf *);
/*
 * The name of s, with a NUL, into out.  Returns its length; 0 when there is
 * none: s is empty, is not to be told, or cannot be hashed.  A hash is
 * "sha256:", or with a key "hmac-sha256:", and its first 16 bytes in
 * hexadecimal; equal names have equal hashes, whichever field they are in.
 */
size_t	identity_name(const struct identity *, const char *s,
	    char out[IDENTITY_MAX + 1]);

#endif
