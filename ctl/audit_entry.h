/*
 * One line of the audit log, see mcpgw-audit(5), taken apart.
 */
#ifndef CTL_AUDIT_ENTRY_H
#define CTL_AUDIT_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "common/json.h"
#include "common/slice.h"

enum audit_field {
	AUDIT_TS, AUDIT_SESSION, AUDIT_METHOD, AUDIT_ACTION,
	AUDIT_AUTH_RESULT, AUDIT_CLIENT, AUDIT_LATENCY, AUDIT_REQUEST_ID,
	AUDIT_CLIENT_IP, AUDIT_TOOL, AUDIT_UPSTREAM, AUDIT_RULE_ID,
	AUDIT_KEY_ID, AUDIT_STATUS, AUDIT_SUPPRESSED, AUDIT_ERROR_TEXT,
	AUDIT_STAGE, AUDIT_EVENT, AUDIT_SUBJECT, AUDIT_TRACE_ID,
	AUDIT_FIELDS
};

struct audit_entry {
	struct json_member m[AUDIT_FIELDS];
	int64_t		 ms;		/* of ts, since the epoch */
};

/* Take it apart; it points into the line.  NULL, or what is wrong. */
const char *audit_entry_read(struct audit_entry *, struct slice line);

/* A field's text, or its number as text, cut to size; "" if it is absent or
 * null.  Returns buf. */
char	*audit_entry_text(const struct audit_entry *, enum audit_field,
	    char *buf, size_t size);
/* A number, or 0. */
uint64_t audit_entry_number(const struct audit_entry *, enum audit_field);
/* What the line stands for: 1, or how many it says it does. */
uint64_t audit_entry_requests(const struct audit_entry *);
/* Who asked: the OAuth client, else the API key, else the address. */
char	*audit_entry_client(const struct audit_entry *, char *buf,
	    size_t size);
/* Why it was not allowed, without the particulars of the one request. */
char	*audit_entry_reason(const struct audit_entry *, char *buf,
	    size_t size);

#endif
