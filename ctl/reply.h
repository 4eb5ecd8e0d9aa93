/*
 * What an HTTP/1.1 server answers to one request on a connection that it then
 * closes (RFC 9112): read piece by piece, strictly, into bounded memory.  It
 * comes from a process that may have been taken over, and is read by root.
 */
#ifndef CTL_REPLY_H
#define CTL_REPLY_H

#include <stddef.h>

#define REPLY_HEAD_MAX	16384
#define REPLY_BODY_MAX	(16 * 1024 * 1024)

enum reply_state {
	REPLY_MORE,		/* not whole yet */
	REPLY_DONE,
	REPLY_BAD		/* no HTTP, cut off or too large */
};

struct reply {
	int		 status;	/* 200 to 599, once the head is there */
	char		*body;		/* in buf; with a NUL behind it */
	size_t		 len;
	/* below: its own affair */
	char		*buf;
	size_t		 have;		/* bytes in buf */
	size_t		 size;
	size_t		 at;		/* up to here they are looked at */
	size_t		 left;		/* of the body, or of this chunk */
	int		 how;
};

void	reply_init(struct reply *);
/* Where the next bytes go, and how many at most; NULL when memory is gone.
 * reply_got() is told how many there were, 0 for the end. */
char	*reply_space(struct reply *, size_t *);
enum reply_state reply_got(struct reply *, size_t);
void	reply_free(struct reply *);

#endif
