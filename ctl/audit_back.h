/*
 * Going through a log from its end, so that the last lines of a large one are
 * found at once.
 */
#ifndef CTL_AUDIT_BACK_H
#define CTL_AUDIT_BACK_H

#include <sys/types.h>

#include <stdint.h>

#include "ctl/audit_filter.h"

/* Where the last *n lines that fit begin, in the file up to end, which is
 * where a line begins or the file ends; *n is lowered by how many were found.
 * What is no line of an audit log fits nothing.  -1 with errno. */
off_t	audit_back(int fd, off_t end, const struct audit_filter *,
	    uint64_t *n);

#endif
