/*
 * Names of fields that we act upon: by length and first letter, then in full.
 */
#include <string.h>
#include <strings.h>

#include "worker/http1_int.h"

static const struct {
	const char	*name;
	unsigned char	 len;
	enum http1_name	 id;
} names[] = {
#define NAME(text, id)	{ text, sizeof(text) - 1, id }
	NAME("accept", HTTP1_ACCEPT),
	NAME("authorization", HTTP1_AUTHORIZATION),
	NAME("connection", HTTP1_CONNECTION),
	NAME("content-encoding", HTTP1_CONTENT_ENCODING),
	NAME("content-length", HTTP1_CONTENT_LENGTH),
	NAME("content-type", HTTP1_CONTENT_TYPE),
	NAME("date", HTTP1_DATE),
	NAME("expect", HTTP1_EXPECT),
	NAME("forwarded", HTTP1_FORWARDED),
	NAME("host", HTTP1_HOST),
	NAME("keep-alive", HTTP1_KEEP_ALIVE),
	NAME("last-event-id", HTTP1_LAST_EVENT_ID),
	NAME("mcp-method", HTTP1_MCP_METHOD),
	NAME("mcp-name", HTTP1_MCP_NAME),
	NAME("mcp-protocol-version", HTTP1_MCP_PROTOCOL_VERSION),
	NAME("mcp-session-id", HTTP1_MCP_SESSION_ID),
	NAME("origin", HTTP1_ORIGIN),
	NAME("proxy-authenticate", HTTP1_PROXY_AUTHENTICATE),
	NAME("proxy-authorization", HTTP1_PROXY_AUTHORIZATION),
	NAME("proxy-connection", HTTP1_PROXY_CONNECTION),
	NAME("te", HTTP1_TE),
	NAME("traceparent", HTTP1_TRACEPARENT),
	NAME("tracestate", HTTP1_TRACESTATE),
	NAME("trailer", HTTP1_TRAILER),
	NAME("transfer-encoding", HTTP1_TRANSFER_ENCODING),
	NAME("upgrade", HTTP1_UPGRADE),
	NAME("www-authenticate", HTTP1_WWW_AUTHENTICATE),
	NAME("x-forwarded-for", HTTP1_X_FORWARDED_FOR),
	NAME("x-forwarded-host", HTTP1_X_FORWARDED_HOST),
	NAME("x-forwarded-port", HTTP1_X_FORWARDED_PORT),
	NAME("x-forwarded-proto", HTTP1_X_FORWARDED_PROTO),
	NAME("x-real-ip", HTTP1_X_REAL_IP),
	NAME("x-request-id", HTTP1_X_REQUEST_ID)
#undef NAME
};

enum http1_name
http1_name_find(struct slice name)
{
	size_t	 i;
	char	 first;

	if (name.len < 2 || name.len > 20)
		return (HTTP1_OTHER);
	first = (char)(name.p[0] | 0x20);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].len == name.len && names[i].name[0] == first &&
		    strncasecmp(names[i].name, name.p, name.len) == 0)
			return (names[i].id);
	return (HTTP1_OTHER);
}
