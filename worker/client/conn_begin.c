/*
 * Connections that begin: what may come before the first request.
 */
#include <sys/socket.h>

#include <errno.h>

#include "common/log.h"
#include "common/net.h"
#include "common/stats.h"
#include "worker/client/conn_begin.h"
#include "worker/client/conn_int.h"
#include "worker/client/conn_room.h"
#include "worker/client/h1.h"
#include "worker/client/proxy_proto.h"
#include "worker/request/stages.h"
#include "worker/wire/tls.h"

static size_t	 conn_peek(struct conn *, void *, size_t);
static int	 conn_proxy(struct conn *);
static void	 conn_ready(void *);
static void	 conn_process(struct conn *);
static int	 conn_introduced(struct conn *);
static int	 conn_secured(struct conn *);
static int	 conn_hello(struct conn *);

static const struct conn_up	 up = {
	.ops = &h1_ops,
	.process = conn_process,
	.sent = h1_sent
};

void
conn_setup(struct event_base *base, const struct worker_conf *conf,
    void (*room)(int))
{
	conn_init(base, conf, room, &up);
	h1_setup();
}

void
conn_new(int fd)
{
	struct conn	*c;

	if ((c = conn_make(fd)) == NULL)
		return;
	stats_inc(STATS_CONNECTIONS);
	c->client.newcomer = conns.leaving != 0;
	conns.newcomers += c->client.newcomer;
	/* whose it is a proxy says later */
	if (!conns.conf->proxy_protocol && conn_count_in(c) == -1)
		return;
	if (conns.n > conns.conf->max_connections &&
	    !conn_make_room(NULL, c)) {
		conn_close(c);
		return;
	}
	if (conns.conf->proxy_protocol)
		conn_expect_proxy(c);
	else if (tls_on())
		conn_expect_tls(c);
	conn_process(c);
}

void
conn_expect_proxy(struct conn *c)
{
	c->state = CONN_PROXY;
	/* anybody else could call himself what he likes */
	if (net_has(conns.conf->proxy_peers, conns.conf->nproxy_peers,
	    c->peer.family, c->peer.addr))
		return;
	conn_log_refused(c, "not in proxy_protocol.trusted_cidrs");
	conn_close(c);
}

/* How many bytes are there, read but left where they are; 0 when there are
 * none yet, or it ended and is closed. */
static size_t
conn_peek(struct conn *c, void *buf, size_t size)
{
	ssize_t	 n;

	do
		n = recv(c->fd, buf, size, MSG_PEEK | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		return ((size_t)n);
	if (n == 0 || errno != EAGAIN)
		conn_close(c);
	return (0);
}

/* What the proxy says of the client; nothing behind it is read yet.  1 when
 * it is known. */
static int
conn_proxy(struct conn *c)
{
	static uint8_t	 buf[PROXY_PROTO_MAX];
	struct proto_addr addr;
	const char	*why;
	size_t		 n;
	ssize_t		 used;

	if ((n = conn_peek(c, buf, sizeof(buf))) == 0)
		return (0);
	used = proxy_proto_read(buf, n, &addr, &why);
	if (used > 0 && recv(c->fd, buf, (size_t)used, MSG_DONTWAIT) != used)
		used = -1;
	if (used == -1)
		conn_log_refused(c, why);
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

void
conn_expect_tls(struct conn *c)
{
	c->state = CONN_TLS;
	if ((c->tls = tls_new(c->fd, conn_ready, c)) == NULL)
		conn_close(c);
	c->client.secure = 1;
}

/* The keeper has signed. */
static void
conn_ready(void *arg)
{
	conn_poke(arg);
}

/* Go as far as the input at hand allows. */
static void
conn_process(struct conn *c)
{
	if (c->state == CONN_PROXY && !conn_introduced(c))
		return;
	if (c->state == CONN_TLS && !conn_secured(c))
		return;
	if (c->state == CONN_LINGER)
		conn_discard(c);
	else
		h1_process(c);
}

/* 1 when it is known who it is. */
static int
conn_introduced(struct conn *c)
{
	if (conn_passable(c) || !conn_proxy(c))
		return (0);
	c->state = CONN_IDLE;
	if (tls_on())
		conn_expect_tls(c);
	return (1);
}

/* 1 when the handshake is done. */
static int
conn_secured(struct conn *c)
{
	int	 r;

	if (conn_passable(c) || (!c->hello && !conn_hello(c)))
		return (0);
	if ((r = tls_handshake(c->tls)) == -1) {
		stats_inc(STATS_TLS_FAILED);
		conn_close(c);
	}
	if (r != 1)
		return (0);
	stats_inc(STATS_TLS_HANDSHAKES);
	stats_add(STATS_TLS_RESUMED, tls_resumed(c->tls) != 0);
	c->state = CONN_IDLE;
	return (1);
}

/* Does it begin as TLS does?  1 yes; 0 nothing is there, or it ended. */
static int
conn_hello(struct conn *c)
{
	unsigned char	 first;

	if (conn_peek(c, &first, sizeof(first)) == 0)
		return (0);
	c->hello = 1;
	if (!http1_is_tchar(first))
		return (1);
	conn_plain(c);
	return (0);
}

void
conn_plain(struct conn *c)
{
	tls_free(c->tls);
	c->tls = NULL;
	c->client.secure = 0;
	timer_clear(&c->timer);
	c->client.close = c->client.unread = 1;
	c->state = CONN_REQUEST;
	stages_plain(&c->client);
}
