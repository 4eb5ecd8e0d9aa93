/* Is an address in one of these networks? */
#ifndef COMMON_NET_H
#define COMMON_NET_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

/* addr: 4 or 16 bytes, by family (AF_INET or AF_INET6).  1 or 0. */
int	net_has(const struct conf_net *, size_t n, int family,
	    const uint8_t *addr);

#endif
