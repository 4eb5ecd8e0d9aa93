/*
 * The header of the PROXY protocol, versions 1 and 2 (HAProxy's
 * proxy-protocol.txt): what a proxy says of the client, before anything else
 * on a connection.  Strict and without allocation; nothing here does I/O.
 */
#ifndef CLIENT_PROXY_PROTO_H
#define CLIENT_PROXY_PROTO_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"

#define PROXY_PROTO_MAX	4096	/* bytes of a header, with what it adds */

/*
 * Read a header at the start of p.  Returns its length, and in addr the
 * client's address; its family is 0 when none is given (LOCAL, UNKNOWN,
 * AF_UNSPEC, AF_UNIX): then the client is the peer.  An IPv4 address in IPv6
 * comes as IPv4.  0: it is not whole, and may be one so far.  -1: it is none,
 * or longer than PROXY_PROTO_MAX; *why is static text.
 */
ssize_t	proxy_proto_read(const uint8_t *p, size_t len, struct proto_addr *addr,
	    const char **why);

#endif
