/* What became of a credential; the audit log's auth_result. */
#ifndef COMMON_AUTH_RESULT_H
#define COMMON_AUTH_RESULT_H

enum auth_result {
	AUTH_INVALID = 0,	/* the initial value: fail closed */
	AUTH_OK,
	AUTH_MISSING,
	AUTH_EXPIRED,
	AUTH_NOT_YET_VALID,
	AUTH_BAD_SIGNATURE,
	AUTH_UNKNOWN_KEY,
	AUTH_BAD_ISSUER,
	AUTH_BAD_AUDIENCE,
	AUTH_INSUFFICIENT_SCOPE,
	AUTH_UNAVAILABLE,
	AUTH_UNBOUND,		/* bound to a key whose proof is not checked */
	AUTH_RESULT_MAX
};

/* "ok", "missing", ...; never NULL. */
const char *auth_result_name(enum auth_result);

#endif
