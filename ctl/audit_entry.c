/*
 * A line of the audit log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rfc3339.h"
#include "ctl/audit_entry.h"

/* More is never shown or compared. */
#define VALUE_MAX	4096

static const char *const names[AUDIT_FIELDS] = {
	[AUDIT_TS] = "ts",
	[AUDIT_SESSION] = "session_id",
	[AUDIT_METHOD] = "method",
	[AUDIT_ACTION] = "action",
	[AUDIT_AUTH_RESULT] = "auth_result",
	[AUDIT_CLIENT] = "oauth_client_id",
	[AUDIT_LATENCY] = "latency_ms",
	[AUDIT_REQUEST_ID] = "request_id",
	[AUDIT_CLIENT_IP] = "client_ip",
	[AUDIT_TOOL] = "tool",
	[AUDIT_UPSTREAM] = "upstream",
	[AUDIT_RULE_ID] = "rule_id",
	[AUDIT_KEY_ID] = "auth_key_id",
	[AUDIT_STATUS] = "status",
	[AUDIT_SUPPRESSED] = "suppressed",
	[AUDIT_ERROR_TEXT] = "error",
	[AUDIT_STAGE] = "stage",
	[AUDIT_EVENT] = "event",
	[AUDIT_SUBJECT] = "subject",
	[AUDIT_TRACE_ID] = "trace_id"
};

static int	 read_time(struct audit_entry *);
static size_t	 prefix(struct slice);
static int	 is_pair(const char *);

const char *
audit_entry_read(struct audit_entry *e, struct slice line)
{
	enum json_error	 error;
	size_t		 i;

	for (i = 0; i < AUDIT_FIELDS; i++)
		e->m[i].name = names[i];
	error = json_members(line.p, line.len, e->m, AUDIT_FIELDS);
	if (error != JSON_OK)
		return (json_strerror(error));
	if (read_time(e) == -1)
		return ("no time in ts");
	if (e->m[AUDIT_EVENT].type != JSON_T_STRING &&
	    e->m[AUDIT_ACTION].type != JSON_T_STRING)
		return ("no action");
	return (NULL);
}

/* With milliseconds, which rfc3339_parse() drops. */
static int
read_time(struct audit_entry *e)
{
	char		 text[RFC3339_STRLEN];
	const char	*dot;
	int64_t		 t, ms = 0;
	int		 i;

	if (e->m[AUDIT_TS].type != JSON_T_STRING ||
	    e->m[AUDIT_TS].raw.len >= sizeof(text))
		return (-1);
	(void)audit_entry_text(e, AUDIT_TS, text, sizeof(text));
	if (rfc3339_parse(text, &t) == -1)
		return (-1);
	if ((dot = strchr(text, '.')) != NULL)
		for (i = 1, dot++; i <= 3; i++) {
			ms *= 10;
			if (*dot >= '0' && *dot <= '9')
				ms += *dot++ - '0';
		}
	e->ms = t * 1000 + ms;
	return (0);
}

char *
audit_entry_text(const struct audit_entry *e, enum audit_field f, char *buf,
    size_t size)
{
	const struct json_member	*m = &e->m[f];
	struct slice			 raw = m->raw;
	char				 text[VALUE_MAX];
	size_t				 n;

	*buf = '\0';
	if (m->type != JSON_T_STRING && m->type != JSON_T_NUMBER)
		return (buf);
	raw.len = prefix(raw);
	n = m->type == JSON_T_STRING ? json_unescape(raw, text) : raw.len;
	if (m->type == JSON_T_NUMBER)
		memcpy(text, raw.p, n);
	if (n >= size)
		n = size - 1;
	memcpy(buf, text, n);
	buf[n] = '\0';
	/* a NUL in a value is not its end */
	for (; n > 0; n--)
		if (buf[n - 1] == '\0')
			buf[n - 1] = '?';
	return (buf);
}

/* As much of it as VALUE_MAX holds, cut between characters. */
static size_t
prefix(struct slice raw)
{
	const char	*p;
	size_t		 at, n;

	if (raw.len <= VALUE_MAX)
		return (raw.len);
	for (at = 0;; at += n) {
		p = raw.p + at;
		if (*p == '\\')
			n = p[1] != 'u' ? 2 : is_pair(p) ? 12 : 6;
		else
			n = (*p & 0xe0) == 0xc0 ? 2 : (*p & 0xf0) == 0xe0 ?
			    3 : (*p & 0xf8) == 0xf0 ? 4 : 1;
		if (at + n > VALUE_MAX)
			return (at);
	}
}

/* Does an escape of a surrogate, which another one follows, begin here? */
static int
is_pair(const char *p)
{
	return ((p[2] == 'd' || p[2] == 'D') && strchr("89abAB", p[3]) !=
	    NULL);
}

uint64_t
audit_entry_number(const struct audit_entry *e, enum audit_field f)
{
	char	 text[32];

	if (e->m[f].type != JSON_T_NUMBER || *e->m[f].raw.p == '-')
		return (0);
	return (strtoull(audit_entry_text(e, f, text, sizeof(text)), NULL,
	    10));
}

uint64_t
audit_entry_requests(const struct audit_entry *e)
{
	uint64_t	 n = audit_entry_number(e, AUDIT_SUPPRESSED);

	if (e->m[AUDIT_EVENT].type == JSON_T_STRING)
		return (0);
	return (n > 0 ? n : 1);
}

char *
audit_entry_client(const struct audit_entry *e, char *buf, size_t size)
{
	if (*audit_entry_text(e, AUDIT_CLIENT, buf, size) != '\0' ||
	    *audit_entry_text(e, AUDIT_KEY_ID, buf, size) != '\0')
		return (buf);
	return (audit_entry_text(e, AUDIT_CLIENT_IP, buf, size));
}

char *
audit_entry_reason(const struct audit_entry *e, char *buf, size_t size)
{
	char	 auth[64], text[VALUE_MAX], *end;

	(void)audit_entry_text(e, AUDIT_ERROR_TEXT, text, sizeof(text));
	if ((end = strpbrk(text, ":\"(;")) != NULL)
		*end = '\0';
	for (end = text + strlen(text); end > text && end[-1] == ' '; end--)
		end[-1] = '\0';
	(void)audit_entry_text(e, AUDIT_AUTH_RESULT, auth, sizeof(auth));
	if (strcmp(auth, "ok") == 0)
		*auth = '\0';
	(void)snprintf(buf, size, "%s%s%s", auth,
	    *auth != '\0' && *text != '\0' ? ": " : "", text);
	return (buf);
}
