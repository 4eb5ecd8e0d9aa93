/*
 * One batch is on its way at a time; the others wait, each with the worker that
 * sent it.
 */
#include <sys/queue.h>
#include <sys/random.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/json.h"
#include "common/log.h"
#include "common/mono.h"
#include "common/span.h"
#include "common/stats.h"
#include "fetcher/http.h"
#include "fetcher/otlp.h"
#include "fetcher/otlp_json.h"

#define BATCH_SPANS	512
#define BATCH_BYTES	(1024 * 1024)
#define QUEUE_SPANS	8192
#define QUEUE_BYTES	(16 * 1024 * 1024)
#define POST_MS		10000
#define ANSWER_MAX	(64 * 1024)
#define RETRY_MIN	1000		/* ms */
#define RETRY_MAX	32000
#define RETRY_AFTER_MAX	(5 * 60)	/* s, of what a receiver may ask */
#define GIVE_UP		(5 * 60 * 1000)	/* ms, for one batch */

/* A tree of spans, as it came: it is written as JSON with all of its batch. */
struct item {
	TAILQ_ENTRY(item) link;
	size_t		 spans;
	size_t		 len;
	uint8_t		 packed[];
};

struct otlp_source {
	TAILQ_ENTRY(otlp_source) link;
	TAILQ_HEAD(, item) items;
	size_t		 bytes;
	int		 left;		/* the worker is gone */
};

struct batch {
	uint8_t		*body;		/* gzip; NULL: there is none */
	size_t		 len;
	size_t		 spans;
	uint64_t	 began;		/* when it was first sent */
	uint64_t	 pause;		/* before it is sent again, ms */
};

static struct event_base	*base;
static struct event		*due;	/* the next batch, or the same again */
static const struct conf_telemetry *conf;
static TAILQ_HEAD(, otlp_source) sources = TAILQ_HEAD_INITIALIZER(sources);
static size_t			 queued;	/* spans */
static size_t			 queued_bytes;
static struct batch		 batch;
static struct http_get		*post;	/* it is on its way */
static int			 failing;	/* and that was said */
static size_t			 lost;	/* spans, since that was said */
static void			(*flushed)(void);
static struct event		*deadline;
static struct span_tree		 tree;	/* that is looked at */
static char			 instance[OTLP_INSTANCE_LEN + 1];

static void	 arm(struct event *, uint64_t);
static void	 lose(size_t);
static void	 drop_oldest(void);
static void	 drop_item(struct otlp_source *, struct item *);
static void	 source_free_empty(struct otlp_source *);
static void	 next(void);
static void	 on_due(evutil_socket_t, short, void *);
static int	 batch_make(void);
static int	 batch_fill(struct otlp_text *);
static int	 compress_text(const struct otlp_text *);
static void	 batch_free(void);
static void	 batch_send(void);
static void	 sent(void *, const struct http_reply *);
static int	 may_retry(const struct http_reply *);
static void	 again(const struct http_reply *);
static void	 give_up(const char *);
static void	 accepted(const struct http_reply *);
static uint64_t	 rejected(const struct http_reply *, struct slice *);
static void	 say_failing(const char *);
static void	 flush_over(evutil_socket_t, short, void *);
static void	 make_instance(void);

void
otlp_setup(struct event_base *b)
{
	base = b;
	due = evtimer_new(base, on_due, NULL);
	deadline = evtimer_new(base, flush_over, NULL);
	if (due == NULL || deadline == NULL)
		fatalx("evtimer_new");
	make_instance();
}

/* A UUID of version 4 (RFC 9562 section 5.4). */
static void
make_instance(void)
{
	uint8_t	 r[16];
	size_t	 i;
	char	*p = instance;

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		fatal("getrandom");
	r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
	r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
	for (i = 0; i < sizeof(r); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = "0123456789abcdef"[r[i] >> 4];
		*p++ = "0123456789abcdef"[r[i] & 15];
	}
	*p = '\0';
}

static void
arm(struct event *ev, uint64_t ms)
{
	struct timeval	 tv = mono_timeval(ms);

	if (evtimer_add(ev, &tv) == -1)
		fatalx("evtimer_add");
}

void
otlp_configure(const struct conf_telemetry *c)
{
	if (c != NULL && c->enabled) {
		/* somewhere else, perhaps: that is tried soon, and heard of */
		if (c != conf) {
			failing = 0;
			stats->export_error[0] = '\0';
			batch.pause = 0;
			evtimer_del(due);
		}
		conf = c;
		next();
		return;
	}
	conf = NULL;
	while (queued > 0)
		drop_oldest();
	if (post != NULL)
		http_cancel(post);
	post = NULL;
	lose(batch.spans);
	batch_free();
	evtimer_del(due);
	failing = 0;
	lost = 0;
	stats->export_error[0] = '\0';
}

/* -- what waits ---------------------------------------------------------- */

struct otlp_source *
otlp_source_new(void)
{
	struct otlp_source	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	TAILQ_INIT(&s->items);
	TAILQ_INSERT_TAIL(&sources, s, link);
	return (s);
}

void
otlp_source_leave(struct otlp_source *s)
{
	if (s == NULL)
		return;
	s->left = 1;
	source_free_empty(s);
}

static void
source_free_empty(struct otlp_source *s)
{
	if (!s->left || !TAILQ_EMPTY(&s->items))
		return;
	TAILQ_REMOVE(&sources, s, link);
	free(s);
}

int
otlp_take(struct otlp_source *s, const void *data, size_t len)
{
	struct item	*i;

	if (span_unpack(data, len, &tree) == -1)
		return (-1);
	/* of a generation that still sent them */
	if (conf == NULL)
		return (0);
	if ((i = malloc(sizeof(*i) + len)) != NULL) {
		i->spans = tree.n;
		i->len = len;
		memcpy(i->packed, data, len);
		TAILQ_INSERT_TAIL(&s->items, i, link);
		s->bytes += i->len;
		queued += i->spans;
		queued_bytes += i->len;
		stats_gauge_set(STATS_G_SPANS_QUEUED, queued);
	} else
		lose(tree.n);
	while (queued > QUEUE_SPANS || queued_bytes > QUEUE_BYTES)
		drop_oldest();
	next();
	return (0);
}

static void
lose(size_t spans)
{
	lost += spans;
	stats_add(STATS_SPANS_LOST, spans);
}

/* Of whoever has most of it. */
static void
drop_oldest(void)
{
	struct otlp_source	*s, *most = NULL;
	struct item		*i;

	TAILQ_FOREACH(s, &sources, link)
		if (!TAILQ_EMPTY(&s->items) &&
		    (most == NULL || s->bytes > most->bytes))
			most = s;
	if (most == NULL)
		return;
	i = TAILQ_FIRST(&most->items);
	lose(i->spans);
	drop_item(most, i);
}

/* The source may be gone with its last one. */
static void
drop_item(struct otlp_source *s, struct item *i)
{
	TAILQ_REMOVE(&s->items, i, link);
	s->bytes -= i->len;
	queued -= i->spans;
	queued_bytes -= i->len;
	stats_gauge_set(STATS_G_SPANS_QUEUED, queued);
	free(i);
	source_free_empty(s);
}

/* -- batches ------------------------------------------------------------- */

/* What there is to do now, or when there will be. */
static void
next(void)
{
	if (post != NULL || conf == NULL)
		return;
	if (batch.body == NULL && queued == 0) {
		if (flushed != NULL)
			flush_over(-1, 0, NULL);
		return;
	}
	/* the same again, in its time */
	if (batch.body != NULL && evtimer_pending(due, NULL))
		return;
	if (flushed != NULL || queued >= BATCH_SPANS)
		batch_send();
	else if (!evtimer_pending(due, NULL))
		arm(due, conf->delay_ms);
}

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (post == NULL && conf != NULL)
		batch_send();
}

static void
batch_send(void)
{
	struct http_message	 m = {
		.url = conf->endpoint,
		.ca = conf->ca,
		.ca_len = conf->ca == NULL ? 0 : strlen(conf->ca),
		.headers = conf->headers,
		.nheaders = conf->nheaders
	};

	evtimer_del(due);
	if (batch.body == NULL && batch_make() == -1)
		return;
	m.body = batch.body;
	m.len = batch.len;
	stats_inc(STATS_EXPORTS);
	post = http_post(&m, ANSWER_MAX, POST_MS, sent, NULL);
	if (post == NULL)
		give_up("out of memory");
}

/* 0, or -1: there is nothing, or no memory for it. */
static int
batch_make(void)
{
	struct otlp_text	 t = { 0 };
	int			 r = -1;

	memset(&batch, 0, sizeof(batch));
	if (batch_fill(&t) == 0 && compress_text(&t) == 0) {
		batch.began = mono_ms();
		r = 0;
	}
	if (r == -1)
		lose(batch.spans);
	otlp_text_free(&t);
	return (r);
}

/* From each source in turn. */
static int
batch_fill(struct otlp_text *t)
{
	struct otlp_source	*s, *after;
	struct item		*i;

	otlp_json_begin(t, conf, instance);
	while (queued > 0 && batch.spans < BATCH_SPANS &&
	    t->len < BATCH_BYTES) {
		TAILQ_FOREACH_SAFE(s, &sources, link, after) {
			if ((i = TAILQ_FIRST(&s->items)) == NULL)
				continue;
			if (batch.spans > 0)
				otlp_text_add(t, ",", 1);
			if (span_unpack(i->packed, i->len, &tree) == -1)
				fatalx("span_unpack");
			otlp_json_spans(t, &tree);
			batch.spans += i->spans;
			drop_item(s, i);
		}
	}
	otlp_json_end(t);
	return (batch.spans == 0 || t->failed ? -1 : 0);
}

/* In gzip (RFC 1952), quickly rather than small. */
static int
compress_text(const struct otlp_text *t)
{
	z_stream	 z;
	int		 r;

	memset(&z, 0, sizeof(z));
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK)
		return (-1);
	batch.len = deflateBound(&z, t->len);
	if ((batch.body = malloc(batch.len)) != NULL) {
		z.next_in = (Bytef *)t->p;
		z.avail_in = (uInt)t->len;
		z.next_out = batch.body;
		z.avail_out = (uInt)batch.len;
		r = deflate(&z, Z_FINISH);
		batch.len = z.total_out;
		if (r != Z_STREAM_END) {
			free(batch.body);
			batch.body = NULL;
		}
	}
	deflateEnd(&z);
	return (batch.body == NULL ? -1 : 0);
}

static void
batch_free(void)
{
	free(batch.body);
	memset(&batch, 0, sizeof(batch));
}

/* -- what becomes of one -------------------------------------------------- */

static void
sent(void *arg, const struct http_reply *r)
{
	(void)arg;
	post = NULL;
	/* it has them, whatever became of its answer */
	if (r->status >= 200 && r->status <= 299)
		accepted(r);
	else if (may_retry(r))
		again(r);
	else
		give_up(r->error);
	next();
}

/* OTLP, Failures: Retryable Response Codes; no answer is another. */
static int
may_retry(const struct http_reply *r)
{
	if (flushed != NULL || mono_ms() - batch.began > GIVE_UP)
		return (0);
	return (r->status == 0 || r->status == 429 || r->status == 502 ||
	    r->status == 503 || r->status == 504);
}

/* Twice as long each time, and not all gateways at once. */
static void
again(const struct http_reply *r)
{
	uint64_t	 ms, asked;

	say_failing(r->error);
	batch.pause = batch.pause == 0 ? RETRY_MIN : batch.pause * 2;
	if (batch.pause > RETRY_MAX)
		batch.pause = RETRY_MAX;
	ms = batch.pause / 2 + (uint64_t)random() % (batch.pause / 2 + 1);
	asked = r->retry_after <= 0 ? 0 : r->retry_after > RETRY_AFTER_MAX ?
	    RETRY_AFTER_MAX * 1000 : (uint64_t)r->retry_after * 1000;
	arm(due, ms > asked ? ms : asked);
}

static void
give_up(const char *why)
{
	say_failing(why);
	lose(batch.spans);
	batch_free();
}

/* Once, until it works again. */
static void
say_failing(const char *why)
{
	stats_inc(STATS_EXPORTS_FAILED);
	(void)strlcpy(stats->export_error, why, sizeof(stats->export_error));
	if (failing)
		return;
	failing = 1;
	log_warnx("telemetry.failed", LOG_KV(KV("url", conf->endpoint),
	    KV("error", why)), "telemetry: %s: %s", conf->endpoint, why);
}

static void
accepted(const struct http_reply *r)
{
	struct slice	 why = { NULL, 0 };
	uint64_t	 n = rejected(r, &why);

	if (failing)
		log_info("telemetry.recovered", LOG_KV(
		    KV("url", conf->endpoint), KV("lost", lost)),
		    "telemetry: %s takes spans again; %zu were lost",
		    conf->endpoint, lost);
	else if (lost > 0)
		log_warnx("telemetry.dropped", LOG_KV(
		    KV("url", conf->endpoint), KV("spans", lost)),
		    "telemetry: %zu spans were dropped: more come than %s "
		    "takes", lost, conf->endpoint);
	failing = 0;
	lost = 0;
	/* nobody can reject more than came */
	n = n > batch.spans ? batch.spans : n;
	stats_add(STATS_SPANS_EXPORTED, batch.spans - n);
	stats_add(STATS_SPANS_REJECTED, n);
	(void)strlcpy(stats->export_error, n == 0 ? "" : "spans are rejected",
	    sizeof(stats->export_error));
	if (n > 0) {
		failing = 1;
		log_warnx("telemetry.rejected", LOG_KV(
		    KV("url", conf->endpoint), KV("spans", n)),
		    "telemetry: %s rejected %llu spans: %.*s",
		    conf->endpoint, (unsigned long long)n,
		    why.len > 200 ? 200 : (int)why.len,
		    why.p == NULL ? "" : why.p);
	}
	batch_free();
}

/* Its partialSuccess: how many of them it did not take (a number of 64 bits,
 * so a string, though some write a number), and why. */
static uint64_t
rejected(const struct http_reply *r, struct slice *why)
{
	struct json_member	 top = { .name = "partialSuccess" };
	struct json_member	 in[2] = { { .name = "rejectedSpans" },
				    { .name = "errorMessage" } };
	uint64_t		 n = 0;
	size_t			 i;

	if (!r->ok || json_members(r->body, r->len, &top, 1) != JSON_OK ||
	    top.type != JSON_T_OBJECT ||
	    json_members(top.raw.p, top.raw.len, in, 2) != JSON_OK)
		return (0);
	if (in[0].type != JSON_T_STRING && in[0].type != JSON_T_NUMBER)
		return (0);
	for (i = 0; i < in[0].raw.len && i < 18; i++) {
		if (in[0].raw.p[i] < '0' || in[0].raw.p[i] > '9')
			return (0);
		n = n * 10 + (uint64_t)(in[0].raw.p[i] - '0');
	}
	if (in[1].type == JSON_T_STRING)
		*why = in[1].raw;
	return (n);
}

/* -- the end ------------------------------------------------------------- */

void
otlp_flush(uint64_t ms, void (*done)(void))
{
	flushed = done;
	if (conf == NULL || (post == NULL && batch.body == NULL &&
	    queued == 0)) {
		flush_over(-1, 0, NULL);
		return;
	}
	arm(deadline, ms);
	evtimer_del(due);
	next();
}

static void
flush_over(evutil_socket_t fd, short what, void *arg)
{
	void	 (*done)(void) = flushed;

	(void)fd;
	(void)what;
	(void)arg;
	flushed = NULL;
	evtimer_del(deadline);
	done();
}
