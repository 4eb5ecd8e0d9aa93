/*
 * The channels to the fetcher and to the keeper.  Each module that asks one of
 * them registers here what takes the answers, and what asks again when a new
 * process replaces a dead one; nothing is known here of any of them.
 */
#ifndef BASE_PEER_H
#define BASE_PEER_H

#include <event2/event.h>

#include "common/imsg.h"
#include "common/proto.h"

/* Once, before any channel comes.  gone is called when the channel to that
 * role has ended (the master is to send the next one); heard after every
 * message that was taken. */
void	peer_setup(struct event_base *, void (*gone)(enum proto_role),
	    void (*heard)(void));
/* Messages of this type from that role go to take, which returns 0, or -1
 * when one is malformed: then the channel ends.  It may take the descriptor
 * (imsg_take_fd()).  One for each type, again for the same is harmless. */
void	peer_handle(enum proto_role, enum proto_type,
	    int (*take)(struct imsg *));
/* again is called when there is a new channel to that role. */
void	peer_renewed(enum proto_role, void (*again)(void));

/* MSG_PEER of the master: a channel to the fetcher or the keeper.  0, or -1:
 * malformed. */
int	peer_take(struct imsg *);
/* The same: to this role; fd is taken over.  The one before is closed. */
void	peer_attach(enum proto_role, int fd);
/* Where to send; NULL while there is none. */
struct channel *peer_channel(enum proto_role);

#endif
