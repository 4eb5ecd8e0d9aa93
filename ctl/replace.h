/*
 * Replacing a file as a whole or not at all: the new text goes to a file
 * beside it, with the same owner, mode and attributes, which then takes its
 * name.  Whoever reads the file sees the old text or the new one.
 */
#ifndef CTL_REPLACE_H
#define CTL_REPLACE_H

#include <sys/stat.h>

#include <signal.h>
#include <stddef.h>

struct replace {
	char		*path;	/* the file itself, behind all links */
	char		*temp;	/* the new one's name, or NULL */
	char		*text;	/* the old text, with a NUL behind it */
	size_t		 len;
	int		 fd;	/* the old file, locked */
	struct stat	 st;	/* what it was when it was read */
	int		 blocked;	/* signals wait: */
	sigset_t	 signals;	/* those that did before */
};

/* Find the file behind path, lock it against others who do the same, read
 * it.  All of these return 0, or -1 after telling why; after each of them
 * replace_close() is due. */
int	replace_open(struct replace *, const char *path, size_t max);
/* Write the new file, beside the old one, to the disk. */
int	replace_write(struct replace *, const char *, size_t);
/* Put it in the place of the old one, unless that was changed meanwhile. */
int	replace_commit(struct replace *);
/* Remove what was not put in place, wipe and free. */
void	replace_close(struct replace *);

#endif
