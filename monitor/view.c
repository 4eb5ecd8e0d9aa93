/*
 * Maps, and adding them up.
 */
#include <sys/mman.h>
#include <sys/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/memfd.h"
#include "monitor/view.h"

#define TRIES		1000	/* while the master writes */

struct mapped {
	TAILQ_ENTRY(mapped)	 link;
	uint32_t		 number;
	const struct stats_slot	*slot;
};

static const struct board	*board;
static TAILQ_HEAD(, mapped)	 all = TAILQ_HEAD_INITIALIZER(all);
static struct view		 view;

static int	 copy(void);

int
view_board(int fd)
{
	board = memfd_map_shared(fd, sizeof(*board), 1, 0);
	if (board == NULL)
		return (-1);
	if (board->version == STATS_VERSION)
		return (0);
	errno = EINVAL;
	return (-1);
}

int
view_slot(uint32_t number, int fd)
{
	struct mapped	*m;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return (-1);
	m->number = number;
	m->slot = memfd_map_shared(fd, sizeof(*m->slot), 0, 0);
	if (m->slot == NULL) {
		free(m);
		return (-1);
	}
	TAILQ_INSERT_TAIL(&all, m, link);
	return (0);
}

void
view_slot_gone(uint32_t number)
{
	struct mapped	*m;

	TAILQ_FOREACH(m, &all, link)
		if (m->number == number)
			break;
	if (m == NULL)
		return;
	TAILQ_REMOVE(&all, m, link);
	munmap((void *)(uintptr_t)m->slot, sizeof(*m->slot));
	free(m);
}

const struct stats_slot *
view_of(uint32_t number)
{
	const struct mapped	*m;

	TAILQ_FOREACH(m, &all, link)
		if (m->number == number)
			return (m->slot);
	return (NULL);
}

const struct view *
view_take(void)
{
	struct timespec	 ts;
	int		 i;

	if (board == NULL)
		return (NULL);
	for (i = 0; i < TRIES; i++)
		if (copy() == 0)
			break;
	if (i == TRIES)
		return (NULL);
	clock_gettime(CLOCK_REALTIME, &ts);
	view.now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	return (&view);
}

/* 0, or -1: it was written meanwhile.  A slot that ends is added to the past
 * in one step with its leaving the list. */
static int
copy(void)
{
	const struct stats_slot	*s;
	uint32_t		 turn, i;

	turn = atomic_load_explicit(&board->turn, memory_order_acquire);
	if (turn % 2 != 0)
		return (-1);
	memcpy(&view.board, board, sizeof(view.board));
	/* the master's, but no index is used unseen */
	if (view.board.nlive > BOARD_PROCESSES ||
	    view.board.nprocesses > BOARD_PROCESSES ||
	    view.board.ngenerations > BOARD_GENERATIONS ||
	    view.board.nupstreams > STATS_UPSTREAMS ||
	    view.board.nservers > STATS_SERVERS)
		return (-1);
	for (i = 0; i < view.board.nlive; i++)
		if ((s = view_of(view.board.live[i])) != NULL)
			stats_merge(&view.board.past, s);
	atomic_thread_fence(memory_order_acquire);
	return (atomic_load_explicit(&board->turn, memory_order_acquire) ==
	    turn ? 0 : -1);
}
