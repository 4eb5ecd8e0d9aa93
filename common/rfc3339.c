/*
 * RFC 3339 without the C library's calendar: timegm(3) takes the 31st of
 * February, and gmtime_r(3) wants files that a sandbox does not have.
 */
#include <stdio.h>

#include "common/rfc3339.h"

static int	 digits(const char **, int, int *);
static int	 literal(const char **, char);
static int	 offset(const char **, int *);
static int	 month_days(int, int);
static int	 leap(int);
static int64_t	 days_before_year(int);

int
rfc3339_parse(const char *s, int64_t *t)
{
	int64_t	 days;
	int	 year, month, day, hour, min, sec, east, m;

	if (!digits(&s, 4, &year) || !literal(&s, '-') ||
	    !digits(&s, 2, &month) || !literal(&s, '-') ||
	    !digits(&s, 2, &day) || !literal(&s, 'T') ||
	    !digits(&s, 2, &hour) || !literal(&s, ':') ||
	    !digits(&s, 2, &min) || !literal(&s, ':') ||
	    !digits(&s, 2, &sec))
		return (-1);
	if (literal(&s, '.')) {
		if (*s < '0' || *s > '9')
			return (-1);
		while (*s >= '0' && *s <= '9')
			s++;
	}
	if (!offset(&s, &east) || *s != '\0' || year < 1970 || month < 1 ||
	    month > 12 || day < 1 || day > month_days(year, month) ||
	    hour > 23 || min > 59 || sec > 60)
		return (-1);
	days = days_before_year(year) - days_before_year(1970) + day - 1;
	for (m = 1; m < month; m++)
		days += month_days(year, m);
	*t = days * 86400 + hour * 3600 + min * 60 + (sec == 60 ? 59 : sec) -
	    east * 60;
	return (0);
}

char *
rfc3339_format(int64_t t, char buf[RFC3339_STRLEN])
{
	int64_t	 days = t / 86400;
	unsigned	 rest = (unsigned)(t % 86400);
	int	 year, month;

	for (year = 1970; days >= 365 + leap(year); year++)
		days -= 365 + leap(year);
	for (month = 1; days >= month_days(year, month); month++)
		days -= month_days(year, month);
	(void)snprintf(buf, RFC3339_STRLEN, "%04d-%02d-%02dT%02u:%02u:%02uZ",
	    year, month, (int)days + 1, rest / 3600, rest / 60 % 60,
	    rest % 60);
	return (buf);
}

static int
digits(const char **s, int n, int *v)
{
	for (*v = 0; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return (0);
		*v = *v * 10 + (**s - '0');
	}
	return (1);
}

static int
literal(const char **s, char c)
{
	if (**s != c)
		return (0);
	(*s)++;
	return (1);
}

/* Minutes east of Greenwich. */
static int
offset(const char **s, int *east)
{
	int	 hour, min, sign;

	*east = 0;
	if (literal(s, 'Z'))
		return (1);
	sign = **s == '-' ? -1 : 1;
	if ((!literal(s, '+') && !literal(s, '-')) || !digits(s, 2, &hour) ||
	    !literal(s, ':') || !digits(s, 2, &min) || hour > 23 || min > 59)
		return (0);
	*east = sign * (hour * 60 + min);
	return (1);
}

static int
leap(int year)
{
	return ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
}

static int
month_days(int year, int month)
{
	static const int	 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30,
				    31, 30, 31 };

	return (days[month - 1] + (month == 2 ? leap(year) : 0));
}

static int64_t
days_before_year(int year)
{
	int	 y = year - 1;

	return ((int64_t)y * 365 + y / 4 - y / 100 + y / 400);
}
