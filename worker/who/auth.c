/*
 * Who is asking.
 */
#include <sys/random.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/jwt.h"
#include "common/log.h"
#include "common/memfd.h"
#include "common/stats.h"
#include "worker/base/clock.h"
#include "worker/base/peer.h"
#include "worker/who/api_keys.h"
#include "worker/who/auth.h"
#include "worker/who/token_cache.h"

#define CACHE_ENTRIES	16384
#define HOLD_MS		2000	/* how long one waits for a key */
#define ABSENT_MAX	256	/* kids remembered as unknown */
#define ABSENT_MS	10000

#define SPENDERS_MAX	256	/* sources whose fetches are counted */
#define FETCHES_MAX	6	/* for nothing, of one source */
#define FETCHES_MS	60000	/* until it may have another one */

/* A source whose tokens had keys fetched for nothing. */
struct spender {
	uint64_t	 source;
	uint64_t	 spent;		/* ms, at FETCHES_MS each */
	uint64_t	 since;		/* as of this time */
	uint64_t	 fetch;		/* the last one that counts */
};

/* A kid that a fetch lacked: asked for again and again it costs nothing. */
struct absent {
	uint64_t	 hash;
	uint64_t	 until;
};

/* What is known of a token now. */
enum known {
	KNOWN,			/* the verdict is final */
	KNOWN_NONE,		/* it is none */
	KNOWN_NO_KEY		/* a fresh key set may say otherwise */
};

static struct waiters		 waiting = TAILQ_HEAD_INITIALIZER(waiting);
static unsigned			 round_now;	/* of looking at them */
static struct timeq		 q_hold;
static struct jwk_set		*keys;
static struct token_cache	*cache;
static struct jwt_policy	 policy;
static int			 tokens_lost;
static int			 required;
static int			 oauth;
static const char		*key_header;	/* NULL: Authorization */
static const char		*key_scheme;	/* NULL: none */
static int			 bare;		/* a key alone in it is one */
static void			(*on_change)(void);
static struct absent		 absent[ABSENT_MAX];
static uint64_t			 absent_seed;
static struct spender		 spenders[SPENDERS_MAX];
static uint64_t			 fetch_now = 1; /* ends next */
static int			 fetch_failed;	/* the last one */
static struct jwt_claims	*refused;	/* a verdict points to it */
static struct jwt_report	 report;	/* of the last one; the same */

static int	 query_has_token(struct slice);
static int	 is_token_name(struct slice);
static int	 hex(char);
static int	 after_scheme(struct slice, const char *, struct slice *);
static int	 are_joined(struct slice);
static enum known judge_token(struct slice, size_t, struct verdict *,
		    uint64_t *);
static enum known judge_new(struct slice, const struct token_hash *,
		    struct verdict *, const struct jwt_claims **,
		    uint64_t *);
static void	 judge_upstream(const struct jwt_claims *, size_t,
		    struct verdict *);
static void	 say_who(const struct jwt_claims *, const struct token_hash *,
		    struct verdict *);
static int	 may_fetch(uint64_t, uint64_t);
static int	 hold(struct waiter *, struct slice, uint64_t,
		    const struct verdict *);
static void	 lacks(struct waiter *, uint64_t, const struct verdict *);
static void	 look_again(struct waiter *);
static void	 give_up(struct waiter *, int);
static struct waiter *next_waiter(void);
static const struct jwt_claims *refused_set(struct jwt_claims *);
static struct spender *spender_of(uint64_t);
static int	 may_spend(uint64_t);
static void	 spend(uint64_t);
static void	 refund(uint64_t);
static int	 take_keys(struct imsg *);
static void	 set_keys(struct jwk_set *);
static int	 take_fetch_done(struct imsg *);
static void	 fetch_done(int, uint64_t);
static void	 ask_again(void);
static void	 ask_keys(void);
static uint64_t	 kid_hash(const char *);
static int	 kid_is_absent(uint64_t);
static void	 kid_remember(uint64_t);
static void	 hold_expired(struct timer *);

void
auth_setup(const struct worker_conf *conf, void (*changed)(void))
{
	const struct conf_oauth	*o = &conf->oauth;

	required = conf->auth_enabled;
	oauth = o->enabled;
	key_header = conf->key_header;
	key_scheme = conf->key_scheme;
	bare = conf->key_header == NULL && key_scheme != NULL &&
	    *key_scheme == '\0';
	if (key_scheme != NULL && *key_scheme == '\0')
		key_scheme = NULL;
	on_change = changed;
	peer_handle(ROLE_FETCHER, MSG_KEYS, take_keys);
	peer_handle(ROLE_FETCHER, MSG_FETCH_DONE, take_fetch_done);
	peer_renewed(ROLE_FETCHER, ask_again);
	jwt_policy_init(&policy, o, conf->upstreams, conf->nupstreams);
	if (identity_init(&policy.identity, conf) == -1)
		fatalx("identity_init");
	timeq_init(&q_hold, HOLD_MS, hold_expired);
	if (getrandom(&absent_seed, sizeof(absent_seed), 0) !=
	    sizeof(absent_seed))
		fatal("getrandom");
	if ((cache = token_cache_new(CACHE_ENTRIES)) == NULL)
		fatalx("token_cache_new");
}

int
auth_required(void)
{
	return (required);
}

int
auth_ready(void)
{
	return (!oauth || keys != NULL);
}

int
auth_has_keys(void)
{
	return (!oauth || (keys != NULL && keys->n > 0));
}

int
auth_is_key_field(const struct http1_field *f)
{
	return (key_header != NULL && f->id == HTTP1_OTHER &&
	    slice_is_nocase(f->name, key_header));
}

enum credential
auth_credential(const struct http1_head *h, struct slice *token)
{
	struct slice	 v = { NULL, 0 }, own = { NULL, 0 };
	size_t		 i;
	int		 n;

	/* a token in the query would travel on and into logs: never taken */
	n = query_has_token(h->query);
	if (n > 0 && !required)
		return (CREDENTIAL_BAD);
	n += h->count[HTTP1_AUTHORIZATION];
	for (i = 0; key_header != NULL && i < h->nfield; i++)
		if (auth_is_key_field(&h->field[i])) {
			own = h->field[i].value;
			n++;
		}
	if (n > 1)
		return (CREDENTIAL_BAD);
	if (own.p != NULL) {
		*token = own;
		if (key_scheme != NULL && !after_scheme(own, key_scheme,
		    token))
			return (CREDENTIAL_NONE);
		return (token->len > 0 ? CREDENTIAL_ONE : CREDENTIAL_BAD);
	}
	v = http1_value(h, HTTP1_AUTHORIZATION);
	if (after_scheme(v, "Bearer", token) || (key_header == NULL &&
	    key_scheme != NULL && after_scheme(v, key_scheme, token)))
		return (token->len > 0 && !are_joined(*token) ?
		    CREDENTIAL_ONE : CREDENTIAL_BAD);
	if (!bare || v.len == 0 || memchr(v.p, ' ', v.len) != NULL)
		return (CREDENTIAL_NONE);
	*token = v;
	return (CREDENTIAL_ONE);
}

/* A parameter access_token (RFC 6750 section 2.3), as a server would read its
 * name. */
static int
query_has_token(struct slice q)
{
	size_t	 i = 0;

	if (q.p == NULL)
		return (0);
	for (;;) {
		if (is_token_name((struct slice){ q.p + i, q.len - i }))
			return (1);
		while (i < q.len && q.p[i] != '&' && q.p[i] != ';')
			i++;
		if (i++ >= q.len)
			return (0);
	}
}

/* Does it begin with that name, escaped or not, and then end it? */
static int
is_token_name(struct slice s)
{
	static const char	 name[] = "access_token";
	size_t			 i = 0, n;
	int			 c;

	for (n = 0; n < sizeof(name) - 1; n++) {
		if (i == s.len)
			return (0);
		c = (unsigned char)s.p[i++];
		if (c == '%' && s.len - i >= 2) {
			c = hex(s.p[i]) << 4 | hex(s.p[i + 1]);
			i += 2;
		}
		if (c != name[n])
			return (0);
	}
	return (i == s.len || strchr("=&;", s.p[i]) != NULL);
}

/* A digit's value; of no digit one that makes no letter. */
static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	c = (char)(c | 0x20);
	return (c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0x100);
}

/* What follows a scheme and spaces (RFC 9110 section 11.4). */
static int
after_scheme(struct slice v, const char *scheme, struct slice *rest)
{
	size_t	 n = strlen(scheme);

	if (v.p == NULL || v.len < n || strncasecmp(v.p, scheme, n) != 0 ||
	    (v.len > n && v.p[n] != ' '))
		return (0);
	for (; n < v.len && v.p[n] == ' '; n++)
		;
	*rest = (struct slice){ v.p + n, v.len - n };
	return (1);
}

/* Do more credentials follow in the same field?  Some make one of several of a
 * name, whatever they hold. */
static int
are_joined(struct slice list)
{
	struct slice	 item;
	size_t		 i;

	(void)http1_list_next(&list, &item);
	while (http1_list_next(&list, &item)) {
		for (i = 0; i < item.len &&
		    http1_is_tchar((unsigned char)item.p[i]); i++)
			;
		if (i > 0 && i < item.len && item.p[i] == ' ')
			return (1);
	}
	return (0);
}

enum judged
auth_judge(struct waiter *w, struct slice token, struct slice client_ip,
    size_t upstream, struct verdict *v)
{
	uint64_t	 kid = 0;

	memset(v, 0, sizeof(*v));
	switch (judge_token(token, upstream, v, &kid)) {
	case KNOWN:
		break;
	case KNOWN_NONE:
		return (api_keys_judge(w, token, client_ip, v));
	case KNOWN_NO_KEY:
		w->source = api_keys_source(client_ip);
		if (!may_fetch(kid, w->source)) {
			/* nor does anybody know that there is no such key */
			if (fetch_failed && v->result == AUTH_UNKNOWN_KEY &&
			    !kid_is_absent(kid))
				*v = (struct verdict){
				    .result = AUTH_UNAVAILABLE };
			break;
		}
		w->upstream = upstream;
		if (hold(w, token, kid, v) == 0)
			return (JUDGED_LATER);
		v->result = AUTH_UNAVAILABLE;
		v->why = NULL;
	}
	return (JUDGED);
}

/* KNOWN_NO_KEY: the verdict is what it is without another key set, and *kid
 * says which key that must bring. */
static enum known
judge_token(struct slice token, size_t upstream, struct verdict *v,
    uint64_t *kid)
{
	struct token_hash	 hash;
	const struct jwt_claims	*claims = NULL;
	enum known		 known;

	/* without OAuth there is nobody to look at a JWT as one */
	if (!oauth || token.len < JWT_FORM_MIN)
		return (KNOWN_NONE);
	if (token_cache_hash(cache, token, &hash) == -1) {
		v->result = AUTH_UNAVAILABLE;
		return (KNOWN);
	}
	/* a token that is known needs no look at its form */
	claims = token_cache_get(cache, &hash, clock_wall(),
	    policy.conf->leeway_ms);
	if (claims != NULL) {
		stats_inc(STATS_TOKENS_CACHED);
		v->result = AUTH_OK;
	} else if (!jwt_form_is(token))
		return (KNOWN_NONE);
	else if ((known = judge_new(token, &hash, v, &claims, kid)) != KNOWN)
		return (known);
	if (claims != NULL) {
		judge_upstream(claims, upstream, v);
		say_who(claims, &hash, v);
	}
	return (KNOWN);
}

/* One that is not in the cache.  *claims is set when they can be believed. */
static enum known
judge_new(struct slice token, const struct token_hash *hash,
    struct verdict *v, const struct jwt_claims **claims, uint64_t *kid)
{
	struct jwt_claims	*made = NULL;

	/* an empty set: it is too old to be believed */
	if (keys == NULL || keys->n == 0) {
		v->result = AUTH_UNAVAILABLE;
		return (KNOWN);
	}
	stats_inc(STATS_TOKENS_JUDGED);
	v->result = jwt_verify(&policy, keys, token, clock_wall(), &made,
	    &report);
	v->why = report.why[0] == '\0' ? NULL : report.why;
	/* there may be a key that is new, or a new one under an old kid; of
	 * one kid both may be, one after the other */
	*kid = kid_hash(report.kid) + (v->result == AUTH_BAD_SIGNATURE);
	if (v->result == AUTH_UNKNOWN_KEY ||
	    (v->result == AUTH_BAD_SIGNATURE && report.kid[0] != '\0'))
		return (KNOWN_NO_KEY);
	if (made == NULL)
		return (KNOWN);
	*claims = v->result == AUTH_OK ?
	    token_cache_put(cache, hash, made) : refused_set(made);
	if (*claims == NULL)
		v->result = AUTH_UNAVAILABLE;
	return (KNOWN);
}

/* A token for one upstream is none for another, whatever else it lacks but
 * its issuer. */
static void
judge_upstream(const struct jwt_claims *claims, size_t upstream,
    struct verdict *v)
{
	if (v->result == AUTH_BAD_ISSUER || jwt_opens(claims, upstream))
		return;
	v->result = AUTH_BAD_AUDIENCE;
	jwt_say_closed(&policy, claims, upstream, report.why);
	v->why = report.why;
}

static void
say_who(const struct jwt_claims *claims, const struct token_hash *hash,
    struct verdict *v)
{
	v->signer = claims->key_id;
	v->until = claims->exp * 1000 + (int64_t)policy.conf->leeway_ms;
	if (claims->client_id[0] != '\0')
		v->client_id = slice_of(claims->client_id);
	v->sub = slice_of(claims->sub);
	v->subject = slice_of(claims->subject);
	v->actor = slice_of(claims->actor);
	v->jti = slice_of(claims->jti);
	if (claims->client_id[0] == '\0' && claims->sub[0] == '\0') {
		memcpy(v->digest, hash->b, sizeof(v->digest));
		v->token = (struct slice){ (const char *)v->digest,
		    sizeof(v->digest) };
	}
	v->scopes = slice_of(claims->scopes);
}

/* Is a key worth a fetch?  It was not there just now, or who asks has had too
 * many for nothing: then not. */
static int
may_fetch(uint64_t kid, uint64_t source)
{
	return (!kid_is_absent(kid) && may_spend(source));
}

/* A source that takes another's place has all that it may spend. */
static struct spender *
spender_of(uint64_t source)
{
	return (&spenders[((source ^ absent_seed) * 0x9e3779b97f4a7c15ULL) >>
	    56]);
}

static int
may_spend(uint64_t source)
{
	const struct spender	*s = spender_of(source);
	uint64_t		 now = clock_mono();

	return (s->source != source || s->spent < now - s->since +
	    FETCHES_MAX * FETCHES_MS);
}

/* However many of its requests wait for a fetch, it is one; and it is one
 * though none of them waits until it ends. */
static void
spend(uint64_t source)
{
	struct spender	*s = spender_of(source);
	uint64_t	 now = clock_mono();

	if (s->source != source) {
		memset(s, 0, sizeof(*s));
		s->source = source;
	} else if (s->fetch == fetch_now)
		return;
	s->spent = s->spent > now - s->since ? s->spent - (now - s->since) : 0;
	s->spent += FETCHES_MS;
	s->since = now;
	s->fetch = fetch_now;
}

/* It was not for nothing. */
static void
refund(uint64_t source)
{
	struct spender	*s = spender_of(source);

	if (s->source != source || s->fetch != fetch_now)
		return;
	s->spent -= FETCHES_MS;
	s->fetch = 0;
}

/* Let it wait, with the token, for which there may be a key soon.  0 or -1. */
static int
hold(struct waiter *w, struct slice token, uint64_t kid,
    const struct verdict *v)
{
	if (buf_append(&w->token, token.p, token.len) == -1)
		return (-1);
	stats_inc(STATS_TOKENS_WAITED);
	w->asked = clock_mono();
	lacks(w, kid, v);
	w->round = round_now;
	TAILQ_INSERT_TAIL(&waiting, w, link);
	timer_start(&w->timer, &q_hold);
	spend(w->source);
	ask_keys();
	return (0);
}

/* What it waits for, and what is said if that does not come.  The words may be
 * lost, not the result. */
static void
lacks(struct waiter *w, uint64_t kid, const struct verdict *v)
{
	w->kid = kid;
	w->missing = v->result;
	free(w->why);
	w->why = v->why == NULL ? NULL : strdup(v->why);
}

void
auth_unwait(struct waiter *w)
{
	if (w->question != NULL) {
		api_keys_unwait(w);
		return;
	}
	if (w->token.p == NULL)
		return;
	TAILQ_REMOVE(&waiting, w, link);
	timer_clear(&w->timer);
	buf_wipe(&w->token);
	free(w->why);
	w->why = NULL;
}

/* There is another key set. */
static void
look_again(struct waiter *w)
{
	struct verdict	 v = { 0 };
	uint64_t	 kid = 0;

	if (judge_token((struct slice){ buf_data(&w->token), w->token.len },
	    w->upstream, &v, &kid) == KNOWN_NO_KEY) {
		lacks(w, kid, &v);
		return;
	}
	refund(w->source);
	auth_unwait(w);
	w->done(w, &v);
}

/* No fetch will say more (known 1), or none could be made: a signature that a
 * known key did not make is bad until there is another one. */
static void
give_up(struct waiter *w, int known)
{
	struct verdict	 v = { .result = AUTH_UNAVAILABLE };

	if (known || w->missing == AUTH_BAD_SIGNATURE) {
		kid_remember(w->kid);
		v.result = w->missing;
		if (w->why != NULL) {
			(void)strlcpy(report.why, w->why, sizeof(report.why));
			v.why = report.why;
		}
	}
	auth_unwait(w);
	w->done(w, &v);
}

/* The next who waits and was not looked at in this round, or NULL.  Any of them
 * may leave and others come meanwhile; the order stays. */
static struct waiter *
next_waiter(void)
{
	struct waiter	*w = TAILQ_FIRST(&waiting);

	if (w == NULL || w->round == round_now)
		return (NULL);
	w->round = round_now;
	TAILQ_REMOVE(&waiting, w, link);
	TAILQ_INSERT_TAIL(&waiting, w, link);
	return (w);
}

int
auth_withdrawn(const uint8_t *key_mark, const uint8_t *signer)
{
	size_t	 i;

	if (key_mark != NULL)
		return (api_keys_lost(key_mark));
	if (signer == NULL || tokens_lost || keys == NULL)
		return (signer != NULL && tokens_lost);
	for (i = 0; i < keys->n; i++)
		if (memcmp(keys->keys[i].id, signer,
		    sizeof(keys->keys[i].id)) == 0)
			return (0);
	return (1);
}

void
auth_lose_tokens(void)
{
	tokens_lost = 1;
}

/* MSG_KEYS: a set that cannot be read leaves the last one in force. */
static int
take_keys(struct imsg *m)
{
	struct jwk_set	*set;
	const void	*p;
	size_t		 len;
	int		 fd = imsg_take_fd(m);

	if (memfd_map(fd, JWK_PACKED_MAX, &p, &len) == -1) {
		log_warn("jwks.unreadable", NULL, "key set");
		close(fd);
		return (0);
	}
	if ((set = jwk_set_unpack(p, len)) == NULL)
		log_warnx("jwks.malformed", NULL,
		    "key set: malformed; the last one stays");
	else {
		set_keys(set);
		on_change();
	}
	memfd_unmap(p, len);
	close(fd);
	return (0);
}

/* Taken over. */
static void
set_keys(struct jwk_set *set)
{
	struct waiter	*w;

	jwk_set_free(keys);
	keys = set;
	token_cache_keep(cache, set);
	memset(absent, 0, sizeof(absent));
	round_now++;
	while ((w = next_waiter()) != NULL)
		look_again(w);
}

/* MSG_FETCH_DONE, after its MSG_KEYS. */
static int
take_fetch_done(struct imsg *m)
{
	uint64_t	 began;
	int		 ok;

	if (proto_get_fetch_done(m, &ok, &began) == -1)
		return (-1);
	fetch_done(ok, began);
	return (0);
}

static void
fetch_done(int ok, uint64_t began_ms)
{
	struct waiter	*w;

	round_now++;
	while ((w = next_waiter()) != NULL) {
		/* a fetch that had begun before may have been too early */
		if (w->asked > began_ms)
			continue;
		/* what another one's key had paid back */
		spend(w->source);
		give_up(w, ok);
	}
	/* while there were none nobody had any */
	if (ok && fetch_failed)
		memset(spenders, 0, sizeof(spenders));
	fetch_failed = !ok;
	fetch_now++;
}

static void
ask_again(void)
{
	if (!TAILQ_EMPTY(&waiting))
		ask_keys();
}

static void
ask_keys(void)
{
	if (peer_channel(ROLE_FETCHER) != NULL)
		proto_send_empty(peer_channel(ROLE_FETCHER), MSG_KEYS_WANTED);
}

static void
hold_expired(struct timer *t)
{
	give_up((struct waiter *)((char *)t -
	    offsetof(struct waiter, timer)), 0);
}

/* FNV-1a from a random start: a kid from outside cannot aim at another's
 * place. */
static uint64_t
kid_hash(const char *kid)
{
	uint64_t	 h = 0xcbf29ce484222325ULL ^ absent_seed;

	for (; *kid != '\0'; kid++)
		h = (h ^ (unsigned char)*kid) * 0x100000001b3ULL;
	return (h);
}

static int
kid_is_absent(uint64_t h)
{
	struct absent	*a = &absent[(h >> 32) % ABSENT_MAX];

	return (a->hash == h && a->until > clock_mono());
}

static void
kid_remember(uint64_t h)
{
	struct absent	*a = &absent[(h >> 32) % ABSENT_MAX];

	a->hash = h;
	a->until = clock_mono() + ABSENT_MS;
}

/* Claims of a token that was refused live until the next one is. */
static const struct jwt_claims *
refused_set(struct jwt_claims *claims)
{
	jwt_claims_free(refused);
	refused = claims;
	return (claims);
}
