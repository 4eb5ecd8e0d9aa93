/*
 * How far two words are from each other.
 */
#include <limits.h>
#include <string.h>

#include "config/spelling.h"

#define WORD_MAX	32	/* longer words are like none */

static unsigned	 edit_distance(const char *, const char *);
static int	 fold(char);

unsigned
spelling_distance(const char *word, const char *known)
{
	size_t		 len = strlen(known);
	unsigned	 d = edit_distance(word, known);

	return (d <= (len < 6 ? 1U : len < 10 ? 2U : 3U) ? d : UINT_MAX);
}

/* Insertions, deletions, replacements and swaps of neighbours; case and
 * dash or underscore do not count. */
static unsigned
edit_distance(const char *a, const char *b)
{
	unsigned	 row[3][WORD_MAX + 1], best;
	unsigned	*cur, *prev, *older, *t;
	size_t		 i, j, la, lb;

	la = strnlen(a, WORD_MAX + 1);
	lb = strnlen(b, WORD_MAX + 1);
	if (la > WORD_MAX || lb > WORD_MAX)
		return (UINT_MAX);
	older = row[0];
	prev = row[1];
	cur = row[2];
	for (j = 0; j <= lb; j++)
		older[j] = prev[j] = (unsigned)j;
	for (i = 1; i <= la; i++) {
		cur[0] = (unsigned)i;
		for (j = 1; j <= lb; j++) {
			best = prev[j - 1] +
			    (fold(a[i - 1]) != fold(b[j - 1]));
			if (prev[j] + 1 < best)
				best = prev[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (i > 1 && j > 1 && fold(a[i - 1]) ==
			    fold(b[j - 2]) && fold(a[i - 2]) ==
			    fold(b[j - 1]) && older[j - 2] + 1 < best)
				best = older[j - 2] + 1;
			cur[j] = best;
		}
		t = older;
		older = prev;
		prev = cur;
		cur = t;
	}
	return (prev[lb]);
}

static int
fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (c - 'A' + 'a');
	return (c == '-' ? '_' : c);
}
