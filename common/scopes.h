/*
 * Lists of scopes as they travel (RFC 6749 section 3.3): tokens with a space
 * between, compared byte by byte.
 */
#ifndef COMMON_SCOPES_H
#define COMMON_SCOPES_H

#include <stddef.h>

#include "common/slice.h"

/* 1 when the scope is one of the list; an empty scope is none. */
int	scopes_has(struct slice list, struct slice scope);
/* The first of n scopes that the list lacks, or NULL: it has all of them. */
const char *scopes_missing(struct slice list, char *const *want, size_t n);

#endif
