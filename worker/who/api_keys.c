/*
 * Questions to the keeper, and the memory of its answers.
 *
 * A success is remembered in the place of its key: one raw key per entry of
 * auth.keys, so that no flood of others can push it out.  Failures lie in a
 * small table where a new one replaces an old one.
 */
#include <arpa/inet.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/api_key.h"
#include "common/detail.h"
#include "common/keyed_hash.h"
#include "common/log.h"
#include "common/proto.h"
#include "common/rfc3339.h"
#include "common/scopes.h"
#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/base/peer.h"
#include "worker/who/api_keys.h"

#define HOLD_MS		10000	/* how long one waits */
#define QUESTIONS_MAX	512	/* to the keeper, at a time */
#define WRONG_MAX	1024	/* remembered failures */
#define WRONG_MS	10000
#define WHY_MAX		250	/* bytes of what is said of a refused key */
#define WHY_CUT		64	/* of a value in it */

/* A key of the configuration, beside struct conf_key at the same index. */
struct place {
	uint8_t		 mark[KEYED_HASH_LEN];	/* of the raw key */
	uint64_t	 until;		/* ms, monotonic; 0: not known */
	int32_t		 next;		/* in its bucket, or -1 */
	int		 scopes_ok;
};

/* One failure. */
struct wrong {
	uint8_t		 mark[16];
	uint64_t	 until;
};

/* A key that the keeper is asked for, and who waits for it. */
struct question {
	TAILQ_ENTRY(question) link;
	struct waiters	 waiters;
	int		 open;		/* in the list; when closed it is no
					 * last waiter's to free */
	uint64_t	 id;
	uint64_t	 source;
	uint8_t		 mark[KEYED_HASH_LEN];
	size_t		 len;
	char		 key[];
};

static const struct worker_conf	*conf;
static struct timeq		 q_hold;
static struct keyed_hash	*marks;
static struct place		*places;
static int32_t			*buckets;
static size_t			 nbuckets;	/* a power of two */
static struct wrong		 wrongs[WRONG_MAX];
static TAILQ_HEAD(, question)	 questions = TAILQ_HEAD_INITIALIZER(questions);
static size_t			 nquestions;
static uint64_t			 last_id;
static uint8_t			 lost[CONF_KEYS_MAX / 8];

static int	 key_known(struct slice, uint8_t *, struct verdict *);
static void	 verdict_of(enum key_verdict, uint32_t, struct verdict *);
static const char *why(const struct verdict *);
static int32_t	 place_find(const uint8_t *);
static void	 place_learn(const uint8_t *, uint32_t);
static void	 place_forget(int32_t);
static int32_t	*bucket_of(const uint8_t *);
static struct wrong *wrong_of(const uint8_t *);
static struct question *question_find(const uint8_t *);
static struct question *question_new(struct slice, const uint8_t *, uint64_t);
static void	 question_ask(const struct question *);
static void	 question_close(struct question *);
static void	 question_free(struct question *);
static void	 ask_again(void);
static int	 take_result(struct imsg *);
static void	 keeper_answer(uint64_t, enum key_verdict, uint32_t);
static void	 learn(const struct question *, enum key_verdict, uint32_t);
static void	 hold_expired(struct timer *);

void
api_keys_setup(const struct worker_conf *c)
{
	size_t	 i;

	conf = c;
	timeq_init(&q_hold, HOLD_MS, hold_expired);
	peer_handle(ROLE_KEEPER, MSG_KEY_RESULT, take_result);
	peer_renewed(ROLE_KEEPER, ask_again);
	if (c->nkeys == 0)
		return;
	for (nbuckets = 16; nbuckets < 2 * c->nkeys;)
		nbuckets *= 2;
	places = calloc(c->nkeys, sizeof(*places));
	buckets = calloc(nbuckets, sizeof(*buckets));
	marks = keyed_hash_new();
	if (places == NULL || buckets == NULL || marks == NULL)
		fatalx("api_keys_setup");
	for (i = 0; i < nbuckets; i++)
		buckets[i] = -1;
	for (i = 0; i < c->nkeys; i++)
		places[i].scopes_ok = scopes_has(slice_of(c->keys[i].scopes),
		    slice_of("*")) || scopes_missing(
		    slice_of(c->keys[i].scopes), c->oauth.scopes,
		    c->oauth.nscopes) == NULL;
}

static void
ask_again(void)
{
	struct question	*q;

	TAILQ_FOREACH(q, &questions, link)
		question_ask(q);
}

enum judged
api_keys_judge(struct waiter *w, struct slice key, struct slice client_ip,
    struct verdict *v)
{
	struct question	*q;
	uint8_t		 mark[KEYED_HASH_LEN];

	if (key_known(key, mark, v)) {
		v->why = why(v);
		return (JUDGED);
	}
	if ((q = question_find(mark)) == NULL && (q = question_new(key, mark,
	    api_keys_source(client_ip))) == NULL) {
		v->result = AUTH_UNAVAILABLE;
		return (JUDGED);
	}
	w->question = q;
	TAILQ_INSERT_TAIL(&q->waiters, w, link);
	timer_start(&w->timer, &q_hold);
	return (JUDGED_LATER);
}

/* What can be said of it without the keeper: 1, or 0 and its mark. */
static int
key_known(struct slice key, uint8_t *mark, struct verdict *v)
{
	char		 prefix[API_KEY_PREFIX_LEN + 1];
	struct wrong	*w;
	int32_t		 i;

	v->result = AUTH_INVALID;
	if (conf->nkeys == 0 || key.len == 0 || key.len > API_KEY_MAX ||
	    api_key_form(key.p, key.len, prefix) == API_KEY_BAD)
		return (1);
	if (keyed_hash(marks, key.p, key.len, mark) == -1) {
		v->result = AUTH_UNAVAILABLE;
		return (1);
	}
	if ((i = place_find(mark)) != -1) {
		stats_inc(STATS_KEYS_CACHED);
		verdict_of(KEY_OK, (uint32_t)i, v);
		return (1);
	}
	w = wrong_of(mark);
	if (w->until <= clock_mono() ||
	    memcmp(w->mark, mark, sizeof(w->mark)) != 0)
		return (0);
	stats_inc(STATS_KEYS_CACHED);
	return (1);
}

/* What the keeper's word means for who may pass now. */
static void
verdict_of(enum key_verdict word, uint32_t i, struct verdict *v)
{
	const struct conf_key	*k;

	if (word == KEY_WRONG) {
		v->result = AUTH_INVALID;
		return;
	}
	if (word != KEY_OK || i >= conf->nkeys) {
		v->result = AUTH_UNAVAILABLE;
		v->crowding = word == KEY_SHARE;
		return;
	}
	k = &conf->keys[i];
	v->key_id = slice_of(k->id);
	v->key_mark = k->mark;
	v->scopes = slice_of(k->scopes);
	v->until = k->expires * 1000;
	if (k->expires != 0 && clock_wall() / 1000 >= k->expires)
		v->result = AUTH_EXPIRED;
	else if (!places[i].scopes_ok)
		v->result = AUTH_INSUFFICIENT_SCOPE;
	else
		v->result = AUTH_OK;
}

/* In words, until the next one. */
static const char *
why(const struct verdict *v)
{
	static struct detail	 d;
	char			 at[RFC3339_STRLEN];
	size_t			 i;

	detail_init(&d, WHY_MAX, WHY_CUT);
	switch (v->result) {
	case AUTH_INVALID:
		/* opaque and encrypted tokens end here */
		return (conf->oauth.enabled ? "not an API key of auth.keys, "
		    "nor shaped like a JWT" : "not an API key of auth.keys");
	case AUTH_EXPIRED:
		detail_printf(&d, "the key's expires_at has passed: %s, %lld "
		    "s ago", rfc3339_format(v->until / 1000, at),
		    (long long)(clock_wall() - v->until) / 1000);
		return (d.p);
	case AUTH_INSUFFICIENT_SCOPE:
		detail_puts(&d, "scopes: got ");
		detail_quote(&d, v->scopes.len > 0 ? v->scopes :
		    slice_of(NULL));
		detail_puts(&d, ", wanted also ");
		for (i = 0; i < conf->oauth.nscopes; i++)
			if (!scopes_has(v->scopes,
			    slice_of(conf->oauth.scopes[i])))
				detail_item(&d,
				    slice_of(conf->oauth.scopes[i]));
		return (d.p);
	default:
		return (NULL);
	}
}

static int32_t *
bucket_of(const uint8_t *mark)
{
	uint32_t	 h;

	memcpy(&h, mark, sizeof(h));
	return (&buckets[h & (nbuckets - 1)]);
}

/* The key that is known by this mark, or -1. */
static int32_t
place_find(const uint8_t *mark)
{
	int32_t	 i;

	for (i = *bucket_of(mark); i != -1; i = places[i].next)
		if (memcmp(places[i].mark, mark, KEYED_HASH_LEN) == 0)
			break;
	if (i == -1 || places[i].until > clock_mono())
		return (i);
	place_forget(i);
	return (-1);
}

static void
place_learn(const uint8_t *mark, uint32_t i)
{
	int32_t	*b = bucket_of(mark);

	if (i >= conf->nkeys || conf->key_cache_ttl == 0)
		return;
	if (places[i].until != 0)
		place_forget((int32_t)i);
	memcpy(places[i].mark, mark, KEYED_HASH_LEN);
	places[i].until = clock_mono() + conf->key_cache_ttl;
	places[i].next = *b;
	*b = (int32_t)i;
}

static void
place_forget(int32_t i)
{
	int32_t	*at = bucket_of(places[i].mark);

	while (*at != i)
		at = &places[*at].next;
	*at = places[i].next;
	places[i].until = 0;
}

static struct wrong *
wrong_of(const uint8_t *mark)
{
	uint32_t	 h;

	memcpy(&h, mark, sizeof(h));
	return (&wrongs[h % WRONG_MAX]);
}

/* Who asks, for fair turns: an IPv4 address, or the /64 of an IPv6 one (which
 * never begins with ones: that is multicast). */
uint64_t
api_keys_source(struct slice ip)
{
	char		 text[INET6_ADDRSTRLEN];
	uint8_t		 addr[16];
	uint64_t	 source = 0;

	if (ip.p == NULL || ip.len >= sizeof(text))
		return (0);
	memcpy(text, ip.p, ip.len);
	text[ip.len] = '\0';
	memset(addr, 0xff, sizeof(addr));
	if (inet_pton(AF_INET, text, addr + 4) != 1 &&
	    inet_pton(AF_INET6, text, addr) != 1)
		return (0);
	memcpy(&source, addr, sizeof(source));
	return (source);
}

static struct question *
question_find(const uint8_t *mark)
{
	struct question	*q;

	TAILQ_FOREACH(q, &questions, link)
		if (memcmp(q->mark, mark, KEYED_HASH_LEN) == 0)
			break;
	return (q);
}

static struct question *
question_new(struct slice key, const uint8_t *mark, uint64_t source)
{
	struct question	*q;

	if (nquestions >= QUESTIONS_MAX ||
	    (q = calloc(1, sizeof(*q) + key.len)) == NULL)
		return (NULL);
	TAILQ_INIT(&q->waiters);
	q->open = 1;
	q->id = ++last_id;
	q->source = source;
	memcpy(q->mark, mark, sizeof(q->mark));
	q->len = key.len;
	memcpy(q->key, key.p, key.len);
	TAILQ_INSERT_TAIL(&questions, q, link);
	nquestions++;
	stats_inc(STATS_KEYS_ASKED);
	question_ask(q);
	return (q);
}

/* Without a keeper it is asked when there is one. */
static void
question_ask(const struct question *q)
{
	if (peer_channel(ROLE_KEEPER) != NULL)
		(void)proto_send_key_check(peer_channel(ROLE_KEEPER), q->id,
		    q->source, q->key, q->len);
}

/* Whoever asks the same from now on asks anew. */
static void
question_close(struct question *q)
{
	TAILQ_REMOVE(&questions, q, link);
	nquestions--;
	q->open = 0;
}

static void
question_free(struct question *q)
{
	explicit_bzero(q->key, q->len);
	free(q);
}

void
api_keys_unwait(struct waiter *w)
{
	struct question	*q = w->question;

	TAILQ_REMOVE(&q->waiters, w, link);
	timer_clear(&w->timer);
	w->question = NULL;
	/* nobody wants to know any more; the keeper's answer finds nobody */
	if (TAILQ_EMPTY(&q->waiters) && q->open) {
		question_close(q);
		question_free(q);
	}
}

int
api_keys_lose(const uint8_t *bits, size_t len)
{
	size_t	 i;

	if (len != (conf->nkeys + 7) / 8)
		return (-1);
	for (i = 0; i < len; i++)
		lost[i] |= bits[i];
	return (0);
}

int
api_keys_lost(const uint8_t *mark)
{
	const struct conf_key	*k = (const struct conf_key *)(mark -
				    offsetof(struct conf_key, mark));
	size_t			 i = (size_t)(k - conf->keys);

	return (lost[i / 8] >> i % 8 & 1);
}

/* MSG_KEY_RESULT. */
static int
take_result(struct imsg *m)
{
	enum key_verdict	 v;
	uint64_t		 id;
	uint32_t		 index;

	if (proto_get_key_result(m, &id, &v, &index) == -1)
		return (-1);
	keeper_answer(id, v, index);
	return (0);
}

static void
keeper_answer(uint64_t id, enum key_verdict word, uint32_t index)
{
	struct question	*q;
	struct waiter	*w;
	struct verdict	 v;

	TAILQ_FOREACH(q, &questions, link)
		if (q->id == id)
			break;
	if (q == NULL)
		return;
	learn(q, word, index);
	question_close(q);
	while ((w = TAILQ_FIRST(&q->waiters)) != NULL) {
		memset(&v, 0, sizeof(v));
		verdict_of(word, index, &v);
		v.why = why(&v);
		api_keys_unwait(w);
		w->done(w, &v);
	}
	question_free(q);
}

static void
learn(const struct question *q, enum key_verdict word, uint32_t index)
{
	struct wrong	*w;

	if (word == KEY_OK)
		place_learn(q->mark, index);
	else if (word == KEY_WRONG && conf->key_cache_ttl > 0) {
		w = wrong_of(q->mark);
		memcpy(w->mark, q->mark, sizeof(w->mark));
		w->until = clock_mono() + WRONG_MS;
	}
}

static void
hold_expired(struct timer *t)
{
	static const struct verdict	 v = { .result = AUTH_UNAVAILABLE };
	struct waiter			*w = (struct waiter *)((char *)t -
					    offsetof(struct waiter, timer));

	api_keys_unwait(w);
	w->done(w, &v);
}
