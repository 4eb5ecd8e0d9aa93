/*
 * From line to line towards the begin of a file, a block at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/audit_back.h"
#include "ctl/audit_read.h"

#define BLOCK	65536

struct back {
	int	 fd;
	off_t	 block;		/* where the one in data begins */
	ssize_t	 len;		/* of it; -1: none */
	char	 data[BLOCK];
	char	*line;
};

static off_t	 line_start(struct back *, off_t);
static int	 load(struct back *, off_t);
static int	 line_fits(struct back *, off_t, off_t,
		    const struct audit_filter *);

off_t
audit_back(int fd, off_t end, const struct audit_filter *f, uint64_t *n)
{
	struct back	*b;
	off_t		 start = end;
	int		 fits = 0;

	if ((b = malloc(sizeof(*b))) == NULL ||
	    (b->line = malloc(AUDIT_LINE_MAX + 1)) == NULL) {
		free(b);
		return (-1);
	}
	b->fd = fd;
	b->len = -1;
	/* what is not whole yet is left to come */
	if (end > 0 && (end = line_start(b, end + 1)) == -1)
		start = -1;
	while (start != -1 && *n > 0 && end > 0) {
		if ((start = line_start(b, end)) != -1 &&
		    (fits = line_fits(b, start, end, f)) == -1)
			start = -1;
		if (fits == 1)
			(*n)--;
		end = start;
	}
	free(b->line);
	free(b);
	return (start);
}

/* Where the line begins that ends, with its newline, before end. */
static off_t
line_start(struct back *b, off_t end)
{
	off_t	 at = end - 1;
	char	*p;

	while (at > 0) {
		if (load(b, (at - 1) / BLOCK * BLOCK) == -1)
			return (-1);
		/* a file that was cut off meanwhile */
		if (b->len < at - b->block) {
			errno = ENODATA;
			return (-1);
		}
		p = memrchr(b->data, '\n', (size_t)(at - b->block));
		if (p != NULL)
			return (b->block + (p - b->data) + 1);
		at = b->block;
	}
	return (0);
}

static int
load(struct back *b, off_t block)
{
	if (b->len != -1 && b->block == block)
		return (0);
	b->block = block;
	b->len = pread(b->fd, b->data, BLOCK, block);
	return (b->len == -1 ? -1 : 0);
}

static int
line_fits(struct back *b, off_t start, off_t end,
    const struct audit_filter *f)
{
	struct audit_entry	 e;
	struct slice		 line = { b->line, (size_t)(end - start) };
	ssize_t			 n;

	if (line.len > AUDIT_LINE_MAX)
		return (0);
	if ((n = pread(b->fd, b->line, line.len, start)) == -1)
		return (-1);
	if ((size_t)n != line.len) {
		errno = ENODATA;
		return (-1);
	}
	line.len--;
	return (audit_entry_read(&e, line) == NULL &&
	    audit_filter_fits(f, &e));
}
