/*
 * A client for what wrk cannot do: exactly so many requests (so that others
 * can be asked whether they counted the same), requests at random moments,
 * and connections that are held.  It sends the bytes of a file again and
 * again and reads answers that have a Content-Length, or, of an event
 * stream, the first bytes behind the head.
 *
 * usage: bench-load count port file connections requests
 *        bench-load rate port file connections rate seconds
 *        bench-load hold port file connections
 *
 * count and rate print one line of JSON.  hold sends one request on each
 * connection, not all of them at once, prints "held" when all are answered,
 * and waits for the end of its standard input.
 */
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IN_MAX		4096		/* an answer, or what is read of it */
#define REQUEST_MAX	65536
#define HOLD_AT_ONCE	64		/* requests under way */

enum state { CONNECTING, IDLE, BUSY, HELD };

struct conn {
	struct conn	*next;		/* in the list of idle ones */
	uint64_t	 due;		/* ns: when its request was due */
	enum state	 state;
	int		 fd;
	size_t		 len;
	char		 in[IN_MAX];
};

enum mode { COUNT, RATE, HOLD };

static enum mode	 mode;
static char		 request[REQUEST_MAX];
static size_t		 request_len;
static struct conn	*conns, *idle;
static size_t		 nconns;
static size_t		 wanted, sent, answered, good;
static uint32_t		*sample;	/* ns, of each answer */
static double		 rate;
static uint64_t		 next_due;
static uint16_t		 port;
static int		 ep;

static size_t	 number(const char *);
static void	 read_request(const char *);
static void	 open_all(void);
static void	 open_one(struct conn *);
static void	 loop(void);
static void	 send_due(void);
static void	 send_request(struct conn *, uint64_t);
static void	 serve(struct conn *);
static int	 whole(struct conn *);
static void	 wait_events(void);
static uint64_t	 now_ns(void);
static uint64_t	 pause_ns(void);
static void	 report(void);
static int	 compare(const void *, const void *);

int
main(int argc, char *argv[])
{
	struct rlimit	 rl;
	const char	*what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "count") == 0 && argc == 6)
		mode = COUNT;
	else if (strcmp(what, "rate") == 0 && argc == 7)
		mode = RATE;
	else if (strcmp(what, "hold") == 0 && argc == 5)
		mode = HOLD;
	else
		errx(2, "usage: bench-load count|rate|hold port file "
		    "connections [requests | rate seconds]");
	signal(SIGPIPE, SIG_IGN);
	/* to the point, without the 50 us that timers may be late */
	prctl(PR_SET_TIMERSLACK, 1UL);
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	port = (uint16_t)number(argv[2]);
	read_request(argv[3]);
	nconns = wanted = number(argv[4]);
	if (mode == RATE) {
		rate = (double)number(argv[5]);
		wanted = number(argv[5]) * number(argv[6]);
	} else if (mode == COUNT)
		wanted = number(argv[5]);
	if ((sample = calloc(wanted, sizeof(*sample))) == NULL)
		err(1, "calloc");
	srand48(getpid());
	open_all();
	loop();
	report();
	return (0);
}

static size_t
number(const char *s)
{
	char		*end;
	unsigned long	 n = strtoul(s, &end, 10);

	if (*end != '\0' || n == 0 || n > 100000000)
		errx(2, "not a number: %s", s);
	return (n);
}

static void
read_request(const char *path)
{
	FILE	*f = fopen(path, "r");

	if (f == NULL)
		err(1, "%s", path);
	request_len = fread(request, 1, sizeof(request), f);
	fclose(f);
	if (request_len == 0 || request_len == sizeof(request))
		errx(1, "%s: not a request", path);
}

/* A few at a time, so that nobody's queue is full. */
static void
open_all(void)
{
	size_t	 i;

	if ((ep = epoll_create1(EPOLL_CLOEXEC)) == -1)
		err(1, "epoll_create1");
	if ((conns = calloc(nconns, sizeof(*conns))) == NULL)
		err(1, "calloc");
	for (i = 0; i < nconns; i++) {
		open_one(&conns[i]);
		if (i % 100 == 99)
			usleep(1000);
	}
}

static void
open_one(struct conn *c)
{
	struct epoll_event	 ev = { .events = EPOLLIN, .data.ptr = c };
	struct sockaddr_in	 sin;
	int			 one = 1;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		err(1, "socket");
	if (connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		err(1, "epoll_ctl");
	c->state = IDLE;
	c->next = idle;
	idle = c;
}

static void
loop(void)
{
	next_due = now_ns() + pause_ns();
	while (answered < wanted) {
		send_due();
		wait_events();
	}
	if (mode != HOLD)
		return;
	puts("held");
	fflush(stdout);
	while (getchar() != EOF)
		;
}

/* What is due and finds no connection waits; its time runs. */
static void
send_due(void)
{
	struct conn	*c;
	uint64_t	 t = now_ns();

	while (sent < wanted && (c = idle) != NULL &&
	    (mode != RATE || next_due <= t) &&
	    (mode != HOLD || sent - answered < HOLD_AT_ONCE)) {
		idle = c->next;
		send_request(c, mode == RATE ? next_due : t);
		next_due += pause_ns();
	}
}

static void
send_request(struct conn *c, uint64_t due)
{
	c->due = due;
	c->len = 0;
	c->state = BUSY;
	sent++;
	if (send(c->fd, request, request_len, 0) != (ssize_t)request_len)
		err(1, "send");
}

static void
wait_events(void)
{
	struct epoll_event	 ev[64];
	struct timespec		 ts = { 0, 0 };
	uint64_t		 t = now_ns();
	int			 i, n, timed;

	timed = mode == RATE && sent < wanted && idle != NULL;
	if (timed && next_due > t) {
		ts.tv_sec = (time_t)((next_due - t) / 1000000000);
		ts.tv_nsec = (long)((next_due - t) % 1000000000);
	}
	n = epoll_pwait2(ep, ev, 64, timed ? &ts : NULL, NULL);
	if (n == -1 && errno != EINTR)
		err(1, "epoll_pwait2");
	for (i = 0; i < n; i++)
		serve(ev[i].data.ptr);
}

static void
serve(struct conn *c)
{
	uint64_t	 ns;
	ssize_t		 n;

	n = recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len,
	    MSG_DONTWAIT);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0)
		errx(1, "the server closed a connection (%zu answers)",
		    answered);
	if (c->state != BUSY)
		errx(1, "more than was asked for");
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	if (!whole(c))
		return;
	ns = now_ns() - c->due;
	sample[answered++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
	if (strncmp(c->in, "HTTP/1.1 200 ", 13) == 0)
		good++;
	else if (good + 1 == answered)
		warnx("not 200: %.200s", c->in);
	c->state = mode == HOLD ? HELD : IDLE;
	if (mode == HOLD)
		return;
	c->next = idle;
	idle = c;
}

/* Is the answer here? */
static int
whole(struct conn *c)
{
	const char	*body = strstr(c->in, "\r\n\r\n"), *p;

	if (body != NULL) {
		body += 4;
		p = strcasestr(c->in, "\r\nContent-Length:");
		if (p == NULL || p >= body)
			return (*body != '\0');
		if (c->len >= (size_t)(body - c->in) +
		    strtoul(p + 17, NULL, 10))
			return (1);
	}
	if (c->len == sizeof(c->in) - 1)
		errx(1, "an answer of more than %d bytes", IN_MAX);
	return (0);
}

static uint64_t
now_ns(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

/* Between two requests at random moments. */
static uint64_t
pause_ns(void)
{
	if (mode != RATE)
		return (0);
	return ((uint64_t)(-log(1 - drand48()) / rate * 1e9));
}

static int
compare(const void *a, const void *b)
{
	uint32_t	 x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y ? -1 : x > y);
}

static void
report(void)
{
	if (mode == HOLD)
		return;
	qsort(sample, answered, sizeof(*sample), compare);
	printf("{\"answers\": %zu, \"good\": %zu, \"p50_us\": %.1f, "
	    "\"p99_us\": %.1f, \"max_us\": %.1f}\n", answered, good,
	    sample[answered / 2] / 1e3, sample[answered * 99 / 100] / 1e3,
	    sample[answered - 1] / 1e3);
}
