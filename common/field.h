/*
 * Header fields that mean something to the gateway: one row for each, and what
 * it does with it.  Nobody else compares names of fields with lists.
 */
#ifndef COMMON_FIELD_H
#define COMMON_FIELD_H

#include "common/slice.h"

/* Fields that are looked for by themselves. */
enum http1_name {
	HTTP1_OTHER = 0,
	HTTP1_ACCEPT, HTTP1_AC_EXPOSE_HEADERS, HTTP1_AC_REQUEST_HEADERS,
	HTTP1_AUTHORIZATION, HTTP1_CACHE_CONTROL, HTTP1_CONNECTION,
	HTTP1_CONTENT_ENCODING, HTTP1_CONTENT_LENGTH, HTTP1_CONTENT_TYPE,
	HTTP1_COOKIE, HTTP1_DATE, HTTP1_EXPECT, HTTP1_FORWARDED, HTTP1_HOST,
	HTTP1_KEEP_ALIVE, HTTP1_LAST_EVENT_ID, HTTP1_LOCATION,
	HTTP1_MCP_METHOD, HTTP1_MCP_NAME, HTTP1_MCP_PROTOCOL_VERSION,
	HTTP1_MCP_SESSION_ID, HTTP1_ORIGIN, HTTP1_PROXY_AUTHENTICATE,
	HTTP1_PROXY_AUTHORIZATION, HTTP1_PROXY_CONNECTION, HTTP1_SET_COOKIE,
	HTTP1_TE, HTTP1_TRACEPARENT, HTTP1_TRACESTATE, HTTP1_TRAILER,
	HTTP1_TRANSFER_ENCODING, HTTP1_UPGRADE, HTTP1_VARY, HTTP1_VIA,
	HTTP1_WWW_AUTHENTICATE, HTTP1_X_ACCEL_BUFFERING,
	HTTP1_X_FORWARDED_FOR, HTTP1_X_FORWARDED_HOST,
	HTTP1_X_FORWARDED_PORT, HTTP1_X_FORWARDED_PROTO, HTTP1_X_REAL_IP,
	HTTP1_X_REQUEST_ID,
	HTTP1_NAME_MAX
};

enum {
	/* of one connection only, or of how a message is framed there
	 * (RFC 9110 section 7.6.1); neither way does it go on */
	FIELD_HOP = 1 << 0,
	/* a credential or what asks for one: they end here, both ways */
	FIELD_CREDENTIAL = 1 << 1,
	/* the gateway says it itself, or nobody; both ways */
	FIELD_OURS = 1 << 2,
	/* a request's goes on with the gateway's part behind it */
	FIELD_ADDED = 1 << 3,
	/* in a request it says who the sender is or where it came from, or
	 * it makes a server read another request than the one judged, or it
	 * is a cookie */
	FIELD_MISLEADS = 1 << 4,
	/* in an answer it would lead the client or its browser to another
	 * place, change what holds for the gateway's origin, or give orders
	 * to the server in front of the gateway */
	FIELD_ORDERS = 1 << 5,
	/* in an answer it rules who may read it, which is the gateway's */
	FIELD_CORS = 1 << 6,
	/* a request is judged by it: an upstream must see it, too */
	FIELD_JUDGED = 1 << 7,
	/* an answer's body is read by it: the client must see it, too */
	FIELD_READS = 1 << 8,
	/* named by a server's tools (2026-07-28, x-mcp-header): it may hold
	 * any character of a token */
	FIELD_PARAM = 1 << 9,
	/* upstreams[].headers may not set it */
	FIELD_RESERVED = 1 << 10,
	/* auth.header may not be it: it has another use */
	FIELD_TAKEN = 1 << 11
};

/* What does not go on to an upstream, and to a client. */
#define FIELD_ENDS	(FIELD_HOP | FIELD_CREDENTIAL | FIELD_OURS)
#define FIELD_NOT_UP	(FIELD_ENDS | FIELD_ADDED | FIELD_MISLEADS)
#define FIELD_NOT_DOWN	(FIELD_ENDS | FIELD_ORDERS | FIELD_CORS)

struct field {
	const char	*name;		/* a '*' at its end is any end */
	enum http1_name	 id;
	unsigned	 flags;
};

/* Row i, or NULL behind the last. */
const struct field *field_row(size_t);

/*
 * The id and the flags of a field of this name, a token (case ignored): of the
 * row that names it, else of the longest that fits its beginning, else
 * HTTP1_OTHER and none.  Where '_' counts as '-' a name with one would pass for
 * another, so that it has FIELD_MISLEADS, too, unless it is a parameter's.
 * name is left NULL.  Takes about as long as one comparison of strings.
 */
struct field field_find(struct slice name);

#endif
