/*
 * A terminal as a screen that is drawn anew, by the sequences that every
 * terminal of this century knows.  Whatever ends the program, the terminal is
 * left as it was.
 */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include <stddef.h>

enum screen_key {
	KEY_NONE = 0,		/* time is over, or there is another size */
	KEY_UP = 256, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_PAGE_UP,
	KEY_PAGE_DOWN, KEY_HOME, KEY_END, KEY_ESCAPE,
	KEY_GONE		/* the terminal is */
};

/* Standard input and output are a terminal, which is taken.  -1 with
 * errno. */
int	screen_open(void);
void	screen_close(void);

/* Columns and lines, as they are now. */
void	screen_size(int *columns, int *lines);
/* Put this on the screen: lines that end with a newline, each short enough;
 * the rest of the screen is cleared.  -1 with errno. */
int	screen_draw(const char *, size_t);
/* Wait for a key so long: a byte, or an enum screen_key. */
int	screen_key(int ms);

#endif
