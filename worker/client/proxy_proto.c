/*
 * PROXY protocol headers: version 1 is a line of text, version 2 is binary.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <arpa/inet.h>

#include <string.h>

#include "worker/client/proxy_proto.h"

#define V1_START	"PROXY "
#define V1_MAX		107	/* with its CRLF (section 2.1) */
#define V2_START	"\r\n\r\n\0\r\nQUIT\n"
#define V2_START_LEN	12
#define V2_HEAD		16
#define V2_INET		12	/* two addresses and ports */
#define V2_INET6	36
#define V2_UNIX		216

static ssize_t	 read_v1(const char *, size_t, struct proto_addr *,
		    const char **);
static int	 v1_line(char *, struct proto_addr *);
static int	 v1_port(const char *);
static ssize_t	 read_v2(const uint8_t *, size_t, struct proto_addr *,
		    const char **);
static int	 v2_size(uint8_t);
static void	 put_inet6(struct proto_addr *, const void *);

ssize_t
proxy_proto_read(const uint8_t *p, size_t len, struct proto_addr *addr,
    const char **why)
{
	const size_t	 n1 = sizeof(V1_START) - 1;

	memset(addr, 0, sizeof(*addr));
	*why = "no PROXY protocol header";
	if (len == 0)
		return (0);
	if (memcmp(p, V1_START, len < n1 ? len : n1) == 0)
		return (len < n1 ? 0 : read_v1((const char *)p, len, addr,
		    why));
	if (memcmp(p, V2_START, len < V2_START_LEN ? len :
	    V2_START_LEN) == 0)
		return (len < V2_HEAD ? 0 : read_v2(p, len, addr, why));
	return (-1);
}

/* Section 2.1. */
static ssize_t
read_v1(const char *p, size_t len, struct proto_addr *addr, const char **why)
{
	const char	*cr, *lf;
	char		 line[V1_MAX];
	size_t		 n;

	*why = "malformed PROXY protocol header, version 1";
	if (len > V1_MAX)
		len = V1_MAX;
	cr = memchr(p, '\r', len);
	if ((lf = memchr(p, '\n', len)) == NULL)
		return (len == V1_MAX || (cr != NULL && cr + 1 < p + len) ?
		    -1 : 0);
	if (cr == NULL || cr + 1 != lf)
		return (-1);
	n = (size_t)(cr - p);
	if (memchr(p, '\0', n) != NULL)
		return (-1);
	memcpy(line, p, n);
	line[n] = '\0';
	return (v1_line(line, addr) == -1 ? -1 : (ssize_t)n + 2);
}

/* PROXY TCP4 source destination port port, a space between each. */
static int
v1_line(char *line, struct proto_addr *addr)
{
	struct in6_addr	 src, dst;
	char		*word[6], *next = line;
	size_t		 n = 0;
	int		 family;

	while (n < 6 && next != NULL)
		word[n++] = strsep(&next, " ");
	if (n >= 2 && strcmp(word[1], "UNKNOWN") == 0)
		return (0);		/* whatever follows */
	if (n < 6 || next != NULL)
		return (-1);
	family = strcmp(word[1], "TCP4") == 0 ? AF_INET :
	    strcmp(word[1], "TCP6") == 0 ? AF_INET6 : AF_UNSPEC;
	memset(&src, 0, sizeof(src));
	if (family == AF_UNSPEC || inet_pton(family, word[2], &src) != 1 ||
	    inet_pton(family, word[3], &dst) != 1 || !v1_port(word[4]) ||
	    !v1_port(word[5]))
		return (-1);
	if (family == AF_INET6)
		put_inet6(addr, &src);
	else {
		addr->family = AF_INET;
		memcpy(addr->addr, &src, 4);
	}
	return (0);
}

/* 0 to 65535, without leading zeroes. */
static int
v1_port(const char *s)
{
	size_t	 len = strspn(s, "0123456789");

	return (len > 0 && s[len] == '\0' && (len == 1 || *s != '0') &&
	    (len < 5 || (len == 5 && strcmp(s, "65535") <= 0)));
}

/* Section 2.2.  What follows the addresses (TLVs) is not looked at. */
static ssize_t
read_v2(const uint8_t *p, size_t len, struct proto_addr *addr,
    const char **why)
{
	size_t	 n = (size_t)p[14] << 8 | p[15];
	int	 local = (p[12] & 15) == 0, size;

	*why = "malformed PROXY protocol header, version 2";
	/* LOCAL: the proxy on its own behalf, whatever the rest says */
	size = local ? 0 : v2_size(p[13]);
	if (p[12] >> 4 != 2 || (p[12] & 15) > 1 || size == -1 ||
	    n < (size_t)size)
		return (-1);
	if (V2_HEAD + n > PROXY_PROTO_MAX) {
		*why = "PROXY protocol header longer than 4096 bytes";
		return (-1);
	}
	if (len < V2_HEAD + n)
		return (0);
	if (size == V2_INET) {
		addr->family = AF_INET;
		memcpy(addr->addr, p + V2_HEAD, 4);
	} else if (size == V2_INET6)
		put_inet6(addr, p + V2_HEAD);
	return ((ssize_t)(V2_HEAD + n));
}

/* How long the addresses are; -1: reserved, or nothing that is a stream. */
static int
v2_size(uint8_t family)
{
	switch (family) {
	case 0x00:
		return (0);
	case 0x11:
		return (V2_INET);
	case 0x21:
		return (V2_INET6);
	case 0x31:
		return (V2_UNIX);
	default:
		return (-1);
	}
}

static void
put_inet6(struct proto_addr *addr, const void *p)
{
	struct in6_addr	 a;

	memcpy(&a, p, sizeof(a));
	if (IN6_IS_ADDR_V4MAPPED(&a)) {
		addr->family = AF_INET;
		memcpy(addr->addr, &a.s6_addr[12], 4);
		return;
	}
	addr->family = AF_INET6;
	memcpy(addr->addr, &a, sizeof(a));
}
