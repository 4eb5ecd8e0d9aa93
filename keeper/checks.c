/*
 * Workers and their questions.  A worker may have been taken over: whatever
 * it claims, it gets a bounded part of the queue and no more.
 */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/imsg.h"
#include "common/log.h"
#include "common/proto.h"
#include "common/stats.h"
#include "keeper/checks.h"
#include "keeper/sign.h"
#include "keeper/store.h"

#define PEER_WAITERS_MAX	1024

struct peer {
	TAILQ_ENTRY(peer) link;
	uint32_t	 gen;
	uint32_t	 id;
	struct channel	*channel;
	size_t		 nwaiters;
};

/* Somebody who wants to know. */
struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct peer	*peer;
	uint64_t	 id;		/* of the question, the peer's */
};

struct check {
	struct pool_job	 job;		/* first: found by it */
	TAILQ_ENTRY(check) link;
	TAILQ_HEAD(, waiter) waiters;
	uint32_t	 gen;
	uint64_t	 began;		/* us, monotonic */
	struct store_match match;
	uint8_t		 mark[KEYED_HASH_LEN];
};

static struct event_base	*base;
static TAILQ_HEAD(, peer)	 peers = TAILQ_HEAD_INITIALIZER(peers);
static TAILQ_HEAD(, check)	 checks = TAILQ_HEAD_INITIALIZER(checks);
static int			 finishing;

static void	 peer_message(struct channel *, struct imsg *, void *);
static void	 peer_free(struct peer *);
static int	 sign_for(struct peer *, const struct imsg *);
static int	 ask(struct peer *, const struct imsg *);
static enum key_verdict begin(struct peer *, uint64_t, uint64_t,
		    const uint8_t *, size_t, uint32_t *);
static struct check *check_find(uint32_t, const uint8_t *);
static struct check *check_new(const struct peer *, const uint8_t *, size_t);
static enum key_verdict check_join(struct check *, struct peer *, uint64_t,
		    uint64_t);
static uint64_t	 worker_of(const struct peer *);
static void	 check_free(struct check *);
static int	 wait_for(struct check *, struct peer *, uint64_t);
static void	 count(const struct check *);
static uint64_t	 now_us(void);

void
checks_setup(struct event_base *b)
{
	base = b;
}

void
checks_attach(uint32_t gen, uint32_t id, int fd)
{
	struct peer	*p;

	if (!store_has(gen)) {
		/* retired meanwhile */
		close(fd);
		return;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL)
		fatal("calloc");
	p->gen = gen;
	p->id = id;
	if ((p->channel = channel_new(base, fd, peer_message, p)) == NULL)
		fatalx("channel_new");
	TAILQ_INSERT_TAIL(&peers, p, link);
}

void
checks_retire(uint32_t gen)
{
	struct peer	*p, *next;

	TAILQ_FOREACH_SAFE(p, &peers, link, next)
		if (p->gen == gen)
			peer_free(p);
	store_retire(gen);
}

void
checks_finish(void)
{
	finishing = 1;
	if (TAILQ_EMPTY(&peers))
		_exit(0);
}

static void
peer_free(struct peer *p)
{
	struct check	*c, *next_check;
	struct waiter	*w, *next;

	TAILQ_FOREACH_SAFE(c, &checks, link, next_check) {
		TAILQ_FOREACH_SAFE(w, &c->waiters, link, next)
			if (w->peer == p) {
				TAILQ_REMOVE(&c->waiters, w, link);
				free(w);
			}
		/* whoever takes its place has a line of its own */
		pool_leave(&c->job, worker_of(p));
	}
	TAILQ_REMOVE(&peers, p, link);
	channel_free(p->channel);
	free(p);
	if (finishing && TAILQ_EMPTY(&peers))
		_exit(0);
}

static void
peer_message(struct channel *ch, struct imsg *m, void *arg)
{
	struct peer	*p = arg;
	const char	*why;

	(void)ch;
	if (m == NULL) {
		peer_free(p);
		return;
	}
	if (proto_check(ROLE_WORKER, ROLE_KEEPER, m, &why) == 0) {
		why = "malformed";
		if ((m->type == MSG_SIGN ? sign_for(p, m) : ask(p, m)) == 0)
			return;
	}
	log_warnx("peer.broke_protocol", LOG_KV(KV("worker", p->id),
	    KV("generation", p->gen), KV("message", proto_name(m->type)),
	    KV("reason", why)),
	    "worker %u (g%u) broke the protocol: %s: %s", p->id, p->gen,
	    proto_name(m->type), why);
	peer_free(p);
}

/* Computed at once: it takes a millisecond, and a handshake waits for it.
 * 0, or -1: malformed. */
static int
sign_for(struct peer *p, const struct imsg *m)
{
	struct sign_key	*key;
	const uint8_t	*tbs;
	uint8_t		 sig[PROTO_SIGNATURE_MAX];
	uint64_t	 id;
	uint32_t	 number;
	uint16_t	 alg;
	size_t		 len, n = 0;

	if (proto_get_sign(m, &id, &number, &alg, &tbs, &len) == -1)
		return (-1);
	if ((key = store_sign_key(p->gen, number)) != NULL)
		n = sign(key, alg, tbs, len, sig, sizeof(sig));
	stats_add(STATS_SIGNATURES, n > 0);
	if (n == 0)
		log_warnx("sign.refused", LOG_KV(KV("worker", p->id),
		    KV("generation", p->gen), KV("key", number)),
		    "worker %u (g%u): a signature was refused", p->id,
		    p->gen);
	(void)proto_send_signature(p->channel, id, sig, n);
	return (0);
}

/* 0, or -1: malformed. */
static int
ask(struct peer *p, const struct imsg *m)
{
	const uint8_t		*key;
	enum key_verdict	 v;
	uint64_t		 id, source;
	uint32_t		 index = 0;
	size_t			 len;

	if (proto_get_key_check(m, &id, &source, &key, &len) == -1)
		return (-1);
	v = begin(p, id, source, key, len, &index);
	stats_add(STATS_CHECKS_BUSY, v == KEY_BUSY || v == KEY_SHARE);
	/* KEY_VERDICT_MAX: none yet */
	if (v != KEY_VERDICT_MAX)
		(void)proto_send_key_result(p->channel, id, v, index);
	return (0);
}

/* An answer that can be had at once, or KEY_VERDICT_MAX: it will come. */
static enum key_verdict
begin(struct peer *p, uint64_t id, uint64_t source, const uint8_t *key,
    size_t len, uint32_t *index)
{
	struct store_match	 match;
	struct check		*c;
	enum key_verdict	 v;
	uint8_t			 mark[KEYED_HASH_LEN];
	size_t			 i;

	if (store_mark(key, len, mark) == -1)
		return (KEY_FAILED);
	if ((v = store_find(p->gen, key, len, mark, &match)) != KEY_BUSY) {
		*index = match.index[0];
		return (v);
	}
	if ((c = check_find(p->gen, mark)) != NULL)
		return (check_join(c, p, id, source));
	if ((c = check_new(p, key, len)) == NULL)
		return (KEY_BUSY);
	c->job.lane = match.named ? LANE_NAMED : LANE_OTHER;
	c->job.ncandidates = match.n;
	for (i = 0; i < match.n; i++)
		c->job.candidate[i] = *store_hash(p->gen, match.index[i]);
	c->match = match;
	memcpy(c->mark, mark, sizeof(mark));
	if (wait_for(c, p, id) == -1)
		v = KEY_BUSY;
	else if ((v = pool_add(&c->job, worker_of(p), source)) == KEY_OK) {
		TAILQ_INSERT_TAIL(&checks, c, link);
		stats_gauge_inc(STATS_G_KEEPER_QUEUED);
		return (KEY_VERDICT_MAX);
	}
	check_free(c);
	return (v);
}

/* It is under way: stand in line for it, too, and not only behind those that
 * another worker has there. */
static enum key_verdict
check_join(struct check *c, struct peer *p, uint64_t id, uint64_t source)
{
	enum key_verdict	 v;

	if ((v = pool_join(&c->job, worker_of(p), source)) != KEY_OK)
		return (v);
	return (wait_for(c, p, id) == -1 ? KEY_BUSY : KEY_VERDICT_MAX);
}

/* Who it is, by what the master said of it. */
static uint64_t
worker_of(const struct peer *p)
{
	return ((uint64_t)p->gen << 32 | p->id);
}

static struct check *
check_find(uint32_t gen, const uint8_t *mark)
{
	struct check	*c;

	TAILQ_FOREACH(c, &checks, link)
		if (c->gen == gen &&
		    memcmp(c->mark, mark, KEYED_HASH_LEN) == 0)
			break;
	return (c);
}

static struct check *
check_new(const struct peer *p, const uint8_t *key, size_t len)
{
	struct check	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	TAILQ_INIT(&c->waiters);
	c->began = now_us();
	c->gen = p->gen;
	c->job.key_len = len;
	memcpy(c->job.key, key, len);
	return (c);
}

/* Not on the list (any more). */
static void
check_free(struct check *c)
{
	struct waiter	*w;

	while ((w = TAILQ_FIRST(&c->waiters)) != NULL) {
		TAILQ_REMOVE(&c->waiters, w, link);
		w->peer->nwaiters--;
		free(w);
	}
	explicit_bzero(c, sizeof(*c));
	free(c);
}

static int
wait_for(struct check *c, struct peer *p, uint64_t id)
{
	struct waiter	*w;

	if (p->nwaiters >= PEER_WAITERS_MAX ||
	    (w = calloc(1, sizeof(*w))) == NULL)
		return (-1);
	w->peer = p;
	w->id = id;
	p->nwaiters++;
	TAILQ_INSERT_TAIL(&c->waiters, w, link);
	return (0);
}

void
checks_done(struct pool_job *job)
{
	struct check	*c = (struct check *)job;
	struct waiter	*w;
	uint32_t	 index = 0;

	if (job->verdict == KEY_OK) {
		index = c->match.index[job->match];
		store_learn(&job->candidate[job->match], c->mark);
	}
	if (job->verdict == KEY_FAILED)
		log_warnx("api_key.check_failed", NULL,
		    "an API key could not be checked: no memory");
	TAILQ_REMOVE(&checks, c, link);
	count(c);
	TAILQ_FOREACH(w, &c->waiters, link)
		/* one that does not read loses its answer, and its peer
		 * drains or dies by itself */
		(void)proto_send_key_result(w->peer->channel, w->id,
		    job->verdict, index);
	check_free(c);
}

/* One that nobody waits for any more may not have been looked at. */
static void
count(const struct check *c)
{
	stats_gauge_dec(STATS_G_KEEPER_QUEUED);
	if (c->job.verdict == KEY_BUSY || c->job.verdict == KEY_SHARE) {
		stats_inc(STATS_CHECKS_BUSY);
		return;
	}
	stats_inc(STATS_CHECKS);
	stats_time_us(&stats->keeper, now_us() - c->began);
}

static uint64_t
now_us(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}
