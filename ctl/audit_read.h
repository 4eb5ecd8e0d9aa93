/*
 * The lines of an audit log, plain or compressed, from its begin on, in
 * memory that does not grow with the file.
 */
#ifndef CTL_AUDIT_READ_H
#define CTL_AUDIT_READ_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/* No line of the gateway is a tenth as long. */
#define AUDIT_LINE_MAX	(1024 * 1024)

enum audit_read {
	AUDIT_LINE,		/* a whole line, without its end */
	AUDIT_LONG,		/* one longer than AUDIT_LINE_MAX, passed by */
	AUDIT_TORN,		/* the last one, without an end; not given */
	AUDIT_END,
	AUDIT_FAILED		/* with the reason in why */
};

struct audit_reader {
	void		*gz;		/* gzFile */
	char		*buf;
	size_t		 have;
	size_t		 at;
	uint64_t	 line;		/* the number of the last one */
	uint64_t	 total;		/* bytes, uncompressed */
	int		 ended;
	char		 why[256];
};

/* -1 with errno. */
int	audit_open(struct audit_reader *, const char *path);
/* Begin there instead, where a line begins; of a plain file, before the first
 * line is asked for. */
void	audit_seek(struct audit_reader *, int64_t at);
/* The line is good until the next call. */
enum audit_read audit_next(struct audit_reader *, struct slice *line);
void	audit_close(struct audit_reader *);

#endif
