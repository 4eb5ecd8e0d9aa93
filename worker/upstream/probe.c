/*
 * One probe per server; it is never asked again before it has answered.
 */
#include <stdlib.h>

#include "common/log.h"
#include "common/mono.h"
#include "worker/upstream/exchange.h"
#include "worker/upstream/probe.h"
#include "worker/upstream/upstream.h"
#include "worker/wire/http1_put.h"

struct probe {
	const struct conf_upstream *conf;
	size_t		 upstream;
	size_t		 server;
	struct event	*ev;		/* the next one */
	struct event	*late;		/* health.timeout */
	struct exchange	*ex;		/* under way, or NULL */
};

static struct probe	*probes;
static size_t		 nprobes;

static void	 probe_new(struct event_base *, const struct worker_conf *,
		    size_t, size_t);
static void	 probe_now(evutil_socket_t, short, void *);
static void	 probe_late(evutil_socket_t, short, void *);
static int	 put_head(void *, size_t, struct buf *);
static void	 probe_over(struct probe *, int, const char *);
static void	 got_head(void *, const struct http1_head *);
static void	 got_data(void *, const char *, size_t);
static void	 got_all(void *);
static void	 got_nothing(void *, enum exchange_error, const char *);

static const struct exchange_cb callbacks = {
	.put_head = put_head,
	.head = got_head,
	.data = got_data,
	.done = got_all,
	.fail = got_nothing
};

void
probe_setup(struct event_base *base, const struct worker_conf *conf)
{
	size_t	 i, j;

	for (i = 0; i < conf->nupstreams; i++)
		if (conf->upstreams[i].health_path != NULL)
			nprobes += conf->upstreams[i].nservers;
	if (nprobes == 0)
		return;
	if ((probes = calloc(nprobes, sizeof(*probes))) == NULL)
		fatal("calloc");
	nprobes = 0;
	for (i = 0; i < conf->nupstreams; i++)
		for (j = 0; conf->upstreams[i].health_path != NULL &&
		    j < conf->upstreams[i].nservers; j++)
			probe_new(base, conf, i, j);
}

static void
probe_new(struct event_base *base, const struct worker_conf *conf, size_t i,
    size_t j)
{
	struct probe	*p = &probes[nprobes++];
	struct timeval	 tv;

	p->conf = &conf->upstreams[i];
	p->upstream = i;
	p->server = j;
	p->ev = event_new(base, -1, EV_PERSIST, probe_now, p);
	p->late = evtimer_new(base, probe_late, p);
	tv = mono_timeval(p->conf->health_interval);
	if (p->ev == NULL || p->late == NULL || event_add(p->ev, &tv) == -1)
		fatalx("event_new");
	/* what is down should be known before the first request */
	event_active(p->ev, EV_TIMEOUT, 0);
}

void
probe_stop(void)
{
	size_t	 i;

	for (i = 0; i < nprobes; i++) {
		event_del(probes[i].ev);
		event_del(probes[i].late);
		if (probes[i].ex != NULL)
			exchange_cancel(probes[i].ex);
		probes[i].ex = NULL;
	}
	nprobes = 0;
}

static void
probe_now(evutil_socket_t fd, short what, void *arg)
{
	struct probe	*p = arg;
	struct buf	 body = { 0 };
	struct timeval	 tv = mono_timeval(p->conf->health_timeout);
	struct exchange_request	 x = {
		.upstream = p->upstream,
		.server = p->server,
		.method = "GET",
		.body = &body,
		.pinned = 1,
		.probe = 1,
		.cb = &callbacks,
		.arg = p
	};

	(void)fd;
	(void)what;
	if (p->ex != NULL)
		return;
	if ((p->ex = exchange_start(&x)) != NULL)
		evtimer_add(p->late, &tv);
}

static int
put_head(void *arg, size_t server, struct buf *b)
{
	const struct conf_upstream *u = ((struct probe *)arg)->conf;
	struct slice	 none = { NULL, 0 };
	size_t		 i;

	http1_put_request(b, "GET", slice_of(u->health_path), none,
	    conf_server_authority(u, &u->servers[server]));
	http1_put_field(b, slice_of("User-Agent"), slice_of("mcpgw-health"));
	http1_put_field(b, slice_of("Accept"), slice_of("*/*"));
	for (i = 0; i < u->nheaders; i++)
		http1_put_field(b, slice_of(u->headers[i].name),
		    slice_of(u->headers[i].value));
	return (buf_check(b));
}

static void
probe_over(struct probe *p, int good, const char *why)
{
	evtimer_del(p->late);
	if (p->ex != NULL)
		exchange_cancel(p->ex);
	p->ex = NULL;
	upstream_judge(p->upstream, p->server, good, why);
}

static void
probe_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	probe_over(arg, 0, "no answer to its health check in time");
}

/* The head says it all. */
static void
got_head(void *arg, const struct http1_head *h)
{
	probe_over(arg, h->status < 500, "its health check says 5xx");
}

static void
got_data(void *arg, const char *p, size_t len)
{
	(void)arg;
	(void)p;
	(void)len;
}

static void
got_all(void *arg)
{
	((struct probe *)arg)->ex = NULL;
}

/* Told to balance.c where it happened. */
static void
got_nothing(void *arg, enum exchange_error error, const char *why)
{
	struct probe	*p = arg;

	(void)error;
	(void)why;
	p->ex = NULL;
	evtimer_del(p->late);
}
