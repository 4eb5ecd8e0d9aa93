/*
 * Statuses: RFC 9110 section 15; codes: JSON-RPC 2.0 section 5.1, MCP and our
 * own; challenges: RFC 6750 section 3.1.
 */
#include <stddef.h>

#include "worker/base/refusal.h"

#define INVALID		RPC_INVALID_REQUEST
#define MISMATCH	400, RPC_HEADER_MISMATCH, AUDIT_ERROR
#define UNSUPPORTED	400, RPC_UNSUPPORTED_VERSION, AUDIT_ERROR
#define BAD_GATEWAY	502, RPC_BAD_GATEWAY, AUDIT_ERROR
#define BUSY		503, RPC_UNAVAILABLE, AUDIT_ERROR

/* What a row does not say is zero, and no clang need ask for it. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

const struct refusal refusals[REFUSE_MAX] = {
[REFUSE_SYNTAX] = { 400, INVALID, AUDIT_ERROR, NULL },
[REFUSE_HEAD_LATE] = { 408, INVALID, AUDIT_ERROR, NULL },
[REFUSE_URI] = { 414, INVALID, AUDIT_ERROR, NULL },
[REFUSE_EXPECTATION] = { 417, INVALID, AUDIT_ERROR, NULL },
[REFUSE_HEAD_SIZE] = { 431, INVALID, AUDIT_ERROR, NULL },
[REFUSE_UNIMPLEMENTED] = { 501, INVALID, AUDIT_ERROR, NULL },
[REFUSE_CONNECTIONS] = { BUSY, NULL, .retry = 1 },
[REFUSE_VERSION] = { 505, INVALID, AUDIT_ERROR, NULL },

[REFUSE_HOST] = { 421, RPC_FORBIDDEN, AUDIT_DENY, "host not allowed" },
[REFUSE_RELOADED] = { BUSY, "the configuration has changed: connect again",
    .retry = REFUSAL_NOW },
[REFUSE_STOPPING] = { BUSY, "the gateway is stopping", .retry = 1 },
[REFUSE_UNKNOWN_METHOD] = { 501, INVALID, AUDIT_ERROR, "unknown method" },
[REFUSE_PATH] = { 404, INVALID, AUDIT_ERROR, "not found" },
[REFUSE_UNRECORDABLE] = { BUSY, "the audit log cannot be written",
    .retry = 5 },
[REFUSE_LOOP] = { 508, RPC_BAD_GATEWAY, AUDIT_ERROR,
    "an upstream leads back to this gateway" },
[REFUSE_ORIGIN] = { 403, RPC_FORBIDDEN, AUDIT_DENY, "origin not allowed" },
[REFUSE_METHOD] = { 405, INVALID, AUDIT_ERROR, "method not allowed",
    .allow = "GET, POST, DELETE" },
[REFUSE_METHOD_POST] = { 405, INVALID, AUDIT_ERROR, "method not allowed",
    .allow = "POST" },
[REFUSE_REPEATED] = { 400, INVALID, AUDIT_ERROR,
    "repeated Mcp-Session-Id or MCP-Protocol-Version" },
[REFUSE_SIZE] = { 413, INVALID, AUDIT_ERROR,
    "body larger than limits.max_body" },
[REFUSE_BODY] = { 400, INVALID, AUDIT_ERROR, "only POST has a body" },

[REFUSE_CREDENTIALS] = { 400, INVALID, AUDIT_DENY,
    "expected one credential, in one field", .challenge = CHALLENGE_PLAIN,
    .error = "invalid_request" },
[REFUSE_CREDENTIALS_OPEN] = { 400, INVALID, AUDIT_DENY,
    "expected one credential, in one field" },
[REFUSE_MISSING] = { 401, RPC_UNAUTHENTICATED, AUDIT_DENY,
    "authentication required", .challenge = CHALLENGE_ASK },
[REFUSE_SCOPE] = { 401, RPC_UNAUTHENTICATED, AUDIT_DENY,
    "insufficient scope", .challenge = CHALLENGE_SCOPES,
    .error = "insufficient_scope" },
[REFUSE_TOKEN] = { 401, RPC_UNAUTHENTICATED, AUDIT_DENY, "invalid token",
    .challenge = CHALLENGE_PLAIN, .error = "invalid_token" },
[REFUSE_UNCHECKED] = { BUSY, "the credential cannot be checked now",
    .retry = 2 },
[REFUSE_CROWDING] = { 429, RPC_RATE_LIMITED, AUDIT_ERROR,
    "too many credentials to check from this client", .retry = 5 },

[REFUSE_UPSTREAM] = { 404, INVALID, AUDIT_ERROR, "no such upstream" },
[REFUSE_TYPE] = { 415, INVALID, AUDIT_ERROR,
    "expected Content-Type: application/json" },
[REFUSE_CODED] = { 415, INVALID, AUDIT_ERROR,
    "a coded body cannot be judged" },
[REFUSE_BUFFERED] = { BUSY, "limits.buffered reached", .retry = 1 },
[REFUSE_NOMINATED] = { 400, INVALID, AUDIT_ERROR,
    "Connection names an end-to-end field" },
[REFUSE_SESSION] = { 404, INVALID, AUDIT_ERROR, "unknown session" },
[REFUSE_OTHERS_WAIT] = { BUSY, "limits.max_connections: others wait",
    .retry = 1 },
[REFUSE_BODY_LATE] = { 408, INVALID, AUDIT_ERROR,
    "the request body took too long" },
[REFUSE_CHUNKS] = { 400, INVALID, AUDIT_ERROR, NULL },
[REFUSE_JSON] = { 400, RPC_PARSE_ERROR, AUDIT_ERROR, NULL },
[REFUSE_ENVELOPE] = { 400, INVALID, AUDIT_ERROR, NULL },
[REFUSE_NAMES_REPEATED] = { MISMATCH, "repeated Mcp-Method or Mcp-Name" },
[REFUSE_REVISION] = { UNSUPPORTED, "unsupported MCP-Protocol-Version" },
[REFUSE_REVISION_META] = { UNSUPPORTED,
    "unsupported protocol version in _meta" },
[REFUSE_REVISION_NONE] = { UNSUPPORTED, "MCP-Protocol-Version is missing" },
[REFUSE_REVISION_DIFFERS] = { MISMATCH,
    "MCP-Protocol-Version differs from the body" },
[REFUSE_REVISION_MISSING] = { MISMATCH, "MCP-Protocol-Version is missing" },
[REFUSE_NAMES_ASCII] = { MISMATCH, "Mcp-Method or Mcp-Name is not ASCII" },
[REFUSE_METHOD_MISSING] = { MISMATCH, "Mcp-Method is missing" },
[REFUSE_METHOD_DIFFERS] = { MISMATCH, "Mcp-Method differs from the body" },
[REFUSE_NAME_MISSING] = { MISMATCH, "Mcp-Name is missing" },
[REFUSE_NAME_DIFFERS] = { MISMATCH, "Mcp-Name differs from the body" },
[REFUSE_STREAMS] = { 429, RPC_RATE_LIMITED, AUDIT_DENY,
    "limits.per_address.streams reached", .retry = 10 },

[REFUSE_UP_CONNECTIONS] = { BUSY, "too many connections to upstreams",
    .retry = 1 },
[REFUSE_UP_CROWDED] = { BUSY, "the upstream's max_connections reached",
    .retry = 1 },
[REFUSE_UP_TIMEOUT] = { 504, RPC_GATEWAY_TIMEOUT, AUDIT_ERROR,
    "the upstream did not answer in time" },
[REFUSE_UP_UNREACHED] = { BAD_GATEWAY, "the upstream cannot be reached" },
[REFUSE_UP_MALFORMED] = { BAD_GATEWAY, "the upstream's answer is malformed" },
[REFUSE_UP_UNFIT] = { BAD_GATEWAY, "the upstream's answer may not pass" },
[REFUSE_UP_REFUSED] = { BAD_GATEWAY, "the upstream refused the gateway" },
[REFUSE_UP_SESSION] = { BAD_GATEWAY, "the upstream's Mcp-Session-Id is none" },
[REFUSE_UP_SESSION_LONG] = { BAD_GATEWAY,
    "the upstream's Mcp-Session-Id is longer than 1024 bytes" },
[REFUSE_UP_TYPE] = { BAD_GATEWAY,
    "the upstream's Content-Type can be read in two ways" },
[REFUSE_UP_PAGE] = { BAD_GATEWAY,
    "the upstream answered with a page, not a message" },
[REFUSE_UP_REDIRECT] = { BAD_GATEWAY,
    "the upstream redirects where it cannot be followed" },
[REFUSE_UP_ERROR_PAGE] = { 0, RPC_BAD_GATEWAY, AUDIT_ERROR,
    "the upstream answered with an error page" },
[REFUSE_DRAINING] = { BUSY, "the gateway is draining", .retry = 1 }
};

const struct refusal *
refusal_of_syntax(int status)
{
	size_t	 i;

	for (i = REFUSE_SYNTAX; i <= REFUSE_SYNTAX_LAST; i++)
		if (refusals[i].status == status)
			return (&refusals[i]);
	return (&refusals[REFUSE_SYNTAX]);
}

const struct refusal *
refusal_of_auth(enum auth_result result, int crowding)
{
	switch (result) {
	case AUTH_MISSING:
		return (&refusals[REFUSE_MISSING]);
	case AUTH_INSUFFICIENT_SCOPE:
		return (&refusals[REFUSE_SCOPE]);
	case AUTH_UNAVAILABLE:
		return (&refusals[crowding ? REFUSE_CROWDING :
		    REFUSE_UNCHECKED]);
	default:
		return (&refusals[REFUSE_TOKEN]);
	}
}
