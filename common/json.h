/*
 * Strict JSON (RFC 8259, I-JSON's rules of RFC 7493 where they matter).
 * yajl is too kind for a judge: it takes overlong and surrogate UTF-8, lone
 * \ud800, repeated members and any depth.  json_check() is the one gate; only
 * bytes that passed it are given to yajl or to the accessors.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stddef.h>

#include "common/slice.h"

#define JSON_DEPTH_MAX		64
#define JSON_MEMBERS_MAX	65536	/* names in one text, all objects */

enum json_error {
	JSON_OK = 0,
	JSON_SYNTAX,		/* not JSON, a BOM, or bytes after the value */
	JSON_UTF8,		/* invalid UTF-8 or a lone surrogate escape */
	JSON_DEPTH,		/* deeper than JSON_DEPTH_MAX */
	JSON_DUPLICATE,		/* a member name twice (after unescaping) */
	JSON_TOO_MANY,		/* more than JSON_MEMBERS_MAX members */
	JSON_MEMORY
};

/* Check one whole JSON text.  No recursion beyond JSON_DEPTH_MAX; cost is
 * linear in len whatever the input (hashed names with a per-process random
 * seed). */
enum json_error json_check(const char *, size_t len);
const char *json_strerror(enum json_error);

/* Seed the name hash; call once at start-up before any sandbox that forbids
 * getrandom(2).  json_check() works without, predictably. */
void	json_seed(void);

/* Unescape the inside of a JSON string that passed json_check() (without its
 * quotes) into out, which must hold in.len bytes.  Returns the length. */
size_t	json_unescape(struct slice in, char *out);

/* Write s as the inside of a JSON string, at most max source bytes of it
 * (cut at a UTF-8 boundary), invalid UTF-8 replaced by U+FFFD, control
 * characters (C0, DEL, C1), quotes, backslashes, U+2028 and U+2029 escaped.
 * out must hold 6 * max bytes.  Returns the length written (no NUL). */
size_t	json_escape(struct slice s, size_t max, char *out);

#endif
