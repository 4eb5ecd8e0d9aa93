/*
 * What a JSON-RPC response says of success, read as it passes: nothing is kept
 * of it but a code, whatever its size.  For the record only: what is no JSON,
 * or made to mislead, reads as no outcome, and nothing is decided by it.
 */
#ifndef MCP_OUTCOME_H
#define MCP_OUTCOME_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

struct outcome {
	/* what was found; the last message that is a response counts */
	unsigned	 answered : 1;	/* a response was there */
	unsigned	 failed : 1;	/* with an error, */
	unsigned	 coded : 1;	/* which has a code that is a number */
	unsigned	 tool_error : 1;	/* with a result, and isError */
	int64_t		 code;
	/* where it is */
	unsigned	 events : 1;	/* an event stream, not one message */
	unsigned	 after_cr : 1;
	unsigned	 line : 4;	/* bytes of "data:" that were seen */
	unsigned	 skip : 1;	/* it is another line */
	unsigned	 first : 1;	/* of the data: a blank is none of it */
	unsigned	 in_string : 1;
	unsigned	 escaped : 1;
	unsigned	 naming : 1;	/* a member's name comes */
	unsigned	 is_array : 2;	/* by depth, of the first two */
	unsigned	 at_top : 2;	/* which member, of those that count */
	unsigned	 at_inner : 2;
	unsigned	 negative : 1;
	unsigned	 number : 1;	/* a code is being read */
	unsigned	 depth;
	size_t		 nname;
	char		 name[8];
	/* of this message, until it ends */
	unsigned	 m_failed : 1;
	unsigned	 m_result : 1;
	unsigned	 m_coded : 1;
	unsigned	 m_tool_error : 1;
	int64_t		 m_code;
};

/* Of an event stream, or of one message. */
void	outcome_begin(struct outcome *, int events);
/* The next bytes of it. */
void	outcome_feed(struct outcome *, struct slice);

#endif
