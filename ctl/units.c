/*
 * Quantities for people's eyes.
 */
#include <stdint.h>
#include <stdio.h>

#include "ctl/units.h"

#define MINUTE	60
#define HOUR	(60 * MINUTE)
#define DAY	(24 * HOUR)

static char	*scaled(double, const char *const[], size_t, const char *,
		    char[UNITS_LEN]);

char *
units_span(double seconds, char buf[UNITS_LEN])
{
	uint64_t	 s;

	if (!(seconds > 0))
		seconds = 0;
	if (seconds > 1e15)
		seconds = 1e15;
	s = (uint64_t)seconds;
	if (s < 10)
		(void)snprintf(buf, UNITS_LEN, "%.1fs", seconds);
	else if (s < MINUTE)
		(void)snprintf(buf, UNITS_LEN, "%us", (unsigned)s);
	else if (s < HOUR)
		(void)snprintf(buf, UNITS_LEN, "%um %us",
		    (unsigned)(s / MINUTE), (unsigned)(s % MINUTE));
	else if (s < DAY)
		(void)snprintf(buf, UNITS_LEN, "%uh %um",
		    (unsigned)(s / HOUR), (unsigned)(s % HOUR / MINUTE));
	else
		(void)snprintf(buf, UNITS_LEN, "%llud %uh",
		    (unsigned long long)(s / DAY),
		    (unsigned)(s % DAY / HOUR));
	return (buf);
}

char *
units_latency(double seconds, char buf[UNITS_LEN])
{
	double	 ms = seconds * 1000;

	if (!(ms > 0))
		(void)snprintf(buf, UNITS_LEN, "0ms");
	else if (ms < 10)
		(void)snprintf(buf, UNITS_LEN, "%.1fms", ms);
	else if (ms < 1000)
		(void)snprintf(buf, UNITS_LEN, "%.0fms", ms);
	else if (ms < 10000)
		(void)snprintf(buf, UNITS_LEN, "%.2fs", seconds);
	else
		(void)snprintf(buf, UNITS_LEN, "%.0fs", seconds);
	return (buf);
}

char *
units_bytes(double n, char buf[UNITS_LEN])
{
	static const char *const	 units[] = { " B", " kB", " MB", " GB",
					    " TB", " PB" };

	return (scaled(n, units, 6, "%.0f%s", buf));
}

char *
units_rate(double n, char buf[UNITS_LEN])
{
	static const char *const	 units[] = { "", "k", "M", "G", "T",
					    "P" };

	if (!(n > 0))
		n = 0;
	return (scaled(n, units, 6, n == (double)(int64_t)n ? "%.0f%s" :
	    n < 0.1 ? "%.3f%s" : "%.1f%s", buf));
}

/* small: how what is below the second unit is written. */
static char *
scaled(double n, const char *const units[], size_t nunits, const char *small,
    char buf[UNITS_LEN])
{
	size_t	 i = 0;

	while (n >= 999.5 && i + 1 < nunits) {
		n /= 1000;
		i++;
	}
	if (i == 0 && n < 99.95)
		(void)snprintf(buf, UNITS_LEN, small, n, units[i]);
	else
		(void)snprintf(buf, UNITS_LEN, n < 9.995 ? "%.2f%s" :
		    n < 99.95 ? "%.1f%s" : "%.0f%s", n, units[i]);
	return (buf);
}
