/*
 * The audit log as it grows.  A file that is renamed is read on, for workers
 * write to it a moment longer, while the one that took its name is read from
 * its begin.
 */
#include <sys/inotify.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mono.h"
#include "ctl/audit_back.h"
#include "ctl/audit_files.h"
#include "ctl/audit_read.h"
#include "ctl/audit_show.h"
#include "ctl/audit_tail.h"
#include "ctl/ctl.h"

#define LOOK_MS		1000	/* where nobody tells of changes */
#define OLD_MS		60000	/* for how long a renamed file is read on */
#define ROOM		(AUDIT_LINE_MAX + 65536)

struct followed {
	int		 fd;		/* -1: none */
	off_t		 at;		/* what was read, but for a line that
					 * is not whole */
	size_t		 have;		/* in buf, from there on */
	int		 passing;	/* the rest of a line too long */
	char		*buf;		/* ROOM */
};

struct follow {
	struct audit_filter	 filter;
	const char		*path;
	uint64_t		 n;
	struct followed		 now;
	struct followed		 old;
	uint64_t		 old_until;
};

static void	 options(int, char *[], struct follow *);
static int	 run(struct follow *);
static int	 watch(const char *);
static int	 wait_for(int);
static int	 first_open(struct follow *);
static void	 look(struct follow *);
static void	 drain(const struct follow *, struct followed *);
static int	 shrunk(const struct follow *, struct followed *);
static void	 lines(const struct follow *, struct followed *);
static void	 line_at(const struct follow *, const struct followed *,
		    size_t, size_t);

int
audit_follow(int argc, char *argv[])
{
	struct audit_files	 files;
	struct follow		 f;
	int			 code;

	options(argc, argv, &f);
	code = audit_files_find(&files, 0, argv + optind);
	f.path = code == 0 ? files.path[0] : NULL;
	f.now.buf = malloc(ROOM);
	f.old.buf = malloc(ROOM);
	if (f.now.buf == NULL || f.old.buf == NULL) {
		warn(NULL);
		code = CTL_INTERNAL;
	}
	if (code == 0)
		code = run(&f);
	free(f.now.buf);
	free(f.old.buf);
	audit_files_free(&files);
	return (code);
}

static void
options(int argc, char *argv[], struct follow *f)
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		AUDIT_FILTER_LONGOPTS,
		{ NULL, 0, NULL, 0 }
	};
	int				 ch;

	memset(f, 0, sizeof(*f));
	audit_filter_init(&f->filter);
	f->n = 10;
	f->now.fd = f->old.fd = -1;
	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS "n:", longopts,
	    NULL)) != -1)
		if (ch == 'n' && audit_tail_number(optarg, &f->n) == 0)
			;
		else if (ctl_option(ch) == -1 &&
		    audit_filter_option(&f->filter, ch, optarg) == -1)
			ctl_usage(AUDIT_FOLLOW_USAGE);
	if (argc - optind > 1)
		ctl_usage(AUDIT_FOLLOW_USAGE);
}

/* Until somebody ends it, or nobody reads what it prints. */
static int
run(struct follow *f)
{
	int	 code, fd;

	/* before the first look, so that no change is missed */
	fd = watch(f->path);
	if ((code = first_open(f)) != 0)
		return (code);
	do {
		look(f);
		if (ctl_flush() == -1)
			return (CTL_IO);
	} while (wait_for(fd) == 0);
	return (CTL_OK);
}

/* The directory: it tells of renames as well as of what is written; -1 where
 * it cannot. */
static int
watch(const char *path)
{
	const char	*slash = strrchr(path, '/');
	char		 dir[PATH_MAX];
	int		 fd;

	if (slash == NULL)
		(void)strlcpy(dir, ".", sizeof(dir));
	else
		(void)snprintf(dir, sizeof(dir), "%.*s",
		    (int)(slash - path) + 1, path);
	if ((fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) == -1)
		return (-1);
	if (inotify_add_watch(fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO |
	    IN_MOVED_FROM | IN_DELETE) != -1)
		return (fd);
	close(fd);
	return (-1);
}

/* 0 when there may be more; -1 when nobody reads any longer. */
static int
wait_for(int fd)
{
	struct pollfd	 p[2] = {
		{ .fd = STDOUT_FILENO, .events = 0 },
		{ .fd = fd, .events = POLLIN }
	};
	char		 buf[4096];

	(void)poll(p, 2, LOOK_MS);
	if (fd != -1)
		while (read(fd, buf, sizeof(buf)) > 0)
			;
	return ((p[0].revents & POLLERR) != 0 ? -1 : 0);
}

static int
first_open(struct follow *f)
{
	struct stat	 st;

	f->now.fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
	    O_NOCTTY);
	if (f->now.fd == -1 && errno == ENOENT) {
		warnx("%s: not there yet", f->path);
		return (0);
	}
	if (f->now.fd == -1 || fstat(f->now.fd, &st) == -1) {
		warn("%s", f->path);
		return (CTL_IO);
	}
	if (!S_ISREG(st.st_mode)) {
		warnx("%s: not a regular file", f->path);
		return (CTL_IO);
	}
	if (f->n != UINT64_MAX)
		f->now.at = audit_back(f->now.fd, st.st_size, &f->filter,
		    &f->n);
	if (f->now.at == -1) {
		warn("%s", f->path);
		return (CTL_IO);
	}
	return (0);
}

/* Is the file still that of the name?  Then print what is new. */
static void
look(struct follow *f)
{
	struct followed	 spare;
	struct stat	 a, b;
	int		 fd;

	drain(f, &f->old);
	if (f->old.fd != -1 && mono_ms() > f->old_until) {
		close(f->old.fd);
		f->old.fd = -1;
	}
	drain(f, &f->now);
	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 || fstat(fd, &b) == -1 || !S_ISREG(b.st_mode) ||
	    (f->now.fd != -1 && fstat(f->now.fd, &a) == 0 &&
	    a.st_ino == b.st_ino && a.st_dev == b.st_dev)) {
		if (fd != -1)
			close(fd);
		return;
	}
	if (f->old.fd != -1)
		close(f->old.fd);
	spare = f->old;
	f->old = f->now;
	f->old_until = mono_ms() + OLD_MS;
	f->now = spare;
	f->now.fd = fd;
	f->now.at = 0;
	f->now.have = 0;
	f->now.passing = 0;
	drain(f, &f->now);
}

static void
drain(const struct follow *f, struct followed *d)
{
	ssize_t	 n;

	if (d->fd == -1 || shrunk(f, d))
		return;
	/* a line that was not whole may be another one by now */
	d->have = 0;
	while ((n = pread(d->fd, d->buf + d->have, ROOM - d->have,
	    d->at + (off_t)d->have)) > 0) {
		d->have += (size_t)n;
		lines(f, d);
	}
}

/* A file that is shorter than what was read of it begins anew, but for a line
 * that could not be written whole, which the gateway cuts off again.  1 when
 * it cannot be seen. */
static int
shrunk(const struct follow *f, struct followed *d)
{
	struct stat	 st;

	if (fstat(d->fd, &st) == -1)
		return (1);
	if (st.st_size < d->at) {
		warnx("%s: truncated", f->path);
		d->at = 0;
		d->passing = 0;
	}
	return (0);
}

/* Print the whole ones, keep the rest. */
static void
lines(const struct follow *f, struct followed *d)
{
	char	*end;
	size_t	 at = 0, len;

	while ((end = memchr(d->buf + at, '\n', d->have - at)) != NULL) {
		len = (size_t)(end - (d->buf + at));
		if (!d->passing)
			line_at(f, d, at, len);
		d->passing = 0;
		at += len + 1;
	}
	if (d->have - at > AUDIT_LINE_MAX) {
		d->passing = 1;
		at = d->have;
	}
	memmove(d->buf, d->buf + at, d->have - at);
	d->at += (off_t)at;
	d->have -= at;
}

static void
line_at(const struct follow *f, const struct followed *d, size_t at,
    size_t len)
{
	struct audit_entry	 e;
	struct slice		 line = { d->buf + at, len };
	const char		*wrong;

	if ((wrong = audit_entry_read(&e, line)) != NULL)
		warnx("%s: at byte %jd: %s", f->path,
		    (intmax_t)(d->at + (off_t)at), wrong);
	else if (audit_filter_fits(&f->filter, &e))
		audit_show(&e, line);
}
