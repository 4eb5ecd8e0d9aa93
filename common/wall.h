/* The wall's clock, for what people read; for pauses there is mono.h. */
#ifndef COMMON_WALL_H
#define COMMON_WALL_H

#include <stdint.h>

/* CLOCK_REALTIME in milliseconds since the epoch. */
int64_t	 wall_ms(void);

#endif
