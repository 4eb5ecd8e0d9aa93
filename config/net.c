/*
 * The values that are addresses: where to listen, origins, proxies, and the
 * URLs of auth.oauth.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/cfg.h"
#include "config/url.h"

#define METADATA_MAX	256
#define NET_STRLEN	64	/* the longest address and prefix */

static int	 listen_host(const char *, struct sockaddr_storage *,
		    socklen_t *, int *, in_port_t);
static int	 origin_get(const char *, char *, size_t, const char **);
static void	 nets_get(struct cfg *, const struct ynode *,
		    struct conf_net **, size_t *);
static const char *net_get(const char *, struct conf_net *);
static const char *net_prefix(const char *, struct conf_net *);
static int	 net_mask(struct conf_net *);
static void	 net_format(const struct conf_net *, char *, size_t);
static int	 url_secure(const struct cfg_url *);
static int	 path_segments_ok(const char *);
static int	 has_dot_segment(const char *);

void
cfg_listen(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct config	*conf = dst;
	const char	*s;

	(void)k;
	if ((s = cfg_scalar(c, n, "an address and port such as "
	    "127.0.0.1:7332")) == NULL)
		return;
	free(conf->listen);
	conf->listen = NULL;
	if (cfg_listen_set(conf, s) == -1)
		cfg_expected(c, n, "ADDRESS:PORT, \"[IPv6]:PORT\", "
		    "localhost:PORT or :PORT, with a port from 1 to 65535");
	else
		cfg_copy(c, &conf->listen, s);
}

int
cfg_listen_set(struct config *conf, const char *s)
{
	return (cfg_listen_parse(s, &conf->listen_addr, &conf->listen_len,
	    &conf->listen_any));
}

/* No name but localhost: a listener must not depend on the DNS. */
int
cfg_listen_parse(const char *s, struct sockaddr_storage *ss, socklen_t *sslen,
    int *any)
{
	char		 host[INET6_ADDRSTRLEN + 2];
	const char	*colon;
	in_port_t	 port;
	size_t		 len;

	if ((colon = strrchr(s, ':')) == NULL ||
	    (port = cfg_port_parse(colon + 1, strlen(colon + 1))) == 0)
		return (-1);
	len = (size_t)(colon - s);
	if (len >= sizeof(host))
		return (-1);
	memcpy(host, s, len);
	host[len] = '\0';
	return (listen_host(host, ss, sslen, any, htons(port)));
}

/* Kept as browsers write them (RFC 6454, section 6.2), so that the worker
 * compares bytes. */
void
cfg_origins(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct worker_conf	*w = dst;
	const struct ynode	*item;
	const char		*reason, *s;
	char			 origin[320];
	size_t			 total;

	(void)k;
	if ((total = cfg_list(c, n, CONF_LIST_MAX,
	    "a list of origins")) == 0)
		return;
	if ((w->origins = calloc(total, sizeof(*w->origins))) == NULL) {
		cfg_nomem(c);
		return;
	}
	for (item = n->first; item != NULL; item = item->next) {
		if ((s = cfg_scalar(c, item, "an origin")) == NULL)
			continue;
		if (origin_get(s, origin, sizeof(origin), &reason))
			cfg_copy(c, &w->origins[w->norigins++], origin);
		else
			cfg_expected(c, item, "SCHEME://HOST[:PORT] or \"*\" "
			    "(%s)", reason);
	}
}

void
cfg_host(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct cfg_url	 u;
	const char	*s;
	char		 url[300], authority[270];
	int		 len;

	if ((s = cfg_scalar(c, n, "the name of a host")) == NULL)
		return;
	len = snprintf(url, sizeof(url), "http://%s", s);
	if (len < 0 || (size_t)len >= sizeof(url) ||
	    cfg_url_parse(url, &u) != NULL || u.path_len > 0 ||
	    u.has_query || u.has_fragment || (u.port != 0 && k->min == 0))
		cfg_expected(c, n, k->min == 0 ? "HOST or \"*\"" :
		    "HOST or HOST:PORT");
	else
		cfg_copy(c, dst, cfg_url_authority(&u, authority,
		    sizeof(authority)));
}

void
cfg_hosts(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct worker_conf	*w = dst;
	const struct ynode	*item;
	size_t			 total;
	char			*host;

	if ((total = cfg_list(c, n, CONF_LIST_MAX,
	    "a list of hosts")) == 0)
		return;
	if ((w->allowed_hosts = calloc(total, sizeof(char *))) == NULL) {
		cfg_nomem(c);
		return;
	}
	for (item = n->first; item != NULL; item = item->next) {
		if (item->kind == YNODE_SCALAR &&
		    strcmp(item->text, "*") == 0) {
			w->any_host = 1;
			continue;
		}
		host = NULL;
		cfg_host(c, item, k, &host);
		if (host != NULL)
			w->allowed_hosts[w->nallowed_hosts++] = host;
	}
}

void
cfg_proxies(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct worker_conf	*w = dst;

	(void)k;
	nets_get(c, n, &w->proxies, &w->nproxies);
}

void
cfg_proxy_peers(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct worker_conf	*w = dst;

	(void)k;
	nets_get(c, n, &w->proxy_peers, &w->nproxy_peers);
}

void
cfg_check_proxy(struct cfg *c)
{
	const struct ynode	*n;

	if (!c->conf->w.proxy_protocol)
		return;
	/* whoever is believed may call itself anything */
	n = cfg_node(c, "proxy_protocol.trusted_cidrs");
	if (n == NULL)
		cfg_missing(c, "proxy_protocol.trusted_cidrs", NULL,
		    "required when proxy_protocol.enabled is true");
	else if (ynode_isnull(n) || (n->kind == YNODE_LIST &&
	    n->nchildren == 0))
		cfg_expected(c, n, "at least one address");
}

static void
nets_get(struct cfg *c, const struct ynode *n, struct conf_net **v,
    size_t *count)
{
	const struct ynode	*item;
	const char		*reason, *s;
	char			 right[NET_STRLEN];
	size_t			 total;

	if ((total = cfg_list(c, n, CONF_LIST_MAX,
	    "a list of addresses")) == 0)
		return;
	if ((*v = calloc(total, sizeof(**v))) == NULL) {
		cfg_nomem(c);
		return;
	}
	for (item = n->first; item != NULL; item = item->next) {
		if ((s = cfg_scalar(c, item, "an address")) == NULL)
			continue;
		if ((reason = net_get(s, &(*v)[*count])) != NULL)
			cfg_expected(c, item, "ADDRESS or ADDRESS/PREFIX (%s)",
			    reason);
		else if (net_mask(&(*v)[*count])) {
			net_format(&(*v)[*count], right, sizeof(right));
			cfg_expected(c, item, "a network without bits beyond "
			    "its prefix, such as %s", right);
		} else
			(*count)++;
	}
}

/* RFC 8414, section 2: https, no query, no fragment.  Kept byte for byte, as
 * it is compared with iss. */
void
cfg_issuer(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct cfg_url	 u;
	const char	*s;

	(void)k;
	if (!cfg_url_get(c, n, "the issuer's URL", &s, &u))
		return;
	if (!url_secure(&u) || u.has_query || u.has_fragment)
		cfg_expected(c, n, "an https:// URL without a query or "
		    "fragment (http:// only for a loopback address)");
	else
		cfg_copy(c, dst, s);
}

void
cfg_jwks_url(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct cfg_url	 u;
	const char	*s;

	(void)k;
	if (!cfg_url_get(c, n, "the URL of the key set", &s, &u))
		return;
	if (!url_secure(&u) || u.has_fragment)
		cfg_expected(c, n, "an https:// URL without a fragment "
		    "(http:// only for a loopback address)");
	else
		cfg_copy(c, dst, s);
}

void
cfg_public_url(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct cfg_url	 u;
	const char	*s;

	(void)k;
	if (!cfg_url_get(c, n, "the URL that clients use", &s, &u))
		return;
	if ((strcmp(u.scheme, "https") != 0 &&
	    strcmp(u.scheme, "http") != 0) || u.has_fragment)
		cfg_expected(c, n, "an https:// or http:// URL without a "
		    "fragment");
	else if (has_dot_segment(s))
		cfg_expected(c, n, "a URL without dot segments");
	else
		cfg_copy(c, dst, s);
}

/* Clients take them out before they look for the document: there it is not,
 * nor would its resource be what they asked for. */
static int
has_dot_segment(const char *url)
{
	const char	*p = strstr(url, "://") + 3;
	size_t		 len;

	for (p += strcspn(p, "/?"); *p == '/'; p += len) {
		len = strcspn(++p, "/?");
		if ((len == 1 && *p == '.') ||
		    (len == 2 && strncmp(p, "..", 2) == 0))
			return (1);
	}
	return (0);
}

/* A page for people, who may be sent to a part of it. */
void
cfg_page_url(struct cfg *c, const struct ynode *n, const struct cfg_key *k,
    void *dst)
{
	struct cfg_url	 u;
	const char	*s;

	(void)k;
	if (!cfg_url_get(c, n, "the URL of a page", &s, &u))
		return;
	if (strcmp(u.scheme, "https") != 0 && strcmp(u.scheme, "http") != 0)
		cfg_expected(c, n, "an https:// or http:// URL");
	else
		cfg_copy(c, dst, s);
}

/* Escapes and dot segments are refused: clients would ask for another path
 * than the one that is compared here and in the worker. */
void
cfg_metadata_path(struct cfg *c, const struct ynode *n,
    const struct cfg_key *k, void *dst)
{
	const char	*s;
	size_t		 len;

	(void)k;
	if ((s = cfg_scalar(c, n, "a path that begins with /")) == NULL)
		return;
	len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-._~!$&'()*+,;=:@/");
	if (*s != '/' || len < 2 || s[len] != '\0' || len > METADATA_MAX ||
	    !path_segments_ok(s))
		cfg_expected(c, n, "a path that begins with /, of at most %d "
		    "letters, digits and -._~!$&'()*+,;=:@/ without empty "
		    "or dot segments", METADATA_MAX);
	else if (strcmp(s, "/mcp") == 0 || strncmp(s, "/mcp/", 5) == 0 ||
	    strcmp(s, "/healthz") == 0 || strcmp(s, "/readyz") == 0)
		cfg_expected(c, n, "a path other than /mcp, /healthz and "
		    "/readyz, which are taken");
	else
		cfg_copy(c, dst, s);
}

static int
listen_host(const char *host, struct sockaddr_storage *ss, socklen_t *sslen,
    int *any, in_port_t port)
{
	struct sockaddr_in6	 in6;
	struct sockaddr_in	 in4;
	char			 addr[INET6_ADDRSTRLEN];
	size_t			 len;

	memset(&in6, 0, sizeof(in6));
	memset(&in4, 0, sizeof(in4));
	memset(ss, 0, sizeof(*ss));
	len = strlen(host);
	if (*host == '[') {
		if (host[len - 1] != ']' || len - 2 >= sizeof(addr))
			return (-1);
		memcpy(addr, host + 1, len - 2);
		addr[len - 2] = '\0';
		if (inet_pton(AF_INET6, addr, &in6.sin6_addr) != 1)
			return (-1);
		in6.sin6_family = AF_INET6;
		in6.sin6_port = port;
		memcpy(ss, &in6, sizeof(in6));
		*sslen = sizeof(in6);
		*any = IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
		return (0);
	}
	if (len == 0)
		host = "0.0.0.0";
	else if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &in4.sin_addr) != 1)
		return (-1);
	in4.sin_family = AF_INET;
	in4.sin_port = port;
	memcpy(ss, &in4, sizeof(in4));
	*sslen = sizeof(in4);
	*any = in4.sin_addr.s_addr == htonl(INADDR_ANY);
	return (0);
}

static int
origin_get(const char *s, char *buf, size_t size, const char **reason)
{
	struct cfg_url	 u;
	char		 authority[270];

	if (strcmp(s, "*") == 0) {
		(void)snprintf(buf, size, "*");
		return (1);
	}
	if ((*reason = cfg_url_parse(s, &u)) != NULL)
		return (0);
	if (u.path_len > 0 || u.has_query || u.has_fragment) {
		*reason = "an origin ends after host and port";
		return (0);
	}
	(void)snprintf(buf, size, "%s://%s", u.scheme,
	    cfg_url_authority(&u, authority, sizeof(authority)));
	return (1);
}

static const char *
net_get(const char *s, struct conf_net *net)
{
	struct in6_addr	 a6;
	char		 addr[INET6_ADDRSTRLEN];
	size_t		 len;

	memset(net, 0, sizeof(*net));
	len = strcspn(s, "/");
	if (len >= sizeof(addr))
		return ("it is too long");
	memcpy(addr, s, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, net->addr) == 1) {
		net->family = AF_INET;
		net->prefix = 32;
	} else if (inet_pton(AF_INET6, addr, &a6) == 1) {
		if (IN6_IS_ADDR_V4MAPPED(&a6))
			return ("write a mapped address as IPv4");
		memcpy(net->addr, &a6, sizeof(a6));
		net->family = AF_INET6;
		net->prefix = 128;
	} else
		return ("it is no IPv4 or IPv6 address");
	return (s[len] == '/' ? net_prefix(s + len + 1, net) : NULL);
}

static const char *
net_prefix(const char *s, struct conf_net *net)
{
	unsigned	 n;
	size_t		 len;

	len = strspn(s, "0123456789");
	if (len == 0 || len > 3 || s[len] != '\0' ||
	    (s[0] == '0' && len > 1))
		return ("its prefix is no number of bits");
	n = 0;
	for (; *s != '\0'; s++)
		n = n * 10 + (unsigned)(*s - '0');
	if (n > net->prefix)
		return ("its prefix is too long");
	net->prefix = (uint8_t)n;
	return (NULL);
}

/* Clear the bits beyond the prefix; 1 when there were any. */
static int
net_mask(struct conf_net *net)
{
	unsigned	 bits, i;
	uint8_t		 keep;
	int		 changed;

	changed = 0;
	for (i = 0; i < sizeof(net->addr); i++) {
		bits = net->prefix > i * 8 ? net->prefix - i * 8 : 0;
		keep = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
		if ((net->addr[i] & ~keep) != 0)
			changed = 1;
		net->addr[i] &= keep;
	}
	return (changed);
}

static void
net_format(const struct conf_net *net, char *buf, size_t size)
{
	char	 addr[INET6_ADDRSTRLEN];

	if (inet_ntop(net->family, net->addr, addr, sizeof(addr)) == NULL)
		addr[0] = '\0';
	(void)snprintf(buf, size, "%s/%u", addr, net->prefix);
}

int
cfg_url_get(struct cfg *c, const struct ynode *n, const char *what,
    const char **s, struct cfg_url *u)
{
	const char	*reason;

	if ((*s = cfg_scalar(c, n, what)) == NULL)
		return (0);
	if (strlen(*s) > CFG_URL_MAX)
		cfg_expected(c, n, "a URL of at most %d bytes", CFG_URL_MAX);
	else if ((reason = cfg_url_parse(*s, u)) != NULL)
		cfg_expected(c, n, "%s (%s)", what, reason);
	else
		return (1);
	return (0);
}

static int
url_secure(const struct cfg_url *u)
{
	return (strcmp(u->scheme, "https") == 0 ||
	    (strcmp(u->scheme, "http") == 0 && cfg_url_loopback(u)));
}

static int
path_segments_ok(const char *s)
{
	size_t	 len;

	while (*s == '/') {
		len = strcspn(++s, "/");
		if (len == 0 || (len == 1 && *s == '.') ||
		    (len == 2 && strncmp(s, "..", 2) == 0))
			return (0);
		s += len;
	}
	return (1);
}
