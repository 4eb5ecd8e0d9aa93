/*
 * The daemon keeps its pid file locked (flock(2), by pidfile_open(3bsd)) as
 * long as it lives.
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/reload.h"

#define PID_LAST	4194304		/* Linux gives out none above */

static enum reload	 look(const char *, int, pid_t *);
static pid_t		 read_pid(int);
static int		 process_uid(pid_t, uid_t *);

enum reload
reload_gateway(const char *pid_file, pid_t *pid)
{
	enum reload	 ret;
	int		 fd;

	if (pid_file[0] == '\0') {
		warnx("pid_file is off: nobody knows the gateway's process; "
		    "tell it to reload by its control socket, or by SIGHUP");
		return (RELOAD_FAILED);
	}
	fd = open(pid_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 && errno == ENOENT)
		return (RELOAD_NOT_RUNNING);
	if (fd == -1) {
		warn("%s", pid_file);
		return (RELOAD_FAILED);
	}
	ret = look(pid_file, fd, pid);
	close(fd);
	if (ret == RELOAD_SENT && kill(*pid, SIGHUP) == -1) {
		warn("kill -HUP %d", (int)*pid);
		return (RELOAD_FAILED);
	}
	return (ret);
}

static enum reload
look(const char *pid_file, int fd, pid_t *pid)
{
	struct stat	 st;
	uid_t		 uid;

	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return (RELOAD_NOT_RUNNING);
	if (errno != EWOULDBLOCK || fstat(fd, &st) == -1) {
		warn("%s", pid_file);
		return (RELOAD_FAILED);
	}
	/* Who can write to the file must not choose whom we signal. */
	if (!S_ISREG(st.st_mode) || (*pid = read_pid(fd)) == -1 ||
	    process_uid(*pid, &uid) == -1 || uid != st.st_uid) {
		warnx("%s: locked, but it does not hold the number of a "
		    "process of its owner", pid_file);
		return (RELOAD_FAILED);
	}
	return (RELOAD_SENT);
}

static pid_t
read_pid(int fd)
{
	char	 buf[16], *end;
	ssize_t	 n;
	long	 pid;

	if ((n = pread(fd, buf, sizeof(buf) - 1, 0)) <= 0)
		return (-1);
	buf[n] = '\0';
	pid = strtol(buf, &end, 10);
	if (buf[0] < '0' || buf[0] > '9' || (*end != '\0' && *end != '\n') ||
	    pid < 1 || pid > PID_LAST)
		return (-1);
	return ((pid_t)pid);
}

/* The real one.  The owner of /proc/PID says less: it is root for whoever
 * may not be dumped. */
static int
process_uid(pid_t pid, uid_t *uid)
{
	char		 path[64], line[256];
	unsigned	 v;
	FILE		*f;
	int		 ret = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return (-1);
	while (ret == -1 && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Uid:\t%u", &v) == 1) {
			*uid = v;
			ret = 0;
		}
	fclose(f);
	return (ret);
}
