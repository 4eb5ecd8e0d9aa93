/*
 * One socket, one queue, inherited by every worker of every generation: what
 * waits in it is taken by whoever lives.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/net.h"
#include "daemon/generation.h"
#include "daemon/inherit.h"
#include "daemon/listen.h"

#define BACKLOG		4096
#define RESERVE		320	/* descriptors beside connections: channels,
				 * logs, connections handed over to be refused,
				 * what a message brings */
#define GENERATIONS	(2 * GENERATIONS_MAX + 1)	/* in a storm */
#define PARTS		6	/* descriptors of a generation */

static int	 listen_new(const struct config *);
static int	 listens_again(int);
static int	 number(int, int);
static int	 port_of(int);
static rlim_t	 nofile_worker(const struct config *);
static rlim_t	 nofile_master(const struct config *);

int
listen_open(const struct config *c, int *unit)
{
	char	 other[64];
	int	 fd, stored = 0;

	fd = inherit_listener(&c->listen_addr, &stored);
	*unit = fd != -1 && !stored;
	if (inherit_close(other, sizeof(other)) && fd == -1) {
		log_errx("listen.failed", LOG_KV(KV("listen", c->listen)),
		    "listen on %s: the socket unit listens on %s; make them "
		    "the same", c->listen, other);
		return (-1);
	}
	if (fd == -1)
		return (listen_new(c));
	log_info("listen.inherited", LOG_KV(KV("listen", c->listen)),
	    "listen on %s: the socket is %s", c->listen,
	    stored ? "that of the gateway before" : "the socket unit's");
	/* it may have another queue, or none any more */
	if (listens_again(fd) == 0)
		return (fd);
	log_err("listen.failed", LOG_KV(KV("listen", c->listen)),
	    "listen on %s", c->listen);
	close(fd);
	return (-1);
}

static int
listen_new(const struct config *c)
{
	int	 fd, one = 1, zero = 0;

	fd = socket(c->listen_addr.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		log_err("listen.failed", LOG_KV(KV("listen", c->listen)),
		    "listen on %s: socket", c->listen);
		return (-1);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
	    sizeof(one)) == -1)
		log_warn("listen.option_failed",
		    LOG_KV(KV("option", "SO_REUSEADDR")), "SO_REUSEADDR");
	if (c->listen_addr.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero,
	    sizeof(zero)) == -1)
		log_warn("listen.option_failed",
		    LOG_KV(KV("option", "IPV6_V6ONLY")), "IPV6_V6ONLY");
	if (bind(fd, (const struct sockaddr *)&c->listen_addr,
	    c->listen_len) == -1 || listen(fd, BACKLOG) == -1) {
		log_err("listen.failed", LOG_KV(KV("listen", c->listen)),
		    "listen on %s", c->listen);
		close(fd);
		return (-1);
	}
	return (fd);
}

void
listen_heal(int fd)
{
	const struct linger	 off = { 0, 0 };
	const int		 zero = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &zero,
	    sizeof(zero)) == -1 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY,
	    &zero, sizeof(zero)) == -1)
		log_warn("listen.option_failed",
		    LOG_KV(KV("option", "SO_LINGER")), "listen: options");
	if (number(fd, SO_ACCEPTCONN) == 1)
		return;
	log_warnx("listen.ended", NULL,
	    "listen: a worker ended the listen socket");
	if (listens_again(fd) == -1)
		log_err("listen.failed", NULL, "listen");
}

/* It is still bound. */
static int
listens_again(int fd)
{
	const struct sockaddr	 none = { .sa_family = AF_UNSPEC };

	if (listen(fd, BACKLOG) == 0)
		return (0);
	/* as if it were a client's */
	if (connect(fd, &none, sizeof(none)) == -1)
		return (-1);
	return (listen(fd, BACKLOG));
}

int
listen_is_client(int fd, int sock)
{
	const struct linger	 off = { 0, 0 };
	struct sockaddr_storage	 peer;
	socklen_t		 len = sizeof(peer);

	if (number(sock, SO_DOMAIN) != number(fd, SO_DOMAIN) ||
	    number(sock, SO_TYPE) != SOCK_STREAM ||
	    number(sock, SO_PROTOCOL) != IPPROTO_TCP ||
	    number(sock, SO_ACCEPTCONN) != 0)
		return (-1);
	if (setsockopt(sock, SOL_SOCKET, SO_LINGER, &off, sizeof(off)) == -1)
		return (-1);
	/* of a client that left, nothing more can be known */
	if (getpeername(sock, (struct sockaddr *)&peer, &len) == -1)
		return (errno == ENOTCONN || errno == EINVAL ? 0 : -1);
	return (port_of(sock) == port_of(fd) ? 1 : -1);
}

/* An option of SOL_SOCKET, or -1. */
static int
number(int fd, int option)
{
	socklen_t	 len = sizeof(int);
	int		 n;

	if (getsockopt(fd, SOL_SOCKET, option, &n, &len) == -1)
		return (-1);
	return (n);
}

static int
port_of(int fd)
{
	union net_sockaddr	 a;

	if (net_own(fd, &a) == -1)
		return (-1);
	return (ntohs(a.ss.ss_family == AF_INET ? a.sin.sin_port :
	    a.sin6.sin6_port));
}

/* Each client connection, accepted or handed over, may have one to an
 * upstream. */
static rlim_t
nofile_worker(const struct config *c)
{
	return ((rlim_t)c->w.max_connections * 2 + RESERVE);
}

/* A channel to each worker, and its numbers; fetcher and keeper have as many
 * channels. */
static rlim_t
nofile_master(const struct config *c)
{
	return ((rlim_t)GENERATIONS * (2 * c->workers + PARTS) +
	    LISTEN_PASSING + RESERVE);
}

int
listen_raise_nofile(const struct config *c)
{
	struct rlimit	 rl;
	rlim_t		 need = nofile_worker(c);

	if (need < nofile_master(c))
		need = nofile_master(c);
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1) {
		log_err("limits.nofile", LOG_KV(KV("needed", need)),
		    "getrlimit");
		return (-1);
	}
	if (rl.rlim_cur >= need)
		return (0);
	rl.rlim_cur = need;
	if (rl.rlim_max < need)
		rl.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1) {
		log_err("limits.nofile", LOG_KV(KV("needed", need),
		    KV("connections", c->w.max_connections),
		    KV("workers", c->workers)),
		    "limits.max_connections of %llu, and %u workers, "
		    "need %llu open files (RLIMIT_NOFILE)",
		    (unsigned long long)c->w.max_connections, c->workers,
		    (unsigned long long)need);
		return (-1);
	}
	return (1);
}
