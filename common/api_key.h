/*
 * The form of API keys that are issued by mcpgwctl(8):
 *
 *	mcpgw_live_<prefix>_<secret>_<checksum>
 *
 * in letters and digits: 8 for the prefix, which is no secret and stands in
 * the configuration too; 43 for a secret of 256 bits; 6 for the CRC-32 of
 * all before it, by which a mistyped key is known, and a found one told from
 * noise, without hashing anything.  It protects nothing: anybody can compute
 * it.  Such a key is never JWT-shaped.
 */
#ifndef COMMON_API_KEY_H
#define COMMON_API_KEY_H

#include <stddef.h>

#define API_KEY_PREFIX_LEN	8
#define API_KEY_LEN		70	/* of a whole key of ours */
#define API_KEY_MAX		1024	/* bytes of any key */

enum api_key_form {
	API_KEY_OPAQUE,		/* somebody else's: no prefix to be had */
	API_KEY_OURS,		/* prefix is set */
	API_KEY_BAD		/* looks like ours and is not: refuse */
};

/* prefix gets API_KEY_PREFIX_LEN characters and a NUL, for API_KEY_OURS. */
enum api_key_form api_key_form(const char *, size_t len,
	    char prefix[API_KEY_PREFIX_LEN + 1]);
/* A new key, random, with a NUL.  The caller wipes it. */
void	api_key_make(char key[API_KEY_LEN + 1]);
/* Could s be the prefix of a key? */
int	api_key_prefix_ok(const char *s);

#endif
