/*
 * Times and sizes in the configuration.  One unit per value and no fractions:
 * what is written is what is meant, and everything else is refused.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/duration.h"

struct unit {
	const char	*name;
	uint64_t	 factor;
};

/* Smallest first: the formatters go from the end. */
static const struct unit time_units[] = {
	{ "ms",	1 },
	{ "s",	1000 },
	{ "m",	60 * 1000 },
	{ "h",	60 * 60 * 1000 },
	{ NULL,	0 }
};

static const struct unit size_units[] = {
	{ "",	 1 },
	{ "KiB", 1024 },
	{ "MiB", 1024 * 1024 },
	{ "GiB", 1024 * 1024 * 1024 },
	{ NULL,	 0 }
};

static enum quantity_error	 quantity_parse(const char *,
				    const struct unit *, uint64_t *);
static char			*quantity_format(uint64_t,
				    const struct unit *, char *);
static enum quantity_error	 digits_parse(const char **, uint64_t *);

enum quantity_error
duration_parse(const char *s, uint64_t *ms)
{
	return (quantity_parse(s, time_units, ms));
}

enum quantity_error
size_parse(const char *s, uint64_t *bytes)
{
	return (quantity_parse(s, size_units, bytes));
}

enum quantity_error
number_parse(const char *s, uint64_t *out)
{
	enum quantity_error	 error;
	uint64_t		 n;

	error = digits_parse(&s, &n);
	if (error == QUANTITY_FORM || *s != '\0')
		return (QUANTITY_FORM);
	if (error == QUANTITY_OK)
		*out = n;
	return (error);
}

char *
duration_format(uint64_t ms, char buf[QUANTITY_STRLEN])
{
	return (quantity_format(ms, time_units, buf));
}

char *
size_format(uint64_t bytes, char buf[QUANTITY_STRLEN])
{
	return (quantity_format(bytes, size_units, buf));
}

static enum quantity_error
quantity_parse(const char *s, const struct unit *units, uint64_t *out)
{
	enum quantity_error	 error;
	const struct unit	*u;
	uint64_t		 n;

	error = digits_parse(&s, &n);
	if (error == QUANTITY_FORM)
		return (error);
	for (u = units; u->name != NULL; u++)
		if (strcmp(u->name, s) == 0)
			break;
	if (u->name == NULL)
		return (*s == '\0' ? QUANTITY_NO_UNIT : QUANTITY_FORM);
	if (error == QUANTITY_RANGE || n > UINT64_MAX / u->factor)
		return (QUANTITY_RANGE);
	*out = n * u->factor;
	return (QUANTITY_OK);
}

static char *
quantity_format(uint64_t n, const struct unit *units, char *buf)
{
	const struct unit	*u, *best;

	best = units;
	for (u = units; u->name != NULL; u++)
		if (n % u->factor == 0 && n != 0)
			best = u;
	(void)snprintf(buf, QUANTITY_STRLEN, "%" PRIu64 "%s",
	    n / best->factor, best->name);
	return (buf);
}

/* Leave *s behind the digits, on QUANTITY_RANGE too: the caller still wants
 * to know whether a unit follows. */
static enum quantity_error
digits_parse(const char **s, uint64_t *out)
{
	enum quantity_error	 error;
	const char		*p;
	uint64_t		 n;
	unsigned		 d;

	n = 0;
	error = QUANTITY_OK;
	for (p = *s; *p >= '0' && *p <= '9'; p++) {
		d = (unsigned)(*p - '0');
		if (n > (UINT64_MAX - d) / 10)
			error = QUANTITY_RANGE;
		else
			n = n * 10 + d;
	}
	if (p == *s)
		return (QUANTITY_FORM);
	*s = p;
	*out = n;
	return (error);
}
