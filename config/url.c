/*
 * URLs, read strictly: what two programs could read differently is refused,
 * since the gateway is not the only one who will read them.
 */
#include <arpa/inet.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/url.h"

#define LABEL_MAX	63
#define HOST_MAX	253

static const char	*characters_check(const char *);
static const char	*scheme_parse(const char **, struct cfg_url *);
static const char	*authority_parse(const char *, size_t,
			    struct cfg_url *);
static const char	*host_parse(const char *, size_t, struct cfg_url *);
static const char	*host_v6_parse(const char *, size_t,
			    struct cfg_url *);
static int		 host_labels_ok(const char *);
static int		 host_numeric(const char *);
static void		 copy_lower(char *, const char *, size_t);

const char *
cfg_url_parse(const char *s, struct cfg_url *u)
{
	const char	*reason;
	size_t		 len;

	memset(u, 0, sizeof(*u));
	if ((reason = scheme_parse(&s, u)) != NULL ||
	    (reason = characters_check(s)) != NULL)
		return (reason);
	len = strcspn(s, "/?#");
	if ((reason = authority_parse(s, len, u)) != NULL)
		return (reason);
	s += len;
	u->path = s;
	u->path_len = strcspn(s, "?#");
	if (strcspn(s, "[]") < strlen(s))
		return ("it has brackets outside the host");
	s += u->path_len;
	u->has_query = *s == '?';
	u->query = s + u->has_query;
	u->query_len = strcspn(u->query, "#");
	s = strchr(s, '#');
	u->has_fragment = s != NULL;
	if (s != NULL && strchr(s + 1, '#') != NULL)
		return ("it has two fragments");
	return (NULL);
}

uint16_t
cfg_url_port(const struct cfg_url *u)
{
	if (u->port != 0)
		return (u->port);
	if (strcmp(u->scheme, "http") == 0)
		return (80);
	return (strcmp(u->scheme, "https") == 0 ? 443 : 0);
}

int
cfg_url_loopback(const struct cfg_url *u)
{
	struct in6_addr	 a6;
	struct in_addr	 a4;

	if (u->v6)
		return (inet_pton(AF_INET6, u->host, &a6) == 1 &&
		    IN6_IS_ADDR_LOOPBACK(&a6));
	if (inet_pton(AF_INET, u->host, &a4) == 1)
		return (ntohl(a4.s_addr) >> 24 == 127);
	return (strcmp(u->host, "localhost") == 0);
}

char *
cfg_url_authority(const struct cfg_url *u, char *buf, size_t size)
{
	struct cfg_url	 bare;
	char		 port[8] = "";

	memset(&bare, 0, sizeof(bare));
	memcpy(bare.scheme, u->scheme, sizeof(bare.scheme));
	if (u->port != 0 && u->port != cfg_url_port(&bare))
		(void)snprintf(port, sizeof(port), ":%u", u->port);
	(void)snprintf(buf, size, "%s%s%s%s", u->v6 ? "[" : "", u->host,
	    u->v6 ? "]" : "", port);
	return (buf);
}

uint16_t
cfg_port_parse(const char *s, size_t len)
{
	unsigned	 n;
	size_t		 i;

	if (len == 0 || len > 5 || s[0] == '0')
		return (0);
	n = 0;
	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return (0);
		n = n * 10 + (unsigned)(s[i] - '0');
	}
	return (n > 65535 ? 0 : (uint16_t)n);
}

/* What RFC 3986 allows at all, and whole percent escapes. */
static const char *
characters_check(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
			return ("it has a space, a control character or one "
			    "that is not ASCII");
		if (strchr("\"<>\\^`{|}", *s) != NULL)
			return ("it has a character that must be escaped");
		if (*s == '%' && (!isxdigit((unsigned char)s[1]) ||
		    !isxdigit((unsigned char)s[2])))
			return ("it has a broken % escape");
	}
	return (NULL);
}

static const char *
scheme_parse(const char **s, struct cfg_url *u)
{
	size_t	 len;

	len = strspn(*s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+-.");
	if (len == 0 || !isalpha((unsigned char)**s) ||
	    len >= sizeof(u->scheme) || strncmp(*s + len, "://", 3) != 0)
		return ("it does not begin with a scheme such as http://");
	copy_lower(u->scheme, *s, len);
	*s += len + 3;
	return (NULL);
}

static const char *
authority_parse(const char *s, size_t len, struct cfg_url *u)
{
	const char	*colon, *end;
	size_t		 host_len;

	if (memchr(s, '@', len) != NULL)
		return ("a user or password is not allowed in it");
	if (len == 0)
		return ("it has no host");
	end = s + len;
	if (*s == '[') {
		if ((colon = memchr(s, ']', len)) == NULL)
			return ("its IPv6 address has no ]");
		colon++;
	} else if ((colon = memchr(s, ':', len)) == NULL)
		colon = end;
	host_len = (size_t)(colon - s);
	if (colon < end) {
		if (*colon != ':' || (u->port = cfg_port_parse(colon + 1,
		    (size_t)(end - colon - 1))) == 0)
			return ("its port is not a number from 1 to 65535");
	}
	return (*s == '[' ? host_v6_parse(s, host_len, u) :
	    host_parse(s, host_len, u));
}

static const char *
host_v6_parse(const char *s, size_t len, struct cfg_url *u)
{
	struct in6_addr	 a6;

	if (len - 2 > HOST_MAX)
		return ("its host is too long");
	copy_lower(u->host, s + 1, len - 2);
	if (inet_pton(AF_INET6, u->host, &a6) != 1)
		return ("its host is not an IPv6 address");
	u->v6 = 1;
	return (NULL);
}

static const char *
host_parse(const char *s, size_t len, struct cfg_url *u)
{
	struct in_addr	 a4;

	if (len == 0)
		return ("it has no host");
	if (len > HOST_MAX)
		return ("its host is too long");
	copy_lower(u->host, s, len);
	if (!host_labels_ok(u->host))
		return ("its host is neither a name nor an address");
	/* 127.1 and 0x7f000001 are addresses to some and names to others. */
	if (host_numeric(u->host) && inet_pton(AF_INET, u->host, &a4) != 1)
		return ("its host looks like an address but is none");
	return (NULL);
}

static int
host_labels_ok(const char *s)
{
	size_t	 len;

	for (;;) {
		len = strcspn(s, ".");
		if (len == 0 || len > LABEL_MAX || strspn(s,
		    "abcdefghijklmnopqrstuvwxyz0123456789_-") < len ||
		    s[0] == '-' || s[len - 1] == '-')
			return (0);
		s += len;
		/* A final dot is the root of the DNS. */
		if (*s == '\0' || *++s == '\0')
			return (1);
	}
}

/* Is the last label a number, in any notation of inet_aton()? */
static int
host_numeric(const char *s)
{
	const char	*p;
	size_t		 len;

	len = strlen(s);
	if (len > 0 && s[len - 1] == '.')
		len--;
	for (p = s + len; p > s && p[-1] != '.'; p--)
		;
	len -= (size_t)(p - s);
	if (strncmp(p, "0x", 2) == 0)
		return (strspn(p + 2, "0123456789abcdef") >= len - 2);
	return (strspn(p, "0123456789") >= len);
}

static void
copy_lower(char *dst, const char *src, size_t len)
{
	size_t	 i;

	for (i = 0; i < len; i++)
		dst[i] = (char)tolower((unsigned char)src[i]);
	dst[len] = '\0';
}
