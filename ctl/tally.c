/*
 * Counts by name.
 */
#include <sys/random.h>

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/tally.h"

static size_t	 place(const struct tally *, const char *, size_t);
static struct tally_row *find(struct tally *, const char *);
static int	 larger(const void *, const void *);

struct tally *
tally_new(void)
{
	struct tally	*t;

	if ((t = calloc(1, sizeof(*t))) == NULL ||
	    (t->row = calloc(TALLY_NAMES, sizeof(*t->row))) == NULL) {
		free(t);
		return (NULL);
	}
	/* whoever chooses names must not know where they go */
	if (getrandom(&t->seed, sizeof(t->seed), 0) == sizeof(t->seed))
		return (t);
	tally_free(t);
	return (NULL);
}

void
tally_free(struct tally *t)
{
	size_t	 i;

	for (i = 0; t != NULL && i < t->n; i++)
		free(t->row[i].name);
	if (t != NULL)
		free(t->row);
	free(t);
}

void
tally_add(struct tally *t, const char *name, uint64_t count, uint64_t bad)
{
	struct tally_row	*r = find(t, name);

	r->count += count;
	r->bad += bad;
}

static struct tally_row *
find(struct tally *t, const char *name)
{
	struct tally_row	*r, **head;
	size_t			 len = strnlen(name, TALLY_NAME_MAX);

	head = &t->chain[place(t, name, len)];
	for (r = *head; r != NULL; r = r->next)
		if (strncmp(r->name, name, len) == 0 && r->name[len] == '\0')
			return (r);
	if (t->n == TALLY_NAMES)
		return (&t->other);
	r = &t->row[t->n];
	if ((r->name = strndup(name, len)) == NULL)
		err(CTL_INTERNAL, NULL);
	t->n++;
	r->next = *head;
	*head = r;
	return (r);
}

/* FNV-1a, begun at the seed. */
static size_t
place(const struct tally *t, const char *name, size_t len)
{
	uint64_t	 h = 14695981039346656037ULL ^ t->seed;
	size_t		 i;

	for (i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 1099511628211ULL;
	return ((h ^ h >> 32) % TALLY_NAMES);
}

void
tally_sort(struct tally *t)
{
	qsort(t->row, t->n, sizeof(*t->row), larger);
	memset(t->chain, 0, sizeof(t->chain));
}

static int
larger(const void *a, const void *b)
{
	const struct tally_row	*x = a, *y = b;

	if (x->count != y->count)
		return (x->count > y->count ? -1 : 1);
	return (strcmp(x->name, y->name));
}
