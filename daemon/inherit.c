/*
 * Only a socket that listens for TCP where the configuration says is of use.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/net.h"
#include "daemon/inherit.h"

#define FIRST	3
#define MAX	32

static int	 count;
static int	 taken[MAX];
static int	 stored[MAX];

static void	 names(const char *);
static int	 listens(int);
static int	 same(const struct sockaddr_storage *,
		    const struct sockaddr_storage *);
static void	 name_of(int, char *, size_t);

void
inherit_setup(void)
{
	const char	*pid = getenv("LISTEN_PID");
	const char	*fds = getenv("LISTEN_FDS");
	const char	*bad, *bad_pid;
	int		 i, n;

	if (pid != NULL && fds != NULL &&
	    (pid_t)strtonum(pid, 1, INT32_MAX, &bad_pid) == getpid() &&
	    bad_pid == NULL) {
		n = (int)strtonum(fds, 0, MAX, &bad);
		if (bad != NULL)
			log_warnx("listen.handed_down", LOG_KV(
			    KV("sockets", fds)), "LISTEN_FDS: expected 0 to "
			    "%d, got \"%s\"", MAX, fds);
		for (i = 0; bad == NULL && i < n; i++)
			if (fcntl(FIRST + i, F_SETFD, FD_CLOEXEC) == -1)
				taken[i] = 1;
		count = bad == NULL ? n : 0;
		if (getenv("LISTEN_FDNAMES") != NULL)
			names(getenv("LISTEN_FDNAMES"));
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
}

/* One for each, with colons between them. */
static void
names(const char *list)
{
	size_t	 len;
	int	 i;

	for (i = 0; i < count; i++) {
		len = strcspn(list, ":");
		stored[i] = len == strlen(INHERIT_STORED) &&
		    strncmp(list, INHERIT_STORED, len) == 0;
		list += len;
		if (*list == '\0')
			return;
		list++;
	}
}

int
inherit_listener(const struct sockaddr_storage *want, int *from_store)
{
	union net_sockaddr	 a;
	int			 i, fd, flags;

	for (i = 0; i < count; i++) {
		fd = FIRST + i;
		if (taken[i] || !listens(fd) || net_own(fd, &a) == -1 ||
		    !same(&a.ss, want))
			continue;
		if ((flags = fcntl(fd, F_GETFL)) == -1 ||
		    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
			continue;
		taken[i] = 1;
		*from_store = stored[i];
		return (fd);
	}
	return (-1);
}

static int
listens(int fd)
{
	static const int	 option[] = { SO_ACCEPTCONN, SO_TYPE,
				    SO_PROTOCOL };
	static const int	 value[] = { 1, SOCK_STREAM, IPPROTO_TCP };
	socklen_t		 len;
	size_t			 i;
	int			 n;

	for (i = 0; i < sizeof(option) / sizeof(option[0]); i++) {
		len = sizeof(n);
		if (getsockopt(fd, SOL_SOCKET, option[i], &n, &len) == -1 ||
		    n != value[i])
			return (0);
	}
	return (1);
}

static int
same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in6	*a6, *b6;
	const struct sockaddr_in	*a4, *b4;

	if (a->ss_family != b->ss_family)
		return (0);
	if (a->ss_family == AF_INET) {
		a4 = (const struct sockaddr_in *)a;
		b4 = (const struct sockaddr_in *)b;
		return (a4->sin_port == b4->sin_port &&
		    a4->sin_addr.s_addr == b4->sin_addr.s_addr);
	}
	if (a->ss_family != AF_INET6)
		return (0);
	a6 = (const struct sockaddr_in6 *)a;
	b6 = (const struct sockaddr_in6 *)b;
	return (a6->sin6_port == b6->sin6_port &&
	    a6->sin6_scope_id == b6->sin6_scope_id &&
	    memcmp(&a6->sin6_addr, &b6->sin6_addr,
	    sizeof(a6->sin6_addr)) == 0);
}

int
inherit_close(char *name, size_t size)
{
	int	 i, of_unit = 0;

	for (i = 0; i < count; i++) {
		if (taken[i])
			continue;
		if (!stored[i] && !of_unit) {
			of_unit = 1;
			name_of(FIRST + i, name, size);
		}
		close(FIRST + i);
	}
	count = 0;
	return (of_unit);
}

static void
name_of(int fd, char *name, size_t size)
{
	union net_sockaddr	 a;
	char			 text[INET6_ADDRSTRLEN];

	(void)strlcpy(name, "something else", size);
	if (!listens(fd) || net_own(fd, &a) == -1)
		return;
	if (a.ss.ss_family == AF_INET && inet_ntop(AF_INET, &a.sin.sin_addr,
	    text, sizeof(text)) != NULL)
		(void)snprintf(name, size, "%s:%u", text,
		    ntohs(a.sin.sin_port));
	else if (a.ss.ss_family == AF_INET6 && inet_ntop(AF_INET6,
	    &a.sin6.sin6_addr, text, sizeof(text)) != NULL)
		(void)snprintf(name, size, "[%s]:%u", text,
		    ntohs(a.sin6.sin6_port));
}
