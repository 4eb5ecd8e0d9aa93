/*
 * Which files the audit commands read.
 */
#ifndef CTL_AUDIT_FILES_H
#define CTL_AUDIT_FILES_H

#include <stddef.h>

struct audit_files {
	char		**path;
	size_t		 n;
};

/* Those named, if any; else audit.path of the configuration and, if all,
 * before it what rotation has made of it, oldest first.  0, or the exit code
 * after telling why. */
int	audit_files_find(struct audit_files *, int all, char *const named[]);
void	audit_files_free(struct audit_files *);

#endif
