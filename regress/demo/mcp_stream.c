/*
 * Streams: each is a request that is being answered and a timer.
 *
 * Who frees the request: evhttp does, once evhttp_send_reply_end() was called.
 * When the client leaves first evhttp lets go of the request before it calls
 * our callback, and then it is ours to free.
 */
#include <sys/queue.h>

#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "regress/demo/json_out.h"
#include "regress/demo/mcp_rpc.h"
#include "regress/demo/mcp_stream.h"
#include "regress/demo/server.h"

#define STREAMS_MAX	8192
#define UNSENT_MAX	(256 * 1024)	/* then wait for the reader */
#define WAIT_MS		10		/* before looking again */

struct stream {
	TAILQ_ENTRY(stream)	 entry;
	struct evhttp_request	*req;
	struct session		*session;	/* may be NULL */
	struct event		*timer;
	char			*id;		/* NULL: standalone */
	char			*token;		/* may be NULL */
	char			*padding;	/* may be NULL */
	int			 sse;
	long long		 done, count;
	long long		 interval_ms;
};

static TAILQ_HEAD(, stream)	 streams = TAILQ_HEAD_INITIALIZER(streams);
static size_t			 nstreams;
static struct event_base	*base;

static struct stream *stream_new(struct evhttp_request *, struct session *,
		    int);
static void	 stream_free(struct stream *);
static void	 stream_end(struct stream *);
static void	 on_close(struct evhttp_connection *, void *);
static void	 on_timer(evutil_socket_t, short, void *);
static void	 watch(struct stream *);
static void	 unwatch(struct evhttp_connection *);
static void	 begin_sse(struct evhttp_request *);
static void	 wait_ms(struct stream *, long long);
static int	 is_full(struct stream *);
static void	 event_send(struct evhttp_request *, long long, yajl_gen);
static yajl_gen	 step(struct stream *);
static void	 finish(struct stream *);
static char	*copy(const char *);

void
stream_setup(struct event_base *b)
{
	base = b;
}

void
stream_once(struct evhttp_request *req, yajl_gen g)
{
	begin_sse(req);
	event_send(req, 0, g);
	evhttp_send_reply_end(req);
}

int
stream_slow(struct evhttp_request *req, struct session *session, int sse,
    const struct slow_call *call)
{
	struct stream	*s;

	if ((s = stream_new(req, session, sse)) == NULL)
		return (-1);
	s->id = copy(call->id);
	if (call->token != NULL)
		s->token = copy(call->token);
	if (call->size > 0) {
		if ((s->padding = malloc((size_t)call->size + 1)) == NULL)
			err(1, NULL);
		memset(s->padding, 'x', (size_t)call->size);
		s->padding[call->size] = '\0';
	}
	s->count = call->count;
	s->interval_ms = call->interval_ms;
	watch(s);
	wait_ms(s, s->interval_ms);
	return (0);
}

int
stream_standalone(struct evhttp_request *req, struct session *session,
    long long interval_ms, long long last)
{
	struct stream	*s;

	if ((s = stream_new(req, session, 1)) == NULL)
		return (-1);
	s->done = last;
	s->count = LLONG_MAX;
	s->interval_ms = interval_ms;
	watch(s);
	wait_ms(s, 0);
	return (0);
}

void
stream_cancel(struct session *session, const char *id)
{
	struct stream	*s;

	TAILQ_FOREACH(s, &streams, entry) {
		if (s->session == session && s->id != NULL &&
		    strcmp(s->id, id) == 0) {
			stream_end(s);
			return;
		}
	}
}

void
stream_end_session(struct session *session)
{
	struct stream	*s, *next;

	for (s = TAILQ_FIRST(&streams); s != NULL; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (s->session == session)
			stream_end(s);
	}
}

void
stream_end_all(void)
{
	while (!TAILQ_EMPTY(&streams))
		stream_end(TAILQ_FIRST(&streams));
}

static struct stream *
stream_new(struct evhttp_request *req, struct session *session, int sse)
{
	struct stream	*s;

	if (nstreams == STREAMS_MAX)
		return (NULL);
	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (s->timer = evtimer_new(base, on_timer, s)) == NULL)
		err(1, NULL);
	s->req = req;
	s->session = session;
	s->sse = sse;
	TAILQ_INSERT_TAIL(&streams, s, entry);
	nstreams++;
	if (sse)
		begin_sse(req);
	return (s);
}

static void
stream_free(struct stream *s)
{
	TAILQ_REMOVE(&streams, s, entry);
	nstreams--;
	event_free(s->timer);
	free(s->id);
	free(s->token);
	free(s->padding);
	free(s);
}

/* Without an answer when there was none yet. */
static void
stream_end(struct stream *s)
{
	unwatch(evhttp_request_get_connection(s->req));
	if (s->sse)
		evhttp_send_reply_end(s->req);
	else
		server_empty(s->req, 202);
	stream_free(s);
}

/* The client left. */
static void
on_close(struct evhttp_connection *conn, void *arg)
{
	struct stream	*s = arg;

	(void)conn;
	fprintf(stderr, "client left after %lld events\n", s->done);
	if (evhttp_request_get_connection(s->req) == NULL)
		evhttp_request_free(s->req);
	stream_free(s);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct stream	*s = arg;

	(void)fd;
	(void)what;
	if (is_full(s)) {
		wait_ms(s, WAIT_MS);
	} else if (s->done < s->count) {
		s->done++;
		if (s->sse)
			event_send(s->req, s->id == NULL ? s->done : 0,
			    step(s));
		wait_ms(s, s->interval_ms);
	} else {
		finish(s);
	}
}

/*
 * Look out for the end of the connection.  evhttp does so once something was
 * written, and it takes a client that says nothing for one that is gone; the
 * JSON answer has written nothing yet, and clients of streams may be silent.
 */
static void
watch(struct stream *s)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(s->req);
	struct bufferevent	*bev = evhttp_connection_get_bufferevent(conn);
	struct timeval		 tv = { SERVER_TIMEOUT, 0 };
	bufferevent_data_cb	 on_write;
	bufferevent_event_cb	 on_event;
	void			*arg;

	evhttp_connection_set_closecb(conn, on_close, s);
	bufferevent_set_timeouts(bev, NULL, &tv);
	/* nothing is to be read as the next request while we answer */
	bufferevent_getcb(bev, NULL, &on_write, &on_event, &arg);
	bufferevent_setcb(bev, NULL, on_write, on_event, arg);
	bufferevent_enable(bev, EV_READ);
}

static void
unwatch(struct evhttp_connection *conn)
{
	struct bufferevent	*bev = evhttp_connection_get_bufferevent(conn);
	struct timeval		 tv = { SERVER_TIMEOUT, 0 };

	evhttp_connection_set_closecb(conn, NULL, NULL);
	bufferevent_set_timeouts(bev, &tv, &tv);
}

static void
begin_sse(struct evhttp_request *req)
{
	server_add(req, "Content-Type", "text/event-stream");
	server_add(req, "Cache-Control", "no-cache");
	evhttp_send_reply_start(req, 200, "OK");
}

static void
wait_ms(struct stream *s, long long ms)
{
	struct timeval	 tv;

	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	if (evtimer_add(s->timer, &tv) == -1)
		errx(1, "cannot add a timer");
}

static int
is_full(struct stream *s)
{
	struct bufferevent	*bev;

	bev = evhttp_connection_get_bufferevent(
	    evhttp_request_get_connection(s->req));
	return (evbuffer_get_length(bufferevent_get_output(bev)) > UNSENT_MAX);
}

/* One event, with a number unless that is 0; the text is freed. */
static void
event_send(struct evhttp_request *req, long long number, yajl_gen g)
{
	struct evbuffer	*out;
	const char	*text;
	size_t		 len;

	text = json_out_text(g, &len);
	if ((out = evbuffer_new()) == NULL || (number != 0 &&
	    evbuffer_add_printf(out, "id: %lld\n", number) == -1) ||
	    evbuffer_add_printf(out, "event: message\ndata: ") == -1 ||
	    evbuffer_add(out, text, len) == -1 ||
	    evbuffer_add(out, "\n\n", 2) == -1)
		errx(1, "no memory");
	evhttp_send_reply_chunk(req, out);
	evbuffer_free(out);
	yajl_gen_free(g);
}

/* What is sent before the answer. */
static yajl_gen
step(struct stream *s)
{
	char		 text[64];
	yajl_gen	 g;

	if (s->id == NULL)
		snprintf(text, sizeof(text), "tick %lld", s->done);
	else
		snprintf(text, sizeof(text), "step %lld of %lld", s->done,
		    s->count);
	if (s->token != NULL) {
		g = rpc_notification("notifications/progress");
		json_out_raw(g, "progressToken", s->token);
		json_out_int(g, "progress", s->done);
		json_out_int(g, "total", s->count);
		json_out_str(g, "message", text);
	} else {
		g = rpc_notification("notifications/message");
		json_out_str(g, "level", "info");
		json_out_str(g, "logger", s->id == NULL ? "demo" : "slow");
		json_out_str(g, "data", text);
	}
	if (s->padding != NULL) {
		json_out_map(g, "_meta");
		json_out_str(g, "demo/padding", s->padding);
		json_out_map_end(g);
	}
	rpc_end(g);
	return (g);
}

static void
finish(struct stream *s)
{
	struct evhttp_request	*req = s->req;
	char			 text[64];
	yajl_gen		 g;

	snprintf(text, sizeof(text), "%lld steps done", s->count);
	g = rpc_text_result(s->id, text);
	unwatch(evhttp_request_get_connection(req));
	if (s->sse) {
		event_send(req, 0, g);
		evhttp_send_reply_end(req);
	} else {
		server_json(req, 200, g);
	}
	stream_free(s);
}

static char *
copy(const char *s)
{
	char	*p;

	if ((p = strdup(s)) == NULL)
		err(1, NULL);
	return (p);
}
