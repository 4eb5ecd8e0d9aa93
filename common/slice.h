/* A run of bytes that somebody else owns. */
#ifndef COMMON_SLICE_H
#define COMMON_SLICE_H

#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
	const char	*p;
	size_t		 len;
};

static inline struct slice
slice_of(const char *s)
{
	return ((struct slice){ s, s == NULL ? 0 : strlen(s) });
}

static inline int
slice_is(struct slice a, const char *s)
{
	size_t	 n = strlen(s);

	return (a.len == n && (n == 0 || memcmp(a.p, s, n) == 0));
}

/* ASCII case ignored; s must be a literal of the C locale. */
static inline int
slice_is_nocase(struct slice a, const char *s)
{
	size_t	 n = strlen(s);

	return (a.len == n && (n == 0 || strncasecmp(a.p, s, n) == 0));
}

static inline int
slice_eq(struct slice a, struct slice b)
{
	return (a.len == b.len &&
	    (a.len == 0 || memcmp(a.p, b.p, a.len) == 0));
}

#endif
