/*
 * One question, one connection.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mono.h"
#include "ctl/control.h"
#include "ctl/ctl.h"
#include "ctl/jtree.h"
#include "ctl/peek.h"
#include "ctl/reply.h"
#include "ctl/text.h"

#define SHOWN	300		/* bytes of what the gateway says */

static enum control_error say(struct control_answer *, enum control_error,
		    const char *, ...)
		    __attribute__((format(printf, 3, 4)));
static enum control_error dial(const char *, int *, struct control_answer *);
static enum control_error not_connected(const char *,
		    struct control_answer *);
static enum control_error request(int, const char *, const char *, uint64_t,
		    struct control_answer *);
static int		 ready(int, short, uint64_t);
static enum control_error answer(int, uint64_t, struct reply *,
		    struct control_answer *);
static enum control_error judge(const char *, struct reply *,
		    struct control_answer *);

enum control_error
control_ask(const char *method, const char *target, double seconds,
    struct control_answer *a)
{
	struct reply		 r;
	enum control_error	 e;
	char			 path[sizeof(((struct sockaddr_un *)0)->
				    sun_path)];
	uint64_t		 end;
	int			 fd = -1;

	memset(a, 0, sizeof(*a));
	end = mono_ms() + (uint64_t)(seconds * 1000);
	if (peek_socket(path, sizeof(path), a->why, sizeof(a->why)) == -1)
		return (CONTROL_CONFIG);
	if ((e = dial(path, &fd, a)) != CONTROL_OK)
		return (e);
	reply_init(&r);
	if ((e = request(fd, method, target, end, a)) == CONTROL_OK)
		e = answer(fd, end, &r, a);
	close(fd);
	if (e == CONTROL_OK)
		e = judge(target, &r, a);
	reply_free(&r);
	return (e);
}

void
control_free(struct control_answer *a)
{
	yajl_tree_free(a->json);
	free(a->text);
	memset(a, 0, sizeof(*a));
}

static enum control_error
say(struct control_answer *a, enum control_error e, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(a->why, sizeof(a->why), fmt, ap);
	va_end(ap);
	return (e);
}

static enum control_error
dial(const char *path, int *out, struct control_answer *a)
{
	struct sockaddr_un	 sun;
	int			 fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	(void)strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return (say(a, CONTROL_SILENT, "socket: %s",
		    strerror(errno)));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0) {
		*out = fd;
		return (CONTROL_OK);
	}
	close(fd);
	return (not_connected(path, a));
}

static enum control_error
not_connected(const char *path, struct control_answer *a)
{
	const char	*why = strerror(errno);

	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return (say(a, CONTROL_ABSENT, "the gateway is not running, "
		    "or has no control socket there: %s: %s", path, why));
	case EACCES:
	case EPERM:
		return (say(a, CONTROL_DENIED, "%s: %s: only root, the "
		    "gateway's user and the members of control.group may",
		    path, why));
	case EAGAIN:
		return (say(a, CONTROL_SILENT, "%s: the gateway takes no "
		    "more connections there now", path));
	default:
		return (say(a, CONTROL_SILENT, "%s: %s", path, why));
	}
}

static enum control_error
request(int fd, const char *method, const char *target, uint64_t end,
    struct control_answer *a)
{
	char	 buf[512];
	size_t	 len, at;
	ssize_t	 n;

	len = (size_t)snprintf(buf, sizeof(buf), "%s %s HTTP/1.1\r\n"
	    "Host: localhost\r\nUser-Agent: mcpgwctl/" VERSION "\r\n"
	    "Accept: application/json\r\nConnection: close\r\n%s\r\n",
	    method, target, strcmp(method, "POST") == 0 ?
	    "Content-Length: 0\r\n" : "");
	if (len >= sizeof(buf))
		return (say(a, CONTROL_NONSENSE, "the question is too long"));
	for (at = 0; at < len; at += (size_t)n) {
		n = send(fd, buf + at, len - at, MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == EINTR) &&
		    ready(fd, POLLOUT, end))
			n = 0;
		/* it may have answered and closed: the answer says why */
		else if (n == -1 && errno == EPIPE)
			return (CONTROL_OK);
		else if (n == -1)
			return (say(a, CONTROL_SILENT, "the gateway does "
			    "not listen: %s", strerror(errno)));
	}
	return (CONTROL_OK);
}

/* Wait for it, no longer than until end.  0, and errno, if that is over. */
static int
ready(int fd, short what, uint64_t end)
{
	struct pollfd	 p = { .fd = fd, .events = what };
	uint64_t	 now;
	int		 n;

	for (;;) {
		if ((now = mono_ms()) >= end) {
			errno = ETIMEDOUT;
			return (0);
		}
		n = poll(&p, 1, (int)(end - now));
		if (n > 0)
			return (1);
		if (n == -1 && errno != EINTR)
			return (0);
	}
}

static enum control_error
answer(int fd, uint64_t end, struct reply *r, struct control_answer *a)
{
	enum reply_state	 s = REPLY_MORE;
	size_t			 room;
	ssize_t			 n;
	char			*p;

	while (s == REPLY_MORE) {
		if (!ready(fd, POLLIN, end))
			return (say(a, CONTROL_SILENT, "no answer from the "
			    "gateway: %s", strerror(errno)));
		if ((p = reply_space(r, &room)) == NULL)
			return (say(a, CONTROL_SILENT, "out of memory"));
		n = recv(fd, p, room, 0);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n == -1)
			return (say(a, CONTROL_SILENT, "no answer from the "
			    "gateway: %s", strerror(errno)));
		if (n == 0 && r->have == 0)
			return (say(a, CONTROL_SILENT, "the gateway closed "
			    "the connection without an answer"));
		s = reply_got(r, (size_t)n);
	}
	if (s == REPLY_BAD)
		return (say(a, CONTROL_NONSENSE, "what the gateway sent is "
		    "cut off, too long or no HTTP"));
	return (CONTROL_OK);
}

/* What it means.  Refusals have JSON, too. */
static enum control_error
judge(const char *target, struct reply *r, struct control_answer *a)
{
	char	 text[SHOWN];

	a->status = r->status;
	a->json = jtree_parse(r->body, r->len);
	if (r->status == 403 || r->status == 401)
		return (say(a, CONTROL_DENIED, "the gateway answers root, its "
		    "own user and the members of control.group alone"));
	if (r->status == 404 || r->status == 405 || r->status == 501)
		return (say(a, CONTROL_OLD, "the running gateway does not "
		    "know %s: it is of another version than this program; "
		    "restart it", target));
	if (a->json == NULL)
		return (say(a, CONTROL_NONSENSE, "what the gateway sent is "
		    "no JSON (HTTP status %d)", r->status));
	if ((a->text = strndup(r->body, r->len)) == NULL)
		return (say(a, CONTROL_SILENT, "out of memory"));
	a->len = r->len;
	if (r->status == 200)
		return (CONTROL_OK);
	text_fit(jtree_str(a->json, "error"), 200, text, sizeof(text));
	return (say(a, CONTROL_REFUSED, "the gateway refuses (HTTP status "
	    "%d)%s%s", r->status, *text != '\0' ? ": " : "", text));
}

int
control_code(enum control_error e)
{
	switch (e) {
	case CONTROL_OK:
		return (CTL_OK);
	case CONTROL_CONFIG:
		return (CTL_BAD_CONFIG);
	case CONTROL_REFUSED:
		return (CTL_FAILED);
	case CONTROL_OLD:
	case CONTROL_NONSENSE:
		return (CTL_INTERNAL);
	default:
		return (CTL_IO);
	}
}

int
control_complain(enum control_error e, const struct control_answer *a)
{
	if (e != CONTROL_OK)
		warnx("%s", a->why);
	if (e == CONTROL_CONFIG)
		warnx("-s says where the control socket is");
	return (control_code(e));
}

void
control_show(const struct control_answer *a)
{
	text_json((struct slice){ a->text, a->len });
	if (a->len == 0 || a->text[a->len - 1] != '\n')
		(void)putchar('\n');
}

int
control_get(const char *method, const char *target, double seconds,
    struct control_answer *a)
{
	enum control_error	 e;

	if ((e = control_ask(method, target, seconds, a)) != CONTROL_OK)
		return (control_complain(e, a));
	if (ctl_options.json) {
		control_show(a);
		if (ctl_flush() == -1)
			return (CTL_IO);
	}
	return (0);
}
