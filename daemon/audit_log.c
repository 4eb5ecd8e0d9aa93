/*
 * Opening, reopening and mending the audit log.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/audit_log.h"

#define TAIL_MAX	65536		/* a line is shorter than this */
#define ROOM_NEEDED	(256 * 1024)	/* bytes free before we go on */

static char	*log_path;
static int	 log_fd = -1;

static int	 open_path(const char *);
static off_t	 tail_start(off_t);
static int	 takes_more(void);
static int	 has_room(off_t);

int
audit_log_open(const char *path)
{
	struct stat	 st;
	char		 last;

	if ((log_path = strdup(path)) == NULL)
		fatal("strdup");
	if ((log_fd = open_path(path)) == -1)
		return (-1);
	if (fstat(log_fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size == 0)
		return (0);
	if (pread(log_fd, &last, 1, st.st_size - 1) == 1 && last != '\n') {
		log_warnx("audit.torn", LOG_KV(KV("file", path)),
		    "audit: the last line of %s is torn; going on below it",
		    path);
		if (write(log_fd, "\n", 1) != 1)
			log_warn("audit.failed", LOG_KV(KV("file", path)),
			    "audit: %s", path);
	}
	return (0);
}

/* Readable too, so that its end can be looked at; a terminal or a pipe (as
 * /dev/stdout may be) is for writing only. */
static int
open_path(const char *path)
{
	int	 fd, flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;

	if ((fd = open(path, O_RDWR | flags, 0640)) == -1)
		fd = open(path, O_WRONLY | flags | O_NONBLOCK, 0640);
	if (fd == -1)
		log_err("audit.open_failed", LOG_KV(KV("file", path)),
		    "audit: %s", path);
	return (fd);
}

int
audit_log_reopen(void)
{
	int	 fd;

	if ((fd = open_path(log_path)) == -1)
		return (-1);
	close(log_fd);
	log_fd = fd;
	return (0);
}

int
audit_log_fd(void)
{
	char	 path[64];

	/* by descriptor: the name may be another file's by now */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", log_fd);
	return (open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY |
	    O_NONBLOCK));
}

enum audit_log_state
audit_log_state(void)
{
	struct stat	 st;

	if (fstat(log_fd, &st) == -1)
		return (AUDIT_LOG_FULL);
	if (!S_ISREG(st.st_mode))
		return (takes_more() ? AUDIT_LOG_UNKNOWN : AUDIT_LOG_FULL);
	if (!has_room(st.st_size))
		return (AUDIT_LOG_FULL);
	return (audit_log_torn() == -1 ? AUDIT_LOG_FINE : AUDIT_LOG_TORN);
}

int64_t
audit_log_size(void)
{
	struct stat	 st;

	return (fstat(log_fd, &st) == -1 || !S_ISREG(st.st_mode) ? 0 :
	    st.st_size);
}

off_t
audit_log_torn(void)
{
	struct stat	 st, after;
	off_t		 end;

	/* what somebody writes meanwhile is not torn */
	if (fstat(log_fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (end = tail_start(st.st_size)) == -1 || end == st.st_size ||
	    fstat(log_fd, &after) == -1 || after.st_size != st.st_size)
		return (-1);
	return (st.st_size);
}

int
audit_log_mend(void)
{
	struct stat	 st;
	off_t		 keep;

	if (fstat(log_fd, &st) == -1) {
		log_warn("audit.failed", LOG_KV(KV("file", log_path)),
		    "audit: %s", log_path);
		return (-1);
	}
	if (!S_ISREG(st.st_mode))
		return (takes_more() ? 0 : -1);
	if ((keep = tail_start(st.st_size)) == -1) {
		log_warn("audit.failed", LOG_KV(KV("file", log_path)),
		    "audit: %s", log_path);
		return (-1);
	}
	if (keep < st.st_size && ftruncate(log_fd, keep) == -1) {
		log_warn("audit.failed", LOG_KV(KV("file", log_path)),
		    "audit: %s", log_path);
		return (-1);
	}
	return (has_room(keep) ? 0 : -1);
}

/* A pipe whose reader does not keep up is as a full disk. */
static int
takes_more(void)
{
	struct pollfd	 p = { .fd = log_fd, .events = POLLOUT };

	return (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0);
}

/* Where the last whole line of so many bytes ends. */
static off_t
tail_start(off_t size)
{
	static char	 tail[TAIL_MAX];
	const char	*nl;
	ssize_t		 n;
	off_t		 from = size > TAIL_MAX ? size - TAIL_MAX : 0;

	if (size == 0)
		return (0);
	if ((n = pread(log_fd, tail, (size_t)(size - from), from)) == -1)
		return (-1);
	nl = memrchr(tail, '\n', (size_t)n);
	if (nl != NULL)
		return (from + (nl + 1 - tail));
	/* no line is that long: not ours to cut */
	return (from == 0 ? 0 : size);
}

/* Would a write behind that many bytes find space?  Of the disk, of a quota,
 * of RLIMIT_FSIZE, which is the workers', too. */
static int
has_room(off_t size)
{
	struct statvfs	 fs;
	struct rlimit	 rl;

	if (getrlimit(RLIMIT_FSIZE, &rl) == 0 && rl.rlim_cur !=
	    RLIM_INFINITY && (rlim_t)size + ROOM_NEEDED > rl.rlim_cur)
		return (0);
	if (fallocate(log_fd, FALLOC_FL_KEEP_SIZE, size, ROOM_NEEDED) == -1 &&
	    (errno == ENOSPC || errno == EDQUOT || errno == EIO))
		return (0);

	if (fstatvfs(log_fd, &fs) == -1)
		return (1);
	return ((unsigned long long)fs.f_bavail * fs.f_frsize >= ROOM_NEEDED);
}
