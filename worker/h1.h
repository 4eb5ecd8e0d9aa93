/*
 * HTTP/1 on a client's connection, on its way in: heads, and the framing of
 * bodies.
 */
#ifndef WORKER_H1_H
#define WORKER_H1_H

#include <stddef.h>

#include "worker/client.h"

struct conn;
struct http1_head;

extern const struct client_ops h1_ops;

/* Begin the request whose head lies at the front of what came. */
void	h1_begin(struct conn *, const struct http1_head *, size_t headlen);
/* As if nobody had read that head; it has been judged by nobody. */
void	h1_unbegin(struct conn *);
/* Is its body being read? */
int	h1_wants_input(const struct conn *);
/* Take what is in, then read on, until the body is whole (the request goes on)
 * or nothing comes. */
void	h1_input(struct conn *);

#endif
