/*
 * The common part of the demo's servers.
 */
#include <event2/buffer.h>

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "regress/demo/serve.h"

static void
stop(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	event_base_loopbreak(arg);
}

struct evhttp *
serve_listen(struct event_base *base, const char *where, char **url)
{
	struct evhttp_bound_socket *sock;
	struct sockaddr_in	 sin;
	struct evhttp		*http;
	socklen_t		 len = sizeof(sin);
	char			*host, *colon;

	if ((host = strdup(where)) == NULL ||
	    (colon = strrchr(host, ':')) == NULL)
		errx(1, "-l: expected address:port, got %s", where);
	*colon = '\0';
	if ((http = evhttp_new(base)) == NULL)
		errx(1, "evhttp_new");
	sock = evhttp_bind_socket_with_handle(http, host,
	    (ev_uint16_t)atoi(colon + 1));
	if (sock == NULL)
		err(1, "cannot listen on %s", where);
	if (getsockname(evhttp_bound_socket_get_fd(sock),
	    (struct sockaddr *)&sin, &len) == -1)
		err(1, "getsockname");
	if (asprintf(url, "http://%s:%u", host, ntohs(sin.sin_port)) == -1)
		err(1, NULL);
	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_max_headers_size(http, 64 * 1024);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_POST |
	    EVHTTP_REQ_DELETE | EVHTTP_REQ_HEAD | EVHTTP_REQ_OPTIONS);
	printf("listening on %s\n", *url);
	fflush(stdout);
	free(host);
	return (http);
}

void
serve_loop(struct event_base *base)
{
	struct event	*term, *intr;

	signal(SIGPIPE, SIG_IGN);
	term = evsignal_new(base, SIGTERM, stop, base);
	intr = evsignal_new(base, SIGINT, stop, base);
	if (term == NULL || intr == NULL)
		errx(1, "evsignal_new");
	event_add(term, NULL);
	event_add(intr, NULL);
	event_base_dispatch(base);
	event_free(term);
	event_free(intr);
}

void
serve_reply(struct evhttp_request *req, int status, const char *type,
    const char *text, size_t len)
{
	struct evbuffer	*buf = evbuffer_new();

	if (buf == NULL)
		errx(1, "evbuffer_new");
	if (type != NULL)
		evhttp_add_header(evhttp_request_get_output_headers(req),
		    "Content-Type", type);
	evbuffer_add(buf, text, len);
	evhttp_send_reply(req, status, NULL, buf);
	evbuffer_free(buf);
}

char *
serve_body(struct evhttp_request *req, size_t *len)
{
	struct evbuffer	*in = evhttp_request_get_input_buffer(req);
	char		*text;

	*len = evbuffer_get_length(in);
	if ((text = malloc(*len + 1)) == NULL)
		err(1, NULL);
	evbuffer_copyout(in, text, *len);
	text[*len] = '\0';
	return (text);
}
