/*
 * Connections to upstreams.  A connection is connecting, busy with one
 * exchange, or idle; an idle one is closed before the upstream would close
 * it, because a request that meets a closing connection is lost.
 *
 * An exchange tries the addresses of its server, then other servers, as long
 * as nothing of it has been sent.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <arpa/inet.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/up_tls.h"
#include "worker/upstream_int.h"

#define READ_TIGHT	(4 * 1024)	/* while memory is short */
#define READS_MAX	4		/* of one connection per turn */
#define IDLE_DEFAULT	4		/* s, unless Keep-Alive says */
#define IDLE_MAX	256		/* idle connections per server */
#define WAITING_MAX	1024		/* exchanges per upstream */

/* How long an idle connection is kept, by what the upstream said. */
static const unsigned idle_s[] = { 1, 2, IDLE_DEFAULT, 9, 29, 59 };
#define IDLE_CLASSES	(sizeof(idle_s) / sizeof(idle_s[0]))

static struct event_base	*base;
static struct upstream		*ups;
static size_t			 nups;
static struct server		*servers;	/* of all, one after the other */
static size_t			 nservers;
static struct event		*wake_ev;	/* somebody may stop waiting */
static struct upconn_list	 dead = TAILQ_HEAD_INITIALIZER(dead);
static TAILQ_HEAD(, upconn)	 again = TAILQ_HEAD_INITIALIZER(again);
static struct exchange_list	 dead_ex = TAILQ_HEAD_INITIALIZER(dead_ex);
static size_t			 nopen;
static size_t			 max_open;
static struct timeq		 q_idle[IDLE_CLASSES];

static void	 server_setup(struct server *, struct upstream *,
		    const struct conf_server *);
static struct timeq *queue_of(uint64_t, void (*)(struct timer *));
static struct upconn *upconn_connect(struct exchange *);
static int	 upconn_open(struct upconn *, struct exchange *);
static void	 upconn_close(struct upconn *);
static void	 upconn_event(evutil_socket_t, short, void *);
static void	 upconn_connected(struct upconn *);
static void	 upconn_secure(struct upconn *);
static void	 upconn_ready(void *);
static void	 upconn_begin(struct upconn *);
static void	 upconn_failed(struct upconn *, const char *);
static ssize_t	 upconn_put(struct upconn *);
static int	 upconn_send(struct upconn *);
static void	 upconn_write(struct upconn *);
static void	 upconn_read(struct upconn *);
static void	 upconn_again(struct upconn *);
static void	 upconn_eof(struct upconn *, int);
static void	 upconn_expired(struct timer *);
static void	 upconn_late(struct upconn *);
static void	 idle_expired(struct timer *);
static int	 idle_silent(struct upconn *);
static struct upconn *idle_take(struct server *);
static int	 exchange_attach(struct exchange *);
static int	 exchange_wait(struct exchange *);
static void	 wait_end(struct exchange *);
static void	 wait_expired(struct timer *);
static void	 wake(evutil_socket_t, short, void *);
static void	 wake_one(struct upstream *);
static int	 exchange_other_server(struct exchange *);
static int	 exchange_aim(struct exchange *, const struct server *);
static struct timeq *idle_queue(unsigned);
static void	 exchange_end(struct exchange *);
static void	 make_room(struct upstream *);

void
upstream_setup(struct event_base *b, const struct worker_conf *conf)
{
	struct upstream	*u;
	size_t		 i, j;

	base = b;
	nups = conf->nupstreams;
	max_open = (size_t)conf->max_connections;
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
	for (i = 0; i < IDLE_CLASSES; i++)
		timeq_init(&q_idle[i], idle_s[i] * 1000, idle_expired);
}

static void
server_setup(struct server *s, struct upstream *u,
    const struct conf_server *conf)
{
	s->conf = conf;
	s->up = u;
	TAILQ_INIT(&s->idle);
	if (inet_pton(AF_INET, conf->host, s->addrs[0].addr) == 1)
		s->addrs[0].family = AF_INET;
	else if (inet_pton(AF_INET6, conf->host, s->addrs[0].addr) == 1)
		s->addrs[0].family = AF_INET6;
	else
		return;
	s->naddrs = 1;
	s->resolved = 1;
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
	struct server	*s;

	if (i >= nservers || n > PROTO_ADDRS_MAX)
		return;
	s = &servers[i];
	s->resolved = 1;
	/* a name that is gone for now does not unmake what worked */
	if (n == 0)
		return;
	memcpy(s->addrs, addrs, n * sizeof(*addrs));
	s->naddrs = n;
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

size_t
upstream_open(void)
{
	return (nopen);
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
	if (exchange_attach(ex) == -1) {
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
	struct upconn	*up;
	struct exchange	*ex;

	while ((up = TAILQ_FIRST(&again)) != NULL) {
		TAILQ_REMOVE(&again, up, again_link);
		up->again = 0;
		event_active(up->ev, EV_READ, 0);
	}
	while ((up = TAILQ_FIRST(&dead)) != NULL) {
		TAILQ_REMOVE(&dead, up, link);
		free(up);
	}
	while ((ex = TAILQ_FIRST(&dead_ex)) != NULL) {
		TAILQ_REMOVE(&dead_ex, ex, link);
		buf_free(&ex->head);
		buf_free(&ex->body);
		buf_free(&ex->in);
		free(ex);
	}
}

void
upstream_close_idle(void)
{
	struct upconn	*up;
	size_t		 i;

	for (i = 0; i < nservers; i++)
		while ((up = TAILQ_FIRST(&servers[i].idle)) != NULL)
			upconn_close(up);
}

/* Find or make a connection for an exchange, or let it wait for one.  0, or
 * -1. */
static int
exchange_attach(struct exchange *ex)
{
	struct upstream	*u = ex->server->up;
	struct upconn	*up;

	if ((up = idle_take(ex->server)) == NULL) {
		if (u->conf->max_connections > 0 &&
		    u->nopen >= u->conf->max_connections)
			make_room(u);
		if (u->conf->max_connections > 0 &&
		    u->nopen >= u->conf->max_connections)
			return (exchange_wait(ex));
		if ((up = upconn_connect(ex)) == NULL)
			return (-1);
	}
	ex->up = up;
	up->ex = ex;
	if (up->state == UP_BUSY)
		timer_start(&up->timer, u->q_response);
	return (0);
}

static int
exchange_wait(struct exchange *ex)
{
	struct upstream	*u = ex->server->up;

	if (u->nwaiting >= WAITING_MAX)
		return (-1);
	ex->waiting = 1;
	u->nwaiting++;
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
	TAILQ_REMOVE(&u->waiting, ex, link);
	timer_clear(&ex->timer);
}

static void
wait_expired(struct timer *t)
{
	exchange_fail((struct exchange *)((char *)t -
	    offsetof(struct exchange, timer)), EXCHANGE_CROWDED,
	    "upstream's max_connections reached");
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
		if (ups[i].nwaiting > 0)
			wake_one(&ups[i]);
}

static void
wake_one(struct upstream *u)
{
	struct exchange	*ex;
	size_t		 n = u->nwaiting;

	while (n-- > 0 && (ex = TAILQ_FIRST(&u->waiting)) != NULL) {
		wait_end(ex);
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

/* Nothing has come of it, or what TLS says beside the data. */
static int
idle_silent(struct upconn *up)
{
	char	 c;

	if (recv(up->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == -1)
		return (errno == EAGAIN || errno == EWOULDBLOCK);
	return (up->tls != NULL && tls_read(up->tls, &c, 1) == -1 &&
	    errno == EAGAIN);
}

/* An idle connection that is still open and silent, most recent first. */
static struct upconn *
idle_take(struct server *s)
{
	struct upconn	*up;

	while ((up = TAILQ_FIRST(&s->idle)) != NULL) {
		if (idle_silent(up)) {
			TAILQ_REMOVE(&s->idle, up, link);
			s->nidle--;
			timer_clear(&up->timer);
			up->state = UP_BUSY;
			up->readable = 0;
			up->reused = 1;
			return (up);
		}
		upconn_close(up);
	}
	return (NULL);
}

/*
 * Begin to connect to the exchange's next address.  When none can be tried a
 * connection object comes back all the same, which fails in its own event:
 * callbacks never run inside exchange_start().
 */
static struct upconn *
upconn_connect(struct exchange *ex)
{
	struct upconn	*up;
	int		 failed;

	if (nopen >= max_open)
		make_room(NULL);
	if (nopen >= max_open || (up = calloc(1, sizeof(*up))) == NULL)
		return (NULL);
	up->server = ex->server;
	up->state = UP_CONNECTING;
	up->fd = -1;
	failed = upconn_open(up, ex) == -1;
	up->ev = event_new(base, up->fd, failed ? 0 :
	    EV_READ | EV_WRITE | EV_ET | EV_PERSIST, upconn_event, up);
	if (up->ev == NULL || (!failed && event_add(up->ev, NULL) == -1)) {
		if (up->ev != NULL)
			event_free(up->ev);
		if (up->fd != -1)
			close(up->fd);
		free(up);
		return (NULL);
	}
	nopen++;
	up->server->up->nopen++;
	if (failed)
		event_active(up->ev, EV_TIMEOUT, 0);
	else
		timer_start(&up->timer, up->server->up->q_connect);
	return (up);
}

/* A socket on its way to the next address that can be tried; 0 or -1. */
static int
upconn_open(struct upconn *up, struct exchange *ex)
{
	struct server		*s = up->server;
	struct sockaddr_in	 sin;
	struct sockaddr_in6	 sin6;
	struct sockaddr		*sa;
	struct proto_addr	*a;
	socklen_t		 len;
	int			 one = 1;

	while (ex->next_addr < s->naddrs) {
		a = &s->addrs[(s->first + ex->next_addr++) % s->naddrs];
		memset(&sin, 0, sizeof(sin));
		memset(&sin6, 0, sizeof(sin6));
		sin.sin_family = AF_INET;
		sin.sin_port = htons(s->conf->port);
		memcpy(&sin.sin_addr, a->addr, 4);
		sin6.sin6_family = AF_INET6;
		sin6.sin6_port = htons(s->conf->port);
		memcpy(&sin6.sin6_addr, a->addr, 16);
		sa = a->family == AF_INET ? (struct sockaddr *)&sin :
		    (struct sockaddr *)&sin6;
		len = a->family == AF_INET ? sizeof(sin) : sizeof(sin6);
		up->fd = socket(a->family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (up->fd == -1)
			return (-1);
		setsockopt(up->fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
		if (connect(up->fd, sa, len) == 0 || errno == EINPROGRESS)
			return (0);
		log_debug("upstream %s: connect: %s", s->up->conf->name,
		    strerror(errno));
		close(up->fd);
		up->fd = -1;
	}
	return (-1);
}

/* At the limit an idle connection gives way: of this upstream, or any. */
static void
make_room(struct upstream *u)
{
	struct server	*s = u == NULL ? servers : u->servers;
	size_t		 i, n = u == NULL ? nservers : u->nservers;

	for (i = 0; i < n; i++)
		if (!TAILQ_EMPTY(&s[i].idle)) {
			upconn_close(TAILQ_LAST(&s[i].idle, upconn_list));
			return;
		}
}

static void
upconn_close(struct upconn *up)
{
	struct server	*s = up->server;

	if (up->state == UP_DEAD)
		return;
	if (up->state == UP_IDLE) {
		TAILQ_REMOVE(&s->idle, up, link);
		s->nidle--;
	}
	if (up->again)
		TAILQ_REMOVE(&again, up, again_link);
	up->again = 0;
	timer_clear(&up->timer);
	event_free(up->ev);
	if (up->tls != NULL) {
		tls_end(up->tls);
		tls_free(up->tls);
		up->tls = NULL;
	}
	if (up->fd != -1)
		close(up->fd);
	up->fd = -1;
	up->state = UP_DEAD;
	nopen--;
	s->up->nopen--;
	if (s->up->nwaiting > 0)
		event_active(wake_ev, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(&dead, up, link);
}

static void
upconn_event(evutil_socket_t fd, short what, void *arg)
{
	struct upconn	*up = arg;

	(void)fd;
	if (up->state == UP_DEAD)
		return;
	if (up->state == UP_IDLE) {
		/* end of file, or bytes nobody asked for */
		if ((what & EV_READ) && !idle_silent(up))
			upconn_close(up);
		return;
	}
	if (what & EV_READ)
		up->readable = 1;
	/* what comes before the request is no answer to it */
	if (up->state == UP_BUSY && up->reused && (what & EV_READ) &&
	    !up->ex->sent_any && !idle_silent(up)) {
		upconn_eof(up, 0);
		return;
	}
	if (up->state == UP_CONNECTING)
		upconn_connected(up);
	else if (up->state == UP_TLS)
		upconn_secure(up);
	if (up->state == UP_BUSY &&
	    (what & EV_WRITE) && up->ex->head.len + up->ex->body.len > 0)
		upconn_write(up);
	if (up->state == UP_BUSY && up->readable)
		upconn_read(up);
}

/* The outcome of a connect: go on, try the next address, or give up. */
static void
upconn_connected(struct upconn *up)
{
	struct server	*s = up->server;
	socklen_t	 len;
	int		 error = ECONNREFUSED;

	len = sizeof(error);
	if (up->fd != -1 &&
	    getsockopt(up->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		upconn_failed(up, s->naddrs == 0 ? "name not resolved" :
		    strerrordesc_np(error));
		return;
	}
	if (!s->conf->tls) {
		upconn_begin(up);
		return;
	}
	up->tls = tls_new_client(s->up->tls, up->fd,
	    s->up->conf->tls_server_name != NULL ?
	    s->up->conf->tls_server_name : s->conf->host, upconn_ready, up);
	if (up->tls == NULL) {
		upconn_failed(up, "out of memory");
		return;
	}
	up->state = UP_TLS;
	upconn_secure(up);
}

/* The keeper has signed. */
static void
upconn_ready(void *arg)
{
	struct upconn	*up = arg;

	if (up->state == UP_TLS)
		upconn_secure(up);
}

static void
upconn_secure(struct upconn *up)
{
	switch (tls_handshake(up->tls)) {
	case 1:
		/* what came with the handshake makes no other edge */
		up->readable = 1;
		upconn_begin(up);
		break;
	case -1:
		upconn_failed(up, tls_error(up->tls));
		break;
	}
}

static void
upconn_begin(struct upconn *up)
{
	struct server	*s = up->server;

	s->first = (s->first + up->ex->next_addr + s->naddrs - 1) % s->naddrs;
	up->state = UP_BUSY;
	timer_start(&up->timer, s->up->q_response);
	upconn_write(up);
}

/* No connection to this address: another, another server, or none. */
static void
upconn_failed(struct upconn *up, const char *why)
{
	struct exchange	*ex = up->ex;
	struct server	*s = up->server;

	up->ex = NULL;
	ex->up = NULL;
	if (ex->next_addr < s->naddrs) {
		upconn_close(up);
		if ((ex->up = upconn_connect(ex)) == NULL)
			exchange_fail(ex, EXCHANGE_REFUSED, "no connection");
		else
			ex->up->ex = ex;
		return;
	}
	balance_bad(s, why);
	if (exchange_other_server(ex) == -1)
		exchange_fail(ex, EXCHANGE_REFUSED, why);
	/* why may have been its own */
	upconn_close(up);
}

/* 0 when another server is tried now. */
static int
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
	if (exchange_attach(ex) == -1)
		return (-1);
	if (ex->up != NULL && ex->up->state == UP_BUSY)
		event_active(ex->up->ev, EV_WRITE, 0);
	return (0);
}

/* Rewrite request line and Host for another server; the query stays. */
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
	memset(&b, 0, sizeof(b));
	if (buf_printf(&b, "%s %s%.*s HTTP/1.1\r\nHost: %s\r\n", ex->method,
	    s->conf->path, (int)(end - query), query,
	    s->conf->authority) == -1) {
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

/* Send what the socket takes.  0 when all is sent, or -1 with errno. */
static int
upconn_send(struct upconn *up)
{
	struct exchange	*ex = up->ex;
	ssize_t		 n;
	size_t		 h;

	while (ex->head.len + ex->body.len > 0) {
		if ((n = upconn_put(up)) == -1) {
			if (errno == EINTR)
				continue;
			return (-1);
		}
		ex->sent_any = 1;
		timer_start(&up->timer, up->server->up->q_response);
		h = (size_t)n < ex->head.len ? (size_t)n : ex->head.len;
		buf_drop(&ex->head, h);
		buf_drop(&ex->body, (size_t)n - h);
	}
	buf_wipe(&ex->head);
	buf_free(&ex->body);
	return (0);
}

/* As write(2), of what there is first. */
static ssize_t
upconn_put(struct upconn *up)
{
	struct exchange	*ex = up->ex;
	struct iovec	 iov[2];
	int		 niov = 0;

	if (ex->head.len > 0) {
		iov[niov].iov_base = buf_data(&ex->head);
		iov[niov++].iov_len = ex->head.len;
	}
	if (ex->body.len > 0) {
		iov[niov].iov_base = buf_data(&ex->body);
		iov[niov++].iov_len = ex->body.len;
	}
	if (up->tls != NULL)
		return (tls_write(up->tls, iov[0].iov_base, iov[0].iov_len));
	if (niov == 1)
		return (send(up->fd, iov[0].iov_base, iov[0].iov_len,
		    MSG_NOSIGNAL));
	return (writev(up->fd, iov, niov));
}

static void
upconn_write(struct upconn *up)
{
	struct exchange	*ex = up->ex;

	if (upconn_send(up) == 0 || errno == EAGAIN)
		return;
	if (up->reused && !ex->sent_any) {
		upconn_eof(up, errno);
		return;
	}
	/* it may have answered before it closed: what is there to read
	 * decides */
	ex->cut = 1;
	up->readable = 1;
	buf_free(&ex->head);
	buf_free(&ex->body);
}

static void
upconn_read(struct upconn *up)
{
	static char	 in[UPSTREAM_READ];
	struct exchange	*ex = up->ex;
	ssize_t		 n;
	size_t		 max;
	int		 reads = 0;

	while (up->state == UP_BUSY && !ex->paused) {
		/* others get their turn, however it is fed to us; the edge
		 * is remembered */
		if (reads++ == READS_MAX) {
			upconn_again(up);
			return;
		}
		max = buf_tight() ? READ_TIGHT : sizeof(in);
		n = up->tls != NULL ? tls_read(up->tls, in, max) :
		    recv(up->fd, in, max, 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			up->readable = 0;
			return;
		}
		if (n <= 0) {
			upconn_eof(up, n == -1 ? errno : 0);
			return;
		}
		ex->got_any = 1;
		if ((size_t)n == max)
			reads = READS_MAX;
		exchange_feed(ex, in, (size_t)n);
	}
}

/* Read on in the next turn: what is made active inside the event loop would
 * run before it looks at anybody else, and before this turn ends. */
static void
upconn_again(struct upconn *up)
{
	if (up->again)
		return;
	up->again = 1;
	TAILQ_INSERT_TAIL(&again, up, again_link);
}

/* The upstream closed, or the connection failed with an error. */
static void
upconn_eof(struct upconn *up, int error)
{
	struct exchange	*ex = up->ex;
	int		 retry;

	if (error == 0 && ex->got_head &&
	    ex->framing == HTTP1_BODY_CLOSE) {
		ex->keepalive = 0;
		exchange_done(ex, 0);
		return;
	}
	/* nothing of it left this host, and the connection was stale */
	retry = up->reused && !ex->sent_any && !ex->got_any;
	if (retry) {
		up->ex = NULL;
		ex->up = NULL;
		upconn_close(up);
		ex->next_addr = 0;
		if (exchange_attach(ex) == 0) {
			if (ex->up != NULL && ex->up->state == UP_BUSY)
				event_active(ex->up->ev, EV_WRITE, 0);
			return;
		}
	}
	/* a connection that was kept may end at any time, and says nothing */
	if (!up->reused)
		balance_bad(up->server, "closed without a whole answer");
	if (ex->got_any)
		exchange_fail(ex, EXCHANGE_BROKEN,
		    "upstream closed in the middle of its answer");
	else
		exchange_fail(ex, EXCHANGE_REFUSED, error == 0 ?
		    "upstream closed without an answer" :
		    strerrordesc_np(error));
}

static void
upconn_expired(struct timer *t)
{
	struct upconn	*up;
	struct exchange	*ex;

	up = (struct upconn *)((char *)t - offsetof(struct upconn, timer));
	ex = up->ex;
	if (up->state == UP_CONNECTING || up->state == UP_TLS) {
		upconn_late(up);
		return;
	}
	exchange_fail(ex, EXCHANGE_TIMEOUT,
	    ex->got_head ? "upstream stream silent for too long" :
	    ex->sent_any ? "upstream did not answer in time" :
	    "upstream did not accept in time");
}

/* As upconn_failed(), but for the status that it leads to. */
static void
upconn_late(struct upconn *up)
{
	struct exchange	*ex = up->ex;
	struct server	*s = up->server;

	up->ex = NULL;
	ex->up = NULL;
	upconn_close(up);
	if (ex->next_addr < s->naddrs && (ex->up = upconn_connect(ex)) != NULL) {
		ex->up->ex = ex;
		return;
	}
	balance_bad(s, "no connection in time");
	if (exchange_other_server(ex) == -1)
		exchange_fail(ex, EXCHANGE_TIMEOUT,
		    "upstream did not accept in time");
}

static void
idle_expired(struct timer *t)
{
	upconn_close((struct upconn *)((char *)t -
	    offsetof(struct upconn, timer)));
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

/* A second or more before the upstream would close; NULL: it is not kept. */
static struct timeq *
idle_queue(unsigned s)
{
	struct timeq	*q = NULL;
	size_t		 i;

	if (s == 0)
		s = IDLE_DEFAULT + 1;
	for (i = 0; i < IDLE_CLASSES; i++)
		if (idle_s[i] < s)
			q = &q_idle[i];
	return (q);
}

/* The response is whole; excess bytes came behind it. */
void
exchange_done(struct exchange *ex, size_t excess)
{
	struct upconn	*up = ex->up;
	struct server	*s = ex->server;

	/* an answer that came before the request was sent ends both */
	if (ex->keepalive && excess == 0 && !ex->cut &&
	    idle_queue(ex->idle_s) != NULL &&
	    ex->head.len + ex->body.len == 0 && s->nidle < IDLE_MAX) {
		ex->up = NULL;
		up->ex = NULL;
		up->state = UP_IDLE;
		TAILQ_INSERT_HEAD(&s->idle, up, link);
		s->nidle++;
		if (s->up->nwaiting > 0)
			event_active(wake_ev, EV_TIMEOUT, 0);
		timer_start(&up->timer, idle_queue(ex->idle_s));
	}
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

/* Take the exchange out of the world; freed at the end of the turn. */
static void
exchange_end(struct exchange *ex)
{
	ex->over = 1;
	wait_end(ex);
	if (ex->up != NULL) {
		ex->up->ex = NULL;
		upconn_close(ex->up);
		ex->up = NULL;
	}
	TAILQ_INSERT_TAIL(&dead_ex, ex, link);
}
