/*
 * A connection is connecting, busy, or idle; an idle one is closed before the
 * server would close it, because a request that meets a closing connection is
 * lost.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/stats.h"
#include "worker/base/buf.h"
#include "worker/upstream/upconn.h"

#define READ_TIGHT	(4 * 1024)	/* while memory is short */
#define READS_MAX	4		/* of one connection per turn */
#define IDLE_DEFAULT	4		/* s, unless Keep-Alive says */

/* How long an idle connection is kept, by what the upstream said. */
static const unsigned idle_s[] = { 1, 2, IDLE_DEFAULT, 9, 29, 59 };
#define IDLE_CLASSES	(sizeof(idle_s) / sizeof(idle_s[0]))

static struct event_base	*base;
static struct server		*servers;	/* of all upstreams */
static size_t			 nservers;
static struct upconn_list	 dead = TAILQ_HEAD_INITIALIZER(dead);
static TAILQ_HEAD(, upconn)	 again = TAILQ_HEAD_INITIALIZER(again);
static uint64_t		 turn = 1;	/* of the loop */
static size_t			 nopen;
static size_t			 max_open;
static void			(*on_release)(const struct upstream *);
static struct timeq		 q_idle[IDLE_CLASSES];

static int	 idle_silent(struct upconn *);
static void	 idle_settle(struct server *);
static void	 idle_remove(struct upconn *);
static struct upconn *idle_last(struct server *);
static int	 upconn_open(struct upconn *, size_t *);
static struct timeq *idle_queue(unsigned);
static void	 idle_expired(struct timer *);
static void	 upconn_event(evutil_socket_t, short, void *);
static void	 upconn_connected(struct upconn *);
static void	 upconn_signed(void *);
static void	 upconn_secure(struct upconn *);
static void	 upconn_begin(struct upconn *);
static void	 upconn_failed(struct upconn *, const char *);
static void	 upconn_read(struct upconn *);
static void	 upconn_again(struct upconn *);
static void	 count_open(const struct server *, uint64_t);

void
upconn_setup(struct event_base *b, size_t max, struct server *s, size_t n,
    void (*released)(const struct upstream *))
{
	size_t	 i;

	base = b;
	max_open = max;
	servers = s;
	nservers = n;
	on_release = released;
	for (i = 0; i < IDLE_CLASSES; i++)
		timeq_init(&q_idle[i], idle_s[i] * 1000, idle_expired);
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

/*
 * An idle connection that is still open and silent, most recent first.  One
 * that had been read empty before this turn's events were asked for would be
 * among them, had it anything to say since, and what it says before it is
 * written to is found then; any other must be looked at.
 */
struct upconn *
upconn_idle(struct server *s, const struct upconn_cb *cb, void *arg)
{
	struct upconn	*up;

	idle_settle(s);
	while ((up = TAILQ_FIRST(&s->idle)) != NULL ||
	    (up = TAILQ_FIRST(&s->fresh)) != NULL) {
		if ((up->emptied && up->kept != turn) || idle_silent(up)) {
			idle_remove(up);
			timer_clear(&up->timer);
			up->cb = cb;
			up->arg = arg;
			up->state = UP_BUSY;
			up->readable = up->wrote = 0;
			up->reused = 1;
			stats_inc(STATS_UP_REUSED);
			return (up);
		}
		upconn_close(up);
	}
	return (NULL);
}

/* What became idle in an earlier turn is fresh no more. */
static void
idle_settle(struct server *s)
{
	if (s->fresh_turn == turn)
		return;
	s->fresh_turn = turn;
	TAILQ_CONCAT(&s->fresh, &s->idle, link);
	TAILQ_CONCAT(&s->idle, &s->fresh, link);
}

static void
idle_remove(struct upconn *up)
{
	struct server	*s = up->server;

	idle_settle(s);
	if (up->kept == turn)
		TAILQ_REMOVE(&s->fresh, up, link);
	else
		TAILQ_REMOVE(&s->idle, up, link);
	s->nidle--;
}

/* The one that was idle longest, or NULL. */
static struct upconn *
idle_last(struct server *s)
{
	idle_settle(s);
	return (TAILQ_LAST(TAILQ_EMPTY(&s->idle) ? &s->fresh : &s->idle,
	    upconn_list));
}

/* When no address can be tried a connection object comes back all the same,
 * which fails in its own event. */
struct upconn *
upconn_connect(struct server *s, size_t *next, const struct upconn_cb *cb,
    void *arg)
{
	struct upconn	*up;
	int		 failed;

	if (nopen >= max_open)
		upconn_make_room(NULL);
	if (nopen >= max_open || (up = calloc(1, sizeof(*up))) == NULL)
		return (NULL);
	up->server = s;
	up->cb = cb;
	up->arg = arg;
	up->state = UP_CONNECTING;
	up->fd = -1;
	failed = upconn_open(up, next) == -1;
	up->ev = event_new(base, up->fd, failed ? 0 :
	    EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
	    upconn_event, up);
	if (up->ev == NULL || (!failed && event_add(up->ev, NULL) == -1)) {
		if (up->ev != NULL)
			event_free(up->ev);
		if (up->fd != -1)
			close(up->fd);
		free(up);
		return (NULL);
	}
	nopen++;
	s->up->nopen++;
	count_open(s, 1);
	if (failed)
		event_active(up->ev, EV_TIMEOUT, 0);
	else
		timer_start(&up->timer, s->up->q_connect);
	return (up);
}

/* One more, or (UINT64_MAX) one less. */
static void
count_open(const struct server *s, uint64_t n)
{
	stats_bump(&stats->g[STATS_G_UP_CONNECTIONS], n);
	if (s->conf->number < STATS_SERVERS)
		stats_bump(&stats->servers[s->conf->number].connections, n);
}

/* A socket on its way to the next address that can be tried; 0 or -1. */
static int
upconn_open(struct upconn *up, size_t *next)
{
	struct server		*s = up->server;
	struct sockaddr_in	 sin;
	struct sockaddr_in6	 sin6;
	struct sockaddr		*sa;
	struct proto_addr	*a;
	socklen_t		 len;
	int			 one = 1;

	while (*next < s->naddrs) {
		up->addr = (*next)++;
		a = &s->addrs[(s->first + up->addr) % s->naddrs];
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
		log_debug("upstream.connect_failed", LOG_KV(
		    KV("upstream", s->up->conf->name),
		    KV("server", s->conf->authority),
		    KV("error", strerror(errno))), "upstream %s: connect: %s",
		    s->up->conf->name, strerror(errno));
		close(up->fd);
		up->fd = -1;
	}
	return (-1);
}

/* At the limit an idle connection gives way: of this upstream, or any. */
void
upconn_make_room(struct upstream *u)
{
	struct server	*s = u == NULL ? servers : u->servers;
	size_t		 i, n = u == NULL ? nservers : u->nservers;

	for (i = 0; i < n; i++)
		if (s[i].nidle > 0) {
			upconn_close(idle_last(&s[i]));
			return;
		}
}

void
upconn_close(struct upconn *up)
{
	struct server	*s = up->server;

	if (up->state == UP_DEAD)
		return;
	if (up->state == UP_IDLE)
		idle_remove(up);
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
	count_open(s, UINT64_MAX);
	on_release(s->up);
	TAILQ_INSERT_TAIL(&dead, up, link);
}

int
upconn_keep(struct upconn *up, unsigned seconds)
{
	struct server	*s = up->server;
	struct timeq	*q = idle_queue(seconds);

	/* where the end came with the answer no other edge will tell */
	if (q == NULL || up->closed)
		return (0);
	up->state = UP_IDLE;
	up->paused = 0;
	idle_settle(s);
	up->kept = turn;
	TAILQ_INSERT_HEAD(&s->fresh, up, link);
	s->nidle++;
	timer_start(&up->timer, q);
	on_release(s->up);
	return (1);
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

static void
idle_expired(struct timer *t)
{
	upconn_close((struct upconn *)((char *)t -
	    offsetof(struct upconn, timer)));
}

static void
upconn_event(evutil_socket_t fd, short what, void *arg)
{
	struct upconn	*up = arg;

	(void)fd;
	if (up->state == UP_DEAD)
		return;
	if (what & EV_CLOSED)
		up->closed = 1;
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
	    !up->wrote && !idle_silent(up)) {
		up->cb->eof(up->arg, 0);
		return;
	}
	if (up->state == UP_CONNECTING)
		upconn_connected(up);
	else if (up->state == UP_TLS)
		upconn_secure(up);
	if (up->state == UP_BUSY && (what & EV_WRITE))
		up->cb->ready(up->arg);
	if (up->state == UP_BUSY && up->readable)
		upconn_read(up);
}

/* The outcome of a connect. */
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
	    s->up->conf->tls_server_name : s->conf->host, &s->resume,
	    upconn_signed, up);
	if (up->tls == NULL) {
		upconn_failed(up, "out of memory");
		return;
	}
	up->state = UP_TLS;
	upconn_secure(up);
}

/* The keeper has signed. */
static void
upconn_signed(void *arg)
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

	stats_inc(STATS_UP_CONNECTIONS);
	s->first = (s->first + up->addr) % s->naddrs;
	up->state = UP_BUSY;
	timer_start(&up->timer, s->up->q_response);
	up->cb->ready(up->arg);
}

static void
upconn_failed(struct upconn *up, const char *why)
{
	stats_inc(STATS_UP_FAILED);
	up->cb->failed(up->arg, UPCONN_REFUSED, why);
}

void
upconn_call(struct upconn *up)
{
	event_active(up->ev, EV_WRITE, 0);
}

ssize_t
upconn_write(struct upconn *up, const struct iovec *iov, int n)
{
	ssize_t	 sent;

	if (up->tls != NULL)
		sent = tls_write(up->tls, iov[0].iov_base, iov[0].iov_len);
	else if (n == 1)
		sent = send(up->fd, iov[0].iov_base, iov[0].iov_len,
		    MSG_NOSIGNAL);
	else
		sent = writev(up->fd, iov, n);
	up->wrote |= sent > 0;
	return (sent);
}

void
upconn_broke(struct upconn *up)
{
	up->readable = 1;
}

void
upconn_pause(struct upconn *up)
{
	up->paused = 1;
}

void
upconn_resume(struct upconn *up)
{
	up->paused = 0;
	if (up->state == UP_BUSY && up->readable)
		event_active(up->ev, EV_READ, 0);
}

static void
upconn_read(struct upconn *up)
{
	static char	 in[UPCONN_READ];
	void		*arg = up->arg;
	ssize_t		 n;
	size_t		 max;
	int		 reads = 0;

	/* its user may let go of it, and another take it, at any time */
	while (up->state == UP_BUSY && up->arg == arg && !up->paused) {
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
			up->cb->eof(up->arg, n == -1 ? errno : 0);
			return;
		}
		/* what comes after a short read makes an edge of its own; TLS
		 * reads more than it hands out */
		up->emptied = (size_t)n < max && up->tls == NULL;
		if ((size_t)n == max)
			reads = READS_MAX;
		up->cb->data(up->arg, in, (size_t)n);
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

void
upconn_turn_end(void)
{
	struct upconn	*up;

	turn++;
	while ((up = TAILQ_FIRST(&again)) != NULL) {
		TAILQ_REMOVE(&again, up, again_link);
		up->again = 0;
		event_active(up->ev, EV_READ, 0);
	}
	while ((up = TAILQ_FIRST(&dead)) != NULL) {
		TAILQ_REMOVE(&dead, up, link);
		free(up);
	}
}

void
upconn_expired(struct timer *t)
{
	struct upconn	*up;

	up = (struct upconn *)((char *)t - offsetof(struct upconn, timer));
	if (up->state == UP_BUSY)
		up->cb->failed(up->arg, UPCONN_SILENT, "silent");
	else {
		stats_inc(STATS_UP_FAILED);
		up->cb->failed(up->arg, UPCONN_LATE, "no connection in time");
	}
}
