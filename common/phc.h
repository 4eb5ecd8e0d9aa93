/*
 * Encoded argon2id hashes, in the form that libargon2 and the argon2(1)
 * program write (the PHC string format):
 *
 *	argon2id$v=19$m=65536,t=3,p=2$SALT$HASH
 *
 * with or without a '$' before it; SALT and HASH in base64 without padding.
 * Only this variant (RFC 9106, section 4 recommends no other), only version
 * 19, one spelling per value.  Pure functions; nothing is hashed here.
 */
#ifndef COMMON_PHC_H
#define COMMON_PHC_H

#include <stddef.h>
#include <stdint.h>

#define PHC_SALT_MIN	8	/* bytes; RFC 9106, section 3.1 */
#define PHC_SALT_MAX	64
#define PHC_HASH_MIN	16	/* less could be guessed */
#define PHC_HASH_MAX	64
#define PHC_PASSES_MAX	0xffffffffU
#define PHC_LANES_MAX	0xffffffU
#define PHC_STRLEN	256	/* holds whatever phc_format() writes */

struct phc {
	uint32_t	 memory;	/* m, KiB; at least 8 per lane */
	uint32_t	 passes;	/* t, at least 1 */
	uint32_t	 lanes;		/* p, at least 1 */
	uint32_t	 salt_len;
	uint32_t	 hash_len;
	uint8_t		 salt[PHC_SALT_MAX];
	uint8_t		 hash[PHC_HASH_MAX];
};

/* NULL, or static text that says what was expected; the struct is then
 * wiped.  Ceilings on the cost are the caller's affair. */
const char *phc_parse(const char *, size_t len, struct phc *);
/* Writes without the leading '$', with a NUL; returns buf. */
char	*phc_format(const struct phc *, char buf[PHC_STRLEN]);

#endif
