/*
 * The stages that a request passes, in their order, by the names that the
 * audit log, spans and mcpgwctl give them.  What they do is in
 * worker/request/stages.c.
 */
#ifndef COMMON_STAGE_H
#define COMMON_STAGE_H

#include <stddef.h>

enum stage {
	STAGE_ROUTE,
	STAGE_LATE,
	STAGE_DOCUMENT,
	STAGE_RECORDABLE,
	STAGE_LOOP,
	STAGE_ORIGIN,
	STAGE_METHOD,
	STAGE_SIZE,
	STAGE_CREDENTIAL,
	STAGE_UPSTREAM,
	STAGE_TYPE,
	STAGE_REVISION,
	STAGE_SESSION,
	STAGE_BODY,
	STAGE_ENVELOPE,
	STAGE_WITHDRAWN,
	STAGE_RULES,
	STAGE_POLICY,
	STAGE_CHOOSE,
	STAGE_SEND,
	STAGE_MAX
};

/* Where one ends that cannot be read: before the first of them. */
#define STAGE_HEAD_NAME	"head"

/* NULL: there are not so many. */
const char *stage_name(size_t);

#endif
