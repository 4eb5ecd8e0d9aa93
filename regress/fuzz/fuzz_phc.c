/*
 * Encoded hashes: what is read can be written, and is then read as the same;
 * the only other spelling begins with a '$'.  What is refused leaves nothing
 * in the struct.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/phc.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct phc	 zero;
	const char		*s = (const char *)data;
	struct phc		 h, again;
	char			 buf[PHC_STRLEN];
	size_t			 n;

	if (phc_parse(s, len, &h) != NULL) {
		if (memcmp(&h, &zero, sizeof(h)) != 0)
			abort();
		return (0);
	}
	n = strlen(phc_format(&h, buf));
	if (n >= sizeof(buf) - 1 || phc_parse(buf, n, &again) != NULL ||
	    memcmp(&h, &again, sizeof(h)) != 0)
		abort();
	if (*s == '$') {
		s++;
		len--;
	}
	if (len != n || memcmp(s, buf, n) != 0)
		abort();
	return (0);
}
