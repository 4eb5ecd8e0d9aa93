/*
 * Client connections.  Each socket enters epoll once, edge-triggered; what an
 * edge said is remembered in readable, and cleared by EAGAIN or a short read.
 * Nothing is written during a turn: answers wait for the turn's audit line.
 * A socket may come from another worker, which may have been taken over: no
 * call relies on how it is set up.
 */
#include <sys/socket.h>

#include <netinet/tcp.h>

#include <arpa/inet.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/net.h"
#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/base/share.h"
#include "worker/client/conn_int.h"
#include "worker/record/audit.h"
#include "worker/request/body.h"
#include "worker/request/relay.h"
#include "worker/request/request.h"
#include "worker/wire/tls.h"

#define LOOK_MS		100		/* is who asked still there? */
#define LINGER_MS	2000		/* for each LINGER_LAP bytes */
#define LINGER_LAP	(256 * 1024)
#define LINGER_MAX	(64 * 1024 * 1024) /* discarded after an answer */
#define OUT_LOW		(32 * 1024)	/* go on reading the upstream */

struct conns			 conns;

static struct event_base	*base;
static const struct conn_up	*up;
static TAILQ_HEAD(, conn)	 dead = TAILQ_HEAD_INITIALIZER(dead);
static TAILQ_HEAD(, conn)	 dirty = TAILQ_HEAD_INITIALIZER(dirty);
static TAILQ_HEAD(, conn)	 recorded = TAILQ_HEAD_INITIALIZER(recorded);
static TAILQ_HEAD(, conn)	 again = TAILQ_HEAD_INITIALIZER(again);
static size_t			 ndirty;
static int			 full;
static void			(*tell_room)(int);

static void	 conn_peer(struct conn *);
static void	 conn_event(evutil_socket_t, short, void *);
static void	 conn_mark_dirty(struct conn *);
static void	 conn_mark_clean(struct conn *);
static void	 conn_flush(struct conn *);
static void	 expired_close(struct timer *);
static void	 expired_write(struct timer *);
static void	 expired_look(struct timer *);

void
conn_init(struct event_base *b, const struct worker_conf *c,
    void (*room)(int), const struct conn_up *u)
{
	base = b;
	up = u;
	TAILQ_INIT(&conns.all);
	conns.conf = c;
	tell_room = room;
	timeq_init(&conns.keepalive, conns.conf->t_keepalive, expired_close);
	timeq_init(&conns.write, conns.conf->t_keepalive, expired_write);
	timeq_init(&conns.linger, LINGER_MS, expired_close);
	timeq_init(&conns.look, LOOK_MS, expired_look);
}

void
conn_address(struct conn *c, const struct proto_addr *a)
{
	c->client.addr = *a;
	inet_ntop(a->family, a->addr, c->client.ip, sizeof(c->client.ip));
}

void
conn_close_passed(int fd)
{
	static const struct linger	 off;

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	close(fd);
}

struct conn *
conn_make(int fd)
{
	struct conn	*c;
	int		 one = 1;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		close(fd);
		return (NULL);
	}
	c->fd = fd;
	c->client.ops = up->ops;
	if (event_assign(&c->ev, base, fd, EV_READ | EV_WRITE | EV_CLOSED |
	    EV_ET | EV_PERSIST, conn_event, c) == -1 ||
	    event_add(&c->ev, NULL) == -1) {
		close(fd);
		free(c);
		return (NULL);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conn_peer(c);
	TAILQ_INSERT_TAIL(&conns.all, c, link);
	stats_gauge_inc(STATS_G_CONNECTIONS);
	if (++conns.n >= conns.conf->max_connections && !full) {
		full = 1;
		tell_room(0);
	}
	timer_start(&c->timer, &conns.header);
	/* a client sends at once: trying costs less than waiting to be told */
	c->readable = 1;
	return (c);
}

static void
conn_peer(struct conn *c)
{
	union net_sockaddr	 a;

	c->peer.family = AF_INET;
	if (net_peer(c->fd, &a) == -1)
		;
	else if (a.ss.ss_family == AF_INET)
		memcpy(c->peer.addr, &a.sin.sin_addr, 4);
	else if (a.ss.ss_family == AF_INET6) {
		if (IN6_IS_ADDR_V4MAPPED(&a.sin6.sin6_addr))
			memcpy(c->peer.addr,
			    &a.sin6.sin6_addr.s6_addr[12], 4);
		else {
			c->peer.family = AF_INET6;
			memcpy(c->peer.addr, &a.sin6.sin6_addr, 16);
		}
	}
	conn_address(c, &c->peer);
}

static void
conn_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;

	(void)fd;
	if (c->state == CONN_DEAD)
		return;
	if (what & (EV_READ | EV_CLOSED))
		c->readable = 1;
	if (what & EV_CLOSED)
		c->hup = 1;
	if ((what & EV_WRITE) && c->out.len > 0)
		conn_mark_dirty(c);
	up->process(c);
}

void
conn_poke(struct conn *c)
{
	if (c->state != CONN_DEAD)
		up->process(c);
}

int
conn_passable(const struct conn *c)
{
	if (c->state == CONN_PROXY)
		return (conns.handing_over);
	if (c->state == CONN_TLS)
		return (conns.handing_over && !c->hello);
	return (conns.handing_over && c->tls == NULL && c->skip == 0 &&
	    c->in.len <= PROTO_CONN_MAX &&
	    (c->state == CONN_IDLE || c->state == CONN_HEAD));
}

/* A reset comes as readable, without EV_CLOSED, and perhaps together with
 * bytes whose short read hid it. */
int
conn_broken(struct conn *c)
{
	socklen_t	 len;
	int		 error = 0;

	len = sizeof(error);
	return (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ||
	    error != 0);
}

int
conn_read(struct conn *c, size_t max)
{
	return (conn_read_into(c, &c->in, max));
}

int
conn_read_into(struct conn *c, struct buf *b, size_t max)
{
	char	*p;
	ssize_t	 n;

	if (!c->readable)
		return (0);
	if ((p = buf_room(b, max)) == NULL)
		return (-1);
	do
		n = c->tls != NULL ? tls_read(c->tls, p, max) :
		    recv(c->fd, p, max, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN) {
		c->readable = 0;
		if (b->len == 0)
			buf_free(b);
		return (0);
	}
	if (n <= 0)
		return (-1);
	buf_added(b, (size_t)n);
	/* a short read empties the socket; the next byte is a new edge */
	if ((size_t)n < max && !c->hup && c->tls == NULL)
		c->readable = 0;
	return (1);
}

void
conn_lasts(struct conn *c)
{
	unsigned	 ms = (unsigned)conns.conf->t_keepalive;

	/* RFC 5482; without it the kernel takes a quarter of an hour */
	setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/* What is made active inside the event loop would run before it looks at
 * anybody else, and before this turn ends. */
void
conn_again(struct conn *c)
{
	if (c->again || c->state == CONN_DEAD)
		return;
	c->again = 1;
	TAILQ_INSERT_TAIL(&again, c, again_link);
}

void
conn_body_timer(struct conn *c)
{
	timer_start(&c->timer, &conns.body);
}

void
conn_look_later(struct conn *c)
{
	timer_start(&c->timer, &conns.look);
}

struct buf *
conn_out(struct conn *c)
{
	conn_mark_dirty(c);
	return (&c->out);
}

int
conn_send(struct conn *c, const void *p, size_t len)
{
	if (c->state == CONN_DEAD)
		return (-1);
	if (buf_append(&c->out, p, len) == -1) {
		conn_abort(c);
		return (-1);
	}
	conn_mark_dirty(c);
	return (0);
}

void
conn_answered(struct conn *c)
{
	c->client.req = NULL;
	if (c->state == CONN_DEAD)
		return;
	c->state = CONN_SEND;
	conn_mark_dirty(c);
}

void
conn_recorded(struct conn *c)
{
	if (c->state == CONN_DEAD)
		return;
	c->record_line = audit_added();
	if (c->recorded)
		return;
	c->recorded = 1;
	TAILQ_INSERT_TAIL(&recorded, c, record_link);
}

void
conn_clear_recorded(void)
{
	struct conn	*c;

	while ((c = TAILQ_FIRST(&recorded)) != NULL) {
		TAILQ_REMOVE(&recorded, c, record_link);
		c->recorded = 0;
	}
}

void
conn_abort_recorded(uint64_t written)
{
	struct conn	*c, *next;

	for (c = TAILQ_FIRST(&recorded); c != NULL; c = next) {
		next = TAILQ_NEXT(c, record_link);
		if (c->record_line > written)
			conn_abort(c);
	}
}

static void
conn_mark_dirty(struct conn *c)
{
	if (c->dirty || c->state == CONN_DEAD)
		return;
	c->dirty = 1;
	TAILQ_INSERT_TAIL(&dirty, c, dirty_link);
	ndirty++;
}

static void
conn_mark_clean(struct conn *c)
{
	if (!c->dirty)
		return;
	c->dirty = 0;
	TAILQ_REMOVE(&dirty, c, dirty_link);
	ndirty--;
}

int
conn_flush_dirty(void)
{
	struct conn	*c;
	size_t		 n = ndirty;

	if (n == 0)
		return (0);
	/* what gets dirty meanwhile waits for its own audit line */
	while (n-- > 0 && (c = TAILQ_FIRST(&dirty)) != NULL) {
		conn_mark_clean(c);
		conn_flush(c);
	}
	return (1);
}

static void
conn_flush(struct conn *c)
{
	ssize_t	 n;

	while (c->out.len > 0) {
		n = c->tls != NULL ?
		    tls_write(c->tls, buf_data(&c->out), c->out.len) :
		    send(c->fd, buf_data(&c->out), c->out.len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			if (c->stuck == 0)
				c->stuck = clock_mono();
			if (c->timer.q == NULL || c->timer.q == &conns.look)
				timer_start(&c->timer, &conns.write);
			break;
		}
		if (n == -1) {
			if (c->client.req != NULL)
				request_client_gone(c->client.req);
			conn_close(c);
			return;
		}
		buf_drop(&c->out, (size_t)n);
		if (c->timer.q == &conns.write)
			timer_start(&c->timer, &conns.write);
	}
	if (c->out.len == 0 && c->timer.q == &conns.write)
		timer_clear(&c->timer);
	if (c->out.len == 0)
		buf_free(&c->out);
	if (c->client.req != NULL && c->out.len <=
	    (body_count(c->client.req) || buf_tight() ? 0 : OUT_LOW))
		relay_writable(c->client.req);
	if (c->state == CONN_SEND && c->out.len == 0) {
		c->stuck = 0;
		up->sent(c);
	}
}

void
conn_linger(struct conn *c)
{
	buf_wipe(&c->in);
	c->state = CONN_LINGER;
	c->skip = LINGER_MAX;
	if (c->tls != NULL)
		tls_end(c->tls);
	shutdown(c->fd, SHUT_WR);
	timer_start(&c->timer, &conns.linger);
	c->readable = 1;
	conn_discard(c);
}

/* Who sends all before it reads must not meet a reset instead of its answer:
 * that costs us nothing but time, a lap of it per turn. */
void
conn_discard(struct conn *c)
{
	static char	 waste[16 * 1024];
	ssize_t		 n;

	for (;;) {
		n = recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0 || (size_t)n >= c->skip)
			break;
		c->skip -= (size_t)n;
		if (c->skip / LINGER_LAP !=
		    (c->skip + (size_t)n) / LINGER_LAP) {
			timer_start(&c->timer, &conns.linger);
			conn_again(c);
			return;
		}
	}
	conn_close(c);
}

void
conn_abort(struct conn *c)
{
	struct linger	 l = { .l_onoff = 1, .l_linger = 0 };

	if (c->state == CONN_DEAD)
		return;
	c->passed = 0;
	/* a reset, so that nobody takes a part for the whole */
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	if (c->client.req != NULL)
		request_client_gone(c->client.req);
	conn_close(c);
}

void
conn_close(struct conn *c)
{
	if (c->state == CONN_DEAD)
		return;
	timer_clear(&c->timer);
	event_del(&c->ev);
	tls_free(c->tls);
	c->tls = NULL;
	/* close(2) itself could wait, for as long as another worker said */
	if (c->fd != -1 && c->passed)
		conn_close_passed(c->fd);
	else if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	conn_mark_clean(c);
	if (c->recorded)
		TAILQ_REMOVE(&recorded, c, record_link);
	if (c->again)
		TAILQ_REMOVE(&again, c, again_link);
	c->recorded = c->again = 0;
	c->state = CONN_DEAD;
	if (c->client.share != NULL) {
		share_conn(c->client.share, -1);
		share_put(c->client.share);
		c->client.share = NULL;
	}
	TAILQ_REMOVE(&conns.all, c, link);
	TAILQ_INSERT_TAIL(&dead, c, link);
	conns.n--;
	stats_gauge_dec(STATS_G_CONNECTIONS);
	conns.newcomers -= c->client.newcomer;
	if (full && conns.n < conns.conf->max_connections) {
		full = 0;
		tell_room(1);
	}
}

void
conn_turn_end(void)
{
	struct conn	*c;

	while ((c = TAILQ_FIRST(&again)) != NULL) {
		TAILQ_REMOVE(&again, c, again_link);
		c->again = 0;
		event_active(&c->ev, EV_READ, 0);
	}
	while ((c = TAILQ_FIRST(&dead)) != NULL) {
		TAILQ_REMOVE(&dead, c, link);
		buf_wipe(&c->in);
		buf_free(&c->out);
		free(c);
	}
}

size_t
conn_count(void)
{
	return (conns.n);
}

struct conn *
conn_of(struct timer *t)
{
	return ((struct conn *)((char *)t - offsetof(struct conn, timer)));
}

static void
expired_close(struct timer *t)
{
	struct conn	*c = conn_of(t);

	if (c->out.len > 0)
		conn_abort(c);
	else
		conn_close(c);
}

/* A client that takes nothing of its answer. */
static void
expired_write(struct timer *t)
{
	log_debug("client.write_timeout", NULL,
	    "a client does not read its answer: closed");
	conn_abort(conn_of(t));
}

/* Later resets come as edges of their own. */
static void
expired_look(struct timer *t)
{
	struct conn	*c = conn_of(t);

	if (c->state != CONN_REQUEST || !conn_broken(c))
		return;
	request_client_gone(c->client.req);
	conn_close(c);
}
