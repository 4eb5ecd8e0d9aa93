/*
 * Sampling is OpenTelemetry's consistent one (TraceState: Probability
 * Sampling): the lowest 56 bits of a trace id are its randomness.
 */
#include <string.h>
#include <time.h>

#include "common/proto.h"
#include "common/stats.h"
#include "worker/base/peer.h"
#include "worker/base/timeq.h"
#include "worker/record/span.h"

#define QUEUE_MAX	512	/* messages that wait, beyond which spans are
				 * dropped */
#define SAMPLED		0x01
#define RANDOM_DIGITS	14	/* of the trace id: 56 bits */
#define FLUSH_MS	200

#define TOGETHER	32	/* messages that are sent at once */
#define TOGETHER_MS	100

static const struct worker_conf	*conf;
static struct {
	struct wbuf	 packed;
	size_t		 spans;
} waiting[TOGETHER];
static size_t		 nwaiting;
static struct timeq	 q_send;
static struct timer	 timer;

static unsigned	 digit(char);
static void	 send_all(struct timer *);

void
span_setup(const struct worker_conf *c)
{
	conf = c;
	timeq_init(&q_send, TOGETHER_MS, send_all);
}

int
span_enabled(void)
{
	return (conf->traces);
}

int
span_sample(struct trace *t)
{
	uint64_t	 random = 0;
	size_t		 i;
	unsigned	 last = digit(t->at.flags[1]);
	int		 yes;

	if (t->given && conf->sample_parent)
		return ((last & SAMPLED) != 0);
	for (i = TRACE_ID_LEN - RANDOM_DIGITS; i < TRACE_ID_LEN; i++)
		random = random << 4 | digit(t->at.id[i]);
	yes = random >= CONF_SAMPLE_ALL - conf->sample;
	last = yes ? last | SAMPLED : last & ~(unsigned)SAMPLED;
	t->at.flags[1] = "0123456789abcdef"[last];
	return (yes);
}

static unsigned
digit(char c)
{
	return ((unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0'));
}

uint64_t
span_now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

uint64_t
span_mono(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

/* They go together, so that the fetcher is not woken for each. */
void
span_send(const struct span_tree *t)
{
	struct wbuf	*w = &waiting[nwaiting].packed;

	stats_add(STATS_SPANS, t->n);
	wbuf_init(w, IMSG_BODY_MAX);
	span_pack(t, w);
	if (w->failed) {
		stats_add(STATS_SPANS_DROPPED, t->n);
		wbuf_free(w);
		return;
	}
	waiting[nwaiting].spans = t->n;
	if (++nwaiting == TOGETHER)
		send_all(NULL);
	else if (nwaiting == 1)
		timer_start(&timer, &q_send);
}

static void
send_all(struct timer *unused)
{
	struct channel	*ch = peer_channel(ROLE_FETCHER);
	struct wbuf	*w;
	size_t		 i;

	(void)unused;
	timer_clear(&timer);
	for (i = 0; i < nwaiting; i++) {
		w = &waiting[i].packed;
		if (ch == NULL || channel_queued(ch) >= QUEUE_MAX ||
		    channel_send(ch, MSG_SPAN, 0, -1, w->data, w->len) == -1)
			stats_add(STATS_SPANS_DROPPED, waiting[i].spans);
		wbuf_free(w);
	}
	nwaiting = 0;
}

void
span_flush(void)
{
	struct channel	*ch = peer_channel(ROLE_FETCHER);

	send_all(NULL);
	if (conf->traces && ch != NULL)
		(void)channel_flush(ch, FLUSH_MS);
}
