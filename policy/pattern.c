/*
 * Patterns of names.
 */
#include <stdint.h>
#include <string.h>

#include "policy/pattern.h"

#define BAD	UINT32_MAX

/* A place in a text. */
struct cursor {
	const char	*p;
	const char	*end;
};

static const char *glob_check(struct slice);
static int	 set_check(struct cursor *);
static int	 glob_matches(struct slice, struct slice);
static int	 one_matches(struct cursor *, struct cursor *);
static int	 set_matches(struct cursor *, uint32_t);
static uint32_t	 take(struct cursor *);
static uint32_t	 take_quoted(struct cursor *);
static size_t	 sequence_len(unsigned char);

const char *
pattern_check(const struct pattern *pat)
{
	if (pat->text.len == 0)
		return ("a pattern that is not empty");
	if (pat->text.len > PATTERN_MAX)
		return ("a pattern of at most 1024 bytes");
	return (pat->kind == PATTERN_GLOB ? glob_check(pat->text) : NULL);
}

static const char *
glob_check(struct slice text)
{
	struct cursor	 c = { text.p, text.p + text.len };

	while (c.p < c.end)
		switch (*c.p) {
		case '\\':
			if (take_quoted(&c) == BAD)
				return ("a character after \\");
			break;
		case '[':
			if (!set_check(&c))
				return ("a set of characters such as [a-z], "
				    "closed and not empty");
			break;
		default:
			if (take(&c) == BAD)
				return ("a pattern in UTF-8");
		}
	return (NULL);
}

/* A set, with the brackets: members, and ranges that go upwards. */
static int
set_check(struct cursor *c)
{
	uint32_t	 low, high;
	int		 members = 0;

	c->p++;
	if (c->p < c->end && *c->p == '^')
		c->p++;
	while (c->p < c->end && (*c->p != ']' || members == 0)) {
		if (*c->p == ']' || *c->p == '-')
			return (0);
		low = high = take_quoted(c);
		if (c->p < c->end && *c->p == '-') {
			c->p++;
			if (c->p == c->end || *c->p == ']' || *c->p == '-')
				return (0);
			high = take_quoted(c);
		}
		if (low == BAD || high == BAD || high < low)
			return (0);
		members++;
	}
	if (c->p == c->end)
		return (0);
	c->p++;
	return (1);
}

int
pattern_matches(const struct pattern *pat, struct slice name)
{
	switch (pat->kind) {
	case PATTERN_NAME:
		return (slice_eq(pat->text, name));
	case PATTERN_PREFIX:
		return (name.len >= pat->text.len &&
		    memcmp(name.p, pat->text.p, pat->text.len) == 0);
	case PATTERN_GLOB:
		return (glob_matches(pat->text, name));
	}
	return (0);
}

/* When something fails behind a star, the star takes one character more; what
 * was before the last star needs no second try, for what it took can only have
 * been too little. */
static int
glob_matches(struct slice text, struct slice name)
{
	struct cursor	 pat = { text.p, text.p + text.len };
	struct cursor	 in = { name.p, name.p + name.len };
	struct cursor	 star = { NULL, NULL }, from = { NULL, NULL };

	for (;;) {
		if (pat.p < pat.end && *pat.p == '*') {
			pat.p++;
			star = pat;
			from = in;
		} else if (pat.p == pat.end && in.p == in.end)
			return (1);
		else if (pat.p == pat.end || in.p == in.end ||
		    !one_matches(&pat, &in)) {
			if (star.p == NULL || from.p == from.end ||
			    *from.p == '/')
				return (0);
			from.p++;
			pat = star;
			in = from;
		}
	}
}

/* One character, each time; both move on when they match. */
static int
one_matches(struct cursor *pat, struct cursor *in)
{
	uint32_t	 ch;

	switch (*pat->p) {
	case '?':
		pat->p++;
		ch = take(in);
		return (ch != BAD && ch != '/');
	case '[':
		ch = take(in);
		return (set_matches(pat, ch) && ch != BAD);
	default:
		return (take_quoted(pat) == take(in));
	}
}

static int
set_matches(struct cursor *pat, uint32_t ch)
{
	uint32_t	 low, high;
	int		 not = 0, found = 0;

	if (*++pat->p == '^') {
		not = 1;
		pat->p++;
	}
	while (*pat->p != ']') {
		low = high = take_quoted(pat);
		if (*pat->p == '-') {
			pat->p++;
			high = take_quoted(pat);
		}
		found |= low <= ch && ch <= high;
	}
	pat->p++;
	return (found != not);
}

static uint32_t
take_quoted(struct cursor *c)
{
	if (*c->p == '\\') {
		c->p++;
		if (c->p == c->end)
			return (BAD);
	}
	return (take(c));
}

/* The next character, which is there; BAD and one byte further when it is not
 * UTF-8. */
static uint32_t
take(struct cursor *c)
{
	unsigned char	 lead = (unsigned char)*c->p;
	size_t		 i, n = sequence_len(lead);
	uint32_t	 ch = n == 1 ? lead : lead & (0x7fU >> n);

	if (n == 0 || n > (size_t)(c->end - c->p)) {
		c->p++;
		return (BAD);
	}
	for (i = 1; i < n; i++) {
		if (((unsigned char)c->p[i] & 0xc0) != 0x80) {
			c->p++;
			return (BAD);
		}
		ch = ch << 6 | ((unsigned char)c->p[i] & 0x3f);
	}
	c->p += n;
	return (ch);
}

/* By its first byte (RFC 3629); 0: it cannot be one. */
static size_t
sequence_len(unsigned char lead)
{
	if (lead < 0x80)
		return (1);
	if (lead < 0xc2 || lead > 0xf4)
		return (0);
	return (lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);
}
