/*
 * The board and the slots.  The board cannot be written by anybody else; a slot
 * can by its process alone, since nobody else gets a descriptor for that.
 */
#include <sys/mman.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/memfd.h"
#include "daemon/slots.h"

static struct slot_list	 all = TAILQ_HEAD_INITIALIZER(all);
static struct board	*board;
static void		(*on_begun)(const struct slot *);
static void		(*on_gone)(uint32_t);
static int		 board_fd = -1;
static uint32_t		 last_number;

static int	 for_reading(int);
static void	 put_live(void);
static void	 slot_free(struct slot *);

int
slots_setup(void (*begun)(const struct slot *), void (*gone)(uint32_t))
{
	struct slot	*own;
	void		*p;

	if ((board_fd = memfd_share("board", sizeof(*board), 1, &p)) == -1)
		return (-1);
	board = p;
	board->version = board->past.version = STATS_VERSION;
	if ((own = slots_new()) == NULL)
		return (-1);
	stats_attach(own->map);
	on_begun = begun;
	on_gone = gone;
	return (0);
}

struct slot *
slots_new(void)
{
	struct slot	*s;
	void		*p;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	if ((s->fd = memfd_share("slot", sizeof(*s->map), 0, &p)) == -1) {
		free(s);
		return (NULL);
	}
	s->map = p;
	s->number = ++last_number;
	if ((s->view_fd = for_reading(s->fd)) == -1) {
		slot_free(s);
		return (NULL);
	}
	TAILQ_INSERT_TAIL(&all, s, link);
	slots_begin();
	put_live();
	slots_done();
	if (on_begun != NULL)
		on_begun(s);
	return (s);
}

static void
put_live(void)
{
	struct slot	*s;
	uint32_t	 n = 0;

	TAILQ_FOREACH(s, &all, link)
		if (n < BOARD_PROCESSES)
			board->live[n++] = s->number;
	board->nlive = n;
}

/* Who only looks is to be unable to write; without a /proc it is asked not
 * to. */
static int
for_reading(int fd)
{
	char	 path[32];
	int	 view;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((view = open(path, O_RDONLY | O_CLOEXEC)) != -1)
		return (view);
	return (fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

void
slots_end(struct slot *s)
{
	/* in one step, or a reader would see its numbers twice or never */
	slots_begin();
	stats_merge(&board->past, s->map);
	TAILQ_REMOVE(&all, s, link);
	put_live();
	slots_done();
	if (on_gone != NULL)
		on_gone(s->number);
	slot_free(s);
}

static void
slot_free(struct slot *s)
{
	munmap(s->map, sizeof(*s->map));
	if (s->fd != -1)
		close(s->fd);
	if (s->view_fd != -1)
		close(s->view_fd);
	free(s);
}

int
slots_take_fd(struct slot *s)
{
	int	 fd = s->fd;

	s->fd = -1;
	return (fd);
}

struct slot_list *
slots_all(void)
{
	return (&all);
}

struct board *
slots_begin(void)
{
	atomic_fetch_add(&board->turn, 1);
	return (board);
}

void
slots_done(void)
{
	atomic_fetch_add(&board->turn, 1);
}

int
slots_board_fd(void)
{
	return (fcntl(board_fd, F_DUPFD_CLOEXEC, 3));
}
