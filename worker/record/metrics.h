/*
 * What is counted of a request and of an exchange, in this worker's slot of
 * numbers (common/stats.h).  What strangers choose adds no row to any table.
 */
#ifndef RECORD_METRICS_H
#define RECORD_METRICS_H

#include <stdint.h>

#include "common/audit_action.h"
#include "common/auth_result.h"
#include "common/slice.h"

/* Slices with p NULL: there is none. */
struct metrics_request {
	uint32_t	 upstream;	/* the master's number of it, or
					 * STATS_NO_UPSTREAM */
	unsigned	 method;	/* of common/mcp_methods.h */
	enum audit_action action;
	int		 has_auth;	/* auth says something */
	enum auth_result auth;
	unsigned	 revision;	/* index in conf_revisions + 1; 0 */
	unsigned	 error;		/* of common/stats.h; 0: none */
	struct slice	 tool;		/* that it calls */
	struct slice	 client;	/* whose credential it is */
	uint64_t	 bytes_in;
	uint64_t	 bytes_out;
	uint64_t	 us;		/* until it was recorded */
	uint64_t	 away_us;	/* of that, in exchanges */
};

struct metrics_exchange {
	uint32_t	 upstream;	/* the master's number */
	unsigned	 method;
	unsigned	 error;
	uint64_t	 bytes_in;	/* of the request's body */
	uint64_t	 bytes_out;	/* of the answer's */
	uint64_t	 us;
};

/* A request on an MCP route, recorded or one of many in a line. */
void	metrics_request(const struct metrics_request *);
/* Something was refused, here or elsewhere, and why (common/refusal_id.h). */
void	metrics_refusal(unsigned);
void	metrics_exchange(const struct metrics_exchange *);

#endif
