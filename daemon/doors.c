/*
 * The control socket is a file: who may connect is who may write to it.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/doors.h"

#define BACKLOG		512

static int	 door[DOOR_MAX] = { -1, -1 };
static char	 path[sizeof(((struct sockaddr_un *)0)->sun_path)];

static int	 open_control(const struct config *);
static int	 in_use(void);
static int	 clear_path(int);
static int	 open_admin(const struct config *);

int
doors_open(const struct config *c)
{
	if (c->control_socket[0] != '\0' && open_control(c) == -1)
		return (-1);
	if (c->admin_listen != NULL && open_admin(c) == -1) {
		doors_close();
		return (-1);
	}
	return (0);
}

static int
open_control(const struct config *c)
{
	struct sockaddr_un	 un;
	mode_t			 mask;
	int			 fd, r;

	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	(void)strlcpy(path, c->control_socket, sizeof(path));
	memcpy(un.sun_path, path, sizeof(path));
	if (clear_path(c->pid_file[0] == '\0') == -1)
		return (-1);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0)) == -1) {
		log_err("listen.control_failed", LOG_KV(KV("file", path)),
		    "control socket %s", path);
		return (-1);
	}
	/* nobody connects before its owner is right */
	mask = umask(0177);
	r = bind(fd, (const struct sockaddr *)&un, sizeof(un));
	(void)umask(mask);
	if (r == -1) {
		log_err("listen.control_failed", LOG_KV(KV("file", path)),
		    "control socket %s", path);
		close(fd);
		path[0] = '\0';
		return (-1);
	}
	door[DOOR_CONTROL] = fd;
	if ((c->m.group && (lchown(path, (uid_t)-1, c->m.gid) == -1 ||
	    chmod(path, 0660) == -1)) || listen(fd, BACKLOG) == -1) {
		log_err("listen.control_failed", LOG_KV(KV("file", path)),
		    "control socket %s", path);
		doors_close();
		return (-1);
	}
	return (0);
}

/* Does somebody listen there?  Where no pid file says so. */
static int
in_use(void)
{
	struct sockaddr_un	 un;
	int			 fd, used;

	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	memcpy(un.sun_path, path, sizeof(path));
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0)) == -1)
		return (0);
	used = connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 ||
	    errno == EAGAIN;
	close(fd);
	return (used);
}

/* A socket is removed; anything else stays, and is an error.  unlocked: no pid
 * file says that we are alone. */
static int
clear_path(int unlocked)
{
	struct stat	 st;

	if (lstat(path, &st) == -1 && errno == ENOENT)
		return (0);
	/* children of one that was killed may hold it a moment longer */
	if (unlocked && in_use()) {
		log_errx("listen.control_failed", LOG_KV(KV("file", path)),
		    "control socket %s: another gateway has it", path);
		path[0] = '\0';
		return (-1);
	}
	if (!S_ISSOCK(st.st_mode)) {
		log_errx("listen.control_failed", LOG_KV(KV("file", path)),
		    "control socket %s: expected nothing or a socket at "
		    "this path", path);
		path[0] = '\0';
		return (-1);
	}
	if (unlink(path) == 0)
		return (0);
	log_err("listen.control_failed", LOG_KV(KV("file", path)),
	    "control socket %s", path);
	path[0] = '\0';
	return (-1);
}

static int
open_admin(const struct config *c)
{
	int	 fd, one = 1;

	fd = socket(c->admin_addr.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
	    sizeof(one)) == -1 || bind(fd,
	    (const struct sockaddr *)&c->admin_addr, c->admin_len) == -1 ||
	    listen(fd, BACKLOG) == -1) {
		log_err("listen.admin_failed", LOG_KV(
		    KV("address", c->admin_listen)), "admin.listen %s",
		    c->admin_listen);
		if (fd != -1)
			close(fd);
		return (-1);
	}
	door[DOOR_ADMIN] = fd;
	return (0);
}

void
doors_close(void)
{
	int	 i;

	if (path[0] != '\0')
		(void)unlink(path);
	path[0] = '\0';
	for (i = 0; i < DOOR_MAX; i++) {
		if (door[i] != -1)
			close(door[i]);
		door[i] = -1;
	}
}

int
doors_fd(enum proto_door d)
{
	return (door[d] == -1 ? -1 : fcntl(door[d], F_DUPFD_CLOEXEC, 3));
}
