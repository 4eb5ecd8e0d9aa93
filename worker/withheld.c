/*
 * By a letter or the length, then in full: this is asked of every field.
 */
#include <string.h>
#include <strings.h>

#include "worker/withheld.h"

#define LEN_MAX		35	/* of a name of a response's field */
#define SAME_MAX	4	/* names of one length */
#define LETTERS		26
#define LETTER_MAX	7	/* names under one letter */
#define AT(c)		[(c) - 'a']

/*
 * Who the client is, in the words of proxies and of servers that log people
 * in; another method, target or host than those judged; and HTTP_PROXY to a
 * CGI program.  By the first letter, a '*' stands for whatever follows.
 */
static const char *const plain[LETTERS][LETTER_MAX] = {
	AT('c') = { "Cf-Access-*", "Cf-Connecting-IP*", "Cf-Pseudo-IPv4",
	    "Client-Cert*", "Client-IP", "Cookie", "Cookie2" },
	AT('d') = { "DPoP" },
	AT('f') = { "Fastly-Client-IP" },
	AT('p') = { "Proxy", "Proxy-Client-IP" },
	AT('r') = { "Remote-*" },
	AT('s') = { "SSL-*" },
	AT('t') = { "Tailscale-User-*", "True-Client-IP" },
	AT('w') = { "WL-Proxy-*" }
};

/* The same of those that begin with "X-", by the letter behind it. */
static const char *const extended[LETTERS][LETTER_MAX] = {
	AT('a') = { "X-Amzn-Mtls-*", "X-Amzn-Oidc-*", "X-Appengine-User-*",
	    "X-Arr-ClientCert", "X-Auth-Request-*", "X-Authenticated-*",
	    "X-Azure-*" },
	AT('c') = { "X-Client-Cert*", "X-Client-DN", "X-Client-IP",
	    "X-Client-Verify", "X-Cluster-Client-IP" },
	AT('e') = { "X-Envoy-External-Address" },
	AT('f') = { "X-Forwarded-*" },
	AT('g') = { "X-Goog-Authenticated-User-*", "X-Goog-Iap-*" },
	AT('h') = { "X-Host", "X-HTTP-Host-Override", "X-HTTP-Method",
	    "X-HTTP-Method-Override" },
	AT('m') = { "X-Mcpgw-*", "X-Method-Override",
	    "X-Ms-Client-Principal*" },
	AT('o') = { "X-Original-Forwarded-For", "X-Original-Host",
	    "X-Original-URL", "X-Originating-IP" },
	AT('p') = { "X-ProxyUser-IP" },
	AT('r') = { "X-Remote-*", "X-Rewrite-URL" },
	AT('s') = { "X-SSL-*" },
	AT('w') = { "X-WebAuth-*" }
};

/* Of responses, by length. */
static const char *const orders[LEN_MAX + 1][SAME_MAX] = {
	[3] = { "NEL" },
	[7] = { "Alt-Svc", "Refresh" },
	[8] = { "Alt-Used", "Location" },
	[9] = { "Expect-CT", "Report-To", "Set-Login" },
	[10] = { "Set-Cookie", "X-Sendfile" },
	[11] = { "Set-Cookie2", "X-Sendfile2" },
	[12] = { "X-Webkit-CSP" },
	[13] = { "X-Reproxy-URL" },
	[15] = { "Clear-Site-Data", "Public-Key-Pins" },
	[16] = { "Content-Location", "X-Accel-Redirect" },
	[19] = { "Authentication-Info", "Reporting-Endpoints" },
	[20] = { "X-LIGHTTPD-send-file" },
	[22] = { "Service-Worker-Allowed", "X-Content-Type-Options" },
	[23] = { "Content-Security-Policy" },
	[24] = { "X-LIGHTTPD-send-tempfile" },
	[25] = { "Proxy-Authentication-Info", "Strict-Transport-Security",
	    "X-Content-Security-Policy" },
	[27] = { "Public-Key-Pins-Report-Only" },
	[35] = { "Content-Security-Policy-Report-Only" }
};

static int	 fits(struct slice, const char *);

int
withheld_from_upstream(struct slice name)
{
	const char *const	*names;
	int			 x;
	char			 letter;
	size_t			 i;

	x = name.len > 2 && (name.p[0] | 0x20) == 'x' && name.p[1] == '-';
	letter = (char)(name.p[x ? 2 : 0] | 0x20);
	if (letter < 'a' || letter > 'z')
		return (0);
	names = x ? extended[letter - 'a'] : plain[letter - 'a'];
	for (i = 0; i < LETTER_MAX && names[i] != NULL; i++)
		if (fits(name, names[i]))
			return (1);
	return (0);
}

static int
fits(struct slice name, const char *pattern)
{
	size_t	 n = strlen(pattern);

	if (pattern[n - 1] != '*')
		return (slice_is_nocase(name, pattern));
	return (name.len >= n - 1 &&
	    strncasecmp(name.p, pattern, n - 1) == 0);
}

int
withheld_from_client(struct slice name)
{
	const char *const	*names;
	size_t			 i;

	if (name.len > LEN_MAX)
		return (0);
	names = orders[name.len];
	for (i = 0; i < SAME_MAX && names[i] != NULL; i++)
		if (strncasecmp(names[i], name.p, name.len) == 0)
			return (1);
	return (0);
}
