/* Times as RFC 3339 writes them, such as 2026-05-09T14:23:01Z. */
#ifndef COMMON_RFC3339_H
#define COMMON_RFC3339_H

#include <stdint.h>

#define RFC3339_STRLEN	64	/* holds whatever rfc3339_format() writes */

/* date-time of section 5.6: years 1970 to 9999, a 'T', seconds, 'Z' or an
 * offset; a fraction is dropped, a leap second counts as the one before.
 * Case matters.  0, or -1 and *t (seconds since the epoch) untouched. */
int	rfc3339_parse(const char *, int64_t *t);
/* In UTC, without a fraction; t from 0.  Returns buf. */
char	*rfc3339_format(int64_t t, char buf[RFC3339_STRLEN]);

#endif
