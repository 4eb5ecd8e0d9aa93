/*
 * Our own sd_notify(3): no library is needed for a datagram.
 */
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/notify.h"

#define TEXT_MAX	512
#define QUEUE_MAX	16		/* each reload says two things */
#define AGAIN_MS	100
#define STOP_MORE_MS	10000		/* of those who must be killed */

struct word {
	TAILQ_ENTRY(word) link;
	char		 text[TEXT_MAX];
	int		 fd;		/* that goes with it, or -1 */
};

static TAILQ_HEAD(, word) queue = TAILQ_HEAD_INITIALIZER(queue);
static size_t		 queued;
static int		 sock = -1;
static struct event	*again_ev;
static struct event	*dog_ev;
static uint64_t		 dog_us;	/* 0: there is none */
static pid_t		 dog_pid;	/* for whom it is; 0: for everybody */

static int	 address(const char *, struct sockaddr_un *, socklen_t *);
static void	 find_dog(void);
static void	 say(int, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static ssize_t	 send_word(const struct word *);
static void	 flush(void);
static void	 on_again(evutil_socket_t, short, void *);
static void	 on_dog(evutil_socket_t, short, void *);
static uint64_t	 number(const char *);

void
notify_setup(void)
{
	struct sockaddr_un	 un;
	const char		*path = getenv("NOTIFY_SOCKET");
	socklen_t		 len;

	if (path != NULL && address(path, &un, &len) == -1)
		log_warnx("daemon.notify_failed", LOG_KV(KV("file", path)),
		    "NOTIFY_SOCKET: expected a path, or @ and a name, got "
		    "\"%s\"", path);
	else if (path != NULL) {
		sock = socket(AF_UNIX,
		    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (sock == -1 ||
		    connect(sock, (struct sockaddr *)&un, len) == -1) {
			log_warn("daemon.notify_failed",
			    LOG_KV(KV("file", path)), "NOTIFY_SOCKET: %s",
			    path);
			if (sock != -1)
				close(sock);
			sock = -1;
		}
	}
	find_dog();
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

/* A name that begins with @ is an abstract one, of just so many bytes. */
static int
address(const char *path, struct sockaddr_un *un, socklen_t *len)
{
	size_t	 n = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || n < 2 ||
	    n >= sizeof(un->sun_path))
		return (-1);
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, n);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (path[0] == '@')
		un->sun_path[0] = '\0';
	else
		*len += 1;
	return (0);
}

static void
find_dog(void)
{
	const char	*usec = getenv("WATCHDOG_USEC");
	const char	*pid = getenv("WATCHDOG_PID");

	if (sock == -1 || usec == NULL)
		return;
	dog_us = number(usec);
	if (pid != NULL)
		dog_pid = (pid_t)number(pid);
	if (dog_us == 0 || (pid != NULL && dog_pid <= 0))
		log_warnx("daemon.notify_failed", NULL,
		    "WATCHDOG_USEC, WATCHDOG_PID: expected numbers");
	if (pid != NULL && dog_pid <= 0)
		dog_us = 0;
}

/* 0: it is none. */
static uint64_t
number(const char *s)
{
	const char	*bad;
	long long	 n;

	n = strtonum(s, 1, INT64_MAX, &bad);
	return (bad == NULL ? (uint64_t)n : 0);
}

void
notify_watch(struct event_base *base)
{
	struct timeval	 tv;

	if (sock == -1)
		return;
	if ((again_ev = evtimer_new(base, on_again, NULL)) == NULL)
		fatalx("evtimer_new");
	if (dog_us == 0 || (dog_pid != 0 && dog_pid != getpid()))
		return;
	tv.tv_sec = (time_t)(dog_us / 2 / 1000000);
	tv.tv_usec = (suseconds_t)(dog_us / 2 % 1000000);
	dog_ev = event_new(base, -1, EV_PERSIST, on_dog, NULL);
	if (dog_ev == NULL || event_add(dog_ev, &tv) == -1)
		fatalx("event_new");
}

int
notify_keep(int fd, const char *name)
{
	const char	*store = getenv("FDSTORE");
	int		 has = store != NULL && number(store) > 0;

	(void)unsetenv("FDSTORE");
	if (sock == -1)
		return (0);
	/* the socket of another listen address would never be served */
	say(-1, "FDSTOREREMOVE=1\nFDNAME=%s\n", name);
	if (fd != -1)
		say(fd, "FDSTORE=1\nFDNAME=%s\n", name);
	return (has);
}

void
notify_reloading(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	say(-1, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading the "
	    "configuration again\n", (uint64_t)ts.tv_sec * 1000000 +
	    (uint64_t)ts.tv_nsec / 1000);
}

void
notify_serving(uint32_t generation, unsigned workers, const char *refused)
{
	char	 why[256], *p;

	(void)strlcpy(why, refused != NULL ? refused : "", sizeof(why));
	/* a line of its own would be a word of its own */
	for (p = why; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	say(-1, "READY=1\nSTATUS=Generation %u serves with %u workers%s%s\n",
	    generation, workers, refused != NULL ?
	    "; the newer configuration is refused: " : "", why);
}

void
notify_stopping(uint64_t ms)
{
	say(-1, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\n"
	    "STATUS=Stopping\n", (ms + STOP_MORE_MS) * 1000);
}

static void
say(int fd, const char *fmt, ...)
{
	struct word	*w;
	va_list		 ap;

	if (sock == -1 || (w = malloc(sizeof(*w))) == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
	w->fd = fd;
	TAILQ_INSERT_TAIL(&queue, w, link);
	if (++queued > QUEUE_MAX) {
		w = TAILQ_FIRST(&queue);
		TAILQ_REMOVE(&queue, w, link);
		free(w);
		queued--;
	}
	flush();
}

static void
flush(void)
{
	struct timeval	 tv = { 0, AGAIN_MS * 1000 };
	struct word	*w;

	while ((w = TAILQ_FIRST(&queue)) != NULL) {
		if (send_word(w) == -1) {
			if (errno == EAGAIN || errno == ENOBUFS) {
				if (again_ev != NULL)
					evtimer_add(again_ev, &tv);
				return;
			}
			log_warn("daemon.notify_failed", NULL,
			    "the service manager cannot be told");
		}
		TAILQ_REMOVE(&queue, w, link);
		free(w);
		queued--;
	}
}

static ssize_t
send_word(const struct word *w)
{
	union {
		struct cmsghdr	 head;
		char		 room[CMSG_SPACE(sizeof(int))];
	} c;
	struct iovec	 iov = { (void *)(uintptr_t)w->text, strlen(w->text) };
	struct msghdr	 m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (w->fd != -1) {
		memset(&c, 0, sizeof(c));
		c.head.cmsg_level = SOL_SOCKET;
		c.head.cmsg_type = SCM_RIGHTS;
		c.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.head), &w->fd, sizeof(int));
		m.msg_control = &c;
		m.msg_controllen = sizeof(c);
	}
	return (sendmsg(sock, &m, MSG_NOSIGNAL));
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	flush();
}

static void
on_dog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	say(-1, "WATCHDOG=1\n");
}
