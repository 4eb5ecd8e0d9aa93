/*
 * What is said again and again is written once, and then how often.
 *
 * A repeat is the same event of the same process with the same level, message
 * and pairs, within LOG_FOLD_MS of the first; whatever else is said meanwhile
 * does not matter, but for one thing: when that process says another event of
 * the same subject (the first word of its name), the run is over, so that
 * down, up, down is read in that order.  Events of "daemon" answer an
 * operator and are never folded.
 */
#ifndef COMMON_LOG_FOLD_H
#define COMMON_LOG_FOLD_H

#include <stdint.h>

#include "common/log_record.h"

#define LOG_FOLD_MS	10000
#define LOG_FOLD_MAX	32	/* runs at a time; the oldest makes room */

/* Writes a record of a process. */
typedef void (*log_fold_cb)(const char *process, const struct log_record *);

/*
 * May it be written?  1, or 0: it was counted, and how often it came is
 * written when its run is over.  Runs that are over by this are written
 * first.  now: CLOCK_MONOTONIC in ms.
 */
int	log_fold(const char *process, const struct log_record *, uint64_t now,
	    log_fold_cb);
/* End the runs whose time is over; with UINT64_MAX all of them. */
void	log_fold_end(uint64_t now, log_fold_cb);

#endif
