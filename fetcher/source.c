/*
 * When to fetch key sets, and what to do with what comes.
 *
 * Fetches on demand are paced: one at a time, and PACE_MS between the starts
 * of two.  A flood of tokens with invented kids therefore costs the
 * authorization server no more than that, and can never use up what a
 * rotation needs: a request whose key is new waits for the next fetch, and
 * that is never further away than a worker holds it.
 */
#include <sys/queue.h>

#include <openssl/sha.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/jwk.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/mono.h"
#include "common/stats.h"
#include "fetcher/http.h"
#include "fetcher/source.h"
#include "fetcher/told.h"

#define PRIME_MS	10000
#define REFRESH_MS	10000
#define DEMAND_MS	5000
#define PACE_MS		1500
#define RETRY_MIN	1000
#define RETRY_MAX	60000
#define SAID_MAX	16	/* skipped keys of one document in the log */

struct user {
	TAILQ_ENTRY(user) link;
	uint32_t	 gen;
	int		 waiting;	/* for the outcome of the prime */
};

struct source {
	TAILQ_ENTRY(source) link;
	TAILQ_HEAD(, user) users;
	char		*issuer;
	char		*url;
	char		*ca;
	size_t		 ca_len;
	uint64_t	 ttl;		/* ms */
	uint64_t	 max_stale;	/* ms beyond that; 0: for ever */
	uint64_t	 good;		/* when the last good one began */
	struct event	*stale;		/* to warn of that, then to act */
	int		 warned;
	struct http_get	*get;		/* under way */
	uint64_t	 began;		/* when the last one began */
	uint64_t	 demanded;	/* when the last on demand began */
	int		 wanted;	/* another one is due after this */
	struct event	*refresh;	/* the schedule */
	struct event	*demand;	/* the pace */
	uint64_t	 retry;		/* ms; 0 while all is well */
	int		 fd;		/* sealed, packed; or -1 */
	uint8_t		*packed;
	size_t		 packed_len;
	int		 restored;	/* from before a crash */
	uint8_t		 said[32];	/* what was skipped last, hashed */
	struct stats_jwks told;		/* of all that, for the monitor */
};

/* What one document has that cannot be used. */
struct skips {
	size_t		 n;
	struct jwk_skip	 skip[JWK_SET_MAX];
};

static struct event_base	*base;
static struct source_cb		 cb;
static TAILQ_HEAD(, source)	 sources = TAILQ_HEAD_INITIALIZER(sources);

static struct source *source_find(uint32_t, struct user **);
static struct source *source_like(const struct fetcher_conf *);
static struct source *source_new(const struct fetcher_conf *);
static void	 source_free(struct source *);
static void	 fetch(struct source *, long);
static void	 fetched(void *, const struct http_reply *);
static int	 take(struct source *, const struct http_reply *, char *,
		    size_t);
static int	 keep(struct source *, struct jwk_set *);
static int	 type_ok(const char *);
static void	 skipped(void *, const struct jwk_skip *);
static void	 say_skipped(struct source *, const struct skips *);
static void	 name_skipped(const struct skips *, char *, size_t);
static void	 schedule(struct source *);
static void	 tell(const struct source *);
static void	 prime_over(struct source *, int, const char *);
static void	 refresh_due(evutil_socket_t, short, void *);
static void	 demand_due(evutil_socket_t, short, void *);
static void	 stale_arm(struct source *);
static void	 stale_due(evutil_socket_t, short, void *);
static void	 arm(struct event *, uint64_t);

void
source_setup(struct event_base *b, const struct source_cb *c)
{
	base = b;
	cb = *c;
}

static void
arm(struct event *ev, uint64_t ms)
{
	struct timeval	 tv = mono_timeval(ms);

	if (evtimer_add(ev, &tv) == -1)
		fatalx("evtimer_add");
}

static struct source *
source_find(uint32_t gen, struct user **user)
{
	struct source	*s;
	struct user	*u;

	TAILQ_FOREACH(s, &sources, link)
		TAILQ_FOREACH(u, &s->users, link)
			if (u->gen == gen) {
				if (user != NULL)
					*user = u;
				return (s);
			}
	return (NULL);
}

static struct source *
source_like(const struct fetcher_conf *c)
{
	struct source	*s;

	TAILQ_FOREACH(s, &sources, link)
		if (strcmp(s->issuer, c->issuer) == 0 &&
		    strcmp(s->url, c->jwks_url) == 0 &&
		    (s->ca == NULL) == (c->ca == NULL) &&
		    s->ca_len == c->ca_len &&
		    (s->ca == NULL || memcmp(s->ca, c->ca, s->ca_len) == 0))
			return (s);
	return (NULL);
}

static struct source *
source_new(const struct fetcher_conf *c)
{
	struct source	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		fatal("calloc");
	TAILQ_INIT(&s->users);
	s->fd = -1;
	s->issuer = strdup(c->issuer);
	s->url = strdup(c->jwks_url);
	if (c->ca != NULL && (s->ca = malloc(c->ca_len + 1)) != NULL) {
		memcpy(s->ca, c->ca, c->ca_len);
		s->ca[c->ca_len] = '\0';
		s->ca_len = c->ca_len;
	}
	s->refresh = evtimer_new(base, refresh_due, s);
	s->demand = evtimer_new(base, demand_due, s);
	s->stale = evtimer_new(base, stale_due, s);
	if (s->issuer == NULL || s->url == NULL || s->refresh == NULL ||
	    s->demand == NULL || s->stale == NULL ||
	    (c->ca != NULL && s->ca == NULL))
		fatalx("source: no memory");
	TAILQ_INSERT_TAIL(&sources, s, link);
	told_init(&s->told, s->issuer, s->url);
	return (s);
}

static void
source_free(struct source *s)
{
	TAILQ_REMOVE(&sources, s, link);
	http_cancel(s->get);
	event_free(s->refresh);
	event_free(s->demand);
	event_free(s->stale);
	if (s->fd != -1)
		close(s->fd);
	free(s->packed);
	free(s->issuer);
	free(s->url);
	free(s->ca);
	free(s);
}

void
source_attach(uint32_t gen, const struct fetcher_conf *c)
{
	struct source	*s;
	struct user	*u;

	if (!c->oauth) {
		cb.primed(gen, 1, "");
		return;
	}
	if ((s = source_like(c)) == NULL)
		s = source_new(c);
	if ((u = calloc(1, sizeof(*u))) == NULL)
		fatal("calloc");
	u->gen = gen;
	u->waiting = 1;
	TAILQ_INSERT_TAIL(&s->users, u, link);
	told_put(&s->told, gen);
	s->ttl = c->cache_ttl_ms;
	s->max_stale = c->max_stale_ms;
	if (s->fd != -1) {
		/* live already: an authorization server that is down now
		 * must not stand in the way; the master keeps the set for
		 * this generation, too */
		cb.keys(gen, s->fd);
		prime_over(s, 1, "");
		schedule(s);
		stale_arm(s);
		/* but somebody who reloads may have a new key in mind */
		source_wanted(gen);
	} else if (s->get == NULL)
		fetch(s, PRIME_MS);
}

void
source_detach(uint32_t gen)
{
	struct user	*u = NULL;
	struct source	*s;

	if ((s = source_find(gen, &u)) == NULL)
		return;
	TAILQ_REMOVE(&s->users, u, link);
	told_drop(gen);
	free(u);
	if (TAILQ_EMPTY(&s->users))
		source_free(s);
}

void
source_restore(uint32_t gen, int fd)
{
	struct source	*s = source_find(gen, NULL);
	struct jwk_set	*set = NULL;
	const void	*p;
	size_t		 len;

	if (s == NULL || s->fd != -1 ||
	    memfd_map(fd, JWK_PACKED_MAX, &p, &len) == -1) {
		close(fd);
		return;
	}
	if ((set = jwk_set_unpack(p, len)) != NULL && keep(s, set) != -1) {
		s->restored = 1;
		s->good = mono_ms();
		stale_arm(s);
		tell(s);
		log_info("jwks.restored", LOG_KV(KV("url", s->url)),
		    "oauth: going on with the last good key set");
		prime_over(s, 1, "");
	}
	jwk_set_free(set);
	memfd_unmap(p, len);
	close(fd);
}

int
source_keys(uint32_t gen)
{
	struct source	*s = source_find(gen, NULL);

	return (s == NULL ? -1 : s->fd);
}

void
source_wanted(uint32_t gen)
{
	struct source	*s = source_find(gen, NULL);
	uint64_t	 next, now = mono_ms();

	if (s == NULL)
		return;
	s->wanted = 1;
	if (s->get != NULL || evtimer_pending(s->demand, NULL))
		return;
	next = s->demanded == 0 ? now : s->demanded + PACE_MS;
	arm(s->demand, next > now ? next - now : 0);
}

static void
demand_due(evutil_socket_t fd, short what, void *arg)
{
	struct source	*s = arg;

	(void)fd;
	(void)what;
	if (s->get == NULL) {
		s->demanded = mono_ms();
		fetch(s, DEMAND_MS);
	}
}

static void
refresh_due(evutil_socket_t fd, short what, void *arg)
{
	struct source	*s = arg;

	(void)fd;
	(void)what;
	if (s->get == NULL)
		fetch(s, REFRESH_MS);
}

static void
fetch(struct source *s, long ms)
{
	struct http_reply	 r;

	s->wanted = 0;
	s->began = mono_ms();
	evtimer_del(s->demand);
	s->get = http_get(s->url, s->ca, s->ca_len, JWK_JSON_MAX, ms, fetched,
	    s);
	if (s->get == NULL) {
		memset(&r, 0, sizeof(r));
		r.error = "out of memory";
		fetched(s, &r);
	}
}

static void
fetched(void *arg, const struct http_reply *r)
{
	struct source	*s = arg;
	struct user	*u, *next;
	char		 why[768] = "";
	int		 ok;

	s->get = NULL;
	ok = take(s, r, why, sizeof(why)) == 0;
	told_fetched(&s->told, ok ? NULL : why);
	stats_inc(ok ? STATS_JWKS_REFRESHES : STATS_JWKS_FAILURES);
	if (ok && s->retry != 0 && s->fd != -1)
		log_info("jwks.recovered", LOG_KV(KV("url", s->url)),
		    "oauth: refresh jwks: works again");
	if (!ok && s->fd != -1)
		log_warnx("jwks.refresh_failed", LOG_KV(KV("url", s->url),
		    KV("error", why)), "oauth: refresh jwks: %s: %s; keeping "
		    "the last good key set", s->url, why);
	if (ok) {
		s->retry = 0;
		s->good = s->began;
		stale_arm(s);
	}
	else if ((s->retry = s->retry == 0 ? RETRY_MIN : s->retry * 2) >
	    RETRY_MAX)
		s->retry = RETRY_MAX;
	TAILQ_FOREACH(u, &s->users, link)
		cb.done(u->gen, ok, s->began);
	/* who waited for the prime learns now; a generation that fails is
	 * retired by the master, not here */
	TAILQ_FOREACH_SAFE(u, &s->users, link, next)
		if (u->waiting) {
			char	 text[1024];

			snprintf(text, sizeof(text), "%s: %s", s->url, why);
			u->waiting = 0;
			cb.primed(u->gen, ok, ok ? "" : text);
		}
	schedule(s);
	if (s->wanted) {
		s->wanted = 0;
		if (!TAILQ_EMPTY(&s->users))
			source_wanted(TAILQ_FIRST(&s->users)->gen);
	}
}

/* A little early, so that many gateways do not ask at one time. */
static void
schedule(struct source *s)
{
	uint64_t	 ms = s->ttl;

	if (s->retry != 0)
		ms = s->retry < s->ttl ? s->retry : s->ttl;
	else if (s->restored) {
		ms = RETRY_MIN;
		s->restored = 0;
	} else
		ms -= (uint64_t)random() % (s->ttl / 10 + 1);
	arm(s->refresh, ms);
	told_next(&s->told, ms);
	tell(s);
}

static void
tell(const struct source *s)
{
	const struct user	*u;

	TAILQ_FOREACH(u, &s->users, link)
		told_put(&s->told, u->gen);
}

/*
 * From the last fetch that went well: after ttl the set is stale, and may be
 * used for max_stale more.  Half of that is time to do something about it.
 */
static void
stale_arm(struct source *s)
{
	uint64_t	 now = mono_ms(), due;

	s->warned = 0;
	evtimer_del(s->stale);
	if (s->max_stale == 0)
		return;
	due = s->good + s->ttl + s->max_stale / 2;
	arm(s->stale, due > now ? due - now : 0);
}

static void
stale_due(evutil_socket_t fd, short what, void *arg)
{
	struct source	*s = arg;
	struct jwk_set	 none = { NULL, 0 };
	uint64_t	 left = s->max_stale - s->max_stale / 2;

	(void)fd;
	(void)what;
	if (!s->warned) {
		s->warned = 1;
		log_warnx("jwks.stale", LOG_KV(KV("url", s->url),
		    KV("ms", left)), "oauth: the key set of %s is stale; in "
		    "%llu s no token will be taken any more", s->url,
		    (unsigned long long)left / 1000);
		arm(s->stale, left);
		return;
	}
	log_errx("jwks.expired", LOG_KV(KV("url", s->url)),
	    "oauth: the key set of %s is too old "
	    "(auth.oauth.jwks_max_stale): no token is taken until there is "
	    "another one", s->url);
	if (keep(s, &none) == -1)
		fatalx("no memory");
	tell(s);
}

/* 0: the reply is a usable key set and is in force; -1: why says why not. */
static int
take(struct source *s, const struct http_reply *r, char *why, size_t size)
{
	static struct skips	 skips;
	struct jwk_set		*set;
	const char		*reason = NULL;
	int			 kept;

	if (!r->ok) {
		snprintf(why, size, "%s", r->error);
		return (-1);
	}
	if (!type_ok(r->content_type)) {
		snprintf(why, size, "content type \"%.80s\" (expected "
		    "application/json or application/jwk-set+json)",
		    r->content_type == NULL ? "" : r->content_type);
		return (-1);
	}
	memset(&skips, 0, sizeof(skips));
	set = jwk_set_parse(r->body, r->len, skipped, &skips, &reason);
	say_skipped(s, &skips);
	told_skipped(&s->told, skips.skip, skips.n);
	if (set == NULL) {
		snprintf(why, size, "%s", reason);
		if (strcmp(reason, JWK_UNUSABLE) == 0)
			name_skipped(&skips, why, size);
		return (-1);
	}
	kept = keep(s, set);
	jwk_set_free(set);
	if (kept == -1)
		snprintf(why, size, "cannot be kept: out of memory");
	return (kept == -1 ? -1 : 0);
}

static int
type_ok(const char *type)
{
	size_t	 n;

	if (type == NULL)
		return (0);
	n = strcspn(type, "; \t");
	return ((n == 16 && strncasecmp(type, "application/json", n) == 0) ||
	    (n == 24 && strncasecmp(type, "application/jwk-set+json", n) == 0));
}

/* Put a set in force and tell of it.  1 it is new, 0 the same, -1 error. */
static int
keep(struct source *s, struct jwk_set *set)
{
	struct wbuf	 w;
	struct user	*u;
	int		 fd;

	wbuf_init(&w, JWK_PACKED_MAX);
	jwk_set_pack(set, &w);
	if (w.failed || (fd = memfd_seal("keys", w.data, w.len)) == -1) {
		wbuf_free(&w);
		return (-1);
	}
	told_keys(&s->told, set);
	if (s->fd != -1 && s->packed_len == w.len &&
	    memcmp(s->packed, w.data, w.len) == 0) {
		close(fd);
		wbuf_free(&w);
		return (0);
	}
	if (s->fd != -1)
		close(s->fd);
	free(s->packed);
	s->fd = fd;
	s->packed = w.data;
	s->packed_len = w.len;
	log_info("jwks.fetched", LOG_KV(KV("url", s->url),
	    KV("keys", set->n)), "oauth: %zu keys from %s", set->n, s->url);
	TAILQ_FOREACH(u, &s->users, link)
		cb.keys(u->gen, fd);
	return (1);
}

static void
skipped(void *arg, const struct jwk_skip *skip)
{
	struct skips	*skips = arg;

	if (skips->n < JWK_SET_MAX)
		skips->skip[skips->n++] = *skip;
}

/* Once, and not with every refresh. */
static void
say_skipped(struct source *s, const struct skips *skips)
{
	const struct jwk_skip	*k;
	uint8_t			 hash[sizeof(s->said)];
	size_t			 i;

	SHA256((const unsigned char *)skips->skip,
	    skips->n * sizeof(skips->skip[0]), hash);
	if (memcmp(hash, s->said, sizeof(hash)) == 0)
		return;
	memcpy(s->said, hash, sizeof(hash));
	for (i = 0; i < skips->n && i < SAID_MAX; i++) {
		k = &skips->skip[i];
		if (k->is_private)
			log_warnx("jwks.private_key", LOG_KV(
			    KV("url", s->url), KV("key", k->index),
			    KV("kid", k->kid), KV("error", k->why)),
			    "oauth: jwks %s: key %zu (kid \"%.64s\") "
			    "skipped: %s; whoever has seen it can make "
			    "tokens", s->url, k->index, k->kid, k->why);
		else
			log_info("jwks.key_skipped", LOG_KV(
			    KV("url", s->url), KV("key", k->index),
			    KV("kid", k->kid), KV("error", k->why)),
			    "oauth: jwks %s: key %zu (kid \"%.64s\") "
			    "skipped: %s", s->url, k->index, k->kid, k->why);
	}
	if (i < skips->n)
		log_info("jwks.keys_skipped", LOG_KV(KV("url", s->url),
		    KV("keys", skips->n - i)),
		    "oauth: jwks %s: %zu more keys skipped", s->url,
		    skips->n - i);
}

/* Behind "no usable key": which ones there are, and why not. */
static void
name_skipped(const struct skips *skips, char *why, size_t size)
{
	size_t	 i, n = strlen(why);
	int	 len;

	for (i = 0; i < skips->n && n < size; i++) {
		len = snprintf(why + n, size - n, "%s key %zu (kid "
		    "\"%.64s\"): %s", i == 0 ? ":" : ";",
		    skips->skip[i].index, skips->skip[i].kid,
		    skips->skip[i].why);
		if (len < 0 || (size_t)len >= size - n) {
			/* as many as are whole */
			why[n] = '\0';
			break;
		}
		n += (size_t)len;
	}
}

static void
prime_over(struct source *s, int ok, const char *why)
{
	struct user	*u, *next;

	TAILQ_FOREACH_SAFE(u, &s->users, link, next)
		if (u->waiting) {
			u->waiting = 0;
			cb.primed(u->gen, ok, why);
		}
}
