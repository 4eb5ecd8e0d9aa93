/*
 * A request's body in memory, and who gives way when that is short.
 */
#include "worker/base/share.h"
#include "worker/mcp/rpc.h"
#include "worker/request/answer.h"
#include "worker/request/body.h"
#include "worker/request/request.h"
#include "worker/upstream/exchange.h"

#define SLOW_PART	4		/* of timeouts.body: slow, in a crowd */
#define CROWD_SLACK	(64 * 1024)	/* documents, lines of the log */

static const struct worker_conf	*conf;

static size_t	 body_others(const struct request *);

void
body_setup(const struct worker_conf *c)
{
	conf = c;
}

int
body_add(struct request *r, const char *p, size_t n)
{
	const struct refusal	*why = refuse(REFUSE_BUFFERED);

	/* of one without a length nobody knew that there is any */
	if (r->method != METHOD_POST) {
		r->client->close = r->client->unread = 1;
		answer_refuse(r, refuse(REFUSE_BODY));
		return (-1);
	}
	if (n > conf->max_body - r->body.len || (r->refused.row != NULL &&
	    n > REFUSED_BODY_MAX - r->body.len))
		why = refuse(REFUSE_SIZE);
	else if (!body_squeeze(r, n) && buf_append(&r->body, p, n) == 0) {
		r->bytes_in = r->body.len;
		return (0);
	}
	body_refuse(r, why);
	return (-1);
}

void
body_share(struct request *r)
{
	struct share	*s = r->client->share;

	if (r->share != NULL)
		return;
	r->share = s != NULL && share_is(s, &r->addr) ? share_again(s) :
	    share_get(&r->addr);
}

int
body_count(struct request *r)
{
	const struct client	*c = r->client;
	size_t			 held;

	if (r->share == NULL)
		return (0);
	held = r->body.cap + r->kept.all.cap + c->ops->held(c);
	if (r->ex != NULL)
		held += exchange_held(r->ex);
	r->share->bytes += held - r->counted;
	r->counted = held;
	return (r->share->bytes > conf->per_buffered);
}

int
body_crowded(const struct request *r, uint64_t n)
{
	const struct client	*c = r->client;
	size_t			 own = r->body.cap + r->kept.all.cap +
				    r->text.cap + c->ops->held(c);

	n += r->body.len;
	return (buf_total() - own + n > conf->buffered + CROWD_SLACK ||
	    body_others(r) + n > conf->per_buffered + CROWD_SLACK);
}

int
body_squeeze(struct request *r, uint64_t n)
{
	struct request	*slow;

	/* who has enough does not get more at the cost of others */
	if (body_others(r) > conf->buffered / 2 || body_others(r) + n +
	    r->body.len > conf->per_buffered + CROWD_SLACK)
		return (body_crowded(r, n));
	while (body_crowded(r, n)) {
		slow = r->client->ops->slow_body(r,
		    conf->t_body / SLOW_PART);
		if (slow == NULL)
			return (1);
		body_refuse(slow, refuse(REFUSE_BUFFERED));
	}
	return (0);
}

void
body_refuse(struct request *r, const struct refusal *why)
{
	r->client->close = r->client->unread = 1;
	buf_free(&r->body);
	answer_refuse(r, why);
}

/* What its address has besides this request. */
static size_t
body_others(const struct request *r)
{
	return (r->share == NULL ? 0 : r->share->bytes - r->counted);
}
