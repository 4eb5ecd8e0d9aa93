/*
 * worker/request/relay.c: what a client is told while an upstream answers, in which
 * order, and what is recorded of it.  The client, the upstream and the audit
 * log are these tests' own and write down what they are asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/record/audit.h"
#include "worker/request/answer.h"
#include "worker/request/chain.h"
#include "worker/request/forward.h"
#include "worker/request/relay.h"
#include "worker/request/request.h"
#include "worker/upstream/exchange.h"
#include "worker/upstream/upstream.h"
#include "worker/wire/http1_put.h"

#define RESULT	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"
#define NOTE	"data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n"
#define EVENT	"data: " RESULT "\n\n"
#define FLOOD	(64 * 1024)

struct exchange {
	const struct exchange_cb *cb;
	void			*arg;
};

static struct worker_conf	 conf;
static struct conf_upstream	 upstream;
static struct conf_server	 server;
static struct conf_oauth	 oauth;
static struct exchange		 ex;
static struct client		 client;
static struct request		*req;
static struct buf		 out;
static size_t			 unsent;
static char			 said[8192];	/* what was done, in order */

static void
note(const char *fmt, ...)
{
	size_t	 n = strlen(said);
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
	va_end(ap);
}

/* The upstream. */

struct exchange *
exchange_start(const struct exchange_request *x)
{
	ex.cb = x->cb;
	ex.arg = x->arg;
	return (&ex);
}

int
exchange_take(struct exchange *e, struct buf *body)
{
	(void)e;
	(void)body;
	return (-1);
}

void
exchange_says(struct exchange *e, unsigned error)
{
	(void)e;
	(void)error;
}

uint64_t
exchange_age(const struct exchange *e)
{
	(void)e;
	return (0);
}

size_t
exchange_held(const struct exchange *e)
{
	(void)e;
	return (0);
}

size_t
exchange_server(const struct exchange *e)
{
	(void)e;
	return (0);
}

void
exchange_cancel(struct exchange *e)
{
	(void)e;
	note("cancel ");
}

void
exchange_streams(struct exchange *e)
{
	(void)e;
}

void
exchange_pause(struct exchange *e)
{
	(void)e;
	note("pause ");
}

void
exchange_resume(struct exchange *e)
{
	(void)e;
	note("resume ");
}

size_t
upstream_pick(size_t u)
{
	(void)u;
	return (0);
}

int
upstream_usable(size_t u)
{
	(void)u;
	return (1);
}

/* The audit log. */

int
audit_add(const struct audit_entry *e)
{
	note("line(%s %s %d %llu %.*s) ", e->action == AUDIT_ALLOW ? "allow" :
	    e->action == AUDIT_ABORTED ? "aborted" : "error",
	    e->transport.p == NULL ? "-" : e->transport.p, e->status,
	    (unsigned long long)e->bytes_out, (int)e->error.len,
	    e->error.len == 0 ? "" : e->error.p);
	return (0);
}

int
audit_broken(void)
{
	return (0);
}

/* The client. */

static struct buf *
on_answer(struct client *c, int status)
{
	(void)c;
	note("%d ", status);
	return (&out);
}

static int
on_fields_end(struct client *c, uint64_t length)
{
	(void)c;
	if (length == CLIENT_OPEN)
		note("open ");
	else if (length == CLIENT_NO_BODY)
		note("none ");
	else
		note("length ");
	return (0);
}

static int
on_body(struct client *c, struct slice s)
{
	(void)c;
	if (s.len < 100)
		note("<%.*s> ", (int)s.len, s.p);
	else
		note("<...> ");
	return (0);
}

static void
on_end(struct client *c, int early)
{
	assert_null(c->req);
	note(early ? "early" : "end");
}

static void
on_abort(struct client *c)
{
	note("abort ");
	request_client_gone(c->req);
}

static void
on_recorded(struct client *c)
{
	(void)c;
}

static size_t
on_unsent(const struct client *c)
{
	(void)c;
	return (unsent);
}

static size_t
on_held(const struct client *c)
{
	(void)c;
	return (0);
}

static const struct client_ops ops = {
	.answer = on_answer,
	.fields_end = on_fields_end,
	.body = on_body,
	.end = on_end,
	.abort = on_abort,
	.recorded = on_recorded,
	.lasts = on_recorded,
	.unsent = on_unsent,
	.held = on_held
};

static int
setup(void **state)
{
	static char	 url[] = "http://127.0.0.1/", name[] = "u";

	(void)state;
	server.path = url + 16;
	upstream.name = name;
	upstream.servers = &server;
	upstream.nservers = 1;
	conf.upstreams = &upstream;
	conf.nupstreams = 1;
	conf.oauth.public_url = oauth.public_url = url;
	conf.t_sse_keepalive = conf.t_stream_total = 60000;
	conf.max_message = 4096;
	conf.buffered = 1 << 20;
	request_setup(&conf, NULL);
	answer_setup(&oauth);
	forward_setup(&conf);
	chain_setup(&conf);
	relay_setup(&conf);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	return (0);
}

/* A request is on its way. */
static int
start(void **state)
{
	(void)state;
	memset(&client, 0, sizeof(client));
	client.ops = &ops;
	*said = '\0';
	unsent = 0;
	assert_non_null(req = request_new(&client));
	req->mcp = 1;
	req->method = METHOD_POST;
	request_set_text(req, &req->rpc_id, slice_of("1"));
	relay_start(req);
	assert_ptr_equal(ex.arg, req);
	return (0);
}

static int
stop(void **state)
{
	(void)state;
	buf_free(&out);
	/* every one has ended */
	return (client.req == NULL ? 0 : -1);
}

static void
head(const char *text)
{
	static struct http1_head h;
	const char	*why;

	assert_int_equal(http1_parse_response(&h, text, strlen(text),
	    slice_of("POST"), &why), 0);
	ex.cb->head(ex.arg, &h);
}

static void
data(const char *s)
{
	ex.cb->data(ex.arg, s, strlen(s));
}

#define JSON_HEAD	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define STREAM_HEAD	"HTTP/1.1 200 OK\r\n"				\
			"Content-Type: text/event-stream\r\n\r\n"

static void
test_json(void **state)
{
	(void)state;
	head(JSON_HEAD "Content-Length: 36\r\n\r\n");
	data(RESULT);
	ex.cb->done(ex.arg);
	assert_string_equal(said, "200 length <" RESULT "> "
	    "line(allow json 200 36 ) end");
}

/* The line is there before the event that has the response, and says so; what
 * comes behind it changes nothing. */
static void
test_stream(void **state)
{
	(void)state;
	head(STREAM_HEAD);
	data(NOTE);
	data(EVENT);
	data(": more\n\n");
	ex.cb->done(ex.arg);
	assert_string_equal(said, "200 open <" NOTE "> "
	    "line(allow sse 200 82 ) <" EVENT "> <: more\n\n> end");
}

/* However the event is cut: never its last byte before the line. */
static void
test_stream_in_pieces(void **state)
{
	static const char	 text[] = EVENT;
	const char		*line;
	size_t			 i, len = sizeof(text) - 1;

	for (i = 1; i < len; i++) {
		if (i > 1)
			start(state);
		head(STREAM_HEAD);
		ex.cb->data(ex.arg, text, i);
		ex.cb->data(ex.arg, text + i, len - i);
		assert_non_null(line = strstr(said, "line("));
		assert_null(strstr(line + 1, "line("));
		assert_true(strrchr(said, '<') > line);
		ex.cb->done(ex.arg);
	}
}

static void
test_stops_where_nobody_reads(void **state)
{
	static char	 flood[FLOOD];

	(void)state;
	memset(flood, ' ', sizeof(flood));
	head(JSON_HEAD "\r\n");
	ex.cb->data(ex.arg, flood, sizeof(flood));
	assert_string_equal(said, "200 open <...> ");
	unsent = FLOOD;
	ex.cb->data(ex.arg, flood, sizeof(flood));
	assert_string_equal(said, "200 open <...> <...> pause ");
	relay_writable(req);
	assert_string_equal(said, "200 open <...> <...> pause resume ");
	ex.cb->done(ex.arg);
}

/* A part must not pass for the whole. */
static void
test_breaks_in_the_middle(void **state)
{
	(void)state;
	head(JSON_HEAD "Content-Length: 36\r\n\r\n");
	data("{");
	(ex.cb->fail)(ex.arg, EXCHANGE_BROKEN, "why");
	assert_string_equal(said,
	    "200 length <{> line(error json 200 1 why) abort ");
}

static void
failed(enum exchange_error e, int status)
{
	char	 wanted[16];

	snprintf(wanted, sizeof(wanted), "%d length ", status);
	start(NULL);
	(ex.cb->fail)(ex.arg, e, "why");
	assert_memory_equal(said, wanted, strlen(wanted));
	assert_non_null(strstr(said, "line(error - "));
	assert_string_equal(said + strlen(said) - 3, "end");
}

static void
test_no_answer(void **state)
{
	(void)state;
	failed(EXCHANGE_REFUSED, 502);
	failed(EXCHANGE_BROKEN, 502);
	failed(EXCHANGE_TIMEOUT, 504);
	failed(EXCHANGE_CROWDED, 503);
}

/* The worker leaves: a stream ends as if the upstream had ended it, and the
 * record says whether the response had come. */
static void
test_ended_by_us(void **state)
{
	head(STREAM_HEAD);
	data(NOTE);
	relay_end_stream(req, "why");
	assert_string_equal(said, "200 open <" NOTE "> cancel "
	    "line(aborted sse 200 38 why) early");
	start(state);
	head(STREAM_HEAD);
	data(EVENT);
	relay_end_stream(req, "why");
	assert_string_equal(said, "200 open line(allow sse 200 44 ) "
	    "<" EVENT "> cancel early");
}

/* An upstream's challenge would send our clients to another's login. */
static void
test_challenge(void **state)
{
	(void)state;
	head("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n"
	    "WWW-Authenticate: Bearer\r\n\r\n");
	assert_memory_equal(said, "cancel 502 length ", 18);
	assert_null(memmem(buf_data(&out), out.len, "Bearer", 6));
}

static void
test_client_leaves(void **state)
{
	(void)state;
	head(STREAM_HEAD);
	data(NOTE);
	request_client_gone(req);
	assert_string_equal(said, "200 open <" NOTE "> "
	    "line(aborted sse 200 38 the client left) cancel ");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup_teardown(test_json, start, stop),
		cmocka_unit_test_setup_teardown(test_stream, start, stop),
		cmocka_unit_test_setup_teardown(test_stream_in_pieces, start,
		    stop),
		cmocka_unit_test_setup_teardown(test_stops_where_nobody_reads,
		    start, stop),
		cmocka_unit_test_setup_teardown(test_breaks_in_the_middle,
		    start, stop),
		cmocka_unit_test_teardown(test_no_answer, stop),
		cmocka_unit_test_setup_teardown(test_ended_by_us, start,
		    stop),
		cmocka_unit_test_setup_teardown(test_challenge, start, stop),
		cmocka_unit_test_setup_teardown(test_client_leaves, start,
		    stop)
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
