/* The clock for pauses and deadlines. */
#ifndef COMMON_MONO_H
#define COMMON_MONO_H

#include <sys/time.h>

#include <stdint.h>

/* CLOCK_MONOTONIC in milliseconds; the same for all processes. */
uint64_t mono_ms(void);
/* Milliseconds as libevent wants them. */
struct timeval mono_timeval(uint64_t ms);

#endif
