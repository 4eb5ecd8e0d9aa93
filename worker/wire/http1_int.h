/* Shared by the files of http1; nobody else includes it. */
#ifndef WIRE_HTTP1_INT_H
#define WIRE_HTTP1_INT_H

#include "worker/wire/http1.h"

/* Read the fields of a head, from p to its end (the empty line excluded).
 * 0, or a status with *why. */
int	http1_fields(struct http1_head *, const char *p, const char *end,
	    const char **why);
/* Framing and persistence that requests and responses have in common; what
 * Transfer-Encoding and Content-Length say.  0, or a status with *why. */
int	http1_framing(struct http1_head *, const char **why);
void	http1_head_clear(struct http1_head *);

#endif
