/*
 * base64url without padding (RFC 4648 section 5, RFC 7515 section 2), and
 * base64 without padding (section 4), as encoded password hashes have it.
 */
#ifndef COMMON_BASE64URL_H
#define COMMON_BASE64URL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Decode strictly: only the 64 characters, no padding, no line breaks, a
 * possible length, and unused trailing bits zero (so that one value has one
 * spelling).  out must hold len / 4 * 3 + 2 bytes.  Returns the decoded
 * length, or -1. */
ssize_t	base64url_decode(const char *, size_t len, uint8_t *out);
/* Encode; out must hold (len * 4 + 2) / 3 + 1 bytes.  Returns the length,
 * and writes a NUL behind it. */
size_t	base64url_encode(const uint8_t *, size_t len, char *out);
/* How many characters at the start are of the 64. */
size_t	base64url_span(const char *, size_t len);
/* The same with '+' and '/'. */
ssize_t	base64_decode(const char *, size_t len, uint8_t *out);
size_t	base64_encode(const uint8_t *, size_t len, char *out);

#endif
