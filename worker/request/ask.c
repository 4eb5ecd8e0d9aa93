/*
 * The question takes the place of the request that is refused: it has its
 * exchange, and ends with it.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/mcp_methods.h"
#include "worker/base/clock.h"
#include "worker/base/share.h"
#include "worker/request/answer.h"
#include "worker/request/ask.h"
#include "worker/request/forward.h"
#include "worker/request/spans.h"
#include "worker/upstream/exchange.h"
#include "worker/upstream/upstream.h"
#include "worker/wire/http1_put.h"
#include "worker/wire/media.h"

#define STATELESS	"2026-07-28"
#define LEGACY		((1U << (CONF_REVISIONS - 1)) - 1)
#define ALL		((1U << CONF_REVISIONS) - 1)
#define ANSWER_MAX	(64 * 1024)	/* bytes of an answer */
#define ANSWER_MS	2000		/* for a client waits for it */
#define KNOWN_MS	(10 * 60 * 1000)	/* servers are replaced, too */
#define FAILED_MS	10000
#define SHOWN		32	/* bytes of a revision that we do not know */
#define METHOD		"server/discover"
#define META		"io.modelcontextprotocol/"

static const char	 question[] = "{\"jsonrpc\":\"2.0\",\"id\":\"mcpgw\","
    "\"method\":\"" METHOD "\",\"params\":{\"_meta\":{"
    "\"" META "protocolVersion\":\"" STATELESS "\","
    "\"" META "clientInfo\":{\"name\":\"mcpgw\",\"version\":\"1\"},"
    "\"" META "clientCapabilities\":{}}}}";

/* What an upstream speaks. */
struct spoken {
	uint32_t	 revisions;
	uint64_t	 until;		/* ms, monotonic; 0: never asked */
	int		 asking;
};

static struct spoken	*spoken;
static struct timeq	 q_ask;

static int	 ask(struct request *);
static int	 put_head(void *, size_t, struct buf *);
static void	 other(void *, size_t, struct buf *);
static void	 ended(struct request *);
static void	 tell(struct request *);
static void	 over(struct request *, int, uint32_t);
static void	 got_head(void *, const struct http1_head *);
static void	 got_data(void *, const char *, size_t);
static void	 got_all(void *);
static void	 got_nothing(void *, enum exchange_error, const char *);
static void	 late(struct timer *);
static enum filter_verdict learn(void *, struct slice,
		    struct filter_edits *);
static int	 understood(struct request *);

static const struct exchange_cb callbacks = {
	.put_head = put_head,
	.other = other,
	.head = got_head,
	.data = got_data,
	.done = got_all,
	.fail = got_nothing
};

void
ask_setup(const struct worker_conf *conf)
{
	spoken = calloc(conf->nupstreams, sizeof(*spoken));
	if (spoken == NULL)
		fatal("calloc");
	timeq_init(&q_ask, ANSWER_MS, late);
}

void
ask_refuse(struct request *r, const struct refusal *why,
    struct slice requested)
{
	struct spoken	*s = &spoken[r->upstream];
	char		 copy[SHOWN + 4];	/* it may lie where it goes */

	if (requested.len > sizeof(copy))
		requested.len = sizeof(copy);
	memcpy(copy, requested.p, requested.len);
	requested.p = copy;
	r->ask_why = why;
	request_set_text(r, &r->proposed, requested);
	/* one question at a time */
	if (s->asking || (s->until != 0 && clock_mono() < s->until) ||
	    ask(r) == -1)
		tell(r);
}

void
ask_learn(size_t upstream, const struct accord_told *told)
{
	struct spoken	*s = &spoken[upstream];

	if (!told->lists)
		return;
	s->revisions = told->revisions;
	s->until = clock_mono() + KNOWN_MS;
}

/* 0, or -1 when it cannot be asked. */
static int
ask(struct request *r)
{
	struct exchange_request	 x = {
		.upstream = r->upstream,
		.method = "POST",
		.body = &r->body,
		.source = r->share == NULL ? 0 : r->share->hash,
		.number = mcp_method(METHOD, sizeof(METHOD) - 1),
		.away = &r->away,
		.cb = &callbacks,
		.arg = r
	};

	http1_kept_free(&r->kept);
	buf_free(&r->body);
	if (buf_append(&r->body, question, sizeof(question) - 1) == -1)
		return (-1);
	if (!r->pinned)
		r->server = upstream_pick(r->upstream);
	x.server = r->server;
	spans_exchange(r, r->server, METHOD);
	if ((r->ex = exchange_start(&x)) == NULL)
		return (-1);
	r->state = REQ_FORWARD;
	r->asking = 1;
	r->ended = ended;
	spoken[r->upstream].asking = 1;
	timer_start(&r->timer, &q_ask);
	return (0);
}

static int
put_head(void *arg, size_t server, struct buf *b)
{
	static const char *const fields[][2] = {
		{ "User-Agent", "mcpgw" },
		{ "Content-Type", "application/json" },
		{ "Accept", "application/json, text/event-stream" },
		{ "Accept-Encoding", "identity" },
		{ "MCP-Protocol-Version", STATELESS },
		{ "Mcp-Method", METHOD }
	};
	size_t	 i;

	forward_put_own(arg, server, b);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		http1_put_field(b, slice_of(fields[i][0]),
		    slice_of(fields[i][1]));
	return (buf_check(b));
}

static void
other(void *arg, size_t server, struct buf *body)
{
	(void)body;
	spans_other(arg, server, METHOD);
}

/* The request ends, or its question. */
static void
ended(struct request *r)
{
	if (r->asking)
		spoken[r->upstream].asking = 0;
	r->asking = 0;
	timer_clear(&r->timer);
}

static void
tell(struct request *r)
{
	const struct spoken	*s = &spoken[r->upstream];
	char			 list[ACCORD_LIST_MAX], text[6 * SHOWN];
	char			 data[sizeof(list) + sizeof(text) + 64];
	size_t			 n;

	n = json_escape(request_text(r, r->proposed), SHOWN, text);
	(void)snprintf(data, sizeof(data), "{\"supported\":%s,"
	    "\"requested\":\"%.*s\"}", accord_list(s->until == 0 ? ALL :
	    s->revisions, list), (int)n, text);
	answer_refuse_data(r, r->ask_why, data);
}

/* It said; or did not. */
static void
over(struct request *r, int said, uint32_t revisions)
{
	struct spoken	*s = &spoken[r->upstream];

	if (r->ex != NULL)
		exchange_cancel(r->ex);
	r->ex = NULL;
	ended(r);
	if (said || s->until == 0)
		s->revisions = revisions;
	s->until = clock_mono() + (said ? KNOWN_MS : FAILED_MS);
	tell(r);
}

static void
got_head(void *arg, const struct http1_head *h)
{
	struct request	*r = arg;

	spans_head(r, h);
	r->ask_status = h->status;
	r->ask_stream = media_of(h) == MEDIA_STREAM;
	/* "I know you not" is no answer, nor is "not now" */
	if (h->status == 401 || h->status == 403 || h->status == 407 ||
	    h->status == 429 || h->status >= 500 ||
	    h->count[HTTP1_CONTENT_ENCODING] > 0)
		over(r, 0, ALL);
}

static void
got_data(void *arg, const char *p, size_t len)
{
	struct request	*r = arg;

	spans_data(r, (struct slice){ p, len });
	if (len > ANSWER_MAX - r->hold.len ||
	    buf_append(&r->hold, p, len) == -1)
		over(r, 0, ALL);
	else if (r->ask_stream)
		/* a server may leave its stream open */
		(void)understood(r);
}

/* The last message that says something. */
static enum filter_verdict
learn(void *arg, struct slice text, struct filter_edits *edits)
{
	struct slice		 none = { NULL, 0 };
	struct accord_told	 one, *told = arg;

	(void)edits;
	accord_judge(ACCORD_DISCOVER, text, none, none, NULL, &one);
	if (one.lists || one.error)
		*told = one;
	return (FILTER_PASS);
}

/* 1 when that was the answer, and it was told. */
static int
understood(struct request *r)
{
	struct accord_told	 told = { 0 };
	struct filter		 f = { "revisions", learn, &told, 1 };
	struct filter_chain	*c;
	struct buf		 out = { 0 };
	const char		*why;
	struct slice		 text = { r->hold.len == 0 ? "" :
				    buf_data(&r->hold), r->hold.len };

	c = filter_chain_new(r->ask_stream ? FILTER_EVENTS : FILTER_JSON, &f,
	    1, ANSWER_MAX);
	if (c != NULL && filter_feed(c, text, &out, &why) == 0)
		(void)filter_end(c, &out, &why);
	filter_chain_free(c);
	buf_free(&out);
	if (told.lists)
		over(r, 1, told.revisions);
	else if (told.error)
		/* it knows nothing of that: an older one */
		over(r, 1, LEGACY);
	return (told.lists || told.error);
}

static void
got_all(void *arg)
{
	struct request	*r = arg;

	r->ex = NULL;
	if (understood(r))
		return;
	if (r->ask_status >= 400)
		over(r, 1, LEGACY);
	else
		over(r, 0, ALL);
}

static void
got_nothing(void *arg, enum exchange_error error, const char *why)
{
	struct request	*r = arg;

	(void)why;
	spans_fail(r, error);
	r->ex = NULL;
	over(r, 0, ALL);
}

static void
late(struct timer *t)
{
	over((struct request *)((char *)t - offsetof(struct request, timer)),
	    0, ALL);
}
