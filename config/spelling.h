/*
 * Which known word may have been meant?  Pure functions, no state.
 */
#ifndef CONFIG_SPELLING_H
#define CONFIG_SPELLING_H

/* The number of slips between a word and a known one, the fewer the better;
 * UINT_MAX where there are too many for its length to suggest it. */
unsigned spelling_distance(const char *word, const char *known);

#endif
