/*
 * The listen socket is one queue for all workers of all generations.  A
 * worker takes a few connections per turn, so that its neighbours get theirs,
 * and stops polling when it has no room or no descriptors.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mono.h"
#include "common/net.h"
#include "worker/base/sandbox_rules.h"
#include "worker/client/accept.h"
#include "worker/client/conn_begin.h"
#include "worker/client/conn_room.h"

#define PER_TURN	8
#define CROWD_MS	100	/* others may have room for who waits */
#define CROWD_TURN	64

static struct event_base	*base;
static struct event		*ev;
static struct event		*again;	/* no descriptors, or a pause */
static struct event		*crowd;	/* while there is no room */
static int			 sock = -1;
static int			 started;
static int			 room = 1;

static void	 accept_event(evutil_socket_t, short, void *);
static void	 accept_again(evutil_socket_t, short, void *);
static void	 accept_poll(void);
static void	 accept_crowd(evutil_socket_t, short, void *);

int
accept_loopback(int fd)
{
	union net_sockaddr	 a;

	if (net_own(fd, &a) == -1)
		return (1);
	if (a.ss.ss_family == AF_INET)
		return (ntohl(a.sin.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET);
	return (a.ss.ss_family == AF_INET6 &&
	    IN6_IS_ADDR_LOOPBACK(&a.sin6.sin6_addr));
}

void
accept_setup(struct event_base *b, int fd)
{
	base = b;
	sock = fd;
	ev = event_new(base, sock, EV_READ | EV_PERSIST, accept_event, NULL);
	again = evtimer_new(base, accept_again, NULL);
	crowd = evtimer_new(base, accept_crowd, NULL);
	if (ev == NULL || again == NULL || crowd == NULL)
		fatalx("accept: no memory");
}

void
accept_start(void)
{
	started = 1;
	accept_poll();
}

void
accept_stop(void)
{
	if (sock == -1)
		return;
	started = 0;
	event_free(ev);
	event_free(again);
	event_free(crowd);
	/* closes it, and leaves its number to nothing that lives: what the
	 * sandbox forbids it would be forbidden for that, too */
	if (dup3(STDIN_FILENO, sock, O_CLOEXEC) == -1)
		fatal("accept: dup3");
	sock = -1;
}

void
accept_pause(uint64_t ms)
{
	struct timeval	 tv = mono_timeval(ms);

	if (sock == -1)
		return;
	evtimer_add(again, &tv);
	accept_poll();
}

void
accept_room(int r)
{
	room = r;
	accept_poll();
}

static void
accept_poll(void)
{
	const struct timeval	 wait = { 0, CROWD_MS * 1000 };

	if (sock == -1)
		return;
	if (started && !room)
		evtimer_add(crowd, &wait);
	else
		evtimer_del(crowd);
	if (started && room && !evtimer_pending(again, NULL)) {
		if (event_add(ev, NULL) == -1)
			fatalx("event_add");
	} else
		event_del(ev);
}

/* Nobody took them for a while: who is idle gives way. */
static void
accept_crowd(evutil_socket_t fd, short what, void *arg)
{
	int	 i, s;

	(void)fd;
	(void)what;
	(void)arg;
	for (i = 0; i < CROWD_TURN && !room && started && conn_spare(); i++) {
		s = accept4(sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (s != -1)
			conn_new(s);
		else if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
	accept_poll();
}

static void
accept_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	accept_poll();
}

static void
accept_event(evutil_socket_t fd, short what, void *arg)
{
	struct timeval	 wait = { 0, 100000 };
	int		 i, s;

	(void)what;
	(void)arg;
	for (i = 0; i < PER_TURN && room && started; i++) {
		s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (s != -1) {
			conn_new(s);
			continue;
		}
		/* EINVAL: it does not listen, until the master sees to it */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM || errno == EINVAL) {
			log_warn("client.accept_failed", NULL, "accept");
			evtimer_add(again, &wait);
			accept_poll();
		}
		/* ECONNABORTED and the like concern one client only */
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}
