/*
 * The audit log, as a worker sees it: one JSON line for each request on an
 * MCP route, collected during a turn of the event loop and appended with one
 * write(2) before the answers of that turn leave.
 */
#ifndef RECORD_AUDIT_H
#define RECORD_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "common/audit_action.h"
#include "common/auth_result.h"
#include "common/shm.h"
#include "common/slice.h"

#define AUDIT_VALUE_MAX	256	/* bytes of any value from outside */
#define AUDIT_BRIEF_MAX	64	/* of one in a line of a stranger's */

/* Slices with p NULL are unknown: null for the fields of the guide, absent
 * otherwise. */
struct audit_entry {
	struct slice	 session_id;
	struct slice	 method;
	enum audit_action action;
	int		 has_auth;	/* auth says something */
	enum auth_result auth;
	struct slice	 client_id;
	struct slice	 scopes;
	struct slice	 key_id;	/* of an API key */
	struct slice	 subject;	/* of a token, like the next two */
	struct slice	 actor;
	struct slice	 jti;
	uint64_t	 latency_ms;
	struct slice	 request_id;
	struct slice	 trace_id;
	struct slice	 client_ip;
	struct slice	 tool;
	struct slice	 upstream;
	int		 status;	/* 0: none was sent */
	uint64_t	 bytes_in;
	uint64_t	 bytes_out;
	struct slice	 transport;	/* "json", "sse", "stream" */
	struct slice	 stage;		/* how far it came */
	struct slice	 error;
	int		 brief;		/* a stranger's: cut sooner */
	uint64_t	 suppressed;	/* it stands for so many requests; 0:
					 * for one */
	int		 told;		/* true whether or not it is written:
					 * the answer waits for no line */
};

/* fd (taken over) is O_WRONLY | O_APPEND.  failed(errno) is called when a write
 * fails; the caller tells the master. */
void	audit_setup(int fd, const struct shm *, void (*failed)(int));
/* A new file after SIGUSR1; pending lines are written to the old one first. */
void	audit_set_fd(int fd);
/* The master has mended the file: write what was kept. */
void	audit_go(void);

/* Add a line to this turn's batch.  0, or -1 when it could not be kept
 * (the log is broken and too much waits already). */
int	audit_add(const struct audit_entry *);
/* Write the batch.  0; or -1: the log is broken, the batch is kept for
 * later, and answers that it speaks of must not leave. */
int	audit_flush(void);
/*
 * After that, when these answers are cut off: the lines that are kept of them
 * shall say so.  Returns how many lines were ever written, as audit_added()
 * counts them: whose line is no later has its answer.
 */
uint64_t audit_cut_off(void);
/* How many lines were ever added, this turn's included. */
uint64_t audit_added(void);
/* 1 while no line can be written: new requests are to be refused. */
int	audit_broken(void);

#endif
