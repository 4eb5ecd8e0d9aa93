/*
 * MCP 2024-11-05 to 2026-07-28: requests and notifications of both sides, and
 * the HTTP methods of requests without a message.
 */
#include <string.h>

#include "common/mcp_methods.h"

/* Numbers are kept for as long as a gateway runs: new ones come last. */
static const char *const names[] = {
	"", "_OTHER", "initialize", "ping", "tools/call", "tools/list",
	"resources/list", "resources/read", "resources/templates/list",
	"resources/subscribe", "resources/unsubscribe", "prompts/list",
	"prompts/get", "completion/complete", "logging/setLevel",
	"server/discover", "subscriptions/listen", "tasks/get", "tasks/list",
	"tasks/result", "tasks/cancel", "tasks/update",
	"sampling/createMessage", "elicitation/create", "roots/list",
	"notifications/initialized", "notifications/cancelled",
	"notifications/progress", "notifications/message",
	"notifications/roots/list_changed", "notifications/tasks/status",
	"notifications/elicitation/complete", "GET", "DELETE", "OPTIONS"
};
#define NAMES	(sizeof(names) / sizeof(names[0]))

unsigned
mcp_method(const char *name, size_t len)
{
	unsigned	 i;

	if (name == NULL || len == 0)
		return (MCP_METHOD_NONE);
	for (i = MCP_METHOD_OTHER + 1; i < NAMES; i++)
		if (names[i][0] == name[0] && strlen(names[i]) == len &&
		    memcmp(names[i], name, len) == 0)
			return (i);
	return (MCP_METHOD_OTHER);
}

const char *
mcp_method_name(unsigned n)
{
	return (names[n < NAMES ? n : MCP_METHOD_OTHER]);
}
