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

/* Without the blanks around it (OWS, RFC 9110 section 5.6.3). */
static inline struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' ||
	    s.p[s.len - 1] == '\t'))
		s.len--;
	return (s);
}

/* Take off what stands before the first such byte, or all, and the byte, too;
 * it comes without the blanks around it. */
static inline struct slice
slice_cut(struct slice *s, char at)
{
	struct slice	 item = *s;
	const char	*p = s->len == 0 ? NULL : memchr(s->p, at, s->len);

	if (p != NULL)
		item.len = (size_t)(p - s->p);
	s->p += item.len + (p != NULL);
	s->len -= item.len + (p != NULL);
	return (slice_trim(item));
}

#endif
