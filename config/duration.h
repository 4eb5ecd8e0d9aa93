/*
 * Times and sizes as people write them in mcpgw.yaml: "300ms", "30s", "5m",
 * "2h"; "16KiB", "4MiB", "1GiB" or plain bytes.  Pure functions, no state.
 */
#ifndef CONFIG_DURATION_H
#define CONFIG_DURATION_H

#include <stddef.h>
#include <stdint.h>

enum quantity_error {
	QUANTITY_OK = 0,
	QUANTITY_FORM,		/* not digits and a unit, or an unknown unit */
	QUANTITY_NO_UNIT,	/* digits alone where a unit is needed */
	QUANTITY_RANGE		/* does not fit 64 bits */
};

#define QUANTITY_STRLEN	32	/* holds whatever the formatters write */

/* A whole number and one of ms, s, m, h, nothing between or around them, in
 * milliseconds.  *ms is written on QUANTITY_OK alone. */
enum quantity_error duration_parse(const char *, uint64_t *ms);

/* A whole number of bytes, or with one of KiB, MiB, GiB.  *bytes is written
 * on QUANTITY_OK alone. */
enum quantity_error size_parse(const char *, uint64_t *bytes);

/* A whole decimal number without sign. */
enum quantity_error number_parse(const char *, uint64_t *);

/* The shortest exact form, which the parsers read back; returns buf. */
char	*duration_format(uint64_t ms, char buf[QUANTITY_STRLEN]);
char	*size_format(uint64_t bytes, char buf[QUANTITY_STRLEN]);

#endif
