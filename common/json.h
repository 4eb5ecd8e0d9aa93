/*
 * Strict JSON (RFC 8259, I-JSON's rules of RFC 7493 where they matter).
 * yajl is too kind for a judge: it takes overlong and surrogate UTF-8, lone
 * \ud800, repeated members and any depth.  json_walk() is the one gate: it
 * judges a text and tells what is in it on the way; only bytes that passed it
 * are given to yajl.
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
	JSON_UTF8,		/* invalid UTF-8 */
	JSON_SURROGATE,		/* half of a pair, as an escape */
	JSON_DEPTH,		/* deeper than JSON_DEPTH_MAX */
	JSON_DUPLICATE,		/* a member name twice (after unescaping) */
	JSON_TOO_MANY,		/* more than JSON_MEMBERS_MAX members */
	JSON_MEMORY
};

enum json_event {
	JSON_NULL,
	JSON_BOOLEAN,		/* begins with 't' or 'f' */
	JSON_NUMBER,
	JSON_STRING,		/* without its quotes, escapes as they came */
	JSON_NAME,		/* of a member, in the same way */
	JSON_OBJECT,		/* the opening bracket */
	JSON_ARRAY,		/* the same */
	JSON_END		/* the closing bracket of either */
};

/* Gets one event; raw is where it stands in the text. */
typedef void (*json_cb)(void *, enum json_event, struct slice raw);

/*
 * Check one whole JSON text, and tell what is in it, in order, as far as it is
 * good: nothing that was told counts unless JSON_OK comes back.  No recursion;
 * cost is linear in len whatever the input (hashed names with a per-process
 * random seed).
 */
enum json_error json_walk(const char *, size_t len, json_cb, void *);
/*
 * The same, but only as strict as that about what is nested so deep at most:
 * deeper down invalid UTF-8, lone surrogates and member names that come twice
 * are let pass.  Where values begin and end is never in doubt; what is told
 * of the depth beyond is good for nothing but to be judged by itself.
 */
enum json_error json_walk_lax(const char *, size_t len, unsigned strict,
	    json_cb, void *);
/* json_walk(), telling nobody. */
enum json_error json_check(const char *, size_t len);
const char *json_strerror(enum json_error);

/*
 * The members of one object, by name.
 */
enum json_type { JSON_T_ABSENT, JSON_T_NULL, JSON_T_BOOLEAN, JSON_T_NUMBER,
    JSON_T_STRING, JSON_T_ARRAY, JSON_T_OBJECT };

struct json_member {
	const char	*name;
	enum json_type	 type;
	struct slice	 raw;		/* as in the text; a string without
					 * its quotes, escapes as they came */
};

/*
 * Check one whole JSON text and find members of the object that it is: those
 * named in m, whose type and raw are set.  JSON_SYNTAX also for what is no
 * object.  Other than JSON_OK: no member may be looked at.  The n of them are
 * looked through for each name, so they should be few.
 */
enum json_error json_members(const char *, size_t len, struct json_member *m,
	    size_t n);

/* Seed the name hash; call once at start-up before any sandbox that forbids
 * getrandom(2).  json_check() works without, predictably. */
void	json_seed(void);

/* Unescape the inside of a JSON string that passed json_check() (without its
 * quotes) into out, which must hold in.len bytes.  Returns the length. */
size_t	json_unescape(struct slice in, char *out);
/* Is it, unescaped, this text? */
int	json_string_is(struct slice in, const char *);

/* Write s as the inside of a JSON string, at most max source bytes of it
 * (cut at a UTF-8 boundary), invalid UTF-8 replaced by U+FFFD, control
 * characters (C0, DEL, C1), quotes, backslashes, line separators and what turns
 * the direction of a text (U+202E and its like) escaped.
 * out must hold 6 * max bytes.  Returns the length written (no NUL). */
size_t	json_escape(struct slice s, size_t max, char *out);

#endif
