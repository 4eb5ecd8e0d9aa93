/*
 * Refusals that any stranger can cause, which cost him nothing and must not
 * fill a disk: of those of one source in one second the first ones have their
 * own lines in the audit log, and one line says how many more there were.  A
 * source is what has a struct share: an IPv4 address, or 64 bits of IPv6.
 */
#ifndef RECORD_FLOOD_H
#define RECORD_FLOOD_H

#include <stdint.h>

#include "common/proto.h"

#define FLOOD_SOURCES	128	/* counted apart; all others are one */

/* Once.  How many lines each source may have in a second; 0: any number. */
void	flood_setup(uint64_t per_second);
/* One more refusal of this client: 1: it is to have its line; 0: it was
 * counted, and a line will come that counts it: within a second, or as soon
 * as lines are kept again. */
int	flood_pass(const struct proto_addr *);
/* The worker leaves: add the lines of what was counted until now. */
void	flood_end(void);

#endif
