/*
 * What both servers of the demo need of HTTP.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "regress/demo/json_out.h"
#include "regress/demo/server.h"

#define HEADERS_MAX	(64 * 1024)
#define UNREAD_MAX	(1024 * 1024)	/* sent while we answer */
#define FILES_MAX	65536

static void	 address_parse(const char *, struct sockaddr_in *);
static void	 listen_on(struct server *, const struct sockaddr_in *);
static void	 raise_files(void);
static void	 on_signal(evutil_socket_t, short, void *);
static void	 on_accept_error(struct evconnlistener *, void *);
static void	 on_again(evutil_socket_t, short, void *);
static struct bufferevent *connection_new(struct event_base *, void *);

void
server_open(struct server *s, const char *address, size_t max_body)
{
	struct sockaddr_in	 sin;

	memset(s, 0, sizeof(*s));
	address_parse(address, &sin);
	raise_files();
	signal(SIGPIPE, SIG_IGN);
	if ((s->base = event_base_new()) == NULL ||
	    (s->http = evhttp_new(s->base)) == NULL ||
	    (s->term = evsignal_new(s->base, SIGTERM, on_signal, s)) == NULL ||
	    (s->intr = evsignal_new(s->base, SIGINT, on_signal, s)) == NULL ||
	    event_add(s->term, NULL) == -1 || event_add(s->intr, NULL) == -1)
		errx(1, "cannot set up libevent");
	evhttp_set_max_headers_size(s->http, HEADERS_MAX);
	evhttp_set_max_body_size(s->http, (ev_ssize_t)max_body);
	evhttp_set_timeout(s->http, SERVER_TIMEOUT);
	evhttp_set_default_content_type(s->http, NULL);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD |
	    EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
	    EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	evhttp_set_bevcb(s->http, connection_new, NULL);
	listen_on(s, &sin);
}

void
server_run(struct server *s)
{
	printf("listening on %s\n", s->url);
	if (fflush(stdout) != 0)
		err(1, "stdout");
	if (event_base_dispatch(s->base) == -1)
		errx(1, "event loop");
}

void
server_close(struct server *s)
{
	evhttp_free(s->http);
	event_free(s->term);
	event_free(s->intr);
	event_base_free(s->base);
	libevent_global_shutdown();
	memset(s, 0, sizeof(*s));
}

const char *
server_field(struct evhttp_request *req, const char *name)
{
	return (evhttp_find_header(evhttp_request_get_input_headers(req),
	    name));
}

int
server_is_type(const char *value, const char *type)
{
	size_t	 len;

	if (value == NULL)
		return (0);
	value += strspn(value, " \t");
	len = strcspn(value, ";, \t");
	return (len == strlen(type) && strncasecmp(value, type, len) == 0);
}

int
server_allow(struct evhttp_request *req, int methods, const char *allow)
{
	if ((evhttp_request_get_command(req) & methods) != 0)
		return (1);
	server_add(req, "Allow", allow);
	server_empty(req, 405);
	return (0);
}

void
server_add(struct evhttp_request *req, const char *name, const char *value)
{
	if (evhttp_add_header(evhttp_request_get_output_headers(req), name,
	    value) == -1)
		errx(1, "cannot add the field %s", name);
}

void
server_json(struct evhttp_request *req, int status, yajl_gen g)
{
	struct evbuffer	*out;
	const char	*text;
	size_t		 len;

	text = json_out_text(g, &len);
	if ((out = evbuffer_new()) == NULL ||
	    evbuffer_add(out, text, len) == -1 ||
	    evbuffer_add(out, "\n", 1) == -1)
		errx(1, "no memory");
	yajl_gen_free(g);
	server_add(req, "Content-Type", "application/json");
	evhttp_send_reply(req, status, NULL, out);
	evbuffer_free(out);
}

void
server_empty(struct evhttp_request *req, int status)
{
	evhttp_send_reply(req, status, NULL, NULL);
}

static void
address_parse(const char *address, struct sockaddr_in *sin)
{
	const char	*colon, *why;
	char		 host[INET_ADDRSTRLEN];
	size_t		 len;
	long long	 port;

	colon = strrchr(address, ':');
	if (colon == NULL || (len = (size_t)(colon - address)) >= sizeof(host))
		errx(1, "-l: want ADDRESS:PORT");
	memcpy(host, address, len);
	host[len] = '\0';
	port = strtonum(colon + 1, 0, 65535, &why);
	if (why != NULL)
		errx(1, "-l: the port is %s", why);
	memset(sin, 0, sizeof(*sin));
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &sin->sin_addr) != 1)
		errx(1, "-l: want an IPv4 address and a port");
	/* what we serve has a secret that everybody knows */
	if (ntohl(sin->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		errx(1, "-l: only addresses of loopback");
}

static void
listen_on(struct server *s, const struct sockaddr_in *sin)
{
	struct sockaddr_in	 bound;
	socklen_t		 len = sizeof(bound);
	char			 host[INET_ADDRSTRLEN];
	int			 fd, one = 1;

	s->listener = evconnlistener_new_bind(s->base, NULL, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	    1024, (const struct sockaddr *)sin, sizeof(*sin));
	if (s->listener == NULL)
		err(1, "cannot listen");
	fd = evconnlistener_get_fd(s->listener);
	/* connections inherit it: events shall leave one by one */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1)
		err(1, "TCP_NODELAY");
	if (evhttp_bind_listener(s->http, s->listener) == NULL)
		errx(1, "cannot listen");
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	if (getsockname(fd, (struct sockaddr *)&bound, &len) == -1)
		err(1, "getsockname");
	if (inet_ntop(AF_INET, &bound.sin_addr, host, sizeof(host)) == NULL)
		err(1, "inet_ntop");
	snprintf(s->url, sizeof(s->url), "http://%s:%u", host,
	    (unsigned)ntohs(bound.sin_port));
}

static void
raise_files(void)
{
	struct rlimit	 rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max < FILES_MAX ? rl.rlim_max : FILES_MAX;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		warn("RLIMIT_NOFILE");
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct server	*s = arg;

	(void)sig;
	(void)what;
	event_base_loopbreak(s->base);
}

/* Out of descriptors: to ask again at once would only burn the CPU. */
static void
on_accept_error(struct evconnlistener *l, void *arg)
{
	struct timeval	 tv = { 0, 100000 };

	(void)arg;
	warn("accept");
	evconnlistener_disable(l);
	if (event_base_once(evconnlistener_get_base(l), -1, EV_TIMEOUT,
	    on_again, l, &tv) == -1)
		errx(1, "no memory");
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	evconnlistener_enable(arg);
}

/* The bound holds while we write and evhttp reads nothing. */
static struct bufferevent *
connection_new(struct event_base *base, void *arg)
{
	struct bufferevent	*bev;

	(void)arg;
	if ((bev = bufferevent_socket_new(base, -1, 0)) != NULL)
		bufferevent_setwatermark(bev, EV_READ, 0, UNREAD_MAX);
	return (bev);
}
