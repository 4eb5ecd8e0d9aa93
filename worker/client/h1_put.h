/*
 * HTTP/1 on a client's connection, on its way out: the status line, framing,
 * and what is said of the connection.  The calls of struct client_ops are
 * explained there.
 */
#ifndef CLIENT_H1_PUT_H
#define CLIENT_H1_PUT_H

#include <stdint.h>

#include "common/slice.h"

struct buf;
struct client;
struct conn;

struct buf *h1_answer(struct client *, int status);
int	h1_fields_end(struct client *, uint64_t length);
int	h1_body(struct client *, struct slice);
void	h1_end(struct client *, int early);
/* 100 (Continue).  0, or -1: the connection is dead now. */
int	h1_continue(struct conn *);
/* A whole 503 that nobody has to have asked for.  0 or -1. */
int	h1_put_no_room(struct conn *, const char *id);

#endif
