/*
 * Who gives way when there are too many connections, or when bodies take too
 * much memory.
 */
#ifndef CLIENT_CONN_ROOM_H
#define CLIENT_CONN_ROOM_H

#include <stdint.h>

struct conn;
struct request;
struct share;

/* It counts for its address.  0, or -1: closed, that has enough. */
int	conn_count_in(struct conn *);
/* One gives way to this one: of an address, or (NULL) of any.  0: none can. */
int	conn_make_room(const struct share *, const struct conn *);
/* Could one give way now? */
int	conn_spare(void);
/* As struct client_ops says. */
struct request *conn_slow_body(const struct request *, uint64_t age);
/* A connection is refused; said once a second. */
void	conn_log_refused(const struct conn *, const char *why);

#endif
