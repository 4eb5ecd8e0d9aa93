/*
 * Exchanges with upstreams: which server and connection carries one, waiting
 * for a connection at max_connections, another server when one cannot be
 * reached.  Nothing is sent twice: an exchange moves on as long as nothing of
 * it has been sent.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/up_addr.h"
#include "worker/up_tls.h"
#include "worker/upstream_int.h"

#define WAITING_MAX	1024		/* exchanges per upstream */

static struct event_base	*base;
static struct upstream		*ups;
static size_t			 nups;
static struct server		*servers;	/* of all, one after the other */
static size_t			 nservers;
static struct event		*wake_ev;	/* somebody may stop waiting */
static struct exchange_list	 dead_ex = TAILQ_HEAD_INITIALIZER(dead_ex);

static void	 server_setup(struct server *, struct upstream *,
		    const struct conf_server *);
static struct timeq *queue_of(uint64_t, void (*)(struct timer *));
static int	 exchange_wait(struct exchange *);
static void	 wait_end(struct exchange *);
static int	 wait_give_way(struct upstream *, const struct source *);
static void	 standing_give_way(struct upstream *);
static struct exchange *wait_next(const struct upstream *);
static void	 wait_expired(struct timer *);
static void	 wake(evutil_socket_t, short, void *);
static void	 wake_one(struct upstream *);
static int	 exchange_aim(struct exchange *, const struct server *);
static void	 exchange_uncount(struct exchange *);
static void	 exchange_end(struct exchange *);

void
upstream_setup(struct event_base *b, const struct worker_conf *conf)
{
	struct upstream	*u;
	size_t		 i, j;

	base = b;
	nups = conf->nupstreams;
	for (i = 0; i < nups; i++)
		nservers += conf->upstreams[i].nservers;
	ups = calloc(nups, sizeof(*ups));
	servers = calloc(nservers, sizeof(*servers));
	wake_ev = event_new(base, -1, 0, wake, NULL);
	if (ups == NULL || servers == NULL || wake_ev == NULL)
		fatal("calloc");
	nservers = 0;
	for (i = 0; i < nups; i++) {
		u = &ups[i];
		u->conf = &conf->upstreams[i];
		u->servers = &servers[nservers];
		u->nservers = u->conf->nservers;
		TAILQ_INIT(&u->waiting);
		TAILQ_INIT(&u->standing);
		if (u->conf->max_connections > 0 && (u->sources = calloc(
		    EXCHANGE_SOURCES, sizeof(*u->sources))) == NULL)
			fatal("calloc");
		u->q_connect = queue_of(u->conf->t_connect, upconn_expired);
		u->q_response = queue_of(u->conf->t_response, upconn_expired);
		u->q_stream = queue_of(u->conf->t_stream_idle,
		    upconn_expired);
		u->q_wait = queue_of(u->conf->t_connect, wait_expired);
		for (j = 0; j < u->nservers; j++)
			server_setup(&servers[nservers++], u,
			    &u->conf->servers[j]);
	}
	up_tls_setup(conf, ups);
	upconn_setup(base, (size_t)conf->max_connections, servers, nservers);
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

void
upstream_set_addrs(size_t i, const struct proto_addr *addrs, size_t n)
{
	struct proto_addr	 fit[PROTO_ADDRS_MAX];
	struct server		*s;
	size_t			 k;

	if (i >= nservers || n > PROTO_ADDRS_MAX || servers[i].literal)
		return;
	s = &servers[i];
	s->resolved = 1;
	if ((k = up_addr_fit(s->conf->host, addrs, n, fit)) < n)
		log_warnx("upstream %s: %zu addresses that %s cannot have",
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

struct exchange *
exchange_start(size_t upstream, size_t server, int flags, const char *method,
    size_t line_len, struct buf *head, struct buf *body,
    const struct exchange_cb *cb, void *arg)
{
	struct exchange	*ex;

	if (upstream >= nups || server >= ups[upstream].nservers ||
	    (ex = calloc(1, sizeof(*ex))) == NULL)
		return (NULL);
	ex->cb = cb;
	ex->arg = arg;
	ex->method = method;
	ex->line_len = line_len;
	ex->server = &ups[upstream].servers[server];
	ex->tried = 1ULL << server;
	ex->pinned = (flags & EXCHANGE_PINNED) != 0;
	ex->probe = (flags & EXCHANGE_PROBE) != 0;
	/* a health check waits for nobody */
	ex->turn = ex->probe;
	if (ups[upstream].sources != NULL && !ex->probe)
		ex->source = &ups[upstream].sources[flags >> 8];
	if (ex->source != NULL && (flags & EXCHANGE_STANDING) != 0) {
		ex->standing = 1;
		TAILQ_INSERT_TAIL(&ups[upstream].standing, ex,
		    standing_link);
	}
	if (exchange_attach(ex) == -1) {
		exchange_uncount(ex);
		free(ex);
		return (NULL);
	}
	if (body->len > 0 && body->len <= 4096 &&
	    buf_append(head, buf_data(body), body->len) == 0)
		buf_free(body);
	ex->head = *head;
	ex->body = *body;
	memset(head, 0, sizeof(*head));
	memset(body, 0, sizeof(*body));
	if (ex->up != NULL && ex->up->state == UP_BUSY)
		event_active(ex->up->ev, EV_WRITE, 0);
	return (ex);
}

int
exchange_take(struct exchange *ex, struct buf *head, size_t *line_len,
    struct buf *body)
{
	if (ex->spent)
		return (-1);
	*head = ex->head;
	*line_len = ex->line_len;
	*body = ex->body;
	memset(&ex->head, 0, sizeof(ex->head));
	memset(&ex->body, 0, sizeof(ex->body));
	ex->sent = 0;
	ex->spent = 1;
	return (0);
}

size_t
exchange_unsent(const struct exchange *ex)
{
	return (ex->head.len + ex->body.len - ex->sent);
}

void
exchange_forget(struct exchange *ex)
{
	ex->spent = 1;
	ex->sent = 0;
	buf_wipe(&ex->head);
	buf_free(&ex->body);
}

size_t
exchange_held(const struct exchange *ex)
{
	return (ex->head.cap + ex->body.cap + ex->in.cap);
}

size_t
exchange_server(const struct exchange *ex)
{
	return ((size_t)(ex->server - ex->server->up->servers));
}

void
exchange_cancel(struct exchange *ex)
{
	if (ex->over)
		return;
	exchange_end(ex);
}

void
exchange_pause(struct exchange *ex)
{
	ex->paused = 1;
	/* while the client does not read, the upstream is not the slow one */
	if (ex->up != NULL && ex->got_head)
		timer_clear(&ex->up->timer);
}

void
exchange_resume(struct exchange *ex)
{
	if (!ex->paused || ex->over)
		return;
	ex->paused = 0;
	if (ex->up == NULL || ex->up->state != UP_BUSY)
		return;
	if (ex->got_head)
		exchange_timer(ex);
	if (ex->up->readable)
		event_active(ex->up->ev, EV_READ, 0);
}

void
upstream_turn_end(void)
{
	struct exchange	*ex;

	upconn_turn_end();
	while ((ex = TAILQ_FIRST(&dead_ex)) != NULL) {
		TAILQ_REMOVE(&dead_ex, ex, link);
		exchange_forget(ex);
		buf_free(&ex->in);
		free(ex);
	}
}

/* Find or make a connection for an exchange, or let it wait for one.  0, or
 * -1. */
int
exchange_attach(struct exchange *ex)
{
	struct upstream	*u = ex->server->up;
	struct upconn	*up;

	/* what gets free is for those who wait, in their turn */
	if (u->nwaiting > 0 && !ex->turn)
		return (exchange_wait(ex));
	if ((up = upconn_idle(ex->server)) == NULL) {
		if (u->conf->max_connections > 0 &&
		    u->nopen >= u->conf->max_connections)
			upconn_make_room(u);
		if (u->conf->max_connections > 0 &&
		    u->nopen >= u->conf->max_connections)
			return (exchange_wait(ex));
		if ((up = upconn_connect(ex)) == NULL)
			return (-1);
	}
	ex->up = up;
	up->ex = ex;
	if (ex->source != NULL && !ex->busy) {
		ex->busy = 1;
		ex->source->busy++;
		ex->source->last = ++u->given;
	}
	if (up->state == UP_BUSY)
		timer_start(&up->timer, u->q_response);
	return (0);
}

static int
exchange_wait(struct exchange *ex)
{
	struct upstream	*u = ex->server->up;

	if (u->nwaiting >= WAITING_MAX && wait_give_way(u, ex->source) == -1)
		return (-1);
	ex->waiting = 1;
	u->nwaiting++;
	if (ex->source != NULL) {
		ex->source->waiting++;
		/* once: it would be woken in a circle */
		if (!ex->turn && ex->source->busy == 0 &&
		    !TAILQ_EMPTY(&u->standing)) {
			u->short_of = 1;
			upstream_wake(u);
		}
	}
	TAILQ_INSERT_TAIL(&u->waiting, ex, link);
	timer_start(&ex->timer, u->q_wait);
	return (0);
}

static void
wait_end(struct exchange *ex)
{
	struct upstream	*u = ex->server->up;

	if (!ex->waiting)
		return;
	ex->waiting = 0;
	u->nwaiting--;
	if (ex->source != NULL)
		ex->source->waiting--;
	TAILQ_REMOVE(&u->waiting, ex, link);
	timer_clear(&ex->timer);
}

/* The queue is full: the last of the source that waits most leaves, for one
 * that waits less.  0, or -1: there is none. */
static int
wait_give_way(struct upstream *u, const struct source *mine)
{
	struct exchange	*ex;
	const struct source *most;
	size_t		 i;

	if (mine == NULL)
		return (-1);
	for (most = u->sources, i = 1; i < EXCHANGE_SOURCES; i++)
		if (u->sources[i].waiting > most->waiting)
			most = &u->sources[i];
	if (most->waiting <= mine->waiting + 1)
		return (-1);
	TAILQ_FOREACH_REVERSE(ex, &u->waiting, exchange_list, link)
		if (ex->source == most)
			break;
	if (ex == NULL)
		return (-1);
	exchange_fail(ex, EXCHANGE_CROWDED,
	    "upstream's max_connections reached");
	return (0);
}

/* One address has more than half of the connections, with streams that may
 * never end, and another has none: the oldest such stream ends. */
static void
standing_give_way(struct upstream *u)
{
	struct exchange	*ex;

	u->short_of = 0;
	TAILQ_FOREACH(ex, &u->waiting, link)
		if (ex->source != NULL && ex->source->busy == 0)
			break;
	if (ex == NULL)
		return;
	TAILQ_FOREACH(ex, &u->standing, standing_link)
		if (ex->busy && ex->source->busy >
		    u->conf->max_connections / 2)
			break;
	if (ex != NULL)
		exchange_fail(ex, EXCHANGE_CROWDED,
		    "upstream's max_connections: others wait");
}

/* Of those that wait the one whose source has least, or has waited longest for
 * its turn; the first of them. */
static struct exchange *
wait_next(const struct upstream *u)
{
	struct exchange	*ex, *best = NULL;
	const struct source *a, *b;

	TAILQ_FOREACH(ex, &u->waiting, link) {
		if ((a = ex->source) == NULL)
			return (ex);
		b = best == NULL ? NULL : best->source;
		if (b == NULL || a->busy < b->busy ||
		    (a->busy == b->busy && a->last < b->last))
			best = ex;
	}
	return (best);
}

static void
wait_expired(struct timer *t)
{
	exchange_fail((struct exchange *)((char *)t -
	    offsetof(struct exchange, timer)), EXCHANGE_CROWDED,
	    "upstream's max_connections reached");
}

void
upstream_wake(const struct upstream *u)
{
	if (u->nwaiting > 0)
		event_active(wake_ev, EV_TIMEOUT, 0);
}

/* A connection was closed or became idle. */
static void
wake(evutil_socket_t fd, short what, void *arg)
{
	size_t	 i;

	(void)fd;
	(void)what;
	(void)arg;
	for (i = 0; i < nups; i++)
		if (ups[i].nwaiting > 0) {
			if (ups[i].short_of)
				standing_give_way(&ups[i]);
			wake_one(&ups[i]);
		}
}

static void
wake_one(struct upstream *u)
{
	struct exchange	*ex;
	size_t		 n = u->nwaiting;

	while (n-- > 0 && (ex = wait_next(u)) != NULL) {
		wait_end(ex);
		ex->turn = 1;
		if (exchange_attach(ex) == -1) {
			exchange_fail(ex, EXCHANGE_REFUSED, "no connection");
			continue;
		}
		if (ex->waiting)
			break;		/* at the end now, like the others */
		if (ex->up->state == UP_BUSY)
			event_active(ex->up->ev, EV_WRITE, 0);
	}
}

/* 0 when another server is tried now. */
int
exchange_other_server(struct exchange *ex)
{
	struct upstream	*u = ex->server->up;
	struct server	*s;

	if (ex->pinned || ex->sent_any ||
	    (s = balance_next(u, ex->tried)) == NULL ||
	    exchange_aim(ex, s) == -1)
		return (-1);
	log_debug("upstream %s: trying %s%s", u->conf->name,
	    s->conf->authority, s->conf->path);
	ex->server = s;
	ex->tried |= 1ULL << (s - u->servers);
	ex->next_addr = 0;
	ex->turn = 1;
	if (exchange_attach(ex) == -1)
		return (-1);
	if (ex->up != NULL && ex->up->state == UP_BUSY)
		event_active(ex->up->ev, EV_WRITE, 0);
	return (0);
}

/* Rewrite request line and Host for another server; the client's query
 * stays. */
static int
exchange_aim(struct exchange *ex, const struct server *s)
{
	const struct conf_server *old = ex->server->conf;
	struct buf	 b;
	const char	*query, *end;
	size_t		 skip = strlen(ex->method) + 1 + strlen(old->path);

	if (ex->head.len < ex->line_len || ex->line_len < skip)
		return (-1);
	query = buf_data(&ex->head) + skip;
	if ((end = memchr(query, ' ', ex->line_len - skip)) == NULL)
		return (-1);
	/* what the old server's URL says is not for another */
	if (old->query != NULL)
		end = query;
	memset(&b, 0, sizeof(b));
	if (buf_printf(&b, "%s %s%s%.*s HTTP/1.1\r\nHost: %s\r\n",
	    ex->method, s->conf->path, s->conf->query == NULL ? "" : "?",
	    s->conf->query == NULL ? (int)(end - query) :
	    (int)strlen(s->conf->query), s->conf->query == NULL ? query :
	    s->conf->query, conf_server_authority(s->up->conf,
	    s->conf)) == -1) {
		buf_free(&b);
		return (-1);
	}
	skip = b.len;
	if (buf_append(&b, buf_data(&ex->head) + ex->line_len,
	    ex->head.len - ex->line_len) == -1) {
		buf_free(&b);
		return (-1);
	}
	buf_wipe(&ex->head);
	ex->head = b;
	ex->line_len = skip;
	return (0);
}

void
exchange_fail(struct exchange *ex, enum exchange_error error, const char *why)
{
	if (ex->over)
		return;
	log_debug("upstream %s: %s", ex->server->up->conf->name, why);
	exchange_end(ex);
	ex->cb->fail(ex->arg, error, why);
}

/* The response is whole; excess bytes came behind it. */
void
exchange_done(struct exchange *ex, size_t excess)
{
	/* an answer that came before the request was sent ends both */
	if (ex->keepalive && excess == 0 && !ex->cut &&
	    exchange_unsent(ex) == 0 &&
	    upconn_keep(ex->up, ex->idle_s))
		ex->up = NULL;
	exchange_end(ex);
	ex->cb->done(ex->arg);
}

/* What limits the silence between two reads of a response. */
void
exchange_timer(struct exchange *ex)
{
	const struct upstream	*u = ex->server->up;

	timer_start(&ex->up->timer, ex->stream ? u->q_stream : u->q_response);
}

static void
exchange_uncount(struct exchange *ex)
{
	if (ex->busy)
		ex->source->busy--;
	if (ex->standing)
		TAILQ_REMOVE(&ex->server->up->standing, ex, standing_link);
	ex->busy = ex->standing = 0;
}

/* Take the exchange out of the world; freed at the end of the turn. */
static void
exchange_end(struct exchange *ex)
{
	ex->over = 1;
	wait_end(ex);
	exchange_uncount(ex);
	if (ex->up != NULL) {
		ex->up->ex = NULL;
		upconn_close(ex->up);
		ex->up = NULL;
	}
	TAILQ_INSERT_TAIL(&dead_ex, ex, link);
}
