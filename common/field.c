/*
 * A row is found by a hash of its length and three of its letters, or, where
 * its end is open, by its first letter, or the one behind "X-": this is asked
 * of every field of every head.
 */
#include <stdint.h>
#include <string.h>

#include "common/field.h"

#define SLOTS		512	/* a power of 2, well above the rows */
#define GROUPS		64	/* of rows with an open end */

#define HOP		FIELD_HOP
#define CREDENTIAL	FIELD_CREDENTIAL
#define OURS		FIELD_OURS
#define ADDED		FIELD_ADDED
#define MISLEADS	FIELD_MISLEADS
#define ORDERS		FIELD_ORDERS
#define CORS		FIELD_CORS
#define JUDGED		FIELD_JUDGED
#define READS		FIELD_READS
#define PARAM		FIELD_PARAM
#define TAKEN		FIELD_TAKEN
/* neither may the configuration set it nor take it for a credential */
#define CLOSED		(FIELD_RESERVED | FIELD_TAKEN)
#define ID(x)		HTTP1_ ## x
#define NONE		HTTP1_OTHER

static const struct field rows[] = {
	{ "Accept", ID(ACCEPT), TAKEN },
	{ "Authorization", ID(AUTHORIZATION), CREDENTIAL },
	{ "Cache-Control", ID(CACHE_CONTROL), TAKEN },
	{ "Connection", ID(CONNECTION), HOP | CLOSED },
	{ "Content-Encoding", ID(CONTENT_ENCODING), READS | CLOSED },
	{ "Content-Length", ID(CONTENT_LENGTH), HOP | CLOSED },
	{ "Content-Type", ID(CONTENT_TYPE), JUDGED | READS | CLOSED },
	{ "Date", ID(DATE), TAKEN },
	{ "Expect", ID(EXPECT), HOP | CLOSED },
	{ "Host", ID(HOST), OURS | CLOSED },
	{ "Keep-Alive", ID(KEEP_ALIVE), HOP | CLOSED },
	{ "Last-Event-ID", ID(LAST_EVENT_ID), CLOSED },
	{ "Origin", ID(ORIGIN), TAKEN },
	{ "Proxy-Authenticate", ID(PROXY_AUTHENTICATE), CREDENTIAL | TAKEN },
	{ "Proxy-Authorization", ID(PROXY_AUTHORIZATION), CREDENTIAL | TAKEN },
	{ "Proxy-Connection", ID(PROXY_CONNECTION), HOP | CLOSED },
	{ "TE", ID(TE), HOP | CLOSED },
	{ "Trailer", ID(TRAILER), HOP | CLOSED },
	{ "Transfer-Encoding", ID(TRANSFER_ENCODING), HOP | CLOSED },
	{ "Upgrade", ID(UPGRADE), HOP | CLOSED },
	{ "Vary", ID(VARY), TAKEN },
	{ "Via", ID(VIA), ADDED | TAKEN },
	{ "WWW-Authenticate", ID(WWW_AUTHENTICATE), CREDENTIAL | TAKEN },
	{ "X-Accel-Buffering", ID(X_ACCEL_BUFFERING), TAKEN },
	{ "X-Request-Id", ID(X_REQUEST_ID), OURS | CLOSED },

	/* MCP */
	{ "Mcp-Method", ID(MCP_METHOD), JUDGED | CLOSED },
	{ "Mcp-Name", ID(MCP_NAME), JUDGED | CLOSED },
	{ "Mcp-Param-*", NONE, PARAM | CLOSED },
	{ "MCP-Protocol-Version", ID(MCP_PROTOCOL_VERSION), JUDGED | CLOSED },
	{ "Mcp-Session-Id", ID(MCP_SESSION_ID), OURS | JUDGED | CLOSED },

	/* traces */
	{ "Traceparent", ID(TRACEPARENT), OURS | CLOSED },
	{ "Tracestate", ID(TRACESTATE), CLOSED },

	/* who the client is, in the words of proxies: what the gateway says
	 * in its own the configuration may say otherwise */
	{ "Forwarded", ID(FORWARDED), OURS | TAKEN },
	{ "X-Forwarded-For", ID(X_FORWARDED_FOR), OURS | TAKEN },
	{ "X-Forwarded-Host", ID(X_FORWARDED_HOST), OURS | TAKEN },
	{ "X-Forwarded-Port", ID(X_FORWARDED_PORT), OURS | TAKEN },
	{ "X-Forwarded-Proto", ID(X_FORWARDED_PROTO), OURS | TAKEN },
	{ "X-Forwarded-*", NONE, MISLEADS | TAKEN },
	{ "X-Real-IP", ID(X_REAL_IP), OURS | TAKEN },
	{ "Cf-Connecting-IP*", NONE, MISLEADS },
	{ "Cf-Pseudo-IPv4", NONE, MISLEADS },
	{ "Client-IP", NONE, MISLEADS },
	{ "CloudFront-Viewer-*", NONE, MISLEADS },
	{ "DO-Connecting-IP", NONE, MISLEADS },
	{ "Fastly-Client-IP", NONE, MISLEADS },
	{ "Fly-Client-IP", NONE, MISLEADS },
	{ "Incap-Client-IP", NONE, MISLEADS },
	{ "Proxy-Client-IP", NONE, MISLEADS },
	{ "True-Client-IP", NONE, MISLEADS },
	{ "WL-Proxy-*", NONE, MISLEADS },
	{ "X-Appengine-*", NONE, MISLEADS },
	{ "X-Azure-*", NONE, MISLEADS },
	{ "X-Client-IP", NONE, MISLEADS },
	{ "X-Cluster-Client-IP", NONE, MISLEADS },
	{ "X-Envoy-*", NONE, MISLEADS },
	{ "X-NF-Client-Connection-IP", NONE, MISLEADS },
	{ "X-Original-*", NONE, MISLEADS },
	{ "X-Originating-IP", NONE, MISLEADS },
	{ "X-ProxyUser-IP", NONE, MISLEADS },
	{ "X-Vercel-Forwarded-For", NONE, MISLEADS },
	{ "X-Vercel-IP-*", NONE, MISLEADS },

	/* the same in those of servers that log people in */
	{ "X-Mcpgw-*", NONE, MISLEADS | CLOSED },
	{ "X-Mcpgw-Key", NONE, MISLEADS | FIELD_RESERVED },
	{ "Cf-Access-*", NONE, MISLEADS },
	{ "Client-Cert*", NONE, MISLEADS },
	{ "Cookie", ID(COOKIE), MISLEADS | TAKEN },
	{ "Cookie2", NONE, MISLEADS },
	{ "DPoP", NONE, MISLEADS },
	{ "Impersonate-*", NONE, MISLEADS },
	{ "Remote-*", NONE, MISLEADS },
	{ "SSL-*", NONE, MISLEADS },
	{ "Tailscale-User-*", NONE, MISLEADS },
	{ "X-Amzn-Mtls-*", NONE, MISLEADS },
	{ "X-Amzn-Oidc-*", NONE, MISLEADS },
	{ "X-Anonymous-Consumer", NONE, MISLEADS },
	{ "X-Arr-ClientCert", NONE, MISLEADS },
	{ "X-Auth-Request-*", NONE, MISLEADS },
	{ "X-Authenticated-*", NONE, MISLEADS },
	{ "X-Authentik-*", NONE, MISLEADS },
	{ "X-Client-Cert*", NONE, MISLEADS },
	{ "X-Client-DN", NONE, MISLEADS },
	{ "X-Client-Verify", NONE, MISLEADS },
	{ "X-Consumer-*", NONE, MISLEADS },
	{ "X-Credential-*", NONE, MISLEADS },
	{ "X-Goog-Authenticated-User-*", NONE, MISLEADS },
	{ "X-Goog-Iap-*", NONE, MISLEADS },
	{ "X-Ms-Client-Principal*", NONE, MISLEADS },
	{ "X-Pomerium-*", NONE, MISLEADS },
	{ "X-Remote-*", NONE, MISLEADS },
	{ "X-SSL-*", NONE, MISLEADS },
	{ "X-Userinfo", NONE, MISLEADS },
	{ "X-Vouch-*", NONE, MISLEADS },
	{ "X-WebAuth-*", NONE, MISLEADS },

	/* another method, target or host than those judged, or what servers
	 * tell their own parts; and HTTP_PROXY to a CGI program */
	{ "Proxy", NONE, MISLEADS },
	{ "X-Accel-Mapping", NONE, MISLEADS },
	{ "X-Host", NONE, MISLEADS },
	{ "X-HTTP-Host-Override", NONE, MISLEADS },
	{ "X-HTTP-Method", NONE, MISLEADS },
	{ "X-HTTP-Method-Override", NONE, MISLEADS },
	{ "X-Method-Override", NONE, MISLEADS },
	{ "X-Middleware-*", NONE, MISLEADS },
	{ "X-Rewrite-URL", NONE, MISLEADS },
	{ "X-Sendfile-Type", NONE, MISLEADS },

	/* answers */
	{ "Access-Control-*", NONE, CORS },
	{ "Access-Control-Expose-Headers", ID(AC_EXPOSE_HEADERS),
	    CORS | TAKEN },
	{ "Access-Control-Request-Headers", ID(AC_REQUEST_HEADERS),
	    CORS | TAKEN },
	{ "Alt-Svc", NONE, ORDERS },
	{ "Alt-Used", NONE, ORDERS },
	{ "Authentication-Info", NONE, ORDERS },
	{ "Clear-Site-Data", NONE, ORDERS },
	{ "Content-Location", NONE, ORDERS },
	{ "Content-Security-Policy", NONE, ORDERS },
	{ "Content-Security-Policy-Report-Only", NONE, ORDERS },
	{ "Expect-CT", NONE, ORDERS },
	{ "Location", ID(LOCATION), ORDERS | TAKEN },
	{ "NEL", NONE, ORDERS },
	{ "Proxy-Authentication-Info", NONE, ORDERS },
	{ "Public-Key-Pins", NONE, ORDERS },
	{ "Public-Key-Pins-Report-Only", NONE, ORDERS },
	{ "Refresh", NONE, ORDERS },
	{ "Report-To", NONE, ORDERS },
	{ "Reporting-Endpoints", NONE, ORDERS },
	{ "Service-Worker-Allowed", NONE, ORDERS },
	{ "Set-Cookie", ID(SET_COOKIE), ORDERS | TAKEN },
	{ "Set-Cookie2", NONE, ORDERS },
	{ "Set-Login", NONE, ORDERS },
	{ "Speculation-Rules", NONE, ORDERS },
	{ "Strict-Transport-Security", NONE, ORDERS },
	{ "Use-As-Dictionary", NONE, ORDERS },
	{ "X-Accel-Redirect", NONE, ORDERS },
	{ "X-Content-Security-Policy", NONE, ORDERS },
	{ "X-Content-Type-Options", NONE, ORDERS },
	{ "X-LIGHTTPD-send-file", NONE, ORDERS },
	{ "X-LIGHTTPD-send-tempfile", NONE, ORDERS },
	{ "X-Reproxy-URL", NONE, ORDERS },
	{ "X-Sendfile", NONE, ORDERS },
	{ "X-Sendfile2", NONE, ORDERS },
	{ "X-Webkit-CSP", NONE, ORDERS }
};

#define ROWS	(sizeof(rows) / sizeof(rows[0]))

_Static_assert(ROWS < UINT8_MAX && 2 * ROWS < SLOTS, "too many rows");

/* Rows by their number + 1; 0 is the end. */
static uint8_t	 slots[SLOTS];
static uint8_t	 groups[GROUPS];
static uint8_t	 next[ROWS];	/* of a group, the longest first */
static uint8_t	 lens[ROWS];	/* of the names, without a '*' */
static int	 sorted;

static void	 sort(void);
static unsigned	 slot(struct slice);
static unsigned	 group(struct slice);
static const struct field *find_row(struct slice);
static int	 same(const char *, const char *, size_t);

const struct field *
field_row(size_t i)
{
	return (i < ROWS ? &rows[i] : NULL);
}

struct field
field_find(struct slice name)
{
	struct field		 f = { NULL, HTTP1_OTHER, 0 };
	const struct field	*row;

	if (!sorted)
		sort();
	if (name.len == 0)
		return (f);
	if ((row = find_row(name)) != NULL) {
		f.id = row->id;
		f.flags = row->flags;
	}
	if (f.id == HTTP1_OTHER && (f.flags & (PARAM | MISLEADS)) == 0 &&
	    memchr(name.p, '_', name.len) != NULL)
		f.flags |= MISLEADS;
	return (f);
}

static const struct field *
find_row(struct slice name)
{
	unsigned	 at;
	uint8_t		 i;

	for (at = slot(name); (i = slots[at]) != 0; at = (at + 1) % SLOTS)
		if (lens[i - 1] == name.len &&
		    same(rows[i - 1].name, name.p, name.len))
			return (&rows[i - 1]);
	for (i = groups[group(name)]; i != 0; i = next[i - 1])
		if (lens[i - 1] <= name.len &&
		    same(rows[i - 1].name, name.p, lens[i - 1]))
			return (&rows[i - 1]);
	return (NULL);
}

/* But for case.  Rows are of letters, digits and '-', and no character of a
 * token differs from one of these by 0x20, unless both are letters. */
static int
same(const char *row, const char *p, size_t n)
{
	const uint64_t	 letters = ~0x2020202020202020ULL;
	uint64_t	 a, b;

	for (; n >= sizeof(a); n -= sizeof(a)) {
		memcpy(&a, row + n - sizeof(a), sizeof(a));
		memcpy(&b, p + n - sizeof(b), sizeof(b));
		if (((a ^ b) & letters) != 0)
			return (0);
	}
	while (n > 0 && ((row[n - 1] ^ p[n - 1]) & ~0x20) == 0)
		n--;
	return (n == 0);
}

static void
sort(void)
{
	struct slice	 name;
	uint8_t		*at;
	unsigned	 n;
	uint8_t		 i;

	for (i = 0; i < ROWS; i++) {
		name = slice_of(rows[i].name);
		if (name.p[name.len - 1] != '*') {
			lens[i] = (uint8_t)name.len;
			for (n = slot(name); slots[n] != 0;)
				n = (n + 1) % SLOTS;
			slots[n] = i + 1;
			continue;
		}
		lens[i] = (uint8_t)--name.len;
		at = &groups[group(name)];
		while (*at != 0 && lens[*at - 1] > lens[i])
			at = &next[*at - 1];
		next[i] = *at;
		*at = i + 1;
	}
	sorted = 1;
}

static unsigned
slot(struct slice s)
{
	return (((unsigned)s.len + 37U * (s.p[0] | 0x20) +
	    11U * (s.p[s.len / 2] | 0x20) + 5U * (s.p[s.len - 1] | 0x20)) %
	    SLOTS);
}

static unsigned
group(struct slice s)
{
	if (s.len > 2 && s.p[1] == '-' && (s.p[0] | 0x20) == 'x')
		return (GROUPS / 2 + (s.p[2] & 0x1fU));
	return (s.p[0] & 0x1fU);
}
