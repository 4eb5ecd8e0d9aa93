/*
 * Addresses and the hosts that may have them.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <string.h>
#include <strings.h>

#include "worker/upstream/up_addr.h"

static int	 local_name(const char *);
static int	 loopback(const struct proto_addr *);
static int	 unicast(const struct proto_addr *);
static int	 same(const struct proto_addr *, const struct proto_addr *);

int
up_addr_literal(const char *host, struct proto_addr *a)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, host, a->addr) == 1)
		a->family = AF_INET;
	else if (inet_pton(AF_INET6, host, a->addr) == 1)
		a->family = AF_INET6;
	else
		return (0);
	return (1);
}

size_t
up_addr_fit(const char *host, const struct proto_addr *a, size_t n,
    struct proto_addr *out)
{
	struct proto_addr	 own;
	size_t			 i, k = 0;
	int			 literal = up_addr_literal(host, &own);
	int			 local = local_name(host);

	for (i = 0; i < n && i < PROTO_ADDRS_MAX; i++)
		if (literal ? same(&a[i], &own) :
		    local ? loopback(&a[i]) : unicast(&a[i]))
			out[k++] = a[i];
	return (k);
}

/* With or without the root's dot. */
static int
local_name(const char *host)
{
	static const char	 local[] = "localhost";
	size_t			 n = strlen(host), len = sizeof(local) - 1;

	if (n > 0 && host[n - 1] == '.')
		n--;
	return (n >= len && strncasecmp(host + n - len, local, len) == 0 &&
	    (n == len || host[n - len - 1] == '.'));
}

static int
loopback(const struct proto_addr *a)
{
	static const struct in6_addr	 v6 = IN6ADDR_LOOPBACK_INIT;

	if (a->family == AF_INET)
		return (a->addr[0] == 127);
	return (memcmp(a->addr, &v6, sizeof(v6)) == 0);
}

/* 0.0.0.0 and :: would be this host, the others nobody in particular. */
static int
unicast(const struct proto_addr *a)
{
	static const uint8_t	 zero[16];

	if (a->family == AF_INET)
		return (a->addr[0] != 0 && a->addr[0] < 224);
	return (memcmp(a->addr, zero, sizeof(zero)) != 0 &&
	    a->addr[0] != 0xff);
}

static int
same(const struct proto_addr *a, const struct proto_addr *b)
{
	return (a->family == b->family && memcmp(a->addr, b->addr,
	    a->family == AF_INET ? 4 : 16) == 0);
}
