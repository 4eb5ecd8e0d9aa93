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

#include "common/imsg.h"
#include "common/log.h"
#include "common/net.h"
#include "worker/body.h"
#include "worker/clock.h"
#include "worker/audit.h"
#include "worker/conn.h"
#include "worker/forwarded.h"
#include "worker/h1.h"
#include "worker/h1_put.h"
#include "worker/proxy_proto.h"
#include "worker/request.h"
#include "worker/share.h"
#include "worker/tls.h"

#define READ_SIZE	4096		/* first read of a head */
#define LOOK_MS		100		/* is who asked still there? */
#define LINGER_MS	2000		/* for each LINGER_LAP bytes */
#define LINGER_LAP	(256 * 1024)
#define LINGER_MAX	(64 * 1024 * 1024) /* discarded after an answer */
#define OUT_LOW		(32 * 1024)	/* go on reading the upstream */
#define PASSED_SPARE	64		/* too many: may still be told so */
#define NO_ROOM_LOG_MS	1000
#define HEAD_GRACE_MS	1000		/* then a head that is late gives way */
#define BODIES_MAX	64		/* looked at for a slow one */

TAILQ_HEAD(conn_list, conn);

static struct event_base	*base;
static const struct worker_conf	*conf;
static struct conn_list		 all = TAILQ_HEAD_INITIALIZER(all);
static struct conn_list		 dead = TAILQ_HEAD_INITIALIZER(dead);
static TAILQ_HEAD(, conn)	 dirty = TAILQ_HEAD_INITIALIZER(dirty);
static TAILQ_HEAD(, conn)	 recorded = TAILQ_HEAD_INITIALIZER(recorded);
static TAILQ_HEAD(, conn)	 again = TAILQ_HEAD_INITIALIZER(again);
static size_t			 nconns;
static size_t			 nnewcomers;
static size_t			 ndirty;
static int			 full;
static int			 leaving;
static int			 handing_over;
static int			 outdated;	/* it was, and may now stop */
static void			(*tell_room)(int);
static struct timeq		 q_header, q_body, q_keepalive, q_linger;
static struct timeq		 q_write, q_look;

static struct conn *conn_make(int);
static int	 conn_count_in(struct conn *);
static int	 conn_make_room(const struct share *, const struct conn *);
static struct conn *conn_victim(const struct share *, const struct conn *);
static struct conn *conn_standing(void);
static int	 conn_silent(const struct conn *);
static struct conn *conn_of(struct timer *);
static void	 conn_expect_proxy(struct conn *);
static void	 log_proxy(const struct conn *, const char *);
static int	 conn_proxy(struct conn *);
static void	 conn_expect_tls(struct conn *);
static void	 conn_no_room(struct conn *);
static void	 conn_close_passed(int);
static void	 log_no_room(void);
static void	 conn_ready(void *);
static void	 conn_event(evutil_socket_t, short, void *);
static void	 conn_process(struct conn *);
static int	 conn_passable(const struct conn *);
static int	 conn_hello(struct conn *);
static void	 conn_plain(struct conn *);
static int	 conn_skip(struct conn *);
static int	 conn_head(struct conn *);
static void	 conn_busy(struct conn *, int);
static int	 conn_broken(struct conn *);
static void	 conn_close(struct conn *);
static void	 conn_mark_dirty(struct conn *);
static void	 conn_mark_clean(struct conn *);
static void	 conn_flush(struct conn *);
static void	 conn_sent(struct conn *);
static void	 conn_greet(struct conn *);
static void	 conn_part(struct conn *);
static void	 conn_linger(struct conn *);
static void	 conn_discard(struct conn *);
static void	 conn_peer(struct conn *);
static int	 conn_believable(const struct conn *,
		    const struct proto_addr *);
static int	 same_address(const struct proto_addr *,
		    const struct proto_addr *);
static void	 conn_address(struct conn *, const struct proto_addr *);
static void	 expired_header(struct timer *);
static void	 expired_body(struct timer *);
static void	 expired_close(struct timer *);
static void	 expired_write(struct timer *);
static void	 expired_look(struct timer *);

void
conn_setup(struct event_base *b, const struct worker_conf *c,
    void (*room)(int))
{
	base = b;
	conf = c;
	tell_room = room;
	timeq_init(&q_header, conf->t_header, expired_header);
	timeq_init(&q_body, conf->t_body, expired_body);
	timeq_init(&q_keepalive, conf->t_keepalive, expired_close);
	timeq_init(&q_write, conf->t_keepalive, expired_write);
	timeq_init(&q_linger, LINGER_MS, expired_close);
	timeq_init(&q_look, LOOK_MS, expired_look);
}

void
conn_new(int fd)
{
	struct conn	*c;

	if ((c = conn_make(fd)) == NULL)
		return;
	c->client.newcomer = leaving != 0;
	nnewcomers += c->client.newcomer;
	/* whose it is a proxy says later */
	if (!conf->proxy_protocol && conn_count_in(c) == -1)
		return;
	if (nconns > conf->max_connections && !conn_make_room(NULL, c)) {
		conn_close(c);
		return;
	}
	if (conf->proxy_protocol)
		conn_expect_proxy(c);
	else if (tls_on())
		conn_expect_tls(c);
	conn_process(c);
}

/* It counts for its address.  0, or -1: closed, that has enough. */
static int
conn_count_in(struct conn *c)
{
	struct share	*s;

	/* what comes through it counts for others, a request each */
	if (conf->nproxies > 0 && forwarded_trusts(&c->client.addr))
		return (0);
	if ((s = share_get(&c->client.addr)) == NULL) {
		conn_close(c);
		return (-1);
	}
	if (conf->per_connections > 0 && s->conns >= conf->per_connections &&
	    !conn_make_room(s, c)) {
		log_proxy(c, "limits.per_address.connections reached");
		share_put(s);
		conn_close(c);
		return (-1);
	}
	c->client.share = s;
	share_conn(s, 1);
	return (0);
}

/* One gives way to c: of an address, or (NULL) of any.  0: none can. */
static int
conn_make_room(const struct share *of, const struct conn *c)
{
	struct conn	*victim;

	victim = conn_victim(of != NULL ? of : share_hog(), c);
	if (victim == NULL && of == NULL)
		victim = conn_victim(NULL, c);
	if (victim != NULL) {
		conn_close(victim);
		return (1);
	}
	if (of != NULL || share_hog() == c->client.share ||
	    (victim = conn_standing()) == NULL)
		return (0);
	/* not at once: it gets to read the end of its stream */
	victim->client.close = 1;
	request_end(victim->client.req, 1);
	return (1);
}

int
conn_spare(void)
{
	return (conn_victim(NULL, NULL) != NULL || (share_hog() != NULL &&
	    nconns <= conf->max_connections && conn_standing() != NULL));
}

/* A stream of an address that has more than half of all connections. */
static struct conn *
conn_standing(void)
{
	const struct share	*hog = share_hog();
	struct conn		*c;

	if (hog == NULL || hog->streams == 0)
		return (NULL);
	TAILQ_FOREACH(c, &all, link)
		if (c->client.share == hog && c->client.req != NULL &&
		    c->client.req->standing && c->client.req->answering)
			return (c);
	return (NULL);
}

/* Who was idle longest; who has had his answer; who is slow to ask. */
static struct conn *
conn_victim(const struct share *of, const struct conn *not)
{
	struct timer	*t;
	struct conn	*c;
	uint64_t	 now = clock_mono();

	TAILQ_FOREACH(t, &q_keepalive.list, link)
		if (((c = conn_of(t))->client.share == of || of == NULL) &&
		    c != not && conn_silent(c))
			return (c);
	TAILQ_FOREACH(t, &q_linger.list, link)
		if (((c = conn_of(t))->client.share == of || of == NULL) &&
		    c != not && c->state == CONN_LINGER)
			return (c);
	TAILQ_FOREACH(t, &q_header.list, link) {
		if (t->deadline + HEAD_GRACE_MS > now + q_header.ms)
			break;
		if (((c = conn_of(t))->client.share == of || of == NULL) &&
		    c != not)
			return (c);
	}
	return (NULL);
}

/* Is nothing of a next request here, not even unread? */
static int
conn_silent(const struct conn *c)
{
	char	 byte;

	return (c->state == CONN_IDLE && c->in.len == 0 && recv(c->fd, &byte,
	    1, MSG_PEEK | MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

struct request *
conn_slow_body(const struct request *not, uint64_t age)
{
	struct timer	*t;
	struct request	*r;
	int		 n = 0;

	TAILQ_FOREACH(t, &q_body.list, link) {
		if (n++ == BODIES_MAX)
			break;
		r = conn_of(t)->client.req;
		if (r != NULL && r != not && h1_wants_input(conn_of(t)) &&
		    (clock_mono() - r->began >= age || (r->share != NULL &&
		    r->share != not->share &&
		    r->share->bytes > conf->buffered / 2)))
			return (r);
	}
	return (NULL);
}

/* Anybody else could call himself what he likes. */
static void
conn_expect_proxy(struct conn *c)
{
	c->state = CONN_PROXY;
	if (net_has(conf->proxy_peers, conf->nproxy_peers, c->peer.family,
	    c->peer.addr))
		return;
	log_proxy(c, "not in proxy_protocol.trusted_cidrs");
	conn_close(c);
}

static void
log_proxy(const struct conn *c, const char *why)
{
	static uint64_t	 logged;
	static unsigned	 n;

	n++;
	if (logged != 0 && clock_mono() - logged < NO_ROOM_LOG_MS)
		return;
	log_warnx("%u connections refused, the last from %s: %s", n,
	    c->client.ip, why);
	logged = clock_mono();
	n = 0;
}

/* What the proxy says of the client; nothing behind it is read yet.  1 when
 * it is known. */
static int
conn_proxy(struct conn *c)
{
	static uint8_t	 buf[PROXY_PROTO_MAX];
	struct proto_addr addr;
	const char	*why;
	ssize_t		 n, used;

	do
		n = recv(c->fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		return (0);
	if (n <= 0) {
		conn_close(c);
		return (0);
	}
	used = proxy_proto_read(buf, (size_t)n, &addr, &why);
	if (used > 0 && recv(c->fd, buf, (size_t)used, MSG_DONTWAIT) != used)
		used = -1;
	if (used == -1)
		log_proxy(c, why);
	if (used == -1 || (used == 0 && (c->hup || conn_broken(c)))) {
		conn_close(c);
		return (0);
	}
	if (used == 0)
		return (0);
	if (addr.family != AF_UNSPEC)
		conn_address(c, &addr);
	return (conn_count_in(c) == 0);
}

static void
conn_expect_tls(struct conn *c)
{
	c->state = CONN_TLS;
	if ((c->tls = tls_new(c->fd, conn_ready, c)) == NULL)
		conn_close(c);
	c->client.secure = 1;
}

void
conn_passed(int fd, const struct proto_addr *addr, const void *input,
    size_t len)
{
	struct conn	*c;

	if (nconns >= conf->max_connections + PASSED_SPARE) {
		log_no_room();
		conn_close_passed(fd);
		return;
	}
	if ((c = conn_make(fd)) == NULL)
		return;
	c->passed = 1;
	if (!conn_believable(c, addr)) {
		conn_close(c);
		return;
	}
	if (addr->family != AF_UNSPEC) {
		conn_address(c, addr);
		if (conn_count_in(c) == -1)
			return;
	}
	if (len > 0 && buf_append(&c->in, input, len) == -1)
		conn_close(c);
	else if (nconns > conf->max_connections)
		conn_no_room(c);
	else if (addr->family == AF_UNSPEC) {
		conn_expect_proxy(c);
		conn_process(c);
	} else if (!tls_on())
		conn_process(c);
	else if (len > 0)
		conn_plain(c);
	else {
		/* TLS or not, nobody has read of it yet */
		conn_expect_tls(c);
		conn_process(c);
	}
}

/* A worker that was taken over must not pass for any client it likes, unless
 * the socket's other end may. */
static int
conn_believable(const struct conn *c, const struct proto_addr *a)
{
	if (conf->proxy_protocol)
		return (net_has(conf->proxy_peers, conf->nproxy_peers,
		    c->peer.family, c->peer.addr));
	return (same_address(a, &c->peer));
}

static int
same_address(const struct proto_addr *a, const struct proto_addr *b)
{
	return (a->family == b->family &&
	    memcmp(a->addr, b->addr, sizeof(a->addr)) == 0);
}

static void
conn_address(struct conn *c, const struct proto_addr *a)
{
	c->client.addr = *a;
	inet_ntop(a->family, a->addr, c->client.ip, sizeof(c->client.ip));
}

/*
 * Older generations give their connections to this one without asking.  Who
 * sends a request right now takes this for its answer; who does not sees that
 * the connection has ended.
 */
static void
conn_no_room(struct conn *c)
{
	char	 id[REQUEST_ID_LEN + 1];

	request_make_id(id);
	log_no_room();
	if (tls_on()) {
		conn_linger(c);
		return;
	}
	timer_clear(&c->timer);
	c->client.close = c->client.unread = 1;
	c->state = CONN_REQUEST;
	if (c->in.len > 0)
		request_malformed(&c->client, 503,
		    "limits.max_connections reached");
	else if (h1_put_no_room(c, id) == 0)
		conn_answered(c);
	else
		conn_abort(c);
}

static void
log_no_room(void)
{
	static uint64_t	 logged;
	static unsigned	 n;

	n++;
	if (clock_mono() - logged < NO_ROOM_LOG_MS)
		return;
	log_warnx("limits.max_connections reached: %u connections that older "
	    "workers handed over are refused", n);
	logged = clock_mono();
	n = 0;
}

/* However it was set up: this must not wait. */
static void
conn_close_passed(int fd)
{
	static const struct linger	 off;

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	close(fd);
}

/* NULL: fd is closed. */
static struct conn *
conn_make(int fd)
{
	struct conn	*c;
	int		 one = 1;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		close(fd);
		return (NULL);
	}
	c->fd = fd;
	c->client.ops = &h1_ops;
	if (event_assign(&c->ev, base, fd, EV_READ | EV_WRITE | EV_CLOSED |
	    EV_ET | EV_PERSIST, conn_event, c) == -1 ||
	    event_add(&c->ev, NULL) == -1) {
		close(fd);
		free(c);
		return (NULL);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conn_peer(c);
	TAILQ_INSERT_TAIL(&all, c, link);
	if (++nconns >= conf->max_connections && !full) {
		full = 1;
		tell_room(0);
	}
	timer_start(&c->timer, &q_header);
	/* a client sends at once: trying costs less than waiting to be told */
	c->readable = 1;
	return (c);
}

/* The keeper has signed. */
static void
conn_ready(void *arg)
{
	conn_poke(arg);
}

static void
conn_peer(struct conn *c)
{
	union {
		struct sockaddr_storage	 ss;
		struct sockaddr_in	 sin;
		struct sockaddr_in6	 sin6;
	} a;
	socklen_t	 len = sizeof(a);

	memset(&a, 0, sizeof(a));
	c->peer.family = AF_INET;
	if (getpeername(c->fd, (struct sockaddr *)&a, &len) == -1)
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
	conn_process(c);
}

void
conn_poke(struct conn *c)
{
	if (c->state != CONN_DEAD)
		conn_process(c);
}

/* Go as far as the input at hand allows. */
static void
conn_process(struct conn *c)
{
	int	 r, begun = 0;

	for (;;) {
		switch (c->state) {
		case CONN_PROXY:
			if (conn_passable(c) || !conn_proxy(c))
				return;
			c->state = CONN_IDLE;
			if (tls_on())
				conn_expect_tls(c);
			break;
		case CONN_TLS:
			if (conn_passable(c) || (!c->hello && !conn_hello(c)))
				return;
			if ((r = tls_handshake(c->tls)) == -1)
				conn_close(c);
			if (r != 1)
				return;
			c->state = CONN_IDLE;
			break;
		case CONN_IDLE:
		case CONN_HEAD:
			/* conn_drain() takes it */
			if (conn_passable(c) || !conn_skip(c) ||
			    conn_passable(c))
				return;
			if (leaving && !handing_over && !c->client.newcomer &&
			    c->state == CONN_IDLE && c->in.len == 0)
				return;
			if (!conn_head(c))
				return;
			begun = 1;
			break;
		case CONN_REQUEST:
			conn_busy(c, begun);
			return;
		case CONN_LINGER:
			conn_discard(c);
			return;
		default:
			return;
		}
	}
}

/* Is it to be passed, and can it be? */
static int
conn_passable(const struct conn *c)
{
	if (c->state == CONN_PROXY)
		return (handing_over);
	if (c->state == CONN_TLS)
		return (handing_over && !c->hello);
	return (handing_over && c->tls == NULL && c->skip == 0 &&
	    c->in.len <= PROTO_CONN_MAX &&
	    (c->state == CONN_IDLE || c->state == CONN_HEAD));
}

/* Does it begin as TLS does?  1 yes; 0 nothing is there, or it ended. */
static int
conn_hello(struct conn *c)
{
	unsigned char	 first;
	ssize_t		 n;

	do
		n = recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		return (0);
	if (n <= 0) {
		conn_close(c);
		return (0);
	}
	c->hello = 1;
	if (!http1_is_tchar(first))
		return (1);
	conn_plain(c);
	return (0);
}

/* HTTP where TLS is spoken, whose client cannot read an alert. */
static void
conn_plain(struct conn *c)
{
	tls_free(c->tls);
	c->tls = NULL;
	c->client.secure = 0;
	timer_clear(&c->timer);
	c->client.close = c->client.unread = 1;
	c->state = CONN_REQUEST;
	request_plain(&c->client);
}

/* Throw away what is left of a refused request's body.  1 when it is gone. */
static int
conn_skip(struct conn *c)
{
	size_t	 n;
	int	 r, got = 0;

	while (c->skip > 0) {
		if (c->in.len == 0 && (r = conn_read(c, READ_SIZE)) != 1) {
			if (r == -1 || (got && conn_broken(c)))
				conn_close(c);
			return (0);
		}
		got = 1;
		n = c->in.len < c->skip ? c->in.len : c->skip;
		buf_drop(&c->in, n);
		c->skip -= n;
		if (c->skip == 0 && c->in.len == 0)
			timer_start(&c->timer, &q_keepalive);
	}
	return (1);
}

/* Read a head and begin its request.  1 when there may be more to do. */
static int
conn_head(struct conn *c)
{
	static struct http1_head head;
	enum http1_more	 more;
	const char	*why = NULL;
	size_t		 headlen = 0, max = (size_t)conf->max_header;
	int		 status = 400, r, got = 0;

	for (;;) {
		more = http1_scan_head(&c->scan, buf_data(&c->in), c->in.len,
		    max, &headlen, &status, &why);
		if (more != HTTP1_MORE)
			break;
		if (c->in.len > 0 && (status = http1_begins(&c->scan,
		    buf_data(&c->in), c->in.len, &why)) != 0) {
			more = HTTP1_BAD;
			break;
		}
		r = conn_read(c, c->in.len < READ_SIZE ? READ_SIZE : max);
		/* a reset together with a part: no other edge will tell */
		if (r == -1 || (r == 0 && got && conn_broken(c)))
			conn_close(c);
		if (r != 1)
			return (0);
		got = 1;
		if (c->state == CONN_IDLE) {
			c->state = CONN_HEAD;
			timer_start(&c->timer, &q_header);
		}
	}
	timer_clear(&c->timer);
	memset(&c->scan, 0, sizeof(c->scan));
	c->state = CONN_REQUEST;
	if (more == HTTP1_DONE)
		status = http1_parse_request(&head, buf_data(&c->in), headlen,
		    &why);
	if (status != 0) {
		c->client.close = 1;
		c->client.unread = 1;
		request_malformed(&c->client, status, why);
		return (0);
	}
	c->client.late = outdated || c->client.newcomer;
	if (!head.keepalive || c->client.late)
		c->client.close = 1;
	h1_begin(c, &head, headlen);
	return (c->state == CONN_REQUEST);
}

/* A request is being served: its body, or the client's leaving.  One that
 * has just begun and is whole is mostly answered before q_look ends. */
static void
conn_busy(struct conn *c, int begun)
{
	if (h1_wants_input(c)) {
		h1_input(c);
		if (c->state != CONN_REQUEST)
			return;
	}
	/* whatever it sent before and nobody read: no other edge will tell */
	if ((c->hup && !h1_wants_input(c)) ||
	    (!(begun && c->timer.q == &q_look) && conn_broken(c))) {
		request_client_gone(c->client.req);
		conn_close(c);
	}
}

/* A reset comes as readable, without EV_CLOSED, and perhaps together with
 * bytes whose short read hid it. */
static int
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
	unsigned	 ms = (unsigned)conf->t_keepalive;

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
	timer_start(&c->timer, &q_body);
}

void
conn_look_later(struct conn *c)
{
	timer_start(&c->timer, &q_look);
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
			if (c->timer.q == NULL || c->timer.q == &q_look)
				timer_start(&c->timer, &q_write);
			break;
		}
		if (n == -1) {
			if (c->client.req != NULL)
				request_client_gone(c->client.req);
			conn_close(c);
			return;
		}
		buf_drop(&c->out, (size_t)n);
		if (c->timer.q == &q_write)
			timer_start(&c->timer, &q_write);
	}
	if (c->out.len == 0 && c->timer.q == &q_write)
		timer_clear(&c->timer);
	if (c->out.len == 0)
		buf_free(&c->out);
	if (c->client.req != NULL && c->out.len <= (body_count(c->client.req) ||
	    buf_tight() ? 0 : OUT_LOW))
		request_writable(c->client.req);
	if (c->state == CONN_SEND && c->out.len == 0)
		conn_sent(c);
}

/* The answer is out: close, or turn to the next request. */
static void
conn_sent(struct conn *c)
{
	if (c->client.close || c->client.unread) {
		/* a byte on its way must not turn our FIN into a reset */
		conn_linger(c);
		return;
	}
	c->state = CONN_IDLE;
	if (c->in.len == 0)
		buf_wipe(&c->in);
	else
		c->state = CONN_HEAD;
	timer_start(&c->timer, c->skip > 0 ? &q_body :
	    c->in.len == 0 ? &q_keepalive : &q_header);
	conn_process(c);
}

static void
conn_linger(struct conn *c)
{
	buf_wipe(&c->in);
	c->state = CONN_LINGER;
	c->skip = LINGER_MAX;
	if (c->tls != NULL)
		tls_end(c->tls);
	shutdown(c->fd, SHUT_WR);
	timer_start(&c->timer, &q_linger);
	c->readable = 1;
	conn_discard(c);
}

/* Who sends all before it reads must not meet a reset instead of its answer:
 * that costs us nothing but time, a lap of it per turn. */
static void
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
			timer_start(&c->timer, &q_linger);
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

static void
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
	TAILQ_REMOVE(&all, c, link);
	TAILQ_INSERT_TAIL(&dead, c, link);
	nconns--;
	nnewcomers -= c->client.newcomer;
	if (full && nconns < conf->max_connections) {
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
	return (nconns);
}

void
conn_leave(int handover)
{
	struct conn	*c;

	leaving = 1;
	handing_over = handover;
	if (!handover) {
		TAILQ_FOREACH(c, &all, link)
			conn_greet(c);
		return;
	}
	outdated = 1;
	TAILQ_FOREACH(c, &all, link) {
		/* nobody has judged it: as if nobody had read it */
		if (c->state != CONN_REQUEST || c->tls != NULL ||
		    c->in.len > PROTO_CONN_MAX ||
		    !request_unbegin(c->client.req))
			continue;
		c->state = CONN_HEAD;
		c->client.close = 0;
		h1_unbegin(c);
		timer_start(&c->timer, &q_header);
	}
}

/* At a stop: nothing came of it yet, so that its client may well be about to
 * ask for the first time. */
static void
conn_greet(struct conn *c)
{
	if (c->client.newcomer ||
	    (c->state != CONN_PROXY && c->state != CONN_TLS &&
	    (c->state != CONN_IDLE || c->timer.q != &q_header)))
		return;
	c->client.newcomer = 1;
	nnewcomers++;
}

size_t
conn_unsettled(void)
{
	struct conn	*c;
	size_t		 n = 0;

	TAILQ_FOREACH(c, &all, link)
		n += c->state == CONN_REQUEST &&
		    request_unsettled(c->client.req);
	return (n);
}

void
conn_settle(void)
{
	struct conn	*c, *next;

	if (!outdated)
		return;
	TAILQ_FOREACH_SAFE(c, &all, link, next)
		if (c->state == CONN_REQUEST &&
		    request_unsettled(c->client.req))
			request_late(c->client.req);
}

size_t
conn_drain(size_t n, void (*pass)(int, const struct proto_addr *, const void *,
    size_t))
{
	static const struct proto_addr	 unsaid;
	struct conn	*c, *next;
	size_t		 idle = 0;

	TAILQ_FOREACH_SAFE(c, &all, link, next) {
		if (pass == NULL) {
			conn_part(c);
			continue;
		}
		if (!conn_passable(c))
			continue;
		if (n == 0) {
			idle++;
			continue;
		}
		n--;
		event_del(&c->ev);
		pass(c->fd, c->state == CONN_PROXY ? &unsaid : &c->client.addr,
		    buf_data(&c->in), c->in.len);
		c->fd = -1;
		conn_close(c);
	}
	return (idle);
}

/* At a stop: nobody waits for what does not come, of newcomers not even what
 * has begun to. */
static void
conn_part(struct conn *c)
{
	if (c->client.newcomer && !conn_only_newcomers())
		return;
	if ((c->state == CONN_IDLE && c->skip == 0) ||
	    (c->client.newcomer && c->state == CONN_HEAD))
		conn_linger(c);
	else if (c->client.newcomer && (c->state == CONN_TLS ||
	    c->state == CONN_PROXY))
		conn_close(c);
}

int
conn_only_newcomers(void)
{
	return (nconns == nnewcomers);
}

void
conn_each_request(void (*look)(struct request *))
{
	struct conn	*c;

	TAILQ_FOREACH(c, &all, link)
		if (c->client.req != NULL)
			look(c->client.req);
}

void
conn_end_all(int streams_only)
{
	struct conn	*c, *next;

	TAILQ_FOREACH_SAFE(c, &all, link, next) {
		c->client.close = 1;
		if (c->client.req != NULL)
			request_end(c->client.req, streams_only);
		else if (!streams_only && c->state != CONN_SEND)
			conn_close(c);
		/* the last moments of one who does not read */
		if (!streams_only && c->state == CONN_SEND)
			timer_start(&c->timer, &q_linger);
	}
}

static struct conn *
conn_of(struct timer *t)
{
	return ((struct conn *)((char *)t - offsetof(struct conn, timer)));
}

static void
expired_header(struct timer *t)
{
	struct conn	*c = conn_of(t);

	/* an empty line behind the last request is none */
	if (c->in.len == 0 || (c->in.len <= 2 &&
	    memcmp(buf_data(&c->in), "\r\n", c->in.len) == 0)) {
		conn_close(c);
		return;
	}
	c->client.close = 1;
	c->client.unread = 1;
	c->state = CONN_REQUEST;
	request_malformed(&c->client, 408, "the request head took too long");
}

static void
expired_body(struct timer *t)
{
	struct conn	*c = conn_of(t);

	if (c->client.req == NULL) {
		conn_close(c);
		return;
	}
	c->client.close = 1;
	c->client.unread = 1;
	request_body_late(c->client.req);
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
	log_debug("a client does not read its answer: closed");
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
