/* Taking connections off the shared listen socket. */
#ifndef CLIENT_ACCEPT_H
#define CLIENT_ACCEPT_H

#include <event2/event.h>

#include <stdint.h>

/* Can what listens there be reached from this host only? */
int	accept_loopback(int fd);
/* fd (taken over) is the listen socket; nothing is accepted yet. */
void	accept_setup(struct event_base *, int fd);
void	accept_start(void);
/* For good: the socket is closed (its queue belongs to whoever lives). */
void	accept_stop(void);
/* For so long nobody is taken. */
void	accept_pause(uint64_t ms);
/* From conn.c: 0 there is no room for more, 1 there is again. */
void	accept_room(int);

#endif
