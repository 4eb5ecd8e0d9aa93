/*
 * Connections to upstreams.  A connection is connecting, busy with one
 * exchange, or idle; an idle one is closed before the upstream would close
 * it, because a request that meets a closing connection is lost.
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
#include "worker/clock.h"
#include "worker/upstream_int.h"

#define READ_SIZE	(64 * 1024)
#define IDLE_DEFAULT	4		/* s, unless Keep-Alive says */
#define IDLE_MAX	256		/* idle connections per upstream */

struct upstream {
	const struct conf_upstream *conf;
	struct proto_addr addrs[PROTO_ADDRS_MAX];
	size_t		 naddrs;
	size_t		 first;		/* address that worked last */
	int		 resolved;
	struct upconn_list idle;
	size_t		 nidle;
};

/* How long an idle connection is kept, by what the upstream said. */
static const unsigned idle_s[] = { 1, 2, IDLE_DEFAULT, 9, 29, 59 };
#define IDLE_CLASSES	(sizeof(idle_s) / sizeof(idle_s[0]))

static struct event_base	*base;
static struct upstream		*ups;
static size_t			 nups;
static struct upconn_list	 dead = TAILQ_HEAD_INITIALIZER(dead);
static TAILQ_HEAD(, exchange)	 dead_ex = TAILQ_HEAD_INITIALIZER(dead_ex);
static size_t			 nopen;
static size_t			 max_open;
static struct timeq		 q_connect, q_response, q_stream;
static struct timeq		 q_idle[IDLE_CLASSES];

static struct upconn *upconn_connect(struct upstream *, struct exchange *);
static void	 upconn_close(struct upconn *);
static void	 upconn_event(evutil_socket_t, short, void *);
static void	 upconn_connected(struct upconn *);
static int	 upconn_send(struct upconn *);
static void	 upconn_write(struct upconn *);
static void	 upconn_read(struct upconn *);
static void	 upconn_eof(struct upconn *, int);
static void	 upconn_expired(struct timer *);
static void	 idle_expired(struct timer *);
static struct upconn *idle_take(struct upstream *);
static int	 exchange_attach(struct exchange *);
static struct timeq *idle_queue(unsigned);
static void	 exchange_end(struct exchange *);
static void	 make_room(void);

void
upstream_setup(struct event_base *b, const struct worker_conf *conf)
{
	struct upstream	*u;
	size_t		 i;

	base = b;
	nups = conf->nupstreams;
	max_open = (size_t)conf->max_connections;
	if ((ups = calloc(nups, sizeof(*ups))) == NULL)
		fatal("calloc");
	for (i = 0; i < nups; i++) {
		u = &ups[i];
		u->conf = &conf->upstreams[i];
		TAILQ_INIT(&u->idle);
		if (inet_pton(AF_INET, u->conf->host, u->addrs[0].addr) == 1)
			u->addrs[0].family = AF_INET;
		else if (inet_pton(AF_INET6, u->conf->host,
		    u->addrs[0].addr) == 1)
			u->addrs[0].family = AF_INET6;
		else
			continue;
		u->naddrs = 1;
		u->resolved = 1;
	}
	timeq_init(&q_connect, conf->t_connect, upconn_expired);
	timeq_init(&q_response, conf->t_response, upconn_expired);
	timeq_init(&q_stream, conf->t_stream_idle, upconn_expired);
	for (i = 0; i < IDLE_CLASSES; i++)
		timeq_init(&q_idle[i], idle_s[i] * 1000, idle_expired);
}

void
upstream_set_addrs(size_t i, const struct proto_addr *addrs, size_t n)
{
	if (i >= nups || n > PROTO_ADDRS_MAX)
		return;
	ups[i].resolved = 1;
	/* a name that is gone for now does not unmake what worked */
	if (n == 0)
		return;
	memcpy(ups[i].addrs, addrs, n * sizeof(*addrs));
	ups[i].naddrs = n;
	ups[i].first = 0;
}

int
upstream_resolved(void)
{
	size_t	 i;

	for (i = 0; i < nups; i++)
		if (!ups[i].resolved)
			return (0);
	return (1);
}

size_t
upstream_open(void)
{
	return (nopen);
}

struct exchange *
exchange_start(size_t upstream, const char *method, struct buf *head,
    struct buf *body, const struct exchange_cb *cb, void *arg)
{
	struct exchange	*ex;

	if (upstream >= nups || (ex = calloc(1, sizeof(*ex))) == NULL)
		return (NULL);
	ex->cb = cb;
	ex->arg = arg;
	ex->method = method;
	ex->upstream = upstream;
	if (exchange_attach(ex) == -1) {
		free(ex);
		return (NULL);
	}
	ex->head = *head;
	ex->body = *body;
	memset(head, 0, sizeof(*head));
	memset(body, 0, sizeof(*body));
	if (ex->up->state == UP_BUSY && upconn_send(ex->up) == -1 &&
	    errno != EAGAIN)
		event_active(ex->up->ev, EV_WRITE, 0);	/* it fails there */
	return (ex);
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

	for (i = 0; i < nups; i++)
		while ((up = TAILQ_FIRST(&ups[i].idle)) != NULL)
			upconn_close(up);
}

/* Find or make a connection for an exchange.  0, or -1. */
static int
exchange_attach(struct exchange *ex)
{
	struct upstream	*u = &ups[ex->upstream];
	struct upconn	*up;

	if ((up = idle_take(u)) == NULL &&
	    (up = upconn_connect(u, ex)) == NULL)
		return (-1);
	ex->up = up;
	up->ex = ex;
	if (up->state == UP_BUSY)
		timer_start(&up->timer, &q_response);
	return (0);
}

/* An idle connection that is still open and silent, most recent first. */
static struct upconn *
idle_take(struct upstream *u)
{
	struct upconn	*up;
	char		 c;

	while ((up = TAILQ_FIRST(&u->idle)) != NULL) {
		if (recv(up->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == -1 &&
		    (errno == EAGAIN || errno == EWOULDBLOCK)) {
			TAILQ_REMOVE(&u->idle, up, link);
			u->nidle--;
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
upconn_connect(struct upstream *u, struct exchange *ex)
{
	struct upconn		*up;
	struct sockaddr_in	 sin;
	struct sockaddr_in6	 sin6;
	struct sockaddr		*sa;
	struct proto_addr	*a;
	socklen_t		 len;
	int			 one = 1, failed = 0;

	if (nopen >= max_open)
		make_room();
	if (nopen >= max_open || (up = calloc(1, sizeof(*up))) == NULL)
		return (NULL);
	up->upstream = ex->upstream;
	up->state = UP_CONNECTING;
	up->fd = -1;
	while (ex->next_addr < u->naddrs) {
		a = &u->addrs[(u->first + ex->next_addr++) % u->naddrs];
		memset(&sin, 0, sizeof(sin));
		memset(&sin6, 0, sizeof(sin6));
		sin.sin_family = AF_INET;
		sin.sin_port = htons(u->conf->port);
		memcpy(&sin.sin_addr, a->addr, 4);
		sin6.sin6_family = AF_INET6;
		sin6.sin6_port = htons(u->conf->port);
		memcpy(&sin6.sin6_addr, a->addr, 16);
		sa = a->family == AF_INET ? (struct sockaddr *)&sin :
		    (struct sockaddr *)&sin6;
		len = a->family == AF_INET ? sizeof(sin) : sizeof(sin6);
		up->fd = socket(a->family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (up->fd == -1)
			break;
		setsockopt(up->fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
		if (connect(up->fd, sa, len) == 0 || errno == EINPROGRESS)
			break;
		log_debug("upstream %s: connect: %s", u->conf->name,
		    strerror(errno));
		close(up->fd);
		up->fd = -1;
	}
	if (up->fd == -1)
		failed = 1;
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
	if (failed)
		event_active(up->ev, EV_TIMEOUT, 0);
	else
		timer_start(&up->timer, &q_connect);
	return (up);
}

/* At the limit an idle connection of any upstream gives way. */
static void
make_room(void)
{
	size_t	 i;

	for (i = 0; i < nups; i++)
		if (!TAILQ_EMPTY(&ups[i].idle)) {
			upconn_close(TAILQ_LAST(&ups[i].idle, upconn_list));
			return;
		}
}

static void
upconn_close(struct upconn *up)
{
	struct upstream	*u = &ups[up->upstream];

	if (up->state == UP_DEAD)
		return;
	if (up->state == UP_IDLE) {
		TAILQ_REMOVE(&u->idle, up, link);
		u->nidle--;
	}
	timer_clear(&up->timer);
	event_free(up->ev);
	if (up->fd != -1)
		close(up->fd);
	up->fd = -1;
	up->state = UP_DEAD;
	nopen--;
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
		if (what & EV_READ)
			upconn_close(up);
		return;
	}
	if (what & EV_READ)
		up->readable = 1;
	if (up->state == UP_CONNECTING)
		upconn_connected(up);
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
	struct upstream	*u = &ups[up->upstream];
	struct exchange	*ex = up->ex;
	socklen_t	 len;
	int		 error = ECONNREFUSED;

	len = sizeof(error);
	if (up->fd != -1 &&
	    getsockopt(up->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error == 0) {
		u->first = (u->first + ex->next_addr + u->naddrs - 1) %
		    u->naddrs;
		up->state = UP_BUSY;
		timer_start(&up->timer, &q_response);
		upconn_write(up);
		return;
	}
	up->ex = NULL;
	ex->up = NULL;
	upconn_close(up);
	if (ex->next_addr < u->naddrs) {
		if ((ex->up = upconn_connect(u, ex)) == NULL) {
			exchange_fail(ex, EXCHANGE_REFUSED, "no connection");
			return;
		}
		ex->up->ex = ex;
		return;
	}
	exchange_fail(ex, EXCHANGE_REFUSED, u->naddrs == 0 ?
	    "name not resolved" : strerrordesc_np(error));
}

/* Send what the socket takes.  0 when all is sent, or -1 with errno. */
static int
upconn_send(struct upconn *up)
{
	struct exchange	*ex = up->ex;
	struct iovec	 iov[2];
	ssize_t		 n;
	size_t		 h;
	int		 niov;

	while (ex->head.len + ex->body.len > 0) {
		niov = 0;
		if (ex->head.len > 0) {
			iov[niov].iov_base = buf_data(&ex->head);
			iov[niov++].iov_len = ex->head.len;
		}
		if (ex->body.len > 0) {
			iov[niov].iov_base = buf_data(&ex->body);
			iov[niov++].iov_len = ex->body.len;
		}
		if ((n = writev(up->fd, iov, niov)) == -1) {
			if (errno == EINTR)
				continue;
			return (-1);
		}
		ex->sent_any = 1;
		timer_start(&up->timer, &q_response);
		h = (size_t)n < ex->head.len ? (size_t)n : ex->head.len;
		buf_drop(&ex->head, h);
		buf_drop(&ex->body, (size_t)n - h);
	}
	buf_free(&ex->head);
	buf_free(&ex->body);
	return (0);
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
	static char	 in[READ_SIZE];
	struct exchange	*ex = up->ex;
	ssize_t		 n;

	while (up->state == UP_BUSY && !ex->paused) {
		n = read(up->fd, in, sizeof(in));
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
		exchange_feed(ex, in, (size_t)n);
		/* others get their turn; the edge is remembered */
		if (!ex->over && up->state == UP_BUSY && !ex->paused) {
			if ((size_t)n == sizeof(in))
				event_active(up->ev, EV_READ, 0);
			else
				continue;
			return;
		}
	}
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
			if (ex->up->state == UP_BUSY)
				event_active(ex->up->ev, EV_WRITE, 0);
			return;
		}
	}
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
	struct upstream	*u;

	up = (struct upconn *)((char *)t - offsetof(struct upconn, timer));
	ex = up->ex;
	u = &ups[up->upstream];
	if (up->state == UP_CONNECTING && ex->next_addr < u->naddrs) {
		up->ex = NULL;
		upconn_close(up);
		ex->up = upconn_connect(u, ex);
		if (ex->up != NULL) {
			ex->up->ex = ex;
			return;
		}
	}
	exchange_fail(ex, EXCHANGE_TIMEOUT,
	    ex->got_head ? "upstream stream silent for too long" :
	    ex->sent_any ? "upstream did not answer in time" :
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
	log_debug("upstream %s: %s", ups[ex->upstream].conf->name, why);
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
	struct upstream	*u = &ups[ex->upstream];

	/* an answer that came before the request was sent ends both */
	if (ex->keepalive && excess == 0 && !ex->cut &&
	    idle_queue(ex->idle_s) != NULL &&
	    ex->head.len + ex->body.len == 0 && u->nidle < IDLE_MAX) {
		ex->up = NULL;
		up->ex = NULL;
		up->state = UP_IDLE;
		TAILQ_INSERT_HEAD(&u->idle, up, link);
		u->nidle++;
		timer_start(&up->timer, idle_queue(ex->idle_s));
	}
	exchange_end(ex);
	ex->cb->done(ex->arg);
}

/* What limits the silence between two reads of a response. */
void
exchange_timer(struct exchange *ex)
{
	timer_start(&ex->up->timer, ex->stream ? &q_stream : &q_response);
}

/* Take the exchange out of the world; freed at the end of the turn. */
static void
exchange_end(struct exchange *ex)
{
	ex->over = 1;
	if (ex->up != NULL) {
		ex->up->ex = NULL;
		upconn_close(ex->up);
		ex->up = NULL;
	}
	TAILQ_INSERT_TAIL(&dead_ex, ex, link);
}
