/*
 * Lists that proxies append to, read from their end.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <arpa/inet.h>

#include <string.h>
#include <strings.h>

#include "common/net.h"
#include "worker/wire/forwarded.h"

static const struct worker_conf	*conf;

static size_t	 split(struct slice, struct slice *);
static int	 element_for(struct slice, struct proto_addr *);
static size_t	 until(struct slice, char);
static int	 address(struct slice, struct proto_addr *);

void
forwarded_setup(const struct worker_conf *c)
{
	conf = c;
}

int
forwarded_trusts(const struct proto_addr *a)
{
	return (net_has(conf->proxies, conf->nproxies, a->family, a->addr));
}

void
forwarded_for(struct slice list, struct proto_addr *addr)
{
	struct slice	 item;
	const char	*comma;
	int		 i;

	for (i = 0; i < FORWARDED_HOPS && list.len > 0 &&
	    forwarded_trusts(addr); i++) {
		comma = memrchr(list.p, ',', list.len);
		item.p = comma == NULL ? list.p : comma + 1;
		item.len = list.len - (size_t)(item.p - list.p);
		if (!address(item, addr))
			break;
		list.len = comma == NULL ? 0 : (size_t)(comma - list.p);
	}
}

struct slice
forwarded_elements(struct slice value, struct proto_addr *addr)
{
	struct slice	 element[FORWARDED_HOPS], kept = { NULL, 0 };
	size_t		 n, i;

	n = forwarded_trusts(addr) ? split(value, element) : 0;
	for (i = n; i-- > 0 && n - i <= FORWARDED_HOPS &&
	    forwarded_trusts(addr);) {
		kept.p = element[i % FORWARDED_HOPS].p;
		/* unknown, or a name that hides it */
		if (!element_for(element[i % FORWARDED_HOPS], addr))
			break;
	}
	if (kept.p != NULL)
		kept.len = (size_t)(value.p + value.len - kept.p);
	return (kept);
}

/* The elements of a list, the last FORWARDED_HOPS of them at their index modulo
 * that; returns how many there are, 0 when a string does not end. */
static size_t
split(struct slice list, struct slice *element)
{
	size_t	 n = 0, len;

	for (;;) {
		if ((len = until(list, ',')) > list.len)
			return (0);
		element[n++ % FORWARDED_HOPS] =
		    slice_trim((struct slice){ list.p, len });
		if (len == list.len)
			return (n);
		list.p += len + 1;
		list.len -= len + 1;
	}
}

/* The address in a for= of an element.  1 or 0. */
static int
element_for(struct slice s, struct proto_addr *addr)
{
	struct slice	 pair;
	size_t		 len;

	for (;;) {
		len = until(s, ';');
		pair = slice_trim((struct slice){ s.p, len });
		if (pair.len > 4 && strncasecmp(pair.p, "for=", 4) == 0) {
			pair.p += 4;
			pair.len -= 4;
			if (pair.len > 2 && *pair.p == '"') {
				pair.p++;
				pair.len -= 2;
			}
			return (address(pair, addr));
		}
		if (len >= s.len)
			return (0);
		s.p += len + 1;
		s.len -= len + 1;
	}
}

/* How many bytes stand before this one, outside quoted strings (RFC 9110
 * section 5.6.4): all, when it is not there; one more, when a string does not
 * end. */
static size_t
until(struct slice s, char end)
{
	size_t	 i;
	int	 quoted = 0;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (quoted && s.p[i] == '\\' && ++i == s.len)
			break;
		else if (!quoted && s.p[i] == end)
			return (i);
	}
	return (quoted ? s.len + 1 : s.len);
}

/* With or without brackets and a port.  1, or 0: it is none, and the output is
 * untouched.  An IPv4 address in IPv6 comes as IPv4. */
static int
address(struct slice s, struct proto_addr *addr)
{
	struct in6_addr	 a6;
	char		 text[INET6_ADDRSTRLEN + 8], *p = text, *end;
	uint8_t		 raw[16] = { 0 };
	int		 family;

	s = slice_trim(s);
	if (s.len == 0 || s.len >= sizeof(text))
		return (0);
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (memchr(s.p, '\0', s.len) != NULL)
		return (0);
	if (*p == '[') {
		if ((end = strchr(++p, ']')) == NULL ||
		    (end[1] != '\0' && end[1] != ':'))
			return (0);
		*end = '\0';
	} else if ((end = strchr(p, ':')) != NULL &&
	    strchr(end + 1, ':') == NULL)
		*end = '\0';
	family = strchr(p, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(family, p, raw) != 1)
		return (0);
	memset(addr, 0, sizeof(*addr));
	memcpy(&a6, raw, sizeof(a6));
	addr->family = family;
	memcpy(addr->addr, raw, sizeof(raw));
	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a6)) {
		memset(addr->addr, 0, sizeof(addr->addr));
		addr->family = AF_INET;
		memcpy(addr->addr, raw + 12, 4);
	}
	return (1);
}
