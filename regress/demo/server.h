/*
 * A small HTTP server on libevent's evhttp, for both servers of the demo: it
 * listens on loopback, says where, ends on SIGTERM or SIGINT, and helps to
 * read requests and to send answers.  Handlers run in its event loop.
 */
#ifndef DEMO_SERVER_H
#define DEMO_SERVER_H

#include <stddef.h>

#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <yajl/yajl_gen.h>

#define SERVER_TIMEOUT	60		/* seconds, reading and writing */

struct server {
	struct event_base	*base;
	struct evhttp		*http;
	struct evconnlistener	*listener;	/* http owns it */
	struct event		*term;
	struct event		*intr;
	char			 url[64];	/* http://ADDRESS:PORT */
};

/* Listen on address:port, an IPv4 address of loopback; port 0 chooses one.
 * max_body: bytes of a request's body, more is answered with 413.
 * The program ends, with a message, when that cannot be done. */
void	server_open(struct server *, const char *address, size_t max_body);
/* Print `listening on URL' to stdout and serve until a signal. */
void	server_run(struct server *);
void	server_close(struct server *);

/* The value of a field of the request, or NULL. */
const char *server_field(struct evhttp_request *, const char *name);
/* Does value (may be NULL), a list perhaps, begin with this media type?
 * Parameters are ignored. */
int	server_is_type(const char *value, const char *type);
/* Does the request have one of the methods (EVHTTP_REQ_*)?  If not it has
 * been answered with 405 and allow: returns 0. */
int	server_allow(struct evhttp_request *, int methods, const char *allow);
void	server_add(struct evhttp_request *, const char *name,
	    const char *value);
/* Answer with a JSON text, which is freed. */
void	server_json(struct evhttp_request *, int status, yajl_gen);
/* Answer without a body. */
void	server_empty(struct evhttp_request *, int status);

#endif
