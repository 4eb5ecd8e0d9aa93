/*
 * Everything that the gateway refuses, in one table: what the client is told,
 * as HTTP and as JSON-RPC, and what the record says.  A check returns the row,
 * or NULL; only answer.c makes an answer of it.
 */
#ifndef BASE_REFUSAL_H
#define BASE_REFUSAL_H

#include "common/audit_action.h"
#include "common/auth_result.h"
#include "common/refusal_id.h"

/* JSON-RPC 2.0 section 5.1. */
#define RPC_PARSE_ERROR		(-32700)
#define RPC_INVALID_REQUEST	(-32600)
/* MCP 2026-07-28. */
#define RPC_HEADER_MISMATCH	(-32020)
#define RPC_UNSUPPORTED_VERSION	(-32022)
/* The gateway's own, outside the range that JSON-RPC and MCP reserve. */
#define RPC_UNAUTHENTICATED	(-31401)
#define RPC_FORBIDDEN		(-31403)
#define RPC_RATE_LIMITED	(-31429)
#define RPC_BAD_GATEWAY		(-31502)
#define RPC_UNAVAILABLE		(-31503)
#define RPC_GATEWAY_TIMEOUT	(-31504)

#define REFUSAL_NOW	(-1)	/* of retry: come back at once */

enum challenge {
	CHALLENGE_NONE,
	CHALLENGE_PLAIN,
	CHALLENGE_ASK,		/* with the scopes to ask for, of OAuth */
	CHALLENGE_SCOPES	/* with the scopes that it lacks */
};

struct refusal {
	int		 status;	/* of HTTP; 0: the upstream's */
	int		 code;		/* of JSON-RPC */
	enum audit_action action;
	const char	*text;		/* for the client and the record; NULL:
					 * who found it says more */
	/* further fields of the answer */
	int		 retry;		/* Retry-After, in seconds; 0: none */
	const char	*allow;		/* Allow */
	enum challenge	 challenge;	/* WWW-Authenticate, */
	const char	*error;		/* and its error, or NULL */
};

extern const struct refusal	 refusals[REFUSE_MAX];

/* The row of one, to be returned by a check. */
static inline const struct refusal *
refuse(enum refuse n)
{
	return (&refusals[n]);
}

/* What cannot be read as HTTP, by the status that http1.h gives it. */
const struct refusal *refusal_of_syntax(int status);
/* What a credential deserves that is not AUTH_OK; crowding: AUTH_UNAVAILABLE
 * since its source asks too much. */
const struct refusal *refusal_of_auth(enum auth_result, int crowding);

#endif
