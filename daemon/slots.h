/*
 * The memory of numbers (common/stats.h, common/board.h): the board, a slot
 * for each process, and what becomes of it when that has ended.
 */
#ifndef DAEMON_SLOTS_H
#define DAEMON_SLOTS_H

#include <sys/queue.h>

#include <stdint.h>

#include "common/board.h"
#include "common/stats.h"

struct slot {
	TAILQ_ENTRY(slot) link;
	uint32_t	 number;	/* never used again */
	int		 fd;		/* for its writer; -1: who has it */
	int		 view_fd;	/* for reading, where that can be had */
	struct stats_slot *map;
};

TAILQ_HEAD(slot_list, slot);

/* Once: the board, and a slot of our own.  begun and gone are told of each one
 * after that.  0, or -1 with errno. */
int	slots_setup(void (*begun)(const struct slot *),
	    void (*gone)(uint32_t number));
/* A slot for another process; NULL with errno. */
struct slot *slots_new(void);
/* Its process has ended: its numbers are of the past from now on. */
void	slots_end(struct slot *);
struct slot_list *slots_all(void);
/* The descriptor for its writer, once; the caller's. */
int	slots_take_fd(struct slot *);

/* The board is read without locks: what is between the two calls is seen whole
 * or not at all. */
struct board *slots_begin(void);
void	slots_done(void);
/* A duplicate of its descriptor to give away, or -1 with errno. */
int	slots_board_fd(void);

#endif
