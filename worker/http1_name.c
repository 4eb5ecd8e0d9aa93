/*
 * Names of fields that we act upon: by length and first letter, then in full.
 */
#include <string.h>
#include <strings.h>

#include "worker/http1_int.h"

#define LEN_MAX		20	/* of a name */
#define SAME_MAX	5	/* names of one length */

/* By length. */
static const struct {
	const char	*name;
	enum http1_name	 id;
} names[LEN_MAX + 1][SAME_MAX] = {
	[2] = {
	    { "te", HTTP1_TE }
	},
	[3] = {
	    { "via", HTTP1_VIA }
	},
	[4] = {
	    { "date", HTTP1_DATE },
	    { "host", HTTP1_HOST }
	},
	[6] = {
	    { "accept", HTTP1_ACCEPT },
	    { "expect", HTTP1_EXPECT },
	    { "origin", HTTP1_ORIGIN }
	},
	[7] = {
	    { "trailer", HTTP1_TRAILER },
	    { "upgrade", HTTP1_UPGRADE }
	},
	[8] = {
	    { "mcp-name", HTTP1_MCP_NAME }
	},
	[9] = {
	    { "forwarded", HTTP1_FORWARDED },
	    { "x-real-ip", HTTP1_X_REAL_IP }
	},
	[10] = {
	    { "connection", HTTP1_CONNECTION },
	    { "keep-alive", HTTP1_KEEP_ALIVE },
	    { "mcp-method", HTTP1_MCP_METHOD },
	    { "tracestate", HTTP1_TRACESTATE }
	},
	[11] = {
	    { "traceparent", HTTP1_TRACEPARENT }
	},
	[12] = {
	    { "content-type", HTTP1_CONTENT_TYPE },
	    { "x-request-id", HTTP1_X_REQUEST_ID }
	},
	[13] = {
	    { "authorization", HTTP1_AUTHORIZATION },
	    { "last-event-id", HTTP1_LAST_EVENT_ID }
	},
	[14] = {
	    { "content-length", HTTP1_CONTENT_LENGTH },
	    { "mcp-session-id", HTTP1_MCP_SESSION_ID }
	},
	[15] = {
	    { "x-forwarded-for", HTTP1_X_FORWARDED_FOR }
	},
	[16] = {
	    { "content-encoding", HTTP1_CONTENT_ENCODING },
	    { "proxy-connection", HTTP1_PROXY_CONNECTION },
	    { "www-authenticate", HTTP1_WWW_AUTHENTICATE },
	    { "x-forwarded-host", HTTP1_X_FORWARDED_HOST },
	    { "x-forwarded-port", HTTP1_X_FORWARDED_PORT }
	},
	[17] = {
	    { "transfer-encoding", HTTP1_TRANSFER_ENCODING },
	    { "x-forwarded-proto", HTTP1_X_FORWARDED_PROTO }
	},
	[18] = {
	    { "proxy-authenticate", HTTP1_PROXY_AUTHENTICATE }
	},
	[19] = {
	    { "proxy-authorization", HTTP1_PROXY_AUTHORIZATION }
	},
	[20] = {
	    { "mcp-protocol-version", HTTP1_MCP_PROTOCOL_VERSION }
	}
};

enum http1_name
http1_name_find(struct slice name)
{
	size_t	 i;
	char	 first;

	if (name.len == 0 || name.len > LEN_MAX)
		return (HTTP1_OTHER);
	first = (char)(name.p[0] | 0x20);
	for (i = 0; i < SAME_MAX && names[name.len][i].name != NULL; i++)
		if (names[name.len][i].name[0] == first &&
		    strncasecmp(names[name.len][i].name, name.p,
		    name.len) == 0)
			return (names[name.len][i].id);
	return (HTTP1_OTHER);
}
