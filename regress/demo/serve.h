/*
 * What the demo's servers share: an evhttp server on a loopback address,
 * signals, answers.  They are fixtures, not part of the gateway.
 */
#ifndef DEMO_SERVE_H
#define DEMO_SERVE_H

#include <event2/event.h>
#include <event2/http.h>
#include <stddef.h>

#define BODY_MAX	(1024 * 1024)

/* Listen on "ADDRESS:PORT" (port 0: the kernel chooses), print "listening on
 * http://ADDRESS:PORT" and return the server; exits with a message when that
 * fails.  *url (malloc'ed) is what was printed. */
struct evhttp *serve_listen(struct event_base *, const char *where,
	    char **url);
/* Run until SIGTERM or SIGINT. */
void	serve_loop(struct event_base *);
/* Answer with a status, a content type and a text. */
void	serve_reply(struct evhttp_request *, int status, const char *type,
	    const char *text, size_t len);
/* A copy of a request's body (NUL-terminated, to be freed); *len its size. */
char	*serve_body(struct evhttp_request *, size_t *len);

#endif
