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
