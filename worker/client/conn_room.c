/*
 * Who gives way when there are too many connections, or when bodies take too
 * much memory.
 */
#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "worker/base/clock.h"
#include "worker/base/refusal.h"
#include "worker/base/share.h"
#include "worker/client/conn_int.h"
#include "worker/client/conn_room.h"
#include "worker/client/h1.h"
#include "worker/request/request.h"
#include "worker/request/stages.h"
#include "worker/wire/forwarded.h"

#define REFUSED_LOG_MS	1000
#define HEAD_GRACE_MS	1000		/* then a head that is late gives way */
#define BODIES_MAX	64		/* looked at for a slow one */
#define SLOW_PART	4		/* of a time limit: slow */

static struct conn *conn_holder(void);
static struct conn *conn_stream(const struct share *);
static int	 conn_streams(const struct conn *, const struct share *);
static struct conn *conn_slow(const struct timeq *, const struct share *,
		    uint64_t);
static void	 conn_give_way(struct conn *);
static struct conn *conn_victim(const struct share *, const struct conn *);
static int	 conn_silent(const struct conn *);

int
conn_spare(void)
{
	return (conn_victim(NULL, NULL) != NULL || (share_hog() != NULL &&
	    conns.n <= conns.conf->max_connections && conn_holder() != NULL));
}

struct request *
conn_slow_body(const struct request *not, uint64_t age)
{
	struct timer	*t;
	struct request	*r;
	int		 n = 0;

	TAILQ_FOREACH(t, &conns.body.list, link) {
		if (n++ == BODIES_MAX)
			break;
		r = conn_of(t)->client.req;
		if (r != NULL && r != not && h1_wants_input(conn_of(t)) &&
		    (clock_mono() - r->began >= age || (r->share != NULL &&
		    r->share != not->share &&
		    r->share->bytes > conns.conf->buffered / 2)))
			return (r);
	}
	return (NULL);
}

int
conn_count_in(struct conn *c)
{
	struct share	*s;

	/* what comes through it counts for others, a request each */
	if (conns.conf->nproxies > 0 && forwarded_trusts(&c->client.addr))
		return (0);
	if ((s = share_get(&c->client.addr)) == NULL) {
		conn_close(c);
		return (-1);
	}
	if (conns.conf->per_connections > 0 &&
	    s->conns >= conns.conf->per_connections &&
	    !conn_make_room(s, c)) {
		conn_log_refused(c, "limits.per_address.connections reached");
		share_put(s);
		conn_close(c);
		return (-1);
	}
	c->client.share = s;
	share_conn(s, 1);
	return (0);
}

int
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
	    (victim = conn_holder()) == NULL)
		return (0);
	conn_give_way(victim);
	return (1);
}

/* Of an address that has more than half of all connections: one that is busy,
 * but only because its client likes it so. */
static struct conn *
conn_holder(void)
{
	const struct share	*hog = share_hog();
	struct conn		*c;

	if (hog == NULL)
		return (NULL);
	if ((c = conn_stream(hog)) == NULL && (c = conn_slow(&conns.body, hog,
	    conns.conf->t_body / SLOW_PART)) == NULL)
		c = conn_slow(&conns.write, hog, conns.conf->t_keepalive /
		    SLOW_PART);
	return (c);
}

/* The oldest stream; one that answers a request only when any other answer
 * would be late by now. */
static struct conn *
conn_stream(const struct share *hog)
{
	struct conn	*c, *other = NULL;

	TAILQ_FOREACH(c, &conns.all, link) {
		if (!conn_streams(c, hog))
			continue;
		if (c->client.req->standing)
			return (c);
		if (other == NULL && clock_mono() - c->client.req->began >
		    conns.conf->t_response)
			other = c;
	}
	return (other);
}

/* Once: it gets to read the end of its stream. */
static int
conn_streams(const struct conn *c, const struct share *hog)
{
	return (c->client.share == hog && !c->client.close &&
	    c->client.req != NULL && c->client.req->answering &&
	    strcmp(c->client.req->transport, "json") != 0);
}

/* A body that has been coming for so long, in all, or an answer that its
 * client has been taking for so long. */
static struct conn *
conn_slow(const struct timeq *q, const struct share *hog, uint64_t ms)
{
	struct timer		*t;
	struct conn		*c;
	const struct request	*r;
	uint64_t		 since;

	TAILQ_FOREACH(t, &q->list, link) {
		c = conn_of(t);
		r = c->client.req;
		since = c->stuck;
		if (q == &conns.body)
			since = r != NULL && h1_wants_input(c) ? r->began :
			    clock_mono();
		if (c->client.share == hog && clock_mono() - since >= ms)
			return (c);
	}
	return (NULL);
}

static void
conn_give_way(struct conn *c)
{
	struct request	*r = c->client.req;

	if (r == NULL || (r->answering && c->timer.q == &conns.write)) {
		if (r != NULL)
			r->error = refuse(REFUSE_OTHERS_WAIT)->text;
		conn_abort(c);
		return;
	}
	c->client.close = 1;
	stages_give_way(r);
}

/* Who was idle longest; who has had his answer; who is slow to ask. */
static struct conn *
conn_victim(const struct share *of, const struct conn *not)
{
	struct timer	*t;
	struct conn	*c;
	uint64_t	 now = clock_mono();

	TAILQ_FOREACH(t, &conns.keepalive.list, link)
		if (((c = conn_of(t))->client.share == of || of == NULL) &&
		    c != not && conn_silent(c))
			return (c);
	TAILQ_FOREACH(t, &conns.linger.list, link)
		if (((c = conn_of(t))->client.share == of || of == NULL) &&
		    c != not && c->state == CONN_LINGER)
			return (c);
	TAILQ_FOREACH(t, &conns.header.list, link) {
		if (t->deadline + HEAD_GRACE_MS > now + conns.header.ms)
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

void
conn_log_refused(const struct conn *c, const char *why)
{
	static uint64_t	 logged;
	static unsigned	 n;

	n++;
	if (logged != 0 && clock_mono() - logged < REFUSED_LOG_MS)
		return;
	log_warnx("client.refused", LOG_KV(KV("connections", n),
	    KV("client_ip", c->client.ip), KV("reason", why)),
	    "%u connections refused, the last from %s: %s", n,
	    c->client.ip, why);
	logged = clock_mono();
	n = 0;
}
