/*
 * worker/client/h1.c, worker/client/h1_put.c: HTTP/1 between a socket and a request.  The
 * requests here are these tests' own: nothing of those rooms is linked, and a
 * protocol needs no more than this of them.
 */
#include <sys/socket.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/base/state.h"
#include "worker/base/timeq.h"
#include "worker/client/conn.h"
#include "worker/client/conn_begin.h"
#include "worker/client/conn_pass.h"
#include "worker/client/h1.h"
#include "worker/request/answer.h"
#include "worker/request/body.h"
#include "worker/request/relay.h"
#include "worker/request/request.h"
#include "worker/request/stages.h"
#include "worker/wire/http1_put.h"

#define SECRET	"Bearer-of-a-secret-that-goes-no-further"
#define HEAD	"POST /a HTTP/1.1\r\nHost: h\r\n"

static struct event_base	*base;
static struct worker_conf	 conf;
static struct client		*client;	/* of the last request */
static int			 begun, gone, malformed;
static int			 refuse_at_once;
static uint64_t			 length;	/* of answers */
static int			 early;		/* they end before that */
static char			 seen[4096];	/* bodies, each in [] */

/* What h1.c wants of a request. */

static void
let_go(struct client *c)
{
	buf_free(&c->req->body);
	free(c->req);
	c->req = NULL;
}

/* The answer's body is what the request's was. */
static void
answer(struct request *r, int status)
{
	struct client	*c = r->client;
	struct buf	*out;

	assert_non_null(out = client_answer(c, status));
	http1_put_str(out, "X-A", "b");
	assert_int_equal(client_fields_end(c, length == CLIENT_OPEN ||
	    early ? length : r->body.len), 0);
	if (r->body.len > 0)
		assert_int_equal(client_body(c, (struct slice){
		    buf_data(&r->body), r->body.len }), 0);
	let_go(c);
	c->ops->end(c, early);
}

static struct request *
make(struct client *c)
{
	struct request	*r;

	assert_non_null(r = calloc(1, sizeof(*r)));
	r->client = c;
	r->method = METHOD_POST;
	client = c;
	c->req = r;
	return (r);
}

void
stages_begin(struct client *c, const struct http1_head *h)
{
	struct request	*r = make(c);

	assert_true(slice_is(h->path, "/a"));
	begun++;
	if (refuse_at_once)
		answer(r, 403);
	else
		c->ops->read_body(c);
}

void
stages_malformed(struct client *c, int status, const char *why)
{
	assert_non_null(why);
	malformed++;
	answer(make(c), status);
}

void
stages_plain(struct client *c)
{
	answer(make(c), 400);
}

void
stages_whole(struct request *r)
{
	size_t	 n = strlen(seen);

	snprintf(seen + n, sizeof(seen) - n, "[%.*s]", (int)r->body.len,
	    r->body.len == 0 ? "" : buf_data(&r->body));
	answer(r, 200);
}

void
request_client_gone(struct request *r)
{
	gone++;
	let_go(r->client);
}

void
stages_body_late(struct request *r)
{
	answer(r, 408);
}

void
relay_writable(struct request *r)
{
	(void)r;
}

void
stages_end(struct request *r, int streams_only)
{
	(void)r;
	(void)streams_only;
}

void
stages_give_way(struct request *r)
{
	(void)r;
}

int
request_unsettled(const struct request *r)
{
	(void)r;
	return (0);
}

int
request_unbegin(struct request *r)
{
	(void)r;
	return (0);
}

void
stages_late(struct request *r)
{
	answer(r, 503);
}

void
request_make_id(char *id)
{
	memset(id, '0', REQUEST_ID_LEN);
	id[REQUEST_ID_LEN] = '\0';
}

int
body_add(struct request *r, const char *p, size_t n)
{
	assert_int_equal(buf_append(&r->body, p, n), 0);
	return (0);
}

int
body_count(struct request *r)
{
	(void)r;
	return (0);
}

int
body_squeeze(struct request *r, uint64_t n)
{
	(void)r;
	(void)n;
	return (0);
}

void
body_refuse(struct request *r, const struct refusal *why)
{
	answer(r, why->status);
}

void
answer_refuse_as(struct request *r, const struct refusal *f, const char *text)
{
	(void)text;
	answer(r, f->status);
}

/* The client's side. */

static void
room(int r)
{
	(void)r;
}

static int
setup(void **state)
{
	(void)state;
	conf.max_header = 16384;
	conf.max_connections = 8;
	conf.t_header = conf.t_body = conf.t_keepalive = 60000;
	if ((base = event_base_new()) == NULL)
		return (-1);
	timeq_setup(base);
	conn_setup(base, &conf, room);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	event_base_free(base);
	return (0);
}

static int
fresh(void **state)
{
	(void)state;
	begun = gone = malformed = refuse_at_once = early = 0;
	length = 0;
	client = NULL;
	*seen = '\0';
	return (0);
}

static int
dial(void)
{
	int	 fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fd), 0);
	conn_new(fd[1]);
	return (fd[0]);
}

static void
turn(void)
{
	int	 i;

	for (i = 0; i < 4; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		conn_flush_dirty();
		conn_turn_end();
	}
}

static void
say(int fd, const char *s, size_t len)
{
	assert_int_equal(write(fd, s, len), (ssize_t)len);
	turn();
}

/* All that came; *ended: and no more will. */
static const char *
hear(int fd, int *ended)
{
	static char	 got[8192];
	ssize_t		 n;
	size_t		 len = 0;

	while ((n = read(fd, got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)n;
	got[len] = '\0';
	*ended = n == 0 || (n == -1 && errno == ECONNRESET);
	return (got);
}

static void
hang_up(int fd)
{
	close(fd);
	turn();
	assert_int_equal(conn_count(), 0);
}

static void
exchange(const char *said, const char *wanted, int end)
{
	int	 fd = dial(), ended;

	say(fd, said, strlen(said));
	assert_string_equal(hear(fd, &ended), wanted);
	assert_int_equal(ended, end);
	hang_up(fd);
}

#define OK(n)	"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: " n "\r\n\r\n"
#define NO(rest) "HTTP/1.1 403 Forbidden\r\nX-A: b\r\nContent-Length: 0" rest

static void
test_one_after_the_other(void **state)
{
	(void)state;
	exchange(HEAD "Content-Length: 2\r\n\r\nab"
	    HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"
	    HEAD "\r\n", OK("2") "ab" OK("1") "c" OK("0"), 0);
	assert_string_equal(seen, "[ab][c][]");
	assert_int_equal(begun, 3);
}

/* However the bytes come. */
static void
test_every_boundary(void **state)
{
	static const char	 text[] = HEAD
	    "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n"
	    "0\r\nT: v\r\n\r\n" HEAD "Content-Length: 3\r\n\r\nfgh";
	size_t			 i, len = sizeof(text) - 1;
	int			 fd, ended;

	for (i = 1; i < len; i++) {
		fresh(state);
		fd = dial();
		say(fd, text, i);
		say(fd, text + i, len - i);
		assert_string_equal(hear(fd, &ended),
		    OK("5") "abcde" OK("3") "fgh");
		assert_string_equal(seen, "[abcde][fgh]");
		hang_up(fd);
	}
}

/* RFC 9112 sections 6.3 and 7.1. */
static void
test_unknown_length(void **state)
{
	(void)state;
	length = CLIENT_OPEN;
	exchange(HEAD "Content-Length: 17\r\n\r\n0123456789abcdefg",
	    "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "11\r\n0123456789abcdefg\r\n0\r\n\r\n", 0);
	exchange("POST /a HTTP/1.0\r\nConnection: keep-alive\r\n"
	    "Content-Length: 2\r\n\r\nab",
	    "HTTP/1.1 200 OK\r\nX-A: b\r\nConnection: close\r\n\r\nab", 1);
}

/* An answer that ends before its time says so where it can, by its framing;
 * where bytes were promised the connection must end. */
static void
test_early_end(void **state)
{
	(void)state;
	early = 1;
	length = CLIENT_OPEN;
	exchange(HEAD "Content-Length: 1\r\n\r\na",
	    "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "1\r\na\r\n0\r\n\r\n", 0);
	length = 10;
	exchange(HEAD "Content-Length: 1\r\n\r\na", OK("10") "a", 1);
}

static void
test_old_client_stays(void **state)
{
	(void)state;
	exchange("POST /a HTTP/1.0\r\nConnection: keep-alive\r\n"
	    "Content-Length: 1\r\n\r\na", "HTTP/1.1 200 OK\r\nX-A: b\r\n"
	    "Content-Length: 1\r\nConnection: keep-alive\r\n\r\na", 0);
	exchange("POST /a HTTP/1.0\r\nContent-Length: 1\r\n\r\na",
	    "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 1\r\n"
	    "Connection: close\r\n\r\na", 1);
}

/* RFC 9110 section 10.1.1. */
static void
test_expect(void **state)
{
	int	 fd = dial(), ended;

	(void)state;
	say(fd, HEAD "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n",
	    sizeof(HEAD "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n") -
	    1);
	assert_string_equal(hear(fd, &ended),
	    "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "a", 1);
	assert_string_equal(hear(fd, &ended), OK("1") "a");
	hang_up(fd);
	/* who is refused may send it or not: nobody can tell */
	refuse_at_once = 1;
	exchange(HEAD "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n",
	    NO("\r\nConnection: close\r\n\r\n"), 1);
}

/* What is left of a refused request is skipped while that is cheap, and never
 * read as the next one. */
static void
test_refused_bodies(void **state)
{
	int	 fd = dial(), ended;

	(void)state;
	refuse_at_once = 1;
	say(fd, HEAD "Content-Length: 5\r\n\r\nPO",
	    sizeof(HEAD "Content-Length: 5\r\n\r\nPO") - 1);
	assert_string_equal(hear(fd, &ended), NO("\r\n\r\n"));
	refuse_at_once = 0;
	say(fd, "ST " HEAD "\r\n", sizeof("ST " HEAD "\r\n") - 1);
	assert_string_equal(hear(fd, &ended), OK("0"));
	assert_false(ended);
	hang_up(fd);
	refuse_at_once = 1;
	exchange(HEAD "Content-Length: 300000\r\n\r\n",
	    NO("\r\nConnection: close\r\n\r\n"), 1);
	exchange(HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nPOST ",
	    NO("\r\nConnection: close\r\n\r\n"), 1);
	assert_int_equal(malformed, 0);
}

/* Behind a broken chunk nobody knows where the next request begins. */
static void
test_broken_chunk(void **state)
{
	(void)state;
	exchange(HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"
	    HEAD "\r\n", "HTTP/1.1 400 Bad Request\r\nX-A: b\r\n"
	    "Content-Length: 1\r\nConnection: close\r\n\r\na", 1);
	assert_int_equal(begun, 1);
}

static void
test_malformed(void **state)
{
	(void)state;
	exchange("POST /a HTTP/1.1\r\nHost : h\r\n\r\n" HEAD "\r\n",
	    "HTTP/1.1 400 Bad Request\r\nX-A: b\r\nContent-Length: 0\r\n"
	    "Connection: close\r\n\r\n", 1);
	assert_int_equal(begun, 0);
	assert_int_equal(malformed, 1);
}

/* Once the head is judged, its bytes are nowhere. */
static void
test_credential_is_wiped(void **state)
{
	static const char	 text[] = HEAD "Authorization: " SECRET
	    "\r\nContent-Length: 2\r\n\r\na";
	const struct conn	*c;
	int			 fd = dial(), ended;

	(void)state;
	say(fd, text, sizeof(text) - 1);
	assert_non_null(client);
	c = conn_of_client(client);
	assert_true(h1_wants_input(c));
	if (c->in.p != NULL)
		assert_null(memmem(c->in.p, c->in.cap, SECRET,
		    sizeof(SECRET) - 1));
	say(fd, "b", 1);
	assert_string_equal(hear(fd, &ended), OK("2") "ab");
	hang_up(fd);
}

static void
test_client_leaves(void **state)
{
	int	 fd = dial();

	(void)state;
	say(fd, HEAD "Content-Length: 2\r\n\r\na",
	    sizeof(HEAD "Content-Length: 2\r\n\r\na") - 1);
	assert_int_equal(gone, 0);
	hang_up(fd);
	assert_int_equal(gone, 1);
}

/* The last: nothing undoes it. */
static void
test_leaving_worker(void **state)
{
	int	 fd = dial(), ended;

	(void)state;
	state_leave();
	say(fd, HEAD "\r\n", sizeof(HEAD "\r\n") - 1);
	assert_string_equal(hear(fd, &ended), "HTTP/1.1 200 OK\r\nX-A: b\r\n"
	    "Content-Length: 0\r\nConnection: close\r\n\r\n");
	assert_true(ended);
	hang_up(fd);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(test_one_after_the_other, fresh),
		cmocka_unit_test_setup(test_every_boundary, fresh),
		cmocka_unit_test_setup(test_unknown_length, fresh),
		cmocka_unit_test_setup(test_early_end, fresh),
		cmocka_unit_test_setup(test_old_client_stays, fresh),
		cmocka_unit_test_setup(test_expect, fresh),
		cmocka_unit_test_setup(test_refused_bodies, fresh),
		cmocka_unit_test_setup(test_broken_chunk, fresh),
		cmocka_unit_test_setup(test_malformed, fresh),
		cmocka_unit_test_setup(test_credential_is_wiped, fresh),
		cmocka_unit_test_setup(test_client_leaves, fresh),
		cmocka_unit_test_setup(test_leaving_worker, fresh)
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
