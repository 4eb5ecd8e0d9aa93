/* Quantities for people's eyes, three digits or so.  All return buf. */
#ifndef CTL_UNITS_H
#define CTL_UNITS_H

#define UNITS_LEN	32

/* Seconds: "0.4s", "12s", "5m 12s", "3h 5m", "12d 3h". */
char	*units_span(double seconds, char buf[UNITS_LEN]);
/* Seconds of a latency: "0.4ms", "12ms", "1.24s", "75s". */
char	*units_latency(double seconds, char buf[UNITS_LEN]);
/* "512 B", "1.2 kB", "34 MB"; powers of 1000. */
char	*units_bytes(double, char buf[UNITS_LEN]);
/* "0", "0.3", "12.4", "345", "12.3k". */
char	*units_rate(double, char buf[UNITS_LEN]);

#endif
