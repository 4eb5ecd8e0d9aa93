/*
 * common/proto.h: the catalogue lets through what it says and no more, and a
 * body is taken only when it is whole and exact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/api_key.h"
#include "common/log.h"
#include "common/proto.h"
#include "common/wire.h"

#define M	(1 << ROLE_MASTER)
#define F	(1 << ROLE_FETCHER)
#define K	(1 << ROLE_KEEPER)
#define W	(1 << ROLE_WORKER)
#define O	(1 << ROLE_MONITOR)

/* The catalogue a second time, in the words of proto.h: from, to, and again;
 * bytes of the body; a descriptor. */
static const struct entry {
	uint32_t	 type;
	int		 from, to, from2, to2;
	size_t		 min, max;
	int		 fd;
} catalogue[] = {
	{ MSG_HELLO, M, F | K | W | O, 0, 0, 30, 285, 0 },
	{ MSG_HELLO_ACK, F | K | W | O, M, 0, 0, 4, 4, 0 },
	{ MSG_LOG, F | K | W | O, M, 0, 0, 11, 4517, 0 },
	{ MSG_READY, F | W | O, M, 0, 0, 0, 0, 0 },
	{ MSG_FETCH_CONFIG, M, F, 0, 0, 4, 4, 1 },
	{ MSG_PRIMED, F, M, 0, 0, 9, 1032, 0 },
	{ MSG_RETIRE, M, F | K, 0, 0, 4, 4, 0 },
	{ MSG_PEER, M, F | K | W, 0, 0, 8, 8, 1 },
	{ MSG_KEYS, F, M | W, M, F | O, 4, 4, 1 },
	{ MSG_KEYS_WANTED, W, F, 0, 0, 0, 0, 0 },
	{ MSG_SPAN, W, F, 0, 0, 64, IMSG_BODY_MAX, 0 },
	{ MSG_FETCH_DONE, F, W, 0, 0, 9, 9, 0 },
	{ MSG_ADDRS, F, W, 0, 0, 5, 341, 0 },
	{ MSG_KEEP_CONFIG, M, K, 0, 0, 4, 4, 1 },
	{ MSG_KEY_CHECK, W, K, 0, 0, 21, 1044, 0 },
	{ MSG_KEY_RESULT, K, W, 0, 0, 13, 13, 0 },
	{ MSG_SIGN, W, K, 0, 0, 19, 1042, 0 },
	{ MSG_SIGNATURE, K, W, 0, 0, 12, 1036, 0 },
	{ MSG_WORKER_CONFIG, M, W, 0, 0, 4, 4, 1 },
	{ MSG_LISTEN, M, W, 0, 0, 0, 0, 1 },
	{ MSG_AUDIT_FD, M, W, 0, 0, 0, 0, 1 },
	{ MSG_SHM, M, W, 0, 0, 0, 0, 1 },
	{ MSG_START, M, W, 0, 0, 0, 0, 0 },
	{ MSG_DRAIN, M, W, 0, 0, 9, 9, 0 },
	{ MSG_KEYS_LOST, M, W, 0, 0, 1, 512, 0 },
	{ MSG_TOKENS_LOST, M, W, 0, 0, 0, 0, 0 },
	{ MSG_DRAINING, W, M, 0, 0, 0, 0, 0 },
	{ MSG_CONN, W, M, M, W, 17, IMSG_BODY_MAX, 1 },
	{ MSG_AUDIT_FAILED, W, M, 0, 0, 4, 4, 0 },
	{ MSG_AUDIT_GO, M, W, 0, 0, 0, 0, 0 },
	{ MSG_AGAIN, W, M, 0, 0, 8, 8, 0 },
	{ MSG_STATS, M, F | K | W | O, 0, 0, 0, 0, 1 },
	{ MSG_MONITOR_CONFIG, M, O, 0, 0, 4, 4, 1 },
	{ MSG_DOOR, M, O, 0, 0, 4, 4, 1 },
	{ MSG_BOARD, M, O, 0, 0, 0, 0, 1 },
	{ MSG_SLOT, M, O, 0, 0, 4, 4, 1 },
	{ MSG_SLOT_GONE, M, O, 0, 0, 4, 4, 0 },
	{ MSG_CONTROL, O, M, 0, 0, 10, 10, 0 },
	{ MSG_CONTROL_RESULT, M, O, 0, 0, 17, 8208, 0 },
	{ MSG_PING, M, F | K | W | O, 0, 0, 0, 0, 0 },
	{ MSG_PONG, F | K | W | O, M, 0, 0, 0, 0, 0 },
	{ MSG_LOG_LEVEL, M, F | K | W | O, 0, 0, 1, 1, 0 },
};
#define NENTRIES	(sizeof(catalogue) / sizeof(catalogue[0]))

static struct event_base	*base;
static struct channel		*out;
static int			 in;		/* the other end */
static uint8_t			 body[IMSG_BODY_MAX];

static void
ignore(struct channel *ch, struct imsg *m, void *arg)
{
	(void)ch;
	(void)m;
	(void)arg;
}

static int
setup(void **state)
{
	int	 sv[2];

	(void)state;
	if ((base = event_base_new()) == NULL || imsg_pair(sv) == -1 ||
	    (out = channel_new(base, sv[0], ignore, NULL)) == NULL)
		return (-1);
	in = sv[1];
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	channel_free(out);
	close(in);
	event_base_free(base);
	return (0);
}

/* What the sender just sent, which the catalogue must allow. */
static struct imsg
received(enum proto_role from, enum proto_role to, uint32_t type)
{
	struct imsg	 m;
	const char	*why = NULL;

	assert_int_equal(imsg_recv_wait(in, &m, body, 5000), 1);
	assert_int_equal(m.type, type);
	if (proto_check(from, to, &m, &why) == -1)
		fail_msg("%s: %s", proto_name(m.type), why);
	if (m.fd != -1)
		close(m.fd);
	return (m);
}

static int
check(int from, int to, uint32_t type, size_t len, int fd)
{
	struct imsg	 m = { .type = type, .fd = fd, .data = body,
			    .len = len };
	const char	*why = NULL;
	int		 r;

	r = proto_check((enum proto_role)from, (enum proto_role)to, &m, &why);
	assert_true(r == 0 || r == -1);
	assert_non_null(why);
	assert_int_equal(why[0] == '\0', r == 0);
	return (r);
}

static void
test_catalogue_is_whole(void **state)
{
	size_t	 i;

	(void)state;
	assert_int_equal(NENTRIES, MSG_MAX - 1);
	for (i = 0; i < NENTRIES; i++) {
		assert_int_equal(catalogue[i].type, i + 1);
		assert_memory_equal(proto_name((uint32_t)i + 1), "MSG_", 4);
	}
	assert_string_equal(proto_name(0), "unknown message");
	assert_string_equal(proto_name(MSG_MAX), "unknown message");
	assert_string_equal(proto_name(UINT32_MAX), "unknown message");
	assert_string_equal(proto_role_name(ROLE_MASTER), "master");
	assert_string_equal(proto_role_name(ROLE_FETCHER), "fetcher");
	assert_string_equal(proto_role_name(ROLE_KEEPER), "keeper");
	assert_string_equal(proto_role_name(ROLE_WORKER), "worker");
	assert_string_equal(proto_role_name(ROLE_MONITOR), "monitor");
	assert_string_equal(proto_role_name(ROLE_MAX), "nobody");
}

static void
test_senders(void **state)
{
	const struct entry	*e;
	int			 from, to, allowed;

	(void)state;
	for (e = catalogue; e < catalogue + NENTRIES; e++)
		for (from = 0; from < ROLE_MAX; from++)
			for (to = 0; to < ROLE_MAX; to++) {
				allowed = ((e->from >> from & 1) &&
				    (e->to >> to & 1)) ||
				    ((e->from2 >> from & 1) &&
				    (e->to2 >> to & 1));
				if (check(from, to, e->type, e->min,
				    e->fd ? 0 : -1) != (allowed ? 0 : -1))
					fail_msg("%s from %s to %s",
					    proto_name(e->type),
					    proto_role_name(from),
					    proto_role_name(to));
			}
}

static int
lowest(int set)
{
	int	 i;

	for (i = 0; (set >> i & 1) == 0; i++)
		;
	return (i);
}

static void
test_sizes_and_descriptors(void **state)
{
	const struct entry	*e;
	int			 f, t, fd;

	(void)state;
	for (e = catalogue; e < catalogue + NENTRIES; e++) {
		f = lowest(e->from);
		t = lowest(e->to);
		fd = e->fd ? 0 : -1;
		assert_int_equal(check(f, t, e->type, e->min, fd), 0);
		assert_int_equal(check(f, t, e->type, e->max, fd), 0);
		assert_int_equal(check(f, t, e->type, e->max + 1, fd), -1);
		if (e->min > 0)
			assert_int_equal(check(f, t, e->type, e->min - 1, fd),
			    -1);
		/* without the descriptor, or with one too many */
		assert_int_equal(check(f, t, e->type, e->min, -1 - fd), -1);
	}
}

static void
test_unknown_types(void **state)
{
	static const uint32_t	 types[] = { 0, MSG_MAX, MSG_MAX + 1,
				    0x80000000, UINT32_MAX };
	size_t			 i;
	int			 f, t;

	(void)state;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		for (f = 0; f < ROLE_MAX; f++)
			for (t = 0; t < ROLE_MAX; t++) {
				assert_int_equal(check(f, t, types[i], 0, -1),
				    -1);
				assert_int_equal(check(f, t, types[i], 4, 0),
				    -1);
			}
}

/* All receivers by one shape, for cutting and lengthening. */
static int
get_hello(const struct imsg *m)
{
	struct proto_hello	 h;

	return (proto_get_hello(m, &h));
}

static int
get_u32(const struct imsg *m)
{
	uint32_t	 v;

	return (proto_get_u32(m, &v));
}

static int
get_log(const struct imsg *m)
{
	struct log_record	 r;

	return (proto_get_log(m, &r));
}

static int
get_primed(const struct imsg *m)
{
	char		 reason[PROTO_TEXT_MAX];
	uint32_t	 gen;
	int		 ok;

	return (proto_get_primed(m, &gen, &ok, reason));
}

static int
get_peer(const struct imsg *m)
{
	uint32_t	 gen, id;

	return (proto_get_peer(m, &gen, &id));
}

static int
get_fetch_done(const struct imsg *m)
{
	uint64_t	 ms;
	int		 ok;

	return (proto_get_fetch_done(m, &ok, &ms));
}

static int
get_addrs(const struct imsg *m)
{
	struct proto_addr	 a[PROTO_ADDRS_MAX];
	uint32_t		 up;
	size_t			 n;

	return (proto_get_addrs(m, &up, a, &n));
}

static int
get_key_check(const struct imsg *m)
{
	const uint8_t	*key;
	uint64_t	 id, source;
	size_t		 len;

	return (proto_get_key_check(m, &id, &source, &key, &len));
}

static int
get_key_result(const struct imsg *m)
{
	enum key_verdict v;
	uint64_t	 id;
	uint32_t	 i;

	return (proto_get_key_result(m, &id, &v, &i));
}

static int
get_sign(const struct imsg *m)
{
	const uint8_t	*tbs;
	uint64_t	 id;
	uint32_t	 key;
	uint16_t	 alg;
	size_t		 len;

	return (proto_get_sign(m, &id, &key, &alg, &tbs, &len));
}

static int
get_signature(const struct imsg *m)
{
	const uint8_t	*sig;
	uint64_t	 id;
	size_t		 len;

	return (proto_get_signature(m, &id, &sig, &len));
}

static int
get_drain(const struct imsg *m)
{
	uint64_t	 ms;
	enum proto_drain why;

	return (proto_get_drain(m, &why, &ms));
}

static int
get_again(const struct imsg *m)
{
	enum proto_type	 type;
	enum proto_role	 role;

	return (proto_get_again(m, &type, &role));
}

/* As it came it is taken; cut anywhere, or one byte longer, it is not. */
static void
exact(const struct imsg *m, int (*get)(const struct imsg *))
{
	struct imsg	 x = *m;
	uint8_t		*copy;
	size_t		 n;

	assert_int_equal(get(m), 0);
	for (n = 0; n <= m->len + 1; n++) {
		if (n == m->len)
			continue;
		/* at the end of an allocation: sanitizers see beyond it */
		assert_non_null(copy = calloc(1, n + 1));
		memcpy(copy + 1, m->data, n < m->len ? n : m->len);
		x.data = copy + 1;
		x.len = n;
		assert_int_equal(get(&x), -1);
		free(copy);
	}
}

/* A byte that may only be 0 or 1. */
static void
flag_at(const struct imsg *m, size_t at, int (*get)(const struct imsg *))
{
	struct imsg	 x = *m;
	uint8_t		 copy[IMSG_BODY_MAX];
	int		 v;

	memcpy(copy, m->data, m->len);
	x.data = copy;
	for (v = 0; v < 256; v++) {
		copy[at] = (uint8_t)v;
		assert_int_equal(get(&x), v <= 1 ? 0 : -1);
	}
}

static void
test_hello(void **state)
{
	struct proto_hello	 h, g;
	struct imsg		 m;
	int			 v;

	(void)state;
	memset(&h, 0, sizeof(h));
	h.version = PROTO_VERSION;
	h.role = ROLE_WORKER;
	h.instance = 3;
	h.generation = 0xfffffffe;
	h.level = LOG_DEBUG;
	h.drop = 1;
	h.uid = 1234;
	h.gid = 5678;
	memset(h.chroot_dir, 'x', sizeof(h.chroot_dir) - 1);
	assert_int_equal(proto_send_hello(out, &h), 0);
	m = received(ROLE_MASTER, ROLE_WORKER, MSG_HELLO);
	assert_int_equal(proto_get_hello(&m, &g), 0);
	assert_memory_equal(&g, &h, sizeof(h));
	exact(&m, get_hello);
	flag_at(&m, 17, get_hello);
	for (v = 0; v < 256; v++) {
		h.level = (uint8_t)v;
		assert_int_equal(proto_send_hello(out, &h), 0);
		m = received(ROLE_MASTER, ROLE_WORKER, MSG_HELLO);
		assert_int_equal(proto_get_hello(&m, &g),
		    v >= LOG_ERR && v <= LOG_DEBUG ? 0 : -1);
	}
	h.level = LOG_INFO;
	h.chroot_dir[0] = '\0';
	assert_int_equal(proto_send_hello(out, &h), 0);
	m = received(ROLE_MASTER, ROLE_FETCHER, MSG_HELLO);
	exact(&m, get_hello);
}

static void
test_simple(void **state)
{
	struct imsg	 m;
	uint32_t	 a, b;

	(void)state;
	assert_int_equal(proto_send_empty(out, MSG_READY), 0);
	received(ROLE_WORKER, ROLE_MASTER, MSG_READY);
	assert_int_equal(proto_send_fd(out, MSG_LISTEN, dup(0)), 0);
	received(ROLE_MASTER, ROLE_WORKER, MSG_LISTEN);
	assert_int_equal(proto_send_u32(out, MSG_KEYS, 0xfedcba98, dup(0)), 0);
	m = received(ROLE_FETCHER, ROLE_WORKER, MSG_KEYS);
	assert_int_equal(proto_get_u32(&m, &a), 0);
	assert_int_equal(a, 0xfedcba98);
	exact(&m, get_u32);
	assert_int_equal(proto_send_peer(out, 7, 0x80000001, dup(0)), 0);
	m = received(ROLE_MASTER, ROLE_FETCHER, MSG_PEER);
	assert_int_equal(proto_get_peer(&m, &a, &b), 0);
	assert_int_equal(a, 7);
	assert_int_equal(b, 0x80000001);
	exact(&m, get_peer);
}

static void
test_key_messages(void **state)
{
	const uint8_t	*key;
	struct imsg	 m;
	enum key_verdict v;
	uint64_t	 id, source;
	uint32_t	 i;
	size_t		 len;
	uint8_t		 copy[16];
	int		 n;

	(void)state;
	assert_int_equal(proto_send_key_check(out, 1ULL << 63, 42, "secret",
	    6), 0);
	m = received(ROLE_WORKER, ROLE_KEEPER, MSG_KEY_CHECK);
	assert_int_equal(proto_get_key_check(&m, &id, &source, &key, &len), 0);
	assert_true(id == 1ULL << 63 && source == 42 && len == 6);
	assert_memory_equal(key, "secret", 6);
	exact(&m, get_key_check);
	/* neither nothing nor too much is a key */
	assert_int_equal(proto_send_key_check(out, 1, 2, body,
	    API_KEY_MAX + 1), -1);
	assert_int_equal(proto_send_key_result(out, 7, KEY_OK, 0xfffffffe), 0);
	m = received(ROLE_KEEPER, ROLE_WORKER, MSG_KEY_RESULT);
	assert_int_equal(proto_get_key_result(&m, &id, &v, &i), 0);
	assert_true(id == 7 && v == KEY_OK && i == 0xfffffffe);
	exact(&m, get_key_result);
	memcpy(copy, m.data, m.len);
	m.data = copy;
	for (n = 0; n < 256; n++) {
		copy[8] = (uint8_t)n;
		assert_int_equal(proto_get_key_result(&m, &id, &v, &i),
		    n < KEY_VERDICT_MAX ? 0 : -1);
	}
}

static void
test_sign_messages(void **state)
{
	static uint8_t	 big[PROTO_SIGNATURE_MAX + 1];
	const uint8_t	*p;
	struct imsg	 m;
	uint64_t	 id;
	uint32_t	 key;
	uint16_t	 alg;
	size_t		 len;

	(void)state;
	assert_int_equal(proto_send_sign(out, 5, 6, 0x0804, "tbs", 3), 0);
	m = received(ROLE_WORKER, ROLE_KEEPER, MSG_SIGN);
	assert_int_equal(proto_get_sign(&m, &id, &key, &alg, &p, &len), 0);
	assert_true(id == 5 && key == 6 && alg == 0x0804 && len == 3);
	assert_memory_equal(p, "tbs", 3);
	exact(&m, get_sign);
	assert_int_equal(proto_send_sign(out, 5, 6, 1, big, sizeof(big)), -1);
	assert_int_equal(proto_send_signature(out, 9, "", 0), 0);
	m = received(ROLE_KEEPER, ROLE_WORKER, MSG_SIGNATURE);
	assert_int_equal(proto_get_signature(&m, &id, &p, &len), 0);
	assert_true(id == 9 && len == 0);
	assert_int_equal(proto_send_signature(out, 9, big, sizeof(big) - 1),
	    0);
	m = received(ROLE_KEEPER, ROLE_WORKER, MSG_SIGNATURE);
	assert_int_equal(proto_get_signature(&m, &id, &p, &len), 0);
	assert_int_equal(len, sizeof(big) - 1);
	exact(&m, get_signature);
	assert_int_equal(proto_send_signature(out, 9, big, sizeof(big)), -1);
}

/* What a sender that is not ours may put together. */
static int
sent_log(int pri, const char *event, const char *text, const char *pairs[][2],
    size_t n)
{
	struct log_record	 r;
	struct wbuf		 w;
	struct imsg		 m;
	size_t			 i;

	wbuf_init(&w, IMSG_BODY_MAX);
	wire_put_u8(&w, (uint8_t)pri);
	wire_put_u8(&w, 0);
	wire_put_str(&w, event);
	wire_put_str(&w, text);
	wire_put_u8(&w, (uint8_t)n);
	for (i = 0; i < n; i++) {
		wire_put_str(&w, pairs[i][0] + (*pairs[i][0] == '#'));
		wire_put_u8(&w, *pairs[i][0] == '#');
		wire_put_str(&w, pairs[i][1]);
	}
	assert_int_equal(w.failed, 0);
	assert_int_equal(channel_send(out, MSG_LOG, 0, -1, w.data, w.len), 0);
	wbuf_free(&w);
	m = received(ROLE_WORKER, ROLE_MASTER, MSG_LOG);
	return (proto_get_log(&m, &r));
}

static int
sent_pair(const char *key, const char *value)
{
	const char	*pair[1][2] = { { key, value } };

	return (sent_log(LOG_INFO, "a.b", "t", pair, 1));
}

static void
test_log(void **state)
{
	struct log_record	 r, g;
	struct imsg		 m;
	uint8_t			 copy[128];
	int			 v;

	(void)state;
	log_record_init(&r, LOG_WARNING, "upstream.down");
	log_record_words(&r, "hello");
	assert_int_equal(log_record_add(&r, "worker", "2", 1), 0);
	assert_int_equal(log_record_add(&r, "error", "a \"b\"", 0), 0);
	assert_int_equal(proto_send_log(out, &r), 0);
	m = received(ROLE_WORKER, ROLE_MASTER, MSG_LOG);
	assert_int_equal(proto_get_log(&m, &g), 0);
	assert_memory_equal(&g, &r, sizeof(r));
	exact(&m, get_log);
	flag_at(&m, 1, get_log);
	/* no emergencies for every terminal, no facility */
	memcpy(copy, m.data, m.len);
	m.data = copy;
	for (v = 0; v < 256; v++) {
		copy[0] = (uint8_t)v;
		assert_int_equal(proto_get_log(&m, &g),
		    v >= LOG_CRIT && v <= LOG_DEBUG ? 0 : -1);
	}
}

/* The longest that there is arrives as it was; so does each of its parts. */
static void
test_log_whole(void **state)
{
	struct log_record	 r, g;
	struct imsg		 m;
	char			 big[3000], key[8];
	size_t			 i;

	(void)state;
	memset(big, '\xff', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	log_record_init(&r, LOG_INFO,
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbb");
	log_record_words(&r, big);
	assert_int_equal(r.cut, 1);
	for (i = 0; i < LOG_PAIRS_MAX; i++) {
		snprintf(key, sizeof(key), "k%zu", i);
		assert_int_equal(log_record_add(&r, key, big, 0), 0);
	}
	assert_int_equal(log_record_add(&r, "more", "", 0), -1);
	assert_int_equal(proto_send_log(out, &r), 0);
	m = received(ROLE_FETCHER, ROLE_MASTER, MSG_LOG);
	assert_int_equal(proto_get_log(&m, &g), 0);
	assert_memory_equal(&g, &r, sizeof(r));
}

static void
test_log_forged(void **state)
{
	static const char	*twice[][2] = { { "a", "1" }, { "a", "2" } };
	static const char	*const keys[] = { "", "A", "a b", "a=b", "a\"",
				    "ts", "level", "process", "event", "msg",
				    "count", "truncated", "1a", "a.b",
				    "aaaaaaaaaaaaaaaaaaaaaaaa" };
	static const char	*const events[] = { "", "a", ".a", "a.", "a..b",
				    "A.b", "a.b c", "a.b\n", "a.b=",
				    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b"
				    };
	static const char	*const numbers[] = { "", "-", "01", "1.5",
				    "1e3", "1,\"x\":2", " 1", "0x1", "true",
				    "123456789012345678901" };
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_int_equal(sent_pair(keys[i], "v"), -1);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_int_equal(sent_pair("#n", numbers[i]), -1);
		assert_int_equal(sent_pair("n", numbers[i]), 0);
	}
	assert_int_equal(sent_pair("#n", "-1"), 0);
	assert_int_equal(sent_pair("#n", "0"), 0);
	assert_int_equal(sent_pair("#n", "18446744073709551615"), 0);
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		assert_int_equal(sent_log(LOG_INFO, events[i], "", NULL, 0),
		    -1);
	assert_int_equal(sent_log(LOG_INFO, "a.b", "", NULL, 0), 0);
	assert_int_equal(sent_log(LOG_INFO, "a.b", "", twice, 1), 0);
	assert_int_equal(sent_log(LOG_INFO, "a.b", "", twice, 2), -1);
}

static void
test_log_level(void **state)
{
	struct imsg	 m;
	int		 v, pri;

	(void)state;
	for (v = 0; v < 256; v++) {
		assert_int_equal(proto_send_log_level(out, v), 0);
		m = received(ROLE_MASTER, ROLE_KEEPER, MSG_LOG_LEVEL);
		assert_int_equal(proto_get_log_level(&m, &pri),
		    v >= LOG_ERR && v <= LOG_DEBUG ? 0 : -1);
		assert_int_equal(pri, v);
	}
}

static void
test_primed(void **state)
{
	char		 reason[PROTO_TEXT_MAX], big[3000];
	struct imsg	 m;
	uint32_t	 gen;
	int		 ok;

	(void)state;
	assert_int_equal(proto_send_primed(out, 9, 0, "connection refused"),
	    0);
	m = received(ROLE_FETCHER, ROLE_MASTER, MSG_PRIMED);
	assert_int_equal(proto_get_primed(&m, &gen, &ok, reason), 0);
	assert_int_equal(gen, 9);
	assert_int_equal(ok, 0);
	assert_string_equal(reason, "connection refused");
	exact(&m, get_primed);
	flag_at(&m, 4, get_primed);
	memset(big, 'y', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(proto_send_primed(out, 9, 1, big), 0);
	m = received(ROLE_FETCHER, ROLE_MASTER, MSG_PRIMED);
	assert_int_equal(proto_get_primed(&m, &gen, &ok, reason), 0);
	assert_int_equal(ok, 1);
	assert_int_equal(strlen(reason), PROTO_TEXT_MAX - 1);
}

static void
test_times(void **state)
{
	struct imsg	 m;
	uint64_t	 ms;
	enum proto_drain why;
	int		 flag, v;

	(void)state;
	assert_int_equal(proto_send_fetch_done(out, 1, UINT64_MAX), 0);
	m = received(ROLE_FETCHER, ROLE_WORKER, MSG_FETCH_DONE);
	assert_int_equal(proto_get_fetch_done(&m, &flag, &ms), 0);
	assert_int_equal(flag, 1);
	assert_true(ms == UINT64_MAX);
	exact(&m, get_fetch_done);
	flag_at(&m, 0, get_fetch_done);
	for (v = 0; v < 256; v++) {
		assert_int_equal(proto_send_drain(out, (enum proto_drain)v,
		    300000), 0);
		m = received(ROLE_MASTER, ROLE_WORKER, MSG_DRAIN);
		assert_int_equal(proto_get_drain(&m, &why, &ms),
		    v <= DRAIN_KEPT ? 0 : -1);
		assert_int_equal(why, v);
		assert_true(ms == 300000);
	}
	assert_int_equal(proto_send_drain(out, DRAIN_STOP, 300000), 0);
	m = received(ROLE_MASTER, ROLE_WORKER, MSG_DRAIN);
	exact(&m, get_drain);
}

static void
test_again(void **state)
{
	static const struct {
		enum proto_type	 type;
		enum proto_role	 role;
		int		 ok;
	} asked[] = {
		{ MSG_AUDIT_FD, ROLE_MASTER, 1 }, { MSG_PEER, ROLE_KEEPER, 1 },
		{ MSG_PEER, ROLE_FETCHER, 1 }, { MSG_PEER, ROLE_MASTER, 0 },
		{ MSG_PEER, ROLE_WORKER, 0 }, { MSG_PEER, ROLE_MAX, 0 },
		{ MSG_AUDIT_FD, ROLE_KEEPER, 0 }, { MSG_SHM, ROLE_MASTER, 0 }
	};
	struct imsg	 m;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		assert_int_equal(proto_send_again(out, asked[i].type,
		    asked[i].role), 0);
		m = received(ROLE_WORKER, ROLE_MASTER, MSG_AGAIN);
		if (asked[i].ok)
			exact(&m, get_again);
		else
			assert_int_equal(get_again(&m), -1);
	}
}

static void
test_addrs(void **state)
{
	struct proto_addr	 a[PROTO_ADDRS_MAX + 1], b[PROTO_ADDRS_MAX];
	struct imsg		 m;
	uint32_t		 up;
	size_t			 i, n;

	(void)state;
	memset(a, 0, sizeof(a));
	for (i = 0; i <= PROTO_ADDRS_MAX; i++) {
		a[i].family = i % 2 ? AF_INET : AF_INET6;
		memset(a[i].addr, (int)i + 1, i % 2 ? 4 : 16);
	}
	for (i = 0; i <= PROTO_ADDRS_MAX; i++) {
		assert_int_equal(proto_send_addrs(out, 5, a, i), 0);
		m = received(ROLE_FETCHER, ROLE_WORKER, MSG_ADDRS);
		assert_int_equal(proto_get_addrs(&m, &up, b, &n), 0);
		assert_int_equal(up, 5);
		assert_int_equal(n, i);
		if (n > 0)
			assert_memory_equal(a, b, n * sizeof(b[0]));
		exact(&m, get_addrs);
	}
	/* all of IPv6 is as long as it gets */
	for (i = 0; i < PROTO_ADDRS_MAX; i++)
		a[i].family = AF_INET6;
	assert_int_equal(proto_send_addrs(out, 5, a, PROTO_ADDRS_MAX), 0);
	received(ROLE_FETCHER, ROLE_WORKER, MSG_ADDRS);
	/* more are cut */
	assert_int_equal(proto_send_addrs(out, 5, a, PROTO_ADDRS_MAX + 1), 0);
	m = received(ROLE_FETCHER, ROLE_WORKER, MSG_ADDRS);
	assert_int_equal(proto_get_addrs(&m, &up, b, &n), 0);
	assert_int_equal(n, PROTO_ADDRS_MAX);
}

static void
test_hostile_addrs(void **state)
{
	static const struct {
		const char	*bytes;
		size_t		 len;
	} bad[] = {
		/* more than there may be, with and without the bytes */
		{ "\0\0\0\0\xff", 5 },
		{ "\0\0\0\0\x11", 5 },
		/* a family that is none, lengths that do not fit it */
		{ "\0\0\0\0\1\5\4\0\0\0abcd", 14 },
		{ "\0\0\0\0\1\2\4\0\0\0abcd", 14 },
		{ "\0\0\0\0\1\6\4\0\0\0abcd", 14 },
		{ "\0\0\0\0\1\4\x10\0\0\0abcdabcdabcdabcd", 26 },
		{ "\0\0\0\0\1\4\0\0\0\0", 10 },
		{ "\0\0\0\0\1\4\xff\xff\xff\xff", 10 },
		{ "\0\0\0\0\1\4\5\0\0\0abcde", 15 },
	};
	struct imsg	 m = { .type = MSG_ADDRS, .fd = -1 };
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		m.data = (const uint8_t *)bad[i].bytes;
		m.len = bad[i].len;
		assert_int_equal(get_addrs(&m), -1);
	}
}

/* A family that is none, or bytes behind an IPv4 address. */
static void
test_conn(void **state)
{
	struct proto_addr	 a = { AF_INET, { 10, 1, 2, 3 } }, b;
	const uint8_t		*input;
	struct imsg		 m;
	size_t			 len;
	uint8_t			 copy[32];

	(void)state;
	assert_int_equal(proto_send_conn(out, &a, dup(0), "GET", 3), 0);
	m = received(ROLE_WORKER, ROLE_MASTER, MSG_CONN);
	assert_int_equal(proto_get_conn(&m, &b, &input, &len), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(len, 3);
	assert_memory_equal(input, "GET", 3);
	memcpy(copy, m.data, m.len);
	m.data = copy;
	copy[16] = 1;
	assert_int_equal(proto_get_conn(&m, &b, &input, &len), -1);
	copy[0] = 6;
	assert_int_equal(proto_get_conn(&m, &b, &input, &len), 0);
	assert_int_equal(b.family, AF_INET6);
	copy[0] = 5;
	assert_int_equal(proto_get_conn(&m, &b, &input, &len), -1);
	assert_int_equal(proto_send_conn(out, &a, dup(0), body,
	    PROTO_CONN_MAX + 1), -1);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_catalogue_is_whole),
		cmocka_unit_test(test_senders),
		cmocka_unit_test(test_sizes_and_descriptors),
		cmocka_unit_test(test_unknown_types),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_key_messages),
		cmocka_unit_test(test_sign_messages),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_whole),
		cmocka_unit_test(test_log_forged),
		cmocka_unit_test(test_log_level),
		cmocka_unit_test(test_primed),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_conn),
		cmocka_unit_test(test_addrs),
		cmocka_unit_test(test_hostile_addrs),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
