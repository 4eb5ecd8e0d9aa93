/*
 * Aligned columns, one line each: when, what, the status, how long, who, what
 * was asked for, where; and why not.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/audit_show.h"
#include "ctl/ctl.h"
#include "ctl/text.h"

#define TIME_WIDTH	24
#define ACTION_WIDTH	8
#define WHO_WIDTH	24
#define METHOD_WIDTH	20
#define TARGET_WIDTH	32
#define LONG_WIDTH	256

static void	 cell(const char *, int);
static void	 target(const struct audit_entry *);
static int	 is_told(const struct audit_entry *);
static void	 why(const struct audit_entry *);
static const char *colour(const char *);

void
audit_show(const struct audit_entry *e, struct slice line)
{
	char		 text[1024];
	const char	*on;
	uint64_t	 ms;

	if (ctl_options.json) {
		text_json(line);
		putchar('\n');
		return;
	}
	cell(audit_entry_text(e, AUDIT_TS, text, sizeof(text)), TIME_WIDTH);
	if (e->m[AUDIT_EVENT].type == JSON_T_STRING) {
		cell("event", ACTION_WIDTH);
		(void)audit_entry_text(e, AUDIT_EVENT, text, sizeof(text));
		cell(text, LONG_WIDTH);
		why(e);
		return;
	}
	(void)audit_entry_text(e, AUDIT_ACTION, text, sizeof(text));
	on = colour(text);
	fputs(on, stdout);
	cell(text, ACTION_WIDTH);
	if (*on != '\0')
		fputs("\033[0m", stdout);
	cell(audit_entry_text(e, AUDIT_STATUS, text, sizeof(text)), 3);
	ms = audit_entry_number(e, AUDIT_LATENCY);
	if (ms < 100000)
		printf("%5" PRIu64 "ms  ", ms);
	else
		printf("%6" PRIu64 "s  ", ms / 1000);
	cell(audit_entry_client(e, text, sizeof(text)), WHO_WIDTH);
	cell(audit_entry_text(e, AUDIT_METHOD, text, sizeof(text)),
	    METHOD_WIDTH);
	target(e);
	why(e);
}

/* Filled up with blanks; cut, if need be, but the last. */
static void
cell(const char *s, int width)
{
	char	 fit[TEXT_SIZE(LONG_WIDTH)];
	int	 n;

	n = text_fit(*s != '\0' ? s : "-", width, fit, sizeof(fit));
	printf("%s%*s", fit, width == LONG_WIDTH ? 0 : width - n + 2, "");
}

/* The tool, at its upstream. */
static void
target(const struct audit_entry *e)
{
	char	 tool[512], up[512], both[1100];

	(void)audit_entry_text(e, AUDIT_TOOL, tool, sizeof(tool));
	(void)audit_entry_text(e, AUDIT_UPSTREAM, up, sizeof(up));
	(void)snprintf(both, sizeof(both), "%s%s%s", tool,
	    *up != '\0' ? "@" : "", up);
	cell(both, is_told(e) ? TARGET_WIDTH : LONG_WIDTH);
}

/* Is there a reason to be printed? */
static int
is_told(const struct audit_entry *e)
{
	char	 auth[64], text[64];

	(void)audit_entry_text(e, AUDIT_AUTH_RESULT, auth, sizeof(auth));
	return (*audit_entry_text(e, AUDIT_ERROR_TEXT, text, sizeof(text)) !=
	    '\0' || (*auth != '\0' && strcmp(auth, "ok") != 0) ||
	    audit_entry_number(e, AUDIT_SUPPRESSED) > 0);
}

static void
why(const struct audit_entry *e)
{
	char		 auth[64], text[1024];
	uint64_t	 n = audit_entry_number(e, AUDIT_SUPPRESSED);

	(void)audit_entry_text(e, AUDIT_AUTH_RESULT, auth, sizeof(auth));
	(void)audit_entry_text(e, AUDIT_ERROR_TEXT, text, sizeof(text));
	if (n > 0)
		printf("%" PRIu64 " requests: ", n);
	if (*auth != '\0' && strcmp(auth, "ok") != 0) {
		cell(auth, LONG_WIDTH);
		fputs(*text != '\0' ? ": " : "", stdout);
	}
	if (*text != '\0')
		cell(text, LONG_WIDTH);
	putchar('\n');
}

/* Green, red, and yellow for what is neither. */
static const char *
colour(const char *action)
{
	if (!text_colours())
		return ("");
	if (strcmp(action, "allow") == 0)
		return ("\033[32m");
	return (strncmp(action, "deny", 4) == 0 ? "\033[31m" : "\033[33m");
}

void
audit_show_bad(const char *file, uint64_t number, const char *reason)
{
	char	 fit[TEXT_SIZE(LONG_WIDTH)];

	(void)text_fit(file, LONG_WIDTH, fit, sizeof(fit));
	warnx("%s:%" PRIu64 ": %s", fit, number, reason);
}
