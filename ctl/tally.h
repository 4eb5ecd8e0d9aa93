/*
 * Counts by name, for names that come from outside: only so many are told
 * apart, the others are counted together.
 */
#ifndef CTL_TALLY_H
#define CTL_TALLY_H

#include <stddef.h>
#include <stdint.h>

#define TALLY_NAMES	4096
#define TALLY_NAME_MAX	256	/* bytes; the rest of a name is dropped */

struct tally_row {
	char		*name;
	uint64_t	 count;
	uint64_t	 bad;		/* of these, those that went wrong */
	struct tally_row *next;		/* in its chain */
};

struct tally {
	struct tally_row *row;		/* n of them */
	size_t		 n;
	struct tally_row *chain[TALLY_NAMES];
	struct tally_row other;		/* name is NULL */
	uint64_t	 seed;
};

/* NULL when memory is gone. */
struct tally	*tally_new(void);
void		 tally_free(struct tally *);
void		 tally_add(struct tally *, const char *name, uint64_t count,
		    uint64_t bad);
/* The largest first; nothing may be added from then on. */
void		 tally_sort(struct tally *);

#endif
