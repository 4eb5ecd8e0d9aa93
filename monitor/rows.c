/*
 * Labels, and rows found by them.
 */
#include <string.h>

#include "common/json.h"
#include "common/slice.h"
#include "monitor/rows.h"

#define PLACES		(2 * ROWS_MAX)
#define VALUE_MAX	STATS_URL_MAX	/* bytes of a value, unescaped */

static struct row	 rows[ROWS_MAX];
static uint16_t		 places[PLACES];	/* number of a row + 1 */
static size_t		 count;

static void	 put(struct labels *, const char *, size_t);

void
labels_none(struct labels *l)
{
	l->len = 0;
}

void
labels_add(struct labels *l, const char *name, const char *value, size_t max)
{
	char	 out[6 * VALUE_MAX];
	size_t	 i, n, len;

	if (max > VALUE_MAX)
		max = VALUE_MAX;
	if ((len = strnlen(value, max)) == 0)
		return;
	n = json_escape((struct slice){ value, len }, len, out);
	if (l->len + strlen(name) + n + n / 6 + 4 > sizeof(l->text))
		return;
	if (l->len > 0)
		put(l, ",", 1);
	put(l, name, strlen(name));
	put(l, "=\"", 2);
	for (i = 0; i < n; i++) {
		/* a label knows no \uXXXX: it is to read so */
		if (out[i] == '\\' && out[i + 1] == 'u')
			put(l, "\\", 1);
		else if (out[i] == '\\')
			put(l, &out[i++], 1);
		put(l, &out[i], 1);
	}
	put(l, "\"", 1);
}

static void
put(struct labels *l, const char *s, size_t len)
{
	memcpy(l->text + l->len, s, len);
	l->len += len;
}

void
rows_none(void)
{
	memset(places, 0, sizeof(places));
	count = 0;
}

struct row *
rows_at(const struct labels *l)
{
	uint64_t	 hash = 14695981039346656037ULL;
	struct row	*r;
	size_t		 i, at;

	for (i = 0; i < l->len; i++)
		hash = (hash ^ (uint8_t)l->text[i]) * 1099511628211ULL;
	for (at = hash % PLACES; places[at] != 0; at = (at + 1) % PLACES) {
		r = &rows[places[at] - 1];
		if (r->labels.len == l->len &&
		    memcmp(r->labels.text, l->text, l->len) == 0)
			return (r);
	}
	if (count == ROWS_MAX)
		return (NULL);
	places[at] = (uint16_t)++count;
	r = &rows[count - 1];
	memcpy(r->labels.text, l->text, l->len);
	r->labels.len = l->len;
	memset(r->n, 0, sizeof(r->n));
	memset(&r->time, 0, sizeof(r->time));
	return (r);
}

void
row_time(struct row *r, const struct stats_hist *h)
{
	size_t	 i;

	for (i = 0; i < STATS_BUCKETS; i++)
		stats_bump(&r->time.bucket[i], stats_get(&h->bucket[i]));
	stats_bump(&r->time.sum_us, stats_get(&h->sum_us));
}

size_t
rows_count(void)
{
	return (count);
}

const struct row *
rows_get(size_t i)
{
	return (&rows[i]);
}
