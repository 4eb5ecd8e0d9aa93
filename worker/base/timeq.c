/*
 * Timeout queues and the single libevent timer that serves all of them.
 */
#include <event2/event.h>
#include <stddef.h>

#include "common/log.h"
#include "worker/base/clock.h"
#include "worker/base/timeq.h"

static LIST_HEAD(, timeq) queues = LIST_HEAD_INITIALIZER(queues);
static struct event	*wakeup;
static uint64_t		 armed;		/* deadline of wakeup; 0 none */

static void	 timeq_fire(evutil_socket_t, short, void *);

void
timeq_setup(struct event_base *base)
{
	if ((wakeup = evtimer_new(base, timeq_fire, NULL)) == NULL)
		fatalx("evtimer_new");
}

void
timeq_init(struct timeq *q, uint64_t ms, void (*expired)(struct timer *))
{
	TAILQ_INIT(&q->list);
	q->ms = ms;
	q->expired = expired;
	LIST_INSERT_HEAD(&queues, q, all);
}

void
timer_start(struct timer *t, struct timeq *q)
{
	timer_clear(t);
	if (q->ms == 0)
		return;
	t->deadline = clock_mono() + q->ms;
	t->q = q;
	TAILQ_INSERT_TAIL(&q->list, t, link);
}

void
timer_clear(struct timer *t)
{
	if (t->q == NULL)
		return;
	TAILQ_REMOVE(&t->q->list, t, link);
	t->q = NULL;
}

void
timeq_arm(void)
{
	struct timeq	*q;
	struct timer	*t;
	struct timeval	 tv;
	uint64_t	 now, next = 0, ms;

	LIST_FOREACH(q, &queues, all) {
		t = TAILQ_FIRST(&q->list);
		if (t != NULL && (next == 0 || t->deadline < next))
			next = t->deadline;
	}
	/* an early wake-up does no harm: it looks and arms again */
	if (next == 0 || (armed != 0 && armed <= next))
		return;
	now = clock_mono();
	ms = next > now ? next - now : 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000) * 1000;
	if (evtimer_add(wakeup, &tv) == -1)
		fatalx("evtimer_add");
	armed = next;
}

static void
timeq_fire(evutil_socket_t fd, short what, void *arg)
{
	struct timeq	*q;
	struct timer	*t;

	(void)fd;
	(void)what;
	(void)arg;
	armed = 0;
	LIST_FOREACH(q, &queues, all) {
		while ((t = TAILQ_FIRST(&q->list)) != NULL &&
		    t->deadline <= clock_mono()) {
			timer_clear(t);
			q->expired(t);
		}
	}
}
