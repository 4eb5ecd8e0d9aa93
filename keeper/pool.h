/*
 * The threads that hash, and what waits for them.  Bounded in every way:
 * jobs, jobs of one source, threads, and with them memory.
 *
 * Turns go by worker first, for what a worker says may be a lie, and who it is
 * cannot be: one that invents sources, or keys, gets no more of the threads
 * than any other.  Of a worker, jobs that name their key by a prefix of our
 * own go before others, so that a flood of keys that nobody issued does not
 * hold up one that somebody did; then turns go by source.  A job that several
 * workers wait for stands in the line of each, and is done once.
 *
 * All of this is the event loop's; a thread sees one job at a time and
 * nothing else.  A job belongs to the pool from pool_add() until its callback,
 * which must not call pool_add().
 */
#ifndef KEEPER_POOL_H
#define KEEPER_POOL_H

#include <sys/queue.h>

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/proto.h"

#define POOL_JOBS_MAX	256	/* places in line, of one lane */
#define POOL_SOURCE_MAX	32	/* of one source, in one lane */
#define POOL_WAIT_MS	10000	/* nobody waits longer for an answer */

enum pool_lane {
	LANE_NAMED,		/* the prefix of a configured key */
	LANE_OTHER,
	LANE_MAX
};

struct pool_place;

struct pool_job {
	/* filled in by the caller */
	enum pool_lane	 lane;
	size_t		 ncandidates;	/* hashes to try, at least 1 */
	struct phc	 candidate[CONF_NO_PREFIX_MAX];
	size_t		 key_len;
	uint8_t		 key[API_KEY_MAX];
	/* filled in by the pool */
	struct pool_place *places;	/* one of each worker that waits */
	int		 in_work;
	uint64_t	 deadline;	/* ms, monotonic */
	size_t		 next;		/* candidate to try */
	enum key_verdict verdict;
	size_t		 match;		/* candidate, if KEY_OK */
};

/* Start n threads and wait until all of them live; before the sandbox and
 * RLIMIT_NPROC.  done is called in the event loop for each job. Exits on
 * failure. */
void	pool_start(struct event_base *, unsigned n,
	    void (*done)(struct pool_job *));
/*
 * A source, as a worker says, wants a job done.  KEY_OK: the job
 * waits for its turn.  KEY_BUSY or KEY_SHARE: no room, the job stays the
 * caller's.  Where a lane is full, who has much in it makes room for who has
 * little: done is called for jobs that lose their last place.
 */
enum key_verdict pool_add(struct pool_job *, uint64_t worker,
	    uint64_t source);
/* The same for a job that waits already, for another worker or this one:
 * whatever the verdict, it goes on for those who came before. */
enum key_verdict pool_join(struct pool_job *, uint64_t worker,
	    uint64_t source);
/* A worker wants it no more.  When nobody is left and it is not in work, done
 * is called. */
void	pool_leave(struct pool_job *, uint64_t worker);

#endif
