/*
 * HTTP/1 on a client's connection, on its way in: framing of bodies.
 */
#ifndef WORKER_H1_H
#define WORKER_H1_H

struct request;

/* Is its body being read? */
int	h1_wants_input(const struct request *);
/* Take what is in, then read on, until the body is whole (the request goes on)
 * or nothing comes. */
void	h1_input(struct request *);
/* The head is judged.  The credential goes no further than this. */
void	h1_drop_head(struct request *);

#endif
