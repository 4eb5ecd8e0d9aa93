/*
 * Media types and ranges.
 */
#include <string.h>
#include <strings.h>

#include "worker/wire/mediatype.h"

#define JSON		"application/json"
#define STREAM		"text/event-stream"

/* How a type is taken: by nothing, by a range, or by its name. */
struct taken {
	int	 rank;		/* of what speaks of it: 0 nothing, 1 all, 2
				 * all of its kind, 3 itself */
	int	 yes;		/* with a weight above 0 */
};

static struct slice before(struct slice *, char);
static int	 param_next(struct slice *, struct slice *, struct slice *);
static int	 quoted(struct slice *, struct slice *);
static void	 skip_blank(struct slice *);
static int	 is_charset(struct slice, struct slice, int *);
static void	 take(struct taken *, const char *, struct slice, int);
static int	 has_weight(struct slice);

int
mediatype_is_json(struct slice v)
{
	struct slice	 name, value;
	int		 more, charset = 0;

	if (v.p == NULL || !slice_is_nocase(before(&v, ';'), JSON))
		return (0);
	while ((more = param_next(&v, &name, &value)) == 1)
		/* a server may decode the body by what it reads here: in
		 * another charset the same bytes are another message */
		if (!is_charset(name, value, &charset))
			return (0);
	return (more == 0);
}

/* Is this parameter harmless? */
static int
is_charset(struct slice name, struct slice value, int *charset)
{
	/* charset* and charset*0 are other ways to say it (RFC 2231) */
	if (name.len < 7 || strncasecmp(name.p, "charset", 7) != 0 ||
	    (name.len > 7 && name.p[7] != '*'))
		return (1);
	return (name.len == 7 && (*charset)++ == 0 &&
	    slice_is_nocase(value, "utf-8"));
}

/* Take off what stands before the first such character, without blanks; the
 * character begins the rest. */
static struct slice
before(struct slice *s, char c)
{
	struct slice	 item = *s;
	const char	*p = s->len == 0 ? NULL : memchr(s->p, c, s->len);

	if (p != NULL)
		item.len = (size_t)(p - s->p);
	s->p += item.len;
	s->len -= item.len;
	return (slice_trim(item));
}

static void
skip_blank(struct slice *s)
{
	while (s->len > 0 && (*s->p == ' ' || *s->p == '\t')) {
		s->p++;
		s->len--;
	}
}

/* The next parameter that is none of the empty ones (RFC 9110 section 5.6.6):
 * 1; 0: no more; -1: malformed. */
static int
param_next(struct slice *s, struct slice *name, struct slice *value)
{
	do {
		skip_blank(s);
		if (s->len == 0)
			return (0);
		if (*s->p != ';')
			return (-1);
		s->p++;
		s->len--;
		skip_blank(s);
	} while (s->len == 0 || *s->p == ';');
	name->p = s->p;
	for (; s->len > 0 && http1_is_tchar((unsigned char)*s->p); s->len--)
		s->p++;
	name->len = (size_t)(s->p - name->p);
	if (name->len == 0 || s->len == 0 || *s->p != '=')
		return (-1);
	s->p++;
	s->len--;
	if (s->len > 0 && *s->p == '"')
		return (quoted(s, value));
	value->p = s->p;
	for (; s->len > 0 && http1_is_tchar((unsigned char)*s->p); s->len--)
		s->p++;
	value->len = (size_t)(s->p - value->p);
	return (value->len > 0 ? 1 : -1);
}

/* A quoted string in which nobody sees the end of a parameter. */
static int
quoted(struct slice *s, struct slice *value)
{
	const char	*end = memchr(s->p + 1, '"', s->len - 1);
	size_t		 i;

	if (end == NULL)
		return (-1);
	value->p = s->p + 1;
	value->len = (size_t)(end - value->p);
	for (i = 0; i < value->len; i++)
		if (memchr(";,\\", value->p[i], 3) != NULL)
			return (-1);
	s->len -= value->len + 2;
	s->p = end + 1;
	return (1);
}

const char *
mediatype_accept(const struct http1_head *h)
{
	static const char *const lines[] = { NULL, JSON, STREAM,
	    JSON ", " STREAM };
	struct taken	 json = { 0, 0 }, stream = { 0, 0 };
	struct slice	 list, item, range;
	size_t		 i;
	int		 ranges = 0;

	if (h->count[HTTP1_ACCEPT] == 0)
		return (lines[3]);
	for (i = 0; i < h->nfield; i++) {
		if (h->field[i].id != HTTP1_ACCEPT)
			continue;
		list = h->field[i].value;
		if (list.len == 0 || memchr(list.p, '*', list.len) != NULL)
			ranges = 1;
	}
	for (i = 0; i < h->nfield && ranges; i++) {
		if (h->field[i].id != HTTP1_ACCEPT)
			continue;
		list = h->field[i].value;
		while (http1_list_next(&list, &item)) {
			range = before(&item, ';');
			take(&json, JSON, range, has_weight(item));
			take(&stream, STREAM, range, has_weight(item));
		}
	}
	if ((!json.yes || json.rank == 3) && (!stream.yes || stream.rank == 3))
		return (NULL);
	return (lines[json.yes | stream.yes << 1]);
}

/* The most specific range decides. */
static void
take(struct taken *t, const char *type, struct slice range, int yes)
{
	size_t	 kind = (size_t)(strchr(type, '/') - type) + 1;
	int	 rank = 0;

	if (slice_is_nocase(range, type))
		rank = 3;
	else if (range.len == kind + 1 && range.p[kind] == '*' &&
	    strncasecmp(range.p, type, kind) == 0)
		rank = 2;
	else if (slice_is(range, "*/*"))
		rank = 1;
	if (rank == 0 || rank < t->rank)
		return;
	t->yes = rank == t->rank ? t->yes | yes : yes;
	t->rank = rank;
}

/* Is the weight in these parameters, 1 by default, above 0? */
static int
has_weight(struct slice params)
{
	struct slice	 name, value;
	size_t		 i;

	while (param_next(&params, &name, &value) == 1) {
		if (!slice_is_nocase(name, "q"))
			continue;
		for (i = 0; i < value.len; i++)
			if (value.p[i] >= '1' && value.p[i] <= '9')
				return (1);
		return (0);
	}
	return (1);
}
