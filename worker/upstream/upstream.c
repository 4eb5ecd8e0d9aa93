/*
 * Upstreams and their servers, from configuration and fetcher.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/base/peer.h"
#include "worker/upstream/balance.h"
#include "worker/upstream/exchange.h"
#include "worker/upstream/up_addr.h"
#include "worker/upstream/up_tls.h"
#include "worker/upstream/up_wait.h"
#include "worker/upstream/upconn.h"
#include "worker/upstream/upstream.h"
#include "worker/upstream/upstream_int.h"

static struct upstream		*ups;
static size_t			 nups;
static struct server		*servers;	/* of all upstreams */
static size_t			 nservers;

static void	 server_setup(struct server *, struct upstream *,
		    const struct conf_server *);
static int	 take_addrs(struct imsg *);
static void	 set_addrs(size_t, const struct proto_addr *, size_t);
static struct timeq *queue_of(uint64_t, void (*)(struct timer *));

void
upstream_setup(struct event_base *base, const struct worker_conf *conf)
{
	struct upstream	*u;
	size_t		 i, j;

	nups = conf->nupstreams;
	for (i = 0; i < nups; i++)
		nservers += conf->upstreams[i].nservers;
	ups = calloc(nups, sizeof(*ups));
	servers = calloc(nservers, sizeof(*servers));
	if (ups == NULL || servers == NULL)
		fatal("calloc");
	nservers = 0;
	for (i = 0; i < nups; i++) {
		u = &ups[i];
		u->conf = &conf->upstreams[i];
		u->servers = &servers[nservers];
		u->nservers = u->conf->nservers;
		u->q_connect = queue_of(u->conf->t_connect, upconn_expired);
		u->q_response = queue_of(u->conf->t_response, upconn_expired);
		u->q_stream = queue_of(u->conf->t_stream_idle,
		    upconn_expired);
		u->q_wait = queue_of(u->conf->t_connect, up_wait_expired);
		for (j = 0; j < u->nservers; j++)
			server_setup(&servers[nservers++], u,
			    &u->conf->servers[j]);
	}
	peer_handle(ROLE_FETCHER, MSG_ADDRS, take_addrs);
	up_tls_setup(conf, ups);
	exchange_setup(base, ups, nups);
	upconn_setup(base, (size_t)conf->max_connections, servers, nservers,
	    up_wait_wake);
}

static void
server_setup(struct server *s, struct upstream *u,
    const struct conf_server *conf)
{
	s->conf = conf;
	s->up = u;
	TAILQ_INIT(&s->idle);
	TAILQ_INIT(&s->fresh);
	s->literal = up_addr_literal(conf->host, &s->addrs[0]);
	s->resolved = s->literal;
	s->naddrs = s->literal ? 1 : 0;
}

/* One queue for all upstreams that have the same time: each turn of the loop
 * looks at every queue. */
static struct timeq *
queue_of(uint64_t ms, void (*expired)(struct timer *))
{
	static struct {
		struct timeq	*q;
		void		(*expired)(struct timer *);
	} *all;
	static size_t	 n;
	size_t		 i;

	for (i = 0; i < n; i++)
		if (all[i].q->ms == ms && all[i].expired == expired)
			return (all[i].q);
	all = reallocarray(all, n + 1, sizeof(*all));
	if (all == NULL || (all[n].q = calloc(1, sizeof(*all[n].q))) == NULL)
		fatal("calloc");
	all[n].expired = expired;
	timeq_init(all[n].q, ms, expired);
	return (all[n++].q);
}

/* MSG_ADDRS: all addresses of a server's name; servers of all upstreams are
 * counted one after the other. */
static int
take_addrs(struct imsg *m)
{
	struct proto_addr	 addrs[PROTO_ADDRS_MAX];
	uint32_t		 server;
	size_t			 n;

	if (proto_get_addrs(m, &server, addrs, &n) == -1)
		return (-1);
	set_addrs(server, addrs, n);
	return (0);
}

/* n 0: none known.  Those that the host cannot have (up_addr.h) are left out;
 * a literal address stays what it is. */
static void
set_addrs(size_t i, const struct proto_addr *addrs, size_t n)
{
	struct proto_addr	 fit[PROTO_ADDRS_MAX];
	struct server		*s;
	size_t			 k;

	if (i >= nservers || n > PROTO_ADDRS_MAX || servers[i].literal)
		return;
	s = &servers[i];
	s->resolved = 1;
	if ((k = up_addr_fit(s->conf->host, addrs, n, fit)) < n)
		log_warnx("upstream.unfit_addresses", LOG_KV(
		    KV("upstream", s->up->conf->name),
		    KV("host", s->conf->host), KV("addresses", n - k)),
		    "upstream %s: %zu addresses that %s cannot have",
		    s->up->conf->name, n - k, s->conf->host);
	/* a name that is gone for now does not unmake what worked */
	if (k == 0)
		return;
	memcpy(s->addrs, fit, k * sizeof(*fit));
	s->naddrs = k;
	s->first = 0;
}

int
upstream_resolved(void)
{
	size_t	 i;

	for (i = 0; i < nservers; i++)
		if (!servers[i].resolved)
			return (0);
	return (1);
}

size_t
upstream_pick(size_t i)
{
	return ((size_t)(balance_next(&ups[i], 0) - ups[i].servers));
}

void
upstream_judge(size_t i, size_t j, int good, const char *why)
{
	if (good)
		balance_good(&ups[i].servers[j]);
	else
		balance_bad(&ups[i].servers[j], why);
}

int
upstream_usable(size_t i)
{
	size_t	 j;

	for (j = 0; j < ups[i].nservers; j++)
		if (balance_usable(&ups[i].servers[j]))
			return (1);
	return (0);
}

void
upstream_turn_end(void)
{
	upconn_turn_end();
	exchange_turn_end();
}
