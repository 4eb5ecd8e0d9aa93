/*
 * Channels: imsg framing over SOCK_SEQPACKET.
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/imsg.h"

#define PER_TURN	64	/* messages read in one go */
#define FDS_MAX		8	/* room to receive, and close, too many */
#define RETRY_MS	10	/* when the kernel is short of something */

struct header {
	uint32_t	 type;
	uint32_t	 len;
	uint32_t	 peerid;
	uint32_t	 pid;
};

struct outgoing {
	TAILQ_ENTRY(outgoing) link;
	int		 fd;
	size_t		 len;
	uint8_t		 data[];	/* header and body */
};

struct channel {
	struct event	*read_ev;
	struct event	*write_ev;
	struct event	*retry_ev;
	channel_cb	 cb;
	void		*arg;
	int		 fd;
	int		 dead;		/* broken: sends and delivers nothing */
	int		 mute;		/* nothing can be sent any more */
	int		 busy;		/* inside its callback */
	int		 doomed;	/* freed inside its callback */
	size_t		 nqueued;
	TAILQ_HEAD(, outgoing) queue;
};

static void	 channel_read(evutil_socket_t, short, void *);
static void	 channel_take(struct channel *, int);
static void	 channel_write(evutil_socket_t, short, void *);
static void	 channel_deliver(struct channel *, struct imsg *);
static void	 channel_break(struct channel *);
static void	 channel_drop(struct channel *);
static void	 channel_destroy(struct channel *);
static int	 channel_push(struct channel *);
static int	 send_one(int, const struct outgoing *);
static int	 receive(int, struct imsg *, uint8_t *);
static int	 take_fds(struct msghdr *, int *);

int
imsg_pair(int sv[2])
{
	return (socketpair(AF_UNIX,
	    SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv));
}

struct channel *
channel_new(struct event_base *base, int fd, channel_cb cb, void *arg)
{
	struct channel	*ch;
	int		 flags;

	if ((ch = calloc(1, sizeof(*ch))) == NULL) {
		close(fd);
		return (NULL);
	}
	/* a descriptor that came in a message is set up already, and a
	 * sandbox may not let us say so again */
	if ((flags = fcntl(fd, F_GETFL)) != -1 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	ch->fd = fd;
	ch->cb = cb;
	ch->arg = arg;
	TAILQ_INIT(&ch->queue);
	ch->read_ev = event_new(base, fd, EV_READ | EV_PERSIST, channel_read,
	    ch);
	ch->write_ev = event_new(base, fd, EV_WRITE, channel_write, ch);
	ch->retry_ev = evtimer_new(base, channel_write, ch);
	if (ch->read_ev == NULL || ch->write_ev == NULL ||
	    ch->retry_ev == NULL || event_add(ch->read_ev, NULL) == -1) {
		channel_destroy(ch);
		return (NULL);
	}
	return (ch);
}

void
channel_free(struct channel *ch)
{
	if (ch == NULL)
		return;
	channel_break(ch);
	if (ch->busy)
		ch->doomed = 1;
	else
		channel_destroy(ch);
}

static void
channel_destroy(struct channel *ch)
{
	channel_break(ch);
	if (ch->read_ev != NULL)
		event_free(ch->read_ev);
	if (ch->write_ev != NULL)
		event_free(ch->write_ev);
	if (ch->retry_ev != NULL)
		event_free(ch->retry_ev);
	close(ch->fd);
	free(ch);
}

/* Nothing goes out or comes in any more. */
static void
channel_break(struct channel *ch)
{
	ch->dead = 1;
	if (ch->read_ev != NULL)
		event_del(ch->read_ev);
	if (ch->write_ev != NULL)
		event_del(ch->write_ev);
	if (ch->retry_ev != NULL)
		event_del(ch->retry_ev);
	while (ch->nqueued > 0)
		channel_drop(ch);
}

/* The first message of the queue is sent, or will never be. */
static void
channel_drop(struct channel *ch)
{
	struct outgoing	*o = TAILQ_FIRST(&ch->queue);

	TAILQ_REMOVE(&ch->queue, o, link);
	ch->nqueued--;
	if (o->fd != -1)
		close(o->fd);
	/* a connection that is handed over may bring a token with it */
	explicit_bzero(o->data, o->len);
	free(o);
}

int
channel_send(struct channel *ch, uint32_t type, uint32_t peerid, int fd,
    const void *data, size_t len)
{
	struct header	 h = { type, (uint32_t)len, peerid,
			    (uint32_t)getpid() };
	struct outgoing	*o = NULL;

	if (ch == NULL || ch->dead || ch->mute || len > IMSG_BODY_MAX ||
	    ch->nqueued >= IMSG_QUEUE_MAX ||
	    (o = malloc(sizeof(*o) + sizeof(h) + len)) == NULL) {
		if (fd != -1)
			close(fd);
		return (-1);
	}
	o->fd = fd;
	o->len = sizeof(h) + len;
	memcpy(o->data, &h, sizeof(h));
	if (len > 0)
		memcpy(o->data + sizeof(h), data, len);
	TAILQ_INSERT_TAIL(&ch->queue, o, link);
	ch->nqueued++;
	if (ch->nqueued == 1)
		channel_push(ch);
	return (0);
}

static void
channel_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	channel_push(arg);
}

/* Send what can be sent.  0, or the error that the rest waits for. */
static int
channel_push(struct channel *ch)
{
	static const struct timeval	 retry = { 0, RETRY_MS * 1000 };

	while (ch->nqueued > 0) {
		if (send_one(ch->fd, TAILQ_FIRST(&ch->queue)) == 0) {
			channel_drop(ch);
			continue;
		}
		switch (errno) {
		case EAGAIN:
			event_add(ch->write_ev, NULL);
			return (EAGAIN);
		case ENOBUFS:
		case ENOMEM:
		case ETOOMANYREFS:
			/* the socket may be writable all the while */
			event_add(ch->retry_ev, &retry);
			return (ENOBUFS);
		}
		/* what the peer said last can still be read: the reader
		 * tells the owner when it comes to the end */
		ch->mute = 1;
		while (ch->nqueued > 0)
			channel_drop(ch);
		event_active(ch->read_ev, EV_READ, 0);
	}
	return (0);
}

static int
send_one(int fd, const struct outgoing *o)
{
	union {
		struct cmsghdr	 hdr;
		char		 space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec	 iov = { (void *)(uintptr_t)o->data, o->len };
	struct msghdr	 msg;
	struct cmsghdr	*c;
	ssize_t		 n;

	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (o->fd != -1) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &o->fd, sizeof(int));
	}
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return (n == -1 ? -1 : 0);
}

int
channel_flush(struct channel *ch, int ms)
{
	struct pollfd	 pfd;
	struct timespec	 now, end;
	int		 error;

	if (ch == NULL)
		return (-1);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += ms / 1000;
	end.tv_nsec += ms % 1000 * 1000000L;
	while ((error = channel_push(ch)) != 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		ms = (int)((end.tv_sec - now.tv_sec) * 1000 +
		    (end.tv_nsec - now.tv_nsec) / 1000000);
		if (ms <= 0)
			return (-1);
		pfd.fd = ch->fd;
		pfd.events = POLLOUT;
		if (error == EAGAIN)
			poll(&pfd, 1, ms);
		else
			poll(NULL, 0, RETRY_MS);
	}
	return (ch->dead || ch->mute ? -1 : 0);
}

size_t
channel_queued(const struct channel *ch)
{
	return (ch->nqueued);
}

int
channel_fd(const struct channel *ch)
{
	return (ch->fd);
}

int
imsg_take_fd(struct imsg *m)
{
	int	 fd = m->fd;

	m->fd = -1;
	return (fd);
}

static void
channel_read(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	channel_take(arg, PER_TURN);
}

/* Deliver what has come in, at most max messages. */
static void
channel_take(struct channel *ch, int max)
{
	uint8_t		 body[sizeof(struct header) + IMSG_BODY_MAX];
	struct imsg	 m;
	size_t		 len;
	int		 i, r;

	for (i = 0; i < max && !ch->dead; i++) {
		if ((r = receive(ch->fd, &m, body)) == -2 && !ch->mute)
			break;
		if (r == 1) {
			len = m.len;
			channel_deliver(ch, &m);
			if (m.fd != -1)
				close(m.fd);
			explicit_bzero(body, sizeof(struct header) + len);
		} else {
			channel_break(ch);
			channel_deliver(ch, NULL);
		}
		if (ch->doomed) {
			channel_destroy(ch);
			return;
		}
	}
	if (ch->mute && !ch->dead)
		event_active(ch->read_ev, EV_READ, 0);
}

void
channel_drain(struct channel *ch)
{
	if (ch != NULL && !ch->busy)
		channel_take(ch, IMSG_QUEUE_MAX);
}

static void
channel_deliver(struct channel *ch, struct imsg *m)
{
	ch->busy++;
	ch->cb(ch, m, ch->arg);
	ch->busy--;
}

/* 1 a message; 0 end of file; -1 an error or broken framing; -2 none now. */
static int
receive(int fd, struct imsg *m, uint8_t *buf)
{
	union {
		struct cmsghdr	 hdr;
		char		 space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct header	 h;
	struct iovec	 iov = { buf, sizeof(h) + IMSG_BODY_MAX };
	struct msghdr	 msg;
	ssize_t		 n;
	int		 resets = 0;

	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &control;
	msg.msg_controllen = sizeof(control);
	m->fd = -1;
	m->lost = 0;
	/* a peer that left with messages unread resets the socket, once, but
	 * its own last words are still there */
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && (errno == EINTR ||
	    (errno == ECONNRESET && resets++ == 0)));
	if (n == -1)
		return (errno == EAGAIN || errno == EWOULDBLOCK ? -2 : -1);
	if (n == 0 && msg.msg_controllen == 0)
		return (0);
	if (take_fds(&msg, &m->fd) == -1 || (msg.msg_flags & MSG_TRUNC) != 0 ||
	    (size_t)n < sizeof(h))
		goto broken;
	/* none came: our fault; some did: there were too many */
	m->lost = (msg.msg_flags & MSG_CTRUNC) != 0;
	if (m->lost && m->fd != -1)
		goto broken;
	memcpy(&h, buf, sizeof(h));
	if (h.len != (size_t)n - sizeof(h))
		goto broken;
	m->type = h.type;
	m->peerid = h.peerid;
	m->pid = h.pid;
	m->data = buf + sizeof(h);
	m->len = h.len;
	return (1);
broken:
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	return (-1);
}

/* At most one descriptor; what comes in excess is closed.  0, or -1. */
static int
take_fds(struct msghdr *msg, int *fd)
{
	struct cmsghdr	*c;
	size_t		 i, n;
	int		 got, excess = 0;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET ||
		    c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&got, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(got));
			if (*fd == -1) {
				*fd = got;
				continue;
			}
			close(got);
			excess = 1;
		}
	}
	return (excess ? -1 : 0);
}

int
imsg_recv_wait(int fd, struct imsg *m, uint8_t *buf, int ms)
{
	static uint8_t	 packet[sizeof(struct header) + IMSG_BODY_MAX];
	struct pollfd	 pfd = { fd, POLLIN, 0 };
	int		 r;

	while ((r = receive(fd, m, packet)) == -2) {
		r = poll(&pfd, 1, ms);
		if (r == 0 || (r == -1 && errno != EINTR))
			return (-1);
	}
	if (r == 1 && m->lost)
		return (-1);
	if (r != 1)
		return (r);
	memcpy(buf, m->data, m->len);
	m->data = buf;
	return (1);
}
