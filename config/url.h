/*
 * URLs of the configuration taken apart: the strict subset of RFC 3986 that
 * an operator means by one, and a reason in words when it is none.
 */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include <stddef.h>
#include <stdint.h>

struct cfg_url {
	char		 scheme[32];	/* lower case */
	char		 host[256];	/* lower case, no brackets */
	int		 v6;		/* host is an IPv6 address */
	uint16_t	 port;		/* 0: none given */
	const char	*path;		/* in the text: from the first '/', */
	size_t		 path_len;	/* may be empty */
	int		 has_query;
	const char	*query;		/* behind the '?', when there is one */
	size_t		 query_len;
	int		 has_fragment;
};

/* Parse scheme://host[:port][/path][?query][#fragment].  NULL when s is one,
 * else what is wrong with it ("it has no host").  Userinfo is refused. */
const char	*cfg_url_parse(const char *s, struct cfg_url *);

/* The port that is meant: the one given, or 80 and 443; 0 for another
 * scheme. */
uint16_t	 cfg_url_port(const struct cfg_url *);

/* 127.0.0.0/8, ::1 or localhost. */
int		 cfg_url_loopback(const struct cfg_url *);

/* host[:port] as in a Host field (a default port is left out). */
char		*cfg_url_authority(const struct cfg_url *, char *, size_t);

/* Decimal digits, 1 to 65535, nothing else; 0 when it is not. */
uint16_t	 cfg_port_parse(const char *, size_t len);

#endif
