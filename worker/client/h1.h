/*
 * HTTP/1 on a client's connection, on its way in: heads, and the framing of
 * bodies.
 */
#ifndef CLIENT_H1_H
#define CLIENT_H1_H

#include "worker/client/conn.h"

extern const struct client_ops h1_ops;

/* Once, after conn_init(). */
void	h1_setup(void);
/* Go as far as the input at hand allows. */
void	h1_process(struct conn *);
/* The answer is out: close, or turn to the next request. */
void	h1_sent(struct conn *);
/* As if nobody had read the head; it has been judged by nobody. */
void	h1_unbegin(struct conn *);
/* Is its request's body being read? */
static inline int
h1_wants_input(const struct conn *c)
{
	return (c->framing != HTTP1_BODY_NONE && c->headlen == 0);
}

#endif
