/*
 * Lists of scopes.
 */
#include <string.h>

#include "common/scopes.h"

int
scopes_has(struct slice list, struct slice scope)
{
	const char	*end, *next;

	if (list.len == 0 || scope.len == 0)
		return (0);
	for (end = list.p + list.len; list.p < end; list.p = next + 1) {
		next = memchr(list.p, ' ', (size_t)(end - list.p));
		if (next == NULL)
			next = end;
		if ((size_t)(next - list.p) == scope.len &&
		    memcmp(list.p, scope.p, scope.len) == 0)
			return (1);
	}
	return (0);
}

const char *
scopes_missing(struct slice list, char *const *want, size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		if (!scopes_has(list, slice_of(want[i])))
			return (want[i]);
	return (NULL);
}
