/*
 * One picture of everything: the board and the numbers of all processes, the
 * past ones among them.
 */
#ifndef MONITOR_VIEW_H
#define MONITOR_VIEW_H

#include <stdint.h>

#include "common/board.h"

struct view {
	struct board		 board;	/* its past holds all that counts */
	int64_t			 now;	/* ms since the epoch */
};

/* Descriptors (the caller's) that the master sent: mapped.  0, or -1 with
 * errno. */
int	view_board(int fd);
int	view_slot(uint32_t number, int fd);
void	view_slot_gone(uint32_t number);

/* The picture of now, valid until the next one; NULL while there is none. */
const struct view *view_take(void);
/* What one process says of itself, live; or NULL.  Not to be believed. */
const struct stats_slot *view_of(uint32_t number);

#endif
