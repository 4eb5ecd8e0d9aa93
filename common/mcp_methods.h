/*
 * The methods of MCP, all revisions, by number: what numbers, metrics and
 * spans may name without letting strangers choose names.
 */
#ifndef COMMON_MCP_METHODS_H
#define COMMON_MCP_METHODS_H

#include <stddef.h>

#define MCP_METHOD_NONE		0	/* a request without a message */
#define MCP_METHOD_OTHER	1	/* none that MCP knows */
#define MCP_METHOD_TOOLS_CALL	4

/* The number of a method, 2 or above; or one of the two (name NULL: none). */
unsigned mcp_method(const char *name, size_t len);
/* "tools/call"; "" of none, "_OTHER" of others and of numbers beyond. */
const char *mcp_method_name(unsigned);

#endif
