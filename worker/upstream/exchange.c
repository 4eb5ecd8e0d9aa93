/*
 * Which server and connection carries an exchange, and another server when one
 * cannot be reached.  Nothing is sent twice: an exchange moves on as long as
 * nothing of it has been sent.
 */
#include <sys/uio.h>

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/base/pool.h"
#include "worker/record/metrics.h"
#include "worker/upstream/balance.h"
#include "worker/upstream/exchange.h"
#include "worker/upstream/response.h"
#include "worker/upstream/up_wait.h"
#include "worker/upstream/upconn.h"
#include "worker/wire/http1_put.h"

#define JOIN_MAX	4096		/* bytes of a body, with its head */

struct exchange {
	TAILQ_ENTRY(exchange) link;	/* in the dead list */
	struct up_wait	 wait;
	struct upconn	*up;
	struct server	*server;
	const struct exchange_cb *cb;
	void		*arg;
	const char	*method;
	unsigned	 number;	/* of common/mcp_methods.h */
	uint64_t	 began;		/* us, monotonic */
	uint64_t	*away;		/* us, of whose it is; or NULL */
	unsigned	 error;		/* of common/stats.h */
	uint64_t	 bytes_out;
	uint64_t	 bytes_in;
	struct buf	 head;		/* for this server, once written */
	struct buf	 body;		/* both are held until the answer
					 * begins, for a redirection */
	int		 joined;	/* the body is in head, too */
	size_t		 sent;		/* bytes of both */
	int		 spent;		/* they are not held any more */
	struct response	 response;
	uint64_t	 tried;		/* servers, a bit each */
	size_t		 next_addr;
	int		 pinned;	/* no other server will do */
	int		 probe;		/* a health check */
	int		 sent_any;
	int		 got_any;
	int		 paused;
	int		 cut;		/* it could not be sent whole */
	int		 over;		/* done, failed or cancelled */
};

static struct pool		 exchanges = {
	.size = sizeof(struct exchange)
};
static struct upstream		*ups;
static size_t			 nups;
static TAILQ_HEAD(, exchange)	 dead = TAILQ_HEAD_INITIALIZER(dead);

static int	 exchange_attach(struct exchange *);
static void	 exchange_begin(struct exchange *);
static void	 exchange_detach(struct exchange *);
static void	 wait_turn(struct up_wait *);
static void	 wait_leave(struct up_wait *, const char *);
static struct exchange *of_wait(struct up_wait *);
static int	 exchange_other_server(struct exchange *);
static int	 put_head(struct exchange *);
static size_t	 exchange_unsent(const struct exchange *);
static void	 exchange_forget(struct exchange *);
static void	 exchange_spend(struct exchange *);
static void	 exchange_timer(struct exchange *);
static void	 exchange_fail(struct exchange *, enum exchange_error,
		    const char *);
static void	 exchange_end(struct exchange *);
static void	 exchange_count(const struct exchange *);
static void	 count_server(const struct exchange *, int);
static void	 up_ready(void *);
static int	 send_all(struct exchange *);
static int	 unsent_parts(const struct exchange *, struct iovec *);
static void	 up_data(void *, const char *, size_t);
static void	 up_eof(void *, int);
static void	 up_failed(void *, enum upconn_failure, const char *);
static void	 up_refused(struct exchange *, const char *);
static void	 up_late(struct exchange *, const char *);
static void	 got_head(void *, const struct http1_head *);
static void	 got_data(void *, const char *, size_t);
static void	 got_all(void *, size_t);
static void	 got_wrong(void *, int, const char *);

static const struct up_wait_cb wait_callbacks = {
	.turn = wait_turn,
	.leave = wait_leave
};

static const struct upconn_cb up_callbacks = {
	.ready = up_ready,
	.data = up_data,
	.eof = up_eof,
	.failed = up_failed
};

static const struct response_cb response_callbacks = {
	.head = got_head,
	.data = got_data,
	.done = got_all,
	.fail = got_wrong
};

void
exchange_setup(struct event_base *base, struct upstream *u, size_t n)
{
	ups = u;
	nups = n;
	up_wait_setup(base, u, n, &wait_callbacks);
}

struct exchange *
exchange_start(const struct exchange_request *x)
{
	struct exchange	*ex;
	struct upstream	*u = x->upstream < nups ? &ups[x->upstream] : NULL;

	if (u == NULL || x->server >= u->nservers ||
	    (ex = pool_get(&exchanges)) == NULL)
		return (NULL);
	ex->cb = x->cb;
	ex->arg = x->arg;
	ex->method = x->method;
	ex->number = x->number;
	ex->away = x->away;
	ex->began = clock_now();
	ex->error = STATS_ERROR_CANCELLED;
	ex->bytes_in = x->body->len;
	ex->server = &u->servers[x->server];
	ex->tried = 1ULL << x->server;
	ex->pinned = x->pinned;
	ex->probe = x->probe;
	response_init(&ex->response, x->method, &response_callbacks, ex);
	if (ex->probe)
		up_wait_init_probe(&ex->wait, u);
	else
		up_wait_init(&ex->wait, u, x->source, x->standing);
	if (exchange_attach(ex) == -1) {
		up_wait_end(&ex->wait);
		pool_put(&exchanges, ex);
		return (NULL);
	}
	ex->body = *x->body;
	memset(x->body, 0, sizeof(*x->body));
	count_server(ex, 1);
	exchange_begin(ex);
	return (ex);
}

int
exchange_take(struct exchange *ex, struct buf *body)
{
	if (ex->spent)
		return (-1);
	*body = ex->body;
	memset(&ex->body, 0, sizeof(ex->body));
	exchange_forget(ex);
	return (0);
}

static size_t
exchange_unsent(const struct exchange *ex)
{
	return (ex->head.len + (ex->joined ? 0 : ex->body.len) - ex->sent);
}

static void
exchange_forget(struct exchange *ex)
{
	ex->spent = 1;
	ex->sent = 0;
	buf_wipe(&ex->head);
	buf_free(&ex->body);
}

/* It is not asked for again. */
static void
exchange_spend(struct exchange *ex)
{
	if (ex->spent)
		return;
	exchange_forget(ex);
	if (ex->cb->spent != NULL)
		ex->cb->spent(ex->arg);
}

void
exchange_says(struct exchange *ex, unsigned error)
{
	ex->error = error;
}

uint64_t
exchange_age(const struct exchange *ex)
{
	/* of this turn: what ends it has come already */
	uint64_t	 now = clock_turn();

	return (now > ex->began ? now - ex->began : 0);
}

size_t
exchange_held(const struct exchange *ex)
{
	return (ex->head.cap + ex->body.cap + ex->response.in.cap);
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
exchange_streams(struct exchange *ex)
{
	up_wait_streams(&ex->wait);
}

void
exchange_pause(struct exchange *ex)
{
	ex->paused = 1;
	if (ex->up == NULL)
		return;
	upconn_pause(ex->up);
	/* while the client does not read, the upstream is not the slow one */
	if (ex->response.got_head)
		timer_clear(&ex->up->timer);
}

void
exchange_resume(struct exchange *ex)
{
	if (!ex->paused || ex->over)
		return;
	ex->paused = 0;
	if (ex->up == NULL)
		return;
	if (ex->up->state == UP_BUSY && ex->response.got_head)
		exchange_timer(ex);
	upconn_resume(ex->up);
}

void
exchange_turn_end(void)
{
	struct exchange	*ex;

	while ((ex = TAILQ_FIRST(&dead)) != NULL) {
		TAILQ_REMOVE(&dead, ex, link);
		exchange_forget(ex);
		response_free(&ex->response);
		pool_put(&exchanges, ex);
	}
}

/* Find or make a connection for an exchange, or let it wait for one.  0, or
 * -1. */
static int
exchange_attach(struct exchange *ex)
{
	struct upstream	*u = ex->server->up;
	struct upconn	*up;

	/* what gets free is for those who wait, in their turn */
	if (up_wait_must(&ex->wait))
		return (up_wait_begin(&ex->wait));
	if ((up = upconn_idle(ex->server, &up_callbacks, ex)) == NULL) {
		if (u->conf->max_connections > 0 &&
		    u->nopen >= u->conf->max_connections)
			upconn_make_room(u);
		if (u->conf->max_connections > 0 &&
		    u->nopen >= u->conf->max_connections)
			return (up_wait_begin(&ex->wait));
		if ((up = upconn_connect(ex->server, &ex->next_addr,
		    &up_callbacks, ex)) == NULL)
			return (-1);
	}
	ex->up = up;
	up_wait_got(&ex->wait);
	if (up->state == UP_BUSY)
		timer_start(&up->timer, u->q_response);
	return (0);
}

/* What it got can be written to at once, or tells when. */
static void
exchange_begin(struct exchange *ex)
{
	if (ex->up != NULL && ex->up->state == UP_BUSY)
		upconn_call(ex->up);
}

/* Its connection is of no more use. */
static void
exchange_detach(struct exchange *ex)
{
	if (ex->up != NULL)
		upconn_close(ex->up);
	ex->up = NULL;
}

/* It is its turn. */
static void
wait_turn(struct up_wait *w)
{
	struct exchange	*ex = of_wait(w);

	if (exchange_attach(ex) == -1)
		exchange_fail(ex, EXCHANGE_REFUSED, "no connection");
	else
		exchange_begin(ex);
}

static void
wait_leave(struct up_wait *w, const char *why)
{
	exchange_fail(of_wait(w), EXCHANGE_CROWDED, why);
}

static struct exchange *
of_wait(struct up_wait *w)
{
	return ((struct exchange *)(void *)((char *)w -
	    offsetof(struct exchange, wait)));
}

/* 0 when another server is tried now. */
static int
exchange_other_server(struct exchange *ex)
{
	struct upstream	*u = ex->server->up;
	struct server	*s;

	if (ex->pinned || ex->sent_any ||
	    (s = balance_next(u, ex->tried)) == NULL)
		return (-1);
	log_debug("upstream.trying", LOG_KV(KV("upstream", u->conf->name),
	    KV("server", s->conf->authority), KV("path", s->conf->path)),
	    "upstream %s: trying %s%s", u->conf->name,
	    s->conf->authority, s->conf->path);
	stats_inc(STATS_UP_RETRIED);
	ex->error = STATS_ERROR_UNREACHABLE;
	count_server(ex, 0);
	ex->error = STATS_ERROR_CANCELLED;
	ex->server = s;
	count_server(ex, 1);
	ex->tried |= 1ULL << (s - u->servers);
	ex->next_addr = 0;
	ex->wait.turn = 1;
	/* what was written for the other one is not for it */
	buf_wipe(&ex->head);
	if (ex->cb->other != NULL)
		ex->cb->other(ex->arg, exchange_server(ex), &ex->body);
	if (exchange_attach(ex) == -1)
		return (-1);
	exchange_begin(ex);
	return (0);
}

static void
exchange_fail(struct exchange *ex, enum exchange_error error, const char *why)
{
	static const unsigned	 errors[] = {
		[EXCHANGE_REFUSED] = STATS_ERROR_UNREACHABLE,
		[EXCHANGE_TIMEOUT] = STATS_ERROR_TIMEOUT,
		[EXCHANGE_BROKEN] = STATS_ERROR_MALFORMED,
		[EXCHANGE_CROWDED] = STATS_ERROR_CROWDED
	};

	if (ex->over)
		return;
	log_debug("upstream.exchange_failed", LOG_KV(
	    KV("upstream", ex->server->up->conf->name), KV("error", why)),
	    "upstream %s: %s", ex->server->up->conf->name, why);
	ex->error = errors[error];
	exchange_end(ex);
	ex->cb->fail(ex->arg, error, why);
}

/* What limits the silence between two reads of a response. */
static void
exchange_timer(struct exchange *ex)
{
	const struct upstream	*u = ex->server->up;

	timer_start(&ex->up->timer, ex->response.stream ? u->q_stream :
	    u->q_response);
}

/* Take the exchange out of the world; freed at the end of the turn. */
static void
exchange_end(struct exchange *ex)
{
	ex->over = ex->response.over = 1;
	exchange_count(ex);
	up_wait_end(&ex->wait);
	exchange_detach(ex);
	TAILQ_INSERT_TAIL(&dead, ex, link);
}

static void
exchange_count(const struct exchange *ex)
{
	struct metrics_exchange	 m = {
		.upstream = ex->server->up->conf->number,
		.method = ex->number,
		.error = ex->error,
		.bytes_in = ex->bytes_in,
		.bytes_out = ex->bytes_out,
		.us = exchange_age(ex)
	};

	if (ex->away != NULL)
		*ex->away += m.us;
	count_server(ex, 0);
	/* nobody asked for a health check */
	if (!ex->probe)
		metrics_exchange(&m);
}

/* It is this server's now, or is not any more. */
static void
count_server(const struct exchange *ex, int begins)
{
	struct stats_server	*s;

	if (ex->probe || ex->server->conf->number >= STATS_SERVERS)
		return;
	s = &stats->servers[ex->server->conf->number];
	stats_bump(&s->in_flight, begins ? 1 : UINT64_MAX);
	if (begins)
		stats_bump(&s->requests, 1);
	else if (ex->error >= STATS_ERROR_UNREACHABLE &&
	    ex->error <= STATS_ERROR_MALFORMED)
		stats_bump(&s->failures, 1);
}

static void
up_ready(void *arg)
{
	struct exchange	*ex = arg;

	if (ex->head.len == 0 && !ex->spent && put_head(ex) == -1) {
		exchange_fail(ex, EXCHANGE_REFUSED, "out of memory");
		return;
	}
	if (exchange_unsent(ex) == 0 || send_all(ex) == 0 || errno == EAGAIN)
		return;
	if (ex->up->reused && !ex->sent_any) {
		up_eof(ex, errno);
		return;
	}
	/* it may have answered before it closed: what is there to read
	 * decides */
	ex->cut = 1;
	upconn_broke(ex->up);
	exchange_spend(ex);
}

/* The head for the server that is there; a small body goes with it, so that it
 * is one record of TLS, and one short call: copying it costs less than a second
 * part does.  0 or -1. */
static int
put_head(struct exchange *ex)
{
	struct buf	*b = &ex->head;

	if (ex->cb->put_head(ex->arg, exchange_server(ex), b) == -1)
		return (-1);
	if (strcmp(ex->method, "POST") == 0)
		http1_put_length(b, ex->body.len);
	http1_put_end(b);
	ex->joined = ex->body.len <= JOIN_MAX;
	if (ex->joined)
		buf_append(b, buf_data(&ex->body), ex->body.len);
	return (buf_check(b));
}

/* Send what the socket takes.  0 when all is sent, or -1 with errno. */
static int
send_all(struct exchange *ex)
{
	struct iovec	 iov[2];
	ssize_t		 n;

	while (exchange_unsent(ex) > 0) {
		n = upconn_write(ex->up, iov, unsent_parts(ex, iov));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (-1);
		ex->sent_any = 1;
		timer_start(&ex->up->timer, ex->server->up->q_response);
		ex->sent += (size_t)n;
	}
	if (ex->response.got_head || buf_tight())
		exchange_spend(ex);
	return (0);
}

/* What there is to send of it, first things first: how many parts. */
static int
unsent_parts(const struct exchange *ex, struct iovec *iov)
{
	size_t	 skip = ex->sent;
	int	 n = 0;

	if (skip < ex->head.len) {
		iov[n].iov_base = buf_data(&ex->head) + skip;
		iov[n++].iov_len = ex->head.len - skip;
		skip = ex->head.len;
	}
	skip -= ex->head.len;
	if (!ex->joined && skip < ex->body.len) {
		iov[n].iov_base = buf_data(&ex->body) + skip;
		iov[n++].iov_len = ex->body.len - skip;
	}
	return (n);
}

static void
up_data(void *arg, const char *p, size_t len)
{
	struct exchange	*ex = arg;

	ex->got_any = 1;
	if (ex->response.got_head && !ex->paused)
		exchange_timer(ex);
	response_feed(&ex->response, p, len);
}

/* The server closed, or the connection broke. */
static void
up_eof(void *arg, int error)
{
	struct exchange	*ex = arg;
	int		 reused = ex->up->reused;

	if (error == 0 && response_ends(&ex->response)) {
		ex->response.keepalive = 0;
		got_all(ex, 0);
		return;
	}
	/* nothing of it left this host, and the connection was stale */
	if (reused && !ex->sent_any && !ex->got_any) {
		exchange_detach(ex);
		ex->next_addr = 0;
		if (exchange_attach(ex) == 0) {
			stats_inc(STATS_UP_RETRIED);
			exchange_begin(ex);
			return;
		}
	}
	/* before it had a request it had no reason but its own; one that was
	 * kept may end at any time, and says nothing */
	if (ex->probe || (!reused && !ex->sent_any))
		balance_bad(ex->server, "closed without a whole answer");
	else if (!reused)
		balance_tell(ex->server, "closed without a whole answer");
	if (ex->got_any)
		exchange_fail(ex, EXCHANGE_BROKEN,
		    "upstream closed in the middle of its answer");
	else
		exchange_fail(ex, EXCHANGE_REFUSED, error == 0 ?
		    "upstream closed without an answer" :
		    strerrordesc_np(error));
}

static void
up_failed(void *arg, enum upconn_failure failure, const char *why)
{
	struct exchange	*ex = arg;

	switch (failure) {
	case UPCONN_REFUSED:
		up_refused(ex, why);
		break;
	case UPCONN_LATE:
		up_late(ex, why);
		break;
	case UPCONN_SILENT:
		exchange_fail(ex, EXCHANGE_TIMEOUT, ex->response.got_head ?
		    "upstream stream silent for too long" : ex->sent_any ?
		    "upstream did not answer in time" :
		    "upstream did not accept in time");
		break;
	}
}

/* No connection to this address: another, another server, or none. */
static void
up_refused(struct exchange *ex, const char *why)
{
	struct server	*s = ex->server;
	struct upconn	*up = ex->up;

	if (ex->next_addr < s->naddrs) {
		exchange_detach(ex);
		if ((ex->up = upconn_connect(s, &ex->next_addr, &up_callbacks,
		    ex)) == NULL)
			exchange_fail(ex, EXCHANGE_REFUSED, "no connection");
		return;
	}
	ex->up = NULL;
	balance_bad(s, why);
	if (exchange_other_server(ex) == -1)
		exchange_fail(ex, EXCHANGE_REFUSED, why);
	/* why may have been its own */
	upconn_close(up);
}

/* The same, but for the status that it leads to. */
static void
up_late(struct exchange *ex, const char *why)
{
	struct server	*s = ex->server;

	exchange_detach(ex);
	if (ex->next_addr < s->naddrs && (ex->up = upconn_connect(s,
	    &ex->next_addr, &up_callbacks, ex)) != NULL)
		return;
	balance_bad(s, why);
	if (exchange_other_server(ex) == -1)
		exchange_fail(ex, EXCHANGE_TIMEOUT,
		    "upstream did not accept in time");
}

static void
got_head(void *arg, const struct http1_head *h)
{
	struct exchange	*ex = arg;

	if (!ex->probe)
		balance_good(ex->server);
	ex->error = h->status >= 400 ? stats_error_http(h->status) : 0;
	exchange_timer(ex);
	ex->cb->head(ex->arg, h);
	if (!ex->over && exchange_unsent(ex) == 0)
		exchange_spend(ex);
}

static void
got_data(void *arg, const char *p, size_t len)
{
	struct exchange	*ex = arg;

	ex->bytes_out += len;
	ex->cb->data(ex->arg, p, len);
}

/* The response is whole; excess bytes came behind it. */
static void
got_all(void *arg, size_t excess)
{
	struct exchange	*ex = arg;

	/* an answer that came before the request was sent ends both */
	if (ex->response.keepalive && excess == 0 && !ex->cut &&
	    exchange_unsent(ex) == 0 &&
	    upconn_keep(ex->up, ex->response.idle_s))
		ex->up = NULL;
	exchange_end(ex);
	ex->cb->done(ex->arg);
}

/* It is the request's fault as likely as the server's; a health check's
 * request has none. */
static void
got_wrong(void *arg, int malformed, const char *why)
{
	struct exchange	*ex = arg;

	if (malformed && ex->probe)
		balance_bad(ex->server, why);
	else if (malformed)
		balance_tell(ex->server, why);
	exchange_fail(ex, EXCHANGE_BROKEN, why);
}
