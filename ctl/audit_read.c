/*
 * Line by line through a log.  gzread(3) reads what is not compressed as it
 * is.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "ctl/audit_read.h"

#define BUF_SIZE	(AUDIT_LINE_MAX + 256 * 1024)

/* A log shrinks to a tenth or a thirtieth; what expands so far beyond that
 * was made to. */
#define BOMB_BYTES	(256 * 1024 * 1024)
#define BOMB_RATIO	200

static int	 more(struct audit_reader *);
static int	 is_bomb(struct audit_reader *);
static enum audit_read	 pass_by(struct audit_reader *);

int
audit_open(struct audit_reader *r, const char *path)
{
	struct stat	 st;
	int		 fd;

	memset(r, 0, sizeof(*r));
	/* a FIFO must not hold us up */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		return (-1);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (r->buf = malloc(BUF_SIZE)) == NULL ||
	    (r->gz = gzdopen(fd, "rb")) == NULL) {
		errno = S_ISREG(st.st_mode) ? ENOMEM : EINVAL;
		free(r->buf);
		close(fd);
		return (-1);
	}
	(void)gzbuffer(r->gz, 128 * 1024);
	return (0);
}

void
audit_close(struct audit_reader *r)
{
	gzclose_r(r->gz);
	free(r->buf);
	memset(r, 0, sizeof(*r));
}

void
audit_seek(struct audit_reader *r, int64_t at)
{
	(void)gzseek(r->gz, (z_off_t)at, SEEK_SET);
}

enum audit_read
audit_next(struct audit_reader *r, struct slice *line)
{
	char	*start, *end;
	size_t	 seen = 0;
	int	 n;

	for (;;) {
		start = r->buf + r->at;
		end = memchr(start + seen, '\n', r->have - r->at - seen);
		if (end != NULL && end - start <= AUDIT_LINE_MAX)
			break;
		if (end != NULL || r->have - r->at > AUDIT_LINE_MAX)
			return (pass_by(r));
		seen = r->have - r->at;
		if ((n = more(r)) == -1)
			return (AUDIT_FAILED);
		if (n == 0 && seen == 0)
			return (AUDIT_END);
		if (n == 0) {
			r->at = r->have;
			r->line++;
			return (AUDIT_TORN);
		}
	}
	line->p = start;
	line->len = (size_t)(end - start);
	r->at += line->len + 1;
	r->line++;
	return (AUDIT_LINE);
}

/* The rest of a line that is too long. */
static enum audit_read
pass_by(struct audit_reader *r)
{
	char	*end;
	int	 n;

	r->line++;
	while ((end = memchr(r->buf + r->at, '\n', r->have - r->at)) ==
	    NULL) {
		r->at = r->have;
		if ((n = more(r)) == -1)
			return (AUDIT_FAILED);
		if (n == 0)
			return (AUDIT_LONG);
	}
	r->at = (size_t)(end + 1 - r->buf);
	return (AUDIT_LONG);
}

/* Read on, behind what is there.  1, 0 at the end, -1 with why. */
static int
more(struct audit_reader *r)
{
	const char	*text;
	int		 e, n;

	if (r->ended)
		return (0);
	memmove(r->buf, r->buf + r->at, r->have - r->at);
	r->have -= r->at;
	r->at = 0;
	n = gzread(r->gz, r->buf + r->have, (unsigned)(BUF_SIZE - r->have));
	/* it may hand out what it has of a file that is cut off */
	text = gzerror(r->gz, &e);
	if (n == -1 || (n == 0 && e != Z_OK && e != Z_STREAM_END)) {
		(void)snprintf(r->why, sizeof(r->why), "%s",
		    e == Z_ERRNO ? strerror(errno) : text);
		return (-1);
	}
	r->ended = n == 0;
	r->have += (size_t)n;
	r->total += (size_t)n;
	if (is_bomb(r)) {
		(void)snprintf(r->why, sizeof(r->why), "expands to more than "
		    "%d times its size: this is no log", BOMB_RATIO);
		return (-1);
	}
	return (n > 0);
}

static int
is_bomb(struct audit_reader *r)
{
	int64_t	 packed;

	if (r->total < BOMB_BYTES || gzdirect(r->gz))
		return (0);
	packed = gzoffset(r->gz);
	return (packed > 0 && r->total / BOMB_RATIO > (uint64_t)packed);
}
