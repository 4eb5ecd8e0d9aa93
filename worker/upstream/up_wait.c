/*
 * A connection that gets free goes to the address that has fewest, in turn.
 */
#include <stdlib.h>

#include "common/log.h"
#include "worker/base/clock.h"
#include "worker/upstream/up_wait.h"

#define WAITING_MAX	1024		/* per upstream */
#define TOO_LONG	"upstream's max_connections reached"

static struct upstream		*ups;
static size_t			 nups;
static struct event		*wake_ev;	/* somebody may stop waiting */
static const struct up_wait_cb	*cb;

static void	 stop(struct up_wait *);
static int	 give_way(struct upstream *, const struct source *);
static void	 standing_give_way(struct upstream *);
static int	 may_end(const struct up_wait *);
static struct up_wait *next(const struct upstream *);
static void	 wake(evutil_socket_t, short, void *);
static void	 wake_one(struct upstream *);

void
up_wait_setup(struct event_base *base, struct upstream *u, size_t n,
    const struct up_wait_cb *callbacks)
{
	size_t	 i;

	ups = u;
	nups = n;
	cb = callbacks;
	if ((wake_ev = event_new(base, -1, 0, wake, NULL)) == NULL)
		fatalx("event_new");
	for (i = 0; i < n; i++) {
		TAILQ_INIT(&u[i].waiting);
		TAILQ_INIT(&u[i].standing);
		if (u[i].conf->max_connections > 0 && (u[i].sources =
		    calloc(UP_SOURCES, sizeof(*u->sources))) == NULL)
			fatal("calloc");
	}
}

void
up_wait_init(struct up_wait *w, struct upstream *u, uint32_t source,
    int standing)
{
	w->up = u;
	if (u->sources == NULL)
		return;
	w->source = &u->sources[source % UP_SOURCES];
	if (standing) {
		w->standing = 1;
		TAILQ_INSERT_TAIL(&u->standing, w, standing_link);
	}
}

void
up_wait_init_probe(struct up_wait *w, struct upstream *u)
{
	w->up = u;
	w->turn = 1;
}

int
up_wait_must(const struct up_wait *w)
{
	return (w->up->nwaiting > 0 && !w->turn);
}

void
up_wait_got(struct up_wait *w)
{
	if (w->source == NULL || w->busy)
		return;
	w->busy = 1;
	w->source->busy++;
	w->source->last = ++w->up->given;
}

void
up_wait_streams(struct up_wait *w)
{
	if (w->source == NULL || w->standing)
		return;
	w->standing = 1;
	w->since = clock_mono();
	TAILQ_INSERT_TAIL(&w->up->standing, w, standing_link);
}

void
up_wait_end(struct up_wait *w)
{
	stop(w);
	if (w->busy)
		w->source->busy--;
	if (w->standing)
		TAILQ_REMOVE(&w->up->standing, w, standing_link);
	w->busy = w->standing = 0;
}

int
up_wait_begin(struct up_wait *w)
{
	struct upstream	*u = w->up;

	if (u->nwaiting >= WAITING_MAX && give_way(u, w->source) == -1)
		return (-1);
	w->waiting = 1;
	u->nwaiting++;
	if (w->source != NULL) {
		w->source->waiting++;
		/* once: it would be woken in a circle */
		if (!w->turn && w->source->busy == 0 &&
		    !TAILQ_EMPTY(&u->standing)) {
			u->short_of = 1;
			up_wait_wake(u);
		}
	}
	TAILQ_INSERT_TAIL(&u->waiting, w, link);
	timer_start(&w->timer, u->q_wait);
	return (0);
}

static void
stop(struct up_wait *w)
{
	struct upstream	*u = w->up;

	if (!w->waiting)
		return;
	w->waiting = 0;
	u->nwaiting--;
	if (w->source != NULL)
		w->source->waiting--;
	TAILQ_REMOVE(&u->waiting, w, link);
	timer_clear(&w->timer);
}

/* The queue is full: the last of the source that waits most leaves, for one
 * that waits less.  0, or -1: there is none. */
static int
give_way(struct upstream *u, const struct source *mine)
{
	struct up_wait	*w;
	const struct source *most;
	size_t		 i;

	if (mine == NULL)
		return (-1);
	for (most = u->sources, i = 1; i < UP_SOURCES; i++)
		if (u->sources[i].waiting > most->waiting)
			most = &u->sources[i];
	if (most->waiting <= mine->waiting + 1)
		return (-1);
	TAILQ_FOREACH_REVERSE(w, &u->waiting, up_wait_list, link)
		if (w->source == most)
			break;
	if (w == NULL)
		return (-1);
	cb->leave(w, TOO_LONG);
	return (0);
}

/* One address has more than half of the connections, with streams that may
 * never end, and another has none: the oldest such stream ends. */
static void
standing_give_way(struct upstream *u)
{
	struct up_wait	*w;

	u->short_of = 0;
	TAILQ_FOREACH(w, &u->waiting, link)
		if (w->source != NULL && w->source->busy == 0)
			break;
	if (w == NULL)
		return;
	TAILQ_FOREACH(w, &u->standing, standing_link)
		if (may_end(w))
			break;
	if (w != NULL)
		cb->leave(w, "upstream's max_connections: others wait");
}

/* Any other answer to a request would be late by then. */
static int
may_end(const struct up_wait *w)
{
	const struct conf_upstream	*conf = w->up->conf;

	return (w->busy && w->source->busy > conf->max_connections / 2 &&
	    (w->since == 0 || clock_mono() - w->since > conf->t_response));
}

/* Of those that wait the one whose source has least, or has waited longest for
 * its turn; the first of them. */
static struct up_wait *
next(const struct upstream *u)
{
	struct up_wait	*w, *best = NULL;
	const struct source *a, *b;

	TAILQ_FOREACH(w, &u->waiting, link) {
		if ((a = w->source) == NULL)
			return (w);
		b = best == NULL ? NULL : best->source;
		if (b == NULL || a->busy < b->busy ||
		    (a->busy == b->busy && a->last < b->last))
			best = w;
	}
	return (best);
}

void
up_wait_expired(struct timer *t)
{
	cb->leave((struct up_wait *)(void *)((char *)t -
	    offsetof(struct up_wait, timer)), TOO_LONG);
}

void
up_wait_wake(const struct upstream *u)
{
	if (u->nwaiting > 0)
		event_active(wake_ev, EV_TIMEOUT, 0);
}

/* A connection was closed or became idle. */
static void
wake(evutil_socket_t fd, short what, void *arg)
{
	size_t	 i;

	(void)fd;
	(void)what;
	(void)arg;
	for (i = 0; i < nups; i++)
		if (ups[i].nwaiting > 0) {
			if (ups[i].short_of)
				standing_give_way(&ups[i]);
			wake_one(&ups[i]);
		}
}

static void
wake_one(struct upstream *u)
{
	struct up_wait	*w;
	size_t		 n = u->nwaiting;

	while (n-- > 0 && (w = next(u)) != NULL) {
		stop(w);
		w->turn = 1;
		cb->turn(w);
		if (w->waiting)
			break;		/* at the end now, like the others */
	}
}
