/*
 * Two lanes of jobs, in each a queue per source, served in turn.  A thread
 * gets one hash at a time: a job with eight candidates delays a named one by
 * one hash, not by eight.
 *
 * Threads and event loop share nothing but the job in work, whose address
 * goes to and fro over a socketpair.  There is no lock that a thread could
 * hold while the scheduler, for which hashing is idle work, keeps it from
 * running.
 */
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

/* Jobs of one source, in the order they came. */
struct source {
	TAILQ_ENTRY(source) link;
	uint64_t	 id;
	struct pool_jobs jobs;
	size_t		 n;		/* waiting or in work */
};

struct lane {
	TAILQ_HEAD(, source) sources;	/* whose turn it is, first */
	size_t		 n;		/* jobs of all of them */
};

/* A socket of its own for each thread; the thread has the other end. */
struct thread {
	struct event	*ev;
	int		 fd;
	int		 theirs;
	int		 warm;		/* has memory of a hash */
	struct pool_job	*job;		/* in work, or NULL */
};

static struct lane	 lanes[LANE_MAX];
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
static struct pool_job *take_from(struct lane *);
static void	 put_back(struct pool_job *);
static void	 came_back(evutil_socket_t, short, void *);
static struct source *source_find(struct lane *, uint64_t);
static struct source *source_get(struct lane *, uint64_t);
static void	 source_left(struct pool_job *);

void
pool_start(struct event_base *base, unsigned n, void (*done)(struct pool_job *))
{
	unsigned	 i;

	on_done = done;
	for (i = 0; i < LANE_MAX; i++)
		TAILQ_INIT(&lanes[i].sources);
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

	/* hashing takes what requests leave */
	if (sched_setscheduler(0, SCHED_IDLE, &param) == -1)
		fatal("SCHED_IDLE");
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
	    mono_ms() <= job->deadline) {
		put_back(job);
		job = NULL;
	} else if (job->verdict != KEY_OK && job->next < job->ncandidates)
		job->verdict = KEY_BUSY;
	if (job != NULL) {
		source_left(job);
		explicit_bzero(job->key, sizeof(job->key));
		on_done(job);
	}
	dispatch();
}

static struct pool_job *
take(void)
{
	struct pool_job	*job;
	unsigned	 i;

	for (i = 0; i < LANE_MAX; i++)
		while ((job = take_from(&lanes[i])) != NULL) {
			if (mono_ms() <= job->deadline)
				return (job);
			/* whoever asked has given up */
			job->verdict = KEY_BUSY;
			source_left(job);
			explicit_bzero(job->key, sizeof(job->key));
			on_done(job);
		}
	return (NULL);
}

/* Of the first source that has one waiting; it goes to the end of the line. */
static struct pool_job *
take_from(struct lane *l)
{
	struct source	*s;
	struct pool_job	*job;

	TAILQ_FOREACH(s, &l->sources, link) {
		if ((job = TAILQ_FIRST(&s->jobs)) == NULL)
			continue;
		TAILQ_REMOVE(&s->jobs, job, link);
		TAILQ_REMOVE(&l->sources, s, link);
		TAILQ_INSERT_TAIL(&l->sources, s, link);
		return (job);
	}
	return (NULL);
}

static void
put_back(struct pool_job *job)
{
	struct source	*s = source_find(&lanes[job->lane], job->source);

	TAILQ_INSERT_HEAD(&s->jobs, job, link);
}

enum key_verdict
pool_add(struct pool_job *job)
{
	struct lane	*l = &lanes[job->lane];
	struct source	*s;

	job->next = job->match = 0;
	job->verdict = KEY_WRONG;
	job->deadline = mono_ms() + POOL_WAIT_MS;
	if (l->n >= POOL_JOBS_MAX || (s = source_get(l, job->source)) == NULL)
		return (KEY_BUSY);
	if (s->n >= POOL_SOURCE_MAX)
		return (KEY_SHARE);
	TAILQ_INSERT_TAIL(&s->jobs, job, link);
	s->n++;
	l->n++;
	dispatch();
	return (KEY_OK);
}

static struct source *
source_find(struct lane *l, uint64_t id)
{
	struct source	*s;

	TAILQ_FOREACH(s, &l->sources, link)
		if (s->id == id)
			break;
	return (s);
}

/* There are never more sources than jobs. */
static struct source *
source_get(struct lane *l, uint64_t id)
{
	struct source	*s;

	if ((s = source_find(l, id)) != NULL ||
	    (s = calloc(1, sizeof(*s))) == NULL)
		return (s);
	s->id = id;
	TAILQ_INIT(&s->jobs);
	TAILQ_INSERT_TAIL(&l->sources, s, link);
	return (s);
}

static void
source_left(struct pool_job *job)
{
	struct lane	*l = &lanes[job->lane];
	struct source	*s = source_find(l, job->source);

	l->n--;
	if (--s->n > 0)
		return;
	TAILQ_REMOVE(&l->sources, s, link);
	free(s);
}
