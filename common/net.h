/* Networks and addresses. */
#ifndef COMMON_NET_H
#define COMMON_NET_H

#include <sys/socket.h>

#include <netinet/in.h>

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

/* An address as the system has it. */
union net_sockaddr {
	struct sockaddr		 sa;
	struct sockaddr_storage	 ss;
	struct sockaddr_in	 sin;
	struct sockaddr_in6	 sin6;
};

/* A socket's own address, and its peer's.  0, or -1 with errno. */
int	net_own(int fd, union net_sockaddr *);
int	net_peer(int fd, union net_sockaddr *);

/* Is an address in one of these networks?  addr: 4 or 16 bytes, by family
 * (AF_INET or AF_INET6).  1 or 0. */
int	net_has(const struct conf_net *, size_t n, int family,
	    const uint8_t *addr);

#endif
