#include "common/audit_action.h"

static const char *const names[] = {
	[AUDIT_ALLOW] = "allow",
	[AUDIT_DENY] = "deny",
	[AUDIT_ERROR] = "error",
	[AUDIT_ABORTED] = "aborted"
};

const char *
audit_action_name(enum audit_action a)
{
	return (names[a]);
}
