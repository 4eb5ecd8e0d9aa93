/*
 * Patterns of names, those of tools before all: a whole name, its beginning,
 * or a glob.  Matching takes time linear in the name for each star, never
 * more than the two lengths multiplied, and no memory.
 *
 * In a glob `*' stands for any characters but `/', `?' for one of them,
 * `[a-c_]' for one of a set and `[^...]' for one outside, `\' takes the next
 * character as it is.  Characters are those of UTF-8, case counts, and the
 * whole name must match.
 */
#ifndef POLICY_PATTERN_H
#define POLICY_PATTERN_H

#include "common/slice.h"

#define PATTERN_MAX	1024	/* bytes of one */

enum pattern_kind {
	PATTERN_NAME,		/* the whole name */
	PATTERN_PREFIX,
	PATTERN_GLOB
};

struct pattern {
	enum pattern_kind kind;
	struct slice	 text;	/* borrowed */
};

/* NULL, or static text: what was expected instead.  A pattern must pass here
 * before it is matched. */
const char *pattern_check(const struct pattern *);
/* 1 or 0.  A name that is not UTF-8 matches no `?' and no set where it is
 * not. */
int	pattern_matches(const struct pattern *, struct slice name);

#endif
