/*
 * The message catalogue as a table, and the bodies of messages: the sender of
 * each beside its receiver.
 */
#include <string.h>
#include <syslog.h>

#include "common/api_key.h"
#include "common/conf.h"
#include "common/proto.h"
#include "common/span.h"
#include "common/wire.h"

#define M	(1U << ROLE_MASTER)
#define F	(1U << ROLE_FETCHER)
#define K	(1U << ROLE_KEEPER)
#define W	(1U << ROLE_WORKER)
#define O	(1U << ROLE_MONITOR)
#define ROUTE(from, to)	{ from, to }

struct rule {
	const char	*name;
	struct {
		unsigned	 from;	/* sets of roles */
		unsigned	 to;
	} route[2];
	size_t		 min;		/* bytes of body */
	size_t		 max;
	int		 fd;		/* carries a descriptor */
};

#define LOG_BODY_MIN	(2 + 4 + 4 + 1)
#define LOG_BODY	(LOG_BODY_MIN + LOG_EVENT_MAX - 1 + LOG_TEXT_MAX - 1 + \
	LOG_PAIRS_MAX * (4 + LOG_KEY_MAX - 1 + 1 + 4 + LOG_VALUE_MAX - 1))
#define PRIMED_BODY	(4 + 1 + 4 + PROTO_TEXT_MAX - 1)
#define HELLO_BODY	(4 * 4 + 2 + 4 + 4 + 4)
#define CHROOT_MAX	255
#define ADDRS_BODY	(4 + 1 + PROTO_ADDRS_MAX * ADDR_BODY)
#define CONN_BODY	17	/* before the input */
#define ADDR_BODY	(1 + 4 + 16)
#define CHECK_BODY	(8 + 8 + 4)
#define SIGN_BODY	(8 + 4 + 2 + 4)
#define SIGNATURE_BODY	(8 + 4)
#define RESULT_BODY	(8 + 1 + 4 + 4)

static const struct rule rules[MSG_MAX] = {
	[MSG_HELLO] = { "MSG_HELLO", { ROUTE(M, F | K | W | O) },
	    HELLO_BODY, HELLO_BODY + CHROOT_MAX, 0 },
	[MSG_HELLO_ACK] = { "MSG_HELLO_ACK", { ROUTE(F | K | W | O, M) },
	    4, 4, 0 },
	[MSG_LOG] = { "MSG_LOG", { ROUTE(F | K | W | O, M) },
	    LOG_BODY_MIN, LOG_BODY, 0 },
	[MSG_READY] = { "MSG_READY", { ROUTE(F | W | O, M) }, 0, 0, 0 },
	[MSG_FETCH_CONFIG] = { "MSG_FETCH_CONFIG", { ROUTE(M, F) }, 4, 4, 1 },
	[MSG_PRIMED] = { "MSG_PRIMED", { ROUTE(F, M) }, 9, PRIMED_BODY, 0 },
	[MSG_RETIRE] = { "MSG_RETIRE", { ROUTE(M, F | K) }, 4, 4, 0 },
	[MSG_PEER] = { "MSG_PEER", { ROUTE(M, F | K | W) }, 8, 8, 1 },
	[MSG_KEYS] = { "MSG_KEYS", { ROUTE(F, M | W), ROUTE(M, F | O) },
	    4, 4, 1 },
	[MSG_KEYS_WANTED] = { "MSG_KEYS_WANTED", { ROUTE(W, F) }, 0, 0, 0 },
	[MSG_SPAN] = { "MSG_SPAN", { ROUTE(W, F) }, SPAN_PACKED_MIN,
	    IMSG_BODY_MAX, 0 },
	[MSG_FETCH_DONE] = { "MSG_FETCH_DONE", { ROUTE(F, W) }, 9, 9, 0 },
	[MSG_ADDRS] = { "MSG_ADDRS", { ROUTE(F, W) }, 5, ADDRS_BODY, 0 },
	[MSG_KEEP_CONFIG] = { "MSG_KEEP_CONFIG", { ROUTE(M, K) }, 4, 4, 1 },
	[MSG_KEY_CHECK] = { "MSG_KEY_CHECK", { ROUTE(W, K) },
	    CHECK_BODY + 1, CHECK_BODY + API_KEY_MAX, 0 },
	[MSG_KEY_RESULT] = { "MSG_KEY_RESULT", { ROUTE(K, W) }, 13, 13, 0 },
	[MSG_SIGN] = { "MSG_SIGN", { ROUTE(W, K) }, SIGN_BODY + 1,
	    SIGN_BODY + PROTO_TBS_MAX, 0 },
	[MSG_SIGNATURE] = { "MSG_SIGNATURE", { ROUTE(K, W) }, SIGNATURE_BODY,
	    SIGNATURE_BODY + PROTO_SIGNATURE_MAX, 0 },
	[MSG_WORKER_CONFIG] = { "MSG_WORKER_CONFIG", { ROUTE(M, W) },
	    4, 4, 1 },
	[MSG_LISTEN] = { "MSG_LISTEN", { ROUTE(M, W) }, 0, 0, 1 },
	[MSG_AUDIT_FD] = { "MSG_AUDIT_FD", { ROUTE(M, W) }, 0, 0, 1 },
	[MSG_SHM] = { "MSG_SHM", { ROUTE(M, W) }, 0, 0, 1 },
	[MSG_START] = { "MSG_START", { ROUTE(M, W) }, 0, 0, 0 },
	[MSG_DRAIN] = { "MSG_DRAIN", { ROUTE(M, W) }, 9, 9, 0 },
	[MSG_KEYS_LOST] = { "MSG_KEYS_LOST", { ROUTE(M, W) },
	    1, CONF_KEYS_MAX / 8, 0 },
	[MSG_TOKENS_LOST] = { "MSG_TOKENS_LOST", { ROUTE(M, W) }, 0, 0, 0 },
	[MSG_DRAINING] = { "MSG_DRAINING", { ROUTE(W, M) }, 0, 0, 0 },
	[MSG_CONN] = { "MSG_CONN", { ROUTE(W, M), ROUTE(M, W) },
	    CONN_BODY, IMSG_BODY_MAX, 1 },
	[MSG_AUDIT_FAILED] = { "MSG_AUDIT_FAILED", { ROUTE(W, M) }, 4, 4, 0 },
	[MSG_AUDIT_GO] = { "MSG_AUDIT_GO", { ROUTE(M, W) }, 0, 0, 0 },
	[MSG_AGAIN] = { "MSG_AGAIN", { ROUTE(W, M) }, 8, 8, 0 },
	[MSG_STATS] = { "MSG_STATS", { ROUTE(M, F | K | W | O) }, 0, 0, 1 },
	[MSG_MONITOR_CONFIG] = { "MSG_MONITOR_CONFIG", { ROUTE(M, O) },
	    4, 4, 1 },
	[MSG_DOOR] = { "MSG_DOOR", { ROUTE(M, O) }, 4, 4, 1 },
	[MSG_BOARD] = { "MSG_BOARD", { ROUTE(M, O) }, 0, 0, 1 },
	[MSG_SLOT] = { "MSG_SLOT", { ROUTE(M, O) }, 4, 4, 1 },
	[MSG_SLOT_GONE] = { "MSG_SLOT_GONE", { ROUTE(M, O) }, 4, 4, 0 },
	[MSG_CONTROL] = { "MSG_CONTROL", { ROUTE(O, M) }, 10, 10, 0 },
	[MSG_CONTROL_RESULT] = { "MSG_CONTROL_RESULT", { ROUTE(M, O) },
	    RESULT_BODY, RESULT_BODY + PROTO_RESULT_MAX - 1, 0 },
	[MSG_PING] = { "MSG_PING", { ROUTE(M, F | K | W | O) }, 0, 0, 0 },
	[MSG_PONG] = { "MSG_PONG", { ROUTE(F | K | W | O, M) }, 0, 0, 0 },
	[MSG_LOG_LEVEL] = { "MSG_LOG_LEVEL", { ROUTE(M, F | K | W | O) },
	    1, 1, 0 }
};

static int	 send_buf(struct channel *, enum proto_type, int,
		    struct wbuf *);
static int	 get_flag(struct rbuf *);
static int	 get_field(struct rbuf *, struct log_record *);

int
proto_check(enum proto_role from, enum proto_role to, const struct imsg *m,
    const char **why)
{
	const struct rule	*r;
	size_t			 i;

	if (m->type == 0 || m->type >= MSG_MAX || rules[m->type].name == NULL) {
		*why = "no such message";
		return (-1);
	}
	r = &rules[m->type];
	for (i = 0; i < 2; i++)
		if ((r->route[i].from & 1U << from) != 0 &&
		    (r->route[i].to & 1U << to) != 0)
			break;
	if (i == 2) {
		*why = "not this sender's message";
		return (-1);
	}
	if (m->len < r->min || m->len > r->max) {
		*why = "wrong length";
		return (-1);
	}
	if ((m->fd != -1) != (r->fd != 0)) {
		*why = r->fd ? "no descriptor" : "an unwanted descriptor";
		return (-1);
	}
	*why = "";
	return (0);
}

const char *
proto_name(uint32_t type)
{
	if (type == 0 || type >= MSG_MAX || rules[type].name == NULL)
		return ("unknown message");
	return (rules[type].name);
}

const char *
proto_role_name(enum proto_role role)
{
	static const char *const names[ROLE_MAX] = {
		[ROLE_MASTER] = "master",
		[ROLE_FETCHER] = "fetcher",
		[ROLE_KEEPER] = "keeper",
		[ROLE_WORKER] = "worker",
		[ROLE_MONITOR] = "monitor"
	};

	return (role < ROLE_MAX ? names[role] : "nobody");
}

static int
send_buf(struct channel *ch, enum proto_type type, int fd, struct wbuf *w)
{
	int	 r = -1;

	if (!w->failed)
		r = channel_send(ch, type, 0, fd, w->data, w->len);
	wbuf_free(w);
	return (r);
}

/* A truth value has one spelling. */
static int
get_flag(struct rbuf *r)
{
	uint8_t	 v = wire_get_u8(r);

	if (v > 1)
		r->failed = 1;
	return (v == 1);
}

int
proto_send_hello(struct channel *ch, const struct proto_hello *h)
{
	struct wbuf	 w;

	wbuf_init(&w, IMSG_BODY_MAX);
	wire_put_u32(&w, h->version);
	wire_put_u32(&w, h->role);
	wire_put_u32(&w, h->instance);
	wire_put_u32(&w, h->generation);
	wire_put_u8(&w, h->level);
	wire_put_u8(&w, h->drop != 0);
	wire_put_u32(&w, (uint32_t)h->uid);
	wire_put_u32(&w, (uint32_t)h->gid);
	wire_put_str(&w, h->chroot_dir);
	return (send_buf(ch, MSG_HELLO, -1, &w));
}

int
proto_get_hello(const struct imsg *m, struct proto_hello *h)
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	memset(h, 0, sizeof(*h));
	h->version = wire_get_u32(&r);
	h->role = wire_get_u32(&r);
	h->instance = wire_get_u32(&r);
	h->generation = wire_get_u32(&r);
	h->level = wire_get_u8(&r);
	h->drop = (uint8_t)get_flag(&r);
	h->uid = (uid_t)wire_get_u32(&r);
	h->gid = (gid_t)wire_get_u32(&r);
	wire_get_cstr(&r, h->chroot_dir, sizeof(h->chroot_dir));
	if (h->level < LOG_ERR || h->level > LOG_DEBUG)
		return (-1);
	return (wire_end(&r));
}

int
proto_send_empty(struct channel *ch, enum proto_type type)
{
	return (channel_send(ch, type, 0, -1, NULL, 0));
}

int
proto_send_fd(struct channel *ch, enum proto_type type, int fd)
{
	return (channel_send(ch, type, 0, fd, NULL, 0));
}

int
proto_send_u32(struct channel *ch, enum proto_type type, uint32_t v, int fd)
{
	return (channel_send(ch, type, 0, fd, &v, sizeof(v)));
}

int
proto_get_u32(const struct imsg *m, uint32_t *v)
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*v = wire_get_u32(&r);
	return (wire_end(&r));
}

int
proto_send_log(struct channel *ch, const struct log_record *l)
{
	struct wbuf	 w;
	size_t		 i;

	wbuf_init(&w, LOG_BODY);
	wire_put_u8(&w, (uint8_t)l->pri);
	wire_put_u8(&w, l->cut);
	wire_put_str(&w, l->event);
	wire_put_str(&w, l->text);
	wire_put_u8(&w, l->n);
	for (i = 0; i < l->n; i++) {
		wire_put_str(&w, l->field[i].key);
		wire_put_u8(&w, l->field[i].number);
		wire_put_str(&w, l->field[i].value);
	}
	return (send_buf(ch, MSG_LOG, -1, &w));
}

/* Made anew, as by the sender: whatever it sends is escaped, each key is one,
 * and there once. */
int
proto_get_log(const struct imsg *m, struct log_record *l)
{
	struct rbuf	 r;
	char		 event[LOG_EVENT_MAX], text[LOG_TEXT_MAX];
	uint8_t		 pri, n;
	int		 cut;

	rbuf_init(&r, m->data, m->len);
	pri = wire_get_u8(&r);
	cut = get_flag(&r);
	wire_get_cstr(&r, event, sizeof(event));
	wire_get_cstr(&r, text, sizeof(text));
	n = wire_get_u8(&r);
	/* syslogd shows an emergency on every terminal: not a child's to
	 * say, and neither is the facility */
	if (r.failed || pri < LOG_CRIT || pri > LOG_DEBUG ||
	    n > LOG_PAIRS_MAX || !log_record_event_ok(event))
		return (-1);
	log_record_init(l, pri, event);
	l->cut = (uint8_t)cut;
	log_record_words(l, text);
	while (n-- > 0)
		if (get_field(&r, l) == -1)
			return (-1);
	return (wire_end(&r));
}

static int
get_field(struct rbuf *r, struct log_record *l)
{
	char	 key[LOG_KEY_MAX], value[LOG_VALUE_MAX];
	int	 number;

	wire_get_cstr(r, key, sizeof(key));
	number = get_flag(r);
	wire_get_cstr(r, value, sizeof(value));
	return (r->failed ? -1 : log_record_add(l, key, value, number));
}

int
proto_send_log_level(struct channel *ch, int pri)
{
	uint8_t	 level = (uint8_t)pri;

	return (channel_send(ch, MSG_LOG_LEVEL, 0, -1, &level, 1));
}

int
proto_get_log_level(const struct imsg *m, int *pri)
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*pri = wire_get_u8(&r);
	if (*pri < LOG_ERR || *pri > LOG_DEBUG)
		return (-1);
	return (wire_end(&r));
}

int
proto_send_primed(struct channel *ch, uint32_t gen, int ok,
    const char *reason)
{
	struct wbuf	 w;

	wbuf_init(&w, PRIMED_BODY);
	wire_put_u32(&w, gen);
	wire_put_u8(&w, ok != 0);
	wire_put_bytes(&w, reason, strnlen(reason, PROTO_TEXT_MAX - 1));
	return (send_buf(ch, MSG_PRIMED, -1, &w));
}

int
proto_get_primed(const struct imsg *m, uint32_t *gen, int *ok,
    char reason[PROTO_TEXT_MAX])
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*gen = wire_get_u32(&r);
	*ok = get_flag(&r);
	wire_get_cstr(&r, reason, PROTO_TEXT_MAX);
	return (wire_end(&r));
}

int
proto_send_peer(struct channel *ch, uint32_t gen, uint32_t id, int fd)
{
	uint32_t	 body[2] = { gen, id };

	return (channel_send(ch, MSG_PEER, 0, fd, body, sizeof(body)));
}

int
proto_get_peer(const struct imsg *m, uint32_t *gen, uint32_t *id)
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*gen = wire_get_u32(&r);
	*id = wire_get_u32(&r);
	return (wire_end(&r));
}

int
proto_send_fetch_done(struct channel *ch, int ok, uint64_t began_ms)
{
	struct wbuf	 w;

	wbuf_init(&w, 16);
	wire_put_u8(&w, ok != 0);
	wire_put_u64(&w, began_ms);
	return (send_buf(ch, MSG_FETCH_DONE, -1, &w));
}

int
proto_get_fetch_done(const struct imsg *m, int *ok, uint64_t *began_ms)
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*ok = get_flag(&r);
	*began_ms = wire_get_u64(&r);
	return (wire_end(&r));
}

int
proto_send_addrs(struct channel *ch, uint32_t upstream,
    const struct proto_addr *a, size_t n)
{
	struct wbuf	 w;
	size_t		 i;

	if (n > PROTO_ADDRS_MAX)
		n = PROTO_ADDRS_MAX;
	wbuf_init(&w, ADDRS_BODY);
	wire_put_u32(&w, upstream);
	wire_put_u8(&w, (uint8_t)n);
	for (i = 0; i < n; i++) {
		wire_put_u8(&w, a[i].family == AF_INET ? 4 : 6);
		wire_put_bytes(&w, a[i].addr, a[i].family == AF_INET ? 4 : 16);
	}
	return (send_buf(ch, MSG_ADDRS, -1, &w));
}

int
proto_get_addrs(const struct imsg *m, uint32_t *upstream,
    struct proto_addr a[PROTO_ADDRS_MAX], size_t *n)
{
	const uint8_t	*p;
	struct rbuf	 r;
	size_t		 i, len;
	uint8_t		 family;

	rbuf_init(&r, m->data, m->len);
	*upstream = wire_get_u32(&r);
	*n = wire_get_u8(&r);
	if (*n > PROTO_ADDRS_MAX)
		return (-1);
	memset(a, 0, PROTO_ADDRS_MAX * sizeof(*a));
	for (i = 0; i < *n; i++) {
		family = wire_get_u8(&r);
		p = wire_get_bytes(&r, 16, &len);
		if (p == NULL || !((family == 4 && len == 4) ||
		    (family == 6 && len == 16)))
			return (-1);
		a[i].family = family == 4 ? AF_INET : AF_INET6;
		memcpy(a[i].addr, p, len);
	}
	return (wire_end(&r));
}

int
proto_send_key_check(struct channel *ch, uint64_t id, uint64_t source,
    const void *key, size_t len)
{
	struct wbuf	 w;

	wbuf_init(&w, CHECK_BODY + API_KEY_MAX);
	wire_put_u64(&w, id);
	wire_put_u64(&w, source);
	wire_put_bytes(&w, key, len);
	return (send_buf(ch, MSG_KEY_CHECK, -1, &w));
}

int
proto_get_key_check(const struct imsg *m, uint64_t *id, uint64_t *source,
    const uint8_t **key, size_t *len)
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*id = wire_get_u64(&r);
	*source = wire_get_u64(&r);
	*key = wire_get_bytes(&r, API_KEY_MAX, len);
	if (*key == NULL || *len == 0)
		return (-1);
	return (wire_end(&r));
}

int
proto_send_key_result(struct channel *ch, uint64_t id, enum key_verdict v,
    uint32_t i)
{
	struct wbuf	 w;

	wbuf_init(&w, 16);
	wire_put_u64(&w, id);
	wire_put_u8(&w, (uint8_t)v);
	wire_put_u32(&w, i);
	return (send_buf(ch, MSG_KEY_RESULT, -1, &w));
}

int
proto_get_key_result(const struct imsg *m, uint64_t *id, enum key_verdict *v,
    uint32_t *i)
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*id = wire_get_u64(&r);
	*v = wire_get_u8(&r);
	*i = wire_get_u32(&r);
	if (*v >= KEY_VERDICT_MAX)
		return (-1);
	return (wire_end(&r));
}

int
proto_send_sign(struct channel *ch, uint64_t id, uint32_t key, uint16_t alg,
    const void *tbs, size_t len)
{
	struct wbuf	 w;

	wbuf_init(&w, SIGN_BODY + PROTO_TBS_MAX);
	wire_put_u64(&w, id);
	wire_put_u32(&w, key);
	wire_put_u16(&w, alg);
	wire_put_bytes(&w, tbs, len);
	return (send_buf(ch, MSG_SIGN, -1, &w));
}

int
proto_get_sign(const struct imsg *m, uint64_t *id, uint32_t *key,
    uint16_t *alg, const uint8_t **tbs, size_t *len)
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*id = wire_get_u64(&r);
	*key = wire_get_u32(&r);
	*alg = wire_get_u16(&r);
	*tbs = wire_get_bytes(&r, PROTO_TBS_MAX, len);
	if (*tbs == NULL || *len == 0)
		return (-1);
	return (wire_end(&r));
}

int
proto_send_signature(struct channel *ch, uint64_t id, const void *sig,
    size_t len)
{
	struct wbuf	 w;

	wbuf_init(&w, SIGNATURE_BODY + PROTO_SIGNATURE_MAX);
	wire_put_u64(&w, id);
	wire_put_bytes(&w, sig, len);
	return (send_buf(ch, MSG_SIGNATURE, -1, &w));
}

int
proto_get_signature(const struct imsg *m, uint64_t *id, const uint8_t **sig,
    size_t *len)
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*id = wire_get_u64(&r);
	*sig = wire_get_bytes(&r, PROTO_SIGNATURE_MAX, len);
	if (*sig == NULL)
		return (-1);
	return (wire_end(&r));
}

int
proto_send_again(struct channel *ch, enum proto_type type,
    enum proto_role role)
{
	struct wbuf	 w;

	wbuf_init(&w, 16);
	wire_put_u32(&w, type);
	wire_put_u32(&w, role);
	return (send_buf(ch, MSG_AGAIN, -1, &w));
}

int
proto_get_again(const struct imsg *m, enum proto_type *type,
    enum proto_role *role)
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*type = wire_get_u32(&r);
	*role = wire_get_u32(&r);
	if (!(*type == MSG_AUDIT_FD && *role == ROLE_MASTER) &&
	    !(*type == MSG_PEER &&
	    (*role == ROLE_FETCHER || *role == ROLE_KEEPER)))
		return (-1);
	return (wire_end(&r));
}

int
proto_send_conn(struct channel *ch, const struct proto_addr *a, int fd,
    const void *input, size_t len)
{
	static uint8_t	 body[IMSG_BODY_MAX];

	if (len > PROTO_CONN_MAX)
		len = PROTO_CONN_MAX + 1;	/* refused there */
	body[0] = a->family == AF_INET6 ? 6 : a->family == AF_INET ? 4 : 0;
	memcpy(body + 1, a->addr, sizeof(a->addr));
	if (len > 0 && len <= PROTO_CONN_MAX)
		memcpy(body + CONN_BODY, input, len);
	return (channel_send(ch, MSG_CONN, 0, fd, body, CONN_BODY + len));
}

int
proto_get_conn(const struct imsg *m, struct proto_addr *a,
    const uint8_t **input, size_t *len)
{
	static const uint8_t	 zero[16];

	if (m->len < CONN_BODY || m->len > IMSG_BODY_MAX ||
	    (m->data[0] != 4 && m->data[0] != 6 && m->data[0] != 0) ||
	    (m->data[0] == 0 && memcmp(m->data + 1, zero, 16) != 0) ||
	    (m->data[0] == 4 && memcmp(m->data + 5, zero, 12) != 0))
		return (-1);
	memset(a, 0, sizeof(*a));
	a->family = m->data[0] == 6 ? AF_INET6 : m->data[0] == 4 ? AF_INET :
	    AF_UNSPEC;
	memcpy(a->addr, m->data + 1, sizeof(a->addr));
	*input = m->data + CONN_BODY;
	*len = m->len - CONN_BODY;
	return (0);
}

int
proto_send_drain(struct channel *ch, enum proto_drain why, uint64_t ms)
{
	struct wbuf	 w;

	wbuf_init(&w, 16);
	wire_put_u8(&w, (uint8_t)why);
	wire_put_u64(&w, ms);
	return (send_buf(ch, MSG_DRAIN, -1, &w));
}

int
proto_send_keys_lost(struct channel *ch, const void *bits, size_t len)
{
	return (channel_send(ch, MSG_KEYS_LOST, 0, -1, bits, len));
}

int
proto_get_drain(const struct imsg *m, enum proto_drain *why, uint64_t *ms)
{
	struct rbuf	 r;
	uint8_t		 n;

	rbuf_init(&r, m->data, m->len);
	n = wire_get_u8(&r);
	*why = (enum proto_drain)n;
	*ms = wire_get_u64(&r);
	return (n > DRAIN_KEPT ? -1 : wire_end(&r));
}

int
proto_send_control(struct channel *ch, uint64_t id, enum control_verb verb,
    uint8_t arg)
{
	struct wbuf	 w;

	wbuf_init(&w, 16);
	wire_put_u64(&w, id);
	wire_put_u8(&w, (uint8_t)verb);
	wire_put_u8(&w, arg);
	return (send_buf(ch, MSG_CONTROL, -1, &w));
}

int
proto_get_control(const struct imsg *m, uint64_t *id, enum control_verb *verb,
    uint8_t *arg)
{
	struct rbuf	 r;
	uint8_t		 v;

	rbuf_init(&r, m->data, m->len);
	*id = wire_get_u64(&r);
	v = wire_get_u8(&r);
	*arg = wire_get_u8(&r);
	*verb = (enum control_verb)v;
	if (v >= CONTROL_MAX || (v == CONTROL_RELOAD && *arg != 0) ||
	    (v == CONTROL_DRAIN && *arg > 1) ||
	    (v == CONTROL_LOG && (*arg < LOG_ERR || *arg > LOG_DEBUG)))
		return (-1);
	return (wire_end(&r));
}

int
proto_send_control_result(struct channel *ch, uint64_t id, int ok,
    uint32_t gen, const char *text)
{
	struct wbuf	 w;

	wbuf_init(&w, IMSG_BODY_MAX);
	wire_put_u64(&w, id);
	wire_put_u8(&w, ok != 0);
	wire_put_u32(&w, gen);
	wire_put_bytes(&w, text, strnlen(text, PROTO_RESULT_MAX - 1));
	return (send_buf(ch, MSG_CONTROL_RESULT, -1, &w));
}

int
proto_get_control_result(const struct imsg *m, uint64_t *id, int *ok,
    uint32_t *gen, char text[PROTO_RESULT_MAX])
{
	struct rbuf	 r;

	rbuf_init(&r, m->data, m->len);
	*id = wire_get_u64(&r);
	*ok = get_flag(&r);
	*gen = wire_get_u32(&r);
	wire_get_cstr(&r, text, PROTO_RESULT_MAX);
	return (wire_end(&r));
}
