/*
 * worker/request/stages.h with a client and a keeper that are this program: a request
 * that has every fault is refused at the first stage that sees one, and each
 * fault that is taken away leads it one stage further; who waits goes on where
 * it waited; nothing is left behind.
 */
#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "common/shm.h"
#include "common/stage.h"
#include "worker/mcp/accord.h"
#include "worker/mcp/rules.h"
#include "worker/mcp/session.h"
#include "worker/record/audit.h"
#include "worker/record/flood.h"
#include "worker/request/answer.h"
#include "worker/request/ask.h"
#include "worker/request/body.h"
#include "worker/request/forward.h"
#include "worker/request/metadata.h"
#include "worker/request/relay.h"
#include "worker/request/request.h"
#include "worker/request/route.h"
#include "worker/request/spans.h"
#include "worker/request/stages.h"
#include "worker/upstream/upstream.h"
#include "worker/who/api_keys.h"
#include "worker/who/auth.h"

#include "fake_peer.h"

#define MAX_BODY	(4 * REFUSED_BODY_MAX)
#define LIST	"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\"}"
#define NO_METHOD "{\"jsonrpc\":\"2.0\",\"id\":7}"

/* A fault, or a way of the request, by the stage that sees it. */
enum {
	LATE, RECORDABLE, LOOP, ORIGIN, METHOD, SIZE, CREDENTIAL, UPSTREAM,
	TYPE, REVISION, SESSION, ENVELOPE, RULES, FAULTS
};
#define HAS(faults, n)	(((faults) & 1U << (n)) != 0)

/* A client, and what it saw. */
struct fake {
	struct client	 c;		/* first: it is one */
	char		 head[1024];
	const char	*body;
	int		 ahead;		/* it comes without being asked for */
	int		 reads;		/* of the body */
	int		 status;
	const char	*stage;		/* that answered */
	struct buf	 out;		/* fields and body of the answer */
	int		 ended;
	int		 aborted;
};

static struct shm	 shm;
static int		 log_fd;
static char		 host[] = "127.0.0.1", authority[] = "up", path[] = "/",
			 name[] = "up", own[] = "gw", url[] = "http://gw",
			 none[] = "", id_ci[] = "ci";
static char		*hosts[] = { own };
static struct conf_server server = { .host = host, .authority = authority,
			    .path = path };
static struct conf_upstream up = { .name = name, .servers = &server,
			    .nservers = 1 };
static struct conf_key	 key = { .id = id_ci, .scopes = none,
			    .mark = { 1 } };
static struct worker_conf conf = {
	.upstreams = &up, .nupstreams = 1, .allowed_hosts = hosts,
	.nallowed_hosts = 1, .auth_enabled = 1, .keys = &key, .nkeys = 1,
	.key_cache_ttl = 60000, .max_body = MAX_BODY, .buffered = 1 << 20,
	.per_buffered = 1 << 20, .max_connections = 8,
	.revisions = (1U << CONF_REVISIONS) - 1,
	.oauth = { .public_url = url, .issuer = none }
};

static const struct http1_head *
parse(const struct fake *f)
{
	static struct http1_head h;
	const char		*why;

	assert_int_equal(http1_parse_request(&h, f->head, strlen(f->head),
	    &why), 0);
	return (&h);
}

static const struct http1_head *
fake_head(struct client *c)
{
	return (parse((struct fake *)c));
}

static int
fake_ahead(const struct client *c)
{
	return (((const struct fake *)c)->ahead);
}

static void
fake_read(struct client *c)
{
	struct fake	*f = (struct fake *)c;

	f->reads++;
	f->ahead = 0;
	if (f->body != NULL && body_add(c->req, f->body,
	    strlen(f->body)) == -1)
		return;
	stages_whole(c->req);
}

static struct request *
fake_slow(const struct request *r, uint64_t age)
{
	(void)r;
	(void)age;
	return (NULL);
}

static struct buf *
fake_answer(struct client *c, int status)
{
	struct fake	*f = (struct fake *)c;

	assert_int_equal(f->status, 0);
	f->status = status;
	f->stage = stage_name(c->req->stage);
	return (&f->out);
}

static int
fake_fields_end(struct client *c, uint64_t length)
{
	(void)c;
	(void)length;
	return (0);
}

static int
fake_body(struct client *c, struct slice s)
{
	return (buf_append(&((struct fake *)c)->out, s.p, s.len));
}

static void
fake_end(struct client *c, int early)
{
	assert_false(early);
	assert_null(c->req);
	((struct fake *)c)->ended++;
}

static void
fake_abort(struct client *c)
{
	((struct fake *)c)->aborted++;
	if (c->req != NULL)
		request_client_gone(c->req);
}

static void
fake_nothing(struct client *c)
{
	(void)c;
}

static size_t
fake_none(const struct client *c)
{
	(void)c;
	return (0);
}

static const struct client_ops	 ops = {
	.head = fake_head, .body_ahead = fake_ahead, .read_body = fake_read,
	.slow_body = fake_slow, .answer = fake_answer,
	.fields_end = fake_fields_end, .body = fake_body, .end = fake_end,
	.abort = fake_abort, .recorded = fake_nothing, .lasts = fake_nothing,
	.unsent = fake_none, .held = fake_none
};

static void
on_failed(int error)
{
	(void)error;
}

static void
on_changed(void)
{
}

/* A server that never answers. */
static void
listen_for_us(void)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };
	socklen_t		 len = sizeof(sin);
	int			 sock = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(sock, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(sock, 8), 0);
	assert_int_equal(getsockname(sock, (struct sockaddr *)&sin, &len), 0);
	server.port = ntohs(sin.sin_port);
}

static int
setup(void **state)
{
	(void)state;
	listen_for_us();
	assert_int_not_equal(log_fd = memfd_create("audit", MFD_CLOEXEC), -1);
	fake_setup();
	request_setup(&conf, NULL);
	spans_setup(&conf);
	stages_setup(&conf);
	route_setup(&conf, 1);
	metadata_setup(&conf.oauth);
	answer_setup(&conf.oauth);
	forward_setup(&conf);
	session_setup(&conf);
	relay_setup(&conf);
	rules_setup(&conf);
	accord_setup(&conf);
	ask_setup(&conf);
	api_keys_setup(&conf);
	auth_setup(&conf, on_changed);
	upstream_setup(base, &conf);
	audit_setup(dup(log_fd), &shm, on_failed);
	flood_setup(0);
	renew(ROLE_KEEPER);
	return (0);
}

/* How many lines there are of all requests until now. */
static int
lines(void)
{
	char	 b[65536];
	ssize_t	 n;
	int	 count = 0;

	assert_int_equal(audit_flush(), 0);
	assert_true((n = pread(log_fd, b, sizeof(b), 0)) >= 0 &&
	    (size_t)n < sizeof(b));
	while (n > 0)
		count += b[--n] == '\n';
	return (count);
}

static void
client(struct fake *f)
{
	buf_free(&f->out);
	memset(f, 0, sizeof(*f));
	f->c.ops = &ops;
	f->c.addr = (struct proto_addr){ AF_INET, { 192, 0, 2, 1 } };
	(void)snprintf(f->c.ip, sizeof(f->c.ip), "192.0.2.1");
	f->body = LIST;
	f->c.length = sizeof(LIST) - 1;
}

/* A request with these faults. */
static void
make(struct fake *f, unsigned faults)
{
	client(f);
	f->c.late = HAS(faults, LATE);
	shm.audit_broken = HAS(faults, RECORDABLE);
	if (HAS(faults, SIZE))
		f->c.length = MAX_BODY + 1;
	if (HAS(faults, ENVELOPE))
		f->body = NO_METHOD;
	(void)snprintf(f->head, sizeof(f->head),
	    "%s %s HTTP/1.1\r\nHost: gw\r\n%s%s%s%s%s%s%s%s%s\r\n",
	    HAS(faults, METHOD) ? "PUT" : "POST",
	    HAS(faults, UPSTREAM) ? "/mcp/none" : "/mcp",
	    HAS(faults, LOOP) ? "Via: 1.1 " : "",
	    HAS(faults, LOOP) ? session_pseudonym() : "",
	    HAS(faults, LOOP) ? "\r\n" : "",
	    HAS(faults, ORIGIN) ? "Origin: http://evil\r\n" : "",
	    HAS(faults, CREDENTIAL) ? "" : "Authorization: Bearer one\r\n",
	    HAS(faults, TYPE) ? "" : "Content-Type: application/json\r\n",
	    HAS(faults, REVISION) ? "Mcp-Name: a\r\nMcp-Name: b\r\n" : "",
	    HAS(faults, SESSION) ? "Mcp-Session-Id: mine\r\n" : "",
	    HAS(faults, RULES) ? "Mcp-Method: ping\r\n" : "");
}

/* The keeper says so of the key that was last asked for. */
static void
keeper_says(enum key_verdict v)
{
	settle();
	assert_int_equal(nasked, 1);
	assert_int_equal(proto_send_key_result(far, asked[0].id, v, 0), 0);
	nasked = 0;
	settle();
}

/* It is on its way to the upstream; let it go.  How much of it was kept. */
static size_t
assert_sent(struct fake *f)
{
	size_t	 kept;

	assert_int_equal(f->status, 0);
	assert_int_equal(f->reads, 1);
	assert_non_null(f->c.req);
	assert_non_null(f->c.req->ex);
	assert_string_equal(stage_name(f->c.req->stage), "send");
	kept = f->c.req->text.len;
	request_client_gone(f->c.req);
	assert_null(f->c.req);
	return (kept);
}

static void
assert_refused(struct fake *f, int status, const char *stage)
{
	assert_int_equal(f->status, status);
	assert_string_equal(f->stage, stage);
	assert_int_equal(f->ended, 1);
	assert_null(f->c.req);
}

/* What spans and explanations say: a name is there for good. */
static void
test_names(void **state)
{
	static const char *const names[] = { "route", "late", "document",
	    "recordable", "loop", "origin", "method", "size", "credential",
	    "upstream", "type", "revision", "session", "body", "envelope",
	    "withdrawn", "rules", "policy", "choose", "send" };
	size_t	 i, n = sizeof(names) / sizeof(names[0]);

	(void)state;
	for (i = 0; i < n; i++)
		assert_string_equal(stage_name(i), names[i]);
	assert_null(stage_name(n));
}

/* Waiting for the keeper; then it is known, and the others need not wait.  It
 * goes on behind the stage where it waited, so that nothing is judged, nor
 * kept, twice. */
static void
test_waits(void **state)
{
	struct fake	 f = { 0 };
	size_t		 kept;
	int		 before = lines();

	(void)state;
	make(&f, 0);
	f.ahead = 1;
	stages_begin(&f.c, parse(&f));
	assert_non_null(f.c.req);
	assert_true(request_unsettled(f.c.req));
	assert_string_equal(stage_name(f.c.req->stage), "credential");
	assert_int_equal(f.reads, 0);
	keeper_says(KEY_OK);
	kept = assert_sent(&f);
	make(&f, 0);
	stages_begin(&f.c, parse(&f));
	assert_int_equal(assert_sent(&f), kept);
	assert_int_equal(lines(), before + 2);
	buf_free(&f.out);
}

static void
test_faults(void **state)
{
	static const struct {
		int		 status;
		const char	*stage;
	} seen[FAULTS] = {
		[LATE] = { 503, "late" },
		[RECORDABLE] = { 503, "recordable" },
		[LOOP] = { 508, "loop" }, [ORIGIN] = { 403, "origin" },
		[METHOD] = { 405, "method" }, [SIZE] = { 413, "size" },
		[CREDENTIAL] = { 401, "credential" },
		[UPSTREAM] = { 404, "upstream" }, [TYPE] = { 415, "type" },
		[REVISION] = { 400, "revision" },
		[SESSION] = { 404, "session" },
		[ENVELOPE] = { 400, "envelope" }, [RULES] = { 400, "rules" }
	};
	struct fake	 f = { 0 };
	unsigned	 i;
	int		 before;

	(void)state;
	for (i = 0; i < FAULTS; i++) {
		/* this one and all behind it; then this one alone */
		make(&f, ~0U << i);
		stages_begin(&f.c, parse(&f));
		assert_refused(&f, seen[i].status, seen[i].stage);
		shm.audit_broken = 0;
		before = lines();
		make(&f, 1U << i);
		stages_begin(&f.c, parse(&f));
		assert_refused(&f, seen[i].status, seen[i].stage);
		shm.audit_broken = 0;
		assert_int_equal(lines(), before + 1);
	}
	buf_free(&f.out);
}

/* A small body is read for its id, once; nothing is judged by it. */
static void
test_reads_on(void **state)
{
	struct fake	 f = { 0 };
	unsigned	 i;

	(void)state;
	for (i = CREDENTIAL; i <= SESSION; i++) {
		make(&f, 1U << i | 1U << ENVELOPE | 1U << RULES);
		f.ahead = 1;
		stages_begin(&f.c, parse(&f));
		assert_int_equal(f.ended, 1);
		assert_int_equal(f.reads, 1);
		assert_non_null(memmem(buf_data(&f.out), f.out.len,
		    "\"id\":7", 6));
	}
	/* too long, though its beginning is here; or it has begun to leave */
	make(&f, 1U << CREDENTIAL);
	f.ahead = 1;
	f.c.length = REFUSED_BODY_MAX + 1;
	stages_begin(&f.c, parse(&f));
	assert_refused(&f, 401, "credential");
	assert_int_equal(f.reads, 0);
	make(&f, 1U << CREDENTIAL);
	f.ahead = 1;
	f.c.unread = 1;
	stages_begin(&f.c, parse(&f));
	assert_refused(&f, 401, "credential");
	assert_int_equal(f.reads, 0);
	assert_null(memmem(buf_data(&f.out), f.out.len, "\"id\"", 4));
	/* and the first reason stands when the body is one */
	make(&f, 1U << CREDENTIAL);
	f.ahead = 1;
	f.body = "{";
	stages_begin(&f.c, parse(&f));
	assert_refused(&f, 401, "credential");
	buf_free(&f.out);
}

/* Of another name than the upstream's nothing is told before a credential. */
static void
test_no_name(void **state)
{
	struct fake	 f = { 0 };
	struct slice	 lost, there;
	struct buf	 first;

	(void)state;
	make(&f, 1U << CREDENTIAL | 1U << UPSTREAM);
	stages_begin(&f.c, parse(&f));
	assert_refused(&f, 401, "credential");
	first = f.out;
	memset(&f.out, 0, sizeof(f.out));
	make(&f, 1U << CREDENTIAL);
	stages_begin(&f.c, parse(&f));
	assert_refused(&f, 401, "credential");
	lost = (struct slice){ memmem(buf_data(&first), first.len, "WWW-", 4),
	    20 };
	there = (struct slice){ memmem(buf_data(&f.out), f.out.len, "WWW-",
	    4), 20 };
	assert_true(slice_eq(lost, there));
	assert_int_equal(first.len, f.out.len);
	buf_free(&first);
	buf_free(&f.out);
}

static void
ask_for(struct fake *f, const char *request)
{
	client(f);
	(void)snprintf(f->head, sizeof(f->head), "%s\r\n\r\n", request);
	f->c.length = 0;
	f->body = NULL;
}

/* What is no MCP has no line. */
static void
test_documents(void **state)
{
	static const struct {
		const char	*request;
		int		 late;
		int		 status;
		const char	*stage;
	} asked_for[] = {
		{ "GET /healthz HTTP/1.1\r\nHost: gw", 1, 200, "document" },
		{ "GET /healthz HTTP/1.1\r\nHost: x", 0, 200, "document" },
		{ "GET /readyz HTTP/1.1\r\nHost: gw", 1, 503, "document" },
		{ "GET /readyz HTTP/1.1\r\nHost: x", 0, 421, "route" },
		{ "GET /nope HTTP/1.1\r\nHost: gw", 0, 404, "document" },
		{ "GET /nope HTTP/1.1\r\nHost: gw", 1, 503, "late" },
		{ "BREW /nope HTTP/1.1\r\nHost: gw", 0, 501, "document" }
	};
	struct fake	 f = { 0 };
	size_t		 i;
	int		 before = lines();

	(void)state;
	for (i = 0; i < sizeof(asked_for) / sizeof(asked_for[0]); i++) {
		ask_for(&f, asked_for[i].request);
		f.c.late = asked_for[i].late;
		stages_begin(&f.c, parse(&f));
		assert_refused(&f, asked_for[i].status, asked_for[i].stage);
	}
	assert_int_equal(lines(), before);
	buf_free(&f.out);
}

/* A bad origin is told before a bad host, which it often comes with. */
static void
test_host(void **state)
{
	struct fake	 f = { 0 };

	(void)state;
	ask_for(&f, "POST /mcp HTTP/1.1\r\nHost: evil");
	stages_begin(&f.c, parse(&f));
	assert_refused(&f, 421, "route");
	ask_for(&f, "POST /mcp HTTP/1.1\r\nHost: evil\r\n"
	    "Origin: http://evil");
	stages_begin(&f.c, parse(&f));
	assert_refused(&f, 403, "origin");
	buf_free(&f.out);
}

/* Who waits may be refused, passed on, or gone: what the keeper says then is
 * for nobody. */
static void
test_leaves(void **state)
{
	struct fake	 f = { 0 };
	int		 way, before = lines();

	(void)state;
	for (way = 0; way < 4; way++) {
		make(&f, 1U << CREDENTIAL);
		(void)snprintf(f.head, sizeof(f.head), "POST /mcp HTTP/1.1"
		    "\r\nHost: gw\r\nAuthorization: Bearer k%d\r\n\r\n", way);
		f.ahead = 1;
		stages_begin(&f.c, parse(&f));
		assert_true(request_unsettled(f.c.req));
		if (way == 0)
			keeper_says(KEY_WRONG);
		else if (way == 1)
			stages_late(f.c.req);
		else if (way == 2)
			stages_end(f.c.req, 0);
		else
			assert_true(request_unbegin(f.c.req));
		assert_null(f.c.req);
		assert_int_equal(f.status, way == 0 ? 401 : way < 3 ? 503 :
		    0);
		/* one that ends now has no time to be read */
		assert_int_equal(f.reads, way < 2);
		assert_int_equal(f.ended, way < 3);
		if (way > 0)
			keeper_says(KEY_OK);
		assert_int_equal(f.ended, way < 3);
	}
	assert_int_equal(lines(), before + 3);
	buf_free(&f.out);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_reads_on),
		cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_leaves)
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
