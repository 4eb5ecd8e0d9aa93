/*
 * Asking children whether they live.  Time is counted in questions, not by the
 * clock: a master that was stopped itself blames nobody.  Nor does it count
 * against a child that others had the processors, or that a disk is slow.
 */
#include "common/log.h"
#include "daemon/liveness.h"

#define SLOW_TICKS	3	/* seconds: the log speaks of it */
/* of those in which it had the chance to answer: it is ended */
#define HUNG_TICKS	10U
#define DRAIN_TICKS	5U	/* the same while it is to drain */
#define BOOT_TICKS	30U	/* to say hello */
/* whatever kept it from answering */
#define PATIENCE_TICKS	60U
#define PATIENCE_DRAIN_TICKS 30U
#define DYING_TICKS	5	/* to be gone, once its channel is closed */

static struct event	*tick_ev;
static void		(*on_hung)(struct process *);

static void	 tick(evutil_socket_t, short, void *);
static int	 is_undead(struct process *);
static int	 is_hung(struct process *);
static int	 is_silent(struct process *, int);

void
liveness_setup(struct event_base *base, void (*hung)(struct process *))
{
	struct timeval	 tv = { 1, 0 };

	on_hung = hung;
	tick_ev = event_new(base, -1, EV_PERSIST, tick, NULL);
	if (tick_ev == NULL || evtimer_add(tick_ev, &tv) == -1)
		fatalx("liveness: no memory");
}

int
liveness_pong(struct process *p)
{
	if (!p->pinged)
		return (-1);
	if (p->waited >= SLOW_TICKS)
		log_info("child.answers", LOG_KV(PROCESS_KV(p),
		    KV("seconds", p->waited)), "%s answers again",
		    process_name(p));
	p->pinged = 0;
	p->silent = p->waited = 0;
	return (0);
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct process	*p;

	(void)fd;
	(void)what;
	(void)arg;
	log_tick();
	/* whoever is ended leaves the list when it is reaped, not before */
	TAILQ_FOREACH(p, process_all(), link) {
		process_tell_dropped(p);
		if (p->channel == NULL ? is_undead(p) : is_hung(p))
			on_hung(p);
	}
}

/* Once for each: who stays after a SIGKILL is in the kernel's hands. */
static int
is_undead(struct process *p)
{
	if (++p->dying != DYING_TICKS)
		return (0);
	log_warnx("child.killed", LOG_KV(PROCESS_KV(p),
	    KV("reason", "not_ended"), KV("seconds", DYING_TICKS)),
	    "%s (pid %d) did not end in %d s: killed", process_name(p),
	    (int)p->pid, DYING_TICKS);
	return (1);
}

static int
is_hung(struct process *p)
{
	int	 chance = chance_had(p->pid, &p->chance);

	if (!p->acked) {
		p->silent += (unsigned)chance;
		if (++p->waited < PATIENCE_TICKS && p->silent < BOOT_TICKS)
			return (0);
		log_warnx("child.killed", LOG_KV(PROCESS_KV(p),
		    KV("reason", "not_started"), KV("seconds", p->waited)),
		    "%s (pid %d) did not start in %u s: killed",
		    process_name(p), (int)p->pid, p->waited);
		return (1);
	}
	/* until then it may judge requests by a configuration of the past */
	if (p->draining && !p->drained)
		p->undrained += (unsigned)chance;
	if (p->undrained >= HUNG_TICKS && !p->drained) {
		log_warnx("child.killed", LOG_KV(PROCESS_KV(p),
		    KV("reason", "not_drained"), KV("seconds", HUNG_TICKS)),
		    "%s (pid %d) did not stop to accept in %u s: killed",
		    process_name(p), (int)p->pid, HUNG_TICKS);
		return (1);
	}
	return (is_silent(p, chance));
}

static int
is_silent(struct process *p, int chance)
{
	int	 leaves = p->draining && !p->drained;

	if (!p->pinged) {
		p->pinged = 1;
		p->silent = p->waited = 0;
		if (proto_send_empty(p->channel, MSG_PING) == 0)
			return (0);
		log_warnx("child.killed", LOG_KV(PROCESS_KV(p),
		    KV("reason", "reads_nothing")),
		    "%s (pid %d) reads no messages: killed",
		    process_name(p), (int)p->pid);
		return (1);
	}
	p->silent += (unsigned)chance;
	if (++p->waited == SLOW_TICKS)
		log_warnx("child.slow", LOG_KV(PROCESS_KV(p),
		    KV("seconds", p->waited)),
		    "%s (pid %d) has not answered for %d s",
		    process_name(p), (int)p->pid, SLOW_TICKS);
	if (p->silent < (leaves ? DRAIN_TICKS : HUNG_TICKS) &&
	    p->waited < (leaves ? PATIENCE_DRAIN_TICKS : PATIENCE_TICKS))
		return (0);
	log_warnx("child.killed", LOG_KV(PROCESS_KV(p),
	    KV("reason", "silent"), KV("seconds", p->waited)),
	    "%s (pid %d) has not answered for %u s: killed",
	    process_name(p), (int)p->pid, p->waited);
	return (1);
}
