/*
 * For mcpgw -n: nothing is created, bound for longer than a moment, or sent.
 */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/listen.h"
#include "daemon/preflight.h"

static int	 fails(int, const char *, const char *, const char *);
static int	 place(const char *, const char *);
static int	 runs(const char *);
static void	 port(const char *, const char *,
		    const struct sockaddr_storage *, socklen_t);

void
preflight_warn(const struct config *c)
{
	if (c->w.oauth.enabled && c->listen_any && !c->public_url_set)
		log_warnx("config.no_public_url", LOG_KV(
		    KV("url", c->w.oauth.public_url)),
		    "oauth metadata advertises listen address %s; set "
		    "auth.oauth.public_url to the URL that clients see",
		    c->w.oauth.public_url);
	if (c->telemetry_exposed)
		log_warnx("config.headers_in_clear", LOG_KV(
		    KV("key", "telemetry.customer.headers_file")),
		    "telemetry.customer.headers_file: what it says "
		    "goes over the network in clear; use an https endpoint");
	if (!c->w.auth_enabled)
		log_warnx("config.no_auth", NULL,
		    "authentication is off: every request passes");
}

int
preflight_look(const struct config *c)
{
	int	 ret = 0;

	/* one that the file names was looked for with the file */
	if (geteuid() == 0 && getpwnam(c->user) == NULL)
		ret |= fails(1, "user", c->user, "no such user");
	ret |= place("audit.path", c->audit_path);
	ret |= place("pid_file", c->pid_file);
	ret |= place("control.socket", c->control_socket);
	if (geteuid() == 0 && listen_raise_nofile(c) == -1)
		ret = -1;
	/* our own ports are taken by the gateway that runs, or kept for it */
	if (runs(c->pid_file) || getenv("FDSTORE") != NULL)
		return (ret);
	port("listen", c->listen, &c->listen_addr, c->listen_len);
	if (c->admin_listen != NULL)
		port("admin.listen", c->admin_listen, &c->admin_addr,
		    c->admin_len);
	return (ret);
}

static int
fails(int unsure, const char *key, const char *what, const char *why)
{
	if (unsure || geteuid() != 0) {
		log_warnx("daemon.start_would_fail", LOG_KV(KV("key", key),
		    KV("error", why)), "%s: %s: %s; a start by this user, "
		    "as things are, would fail", key, what, why);
		return (0);
	}
	log_errx("daemon.start_would_fail", LOG_KV(KV("key", key),
	    KV("error", why)), "%s: %s: %s; a start would fail", key, what,
	    why);
	return (-1);
}

/* Can that file be written, or made? */
static int
place(const char *key, const char *path)
{
	struct stat	 st;
	char		 dir[PATH_MAX], *slash;
	/* what an installation makes may yet come */
	int		 unsure = strcmp(path, CONFIG_AUDIT_PATH) == 0;

	if (path[0] == '\0')
		return (0);
	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return (fails(unsure, key, path, strerror(EISDIR)));
		if (access(path, W_OK) == -1)
			return (fails(unsure, key, path, strerror(errno)));
		return (0);
	}
	(void)strlcpy(dir, path, sizeof(dir));
	if ((slash = strrchr(dir, '/')) == NULL)
		return (0);
	slash[slash == dir] = '\0';
	if (access(dir, W_OK | X_OK) == -1)
		return (fails(unsure, key, dir, strerror(errno)));
	return (0);
}

/* A gateway keeps its pid file locked. */
static int
runs(const char *pid_file)
{
	int	 fd, locked;

	if (pid_file[0] == '\0' || (fd = open(pid_file,
	    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) == -1)
		return (0);
	locked = flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK;
	close(fd);
	return (locked);
}

static void
port(const char *key, const char *text, const struct sockaddr_storage *ss,
    socklen_t len)
{
	int	 fd, one = 1;

	fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
	    sizeof(one)) == -1 ||
	    bind(fd, (const struct sockaddr *)ss, len) == -1)
		log_warn("daemon.start_would_fail", LOG_KV(KV("key", key)),
		    "%s: %s cannot be had now", key, text);
	if (fd != -1)
		close(fd);
}
