/*
 * Which lines of the audit log are wanted.
 */
#ifndef CTL_AUDIT_FILTER_H
#define CTL_AUDIT_FILTER_H

#include <getopt.h>
#include <stdint.h>

#include "ctl/audit_entry.h"

#define AUDIT_WANTS_MAX	64

/* Its options, for getopt_long(3); what audit_filter_option() takes. */
#define AUDIT_FILTER_LONGOPTS \
	{ "action", required_argument, NULL, 256 + AUDIT_ACTION }, \
	{ "auth-result", required_argument, NULL, 256 + AUDIT_AUTH_RESULT }, \
	{ "client", required_argument, NULL, 256 + AUDIT_CLIENT }, \
	{ "tool", required_argument, NULL, 256 + AUDIT_TOOL }, \
	{ "upstream", required_argument, NULL, 256 + AUDIT_UPSTREAM }, \
	{ "method", required_argument, NULL, 256 + AUDIT_METHOD }, \
	{ "status", required_argument, NULL, 256 + AUDIT_STATUS }, \
	{ "session", required_argument, NULL, 256 + AUDIT_SESSION }, \
	{ "subject", required_argument, NULL, 256 + AUDIT_SUBJECT }, \
	{ "trace-id", required_argument, NULL, 256 + AUDIT_TRACE_ID }, \
	{ "request-id", required_argument, NULL, 256 + AUDIT_REQUEST_ID }, \
	{ "since", required_argument, NULL, 256 + AUDIT_TS }, \
	{ "until", required_argument, NULL, 256 + AUDIT_FIELDS }
#define AUDIT_FILTER_USAGE "[filter ...]"
#define AUDIT_FILTER_OPTIONS \
	"Filters; a value is a pattern of sh(1), \"-\" is none, and of one\n" \
	"filter given several times one must fit:\n" \
	"  --action, --auth-result, --client, --tool, --upstream, --method,\n" \
	"  --session, --subject, --request-id, --trace-id value\n" \
	"  --status value       such as 403 or 4xx\n" \
	"  --since, --until t   RFC 3339, a date, or how long ago: 15m 2h " \
	"7d\n"

struct audit_filter {
	struct {
		enum audit_field field;
		const char	*pattern;	/* borrowed */
	} want[AUDIT_WANTS_MAX];
	size_t		 nwant;
	int64_t		 since;		/* milliseconds since the epoch */
	int64_t		 until;
};

void	audit_filter_init(struct audit_filter *);
/* Takes what getopt_long(3) gave, with its argument; -1 if that is none of
 * the filter's, or after telling that it is wrong. */
int	audit_filter_option(struct audit_filter *, int ch, const char *);
int	audit_filter_fits(const struct audit_filter *,
	    const struct audit_entry *);

#endif
