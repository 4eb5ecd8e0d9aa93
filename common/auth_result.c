/* Names of auth_result. */
#include <stddef.h>

#include "common/auth_result.h"

static const char *const names[AUTH_RESULT_MAX] = {
	[AUTH_INVALID] = "invalid",
	[AUTH_OK] = "ok",
	[AUTH_MISSING] = "missing",
	[AUTH_EXPIRED] = "expired",
	[AUTH_NOT_YET_VALID] = "not_yet_valid",
	[AUTH_BAD_SIGNATURE] = "bad_signature",
	[AUTH_UNKNOWN_KEY] = "unknown_key",
	[AUTH_BAD_ISSUER] = "bad_issuer",
	[AUTH_BAD_AUDIENCE] = "bad_audience",
	[AUTH_INSUFFICIENT_SCOPE] = "insufficient_scope",
	[AUTH_UNAVAILABLE] = "unavailable",
	[AUTH_UNBOUND] = "unbound"
};

const char *
auth_result_name(enum auth_result r)
{
	if ((int)r < 0 || r >= AUTH_RESULT_MAX || names[r] == NULL)
		return ("invalid");
	return (names[r]);
}
