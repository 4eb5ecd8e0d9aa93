/*
 * A line of workers; in each two lanes, in each of these a line of sources,
 * served in turn.  A thread gets one hash at a time: a job with eight
 * candidates delays a named one by one hash, not by eight.
 *
 * Threads and event loop share nothing but the job in work, whose address
 * goes to and fro over a socketpair.  There is no lock that a thread could
 * hold while the scheduler keeps it from running.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/argon2id.h"
#include "common/log.h"
#include "common/mono.h"
#include "keeper/pool.h"

/* Where a job stands in line. */
struct pool_place {
	TAILQ_ENTRY(pool_place) link;
	struct pool_place *next;	/* of the same job */
	struct pool_job	*job;
	struct source	*source;
};

TAILQ_HEAD(pool_places, pool_place);

/* Places of one source, in the order they came. */
struct source {
	TAILQ_ENTRY(source) link;
	struct worker	*worker;
	uint64_t	 id;
	struct pool_places places;	/* but for jobs in work */
	size_t		 n;		/* with those */
};

TAILQ_HEAD(sources, source);

struct worker {
	TAILQ_ENTRY(worker) link;
	uint64_t	 id;
	struct {
		struct sources	 sources;	/* whose turn it is, first */
		size_t		 n;		/* places of all of them */
	}		 lane[LANE_MAX];
};

#define NICE	10		/* a tenth of an event loop's weight */

/* A socket of its own for each thread; the thread has the other end. */
struct thread {
	struct event	*ev;
	int		 fd;
	int		 theirs;
	int		 warm;		/* has memory of a hash */
	struct pool_job	*job;		/* in work, or NULL */
};

static TAILQ_HEAD(, worker)	 workers = TAILQ_HEAD_INITIALIZER(workers);
static size_t		 nplaces[LANE_MAX];	/* of all workers */
static struct thread	*threads;
static unsigned		 nthreads;
static void		(*on_done)(struct pool_job *);

static void	 thread_start(struct event_base *, struct thread *);
static void	*thread_main(void *);
static void	 try_one(struct pool_job *);
static int	 pass(int, struct pool_job *);
static int	 receive(int, struct pool_job **);
static void	 dispatch(void);
static struct pool_job *take(void);
static struct pool_job *take_from(struct worker *);
static void	 put_back(struct pool_job *);
static void	 finish(struct pool_job *);
static void	 came_back(evutil_socket_t, short, void *);
static enum key_verdict place_add(struct pool_job *, uint64_t, uint64_t);
static void	 place_free(struct pool_place *);
static int	 over_share(enum pool_lane, uint64_t, uint64_t);
static int	 make_room(enum pool_lane, uint64_t);
static struct worker *worker_find(uint64_t);
static struct worker *worker_get(uint64_t);
static struct source *source_find(struct worker *, enum pool_lane, uint64_t);
static struct source *source_get(struct worker *, enum pool_lane, uint64_t);
static void	 tidy(struct worker *, enum pool_lane, struct source *);

void
pool_start(struct event_base *base, unsigned n, void (*done)(struct pool_job *))
{
	on_done = done;
	if ((threads = calloc(n, sizeof(*threads))) == NULL)
		fatal("calloc");
	for (nthreads = 0; nthreads < n; nthreads++)
		thread_start(base, &threads[nthreads]);
}

static void
thread_start(struct event_base *base, struct thread *t)
{
	struct pool_job	*none;
	pthread_t	 id;
	int		 sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		fatal("socketpair");
	t->fd = sv[0];
	t->theirs = sv[1];
	if (pthread_create(&id, NULL, thread_main, t) != 0 ||
	    pthread_detach(id) != 0)
		fatalx("pthread_create");
	/* its first word: it is what it is to be before the sandbox closes */
	if (receive(t->fd, &none) == -1)
		fatal("a thread did not start");
	t->ev = event_new(base, t->fd, EV_READ | EV_PERSIST, came_back, t);
	if (t->ev == NULL || event_add(t->ev, NULL) == -1)
		fatalx("event_new");
}

static void *
thread_main(void *arg)
{
	const struct sched_param	 param = { 0 };
	const struct thread		*t = arg;
	struct pool_job			*job;
	int				 fd = t->theirs;

	/* hashing takes what requests leave, and a tenth of what they want:
	 * with nothing at all (SCHED_IDLE) a right key would wait for as long
	 * as somebody else is busy.  Of this thread alone, on Linux */
	if (sched_setscheduler(0, SCHED_BATCH, &param) == -1 ||
	    setpriority(PRIO_PROCESS, 0, NICE) == -1)
		fatal("a thread's priority");
	if (pass(fd, NULL) == -1)
		fatal("sendmsg");
	while (receive(fd, &job) == 0) {
		if (job == NULL) {
			argon2id_rest();
			continue;
		}
		try_one(job);
		if (pass(fd, job) == -1)
			break;
	}
	return (NULL);
}

static void
try_one(struct pool_job *job)
{
	switch (argon2id_matches(&job->candidate[job->next], job->key,
	    job->key_len)) {
	case 1:
		job->verdict = KEY_OK;
		job->match = job->next;
		break;
	case -1:
		/* it might have been the one */
		job->verdict = KEY_FAILED;
		break;
	}
	job->next++;
}

static int
pass(int fd, struct pool_job *job)
{
	struct iovec	 iov = { &job, sizeof(job) };
	struct msghdr	 msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t		 n;

	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return (n == sizeof(job) ? 0 : -1);
}

static int
receive(int fd, struct pool_job **job)
{
	struct iovec	 iov = { job, sizeof(*job) };
	struct msghdr	 msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t		 n;

	do
		n = recvmsg(fd, &msg, 0);
	while (n == -1 && errno == EINTR);
	return (n == sizeof(*job) ? 0 : -1);
}

/* Give idle threads what waits. */
static void
dispatch(void)
{
	struct pool_job	*job;
	unsigned	 i;

	for (i = 0; i < nthreads; i++) {
		if (threads[i].job != NULL)
			continue;
		if ((job = take()) == NULL) {
			/* it may be long until the next one */
			if (threads[i].warm && pass(threads[i].fd, NULL) == -1)
				fatal("sendmsg");
			threads[i].warm = 0;
			continue;
		}
		threads[i].job = job;
		threads[i].warm = 1;
		if (pass(threads[i].fd, job) == -1)
			fatal("sendmsg");
	}
}

/* A thread is done with one hash. */
static void
came_back(evutil_socket_t fd, short what, void *arg)
{
	struct thread	*t = arg;
	struct pool_job	*job;

	(void)what;
	if (receive(fd, &job) == -1 || job == NULL || job != t->job)
		fatalx("a thread is gone");
	t->job = NULL;
	if (job->verdict != KEY_OK && job->next < job->ncandidates &&
	    job->places != NULL && mono_ms() <= job->deadline)
		put_back(job);
	else {
		if (job->verdict != KEY_OK && job->next < job->ncandidates)
			job->verdict = KEY_BUSY;
		finish(job);
	}
	dispatch();
}

static struct pool_job *
take(void)
{
	struct worker	*w, *next;
	struct pool_job	*job = NULL;

	for (w = TAILQ_FIRST(&workers); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if ((job = take_from(w)) == NULL)
			continue;
		if (mono_ms() <= job->deadline)
			return (job);
		/* whoever asked has given up; the line is another one now */
		job->verdict = KEY_BUSY;
		finish(job);
		next = TAILQ_FIRST(&workers);
	}
	return (NULL);
}

/* Of its first source that has one waiting, in the first lane; they go to the
 * end of their lines. */
static struct pool_job *
take_from(struct worker *w)
{
	struct source		*s = NULL;
	struct pool_place	*p;
	struct pool_job		*job;
	unsigned		 i;

	for (i = 0; i < LANE_MAX && s == NULL; i++)
		TAILQ_FOREACH(s, &w->lane[i].sources, link)
			if (!TAILQ_EMPTY(&s->places))
				break;
	if (s == NULL)
		return (NULL);
	i--;
	TAILQ_REMOVE(&w->lane[i].sources, s, link);
	TAILQ_INSERT_TAIL(&w->lane[i].sources, s, link);
	TAILQ_REMOVE(&workers, w, link);
	TAILQ_INSERT_TAIL(&workers, w, link);
	job = TAILQ_FIRST(&s->places)->job;
	job->in_work = 1;
	for (p = job->places; p != NULL; p = p->next)
		TAILQ_REMOVE(&p->source->places, p, link);
	return (job);
}

static void
put_back(struct pool_job *job)
{
	struct pool_place	*p;

	job->in_work = 0;
	for (p = job->places; p != NULL; p = p->next)
		TAILQ_INSERT_HEAD(&p->source->places, p, link);
}

/* It has its verdict, and no thread has it. */
static void
finish(struct pool_job *job)
{
	while (job->places != NULL)
		place_free(job->places);
	explicit_bzero(job->key, sizeof(job->key));
	on_done(job);
}

enum key_verdict
pool_add(struct pool_job *job, uint64_t worker, uint64_t source)
{
	enum key_verdict	 v;

	job->places = NULL;
	job->in_work = 0;
	job->next = job->match = 0;
	job->verdict = KEY_WRONG;
	job->deadline = mono_ms() + POOL_WAIT_MS;
	if ((v = place_add(job, worker, source)) == KEY_OK)
		dispatch();
	return (v);
}

enum key_verdict
pool_join(struct pool_job *job, uint64_t worker, uint64_t source)
{
	struct pool_place	*p;

	for (p = job->places; p != NULL; p = p->next)
		if (p->source->worker->id == worker)
			return (KEY_OK);
	return (place_add(job, worker, source));
}

void
pool_leave(struct pool_job *job, uint64_t worker)
{
	struct pool_place	*p;

	for (p = job->places; p != NULL; p = p->next)
		if (p->source->worker->id == worker) {
			place_free(p);
			break;
		}
	if (job->places != NULL || job->in_work)
		return;
	job->verdict = KEY_BUSY;
	finish(job);
}

static enum key_verdict
place_add(struct pool_job *job, uint64_t worker, uint64_t source)
{
	struct pool_place	*p;
	struct worker		*w;
	struct source		*s;

	if (over_share(job->lane, worker, source))
		return (KEY_SHARE);
	if (nplaces[job->lane] >= POOL_JOBS_MAX &&
	    !make_room(job->lane, worker))
		return (KEY_BUSY);
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (KEY_BUSY);
	if ((w = worker_get(worker)) == NULL ||
	    (s = source_get(w, job->lane, source)) == NULL) {
		if (w != NULL)
			tidy(w, job->lane, NULL);
		free(p);
		return (KEY_BUSY);
	}
	p->job = job;
	p->source = s;
	p->next = job->places;
	job->places = p;
	if (!job->in_work)
		TAILQ_INSERT_TAIL(&s->places, p, link);
	s->n++;
	w->lane[job->lane].n++;
	nplaces[job->lane]++;
	return (KEY_OK);
}

static void
place_free(struct pool_place *p)
{
	struct source		 *s = p->source;
	struct worker		 *w = s->worker;
	struct pool_place	**at = &p->job->places;
	enum pool_lane		  lane = p->job->lane;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	if (!p->job->in_work)
		TAILQ_REMOVE(&s->places, p, link);
	free(p);
	s->n--;
	w->lane[lane].n--;
	nplaces[lane]--;
	tidy(w, lane, s);
}

/*
 * Has this source all that it may have?  What other workers say counts, but
 * none of them can take from this one its part of it.
 */
static int
over_share(enum pool_lane lane, uint64_t worker, uint64_t source)
{
	struct worker	*w;
	struct source	*s;
	size_t		 all = 0, mine = 0, n = 1, part;

	TAILQ_FOREACH(w, &workers, link) {
		if ((s = source_find(w, lane, source)) == NULL)
			continue;
		all += s->n;
		if (w->id == worker)
			mine = s->n;
		else
			n++;
	}
	part = n < POOL_SOURCE_MAX ? POOL_SOURCE_MAX / n : 1;
	return (all >= POOL_SOURCE_MAX && mine >= part);
}

/* The last place of the largest source of the worker that has most, if that
 * is more than this one will have.  1, or 0: there is none to be had. */
static int
make_room(enum pool_lane lane, uint64_t worker)
{
	struct worker		*w, *most = NULL, *own = worker_find(worker);
	struct source		*s, *large = NULL;
	struct pool_place	*p;
	struct pool_job		*job;

	TAILQ_FOREACH(w, &workers, link)
		if (most == NULL || w->lane[lane].n > most->lane[lane].n)
			most = w;
	if (most == NULL || most->lane[lane].n <=
	    (own == NULL ? 0 : own->lane[lane].n) + 1)
		return (0);
	TAILQ_FOREACH(s, &most->lane[lane].sources, link)
		if (!TAILQ_EMPTY(&s->places) &&
		    (large == NULL || s->n > large->n))
			large = s;
	if (large == NULL)
		return (0);
	p = TAILQ_LAST(&large->places, pool_places);
	job = p->job;
	place_free(p);
	if (job->places == NULL) {
		job->verdict = KEY_BUSY;
		finish(job);
	}
	return (1);
}

static struct worker *
worker_find(uint64_t id)
{
	struct worker	*w;

	TAILQ_FOREACH(w, &workers, link)
		if (w->id == id)
			break;
	return (w);
}

/* There are never more of them, nor of sources, than places. */
static struct worker *
worker_get(uint64_t id)
{
	struct worker	*w;
	unsigned	 i;

	if ((w = worker_find(id)) != NULL ||
	    (w = calloc(1, sizeof(*w))) == NULL)
		return (w);
	w->id = id;
	for (i = 0; i < LANE_MAX; i++)
		TAILQ_INIT(&w->lane[i].sources);
	TAILQ_INSERT_TAIL(&workers, w, link);
	return (w);
}

static struct source *
source_find(struct worker *w, enum pool_lane lane, uint64_t id)
{
	struct source	*s;

	TAILQ_FOREACH(s, &w->lane[lane].sources, link)
		if (s->id == id)
			break;
	return (s);
}

static struct source *
source_get(struct worker *w, enum pool_lane lane, uint64_t id)
{
	struct source	*s;

	if ((s = source_find(w, lane, id)) != NULL ||
	    (s = calloc(1, sizeof(*s))) == NULL)
		return (s);
	s->worker = w;
	s->id = id;
	TAILQ_INIT(&s->places);
	TAILQ_INSERT_TAIL(&w->lane[lane].sources, s, link);
	return (s);
}

/* Free what is empty.  s may be NULL. */
static void
tidy(struct worker *w, enum pool_lane lane, struct source *s)
{
	unsigned	 i;

	if (s != NULL && s->n == 0) {
		TAILQ_REMOVE(&w->lane[lane].sources, s, link);
		free(s);
	}
	for (i = 0; i < LANE_MAX; i++)
		if (w->lane[i].n > 0)
			return;
	TAILQ_REMOVE(&workers, w, link);
	free(w);
}
