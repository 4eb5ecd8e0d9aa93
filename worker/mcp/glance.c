/*
 * Both names that count end alike, "error" and "isError", and inside of strings
 * a quote has a backslash before it: what is found is the name of a member, and
 * it is found 16 places at a time.
 */
#include <stddef.h>
#include <string.h>

#include "worker/mcp/glance.h"
#include "worker/mcp/outcome.h"

#define BLOCK		16
#define WINDOW		1024	/* bytes at either end that are looked at */
#define READ_MAX	4096	/* bytes, for an error: it comes first */
#define READS_MAX	4
#define END		"rror\""
#define END_LEN		(sizeof(END) - 1)

typedef uint8_t block __attribute__((vector_size(BLOCK)));

static void	 look(struct glance *, struct slice, struct slice, int);
static const char *find(const char *, size_t);
static int	 may_be(block);
static int	 is_name(struct slice, const char *, const char *);
static int	 is_true(struct slice, const char *);
static void	 read_error(struct glance *, struct slice, int);
static void	 read_result(struct glance *, struct slice, int);

void
glance(struct glance *g, struct slice s, int events)
{
	struct slice	 part = s;

	if (s.len > WINDOW && !(g->begun && !events)) {
		part.len = WINDOW;
		look(g, s, part, events);
	}
	if (s.len > WINDOW) {
		part.p = s.p + s.len - WINDOW;
		part.len = WINDOW;
	}
	look(g, s, part, events);
	g->begun = 1;
}

/* Within a part. */
static void
look(struct glance *g, struct slice all, struct slice part, int events)
{
	const char	*at = part.p, *end = part.p + part.len;

	while (g->reads < READS_MAX &&
	    (at = find(at, (size_t)(end - at))) != NULL) {
		if (is_name(all, at, "\"e"))
			read_error(g, all, events);
		else if (is_name(all, at, "\"isE") &&
		    is_true(all, at + END_LEN))
			read_result(g, all, events);
		at += END_LEN;
	}
}

static const char *
find(const char *p, size_t len)
{
	block	 first, last, r, quote;
	size_t	 i, k;

	memset(&r, END[0], sizeof(r));
	memset(&quote, END[END_LEN - 1], sizeof(quote));
	for (i = 0; i + BLOCK + END_LEN <= len; i += BLOCK) {
		memcpy(&first, p + i, BLOCK);
		memcpy(&last, p + i + END_LEN - 1, BLOCK);
		if (!may_be((block)((first == r) & (last == quote))))
			continue;
		for (k = i; k < i + BLOCK; k++)
			if (memcmp(p + k, END, END_LEN) == 0)
				return (p + k);
	}
	for (; i + END_LEN <= len; i++)
		if (p[i] == END[0] && memcmp(p + i, END, END_LEN) == 0)
			return (p + i);
	return (NULL);
}

static int
may_be(block b)
{
	uint64_t	 half[2];

	memcpy(half, &b, sizeof(half));
	return ((half[0] | half[1]) != 0);
}

/* Does the name begin so? */
static int
is_name(struct slice all, const char *at, const char *begin)
{
	size_t	 n = strlen(begin);

	return ((size_t)(at - all.p) >= n && memcmp(at - n, begin, n) == 0);
}

/* Is the member's value true, as far as can be seen? */
static int
is_true(struct slice all, const char *p)
{
	const char	*end = all.p + all.len;

	while (p < end && strchr(" \t\r\n:", *p) != NULL && *p != '\0')
		p++;
	return (p < end && *p == 't');
}

static void
read_error(struct glance *g, struct slice s, int events)
{
	struct outcome	 o;

	/* what it begins in the middle of cannot be read */
	if (g->begun && !events)
		return;
	g->reads++;
	if (s.len > READ_MAX && !events)
		s.len = READ_MAX;
	outcome_begin(&o, events);
	outcome_feed(&o, s);
	if (o.failed) {
		g->failed = 1;
		g->coded = o.coded;
		g->code = o.code;
	} else if (o.m_failed) {
		/* its end has not come yet */
		g->failed = 1;
		g->coded = o.m_coded && !o.number;
		g->code = o.negative ? -o.m_code : o.m_code;
	}
	if (g->failed)
		g->reads = READS_MAX;
}

static void
read_result(struct glance *g, struct slice s, int events)
{
	struct outcome	 o;

	g->reads++;
	outcome_begin(&o, events);
	outcome_feed(&o, s);
	if (o.tool_error || o.m_tool_error || (g->begun && !o.answered)) {
		g->tool_error = 1;
		g->reads = READS_MAX;
	}
}
