/*
 * A struct of the configuration, described once: a row says where a member
 * lies, what it is, within which bounds, by which key the file gives it and
 * what it is without that.  From the rows come packing, unpacking, checking,
 * comparing and clearing, and the reading of plain keys (config/walk.c).
 *
 * A row is written with the macros below, which do not compile when the type
 * that they say is not the member's own.
 */
#ifndef COMMON_SCHEMA_H
#define COMMON_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

#define SCHEMA_STR_MAX	4096	/* bytes of a string that says no other */

enum schema_type {
	SCHEMA_FLAG,	/* int: 0 or 1 */
	SCHEMA_INT,	/* int, not negative */
	SCHEMA_U8,
	SCHEMA_U16,
	SCHEMA_U32,
	SCHEMA_U64,
	SCHEMA_I64,
	SCHEMA_STR,	/* char *, malloc'ed, or NULL */
	SCHEMA_TEXT,	/* char[]: a string in the struct itself */
	SCHEMA_BYTES,	/* uint8_t[]: all of them */
	SCHEMA_OCTETS,	/* uint8_t[], of which a uint32_t counts the used */
	SCHEMA_STRINGS,	/* char **, malloc'ed, counted by a size_t */
	SCHEMA_ARRAY,	/* structs, malloc'ed, counted by a size_t */
	SCHEMA_STRUCT	/* a struct within the struct */
};

/* How the file writes a plain value; what is none of these has a parser of
 * its own, or is not in the file. */
enum schema_form {
	FORM_NONE,
	FORM_FLAG,	/* true, false */
	FORM_NUMBER,
	FORM_SIZE,	/* 4MiB */
	FORM_TIME,	/* 5m; kept in milliseconds */
	FORM_TEXT,
	FORM_PATH	/* of a file, relative to that of the configuration */
};

/* What a value may be, beyond its bounds. */
#define SCHEMA_ABSENT	0x01	/* a string may be NULL */
#define SCHEMA_EMPTY	0x02	/* or "" */
#define SCHEMA_VISIBLE	0x04	/* visible ASCII: fit for a header field */
#define SCHEMA_LINE	0x08	/* no control characters; UTF-8 may pass */
#define SCHEMA_SECRET	0x10	/* wiped before it is freed; never printed */
#define SCHEMA_OFF	0x20	/* a number may be 0, written "off" */
#define SCHEMA_LOCAL	0x40	/* not packed: its process alone needs it */

struct schema;

struct schema_row {
	const char	*key;		/* dotted, in the file; or NULL */
	enum schema_type type;
	enum schema_form form;
	unsigned	 flags;
	size_t		 offset;
	size_t		 count;		/* offset of the count, or the room of
					 * TEXT, BYTES and OCTETS */
	size_t		 used;		/* OCTETS: offset of its count;
					 * STRINGS: bytes of one at most */
	uint64_t	 min;		/* of numbers; of counts and lengths */
	uint64_t	 max;
	uint64_t	 def;		/* a number's default */
	const struct schema *sub;	/* ARRAY, STRUCT */
};

struct schema {
	const char	*name;
	size_t		 size;		/* of the struct */
	const struct schema_row *rows;
	size_t		 nrows;
	/* 1 when the members agree with each other; or NULL */
	int		 (*sane)(const void *);
};

/* Offset of a member; does not compile unless it has that type. */
#define SCHEMA_AT(s, m, t)						\
	(offsetof(s, m) + 0 * sizeof(char[				\
	    __builtin_types_compatible_p(__typeof__(((s *)0)->m), t) ?	\
	    1 : -1]))
#define SCHEMA_ROOM(s, m)	sizeof(((s *)0)->m)

/*
 * The rows.  s: the struct, m: its member, key: in the file, or NULL.
 */
#define ROW_FLAG(s, m, k, d)						\
	{ .key = k, .type = SCHEMA_FLAG, .form = FORM_FLAG,		\
	    .offset = SCHEMA_AT(s, m, int), .max = 1, .def = d }
#define ROW_NUMBER(s, m, t, k, fl, lo, hi, d)				\
	{ .key = k, .type = SCHEMA_##t, .form = FORM_NUMBER, .flags = fl,\
	    .offset = offsetof(s, m) + 0 * sizeof(char[			\
	    SCHEMA_ROOM(s, m) == schema_width(SCHEMA_##t) ? 1 : -1]),	\
	    .min = lo, .max = hi, .def = d }
#define ROW_SIZE(s, m, k, lo, hi, d)					\
	{ .key = k, .type = SCHEMA_U64, .form = FORM_SIZE,		\
	    .offset = SCHEMA_AT(s, m, uint64_t), .min = lo, .max = hi,	\
	    .def = d }
#define ROW_TIME(s, m, k, fl, lo, hi, d)				\
	{ .key = k, .type = SCHEMA_U64, .form = FORM_TIME, .flags = fl,	\
	    .offset = SCHEMA_AT(s, m, uint64_t), .min = lo, .max = hi,	\
	    .def = d }
#define ROW_STR(s, m, k, f, fl, hi)					\
	{ .key = k, .type = SCHEMA_STR, .form = f, .flags = fl,		\
	    .offset = SCHEMA_AT(s, m, char *), .max = hi }
#define ROW_TEXT(s, m, fl)						\
	{ .type = SCHEMA_TEXT, .flags = fl, .offset = offsetof(s, m),	\
	    .count = SCHEMA_ROOM(s, m) }
#define ROW_BYTES(s, m, fl)						\
	{ .type = SCHEMA_BYTES, .flags = fl, .offset = offsetof(s, m),	\
	    .count = SCHEMA_ROOM(s, m) }
#define ROW_OCTETS(s, m, n, fl, lo)					\
	{ .type = SCHEMA_OCTETS, .flags = fl, .offset = offsetof(s, m),	\
	    .count = SCHEMA_ROOM(s, m),					\
	    .used = SCHEMA_AT(s, n, uint32_t), .min = lo,		\
	    .max = SCHEMA_ROOM(s, m) }
#define ROW_STRINGS(s, m, n, k, fl, lo, hi)				\
	{ .key = k, .type = SCHEMA_STRINGS, .flags = fl,		\
	    .offset = SCHEMA_AT(s, m, char **),				\
	    .count = SCHEMA_AT(s, n, size_t), .used = SCHEMA_STR_MAX,	\
	    .min = lo, .max = hi }
/* Those that are not in the file, each of at most len bytes. */
#define ROW_LONG_STRINGS(s, m, n, fl, hi, len)				\
	{ .type = SCHEMA_STRINGS, .flags = fl,				\
	    .offset = SCHEMA_AT(s, m, char **),				\
	    .count = SCHEMA_AT(s, n, size_t), .used = len, .max = hi }
#define ROW_ARRAY(s, m, n, k, lo, hi, of)				\
	{ .key = k, .type = SCHEMA_ARRAY, .offset = offsetof(s, m),	\
	    .count = SCHEMA_AT(s, n, size_t), .min = lo, .max = hi,	\
	    .sub = of }
#define ROW_STRUCT(s, m, of)						\
	{ .type = SCHEMA_STRUCT, .offset = offsetof(s, m),		\
	    .count = SCHEMA_ROOM(s, m), .sub = of }
#define SCHEMA_OF(s, r, check)						\
	{ .name = #s, .size = sizeof(struct s), .rows = r,		\
	    .nrows = sizeof(r) / sizeof((r)[0]), .sane = check }

/* Of a number's type, in bytes; for ROW_NUMBER. */
#define schema_width(t)							\
	((t) == SCHEMA_U8 ? 1 : (t) == SCHEMA_U16 ? 2 :			\
	    (t) == SCHEMA_U32 || (t) == SCHEMA_INT ? 4 : 8)

/* What the rows' defaults say; everything else becomes zero. */
void	schema_defaults(const struct schema *, void *);
/* All members but the local ones, behind a word that tells one layout from
 * another.  Failures stick in the wbuf. */
void	schema_pack(const struct schema *, const void *, struct wbuf *);
/* A struct, malloc'ed, from exactly what schema_pack() made, checked by
 * schema_check(); or NULL (memory included).  errno is left alone. */
void	*schema_unpack(const struct schema *, const void *, size_t);
/* NULL when every member is within its bounds and all agree, else the key (or
 * the name of the struct) of one that does not. */
const char *schema_check(const struct schema *, const void *);
/* Do two hold the same?  The local members, too. */
int	schema_equal(const struct schema *, const void *, const void *);
/* Free what it holds, wipe it whole, and free it.  NULL is fine. */
void	schema_free(const struct schema *, void *);

/* A number's value, and its setting; bounds are the caller's. */
uint64_t schema_get(const struct schema_row *, const void *);
void	schema_set(const struct schema_row *, void *, uint64_t);

#endif
