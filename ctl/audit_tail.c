/*
 * The last lines of the audit log, over several files if need be.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/audit_back.h"
#include "ctl/audit_files.h"
#include "ctl/audit_read.h"
#include "ctl/audit_show.h"
#include "ctl/audit_tail.h"
#include "ctl/ctl.h"

#define OPTION_ALL	1

struct tail {
	struct audit_filter	 filter;
	struct audit_files	 files;
	uint64_t		 n;
	int			 all;
};

/* Where to begin in a file: at a place, or behind so many that fit. */
struct begin {
	off_t		 at;
	uint64_t	 skip;
};

static void	 options(int, char *[], struct tail *);
static int	 tail(struct tail *);
static int	 find_begin(struct tail *, const char *, struct begin *);
static int	 find_forward(struct tail *, const char *, struct begin *);
static int	 print(const struct tail *, const char *,
		    const struct begin *);

int
audit_tail(int argc, char *argv[])
{
	struct tail	 t;
	int		 code;

	options(argc, argv, &t);
	code = audit_files_find(&t.files, t.all, argv + optind);
	if (code == 0)
		code = tail(&t);
	audit_files_free(&t.files);
	return (ctl_flush() == 0 ? code : CTL_IO);
}

static void
options(int argc, char *argv[], struct tail *t)
{
	static const struct option	 longopts[] = {
		CTL_LONGOPTS,
		AUDIT_FILTER_LONGOPTS,
		{ "all", no_argument, NULL, OPTION_ALL },
		{ NULL, 0, NULL, 0 }
	};
	int				 ch;

	audit_filter_init(&t->filter);
	t->n = 10;
	t->all = 0;
	while ((ch = getopt_long(argc, argv, CTL_SHORTOPTS "n:", longopts,
	    NULL)) != -1)
		if (ch == OPTION_ALL)
			t->all = 1;
		else if (ch == 'n' && audit_tail_number(optarg, &t->n) == 0)
			;
		else if (ctl_option(ch) == -1 &&
		    audit_filter_option(&t->filter, ch, optarg) == -1)
			ctl_usage(AUDIT_TAIL_USAGE);
}

int
audit_tail_number(const char *s, uint64_t *n)
{
	if (strcmp(s, "all") == 0)
		*n = UINT64_MAX;
	else if (*s != '\0' && strlen(s) <= 15 &&
	    strspn(s, "0123456789") == strlen(s))
		*n = strtoull(s, NULL, 10);
	else {
		warnx("-n: expected a number of lines, or all");
		return (-1);
	}
	return (0);
}

/* Backwards over the files until there are enough lines, then forwards. */
static int
tail(struct tail *t)
{
	struct begin	*begin;
	size_t		 i = t->files.n;
	int		 code = 0;

	if ((begin = calloc(i, sizeof(*begin))) == NULL) {
		warn(NULL);
		return (CTL_INTERNAL);
	}
	while (code == 0 && i > 0 && t->n > 0) {
		i--;
		code = find_begin(t, t->files.path[i], &begin[i]);
	}
	for (; code == 0 && i < t->files.n; i++)
		code = print(t, t->files.path[i], &begin[i]);
	free(begin);
	return (code);
}

static int
find_begin(struct tail *t, const char *path, struct begin *b)
{
	struct stat	 st;
	uint8_t		 magic[2];
	int		 fd;

	/* all of it, as it is */
	if (t->n == UINT64_MAX)
		return (0);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 || fstat(fd, &st) == -1) {
		warn("%s", path);
		if (fd != -1)
			close(fd);
		return (CTL_IO);
	}
	if (pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f &&
	    magic[1] == 0x8b) {
		close(fd);
		return (find_forward(t, path, b));
	}
	if ((b->at = audit_back(fd, st.st_size, &t->filter, &t->n)) == -1)
		warn("%s", path);
	close(fd);
	return (b->at == -1 ? CTL_IO : 0);
}

/* There is no way back in a compressed file: count, and pass by some. */
static int
find_forward(struct tail *t, const char *path, struct begin *b)
{
	struct audit_reader	 r;
	struct audit_entry	 e;
	struct slice		 line;
	enum audit_read		 got;
	uint64_t		 n = 0;

	if (audit_open(&r, path) == -1) {
		warn("%s", path);
		return (CTL_IO);
	}
	while ((got = audit_next(&r, &line)) == AUDIT_LINE ||
	    got == AUDIT_LONG)
		if (got == AUDIT_LINE && audit_entry_read(&e, line) == NULL)
			n += (uint64_t)audit_filter_fits(&t->filter, &e);
	/* what comes before a fault is shown, and then the fault */
	audit_close(&r);
	b->skip = n > t->n ? n - t->n : 0;
	t->n -= n - b->skip;
	return (0);
}

static int
print(const struct tail *t, const char *path, const struct begin *b)
{
	struct audit_reader	 r;
	struct audit_entry	 e;
	struct slice		 line;
	enum audit_read		 got;
	uint64_t		 bad = 0, n = 0;

	if (audit_open(&r, path) == -1) {
		warn("%s", path);
		return (CTL_IO);
	}
	if (b->at > 0)
		audit_seek(&r, b->at);
	while ((got = audit_next(&r, &line)) == AUDIT_LINE ||
	    got == AUDIT_LONG) {
		if (got == AUDIT_LONG || audit_entry_read(&e, line) != NULL)
			bad++;
		else if (audit_filter_fits(&t->filter, &e) && n++ >= b->skip)
			audit_show(&e, line);
	}
	if (bad > 0)
		warnx("%s: %" PRIu64 " lines are none of an audit log; "
		    "mcpgwctl audit stats names them", path, bad);
	if (got == AUDIT_FAILED)
		warnx("%s: %s", path, r.why);
	audit_close(&r);
	return (got == AUDIT_FAILED ? CTL_IO : 0);
}
