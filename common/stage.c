/* Names of stages. */
#include "common/stage.h"

static const char *const names[STAGE_MAX] = {
	[STAGE_ROUTE] = "route",
	[STAGE_LATE] = "late",
	[STAGE_DOCUMENT] = "document",
	[STAGE_RECORDABLE] = "recordable",
	[STAGE_LOOP] = "loop",
	[STAGE_ORIGIN] = "origin",
	[STAGE_METHOD] = "method",
	[STAGE_SIZE] = "size",
	[STAGE_CREDENTIAL] = "credential",
	[STAGE_UPSTREAM] = "upstream",
	[STAGE_TYPE] = "type",
	[STAGE_REVISION] = "revision",
	[STAGE_SESSION] = "session",
	[STAGE_BODY] = "body",
	[STAGE_ENVELOPE] = "envelope",
	[STAGE_WITHDRAWN] = "withdrawn",
	[STAGE_RULES] = "rules",
	[STAGE_POLICY] = "policy",
	[STAGE_CHOOSE] = "choose",
	[STAGE_SEND] = "send"
};

const char *
stage_name(size_t i)
{
	return (i < STAGE_MAX ? names[i] : NULL);
}
