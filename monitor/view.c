/*
 * Maps, and adding them up.
 */
#include <sys/mman.h>
#include <sys/queue.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/memfd.h"
#include "common/proto.h"
#include "common/wall.h"
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
static uint64_t	 counted(const stats_number *);
static int	 serves(const struct view *, uint32_t);
static int	 copy_jwks(const struct stats_slot *, uint32_t,
		    struct stats_jwks *);
static void	 terminate(struct stats_jwks *);

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
	int	 i;

	if (board == NULL)
		return (NULL);
	/* it may have been stopped in the middle of it: it gets its turn */
	for (i = 0; i < TRIES; i++) {
		if (copy() == 0)
			break;
		(void)poll(NULL, 0, 1);
	}
	if (i == TRIES)
		return (NULL);
	view.now = wall_ms();
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

static uint64_t
counted(const stats_number *p)
{
	uint64_t	 v = stats_get(p);

	return (v > INT64_MAX ? 0 : v);
}

uint64_t
view_gauge(const struct stats_slot *s, enum stats_gauge g)
{
	return (counted(&s->g[g]));
}

uint64_t
view_gauge_sum(const struct view *v, enum stats_gauge g)
{
	const struct stats_slot	*s;
	uint64_t		 sum = 0;
	uint32_t		 i;

	for (i = 0; i < v->board.nlive; i++)
		if ((s = view_of(v->board.live[i])) != NULL)
			sum += view_gauge(s, g);
	return (sum);
}

int64_t
view_audit_lag(const struct view *v)
{
	const struct stats_slot	*s;
	uint64_t		 since;
	int64_t			 lag = 0;
	uint32_t		 i;

	for (i = 0; i < v->board.nlive; i++) {
		if ((s = view_of(v->board.live[i])) == NULL)
			continue;
		since = stats_get(&s->audit_since);
		/* not of before we were, nor of what is yet to come */
		if (since < (uint64_t)v->board.started ||
		    since > (uint64_t)v->now)
			continue;
		if (v->now - (int64_t)since > lag)
			lag = v->now - (int64_t)since;
	}
	return (lag);
}

void
view_server(const struct view *v, uint32_t number, struct view_server *out)
{
	const struct stats_slot	*s;
	uint32_t		 i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < v->board.nprocesses; i++) {
		if (v->board.processes[i].role != ROLE_WORKER ||
		    (s = view_of(v->board.processes[i].slot)) == NULL)
			continue;
		out->connections += counted(&s->servers[number].connections);
		out->in_flight += counted(&s->servers[number].in_flight);
		out->down |= serves(v, v->board.processes[i].generation) &&
		    stats_get(&s->servers[number].down) != 0;
	}
}

static int
serves(const struct view *v, uint32_t generation)
{
	return (v->board.serving != 0 && generation == v->board.serving);
}

const char *
view_upstream(const struct view *v, unsigned number)
{
	if (number == STATS_NO_UPSTREAM)
		return ("");
	if (number >= v->board.nupstreams)
		return ("_other");
	return (v->board.upstreams[number].name);
}

const char *
view_export_error(const struct view *v)
{
	static char		 text[STATS_URL_MAX];
	const struct stats_slot	*s;
	uint32_t		 i;

	for (i = 0; i < v->board.nprocesses; i++) {
		if (v->board.processes[i].role != ROLE_FETCHER ||
		    (s = view_of(v->board.processes[i].slot)) == NULL)
			continue;
		memcpy(text, s->export_error, sizeof(text));
		text[sizeof(text) - 1] = '\0';
		return (text);
	}
	return ("");
}

const struct stats_jwks *
view_jwks(const struct view *v, uint32_t generation)
{
	static struct stats_jwks	 found;
	const struct board_process	*p;
	const struct stats_slot		*s;
	uint32_t			 i;

	for (i = 0; i < v->board.nprocesses; i++) {
		p = &v->board.processes[i];
		if (p->role != ROLE_FETCHER || (s = view_of(p->slot)) == NULL)
			continue;
		if (copy_jwks(s, generation, &found) == 0) {
			terminate(&found);
			return (&found);
		}
	}
	return (NULL);
}

/* 0, or -1: not there, or never seen at rest. */
static int
copy_jwks(const struct stats_slot *s, uint32_t generation,
    struct stats_jwks *out)
{
	uint32_t	 turn;
	int		 i, j;

	for (i = 0; i < TRIES; i++) {
		turn = atomic_load_explicit(&s->jwks_turn,
		    memory_order_acquire);
		if (turn % 2 != 0)
			continue;
		for (j = 0; j < STATS_JWKS; j++) {
			memcpy(out, &s->jwks[j], sizeof(*out));
			if (out->generation == generation)
				break;
		}
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&s->jwks_turn,
		    memory_order_acquire) == turn)
			return (j < STATS_JWKS ? 0 : -1);
	}
	return (-1);
}

#define END(a)	((a)[sizeof(a) - 1] = '\0')

static void
terminate(struct stats_jwks *j)
{
	size_t	 i;

	END(j->issuer);
	END(j->url);
	END(j->error);
	for (i = 0; i < STATS_JWKS_KEYS; i++) {
		END(j->keys[i].kid);
		END(j->keys[i].kty);
		END(j->keys[i].alg);
		END(j->keys[i].use);
	}
	for (i = 0; i < STATS_JWKS_SKIPPED; i++) {
		END(j->skipped[i].kid);
		END(j->skipped[i].why);
	}
}
