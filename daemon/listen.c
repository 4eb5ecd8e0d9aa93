/*
 * One socket, one queue, inherited by every worker of every generation: what
 * waits in it is taken by whoever lives.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <unistd.h>

#include "common/log.h"
#include "daemon/listen.h"

#define BACKLOG		4096
#define RESERVE		320	/* descriptors beside connections: channels,
				 * logs, idle upstream connections */

int
listen_open(const struct config *c)
{
	int	 fd, one = 1, zero = 0;

	fd = socket(c->listen_addr.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		log_warn("listen on %s: socket", c->listen);
		return (-1);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
	    sizeof(one)) == -1)
		log_warn("SO_REUSEADDR");
	if (c->listen_addr.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero,
	    sizeof(zero)) == -1)
		log_warn("IPV6_V6ONLY");
	if (bind(fd, (const struct sockaddr *)&c->listen_addr,
	    c->listen_len) == -1 || listen(fd, BACKLOG) == -1) {
		log_warn("listen on %s", c->listen);
		close(fd);
		return (-1);
	}
	return (fd);
}

/* Each client connection may have one to an upstream. */
int
listen_raise_nofile(const struct config *c)
{
	struct rlimit	 rl;
	rlim_t		 need = (rlim_t)c->w.max_connections * 2 + RESERVE;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1) {
		log_warn("getrlimit");
		return (-1);
	}
	if (rl.rlim_cur >= need)
		return (0);
	rl.rlim_cur = need;
	if (rl.rlim_max < need)
		rl.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1) {
		log_warn("limits.max_connections of %llu needs %llu open "
		    "files (RLIMIT_NOFILE)",
		    (unsigned long long)c->w.max_connections,
		    (unsigned long long)need);
		return (-1);
	}
	return (0);
}
