/*
 * Messages between processes: imsg framing over a SOCK_SEQPACKET socketpair.
 * One packet is one message: a fixed header (type, length, peer id, pid), a
 * body of at most IMSG_BODY_MAX bytes, and at most one descriptor.  The
 * packet boundary is the kernel's, so a message and its descriptor can
 * neither be torn nor paired with another's.
 *
 * A channel is one end in an event loop.  The descriptor that a message came
 * in on is its sender's identity; peer id and pid are informative only.
 *
 * A process at its limit of descriptors cannot receive one: the kernel drops
 * it, and the message comes without it and says so.
 */
#ifndef COMMON_IMSG_H
#define COMMON_IMSG_H

#include <sys/queue.h>

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#define IMSG_BODY_MAX	16384
#define IMSG_QUEUE_MAX	4096	/* messages that may wait in one channel */

struct imsg {
	uint32_t	 type;
	uint32_t	 peerid;
	uint32_t	 pid;
	int		 fd;	/* or -1; the receiver must take or lose it */
	int		 lost;	/* it had one that there was no room for */
	const uint8_t	*data;	/* valid during the callback only */
	size_t		 len;
};

struct channel;

/* imsg: a message; its fd is closed after the callback unless imsg_take_fd()
 * took it.  NULL: the peer is gone (end of file or an error) or broke the
 * framing; the channel is then dead: it sends and delivers nothing more, and
 * the owner frees it (it may do so in the callback). */
typedef void (*channel_cb)(struct channel *, struct imsg *, void *);

/* Take over fd (made non-blocking and close-on-exec) and read from it in
 * base.  NULL only when memory is gone (fd is then closed). */
struct channel *channel_new(struct event_base *, int fd, channel_cb, void *);
void	channel_free(struct channel *);		/* closes; NULL is fine */

/* Queue a message; sends at once when it can.  fd, or -1, is taken over in
 * every case.  0, or -1: too long, channel dead, or IMSG_QUEUE_MAX reached
 * (the message is lost; the caller decides whether that kills the peer). */
int	channel_send(struct channel *, uint32_t type, uint32_t peerid, int fd,
	    const void *, size_t);
/* Send what is queued, blocking for at most ms milliseconds; for last words
 * and for start-up.  0 when the queue is empty, else -1. */
int	channel_flush(struct channel *, int ms);
/* Deliver at once what has come in, as the event loop would; for what a dead
 * peer said last.  Not inside the channel's own callback (does nothing). */
void	channel_drain(struct channel *);
size_t	channel_queued(const struct channel *);
int	channel_fd(const struct channel *);

/* The descriptor of a message becomes the caller's. */
int	imsg_take_fd(struct imsg *);

/* Blocking single read for start-up, before there is an event loop: waits at
 * most ms.  buf holds IMSG_BODY_MAX bytes and backs imsg->data.  1 message,
 * 0 end of file, -1 error or time-out. */
int	imsg_recv_wait(int fd, struct imsg *, uint8_t *buf, int ms);

/* A connected pair, both ends close-on-exec and non-blocking; 0 or -1. */
int	imsg_pair(int sv[2]);

#endif
