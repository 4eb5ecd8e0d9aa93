/*
 * Timeouts by class.  All timers of one queue have the same length, so that a
 * queue is a list in order of expiry and setting, moving and clearing a timer
 * cost nothing but pointers; no kernel timer is armed per connection.
 */
#ifndef BASE_TIMEQ_H
#define BASE_TIMEQ_H

#include <sys/queue.h>

#include <stdint.h>

struct event_base;
struct timeq;

struct timer {
	TAILQ_ENTRY(timer) link;
	struct timeq	*q;		/* where it is, or NULL */
	uint64_t	 deadline;
};

TAILQ_HEAD(timer_list, timer);

struct timeq {
	struct timer_list list;
	uint64_t	 ms;		/* 0: timers of this queue never fire */
	void		(*expired)(struct timer *);
	LIST_ENTRY(timeq) all;
};

/* ms: how long its timers run.  expired is called with the timer already
 * cleared. */
void	timeq_init(struct timeq *, uint64_t ms, void (*)(struct timer *));
/* Start, or start again from now (of clock_mono()); leaves any other queue. */
void	timer_start(struct timer *, struct timeq *);
void	timer_clear(struct timer *);

/* Once: where the queues get their wake-up from. */
void	timeq_setup(struct event_base *);
/* At the end of a turn: arm one wake-up for the earliest timer of all. */
void	timeq_arm(void);

#endif
