/*
 * Two servers, one for each door.  Who comes to the control socket could write
 * to its file; it is looked at nevertheless, for a file's mode is soon changed.
 */
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <arpa/inet.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/memfd.h"
#include "monitor/door.h"

#define HEAD_MAX	8192
#define BODY_MAX	1024
#define IDLE_S		10
#define PAUSE_S		1	/* when no descriptor is free */
#define OPEN_MAX	64	/* connections of a door */

/* We hold a reference, so that it can be looked at after its end. */
struct visitor {
	TAILQ_ENTRY(visitor)	 link;
	struct bufferevent	*bev;
	int			 held;		/* waits for the master */
	int			 shown_out;
};

static struct event_base	*base;
static struct evhttp		*server[DOOR_MAX];
static struct monitor_conf	*conf;
static route_finder		 find_route;
static uid_t			 gateway;
static struct event		*pause_ev[DOOR_MAX];
static TAILQ_HEAD(, visitor)	 visitors[DOOR_MAX];	/* the oldest first */
static struct evconnlistener	*listener[DOOR_MAX];

static struct bufferevent *welcome(struct event_base *, void *);
static void	 show_out(uint32_t);
static int	 is_gone(struct bufferevent *);
static void	 request(struct evhttp_request *, void *);
static int	 may_ask(struct evhttp_request *, uint32_t,
		    const struct route *);
static int	 peer_known(struct evhttp_request *);
static int	 host_ours(struct evhttp_request *);
static int	 token_right(struct evhttp_request *);
static void	 no_descriptor(struct evconnlistener *, void *);
static void	 go_on(evutil_socket_t, short, void *);

void
door_setup(struct event_base *b, const struct proto_hello *h, route_finder f)
{
	base = b;
	find_route = f;
	gateway = h->drop ? 0 : geteuid();
	/* libcrypto fetches what it needs before the sandbox */
	(void)EVP_Q_digest(NULL, "SHA256", NULL, "", 0,
	    (unsigned char[EVP_MAX_MD_SIZE]){ 0 }, NULL);
}

int
door_open(uint32_t door, int fd)
{
	static uint32_t	 numbers[DOOR_MAX];
	struct evhttp	*http;

	if (door >= DOOR_MAX || server[door] != NULL) {
		close(fd);
		return (-1);
	}
	/* another one before us may have changed it */
	if (evutil_make_socket_nonblocking(fd) == -1)
		fatal("fcntl");
	numbers[door] = door;
	listener[door] = evconnlistener_new(base, NULL, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	http = evhttp_new(base);
	pause_ev[door] = evtimer_new(base, go_on, &numbers[door]);
	if (listener[door] == NULL || http == NULL || pause_ev[door] == NULL)
		fatalx("evhttp: no memory");
	evhttp_set_max_headers_size(http, HEAD_MAX);
	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_timeout(http, IDLE_S);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD |
	    EVHTTP_REQ_POST);
	evhttp_set_default_content_type(http, NULL);
	TAILQ_INIT(&visitors[door]);
	evhttp_set_bevcb(http, welcome, &numbers[door]);
	evhttp_set_gencb(http, request, &numbers[door]);
	if (evhttp_bind_listener(http, listener[door]) == NULL)
		fatalx("evhttp_bind_listener");
	evconnlistener_set_error_cb(listener[door], no_descriptor);
	server[door] = http;
	return (0);
}

/* One more, in the place of the oldest where there are too many: who only
 * comes and waits keeps nobody else away.  That the descriptor is not closed
 * with the bufferevent makes evhttp do so at the end, while we hold that. */
static struct bufferevent *
welcome(struct event_base *b, void *arg)
{
	const uint32_t	*door = arg;
	struct visitor	*v = calloc(1, sizeof(*v));

	show_out(*door);
	if (v == NULL || (v->bev = bufferevent_socket_new(b, -1, 0)) == NULL)
		fatalx("bufferevent_socket_new");
	bufferevent_incref(v->bev);
	TAILQ_INSERT_TAIL(&visitors[*door], v, link);
	return (v->bev);
}

static void
show_out(uint32_t door)
{
	struct visitor	*v, *next, *oldest = NULL;
	size_t		 n = 0;

	for (v = TAILQ_FIRST(&visitors[door]); v != NULL; v = next) {
		next = TAILQ_NEXT(v, link);
		if (is_gone(v->bev)) {
			TAILQ_REMOVE(&visitors[door], v, link);
			bufferevent_decref(v->bev);
			free(v);
		} else if (!v->shown_out && !v->held) {
			n++;
			if (oldest == NULL)
				oldest = v;
		}
	}
	if (n < OPEN_MAX)
		return;
	/* to evhttp it looks as if the other side had left */
	oldest->shown_out = 1;
	bufferevent_trigger_event(oldest->bev, BEV_EVENT_READING |
	    BEV_EVENT_EOF, BEV_TRIG_DEFER_CALLBACKS);
}

void
door_hold(struct evhttp_request *req, int on)
{
	const struct bufferevent *bev = evhttp_connection_get_bufferevent(
				    evhttp_request_get_connection(req));
	struct visitor		*v;
	size_t			 i;

	for (i = 0; i < DOOR_MAX; i++) {
		if (server[i] == NULL)
			continue;
		TAILQ_FOREACH(v, &visitors[i], link)
			if (v->bev == bev)
				v->held = on;
	}
}

/* evhttp has let go of it. */
static int
is_gone(struct bufferevent *bev)
{
	bufferevent_data_cb	 reads, writes;
	bufferevent_event_cb	 events;

	bufferevent_getcb(bev, &reads, &writes, &events, NULL);
	return (reads == NULL && writes == NULL && events == NULL);
}

/* Its loop would spin until one is free. */
static void
no_descriptor(struct evconnlistener *l, void *arg)
{
	struct timeval	 tv = { PAUSE_S, 0 };
	size_t		 i;

	(void)arg;
	for (i = 0; i < DOOR_MAX; i++)
		if (listener[i] == l) {
			evconnlistener_disable(l);
			evtimer_add(pause_ev[i], &tv);
		}
}

static void
go_on(evutil_socket_t fd, short what, void *arg)
{
	const uint32_t	*door = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(listener[*door]);
}

int
door_config(int fd)
{
	struct monitor_conf	*neu;
	const void		*p;
	size_t			 len;

	if (memfd_map(fd, CONF_PACKED_MAX, &p, &len) == -1)
		return (-1);
	neu = monitor_conf_unpack(p, len);
	memfd_unmap(p, len);
	if (neu == NULL)
		return (-1);
	monitor_conf_free(conf);
	conf = neu;
	return (0);
}

static void
request(struct evhttp_request *req, void *arg)
{
	const uint32_t		*door = arg;
	const struct evhttp_uri	*uri = evhttp_request_get_evhttp_uri(req);
	enum evhttp_cmd_type	 method = evhttp_request_get_command(req);
	const struct route	*r = NULL;
	const char		*path;
	int			 other = 0;

	path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
	if (path != NULL)
		r = find_route(path, method == EVHTTP_REQ_HEAD ?
		    EVHTTP_REQ_GET : method, &other);
	if (r != NULL && r->control && *door != DOOR_CONTROL)
		r = NULL, other = 0;
	if (!may_ask(req, *door, r))
		return;
	if (r != NULL)
		r->run(req, r->what);
	else if (other)
		door_error(req, 405, "method not allowed");
	else
		door_error(req, 404, "not found");
}

/* 1, or 0: it was answered. */
static int
may_ask(struct evhttp_request *req, uint32_t door, const struct route *r)
{
	if (door == DOOR_CONTROL) {
		if (peer_known(req))
			return (1);
		door_error(req, 403, "not root, the gateway's user, or of "
		    "control.group");
		return (0);
	}
	/* it is the page that asks for the token */
	if (conf == NULL) {
		door_error(req, 503, "starting");
		return (0);
	}
	if (conf->token && (r == NULL || !r->open) && !token_right(req)) {
		evhttp_add_header(evhttp_request_get_output_headers(req),
		    "WWW-Authenticate", "Bearer realm=\"mcpgw admin\"");
		door_error(req, 401, "expected the token of "
		    "admin.token_file");
		return (0);
	}
	if (!conf->token && !host_ours(req)) {
		door_error(req, 421, "host not allowed");
		return (0);
	}
	return (1);
}

/* root, whoever the master is, or who has the group of the socket's file. */
static int
peer_known(struct evhttp_request *req)
{
	struct evhttp_connection *ec = evhttp_request_get_connection(req);
	int			 fd = bufferevent_getfd(
				    evhttp_connection_get_bufferevent(ec));
	struct ucred		 peer;
	socklen_t		 len = sizeof(peer);
	gid_t			 groups[256];
	size_t			 i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1 ||
	    len != sizeof(peer))
		return (0);
	if (peer.uid == 0 || peer.uid == gateway)
		return (1);
	if (conf == NULL || !conf->group)
		return (0);
	if (peer.gid == conf->gid)
		return (1);
	len = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == -1)
		return (0);
	for (i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == conf->gid)
			return (1);
	return (0);
}

/* Not a name that somebody's DNS leads to this host (DNS rebinding). */
static int
host_ours(struct evhttp_request *req)
{
	struct evkeyvalq	*in = evhttp_request_get_input_headers(req);
	const char		*host = evhttp_find_header(in, "Host");
	unsigned char		 a[16];
	char			 name[64];
	size_t			 len;

	if (host == NULL)
		return (1);
	if (host[0] == '[')
		len = strcspn(++host, "]");
	else
		len = strcspn(host, ":");
	if (len == 0 || len >= sizeof(name))
		return (0);
	memcpy(name, host, len);
	name[len] = '\0';
	return (strcasecmp(name, "localhost") == 0 ||
	    inet_pton(AF_INET, name, a) == 1 ||
	    inet_pton(AF_INET6, name, a) == 1);
}

static int
token_right(struct evhttp_request *req)
{
	const char	*s = evhttp_find_header(
			    evhttp_request_get_input_headers(req),
			    "Authorization");
	unsigned char	 md[EVP_MAX_MD_SIZE];
	size_t		 n = 0;

	if (s == NULL || strncasecmp(s, "Bearer ", 7) != 0)
		return (0);
	for (s += 7; *s == ' '; s++)
		;
	if (EVP_Q_digest(NULL, "SHA256", NULL, s, strlen(s), md, &n) != 1 ||
	    n != sizeof(conf->token_digest))
		return (0);
	return (CRYPTO_memcmp(md, conf->token_digest, n) == 0);
}

void
door_answer(struct evhttp_request *req, int status, const char *type,
    struct evbuffer *body)
{
	struct evkeyvalq	*out = evhttp_request_get_output_headers(req);

	evhttp_add_header(out, "Content-Type", type);
	evhttp_add_header(out, "Cache-Control", "no-store");
	evhttp_add_header(out, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(out, "Referrer-Policy", "no-referrer");
	evhttp_add_header(out, "Cross-Origin-Resource-Policy", "same-origin");
	evhttp_send_reply(req, status, NULL, body);
}

void
door_error(struct evhttp_request *req, int status, const char *text)
{
	struct evbuffer	*b = evbuffer_new();

	if (b == NULL)
		fatalx("evbuffer_new");
	evbuffer_add_printf(b, "{\"error\":\"%s\"}\n", text);
	door_answer(req, status, "application/json", b);
	evbuffer_free(b);
}

const char *
door_query(struct evhttp_request *req)
{
	const struct evhttp_uri	*uri = evhttp_request_get_evhttp_uri(req);
	const char		*q;

	q = uri == NULL ? NULL : evhttp_uri_get_query(uri);
	return (q == NULL ? "" : q);
}
