/*
 * The MCP server behind every gateway of the bench: as cheap as can be, so
 * that what is measured is the gateway.  It reads no JSON; the path decides
 * what comes back:
 *
 *	/big	4 MiB of JSON
 *	/sse	16 MiB of events in chunks, the last one the response
 *	/hold	the head of an event stream and one event, then silence
 *	/jwks	the file named on the command line
 *	/stats	how many requests of the other kinds were read whole
 *	others	a small JSON-RPC response
 *
 * usage: bench-backend port [jwks-file]
 */
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define IN_MAX		8192		/* bytes of a head */
#define BIG_SIZE	(4 * 1024 * 1024)
#define SSE_SIZE	(16 * 1024 * 1024)
#define SSE_DATA	"event: message\ndata: {\"jsonrpc\":\"2.0\"," \
    "\"method\":\"notifications/message\",\"params\":{\"level\":\"info\"," \
    "\"data\":\"%0180d\"}}\n\n"
#define SSE_EVENTS	256		/* in a block, each in its own chunk */
#define RESULT		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{" \
    "\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]}}"

/* A part of an answer, sent so many times. */
struct part {
	const char	*p;
	size_t		 len;
	unsigned	 times;
};

struct answer {
	struct part	 part[4];	/* the last one has no times */
};

struct conn {
	const struct answer *answer;	/* being sent, or NULL */
	size_t		 part;
	unsigned	 done;		/* times the part was sent */
	size_t		 off;		/* sent of it this time */
	size_t		 len;		/* bytes in in */
	size_t		 skip;		/* of a body, still to come */
	int		 fd;
	char		 in[IN_MAX];
};

static struct answer	 small, big, sse, hold, jwks, stats;
static uint64_t		 requests;
static int		 ep;

static void		 make_answers(const char *);
static struct part	 make_part(char *, unsigned);
static char		*make_result(size_t);
static char		*make_event_block(void);
static char		*format(const char *, ...)
			    __attribute__((format(printf, 1, 2)));
static char		*read_file(const char *);
static int		 listen_on(const char *);
static void		 take(int);
static void		 serve(struct conn *, uint32_t);
static int		 read_some(struct conn *);
static int		 next_request(struct conn *);
static size_t		 body_length(const char *);
static const struct answer *choose(const char *);
static int		 send_some(struct conn *);
static void		 watch(struct conn *, int, uint32_t);

int
main(int argc, char *argv[])
{
	struct epoll_event	 ev[256];
	struct rlimit		 rl;
	int			 lfd, n, i;

	if (argc < 2 || argc > 3)
		errx(2, "usage: bench-backend port [jwks-file]");
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	make_answers(argc == 3 ? argv[2] : NULL);
	if ((ep = epoll_create1(EPOLL_CLOEXEC)) == -1)
		err(1, "epoll_create1");
	lfd = listen_on(argv[1]);
	ev[0].events = EPOLLIN;
	ev[0].data.ptr = NULL;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &ev[0]) == -1)
		err(1, "epoll_ctl");
	for (;;) {
		n = epoll_wait(ep, ev, 256, -1);
		if (n == -1 && errno != EINTR)
			err(1, "epoll_wait");
		for (i = 0; i < n; i++)
			if (ev[i].data.ptr == NULL)
				take(lfd);
			else
				serve(ev[i].data.ptr, ev[i].events);
	}
}

static void
make_answers(const char *jwks_file)
{
	const char	*json = "HTTP/1.1 200 OK\r\n"
			    "Content-Type: application/json\r\n"
			    "Content-Length: %zu\r\n\r\n%s";
	const char	*stream = "HTTP/1.1 200 OK\r\n"
			    "Content-Type: text/event-stream\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n";
	char		*body, *event, *block;

	body = make_result(2);
	small.part[0] = make_part(format(json, strlen(body), body), 1);
	body = make_result(BIG_SIZE);
	big.part[0] = make_part(format(json, strlen(body), body), 1);
	block = make_event_block();
	sse.part[0] = make_part(format("%s", stream), 1);
	sse.part[1] = make_part(block,
	    (unsigned)(SSE_SIZE / strlen(block) + 1));
	event = format("event: message\ndata: " RESULT "\n\n", "ok");
	sse.part[2] = make_part(format("%zx\r\n%s\r\n0\r\n\r\n",
	    strlen(event), event), 1);
	event = format(": open\n\n");
	hold.part[0] = make_part(format("%s%zx\r\n%s\r\n", stream,
	    strlen(event), event), 1);
	if (jwks_file != NULL) {
		body = read_file(jwks_file);
		jwks.part[0] = make_part(format(json, strlen(body), body), 1);
	}
}

static struct part
make_part(char *text, unsigned times)
{
	return ((struct part){ text, strlen(text), times });
}

/* A response of at least n bytes of text. */
static char *
make_result(size_t n)
{
	char	*text, *body;

	if ((text = malloc(n + 1)) == NULL)
		err(1, "malloc");
	memset(text, 'x', n);
	text[n] = '\0';
	body = format(RESULT, text);
	free(text);
	return (body);
}

static char *
make_event_block(void)
{
	char	*block, *event;
	size_t	 size;
	int	 i, used = 0;

	event = format(SSE_DATA, 0);
	size = SSE_EVENTS * (strlen(event) + 16);
	if ((block = malloc(size)) == NULL)
		err(1, "malloc");
	for (i = 0; i < SSE_EVENTS; i++)
		used += snprintf(block + used, size - (size_t)used,
		    "%zx\r\n%s\r\n", strlen(event), event);
	free(event);
	return (block);
}

static char *
format(const char *fmt, ...)
{
	va_list	 ap;
	char	*s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) == -1)
		err(1, "vasprintf");
	va_end(ap);
	return (s);
}

static char *
read_file(const char *path)
{
	static char	 text[65536];
	FILE		*f;
	size_t		 n;

	if ((f = fopen(path, "r")) == NULL)
		err(1, "%s", path);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return (text);
}

static int
listen_on(const char *port)
{
	struct sockaddr_in	 sin;
	int			 fd, one = 1;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((uint16_t)atoi(port));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "bind %s", port);
	if (listen(fd, 4096) == -1)
		err(1, "listen");
	return (fd);
}

static void
take(int lfd)
{
	struct conn	*c;
	int		 fd, one = 1;

	while ((fd = accept4(lfd, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		if ((c = malloc(sizeof(*c))) == NULL)
			err(1, "malloc");
		memset(c, 0, offsetof(struct conn, in));
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		watch(c, EPOLL_CTL_ADD, EPOLLIN);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		warn("accept");
}

static void
watch(struct conn *c, int op, uint32_t events)
{
	struct epoll_event	 ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(ep, op, c->fd, &ev) == -1)
		err(1, "epoll_ctl");
}

static void
serve(struct conn *c, uint32_t events)
{
	int	 waited = c->answer != NULL;

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 &&
	    read_some(c) == -1)
		goto gone;
	for (;;) {
		if (c->answer != NULL) {
			switch (send_some(c)) {
			case -1:
				goto gone;
			case 0:
				if (!waited)
					watch(c, EPOLL_CTL_MOD,
					    EPOLLIN | EPOLLOUT);
				return;
			}
		}
		if (!next_request(c))
			break;
	}
	if (waited)
		watch(c, EPOLL_CTL_MOD, EPOLLIN);
	return;
gone:
	close(c->fd);
	free(c);
}

/* -1 when the peer is gone. */
static int
read_some(struct conn *c)
{
	ssize_t	 n;

	/* whoever sends that much before an answer waits */
	if (c->len == sizeof(c->in))
		return (0);
	n = read(c->fd, c->in + c->len, sizeof(c->in) - c->len);
	if (n == -1)
		return (errno == EAGAIN || errno == EINTR ? 0 : -1);
	if (n == 0)
		return (-1);
	c->len += (size_t)n;
	return (0);
}

/* Is a whole request in?  1: its answer is chosen. */
static int
next_request(struct conn *c)
{
	const struct answer	*a;
	char			*end;
	size_t			 used;

	if ((end = memmem(c->in, c->len, "\r\n\r\n", 4)) == NULL) {
		if (c->len == sizeof(c->in))
			errx(1, "a head of more than %d bytes", IN_MAX);
		return (0);
	}
	end[2] = '\0';
	used = (size_t)(end + 4 - c->in) + body_length(c->in);
	if (used > sizeof(c->in))
		errx(1, "a request of more than %d bytes", IN_MAX);
	if (c->len < used) {
		end[2] = '\r';
		return (0);
	}
	a = choose(c->in);
	if (a != &stats && a != &jwks)
		requests++;
	c->len -= used;
	memmove(c->in, c->in + used, c->len);
	c->answer = a;
	c->part = c->done = 0;
	c->off = 0;
	return (1);
}

static size_t
body_length(const char *head)
{
	const char	*p = strcasestr(head, "\r\nContent-Length:");

	return (p == NULL ? 0 : strtoul(p + 17, NULL, 10));
}

static const struct answer *
choose(const char *head)
{
	static char	 text[256];
	const char	*path = strchr(head, ' ');
	int		 n;

	if (path == NULL)
		errx(1, "malformed request");
	if (strncmp(++path, "/big", 4) == 0)
		return (&big);
	if (strncmp(path, "/sse", 4) == 0)
		return (&sse);
	if (strncmp(path, "/hold", 5) == 0)
		return (&hold);
	if (strncmp(path, "/jwks", 5) == 0 && jwks.part[0].p != NULL)
		return (&jwks);
	if (strncmp(path, "/stats", 6) != 0)
		return (&small);
	n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n"
	    "Content-Length: 20\r\n\r\n%20ju", (uintmax_t)requests);
	stats.part[0] = (struct part){ text, (size_t)n, 1 };
	return (&stats);
}

/* 1: all of the answer is out; 0: later; -1: the peer is gone. */
static int
send_some(struct conn *c)
{
	const struct part	*p;
	ssize_t			 n;

	while ((p = &c->answer->part[c->part])->times > 0) {
		n = send(c->fd, p->p + c->off, p->len - c->off, 0);
		if (n == -1)
			return (errno == EAGAIN ? 0 : -1);
		if ((c->off += (size_t)n) < p->len)
			continue;
		c->off = 0;
		if (++c->done < p->times)
			continue;
		c->done = 0;
		c->part++;
	}
	c->answer = NULL;
	return (1);
}
