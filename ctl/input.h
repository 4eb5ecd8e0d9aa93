/*
 * A secret that is typed or piped in, never an argument, where others see it.
 */
#ifndef CTL_INPUT_H
#define CTL_INPUT_H

#include <stddef.h>

/*
 * From the terminal without echo, or all of standard input up to size bytes,
 * without the line break at its end; without a NUL.  0, or -1 after telling.
 * The caller wipes buf in every case.
 */
int	input_secret(const char *prompt, char *buf, size_t size, size_t *len);

#endif
