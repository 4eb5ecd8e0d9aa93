/*
 * What workers get from the fetcher, and the one thing they may ask.
 */
#include <sys/queue.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/imsg.h"
#include "common/log.h"
#include "common/proto.h"
#include "fetcher/otlp.h"
#include "fetcher/peers.h"
#include "fetcher/resolve.h"
#include "fetcher/source.h"

struct generation {
	TAILQ_ENTRY(generation) link;
	uint32_t	 id;
	struct fetcher_conf *conf;
};

struct peer {
	TAILQ_ENTRY(peer) link;
	uint32_t	 gen;
	uint32_t	 id;
	struct channel	*channel;
	struct otlp_source *spans;
};

static struct event_base	*base;
static TAILQ_HEAD(, generation)	 gens = TAILQ_HEAD_INITIALIZER(gens);
static TAILQ_HEAD(, peer)	 peers = TAILQ_HEAD_INITIALIZER(peers);

static void	 peer_message(struct channel *, struct imsg *, void *);
static void	 broke(struct peer *, const char *, const char *);
static void	 peer_free(struct peer *);
static void	 peer_keys(struct peer *, int);
static void	 peer_addrs(struct peer *, const struct generation *, size_t);
static void	 configure_otlp(void);
static struct generation *gen_find(uint32_t);

void
peers_setup(struct event_base *b)
{
	base = b;
}

static struct generation *
gen_find(uint32_t id)
{
	struct generation	*g;

	TAILQ_FOREACH(g, &gens, link)
		if (g->id == id)
			return (g);
	return (NULL);
}

void
peers_generation(uint32_t id, struct fetcher_conf *conf)
{
	struct generation	*g;
	size_t			 i;

	if (gen_find(id) != NULL)
		fatalx("generation %u twice", id);
	if ((g = calloc(1, sizeof(*g))) == NULL)
		fatal("calloc");
	g->id = id;
	g->conf = conf;
	TAILQ_INSERT_TAIL(&gens, g, link);
	for (i = 0; i < conf->nhosts; i++)
		resolve_watch(conf->hosts[i].name);
	configure_otlp();
}

/* The newest one says where spans go, those of older ones, too. */
static void
configure_otlp(void)
{
	struct generation	*g, *newest = NULL;

	TAILQ_FOREACH(g, &gens, link)
		if (newest == NULL || g->id > newest->id)
			newest = g;
	otlp_configure(newest == NULL ? NULL : &newest->conf->telemetry);
}

void
peers_retire(uint32_t id)
{
	struct generation	*g = gen_find(id);
	struct peer		*p, *next;
	size_t			 i;

	if (g == NULL)
		return;
	/* its workers are gone, and may have said something before */
	TAILQ_FOREACH_SAFE(p, &peers, link, next)
		if (p->gen == id)
			channel_drain(p->channel);
	TAILQ_FOREACH_SAFE(p, &peers, link, next)
		if (p->gen == id)
			peer_free(p);
	for (i = 0; i < g->conf->nhosts; i++)
		resolve_unwatch(g->conf->hosts[i].name);
	TAILQ_REMOVE(&gens, g, link);
	configure_otlp();
	fetcher_conf_free(g->conf);
	free(g);
}

void
peers_attach(uint32_t gen, uint32_t id, int fd)
{
	struct generation	*g = gen_find(gen);
	struct peer		*p;
	size_t			 i;

	if (g == NULL) {
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
	if ((p->spans = otlp_source_new()) == NULL)
		fatal("calloc");
	TAILQ_INSERT_TAIL(&peers, p, link);
	if (source_keys(gen) != -1)
		peer_keys(p, source_keys(gen));
	for (i = 0; i < g->conf->nhosts; i++)
		peer_addrs(p, g, i);
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
	if (proto_check(ROLE_WORKER, ROLE_FETCHER, m, &why) == -1) {
		broke(p, proto_name(m->type), why);
		return;
	}
	/* the catalogue lets nothing else through */
	if (m->type == MSG_KEYS_WANTED)
		source_wanted(p->gen);
	else if (otlp_take(p->spans, m->data, m->len) == -1)
		broke(p, proto_name(m->type), "malformed");
}

static void
broke(struct peer *p, const char *message, const char *why)
{
	log_warnx("peer.broke_protocol", LOG_KV(KV("worker", p->id),
	    KV("generation", p->gen), KV("message", message),
	    KV("reason", why)), "worker %u (g%u) broke the protocol: %s: %s",
	    p->id, p->gen, message, why);
	peer_free(p);
}

void
peers_drain(void)
{
	struct peer	*p, *next;

	TAILQ_FOREACH_SAFE(p, &peers, link, next)
		channel_drain(p->channel);
}

static void
peer_free(struct peer *p)
{
	TAILQ_REMOVE(&peers, p, link);
	otlp_source_leave(p->spans);
	channel_free(p->channel);
	free(p);
}

static void
peer_keys(struct peer *p, int fd)
{
	int	 copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy == -1) {
		log_warn("peer.keys_failed", LOG_KV(KV("worker", p->id),
		    KV("generation", p->gen)), "key set for a worker");
		return;
	}
	proto_send_u32(p->channel, MSG_KEYS, p->gen, copy);
}

static void
peer_addrs(struct peer *p, const struct generation *g, size_t i)
{
	struct proto_addr	 addrs[PROTO_ADDRS_MAX];
	size_t			 n;

	if (resolve_get(g->conf->hosts[i].name, addrs, &n))
		proto_send_addrs(p->channel, (uint32_t)i, addrs, n);
}

void
peers_keys(uint32_t gen, int fd)
{
	struct peer	*p;

	TAILQ_FOREACH(p, &peers, link)
		if (p->gen == gen)
			peer_keys(p, fd);
}

void
peers_fetch_done(uint32_t gen, int ok, uint64_t began_ms)
{
	struct peer	*p;

	TAILQ_FOREACH(p, &peers, link)
		if (p->gen == gen)
			proto_send_fetch_done(p->channel, ok, began_ms);
}

void
peers_resolved(const char *name)
{
	struct generation	*g;
	struct peer		*p;
	size_t			 i;

	TAILQ_FOREACH(p, &peers, link) {
		if ((g = gen_find(p->gen)) == NULL)
			continue;
		for (i = 0; i < g->conf->nhosts; i++)
			if (strcmp(g->conf->hosts[i].name, name) == 0)
				peer_addrs(p, g, i);
	}
}
