/*
 * worker/upstream/exchange.c over loopback: the head is written when a connection is
 * there, for the server that it leads to.  The servers are this program's own
 * sockets.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/base/clock.h"
#include "worker/base/timeq.h"
#include "worker/upstream/exchange.h"
#include "worker/upstream/upstream.h"

#define STUCK_S	10	/* then SIGALRM ends the program */
#define OK	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

enum { DEAD_FIRST, ALL_DEAD, ONE_AT_A_TIME };	/* upstreams */

/* One exchange, as its owner sees it. */
struct asked {
	struct exchange	*ex;
	char		 servers[8];	/* that a head was written for */
	size_t		 heads;
	int		 spent;
	int		 status;
	char		 data[64];
	size_t		 len;
	int		 over;		/* 1: done, 2: failed */
	enum exchange_error error;
	int		 take;		/* the body, at the head */
	struct buf	 taken;
};

static struct event_base	*base;
static int			 listener, dead;	/* one without listen */
static struct conf_server	 servers[5];
static struct conf_upstream	 ups[3];
static struct worker_conf	 conf;

static int
put_head(void *arg, size_t server, struct buf *b)
{
	struct asked	*a = arg;

	assert_true(a->heads < sizeof(a->servers) - 1);
	a->servers[a->heads++] = (char)('0' + server);
	return (buf_printf(b, "POST /%zu HTTP/1.1\r\nHost: h\r\n", server));
}

static void
spent(void *arg)
{
	((struct asked *)arg)->spent++;
}

static void
got_head(void *arg, const struct http1_head *h)
{
	struct asked	*a = arg;

	a->status = h->status;
	if (!a->take)
		return;
	a->take = exchange_take(a->ex, &a->taken) == 0 ? 2 : 3;
	exchange_cancel(a->ex);
	a->over = 1;
}

static void
got_data(void *arg, const char *p, size_t len)
{
	struct asked	*a = arg;

	assert_true(len < sizeof(a->data) - a->len);
	memcpy(a->data + a->len, p, len);
	a->len += len;
}

static void
got_all(void *arg)
{
	struct asked	*a = arg;

	assert_int_equal(a->over, 0);
	a->over = 1;
}

static void
got_nothing(void *arg, enum exchange_error error, const char *why)
{
	struct asked	*a = arg;

	assert_non_null(why);
	assert_int_equal(a->over, 0);
	a->over = 2;
	a->error = error;
}

static const struct exchange_cb callbacks = {
	.put_head = put_head,
	.spent = spent,
	.head = got_head,
	.data = got_data,
	.done = got_all,
	.fail = got_nothing
};

/* A socket at a port of loopback. */
static int
bound(uint16_t *port)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };
	socklen_t		 len = sizeof(sin);
	int			 sock;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (sock == -1 || bind(sock, (struct sockaddr *)&sin, len) == -1 ||
	    getsockname(sock, (struct sockaddr *)&sin, &len) == -1)
		return (-1);
	*port = ntohs(sin.sin_port);
	return (sock);
}

static int
setup(void **state)
{
	static char	 host[] = "127.0.0.1", path[] = "/", name[] = "up";
	uint16_t	 live, nobody;
	size_t		 i;

	(void)state;
	if ((listener = bound(&live)) == -1 || listen(listener, 8) == -1 ||
	    (dead = bound(&nobody)) == -1 ||
	    (base = event_base_new()) == NULL)
		return (-1);
	for (i = 0; i < 5; i++) {
		servers[i].host = servers[i].authority = host;
		servers[i].path = path;
		servers[i].port = i == 1 || i == 4 ? live : nobody;
	}
	for (i = 0; i < 3; i++) {
		ups[i].name = name;
		ups[i].servers = &servers[2 * i];
		ups[i].nservers = i == ONE_AT_A_TIME ? 1 : 2;
		ups[i].t_connect = ups[i].t_response = 1000 * STUCK_S;
	}
	ups[ONE_AT_A_TIME].max_connections = 1;
	conf.upstreams = ups;
	conf.nupstreams = 3;
	conf.max_connections = 8;
	timeq_setup(base);
	upstream_setup(base, &conf);
	alarm(STUCK_S);
	return (0);
}

static void
turn(void)
{
	timeq_arm();
	event_base_loop(base, EVLOOP_ONCE);
	upstream_turn_end();
	clock_forget();
}

static void
start(struct asked *a, size_t upstream, const char *body, int pinned)
{
	struct buf		 b = { 0 };
	struct exchange_request	 x = {
		.upstream = upstream,
		.method = "POST",
		.body = &b,
		.pinned = pinned,
		.cb = &callbacks,
		.arg = a
	};

	memset(a, 0, sizeof(*a));
	assert_int_equal(buf_puts(&b, body), 0);
	assert_non_null(a->ex = exchange_start(&x));
	assert_null(b.p);
	assert_int_equal(a->heads, 0);
}

/* The request that came on a connection (-1: on a new one) is this. */
static int
serve(int sock, const char *want)
{
	char	 got[256];
	size_t	 n = 0;
	ssize_t	 k;

	if (sock == -1)
		sock = accept(listener, NULL, NULL);
	assert_int_not_equal(sock, -1);
	while (n < strlen(want)) {
		k = recv(sock, got + n, sizeof(got) - n, MSG_DONTWAIT);
		assert_int_not_equal(k, 0);
		if (k > 0)
			n += (size_t)k;
		else
			turn();
	}
	assert_int_equal(n, strlen(want));
	assert_memory_equal(got, want, n);
	return (sock);
}

static void
answer(int sock, const char *text)
{
	assert_int_equal(send(sock, text, strlen(text), MSG_NOSIGNAL),
	    strlen(text));
}

static void
finish(struct asked *a)
{
	while (!a->over)
		turn();
}

static void
test_another_server(void **state)
{
	struct asked	 a;
	int		 sock;

	(void)state;
	start(&a, DEAD_FIRST, "body", 0);
	/* the first refuses: nothing was ever written for it */
	while (a.heads == 0)
		turn();
	sock = serve(-1, "POST /1 HTTP/1.1\r\nHost: h\r\n"
	    "Content-Length: 4\r\n\r\nbody");
	assert_string_equal(a.servers, "1");
	assert_int_equal(exchange_server(a.ex), 1);
	assert_int_equal(a.spent, 0);
	answer(sock, OK);
	finish(&a);
	assert_int_equal(a.over, 1);
	assert_int_equal(a.spent, 1);
	assert_int_equal(a.status, 200);
	assert_memory_equal(a.data, "ok", 2);
	close(sock);
}

static void
test_pinned(void **state)
{
	struct asked	 a;

	(void)state;
	start(&a, DEAD_FIRST, "body", 1);
	finish(&a);
	assert_int_equal(a.over, 2);
	assert_int_equal(a.error, EXCHANGE_REFUSED);
	assert_int_equal(a.heads, 0);
	assert_int_equal(a.spent, 0);
}

static void
test_none_is_there(void **state)
{
	struct asked	 a;

	(void)state;
	start(&a, ALL_DEAD, "body", 0);
	finish(&a);
	assert_int_equal(a.over, 2);
	assert_int_equal(a.heads, 0);
}

/* At max_connections it waits, without a head, and takes the connection over
 * that gets free. */
static void
test_waits(void **state)
{
	struct asked	 a, b;
	int		 sock;

	(void)state;
	start(&a, ONE_AT_A_TIME, "first", 0);
	start(&b, ONE_AT_A_TIME, "second", 0);
	while (a.heads == 0)
		turn();
	sock = serve(-1, "POST /0 HTTP/1.1\r\nHost: h\r\n"
	    "Content-Length: 5\r\n\r\nfirst");
	assert_int_equal(b.heads, 0);
	answer(sock, OK);
	finish(&a);
	while (b.heads == 0)
		turn();
	serve(sock, "POST /0 HTTP/1.1\r\nHost: h\r\n"
	    "Content-Length: 6\r\n\r\nsecond");
	answer(sock, OK);
	finish(&b);
	assert_int_equal(b.over, 1);
	close(sock);
}

/* A connection that was kept and ended meanwhile: the request is not lost. */
static void
test_stale(void **state)
{
	struct asked	 a, b;
	int		 sock;

	(void)state;
	start(&a, ONE_AT_A_TIME, "x", 0);
	while (a.heads == 0)
		turn();
	sock = serve(-1, "POST /0 HTTP/1.1\r\nHost: h\r\n"
	    "Content-Length: 1\r\n\r\nx");
	answer(sock, OK);
	finish(&a);
	close(sock);
	start(&b, ONE_AT_A_TIME, "y", 0);
	while (b.heads == 0)
		turn();
	sock = serve(-1, "POST /0 HTTP/1.1\r\nHost: h\r\n"
	    "Content-Length: 1\r\n\r\ny");
	assert_int_equal(b.heads, 1);
	answer(sock, OK);
	finish(&b);
	assert_int_equal(b.over, 1);
	close(sock);
}

/* At the head the body can be had back, and goes somewhere else. */
static void
test_taken_back(void **state)
{
	struct asked	 a;
	int		 sock;

	(void)state;
	start(&a, ONE_AT_A_TIME, "body", 0);
	a.take = 1;
	while (a.heads == 0)
		turn();
	sock = serve(-1, "POST /0 HTTP/1.1\r\nHost: h\r\n"
	    "Content-Length: 4\r\n\r\nbody");
	answer(sock, OK);
	finish(&a);
	assert_int_equal(a.take, 2);
	assert_int_equal(a.taken.len, 4);
	assert_memory_equal(buf_data(&a.taken), "body", 4);
	assert_int_equal(a.spent, 0);
	assert_int_equal(a.len, 0);
	buf_free(&a.taken);
	turn();
	close(sock);
}

/* What is cancelled before it is connected is heard of no more. */
static void
test_cancelled(void **state)
{
	struct asked	 a, b;
	int		 sock;

	(void)state;
	start(&a, ONE_AT_A_TIME, "x", 0);
	exchange_cancel(a.ex);
	start(&b, ONE_AT_A_TIME, "y", 0);
	while (b.heads == 0)
		turn();
	sock = accept(listener, NULL, NULL);
	assert_int_not_equal(sock, -1);
	close(sock);
	sock = serve(-1, "POST /0 HTTP/1.1\r\nHost: h\r\n"
	    "Content-Length: 1\r\n\r\ny");
	answer(sock, OK);
	finish(&b);
	assert_int_equal(a.heads + (size_t)a.over, 0);
	close(sock);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_another_server),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_none_is_there),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_cancelled)
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
