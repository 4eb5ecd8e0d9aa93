/*
 * Text from outside, made fit for a terminal: what could move the cursor,
 * change colours or hide the order of letters is "?", and columns are counted
 * as the terminal does.
 */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <stddef.h>

#include "common/slice.h"

/* A column of UTF-8 takes 4 bytes at most. */
#define TEXT_SIZE(width)	(4 * (size_t)(width) + 1)

/* Once, before the others: what the user's terminal can show. */
void	text_init(void);

/* Put s into buf, cut to width columns (the last is "~" then); buf should
 * have TEXT_SIZE(width).  The columns it takes. */
int	text_fit(const char *s, int width, char *buf, size_t size);
/* The columns of what text_fit() has put there. */
int	text_width(const char *);

/* Print JSON that is well-formed as it is, but for what a terminal would obey
 * and what hides the order of letters: within strings that is escaped, between
 * tokens it is a space; so it says what it said. */
void	text_json(struct slice);

/* Are colours welcome on standard output?  Not if NO_COLOR is set. */
int	text_colours(void);

#endif
