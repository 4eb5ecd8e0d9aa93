/*
 * Tables of words.
 */
#include <stddef.h>

#include "common/audit_action.h"
#include "common/auth_result.h"
#include "common/board.h"
#include "common/conf.h"
#include "common/proto.h"
#include "common/refusal_id.h"
#include "monitor/names.h"

#define NAME(table, n)							\
	((n) < sizeof(table) / sizeof((table)[0]) ? (table)[n] : "_other")

const char *
names_role(unsigned n)
{
	static const char *const	 names[ROLE_MAX] = {
		[ROLE_MASTER] = "master", [ROLE_FETCHER] = "fetcher",
		[ROLE_KEEPER] = "keeper", [ROLE_WORKER] = "worker",
		[ROLE_MONITOR] = "monitor"
	};

	return (NAME(names, n));
}

const char *
names_state(unsigned n)
{
	static const char *const	 names[BOARD_STATES] = {
		[BOARD_STARTING] = "starting", [BOARD_READY] = "ready",
		[BOARD_DRAINING] = "draining", [BOARD_DRAINED] = "drained"
	};

	return (NAME(names, n));
}

const char *
names_generation(unsigned n)
{
	static const char *const	 names[NAMES_GENERATION_STATES] = {
		"priming", "starting", "serving", "draining"
	};

	return (NAME(names, n));
}

const char *
names_action(unsigned n)
{
	static const char *const	 names[] = {
		[AUDIT_ALLOW] = "allow", [AUDIT_DENY] = "deny",
		[AUDIT_ERROR] = "error", [AUDIT_ABORTED] = "aborted"
	};

	return (NAME(names, n));
}

const char *
names_auth(unsigned n)
{
	if (n == 0)
		return ("none");
	if (n > AUTH_RESULT_MAX)
		return ("_other");
	return (auth_result_name((enum auth_result)(n - 1)));
}

const char *
names_revision(unsigned n)
{
	if (n == 0)
		return ("");
	return (n > CONF_REVISIONS ? "_other" : conf_revisions[n - 1]);
}

int
names_is_limit(unsigned n)
{
	static const unsigned	 limits[] = {
		REFUSE_CONNECTIONS, REFUSE_OTHERS_WAIT, REFUSE_STREAMS,
		REFUSE_BUFFERED, REFUSE_SIZE, REFUSE_HEAD_SIZE,
		REFUSE_CROWDING, REFUSE_UP_CONNECTIONS, REFUSE_UP_CROWDED
	};
	size_t			 i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i] == n)
			return (1);
	return (0);
}
