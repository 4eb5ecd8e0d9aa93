/*
 * The end of a worker: connections that go to a newer generation, come from
 * an older one, or end with this one.  What another worker hands over may be
 * set up, and described, by one that was taken over.
 */
#include <sys/socket.h>

#include <string.h>

#include "common/log.h"
#include "common/net.h"
#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/client/conn_begin.h"
#include "worker/client/conn_int.h"
#include "worker/client/conn_pass.h"
#include "worker/client/conn_room.h"
#include "worker/client/h1.h"
#include "worker/client/h1_put.h"
#include "worker/request/request.h"
#include "worker/request/stages.h"
#include "worker/wire/tls.h"

#define PASSED_SPARE	64		/* too many: may still be told so */
#define NO_ROOM_LOG_MS	1000

static int	 conn_believable(const struct conn *,
		    const struct proto_addr *);
static int	 same_address(const struct proto_addr *,
		    const struct proto_addr *);
static void	 conn_no_room(struct conn *);
static void	 log_no_room(void);
static void	 conn_greet(struct conn *);
static void	 conn_part(struct conn *);

void
conn_passed(int fd, const struct proto_addr *addr, const void *input,
    size_t len)
{
	struct conn	*c;

	if (conns.n >= conns.conf->max_connections + PASSED_SPARE) {
		log_no_room();
		conn_close_passed(fd);
		return;
	}
	if ((c = conn_make(fd)) == NULL)
		return;
	stats_inc(STATS_HANDED_OVER);
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
	else if (conns.n > conns.conf->max_connections)
		conn_no_room(c);
	else if (addr->family == AF_UNSPEC) {
		conn_expect_proxy(c);
		conn_poke(c);
	} else if (!tls_on())
		conn_poke(c);
	else if (len > 0)
		conn_plain(c);
	else {
		/* TLS or not, nobody has read of it yet */
		conn_expect_tls(c);
		conn_poke(c);
	}
}

/* A worker that was taken over must not pass for any client it likes, unless
 * the socket's other end may. */
static int
conn_believable(const struct conn *c, const struct proto_addr *a)
{
	if (conns.conf->proxy_protocol)
		return (net_has(conns.conf->proxy_peers,
		    conns.conf->nproxy_peers, c->peer.family, c->peer.addr));
	return (same_address(a, &c->peer));
}

static int
same_address(const struct proto_addr *a, const struct proto_addr *b)
{
	return (a->family == b->family &&
	    memcmp(a->addr, b->addr, sizeof(a->addr)) == 0);
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
		stages_malformed(&c->client, 503,
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
	log_warnx("client.no_room", LOG_KV(KV("connections", n)),
	    "limits.max_connections reached: %u connections that older "
	    "workers handed over are refused", n);
	logged = clock_mono();
	n = 0;
}

void
conn_leave(int handover)
{
	struct conn	*c;

	conns.leaving = 1;
	conns.handing_over = handover;
	if (!handover) {
		TAILQ_FOREACH(c, &conns.all, link)
			conn_greet(c);
		return;
	}
	conns.outdated = 1;
	TAILQ_FOREACH(c, &conns.all, link) {
		/* nobody has judged it: as if nobody had read it */
		if (c->state != CONN_REQUEST || c->tls != NULL ||
		    c->in.len > PROTO_CONN_MAX ||
		    !request_unbegin(c->client.req))
			continue;
		c->state = CONN_HEAD;
		c->client.close = 0;
		h1_unbegin(c);
		timer_start(&c->timer, &conns.header);
	}
}

/* At a stop: nothing came of it yet, so that its client may well be about to
 * ask for the first time. */
static void
conn_greet(struct conn *c)
{
	if (c->client.newcomer ||
	    (c->state != CONN_PROXY && c->state != CONN_TLS &&
	    (c->state != CONN_IDLE || c->timer.q != &conns.header)))
		return;
	c->client.newcomer = 1;
	conns.newcomers++;
}

size_t
conn_unsettled(void)
{
	struct conn	*c;
	size_t		 n = 0;

	TAILQ_FOREACH(c, &conns.all, link)
		n += c->state == CONN_REQUEST &&
		    request_unsettled(c->client.req);
	return (n);
}

void
conn_settle(void)
{
	struct conn	*c, *next;

	if (!conns.outdated)
		return;
	TAILQ_FOREACH_SAFE(c, &conns.all, link, next)
		if (c->state == CONN_REQUEST &&
		    request_unsettled(c->client.req))
			stages_late(c->client.req);
}

size_t
conn_drain(size_t n, void (*pass)(int, const struct proto_addr *, const void *,
    size_t))
{
	static const struct proto_addr	 unsaid;
	struct conn	*c, *next;
	size_t		 idle = 0;

	TAILQ_FOREACH_SAFE(c, &conns.all, link, next) {
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
	return (conns.n == conns.newcomers);
}

void
conn_each_request(void (*look)(struct request *))
{
	struct conn	*c;

	TAILQ_FOREACH(c, &conns.all, link)
		if (c->client.req != NULL)
			look(c->client.req);
}

void
conn_end_all(int streams_only)
{
	struct conn	*c, *next;

	TAILQ_FOREACH_SAFE(c, &conns.all, link, next) {
		c->client.close = 1;
		if (c->client.req != NULL)
			stages_end(c->client.req, streams_only);
		else if (!streams_only && c->state != CONN_SEND)
			conn_close(c);
		/* the last moments of one who does not read */
		if (!streams_only && c->state == CONN_SEND)
			timer_start(&c->timer, &conns.linger);
	}
}
