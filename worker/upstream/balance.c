/*
 * Which server of an upstream gets a request, and which is left alone for a
 * while: after three failures in a row, for a second, then twice as long each
 * time up to a minute.  After that one request is let through to see.  When
 * no server is up the one that rests least is tried all the same: a gateway
 * that refuses to try loses requests that could have been served.
 *
 * A failure is one to connect, or a health check's.  A connection that ends
 * without an answer, or with one that is none, says as much of the request as
 * of the server: whoever may send requests could have it taken for dead.
 */
#include "common/log.h"
#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/upstream/balance.h"

#define FAILS_MAX	3
#define DOWN_MAX	60	/* s */
#define TELL_MS		1000	/* between two lines on one server */

static void	 count_down(const struct server *, uint64_t);

struct server *
balance_next(struct upstream *u, uint64_t tried)
{
	struct server	*s, *best = NULL;
	size_t		 i, at;

	for (i = 0; i < u->nservers; i++) {
		at = (u->turn + i) % u->nservers;
		s = &u->servers[at];
		if ((tried & 1ULL << at) != 0)
			continue;
		if (balance_usable(s)) {
			u->turn = at + 1;
			/* the one that sees: others wait for what it meets */
			if (s->down_s > 0)
				s->down_until = clock_mono() +
				    s->down_s * 1000ULL;
			return (s);
		}
		if (best == NULL || s->down_until < best->down_until)
			best = s;
	}
	return (best);
}

int
balance_usable(const struct server *s)
{
	return (s->down_s == 0 || clock_mono() >= s->down_until);
}

void
balance_good(struct server *s)
{
	if (s->down_s > 0)
		log_info("upstream.up", LOG_KV(
		    KV("upstream", s->up->conf->name),
		    KV("server", s->conf->authority),
		    KV("path", s->conf->path)), "upstream %s: %s%s is back",
		    s->up->conf->name, s->conf->authority, s->conf->path);
	s->fails = s->down_s = 0;
	count_down(s, 0);
}

void
balance_bad(struct server *s, const char *why)
{
	if (s->down_s == 0)
		balance_tell(s, why);
	if (++s->fails < FAILS_MAX)
		return;
	if (s->down_s == 0)
		log_warnx("upstream.down", LOG_KV(
		    KV("upstream", s->up->conf->name),
		    KV("server", s->conf->authority),
		    KV("path", s->conf->path), KV("error", why)),
		    "upstream %s: %s%s is down: %s", s->up->conf->name,
		    s->conf->authority, s->conf->path, why);
	count_down(s, 1);
	s->down_s = s->down_s == 0 ? 1 : s->down_s * 2 > DOWN_MAX ? DOWN_MAX :
	    s->down_s * 2;
	s->down_until = clock_mono() + s->down_s * 1000ULL;
}

static void
count_down(const struct server *s, uint64_t down)
{
	if (s->conf->number < STATS_SERVERS)
		atomic_store_explicit(&stats->servers[s->conf->number].down,
		    down, memory_order_relaxed);
}

void
balance_tell(struct server *s, const char *why)
{
	if (clock_mono() - s->told < TELL_MS)
		return;
	s->told = clock_mono();
	log_warnx("upstream.failed", LOG_KV(
	    KV("upstream", s->up->conf->name),
	    KV("server", s->conf->authority), KV("path", s->conf->path),
	    KV("error", why)), "upstream %s: %s%s: %s", s->up->conf->name,
	    s->conf->authority, s->conf->path, why);
}
