/*
 * What was looked at, in order: seen, wanted, how it went, and what to change
 * where it failed.  Printed as lines for people, or as members of JSON.
 */
#ifndef CTL_CHECKS_H
#define CTL_CHECKS_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define CHECKS_MAX	40

enum check_outcome {
	CHECK_OK,
	CHECK_FAILED,
	CHECK_UNKNOWN,		/* there was nothing to judge it by */
	CHECK_NOT_REACHED	/* one before it had failed */
};

struct check {
	const char	*name;		/* static */
	enum check_outcome outcome;
	char		*seen;		/* owned; "" when nothing was */
	char		*wanted;	/* owned; the same */
	const char	*advice;	/* static, if it failed; or NULL */
};

struct checks {
	struct check	 v[CHECKS_MAX];
	size_t		 n;
};

/* One more; advice is for one that failed.  Exits when memory is gone. */
void	 checks_add(struct checks *, const char *name, enum check_outcome,
	    const char *seen, const char *wanted, const char *advice);
/* The first that failed, or NULL. */
const struct check *checks_failed(const struct checks *);
/* To standard output: lines; or the array. */
void	 checks_print(const struct checks *);
void	 checks_json(const struct checks *);
void	 checks_free(struct checks *);

/* To standard output: a string of JSON, or null (p NULL). */
void	 json_put(struct slice);
/* ,"name": and that. */
void	 json_put_member(const char *name, const char *);

#endif
