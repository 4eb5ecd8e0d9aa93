/* What became of a request; the audit log's action. */
#ifndef COMMON_AUDIT_ACTION_H
#define COMMON_AUDIT_ACTION_H

enum audit_action {
	AUDIT_ALLOW,	/* passed to the upstream and answered by it */
	AUDIT_DENY,	/* refused: credential, scope, Origin */
	AUDIT_ERROR,	/* malformed, over a limit, or an upstream's failure */
	AUDIT_ABORTED	/* the client left, or the answer was cut off */
};

/* As the log says it. */
const char *audit_action_name(enum audit_action);

#endif
