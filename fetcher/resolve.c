/*
 * A thread that calls getaddrinfo(3), and the table of what it said.
 */
#include <sys/queue.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netdb.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "fetcher/resolve.h"

#define AGAIN_S		30
#define NAME_MAX_LEN	256

struct name {
	TAILQ_ENTRY(name) link;
	char		 text[NAME_MAX_LEN];
	unsigned	 users;
	int		 known;
	int		 asked;		/* the thread has it */
	int		 failed;	/* said so already */
	struct proto_addr addrs[PROTO_ADDRS_MAX];
	size_t		 n;
};

/* What goes through the pipe to the thread and comes back. */
struct job {
	char		 text[NAME_MAX_LEN];
	int		 error;		/* of getaddrinfo */
	struct proto_addr addrs[PROTO_ADDRS_MAX];
	size_t		 n;
};

static TAILQ_HEAD(, name)	 names = TAILQ_HEAD_INITIALIZER(names);
static struct event		*reply_ev;
static struct event		*again_ev;
static int			 ask[2], reply[2];
static void			(*tell)(const char *);

static void	 thread_start(void);
static void	*thread_main(void *);
static void	 look_up(struct job *);
static void	 replied(evutil_socket_t, short, void *);
static void	 again(evutil_socket_t, short, void *);
static void	 request_name(struct name *);
static struct name *name_find(const char *);
static int	 numeric(struct name *);

void
resolve_setup(struct event_base *base, void (*changed)(const char *))
{
	struct timeval	 tv = { AGAIN_S, 0 };

	tell = changed;
	/* packets, so that a job is whole or not there */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ask) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, reply) == -1)
		fatal("socketpair");
	reply_ev = event_new(base, reply[0], EV_READ | EV_PERSIST, replied,
	    NULL);
	again_ev = event_new(base, -1, EV_PERSIST, again, NULL);
	if (reply_ev == NULL || again_ev == NULL ||
	    event_add(reply_ev, NULL) == -1 || event_add(again_ev, &tv) == -1)
		fatalx("event_new");
	/* it looks at its sockets as soon as it runs */
	thread_start();
}

static void
thread_start(void)
{
	pthread_attr_t	 attr;
	pthread_t	 t;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&t, &attr, thread_main, NULL) != 0)
		fatalx("pthread_create");
	pthread_attr_destroy(&attr);
}

static struct name *
name_find(const char *text)
{
	struct name	*n;

	TAILQ_FOREACH(n, &names, link)
		if (strcmp(n->text, text) == 0)
			return (n);
	return (NULL);
}

void
resolve_watch(const char *text)
{
	struct name	*n;

	if ((n = name_find(text)) != NULL) {
		n->users++;
		return;
	}
	if (strlen(text) >= NAME_MAX_LEN ||
	    (n = calloc(1, sizeof(*n))) == NULL) {
		log_warnx("resolver.no_room", LOG_KV(KV("host", text)),
		    "cannot resolve %.64s", text);
		return;
	}
	memcpy(n->text, text, strlen(text) + 1);
	n->users = 1;
	TAILQ_INSERT_TAIL(&names, n, link);
	if (!numeric(n))
		request_name(n);
}

void
resolve_unwatch(const char *text)
{
	struct name	*n = name_find(text);

	if (n == NULL || --n->users > 0)
		return;
	TAILQ_REMOVE(&names, n, link);
	free(n);
}

int
resolve_get(const char *text, struct proto_addr addrs[PROTO_ADDRS_MAX],
    size_t *count)
{
	struct name	*n = name_find(text);

	*count = 0;
	if (n == NULL || !n->known)
		return (0);
	memcpy(addrs, n->addrs, n->n * sizeof(*addrs));
	*count = n->n;
	return (1);
}

static int
numeric(struct name *n)
{
	if (inet_pton(AF_INET, n->text, n->addrs[0].addr) == 1)
		n->addrs[0].family = AF_INET;
	else if (inet_pton(AF_INET6, n->text, n->addrs[0].addr) == 1)
		n->addrs[0].family = AF_INET6;
	else
		return (0);
	n->n = 1;
	n->known = 1;
	return (1);
}

/* One question at a time: where the answer takes longer than AGAIN_S, more of
 * them would keep the thread from every other name. */
static void
request_name(struct name *n)
{
	struct job	 j;

	if (n->asked)
		return;
	memset(&j, 0, sizeof(j));
	memcpy(j.text, n->text, sizeof(j.text));
	/* a full socket: it is asked again in AGAIN_S seconds */
	if (send(ask[0], &j, sizeof(j), MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		log_debug("resolver.busy", LOG_KV(KV("host", n->text)),
		    "resolver is busy");
	else
		n->asked = 1;
}

static void
again(evutil_socket_t fd, short what, void *arg)
{
	struct name	*n;
	struct in6_addr	 any;

	(void)fd;
	(void)what;
	(void)arg;
	TAILQ_FOREACH(n, &names, link)
		if (inet_pton(AF_INET, n->text, &any) != 1 &&
		    inet_pton(AF_INET6, n->text, &any) != 1)
			request_name(n);
}

static void
replied(evutil_socket_t fd, short what, void *arg)
{
	const char	*why;
	struct job	 j;
	struct name	*n;
	int		 new;

	(void)what;
	(void)arg;
	if (recv(fd, &j, sizeof(j), MSG_DONTWAIT) != (ssize_t)sizeof(j) ||
	    (n = name_find(j.text)) == NULL)
		return;
	n->asked = 0;
	if (j.error != 0 || j.n == 0) {
		why = j.error != 0 ? gai_strerror(j.error) : "no address";
		if (!n->failed)
			log_warnx("resolver.failed", LOG_KV(
			    KV("host", n->text), KV("error", why)),
			    "upstream name %s: %s", n->text, why);
		n->failed = 1;
		/* the addresses that worked are kept */
		new = !n->known;
	} else {
		n->failed = 0;
		new = !n->known || n->n != j.n ||
		    memcmp(n->addrs, j.addrs, sizeof(n->addrs)) != 0;
		memcpy(n->addrs, j.addrs, sizeof(n->addrs));
		n->n = j.n;
	}
	n->known = 1;
	if (new)
		tell(n->text);
}

static void *
thread_main(void *arg)
{
	struct job	 j;

	(void)arg;
	while (recv(ask[1], &j, sizeof(j), 0) == (ssize_t)sizeof(j)) {
		look_up(&j);
		if (send(reply[1], &j, sizeof(j), MSG_NOSIGNAL) == -1)
			break;
	}
	return (NULL);
}

static void
look_up(struct job *j)
{
	struct addrinfo	 hints, *res = NULL, *ai;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_ADDRCONFIG;
	j->n = 0;
	if ((j->error = getaddrinfo(j->text, NULL, &hints, &res)) != 0) {
		/* loopback alone has no "configured" address */
		hints.ai_flags = 0;
		j->error = getaddrinfo(j->text, NULL, &hints, &res);
	}
	for (ai = res; j->error == 0 && ai != NULL && j->n < PROTO_ADDRS_MAX;
	    ai = ai->ai_next) {
		j->addrs[j->n].family = ai->ai_family;
		if (ai->ai_family == AF_INET)
			memcpy(j->addrs[j->n++].addr,
			    &((struct sockaddr_in *)(void *)ai->ai_addr)->
			    sin_addr, 4);
		else if (ai->ai_family == AF_INET6)
			memcpy(j->addrs[j->n++].addr,
			    &((struct sockaddr_in6 *)(void *)ai->ai_addr)->
			    sin6_addr, 16);
	}
	if (res != NULL)
		freeaddrinfo(res);
}
