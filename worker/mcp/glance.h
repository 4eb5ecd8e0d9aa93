/*
 * A short look at an answer as it passes, so cheap that every answer gets one:
 * does it speak of an error?  Only what seems to is read (outcome.h), at most a
 * few times.  An error that stands where nobody puts it is overlooked; nothing
 * hangs on it but numbers.
 */
#ifndef MCP_GLANCE_H
#define MCP_GLANCE_H

#include <stdint.h>

#include "common/slice.h"

struct glance {
	unsigned	 failed : 1;	/* a response is an error, */
	unsigned	 coded : 1;	/* with a code */
	unsigned	 tool_error : 1;	/* a result has isError: true */
	unsigned	 begun : 1;
	unsigned	 reads : 4;	/* how often it was read */
	int64_t		 code;
};

/* The next bytes of an answer, as they were read, of a zeroed struct; events:
 * it is an event stream. */
void	glance(struct glance *, struct slice, int events);

#endif
