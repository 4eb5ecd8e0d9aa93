/*
 * daemon/listen.h: what a worker may pass as a client's connection, and what
 * becomes of the listen socket that it ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include <netinet/in.h>

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/listen.h"

static struct config	 conf;

static int
open_one(void)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	int			 fd, unit;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(&conf.listen_addr, &a, sizeof(a));
	conf.listen_len = sizeof(a);
	fd = listen_open(&conf, &unit);
	assert_int_not_equal(fd, -1);
	return (fd);
}

/* *client's other end. */
static int
connected(int fd, int *client)
{
	struct sockaddr_storage	 a;
	struct pollfd		 p = { fd, POLLIN, 0 };
	socklen_t		 len = sizeof(a);
	int			 s;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*client, (struct sockaddr *)&a, len), 0);
	assert_int_equal(poll(&p, 1, 5000), 1);
	s = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	assert_int_not_equal(s, -1);
	return (s);
}

static void
test_clients_only(void **state)
{
	struct linger	 l = { 1, 0 };
	int		 fd = open_one(), other = open_one(), sv[2], s, client;
	socklen_t	 len = sizeof(l);

	(void)state;
	s = connected(fd, &client);
	setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	assert_int_equal(listen_is_client(fd, s), 1);
	assert_int_equal(getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &len), 0);
	assert_int_equal(l.l_onoff, 0);
	/* our own end of a connection, as to an upstream */
	assert_int_equal(listen_is_client(fd, client), -1);
	/* another server's client */
	assert_int_equal(listen_is_client(other, s), -1);
	assert_int_equal(listen_is_client(fd, fd), -1);
	assert_int_equal(listen_is_client(fd, other), -1);
	assert_int_equal(listen_is_client(fd, STDIN_FILENO), -1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(listen_is_client(fd, sv[0]), -1);
	close(sv[0]);
	close(sv[1]);
	/* one that is gone is no breach */
	l = (struct linger){ 1, 0 };
	setsockopt(client, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(client);
	assert_int_equal(listen_is_client(fd, s), 0);
	close(s);
	close(other);
	close(fd);
}

static void
test_listens_again(void **state)
{
	const struct sockaddr	 none = { .sa_family = AF_UNSPEC };
	int			 fd = open_one(), s, client, way;

	(void)state;
	for (way = 0; way < 2; way++) {
		if (way == 0)
			assert_int_equal(shutdown(fd, SHUT_RD), 0);
		else
			assert_int_equal(connect(fd, &none, sizeof(none)), 0);
		listen_heal(fd);
		s = connected(fd, &client);
		close(s);
		close(client);
	}
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_clients_only),
		cmocka_unit_test(test_listens_again),
	};

	log_init("test", 0, 0);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
