/*
 * worker/client/conn.c: a socket that a hostile worker has set up before it passed it
 * on must not stop the one that gets it.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/client/conn.h"
#include "worker/client/conn_begin.h"
#include "worker/client/conn_pass.h"
#include "worker/request/request.h"

#define STUCK_S	5	/* then SIGALRM ends the program */

static struct event_base	*base;
static struct worker_conf	 conf;
static const struct proto_addr	 loopback = { AF_INET, { 127, 0, 0, 1 } };

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
	conf.t_header = conf.t_body = conf.t_keepalive = 1000;
	if ((base = event_base_new()) == NULL)
		return (-1);
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

/* A connection over loopback; small windows. */
static void
tcp_pair(int *client, int *server)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };
	socklen_t		 len = sizeof(sin);
	int			 sock, small = 4096;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	*client = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(sock != -1 && *client != -1);
	assert_int_equal(setsockopt(*client, SOL_SOCKET, SO_RCVBUF, &small,
	    sizeof(small)), 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(sock, 1), 0);
	assert_int_equal(getsockname(sock, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(connect(*client, (struct sockaddr *)&sin, len), 0);
	assert_int_not_equal(*server = accept(sock, NULL, NULL), -1);
	close(sock);
}

static void
test_blocking_socket(void **state)
{
	int	 client, server;

	(void)state;
	tcp_pair(&client, &server);
	alarm(STUCK_S);
	conn_passed(server, &loopback, "", 0);
	assert_int_equal(conn_count(), 1);
	conn_end_all(0);
	assert_int_equal(conn_count(), 0);
	conn_turn_end();
	alarm(0);
	close(client);
}

static void
test_no_socket(void **state)
{
	int	 fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	alarm(STUCK_S);
	conn_passed(fd[0], &loopback, "", 0);
	assert_int_equal(conn_count(), 0);
	conn_turn_end();
	alarm(0);
	close(fd[1]);
}

/* The address must be that of the socket's other end. */
static void
test_other_address(void **state)
{
	const struct proto_addr	 other = { AF_INET, { 10, 0, 0, 1 } };
	const struct proto_addr	 six = { AF_INET6, { 127, 0, 0, 1 } };
	int			 client, server;

	(void)state;
	tcp_pair(&client, &server);
	conn_passed(server, &other, "", 0);
	assert_int_equal(conn_count(), 0);
	close(client);
	tcp_pair(&client, &server);
	conn_passed(server, &six, "", 0);
	assert_int_equal(conn_count(), 0);
	conn_turn_end();
	close(client);
}

/* The client takes nothing of what was sent before. */
static void
test_lingering_socket(void **state)
{
	struct linger	 l = { 1, 10 * STUCK_S };
	static char	 data[65536];
	int		 client, server;

	(void)state;
	tcp_pair(&client, &server);
	assert_int_equal(setsockopt(server, SOL_SOCKET, SO_LINGER, &l,
	    sizeof(l)), 0);
	while (send(server, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	alarm(STUCK_S);
	conn_passed(server, &loopback, "", 0);
	conn_end_all(0);
	assert_int_equal(conn_count(), 0);
	conn_turn_end();
	alarm(0);
	close(client);
}

/* Beyond what this worker may have there is room for a word: a 503, and no
 * more. */
static void
test_no_room(void **state)
{
	static const char	 begin[] = "HTTP/1.1 503 Service Unavailable\r\n"
				    "Retry-After: 1\r\nX-Request-Id: ";
	static const char	 end[] = "\r\nContent-Length: 0\r\n"
				    "Connection: close\r\n\r\n";
	char			 got[512];
	int			 first, client, server;
	ssize_t			 n;

	(void)state;
	alarm(STUCK_S);
	conf.max_connections = 1;
	tcp_pair(&first, &server);
	conn_new(server);
	tcp_pair(&client, &server);
	conn_passed(server, &loopback, "", 0);
	assert_int_equal(conn_count(), 2);
	conn_flush_dirty();
	n = recv(client, got, sizeof(got), 0);
	assert_int_equal(n, sizeof(begin) - 1 + REQUEST_ID_LEN +
	    sizeof(end) - 1);
	assert_memory_equal(got, begin, sizeof(begin) - 1);
	assert_memory_equal(got + sizeof(begin) - 1 + REQUEST_ID_LEN, end,
	    sizeof(end) - 1);
	assert_int_equal(recv(client, got, sizeof(got), 0), 0);
	conn_end_all(0);
	conn_turn_end();
	assert_int_equal(conn_count(), 0);
	alarm(0);
	conf.max_connections = 8;
	close(first);
	close(client);
}

static char	 passed_input[64];
static int	 npassed;

static void
take_over(int fd, const struct proto_addr *a, const void *input, size_t len)
{
	assert_int_equal(a->family, loopback.family);
	assert_memory_equal(a->addr, loopback.addr, 4);
	assert_true(len < sizeof(passed_input));
	if (len > 0)
		memcpy(passed_input, input, len);
	passed_input[len] = '\0';
	npassed++;
	close(fd);
}

/* What was read of a request that nobody has judged goes along; not more of
 * them at once than asked for.  The last test: the worker leaves for good. */
static void
test_handed_over(void **state)
{
	int	 idle, begun, server, turns;

	(void)state;
	tcp_pair(&idle, &server);
	conn_new(server);
	tcp_pair(&begun, &server);
	assert_int_equal(send(begun, "POST /m", 7, 0), 7);
	conn_new(server);
	for (turns = 0; turns < 2; turns++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	conn_leave(1);
	assert_int_equal(conn_unsettled(), 0);
	assert_int_equal(conn_drain(1, take_over), 1);
	assert_string_equal(passed_input, "");
	assert_int_equal(conn_drain(1, take_over), 0);
	assert_string_equal(passed_input, "POST /m");
	assert_int_equal(npassed, 2);
	assert_int_equal(conn_count(), 0);
	conn_turn_end();
	close(idle);
	close(begun);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_blocking_socket),
		cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_other_address),
		cmocka_unit_test(test_lingering_socket),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_handed_over)
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
