/*
 * Networks and addresses.
 */
#include <string.h>

#include "common/net.h"

int
net_has(const struct conf_net *net, size_t n, int family, const uint8_t *addr)
{
	size_t		 whole;
	unsigned	 rest;

	for (; n > 0; net++, n--) {
		whole = net->prefix / 8;
		rest = net->prefix % 8;
		if (net->family == family &&
		    memcmp(net->addr, addr, whole) == 0 &&
		    (rest == 0 ||
		    ((net->addr[whole] ^ addr[whole]) >> (8 - rest)) == 0))
			return (1);
	}
	return (0);
}

int
net_own(int fd, union net_sockaddr *a)
{
	socklen_t	 len = sizeof(*a);

	memset(a, 0, sizeof(*a));
	return (getsockname(fd, &a->sa, &len));
}

int
net_peer(int fd, union net_sockaddr *a)
{
	socklen_t	 len = sizeof(*a);

	memset(a, 0, sizeof(*a));
	return (getpeername(fd, &a->sa, &len));
}
