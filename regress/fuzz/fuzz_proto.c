/*
 * Any bytes as any message from anybody to anybody: refused, or packed again
 * to the same bytes.  Input: type, sender, receiver, whether there is a
 * descriptor, then the body.
 */
#include <sys/socket.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/json.h"
#include "common/proto.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct channel	*out;
static int		 in;

static void
ignore(struct channel *ch, struct imsg *m, void *arg)
{
	(void)ch;
	(void)m;
	(void)arg;
}

static void
connect_once(void)
{
	struct event_base	*base;
	int			 sv[2];

	if (out != NULL)
		return;
	if ((base = event_base_new()) == NULL || imsg_pair(sv) == -1 ||
	    (out = channel_new(base, sv[0], ignore, NULL)) == NULL)
		abort();
	in = sv[1];
}

/* What was sent just now is the message m. */
static void
same(const struct imsg *m)
{
	static uint8_t	 body[IMSG_BODY_MAX];
	struct imsg	 got;

	if (imsg_recv_wait(in, &got, body, 0) != 1 || got.type != m->type ||
	    got.fd != -1 || got.len != m->len ||
	    (m->len > 0 && memcmp(got.data, m->data, m->len) != 0))
		abort();
}

/* Whatever a child says is one line, in either form, and arrives as it is. */
static void
log_lines(const struct log_record *r)
{
	static uint8_t		 body[IMSG_BODY_MAX];
	static struct log_record again;
	static char		 line[LOG_LINE_MAX];
	const struct log_head	 h = { "worker 0 (g1)", "now", 0 };
	struct imsg		 m;
	const char		*p;
	size_t			 n;

	proto_send_log(out, r);
	if (imsg_recv_wait(in, &m, body, 0) != 1 ||
	    proto_get_log(&m, &again) == -1 ||
	    memcmp(&again, r, sizeof(again)) != 0)
		abort();
	n = log_record_json(r, &h, line);
	if (n >= sizeof(line) || strcspn(line, "\n") != n - 1 ||
	    json_check(line, n - 1) != JSON_OK)
		abort();
	n = log_record_line(r, &h, line);
	if (n >= sizeof(line) || strcspn(line, "\n") != n - 1 ||
	    (p = strstr(line, " event=")) == NULL ||
	    strstr(p + 1, " event=") != NULL)
		abort();
}

static void
fixed(const struct imsg *m)
{
	enum proto_type	 type;
	enum proto_role	 role;
	uint64_t	 ms;
	uint32_t	 a, b;
	enum proto_drain drain;
	int		 flag;

	switch (m->type) {
	case MSG_HELLO_ACK:
	case MSG_RETIRE:
	case MSG_KEEP_CONFIG:
	case MSG_AUDIT_FAILED:
	case MSG_KEYS:
	case MSG_FETCH_CONFIG:
	case MSG_WORKER_CONFIG:
		if (proto_get_u32(m, &a) == -1 ||
		    memcmp(&a, m->data, sizeof(a)) != 0)
			abort();
		break;
	case MSG_PEER:
		if (proto_get_peer(m, &a, &b) == -1)
			abort();
		break;
	case MSG_FETCH_DONE:
		if (proto_get_fetch_done(m, &flag, &ms) == 0) {
			proto_send_fetch_done(out, flag, ms);
			same(m);
		}
		break;
	case MSG_AGAIN:
		if (proto_get_again(m, &type, &role) == 0) {
			proto_send_again(out, type, role);
			same(m);
		}
		break;
	case MSG_DRAIN:
		if (proto_get_drain(m, &drain, &ms) == 0) {
			proto_send_drain(out, drain, ms);
			same(m);
		}
		break;
	}
}

static void
variable(const struct imsg *m)
{
	struct proto_addr	 addrs[PROTO_ADDRS_MAX];
	struct proto_hello	 hello;
	struct log_record	 record;
	enum key_verdict	 verdict;
	const uint8_t		*key;
	uint64_t		 id64, source;
	char			 text[PROTO_TEXT_MAX];
	uint32_t		 id;
	uint16_t		 alg;
	size_t			 n;
	int			 v;

	switch (m->type) {
	case MSG_HELLO:
		if (proto_get_hello(m, &hello) == 0) {
			proto_send_hello(out, &hello);
			same(m);
		}
		break;
	case MSG_LOG:
		if (proto_get_log(m, &record) == 0)
			log_lines(&record);
		break;
	case MSG_LOG_LEVEL:
		if (proto_get_log_level(m, &v) == 0) {
			proto_send_log_level(out, v);
			same(m);
		}
		break;
	case MSG_PRIMED:
		if (proto_get_primed(m, &id, &v, text) == 0) {
			proto_send_primed(out, id, v, text);
			same(m);
		}
		break;
	case MSG_CONN:
		if (proto_get_conn(m, &addrs[0], &key, &n) == 0) {
			proto_send_conn(out, &addrs[0], -1, key, n);
			same(m);
		}
		break;
	case MSG_KEY_CHECK:
		if (proto_get_key_check(m, &id64, &source, &key, &n) == 0) {
			proto_send_key_check(out, id64, source, key, n);
			same(m);
		}
		break;
	case MSG_SIGN:
		if (proto_get_sign(m, &id64, &id, &alg, &key, &n) == 0) {
			proto_send_sign(out, id64, id, alg, key, n);
			same(m);
		}
		break;
	case MSG_SIGNATURE:
		if (proto_get_signature(m, &id64, &key, &n) == 0) {
			proto_send_signature(out, id64, key, n);
			same(m);
		}
		break;
	case MSG_KEY_RESULT:
		if (proto_get_key_result(m, &id64, &verdict, &id) == 0) {
			proto_send_key_result(out, id64, verdict, id);
			same(m);
		}
		break;
	case MSG_ADDRS:
		if (proto_get_addrs(m, &id, addrs, &n) == 0) {
			proto_send_addrs(out, id, addrs, n);
			same(m);
		}
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct imsg	 m;
	const char	*why = NULL;
	int		 r;

	connect_once();
	if (len < 4)
		return (0);
	m.type = data[0];
	m.peerid = m.pid = 0;
	m.fd = data[3] & 1 ? 0 : -1;
	m.data = data + 4;
	m.len = len - 4;
	r = proto_check(data[1] % ROLE_MAX, data[2] % ROLE_MAX, &m, &why);
	if (why == NULL || (r == 0) != (why[0] == '\0') ||
	    proto_name(m.type) == NULL)
		abort();
	/* the unpackers must stand by themselves, too */
	if (r == 0)
		fixed(&m);
	variable(&m);
	return (0);
}
