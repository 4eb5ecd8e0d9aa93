/*
 * What a worker tells the fetcher of one request that is traced: its span, and
 * those of its exchanges with upstreams, in MSG_SPAN.  Attributes are numbers
 * of a table, so that a worker says what they are and never what they are
 * called.
 */
#ifndef COMMON_SPAN_H
#define COMMON_SPAN_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"
#include "common/wire.h"

#define SPAN_ID_LEN	16	/* hexadecimal digits, lower case */
#define SPAN_TRACE_LEN	32
#define SPAN_EXCHANGES	8	/* of one request that are told */
#define SPAN_MAX	(1 + SPAN_EXCHANGES)
#define SPAN_ATTRS_MAX	40
#define SPAN_TEXT_MAX	260	/* bytes: 256, and where to cut a character */
#define SPAN_NAME_MAX	(2 * SPAN_TEXT_MAX + 1)
#define SPAN_STATE_MAX	512
#define SPAN_PACKED_MIN	64	/* bytes of a message */

/* The numbers of OTLP (opentelemetry/proto/trace/v1, SpanKind). */
enum span_kind { SPAN_SERVER = 2, SPAN_CLIENT = 3 };

enum span_key {
	/* the conventions for MCP */
	SPAN_METHOD_NAME,
	SPAN_ERROR_TYPE,
	SPAN_TOOL,
	SPAN_PROMPT,
	SPAN_OPERATION,
	SPAN_RPC_ID,
	SPAN_RPC_STATUS,
	SPAN_PROTOCOL,
	SPAN_SESSION,
	SPAN_CLIENT_ADDRESS,
	SPAN_SERVER_ADDRESS,
	SPAN_SERVER_PORT,
	SPAN_NET_NAME,
	SPAN_NET_VERSION,
	SPAN_NET_TRANSPORT,
	/* of HTTP */
	SPAN_HTTP_STATUS,
	/* the gateway's own */
	SPAN_MCP_METHOD,
	SPAN_MCP_TOOL,
	SPAN_TRANSPORT,
	SPAN_UPSTREAM,
	SPAN_DECISION,
	SPAN_RULE,
	SPAN_KEY_ID,
	SPAN_AUTH_RESULT,
	SPAN_CLIENT_ID,
	SPAN_SCOPES,
	SPAN_BYTES_IN,
	SPAN_BYTES_OUT,
	SPAN_ERROR_KIND,
	SPAN_REQUEST_ID,
	SPAN_STAGE,
	SPAN_KEY_MAX
};

struct span_attr {
	enum span_key	 key;
	struct slice	 text;		/* one of both, as the key is */
	uint64_t	 number;
};

struct span {
	enum span_kind	 kind;
	char		 id[SPAN_ID_LEN];
	int		 has_parent;
	char		 parent[SPAN_ID_LEN];
	int		 remote;	/* that one is another's */
	uint64_t	 begin;		/* ns since the epoch */
	uint64_t	 end;
	int		 error;		/* the status */
	struct slice	 message;	/* with it; p NULL: none */
	struct slice	 name;
	int		 linked;
	char		 link_trace[SPAN_TRACE_LEN];
	char		 link_id[SPAN_ID_LEN];
	uint8_t		 link_flags;
	size_t		 nattrs;
	struct span_attr attrs[SPAN_ATTRS_MAX];
};

struct span_tree {
	char		 trace[SPAN_TRACE_LEN];
	uint8_t		 flags;		/* of the traceparent */
	struct slice	 state;		/* tracestate; p NULL: none */
	size_t		 n;		/* 1 to SPAN_MAX */
	struct span	 spans[SPAN_MAX];
};

/* What an attribute is called; is it a number? */
const char *span_key_name(enum span_key);
int	span_key_number(enum span_key);

/* Failures stick in the wbuf; texts are cut at SPAN_TEXT_MAX. */
void	span_pack(const struct span_tree *, struct wbuf *);
/* 0, or -1: not exactly what span_pack() makes.  Slices point into the
 * message. */
int	span_unpack(const void *, size_t, struct span_tree *);

#endif
