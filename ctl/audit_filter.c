/*
 * Choosing lines of the audit log.
 */
#include <err.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rfc3339.h"
#include "ctl/audit_filter.h"
#include "ctl/ctl.h"

#define TEXT_MAX	1024	/* of a value that is compared */

static int	 parse_time(const char *, int64_t *);
static int	 ago(const char *, int64_t *);
static int	 field_fits(const struct audit_filter *,
		    const struct audit_entry *, enum audit_field);
static int	 fits(const char *, const struct audit_entry *,
		    enum audit_field);
static int	 value_fits(const char *, const struct audit_entry *,
		    enum audit_field);

void
audit_filter_init(struct audit_filter *f)
{
	memset(f, 0, sizeof(*f));
	f->since = INT64_MIN;
	f->until = INT64_MAX;
}

int
audit_filter_option(struct audit_filter *f, int ch, const char *arg)
{
	if (ch == 256 + AUDIT_TS || ch == 256 + AUDIT_FIELDS) {
		if (parse_time(arg, ch == 256 + AUDIT_TS ? &f->since :
		    &f->until) == 0)
			return (0);
		warnx("expected a time such as 2026-05-09T14:23:01Z, "
		    "2026-05-09, 15m, 2h or 7d");
		return (-1);
	}
	if (ch < 256 || ch >= 256 + AUDIT_FIELDS)
		return (-1);
	if (f->nwant == AUDIT_WANTS_MAX) {
		warnx("more than %d filters", AUDIT_WANTS_MAX);
		return (-1);
	}
	f->want[f->nwant].field = (enum audit_field)(ch - 256);
	f->want[f->nwant++].pattern = arg;
	return (0);
}

/* A date is its first moment, in UTC. */
static int
parse_time(const char *s, int64_t *ms)
{
	char	 text[RFC3339_STRLEN];
	int64_t	 t;

	if (ago(s, ms) == 0)
		return (0);
	(void)snprintf(text, sizeof(text), "%s%s", s,
	    strlen(s) == 10 ? "T00:00:00Z" : "");
	if (rfc3339_parse(text, &t) == -1)
		return (-1);
	*ms = t * 1000;
	return (0);
}

static int
ago(const char *s, int64_t *ms)
{
	static const struct {
		char	 unit;
		int64_t	 seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 },
	    { 'd', 86400 } };
	size_t	 i, n = strspn(s, "0123456789");

	if (n == 0 || n > 9 || s[n] == '\0' || s[n + 1] != '\0')
		return (-1);
	for (i = 0; i < 4; i++)
		if (units[i].unit == s[n]) {
			*ms = (ctl_now() - strtoll(s, NULL, 10) *
			    units[i].seconds) * 1000;
			return (0);
		}
	return (-1);
}

int
audit_filter_fits(const struct audit_filter *f, const struct audit_entry *e)
{
	size_t	 i;

	if (e->ms < f->since || e->ms >= f->until)
		return (0);
	for (i = 0; i < f->nwant; i++)
		if (!field_fits(f, e, f->want[i].field))
			return (0);
	return (1);
}

/* Of those about a field, one is enough. */
static int
field_fits(const struct audit_filter *f, const struct audit_entry *e,
    enum audit_field field)
{
	size_t	 i;

	for (i = 0; i < f->nwant; i++)
		if (f->want[i].field == field &&
		    fits(f->want[i].pattern, e, field))
			return (1);
	return (0);
}

/* A client goes by any of its names. */
static int
fits(const char *pattern, const struct audit_entry *e,
    enum audit_field field)
{
	if (field != AUDIT_CLIENT || strcmp(pattern, "-") == 0)
		return (value_fits(pattern, e, field));
	return (value_fits(pattern, e, AUDIT_CLIENT) ||
	    value_fits(pattern, e, AUDIT_KEY_ID) ||
	    value_fits(pattern, e, AUDIT_CLIENT_IP));
}

static int
value_fits(const char *pattern, const struct audit_entry *e,
    enum audit_field field)
{
	char	 text[TEXT_MAX];

	(void)audit_entry_text(e, field, text, sizeof(text));
	if (*text == '\0')
		return (strcmp(pattern, "-") == 0);
	if (field == AUDIT_STATUS && strlen(pattern) == 3 &&
	    strcasecmp(pattern + 1, "xx") == 0)
		return (*pattern == *text && strlen(text) == 3);
	return (strcmp(pattern, text) == 0 ||
	    fnmatch(pattern, text, 0) == 0);
}
