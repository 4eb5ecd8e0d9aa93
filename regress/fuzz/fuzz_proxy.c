/*
 * PROXY protocol headers: one that comes byte by byte is read as one that
 * comes at once, its length lies inside the text, and what was refused stays
 * refused.
 */
#include <sys/socket.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/client/proxy_proto.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* From an allocation of its own, for sanitizers to see beyond its end. */
static ssize_t
read_part(const uint8_t *p, size_t len, struct proto_addr *addr)
{
	const char	*why = NULL;
	uint8_t		*copy;
	ssize_t		 n;

	if ((copy = malloc(len + 1)) == NULL)
		abort();
	memcpy(copy + 1, p, len);
	n = proxy_proto_read(copy + 1, len, addr, &why);
	free(copy);
	if (n < -1 || n > (ssize_t)len || n > PROXY_PROTO_MAX ||
	    why == NULL || (addr->family != AF_UNSPEC &&
	    addr->family != AF_INET && addr->family != AF_INET6))
		abort();
	return (n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct proto_addr	 whole, part;
	ssize_t			 all, n = 0;
	size_t			 i;

	all = read_part(data, len, &whole);
	for (i = 0; i <= len && n == 0; i++)
		n = read_part(data, i, &part);
	if (n != all || (n > 0 && memcmp(&whole, &part, sizeof(part)) != 0))
		abort();
	/* nobody waits for more than there can be */
	if (n == 0 && len >= PROXY_PROTO_MAX)
		abort();
	return (0);
}
